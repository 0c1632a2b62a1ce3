#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest agent: freezing file systems for a save, and thawing them whatever dies; the clock."""

import os
import signal
import socket
import time

import harness
from qga import PORT, QgaGuest, facts

# The steps of a quiesced save (util/fault.h) from the note in the journal on, before the rename.
FROZEN = ["quiesce-noted", "quiesce-frozen", "save-paused", "save-copied", "save-written", "save-commit"]
AFTER = ["save-renamed", "save-committed"]


def settled(q, image, what):
    """The guest runs on as if nothing had been, without any command of ours."""
    q.wait_writing(what)
    q.t.wait_for_no_job(q.guest)
    harness.wait_for(lambda: q.noted() is None, f"the note to go after {what}")
    assert not image.exists(), f"{what}: an image appeared"
    assert q.say("domfsthaw") == "Thawed 0 filesystem(s)", what


def stopped_at(q, step, *arguments):
    process = q.t.start(*arguments, STASIS_FAULT=f"{step}=stop")
    harness.wait_for(lambda: harness.is_stopped(process.pid), f"the command to come by {step}")
    return process


@harness.test("domfsfreeze: a write in the guest waits for domfsthaw", timeout=400, once=True)
def freeze(t):
    q = QgaGuest(t)
    q.start_writer()
    assert q.say("domfsfreeze") == "Froze 1 filesystem(s)"
    assert q.is_stuck(), "the guest wrote to a frozen file system"
    again = q.call("domfsfreeze")
    assert again.returncode == 1 and "guest agent: guest-fsfreeze-freeze: " in again.stderr, again.stderr
    # Whoever froze it thaws it: a save does not.
    image = t.dir / "a.stasis"
    save = q.call("save", image, "--quiesce")
    assert save.returncode == 1 and "frozen already" in save.stderr and "domfsthaw linux" in save.stderr, save.stderr
    assert not image.exists() and q.is_stuck()
    assert q.say("domfsthaw") == "Thawed 1 filesystem(s)"
    q.wait_writing("domfsthaw")
    assert q.say("domfsthaw") == "Thawed 0 filesystem(s)"


@harness.test("save --quiesce: the guest is frozen in the image, and thawed by the restore", timeout=600)
def save_and_restore(t):
    q = QgaGuest(t)
    q.start_writer()
    image = t.dir / "a.stasis"
    t.stasis("save", q.name, image)
    assert "frozen" not in facts(t, image)
    t.stasis("restore", image)
    q.restored()

    t.stasis("save", q.name, image, "--quiesce")
    assert facts(t, image)["frozen"] is True
    result = t.stasis("restore", image)
    assert result.stderr == "", result.stderr
    q.restored()
    q.wait_writing("a restore")
    assert q.noted() is None
    assert q.say("domfsthaw") == "Thawed 0 filesystem(s)", "the restore has not thawed"

    # Paused: nobody answers then.  Whoever lets it run thaws it; a save passes it on.
    t.stasis("save", q.name, image, "--quiesce", "--paused", "--compress", "zstd")
    t.stasis("restore", image)
    assert q.noted() == q.socket()
    refused = q.call("domfsthaw")
    assert refused.returncode == 1 and "does not run" in refused.stderr, refused.stderr
    libvirt = t.dir / "b.libvirt"
    refused = q.call("save", libvirt, "--format", "libvirt")
    assert refused.returncode == 1 and "nobody would thaw them" in refused.stderr, refused.stderr
    t.stasis("save", q.name, image)
    assert facts(t, image)["frozen"] is True
    t.stasis("restore", image, "--load", "parallel")
    q.guest.close()
    assert q.noted() == q.socket()
    t.stasis("resume", q.name)
    q.restored()
    q.wait_writing("a resume")
    assert q.noted() is None and q.say("domfsthaw") == "Thawed 0 filesystem(s)"

    # Nobody thaws it: this is how it was saved, and who is told what to do can do it.
    t.stasis("save", q.name, image, "--quiesce")
    result = t.stasis("restore", image, STASIS_FAULT="thaw=fail")
    assert "'linux'" in result.stderr and "stasis domfsthaw linux" in result.stderr, result.stderr
    q.guest.close()
    assert q.is_stuck(), "the image was not of a frozen guest"
    assert q.noted() == q.socket()
    assert q.say("domfsthaw") == "Thawed 1 filesystem(s)"
    q.wait_writing("domfsthaw")
    assert q.noted() is None


