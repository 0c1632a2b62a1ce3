#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Something is stopped, spoilt, or happens at the same moment: the driver copes, and says what it is."""

import os
import signal
import subprocess

import harness


def state_letter(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0]


def stopped(t, *command, at):
    """A command that has stopped (SIGSTOP) at this step."""
    process = t.start(*command, STASIS_FAULT=f"{at}=stop")
    harness.wait_for(lambda: state_letter(process.pid) == "T", f"{command[0]} to come by {at}")
    return process


def go_on(slow, *others):
    os.kill(slow.pid, signal.SIGCONT)
    for process in (slow, *others):
        output, errors = process.communicate(timeout=90)
        assert process.returncode == 0, output + errors


def qemu_users(t):
    return [os.stat(f"/proc/{pid}").st_uid for pid, text in t.processes().items() if "qemu-system" in text]


@harness.test("two domains that are started at the same moment get different users")
def two_users(t):
    if os.geteuid() != 0:
        raise harness.Skip("only root has other users for QEMU")
    config = t.state / "config" / "stasis.conf"
    config.write_text(config.read_text() + "[security]\nuid-base=2013300000\nuid-count=3\n")
    first, second, between = [t.boot_sector_guest(name=name) for name in ("first", "second", "between")]
    slow = stopped(t, "create", first.xml_file(), at="start-user")
    # Its number lies between theirs, which begin to look at the same user then.
    (t.state / "run" / "last-id").write_text("2\n")
    fast = t.start("create", second.xml_file())
    try:
        fast.wait(3)  # it had better wait for the other one
    except subprocess.TimeoutExpired:
        pass
    go_on(slow, fast)
    users = qemu_users(t)
    assert len(users) == 2 and len(set(users)) == 2, users
    assert t.stasis("create", between.xml_file(), check=False).returncode == 1


harness.main()
