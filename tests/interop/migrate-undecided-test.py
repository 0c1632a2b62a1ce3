#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A source that does not know whose its guest is: who tells it, and who cannot."""

import contextlib
import json
import signal
import socket
import threading

import wire
from peers import (CONFIRM, FINISH, begin, begin_slowly, expect_at, expect_nothing_at, fails, hosts,
                   migrates_after_all, octets, perform, prepare, reload, running_guest)
from served import harness
from wire import Client, u32

VERDICT = 60  # of our own program
TOKEN = "00112233445566778899aabbccddeeff"


@harness.test("a client that goes away between two steps leaves nothing behind")
def gone_between(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        for steps in ("begin", "prepare", "perform"):
            with Client(one.daemon.socket) as source, Client(two.daemon.socket) as destination:
                domain = source.lookup(guest.name)
                cookie, xml = begin(source, domain)
                said = fails(lambda: one.virsh("migrate", "--live", guest.name, two.uri()))
                assert "busy" in said or "migrat" in said, said
                if steps != "begin":
                    cookie, uri = prepare(destination, cookie, xml)
                    assert guest.name in two.names("--all") or (two.state / "run/domains" / guest.name).exists()
                if steps == "perform":
                    perform(source, domain, cookie, uri)
            expect_nothing_at(guest, two)
            harness.wait_for(lambda: one.says("domstate", guest.name) == "running", "the guest to go on")
            expect_at(guest, one, two)
        harness.wait_for(lambda: one.virsh("suspend", guest.name, check=False).returncode == 0, "the guest to stand")
        harness.wait_for(lambda: one.virsh("resume", guest.name, check=False).returncode == 0, "the lock")
        migrates_after_all(guest, one, two)


@harness.test("a client that goes away takes no later migration of that domain along")
def gone_late(t):
    with hosts(t) as (one, two), Client(one.daemon.socket) as source, Client(two.daemon.socket) as destination:
        guest = running_guest(t, one)
        domain = source.lookup(guest.name)
        with Client(two.daemon.socket) as former:
            cookie, xml = begin(source, domain)
            prepare(former, cookie, xml)
            status = json.loads((two.state / "run/domains" / guest.name / "status.json").read_text())
            harness.kill(status["qemu"]["pid"])
            expect_nothing_at(guest, two)
            assert source.call(CONFIRM, domain + u32(0) + octets(b"") + u32(1) + u32(1)).status == wire.OK
            cookie, xml = begin(source, domain)
            cookie, uri = prepare(destination, cookie, xml)
        final = perform(source, domain, cookie, uri)
        arguments = u32(1) + wire.parameter("destination_name", guest.name) + octets(final) + u32(1) + u32(0)
        reply = destination.call(FINISH, arguments)
        assert reply.status == wire.OK, reply.message
        reply = source.call(CONFIRM, domain + u32(0) + octets(b"") + u32(1) + u32(0))
        assert reply.status == wire.OK, reply.message
        expect_at(guest, two, one)


class Stranger:
    """Somebody who listens where a destination did, and says what he likes."""

    def __init__(self, uri, word):
        self.listener, self.word, self.asked = socket.create_server(("127.0.0.1", int(uri.rsplit(":", 1)[1]))), word, 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection = self.listener.accept()[0]
                with connection, contextlib.suppress(OSError):
                    connection.recv(55, socket.MSG_WAITALL)
                    connection.sendall(b"ok\n")
                    connection.recv(106, socket.MSG_WAITALL)
                    self.asked += 1
                    connection.sendall(f"{self.word:7} {'0' * 64}\n".encode())

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def is_undecided(host, guest):
    return host.stasis("domstate", guest.name, "--reason").stdout.strip() == "paused (migration undecided)"


@harness.test("a source that could not ask is told by the next daemon, and by nobody who listens there meanwhile")
def undecided_through_restart(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        with Client(one.daemon.socket) as source, Client(two.daemon.socket) as destination:
            domain = source.lookup(guest.name)
            cookie, xml = begin(source, domain)
            cookie, uri = prepare(destination, cookie, xml)
            perform(source, domain, cookie, uri)
            two.daemon.stop(signal.SIGKILL)
            stranger = Stranger(uri, "revoked")
        harness.wait_for(lambda: is_undecided(one, guest), "the source to be undecided")
        for stranger.word in ("revoked", "begun", "waiting"):
            before = stranger.asked
            harness.wait_for(lambda n=before: stranger.asked > n + 1, "the source to ask")
        assert is_undecided(one, guest), one.stasis("domstate", guest.name, "--reason").stdout
        stranger.close()
        two.start()
        harness.wait_for(lambda: one.says("domstate", guest.name) == "running", "the source to hear of it")
        expect_nothing_at(guest, two)
        expect_at(guest, one, two)
        migrates_after_all(guest, one, two)


@harness.test("migrations after a daemon's end come in at the port that it has left")
def same_port(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        ports = set()
        for _ in range(3):
            with Client(one.daemon.socket) as source, Client(two.daemon.socket) as destination:
                cookie, xml = begin(source, source.lookup(guest.name))
                ports.add(prepare(destination, cookie, xml)[1].rsplit(":", 1)[1])
                two.daemon.stop(signal.SIGKILL)
            two.start()
            expect_nothing_at(guest, two)
            harness.wait_for(lambda: one.virsh("suspend", guest.name, check=False).returncode == 0, "the lock")
            one.virsh("resume", guest.name)
        assert len(ports) == 1, ports


@harness.test("a source asks behind a reload of its destination")
def undecided_through_reload(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        reload(two)
        with Client(one.daemon.socket) as source:
            domain = source.lookup(guest.name)
            cookie, xml = begin(source, domain)
            with Client(two.daemon.socket) as destination:
                cookie, uri = prepare(destination, cookie, xml)
                final = perform(source, domain, cookie, uri)
                reply = destination.call(FINISH, u32(1) + wire.parameter("destination_name", guest.name)
                                         + octets(final) + u32(1) + u32(0))
                assert reply.status == wire.OK, reply.message
            for _ in range(3):
                reload(two)  # and nobody has the former drivers any more
                two.says("list")
        harness.wait_for(lambda: guest.name not in one.names(), "the source to hear of it")
        expect_at(guest, two, one)


def status_path(guest, host):
    return host.state / "run" / "domains" / guest.name / "status.json"


def migration_of(guest, host):
    """What its journal says of a migration."""
    status = json.loads(status_path(guest, host).read_text(encoding="utf-8"))
    return status.get("job", {}).get("migration", {})


def notes(host):
    folder = host.state / "lib" / "migrating"
    return list(folder.iterdir()) if folder.exists() else []


@harness.test("the journal has the destination's URI where the source may use it, and so has the note", timeout=400)
def peer_is_kept(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        virsh = begin_slowly(one, guest, two, "--p2p")
        harness.wait_for(lambda: migration_of(guest, one).get("peer"), "the URI")
        assert migration_of(guest, one)["peer"] == two.peer(), migration_of(guest, one)
        noted, kept = json.loads(notes(one)[0].read_text(encoding="utf-8"))["migration"], migration_of(guest, one)
        assert noted["peer"] == two.peer()
        assert noted["secret"] == kept["secret"] and noted["doors"] == kept["doors"], (noted, kept)
        one.virsh("domjobabort", guest.name)
        virsh.communicate(timeout=60)
        expect_at(guest, one, two)
        assert not notes(one)
        expect_nothing_at(guest, two)
        process = t.start("migrate", guest.name, two.peer(), "--live", STASIS_STATE_DIR=one.state,
                          STASIS_FAULT="migrate-out-sending=stop")
        harness.wait_for(lambda: harness.is_stopped(process.pid), "it to come to sending")
        assert migration_of(guest, one)["peer"] == two.peer(), migration_of(guest, one)
        process.kill()
        process.communicate()
        expect_nothing_at(guest, two)
        harness.wait_for(lambda: not notes(one), "its supervisor to undo it")
        expect_at(guest, one, two)


def make_undecided(guest, host, destination):
    """As recovery leaves it where no door answers."""
    host.virsh("suspend", guest.name)
    path = status_path(guest, host)
    status = json.loads(path.read_text(encoding="utf-8"))
    status["undecided-migration"] = {"token": TOKEN, "peer": destination.peer(), "doors": ["unix:///no/such/door"],
                                     "flags": 3, "was-running": True}
    new = path.with_name("status.json.new")
    new.write_text(json.dumps(status), encoding="utf-8")
    new.rename(path)


def decide(host, verdict):
    folder = host.state / "lib" / "migrations"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / TOKEN).write_text(json.dumps({"format": 1, "token": TOKEN, "verdict": verdict}), encoding="utf-8")


@harness.test("an undecided source asks by the destination's URI, embedded and in a daemon")
def resolved_by_uri(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one, persistent=True)
        for ask in (lambda *more, **how: one.stasis("migrate-resolve", guest.name, *more, **how),
                    lambda *more, **how: t.stasis("-c", one.peer(), "migrate-resolve", guest.name, *more, **how)):
            make_undecided(guest, one, two)
            assert one.says("domstate", guest.name, "--reason") == "paused (migrating)"
            said = ask(check=False)
            assert said.returncode == 1 and "does not know of the migration" in said.stderr, said.stderr
            assert not (two.state / "lib" / "migrations" / TOKEN).exists(), "one that is not known is decided"
            decide(two, "revoked")
            said = ask("--begun", check=False)
            assert said.returncode == 1 and "has just said" in said.stderr, said.stderr
            assert "goes on here" in ask().stdout
            expect_at(guest, one, two)
            said = ask(check=False)
            assert said.returncode == 1 and "is undecided" in said.stderr, said.stderr
            make_undecided(guest, one, two)
            decide(two, "begun")
            said = ask("--revoked", check=False)
            assert said.returncode == 1 and "has just said" in said.stderr, said.stderr
            assert "has migrated" in ask().stdout
            assert one.says("domstate", guest.name, "--reason") == "shut off (migrated)"
            (two.state / "lib" / "migrations" / TOKEN).unlink()
            one.virsh("start", guest.name)
            harness.wait_for(lambda: "tick 2\n" in guest.serial_text().replace("\r", ""), "the guest to boot")


def verdict_of(client, token, revoke, code=None):
    reply = client.call(VERDICT, wire.string(token) + u32(revoke), program=wire.OWN)
    if code is not None:
        assert reply.code == code, reply
        return None
    assert reply.status == wire.OK, reply.message
    return int.from_bytes(reply.payload, "big")


@harness.test("a destination that waits says so by our own program, and revokes if it is asked to")
def verdict_by_program(t):
    with hosts(t) as (one, two), Client(one.daemon.socket) as source, Client(two.daemon.socket) as destination, \
            Client(two.daemon.socket) as asker, Client(f"{two.daemon.socket}-ro") as reader:
        guest = running_guest(t, one)
        domain = source.lookup(guest.name)
        cookie, xml = begin(source, domain)
        token = json.loads(cookie)["token"]
        assert verdict_of(asker, token, 1) == 0, "it has not heard of it"
        assert not (two.state / "lib" / "migrations" / token).exists()
        cookie, uri = prepare(destination, cookie, xml)
        final = perform(source, domain, cookie, uri)
        verdict_of(reader, token, 1, code=wire.CODE_DENIED)
        assert verdict_of(asker, token, 0) == 1 and verdict_of(asker, token, 1) == 3
        assert verdict_of(asker, token, 0) == 3
        for nonsense in ("", "x", token.upper() + "/", "../" + token, token * 20):
            verdict_of(asker, nonsense, 1, code=8)
        expect_nothing_at(guest, two)
        reply = destination.call(FINISH, u32(1) + wire.parameter("destination_name", guest.name) + octets(final)
                                 + u32(1) + u32(0))
        assert reply.status == wire.ERROR, reply
        source.call(CONFIRM, domain + u32(0) + octets(b"") + u32(1) + u32(1))
        expect_at(guest, one, two)


if __name__ == "__main__":
    harness.main()
