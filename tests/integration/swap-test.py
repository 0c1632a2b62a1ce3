#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Folders and files that change places in the middle of a save: the guest goes on, nothing is lost."""

import os
import signal

import harness

PHOTO = b"\xff\xd8 and no copy of it anywhere"
# Where nothing has been renamed yet: the image without a name, and with its temporary one.
STEPS = ["save-copied", "save-linked", "save-commit"]


def running_guest(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    return guest


def stopped_at(t, step, *command):
    process = t.start(*command, STASIS_FAULT=f"{step}=stop")
    harness.wait_for(lambda: open(f"/proc/{process.pid}/stat").read().rpartition(")")[2].split()[0] == "T",
                     f"the command to come by {step}")
    return process


def fails(process, says):
    """Let it go on to its failure."""
    process.send_signal(signal.SIGCONT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1, f"exit {process.returncode}: {stderr}"
    assert says in stderr, f"'{says}' is not in: {stderr}"
    print("#", stderr.strip().replace("\n", "; "))


def goes_on(t, guest, folders, images=()):
    assert t.stasis("domstate", guest.name).stdout.strip() == "running"
    guest.wait_for_tick(guest.last_tick() + 2)
    assert guest.damaged_pages() == 0
    for folder in folders:
        assert not list(folder.glob(".*")), list(folder.glob(".*"))
    for folder in folders:
        assert {path.name for path in folder.iterdir()} <= set(images), list(folder.iterdir())


def folder(t, name):
    path = t.dir / name
    path.mkdir()
    return path


@harness.test("a folder that is renamed, with another or a link in its place", timeout=300)
def folder_swapped(t):
    guest = running_guest(t)
    for step in STEPS:
        for kind in ("folder", "link", "nothing"):
            place, other = folder(t, "place"), folder(t, "other")
            (other / "image.stasis").write_bytes(PHOTO)
            process = stopped_at(t, step, "save", guest.name, place / "image.stasis")
            moved = place.rename(t.dir / "moved")
            if kind == "folder":
                other.rename(place)
            elif kind == "link":
                place.symlink_to(other)
            fails(process, "was moved or replaced meanwhile")
            now = place if kind == "folder" else other
            assert (now / "image.stasis").read_bytes() == PHOTO, "an unchecked file was replaced"
            goes_on(t, guest, [moved, now], ["image.stasis"])
            assert not (moved / "image.stasis").exists()
            (now / "image.stasis").unlink()
            if kind == "link":
                place.unlink()
            now.rmdir()
            moved.rmdir()


@harness.test("a file that appears under the image's name stays", timeout=300)
def target_appears(t):
    guest = running_guest(t)
    place = folder(t, "place")
    image = place / "image.stasis"
    for step in STEPS:
        process = stopped_at(t, step, "save", guest.name, image)
        image.write_bytes(PHOTO)
        fails(process, "has appeared meanwhile")
        assert image.read_bytes() == PHOTO
        goes_on(t, guest, [place], ["image.stasis"])
        image.unlink()


@harness.test("an image that took the place of the one to be replaced stays", timeout=300)
def target_replaced(t):
    guest = running_guest(t)
    place = folder(t, "place")
    image, old = place / "image.stasis", place / "old.stasis"
    t.stasis("save", guest.name, image)
    t.stasis("restore", image)
    process = stopped_at(t, "save-copied", "save", guest.name, image)
    image.rename(old)
    image.write_bytes(PHOTO)
    fails(process, "was replaced meanwhile")
    assert image.read_bytes() == PHOTO
    t.stasis("image", "verify", old)
    goes_on(t, guest, [place], ["image.stasis", "old.stasis"])
    # One that has gone is not missed.
    image.unlink()
    old.rename(image)
    process = stopped_at(t, "save-copied", "save", guest.name, image)
    image.unlink()
    process.send_signal(signal.SIGCONT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    t.stasis("image", "verify", image)


@harness.test("another file under the temporary name: the guest goes on, what was moved away is empty")
def temp_swapped(t):
    guest = running_guest(t)
    place = folder(t, "place")
    image, away = place / "image.stasis", place / "away.stasis"
    process = stopped_at(t, "save-commit", "save", guest.name, image)
    temp = next(place.glob(".image*.tmp"))
    temp.rename(away)
    temp.write_bytes(PHOTO)
    fails(process, "was moved away or replaced")
    assert temp.read_bytes() == PHOTO and not image.exists()
    assert away.stat().st_size == 0, "a complete image beside its guest"
    temp.unlink()
    goes_on(t, guest, [place], ["away.stasis"])


@harness.test("recovery without QEMU does not replace what has appeared, and loses nothing")
def recovered(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    place = folder(t, "place")
    image = place / "image.stasis"
    process = stopped_at(t, "save-commit", "save", guest.name, image)
    pids = [pid for pid, text in t.processes().items() if "stasis-supervisor" in text or "qemu-system" in text]
    for pid in sorted(pids, key=lambda pid: "qemu" in t.processes().get(pid, "")):
        os.kill(pid, signal.SIGKILL)
    image.write_bytes(PHOTO)
    process.kill()
    process.communicate()
    result = t.stasis("start", guest.name, check=False)
    temp = next(place.glob(".image*.tmp"))
    assert result.returncode == 1, "it was started beside its image"
    for text in result.stderr, t.stasis("list", "--all").stderr:
        assert "has appeared meanwhile" in text and temp.name in text, text
    assert image.read_bytes() == PHOTO
    image.unlink()
    last = guest.last_tick()
    t.stasis("list")
    t.stasis("image", "verify", image)
    t.stasis("restore", image)
    guest.wait_for_tick(last + 2)


@harness.test("a conversion does not replace what has appeared meanwhile")
def converted(t):
    guest = running_guest(t)
    image, place = t.dir / "image.stasis", folder(t, "place")
    t.stasis("save", guest.name, image, "--format", "libvirt")
    process = stopped_at(t, "image-complete-synced", "image", "convert", image, place / "out.stasis")
    (place / "out.stasis").write_bytes(PHOTO)
    fails(process, "has appeared meanwhile")
    assert (place / "out.stasis").read_bytes() == PHOTO
    assert [path.name for path in place.iterdir()] == ["out.stasis"]


harness.main()
