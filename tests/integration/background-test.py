#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest is saved while it runs by QEMU's background snapshots, on a kernel too old for our own way."""

import ctypes
import fcntl
import json
import os
import pathlib
import signal
import struct
import subprocess

import harness
from background import OLD_KERNEL, PRECOPY, SNAPSHOT, command, run, why_not
from live import (at_random_moments, await_stop, comes_back, goes_on, helpers_without_library, let_end, linux,
                  shared_memory, verify)
from mapped import booted_guest, need_mapping

ROUNDS = 200 if harness.SOAK else 12

PIDFD_GETFD = 438
UFFDIO_API, UFFDIO_REGISTER, MODE_WP = 0xC018AA3F, 0xC020AA00, 2


def checkpoint(t, guest, image, *options, way=SNAPSHOT, **env):
    stats = json.loads(run(t, "checkpoint", guest.name, image, "--json", *options, **env))
    assert stats["operation"] == "checkpoint" and stats["pause_us"] > 0, stats
    assert stats["bytes_written"] >= 4096 * stats["pages_normal"] > 0, stats
    assert stats["engine"].startswith(way), stats["engine"]
    return stats


def stop_at(t, step, *arguments):
    return await_stop(command(t, *arguments, STASIS_FAULT=f"{step}=stop"), step)


def left_in_qemu(t, guest):
    """What a save has left in QEMU: capabilities that are on, descriptors of ours."""
    on = [one["capability"] for one in t.qmp_command(guest, "query-migrate-capabilities") if one["state"]]
    return on + [one for one in t.qmp_command(guest, "query-fdsets") if "stasis-save" in json.dumps(one)]


@harness.test("where the kernel cannot track writes QEMU keeps the moment, and the engine says so")
def runs_on(t):
    guest = booted_guest(t)
    image = t.dir / "a.stasis"
    for _ in range(2):
        before = guest.last_tick()
        stats = checkpoint(t, guest, image)
        after = guest.last_tick()
        assert "the kernel does not tell which pages were written to" in stats["engine"], stats["engine"]
        assert t.domstate(guest, "--reason") == "running (booted)"
        assert left_in_qemu(t, guest) == []
        goes_on(t, guest)
    ticks = guest.ticks()
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks))), "a tick is missing or doubled"
    verify(t, image)
    for load in ("auto", "parallel"):
        first = comes_back(t, guest, image, "--load", load)
        assert before < first <= after + 1, (before, first, after)
    t.stasis("destroy", guest.name)
    t.stasis("restore", image, "--paused")
    assert t.domstate(guest) == "paused"
    t.stasis("resume", guest.name)
    goes_on(t, guest)


@harness.test("snapshots and restores at random moments, of a guest that changes its memory all the time", timeout=3600)
def consistent(t):
    def both_ways(guest, image, _rng):
        comes_back(t, guest, image)
        comes_back(t, guest, image, "--load", "parallel")  # one that is mapped QEMU cannot snapshot
    at_random_moments(t, ROUNDS, checkpoint, both_ways)


@harness.test("every page of a busy Linux guest holds what was last written to it", timeout=300)
def busy(t):
    guest = linux(t)
    guest.agent("dirty 20000")
    image = t.dir / "a.stasis"
    for load in ("auto", "parallel"):
        checkpoint(t, guest, image)
        verify(t, image)
        last = guest.last_tick()
        assert guest.agent("check").startswith("0 bad"), "in the guest that ran on"
        guest.wait_for_tick(last + 2)
        guest.close()
        t.stasis("destroy", guest.name)
        t.stasis("restore", image, "--load", load)
        guest.wait_for_agent()
        assert guest.agent("check").startswith("0 bad"), "in the guest that came back"
        guest.close()
        t.stasis("destroy", guest.name)
        t.stasis("restore", image, "--load", "parallel")
        guest.wait_for_agent()


def linux_with_disk(t):
    disk = t.dir / "a.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "16M"], check=True)
    guest = t.linux_guest(disks=[(disk, "qcow2", "virtio", False)])
    t.stasis("create", guest.xml_file())
    guest.wait_for_agent(timeout=120)
    guest.agent("write-disk /dev/vda 4096 of-the-moment")
    return guest


