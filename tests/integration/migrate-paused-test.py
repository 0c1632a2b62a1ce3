#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A paused guest that a migration has left, or brought, has its disks: whatever is done with it next works.

QEMU before 10.0 ends by an assertion where it is to migrate, or to save, a guest whose disks are inactive."""

import contextlib
import json
import os
import pathlib
import re

import harness
import migration
from migrating import LIVE, PAUSED, Destination, Refused, Source

LOCK = re.compile(r"OFDLCK ADVISORY +READ +\S+ ([0-9a-f]+):([0-9a-f]+):(\d+) (\d+) (\d+|EOF)")
WRITES = 101  # the octet of an image that QEMU locks while it may write to it


def running_guest(t, **options):
    guest = t.boot_sector_guest(read_only=False, **options)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    return guest


def writers(path):
    """How many QEMUs may write to an image."""
    stat, count = os.stat(path), 0
    for line in pathlib.Path("/proc/locks").read_text(encoding="ascii").splitlines():
        found = LOCK.search(line)
        if found and int(found[3]) == stat.st_ino:
            last = 1 << 63 if found[5] == "EOF" else int(found[5])
            count += int(found[4]) <= WRITES <= last
    return count


def can_activate(stasis, guest):
    """Else QEMU has to let the guest run for it to have its disks again."""
    said = json.loads(stasis("qemu-monitor-command", guest.name, '{"execute": "query-commands"}').stdout)
    return "blockdev-set-active" in {one["name"] for one in said["return"]}


def come_paused(t, guest, destination, **facts):
    """By a migration; returns its last tick."""
    source = Source(t, guest, **facts)
    flags = LIVE if facts else LIVE | PAUSED
    if facts:
        t.stasis("suspend", guest.name)
    prepared = source.prepare(destination, flags=flags)
    assert writers(guest.disk) == 1
    source.send(prepared)
    assert writers(guest.disk) <= 1
    destination.finish(guest.name, source.final(), flags=flags)
    assert writers(guest.disk) == 1, "it has not its disks"
    source.end()
    assert writers(guest.disk) == 1
    assert destination.stasis("domstate", guest.name).stdout.strip() == "paused"
    return guest.last_tick()


def save(stasis, guest, image):
    stasis("save", guest.name, image)
    stasis("restore", image, "--paused")
    assert writers(disk_of(stasis, guest)) == 1, "a restored guest has not its disks"


def checkpoint(stasis, guest, image):
    stasis("checkpoint", guest.name, image, "--no-disks")


def checkpoint_with_disks(stasis, guest, image):
    stasis("checkpoint", guest.name, image)


def attach_disk(stasis, guest, image):
    with open(image, "wb") as file:
        file.truncate(1 << 20)
    stasis("attach-disk", guest.name, image, "vdb")


def disk_of(stasis, guest):
    """What it writes to now."""
    return pathlib.Path(stasis("domblklist", guest.name).stdout.split("vda")[1].split()[0])


def works(t, stasis, guest, change):
    """It is done with the paused guest, and again, and then saved; and it runs as if nothing had been."""
    last = guest.last_tick()
    # An older QEMU that has sent its state away has to let the guest run for a moment first.
    stands = can_activate(stasis, guest)
    for number, one in enumerate((change, change if change is not attach_disk else checkpoint, save)):
        one(stasis, guest, t.dir / f"image.{number}")
        assert stasis("domstate", guest.name).stdout.strip() == "paused"
        assert writers(disk_of(stasis, guest)) <= 1, number
    assert not stands or guest.last_tick() == last
    last = guest.last_tick()
    stasis("resume", guest.name)
    guest.wait_for_tick(last + 2)
    assert guest.boots() == 1 and guest.damaged_pages() == 0, guest.serial_text()[-200:]


def stays_paused(t, guest, number=1):
    """Its migration was completed, and is taken back."""
    with migration.Source(t, guest) as source, migration.Destination(t, guest, number) as dest:
        _, cookie = source.begin()
        source.step("perform", flags=LIVE, cookie=dest.prepare(cookie))
        with contextlib.suppress(migration.StepFailed):
            source.step("confirm", flags=LIVE, cookie=dest.final(0, begun=False))
        assert dest.asked == ["revoke"], dest.asked
    t.wait_for_no_job(guest)
    assert t.domstate(guest) == "paused"
    assert writers(guest.disk) == int(can_activate(t.stasis, guest))


for way in (save, checkpoint, checkpoint_with_disks, attach_disk):
    what = way.__name__.replace("_", " ")

    @harness.test(f"a paused guest comes, then: {what}")
    def comes(t, way=way):
        guest = running_guest(t)
        with Destination(t) as destination:
            come_paused(t, guest, destination, **{"run-state": "paused"})
            works(t, destination.stasis, guest, way)
            destination.stasis("destroy", guest.name)

    @harness.test(f"a guest comes that is to be paused, then: {what}")
    def is_paused(t, way=way):
        guest = running_guest(t)
        with Destination(t) as destination:
            come_paused(t, guest, destination)
            works(t, destination.stasis, guest, way)
            destination.stasis("destroy", guest.name)

    @harness.test(f"a paused guest's migration is taken back, then: {what}")
    def taken_back(t, way=way):
        guest = running_guest(t)
        t.stasis("suspend", guest.name)
        stays_paused(t, guest)
        works(t, t.stasis, guest, way)

    @harness.test(f"a paused guest was restored, then: {what}")
    def restored(t, way=way):
        guest = running_guest(t)
        save(t.stasis, guest, t.dir / "image")
        works(t, t.stasis, guest, way)


@harness.test("a paused guest's migration is taken back, and again, and then it is saved")
def twice(t):
    guest = running_guest(t)
    t.stasis("suspend", guest.name)
    for number in (1, 2):
        stays_paused(t, guest, number)
    works(t, t.stasis, guest, save)


for at in ("connected", "sending", "waiting", "handed", "continued", "completed"):
    @harness.test(f"a paused guest's migration fails at '{at}', then it is saved")
    def fails_at(t, at=at):
        if not harness.has_faults():
            raise harness.Skip("built without -Dfaults=true")
        guest = running_guest(t)
        t.stasis("suspend", guest.name)
        with migration.Source(t, guest, STASIS_FAULT=f"migrate-out-{at}=fail") as source, \
                migration.Destination(t, guest) as dest:
            _, cookie = source.begin()
            try:
                source.step("perform", flags=LIVE, cookie=dest.prepare(cookie))
                raise AssertionError("it did not fail")
            except migration.StepFailed:
                t.wait_for_no_job(guest)
            assert writers(guest.disk) <= 1
        works(t, t.stasis, guest, save)


@harness.test("it is to be paused, which Finish is the first to say")
def said_late(t):
    guest = running_guest(t)
    can = can_activate(t.stasis, guest)
    with Destination(t) as destination:
        source = Source(t, guest)
        source.send(source.prepare(destination))
        assert writers(guest.disk) == 0
        try:
            destination.finish(guest.name, source.final(), flags=LIVE | PAUSED)
        except Refused as refused:
            assert not can and "prepared to run" in str(refused), refused
            destination.expect_nothing(guest.name)
            assert destination.verdict(source.token) == "revoked"
            source.go_on()
        else:
            assert can, "it came, and has not its disks"
            source.end()
            works(t, destination.stasis, guest, save)
            destination.stasis("destroy", guest.name)
            return
    guest.wait_for_tick(guest.last_tick() + 2)
    assert writers(guest.disk) == 1 and guest.damaged_pages() == 0


if __name__ == "__main__":
    harness.main()
