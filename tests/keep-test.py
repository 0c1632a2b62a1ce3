#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing of a test program stays behind, whatever becomes of it."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import traceback

KEEP = sys.argv[1]

# A folder, a daemon two forks and a session away, one that is stopped; their pids, and then the end.
PROGRAM = """
import os, signal, sys, tempfile, time
folder = tempfile.mkdtemp()
ends = os.pipe()
if os.fork() == 0:
    os.setsid()
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(1000)
    os.kill(pid, signal.SIGSTOP)
    if os.fork() == 0:
        os.chdir(folder)
        os.write(ends[1], b"%d %d" % (pid, os.getpid()))
        time.sleep(1000)
    os._exit(0)
BEGIN
print(os.read(ends[0], 100).decode(), os.path.dirname(folder), flush=True)
END
"""


def kept(end, begin=""):
    """Start it under the keeper; returns the process, the pids and its TMPDIR."""
    program = PROGRAM.replace("BEGIN", begin).replace("END", end)
    process = subprocess.Popen([KEEP, sys.executable, "-c", program],
                               stdout=subprocess.PIPE, text=True, start_new_session=True)
    first, second, folder = process.stdout.readline().split()
    return process, [int(first), int(second)], pathlib.Path(folder)


def soon(claim, what):
    deadline = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def gone(pids, folder):
    for pid in pids:
        soon(lambda: not os.path.exists(f"/proc/{pid}"), f"process {pid} is left")  # pylint: disable=cell-var-from-loop
    soon(lambda: not folder.exists(), f"the folder {folder} is left")


def ends(how, status):
    process, pids, folder = kept(how)
    assert process.wait(60) == status, process.returncode
    assert not folder.exists() and not any(os.path.exists(f"/proc/{pid}") for pid in pids)


def test_succeeds():
    ends("os._exit(0)", 0)


def test_fails():
    ends("os._exit(3)", 3)


def test_aborts():
    ends("os.abort()", -signal.SIGABRT)


def test_is_killed():
    ends("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL)


def test_is_stopped_by_meson():
    """As meson does at a timeout: SIGTERM to the group, then SIGKILL."""
    for hard in (False, True):
        process, pids, folder = kept("time.sleep(1000)")
        os.killpg(process.pid, signal.SIGKILL if hard else signal.SIGTERM)
        assert process.wait(60) == (-signal.SIGKILL if hard else -signal.SIGTERM)
        gone(pids, folder)


def test_puts_in_order():
    """What the program itself does when it is stopped comes first."""
    process, pids, folder = kept("time.sleep(1000)", begin="""
def on_term(*_):
    os._exit(not os.path.exists(folder) or os.write(1, b'in order') != 8)
signal.signal(signal.SIGTERM, on_term)""")
    process.terminate()
    assert process.stdout.read() == "in order"
    gone(pids, folder)


def test_system_folder():
    """A test that makes a folder of the system's driver fails, one that finds it there does not."""
    with tempfile.TemporaryDirectory() as root:
        env = dict(os.environ, STASIS_TEST_SYSTEM=root)
        for status in (1, 0):
            done = subprocess.run([KEEP, "mkdir", "-p", f"{root}/var/lib/stasis/marks"], env=env, check=False,
                                  stderr=subprocess.PIPE, text=True)
            assert done.returncode == status, done
            assert ("/var/lib/stasis' came to be" in done.stderr) == (status == 1), done


def test_ignored_signals():
    """Those that a background job or nohup has ignored are not in the program."""
    script = "import signal; print([n for n in (1, 2, 3, 15, 20) if signal.getsignal(n) == signal.SIG_IGN])"
    done = subprocess.run(["sh", "-c", "trap '' HUP INT QUIT TERM TSTP; exec \"$@\"", "sh", KEEP, sys.executable,
                           "-c", script], check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "[]\n", done.stdout


def test_no_program():
    assert subprocess.run([KEEP, "/no/such/program"], stderr=subprocess.DEVNULL, check=False).returncode == 127


tests = [function for name, function in list(globals().items()) if name.startswith("test_")]
print(f"1..{len(tests)}", flush=True)
failed = 0
for number, function in enumerate(tests, 1):
    try:
        function()
        print(f"ok {number} - /keep/{function.__name__[5:].replace('_', '-')}", flush=True)
    except Exception:  # pylint: disable=broad-except
        failed = 1
        print(f"not ok {number} - /keep/{function.__name__[5:].replace('_', '-')}")
        print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), flush=True)
sys.exit(failed)
