#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The destination of a migration, with real QEMUs on both sides and the source played by hand."""

import json
import os

import harness
from incoming import running_guest, expect_here, expect_refused, expect_goes_on, come, expect_came_to_nothing
from migrating import LIVE, OFFLINE, PAUSED, PERSIST, POSTCOPY, Destination, Refused, Source, ask


@harness.test("a guest comes by TCP, with a disk that it writes to")
def by_tcp(t):
    guest = running_guest(t, read_only=False)
    with Destination(t) as destination:
        source = Source(t, guest)
        prepared = source.prepare(destination)
        assert prepared["uri"].startswith("tcp:127.0.0.1:49"), prepared
        assert prepared["door"] == prepared["addresses"][0] == prepared["uri"], prepared
        assert prepared["capabilities"] == ["events", "return-path"], prepared
        job = destination.status(guest.name)["job"]
        assert job["step"] == "migrate-incoming" and job["migration"]["token"] == source.token, job
        state = destination.stasis("domstate", guest.name, "--reason").stdout.strip()
        assert state == "paused (migrating)", state
        info = destination.stasis("domjobinfo", guest.name).stdout
        assert "migrat" in info.lower(), info
        assert ask(prepared["door"], source.token, "status") == "waiting"
        source.send(prepared)
        assert destination.verdict(source.token) == "open"
        answer = destination.finish(guest.name, source.final())
        assert answer["domain"] == guest.name
        final = json.loads(answer["cookie"])["final"]
        assert final["begun"] and final["dest-run-us"] > 0 and final["source-run-us"] == 1000, final
        source.end()
        expect_here(destination, guest, source.token)
        assert not any(one["state"] for one in destination.query(guest.name, "query-migrate-capabilities"))
        for question in ("status", "revoke"):
            assert ask(prepared["door"], source.token, question) == "begun"
        destination.stasis("destroy", guest.name)


@harness.test("a paused guest stays paused, whoever says so")
def paused(t):
    for number, (flags, finish_flags, facts) in enumerate((
            (LIVE | PAUSED, LIVE, {}), (LIVE, LIVE, {"run-state": "paused"}))):
        guest = running_guest(t, name=f"guest{number}")
        with Destination(t) as destination:
            come(t, destination, guest, flags, facts, finish_flags)
            last = guest.last_tick()
            assert destination.stasis("domstate", guest.name).stdout.strip() == "paused"
            assert "job" not in destination.status(guest.name)
            destination.stasis("resume", guest.name)
            guest.wait_for_tick(last + 2)
            destination.stasis("destroy", guest.name)


