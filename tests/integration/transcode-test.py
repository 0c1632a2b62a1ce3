#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Do real QEMUs load what the transcoders make of other QEMUs' streams?  Without Stasis.

STASIS_TRANSCODE names the program around them (tests/image/transcode.c).
"""

import contextlib
import os
import random
import subprocess

import harness
from bare_qemu import BareQemu, QmpError

TRANSCODE = os.environ.get("STASIS_TRANSCODE", str(harness.BUILD / "tests" / "image" / "transcode"))
OFFSET = 512 * 1024  # where our images have the body


def transcode(*arguments, check=True):
    result = subprocess.run([TRANSCODE, *map(str, arguments)], capture_output=True, text=True, check=False)
    if check and result.returncode != 0:
        raise AssertionError(f"transcode {' '.join(map(str, arguments))}: {result.stderr}")
    return result.stdout if check else result


def start(guest, *more, **options):
    return BareQemu(harness.QEMU, *BareQemu.guest_arguments(guest), "-device", "qemu-xhci",
                    "-vga", "std", *more, accel=harness.ACCEL, machine=guest.machine,
                    memory_mib=guest.memory_mib, **options)


def save_plain(qemu, path):
    qemu.command("stop")
    with open(path, "wb") as file:
        qemu.command("getfd", fds=[file.fileno()], fdname="image")
        qemu.command("migrate-set-parameters", **{"max-bandwidth": 0})
        qemu.command("migrate", uri="fd:image")
        qemu.wait_for_migration()


def save_live(qemu, path):
    """So slowly at first that the guest changes pages that were sent."""
    with open(path, "wb") as file:
        qemu.command("getfd", fds=[file.fileno()], fdname="image")
        qemu.command("migrate-set-parameters", **{"max-bandwidth": 16 << 20})
        qemu.command("migrate", uri="fd:image")
        harness.wait_for(lambda: qemu.command("query-migrate").get("ram", {}).get("dirty-sync-count", 0) > 3,
                         "passes over the memory")
        qemu.command("migrate-set-parameters", **{"max-bandwidth": 0})
        qemu.wait_for_migration()


def can_map(qemu):
    try:
        qemu.command("migrate-set-capabilities",
                     capabilities=[{"capability": "mapped-ram", "state": True}])
        return True
    except QmpError:
        return False


def save_mapped(qemu, path):
    assert can_map(qemu)
    qemu.command("stop")
    path.touch()
    qemu.command("migrate-set-parameters", **{"max-bandwidth": 0})
    qemu.command("migrate", uri=f"file:{path},offset={OFFSET}")
    qemu.wait_for_migration()


@contextlib.contextmanager
def running(guest, *more, **options):
    """A guest that goes on from -incoming."""
    with start(guest, *more, **options) as qemu:
        harness.wait_for(lambda: qemu.command("query-status")["status"] in ("paused", "running"),
                         "the load")
        qemu.command("cont")
        yield qemu


@contextlib.contextmanager
def from_plain(guest, *command):
    """... that comes out of a pipe."""
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE) as source:
        fd = source.stdout.fileno()
        with running(guest, "-incoming", f"fd:{fd}", pass_fds=[fd]) as qemu:
            source.stdout.close()
            yield qemu
        assert source.wait() == 0


def from_mapped(guest, path, offset):
    return running(guest, "-global", "migration.mapped-ram=on", "-incoming", f"file:{path},offset={offset}")


def check_scan(text, machine):
    lines = text.splitlines()
    assert lines[0].startswith("machine pc-q35-" if machine == "q35" else "machine pc-i440fx-"), lines[0]
    blocks = {line.split()[1]: [int(word) for word in line.split()[2:]]
              for line in lines if line.startswith("block ")}
    assert blocks["pc.ram"][0] == 256 << 20 and "pc.bios" in blocks, blocks
    for size, stored, zero, filled in blocks.values():
        assert stored + zero >= size // 4096 and filled == 0, blocks
    devices = [line.split() for line in lines if line.startswith("device ")]
    names = [words[1] for words in devices]
    assert "timer" in names and "cpu" in names and any("xhci" in name for name in names), names
    assert not any("inexact" in words for words in devices), devices


def check_guest(guest, total):
    guest.close()
    guest.wait_for_agent()
    assert guest.agent("sum") == total
    assert guest.agent("check").startswith("0 bad of 8192 pages")
    guest.close()


def there_and_back(t, machine):
    disk = t.dir / "disk.raw"
    with open(disk, "wb") as file:
        file.truncate(1 << 20)
    guest = t.linux_guest(machine=machine, disks=[(disk, "raw", "virtio", False)])
    plain, mapped, own, moved = (t.dir / name for name in ("plain", "mapped", "own", "moved"))
    with start(guest) as qemu:
        guest.wait_for_agent()
        guest.agent("fill 32 7 mix")
        total = guest.agent("sum")
        save_plain(qemu, plain)
    check_scan(transcode("scan", plain), machine)
    transcode("map", plain, mapped, OFFSET)
    check_scan(transcode("scan-mapped", mapped, OFFSET), machine)
    with from_plain(guest, TRANSCODE, "unmap", mapped, OFFSET, "-") as qemu:
        check_guest(guest, total)
        if not can_map(qemu):
            return

    with from_mapped(guest, mapped, OFFSET) as qemu:
        check_guest(guest, total)
        save_mapped(qemu, own)
    check_scan(transcode("scan-mapped", own, OFFSET), machine)
    with from_plain(guest, TRANSCODE, "unmap", own, OFFSET, "-"):
        check_guest(guest, total)
    transcode("remap", own, OFFSET, moved, 4096)
    with from_mapped(guest, moved, 4096):
        check_guest(guest, total)
    transcode("remap", moved, 4096, mapped, OFFSET)
    assert mapped.read_bytes()[OFFSET:] == own.read_bytes()[OFFSET:]


@harness.test("plain, mapped, plain, moved: the guest's memory is the same (q35)", timeout=600)
def q35(t):
    there_and_back(t, "q35")


@harness.test("plain, mapped, plain, moved: the guest's memory is the same (pc)", timeout=600)
def pc(t):
    there_and_back(t, "pc")


@harness.test("a live save, pages sent twice: the guest goes on and finds no page damaged")
def live(t):
    guest, plain, mapped = t.boot_sector_guest(pages=2048), t.dir / "plain", t.dir / "mapped"
    with start(guest) as qemu:
        guest.wait_for_tick(3)
        save_live(qemu, plain)
        ticks, can = guest.last_tick(), can_map(qemu)
    transcode("map", plain, mapped, OFFSET)
    ram = next(line.split() for line in transcode("scan", plain).splitlines() if " pc.ram " in line)
    assert int(ram[3]) + int(ram[4]) > guest.memory_mib * 256, ("no page came again", ram)
    loaded = from_mapped(guest, mapped, OFFSET) if can else \
        from_plain(guest, TRANSCODE, "unmap", mapped, OFFSET, "-")
    with loaded:
        guest.wait_for_tick(ticks + 3)
    assert guest.damaged_pages() == 0


@harness.test("a stream that was cut anywhere is refused")
def cut(t):
    guest, plain, mapped = t.boot_sector_guest(), t.dir / "plain", t.dir / "mapped"
    with start(guest) as qemu:
        guest.wait_for_tick(1)
        save_plain(qemu, plain)
    octets = plain.read_bytes()
    for size in sorted({*range(0, 200, 7), *range(200, len(octets), len(octets) // 40),
                        *range(len(octets) - 40, len(octets), 3)}):
        plain.write_bytes(octets[:size])
        for arguments in ("scan", plain), ("map", plain, mapped, OFFSET):
            result = transcode(*arguments, check=False)
            assert result.returncode == 1 and "stream" in result.stderr, (size, arguments, result)


@harness.test("a flipped bit in the structure is noticed, anywhere else it does no harm")
def flipped(t):
    guest, plain, mapped = t.boot_sector_guest(), t.dir / "plain", t.dir / "mapped"
    with start(guest) as qemu:
        guest.wait_for_tick(1)
        save_plain(qemu, plain)
    octets = bytearray(plain.read_bytes())
    devices = [line.split() for line in transcode("scan", plain).splitlines() if line.startswith("device ")]

    def scan_flipped(at, bit):
        octets[at] ^= 1 << bit
        plain.write_bytes(octets)
        octets[at] ^= 1 << bit
        return transcode("scan", plain, check=False)

    for number, (_, name, _, _, offset, size, *_) in enumerate(devices):
        head = 14 + len(name)
        for at in int(offset) + number % head, int(offset) + head + int(size) + number % 5:
            result = scan_flipped(at, number % 8)
            assert result.returncode == 1 and name in result.stderr, (name, at - int(offset), result)
    generator = random.Random(7)
    for _ in range(200):
        result = scan_flipped(generator.randrange(len(octets)), generator.randrange(8))
        assert result.returncode in (0, 1), result
    result = transcode("map", plain, mapped, OFFSET, check=False)
    assert result.returncode in (0, 1), result


harness.main()
