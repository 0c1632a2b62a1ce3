#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A checkpoint keeps the disks of its moment: the guest goes on in overlays, and so does who comes back."""

import hashlib
import json
import re
import signal
import subprocess

import harness
from live import helpers_without_library, shared_memory
from mapped import can_map

BEFORE, AFTER = "of-the-moment", "of-later-on"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_disks(t, stems):
    disks = [t.dir / f"{stems[0]}.qcow2", t.dir / f"{stems[-1]}.raw"]
    for disk, kind in zip(disks, ("qcow2", "raw")):
        subprocess.run(["qemu-img", "create", "-q", "-f", kind, disk, "16M"], check=True)
    return disks


def linux_with_disks(t, *stems, defined=False, shared=False, **env):
    """A Linux guest that has written to a qcow2 and a raw disk."""
    disks = make_disks(t, stems or ("a", "b"))
    guest = t.linux_guest(disks=[(disks[0], "qcow2", "virtio", False), (disks[1], "raw", "virtio", False)])
    path = shared_memory(t, guest) if shared else guest.xml_file()
    if defined:
        t.stasis("define", path)
        t.stasis("start", guest.name, **env)
    else:
        t.stasis("create", path)
    guest.wait_for_agent(timeout=120)
    write(guest, BEFORE)
    return guest, disks


def sector_with_disk(t, defined=True):
    """A guest without a system, which only reads its disk."""
    guest = t.boot_sector_guest(read_only=False)
    if defined:
        t.stasis("define", guest.xml_file())
        t.stasis("start", guest.name)
    else:
        t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    return guest


def write(guest, text):
    for device in ("vda", "vdb"):
        guest.agent(f"write-disk /dev/{device} 4096 {text}")


def both_say(guest, text):
    guest.wait_for_agent()
    for device in ("vda", "vdb"):
        assert guest.agent(f"read-disk /dev/{device} 4096") == text, device
    guest.close()


def checkpoint(t, guest, image, *options, **env):
    return json.loads(t.stasis("checkpoint", guest.name, image, "--json", *options, **env).stdout)


def sources(xml):
    return re.findall(r"<source file='([^']*)'/>\s*(?:<backingStore/>\s*)?<target dev='[vs]d", xml)


def live(t, guest):
    return sources(t.stasis("dumpxml", guest.name).stdout)


def persistent(t, guest):
    return sources(t.stasis("dumpxml", guest.name, "--inactive").stdout)


def on_top(t, guest):
    """The block nodes that the guest's disks are, by QEMU."""
    blocks = t.qmp_command(guest, "query-block")
    return [block["inserted"]["node-name"] for block in blocks if "inserted" in block]


def nodes(t, guest):
    return sorted(node["node-name"] for node in t.qmp_command(guest, "query-named-block-nodes"))


def overlays(t):
    return sorted(path.name for path in t.dir.glob("*.overlay-*"))


def goes_on(t, guest):
    guest.wait_for_tick(guest.last_tick() + 2)
    assert t.domstate(guest) == "running"


@harness.test("the guest goes on in overlays; the image comes back with the disks of its moment, as often as wanted")
def moment(t):
    guest, disks = linux_with_disks(t, defined=True)
    image = t.dir / "a.stasis"
    guest.close()
    stats = checkpoint(t, guest, image)
    frozen = [digest(disk) for disk in disks]
    names = [str(t.dir / "a.overlay-1.qcow2"), str(t.dir / "b.overlay-1.qcow2")]
    assert stats["new_disks"] == [{"target": "vda", "path": names[0]}, {"target": "vdb", "path": names[1]}], stats
    assert stats["pause_us"] > 0 and ("written from outside" in stats["engine"]) == can_map(), stats
    assert live(t, guest) == persistent(t, guest) == names
    both_say(guest, BEFORE)
    write(guest, AFTER)
    both_say(guest, AFTER)

    t.stasis("restore", image, "--clone", "c")
    t.stasis("destroy", "c")
    goes_on(t, guest)
    t.stasis("shutdown", guest.name, "--mode", "acpi", check=False)
    t.stasis("destroy", guest.name, check=False)  # it may have ended meanwhile
    harness.wait_for(lambda: t.domstate(guest) == "shut off", "the end of the guest")
    assert [digest(disk) for disk in disks] == frozen, "a disk of the moment was written to"

    for number in (2, 3):
        said = t.stasis("restore", image).stdout
        names = [str(t.dir / f"{stem}.overlay-{number}.qcow2") for stem in "ab"]
        assert all(f"goes on in {name}" in said for name in names), said
        assert live(t, guest) == persistent(t, guest) == names
        both_say(guest, BEFORE)
        write(guest, f"{AFTER}-{number}")
        both_say(guest, f"{AFTER}-{number}")
        t.stasis("destroy", guest.name)
        assert [digest(disk) for disk in disks] == frozen, "a disk of the moment was written to"

    # A start goes on with the disks of the guest that was there last.
    t.stasis("start", guest.name)
    guest.wait_for_agent(timeout=120)
    both_say(guest, f"{AFTER}-3")


