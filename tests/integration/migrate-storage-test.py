#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks are copied along with a migration: two daemons, real virsh and stasis, and whatever fails."""

import json
import re
import subprocess

import harness
from copies import (COUNT, MIB, SIZE, comes_after_all, elsewhere, expect_at, expect_goes_on, expect_written, fails,
                    goes_on_writing, hosts, is_clean, make_qcow2, make_raw, migrate, octets_of, small_guest,
                    stop_writing, writing_guest)


@harness.test("a guest that writes moves with its disk, there and back", timeout=600)
def there_and_back(t):
    with hosts(t) as (one, two):
        disk = make_raw(one.disks / "a")
        before = disk.read_bytes()
        guest = writing_guest(t, one, disk, "raw")
        for number, (here, there) in enumerate(((one, two), (two, one), (one, two))):
            goes_on_writing(guest)
            # A file that is missing is made; one that is there already is taken, if that is what is wanted.
            migrate(here, there, guest, "--copy-storage-all",
                    *([["--p2p"], ["--unsafe"], ["--unsafe", "--copy-storage-synchronous-writes"]][number]))
            guest.close()
            expect_at(guest, there, here)
        goes_on_writing(guest)
        last = stop_writing(guest)
        assert last > COUNT / 10
        two.daemon.virsh("destroy", guest.name)
        expect_written(before, (two.disks / "a").read_bytes(), last)


@harness.test("the top of a qcow2 moves alone, and the whole of one", timeout=600)
def qcow2(t):
    with hosts(t) as (one, two):
        base = make_raw(t.dir / "base")
        before = base.read_bytes()
        disk = make_qcow2(one.disks / "a", "-F", "raw", "-b", base)
        guest = writing_guest(t, one, disk, "qcow2")
        goes_on_writing(guest)
        migrate(one, two, guest, "--copy-storage-inc")
        guest.close()
        expect_at(guest, two, one)
        info = json.loads(subprocess.run(["qemu-img", "info", "-U", "--output=json", two.disks / "a"], check=True,
                                         capture_output=True).stdout)
        assert info["backing-filename"] == str(base) and info["format"] == "qcow2", info
        assert info["actual-size"] < 2 * MIB, info
        goes_on_writing(guest)
        disk.unlink()  # at the source it is of no more use
        migrate(two, one, guest, "--copy-storage-all", "--p2p")
        guest.close()
        expect_at(guest, one, two)
        info = json.loads(subprocess.run(["qemu-img", "info", "-U", "--output=json", disk], check=True,
                                         capture_output=True).stdout)
        assert "backing-filename" not in info and info["format"] == "qcow2", info
        goes_on_writing(guest)
        last = stop_writing(guest)
        one.daemon.virsh("destroy", guest.name)
        assert base.read_bytes() == before
        expect_written(before, octets_of(disk, "qcow2"), last)


