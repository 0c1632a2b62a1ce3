# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run tests of the real `stasis` with real guests; print TAP.

    import harness

    @harness.test("a guest goes on after a restore")
    def goes_on(t):
        guest = t.boot_sector_guest()
        t.stasis("create", guest.xml_file())
        guest.wait_for_tick(3)
        ...

    harness.main()

Every test has a private folder (t.dir), which holds its STASIS_STATE_DIR, its
images and sockets, and is removed afterwards.  A process belongs to a test if
its command line, environment, working folder or an open file names that folder.
A test that passes must leave none: its guests are destroyed through `stasis`,
then whatever still lives is reported as a failure, and killed.  Nothing else is
ever signalled.

The environment says what to use: STASIS_BIN, STASIS_TEST_QEMU (emulator),
STASIS_TEST_ACCEL (tcg or kvm), STASIS_TEST_SOAK (full counts of long tests),
STASIS_TEST_ONLY_SOAK (nothing without that), STASIS_TEST_REPEATED (all of it has run
with another emulator before), STASIS_TEST_MODE: "embedded", or
"unix": every `stasis` of a test is a client of a stasisd of the test's own, through
its socket, and has to do and say the same; "ssh": the same through a real sshd on
loopback, as if the daemon were on another host.
"""

import atexit
import contextlib
import functools
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

import guest as guests

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("STASIS_TEST_BUILDDIR", ROOT / "build"))
GUEST_DIR = ROOT / "build" / "guest"
STASIS = os.environ.get("STASIS_BIN", str(BUILD / "bin" / "stasis"))
QEMU = os.environ.get("STASIS_TEST_QEMU") or shutil.which("qemu-system-x86_64") or ""
ACCEL = os.environ.get("STASIS_TEST_ACCEL", "tcg")
SOAK = bool(os.environ.get("STASIS_TEST_SOAK"))
REPEATED = bool(os.environ.get("STASIS_TEST_REPEATED")) and not SOAK
MODE = os.environ.get("STASIS_TEST_MODE", "embedded")

registered = []


class Skip(Exception):
    """Raised by a test that cannot run here; says why."""


class CommandFailed(AssertionError):
    def __init__(self, result):
        self.result = result
        super().__init__(f"{' '.join(map(str, result.args))}: exit {result.returncode}\n"
                         f"{result.stdout}{result.stderr}")


def test(name, timeout=180, embedded=False, once=False):
    """Register a function as a test; it gets a Test.  @embedded: it is for that mode alone.

    @once: it asks nothing of the emulator that another version could answer otherwise: one emulator will do."""
    def register(function):
        if (MODE == "embedded" or not embedded) and not (once and REPEATED):
            registered.append((name, function, timeout))
        return function
    return register


@functools.cache
def ssh_server():
    """An sshd of this process's own, for all of its tests."""
    sys.path.insert(0, str(ROOT / "tests" / "transport"))
    import sshd  # pylint: disable=import-outside-toplevel
    if reason := sshd.why_not():
        raise Skip(reason)
    folder = tempfile.mkdtemp(prefix="stasis-sshd-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    server = sshd.Sshd(folder)
    atexit.register(server.stop)
    return server


def has_faults():
    """Whether the build under test has fault points; one without config.h is not ours to tell."""
    config = BUILD / "config.h"
    return not config.exists() or "#define STASIS_FAULTS 1" in config.read_text()


def is_stopped(pid):
    """Whether it has been stopped by a signal, as at a fault point.  One that has ended never will be."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    state = stat.rpartition(")")[2].split()[0]
    assert state not in "ZX", f"process {pid} has ended, and was not stopped before that"
    return state == "T"


def free_port(*addresses):
    """A port of these addresses for somebody who binds it later: one that the kernel gives to nobody by itself meanwhile."""
    for _ in range(100):
        port = random.randrange(10000, 32000)
        with contextlib.suppress(OSError):
            for address in addresses or ("127.0.0.1",):
                with socket.socket() as probe:
                    probe.bind((address, port))
            return port
    raise AssertionError("no port is free")


def open_files(pid):
    """What the descriptors of a process lead to; one that is closed meanwhile is left out."""
    names = []
    for path in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.append(os.readlink(path))
    return names


def kill(pid):
    """Kill a process that need not be our child, and wait until its last thread has ended."""
    handle = os.pidfd_open(pid)
    try:
        os.kill(pid, signal.SIGKILL)
        assert select.select([handle], [], [], 60)[0], f"process {pid} does not end"
    finally:
        os.close(handle)


def wait_for(condition, what, timeout=60):
    """Wait until condition() is true and return what it returned."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s for {what}")
        time.sleep(0.02)
    return value