@harness.test("checkpoints one after the other keep a moment each, and a save of such a guest is as any")
def chain(t):
    guest, disks = linux_with_disks(t)
    images = []
    for number in (1, 2, 3):
        write(guest, f"moment-{number}")
        guest.close()
        images.append(t.dir / f"{number}.stasis")
        checkpoint(t, guest, images[-1])
        assert on_top(t, guest) == [f"disk-vda-o{number}-format", f"disk-vdb-o{number}-format"]
    write(guest, AFTER)
    guest.close()
    last = t.dir / "last.stasis"
    t.stasis("save", guest.name, last)
    assert len(overlays(t)) == 6
    for number in (3, 1, 2):
        t.stasis("restore", images[number - 1])
        both_say(guest, f"moment-{number}")
        t.stasis("destroy", guest.name)
    t.stasis("restore", last)
    both_say(guest, AFTER)
    t.stasis("destroy", guest.name)
    assert len(overlays(t)) == 12
    told = t.stasis("restore", last, check=False)
    assert told.returncode == 1 and "resumed" in told.stderr, told.stderr


@harness.test("a disk of the moment that was changed, or removed, is told")
def changed(t):
    guest = sector_with_disk(t)
    image = t.dir / "a.stasis"
    checkpoint(t, guest, image)
    t.stasis("destroy", guest.name)
    before = overlays(t)
    with open(guest.disk, "r+b") as file:
        file.seek(1 << 19)
        file.write(b"changed")
    for options in ([], ["--clone", "c"]):
        told = t.stasis("restore", image, *options, check=False)
        assert told.returncode == 1 and "disk 'vda'" in told.stderr and "--force" in told.stderr, told.stderr
    guest.disk.unlink()
    told = t.stasis("restore", image, check=False)
    assert told.returncode == 1 and str(guest.disk) in told.stderr, told.stderr
    assert overlays(t) == before


@harness.test("a save that fails after the moment: what was written since is merged into the disks, and all is as before")
def merged(t):
    guest, disks = linux_with_disks(t, defined=True)
    names, had = [str(disk) for disk in disks], nodes(t, guest)
    definition = (t.state / "config" / "domains" / f"{guest.name}.xml").read_bytes()
    guest.close()
    image = t.dir / "a.stasis"
    process = t.start("checkpoint", guest.name, image, STASIS_FAULT="save-going-on=stop,save-copied=fail")
    harness.wait_for(lambda: harness.is_stopped(process.pid), "the save to be beyond the moment")
    assert live(t, guest) == [str(t.dir / "a.overlay-1.qcow2"), str(t.dir / "b.overlay-1.qcow2")]
    guest.wait_for_agent()
    write(guest, AFTER)
    guest.close()
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 1
    assert on_top(t, guest) == ["disk-vda-format", "disk-vdb-format"]
    assert nodes(t, guest) == had
    assert live(t, guest) == persistent(t, guest) == names
    assert (t.state / "config" / "domains" / f"{guest.name}.xml").read_bytes() == definition
    assert overlays(t) == [] and not image.exists()
    assert not list(t.run_folder(guest).glob("*.before"))
    both_say(guest, AFTER)
    checkpoint(t, guest, image)
    t.stasis("destroy", guest.name)
    t.stasis("restore", image)
    both_say(guest, AFTER)


STEPS = ["save-journal", "overlays-noted", "overlays-made", "snapshot-opened", "snapshot-kept", "snapshot-named",
         "capture-tracked", "save-paused", "snapshot-taken", "save-going-on", "save-copied", "save-written",
         "save-linked"]


@harness.test("whoever dies or fails at any step leaves the guest with its disks, and nothing else", timeout=600)
def steps(t):
    guest = sector_with_disk(t)
    image, had = t.dir / "a.stasis", nodes(t, guest)
    definition = (t.state / "config" / "domains" / f"{guest.name}.xml").read_bytes()
    for step in STEPS if can_map() else [step for step in STEPS if step != "capture-tracked"]:
        for how in ("kill", "fail"):
            result = t.stasis("checkpoint", guest.name, image, check=False, STASIS_FAULT=f"{step}={how}")
            assert result.returncode != 0, (step, how)
            t.wait_for_no_job(guest)
            goes_on(t, guest)
            assert on_top(t, guest)[0] == "disk-vda-format", (step, how)
            assert nodes(t, guest) == had, (step, how, nodes(t, guest))
            assert live(t, guest) == persistent(t, guest) == [str(guest.disk)], (step, how)
            assert (t.state / "config" / "domains" / f"{guest.name}.xml").read_bytes() == definition, (step, how)
            assert overlays(t) == [] and not image.exists(), (step, how, overlays(t))
            assert not list(t.run_folder(guest).glob("*.before")), (step, how)
    assert guest.damaged_pages() == 0
    # From the rename on the image is complete.
    t.stasis("checkpoint", guest.name, image, check=False, STASIS_FAULT="save-renamed=kill")
    t.wait_for_no_job(guest)
    goes_on(t, guest)
    assert live(t, guest) == persistent(t, guest) == [str(t.dir / "sector.overlay-1.qcow2")] and image.exists()
    t.stasis("destroy", guest.name)
    t.stasis("restore", image)
    goes_on(t, guest)