@harness.test("its definition comes along where that was asked for, under another name too", once=True)
def persistent(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        xml = Source(t, guest).xml.replace(f"<name>{guest.name}</name>",
                                           f"<name>{guest.name}</name><title>kept</title>")
        source, _, _ = come(t, destination, guest, LIVE | PERSIST, dname="another", persistent=xml)
        last = guest.last_tick()
        guest.wait_for_tick(last + 2)
        assert destination.verdict(source.token) == "begun"
        text = destination.definition("another").read_text()
        assert "<name>another</name>" in text and "<title>kept</title>" in text, text
        destination.stasis("destroy", "another")
        assert "another" in destination.stasis("list", "--all", "--name").stdout
        assert "yes" in destination.stasis("dominfo", "another").stdout.split("Persistent:")[1].splitlines()[0]


@harness.test("without that nothing is left of it once it ends", once=True)
def transient(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        come(t, destination, guest)
        destination.stasis("destroy", guest.name)
        destination.expect_nothing(guest.name)


@harness.test("cookies that make no sense are refused, and nothing is started", once=True)
def bad_cookies(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source = Source(t, guest)
        for cookie in ("", "none of ours", source.cookie(), source.begin().replace('"begin"', '"start"'),
                       source.begin().replace(source.token, "ab" * 8)):
            arguments = source.prepare_arguments() | {"cookie": cookie}
            expect_refused(lambda a=arguments: destination.call("prepare", **a), "migration cookie")
            destination.expect_nothing(guest.name)
        assert destination.verdict(source.token) == "open"
    expect_goes_on(t, guest)


@harness.test("a name, a UUID or a running domain that is here already refuses it", once=True)
def taken(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source = Source(t, guest)
        other = t.boot_sector_guest(name="other")
        destination.stasis("define", other.xml_file())
        expect_refused(lambda: source.prepare(destination, dname="other"), "already exists")
        arguments = source.prepare_arguments()
        come(t, destination, guest)
        guest.wait_for_tick(guest.last_tick() + 2)
        expect_refused(lambda: destination.call("prepare", **arguments), "running")
        guest.wait_for_tick(guest.last_tick() + 2)
        destination.stasis("destroy", guest.name)


@harness.test("the source takes it back before Finish")
def revoked(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source = Source(t, guest)
        prepared = source.prepare(destination)
        source.send(prepared)
        assert ask(prepared["door"], source.token, "revoke") == "revoked"
        expect_came_to_nothing(t, destination, source)
        assert ask(prepared["door"], source.token, "status") == "revoked"
        expect_refused(lambda: destination.finish(guest.name, source.final()), "kept")
        expect_goes_on(t, guest)
        expect_refused(lambda: destination.finish(guest.name, source.final()), "no migration")
        expect_refused(lambda: destination.call("prepare", **source.prepare_arguments()), "decided already")
        destination.expect_nothing(guest.name)


@harness.test("whoever prepared it goes away")
def abandoned(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source = Source(t, guest)
        source.send(source.prepare(destination))
        destination.call("abandon", name=guest.name)
        expect_came_to_nothing(t, destination, source)
        destination.call("abandon", name=guest.name)  # nothing
        source = Source(t, guest)
        source.prepare(destination)
    expect_came_to_nothing(t, destination, source)
    expect_goes_on(t, guest)


@harness.test("the destination's driver is killed: the supervisor revokes")
def killed(t):
    guest = running_guest(t)
    destination = Destination(t)
    source = Source(t, guest)
    source.send(source.prepare(destination))
    destination.kill()
    expect_came_to_nothing(t, destination, source)
    expect_goes_on(t, guest)


@harness.test("QEMU of the destination is killed")
def qemu_killed(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source = Source(t, guest)
        source.start(source.prepare(destination), max_bandwidth=1000)
        harness.kill(destination.status(guest.name)["qemu"]["pid"])
        expect_came_to_nothing(t, destination, source)
        expect_refused(lambda: destination.finish(guest.name, source.final()), "QEMU")
    expect_goes_on(t, guest)


@harness.test("QEMU of the source is killed in the middle")
def cut_off(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source = Source(t, guest)
        source.start(source.prepare(destination), max_bandwidth=1000)
        harness.kill(t.status(guest)["qemu"]["pid"])
        expect_came_to_nothing(t, destination, source)
        expect_refused(lambda: destination.finish(guest.name, source.final()), "QEMU")


@harness.test("Finish says that it was cancelled, or brings no word of the source's")
def cancelled(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        for arguments, word in (({"cancelled": True, "cookie": None}, "cancelled"), ({"cookie": None}, "not said"),
                                ({"cookie": ""}, "not said"), ({"cookie": "nonsense"}, "cookie"), ({}, "not said")):
            source = Source(t, guest)
            source.prepare(destination)
            arguments = {"cookie": source.cookie()} | arguments
            expect_refused(lambda a=arguments: destination.finish(guest.name, **a), word)
            expect_came_to_nothing(t, destination, source)
        source, other = Source(t, guest), Source(t, guest)
        source.prepare(destination)
        expect_refused(lambda: destination.finish(guest.name, other.final()), "migration")
        assert destination.verdict(source.token) == "open"  # it was not for that one
        expect_refused(lambda: destination.finish(guest.name, None, cancelled=True), "cancelled")
        expect_came_to_nothing(t, destination, source)
        expect_refused(lambda: destination.finish(guest.name, None, cancelled=True), "no migration")
    expect_goes_on(t, guest)


@harness.test("Finish waits for QEMU, until whoever called it goes away")
def finish_abandoned(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source = Source(t, guest)
        source.start(source.prepare(destination), max_bandwidth=1000)
        number = destination.begin("finish", name=guest.name, flags=LIVE, cookie=source.final())
        harness.wait_for(lambda: "finish" in destination.stasis("domjobinfo", guest.name).stdout
                         or number in destination.answers, "Finish to wait")
        destination.call("abandon", name=guest.name)
        expect_refused(lambda: destination.answer(number))
        expect_came_to_nothing(t, destination, source)
    expect_goes_on(t, guest)


@harness.test("it is taken back while Finish waits")
def finish_revoked(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source = Source(t, guest)
        prepared = source.prepare(destination)
        source.start(prepared, max_bandwidth=1000)
        number = destination.begin("finish", name=guest.name, flags=LIVE, cookie=source.final())
        assert ask(prepared["door"], source.token, "revoke") == "revoked"
        expect_refused(lambda: destination.answer(number), "kept")
        expect_came_to_nothing(t, destination, source)
    expect_goes_on(t, guest)


@harness.test("domjobabort and destroy at the destination")
def aborted(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        for command in ("domjobabort", "destroy"):
            source = Source(t, guest)
            source.prepare(destination)
            destination.stasis(command, guest.name)
            expect_came_to_nothing(t, destination, source)
            expect_refused(lambda s=source: destination.finish(guest.name, s.final()))
    expect_goes_on(t, guest)


@harness.test("a step of Prepare fails: nothing is left", once=True)
def prepare_fails(t):
    guest = running_guest(t)
    for step, verdict in (("migrate-in-held", "open"), ("start-spawned", "open"), ("start-launched", "open"),
                          ("migrate-in-started", "open"), ("migrate-in-told", "open"),
                          ("migrate-in-journal", "revoked"), ("migrate-in-listening", "revoked"),
                          ("migrate-in-prepared", "revoked")):
        with Destination(t, fault=f"{step}=fail") as destination:
            source = Source(t, guest)
            expect_refused(lambda s=source, d=destination: s.prepare(d), step)
            expect_came_to_nothing(t, destination, source, verdict)
            expect_refused(lambda: destination.finish(guest.name, source.final()), "no migration")
    expect_goes_on(t, guest)


@harness.test("the destination dies at a step of Prepare: nothing is left", once=True)
def prepare_dies(t):
    guest = running_guest(t)
    for step, verdict in (("migrate-in-held", "open"), ("migrate-in-started", "open"), ("migrate-in-told", "open"),
                          ("migrate-in-journal", "revoked"), ("migrate-in-listening", "revoked"),
                          ("migrate-in-prepared", "revoked")):
        destination = Destination(t, fault=f"{step}=kill")
        source = Source(t, guest)
        try:
            source.prepare(destination)
            raise RuntimeError("it was prepared")
        except AssertionError as error:
            assert "has ended" in str(error), error
        expect_came_to_nothing(t, destination, source, verdict)
    expect_goes_on(t, guest)


@harness.test("a step of Finish fails before it is decided: nothing is left")
def finish_fails(t):
    guest = running_guest(t)
    for step in ("migrate-in-finish", "migrate-in-loaded", "migrate-in-committed"):
        with Destination(t, fault=f"{step}=fail") as destination:
            source = Source(t, guest)
            source.send(source.prepare(destination, flags=LIVE | PERSIST))
            expect_refused(lambda s=source, d=destination: d.finish(guest.name, s.final()), step)
            expect_came_to_nothing(t, destination, source)
            expect_goes_on(t, guest)


@harness.test("the destination dies at a step of Finish: it has the guest, or nothing is left")
def finish_dies(t):
    for step, has_begun in (("migrate-in-loaded", False), ("migrate-in-committed", False),
                            ("migrate-verdict", True), ("migrate-in-decided", True), ("migrate-in-begun", True),
                            ("migrate-in-running", True), ("migrate-persist", True)):
        guest = running_guest(t, name=step)
        destination = Destination(t, fault=f"{step}=kill")
        source = Source(t, guest)
        source.send(source.prepare(destination, flags=LIVE | PERSIST))
        try:
            destination.finish(guest.name, source.final())
            raise RuntimeError("it was finished")
        except AssertionError as error:
            assert "has ended" in str(error), error
        if not has_begun:
            expect_came_to_nothing(t, destination, source)
            expect_goes_on(t, guest)
            t.stasis("destroy", guest.name)
            continue
        source.end()
        if step == "migrate-persist":  # where its supervisor dies as well
            harness.wait_for(lambda d=destination: not any("supervisor" in text for text in d.processes().values()),
                             "the supervisor to die")
            destination.stasis("domstate", guest.name)
        harness.wait_for(lambda d=destination, g=guest: "job" not in d.status(g.name), "somebody to finish it")
        expect_here(destination, guest, source.token)
        assert destination.definition(guest.name).exists()
        assert not (destination.run_folder(guest.name) / "definition.incoming").exists()
        destination.stasis("destroy", guest.name)


@harness.test("a definition that cannot be stored costs no guest", once=True)
def persist_fails(t):
    guest = running_guest(t)
    with Destination(t, fault="migrate-persist=fail") as destination:
        source = Source(t, guest)
        source.send(source.prepare(destination, flags=LIVE | PERSIST))
        expect_refused(lambda: destination.finish(guest.name, source.final()), "has come here, but", "definition")
        source.end()
        expect_here(destination, guest, source.token)
        destination.stasis("destroy", guest.name)


def postcopy_to(t, config):
    guest = running_guest(t)
    with Destination(t, config=config) as destination:
        source = Source(t, guest)
        flags = LIVE | POSTCOPY
        prepared = source.prepare(destination, flags=flags, needed=["postcopy-ram"])
        assert "postcopy-ram" in prepared["capabilities"] and "postcopy-preempt" not in prepared["capabilities"]
        source.start(prepared, max_bandwidth=200000)
        source.wait_until("active")
        source.open_monitor().command("migrate-start-postcopy")
        source.wait_until("postcopy-active")
        destination.finish(guest.name, source.final(), flags=flags)
        source.wait_until("completed")
        source.end()
        expect_here(destination, guest, source.token)
        assert not any(one["state"] for one in destination.query(guest.name, "query-migrate-capabilities"))
        links = harness.open_files(destination.status(guest.name)["qemu"]["pid"])
        assert links.count("/dev/userfaultfd") <= 1, links  # QEMU keeps one of its own
        destination.stasis("destroy", guest.name)


@harness.test("in postcopy Finish lets it run before all of it is there")
def postcopy(t):
    try:
        postcopy_to(t, "[security]\nuid-count=0\n")
    except Refused as refused:
        raise harness.Skip(str(refused)) if "serfault" in str(refused) else refused


@harness.test("so it does where QEMU has a user of its own, who may make no userfaultfd")
def postcopy_user(t):
    if os.geteuid() != 0 or not os.path.exists("/dev/userfaultfd"):
        raise harness.Skip("only root, and Linux 6.1, can hand /dev/userfaultfd over")
    postcopy_to(t, "")


@harness.test("offline only the definition comes", once=True)
def offline(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        for is_cancelled in (True, False):
            source = Source(t, guest)
            source.prepare(destination, flags=OFFLINE | PERSIST, listen=None)
            destination.expect_nothing(guest.name)
            if is_cancelled:
                expect_refused(lambda: destination.finish(guest.name, None, flags=OFFLINE | PERSIST, cancelled=True),
                               "cancelled")
                destination.expect_nothing(guest.name)
                continue
            answer = destination.finish(guest.name, None, flags=OFFLINE | PERSIST)
            assert json.loads(answer["cookie"])["final"]["begun"], answer
            assert destination.verdict(source.token) == "begun"
            assert destination.definition(guest.name).exists()
            assert not destination.run_folder(guest.name).exists()


HOOK = """#!/bin/sh
echo "$@" >> {log}
case $2 in
  migrate) sed 's|<title>.*</title>||; s|</name>|</name><title>from a hook</title>|' ;;
  {refuse}) echo "not today" >&2; exit 1 ;;
esac
"""


def add_hook(destination, log, refuse="none"):
    folder = destination.state / "config" / "hooks"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "qemu").write_text(HOOK.format(log=log, refuse=refuse))
    (folder / "qemu").chmod(0o700)


@harness.test("hooks are called as libvirt calls them, and may change the definition", once=True)
def hooks(t):
    guest = running_guest(t)
    log = t.dir / "hooks.log"
    with Destination(t) as destination:
        add_hook(destination, log)
        source, _, _ = come(t, destination, guest)
        expect_here(destination, guest, source.token)
        name = guest.name
        assert log.read_text().splitlines() == [f"{name} {what} begin -" for what in
                                                ("migrate", "prepare", "start", "started")], log.read_text()
        assert "<title>from a hook</title>" in destination.stasis("dumpxml", name).stdout
        destination.stasis("destroy", name)


@harness.test("a hook refuses", once=True)
def hooks_refuse(t):
    guest = running_guest(t)
    log = t.dir / "hooks.log"
    with Destination(t) as destination:
        for what in ("migrate", "prepare", "start", "started"):
            add_hook(destination, log, what)
            if what == "migrate":
                text = (destination.state / "config" / "hooks" / "qemu").read_text()
                text = text.replace("  migrate) sed", "  nothing) sed")
                (destination.state / "config" / "hooks" / "qemu").write_text(text)
            source = Source(t, guest)
            expect_refused(lambda s=source: s.prepare(destination), "not today")
            expect_came_to_nothing(t, destination, source, "open")
        ends = [line.split()[1] for line in log.read_text().splitlines() if line.split()[1] in ("stopped", "release")]
        assert ends == ["stopped", "release"] * 3 or ends == ["release", "stopped", "release", "stopped", "release"], \
            log.read_text()
    expect_goes_on(t, guest)


if __name__ == "__main__":
    harness.main()