@harness.test("the disks are kept as they are in the pause")
def disks_kept(t):
    guest = linux_with_disk(t)
    image = t.dir / "a.stasis"
    before = t.stasis("dumpxml", guest.name).stdout
    for step in ("save-paused", "save-protected", "save-going-on", "save-copied"):
        for how in ("fail", "kill"):
            run(t, "checkpoint", guest.name, image, status=1 if how == "fail" else -signal.SIGKILL,
                STASIS_FAULT=f"{step}={how}")
            t.wait_for_no_job(guest)
            assert guest.agent("read-disk /dev/vda 4096") == "of-the-moment"
            harness.wait_for(lambda: t.stasis("dumpxml", guest.name).stdout == before, "the disk to be as before")
    checkpoint(t, guest, image)
    guest.agent("write-disk /dev/vda 4096 of-later-on")
    verify(t, image)
    assert guest.agent("read-disk /dev/vda 4096") == "of-later-on"
    guest.close()
    t.stasis("destroy", guest.name)
    t.stasis("restore", image)
    guest.wait_for_agent()
    assert guest.agent("read-disk /dev/vda 4096") == "of-the-moment"
    guest.close()
    t.stasis("destroy", guest.name)
    t.stasis("restore", image, "--load", "parallel")
    guest.wait_for_agent()
    assert guest.agent("read-disk /dev/vda 4096") == "of-the-moment"
    place = ram_address(t, guest)
    process = stop_at(t, "save-passed", "checkpoint", guest.name, t.dir / "b.stasis", "--json")
    register(t, guest, *place)
    engine = json.loads(let_end(process))["engine"]
    assert engine.startswith(PRECOPY) and "background-snapshot" in engine.lower(), engine
    guest.agent("write-disk /dev/vda 4096 of-later-on")
    guest.close()
    t.stasis("destroy", guest.name)
    t.stasis("restore", t.dir / "b.stasis")
    guest.wait_for_agent()
    assert guest.agent("read-disk /dev/vda 4096") == "of-the-moment"


@harness.test("two clones of a snapshot, and an incremental save on top of it")
def other_uses(t):
    guest = booted_guest(t)
    image = t.dir / "a.stasis"
    checkpoint(t, guest, image)
    comes_back(t, guest, image)
    t.stasis("save", "--incremental", guest.name, t.dir / "b.stasis")
    comes_back(t, guest, t.dir / "b.stasis")
    t.stasis("destroy", guest.name)
    for name in ("one", "two"):
        t.stasis("restore", image, "--clone", name)
        assert t.stasis("domstate", name).stdout.strip() == "running"
    for name in ("one", "two"):
        t.stasis("destroy", name)


@harness.test("a live save that ends its guest is none: what it did after the moment would be lost")
def ends(t):
    guest = booted_guest(t)
    image = t.dir / "a.stasis"
    stats = json.loads(run(t, "save", "--live", guest.name, image, "--json"))
    assert stats["engine"].startswith(PRECOPY) and "background" not in stats["engine"], stats["engine"]
    last = guest.last_tick()
    t.stasis("restore", image)
    guest.wait_for_tick(last + 2)
    ticks = guest.ticks()
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks))), "a tick is missing or doubled"


@harness.test("guests that it is not for: paused ones, shared memory, memory that is mapped from an image")
def not_for(t):
    guest = t.boot_sector_guest()
    image = t.dir / "a.stasis"
    t.stasis("create", shared_memory(t, guest))
    guest.wait_for_tick(2)
    stats = checkpoint(t, guest, image, way=PRECOPY)
    assert "not as a background snapshot: other processes may write to the RAM block 'pc.ram'" in stats["engine"]
    goes_on(t, guest)
    t.stasis("destroy", guest.name)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(guest.last_tick() + 1)
    t.stasis("suspend", guest.name)
    engine = json.loads(run(t, "checkpoint", guest.name, image, "--json"))["engine"]
    assert engine.startswith(PRECOPY) and "background" not in engine, engine
    assert t.domstate(guest) == "paused"
    t.stasis("resume", guest.name)
    checkpoint(t, guest, image)
    comes_back(t, guest, image)
    if "memory-image" in t.status(guest):
        stats = checkpoint(t, guest, t.dir / "b.stasis", way=PRECOPY)
        assert "not as a background snapshot: the memory is mapped from an image" in stats["engine"], stats
        comes_back(t, guest, t.dir / "b.stasis")


