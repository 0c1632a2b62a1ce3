#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Does a saved guest go on exactly where it was?"""

import json
import os
import pathlib
import subprocess
import sys

import harness

VERIFY = harness.ROOT / "tests" / "verify" / "verify_image.py"


def save(t, guest, image, *options):
    t.stasis("save", guest.name, image, *options)
    assert image.exists() and image.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in image.parent.glob(".*.tmp")] == [], "a temporary file was left"


def check_image(t, image):
    """Our verifier and the independent reader agree that it is good."""
    t.stasis("image", "verify", image)
    result = subprocess.run([sys.executable, VERIFY, image], capture_output=True, text=True,
                            check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def round_trip(t, guest, image, *options):
    """Save, check, restore; the guest must go on with the next tick."""
    save(t, guest, image, *options)
    last = guest.last_tick()
    check_image(t, image)
    t.stasis("restore", image)
    ticks = guest.ticks()
    guest.wait_for_tick(last + 3)
    ticks = guest.ticks()
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks))), "a tick is missing or doubled"
    return last


@harness.test("a boot-sector guest goes on where it was, with its memory intact")
def boot_sector(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(3)
    round_trip(t, guest, t.dir / "a.stasis")
    round_trip(t, guest, t.dir / "b.stasis", "--still")
    assert guest.damaged_pages() == 0
    assert t.domstate(guest) == "running"


def linux(t, machine, *options):
    disk = t.dir / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "16M"], check=True)
    guest = t.linux_guest(machine=machine, disks=[(disk, "qcow2", "virtio", False)])
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(1, timeout=120)
    guest.wait_for_agent()
    assert guest.agent("fill 32 7 mix") == "32 MiB"
    total = guest.agent("sum")
    guest.agent("write-disk /dev/vda 4096 before-the-save")
    guest.close()
    round_trip(t, guest, t.dir / "linux.stasis", *options)
    guest.wait_for_agent()
    assert guest.agent("sum") == total, "the guest's memory has changed"
    assert "before-the-save" in guest.agent("read-disk /dev/vda 4096 15")


@harness.test("a Linux guest on q35 with a qcow2 disk goes on where it was")
def linux_q35(t):
    linux(t, "q35")


@harness.test("a Linux guest on pc with a qcow2 disk goes on where it was")
def linux_pc(t):
    linux(t, "pc", "--still")


