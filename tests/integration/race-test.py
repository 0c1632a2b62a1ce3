#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two commands at the same moment, of which each alone would be right."""

import os
import signal
import subprocess

import harness

NOBODY = 65534
UUID = "5a5a0000-1111-4222-8333-444455556666"


def state_letter(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0]


class User:
    """Commands as root, or as somebody who has no other users for QEMU."""

    def __init__(self, t, uid):
        self.t = t
        self.options = {} if uid == os.geteuid() else {"user": uid, "group": uid, "extra_groups": [], "cwd": "/"}
        if self.options:
            for root, _, files in os.walk(t.dir):
                for path in [root] + [os.path.join(root, name) for name in files]:
                    os.chown(path, uid, uid)

    def start(self, *command, **env):
        try:
            return subprocess.Popen([harness.STASIS, *map(str, command)], stdin=subprocess.DEVNULL,
                                    env=self.t.environment(HOME=self.t.dir, **env), stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True, **self.options)
        except PermissionError as reason:
            raise harness.Skip("the build folder is not open to other users") from reason

    def run(self, *command):
        process = self.start(*command)
        output, errors = process.communicate(timeout=90)
        assert process.returncode == 0, f"{command}: {output}{errors}"
        return output

    def stopped(self, *command, at):
        """A command that has stopped (SIGSTOP) at this step."""
        process = self.start(*command, STASIS_FAULT=f"{at}=stop")
        harness.wait_for(lambda: state_letter(process.pid) == "T", f"{command[0]} to come by {at}")
        return process


def both(user, first, second, at):
    """The second begins when the first has come by a step; the statuses and errors of both."""
    slow = user.stopped(*first, at=at)
    fast = user.start(*second)
    try:
        fast.wait(3)  # it had better wait for the other one
    except subprocess.TimeoutExpired:
        pass
    os.kill(slow.pid, signal.SIGCONT)
    errors = [process.communicate(timeout=90)[1] for process in (slow, fast)]
    return [slow.returncode, fast.returncode], errors


def twins(t):
    """Two definitions of one UUID."""
    guests = [t.boot_sector_guest(name=name) for name in ("first", "second")]
    for guest in guests:
        (t.dir / f"{guest.name}.xml").write_text(
            guest.xml().replace("</name>", f"</name><uuid>{UUID}</uuid>", 1))
    return [t.dir / f"{guest.name}.xml" for guest in guests]


def only_one(t, user, first, second):
    statuses, errors = both(user, first, second, at="start-user")
    assert statuses == [0, 1], (statuses, errors)
    assert f"domain 'first' already exists with uuid {UUID}" in errors[1], errors
    assert user.run("list", "--name").split() == ["first"]
    assert len([text for text in t.processes().values() if "qemu-system" in text]) == 1


def one_uuid(t, uid):
    xml = twins(t)
    user = User(t, uid)
    only_one(t, user, ["create", xml[0]], ["create", xml[1]])
    images = [t.dir / "first.image", t.dir / "second.image"]
    user.run("save", "first", images[0])
    images[1].write_bytes(images[0].read_bytes())
    os.chown(images[1], uid, uid)
    only_one(t, user, ["restore", images[0]], ["restore", images[1], "--xml", xml[1]])
    user.run("destroy", "first")
    statuses, errors = both(user, ["create", xml[0]], ["define", xml[1]], at="start-user")
    assert statuses == [0, 1] and "already exists" in errors[1], (statuses, errors)
    user.run("destroy", "first")


@harness.test("two domains of one UUID that are brought to life at the same moment: one is refused", timeout=300)
def one_uuid_of_ours(t):
    one_uuid(t, os.geteuid())


@harness.test("the same for a user without privileges", timeout=300)
def one_uuid_of_nobody(t):
    if os.geteuid() != 0:
        raise harness.Skip("the other test does it already")
    one_uuid(t, NOBODY)


@harness.test("an undefine just before a managed save: no image of nobody is left")
def undefined_before_save(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    user = User(t, os.geteuid())
    statuses, errors = both(user, ["managedsave", guest.name], ["undefine", guest.name], at="managed-save")
    assert statuses == [1, 0] and "transient" in errors[0], (statuses, errors)
    assert not list((t.state / "lib").glob("save/*"))
    guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("an undefine while a managed save goes on, and after it, leaves the image its domain")
def undefined_after_save(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    user = User(t, os.geteuid())
    statuses, errors = both(user, ["managedsave", guest.name], ["undefine", guest.name], at="save-paused")
    assert statuses == [0, 1] and "busy: managedsave" in errors[1], (statuses, errors)
    result = t.stasis("undefine", guest.name, check=False)
    assert result.returncode == 1 and "--managed-save" in result.stderr, result.stderr
    t.stasis("start", guest.name)
    guest.wait_for_tick(guest.last_tick() + 2)


def comes_to_stop(process):
    """FALSE where it ends before."""
    harness.wait_for(lambda: process.poll() is not None or state_letter(process.pid) == "T", "a stop or the end")
    return process.returncode is None


def after_each_look(t, guest, *command):
    """What the command says where its domain ends after it has seen it run: once, twice and so on."""
    for number in range(1, 100):
        t.stasis("start", guest.name)
        process = t.start(*command, guest.name, STASIS_FAULT="looked=stop")
        looks = 0
        while comes_to_stop(process):
            looks += 1
            if looks == number:
                t.stasis("destroy", guest.name)
            process.send_signal(signal.SIGCONT)
        output, errors = process.communicate(timeout=60)
        t.stasis("destroy", guest.name, check=False)
        if looks < number:
            assert number > 1, "it has not looked"
            return
        yield number, process.returncode, output, errors


@harness.test("whoever asks for a domain that ends at this moment is told how it is", timeout=600)
def ends_meanwhile(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    for command in (["domstate"], ["domstate", "--reason"], ["dominfo"], ["dominfo", "--json"], ["dumpxml"]):
        for number, status, output, errors in after_each_look(t, guest, *command):
            assert (status, errors) == (0, ""), (command, number, status, errors)
            assert command != ["domstate"] or output.strip() == "shut off", (number, output)
            assert command != ["domstate", "--reason"] or output.strip() == "shut off (destroyed)", (number, output)
            assert command != ["dumpxml"] or "<domain type=" in output, (number, output)


harness.main()