@harness.test("a QEMU that may not use userfaultfd migrates, and the engine says both reasons")
def without_library(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file(), STASIS_LIBEXEC_DIR=helpers_without_library(t))
    guest.wait_for_tick(2)
    if t.status(guest)["uid"] == os.geteuid():
        raise harness.Skip("QEMU runs as this user, who may use userfaultfd")
    stats = checkpoint(t, guest, t.dir / "a.stasis", way=PRECOPY)
    assert "QEMU has no userfaultfd to track its guest's writes with" in stats["engine"], stats
    assert "; not as a background snapshot: QEMU may not, or cannot, track writes" in stats["engine"], stats
    goes_on(t, guest)
    comes_back(t, guest, t.dir / "a.stasis")


STEPS = ("save-journal", "save-passed", "save-protected", "save-going-on", "save-copied", "save-written",
         "save-linked")


@harness.test("a checkpoint that fails or dies leaves the guest running, and no image", timeout=600)
def failures(t):
    guest = booted_guest(t, pages=6000)
    image = t.dir / "a.stasis"
    for step in STEPS:
        for how in ("fail", "kill"):
            run(t, "checkpoint", guest.name, image, status=1 if how == "fail" else -signal.SIGKILL,
                STASIS_FAULT=f"{step}={how}")
            goes_on(t, guest)
            t.wait_for_no_job(guest)
            assert left_in_qemu(t, guest) == [], (step, how)
            assert not image.exists() and list(t.dir.glob(".a.*")) == [], (step, how)
    checkpoint(t, guest, image)
    verify(t, image)
    comes_back(t, guest, image)


@harness.test("a saver that is killed while memory is protected which the guest wants to write to", timeout=600)
def killed(t):
    guest = t.linux_guest(memory_mib=768)
    t.stasis("create", guest.xml_file())
    guest.wait_for_agent(timeout=120)
    guest.agent("fill 512 7 random", timeout=120)
    guest.agent("dirty 100000")
    statuses = []
    for step in ("save-protected", "save-going-on") * 3:
        run(t, "checkpoint", guest.name, t.dir / "a.stasis", status=-signal.SIGKILL, STASIS_FAULT=f"{step}=kill")
        t.wait_for_no_job(guest)
        assert guest.agent("check").startswith("0 bad")
        statuses.append(t.qmp_command(guest, "query-migrate")["status"])
    print(f"# what was left to QEMU became: {' '.join(statuses)}")
    assert "cancelled" in statuses, "none was killed while QEMU was at it"
    guest.wait_for_tick(guest.last_tick() + 2)
    checkpoint(t, guest, t.dir / "a.stasis")
    verify(t, t.dir / "a.stasis")


@harness.test("a snapshot that is cancelled while the guest runs")
def cancelled(t):
    guest = booted_guest(t)
    process = stop_at(t, "save-going-on", "checkpoint", guest.name, t.dir / "a.stasis")
    goes_on(t, guest)
    t.stasis("domjobabort", guest.name)
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "cancelled" in errors, errors
    goes_on(t, guest)
    assert list(t.dir.glob("*a.stasis*")) == []
    checkpoint(t, guest, t.dir / "a.stasis")


@harness.test("a QEMU that is killed in the middle of it takes its unfinished image along")
def qemu_killed(t):
    guest = booted_guest(t)
    process = stop_at(t, "save-protected", "checkpoint", guest.name, t.dir / "a.stasis")
    harness.kill(t.status(guest)["qemu"]["pid"])
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and errors, errors
    harness.wait_for(lambda: t.stasis("domstate", guest.name, check=False).returncode != 0, "the domain to be gone")
    assert list(t.dir.glob("*a.stasis*")) == []


@harness.test("a full disk: the guest runs on, and nothing is left")
def full_disk(t):
    guest = linux(t)
    guest.agent("dirty 20000")
    with harness.mounted("-t", "tmpfs", "-o", "size=20m", "tmpfs", at=t.dir / "small") as folder:
        errors = run(t, "checkpoint", guest.name, folder / "a.stasis", status=1)
        assert "No space left" in errors, errors
        assert list(folder.iterdir()) == []
    assert guest.agent("check").startswith("0 bad")
    guest.wait_for_tick(guest.last_tick() + 2)


def ram_address(t, guest):
    """Where pc.ram lies in its QEMU, and how long it is."""
    text = json.dumps({"execute": "human-monitor-command", "arguments": {"command-line": "info ramblock"}})
    told = json.loads(t.stasis("qemu-monitor-command", guest.name, text).stdout)["return"]
    words = next(line for line in told.splitlines() if line.split()[:1] == ["pc.ram"]).split()
    numbers = [int(word, 16) for word in words if word.startswith("0x")]
    return numbers[3], numbers[1]


