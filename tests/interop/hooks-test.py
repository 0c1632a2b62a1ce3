#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""virsh's commands call the same hooks as ours, and a daemon that comes tells them so."""

import subprocess

import served
from served import harness
from hooks import STARTED, Hooks, ended


@harness.test("define, start, save, restore, destroy by virsh")
def by_virsh(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    image = t.dir / "image"
    with served.daemon(t) as daemon:
        daemon.virsh("define", guest.xml_file())
        daemon.virsh("start", guest.name)
        guest.wait_for_tick(1)
        assert hooks.take(guest) == STARTED
        hooks.do("save", "echo 'the backup goes on' >&2; exit 1")
        result = daemon.virsh("save", guest.name, image, check=False)
        assert result.returncode == 1 and "exit status 1: the backup goes on" in result.stderr, result.stderr
        assert daemon.says("domstate", guest.name) == "running"
        assert hooks.take(guest) == ["save begin -", "saved end failure"]
        hooks.do("save", "")
        daemon.virsh("save", guest.name, image)
        assert hooks.take(guest) == ["save begin -", "saved end success", *ended("saved")]
        daemon.virsh("restore", image)
        assert hooks.take(guest) == ["restore begin -", *STARTED]
        daemon.virsh("destroy", guest.name)
        assert hooks.take(guest) == ended("destroyed")
        hooks.do("prepare", f"virsh -c '{daemon.uri()}' start $1 > back 2>&1; exit 1")
        result = daemon.virsh("start", guest.name, check=False)
        assert result.returncode == 1 and "'prepare' of domain" in result.stderr, result.stderr
        assert hooks.take(guest) == STARTED[:1] + ended("failed")
        assert "is busy: start by process" in (hooks.notes / "back").read_text(), "one that calls back"


@harness.test("a daemon that comes to a running domain: reconnect, and whatever it says the guest goes on")
def reconnect(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(1)
    hooks.take(guest)
    for lines in ("", "exit 1"):
        hooks.do("reconnect", lines)
        with served.daemon(t) as daemon:
            harness.wait_for(lambda: hooks.calls(guest), "the hook to be called")
            assert hooks.take(guest) == ["reconnect begin -"]
            assert f"<name>{guest.name}</name>" in hooks.xml("reconnect")
            assert daemon.says("domstate", guest.name) == "running"
            if lines:
                harness.wait_for(lambda: "'reconnect' of domain" in daemon.said(), "the failure in the log")
    guest.wait_for_tick(guest.last_tick() + 1)
    # It holds up neither clients nor the daemon's end.
    hooks.do("reconnect", "sleep 1000")
    with served.daemon(t) as daemon:
        harness.wait_for(lambda: hooks.calls(guest), "the hook to be called")
        assert daemon.says("domstate", guest.name) == "running"
        assert daemon.stop() == 0
        harness.wait_for(lambda: "sleep 1000" not in str(t.processes()), "the hook to end")
        daemon.process = served.Daemon(t).process
    assert hooks.take(guest)[0] == "reconnect begin -"


@harness.test("the daemon is killed while a hook runs: its supervisor puts it in order")
def killed(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    with served.daemon(t) as daemon:
        daemon.virsh("define", guest.xml_file())
        hooks.do("started", "sleep 1000")
        command = subprocess.Popen(["virsh", "-c", daemon.uri(), "start", guest.name], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        harness.wait_for(lambda: hooks.has_called(guest, "started"), "the hook to be called")
        harness.kill(daemon.process.pid)
        daemon.process.wait()
        command.wait(60)
        harness.wait_for(lambda: not t.run_folder(guest).exists(), "the run folder to go")
        assert hooks.take(guest) == STARTED + ended("failed")
        harness.wait_for(lambda: "sleep 1000" not in str(t.processes()), "the hook to end")
        daemon.process = served.Daemon(t).process
        assert daemon.says("domstate", guest.name) == "shut off"


harness.main()
