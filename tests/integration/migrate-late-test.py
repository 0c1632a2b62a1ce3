#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong late in a migration: a destination with its source played by hand, and the other way round."""

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import struct

import harness
import migration
from migrating import LIVE, PERSIST, Destination, Refused, Source

F_OFD_SETLK = getattr(fcntl, "F_OFD_SETLK", 37)


def has_command(t, guest, name):
    return any(one["name"] == name for one in t.qmp_command(guest, "query-commands"))


def running_guest(t, on_reboot=None, **options):
    guest = t.boot_sector_guest(**options)
    file = guest.xml_file()
    if on_reboot:
        text = file.read_text().replace("</os>", f"</os><on_reboot>{on_reboot}</on_reboot>")
        file.write_text(text)
    t.stasis("create", file)
    guest.wait_for_tick(2)
    return guest


def run_state(pid):
    """T: it stands at its fault point."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]


def finish_until(t, guest, step):
    """A destination that stands still at a step of Finish; its QEMU's process."""
    destination = Destination(t, fault=f"{step}=stop", name=f"there-{guest.name}")
    source = Source(t, guest)
    source.send(source.prepare(destination, flags=LIVE | PERSIST))
    number = destination.begin("finish", name=guest.name, flags=LIVE | PERSIST, cookie=source.final())
    harness.wait_for(lambda: run_state(destination.process.pid) == "T", step)
    assert destination.verdict(source.token) == "begun"
    source.end()
    return destination, number


def expect_defined(destination, guest, reason="crashed"):
    harness.wait_for(lambda: not destination.run_folder(guest.name).exists(), "the run folder to go")
    assert destination.definition(guest.name).exists(), "its definition is lost"
    state = destination.stasis("domstate", guest.name, "--reason").stdout.strip()
    assert state == f"shut off ({reason})", state


@harness.test("QEMU ends behind the verdict: the definition that came along is there", timeout=300)
def qemu_dies(t):
    for step in ("migrate-in-decided", "migrate-in-begun", "migrate-in-running"):
        guest = running_guest(t, name=step)
        destination, number = finish_until(t, guest, step)
        with destination:
            harness.kill(destination.status(guest.name)["qemu"]["pid"])
            destination.process.send_signal(signal.SIGCONT)
            try:
                destination.answer(number)
                assert step == "migrate-in-running", step  # it had begun to run by then
            except Refused as refused:
                assert "has come here" in str(refused), refused
            expect_defined(destination, guest)


@harness.test("QEMU and the driver end behind the verdict: recovery stores the definition", timeout=300)
def both_die(t):
    for step in ("migrate-in-decided", "migrate-in-begun"):
        guest = running_guest(t, name=step)
        destination, _ = finish_until(t, guest, step)
        harness.kill(destination.status(guest.name)["qemu"]["pid"])
        destination.kill()
        expect_defined(destination, guest)


def expect_refused(function, word):
    try:
        answer = function()
    except Refused as refused:
        assert word in str(refused), refused
        return
    raise AssertionError(f"it was not refused: {answer}")


@harness.test("who comes for another migration of that name is told so at once, and leaves it alone")
def another(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source, other = Source(t, guest), Source(t, guest)
        prepared = source.prepare(destination)
        same, anew = source.prepare_arguments(dname="else"), other.prepare_arguments()
        uuid = source.xml.split("<uuid>")[1].split("<")[0]
        same |= {key: same[key].replace(uuid, uuid[:-4] + "0000") for key in ("xml", "cookie")}
        source.start(prepared, max_bandwidth=1000)
        expect_refused(lambda: destination.call("prepare", **same), "comes in already")
        destination.call("abandon", name=guest.name, token=other.token)
        expect_refused(lambda: destination.finish(guest.name, other.final()), "migration")
        number = destination.begin("finish", name=guest.name, flags=LIVE, cookie=source.final())
        harness.wait_for(lambda: "finish" in destination.stasis("domjobinfo", guest.name).stdout, "Finish to wait")
        expect_refused(lambda: destination.call("prepare", **anew), "busy")
        assert number not in destination.answers, "Finish was waited for"
        guest.source = source
        source.open_monitor().command("migrate-set-parameters", **{"max-bandwidth": 1 << 30})
        assert destination.answer(number)["domain"] == guest.name
        source.wait_until("completed")
        source.end()
        guest.wait_for_tick(guest.last_tick() + 2)
        destination.stasis("destroy", guest.name)


@contextlib.contextmanager
def shared_with_nobody(path):
    """A lock as QEMU's of somebody who lets no other one write to an image."""
    with open(path, "rb") as file:
        lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 201, 1, 0)
        fcntl.fcntl(file, F_OFD_SETLK, lock)
        yield


