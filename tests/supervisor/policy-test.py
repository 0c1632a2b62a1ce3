#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life-cycle policy, and QEMU's own end."""

import json
import os
import signal
import sys
import time

from stage import Domain, Qmp, eventually, has_ended, run


def wait_run_state(domain, state):
    eventually(lambda: domain.qmp("query-status")["status"] == state, f"run state {state}")


def wait_button(domain):
    """Until the guest has asked to be told when it is pressed."""
    command = {"command-line": "i /h 0x602"}
    eventually(lambda: domain.qmp("human-monitor-command", **command).strip().endswith("= 0x0100"), "the button is looked at")


def power_off_destroy():
    with Domain("power-off", run=True) as domain:
        domain.expect_end("shutdown")
        assert domain.last()["id"] == 7


def power_off_restart():
    with Domain("power-off-once", on_poweroff="restart") as domain:
        monitor = Qmp(f"{domain.folder}/monitor.sock")
        monitor.do("cont")
        names = []
        while "RESET" not in names or names[-1] != "RESUME":
            names.append(monitor.receive().get("event"))
        assert names.index("SHUTDOWN") < names.index("RESET"), names
        domain.wait_state("1 booted")
        assert domain.qemu.poll() is None


def power_off_preserve():
    with Domain("power-off", on_poweroff="preserve", run=True) as domain:
        domain.wait_state("4 user")
        time.sleep(0.3)
        assert domain.state() == "4 user" and domain.qemu.poll() is None


def power_off_restart_waits():
    """Somebody's job goes on: the guest begins anew when that is over, even if its owner dies."""
    with Domain("power-off-once", on_poweroff="restart") as domain:
        owner = domain.own({"execute": "cont"}, step="save", **{"was-running": True})
        domain.wait_state("4 user")
        time.sleep(0.3)
        assert domain.state() == "4 user", domain.state()
        owner.kill()
        domain.wait_state("1 booted")
        eventually(lambda: "job" not in domain.status(), "the journal is cleared")


def reset_restart():
    with Domain("reset-once", run=True) as domain:
        time.sleep(0.5)
        domain.wait_state("1 booted")


def reset_destroy():
    args = ["-action", "reboot=shutdown"]
    with Domain("reset-once", args, on_reboot="destroy", on_poweroff="preserve", run=True) as domain:
        domain.expect_end("shutdown")


def power_off_restart_reset_destroy():
    """Our own reset must not count as the guest's."""
    args = ["-action", "reboot=shutdown"]
    with Domain("power-off-once", args, on_reboot="destroy", on_poweroff="restart",
                run=True) as domain:
        time.sleep(0.5)
        domain.wait_state("1 booted")
        assert domain.qemu.poll() is None


def panic_destroy():
    with Domain("panic", ["-device", "pvpanic"], run=True) as domain:
        domain.expect_end("crashed")


def panic_coredump_destroy():
    with Domain("panic", ["-device", "pvpanic"], on_crash="coredump-destroy", run=True) as domain:
        domain.expect_end("crashed")


def panic_restart():
    with Domain("panic-once", ["-device", "pvpanic"], on_crash="restart", run=True) as domain:
        time.sleep(0.5)
        domain.wait_state("1 booted")


def panic_preserve():
    with Domain("panic", ["-device", "pvpanic"], on_crash="preserve", run=True) as domain:
        domain.wait_state("6 panicked")
        assert domain.qemu.poll() is None


def sleeps_and_wakes():
    with Domain("sleep-once", run=True) as domain:
        domain.wait_state("7 unknown")
        domain.qmp("system_wakeup")
        domain.wait_state("1 wakeup")


def reboot_by_button():
    with Domain("button", run=True) as domain:
        wait_button(domain)
        monitor = Qmp(f"{domain.folder}/monitor.sock")
        domain.client("reboot")
        while monitor.receive().get("event") != "RESET":
            pass
        monitor.close()
        domain.wait_state("1 booted")
        wait_button(domain)
        domain.qmp("system_powerdown")
        domain.expect_end("shutdown")