@contextlib.contextmanager
def mounted(*command, at):
    """Something is mounted there; a Skip where that is not possible."""
    at.mkdir(exist_ok=True)
    result = subprocess.run(["mount", *map(str, command), str(at)], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise Skip(f"cannot mount here: {result.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def fill(folder):
    """Take all the space that is left."""
    with open(folder / "fill", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert os.statvfs(folder).f_bfree == 0


class Test:
    def __init__(self, name):
        self.name = name
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="stasis-test-")).resolve()
        self.state = self.dir / "state"
        config = self.state / "config"
        config.mkdir(mode=0o700, parents=True)
        self.state.chmod(0o700)
        (config / "stasis.conf").write_text(f"[emulators]\ndefault={QEMU}\nallowed={QEMU}\n")
        self.guests = []
        self.daemon = None  # in the modes "unix" and "ssh"

    # What a test uses.

    def environment(self, **more):
        if "STASIS_FAULT" in more and not has_faults():
            raise Skip("built without fault points (-Dfaults=true)")
        env = dict(os.environ, STASIS_STATE_DIR=str(self.state), LC_ALL="C.UTF-8")
        return env | {key: str(value) for key, value in more.items()}

    def command_environment(self, **more):
        """That of a `stasis`, which may be a client."""
        if MODE == "embedded":
            return self.environment(**more)
        if any(key.startswith("STASIS_FAULT") for key in more):
            raise Skip("faults are of the process that does it, which is the daemon")
        if self.daemon is None:
            self.start_daemon()
        return self.environment(STASIS_DEFAULT_URI=self.uri(), **more)

    def uri(self):
        """Of the daemon."""
        if MODE == "unix":
            return f"stasis+unix:///system?socket={self.dir}/served"
        server = ssh_server()
        return (f"stasis+ssh://{server.user}@127.0.0.1:{server.port}/system?socket={self.dir}/served"
                f"&keyfile={server.key}&known_hosts={server.known_hosts}")

    def start_daemon(self):
        log = self.dir / "stasisd.log"
        with open(log, "wb") as file:
            self.daemon = subprocess.Popen([pathlib.Path(STASIS).parent / "stasisd", "--socket", self.dir / "served"],
                                           env=self.environment(), stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        wait_for(lambda: b"serving" in log.read_bytes() or self.daemon.poll() is not None, "stasisd to serve")
        assert self.daemon.poll() is None, log.read_text(encoding="utf-8", errors="replace")

    def reload(self):
        """The daemon, where there is one, reads its configuration anew; a command does so by itself."""
        if self.daemon is not None:
            log = self.dir / "stasisd.log"
            said = log.read_bytes().count(b"was read anew")
            self.daemon.send_signal(signal.SIGHUP)
            wait_for(lambda: log.read_bytes().count(b"was read anew") > said, "stasisd to read it")

    def stop_daemon(self):
        if self.daemon is not None:
            self.daemon.terminate()
            assert self.daemon.wait(60) == 0, "stasisd has failed"
            said = (self.dir / "stasisd.log").read_text(encoding="utf-8", errors="replace")
            assert "CRITICAL" not in said and "Sanitizer" not in said, said

    def stasis(self, *arguments, check=True, timeout=120, stdin=subprocess.DEVNULL, **env):
        """Run `stasis`; a result with returncode, stdout and stderr."""
        result = subprocess.run([STASIS, *map(str, arguments)], env=self.command_environment(**env),
                                stdin=stdin, capture_output=True, text=True,
                                timeout=timeout, check=False)
        if check and result.returncode != 0:
            raise CommandFailed(result)
        return result

    def start(self, *arguments, **env):
        """Start `stasis` and return the process; its output is captured."""
        return subprocess.Popen([STASIS, *map(str, arguments)], env=self.command_environment(**env),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def supervisor(self):
        """The process id of the test's supervisor; a second one that has come in vain leaves at once."""
        def only():
            pids = [pid for pid, command in self.processes().items() if "stasis-supervisor" in command]
            return pids[0] if len(pids) == 1 else None
        return wait_for(only, "one supervisor")

    def by_hand(self, guest, *commands):
        """Kill the guest's supervisor, and run QMP commands on its monitor, past all locks."""
        kill(self.supervisor())
        self.qmp(guest, "supervisor.sock", *commands)

    def qmp(self, guest, name, *commands):
        """What the last of these commands, names or whole messages, returns on the monitor of that name."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self.run_folder(guest) / name))
            monitor.settimeout(60)
            with monitor.makefile("rw", encoding="utf-8") as stream:
                stream.readline()
                for command in ("qmp_capabilities", *commands):
                    message = {"execute": command} if isinstance(command, str) else command
                    stream.write(json.dumps(message) + "\n")
                    stream.flush()
                    while "return" not in (answer := json.loads(stream.readline())):
                        assert "error" not in answer, answer
        return answer["return"]

    def qmp_command(self, guest, command):
        """What a command of QEMU's returns, by way of `stasis`."""
        text = json.dumps({"execute": command})
        return json.loads(self.stasis("qemu-monitor-command", guest.name, text).stdout)["return"]

    def linux_guest(self, name="linux", **options):
        return self._guest(guests.LinuxGuest(self.dir, name, QEMU, ACCEL, GUEST_DIR, **options))

    def boot_sector_guest(self, name="sector", **options):
        return self._guest(guests.BootSectorGuest(self.dir, name, QEMU, ACCEL, GUEST_DIR, **options))

    def button_guest(self, name="button", **options):
        return self._guest(guests.ButtonGuest(self.dir, name, QEMU, ACCEL, **options))

    def _guest(self, guest):
        self.guests.append(guest)
        return guest

    def run_folder(self, guest):
        return self.state / "run" / "domains" / guest.name

    def status(self, guest):
        """What its status.json says."""
        return json.loads((self.run_folder(guest) / "status.json").read_text())

    def wait_for_no_job(self, guest):
        wait_for(lambda: "job" not in self.status(guest), "the journal to be cleared")

    def domstate(self, guest, *options):
        return self.stasis("domstate", guest.name, *options).stdout.strip()

    def processes(self):
        """The processes that belong to this test: {pid: command line}; but not its daemon."""
        others = {os.getpid(), self.daemon.pid if self.daemon is not None else 0}
        return {int(entry.name): text for entry in pathlib.Path("/proc").iterdir()
                if entry.name.isdigit() and int(entry.name) not in others
                and (text := self._belongs(entry)) is not None}

    # How it ends.

    def _belongs(self, entry):
        mark = os.fsencode(self.dir)
        try:
            command = (entry / "cmdline").read_bytes()
            seen = [command, (entry / "environ").read_bytes(), os.fsencode(os.readlink(entry / "cwd"))]
            descriptors = list((entry / "fd").iterdir())
        except OSError:
            return None  # gone, or a kernel thread, or not ours
        for fd in descriptors:
            with contextlib.suppress(OSError):  # closed meanwhile
                seen.append(os.fsencode(os.readlink(fd)))
        if not any(mark in text for text in seen):
            return None
        return command.replace(b"\0", b" ").decode(errors="replace")[:200]

    def _kill(self, pid):
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            if pid in self.processes():
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.close(handle)

    def destroy_guests(self):
        for guest in self.guests:
            guest.close()
            if os.path.exists(STASIS):
                self.stasis("destroy", guest.name, check=False)
        self.stop_daemon()

    def end(self):
        """Kill what is left and remove the folder; returns what was left."""
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait(60)
        left = self.processes()
        deadline = time.monotonic() + 10
        while (now := self.processes()) and time.monotonic() < deadline:
            for pid in now:
                self._kill(pid)
            time.sleep(0.02)
        shutil.rmtree(self.dir, ignore_errors=True)
        if self.dir.exists():
            left[0] = f"the folder {self.dir}"
        return left


def gone_soon(t):
    """Give processes that are on their way out a moment."""
    deadline = time.monotonic() + 5
    while t.processes() and time.monotonic() < deadline:
        time.sleep(0.02)


def on_alarm(_number, _frame):
    raise TimeoutError("the test took too long")


def run_one(name, function, timeout):
    """Run one test; returns (ok, what TAP adds to the line, diagnostics)."""
    t = Test(name)
    ok, rest, report = True, "", ""
    signal.alarm(timeout)
    try:
        function(t)
        t.destroy_guests()
        gone_soon(t)
    except Skip as reason:
        rest = f" # SKIP {reason}"
        t.destroy_guests()
        gone_soon(t)
    except Exception:  # pylint: disable=broad-except
        ok, report = False, traceback.format_exc()
    finally:
        signal.alarm(0)
        for guest in t.guests:
            guest.close()
            if not ok:
                report += f"serial of {guest.name}: ...{guest.serial_text()[-400:]!r}\n"
        left = t.end()
    if left and ok:
        ok, report = False, "left behind:\n" + "\n".join(f"{p}: {c}" for p, c in left.items())
    return ok, rest, report


def main(skip_all=""):
    """Run the registered tests that the arguments name (default: all)."""
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not QEMU or not (GUEST_DIR / "vmlinux").exists():
        skip_all = skip_all or "no emulator or no test guest (./dev setup, scripts/build-guest.sh)"
    if os.environ.get("STASIS_TEST_ONLY_SOAK") and not SOAK:
        skip_all = "under soak only"
    if skip_all:
        print(f"1..0 # SKIP {skip_all}")
        return

    words = sys.argv[1:]
    chosen = [one for one in registered if not words or any(word in one[0] for word in words)]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    for number, (name, function, timeout) in enumerate(chosen, 1):
        start = time.monotonic()
        ok, rest, report = run_one(name, function, timeout)
        failed += not ok
        for line in report.splitlines():
            print(f"# {line}")
        print(f"{'ok' if ok else 'not ok'} {number} - {name}{rest}")
        print(f"# {time.monotonic() - start:.1f} s", flush=True)
    sys.exit(1 if failed else 0)
