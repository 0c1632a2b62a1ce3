# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stasisd for a test's state directory, and libvirt's own clients on it."""

import contextlib
import fcntl
import os
import pathlib
import select
import shutil
import signal
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "integration"))
import harness  # pylint: disable=wrong-import-position

STASISD = pathlib.Path(harness.STASIS).parent / "stasisd"
# So that what is measured is not what a sanitizer keeps.
MEASURED = {"ASAN_OPTIONS": "quarantine_size_mb=1"}


class Failed(AssertionError):
    def __init__(self, result):
        super().__init__(f"{' '.join(map(str, result.args))}: exit {result.returncode}\n{result.stdout}{result.stderr}")
        self.result = result


class Daemon:
    """It serves a test's domains at a socket in the test's folder; one with a name, another host's."""

    def __init__(self, t, *options, before=(), name="", **env):
        self.t = t
        self.socket = t.dir / f"sock{name}"
        self.log = t.dir / f"stasisd{name}.log"
        self.begun = self.said().count("serving") if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*before, STASISD, "--socket", self.socket, *map(str, options)],
                                            env=t.environment(**env), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        harness.wait_for(self.is_ready, "stasisd to serve")

    def is_ready(self):
        assert self.process.poll() is None, f"stasisd has ended: {self.said()}"
        return self.said().count("serving") > self.begun

    def said(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def uri(self, **parameters):
        more = "".join(f"&{key}={value}" for key, value in parameters.items())
        return f"qemu:///system?socket={self.socket}{more}"

    def virsh(self, *arguments, check=True, timeout=120, read_only=False):
        """Run the real virsh; a result with returncode, stdout and stderr."""
        command = ["virsh", *(["-r"] if read_only else []), "-c", self.uri(), *map(str, arguments)]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                                env=dict(os.environ, LC_ALL="C.UTF-8"), check=False)
        if check and result.returncode != 0:
            raise Failed(result)
        return result

    def says(self, *arguments, **options):
        return self.virsh(*arguments, **options).stdout.strip()

    def stop(self, number=signal.SIGTERM):
        """End it; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextlib.contextmanager
def daemon(t, *options, **env):
    if not shutil.which("virsh"):
        raise harness.Skip("no virsh here (./dev setup)")
    served = Daemon(t, *options, **env)
    try:
        yield served
        assert served.process.poll() is None, f"stasisd has ended: {served.said()}"
    finally:
        if served.process.poll() is None:
            served.stop()
        for word in ("CRITICAL", "runtime error", "AddressSanitizer", "ThreadSanitizer"):
            assert word not in served.said(), served.said()


def rss_kib(served):
    status = pathlib.Path(f"/proc/{served.process.pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0])


def grown_mib(served, before_kib):
    """ThreadSanitizer keeps notes of its own beside all memory."""
    return (rss_kib(served) - before_kib) // 1024 // (4 if "TSAN_OPTIONS" in os.environ else 1)


def has_hung_up(client):
    poll = select.poll()
    poll.register(client.socket, 0)
    return bool(poll.poll(0))


@contextlib.contextmanager
def busy(t, name):
    """Another process changes the domain: who else wants to waits for it."""
    path = t.state / "run" / "locks" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        fcntl.fcntl(file, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
        yield
