#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon that is slow hears all the same how a run and its last job ended."""

import contextlib
import os
import signal

from listener import Listener, begins, drown
from served import daemon, harness


@contextlib.contextmanager
def asleep(served):
    os.kill(served.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(served.process.pid, signal.SIGCONT)


@contextlib.contextmanager
def listening(t, guest, *command):
    with daemon(t) as served, Listener(t, served, "--all") as listener:
        begins(listener, t)
        t.stasis(*command)
        guest.wait_for_tick(1)
        harness.wait_for(lambda: listener.lifecycle(guest.name)[-1:] == ["Started Booted"], "its start")
        listener.path.write_text("")
        yield served, listener


def hears_save(listener, guest):
    harness.wait_for(lambda: "Stopped Saved" in listener.lifecycle(guest.name), f"its end, not {listener.lines()}")
    lines = [line for line in listener.lines() if guest.name in line]
    jobs = [at for at, line in enumerate(lines) if "job-completed" in line]
    assert len(jobs) == 1, lines
    assert jobs[0] < next(at for at, line in enumerate(lines) if "Stopped Saved" in line), lines
    assert "operation: 2" in listener.path.read_text(encoding="utf-8"), listener.lines()


@harness.test("the job of a save that ends its guest, of a persistent domain and of a transient one")
def save(t):
    for command in ("start", "create"):
        guest = t.boot_sector_guest(command)
        t.stasis("define", guest.xml_file())
        if command == "create":
            t.stasis("undefine", guest.name)
        with listening(t, guest, command, guest.name if command == "start" else guest.xml_file()) as (served, listener):
            with asleep(served):
                t.stasis("save", guest.name, t.dir / f"image-{command}")
            hears_save(listener, guest)


@harness.test("the same where the supervisor that was heard did not live to see it")
def noted(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    with listening(t, guest, "start", guest.name) as (served, listener):
        with asleep(served):
            harness.kill(t.supervisor())
            t.stasis("save", guest.name, t.dir / "image")
        hears_save(listener, guest)


@harness.test("why a run ended, where the kernel has lost teardown's word")
def reason(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    with listening(t, guest, "start", guest.name) as (served, listener):
        with asleep(served):
            drown(t)
            t.stasis("destroy", guest.name)
        listener.hears(guest.name, "Stopped Destroyed")


harness.main()
