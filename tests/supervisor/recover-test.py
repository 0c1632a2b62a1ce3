#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Jobs whose owner dies: rolled back or forward, and how soon the guest runs again."""

import os
import signal
import sys
import time

from stage import Domain, Lines, eventually, has_ended, run

STOP = {"execute": "stop"}


def capabilities(domain):
    return {one["capability"] for one in domain.qmp("query-migrate-capabilities") if one["state"]}


def has_mapped_ram(domain):
    return any(one["capability"] == "mapped-ram"
               for one in domain.qmp("query-migrate-capabilities"))


class Image:
    """A new image beside its target, with or without a name of its own."""

    def __init__(self, domain, renamed=False):
        self.target = f"{domain.root}/target.save"
        self.temp = f"{domain.root}/.target.save.tmp"
        with open(self.target, "w", encoding="utf-8") as file:
            file.write("the old image")
        with open(self.temp, "w", encoding="utf-8") as file:
            file.write("the new image")
        status = os.stat(self.temp)
        self.journal = {"target": self.target, "temp": self.temp, "device": status.st_dev,
                        "inode": status.st_ino, "was-running": True}
        if renamed:
            os.rename(self.temp, self.target)

    def text(self):
        with open(self.target, encoding="utf-8") as file:
            return file.read()


def open_files(domain):
    folder = f"/proc/{domain.qemu.pid}/fd"
    names = []
    for number in os.listdir(folder):
        try:
            names.append(os.readlink(f"{folder}/{number}").removesuffix(" (deleted)"))
        except FileNotFoundError:
            pass
    return names


def kill(owner):
    owner.kill()
    return time.monotonic()


def expect_running(domain, killed_at):
    """The journal is cleared after the guest runs; QEMU itself says that it does."""
    eventually(lambda: "job" not in domain.status(), "the journal is cleared")
    print(f"# all done {(time.monotonic() - killed_at) * 1000:.0f} ms after the owner's death")
    assert domain.qmp("query-status")["status"] == "running"


def rolled_back(domain, image, killed_at):
    expect_running(domain, killed_at)
    eventually(lambda: not os.path.exists(image.temp), "the temporary file has gone")
    assert image.text() == "the old image"
    assert domain.qmp("query-fdsets") == []
    assert not capabilities(domain)
    domain.wait_state("1 save canceled")
    assert "none" in domain.client("job")


def save_stopped():
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        owner = domain.own(STOP, step="save", **image.journal)
        domain.wait_state("3 saving")
        rolled_back(domain, image, kill(owner))


def save_silent():
    """The owner died before it said a word to the supervisor: the journal tells."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        owner = domain.own(STOP, step="save", silent=True, **image.journal)
        rolled_back(domain, image, kill(owner))


def save_not_stopped():
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        owner = domain.own(step="save", **image.journal)
        expect_running(domain, kill(owner))
        assert not os.path.exists(image.temp)
        assert domain.state() == "1 booted", domain.state()


def save_of_paused():
    with Domain("idle") as domain:
        image = Image(domain)
        image.journal["was-running"] = False
        owner = domain.own(step="save", **image.journal)
        kill(owner)
        eventually(lambda: "job" not in domain.status(), "the journal is cleared")
        assert not os.path.exists(image.temp)
        domain.wait_state("3 user")


def migration(domain, slow):
    """What a save asks of QEMU: descriptors, capabilities, migrate."""
    commands = [STOP]
    uri = f"exec:cat > {domain.root}/body"
    if has_mapped_ram(domain):
        commands.append({"execute": "migrate-set-capabilities", "arguments": {"capabilities": [
            {"capability": "mapped-ram", "state": True},
            {"capability": "multifd", "state": True}]}})
        uri = f"file:{domain.root}/body,offset=4096"
    if slow:
        commands.append({"execute": "migrate-set-parameters",
                         "arguments": {"max-bandwidth": 1000}})
    commands.append({"execute": "migrate", "arguments": {"uri": uri}})
    return commands


def save_migrating():
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        owner = domain.own(*migration(domain, slow=True), step="save", **image.journal)
        assert domain.control().ask(do="state")["run-state"] != "postmigrate"
        rolled_back(domain, image, kill(owner))


def save_migrated():
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        owner = domain.own(*migration(domain, slow=False), step="save", **image.journal)
        eventually(lambda: domain.control().ask(do="sync")["ok"]
                   and domain.control().ask(do="state")["run-state"] == "postmigrate",
                   "the state is written")
        rolled_back(domain, image, kill(owner))


def save_with_fds():
    """Descriptors that QEMU was given, in a set and by name."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        owner = domain.own(STOP, step="save", **{"pass-fds": True}, **image.journal)
        assert f"{image.temp}" in open_files(domain)
        rolled_back(domain, image, kill(owner))
        eventually(lambda: image.temp not in open_files(domain), "QEMU has closed the image")


