#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that has ended begins anew: nobody comes in between, and nobody's death keeps it from that."""

import fcntl
import os
import signal
import time

import harness


def guest_with(t, policy="<on_poweroff>restart</on_poweroff>", **env):
    """It has booted once."""
    guest = t.button_guest()
    path = t.dir / "policy.xml"
    path.write_text(guest.xml().replace("<devices>", f"{policy}<devices>", 1))
    t.stasis("define", path)
    t.stasis("start", guest.name, **env)
    harness.wait_for(lambda: guest.boots() == 1, "the guest to boot")
    return guest


def stopped_restart(t, command="shutdown", policy="<on_poweroff>restart</on_poweroff>"):
    """A guest that was reset and does not run yet, and its supervisor, which has stopped there."""
    guest = guest_with(t, policy, STASIS_FAULT="restart-reset=stop")
    pid = t.supervisor()
    t.stasis(command, guest.name)
    harness.wait_for(lambda: harness.is_stopped(pid), "the supervisor to reset the guest")
    return guest, pid


def boots_again(t, guest):
    harness.wait_for(lambda: guest.boots() == 2, "the guest to boot anew")
    harness.wait_for(lambda: t.domstate(guest, "--reason") == "running (booted)", "the supervisor to see it")
    t.wait_for_no_job(guest)


