#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks are copied along with a migration, and the way between the hosts breaks, a disk is full, or somebody dies."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time

import harness
from copies import (COUNT, MIB, comes_after_all, elsewhere, expect_at, expect_goes_on, expect_written, fails, goes_on_writing,
                    hosts, is_clean, make_qcow2, make_raw, migrate, small_guest, start, stop_writing, writing_guest)
from ways import way

def begin(here, there, guest, *options):
    """It goes on in the background, and slowly."""
    return subprocess.Popen(["virsh", "-c", here.uri(), "migrate", "--live", "--copy-storage-all", "--bandwidth", "1",
                             "--xml", elsewhere(here, there, guest), *options, guest.name, there.uri()],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def has_failed(process, *words):
    _, said = process.communicate(timeout=300)
    assert process.returncode == 1, said
    for word in words:
        assert word in said, said


@contextlib.contextmanager
def held_at(here, there, guest, step, *options, live=True):
    """The source's driver is a process of its own, and stands still at this step."""
    env = {**here.t.environment(), "STASIS_STATE_DIR": str(here.state), "STASIS_FAULT": f"migrate-out-{step}=stop"}
    process = subprocess.Popen([harness.STASIS, "migrate", guest.name, there.peer(), *(["--live"] if live else []),
                                "--copy-storage-all", "--xml", elsewhere(here, there, guest), *options],
                               env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def is_held():
        assert process.poll() is None, process.communicate()
        return pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
    try:
        harness.wait_for(is_held, f"the migration to come to '{step}'", 120)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def let_go(process, *words):
    os.kill(process.pid, signal.SIGCONT)
    has_failed(process, *words)


def qemu_of(host, guest):
    return json.loads((host.state / "run" / "domains" / guest.name / "status.json").read_text())["qemu"]["pid"]


@harness.test("a way that breaks while disks are copied, and while the guest stands still, costs the migration only", timeout=600)
def broken(t):
    with hosts(t) as (one, two):
        disk = make_raw(one.disks / "a")
        before = disk.read_bytes()
        guest = writing_guest(t, one, disk, "raw")
        goes_on_writing(guest)
        with way() as slow:
            process = begin(one, two, guest, *slow.options())
            harness.wait_for(lambda: slow.passed > MIB, "the disk to be copied")
            slow.cut()
            has_failed(process, "vda")
        expect_at(guest, one, two)
        goes_on_writing(guest)
        assert two.left() == [], two.left()
        with way() as broken_late, held_at(one, two, guest, "waiting", *broken_late.options()) as process:
            broken_late.cut()
            let_go(process, "vda")
        expect_at(guest, one, two)
        goes_on_writing(guest)
        assert two.left() == [], two.left()
        migrate(one, two, guest, "--copy-storage-all")
        guest.close()
        expect_at(guest, two, one)
        last = stop_writing(guest)
        assert last > COUNT / 10
        two.daemon.virsh("destroy", guest.name)
        expect_written(before, (two.disks / "a").read_bytes(), last)


@harness.test("an abort ends a copy over a way that hangs")
def hangs(t):
    with hosts(t) as (one, two), way() as hanging:
        guest = small_guest(t, one)
        process = begin(one, two, guest, *hanging.options())
        harness.wait_for(lambda: hanging.passed > MIB, "the disk to be copied")
        hanging.goes.clear()
        one.daemon.virsh("domjobabort", guest.name)
        has_failed(process)
        expect_goes_on(guest, one, two)
        comes_after_all(guest, one, two)


def rests(pid):
    """A guest that writes all the time does not."""
    def used():
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    before = used()
    time.sleep(2)
    return used() - before < 10


@contextlib.contextmanager
def deaf_qemu(one, two, guest, step, live):
    """QEMU has stopped the guest, and waits for a copy over a way that hangs: its main loop stands."""
    with way() as hanging, held_at(one, two, guest, step, *hanging.options(), live=live) as process:
        hanging.hang()
        os.kill(process.pid, signal.SIGCONT)
        harness.wait_for(lambda: process.poll() is not None or rests(qemu_of(one, guest)), "the guest to stand still", 120)
        yield process


def goes_on_here(one, two, guest):
    expect_at(guest, one, two)
    goes_on_writing(guest)
    run = two.state / "run" / "domains" / guest.name
    harness.wait_for(lambda: not run.exists(), "the destination to clear away")
    assert two.left() == [], two.left()


@harness.test("QEMU waits for a way that hangs, with its guest stopped: an abort, a limit, and a recovery free it", timeout=900)
def deaf(t):
    with hosts(t) as (one, two):
        disk = make_raw(one.disks / "a")
        before = disk.read_bytes()
        guest = writing_guest(t, one, disk, "raw")
        for step, live in (("mirrored", False), ("sending", True)):
            with deaf_qemu(one, two, guest, step, live) as process:
                one.daemon.virsh("domjobabort", guest.name)
                has_failed(process)
                goes_on_here(one, two, guest)
            with deaf_qemu(one, two, guest, step, live) as process:
                process.kill()
                process.wait()
                goes_on_here(one, two, guest)
        with (one.state / "config" / "stasis.conf").open("a", encoding="utf-8") as config:
            config.write("[migration]\nstall-timeout=5\n")
        with deaf_qemu(one, two, guest, "mirrored", False) as process:
            has_failed(process, "stop")
            goes_on_here(one, two, guest)
        migrate(one, two, guest, "--copy-storage-all")
        guest.close()
        expect_at(guest, two, one)
        last = stop_writing(guest)
        two.daemon.virsh("destroy", guest.name)
        expect_written(before, (two.disks / "a").read_bytes(), last)


@harness.test("an abort at any moment before it is handed over leaves nothing", timeout=600)
def aborted(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        for step in ("mirrors", "mirrored", "connected", "sending", "waiting", "mirrors-ending", "copied"):
            with held_at(one, two, guest, step) as process:
                one.daemon.virsh("domjobabort", guest.name)
                let_go(process)
            expect_goes_on(guest, one, two)
        comes_after_all(guest, one, two)


STEPS = ("mirrors", "mirrored", "waiting", "mirrors-ending", "copied")


@harness.test("QEMU's end at the destination, at any moment, leaves the guest and no half copy", timeout=600)
def destination_dies(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        for step in STEPS:
            with held_at(one, two, guest, step) as process:
                harness.kill(qemu_of(two, guest))
                let_go(process)
            expect_goes_on(guest, one, two)
        comes_after_all(guest, one, two)


@harness.test("QEMU's end at the source, at any moment, leaves its disk and no half copy", timeout=600)
def source_dies(t):
    with hosts(t) as (one, two):
        for step in STEPS:
            guest = small_guest(t, one)
            before = (one.disks / "b").read_bytes()
            with held_at(one, two, guest, step) as process:
                harness.kill(qemu_of(one, guest))
                let_go(process)
            for host in (one, two):
                run = host.state / "run" / "domains" / guest.name
                harness.wait_for(lambda run=run: not run.exists(), "it to be cleared away")
            assert two.left() == [], two.left()
            assert (one.disks / "b").read_bytes() == before
            guest.close()


@harness.test("the daemon's end at the destination leaves the guest and no half copy", timeout=600, once=True)
def daemon_dies(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        for step in ("mirrors", "mirrored", "connected"):
            run = two.state / "run" / "domains" / guest.name
            with held_at(one, two, guest, step) as process:
                two.daemon.process.kill()
                two.daemon.process.wait()
                two.start()
                harness.wait_for(lambda run=run: not run.exists(), "the destination to clear away")
                let_go(process)
            expect_goes_on(guest, one, two)
        comes_after_all(guest, one, two)


@harness.test("a disk that has no room for a copy", once=True)
def full(t):
    with hosts(t) as (one, two), harness.mounted("-t", "tmpfs", "-o", "size=2m", "none", at=two.disks):
        base = make_raw(t.dir / "base")
        top = make_qcow2(one.disks / "b", "-F", "raw", "-b", base)
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 0 4M", top], check=True, stdout=subprocess.DEVNULL)
        guest = t.boot_sector_guest(disks=[(top, "qcow2", "virtio", False)])
        start(one, guest)
        guest.wait_for_tick(2)
        # How much the copy of a top will be is not known before.
        fails(migrate(one, two, guest, "--copy-storage-all", check=False), "vdb", "room")
        expect_goes_on(guest, one, two)
        for options in ([], ["--p2p"]):
            fails(migrate(one, two, guest, "--copy-storage-inc", *options, check=False), "vdb", "No space left")
            expect_goes_on(guest, one, two)


@harness.test("of two disks one goes along, and the other is where it was", once=True)
def chosen(t):
    with hosts(t) as (one, two):
        shared = make_raw(t.dir / "c", seed=3)
        mine = make_raw(one.disks / "b")
        guest = t.boot_sector_guest(disks=[(mine, "raw", "virtio", False), (shared, "raw", "virtio", False)])
        start(one, guest)
        guest.wait_for_tick(2)
        fails(migrate(one, two, guest, "--copy-storage-all", check=False), "vdc", "onto itself")
        expect_goes_on(guest, one, two)
        migrate(one, two, guest, "--copy-storage-all", "--migrate-disks", "vdb")
        expect_at(guest, two, one)
        is_clean(two, guest)
        xml = two.says("dumpxml", guest.name)
        assert str(shared) in xml and str(two.disks / "b") in xml and str(mine) not in xml, xml
        assert (two.disks / "b").read_bytes() == mine.read_bytes()
        # One writer: who else wants it is told so, and the file that was left behind is free.
        locked = ["qemu-io", "-f", "raw", "-c", "read 0 512"]
        assert subprocess.run([*locked, shared], capture_output=True, check=False).returncode != 0
        assert subprocess.run([*locked, two.disks / "b"], capture_output=True, check=False).returncode != 0
        subprocess.run([*locked, mine], check=True, capture_output=True)


if __name__ == "__main__":
    harness.main()
