#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The source of a migration: what is sent, and what becomes of its guest whatever fails."""

import json
import re
import socket
import threading

import harness
from migration import LIVE, OFFLINE, UNDEFINE, Destination, Source, StepFailed

BEFORE = ["configured", "connected", "journal", "sending", "waiting"]  # the destination cannot have all of it
AFTER = ["handed", "continued", "completed"]
CANCELLED = ("g-io-error-quark", 19)


def running_guest(t, defined=True, **options):
    guest = t.boot_sector_guest(**options)
    if defined:
        t.stasis("define", guest.xml_file())
        t.stasis("start", guest.name)
    else:
        t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    return guest


def goes_on(t, guest):
    """It runs here, undamaged, and nothing is left of a migration in its QEMU and its status."""
    t.wait_for_no_job(guest)
    assert t.domstate(guest) == "running", t.domstate(guest, "--reason")
    guest.wait_for_tick(guest.last_tick() + 2)
    assert guest.damaged_pages() == 0
    is_clean(t, guest)


def notes(t):
    """What outlasts a boot of this host."""
    folder = t.state / "lib" / "migrating"
    return sorted(folder.iterdir()) if folder.exists() else []


def is_clean(t, guest):
    status = t.status(guest)
    assert "job" not in status and "undecided-migration" not in status, status
    on = [one["capability"] for one in t.qmp_command(guest, "query-migrate-capabilities") if one["state"]]
    assert not on, on
    parameters = t.qmp_command(guest, "query-migrate-parameters")
    assert parameters["max-bandwidth"] == 134217728 and parameters["downtime-limit"] == 300, parameters
    assert not notes(t)


def perform(source, dest, flags=LIVE):
    """Begin and Perform."""
    _, cookie = source.begin(flags)
    return source.step("perform", flags=flags, cookie=dest.prepare(cookie))


def fails(step, *arguments, **members):
    """The answer of a step that has to fail."""
    try:
        answer = step(*arguments, **members)
    except StepFailed as error:
        return error.answer
    raise AssertionError(f"it did not fail: {answer}")


def descriptors(t, guest):
    """Of its QEMU, but for those of connections."""
    names = harness.open_files(t.status(guest)["qemu"]["pid"])
    return sorted(name for name in names if "socket:" not in name)


def is_undecided(t, guest):
    t.wait_for_no_job(guest)
    assert t.domstate(guest, "--reason") == "paused (migration undecided)", t.domstate(guest, "--reason")
    last = guest.last_tick()
    assert "migrate-resolve" in t.stasis("resume", guest.name, check=False).stderr
    assert guest.last_tick() == last


def has_gone(t, guest):
    harness.wait_for(lambda: not t.run_folder(guest).exists(), "the copy to end")
    assert t.domstate(guest, "--reason") == "shut off (migrated)", t.domstate(guest, "--reason")
    assert not notes(t)


@harness.test("a guest that runs goes on at the destination", timeout=300)
def precopy(t):
    guest = running_guest(t)
    qemu = t.status(guest)["qemu"]["pid"]
    with Source(t, guest) as source, Destination(t, guest) as dest:
        xml, cookie = source.begin(LIVE)
        assert guest.name in xml and cookie["begin"]["memory-kib"] == 65536
        final = json.loads(source.step("perform", flags=LIVE, cookie=dest.prepare(cookie))["cookie"])
        assert final["final"]["begun"] is False and final["final"]["source-run-us"] > 0, final
        last = guest.last_tick()
        assert t.domstate(guest, "--reason") == "paused (migrating)", t.domstate(guest, "--reason")
        note = json.loads(notes(t)[0].read_text())
        assert note["name"] == guest.name and note["migration"]["token"] == cookie["token"], note
        assert note["migration"]["doors"] == [f"unix://{dest.path}"], note
        source.step("confirm", flags=LIVE, cookie=dest.begin_to_run())
        harness.wait_for(lambda: dest.last_tick() > last + 2, "the guest to go on there")
        assert dest.damaged_pages() == 0
        assert t.domstate(guest, "--reason") == "shut off (migrated)", t.domstate(guest, "--reason")
        assert not (t.run_folder(guest)).exists() and not notes(t)
        harness.wait_for(lambda: qemu not in t.processes(), "the copy to end")
        assert dest.settled == 1 and dest.asked == []
        source.end()
    info = t.stasis("domjobinfo", guest.name, "--completed").stdout
    assert "Completed" in info and "Migrat" in info, info


