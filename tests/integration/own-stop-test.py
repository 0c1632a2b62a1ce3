#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that stops by itself while it is being saved is not let run by the save."""

import contextlib
import os
import signal
import subprocess
import time

import harness
from live import await_stop, helpers_without_library, shared_memory
from mapped import can_map

STATE = "paused (I/O error)"
LIVE = ["save", "--live"]
CHECKPOINT = ["checkpoint", "--no-disks"]
STEPS = ["save-passed", "capture-tracked", "save-followed"] if can_map() else ["save-passed"]


@contextlib.contextmanager
def full_disk(t, cache):
    """A Linux guest whose disk has no room left on the host: the guest, and what is in the way."""
    backing = t.dir / "small.ext4"
    with open(backing, "wb") as file:
        file.truncate(48 << 20)
    subprocess.run(["mkfs.ext4", "-q", backing], check=True)
    with harness.mounted("-o", "loop", backing, at=t.dir / "small") as folder:
        disk = folder / "disk.img"
        with open(disk, "wb") as file:
            file.truncate(32 << 20)
        guest = t.linux_guest(disks=[(disk, "raw", "virtio", False)])
        try:
            path = t.dir / "guest.xml"
            path.write_text(guest.xml().replace("type='raw'/>", f"type='raw' cache='{cache}'/>"))
            yield guest, path, folder / "filler"
        finally:
            guest.close()
            t.stasis("destroy", guest.name, check=False)


def fill(filler):
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))


def stops_by_itself(t, guest):
    guest.agent("sh cat /dev/zero >/dev/vda 2>/dev/null &")
    harness.wait_for(lambda: t.domstate(guest, "--reason") == STATE, "the guest to stop over its disk")


def stays(t, guest, filler):
    """It stands still as it did by itself, and goes on when somebody who has made room says so."""
    assert t.domstate(guest, "--reason") == STATE, t.domstate(guest, "--reason")
    filler.unlink()
    t.stasis("resume", guest.name)
    guest.wait_for_agent()
    assert t.domstate(guest) == "running"
    guest.agent("sh killall cat; sync; echo 3 >/proc/sys/vm/drop_caches")
    disk = filler.with_name("disk.img")
    subprocess.run(["fallocate", "--punch-hole", "--offset", "0", "--length", str(disk.stat().st_size), disk], check=True)


def save_stops(t, guest, filler, step, *command, action="fail"):
    """It stops by itself while the save has come by a step."""
    fill(filler)
    process = t.start(*command, guest.name, t.dir / "image", STASIS_FAULT=f"{step}=stop")
    await_stop(process, step)
    stops_by_itself(t, guest)
    held = filler.with_name("held")
    filler.rename(held)
    held.write_bytes(b"")  # there is room: who lets it run does so for good
    if step == "save-migrating":  # QEMU is not to be through before the save has looked at it
        t.by_hand(guest)
        limit(t, guest, 1 << 20)
    if action == "kill":
        process.kill()
        process.communicate()
        t.wait_for_no_job(guest)
    else:
        os.kill(process.pid, signal.SIGCONT)
        errors = process.communicate(timeout=60)[1]
        assert process.returncode == 1 and "stopped by itself (io-error)" in errors, f"{step}: {errors}"
    assert not (t.dir / "image").exists() and list(t.dir.glob(".image*")) == [], step
    t.wait_for_no_job(guest)
    stays(t, guest, held)


@harness.test("an I/O error of the guest's while its memory is copied: it stays as it is, there is no image", timeout=300)
def copied(t):
    for cache in ("writeback", "none"):
        with full_disk(t, cache) as (guest, path, filler):
            t.stasis("create", path)
            guest.wait_for_agent(timeout=120)
            for step in STEPS:
                save_stops(t, guest, filler, step, "save")
            save_stops(t, guest, filler, STEPS[-1], "checkpoint", "--no-disks")


@harness.test("the same of one that is killed: nobody lets the guest run", timeout=300)
def killed(t):
    with full_disk(t, "none") as (guest, path, filler):
        t.stasis("create", path)
        guest.wait_for_agent(timeout=120)
        for step in STEPS:
            save_stops(t, guest, filler, step, "save", action="kill")


@harness.test("the same where QEMU copies the memory", timeout=300)
def migrated(t):
    with full_disk(t, "none") as (guest, path, filler):
        t.stasis("create", shared_memory(t, guest), STASIS_LIBEXEC_DIR=helpers_without_library(t))
        guest.wait_for_agent(timeout=120)
        for command in (LIVE, CHECKPOINT):
            save_stops(t, guest, filler, "save-passed", *command)
            save_stops(t, guest, filler, "save-migrating", *command)


def ask(t, guest, command):
    """Its supervisor has been killed (by_hand)."""
    return t.qmp(guest, "supervisor.sock", command).get("status")


def limit(t, guest, octets):
    """How fast QEMU migrates, in octets a second; 0: as fast as it can."""
    t.qmp(guest, "supervisor.sock", {"execute": "migrate-set-parameters", "arguments": {"max-bandwidth": octets}})


def save_is_overtaken(t, guest, filler, *command, is_killed):
    """The guest stops over its disk in the middle of QEMU's migration, while none of ours looks."""
    fill(filler)
    process = t.start(*command, guest.name, t.dir / "image", STASIS_FAULT="save-configured=stop")
    await_stop(process, "save-configured")
    t.by_hand(guest)
    limit(t, guest, 1 << 20)
    os.kill(process.pid, signal.SIGCONT)
    harness.wait_for(lambda: ask(t, guest, "query-migrate") == "active", "QEMU to migrate")
    os.kill(process.pid, signal.SIGSTOP)
    guest.agent("sh cat /dev/zero >/dev/vda 2>/dev/null &")
    harness.wait_for(lambda: ask(t, guest, "query-status") == "io-error", "the guest to stop over its disk")
    held = filler.with_name("held")
    filler.rename(held)
    held.write_bytes(b"")
    limit(t, guest, 0)
    harness.wait_for(lambda: ask(t, guest, "query-status") == "postmigrate", "QEMU to come to the end")
    if is_killed:
        process.kill()
        process.communicate()
        t.domstate(guest)  # whoever comes first recovers it
    else:
        os.kill(process.pid, signal.SIGCONT)
        errors = process.communicate(timeout=60)[1]
        assert process.returncode == 1 and "stopped by itself (io-error)" in errors, f"{command}: {process.returncode}: {errors}"
    t.wait_for_no_job(guest)
    assert not (t.dir / "image").exists() and list(t.dir.glob(".image*")) == []
    stays(t, guest, held)  # QEMU itself tells no more


@harness.test("the same in the middle of QEMU's migration, which comes to its end before anybody looks", timeout=300)
def overtaken(t):
    with full_disk(t, "none") as (guest, path, filler):
        path = shared_memory(t, guest)
        helpers = helpers_without_library(t)
        for saves in ([(LIVE, False), (CHECKPOINT, False)], [(LIVE, True)], [(CHECKPOINT, True)]):
            t.stasis("create", path, STASIS_LIBEXEC_DIR=helpers)
            guest.wait_for_agent(timeout=120)
            for command, is_killed in saves:
                time.sleep(1)  # QEMU 10 announces one in a second: the second one here is known by that alone
                save_is_overtaken(t, guest, filler, *command, is_killed=is_killed)
            t.stasis("destroy", guest.name)
            guest.close()


harness.main()
