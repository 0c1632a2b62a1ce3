#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients hear of what becomes of the domains, whoever does it."""

import os
import signal

from listener import Listener, begins
from served import daemon, harness


@harness.test("the life of a domain that the command leads, as virsh hears of it")
def life(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served, Listener(t, served, "--event", "lifecycle") as listener:
        begins(listener, t)
        listener.path.write_text("")
        t.stasis("define", guest.xml_file())
        listener.hears(guest.name, "Defined Added")
        t.stasis("start", guest.name)
        listener.hears(guest.name, "Started Booted")
        guest.wait_for_tick(2)
        t.stasis("suspend", guest.name)
        listener.hears(guest.name, "Suspended Paused")
        t.stasis("resume", guest.name)
        listener.hears(guest.name, "Resumed Unpaused")
        t.stasis("save", guest.name, t.dir / "image")
        listener.hears(guest.name, "Suspended Paused", "Stopped Saved")
        t.stasis("restore", t.dir / "image")
        listener.hears(guest.name, "Started Restored")
        t.stasis("save", guest.name, "/dev/full/nowhere", check=False)
        t.stasis("managedsave", guest.name)
        listener.hears(guest.name, "Suspended Paused", "Stopped Saved")
        t.stasis("start", guest.name)
        listener.hears(guest.name, "Started Restored")
        t.stasis("destroy", guest.name)
        listener.hears(guest.name, "Stopped Destroyed")
        t.stasis("undefine", guest.name)
        listener.hears(guest.name, "Undefined Removed")
        t.stasis("create", guest.xml_file())
        listener.hears(guest.name, "Started Booted")
        served.virsh("destroy", guest.name)
        listener.hears(guest.name, "Stopped Destroyed")


@harness.test("a job that has ended, a guest that shuts down, one that runs before the daemon does")
def jobs(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    with daemon(t) as served, Listener(t, served, "--all") as listener:
        begins(listener, t)
        t.stasis("checkpoint", guest.name, t.dir / "image", "--no-disks")
        harness.wait_for(lambda: [line for line in listener.lines() if "job-completed" in line and guest.name in line],
                         "the end of the job")
        assert "operation: 2" in listener.path.read_text() and "success: 1" in listener.path.read_text(), listener.lines()
        harness.kill(t.supervisor())
        t.stasis("suspend", guest.name)
        harness.wait_for(lambda: "Suspended Paused" in listener.lifecycle(guest.name), "the pause")
        button = t.button_guest()
        served.virsh("create", button.xml_file())
        button.wait_for_tick(1)
        served.virsh("shutdown", button.name)
        harness.wait_for(lambda: "Stopped Shutdown" in listener.lifecycle(button.name), "the end of the guest")


@harness.test("a guest that ran before the daemon: its supervisor was killed, or hangs, and it ends")
def adopted(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    qemu = t.status(guest)["qemu"]["pid"]
    harness.kill(t.supervisor())
    os.kill(qemu, signal.SIGSTOP)  # its next supervisor learns late how it is
    with daemon(t) as served, Listener(t, served, "--event", "lifecycle") as listener:
        begins(listener, t)
        os.kill(qemu, signal.SIGCONT)
        assert served.says("domstate", guest.name) == "running"
        t.stasis("suspend", guest.name)
        harness.wait_for(lambda: listener.lifecycle(guest.name), "the first event")
        assert listener.lifecycle(guest.name) == ["Suspended Paused"], listener.lifecycle(guest.name)
    supervisor = t.supervisor()
    os.kill(supervisor, signal.SIGSTOP)  # it says no word to the next daemon
    with daemon(t) as served, Listener(t, served, "--event", "lifecycle") as listener:
        begins(listener, t)
        listener.path.write_text("")
        t.stasis("destroy", guest.name)
        os.kill(supervisor, signal.SIGCONT)
        listener.hears(guest.name, "Stopped Destroyed")


harness.main()
