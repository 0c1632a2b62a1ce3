#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Do the test guests do what the other tests rely on?  On a QEMU without Stasis."""

import os

import harness
from bare_qemu import BareQemu


def start(guest, *more, **options):
    return BareQemu(harness.QEMU, *BareQemu.guest_arguments(guest), *more, accel=harness.ACCEL,
                    machine=guest.machine, memory_mib=guest.memory_mib, **options)


def save(qemu, path):
    """Stop and save as any QEMU can: a plain stream into a file."""
    qemu.command("stop")
    with open(path, "wb") as file:
        qemu.command("getfd", fds=[file.fileno()], fdname="image")
        qemu.command("migrate-set-parameters", **{"max-bandwidth": 0})
        qemu.command("migrate", uri="fd:image")
        qemu.wait_for_migration()


def linux(t, machine, packed):
    guest = t.linux_guest(machine=machine, packed=packed)
    with start(guest) as qemu:
        first = guest.wait_for_tick(1)
        guest.wait_for_agent()
        assert guest.agent("fill 16 1 mix") == "16 MiB"
        total = guest.agent("sum")
        assert guest.agent("check") == "0 bad of 4096 pages, 0 writes"
        assert guest.agent("fill 16 2 mix") == "16 MiB" and guest.agent("sum") != total
        assert guest.agent("fill 16 1 mix") == "16 MiB" and guest.agent("sum") == total
        guest.agent("dirty 2000")
        harness.wait_for(lambda: guest.agent("sum") != total, "dirty pages")
        assert guest.agent("check").startswith("0 bad of 4096 pages")
        assert guest.last_tick() > first

        qemu.command("system_powerdown")
        qemu.wait_for_event("SHUTDOWN")


@harness.test("linux guest on q35: agent, memory, power button")
def linux_q35(t):
    linux(t, "q35", packed=False)


@harness.test("linux guest on pc, whose kernel decompresses itself: agent, memory, power button")
def linux_pc(t):
    linux(t, "pc", packed=True)


@harness.test("linux guest: disk and network")
def linux_devices(t):
    disk = t.dir / "disk.raw"
    with open(disk, "wb") as file:
        file.truncate(1 << 20)
    guest = t.linux_guest(disks=[(disk, "raw", "virtio", False)])
    with start(guest, "-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n"):
        guest.wait_for_agent()
        harness.wait_for(lambda: "ok" in guest.agent("sh test -b /dev/vda && echo ok || echo no"), "disk")
        guest.agent("write-disk /dev/vda 4096 hello there")
        assert guest.agent("read-disk /dev/vda 4096") == "hello there"
        assert guest.agent("net", timeout=60) == "10.0.2.15"
        assert b"hello there\0" in disk.read_bytes()


@harness.test("linux guest goes on where it was saved, and its agent answers anew")
def linux_restored(t):
    guest, image = t.linux_guest(), t.dir / "image"
    with start(guest) as qemu:
        guest.wait_for_agent()
        guest.agent("fill 32 7 mix")
        guest.agent("dirty 1000")
        save(qemu, image)
        ticks, text = guest.last_tick(), guest.serial_text()
    guest.close()

    fd = os.open(image, os.O_RDONLY)
    with start(guest, "-incoming", f"fd:{fd}", pass_fds=[fd]) as qemu:
        os.close(fd)
        harness.wait_for(lambda: qemu.command("query-status")["status"] == "paused", "the load")
        qemu.command("cont")
        assert guest.wait_for_tick(ticks + 2) >= ticks + 2, text
        assert guest.ticks()[0] in (ticks, ticks + 1), (ticks, guest.ticks())
        guest.wait_for_agent()
        assert guest.agent("check").startswith("0 bad of 8192 pages")


@harness.test("boot-sector guest ticks on both machines")
def sector(t):
    for machine in ("q35", "pc"):
        guest = t.boot_sector_guest(name=machine, machine=machine)
        with start(guest):
            guest.wait_for_tick(5)
            assert guest.damaged_pages() == 0


@harness.test("boot-sector guest survives a restore, and sees a page that changed")
def sector_damage(t):
    guest, image = t.boot_sector_guest(pages=256), t.dir / "image"
    with start(guest) as qemu:
        guest.wait_for_tick(3)
        save(qemu, image)
        ticks = guest.last_tick()

    def restored(path):
        fd = os.open(path, os.O_RDONLY)
        with start(guest, "-incoming", f"fd:{fd}", pass_fds=[fd]) as qemu:
            os.close(fd)
            harness.wait_for(lambda: qemu.command("query-status")["status"] == "paused", "the load")
            qemu.command("cont")
            guest.wait_for_tick(ticks + 3)
        return guest.damaged_pages()

    assert restored(image) == 0

    data = bytearray(image.read_bytes())
    at = page_in_stream(data, ticks)
    data[at] ^= 0x80
    (t.dir / "damaged").write_bytes(data)
    assert restored(t.dir / "damaged") == 1


def page_in_stream(data, ticks):
    """Where the stream has the first word of the page at 1 MiB + 64 KiB."""
    address = 0x110000
    for value in (ticks, ticks + 1):
        end = (value ^ address).to_bytes(4, "little")
        at = data.find(value.to_bytes(4, "little") + bytes(4088) + end)
        if at >= 0:
            return at
    raise AssertionError("the page is not in the stream")


harness.main()