@harness.test("whoever dies while it merges has another finish that, and a guest that ends meanwhile loses nothing")
def merging(t):
    guest, disks = linux_with_disks(t, defined=True)
    names, image = [str(disk) for disk in disks], t.dir / "a.stasis"
    for step in ("snapshot-turned-1", "snapshot-turned-2", "snapshot-merged"):
        for how in ("kill", "fail"):
            guest.close()
            process = t.start("checkpoint", guest.name, image,
                              STASIS_FAULT=f"save-going-on=stop,save-copied=fail,{step}={how}")
            harness.wait_for(lambda: harness.is_stopped(process.pid), "the save to be beyond the moment")
            guest.wait_for_agent()
            write(guest, f"{step}-{how}")
            guest.close()
            process.send_signal(signal.SIGCONT)
            assert process.wait(60) != 0
            t.wait_for_no_job(guest)
            goes_on(t, guest)
            assert on_top(t, guest) == ["disk-vda-format", "disk-vdb-format"], (step, how)
            assert live(t, guest) == persistent(t, guest) == names and overlays(t) == [], (step, how)
            both_say(guest, f"{step}-{how}")

    process = t.start("checkpoint", guest.name, image, STASIS_FAULT="save-going-on=stop,save-copied=fail")
    harness.wait_for(lambda: harness.is_stopped(process.pid), "the save to be beyond the moment")
    guest.wait_for_agent()
    write(guest, "at-the-end")
    guest.agent("sh sync")
    guest.close()
    harness.kill(t.status(guest)["qemu"]["pid"])
    process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 1
    harness.wait_for(lambda: t.stasis("list", "--name").stdout.split() == [], "the guest's end to be seen")
    assert len(overlays(t)) == 2 and not image.exists()
    t.stasis("start", guest.name)
    guest.wait_for_agent(timeout=120)
    both_say(guest, "at-the-end")


@harness.test("whoever dies once the restored guest may run leaves it with its disks, in its definition too")
def restore_dies(t):
    guest = sector_with_disk(t)
    image = t.dir / "a.stasis"
    checkpoint(t, guest, image)
    t.stasis("destroy", guest.name)
    for number, step in enumerate(("start-resuming", "start-running", "start-thawed"), start=2):
        t.stasis("restore", image, check=False, STASIS_FAULT=f"{step}=kill")
        t.wait_for_no_job(guest)
        goes_on(t, guest)
        assert live(t, guest) == persistent(t, guest) == [str(t.dir / f"sector.overlay-{number}.qcow2")], step
        assert not list(t.run_folder(guest).glob("*.before")), step
        t.stasis("destroy", guest.name)


@harness.test("a disk of the moment is known by whatever name, and not written to by an image of another kind")
def names(t):
    guest, disks = linux_with_disks(t, "same")
    image, other = t.dir / "a.stasis", t.dir / "b.img"
    guest.close()
    checkpoint(t, guest, image)
    assert overlays(t) == ["same.overlay-1.qcow2", "same.overlay-2.qcow2"]
    t.stasis("destroy", guest.name)
    frozen = [digest(disk) for disk in disks]
    (t.dir / "link").symlink_to(disks[1])
    path = t.dir / "link.xml"
    path.write_text(t.stasis("save-image-dumpxml", image).stdout.replace(str(disks[1]), str(t.dir / "link")))
    t.stasis("restore", image, "--xml", path)
    both_say(guest, BEFORE)
    write(guest, AFTER)
    guest.close()
    t.stasis("destroy", guest.name)
    assert [digest(disk) for disk in disks] == frozen, "a disk of the moment was written to"
    for kind in ("libvirt", "libvirt-zstd", "trailer"):
        told = t.stasis("image", "convert", "-O", kind, image, other, check=False)
        assert told.returncode == 1 and "disks of its moment" in told.stderr, told.stderr
        assert not other.exists()


