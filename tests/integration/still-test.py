#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An image is of one moment: a guest that somebody lets run meanwhile is not saved."""

import os
import signal
import subprocess
import time

import harness
from live import await_stop, let_end

STEPS = ["save-paused", "save-copied", "save-written", "save-linked", "save-commit"]


def save_with(t, guest, step, *commands, target=None, **options):
    """Save; at this step these commands are run by hand.  Exit status and standard error."""
    process = subprocess.Popen([harness.STASIS, "save", guest.name, str(target or t.dir / "image"),
                                *options.get("more", [])], env=t.environment(STASIS_FAULT=f"{step}=stop"),
                               stdin=subprocess.DEVNULL, stdout=options.get("stdout", subprocess.PIPE),
                               stderr=subprocess.PIPE)
    try:
        harness.wait_for(lambda: harness.is_stopped(process.pid), f"the save to come by {step}")
    except AssertionError as error:
        process.kill()
        raise AssertionError(f"{error}: {process.communicate()[1].decode()}") from error
    t.by_hand(guest, *commands)
    os.kill(process.pid, signal.SIGCONT)
    errors = process.communicate(timeout=60)[1].decode()
    return process.returncode, errors


def is_refused(t, guest, outcome, what):
    status, errors = outcome
    assert status == 1 and "did not stay paused" in errors, f"{what}: {status} {errors}"
    assert not (t.dir / "image").exists() and list(t.dir.glob(".image*")) == [], what
    t.wait_for_no_job(guest)


@harness.test("a guest that is let run in the middle of its save goes on, and there is no image", timeout=300)
def let_run(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    for step in STEPS:
        is_refused(t, guest, save_with(t, guest, step, "cont"), step)
        guest.wait_for_tick(guest.last_tick() + 2)
        assert t.domstate(guest) == "running" and guest.damaged_pages() == 0, step
    t.stasis("save", guest.name, t.dir / "image")
    t.stasis("image", "verify", t.dir / "image")


@harness.test("the same where it ran for an instant only", timeout=300)
def let_run_a_moment(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    for step in STEPS:
        is_refused(t, guest, save_with(t, guest, step, "cont", "stop"), step)
        guest.wait_for_tick(guest.last_tick() + 2)
        assert t.domstate(guest) == "running", step


@harness.test("a paused guest that is let run in the middle of its save is paused again", timeout=300)
def paused(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    t.stasis("suspend", guest.name)
    for step in STEPS:
        is_refused(t, guest, save_with(t, guest, step, "cont"), step)
        assert t.domstate(guest) == "paused", step
        last = guest.last_tick()
        time.sleep(0.3)
        assert guest.last_tick() == last, step
    t.stasis("resume", guest.name)
    guest.wait_for_tick(last + 2)


@harness.test("a guest that resets itself in the instant in which it is stopped is saved as it boots anew")
def reset_as_it_stops(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    process = t.start("save", guest.name, t.dir / "image", STASIS_FAULT="save-stopped=stop")
    await_stop(process, "save-stopped")
    t.by_hand(guest, "system_reset")
    os.kill(process.pid, signal.SIGCONT)
    await_stop(process, "save-stopped again")
    let_end(process)
    t.stasis("restore", t.dir / "image")
    harness.wait_for(lambda: guest.boots() == 2, "the guest to boot anew")


@harness.test("a guest that is reset in the middle of its save is not saved", timeout=300)
def reset(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    for boots, step in enumerate(STEPS, 1):
        guest.wait_for_tick(2)
        is_refused(t, guest, save_with(t, guest, step, "system_reset"), step)
        harness.wait_for(lambda last=boots: guest.boots() > last, "the guest to boot anew")
        assert t.domstate(guest) == "running", step


@harness.test("the reader of a pipe gets no complete image of a guest that was let run")
def pipe(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    for step in ("save-copied", "save-commit"):
        guest.wait_for_tick(guest.last_tick() + 2)
        with open(t.dir / "stream", "wb") as file, subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file) as cat:
            outcome = save_with(t, guest, step, "cont", target="-", stdout=cat.stdin, more=["--format", "stasis-stream"])
        is_refused(t, guest, outcome, step)
        assert t.stasis("image", "verify", t.dir / "stream", check=False).returncode != 0
        assert t.domstate(guest) == "running", step


@harness.test("a paused guest that was reset stands still, and is saved")
def paused_and_reset(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    t.stasis("suspend", guest.name)
    t.stasis("reset", guest.name)
    t.stasis("save", guest.name, t.dir / "image")
    t.stasis("restore", t.dir / "image")
    assert t.domstate(guest) == "paused"
    t.stasis("resume", guest.name)
    harness.wait_for(lambda: guest.boots() == 2, "the guest to boot anew")


harness.main()