@harness.test("an image that is converted: what cannot say that its guest is frozen is told", timeout=300, once=True)
def convert(t):
    q = QgaGuest(t)
    image, other = t.dir / "a.stasis", t.dir / "b.stasis"
    t.stasis("save", q.name, image, "--quiesce")
    result = t.stasis("image", "convert", image, t.dir / "b.libvirt", "-O", "libvirt")
    assert "file systems are frozen" in result.stderr, result.stderr
    result = t.stasis("image", "convert", image, other, "-O", "stasis-stream")
    assert "frozen" not in result.stderr and facts(t, other)["frozen"] is True
    xml = t.dir / "image.xml"
    xml.write_text(t.stasis("save-image-dumpxml", other, "--security-info").stdout, encoding="utf-8")
    t.stasis("save-image-define", other, xml, "--paused")
    assert facts(t, other)["frozen"] is True


def refused(q, image, *words, options=("--quiesce",)):
    """A save that is refused, with an error that has these words, and before anything was touched."""
    result = q.call("save", image, *options)
    assert result.returncode == 1, result
    for word in words:
        assert word in result.stderr, (word, result.stderr)
    assert not image.exists() and list(image.parent.glob(".*")) == []
    assert q.noted() is None and "job" not in q.t.status(q.guest)


@harness.test("no channel: refused, naming it", timeout=300, once=True)
def no_channel(t):
    q = QgaGuest(t, channel=False)
    image = t.dir / "a.stasis"
    refused(q, image, f"has no channel '{PORT}'", "<channel type='unix'>")
    for command in (["domfsfreeze"], ["domfsthaw"], ["domtime"], ["domtime", "--now"]):
        result = q.call(*command)
        assert result.returncode == 1 and f"has no channel '{PORT}'" in result.stderr, result.stderr
    last = q.guest.last_tick()
    t.stasis("save", q.name, image)
    # What was asked for is that the domain runs.
    result = t.stasis("restore", image, "--sync-time")
    assert result.stderr.startswith("warning: the guest's clock was not set: ") and PORT in result.stderr, result.stderr
    q.guest.wait_for_tick(last + 2)


@harness.test("no agent, none that answers, another client: refused, and the guest goes on", timeout=600, once=True)
def no_agent(t):
    q = QgaGuest(t, start=False)
    image = t.dir / "a.stasis"
    q.start_writer()
    refused(q, image, "no guest agent is connected", f"'{PORT}'")
    result = q.call("domfsfreeze")
    assert result.returncode == 1 and "no guest agent is connected" in result.stderr, result.stderr
    q.sh("/qga/qga-start")
    harness.wait_for(lambda: q.call("domtime").returncode == 0, "the guest agent", timeout=60)

    refused(q, image, "libvirt", "cannot say", options=("--quiesce", "--format", "libvirt"))
    q.signal_qga("STOP")
    for command in (["save", image, "--quiesce"], ["domfsfreeze"], ["domtime"]):
        result = q.call(*command)
        assert result.returncode == 1 and "does not answer" in result.stderr, result.stderr
    assert not image.exists() and q.noted() is None
    q.wait_writing("an agent that does not answer")
    q.signal_qga("CONT")
    # What it was asked meanwhile does not get between.
    assert q.say("domfsfreeze") == "Froze 1 filesystem(s)"
    assert q.say("domfsthaw") == "Thawed 1 filesystem(s)"

    with socket.socket(socket.AF_UNIX) as other:
        other.connect(q.socket())
        other.sendall(b'{"execute": "guest-pi')  # and half a line stays behind
        refused(q, image, "another program is connected", q.socket())
    assert q.say("domtime").startswith("Time: ")

    t.stasis("suspend", q.name)
    refused(q, image, "does not run")
    t.stasis("resume", q.name)
    q.wait_writing("a resume")