@harness.test("a guest whose disk somebody else has is refused before it begins")
def disk_taken(t):
    guest = running_guest(t, read_only=False)
    if not has_command(t, guest, "blockdev-set-active"):
        raise harness.Skip("QEMU takes the disks when it lets the guest run")
    with Destination(t) as destination:
        source = Source(t, guest)
        source.send(source.prepare(destination))
        with shared_with_nobody(guest.disks[0][0]):
            expect_refused(lambda: destination.finish(guest.name, source.final()), "lock")
            harness.wait_for(lambda: destination.verdict(source.token) == "revoked", "the verdict")
        destination.expect_nothing(guest.name)
        source.go_on()
        guest.wait_for_tick(guest.last_tick() + 2)
        assert guest.boots() == 1 and guest.damaged_pages() == 0, guest.serial_text()[-200:]


@harness.test("memory goes nowhere but to who is asked about it")
def two_places(t):
    guest = running_guest(t)
    with migration.Destination(t, guest) as dest, migration.Source(t, guest) as source:
        _, cookie = source.begin()
        prepared = json.loads(dest.prepare(cookie))
        source.send("perform", flags=LIVE, cookie=json.dumps(prepared), uri="tcp:192.0.2.1:49152")
        error = step_fails(source)
        assert "192.0.2.1" in error and "destination says" in error, error
        goes_on(t, guest)
        _, cookie = source.begin()
        prepared = dest.prepare(cookie)
        answer = source.step("perform", flags=LIVE, cookie=prepared, uri=f"unix:{dest.path}")
        assert "final" in json.loads(answer["cookie"]), answer
        source.step("confirm", flags=LIVE, cookie=dest.begin_to_run())


@harness.test("what the source has to say is not hidden by what follows of it")
def cut_off(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source = Source(t, guest)
        source.start(source.prepare(destination), max_bandwidth=1000)
        source.wait_until("active")
        source.go_on()  # its QEMU cancels: the stream ends
        destination.expect_nothing(guest.name)
        try:
            destination.finish(guest.name, None, cancelled=True)
            raise RuntimeError("it began")
        except Refused as refused:
            assert refused.answer["kind"] == "g-io-error-quark" and refused.answer["code"] == 19, refused.answer


def perform_until(t, guest, dest, step):
    """A source that stands still at a step of Perform."""
    source = migration.Source(t, guest, STASIS_FAULT=f"migrate-out-{step}=stop")
    _, cookie = source.begin()
    source.send("perform", flags=LIVE, cookie=dest.prepare(cookie))
    harness.wait_for(lambda: run_state(source.process.pid) == "T", step)
    return source


def step_fails(source):
    try:
        answer = source.answer()
    except migration.StepFailed as failed:
        return failed.answer["error"]
    raise AssertionError(f"it did not fail: {answer}")


def limit_stall(t, seconds):
    with open(t.state / "config" / "stasis.conf", "a", encoding="ascii") as file:
        file.write(f"[migration]\nstall-timeout={seconds}\n")


def goes_on(t, guest):
    t.wait_for_no_job(guest)
    assert t.domstate(guest) == "running", t.domstate(guest, "--reason")
    guest.wait_for_tick(guest.last_tick() + 2)
    assert guest.boots() == 1 and guest.damaged_pages() == 0, guest.serial_text()[-200:]
    status = t.status(guest)
    assert "job" not in status and "undecided-migration" not in status, status


@harness.test("a guest that ends in the moment of the switch is not sent on as if it ran", timeout=300)
def ends_at_switch(t):
    # QEMU announces its end, and the run state stays that of a migration.
    for number, step in enumerate(("waiting", "handed")):
        guest = running_guest(t, name=step, on_reboot="destroy")
        with migration.Destination(t, guest, number) as dest, perform_until(t, guest, dest, step) as source:
            t.by_hand(guest, "system_reset")
            source.process.send_signal(signal.SIGCONT)
            error = step_fails(source)
            assert "stopped by itself (shutdown)" in error, error
            assert dest.asked == (["revoke"] if step == "handed" else []), dest.asked
            t.wait_for_no_job(guest)
            assert t.domstate(guest) == "paused", t.domstate(guest, "--reason")
        t.stasis("destroy", guest.name)


@harness.test("a destination that hangs while the guest stands still: it goes on at the source", timeout=300)
def hangs(t):
    limit_stall(t, 2)
    guest = running_guest(t)
    with migration.Destination(t, guest) as dest, perform_until(t, guest, dest, "handed") as source:
        dest.process.send_signal(signal.SIGSTOP)
        source.process.send_signal(signal.SIGCONT)
        error = step_fails(source)
        # A QEMU that waits for its socket with all of itself answers nobody, and is cut off for that.
        assert "has taken nothing for 2 s" in error or "did not answer" in error, error
        assert dest.asked == ["revoke"], dest.asked
        dest.process.send_signal(signal.SIGCONT)
        goes_on(t, guest)


if __name__ == "__main__":
    harness.main()
