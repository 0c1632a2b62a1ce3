#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest is saved while it runs: what comes back is one moment of it, and the guest does not mind."""

import json
import os
import shutil
import signal

import harness
from live import (at_random_moments, await_stop, comes_back, goes_on, helpers_without_library, let_end, linux,
                  set_balloon, shared_memory, verify)
from mapped import booted_guest, can_map, image_lines, need_mapping
from throttle import come_back_as_read, direct_guest, has_read, slow_reads, start_reading

FROM_OUTSIDE = "mapped-ram, written from outside QEMU while the guest runs"
ROUNDS = 200 if harness.SOAK else 12


def checkpoint(t, guest, image, *options, way=FROM_OUTSIDE, **env):
    """Save it while it runs on; the statistics."""
    stats = json.loads(t.stasis("checkpoint", guest.name, image, "--json", *options, **env).stdout)
    assert stats["operation"] == "checkpoint" and stats["pause_us"] > 0, stats
    assert stats["bytes_written"] >= 4096 * stats["pages_normal"] > 0, stats
    if can_map():
        assert stats["engine"].startswith(way), stats["engine"]
    return stats


@harness.test("a checkpoint: the guest runs on, and the image brings back the moment")
def runs_on(t):
    guest = booted_guest(t)
    image = t.dir / "a.stasis"
    before = guest.last_tick()
    checkpoint(t, guest, image)
    after = guest.last_tick()
    assert t.domstate(guest, "--reason") == "running (booted)"
    goes_on(t, guest)
    ticks = guest.ticks()
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks))), "a tick is missing or doubled"
    t.stasis("image", "verify", image)
    for load in ("auto", "parallel"):
        first = comes_back(t, guest, image, "--load", load)
        assert before < first <= after + 1, (before, first, after)


@harness.test("a live save ends the guest, and nothing is lost")
def ends(t):
    guest = booted_guest(t)
    image = t.dir / "a.stasis"
    for load in ("auto", "parallel", "auto"):
        t.stasis("save", "--live", guest.name, image)
        last = guest.last_tick()
        assert t.stasis("domstate", guest.name, check=False).returncode != 0
        t.stasis("image", "verify", image)
        t.stasis("restore", image, "--load", load)
        guest.wait_for_tick(last + 2)
        ticks = guest.ticks()
        assert ticks == list(range(ticks[0], ticks[0] + len(ticks))), "a tick is missing or doubled"
        assert guest.damaged_pages() == 0


@harness.test("a save without options is live where it can be, and --still is not")
def by_itself(t):
    guest = booted_guest(t)
    image = t.dir / "a.stasis"
    for options, word in ((), FROM_OUTSIDE), (("--still",), "multifd"), ((), FROM_OUTSIDE):
        stats = json.loads(t.stasis("save", guest.name, image, "--json", *options).stdout)
        assert not can_map() or word in stats["engine"], stats
        last = guest.last_tick()
        t.stasis("restore", image, "--load", "parallel")
        guest.wait_for_tick(last + 2)
        assert guest.damaged_pages() == 0
    for more in ("--live", "--keep-running"):
        result = t.stasis("save", guest.name, image, "--still", more, check=False)
        assert result.returncode == 1 and "--still" in result.stderr, result.stderr
    goes_on(t, guest)


@harness.test("live saves and restores at random moments, of a guest that changes its memory all the time", timeout=3600)
def consistent(t):
    at_random_moments(t, ROUNDS, checkpoint, lambda guest, image, rng:
                      comes_back(t, guest, image, "--load", rng.choice(["auto", "parallel"])))


@harness.test("every page of a busy Linux guest holds what was last written to it")
def busy(t):
    guest = linux(t)
    guest.agent("dirty 20000")
    image = t.dir / "a.stasis"
    for load in ("auto", "parallel", "auto"):
        checkpoint(t, guest, image)
        t.stasis("image", "verify", image)
        assert guest.agent("check").startswith("0 bad"), "in the guest that ran on"
        guest.close()
        t.stasis("destroy", guest.name)
        t.stasis("restore", image, "--load", load)
        guest.wait_for_agent()
        assert guest.agent("check").startswith("0 bad"), "in the guest that came back"