@harness.test("a freeze that is not answered is thawed: on Ctrl-C, and by its own queue", timeout=400, once=True)
def unanswered(t):
    q = QgaGuest(t)
    image = t.dir / "a.stasis"
    q.start_writer()
    process = stopped_at(q, "quiesce-noted", "save", q.name, image, "--quiesce")
    q.signal_qga("STOP")
    os.kill(process.pid, signal.SIGCONT)
    time.sleep(1)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1 and "could not be thawed" in errors and "domfsthaw linux" in errors, errors
    assert not image.exists() and t.domstate(q.guest) == "running"
    assert q.noted() == q.socket(), "nobody would know that it may be frozen"
    q.signal_qga("CONT")  # it freezes now, and the supervisor goes on trying
    settled(q, image, "a freeze that came too late")

    process = stopped_at(q, "fs-freeze", "domfsfreeze", q.name)
    q.signal_qga("STOP")
    os.kill(process.pid, signal.SIGCONT)
    time.sleep(1)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1 and "it could not be thawed" in errors, errors
    q.signal_qga("CONT")
    settled(q, image, "a domfsfreeze that came too late")

    process = stopped_at(q, "quiesce-noted", "save", q.name, image, "--quiesce")
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGCONT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1 and "cancelled: the domain runs on" in errors and "thaw" not in errors, errors
    settled(q, image, "a cancelled freeze")


@harness.test("a failure at each step of a quiesced save: the guest runs on, thawed", timeout=600)
def saver_fails(t):
    q = QgaGuest(t)
    q.start_writer()
    image = t.dir / "a.stasis"
    for step in FROZEN:
        result = q.call("save", image, "--quiesce", STASIS_FAULT=f"{step}=fail")
        assert result.returncode == 1 and step in result.stderr, result.stderr
        settled(q, image, step)


@harness.test("kill -9 of the saver at each step of a quiesced save: the guest runs on, thawed", timeout=900)
def saver_killed(t):
    q = QgaGuest(t)
    q.start_writer()
    image = t.dir / "a.stasis"
    for step in FROZEN:
        result = q.call("save", image, "--quiesce", STASIS_FAULT=f"{step}=kill")
        assert result.returncode == -signal.SIGKILL, f"{step} was not reached: {result.stderr}"
        settled(q, image, step)
    for step in AFTER:
        result = q.call("save", image, "--quiesce", STASIS_FAULT=f"{step}=kill")
        assert result.returncode == -signal.SIGKILL, f"{step} was not reached: {result.stderr}"
        harness.wait_for(lambda: not t.run_folder(q.guest).exists(), "the end of QEMU")
        t.stasis("restore", image)
        image.unlink()
        q.restored()
        settled(q, image, step)


@harness.test("kill -9 of saver and supervisor: the next command thaws", timeout=400, once=True)
def both_killed(t):
    q = QgaGuest(t)
    q.start_writer()
    image = t.dir / "a.stasis"
    for step in ("quiesce-frozen", "save-copied"):
        process = stopped_at(q, step, "save", q.name, image, "--quiesce")
        os.kill(t.supervisor(), signal.SIGKILL)
        process.kill()
        process.communicate()
        assert q.noted() is not None
        assert t.domstate(q.guest) in ("running", "paused")
        settled(q, image, step)