@harness.test("a file below the disk of the moment that has changed is told, and a restore of another line warns")
def lines(t):
    guest = sector_with_disk(t)
    one, two, saved = t.dir / "1.stasis", t.dir / "2.stasis", t.dir / "s.stasis"
    checkpoint(t, guest, one)
    checkpoint(t, guest, two)
    t.stasis("save", guest.name, saved)
    t.stasis("restore", one)
    t.stasis("destroy", guest.name)
    told = t.stasis("restore", saved).stderr
    assert "which its next start goes on with" in told, told
    t.stasis("destroy", guest.name)
    with open(guest.disk, "r+b") as file:
        file.seek(1 << 19)
        file.write(b"changed")
    told = t.stasis("restore", two, check=False)
    assert told.returncode == 1 and "rest on has changed" in told.stderr and str(guest.disk) in told.stderr, told.stderr
    t.stasis("restore", two, "--force")


@harness.test("a restore that fails leaves no overlay")
def restore_fails(t):
    guest = sector_with_disk(t)
    image = t.dir / "a.stasis"
    checkpoint(t, guest, image)
    t.stasis("destroy", guest.name)
    before, was = overlays(t), persistent(t, guest)
    for step in ("overlays-noted", "overlays-made", "start-spawned", "restore-loaded", "restore-marked",
                 "restore-defined"):
        for how in ("fail", "kill"):
            assert t.stasis("restore", image, check=False, STASIS_FAULT=f"{step}={how}").returncode != 0
            harness.wait_for(lambda: t.stasis("list", "--name").stdout.split() == [], "nothing to be left")
            assert overlays(t) == before and persistent(t, guest) == was, (step, how)
    t.stasis("restore", image)
    goes_on(t, guest)


@harness.test("what nothing can be laid over is refused by name, and --no-disks keeps the memory alone")
def refused(t):
    disk = t.dir / "s.raw"
    subprocess.run(["qemu-img", "create", "-q", "-f", "raw", disk, "1M"], check=True)
    guest = t.boot_sector_guest()
    shared = f"<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='{disk}'/>" \
             "<target dev='vdb' bus='virtio'/><shareable/></disk>"
    t.stasis("create", guest.xml_file(shared))
    guest.wait_for_tick(2)
    image = t.dir / "a.stasis"
    told = t.stasis("checkpoint", guest.name, image, check=False)
    assert told.returncode == 1 and "'vdb'" in told.stderr and "other guests" in told.stderr, told.stderr
    assert "--no-disks" in told.stderr and not image.exists()
    if can_map():
        t.stasis("checkpoint", guest.name, image, "--no-disks")
    goes_on(t, guest)
    t.stasis("destroy", guest.name)


@harness.test("where QEMU migrates the guest it waits for its disks to be kept, whatever fails")
def by_qemu(t):
    # Nobody can track what such a guest writes.
    guest, disks = linux_with_disks(t, defined=True, shared=True, STASIS_LIBEXEC_DIR=helpers_without_library(t))
    names, had, image = [str(disk) for disk in disks], nodes(t, guest), t.dir / "a.stasis"
    for step in ("save-waited-for", "snapshot-taken", "save-paused", "save-going-on", "save-copied"):
        for how in ("kill", "fail"):
            guest.close()
            result = t.stasis("checkpoint", guest.name, image, check=False, STASIS_FAULT=f"{step}={how}")
            assert result.returncode != 0, (step, how)
            t.wait_for_no_job(guest)
            goes_on(t, guest)
            assert nodes(t, guest) == had and live(t, guest) == persistent(t, guest) == names, (step, how)
            assert overlays(t) == [] and not image.exists(), (step, how)
    both_say(guest, BEFORE)
    stats = checkpoint(t, guest, image)
    assert "precopy" in stats["engine"], stats["engine"]
    write(guest, AFTER)
    both_say(guest, AFTER)
    frozen = [digest(disk) for disk in disks]
    t.stasis("destroy", guest.name)
    t.stasis("restore", image)
    both_say(guest, BEFORE)
    write(guest, AFTER)
    guest.close()
    t.stasis("destroy", guest.name)
    assert [digest(disk) for disk in disks] == frozen, "a disk of the moment was written to"


@harness.test("an image that keeps disks is not restored through a pipe, where it would be known too late")
def piped(t):
    guest = sector_with_disk(t)
    image, stream = t.dir / "a.stasis", t.dir / "a.stream"
    checkpoint(t, guest, image)
    t.stasis("destroy", guest.name)
    before = digest(guest.disk)
    t.stasis("image", "convert", "-O", "stasis-stream", image, stream)
    with subprocess.Popen(["cat", stream], stdout=subprocess.PIPE) as cat:
        told = t.stasis("restore", "-", stdin=cat.stdout, check=False)
    assert told.returncode == 1 and "restore it from a file" in told.stderr, told.stderr
    assert digest(guest.disk) == before
    t.stasis("restore", stream)
    goes_on(t, guest)
    assert digest(guest.disk) == before


if __name__ == "__main__":
    harness.main()
