#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest whose memory is mapped from its image is saved from outside QEMU: nothing is lost by that."""

import json
import os
import signal
import subprocess

import harness
from mapped import need_mapping

WAY = "mapped-ram, written from outside QEMU"


def mapped_guest(t):
    """A guest that goes on in memory mapped from its image."""
    need_mapping()
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image = t.dir / "base.stasis"
    t.stasis("save", "--still", guest.name, image)
    t.stasis("restore", image)
    assert t.stasis("domstats", guest.name) and t.status(guest)["memory-image"]
    guest.wait_for_tick(guest.last_tick() + 2)
    return guest


def save(t, guest, image, *options):
    """Save it from outside; its last tick."""
    stats = json.loads(t.stasis("save", "--still", guest.name, image, "--json", *options).stdout)
    assert stats["engine"].startswith(WAY), stats
    assert stats["pages_normal"] > 0 and stats["bytes_written"] == stats["pages_normal"] * 4096, stats
    return guest.last_tick()


def goes_on(t, guest, last):
    guest.wait_for_tick(last + 2)
    assert guest.damaged_pages() == 0 and t.domstate(guest) == "running"


@harness.test("a Linux guest with a qcow2 disk, generation after generation, whichever way it comes back")
def generations(t):
    need_mapping()
    disk = t.dir / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "16M"], check=True)
    guest = t.linux_guest(disks=[(disk, "qcow2", "virtio", False)])
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(1, timeout=120)
    guest.wait_for_agent()
    guest.agent("fill 48 7 mix")
    guest.close()
    image = t.dir / "0.stasis"
    t.stasis("save", "--still", guest.name, image)
    t.stasis("restore", image)
    for number in range(1, 5):
        guest.wait_for_agent()
        guest.agent(f"fill {16 * number} {number} mix")
        total = guest.agent("sum")
        guest.agent(f"write-disk /dev/vda 4096 generation-{number}")
        guest.close()
        image = t.dir / f"{number}.stasis"
        save(t, guest, image)
        subprocess.run(["qemu-img", "check", "-q", disk], check=True)
        t.stasis("image", "verify", image)
        # Memory that is loaded is QEMU's own, and the next save QEMU's.
        t.stasis("restore", image, "--load", "parallel" if number == 4 else "auto")
        guest.wait_for_agent()
        assert guest.agent("sum") == total, "the guest's memory has changed"
        assert f"generation-{number}" in guest.agent("read-disk /dev/vda 4096 12")
        guest.close()
    stats = json.loads(t.stasis("save", "--still", guest.name, image, "--json").stdout)
    assert not stats["engine"].startswith(WAY), stats


@harness.test("an independent reader finds in it what it finds in QEMU's")
def independent(t):
    guest = mapped_guest(t)
    image = t.dir / "a.stasis"
    save(t, guest, image)
    reader = os.path.join(os.path.dirname(__file__), "..", "verify", "verify_image.py")
    subprocess.run(["/usr/bin/python3", reader, image], check=True, stdout=subprocess.DEVNULL)
    told = json.loads(t.stasis("image", "info", image, "--json").stdout)
    base = json.loads(t.stasis("image", "info", t.dir / "base.stasis", "--json").stdout)
    assert [(b["name"], b["length"]) for b in told["memory"]["blocks"]] \
        == [(b["name"], b["length"]) for b in base["memory"]["blocks"]]


@harness.test("a save from outside that fails or dies leaves the guest as it was, and no image")
def failures(t):
    guest = mapped_guest(t)
    image = t.dir / "a.stasis"
    for step in ("save-passed", "save-paused", "capture-copied", "save-copied", "save-written"):
        for how in ("fail", "kill"):
            result = t.stasis("save", "--still", guest.name, image, check=False, STASIS_FAULT=f"{step}={how}")
            assert result.returncode == (1 if how == "fail" else -signal.SIGKILL), (step, how, result.stderr)
            goes_on(t, guest, guest.last_tick())
            t.wait_for_no_job(guest)
            assert not image.exists() and list(t.dir.glob(".a.*")) == [], (step, how)
    last = save(t, guest, image)
    t.stasis("restore", image)
    goes_on(t, guest, last)


