# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of guests with memory mapped from their image have in common."""

import fcntl
import json
import os
import pathlib
import struct
import subprocess

import harness

F_OFD_GETLK = 36


def can_map():
    """Whether this emulator can: the same question that the driver asks, by other means."""
    told = subprocess.run([harness.QEMU, "-object", "memory-backend-file,help"],
                          capture_output=True, text=True, check=False).stdout
    return "offset=" in told and "rom=" in told


def need_mapping():
    if not can_map():
        raise harness.Skip("this emulator cannot map memory from within a file")


def save(t, guest, image):
    t.stasis("save", guest.name, image)
    return guest.last_tick()


def booted_guest(t, ticks=2, **options):
    guest = t.boot_sector_guest(**options)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(ticks)
    return guest


def booted_linux(t, *change):
    """A Linux guest with 64 MiB of a pattern, and the sum of it; `change`: from what to what in its XML."""
    guest = t.linux_guest()
    path = t.dir / "linux.xml"
    path.write_text(guest.xml().replace(*change) if change else guest.xml())
    t.stasis("create", path)
    guest.wait_for_tick(1, timeout=120)
    guest.wait_for_agent()
    assert guest.agent("fill 64 7 mix") == "64 MiB"
    total = guest.agent("sum")
    guest.close()
    return guest, total


def saved_guest(t):
    """A guest that has been saved: it, its image, its last tick."""
    guest = booted_guest(t)
    image = t.dir / "a.stasis"
    return guest, image, save(t, guest, image)


def restore(t, image, *options):
    """Restore it instantly; what the statistics say of the way."""
    stats = json.loads(t.stasis("restore", image, "--load", "instant", "--json", *options).stdout)
    assert stats["engine"].startswith("instant: "), stats
    return stats["engine"]


def goes_on(guest, last, ticks=3):
    guest.wait_for_tick(last + ticks)
    told = guest.ticks()
    assert told == list(range(told[0], told[0] + len(told))), "a tick is missing or doubled"
    return told[-1]


def image_lines(t, guest):
    return [line for line in t.stasis("dominfo", guest.name).stdout.splitlines()
            if line.startswith("Memory image:")]


def write_locked(path):
    """Whether somebody holds a lock that keeps writers away; `path` or an open file."""
    with open(path, "rb") as file:
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        return struct.unpack("hhqqi4x", fcntl.fcntl(file, F_OFD_GETLK, lock))[0] != fcntl.F_UNLCK


def memory_use(t, guest):
    """(anonymous, of files) octets that its QEMU has."""
    pid = t.status(guest)["qemu"]["pid"]
    lines = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return [int(lines[key].split()[0]) * 1024 for key in ("RssAnon", "RssFile")]


def damage(t, image):
    """Flip a bit of a page of the guest's memory, below what the host's stamp of the image tells."""
    blocks = json.loads(t.stasis("image", "info", image, "--json").stdout)["memory"]["blocks"]
    main = next(block for block in blocks if block["name"] == "pc.ram")
    with open(image, "r+b") as file:
        at = os.lseek(file.fileno(), main["pages-offset"], os.SEEK_DATA)
        octet = os.pread(file.fileno(), 1, at)[0]
        os.pwrite(file.fileno(), bytes([octet ^ 1]), at)
    st = image.stat()
    stamp, = t.state.rglob(f"marks/verified/{st.st_dev:x}-{st.st_ino:x}")
    stamp.write_text(f"{st.st_size} {st.st_ctime_ns // 10**9}.{st.st_ctime_ns % 10**9:09}\n")
    return stamp


def verified(t, guest):
    """What dominfo says of the check of the image."""
    told = json.loads(t.stasis("dominfo", guest.name, "--json").stdout)
    return told["memory_image_verified"], told.get("memory_image_fault")


def wait_verified(t, guest):
    harness.wait_for(lambda: verified(t, guest)[0] != "going on", "the image to be verified")
    return verified(t, guest)


def verifiers(t):
    """The programs that verify an image of this test's now, and not of one beside it: their pids."""
    return [pid for pid in t.processes() if comm(pathlib.Path(f"/proc/{pid}/comm")) == "stasis-verify\n"]


def comm(path):
    try:
        return path.read_text()
    except OSError:
        return None