def save_with_fds_slow():
    """QEMU greets late: the guest does not wait for that, and the image's room is given back when it does."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        owner = domain.own(STOP, step="save", **{"pass-fds": True}, **image.journal)
        waiting = Lines(f"{domain.folder}/monitor.sock")  # served as soon as the owner is dead: nobody else is greeted
        killed_at = kill(owner)
        waiting.receive()
        eventually(lambda: "job" not in domain.status(), "the journal is cleared")
        domain.wait_state("1 save canceled")
        print(f"# running {(time.monotonic() - killed_at) * 1000:.0f} ms after the owner's death")
        assert image.temp in open_files(domain), "it can be closed by the monitor only that it came by"
        waiting.ask(execute="qmp_capabilities")
        waiting.send(execute="stop")
        while "return" not in waiting.receive():
            pass
        domain.client("sync")
        assert domain.state() == "3 user", domain.state()
        waiting.close()
        eventually(lambda: image.temp not in open_files(domain), "QEMU has closed the image")
        eventually(lambda: "left-fd" not in domain.status(), "nothing is left")


def save_with_fds_restart():
    """The guest begins anew before QEMU greets: what is to be closed then is not forgotten over that."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        owner = domain.own(STOP, step="save", **{"pass-fds": True}, **image.journal)
        waiting = Lines(f"{domain.folder}/monitor.sock")
        kill(owner)
        waiting.receive()
        eventually(lambda: "left-fd" in domain.status() and "job" not in domain.status(), "the save is rolled back")
        owner = domain.own(step="restart", operation="restart", silent=True, **{"was-running": True, "by-journal": True})
        kill(owner)
        eventually(lambda: "job" not in domain.status(), "the guest has been reset")
        assert "left-fd" in domain.status() and image.temp in open_files(domain)
        waiting.close()
        eventually(lambda: image.temp not in open_files(domain), "QEMU has closed the image")
        eventually(lambda: "left-fd" not in domain.status(), "nothing is left")


def monitor_taken():
    """Somebody sits on the driver's monitor: the supervisor uses its own."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        owner = domain.own(STOP, step="save", **image.journal)
        waiting = Lines(f"{domain.folder}/monitor.sock")  # served as soon as the owner is dead
        killed_at = kill(owner)
        waiting.receive()
        domain.wait_state("1 save canceled")
        print(f"# running {(time.monotonic() - killed_at) * 1000:.0f} ms after the owner's death")
        eventually(lambda: "job" not in domain.status(), "the journal is cleared")
        waiting.close()
        assert not os.path.exists(image.temp) and domain.qmp("query-fdsets") == []


def again_and_again():
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        for number in range(5):
            image = Image(domain)
            commands = migration(domain, slow=number % 2 == 0)
            owner = domain.own(*commands, step="save", **image.journal)
            rolled_back(domain, image, kill(owner))


def last_words():
    """Commands of the dead owner that QEMU has not read yet must not have the last word."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        for count in (10, 200, 2000):
            owner = domain.own(step="save", **{"was-running": True, "blurt": count})
            expect_running(domain, kill(owner))
            time.sleep(0.1)
            assert domain.qmp("query-status")["status"] == "running"


def stopped_owner_is_not_dead():
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        owner = domain.own(STOP, step="save", **image.journal)
        os.kill(owner.pid, signal.SIGSTOP)
        time.sleep(1.5)
        assert domain.state() == "3 saving", domain.state()
        assert os.path.exists(image.temp) and domain.status()["job"]["step"] == "save"
        rolled_back(domain, image, kill(owner))


def owner_in_the_way():
    """It has let go of the lock but keeps the monitor: who cannot reach QEMU changes nothing."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        owner = domain.own(STOP, step="save", unlock=True, silent=True, **image.journal)
        answer = domain.client("recover", check=False)
        assert answer.startswith("error 2 ") and "did not greet" in answer, answer
        assert os.path.exists(image.temp)
        domain.wait_state("3 saving")
        rolled_back(domain, image, kill(owner))


def both_dead():
    """Who comes next brings it into order."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        owner = domain.own(STOP, step="save", **image.journal)
        domain.client("sync")
        domain.kill_supervisor()
        owner.kill()
        owner.wait()
        time.sleep(0.3)
        assert domain.qmp("query-status")["status"] == "paused"
        came_at = time.monotonic()
        domain.ensure()
        rolled_back(domain, image, came_at)