@harness.test("a disk that QEMU has let go of is taken back where the save fails")
def disk_taken_back(t):
    need_mapping()
    disk = t.dir / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "16M"], check=True)
    guest = t.linux_guest(disks=[(disk, "qcow2", "virtio", False)])
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(1, timeout=120)
    guest.wait_for_agent()
    guest.close()
    image = t.dir / "0.stasis"
    t.stasis("save", "--still", guest.name, image)
    t.stasis("restore", image)
    for how in ("fail", "kill"):
        t.stasis("save", "--still", guest.name, t.dir / "1.stasis", check=False, STASIS_FAULT=f"save-copied={how}")
        guest.wait_for_tick(guest.last_tick() + 2)
        guest.wait_for_agent()
        guest.agent(f"write-disk /dev/vda 8192 after-{how}")
        assert f"after-{how}" in guest.agent("read-disk /dev/vda 8192 10")
        guest.close()
        t.wait_for_no_job(guest)
    save(t, guest, t.dir / "1.stasis")
    subprocess.run(["qemu-img", "check", "-q", disk], check=True)


@harness.test("a save from outside can be cancelled")
def cancelled(t):
    guest = mapped_guest(t)
    image = t.dir / "a.stasis"
    process = t.start("save", "--still", guest.name, image, STASIS_FAULT="save-paused=stop")
    harness.wait_for(lambda: harness.is_stopped(process.pid), "the guest to be paused")
    process.send_signal(signal.SIGINT)
    os.kill(process.pid, signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0 and "cancelled" in errors, errors
    goes_on(t, guest, guest.last_tick())
    assert not image.exists()


@harness.test("a full disk: the guest goes on, and nothing is left")
def full_disk(t):
    guest = mapped_guest(t)
    with harness.mounted("-t", "tmpfs", "-o", "size=2m", "tmpfs", at=t.dir / "small") as folder:
        result = t.stasis("save", "--still", guest.name, folder / "a.stasis", check=False)
        assert result.returncode == 1 and "No space left" in result.stderr, result.stderr
        assert list(folder.iterdir()) == []
    goes_on(t, guest, guest.last_tick())


@harness.test("a paused guest, and one that was restored and never ran")
def paused(t):
    guest = mapped_guest(t)
    t.stasis("suspend", guest.name)
    image = t.dir / "a.stasis"
    last = save(t, guest, image)
    t.stasis("restore", image)
    assert t.domstate(guest) == "paused"
    for how in ("fail", "kill"):
        t.stasis("save", "--still", guest.name, image, check=False, STASIS_FAULT=f"save-copied={how}")
        t.wait_for_no_job(guest)
        assert t.domstate(guest) == "paused", how
    assert save(t, guest, image) == last
    t.stasis("restore", image, "--running")
    goes_on(t, guest, last)


@harness.test("a paused guest whose save failed has its disks again")
def paused_disks(t):
    need_mapping()
    disk = t.dir / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "16M"], check=True)
    guest = t.boot_sector_guest(disks=[(disk, "qcow2", "virtio", False)])
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    t.stasis("save", "--still", guest.name, t.dir / "0.stasis")
    t.stasis("restore", t.dir / "0.stasis")
    t.stasis("suspend", guest.name)
    for how in ("fail", "kill"):
        t.stasis("save", "--still", guest.name, t.dir / "1.stasis", check=False, STASIS_FAULT=f"save-copied={how}")
        t.wait_for_no_job(guest)
        assert t.domstate(guest) == "paused"
        nodes = t.qmp(guest, "monitor.sock", "query-named-block-nodes")
        assert nodes and all(node.get("active", True) for node in nodes), nodes
    save(t, guest, t.dir / "1.stasis")


@harness.test("who may not read QEMU's memory has QEMU save it, and is told why")
def denied(t):
    deny = [harness.BUILD / "tests" / "integration" / "deny", "readv"]
    if subprocess.run([*deny, "/bin/true"], check=False).returncode == 77:
        raise harness.Skip("no seccomp here")
    guest = mapped_guest(t)
    image = t.dir / "a.stasis"
    result = subprocess.run([*deny, harness.STASIS, "save", "--still", guest.name, image, "--json"], env=t.environment(),
                            capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result
    engine = json.loads(result.stdout)["engine"]
    assert not engine.startswith(WAY) and "QEMU reads all of the memory, which is mapped from an image" in engine, engine
    assert engine.endswith("Operation not permitted"), engine
    last = guest.last_tick()
    t.stasis("image", "verify", image)
    t.stasis("restore", image)
    goes_on(t, guest, last)


@harness.test("into images of other kinds")
def other_kinds(t):
    guest = mapped_guest(t)
    for kind in ("libvirt-sparse", "libvirt", "stasis-stream", "libvirt-zstd"):
        image = t.dir / kind
        t.stasis("save", "--still", guest.name, image, "--format", kind)
        last = guest.last_tick()
        t.stasis("image", "verify", image)
        t.stasis("restore", image)
        goes_on(t, guest, last)
        t.stasis("save", "--still", guest.name, t.dir / "b.stasis")
        t.stasis("restore", t.dir / "b.stasis")
        assert t.status(guest)["memory-image"]


harness.main()
