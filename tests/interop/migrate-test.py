#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real virsh, and stasis, migrate a guest between two daemons, each with a state directory of its own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading

import served
import wire
from served import Failed, harness
from wire import Client, u32

BEGIN, PREPARE, PERFORM, FINISH, CONFIRM = 302, 303, 305, 306, 307
VERDICT = 60  # of our own program
TOKEN = "00112233445566778899aabbccddeeff"


class Host:
    """A daemon, and what virsh says of it."""

    def __init__(self, t, number):
        self.t, self.number = t, number
        self.state = t.state if number == 0 else t.dir / f"host{number}"
        if number > 0:
            folder = self.state / "config"
            folder.mkdir(mode=0o700, parents=True)
            self.state.chmod(0o700)
            (folder / "stasis.conf").write_text((t.state / "config" / "stasis.conf").read_text(encoding="utf-8"),
                                                encoding="utf-8")
        self.start()

    def start(self, **env):
        self.daemon = served.Daemon(self.t, name=str(self.number) if self.number else "",
                                    STASIS_STATE_DIR=str(self.state), **env)

    def uri(self):
        return self.daemon.uri()

    def virsh(self, *arguments, **options):
        return self.daemon.virsh(*arguments, **options)

    def says(self, *arguments, **options):
        return self.daemon.says(*arguments, **options)

    def names(self, *options):
        return self.says("list", "--name", *options).split()

    def stasis(self, *arguments, **options):
        return self.t.stasis(*arguments, STASIS_STATE_DIR=self.state, **options)

    def stop(self):
        if self.daemon.process.poll() is None:
            self.daemon.stop()


@contextlib.contextmanager
def hosts(t, count=2):
    if not served.shutil.which("virsh"):
        raise harness.Skip("no virsh here (./dev setup)")
    all_of_them = []
    try:
        for number in range(count):
            all_of_them.append(Host(t, number))
        yield all_of_them
    except BaseException:
        for host in all_of_them:
            print(f"# daemon {host.number} said: {host.daemon.said()!r}", flush=True)
        raise
    finally:
        for host in all_of_them:
            for name in host.stasis("list", "--name", check=False).stdout.split():
                host.stasis("destroy", name, check=False)
            host.stop()
            for word in ("CRITICAL", "runtime error", "AddressSanitizer", "ThreadSanitizer"):
                assert word not in host.daemon.said(), host.daemon.said()


def running_guest(t, host, persistent=False, **options):
    guest = t.boot_sector_guest(**options)
    if persistent:
        host.virsh("define", guest.xml_file())
        host.virsh("start", guest.name)
    else:
        host.virsh("create", guest.xml_file())
    guest.wait_for_tick(2)
    return guest


def expect_at(guest, here, there, state="running"):
    """It is here, and goes on as if nothing had been; there it does not run."""
    assert here.says("domstate", guest.name) == state
    assert guest.name not in there.names(), there.says("list", "--all")
    if state == "running":
        last = guest.last_tick()
        guest.wait_for_tick(last + 2)
    assert guest.boots() == 1 and guest.damaged_pages() == 0, guest.serial_text()[-200:]


def fails(command):
    try:
        command()
    except Failed as failed:
        return failed.result.stderr
    raise AssertionError("it went well")


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