def recovered_by_command():
    with Domain("idle", run=True, supervise=False) as domain:
        image = Image(domain)
        owner = domain.own(STOP, step="save", silent=True, **image.journal)
        owner.kill()
        owner.wait()
        domain.client("recover")
        assert domain.qmp("query-status")["status"] == "running"
        assert not os.path.exists(image.temp) and "job" not in domain.status()


def start_died():
    with Domain("idle") as domain:
        owner = domain.own(step="start", operation="start")
        kill(owner)
        domain.expect_end("failed")


def restart_died():
    """Somebody was about to reset the guest; that is no job, and is done."""
    with Domain("power-off-once", on_poweroff="preserve", run=True) as domain:
        domain.wait_state("4 user")
        owner = domain.own(step="restart", operation="restart", silent=True, **{"was-running": True})
        domain.client("sync")
        assert "none" in domain.client("job")
        kill(owner)
        eventually(lambda: "job" not in domain.status(), "the journal is cleared")
        assert domain.qmp("query-status")["status"] == "running"
        eventually(lambda: domain.state().startswith("1 "), "the supervisor sees it")


def commit_not_renamed():
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        owner = domain.own(STOP, step="commit", **image.journal)
        rolled_back(domain, image, kill(owner))


def commit_renamed():
    with Domain("idle", run=True) as domain:
        image = Image(domain, renamed=True)
        owner = domain.own(STOP, step="commit", **image.journal)
        kill(owner)
        domain.expect_end("saved")
        assert image.text() == "the new image"


def committed():
    with Domain("idle", run=True) as domain:
        image = Image(domain, renamed=True)
        owner = domain.own(STOP, step="committed", **image.journal)
        kill(owner)
        domain.expect_end("saved")
        assert image.text() == "the new image"


def foreign_temp():
    """A file of that name that is not ours stays."""
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        os.unlink(image.temp)
        with open(f"{domain.root}/keep-inode", "w", encoding="utf-8") as file:
            file.write("other")
        image.journal["inode"] += 1000000
        with open(image.temp, "w", encoding="utf-8") as file:
            file.write("somebody else's")
        owner = domain.own(STOP, step="save", **image.journal)
        expect_running(domain, kill(owner))
        assert os.path.exists(image.temp)


def qemu_and_owner_killed():
    with Domain("idle", run=True) as domain:
        domain.wait_state("1 booted")
        image = Image(domain)
        owner = domain.own(STOP, step="save", **image.journal)
        domain.qemu.kill()
        time.sleep(0.2)
        assert not domain.is_gone(), "the owner has the lock, and lives"
        kill(owner)
        domain.expect_end("crashed")
        assert not os.path.exists(image.temp) and image.text() == "the old image"


def qemu_killed_after_rename():
    with Domain("idle", run=True) as domain:
        image = Image(domain, renamed=True)
        owner = domain.own(STOP, step="commit", **image.journal)
        domain.qemu.kill()
        kill(owner)
        domain.expect_end("saved")


def another_run_is_left_alone():
    """A supervisor of an earlier run, late, finds a new one under the same name."""
    with Domain("idle", run=True) as domain:
        supervisor = domain.supervisor()
        owner = domain.own(step="save", silent=True, **{"was-running": True})
        domain.qemu.kill()
        domain.qemu.wait()
        time.sleep(0.2)
        # Under the lock of that owner the domain is started anew.
        for name in ("monitor.sock", "supervisor.sock", "supervisor.lock", "control.sock"):
            os.unlink(f"{domain.folder}/{name}")
        domain.qemu = domain.start_qemu([])
        domain.write_status({}, run=8)
        kill(owner)
        eventually(lambda: has_ended(supervisor), "the old supervisor has left")
        assert domain.qemu.poll() is None and not domain.is_gone()
        domain.ensure()
        domain.wait_state("3 user")


if __name__ == "__main__":
    sys.exit(run("recover", [
        save_stopped, save_silent, save_not_stopped, save_of_paused, save_migrating,
        save_migrated, save_with_fds, save_with_fds_slow, save_with_fds_restart, monitor_taken, again_and_again, last_words, stopped_owner_is_not_dead,
        owner_in_the_way, both_dead, recovered_by_command, start_died, restart_died, commit_not_renamed, commit_renamed,
        committed, foreign_temp, qemu_and_owner_killed, qemu_killed_after_rename,
        another_run_is_left_alone,
    ]))
