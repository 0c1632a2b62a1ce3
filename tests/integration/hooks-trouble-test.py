#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hooks are called once at the end, whoever dies on the way there."""

import os
import signal

import harness
from hooks import STARTED, Hooks, ended

SAVE_ENDED = ["saved end failure"]


def await_gone(t, guest):
    harness.wait_for(lambda: not t.run_folder(guest).exists(), "the run folder to go")


def running_guest(t, hooks, **env):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file(), **env)
    guest.wait_for_tick(1)
    assert hooks.take(guest) == STARTED
    return guest


def dies(t, *command, fault):
    result = t.stasis(*command, check=False, STASIS_FAULT=f"{fault}=kill")
    assert result.returncode == -signal.SIGKILL, result


@harness.test("who starts it is killed between the hooks")
def starter_killed(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    for fault, called in (("hook-prepare", []), ("hook-prepare-called", STARTED[:1]), ("hook-start", STARTED[:1]),
                          ("hook-start-called", STARTED[:2]), ("start-spawned", STARTED[:2]),
                          ("start-started", STARTED[:2]), ("hook-started-called", STARTED)):
        dies(t, "start", guest.name, fault=fault)
        # The supervisor, or the next command.
        assert "shut off" in t.stasis("list", "--all").stdout, fault
        harness.wait_for(lambda: not t.run_folder(guest).exists(), f"the end after {fault}")
        assert hooks.take(guest) == called + (ended("failed") if called else []), fault
    t.stasis("start", guest.name)
    assert hooks.take(guest) == STARTED


@harness.test("who starts it is killed while a hook runs: that is ended first")
def starter_killed_in_hook(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    for number, operation in enumerate(("prepare", "start", "started"), 1):
        hooks.do(operation, "trap 'echo ended > gone; exit 1' TERM; sleep 1000 & wait; sleep 1000")
        hooks.do("stopped", f"cp gone gone.{operation}")
        start = t.start("start", guest.name)
        harness.wait_for(lambda: "sleep 1000" in str(t.processes()), "the hook to wait")
        start.kill()
        start.communicate()
        t.stasis("list", "--all")
        await_gone(t, guest)
        assert hooks.take(guest) == STARTED[:number] + ended("failed")
        assert (hooks.notes / f"gone.{operation}").exists(), "it was told to end before the next one"
        (hooks.notes / "gone").unlink()
        harness.wait_for(lambda: "sleep 1000" not in str(t.processes()), "the hook to end")
        hooks.do(operation, "")


@harness.test("who restores is killed while its filter runs: that is told")
def restorer_killed(t):
    hooks = Hooks(t)
    guest = running_guest(t, hooks)
    t.stasis("save", guest.name, t.dir / "image")
    hooks.take(guest)
    hooks.do("restore", "trap 'echo told > told; exit 1' TERM; while :; do sleep 0.1; done")
    restore = t.start("restore", t.dir / "image")
    harness.wait_for(lambda: hooks.calls(guest), "the hook to be called")
    harness.wait_for(lambda: "sleep 0.1" in str(t.processes()), "the hook to wait")
    restore.kill()
    restore.communicate()
    harness.wait_for(lambda: not t.processes(), "the hook to end")
    assert (hooks.notes / "told").exists()
    hooks.do("restore", "")
    hooks.take(guest)
    t.stasis("restore", t.dir / "image")
    assert hooks.take(guest) == ["restore begin -", *STARTED]


@harness.test("who saves is killed before the image counts: the guest goes on, and they are told")
def saver_killed_before(t):
    hooks = Hooks(t)
    guest = running_guest(t, hooks)
    image = t.dir / "image"
    for fault in ("hook-save", "hook-save-called", "save-journal", "save-passed", "save-written", "save-commit"):
        dies(t, "save", guest.name, image, fault=fault)
        t.wait_for_no_job(guest)
        was_called = fault != "hook-save"
        assert hooks.take(guest) == (["save begin -", *SAVE_ENDED] if was_called else []), fault
        guest.wait_for_tick(guest.last_tick() + 1)
    hooks.do("save", "sleep 1000")
    save = t.start("save", guest.name, image)
    harness.wait_for(lambda: "sleep 1000" in str(t.processes()), "the hook to wait")
    save.kill()
    save.communicate()
    t.wait_for_no_job(guest)
    assert hooks.take(guest) == ["save begin -", *SAVE_ENDED]
    harness.wait_for(lambda: "sleep 1000" not in str(t.processes()), "the hook to end")
    assert not image.exists()
    dies(t, "checkpoint", guest.name, image, fault="save-renamed")
    t.wait_for_no_job(guest)
    assert hooks.take(guest) == ["checkpoint begin -", "checkpoint end success"]


@harness.test("who saves is killed after that: the end of all of it, once")
def saver_killed_after(t):
    hooks = Hooks(t)
    image = t.dir / "image"
    guest = running_guest(t, hooks)
    for fault in ("save-renamed", "save-committed", "hook-saved", "hook-saved-called", "hook-stopped", "hook-stopped-called",
                  "hook-release", "hook-release-called"):
        dies(t, "save", guest.name, image, fault=fault)
        await_gone(t, guest)
        assert hooks.take(guest) == ["save begin -", "saved end success", *ended("saved")], fault
        t.stasis("restore", image)
        hooks.take(guest)
        guest.wait_for_tick(guest.last_tick() + 1)


@harness.test("the supervisor is killed while it clears away: the next command goes on from there")
def supervisor_killed(t):
    hooks = Hooks(t)
    for fault in ("hook-stopped", "hook-stopped-called", "hook-release", "hook-release-called"):
        guest = running_guest(t, hooks, STASIS_FAULT=f"{fault}=kill")
        supervisor = t.supervisor()
        os.kill(t.status(guest)["qemu"]["pid"], signal.SIGKILL)
        harness.wait_for(lambda pid=supervisor: pid not in t.processes(), "the supervisor to die")
        assert t.run_folder(guest).exists(), fault
        # A start looks first.
        t.stasis("create", guest.xml_file())
        assert hooks.take(guest) == ended("crashed") + STARTED, fault
        t.stasis("destroy", guest.name)
        hooks.take(guest)


@harness.test("the supervisor is killed while a hook runs: it is waited for, and not called again")
def supervisor_killed_in_hook(t):
    hooks = Hooks(t)
    hooks.write("qemu.d/more", f"#!/bin/sh\necho \"more $2\" >> {hooks.notes}/more\n")
    for operation in ("stopped", "release"):
        guest = running_guest(t, hooks)
        (hooks.notes / "more").unlink()
        hooks.do(operation, "while ! [ -e go ]; do sleep 0.1; done; echo done > finished; rm go")
        supervisor = t.supervisor()
        os.kill(t.status(guest)["qemu"]["pid"], signal.SIGKILL)
        harness.wait_for(lambda op=operation, who=guest: hooks.has_called(who, op), "the hook to be called")
        harness.kill(supervisor)
        create = t.start("create", guest.xml_file())
        try:
            assert create.poll() is None
            (hooks.notes / "go").touch()
            assert create.wait(60) == 0, create.communicate()
        finally:
            create.communicate()
        assert (hooks.notes / "finished").exists()
        (hooks.notes / "finished").unlink()
        assert hooks.take(guest) == ended("crashed") + STARTED, operation
        assert (hooks.notes / "more").read_text().split("\n")[:2] == ["more stopped", "more release"]
        hooks.do(operation, "")
        t.stasis("destroy", guest.name)
        hooks.take(guest)


@harness.test("destroy while a hook of the start runs, and while one of the end does")
def destroyed(t):
    hooks = Hooks(t)
    guest = t.boot_sector_guest()
    hooks.do("started", "while ! [ -e go ]; do sleep 0.1; done")
    create = t.start("create", guest.xml_file())
    harness.wait_for(lambda: hooks.has_called(guest, "started"), "the hook to be called")
    qemu = t.status(guest)["qemu"]["pid"]
    destroy = t.start("destroy", guest.name)
    harness.wait_for(lambda: qemu not in t.processes(), "QEMU to end")
    (hooks.notes / "go").touch()
    assert create.wait(60) == 1
    create.communicate()
    assert destroy.wait(60) == 0, destroy.communicate()
    destroy.communicate()
    assert hooks.take(guest) == STARTED + ended("failed")
    hooks.do("started", "")
    hooks.do("stopped", "sleep 2")
    running = t.boot_sector_guest(name="other")
    t.stasis("create", running.xml_file())
    running.wait_for_tick(1)
    hooks.take(running)
    os.kill(t.status(running)["qemu"]["pid"], signal.SIGKILL)
    harness.wait_for(lambda: hooks.has_called(running, "stopped"), "the hook to be called")
    # The next start waits for it.
    t.stasis("create", running.xml_file())
    assert hooks.take(running) == ended("crashed") + STARTED


@harness.test("the status is damaged: destroy calls those at the end all the same")
def damaged(t):
    hooks = Hooks(t)
    guest = running_guest(t, hooks)
    harness.kill(t.supervisor())
    (t.run_folder(guest) / "status.json").write_text("{")
    t.stasis("destroy", guest.name)
    assert hooks.take(guest) == ended("destroyed")
    assert not t.run_folder(guest).exists()


@harness.test("the supervisor answers while a hook runs that it has called")
def supervisor_answers(t):
    hooks = Hooks(t)
    guest = running_guest(t, hooks)
    hooks.do("saved", "while ! [ -e go ]; do sleep 0.1; done")
    dies(t, "save", guest.name, t.dir / "image", fault="save-passed")
    harness.wait_for(lambda: hooks.has_called(guest, "saved"), "the hook to be called")
    guest.wait_for_tick(guest.last_tick() + 1)
    assert t.domstate(guest, "--reason").startswith("running"), t.domstate(guest, "--reason")
    (hooks.notes / "go").touch()
    t.wait_for_no_job(guest)
    assert hooks.take(guest) == ["save begin -", *SAVE_ENDED]


harness.main()