def reboot_then_shutdown():
    """A later wish to shut down overrides a reboot that the guest has not heard."""
    with Domain("idle", run=True) as domain:
        domain.client("reboot")
        domain.qmp("system_powerdown")
        domain.client("sync")
        with open(f"{domain.folder}/supervisor.json", encoding="utf-8") as file:
            assert json.load(file)["reboot-pending"] is False


def reboot_of_paused():
    with Domain("idle") as domain:
        answer = domain.client("reboot", check=False)
        assert answer.startswith("error 4 domain 'guest'"), answer


def reboot_survives_supervisor():
    """The guest takes its time; meanwhile another supervisor has come."""
    with Domain("slow-button", run=True) as domain:
        wait_button(domain)
        monitor = Qmp(f"{domain.folder}/monitor.sock")
        domain.client("reboot")
        domain.kill_supervisor()
        domain.ensure()
        while monitor.receive().get("event") != "RESET":
            pass
        domain.wait_state("1 booted")


def shutdown_without_supervisor():
    """Who comes later applies the policy."""
    with Domain("power-off", supervise=False, run=True) as domain:
        wait_run_state(domain, "shutdown")
        domain.ensure()
        domain.expect_end("shutdown")


def qemu_killed():
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        supervisor = domain.supervisor()
        domain.qemu.kill()
        domain.expect_end("crashed")
        eventually(lambda: has_ended(supervisor), "the supervisor has gone")


def qemu_terminated():
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        domain.qemu.terminate()
        domain.expect_end("destroyed")


def qemu_terminated_unseen():
    """QEMU's end and its last words come to the supervisor at the same time."""
    for _ in range(10):
        with Domain("idle", run=True) as domain:
            domain.wait_state("1 booted")
            supervisor = domain.supervisor()
            os.kill(supervisor, signal.SIGSTOP)
            domain.qemu.terminate()
            domain.qemu.wait()
            os.kill(supervisor, signal.SIGCONT)
            domain.expect_end("destroyed")


def qemu_killed_before_supervisor():
    with Domain("idle", supervise=False) as domain:
        domain.qemu.kill()
        domain.qemu.wait()
        domain.client("ensure", check=False)
        domain.expect_end("crashed")


def noted_reason_holds():
    with Domain("idle", run=True) as domain:
        with open(f"{domain.folder}/end-reason", "w", encoding="utf-8") as file:
            file.write("destroyed")
        domain.qemu.kill()
        domain.expect_end("destroyed")


def driver_tears_down():
    with Domain("idle", run=True) as domain:
        supervisor = domain.supervisor()
        domain.client("teardown", "saved")
        assert domain.is_gone() and domain.last()["reason"] == "saved"
        eventually(lambda: has_ended(supervisor), "the supervisor has gone")
        assert domain.last()["reason"] == "saved"


def teardown_stays_inside():
    with Domain("idle", supervise=False) as domain:
        outside = f"{domain.root}/precious"
        os.mkdir(outside)
        with open(f"{outside}/file", "w", encoding="utf-8") as file:
            file.write("x")
        os.symlink(outside, f"{domain.folder}/link")
        os.makedirs(f"{domain.folder}/a/b/c")
        os.symlink(f"{outside}/file", f"{domain.folder}/a/b/link")
        domain.client("teardown", "destroyed")
        assert domain.is_gone() and os.path.exists(f"{outside}/file")


if __name__ == "__main__":
    sys.exit(run("policy", [
        power_off_destroy, power_off_restart, power_off_restart_waits, power_off_preserve, reset_restart, reset_destroy,
        power_off_restart_reset_destroy, panic_destroy, panic_coredump_destroy, panic_restart,
        panic_preserve, sleeps_and_wakes, reboot_by_button, reboot_then_shutdown,
        reboot_of_paused, reboot_survives_supervisor, shutdown_without_supervisor, qemu_killed,
        qemu_terminated, qemu_terminated_unseen, qemu_killed_before_supervisor, noted_reason_holds, driver_tears_down,
        teardown_stays_inside,
    ]))
