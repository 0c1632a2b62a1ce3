# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks of direct I/O that are slow, so that requests are under way for long."""

import contextlib
import hashlib
import os
import pathlib

import harness


def direct_guest(t):
    """A Linux guest with a disk of 64 MiB past the host's page cache: it, the disk, the sum of that."""
    disk = t.dir / "disk.img"
    block = os.urandom((1 << 20) - 4096)
    with open(disk, "wb") as file:
        for number in range(64):
            file.write(number.to_bytes(4, "big") * 1024 + block)
    guest = t.linux_guest(memory_mib=384, disks=[(disk, "raw", "virtio", True)])
    path = t.dir / "direct.xml"
    path.write_text(guest.xml().replace("type='raw'/>", "type='raw' cache='none'/>"))
    assert "cache='none'" in path.read_text()
    t.stasis("create", path)
    guest.wait_for_agent(timeout=120)
    return guest, disk, hashlib.md5(disk.read_bytes()).hexdigest()


def start_reading(guest):
    """The guest reads all of the disk, and none of it from its page cache."""
    guest.agent("sh echo 3 >/proc/sys/vm/drop_caches")
    guest.agent("sh cat /dev/vda >/dev/null 2>&1 &")


def has_read(guest, wanted):
    """Whether what it has of the disk in its page cache, or reads now, is what is there."""
    return guest.agent("sh md5sum </dev/vda", timeout=100).split()[0] == wanted


def come_back_as_read(t, guest, images, wanted):
    for image in images:
        guest.close()
        t.stasis("destroy", guest.name)
        t.stasis("restore", image)
        guest.wait_for_agent()
        assert has_read(guest, wanted), "a page is not as the disk sent it"


@contextlib.contextmanager
def slow_reads(t, guest, path):
    """Its QEMU reads the disk of that file at 16 MiB/s; a Skip where the kernel lets nobody say so."""
    group = pathlib.Path(f"/sys/fs/cgroup/blkio/stasis-test-{os.getpid()}")
    device = os.stat(path).st_dev
    pid = t.status(guest)["qemu"]["pid"]
    try:
        group.mkdir()
    except OSError as reason:
        raise harness.Skip(f"no blkio control group here: {reason}") from reason
    try:
        limit = f"{os.major(device)}:{os.minor(device)} {16 << 20}"
        (group / "blkio.throttle.read_bps_device").write_text(limit)
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        (group.parent / "cgroup.procs").write_text(str(pid))
        group.rmdir()
