#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a save changes of QEMU's parameters of migration is as it was when the save is over, however it ends."""

import json

import harness
from live import goes_on, helpers_without_library
from mapped import booted_guest, can_map

WANTED = {"max-bandwidth": 99 << 20, "downtime-limit": 77, "multifd-channels": 3}
OURS = (*WANTED, "direct-io")


def wish(t, guest):
    text = json.dumps({"execute": "migrate-set-parameters", "arguments": WANTED})
    t.stasis("qemu-monitor-command", guest.name, text)


def parameters(t, guest):
    now = t.qmp_command(guest, "query-migrate-parameters")
    return {name: now[name] for name in OURS if name in now}


def left_on(t, guest):
    return [one["capability"] for one in t.qmp_command(guest, "query-migrate-capabilities") if one["state"]]


def keeps(t, guest, before, *command, **env):
    """A save, and the guest goes on; what it says."""
    result = t.stasis(*command, check=False, **env)
    t.wait_for_no_job(guest)
    what = (command, env.get("STASIS_FAULT"), result.stderr)
    assert parameters(t, guest) == before, (parameters(t, guest), what)
    assert left_on(t, guest) == [], (left_on(t, guest), what)
    goes_on(t, guest)
    return result


def every_end(t, guest, **env):
    image = t.dir / "a.stasis"
    wish(t, guest)
    before = parameters(t, guest)
    assert WANTED.items() <= before.items(), before
    for command in (["checkpoint"], ["save"], ["save", "--still"], ["save", "--live"]):
        save = [*command, guest.name, image]
        if command == ["checkpoint"]:
            assert keeps(t, guest, before, *save, **env).returncode == 0
        if harness.has_faults():
            for fault in ("save-passed=kill", "save-copied=fail", "save-copied=kill"):
                assert keeps(t, guest, before, *save, **env, STASIS_FAULT=fault).returncode != 0


@harness.test("a save leaves QEMU the parameters of migration that it found, whether it succeeds, fails or is killed", embedded=True)
def as_found(t):
    guest = booted_guest(t)
    every_end(t, guest)


@harness.test("the same of a guest whose memory QEMU copies", embedded=True)
def by_qemu(t):
    if not can_map():
        raise harness.Skip("nobody else does with this one")
    env = {"STASIS_LIBEXEC_DIR": helpers_without_library(t)}
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file(), **env)
    guest.wait_for_tick(2)
    every_end(t, guest, **env)


@harness.test("a guest that was restored has the parameters of migration that it was started with", embedded=True)
def restored(t):
    guest = booted_guest(t)
    before = parameters(t, guest)
    image = t.dir / "a.stasis"
    for load in ("auto", "parallel"):
        t.stasis("save", guest.name, image)
        t.stasis("restore", image, "--load", load)
        assert parameters(t, guest) == before and left_on(t, guest) == [], load
        goes_on(t, guest)


harness.main()
