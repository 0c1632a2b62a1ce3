# SPDX-License-Identifier: LGPL-2.1-or-later
"""Those that move a guest from one side to the other, for bench/migrate: start, migrate, forget, end.

Each has two sides on this host, and goes there and back.  migrate() returns how many seconds it took until
the guest ran on the other side and its copy had ended.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import time
import uuid

from bare_qemu import BareQemu
from virsh_peer import VirshPeer

ADDRESS = "127.0.0.1"


def pids_of(guest):
    """The QEMUs that have this guest."""
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            program, *words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"qemu-system" in program and any(guest.name.encode() in word for word in words):
                yield int(entry.name)


@contextlib.contextmanager
def still(movers):
    """Their guests use no processor meanwhile: the QEMUs are stopped, which nobody asks anything."""
    pids = [pid for mover in movers if mover.guest is not None for pid in pids_of(mover.guest)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


class FloorMover:
    """What it costs if one only talks QMP to two QEMUs."""

    name = "qmp"

    def __init__(self, qemu, accel, port=49300):
        self.program, self.accel, self.port = qemu, accel, port
        self.guest, self.qemu = None, None

    def version(self):
        return "QEMU {major}.{minor}.{micro}".format(**self.qemu.command("query-version")["qemu"])

    def _boot(self, *more):
        arguments = list(map(str, BareQemu.guest_arguments(self.guest)))
        place = arguments.index("-serial")
        # The other side goes on writing what this one has begun.
        arguments[place:place + 2] = ["-chardev", f"file,id=serial,path={self.guest.serial},append=on",
                                      "-serial", "chardev:serial"]
        return BareQemu(self.program, *arguments, *more, accel=self.accel, machine=self.guest.machine,
                        memory_mib=self.guest.memory_mib)

    def start(self, guest):
        self.guest = guest
        self.qemu = self._boot()

    @staticmethod
    def _set_up(qemu):
        qemu.command("migrate-set-capabilities", capabilities=[{"capability": name, "state": True}
                                                               for name in ("events", "return-path")])
        qemu.command("migrate-set-parameters", **{"max-bandwidth": 0})

    def migrate(self):
        began = time.monotonic()
        there = self._boot("-incoming", "defer")
        for qemu in (there, self.qemu):
            self._set_up(qemu)
        there.command("migrate-incoming", uri=f"tcp:{ADDRESS}:{self.port}")
        self.qemu.command("migrate", uri=f"tcp:{ADDRESS}:{self.port}")
        self.qemu.wait_for_migration(poll=0.001)
        there.wait_for_event("RESUME")
        self.qemu.end()
        self.qemu = there
        return time.monotonic() - began

    def forget(self):
        """The guest ends."""
        if self.qemu is not None:
            self.qemu.end()
        self.qemu = None

    end = forget


class DaemonMover:
    """`program migrate` between two daemons."""

    def __init__(self, name, program, uris, options=()):
        self.name, self.program, self.uris, self.options = name, program, list(uris), list(options)
        self.guest, self.here = None, 0

    def run(self, *arguments, check=True):
        result = subprocess.run([*self.program, "-c", self.uris[self.here], *map(str, arguments)], check=False,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if check and result.returncode != 0:
            raise RuntimeError(f"{self.name} {arguments}: {result.stderr.strip()}")
        return result.stdout

    def start(self, guest):
        self.guest = guest
        self.run("create", guest.xml_file())

    def migrate(self, *more):
        there = 1 - self.here
        began = time.monotonic()
        self.run("migrate", "--live", *self.options, *more, self.guest.name, self.uris[there])
        seconds = time.monotonic() - began
        self.here = there
        return seconds

    def forget(self):
        """The guest ends."""
        for self.here in (1, 0):
            if self.guest is not None:
                self.run("destroy", self.guest.name, check=False)

    end = forget


def stasis_mover(t, program, daemon):
    """@daemon: served.Daemon; two of them, each with a state directory."""
    daemons = []
    for number in range(2):
        state = t.dir / f"mover{number}"
        folder = state / "config"
        folder.mkdir(mode=0o700, parents=True)
        state.chmod(0o700)
        common = (t.state / "config" / "stasis.conf").read_text(encoding="utf-8")
        (folder / "stasis.conf").write_text(f"{common}[migration]\nhost={ADDRESS}\n", encoding="utf-8")
        daemons.append(daemon(t, name=f"mover{number}", STASIS_STATE_DIR=str(state)))
    mover = DaemonMover("stasis", [program], [f"stasis+unix:///system?socket={one.socket}" for one in daemons])
    mover.daemons = daemons
    mover.version = lambda: mover.run("version").strip().splitlines()[0]
    return mover


class Libvirtd(VirshPeer):
    """One of two on a host, which have to take each other for another one."""

    def __init__(self, folder, number, cache):
        self.top = pathlib.Path(folder) / f"side{number}"
        self.top.mkdir()
        super().__init__(self.top, cache=cache, daemon_conf=f'host_uuid = "{uuid.uuid4()}"\n')


def virsh_mover(folder):
    cache = pathlib.Path(folder) / "cache"
    cache.mkdir()
    sides = [Libvirtd(folder, number, cache) for number in range(2)]
    mover = DaemonMover("virsh", ["virsh", "-q"], [f"qemu+unix:///system?socket={one.socket}" for one in sides],
                        ["--migrateuri", f"tcp://{ADDRESS}"])
    mover.sides = sides
    mover.version = sides[0].version
    return mover
