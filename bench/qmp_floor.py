# SPDX-License-Identifier: LGPL-2.1-or-later
"""The floor: what a save costs if one only talks QMP to QEMU.

Stop, mapped-ram with two multifd channels and direct I/O through an fd set into
a file behind 4 KiB of header, fsync.  No hashes, no records, no checks.  An
emulator without mapped-ram (7.2) gets a plain stream.
"""

import os
import time

from bare_qemu import BareQemu

HEADER = 4096
CHANNELS = 2


class FloorPeer:
    name = "qmp"

    def __init__(self, qemu, accel):
        self.program, self.accel = qemu, accel
        self.guest, self.qemu, self.mapped = None, None, False

    def _boot(self, *more, **options):
        return BareQemu(self.program, *BareQemu.guest_arguments(self.guest), *more, accel=self.accel,
                        machine=self.guest.machine, memory_mib=self.guest.memory_mib, **options)

    def version(self):
        qemu = self.qemu.command("query-version")
        return "QEMU {major}.{minor}.{micro}".format(**qemu["qemu"])

    def start(self, guest):
        self.guest = guest
        self.qemu = self._boot()
        names = [one["capability"] for one in self.qemu.command("query-migrate-capabilities")]
        self.mapped = "mapped-ram" in names

    def _set_up(self):
        """Capabilities and parameters, the same on both sides."""
        parameters = {"max-bandwidth": 0}
        if self.mapped:
            self.qemu.command("migrate-set-capabilities", capabilities=[
                {"capability": "mapped-ram", "state": True}, {"capability": "multifd", "state": True}])
            parameters |= {"multifd-channels": CHANNELS, "direct-io": True}
        self.qemu.command("migrate-set-parameters", **parameters)

    def _uri(self, path, flags, fdset):
        """The URI of the image, after passing its descriptors."""
        if not self.mapped:
            fd = os.open(path, flags)
            os.lseek(fd, HEADER, os.SEEK_SET)
            self.qemu.command("getfd", fds=[fd], fdname="image")
            os.close(fd)
            return "fd:image"
        for more in (0, os.O_DIRECT):
            fd = os.open(path, flags | more)
            self.qemu.command("add-fd", fds=[fd], **{"fdset-id": fdset})
            os.close(fd)
        return f"file:/dev/fdset/{fdset},offset={HEADER}"

    def save(self, path):
        """Save and end; seconds from `stop` until the image is durable, and until QEMU is gone."""
        self.guest.close()
        start = time.monotonic()
        path.write_bytes(b"floor".ljust(HEADER, b"\0"))
        self._set_up()
        uri = self._uri(path, os.O_WRONLY, 1)
        self.qemu.command("stop")
        self.qemu.command("migrate", uri=uri)
        self.qemu.wait_for_migration()
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        durable = time.monotonic() - start
        self.qemu.end()
        self.qemu = None
        return {"save": durable, "save_and_end": time.monotonic() - start}

    def restore(self, path):
        """Load and run; seconds from the start of QEMU until the guest runs."""
        start = time.monotonic()
        self.qemu = self._boot("-incoming", "defer")
        self._set_up()
        uri = self._uri(path, os.O_RDONLY, 1)
        self.qemu.command("migrate-incoming", uri=uri)
        self.qemu.wait_for_migration()
        self.qemu.command("cont")
        return {"restore": time.monotonic() - start}

    def end(self):
        if self.guest is not None:
            self.guest.close()
        if self.qemu is not None:
            self.qemu.end()