@harness.test("kill -9 of the restorer before and after it thaws: its supervisor does", timeout=600, once=True)
def restorer_killed(t):
    q = QgaGuest(t)
    q.start_writer()
    image = t.dir / "a.stasis"
    for step in ("start-resuming", "start-running", "start-thawed"):
        t.stasis("save", q.name, image, "--quiesce")
        result = t.stasis("restore", image, check=False, STASIS_FAULT=f"{step}=kill")
        assert result.returncode == -signal.SIGKILL, f"{step} was not reached: {result.stderr}"
        image.unlink()
        q.restored()
        settled(q, image, step)

    t.stasis("save", q.name, image, "--quiesce")
    t.stasis("restore", image, "--paused")
    image.unlink()
    result = q.call("resume", STASIS_FAULT="resume-running=kill")
    assert result.returncode == -signal.SIGKILL, f"the step was not reached: {result.stderr}"
    q.restored()
    settled(q, image, "resume-running")


@harness.test("live saves and checkpoints: frozen for the pause, and thawed as soon as the guest goes on", timeout=900)
def live(t):
    q = QgaGuest(t)
    q.start_writer()
    image = t.dir / "a.stasis"
    t.stasis("save", q.name, image, "--live", "--quiesce")
    assert facts(t, image)["frozen"] is True
    t.stasis("restore", image)
    image.unlink()
    q.restored()
    settled(q, image, "a live save and its restore")

    for step in ("quiesce-frozen", "save-paused", "save-going-on", "save-copied"):
        result = q.call("checkpoint", image, "--no-disks", "--quiesce", STASIS_FAULT=f"{step}=kill")
        assert result.returncode == -signal.SIGKILL, f"{step} was not reached: {result.stderr}"
        settled(q, image, f"a checkpoint killed at {step}")
        result = q.call("checkpoint", image, "--no-disks", "--quiesce", STASIS_FAULT=f"{step}=fail")
        assert result.returncode == 1 and step in result.stderr, result.stderr
        settled(q, image, f"a checkpoint that failed at {step}")

    t.stasis("checkpoint", q.name, image, "--no-disks", "--quiesce")
    assert facts(t, image)["frozen"] is True
    kept = image.rename(t.dir / "b.stasis")
    settled(q, image, "a checkpoint")
    # The disk has moved on, so what the guest has on it is not looked at any more.
    q.guest.close()
    t.stasis("destroy", q.name)
    t.stasis("restore", kept, "--force")
    q.restored()
    assert q.noted() is None and q.say("domfsthaw") == "Thawed 0 filesystem(s)"


@harness.test("the clock: domtime, and --sync-time of restore, start and resume", timeout=600, once=True)
def clock(t):
    q = QgaGuest(t, define=True)
    assert q.say("domtime", "--time", "1000000000") == ""
    told = q.say("domtime")
    assert told.startswith("Time: 10000000"), told
    assert q.say("domtime", "--pretty").startswith("Time: 2001-09-09 01:4"), q.say("domtime", "--pretty")

    def is_now():
        return abs(q.clock() - time.time()) < 60

    def set_back(how):
        t.stasis("domtime", q.name, "--time", "1000000000")
        assert not is_now(), how

    assert not is_now()
    q.say("domtime", "--now")
    assert is_now()
    # The hardware clock was set along with it, and is what --sync reads.
    q.sh("busybox date -s @500000000")
    assert not is_now()
    q.say("domtime", "--sync")
    assert is_now()
    for words in (["--time", "1", "--now"], ["--now", "--sync"], ["--time", "-1"], ["--time", "x"]):
        assert q.call("domtime", *words).returncode == 1, words
    assert t.stasis("-r", "domtime", q.name, "--now", check=False).returncode == 1
    t.stasis("-r", "domtime", q.name)

    image = t.dir / "a.stasis"
    set_back("save")
    t.stasis("save", q.name, image, "--quiesce")
    result = t.stasis("restore", image, "--sync-time")
    assert result.stderr == "", result.stderr
    q.restored()
    assert is_now() and q.noted() is None
    set_back("managedsave")
    t.stasis("managedsave", q.name, "--quiesce")
    t.stasis("start", q.name, "--sync-time")
    q.restored()
    assert is_now() and q.say("domfsthaw") == "Thawed 0 filesystem(s)"
    set_back("suspend")
    t.stasis("suspend", q.name)
    t.stasis("resume", q.name, "--sync-time")
    assert is_now()


harness.main()
