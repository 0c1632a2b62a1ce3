#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks are copied onto block devices, and from them: loop devices of the test."""

import contextlib
import re
import subprocess

import harness
from copies import (MIB, SIZE, expect_at, expect_goes_on, expect_written, fails, goes_on_writing, hosts, make_qcow2,
                    make_raw, octets_of, small_guest, start, stop_writing, writing_guest)

MARK = b"mine"  # fills a device


@contextlib.contextmanager
def device(path, size, octets=b""):
    """Of that file, which is made."""
    path.write_bytes(octets.ljust(size, b"\0"))
    result = subprocess.run(["losetup", "--find", "--show", path], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise harness.Skip(f"no loop devices here: {result.stderr.strip()}")
    try:
        yield result.stdout.strip()
    finally:
        subprocess.run(["losetup", "--detach", result.stdout.strip()], check=True)


def migrate(here, there, guest, source, kind, *options, check=True):
    """Its disk is this file, or device, at the other host."""
    path = guest.dir / "elsewhere.xml"
    wanted = f"<source dev='{source}'/>" if kind == "block" else f"<source file='{source}'/>"
    before, boot, disks = here.says("dumpxml", "--migratable", guest.name).rpartition("<disk type=")
    disks = re.sub(r"<source (file|dev)='[^']*'[^>]*/>", wanted, re.sub(r"^'\w+'", f"'{kind}'", disks), count=1)
    path.write_text(before + boot + disks, encoding="utf-8")
    peer = there.peer() if "--p2p" in options else there.uri()
    return here.daemon.virsh("migrate", "--live", "--copy-storage-all", "--xml", path, *options, guest.name, peer, check=check,
                             timeout=300)


@harness.test("a guest that writes moves onto a device, and from it into a file", timeout=600)
def there_and_back(t):
    with hosts(t) as (one, two), device(t.dir / "device", SIZE, MARK * (SIZE // 4)) as to:
        disk = make_raw(one.disks / "a")
        before = disk.read_bytes()
        guest = writing_guest(t, one, disk, "raw")
        goes_on_writing(guest)
        migrate(one, two, guest, to, "block", "--unsafe")
        guest.close()
        expect_at(guest, two, one)
        goes_on_writing(guest)
        disk.unlink()
        migrate(two, one, guest, disk, "file", "--p2p")
        guest.close()
        expect_at(guest, one, two)
        goes_on_writing(guest)
        last = stop_writing(guest)
        one.daemon.virsh("destroy", guest.name)
        expect_written(before, disk.read_bytes(), last)


@harness.test("a device is neither made nor overwritten unasked, and it is as large as the disk")
def refused(t):
    octets = MARK * (SIZE // 4)
    with hosts(t) as (one, two), device(t.dir / "fits", SIZE, octets) as fits, \
            device(t.dir / "small", SIZE - MIB, octets[:SIZE - MIB]) as small, device(t.dir / "large", SIZE + MIB) as large:
        guest = small_guest(t, one)
        missing = two.disks / "none"
        for source, options, words in ((fits, [], ["vdb", fits, "--unsafe"]), (small, ["--unsafe"], ["vdb", str(SIZE - MIB)]),
                                       (large, ["--unsafe"], ["vdb", str(SIZE + MIB)]),
                                       (missing, ["--unsafe"], ["vdb", str(missing), "missing"])):
            fails(migrate(one, two, guest, source, "block", *options, check=False), *words)
            expect_goes_on(guest, one, two)
        assert (t.dir / "fits").read_bytes() == octets and (t.dir / "small").read_bytes() == octets[:SIZE - MIB]
        said = t.stasis("-c", one.peer(), "migrate", guest.name, two.peer(), "--check", "--copy-storage-all", "--unsafe",
                        "--xml", guest.dir / "elsewhere.xml", check=False).stdout
        assert str(missing) in said, said


@harness.test("a device stays where it is when a migration onto it fails, and holds a qcow2 image as well")
def kept(t):
    with hosts(t) as (one, two), device(t.dir / "image", SIZE + 2 * MIB) as image:
        disk = make_qcow2(one.disks / "b")
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 4M", disk], check=True, stdout=subprocess.DEVNULL)
        guest = start(one, t.boot_sector_guest(disks=[(disk, "qcow2", "virtio", False)]))
        guest.wait_for_tick(2)
        fails(migrate(one, two, guest, image, "block", "--unsafe", check=False), "vdb", "no qcow2")
        expect_goes_on(guest, one, two)
        make_qcow2(image)
        two.daemon.stop()
        two.start(STASIS_FAULT="migrate-in-unexported=fail")
        assert migrate(one, two, guest, image, "block", "--unsafe", check=False).returncode != 0
        expect_goes_on(guest, one, two)
        two.daemon.stop()
        two.start()
        migrate(one, two, guest, image, "block", "--unsafe", "--p2p")
        expect_at(guest, two, one)
        two.daemon.virsh("destroy", guest.name)
        assert octets_of(t.dir / "image", "qcow2") == octets_of(disk, "qcow2")


if __name__ == "__main__":
    harness.main()