def stop_at(t, step, *command):
    """A command that has been stopped at a fault point."""
    return await_stop(t.start(*command, STASIS_FAULT=f"{step}=stop"), step)


@harness.test("a guest whose memory is a file in memory: what it never touched stays untouched")
def shared(t):
    need_mapping()
    guest = t.boot_sector_guest(memory_mib=512)
    t.stasis("create", shared_memory(t, guest))
    guest.wait_for_tick(2)
    image = t.dir / "a.stasis"
    checkpoint(t, guest, image)
    goes_on(t, guest)
    with open(f"/proc/{t.status(guest)['qemu']['pid']}/status", encoding="ascii") as lines:
        shmem = next(int(line.split()[1]) for line in lines if line.startswith("RssShmem:"))
    assert shmem < 256 * 1024, f"{shmem} KiB"
    comes_back(t, guest, image)


@harness.test("what the guest writes, gives back and empties while it is copied is in the image as it is then")
def changed(t):
    need_mapping()
    guest = linux(t, "<memballoon model='none'/>", "<memballoon model='virtio'/>")
    image = t.dir / "a.stasis"
    process = stop_at(t, "save-followed", "checkpoint", guest.name, image)
    guest.agent("fill 1 1 text")  # what was there is given back
    t.by_hand(guest)
    for mib in (200, 256):
        set_balloon(t, guest, mib)
    guest.agent("fill 80 9 mix")
    total = guest.agent("sum")
    guest.close()
    let_end(process)
    verify(t, image)
    for load in ("auto", "parallel"):
        t.stasis("destroy", guest.name)
        t.stasis("restore", image, "--load", load)
        guest.wait_for_agent()
        assert guest.agent("sum") == total, "the guest's memory has changed"
        guest.close()


@harness.test("generation after generation, of guests whose memory is mapped from the image before")
def generations(t):
    need_mapping()
    guest = linux(t)
    for number in range(4):
        total = guest.agent(f"fill {32 + number} {number} mix") and guest.agent("sum")
        guest.close()
        image = t.dir / f"{number}.stasis"
        if number % 2:
            t.stasis("save", "--live", guest.name, image)
        else:
            checkpoint(t, guest, image)
            t.stasis("destroy", guest.name)
        t.stasis("restore", image)
        assert t.status(guest)["memory-image"]
        guest.wait_for_agent()
        assert guest.agent("sum") == total, "the guest's memory has changed"


STEPS = ("save-journal", "save-passed", "capture-tracked", "save-followed", "save-paused", "save-going-on",
         "save-copied", "save-written", "save-linked")


@harness.test("a checkpoint that fails or dies leaves the guest running, and no image", timeout=600)
def failures(t):
    need_mapping()
    guest = booted_guest(t, pages=6000)
    image = t.dir / "a.stasis"
    for step in STEPS:
        for how in ("fail", "kill"):
            result = t.stasis("checkpoint", guest.name, image, check=False, STASIS_FAULT=f"{step}={how}")
            assert result.returncode == (1 if how == "fail" else -signal.SIGKILL), (step, how, result.stderr)
            goes_on(t, guest)
            t.wait_for_no_job(guest)
            assert not image.exists() and list(t.dir.glob(".a.*")) == [], (step, how)
    checkpoint(t, guest, image)
    comes_back(t, guest, image)


@harness.test("from the rename on the image is there, whatever happens, and the guest runs")
def died_late(t):
    need_mapping()
    guest = booted_guest(t)
    image = t.dir / "a.stasis"
    for how in ("fail", "kill"):
        t.stasis("checkpoint", guest.name, image, check=False, STASIS_FAULT=f"save-renamed={how}")
        goes_on(t, guest)
        t.wait_for_no_job(guest)
        t.stasis("image", "verify", image)
        image.unlink()