@harness.test("virsh migrates a guest back and forth, peer-to-peer")
def peer_to_peer(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        # As the source's daemon reaches it: libvirt's names of URIs are ours, too.
        for here, there in ((one, two), (two, one)) * 2:
            here.virsh("migrate", "--live", "--p2p", guest.name, peer(there))
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
        said = fails(lambda: one.virsh("migrate", "--live", "--p2p", guest.name, peer(two)))
        assert "prepare at" in said, said
        expect_at(guest, one, two)


def peer(host):
    """As another daemon reaches it."""
    return f"qemu+unix:///system?socket={host.daemon.socket}"


def begin_slowly(host, guest, there, *options):
    """virsh, in the middle of Perform."""
    virsh = subprocess.Popen(["virsh", "-c", host.uri(), "migrate", "--live", "--bandwidth", "1", *options, guest.name,
                              peer(there) if "--p2p" in options else there.uri()],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    harness.wait_for(lambda: "outgoing migration" in host.says("domjobinfo", guest.name, check=False).lower()
                     or virsh.poll() is not None, "the migration to begin")
    assert virsh.poll() is None, virsh.communicate()
    return virsh


def expect_nothing_at(guest, host):
    """Nothing is left of what came to nothing."""
    run = host.state / "run" / "domains" / guest.name
    harness.wait_for(lambda: not run.exists(), "the destination to clear away")
    assert guest.name not in host.names("--all"), host.says("list", "--all")


def migrates_after_all(guest, one, two):
    one.virsh("migrate", "--live", guest.name, two.uri())
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


def cookie_of(packet):
    length = int.from_bytes(packet.payload[:4], "big")
    return packet.payload[4:4 + length], packet.payload[4 + length + -length % 4:]


def octets(data):
    return u32(len(data)) + data + bytes(-len(data) % 4)


def begin(client, domain):
    reply = client.call(BEGIN, domain + u32(0) + u32(1))
    assert reply.status == wire.OK, reply.message
    cookie, rest = cookie_of(reply)
    return cookie, cookie_of(type("Rest", (), {"payload": rest}))[0].decode()


def prepare(client, cookie, xml):
    reply = client.call(PREPARE, u32(1) + wire.parameter("destination_xml", xml) + octets(cookie) + u32(1))
    assert reply.status == wire.OK, reply.message
    cookie, rest = cookie_of(reply)
    return cookie, cookie_of(type("Rest", (), {"payload": rest[4:]}))[0].decode()


def perform(client, domain, cookie, uri):
    reply = client.call(PERFORM, domain + u32(0) + u32(1) + wire.parameter("migrate_uri", uri) + octets(cookie)
                        + u32(1))
    assert reply.status == wire.OK, reply.message
    return cookie_of(reply)[0]


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
        harness.wait_for(lambda: one.virsh("suspend", guest.name, check=False).returncode == 0, "the lock")
        one.virsh("resume", guest.name)
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


def reload(host):
    """Its configuration is read anew, and so it has another driver."""
    before = host.daemon.said().count("read anew")
    os.kill(host.daemon.process.pid, signal.SIGHUP)
    harness.wait_for(lambda: host.daemon.said().count("read anew") > before, "the configuration to be read")


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
                (67, BEGIN, domain + nothing + u32(0x40)),
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
        said = t.stasis("-c", peer(one), "migrate", guest.name, peer(two), "--live", "--verbose")
        assert f"Domain '{guest.name}' migrated to {peer(two)}" in said.stdout, said.stdout
        expect_at(guest, two, one)
        two.stasis("migrate", guest.name, peer(one), "--live")
        expect_at(guest, one, two)
        t.stasis("-c", peer(one), "migrate", guest.name, peer(two), "--live", "--p2p")
        expect_at(guest, two, one)
        two.stasis("migrate", guest.name, peer(one), "--live", "--p2p", "--persistent")
        expect_at(guest, one, two)
        assert one.names("--all", "--persistent") == [guest.name]
        said = t.stasis("-c", peer(one), "migrate", guest.name, peer(two), "--direct", check=False)
        assert said.returncode == 1 and "--direct" in said.stderr, said.stderr
        for option in (["--copy-storage-all"], ["--timeout", "1"], ["--p2p", "--tunnelled"]):
            said = t.stasis("-c", peer(one), "migrate", guest.name, peer(two), "--live", *option, check=False)
            assert said.returncode == 1 and "not supported yet" in said.stderr, said.stderr
        said = t.stasis("-c", peer(one), "migrate", guest.name, peer(one), "--live", check=False)
        assert said.returncode == 1 and "prepare at" in said.stderr, said.stderr
        expect_at(guest, one, two)


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
        assert migration_of(guest, one)["peer"] == peer(two), migration_of(guest, one)
        assert json.loads(notes(one)[0].read_text(encoding="utf-8"))["migration"]["peer"] == peer(two)
        one.virsh("domjobabort", guest.name)
        virsh.communicate(timeout=60)
        expect_at(guest, one, two)
        assert not notes(one)
        expect_nothing_at(guest, two)
        process = t.start("migrate", guest.name, peer(two), "--live", STASIS_STATE_DIR=one.state,
                          STASIS_FAULT="migrate-out-sending=stop")
        harness.wait_for(lambda: harness.is_stopped(process.pid), "it to come to sending")
        assert migration_of(guest, one)["peer"] == peer(two), migration_of(guest, one)
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
    status["undecided-migration"] = {"token": TOKEN, "peer": peer(destination), "doors": ["unix:///no/such/door"],
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
                    lambda *more, **how: t.stasis("-c", peer(one), "migrate-resolve", guest.name, *more, **how)):
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
