#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The source of a migration: what is sent, and what becomes of its guest whatever fails."""

import json

import harness
from migration import LIVE, Destination, Source


def running_guest(t, defined=True, **options):
    guest = t.boot_sector_guest(**options)
    if defined:
        t.stasis("define", guest.xml_file())
        t.stasis("start", guest.name)
    else:
        t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    return guest


@harness.test("a guest that runs goes on at the destination", timeout=300)
def precopy(t):
    guest = running_guest(t)
    qemu = t.status(guest)["qemu"]["pid"]
    with Source(t, guest) as source, Destination(t, guest) as dest:
        xml, cookie = source.begin(LIVE)
        assert guest.name in xml and cookie["begin"]["memory-kib"] == 65536
        final = json.loads(source.step("perform", flags=LIVE, cookie=dest.prepare(cookie))["cookie"])
        assert final["final"]["begun"] is False and final["final"]["source-run-us"] > 0, final
        last = guest.last_tick()
        assert t.domstate(guest, "--reason") == "paused (migrating)", t.domstate(guest, "--reason")
        source.step("confirm", flags=LIVE, cookie=dest.begin_to_run())
        harness.wait_for(lambda: dest.last_tick() > last + 2, "the guest to go on there")
        assert dest.damaged_pages() == 0
        assert t.domstate(guest, "--reason") == "shut off (migrated)", t.domstate(guest, "--reason")
        assert not (t.run_folder(guest)).exists()
        harness.wait_for(lambda: qemu not in t.processes(), "the copy to end")
        source.end()
    info = t.stasis("domjobinfo", guest.name, "--completed").stdout
    assert "Completed" in info and "Migrat" in info, info


if __name__ == "__main__":
    harness.main()
