#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real virsh, and stasis, migrate a guest between two daemons, each with a state directory of its own."""

import json
import xml.etree.ElementTree

import wire
from peers import (BEGIN, CONFIRM, FINISH, PERFORM, PREPARE, begin, begin_slowly, expect_at, expect_nothing_at,
                   fails, hosts, migrates_after_all, octets, perform, prepare, reload, running_guest)
from served import harness
from wire import Client, u32


@harness.test("virsh migrates a guest back and forth, client-managed")
def client_managed(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        for _ in range(2):
            one.virsh("migrate", "--live", guest.name, two.uri())
            expect_at(guest, two, one)
            two.virsh("migrate", "--live", "--verbose", guest.name, one.uri())
            expect_at(guest, one, two)
        assert two.names("--all") == [] and one.names("--all") == [guest.name]
        for host in (one, two):
            assert not list((host.state / "lib" / "migrations").glob("*.prepared")), "somebody may still ask"


@harness.test("virsh migrates a guest back and forth, peer-to-peer")
def peer_to_peer(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        # As the source's daemon reaches it: libvirt's names of URIs are ours, too.
        for here, there in ((one, two), (two, one)) * 2:
            here.virsh("migrate", "--live", "--p2p", guest.name, there.peer())
            expect_at(guest, there, here)


@harness.test("virsh's flags say what is left at either end")
def flags(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one, persistent=True)
        one.virsh("migrate", "--live", "--persistent", guest.name, two.uri())
        expect_at(guest, two, one)
        assert one.names("--all") == [guest.name] and one.says("domstate", guest.name, "--reason") == "shut off (migrated)"
        two.virsh("migrate", "--live", "--persistent", "--undefinesource", "--suspend", guest.name, one.uri())
        expect_at(guest, one, two, state="paused")
        assert two.names("--all") == []
        one.virsh("resume", guest.name)
        one.virsh("migrate", "--live", "--persistent", "--undefinesource", "--dname", "other", guest.name, two.uri())
        assert one.names("--all") == [] and two.names() == ["other"]
        guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("without --live the guest stands still meanwhile; a paused one stays paused")
def still(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        one.virsh("migrate", guest.name, two.uri())
        expect_at(guest, two, one)
        two.virsh("suspend", guest.name)
        two.virsh("migrate", "--live", guest.name, one.uri())
        expect_at(guest, one, two, state="paused")
        one.virsh("resume", guest.name)
        expect_at(guest, one, two)


@harness.test("a destination that has the name already says so, and nothing has happened")
def taken(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        xml = guest.xml_file().read_text(encoding="utf-8")
        begin, _, rest = xml.partition("<uuid>")
        other = t.dir / "other.xml"
        other.write_text((begin + rest.partition("</uuid>")[2]) if rest else xml, encoding="utf-8")
        two.virsh("define", other)
        said = fails(lambda: one.virsh("migrate", "--live", guest.name, two.uri()))
        assert guest.name in said and "error:" in said, said
        expect_at(guest, one, two)
        said = fails(lambda: one.virsh("migrate", "--live", "--p2p", guest.name, two.peer()))
        assert "prepare at" in said, said
        expect_at(guest, one, two)


@harness.test("virsh sets and gets the limits, before and while it goes on", timeout=400)
def limits(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        assert one.says("migrate-getspeed", guest.name) == "8796093022207"
        assert one.says("migrate-getmaxdowntime", guest.name) == "300"
        one.virsh("migrate-setspeed", guest.name, 1)
        one.virsh("migrate-setmaxdowntime", guest.name, 400)
        virsh = begin_slowly(one, guest, two, bandwidth=None)
        got = one.says("migrate-getspeed", guest.name), one.says("migrate-getmaxdowntime", guest.name)
        assert got == ("1", "400"), got
        one.virsh("migrate-setmaxdowntime", guest.name, 500)
        one.virsh("migrate-compcache", guest.name, "--size", 1 << 20)
        assert one.says("migrate-compcache", guest.name) == "Compression cache: 1.000 MiB"
        one.virsh("migrate-setspeed", "--postcopy", guest.name, 5)
        assert one.says("migrate-getspeed", "--postcopy", guest.name) == "5"
        assert one.says("migrate-getmaxdowntime", guest.name) == "500"
        assert "less than" in fails(lambda: one.virsh("migrate-setspeed", guest.name, 8796093022208))
        one.virsh("migrate-setspeed", guest.name, 0)
        _, said = virsh.communicate(timeout=120)
        assert virsh.returncode == 0, said
        expect_at(guest, two, one)
        assert two.says("migrate-getspeed", guest.name) == "8796093022207"
        assert "not running" in fails(lambda: limits_of_one_that_is_off(t, one))


def limits_of_one_that_is_off(t, host):
    guest = t.boot_sector_guest(name="off")
    host.virsh("define", guest.xml_file())
    host.virsh("migrate-setspeed", guest.name, 3)
    assert host.says("migrate-getspeed", guest.name) == "3"
    host.virsh("migrate-setmaxdowntime", guest.name, 3)


@harness.test("--timeout pauses a guest that does not come to an end: virsh's, and stasis's", timeout=400)
def timed_out(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        slow = ["--live", "--bandwidth", "1", "--timeout", "1"]
        virsh = begin_slowly(one, guest, two, "--timeout", "1", "--timeout-suspend")
        harness.wait_for(lambda: one.says("domstate", guest.name) == "paused" or virsh.poll() is not None, "the pause")
        one.virsh("migrate-setspeed", guest.name, 0, check=False)
        _, said = virsh.communicate(timeout=300)
        assert virsh.returncode == 0, said
        expect_at(guest, two, one)
        for more in ([], ["--p2p"]):
            here, there = (two, one) if not more else (one, two)
            said = t.stasis("-c", here.peer(), "migrate", guest.name, there.peer(), *slow, *more)
            assert "the guest stands still now" in said.stderr, said.stderr
            expect_at(guest, there, here)
        for options, what in ((["--timeout", "1"], "offline"), (["--live", "--timeout-suspend"], "without --timeout"),
                              (["--live", "--timeout", "0"], "seconds"), (["--live", "--timeout", "x"], "malformed")):
            said = two.stasis("migrate", guest.name, one.peer(), *options, check=False)
            assert said.returncode == 1 and what in said.stderr, said.stderr


def picture(path):
    """Its elements, by name."""
    root = xml.etree.ElementTree.parse(path).getroot()
    assert root.tag.endswith("}svg"), root.tag
    return [element.tag.partition("}")[2] for element in root.iter()]


@harness.test("a report is drawn of a migration, also of one that failed, and its statistics are told")
def report(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        file = t.dir / "report.svg"
        said = t.stasis("-c", one.peer(), "migrate", guest.name, two.peer(), "--live", "--json", "--report", file)
        told = json.loads(said.stdout)
        assert told["state"] == "completed" and told["pause_us"] > 0 and told["passes"] > 0, told
        assert picture(file).count("polyline") == 3 and "downtime" in file.read_text(), file.read_text()
        expect_at(guest, two, one)
        said = t.stasis("-c", two.peer(), "migrate", guest.name, two.peer(), "--live", "--report", file, check=False)
        assert said.returncode == 1 and "failed: " in file.read_text() and picture(file), said.stderr
        said = t.stasis("-c", two.peer(), "migrate", guest.name, one.peer(), "--live", "--report", t.dir / "no" / "file")
        assert "no report" in said.stderr and not (t.dir / "no").exists(), said.stderr
        expect_at(guest, one, two)


def job_of(text):
    """What virsh's domjobinfo, or ours, says: its lines by name."""
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


@harness.test("domjobinfo tells of a migration at both ends, while it goes on and after it: virsh's, and ours", timeout=400)
def job_info(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one, persistent=True)
        virsh = begin_slowly(one, guest, two)
        for says in (one.says, lambda *words: one.stasis(*words).stdout):
            # A pass has begun as soon as QEMU is at it.
            harness.wait_for(lambda says=says: "Iteration" in job_of(says("domjobinfo", guest.name)), "the first pass")
            told = job_of(says("domjobinfo", guest.name))
            assert "outgoing migration" in told["Operation"].lower() or told["Operation"] == "Migrate-out", told
            assert "bounded" in told["Job type"].lower() and "Memory remaining" in told and "Time elapsed" in told, told
        for says in (two.says, lambda *words: two.stasis(*words).stdout):
            told = job_of(says("domjobinfo", guest.name))
            assert "incoming migration" in told["Operation"].lower() or told["Operation"] == "Migrate-in", told
        one.virsh("migrate-setspeed", guest.name, 0)
        _, said = virsh.communicate(timeout=300)
        assert virsh.returncode == 0, said
        for host in (one, two):
            for text in (host.says("domjobinfo", guest.name, "--completed", "--keep-completed"),
                         host.stasis("domjobinfo", guest.name, "--completed").stdout):
                told = job_of(text)
                assert told["Job type"] == "Completed" and int(told["Time elapsed"].split()[0]) > 0, (host.number, told)
                assert int(told["Total downtime"].split()[0]) > 0 and told["Memory total"], (host.number, told)
        expect_at(guest, two, one)


@harness.test("domjobabort ends it, and the guest goes on", timeout=400)
def aborted(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        for options in ((), ("--p2p",)):
            virsh = begin_slowly(one, guest, two, *options)
            one.virsh("domjobabort", guest.name)
            _, said = virsh.communicate(timeout=60)
            assert virsh.returncode == 1 and "error:" in said, said
            expect_at(guest, one, two)
            expect_nothing_at(guest, two)
        migrates_after_all(guest, one, two)


@harness.test("one whose memory is gone over many times in a second tells how it goes, and is aborted", timeout=400)
def aborted_late(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one, pages=32)  # 128 KiB, ten times a second: a pass takes longer than that
        one.virsh("migrate-setmaxdowntime", guest.name, 1)
        virsh = begin_slowly(one, guest, two)

        def passes():
            words = one.says("domjobinfo", guest.name, check=False).partition("Iteration:")[2].split()
            return int(words[0]) if words else 0
        harness.wait_for(lambda: passes() > 20 or virsh.poll() is not None, "some passes", 120)
        before = passes()
        harness.wait_for(lambda: passes() > before or virsh.poll() is not None, "to hear of more")
        assert virsh.poll() is None, virsh.communicate()
        one.virsh("domjobabort", guest.name)
        virsh.communicate(timeout=60)
        assert virsh.returncode == 1
        expect_at(guest, one, two)
        expect_nothing_at(guest, two)


@harness.test("the destination's daemon is killed in Perform: the guest goes on")
def destination_killed(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        virsh = begin_slowly(one, guest, two)
        harness.kill(two.daemon.process.pid)
        two.daemon.process.wait()
        _, said = virsh.communicate(timeout=120)
        assert virsh.returncode == 1, said
        two.start()
        expect_at(guest, one, two)
        expect_nothing_at(guest, two)
        migrates_after_all(guest, one, two)


@harness.test("virsh is killed in Perform: both ends give up, and the guest goes on")
def client_killed(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        virsh = begin_slowly(one, guest, two)
        virsh.kill()
        virsh.communicate()
        expect_nothing_at(guest, two)
        harness.wait_for(lambda: "None" in one.says("domjobinfo", guest.name), "the migration to end")
        expect_at(guest, one, two)
        migrates_after_all(guest, one, two)


@harness.test("virsh is killed in Perform of --p2p: the migration goes on")
def client_of_peers_killed(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one, pages=16)
        virsh = begin_slowly(one, guest, two, "--p2p")
        virsh.kill()
        virsh.communicate()
        harness.wait_for(lambda: two.says("domstate", guest.name, check=False) == "running", "the guest to arrive")
        expect_at(guest, two, one)


@harness.test("a daemon that reads its configuration between the steps loses none, and a Finish that comes twice is told so")
def anew_and_twice(t):
    with hosts(t) as (one, two), Client(one.daemon.socket) as source, Client(two.daemon.socket) as destination:
        guest = running_guest(t, one)
        domain = source.lookup(guest.name)
        cookie, xml = begin(source, domain)
        reload(one)
        cookie, uri = prepare(destination, cookie, xml)
        final = perform(source, domain, cookie, uri)
        reload(one)
        arguments = u32(1) + wire.parameter("destination_name", guest.name) + octets(final) + u32(1) + u32(0)
        for _ in range(2):
            destination.ask(FINISH, arguments)
        replies = [destination.receive() for _ in range(2)]
        assert sorted(reply.status for reply in replies) == [wire.OK, wire.ERROR], replies
        assert [reply.code for reply in replies if reply.status == wire.ERROR] == [55], replies
        reply = source.call(CONFIRM, domain + u32(0) + octets(b"") + u32(1) + u32(0))
        assert reply.status == wire.OK, reply.message
        expect_at(guest, two, one)


@harness.test("a Perform that fails early leaves the guest to others, and a definition of another name is refused")
def fails_early(t):
    with hosts(t) as (one, two), Client(one.daemon.socket) as source:
        guest = running_guest(t, one)
        domain = source.lookup(guest.name)
        begin(source, domain)
        assert source.call(PERFORM, domain + u32(0) + u32(0) + octets(b"") + u32(1)).code == 8
        one.virsh("suspend", guest.name)
        one.virsh("resume", guest.name)
        other = t.dir / "other.xml"
        other.write_text(one.says("dumpxml", "--migratable", guest.name).replace(f"<name>{guest.name}<", "<name>other<"))
        said = fails(lambda: one.virsh("migrate", "--live", "--xml", other, guest.name, two.uri()))
        assert "--dname" in said, said
        expect_nothing_at(guest, two)
        one.virsh("migrate", "--live", "--auto-converge", "--auto-converge-initial", 20, "--auto-converge-increment", 5,
                  guest.name, two.uri())
        expect_at(guest, two, one)


@harness.test("what makes no sense is refused with libvirt's codes, and readers may not")
def refused(t):
    with hosts(t) as (one, two), Client(one.daemon.socket) as client, Client(f"{one.daemon.socket}-ro") as reader:
        guest = running_guest(t, one)
        domain = client.lookup(guest.name)
        unknown = u32(1) + wire.parameter("no_such_thing", "x")
        nothing = u32(0)
        for code, number, arguments in (
                (74, BEGIN, domain + unknown + u32(1)),
                (8, BEGIN, domain + nothing + u32(1 << 21)),
                (67, BEGIN, domain + nothing + u32(0x8040)),
                (8, PREPARE, nothing + octets(b"") + u32(1)),
                (8, PERFORM, domain + u32(0) + nothing + octets(b"") + u32(1)),
                (8, PERFORM, domain + wire.optional("x") + nothing + octets(b"") + u32(1)),
                (8, FINISH, nothing + octets(b"") + u32(1) + u32(0)),
                (93, FINISH, u32(1) + wire.parameter("destination_name", "x") + octets(b"") + u32(1) + u32(1)),
                (55, FINISH, u32(1) + wire.parameter("destination_name", "x") + octets(b"") + u32(1) + u32(0)),
                (55, CONFIRM, domain + nothing + octets(b"") + u32(1) + u32(0))):
            reply = client.call(number, arguments)
            assert reply.status == wire.ERROR and reply.code == code, (number, reply.status, reply.code, reply.message)
            reply = reader.call(number, arguments)
            assert reply.code == wire.CODE_DENIED, reply.message
        expect_at(guest, one, two)


@harness.test("stasis migrates a guest, as a client of both daemons, embedded, and peer-to-peer")
def by_stasis(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        said = t.stasis("-c", one.peer(), "migrate", guest.name, two.peer(), "--live", "--verbose")
        assert f"Domain '{guest.name}' migrated to {two.peer()}" in said.stdout, said.stdout
        expect_at(guest, two, one)
        two.stasis("migrate", guest.name, one.peer(), "--live")
        expect_at(guest, one, two)
        t.stasis("-c", one.peer(), "migrate", guest.name, two.peer(), "--live", "--p2p")
        expect_at(guest, two, one)
        two.stasis("migrate", guest.name, one.peer(), "--live", "--p2p", "--persistent")
        expect_at(guest, one, two)
        assert one.names("--all", "--persistent") == [guest.name]
        said = t.stasis("-c", one.peer(), "migrate", guest.name, two.peer(), "--direct", check=False)
        assert said.returncode == 1 and "--direct" in said.stderr, said.stderr
        for option in (["--copy-storage-all", "--postcopy"],):
            said = t.stasis("-c", one.peer(), "migrate", guest.name, two.peer(), "--live", *option, check=False)
            assert said.returncode == 1 and "not supported yet" in said.stderr, said.stderr
        said = t.stasis("-c", one.peer(), "migrate", guest.name, one.peer(), "--live", check=False)
        assert said.returncode == 1 and "prepare at" in said.stderr, said.stderr
        expect_at(guest, one, two)


if __name__ == "__main__":
    harness.main()