@harness.test("a live save that is cancelled while the guest runs, and one that ends it and fails")
def cancelled(t):
    need_mapping()
    guest = booted_guest(t)
    image = t.dir / "a.stasis"
    process = stop_at(t, "save-followed", "save", "--live", guest.name, image)
    assert t.stasis("checkpoint", guest.name, t.dir / "b.stasis", check=False).returncode == 1, "two at once"
    goes_on(t, guest)
    t.stasis("domjobabort", guest.name)
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "cancelled" in errors, errors
    goes_on(t, guest)
    for step in ("save-paused", "save-copied", "save-commit"):
        for how in ("fail", "kill"):
            t.stasis("save", "--live", guest.name, image, check=False, STASIS_FAULT=f"{step}={how}")
            goes_on(t, guest)
            t.wait_for_no_job(guest)
            assert not image.exists(), (step, how)


@harness.test("a full disk: the guest runs on, and nothing is left")
def full_disk(t):
    guest = booted_guest(t)
    with harness.mounted("-t", "tmpfs", "-o", "size=2m", "tmpfs", at=t.dir / "small") as folder:
        for command in (["checkpoint"], ["save", "--live"]):
            result = t.stasis(*command, guest.name, folder / "a.stasis", check=False)
            assert result.returncode == 1 and "No space left" in result.stderr, result.stderr
            assert list(folder.iterdir()) == []
            goes_on(t, guest)


@harness.test("disks that were left out do not fit an image of a guest that went on: the restore refuses them")
def with_disks(t):
    guest = booted_guest(t, read_only=False)
    image = t.dir / "a.stasis"
    checkpoint(t, guest, image, "--no-disks")
    goes_on(t, guest)
    t.stasis("destroy", guest.name)
    copy = t.dir / "copy"
    shutil.copy2(guest.disk, copy)
    os.utime(guest.disk)
    result = t.stasis("restore", image, check=False)
    assert result.returncode == 1 and "vda" in result.stderr, result.stderr
    t.stasis("restore", image, "--force")
    goes_on(t, guest)


@harness.test("where the guest's writes cannot be tracked QEMU does it, and the engine says why", embedded=True)
def fallback(t):
    helpers = helpers_without_library(t)
    guest = t.boot_sector_guest()
    shared = shared_memory(t, guest)  # neither can QEMU track them
    t.stasis("create", shared, STASIS_LIBEXEC_DIR=helpers)
    guest.wait_for_tick(2)
    image = t.dir / "a.stasis"
    stats = checkpoint(t, guest, image, way="mapped-ram, precopy: QEMU writes while the guest runs; not from outside")
    assert "precopy" in stats["engine"], stats
    goes_on(t, guest)
    t.stasis("image", "verify", image)
    for load in ("auto", "parallel"):
        comes_back(t, guest, image, "--load", load)
    t.stasis("destroy", guest.name)
    t.stasis("create", shared, STASIS_LIBEXEC_DIR=helpers)
    guest.wait_for_tick(2)
    for step in ("save-passed", "save-paused", "save-going-on", "save-copied"):
        for how in ("fail", "kill"):
            t.stasis("checkpoint", guest.name, t.dir / "b.stasis", check=False, STASIS_FAULT=f"{step}={how}")
            goes_on(t, guest)
            t.wait_for_no_job(guest)
    last = guest.last_tick()
    t.stasis("save", "--live", guest.name, image)
    t.stasis("restore", image)
    guest.wait_for_tick(last + 2)


def slowly(t, guest, *command, **more):
    """A save by QEMU, slower than the guest changes its memory: what it says, if it does not fail."""
    process = stop_at(t, "save-configured", *command, "--json")
    t.by_hand(guest)
    t.qmp(guest, "supervisor.sock",
          {"execute": "migrate-set-parameters", "arguments": {"max-bandwidth": 1 << 20, **more}})
    process.send_signal(signal.SIGCONT)
    output, errors = process.communicate(timeout=120)
    return process.returncode, errors, json.loads(output)["engine"] if process.returncode == 0 else ""