@harness.test("a paused guest is saved paused and restored paused")
def paused(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    t.stasis("suspend", guest.name)
    assert t.domstate(guest) == "paused"
    save(t, guest, t.dir / "paused.stasis")
    last = guest.last_tick()
    t.stasis("restore", t.dir / "paused.stasis")
    assert t.domstate(guest) == "paused"
    assert guest.last_tick() == last
    t.stasis("resume", guest.name)
    guest.wait_for_tick(last + 2)


@harness.test("--running and --paused override how the guest is resumed")
def overrides(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image = t.dir / "image.stasis"
    save(t, guest, image)
    t.stasis("restore", image, "--paused")
    assert t.domstate(guest) == "paused"
    save(t, guest, image, "--running")
    t.stasis("restore", image)
    assert t.domstate(guest) == "running"
    save(t, guest, image, "--paused")
    t.stasis("restore", image)
    assert t.domstate(guest) == "paused"
    assert t.stasis("save", guest.name, image, "--paused", "--running", check=False).returncode == 1


@harness.test("any file name works")
def names(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    for name in ["it's", 'quo"te', "back\\slash", "line\nfeed", "$(id) `id` ;", "ümläut", "-dash", "a" * 200]:
        guest.wait_for_tick(guest.last_tick() + 1)
        image = t.dir / name
        save(t, guest, image)
        t.stasis("restore", image)
    assert t.domstate(guest) == "running"


@harness.test("an existing image is replaced once the new one is complete")
def replaced(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(1)
    image = t.dir / "image.stasis"
    save(t, guest, image)
    t.stasis("restore", image)
    guest.wait_for_tick(guest.last_tick() + 2)
    with open(image, "rb") as old:
        before = os.fstat(old.fileno()).st_ino
        save(t, guest, image)
        assert image.stat().st_ino != before, "it was written in place"
        assert os.fstat(old.fileno()).st_size > 0
    t.stasis("restore", image)


@harness.test("the saved domain is gone, and domstate says why")
def saved_reason(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(1)
    save(t, guest, t.dir / "image.stasis")
    assert t.stasis("domstate", guest.name, "--reason").stdout.strip() == "shut off (saved)"
    job = t.stasis("domjobinfo", guest.name, "--completed").stdout
    assert "ompleted" in job, job
    t.stasis("restore", t.dir / "image.stasis")
    assert t.stasis("domstate", guest.name, "--reason").stdout.strip() == "running (restored)"


@harness.test("managedsave and start")
def managed(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    t.stasis("managedsave", guest.name)
    last = guest.last_tick()
    assert "yes" in [line for line in t.stasis("dominfo", guest.name).stdout.splitlines()
                     if line.startswith("Managed save")][0]
    assert guest.name in t.stasis("list", "--all", "--with-managed-save").stdout
    assert "<name>sector</name>" in t.stasis("managedsave-dumpxml", guest.name).stdout
    t.stasis("start", guest.name)
    guest.wait_for_tick(last + 2)
    assert not list((t.state / "lib" / "save").glob("*")), "the managed image is used up"

    t.stasis("managedsave", guest.name)
    t.stasis("managedsave-remove", guest.name)
    guest.serial.unlink()
    t.stasis("start", guest.name)
    guest.wait_for_tick(1)
    assert guest.ticks()[0] == 1, "a fresh boot"


@harness.test("the place of a socket that the driver chose does not get into the image")
def automatic_socket(t):
    guest = t.boot_sector_guest()
    channel = "<channel type='unix'><target type='virtio' name='org.stasis.two'/></channel>"
    image = t.dir / "image.stasis"
    t.stasis("create", guest.xml_file(channel))
    guest.wait_for_tick(1)
    folder = str(t.state / "run" / "domains" / guest.name)
    assert f"path='{folder}/channel1.sock'" in t.stasis("dumpxml", guest.name).stdout
    assert folder not in t.stasis("dumpxml", guest.name, "--migratable").stdout
    t.stasis("save", guest.name, image)
    text = t.stasis("save-image-dumpxml", image).stdout
    assert folder not in text and str(guest.agent_path) in text, text
    t.stasis("restore", image)
    assert f"path='{folder}/channel1.sock'" in t.stasis("dumpxml", guest.name).stdout


@harness.test("a managed save image that is damaged is never dropped silently")
def managed_damaged(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(1)
    t.stasis("managedsave", guest.name)
    image = next((t.state / "lib" / "save").glob("*"))
    with open(image, "r+b") as file:
        file.write(b"damaged")
    result = t.stasis("start", guest.name, check=False)
    assert result.returncode == 1 and "--force-boot" in result.stderr, result.stderr
    assert image.exists()
    t.stasis("start", guest.name, "--force-boot")
    assert not image.exists()


@harness.test("the definition in an image: dump, edit within the guest ABI, restore with another")
def definitions(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image = t.dir / "image.stasis"
    save(t, guest, image)
    xml = t.stasis("save-image-dumpxml", image).stdout
    assert t.stasis("image", "dumpxml", image).stdout == xml

    serial = pathlib.Path(str(guest.serial) + ".2")
    moved = t.dir / "moved.xml"
    moved.write_text(xml.replace(str(guest.serial), str(serial)))
    t.stasis("save-image-define", image, moved)
    assert str(serial) in t.stasis("save-image-dumpxml", image).stdout
    check_image(t, image)
    moved.write_text(xml.replace("<vcpu placement='static'>1<", "<vcpu placement='static'>2<")
                     .replace("<vcpu>1<", "<vcpu>2<"))
    result = t.stasis("save-image-define", image, moved, check=False)
    assert result.returncode == 1 and "vcpu" in result.stderr, result.stderr
    result = t.stasis("restore", image, "--xml", moved, check=False)
    assert result.returncode == 1 and "vcpu" in result.stderr, result.stderr
    moved.write_text(xml)
    t.stasis("restore", image, "--xml", moved)
    guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("image info --json says what the image is")
def info(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(1)
    image = t.dir / "image.stasis"
    save(t, guest, image)
    told = json.loads(t.stasis("image", "info", image, "--json").stdout)
    assert told["qemu"]["run-state"] == "running", told
    assert told["qemu"]["machine"].startswith("pc-q35-"), told
    assert guest.name in t.stasis("image", "info", image).stdout


harness.main()