def leads_to(path, what):
    """Whether a descriptor, unless it was closed meanwhile."""
    try:
        return what in os.readlink(path)
    except FileNotFoundError:
        return False


def register(t, guest, address, length):
    """Track the guest's writes by the userfaultfd that its QEMU was started with, and forget it."""
    pid = t.status(guest)["qemu"]["pid"]
    theirs = min(int(path.name) for path in pathlib.Path(f"/proc/{pid}/fd").iterdir() if leads_to(path, "userfaultfd]"))
    handle = os.pidfd_open(pid)
    own = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, handle, theirs, 0)
    assert own >= 0, os.strerror(ctypes.get_errno())
    try:
        fcntl.ioctl(own, UFFDIO_REGISTER, bytearray(struct.pack("QQQQ", address, length, MODE_WP, 0)))
    finally:
        os.close(own)
        os.close(handle)


@harness.test("a snapshot that QEMU cannot begin after all: it migrates, and the engine says why")
def not_begun(t):
    guest = booted_guest(t)
    image = t.dir / "a.stasis"

    def look(output):
        engine = json.loads(output)["engine"]
        assert engine.startswith(PRECOPY) and "; not as a background snapshot: " in engine, engine
        goes_on(t, guest)
        assert t.domstate(guest, "--reason") == "running (booted)" and left_in_qemu(t, guest) == []
        verify(t, image)

    look(run(t, "checkpoint", guest.name, image, "--json", STASIS_FAULT="save-not-protected=fail"))
    comes_back(t, guest, image, "--load", "parallel")
    t.stasis("destroy", guest.name)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(guest.last_tick() + 1)
    place = ram_address(t, guest)
    process = stop_at(t, "save-passed", "checkpoint", guest.name, image, "--json")
    register(t, guest, *place)
    look(let_end(process))
    comes_back(t, guest, image)


@harness.test("a saver that dies while it asks QEMU whether it can leaves nothing to the next save")
def asked(t):
    guest = booted_guest(t)
    image = t.dir / "a.stasis"

    def ask():
        run(t, "checkpoint", guest.name, image, status=-signal.SIGKILL, STASIS_FAULT="background-tried=kill")
        assert "background-snapshot" in left_in_qemu(t, guest)
    ask()
    t.stasis("suspend", guest.name)
    run(t, "checkpoint", guest.name, image)
    verify(t, image)
    t.stasis("resume", guest.name)
    ask()
    run(t, "save", "--live", guest.name, image)
    comes_back(t, guest, image, "--load", "parallel")
    ask()
    t.stasis("save", guest.name, image)
    comes_back(t, guest, image, "--load", "parallel")
    process = stop_at(t, "background-tried", "checkpoint", guest.name, t.dir / "b.stasis")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "cancelled" in errors, errors
    assert left_in_qemu(t, guest) == [] and list(t.dir.glob("*b.stasis*")) == []


@harness.test("a guest that is tracked, and whose saver dies while it asks: the next increment says what it knows")
def asked_tracked(t):
    need_mapping()
    guest = booted_guest(t)
    base = t.dir / "a.stasis"
    t.stasis("checkpoint", guest.name, base, "--track")
    one_who_may_not_read = [OLD_KERNEL[0], "readv", harness.STASIS, "checkpoint", guest.name, t.dir / "b.stasis"]
    result = subprocess.run(one_who_may_not_read, env=t.environment(STASIS_FAULT="background-tried=kill"), check=False)
    assert result.returncode == -signal.SIGKILL
    engine = json.loads(t.stasis("checkpoint", guest.name, t.dir / "b.stasis", "--incremental", "--json").stdout)["engine"]
    assert f"what differs from '{base}'" in engine and "or it is not tracked any more" in engine, engine
    goes_on(t, guest)
    comes_back(t, guest, t.dir / "b.stasis")


@harness.test("what a tracker that has died left registered is taken away before")
def dead_tracker(t):
    guest = booted_guest(t)
    checkpoint(t, guest, t.dir / "a.stasis")  # whose look for our own way makes that userfaultfd usable
    register(t, guest, *ram_address(t, guest))
    checkpoint(t, guest, t.dir / "a.stasis")
    goes_on(t, guest)
    comes_back(t, guest, t.dir / "a.stasis")


harness.main(why_not())