@harness.test("one that is paused stays so, here and there")
def paused(t):
    guest = running_guest(t)
    t.stasis("suspend", guest.name)
    last = guest.last_tick()
    with Source(t, guest) as source:
        with Destination(t, guest, 1) as dest:
            dest.answers["revoke"] = "revoked"
            perform(source, dest)
            fails(source.step, "confirm", flags=LIVE, cookie=dest.final(0, begun=False))
            assert dest.asked == ["revoke"], dest.asked
        t.wait_for_no_job(guest)
        assert t.domstate(guest) == "paused" and guest.last_tick() == last, t.domstate(guest, "--reason")
        is_clean(t, guest)
        with Destination(t, guest, 2) as dest:
            perform(source, dest)
            harness.wait_for(lambda: dest.command("query-migrate").get("status") == "completed", "the destination")
            assert dest.command("query-status")["status"] in ("paused", "prelaunch"), dest.command("query-status")
            source.step("confirm", flags=LIVE, cookie=dest.final(0))
            has_gone(t, guest)


@harness.test("one that is not to run meanwhile is paused first")
def still(t):
    guest = running_guest(t)
    with Source(t, guest) as source, Destination(t, guest) as dest:
        perform(source, dest, flags=0)
        last = guest.last_tick()
        source.step("confirm", flags=0, cookie=dest.begin_to_run())
        harness.wait_for(lambda: dest.last_tick() > last + 2, "the guest to go on there")
        assert dest.damaged_pages() == 0
        has_gone(t, guest)


@harness.test("the source's definition goes where that is wanted, and a transient domain with the guest", once=True)
def undefined(t):
    for defined in (True, False):
        guest = running_guest(t, defined=defined, name=f"g{int(defined)}")
        with Source(t, guest) as source, Destination(t, guest) as dest:
            perform(source, dest, flags=LIVE | UNDEFINE)
            source.step("confirm", flags=LIVE | UNDEFINE, cookie=dest.begin_to_run())
        assert guest.name not in t.stasis("list", "--all").stdout
        assert not list((t.state / "lib").rglob(f"*{guest.name}*")), list((t.state / "lib").rglob(f"*{guest.name}*"))


