#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests whose file systems are frozen for a background snapshot are thawed, whatever becomes of it."""

import json
import os
import signal

import harness
from background import PRECOPY, SNAPSHOT, command, run, why_not
from live import await_stop, let_end
from qga import QgaGuest, facts

KEPT = ("quiesce-noted", "quiesce-frozen", "save-paused", "save-protected", "save-going-on", "save-copied", "save-written",
        "save-linked")
LEFT_OUT = tuple(step for step in KEPT if step != "save-paused")  # QEMU's own pause


def checkpoint(q, image, *options, way=SNAPSHOT, **env):
    stats = json.loads(run(q.t, "checkpoint", q.name, image, "--quiesce", "--json", *options, **env))
    assert stats["engine"].startswith(way), stats["engine"]
    assert facts(q.t, image)["frozen"] is True
    return stats


def settled(q, image, what):
    """The guest runs on as if nothing had been, and no image is there."""
    q.wait_writing(what)
    q.t.wait_for_no_job(q.guest)
    harness.wait_for(lambda: q.noted() is None, f"the note to go after {what}")
    assert not image.exists() and list(image.parent.glob(f".{image.name}*")) == [], f"{what}: an image is left"
    assert q.say("domfsthaw") == "Thawed 0 filesystem(s)", what


def comes_back(q, image, *options):
    """It is frozen in the image, and its restore thaws it."""
    q.guest.close()
    q.t.stasis("destroy", q.name)
    result = q.t.stasis("restore", image, *options)
    assert result.stderr == "", result.stderr
    q.restored()
    q.wait_writing("a restore")
    assert q.noted() is None and q.say("domfsthaw") == "Thawed 0 filesystem(s)"


@harness.test("frozen for the moment of the snapshot, and thawed while QEMU still writes", timeout=600)
def moment(t):
    q = QgaGuest(t)
    q.start_writer()
    image = t.dir / "a.stasis"
    for options in (["--no-disks"], []):
        process = command(t, "checkpoint", q.name, image, "--quiesce", *options, STASIS_FAULT="save-copied=stop")
        await_stop(process, "save-copied")
        q.wait_writing("while the snapshot is not complete")
        assert q.noted() is None
        let_end(process)
        assert facts(t, image)["frozen"] is True
        assert q.say("domfsthaw") == "Thawed 0 filesystem(s)"
    comes_back(q, image)
    comes_back(q, image, "--load", "parallel")
    checkpoint(q, image)
    comes_back(q, image)


def killed_or_failed(t, steps, *options):
    q = QgaGuest(t)
    q.start_writer()
    image = t.dir / "a.stasis"
    for step in steps:
        for how in ("fail", "kill"):
            run(t, "checkpoint", q.name, image, "--quiesce", *options,
                status=1 if how == "fail" else -signal.SIGKILL, STASIS_FAULT=f"{step}={how}")
            settled(q, image, f"{step}={how}")
    checkpoint(q, image, *options)
    q.wait_writing("a checkpoint")


@harness.test("a saver that fails or is killed at any step, disks kept: the guest runs on, thawed", timeout=900)
def disks_kept(t):
    killed_or_failed(t, KEPT)


@harness.test("the same in QEMU's own pause, disks left out", timeout=900)
def disks_left_out(t):
    killed_or_failed(t, LEFT_OUT, "--no-disks")


@harness.test("saver and supervisor are killed: the next command thaws", timeout=600)
def both_killed(t):
    q = QgaGuest(t)
    q.start_writer()
    image = t.dir / "a.stasis"
    for step in ("quiesce-frozen", "save-paused", "save-protected"):
        process = await_stop(command(t, "checkpoint", q.name, image, "--quiesce", STASIS_FAULT=f"{step}=stop"), step)
        os.kill(t.supervisor(), signal.SIGKILL)
        process.kill()
        process.communicate()
        assert q.noted() == q.socket()
        assert t.domstate(q.guest) in ("running", "paused")
        settled(q, image, step)


@harness.test("a snapshot that cannot begin: QEMU migrates, and the guest is thawed after it", timeout=600)
def falls_back(t):
    q = QgaGuest(t)
    q.start_writer()
    image = t.dir / "a.stasis"
    for options in (["--no-disks"], []):
        checkpoint(q, image, *options, way=PRECOPY, STASIS_FAULT="save-not-protected=fail")
        q.wait_writing("a migration")
        assert q.noted() is None and q.say("domfsthaw") == "Thawed 0 filesystem(s)"
    comes_back(q, image)


@harness.test("one that is cancelled while the guest is frozen, or runs again; one whose disk gets full", timeout=600)
def cancelled(t):
    q = QgaGuest(t)
    q.start_writer()
    image = t.dir / "a.stasis"
    for step in ("quiesce-frozen", "save-paused", "save-protected", "save-going-on"):
        process = await_stop(command(t, "checkpoint", q.name, image, "--quiesce", STASIS_FAULT=f"{step}=stop"), step)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 1 and "cancelled" in errors and "thaw" not in errors, (step, errors)
        settled(q, image, f"{step}, and cancelled")
    q.guest.agent("fill 48 7 random")
    with harness.mounted("-t", "tmpfs", "-o", "size=20m", "tmpfs", at=t.dir / "small") as folder:
        errors = run(t, "checkpoint", q.name, folder / "a.stasis", "--quiesce", status=1)
        assert "No space left" in errors, errors
        settled(q, folder / "a.stasis", "a full disk")


@harness.test("an agent that dies while its guest is frozen does not hold the snapshot up for ever", timeout=600)
def agent_stopped(t):
    q = QgaGuest(t)
    q.start_writer()
    image = t.dir / "a.stasis"
    process = await_stop(command(t, "checkpoint", q.name, image, "--quiesce", STASIS_FAULT="quiesce-frozen=stop"),
                         "quiesce-frozen")
    q.signal_qga("STOP")
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and "could not be thawed" in errors, errors
    assert q.noted() == q.socket()
    q.signal_qga("CONT")
    image.unlink()
    settled(q, image, "an agent that was slow")


harness.main(why_not())