@harness.test("a save that comes while a guest is restarted waits for that, and saves it as it runs")
def save_waits(t):
    guest, pid = stopped_restart(t)
    image = t.dir / "image"
    with open(t.state / "run" / "locks" / f"{guest.name}.lock", "r+b") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise AssertionError("the guest is restarted without its lock")
        except BlockingIOError:
            pass
    process = t.start("save", guest.name, image)
    time.sleep(1)
    assert process.poll() is None and not image.exists(), "the save did not wait"
    os.kill(pid, signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    t.stasis("image", "verify", image)
    t.stasis("restore", image)
    assert t.domstate(guest, "--reason") == "running (restored)"
    harness.wait_for(lambda: guest.boots() == 2, "the guest to boot anew")


@harness.test("a supervisor that dies while it restarts a guest: the next command has it done")
def supervisor_dies(t):
    guest, pid = stopped_restart(t)
    harness.kill(pid)
    t.stasis("list")
    boots_again(t, guest)


@harness.test("the same where the guest would otherwise be ended: its reboot is not forgotten, nor done twice")
def supervisor_dies_rebooting(t):
    guest, pid = stopped_restart(t, command="reboot", policy="<on_poweroff>destroy</on_poweroff>")
    harness.kill(pid)
    assert (told := t.domstate(guest, "--reason")) == "running (booted)", told
    boots_again(t, guest)
    t.stasis("shutdown", guest.name)
    harness.wait_for(lambda: t.domstate(guest, "--reason") == "shut off (shutdown)", "the shutdown")
    assert guest.boots() == 2


@harness.test("a guest that shuts down while a save begins begins anew when that has failed")
def ends_while_saving(t):
    guest = guest_with(t)
    process = t.start("save", guest.name, t.dir / "image", STASIS_FAULT="save-journal=stop")
    harness.wait_for(lambda: harness.is_stopped(process.pid), "the save to write its journal")
    t.by_hand(guest, "system_powerdown")
    harness.wait_for(lambda: t.domstate(guest, "--reason") == "in shutdown (user)", "the guest to shut down")
    time.sleep(0.5)
    assert guest.boots() == 1 and t.domstate(guest, "--reason") == "in shutdown (user)", t.domstate(guest, "--reason")
    os.kill(process.pid, signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "shut down while it was being saved" in errors, errors
    boots_again(t, guest)
    assert not (t.dir / "image").exists()


def stopped_qemu(t, policy):
    """A guest that shuts down, with a QEMU that answers nobody for longer than the supervisor waits."""
    guest = guest_with(t, policy)
    pid, supervisor = t.status(guest)["qemu"]["pid"], t.supervisor()
    os.kill(supervisor, signal.SIGSTOP)
    t.qmp(guest, "monitor.sock", "system_powerdown")
    harness.wait_for(lambda: t.qmp(guest, "monitor.sock", "query-status")["status"] == "shutdown", "the shutdown")
    os.kill(pid, signal.SIGSTOP)
    os.kill(supervisor, signal.SIGCONT)
    time.sleep(4)
    os.kill(pid, signal.SIGCONT)
    return guest


@harness.test("a QEMU that was silent when its guest shut down: the guest begins anew once it answers")
def silent_restart(t):
    boots_again(t, stopped_qemu(t, "<on_poweroff>restart</on_poweroff>"))


@harness.test("the same where the guest is to be ended")
def silent_destroy(t):
    guest = stopped_qemu(t, "<on_poweroff>destroy</on_poweroff>")
    harness.wait_for(lambda: t.domstate(guest, "--reason") == "shut off (shutdown)", "the shutdown")


def ended_guest(t, policy="<on_poweroff>restart</on_poweroff>"):
    """One that has shut down, without a supervisor that has seen it."""
    guest = guest_with(t, policy)
    t.by_hand(guest, "system_powerdown")
    time.sleep(1)
    return guest


def still_runs(t, guest, boots=2):
    """It has booted so often and runs, and nothing more comes."""
    harness.wait_for(lambda: guest.boots() == boots, "the guest to boot anew")
    time.sleep(1)
    assert guest.boots() == boots and t.domstate(guest, "--reason") == "running (booted)", guest.serial_text()
    t.wait_for_no_job(guest)


@harness.test("reset of a guest that has ended: it begins anew, whoever is first")
def reset_ended(t):
    guest = ended_guest(t)
    t.stasis("reset", guest.name)
    harness.wait_for(lambda: guest.boots() >= 2, "the guest to boot anew")
    t.stasis("suspend", guest.name)
    t.stasis("resume", guest.name)


@harness.test("the same where it is preserved: reset is the way to let it run again")
def reset_preserved(t):
    guest = guest_with(t, "<on_poweroff>preserve</on_poweroff>")
    t.stasis("shutdown", guest.name)
    harness.wait_for(lambda: t.domstate(guest) == "in shutdown", "the guest to shut down")
    t.stasis("reset", guest.name)
    still_runs(t, guest)


@harness.test("a reset that dies half-way is finished")
def reset_dies(t):
    guest = guest_with(t, "<on_poweroff>preserve</on_poweroff>")
    t.stasis("shutdown", guest.name)
    harness.wait_for(lambda: t.domstate(guest) == "in shutdown", "the guest to shut down")
    t.stasis("reset", guest.name, check=False, STASIS_FAULT="restart-reset=kill")
    still_runs(t, guest)


@harness.test("reset while a guest is about to reboot: it boots, and its next shutdown is one")
def reset_rebooting(t):
    guest = guest_with(t, "<on_poweroff>destroy</on_poweroff>")
    for _ in range(4):
        t.stasis("reboot", guest.name)
        t.stasis("reset", guest.name)
        boots = guest.boots()
        harness.wait_for(lambda: t.domstate(guest) == "running", "the guest to run")
        time.sleep(1)
        assert t.domstate(guest) == "running"
    assert guest.boots() >= boots
    t.stasis("shutdown", guest.name)
    harness.wait_for(lambda: t.domstate(guest, "--reason") == "shut off (shutdown)", "the shutdown")


@harness.test("reset of a guest that runs lets it run, and of a paused one leaves it paused")
def reset_running(t):
    guest = guest_with(t)
    t.stasis("reset", guest.name)
    still_runs(t, guest)
    t.stasis("suspend", guest.name)
    t.stasis("reset", guest.name)
    assert t.domstate(guest) == "paused"
    t.stasis("resume", guest.name)
    harness.wait_for(lambda: guest.boots() == 3, "the guest to boot anew")


@harness.test("a supervisor that dies once a reboot is in the journal: it is done by the next command, and once")
def supervisor_dies_at_journal(t):
    guest = guest_with(t, "<on_poweroff>destroy</on_poweroff>", STASIS_FAULT="restart-journal=stop")
    pid = t.supervisor()
    t.stasis("reboot", guest.name)
    harness.wait_for(lambda: harness.is_stopped(pid), "the supervisor to write the journal")
    harness.kill(pid)
    t.stasis("list")
    boots_again(t, guest)
    t.stasis("shutdown", guest.name)
    harness.wait_for(lambda: t.domstate(guest, "--reason") == "shut off (shutdown)", "the shutdown", 20)
    assert guest.boots() == 2


@harness.test("suspend of a guest that has ended is refused")
def suspend_ended(t):
    guest = guest_with(t, "<on_poweroff>preserve</on_poweroff>")
    t.stasis("shutdown", guest.name)
    harness.wait_for(lambda: t.domstate(guest) == "in shutdown", "the guest to shut down")
    result = t.stasis("suspend", guest.name, check=False)
    assert result.returncode == 1 and "has shut down" in result.stderr, result.stderr


@harness.test("a restart that cannot be done is said once, not each second")
def said_once(t):
    guest = guest_with(t, STASIS_FAULT="restart-reset=fail")
    t.stasis("shutdown", guest.name)
    log, = t.state.rglob(f"{guest.name}.supervisor.log")
    harness.wait_for(lambda: "restart-reset" in log.read_text(), "the restart to fail")
    time.sleep(4)
    assert log.read_text().count("restart-reset") == 1, log.read_text()


@harness.test("on_reboot destroy: a reset from outside is none of the guest's, nor is what its firmware does then")
def reset_firmware(t):
    policy = "<on_poweroff>restart</on_poweroff><on_reboot>destroy</on_reboot>"
    guest = guest_with(t, policy)
    t.stasis("reset", guest.name)
    still_runs(t, guest)
    t.stasis("shutdown", guest.name)
    still_runs(t, guest, boots=3)


harness.main()