@harness.test("a definition alone", once=True)
def offline(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    with Source(t, guest) as source:
        xml, cookie = source.begin(OFFLINE | 8)
        assert guest.name in xml and guest.name in cookie["begin"]["persistent"]
        assert "nothing to send" in fails(source.step, "perform", flags=OFFLINE, cookie="{}")["error"]
        source.step("confirm", flags=OFFLINE | 8, cancelled=True)
        assert guest.name in t.stasis("list", "--all").stdout
        source.begin(OFFLINE | 8 | UNDEFINE)
        source.step("confirm", flags=OFFLINE | 8 | UNDEFINE)
        assert guest.name not in t.stasis("list", "--all").stdout


@harness.test("while it goes on it is seen, others are told, and an abort is in time")
def aborted(t):
    guest = running_guest(t)
    before = descriptors(t, guest)
    with Source(t, guest) as source, Destination(t, guest) as dest:
        dest.is_cut = True
        _, cookie = source.begin()
        assert "busy" in t.stasis("reset", guest.name, check=False).stderr
        assert "being migrated" in fails(source.step, "begin", flags=LIVE)["error"]
        source.send("perform", flags=LIVE, cookie=dest.prepare(cookie))
        harness.wait_for(lambda: "Migrat" in t.stasis("domjobinfo", guest.name).stdout, "the job to be seen")
        harness.wait_for(lambda: t.status(guest)["job"]["migration"]["doors"], "the journal")
        last = guest.wait_for_tick(guest.last_tick() + 2)
        t.stasis("domjobabort", guest.name)
        answer = fails(source.answer)
        assert (answer["domain"], answer["code"]) == CANCELLED, answer
        goes_on(t, guest)
        assert guest.last_tick() > last and dest.asked == []
        assert descriptors(t, guest) == before, descriptors(t, guest)
        source.step("confirm", flags=LIVE, cancelled=True)
    assert "Cancelled" in t.stasis("domjobinfo", guest.name, "--completed").stdout


def limit(t, guest, what, *value):
    """What it is, or what it is set to."""
    return t.stasis(f"migrate-{'set' if value else 'get'}{what}", guest.name, *value).stdout.strip()


@harness.test("its limits are changed by another process while it goes on, and are kept for the next one")
def limits(t):
    guest = running_guest(t)
    assert (limit(t, guest, "speed"), limit(t, guest, "maxdowntime")) == ("8796093022207", "300")
    limit(t, guest, "speed", 7)
    limit(t, guest, "maxdowntime", 1234)
    is_clean(t, guest)  # QEMU is not told before it migrates: a save goes by the same
    for kept in ("7", "12"):
        assert (limit(t, guest, "speed"), limit(t, guest, "maxdowntime")) == (kept, "1234")
        with Source(t, guest) as source, Destination(t, guest, int(kept)) as dest:
            dest.is_cut = True
            _, cookie = source.begin()
            source.send("perform", flags=LIVE, cookie=dest.prepare(cookie))
            harness.wait_for(lambda d=dest: d.data, "data")
            assert limit(t, guest, "speed") == kept  # QEMU's own word
            limit(t, guest, "speed", 12)
            assert limit(t, guest, "speed") == "12"
            limit(t, guest, "speed", 33, "--postcopy")
            assert t.stasis("migrate-getspeed", guest.name, "--postcopy").stdout.strip() == "33"
            said = t.stasis("migrate-compcache", guest.name, "--size", 1 << 20).stdout.strip()
            assert said == "Compression cache: 1.000 MiB", said
            source.cancel()
            fails(source.answer)
            goes_on(t, guest)  # QEMU's are as they were
    t.stasis("destroy", guest.name)
    assert limit(t, guest, "speed") == "8796093022207"


@harness.test("it may be paused while it is sent: it goes on wherever it is then", timeout=300)
def paused_meanwhile(t):
    guest = running_guest(t)
    with Source(t, guest) as source, Destination(t, guest, 1) as dest:
        dest.is_cut = True
        _, cookie = source.begin()
        source.send("perform", flags=LIVE, cookie=dest.prepare(cookie))
        harness.wait_for(lambda: dest.data, "data")
        t.stasis("suspend", guest.name)
        assert t.domstate(guest) == "paused", t.domstate(guest, "--reason")
        assert "busy" in t.stasis("resume", guest.name, check=False).stderr
        last = guest.last_tick()
        t.stasis("suspend", guest.name)
        assert guest.last_tick() == last
        source.cancel()
        fails(source.answer)
        goes_on(t, guest)
    t.stasis("migrate-setspeed", guest.name, 1)
    with Source(t, guest) as source, Destination(t, guest, 2) as dest:
        _, cookie = source.begin()
        source.send("perform", flags=LIVE, cookie=dest.prepare(cookie))
        harness.wait_for(lambda: t.stasis("suspend", guest.name, check=False).returncode == 0, "the guest to stand")
        t.stasis("migrate-setspeed", guest.name, 0)
        final = json.loads(source.answer()["cookie"])
        assert final["final"]["source-run-us"] > 0, final
        source.step("confirm", flags=LIVE, cookie=dest.begin_to_run())
        last = guest.last_tick()
        harness.wait_for(lambda: dest.last_tick() > last, "the guest to go on there")
        assert dest.damaged_pages() == 0
        has_gone(t, guest)


@harness.test("a speed is kept for a domain that does not run, and nothing else is", once=True)
def limits_off(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    limit(t, guest, "speed", 9)
    t.stasis("domrename", guest.name, "other")
    assert t.stasis("migrate-getspeed", "other").stdout.strip() == "9"
    for command in (["migrate-setmaxdowntime", "other", 5], ["migrate-getmaxdowntime", "other"],
                    ["migrate-compcache", "other"], ["migrate-setspeed", "other", 5, "--postcopy"]):
        assert "is not running" in t.stasis(*command, check=False).stderr
    for value, what in ((8796093022208, "must be less than"), ("x", "malformed"), (-1, "")):
        assert what in t.stasis("migrate-setspeed", "other", value, check=False).stderr
    assert "Invalid downtime" in t.stasis("migrate-setmaxdowntime", "other", 0, check=False).stderr
    t.stasis("undefine", "other")
    assert not list((t.state / "lib").rglob("other*"))


@harness.test("the caller gives up")
def cancelled(t):
    guest = running_guest(t)
    with Source(t, guest) as source, Destination(t, guest) as dest:
        dest.is_cut = True
        _, cookie = source.begin()
        source.send("perform", flags=LIVE, cookie=dest.prepare(cookie))
        harness.wait_for(lambda: dest.data, "data")
        source.cancel()
        answer = fails(source.answer)
        assert (answer["domain"], answer["code"]) == CANCELLED, answer
        goes_on(t, guest)


@harness.test("the destination's QEMU is killed, or its connection is cut, while memory is sent")
def cut(t):
    guest = running_guest(t)
    for number, way in enumerate(("kill", "cut"), 1):
        with Source(t, guest) as source, Destination(t, guest, number) as dest:
            dest.is_cut = True
            _, cookie = source.begin()
            source.send("perform", flags=LIVE, cookie=dest.prepare(cookie))
            harness.wait_for(lambda d=dest: d.data, "data")
            if way == "kill":
                dest.process.kill()
            for connection in dest.data:
                connection.shutdown(2)
            answer = fails(source.answer)
            assert re.search("QEMU: migration failed: (?!no reason)", answer["error"]), answer
            goes_on(t, guest)
    assert "Failed" in t.stasis("domjobinfo", guest.name, "--completed").stdout


@harness.test("nobody is there, or it says what makes no sense")
def wrong_cookies(t):
    guest = running_guest(t)
    with Source(t, guest) as source, Destination(t, guest) as dest:
        for change, what in ((lambda c: c.update(token="0" * 32), "another"),
                             (lambda c: c.pop("prepare"), "how to send"),
                             (lambda c: c["prepare"].pop("door"), "asked"),
                             (lambda c: c["prepare"].pop("secret"), "proved"),
                             (lambda c: c["prepare"].update(secret="short"), "secret"),
                             (lambda c: c["prepare"].pop("addresses"), "where to send"),
                             (lambda c: c["prepare"].update(addresses=["unix:///nobody/here"]), "nobody")):
            _, cookie = source.begin()
            prepared = json.loads(dest.prepare(cookie))
            change(prepared)
            answer = fails(source.step, "perform", flags=LIVE, cookie=json.dumps(prepared))
            assert what in answer["error"], answer
            goes_on(t, guest)
        _, cookie = source.begin()
        source.step("confirm", flags=LIVE, cancelled=True)
        goes_on(t, guest)


@harness.test("a step that fails before the hand-over: the guest goes on", timeout=300)
def faults_before(t):
    guest = running_guest(t)
    before = descriptors(t, guest)
    with Source(t, guest, STASIS_FAULT="migrate-out-begin=fail") as source:
        fails(source.step, "begin", flags=LIVE)
        goes_on(t, guest)
    for number, step in enumerate(BEFORE):
        with Source(t, guest, STASIS_FAULT=f"migrate-out-{step}=fail") as source, \
                Destination(t, guest, number) as dest:
            _, cookie = source.begin()
            fails(source.step, "perform", flags=LIVE, cookie=dest.prepare(cookie))
            goes_on(t, guest)
            assert dest.asked == [], step
            assert descriptors(t, guest) == before, step


@harness.test("one that fails after it: the destination is asked, and what it says is done", timeout=300)
def faults_after(t):
    guest = running_guest(t)
    for number, step in enumerate(AFTER):
        with Source(t, guest, STASIS_FAULT=f"migrate-out-{step}=fail") as source, \
                Destination(t, guest, number) as dest:
            _, cookie = source.begin()
            fails(source.step, "perform", flags=LIVE, cookie=dest.prepare(cookie))
            assert dest.asked == ["revoke"] and dest.settled == 1, f"{step}: {dest.asked}"
            goes_on(t, guest)


@harness.test("where it cannot be asked: without Perform's cookie it cannot have begun", timeout=300, once=True)
def faults_unanswered(t):
    guest = running_guest(t)
    for number, step in enumerate(AFTER):
        with Source(t, guest, STASIS_FAULT=f"migrate-out-{step}=fail") as source, \
                Destination(t, guest, number) as dest:
            _, cookie = source.begin()
            dest.answers["revoke"] = "unknown"
            answer = fails(source.step, "perform", flags=LIVE, cookie=dest.prepare(cookie))
            assert f"migrate-out-{step}" in answer["error"] and "resolve" not in answer["error"], answer
            assert dest.asked == ["revoke"], f"{step}: {dest.asked}"
            goes_on(t, guest)


@harness.test("where a dead driver's destination cannot be asked it stays paused, until it can", timeout=300, once=True)
def faults_undecided(t):
    guest = running_guest(t)
    for number, step in enumerate(AFTER):
        with Source(t, guest, STASIS_FAULT=f"migrate-out-{step}=kill") as source, \
                Destination(t, guest, number) as dest:
            _, cookie = source.begin()
            dest.answers["revoke"] = "unknown"
            source.send("perform", flags=LIVE, cookie=dest.prepare(cookie))
            assert source.process.wait(60) == -9, step
            harness.wait_for(lambda: "undecided-migration" in t.status(guest), "the supervisor to ask")
            is_undecided(t, guest)
            assert dest.settled == 0, "it asks no more"
            dest.answers["revoke"] = "revoked"
            harness.wait_for(lambda: "undecided-migration" not in t.status(guest), "it to be decided")
            harness.wait_for(lambda d=dest: d.settled == 1, "the supervisor to say that it asks no more")
            goes_on(t, guest)


@harness.test("who listens at its destination's address in its place is not believed", timeout=300, once=True)
def stranger(t):
    guest = running_guest(t)
    with Source(t, guest, STASIS_FAULT="migrate-out-completed=kill") as source, Destination(t, guest) as dest:
        _, cookie = source.begin()
        dest.believed = False
        source.send("perform", flags=LIVE, cookie=dest.prepare(cookie))
        assert source.process.wait(60) == -9
        harness.wait_for(lambda: "undecided-migration" in t.status(guest), "the supervisor to ask")
        for word in ("revoked", "begun"):
            dest.answers["revoke"] = word
            number = len(dest.asked)
            harness.wait_for(lambda n=number: len(dest.asked) > n + 2, "it to be asked again")
            is_undecided(t, guest)
        dest.answers["revoke"], dest.believed = "revoked", True
        harness.wait_for(lambda: "undecided-migration" not in t.status(guest), "it to be decided")
        goes_on(t, guest)


@harness.test("the source's driver is killed: its supervisor does the same", timeout=600)
def killed(t):
    guest = running_guest(t)
    for number, step in enumerate(BEFORE + AFTER):
        with Source(t, guest, STASIS_FAULT=f"migrate-out-{step}=kill") as source, \
                Destination(t, guest, number) as dest:
            _, cookie = source.begin()
            source.send("perform", flags=LIVE, cookie=dest.prepare(cookie))
            assert source.process.wait(60) == -9, step
            goes_on(t, guest)
            assert dest.asked == (["revoke"] if step in AFTER else []), f"{step}: {dest.asked}"


def migrated_by_hand(t, guest):
    """QEMU has sent it to somebody who throws it away, and goes on: it still says that it has completed."""
    def drain():
        connection, _ = server.accept()
        with connection:
            while connection.recv(1 << 20):
                pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drain)
        thread.start()
        command = {"execute": "migrate", "arguments": {"uri": f"tcp:127.0.0.1:{server.getsockname()[1]}"}}
        t.stasis("qemu-monitor-command", guest.name, json.dumps(command))
        harness.wait_for(lambda: t.qmp_command(guest, "query-migrate").get("status") == "completed", "QEMU")
        thread.join(60)
    harness.wait_for(lambda: t.qmp_command(guest, "query-status")["status"] == "postmigrate", "QEMU")
    t.qmp_command(guest, "cont")


@harness.test("it is killed between the steps")
def killed_between(t):
    guest = running_guest(t)
    migrated_by_hand(t, guest)
    with Source(t, guest) as source:
        source.begin()
        source.process.kill()
        source.process.wait(60)
        goes_on(t, guest)
    with Source(t, guest) as source, Destination(t, guest) as dest:
        perform(source, dest)
        dest.begin_to_run()
        source.process.kill()
        source.process.wait(60)
        has_gone(t, guest)
        assert dest.asked == ["revoke"], dest.asked


@harness.test("the client goes away between the steps")
def abandoned(t):
    guest = running_guest(t)
    with Source(t, guest) as source:
        source.begin()
        source.step("abandon")
        goes_on(t, guest)
        source.begin()
        source.end()
        goes_on(t, guest)
    with Source(t, guest) as source, Destination(t, guest) as dest:
        perform(source, dest)
        source.end()
        assert dest.asked == ["revoke"], dest.asked
        goes_on(t, guest)


@harness.test("the answer to Finish is lost")
def lost_answer(t):
    guest = running_guest(t)
    with Source(t, guest) as source, Destination(t, guest, 1) as dest:
        perform(source, dest)
        dest.close_door()
        answer = fails(source.step, "confirm", flags=LIVE, cancelled=True)
        assert "migrate-resolve" in answer["error"], answer
        is_undecided(t, guest)
        t.stasis("destroy", guest.name)
        assert "migrate-resolve" in t.stasis("start", guest.name, check=False).stderr
        t.stasis("migrate-resolve", guest.name, "--revoked")
    t.stasis("start", guest.name)
    guest.wait_for_tick(guest.last_tick() + 2)
    with Source(t, guest) as source, Destination(t, guest, 2) as dest:
        perform(source, dest)
        source.step("confirm", flags=LIVE, cancelled=True)
        assert dest.asked == ["revoke"], dest.asked
        goes_on(t, guest)
    with Source(t, guest) as source, Destination(t, guest, 3) as dest:
        perform(source, dest)
        dest.begin_to_run()
        source.step("confirm", flags=LIVE, cancelled=True)
        has_gone(t, guest)
    assert "Completed" in t.stasis("domjobinfo", guest.name, "--completed").stdout


@harness.test("what its owner could not undo, though he lives, the supervisor does", once=True)
def undone_by_another(t):
    guest = running_guest(t)
    with Source(t, guest, STASIS_FAULT="migrate-asked=fail") as source, Destination(t, guest) as dest:
        perform(source, dest)
        source.step("abandon")
        goes_on(t, guest)
        assert source.process.poll() is None
        assert set(dest.asked) == {"revoke"} and len(dest.asked) >= 2, dest.asked


@harness.test("the definition goes although nobody confirms", once=True)
def undefined_by_another(t):
    guest = running_guest(t)
    with Source(t, guest) as source, Destination(t, guest) as dest:
        perform(source, dest, flags=LIVE | UNDEFINE)
        dest.begin_to_run()
        source.process.kill()
        source.process.wait(60)
        harness.wait_for(lambda: not t.run_folder(guest).exists(), "the copy to end")
        assert guest.name not in t.stasis("list", "--all", "--name").stdout.split()
        assert not notes(t)


@harness.test("QEMU ends before the guest is the destination's, or after")
def source_dies(t):
    guest = running_guest(t)
    for number, begun in enumerate((False, True)):
        with Source(t, guest) as source, Destination(t, guest, number) as dest:
            perform(source, dest)
            if begun:
                dest.begin_to_run()
            harness.kill(t.status(guest)["qemu"]["pid"])
            source.step("confirm", flags=LIVE, cancelled=True)
            reason = "migrated" if begun else "crashed"
            assert t.domstate(guest, "--reason") == f"shut off ({reason})", t.domstate(guest, "--reason")
            assert "revoke" not in dest.asked, dest.asked
            assert dest.settled == begun, "that would revoke what may be the only copy"
        if not begun:
            assert "migrate-resolve" in t.stasis("start", guest.name, check=False).stderr
            t.stasis("migrate-resolve", guest.name, "--revoked")
            t.stasis("start", guest.name)
            guest.wait_for_tick(guest.last_tick() + 2)


if __name__ == "__main__":
    harness.main()
