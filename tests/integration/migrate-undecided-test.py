#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that may run at the destination of its migration, which cannot be asked: what can be done with it."""

import json

import harness

TOKEN = "00112233445566778899aabbccddeeff"
UNDECIDED = {"token": TOKEN, "peer": "qemu+ssh://elsewhere/system", "doors": ["unix:///no/such/door"], "flags": 3,
             "was-running": True}


def undecided_guest(t):
    """As recovery leaves it."""
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    t.stasis("suspend", guest.name)
    path = t.run_folder(guest) / "status.json"
    status = json.loads(path.read_text())
    status["undecided-migration"] = UNDECIDED
    new = path.with_name("status.json.new")
    new.write_text(json.dumps(status))
    new.rename(path)
    return guest


@harness.test("it is shown, and neither let run nor saved")
def shown(t):
    guest = undecided_guest(t)
    last = guest.last_tick()
    assert t.domstate(guest, "--reason") == "paused (migration undecided)", t.domstate(guest, "--reason")
    assert guest.name in t.stasis("list").stdout
    assert "paused" in t.stasis("dominfo", guest.name).stdout
    t.stasis("dumpxml", guest.name)
    for command in (["resume", guest.name], ["save", guest.name, t.dir / "image"], ["managedsave", guest.name]):
        result = t.stasis(*command, check=False)
        assert result.returncode == 1 and "stasis migrate-resolve" in result.stderr, result.stderr
    assert not (t.dir / "image").exists()
    for command in (["reset", guest.name], ["reboot", guest.name], ["shutdown", guest.name],
                    ["setvcpus", guest.name, "1", "--live"]):
        result = t.stasis(*command, check=False)
        assert result.returncode == 1 and "stasis migrate-resolve" in result.stderr, (command, result.stderr)
    assert guest.last_tick() == last, "the guest runs"
    assert t.domstate(guest, "--reason") == "paused (migration undecided)", t.domstate(guest, "--reason")


@harness.test("it can be destroyed, with a warning")
def destroyed(t):
    guest = undecided_guest(t)
    result = t.stasis("destroy", guest.name)
    assert "destination" in result.stderr, result.stderr
    assert t.domstate(guest, "--reason") == "shut off (destroyed)", t.domstate(guest, "--reason")


@harness.test("who lets it run by QEMU's monitor finds it paused again")
def let_run(t):
    guest = undecided_guest(t)
    t.stasis("qemu-monitor-command", guest.name, json.dumps({"execute": "cont"}))
    harness.wait_for(lambda: t.qmp_command(guest, "query-status")["status"] == "paused", "it to be paused")
    harness.wait_for(lambda: t.domstate(guest, "--reason") == "paused (migration undecided)", "that to be told")


if __name__ == "__main__":
    harness.main()