@harness.test("what an emulated processor writes while QEMU copies the memory for long is in the image", embedded=True)
def long_copied(t):
    env = {"STASIS_LIBEXEC_DIR": helpers_without_library(t)} if can_map() else {}
    guest = t.boot_sector_guest(pages=128)  # few enough for QEMU to remember where they are
    t.stasis("create", guest.xml_file(), **env)
    image = t.dir / "a.stasis"
    mapping = [] if can_map() else ["--flat"]
    for command in (["save", "--live"], ["checkpoint"]):
        guest.wait_for_tick(guest.last_tick() + 2)
        result, errors, engine = slowly(t, guest, *command, guest.name, image)
        assert result == 0 and "precopy" in engine, errors or engine
        comes_back(t, guest, image, *mapping, **env)
        assert can_map() or harness.ACCEL == "kvm" or "in one pass" in engine, engine
        assert image_lines(t, guest) != []


@harness.test("a QEMU that may miss writes, and was told meanwhile to go over the memory again, gives no image", embedded=True)
def too_often(t):
    if can_map() or harness.ACCEL == "kvm":
        raise harness.Skip("this one misses none")
    guest = booted_guest(t, pages=128)
    image = t.dir / "a.stasis"
    for command in (["checkpoint"], ["save", "--live"]):
        result, errors, _ = slowly(t, guest, *command, guest.name, image, **{"downtime-limit": 50})
        assert result == 1 and "may have missed what it wrote" in errors, errors
        assert not image.exists() and list(t.dir.glob(".a.*")) == []
        goes_on(t, guest)
    t.stasis("checkpoint", guest.name, image)
    comes_back(t, guest, image)


@harness.test("a guest that stands still after a save that failed late can be saved live, and has its disks back")
def after_failure(t):
    need_mapping()
    guest = booted_guest(t, read_only=False)
    t.stasis("suspend", guest.name)
    image = t.dir / "a.stasis"
    for command in (["save"], ["save", "--live"]):
        for how in ("fail", "kill"):
            t.stasis(*command, guest.name, image, check=False, STASIS_FAULT=f"save-copied={how}")
            t.wait_for_no_job(guest)
            nodes = t.qmp_command(guest, "query-named-block-nodes")
            assert all(node.get("active", True) for node in nodes), (command, how)
            t.stasis("checkpoint", guest.name, image, "--no-disks")
            assert t.domstate(guest) == "paused"
            image.unlink()
    t.stasis("resume", guest.name)
    goes_on(t, guest)


@harness.test("whoever stops a guest that has gone on means it")
def stopped_later(t):
    need_mapping()
    guest = booted_guest(t)
    for how in ("stop", "kill"):
        process = t.start("checkpoint", guest.name, t.dir / "a.stasis", STASIS_FAULT=f"save-copied={how}")
        if how == "stop":
            harness.wait_for(lambda one=process: harness.is_stopped(one.pid), "the command to be stopped")
            t.by_hand(guest, "stop")
            let_end(process)
            assert t.domstate(guest) == "paused"
            t.stasis("resume", guest.name)
        else:
            process.communicate()
            t.wait_for_no_job(guest)
        goes_on(t, guest)


@harness.test("what a disk of direct I/O sends while the memory is copied is in the image", timeout=600)
def direct(t):
    need_mapping()
    guest, disk, wanted = direct_guest(t)
    images = [t.dir / f"{number}.stasis" for number in range(3)]
    with slow_reads(t, guest, disk):
        for image in images:
            start_reading(guest)
            checkpoint(t, guest, image)
            assert has_read(guest, wanted)
    come_back_as_read(t, guest, images, wanted)


@harness.test("a paused guest stays paused; a managed one may be saved live; other kinds of images are refused")
def odd(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    for options in (["--format", "libvirt"], ["--compress", "zstd"]):
        result = t.stasis("save", "--live", guest.name, t.dir / "x", *options, check=False)
        assert result.returncode == 1 and "of our own kind" in result.stderr, result.stderr
    t.stasis("suspend", guest.name)
    t.stasis("checkpoint", guest.name, t.dir / "a.stasis")
    assert t.domstate(guest, "--reason") == "paused (user)"
    t.stasis("resume", guest.name)
    goes_on(t, guest)
    t.stasis("managedsave", guest.name, "--live")
    last = guest.last_tick()
    t.stasis("start", guest.name)
    guest.wait_for_tick(last + 2)
    t.stasis("destroy", guest.name)
    t.stasis("restore", t.dir / "a.stasis")
    assert t.domstate(guest) == "paused"


harness.main()
