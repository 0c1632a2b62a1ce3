#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run a test program, and see to it that nothing of it stays behind.

    keep.py PROGRAM [ARGUMENT...]

The program gets a TMPDIR of its own.  When it has ended, in whatever way, all
processes that come from it are killed (QEMUs and supervisors too, which have
sessions of their own) and the folder is removed.  A program during which a
folder of the system's driver came to be has failed: tests name a folder of their
own (STASIS_STATE_DIR), or root's tests would write into the machine that they
run on.

There are two of us.  The first is what meson knows and kills.  The second, the
keeper, stands outside its process group, is the parent of all orphans
(PR_SET_CHILD_SUBREAPER), and holds the end of a pipe that tells it when the
first has died.  So only processes that come from the program are ever signalled.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
# As src/driver/paths.c names them.  STASIS_TEST_SYSTEM puts them below another folder, for our own test.
SYSTEM = [os.environ.get("STASIS_TEST_SYSTEM", "") + folder for folder in (
    "/etc/stasis", "/var/lib/stasis", "/run/stasis", "/var/log/stasis", "/var/cache/stasis")]
TERM_S = 5   # for a program that is stopped to put its own things in order
LEAVE_S = 1  # for those on their way out when it has ended


def children():
    """The pids whose parent we are."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            if parent == os.getpid():
                found.append(int(entry))
    return found


def reap(wanted=None):
    """Take the ended children; the status of the one that is wanted, if it is among them."""
    status = None
    while True:
        try:
            pid, one = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if pid == 0:
            return status
        if pid == wanted:
            status = one


def wait_program(pid, first_gone):
    """Wait for the program to end, or to be stopped because the first of us has died."""
    wake_in, wake_out = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake_out)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    deadline = None
    watched = [first_gone, wake_in]
    while (status := reap(pid)) is None:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return signal.SIGKILL
        ready, _, _ = select.select(watched, [], [], left)
        if wake_in in ready:
            os.read(wake_in, 4096)
        if first_gone in ready:
            watched.remove(first_gone)
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)
            deadline = time.monotonic() + TERM_S
    return status


def end_rest():
    """Kill what is left, children of children too, as they become ours."""
    deadline = time.monotonic() + LEAVE_S
    while left := children():
        if time.monotonic() > deadline:
            for pid in left:  # ours, so none of them can be another one by now
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
        reap()


def remove(folder):
    """Remove the folder, and nothing of what may still be mounted in it."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        points = [line.split()[4] for line in file]
    for point in reversed([point for point in points if point.startswith(folder + "/")]):
        if subprocess.run(["umount", "-l", point], check=False).returncode != 0:
            return
    shutil.rmtree(folder, ignore_errors=True)


def system_folders():
    """Those that are there."""
    return {folder for folder in SYSTEM if os.path.lexists(folder)}


def keep(argv, first_gone, tell):
    """The keeper: run the program, tell the first how it ended, leave nothing."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    folder = tempfile.mkdtemp(prefix="stasis-")
    os.chmod(folder, 0o711)  # users of their own go through it to what is theirs
    before = system_folders()
    try:
        # pylint: disable-next=consider-using-with
        program = subprocess.Popen(argv, env=dict(os.environ, TMPDIR=folder), restore_signals=True)
        status = wait_program(program.pid, first_gone)
        program.returncode = status  # it has been reaped
    except OSError as error:
        print(f"keep: {error}", file=sys.stderr)
        status = 127 << 8
    end_rest()
    remove(folder)
    for made in sorted(system_folders() - before):
        print(f"keep: '{made}' came to be while this test ran: it needs a STASIS_STATE_DIR", file=sys.stderr)
        status = status or 1 << 8
    os.write(tell, status.to_bytes(4, "little"))


def main():
    # Whoever runs us in the background, or by nohup, has some of these ignored: tests send them.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)
    alive_in, alive_out = os.pipe()
    told, tell = os.pipe()
    if os.fork() == 0:
        os.close(alive_out)
        os.close(told)
        try:
            keep(sys.argv[1:], alive_in, tell)
        finally:
            os._exit(0)
    os.close(alive_in)
    os.close(tell)
    status = int.from_bytes(os.read(told, 4) or b"\1\0\0\0", "little")
    if os.WIFSIGNALED(status):
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE: no second core
        if os.WTERMSIG(status) != signal.SIGKILL:
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    sys.exit(os.WEXITSTATUS(status))


main()