@harness.test("a disk is copied for stasis as well, of a guest that is paused, or is to stand still")
def still(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        before = (one.disks / "b").read_bytes()
        t.stasis("-c", one.peer(), "migrate", guest.name, two.peer(), "--copy-storage-all", "--migrate-disks", "vdb",
                 "--xml", elsewhere(one, two, guest))
        expect_at(guest, two, one)
        assert (two.disks / "b").read_bytes() == before
        two.daemon.virsh("suspend", guest.name)
        (one.disks / "b").unlink()
        migrate(two, one, guest, "--copy-storage-all")
        assert one.says("domstate", guest.name) == "paused"
        is_clean(one, guest)
        assert (one.disks / "b").read_bytes() == before
        one.daemon.virsh("resume", guest.name)
        expect_at(guest, one, two)


@harness.test("a port and a unix socket for disks are used when they are asked for")
def places(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        path = t.dir / "disks.sock"
        t.dir.chmod(0o711)  # QEMU may have a user of its own
        comes_after_all(guest, one, two, "--disks-uri", f"unix://{path}", "--migrateuri", f"unix://{t.dir}/memory.sock")
        assert not path.exists()
        (one.disks / "b").unlink()
        result = migrate(two, one, guest, "--copy-storage-all", "--migrateuri", f"unix://{t.dir}/other.sock", check=False)
        fails(result, "--disks-uri")
        expect_goes_on(guest, two, one)
        comes_after_all(guest, two, one, "--disks-port", harness.free_port())


@harness.test("what cannot be copied is refused, and nothing is left of it")
def refused(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        target = two.disks / "b"
        for options, words in (
                (["--copy-storage-all", "--migrate-disks", "vdz"], ["vdz", "no such disk"]),
                (["--copy-storage-all", "--migrate-disks", "vda"], ["vda", "does not write"]),
                (["--copy-storage-all", "--copy-storage-inc"], ["exclusive"]),
                (["--copy-storage-all", "--postcopy"], ["not supported yet"]),
                (["--copy-storage-inc", "--p2p", "--tunnelled"], ["tunnel"])):
            fails(migrate(one, two, guest, *options, check=False), *words)
            expect_goes_on(guest, one, two)
        make_raw(target, seed=2, size=SIZE + MIB)
        there = target.read_bytes()
        fails(migrate(one, two, guest, "--copy-storage-all", check=False), "vdb", str(SIZE), str(SIZE + MIB))
        expect_goes_on(guest, one, two, ["b"])
        assert target.read_bytes() == there
        make_raw(target, seed=2)
        there = target.read_bytes()
        for options in ([], ["--p2p"]):
            fails(migrate(one, two, guest, "--copy-storage-all", *options, check=False), "vdb", str(target), "--unsafe")
            expect_goes_on(guest, one, two, ["b"])
            assert target.read_bytes() == there
        target.unlink()
        target.symlink_to(one.disks / "b")
        fails(migrate(one, two, guest, "--copy-storage-all", check=False), "onto itself")
        target.unlink()
        folder = two.disks
        folder.rename(t.dir / "away")
        fails(migrate(one, two, guest, "--copy-storage-all", check=False), "vdb", str(folder))
        (t.dir / "away").rename(folder)
        expect_goes_on(guest, one, two)
        comes_after_all(guest, one, two)


@harness.test("an abort while disks are copied leaves nothing, and says how far it was")
def aborted(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        virsh = subprocess.Popen(["virsh", "-c", one.uri(), "migrate", "--live", "--copy-storage-all", "--bandwidth", "1",
                                  "--xml", elsewhere(one, two, guest), guest.name, two.uri()], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def has_begun():
            assert virsh.poll() is None, virsh.communicate()
            found = re.search(r"File total:\s+([\d.]+) MiB", one.says("domjobinfo", guest.name, check=False))
            return found and float(found[1]) >= SIZE / MIB
        harness.wait_for(has_begun, "the disk to be copied")
        one.daemon.virsh("domjobabort", guest.name)
        _, said = virsh.communicate(timeout=60)
        assert virsh.returncode == 1 and "error:" in said, said
        expect_goes_on(guest, one, two)
        comes_after_all(guest, one, two)


OUT = ["mirrors", "mirrored", "connected", "sending", "waiting", "mirrors-ending", "copied"]


@harness.test("whatever fails at the source before it is handed over, nothing is left at either end", timeout=900)
def source_fails(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        for how in ("fail", "kill"):
            for step in OUT:
                result = one.stasis("migrate", guest.name, two.peer(), "--live", "--copy-storage-all", "--xml",
                                    elsewhere(one, two, guest), check=False, STASIS_FAULT=f"migrate-out-{step}={how}")
                assert result.returncode != 0, (step, result)
                expect_goes_on(guest, one, two)
        comes_after_all(guest, one, two)


IN = ["volumes-noted", "volumes", "journal", "exported", "listening", "finish", "loaded", "unexported", "committed"]


@harness.test("whatever fails at the destination before it has begun, no half copy is left", timeout=900)
def destination_fails(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        for how, steps in (("fail", IN), ("kill", IN[:IN.index("finish")])):
            for step in steps:
                two.daemon.stop()
                two.start(STASIS_FAULT=f"migrate-in-{step}={how}")
                result = migrate(one, two, guest, "--copy-storage-all", check=False)
                assert result.returncode != 0, (step, result)
                if how == "kill":
                    two.daemon.process.wait(60)
                    two.start()
                expect_goes_on(guest, one, two)
        two.daemon.stop()
        two.start()
        comes_after_all(guest, one, two)


@harness.test("a destination that is killed in Finish keeps no copy, as long as it has not begun")
def killed_in_finish(t):
    with hosts(t, STASIS_FAULT="migrate-in-unexported=kill") as (one, two):
        guest = small_guest(t, one)
        migrate(one, two, guest, "--copy-storage-all", check=False)
        two.daemon.process.wait(60)
        two.start()
        harness.wait_for(lambda: not (two.state / "run" / "domains" / guest.name).exists(), "the destination to clear away")
        assert two.left() == [], two.left()
        assert guest.name in one.names(), one.says("list", "--all")


@harness.test("a destination that is killed once it has begun keeps its copy")
def begun(t):
    with hosts(t, STASIS_FAULT="migrate-in-decided=kill") as (one, two):
        guest = small_guest(t, one)
        before = (one.disks / "b").read_bytes()
        migrate(one, two, guest, "--copy-storage-all", check=False)
        two.daemon.process.wait(60)
        two.start()
        harness.wait_for(lambda: two.says("domstate", guest.name, check=False) == "running", "the guest to run there")
        assert (two.disks / "b").read_bytes() == before
        one.daemon.virsh("destroy", guest.name, check=False)


@harness.test("QEMU's end at the destination while disks are copied is told")
def qemu_dies(t):
    with hosts(t) as (one, two):
        guest = small_guest(t, one)
        virsh = subprocess.Popen(["virsh", "-c", one.uri(), "migrate", "--live", "--copy-storage-all", "--bandwidth", "1",
                                  "--xml", elsewhere(one, two, guest), guest.name, two.uri()], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        harness.wait_for(lambda: "File total" in one.says("domjobinfo", guest.name, check=False), "the disk to be copied")
        status = json.loads((two.state / "run" / "domains" / guest.name / "status.json").read_text())
        harness.kill(status["qemu"]["pid"])
        _, said = virsh.communicate(timeout=120)
        assert virsh.returncode == 1 and "vdb" in said, said
        expect_goes_on(guest, one, two)


if __name__ == "__main__":
    harness.main()
