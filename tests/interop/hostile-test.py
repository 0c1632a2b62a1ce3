#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that no library of libvirt's would be: raw octets on the sockets of stasisd."""

import contextlib
import os
import signal
import subprocess
import time

import strange_paths
import wire
from served import MEASURED, busy, daemon, grown_mib, harness, has_hung_up, rss_kib
from wire import Client, optional, packet, string, u32


def descriptors(served):
    return len(os.listdir(f"/proc/{served.process.pid}/fd"))


def is_closed(served, octets, flags=0):
    """Whether the server closes a connection that sends this, and goes on serving others."""
    with Client(served.socket, flags) as client, Client(served.socket) as other:
        client.send(octets)
        closed = client.receive() is None
        return closed and other.lives()


@harness.test("a length that no packet has closes the connection")
def lengths(t):
    with daemon(t) as served:
        for length in (0, 1, 3, 27, 33554437, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
            assert is_closed(served, u32(length)), length
            assert is_closed(served, u32(length) + bytes(24), None), length
        # Less, as long as nobody knows who it is, or where he may only read.
        assert is_closed(served, u32(65537), None)
        assert is_closed(served, u32(4 * 1024 * 1024 + 1), 1)
        with Client(served.socket) as client:
            assert client.call(wire.DEFINE, string("x" * 4194304)).status == wire.ERROR
            assert client.lives()


@harness.test("programs, versions and procedures that are not there")
def unknown(t):
    with daemon(t) as served, Client(served.socket) as client:
        for program, version in ((5, 1), (wire.REMOTE, 2), (wire.REMOTE, 0), (0x06900690, 1), (0xFFFFFFFF, 0xFFFFFFFF)):
            reply = client.call(3, program=program, version=version)
            assert (reply.code, reply.message) == (wire.CODE_RPC, f"Cannot find program {program} version {version}")
            assert (reply.program, reply.version, reply.procedure) == (program, version, 3), reply
        for number in (0, 17, 454, 100000, -1, -2147483648):
            reply = client.call(number)
            assert (reply.code, reply.message) == (wire.CODE_RPC, f"unknown procedure: {number}")
        assert client.call(55, program=wire.QEMU).message == "unknown procedure: 55"
        assert client.lives()


@harness.test("arguments that cannot be read are refused; surplus octets are not")
def undecodable(t):
    with daemon(t) as served, Client(served.socket) as client:
        for procedure, payload in ((wire.BY_NAME, b""), (wire.BY_NAME, u32(5) + b"abcd"), (wire.BY_NAME, string(b"a\0b")),
                                   (wire.BY_NAME, u32(0xFFFFFFFF)), (wire.BY_NAME, u32(4194305) + bytes(4194308)),
                                   (wire.XML, bytes(8)), (344, u32(0xFFFFFFFF) + bytes(64)), (344, u32(16385)),
                                   (440, wire.domain("x") + u32(1) + string("n") + u32(8) + bytes(12))):
            reply = client.call(procedure, payload)
            assert (reply.code, reply.message) == (wire.CODE_RPC, "Unable to decode message payload"), reply
        assert client.call(wire.HOSTNAME, b"surplus!").status == wire.OK


@harness.test("numbers that make no sense are refused, or cut down, and nothing is kept for them")
def numbers(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    huge = (0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
    with daemon(t, **MEASURED) as served, Client(served.socket) as client:
        domain = client.lookup(guest.name)
        before = rss_kib(served)
        assert all(client.call(20, domain + u32(number) + u32(1)).status == wire.ERROR for number in huge)
        assert all(client.call(20, domain + u32(1) + u32(number)).status == wire.ERROR for number in huge)
        assert all(client.call(230, domain + u32(number) + u32(8) + u32(0)).status == wire.ERROR for number in huge)
        assert client.call(230, domain + u32(16384) + u32(4096) + u32(0)).code == wire.CODE_RPC
        assert client.call(20, domain + u32(16384) + u32(256)).status == wire.OK
        for number in (0, 1, *huge):
            assert client.call(227, u32(-1) + u32(number) + u32(0)).status == wire.OK
            assert client.call(228, u32(number) + u32(-1) + u32(0)).status == wire.OK
            assert client.call(159, domain + u32(number) + u32(0)).status == wire.OK
            assert client.call(243, domain + string("") + u32(number) + u32(0)).status == wire.OK
            assert client.call(338, domain + u32(number) * 2 + u32(number) + u32(0)).status == wire.ERROR
        assert client.call(227, u32(5000) + u32(4) + u32(0)).code == wire.CODE_INVALID
        for keys in (0, 17, 16384):
            assert client.call(226, domain + u32(0) + u32(1) + u32(keys) + u32(30) * keys + u32(0)).code == wire.CODE_INVALID
        assert client.call(226, domain + u32(0) + u32(0xFFFFFFFF) + u32(1) + u32(30) + u32(0)).code == wire.CODE_INVALID
        for timeout in (0, 0x80000000, -3):
            payload = domain + string('{"execute":"guest-ping"}') + u32(timeout) + u32(0)
            assert client.call(3, payload, program=wire.QEMU).code == wire.CODE_INVALID
        deep = "<a>" * 5000 + "</a>" * 5000
        for text in (deep, "x" * 4000000, "<a " + "".join(f"b{n}='' " for n in range(30000)) + "/>"):
            payload = domain + u32(2) + optional(text) + optional("k") + optional("urn:x") + u32(0)
            assert client.call(264, payload).status == wire.ERROR
        for text in (b"\x01", b"caf\xe9", b"x" * 2000000):
            payload = domain + u32(0) + u32(1) + u32(len(text)) + text + bytes(-len(text) % 4) + u32(0) * 2 + u32(1)
            assert client.call(264, payload).status == wire.ERROR, "a description that no definition can hold"
        assert client.call(wire.XML, domain + u32(0)).status == wire.OK
        for kind in (3, 0x80000000):
            assert client.call(264, domain + u32(kind) + u32(0) * 3 + u32(0)).code == wire.CODE_INVALID
        for name in ("../x", "a/b", "", ".", "x" * 300, "a\nb"):
            assert client.call(358, domain + optional(name) + u32(0)).status == wire.ERROR, name
        for emulator in ("qemu", "../bin/sh", "/bin/sh", "/dev/zero", "/nowhere"):
            payload = optional(emulator) + u32(0) * 3 + u32(0)
            assert client.call(342, payload).status == wire.ERROR, emulator
        assert client.lives() and grown_mib(served, before) < 64
        guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("packets that are no calls: no answer, or the end")
def kinds(t):
    with daemon(t) as served:
        with Client(served.socket) as client:
            for kind in (wire.REPLY, wire.EVENT, wire.STREAM, wire.REPLY_WITH_FDS, 6, 7, 0xFFFFFFFF):
                client.send(packet(wire.HOSTNAME, kind=kind, serial=99))
            client.send(packet(7, program=wire.KEEPALIVE, kind=wire.EVENT))
            client.send(packet(wire.PING, program=wire.KEEPALIVE, kind=wire.CALL))
            client.send(wire.PONG_PACKET)
            assert client.lives() and client.says_nothing(0.2)
        assert is_closed(served, packet(wire.HOSTNAME, kind=wire.CALL_WITH_FDS)), "no word that says how many"


@harness.test("nothing before the connection is open, and once only")
def opening(t):
    with daemon(t) as served, Client(served.socket, None) as client:
        rows = table()
        for program, number, _, access, layout in rows:
            if access != "any":
                reply = client.call(number, wire.arguments(layout, wire.domain("x")), program=program)
                assert (reply.code, reply.message) == (1, "the connection is not open"), (number, reply)
        client.send(wire.PING_PACKET)
        assert client.receive().is_pong()
        assert client.call(wire.OPEN, wire.optional("xen:///system") + u32(0)).status == wire.ERROR
        assert client.call(wire.OPEN, wire.optional(None) + u32(2)).code == wire.CODE_INVALID
        assert client.call(wire.HOSTNAME).code == 1
        assert client.open().status == wire.OK
        assert client.open().code == 1 and client.lives()


@harness.test("octets one by one; many packets at once")
def pieces(t):
    with daemon(t) as served, Client(served.socket) as client:
        for octet in packet(wire.BY_NAME, string("nobody"), serial=7) + wire.PING_PACKET + packet(wire.HOSTNAME, serial=8):
            client.send(bytes([octet]))
        assert sorted((client.receive().serial for _ in range(3))) == [0, 7, 8]

        for procedure in (wire.HOSTNAME, wire.LIST, wire.FEATURE, 9999):
            for count in (40, 300):
                payload = {wire.LIST: u32(1) + u32(0), wire.FEATURE: u32(14)}.get(procedure, b"")
                client.send(b"".join(packet(procedure, payload, serial=serial) for serial in range(count)))
                serials = sorted(client.receive().serial for _ in range(count))
                assert serials == list(range(count)), (procedure, count)
        client.send(wire.PING_PACKET * 300)
        assert all(client.receive().is_pong() for _ in range(300))


@harness.test("a client that never reads holds up nobody, and costs little")
def never_reads(t):
    guest = t.boot_sector_guest()
    with daemon(t, **MEASURED) as served, Client(served.socket) as client, Client(served.socket) as other:
        t.stasis("define", guest.xml_file())
        domain = other.lookup(guest.name)
        before = rss_kib(served)
        calls = packet(wire.XML, domain + u32(0)) * 200 + packet(wire.LIST, u32(1) + u32(0)) * 200
        client.socket.settimeout(2)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 * 1024 * 1024:
                sent += client.socket.send(calls)
        # It is not read from any more.
        assert sent < 64 * 1024 * 1024
        assert other.lives() and other.call(wire.XML, domain + u32(0)).status == wire.OK
        assert grown_mib(served, before) < 256


@harness.test("a client that reads slowly is not taken for silent")
def slow_reader(t):
    guest = t.boot_sector_guest()
    config = t.dir / "stasisd.conf"
    config.write_text("[keepalive]\ninterval=1\ncount=9\n[limits]\nmax-requests=1000\n", encoding="utf-8")
    with daemon(t, "--config", config) as served, Client(served.socket) as client:
        t.stasis("define", guest.xml_file())
        domain = client.lookup(guest.name)
        assert client.call(wire.FEATURE, u32(wire.FEATURE_KEEPALIVE)).payload == u32(1)
        size = 28 + len(client.call(wire.XML, domain + u32(0)).payload)
        call, count = packet(wire.XML, domain + u32(0), serial=1), 0
        client.socket.settimeout(3)
        with contextlib.suppress(TimeoutError):
            while count < 100000:
                client.send(call)
                count += 1
        # From now on nobody listens to it, as it has not taken what it asked for.
        client.socket.settimeout(60)
        taken = 0
        for _ in range(45):
            time.sleep(0.25)
            taken += len(client.socket.recv(32768))
        while taken < count * size:
            more = len(client.socket.recv(1024 * 1024))
            assert more > 0, f"the connection was closed after {taken} octets"
            taken += more


@harness.test("a client that wants to hear of everything, and never listens, is given up")
def deaf(t):
    guest = t.boot_sector_guest()
    with daemon(t, **MEASURED) as served, Client(f"{served.socket}-ro") as client, Client(served.socket) as other:
        before = rss_kib(served)
        for _ in range(64):
            client.send(packet(wire.REGISTER, u32(0) + u32(0)) * 256)
            assert all(client.receive().status == wire.OK for _ in range(256))
        assert client.call(wire.REGISTER, u32(0) + u32(0)).code == wire.CODE_INVALID
        t.stasis("create", guest.xml_file())
        domain = other.lookup(guest.name)
        for _ in range(100):
            assert other.call(wire.SUSPEND, domain).status == other.call(wire.RESUME, domain).status == wire.OK
            if has_hung_up(client):
                break
        assert has_hung_up(client)
        assert grown_mib(served, before) < 256


@harness.test("200 clients at once are all answered")
def crowd(t):
    with daemon(t) as served, contextlib.ExitStack() as stack:
        before = descriptors(served)
        clients = [stack.enter_context(Client(served.socket)) for _ in range(200)]
        for client in clients:
            client.ask(wire.LIST, u32(1) + u32(0))
        assert all(client.receive().status == wire.OK for client in clients)
        stack.close()
        harness.wait_for(lambda: descriptors(served) <= before, "the connections to be closed")


@harness.test("those who may only read do not keep others out")
def places(t):
    config = t.dir / "stasisd.conf"
    config.write_text("[limits]\nmax-clients=4\n", encoding="utf-8")
    with daemon(t, "--config", config) as served, contextlib.ExitStack() as stack:
        readers = [stack.enter_context(Client(f"{served.socket}-ro", None)) for _ in range(6)]
        for client in readers:
            client.ask(wire.FEATURE, u32(14))
        assert all(client.receive().status == wire.OK for client in readers[:2])
        with Client(served.socket) as first, Client(served.socket) as second:
            assert first.lives() and second.lives() and readers[2].says_nothing(0.1)
        # A place is free: the next one has it.
        readers[0].close()
        assert readers[2].receive().status == wire.OK and readers[3].says_nothing(0.1)


@harness.test("clients that end in the middle of a packet leave nothing behind")
def halves(t):
    half = packet(wire.DEFINE, string("x" * 60000))[:30000]
    with daemon(t) as served, Client(served.socket) as other:
        before = descriptors(served)
        for flags in (None, 0):
            for _ in range(30):
                with Client(served.socket, flags) as client:
                    client.send(half)
        child = os.fork()
        if child == 0:
            client = Client(served.socket)
            client.send(half)
            signal.pause()
        harness.wait_for(lambda: descriptors(served) > before, "the child to connect")
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        harness.wait_for(lambda: descriptors(served) <= before, "the connections to be closed")
        assert other.lives()


@harness.test("calls that wait hold up neither signs of life nor quick calls, nor end the connection")
def waiting(t):
    guest = t.boot_sector_guest()
    config = t.dir / "stasisd.conf"
    config.write_text("[keepalive]\ninterval=5\ncount=1\n", encoding="utf-8")
    with daemon(t, "--config", config) as served, Client(served.socket) as client:
        t.stasis("define", guest.xml_file())
        domain = client.lookup(guest.name)
        assert client.call(wire.FEATURE, u32(wire.FEATURE_KEEPALIVE)).payload == u32(1)
        with busy(t, guest.name):
            waits = [client.ask(wire.SUSPEND, domain) for _ in range(20)]
            client.send(wire.PING_PACKET)
            assert client.receive().is_pong()
            assert client.lives()
            # More than is read: that nobody listens to this client is not its silence.
            waits += [client.ask(wire.SUSPEND, domain) for _ in range(80)]
            time.sleep(12)
        served_serials = []
        while len(served_serials) < len(waits):
            reply = client.receive()
            assert reply is not None, "the connection was closed"
            if reply.kind == wire.REPLY:
                assert "is not running" in reply.message, reply
                served_serials.append(reply.serial)
        assert sorted(served_serials) == waits


@harness.test("what waits for the limit of calls goes on when the limit is raised")
def raised_limit(t):
    guest = t.boot_sector_guest()
    config = t.dir / "stasisd.conf"
    config.write_text("[limits]\nmax-requests=1\n", encoding="utf-8")
    with daemon(t, "--config", config) as served, Client(served.socket) as client:
        t.stasis("define", guest.xml_file())
        domain = client.lookup(guest.name)
        with busy(t, guest.name):
            waits = [client.ask(wire.SUSPEND, domain) for _ in range(3)]
            assert client.lives()
            config.write_text("[limits]\nmax-requests=9\n", encoding="utf-8")
            served.process.send_signal(signal.SIGHUP)
            harness.wait_for(lambda: "read anew" in served.said(), "the configuration to be read")
        client.socket.settimeout(60)
        assert sorted(client.receive().serial for _ in waits) == waits


@harness.test("a silent client is asked for signs of life, if it wants that, and given up")
def keepalive(t):
    config = t.dir / "stasisd.conf"
    config.write_text("[keepalive]\ninterval=1\ncount=9\n", encoding="utf-8")
    with daemon(t, "--config", config) as served, Client(served.socket) as never, \
         Client(served.socket) as dead, Client(served.socket) as alive, Client(served.socket, None) as unopened:
        for client in (dead, alive, unopened):
            assert client.call(wire.FEATURE, u32(wire.FEATURE_KEEPALIVE)).payload == u32(1)
        for _ in range(9):
            assert dead.receive().is_ping() and unopened.receive().is_ping() and alive.receive().is_ping()
            alive.send(wire.PONG_PACKET)
        assert dead.receive() is None and unopened.receive() is None
        for _ in range(2):
            assert alive.receive().is_ping()
            alive.send(wire.PONG_PACKET)
        serial = alive.ask(wire.HOSTNAME)
        while (reply := alive.receive()).is_ping():
            pass
        assert (reply.serial, reply.status) == (serial, wire.OK), reply
        assert never.says_nothing(0.1) and never.lives()


def table():
    """What is served: (program, number, name, access, layout of the arguments)."""
    printer = harness.BUILD / "tests" / "remote" / "procedures-print"
    result = subprocess.run([printer], capture_output=True, text=True, check=True)
    rows = [line.split() for line in result.stdout.splitlines()]
    assert len(rows) > 60
    return [(int(program), int(number), name, access, layout) for program, number, name, access, layout, _ in rows]


@harness.test("who may only read can call nothing that changes anything, and all else")
def read_only(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served, Client(served.socket) as other:
        t.stasis("define", guest.xml_file("<graphics type='vnc' passwd='SESAME'/>"))
        domain = other.lookup(guest.name)
        path = t.dir / "image"
        for place, flags in ((f"{served.socket}-ro", 0), (f"{served.socket}-ro", 1), (served.socket, 1)):
            with Client(place, flags) as client:
                for program, number, name, access, layout in table():
                    reply = client.call(number, wire.arguments(layout, domain, path), program=program)
                    is_denied = reply.status == wire.ERROR and reply.code == wire.CODE_DENIED
                    assert is_denied == (access == "write"), (name, reply)
                    assert not is_denied or "read only" in reply.message, reply
                assert client.call(wire.XML, domain + u32(1)).code == wire.CODE_DENIED
                assert "SESAME" not in client.call(wire.XML, domain + u32(0)).text()
        assert not path.exists() and t.domstate(guest) == "shut off"
        assert "SESAME" in other.call(wire.XML, domain + u32(1)).text()


@harness.test("who may only read gets no passwords out of a managed save image")
def managed_password(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served, Client(served.socket) as other, Client(f"{served.socket}-ro") as reader:
        t.stasis("define", guest.xml_file("<graphics type='vnc' passwd='SESAME'/>"))
        t.stasis("start", guest.name)
        t.stasis("managedsave", guest.name)
        domain = other.lookup(guest.name)
        assert "SESAME" in other.call(wire.MANAGED_XML, domain + u32(1)).text()
        assert "SESAME" not in reader.call(wire.MANAGED_XML, domain + u32(0)).text()
        assert reader.call(wire.MANAGED_XML, domain + u32(1)).code == wire.CODE_DENIED


@harness.test("paths that no image has are refused by name, and touch nothing")
def paths(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served, Client(served.socket) as client, strange_paths.folder(t) as folder:
        t.stasis("create", guest.xml_file())
        domain = client.lookup(guest.name)
        xml = string(guest.xml())

        def calls(path):
            text, parameters = string(path), u32(1) + wire.parameter("file", path)
            yield from ((wire.SAVE, domain + text), (wire.SAVE_FLAGS, domain + text + u32(0) * 2),
                        (wire.SAVE_PARAMS, domain + parameters + u32(0)), (wire.RESTORE, text),
                        (wire.RESTORE_FLAGS, text + u32(0) * 2), (wire.RESTORE_PARAMS, parameters + u32(0)),
                        (wire.IMAGE_XML, text + u32(0)), (wire.IMAGE_DEFINE, text + xml + u32(0)))

        for path in strange_paths.of(t, folder):
            for procedure, payload in calls(path):
                strange_paths.check_refused(client.call(procedure, payload), path)
        for procedure, payload in calls(t.dir / "fifo"):  # nobody is at its other end
            assert "fifo" in client.call(procedure, payload).message
        assert t.domstate(guest) == "running"


@harness.test("signs of life are answered while a call waits for another process's save")
def long_call(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served, Client(served.socket) as client:
        t.stasis("create", guest.xml_file())
        guest.wait_for_tick(1)
        domain = client.lookup(guest.name)
        save = t.start("save", guest.name, t.dir / "image", STASIS_FAULT="save-copied=stop")
        harness.wait_for(lambda: harness.is_stopped(save.pid), "the save to come to its end")
        destroy = client.ask(wire.DESTROY, domain)
        client.send(wire.PING_PACKET)
        assert client.receive().is_pong()
        told = client.call(wire.JOB_INFO, domain)
        assert told.status == wire.OK, told
        save.send_signal(signal.SIGCONT)
        reply = client.receive()
        assert (reply.serial, reply.status) == (destroy, wire.OK), reply
        save.communicate(timeout=60)


@harness.test("a supervisor that hangs holds up those who ask for its domain, and nobody else")
def hanging(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served, Client(served.socket) as client, Client(served.socket) as other:
        t.stasis("create", guest.xml_file())
        domain = client.lookup(guest.name)
        supervisor = t.supervisor()
        os.kill(supervisor, signal.SIGSTOP)
        try:
            for _ in range(10):
                client.ask(wire.JOB_INFO, domain)
            time.sleep(0.2)
            assert other.lives() and client.says_nothing(0)
        finally:
            os.kill(supervisor, signal.SIGCONT)
        assert all(client.receive().kind == wire.REPLY for _ in range(10))


@harness.test("with the disk of the state directory full, calls say so, and the daemon lives")
def full_disk(t):
    config = (t.state / "config" / "stasis.conf").read_text(encoding="utf-8")
    guest = t.boot_sector_guest()
    with harness.mounted("-t", "tmpfs", "-o", "size=4m,mode=700", "none", at=t.state) as state:
        (state / "config").mkdir(mode=0o700)
        (state / "config" / "stasis.conf").write_text(config, encoding="utf-8")
        with daemon(t) as served, Client(served.socket) as client:
            harness.fill(state)
            for procedure, payload in ((wire.DEFINE, b""), (wire.CREATE, u32(0))):
                reply = client.call(procedure, string(guest.xml()) + payload)
                assert reply.code == 38 and "No space left on device" in reply.message, (reply.code, reply.message)
            assert client.call(wire.LIST, u32(1) + u32(0)).payload == u32(0) + u32(0)
            with Client(served.socket) as other:
                assert other.lives()
            (state / "fill").unlink()
            assert client.call(wire.CREATE, string(guest.xml()) + u32(0)).status == wire.OK
            guest.wait_for_tick(1)
            harness.fill(state)
            domain = client.lookup(guest.name)
            assert client.call(wire.XML, domain + u32(0)).status == wire.OK
            # Its end needs no room.
            assert client.call(wire.DESTROY, domain).status == wire.OK


harness.main()
