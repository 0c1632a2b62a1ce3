#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Descriptors that go with packets: of clients that know how, of libvirt's own, and of those that mean no good."""

import contextlib
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import wire
from served import busy, daemon, harness
from wire import Client, packet, string, u32

sys.path.insert(0, str(harness.ROOT / "bench"))
import virsh_peer  # pylint: disable=wrong-import-position

try:
    import libvirt
except ImportError:
    libvirt = None

OPEN_GRAPHICS, CREATE_XML_FILES, CREATE_FILES, OPEN_GRAPHICS_FD, ASSOCIATE, SUSPEND = 249, 309, 310, 343, 443, 34
MONITOR_FILES = 7
CODE_INTERNAL, CODE_NO_SUPPORT, CODE_INACTIVE = 1, 3, 55
DISPLAY = "<graphics type='vnc' passwd='SESAME'><listen type='none'/></graphics>"
O_CLOEXEC = 0o2000000


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def sockets(pid):
    return sum(name.startswith("socket:") for name in harness.open_files(pid))


def most_within(served, seconds):
    """How many descriptors it has at most in that time."""
    end = time.monotonic() + seconds
    most = 0
    while time.monotonic() < end:
        most = max(most, descriptors(served.process.pid))
        time.sleep(0.01)
    return most


@contextlib.contextmanager
def nothing_left(served, qemu=None):
    """As many descriptors of the daemon afterwards as before, and sockets of QEMU."""
    before = descriptors(served.process.pid)
    of_qemu = sockets(qemu) if qemu else 0
    yield
    harness.wait_for(lambda: descriptors(served.process.pid) <= before, f"{before} descriptors")
    if qemu:
        harness.wait_for(lambda: sockets(qemu) <= of_qemu, f"{of_qemu} sockets of QEMU")


@contextlib.contextmanager
def pair():
    one, other = socket.socketpair()
    one.settimeout(60)
    with one, other:
        yield one, other


def greeting(end):
    """What a VNC server says first; and then it is left."""
    octets = b""
    while len(octets) < 12:
        more = end.recv(12 - len(octets))
        assert more, f"the display has hung up after {octets}"
        octets += more
    assert octets.startswith(b"RFB 003."), octets
    return octets


def security_types(end):
    """Which kinds of authentication the server offers."""
    end.sendall(greeting(end))
    count = end.recv(1)[0]
    return list(end.recv(count))


@contextlib.contextmanager
def displayed(t, *options):
    """A guest with a display that nobody can reach by an address."""
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file(DISPLAY))
    with daemon(t, *options) as served, Client(served.socket) as client:
        yield guest, served, client, client.lookup(guest.name)


@harness.test("a client's socket is led to a display, with and without its password")
def graphics(t):
    with displayed(t) as (guest, served, client, domain), nothing_left(served, t.status(guest)["qemu"]["pid"]):
        for flags, types in ((0, [2]), (1, [1])):
            with pair() as (ours, theirs):
                reply = client.call(OPEN_GRAPHICS, domain + u32(0) + u32(flags), fds=[theirs.fileno()])
                assert (reply.status, reply.payload) == (wire.OK, b""), (reply.code, reply.message)
                assert security_types(ours) == types
        for payload, fds, code, said in ((domain + u32(1) + u32(0), 1, CODE_INTERNAL, "No graphics backend with index 1"),
                                         (domain + u32(0) + u32(2), 1, wire.CODE_INVALID, "unsupported flags"),
                                         (domain + u32(0) + u32(0), 0, CODE_INTERNAL, "No FD available at slot 0"),
                                         (domain + u32(0) + u32(0), None, CODE_INTERNAL, "No FD available at slot 0")):
            with pair() as (ours, theirs):
                reply = client.call(OPEN_GRAPHICS, payload, fds=fds if fds is None else [theirs.fileno()] * fds)
                assert reply.code == code and said in reply.message, (reply.code, reply.message)
        with open("/dev/null", "rb") as file:
            reply = client.call(OPEN_GRAPHICS, domain + u32(0) + u32(0), fds=[file.fileno()])
            assert reply.code == wire.CODE_INVALID and "must be a socket" in reply.message, reply.message
    guest.wait_for_tick(guest.last_tick() + 2)


@harness.test("a client gets a socket that leads to a display; other replies come beside it")
def graphics_fd(t):
    with displayed(t) as (guest, served, client, domain):
        with nothing_left(served, t.status(guest)["qemu"]["pid"]):
            for flags, types in ((0, [2]), (1, [1])):
                reply = client.call(OPEN_GRAPHICS_FD, domain + u32(0) + u32(flags))
                assert (reply.kind, reply.payload, len(reply.fds)) == (wire.REPLY_WITH_FDS, b"", 1), reply
                with socket.socket(fileno=reply.fds[0]) as end:
                    assert security_types(end) == types
            reply = client.call(OPEN_GRAPHICS_FD, domain + u32(7) + u32(0))
            assert reply.code == CODE_INTERNAL and not reply.fds
            asked = {client.ask(OPEN_GRAPHICS_FD, domain + u32(0) + u32(0)) for _ in range(12)}
            others = {client.ask(wire.HOSTNAME) for _ in range(12)}
            for _ in range(24):
                reply = client.receive()
                assert len(reply.fds) == (1 if reply.serial in asked else 0), reply
                (asked if reply.fds else others).remove(reply.serial)
                for fd in reply.fds:
                    with socket.socket(fileno=fd) as end:
                        greeting(end)
        t.stasis("destroy", guest.name)
        assert client.call(OPEN_GRAPHICS_FD, domain + u32(0) + u32(0)).code in (42, CODE_INACTIVE)


@harness.test("a monitor command with a descriptor")
def monitor(t):
    with displayed(t) as (guest, served, client, domain), nothing_left(served), open("/dev/null", "rb") as file:
        def command(text, fds, flags=0):
            return client.call(MONITOR_FILES, domain + string(text) + u32(flags), fds=fds, program=wire.QEMU)
        add = '{"execute":"add-fd","arguments":{"fdset-id":77,"opaque":"ours"}}'
        assert '"fdset-id":77' in command(add, [file.fileno()]).text().replace(" ", "")
        assert any(one["fdset-id"] == 77 for one in t.qmp_command(guest, "query-fdsets"))
        assert "running" in command('{"execute":"query-status"}', []).text()
        assert "running" in command("info status", None, 1).text()
        assert command(add, None).status == command("info status", [file.fileno()], 1).status == wire.ERROR
        reply = command(add, [file.fileno()] * 2)
        assert reply.code == wire.CODE_INVALID and "at most 1 file descriptor" in reply.message, reply.message


@harness.test("calls that take no descriptors, refused ones, and unknown ones: what came with them is closed")
def unused(t):
    with displayed(t) as (guest, served, client, domain), open("/dev/null", "rb") as file:
        most = [file.fileno()] * wire.FDS_MAX
        with nothing_left(served):
            for _ in range(8):
                assert client.call(wire.HOSTNAME, fds=most).status == wire.OK
                assert client.call(9999, fds=most).message == "unknown procedure: 9999"
                assert client.call(1, fds=most, program=5).code == wire.CODE_RPC
                assert client.call(wire.XML, b"", fds=most).message == "Unable to decode message payload"
                client.send_with_fds(packet(1, u32(32), program=wire.KEEPALIVE, kind=wire.CALL_WITH_FDS), most)
        for number, payload, name in ((CREATE_XML_FILES, string(guest.xml()) + u32(0), "virDomainCreateXMLWithFiles"),
                                      (CREATE_FILES, domain + u32(0), "virDomainCreateWithFiles"),
                                      (ASSOCIATE, domain + string("group") + u32(0), "virDomainFDAssociate")):
            for fds in (most, [], None):
                reply = client.call(number, payload, fds=fds)
                assert (reply.code, reply.message) == (
                    CODE_NO_SUPPORT, f"this function is not supported by the connection driver: {name}"), reply
        for place, flags in ((f"{served.socket}-ro", 0), (served.socket, 1), (served.socket, None)):
            with Client(place, flags) as other:
                assert other.call(wire.FEATURE, u32(8)).payload == u32(1), "it is accepted now"
                with nothing_left(served):
                    for number in (OPEN_GRAPHICS, CREATE_FILES, OPEN_GRAPHICS_FD):
                        reply = other.call(number, domain + u32(0) + u32(0), fds=most)
                        assert reply.code == (wire.CODE_DENIED if flags is not None else 1), reply
        assert client.lives()


@harness.test("all of them are closed for programs that the daemon starts")
def close_on_exec(t):
    with daemon(t) as served, Client(served.socket) as client, open("/dev/null", "rb") as file:
        before = set(os.listdir(f"/proc/{served.process.pid}/fd"))
        # The last octet is owed, so that they are kept.
        client.send_with_fds(packet(wire.HOSTNAME, u32(2), kind=wire.CALL_WITH_FDS, serial=5), [file.fileno()])

        def arrived():
            return set(os.listdir(f"/proc/{served.process.pid}/fd")) - before
        fd = harness.wait_for(arrived, "the descriptor").pop()
        info = pathlib.Path(f"/proc/{served.process.pid}/fdinfo/{fd}").read_text(encoding="ascii")
        assert int(info.partition("flags:")[2].split()[0], 8) & O_CLOEXEC, info
        socket.send_fds(client.socket, [b"\0"], [file.fileno()])
        assert client.receive().serial == 5
        harness.wait_for(lambda: not arrived(), "both to be closed")


def call_octets(count, procedure=wire.HOSTNAME):
    return packet(procedure, u32(count), kind=wire.CALL_WITH_FDS, serial=9)


@harness.test("octets without descriptors, descriptors without octets of their own, too many: the connection is closed")
def malformed(t):
    with daemon(t) as served, open("/dev/null", "rb") as file, Client(served.socket) as witness:
        fd = file.fileno()

        def with_fds(client, octets, fds):
            socket.send_fds(client.socket, [octets], fds)

        cases = {
            "one more than is allowed": lambda c: c.send_with_fds(call_octets(33), [fd] * 33),
            "a huge number": lambda c: c.send(call_octets(0xFFFFFFFF)),
            "a negative number": lambda c: c.send(call_octets(0x80000000)),
            "no number": lambda c: c.send(packet(wire.HOSTNAME, kind=wire.CALL_WITH_FDS)),
            "an octet without one": lambda c: c.send(call_octets(1) + b"\0"),
            "the second octet without one": lambda c: (c.send_with_fds(call_octets(2), [fd]), c.send(b"\0")),
            "two with an octet": lambda c: (c.send(call_octets(2)), with_fds(c, b"\0", [fd, fd])),
            "many with an octet": lambda c: (c.send(call_octets(32)), with_fds(c, b"\0", [fd] * 32)),
            "with the packet": lambda c: (with_fds(c, call_octets(1), [fd]), c.send(b"\0")),
            "in the middle of the packet": lambda c: (c.send(call_octets(1)[:9]),
                                                      with_fds(c, call_octets(1)[9:], [fd]), c.send(b"\0")),
            "with a packet that has none": lambda c: with_fds(c, packet(wire.HOSTNAME, serial=9), [fd]),
            "with a length that is none": lambda c: with_fds(c, u32(3), [fd]),
            "with each octet of a long packet": lambda c: [with_fds(c, b"x", [fd]) for _ in range(33)],
        }
        for name, send in cases.items():
            for place in (served.socket, f"{served.socket}-ro"):
                with nothing_left(served), Client(place) as client:
                    if name.startswith("with each"):
                        client.send(u32(60000))
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        send(client)
                    reply = client.receive()
                    assert reply is None, (name, reply)
        assert witness.lives()


@harness.test("a client that ends in the middle: nothing of what it sent stays")
def halves(t):
    with displayed(t) as (guest, served, client, domain), open("/dev/null", "rb") as file:
        with nothing_left(served):
            for count in (0, 1, 31):
                for flags in (None, 0):
                    with Client(served.socket, flags) as other:
                        other.send_with_fds(call_octets(32), [file.fileno()] * count)
            with busy(t, guest.name), Client(served.socket) as other:
                # They wait for another process; what they brought goes with them.
                for _ in range(7):
                    other.ask(SUSPEND, domain, fds=[file.fileno()] * 8)
                harness.wait_for(lambda: descriptors(served.process.pid) >= 56, "the calls to wait")
        assert client.lives()


@harness.test("calls that bring many descriptors wait for each other, and all are answered")
def many(t):
    with displayed(t) as (guest, served, client, domain), open("/dev/null", "rb") as file:
        before = descriptors(served.process.pid)
        calls = 12

        def send():
            for _ in range(calls):
                client.ask(SUSPEND, domain, fds=[file.fileno()] * wire.FDS_MAX)
        sender = threading.Thread(target=send)
        with busy(t, guest.name):
            sender.start()
            harness.wait_for(lambda: descriptors(served.process.pid) >= before + 64, "the first calls")
            # Nothing is read any more while calls have so many.
            assert most_within(served, 1) - before < 120
        assert sorted(client.receive().serial for _ in range(calls)) == list(range(client.serial - calls + 1, client.serial + 1))
        sender.join()
        harness.wait_for(lambda: descriptors(served.process.pid) <= before, "all to be closed")


@harness.test("a client that takes no replies is not given sockets without end")
def deaf(t):
    with displayed(t) as (_, served, client, domain):
        before = descriptors(served.process.pid)
        calls = 300
        with Client(served.socket) as other:
            # So small that no more than the first of them fit.
            other.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            serials = [other.ask(OPEN_GRAPHICS_FD, domain + u32(0) + u32(0)) for _ in range(calls)]
            harness.wait_for(lambda: descriptors(served.process.pid) >= before + 16, "replies to wait")
            assert most_within(served, 1) - before < 120
            assert client.lives()
            for _ in serials:
                reply = other.receive()
                assert reply.status == wire.OK, (reply.code, reply.message)
                for fd in reply.fds:
                    os.close(fd)
        harness.wait_for(lambda: descriptors(served.process.pid) <= before, "all to be closed")


@contextlib.contextmanager
def lingering():
    """A socket whose last close waits for longer than anybody does here: its other end takes nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener, \
            socket.create_connection(listener.getsockname()) as slow, listener.accept()[0]:
        slow.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                slow.send(bytes(65536))
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 100))
        yield slow


@contextlib.contextmanager
def standing_still(served):
    """Whatever is sent meanwhile is seen afterwards."""
    served.process.send_signal(signal.SIGSTOP)
    try:
        harness.wait_for(lambda: harness.is_stopped(served.process.pid), "the daemon to stop")
        yield
    finally:
        served.process.send_signal(signal.SIGCONT)


@harness.test("a descriptor whose close takes long holds up nobody else, in whatever way it was sent", timeout=300)
def slow_close(t):
    def as_call(client, fd, other):
        client.send_with_fds(call_octets(1), [fd])

    def as_one_of_two(client, fd, other):
        client.send(call_octets(2))
        socket.send_fds(client.socket, [b"\0"], [other, fd])

    def behind_the_end(client, fd, other):
        socket.send_fds(client.socket, [u32(3)], [other])
        socket.send_fds(client.socket, [b"\0"], [fd])

    def as_urgent(client, fd, other):
        socket.send_fds(client.socket, [b"\0"], [fd], socket.MSG_OOB)

    def for_a_packet_that_never_comes(client, fd, other):
        client.send_with_fds(call_octets(2), [fd])

    ways = (as_call, as_one_of_two, behind_the_end, as_urgent, for_a_packet_that_never_comes)
    with daemon(t) as served, Client(served.socket) as witness, open("/dev/null", "rb") as file:
        for place in (served.socket.with_name("sock-ro"), served.socket):
            for way in ways:
                with lingering() as slow:
                    print(f"# {place.name}: {way.__name__}")
                    with Client(place) as client:
                        with standing_still(served):
                            way(client, slow.fileno(), file.fileno())
                            os.close(slow.detach())
                        assert witness.lives()
                    assert witness.lives()


@harness.test("who sends more descriptors than are closed waits, and nobody else does")
def full_closer(t):
    with daemon(t) as served, Client(served.socket) as witness, Client(served.socket) as client, \
            open("/dev/null", "rb") as file:
        before = descriptors(served.process.pid)
        with lingering() as slow:
            with standing_still(served):
                client.ask(wire.HOSTNAME, fds=[slow.fileno()])
                os.close(slow.detach())
            sender = threading.Thread(target=lambda: [client.ask(wire.HOSTNAME, fds=[file.fileno()] * wire.FDS_MAX)
                                                      for _ in range(12)])
            sender.start()
            harness.wait_for(lambda: descriptors(served.process.pid) >= before + 250, "descriptors to wait")
            assert most_within(served, 1) - before < 256 + 2 * wire.FDS_MAX
            assert witness.lives()
        serials = sorted(client.receive().serial for _ in range(13))
        sender.join()
        assert serials == list(range(client.serial - 12, client.serial + 1)), serials
        harness.wait_for(lambda: descriptors(served.process.pid) <= before, "all to be closed")


@harness.test("behind a relay that passes octets only there is no descriptor: the connection is closed")
def relayed(t):
    with displayed(t) as (_, served, client, domain), nothing_left(served), pair() as (ours, theirs):
        upstream = Client(served.socket)
        octets = packet(OPEN_GRAPHICS, u32(1) + domain + u32(0) + u32(0), kind=wire.CALL_WITH_FDS) + b"\0"
        upstream.send(octets)
        assert upstream.receive() is None and client.lives()
        upstream.close()
        assert not select.select([ours, theirs], [], [], 0)[0]


def fails(code, said, function, *arguments):
    try:
        function(*arguments)
    except libvirt.libvirtError as error:
        assert error.get_error_code() == code and said in str(error), (error.get_error_code(), error)
        return
    raise AssertionError(f"no error {code}")


@harness.test("libvirt's python bindings: displays by descriptors, and what the driver for QEMU never had")
def bindings(t):
    if libvirt is None:
        raise harness.Skip("no python3-libvirt here (./dev setup)")
    libvirt.registerErrorHandler(lambda *_: None, None)
    with displayed(t) as (guest, served, _, _), open("/dev/null", "rb") as file:
        conn = libvirt.open(served.uri())
        domain = conn.lookupByName(guest.name)
        for flags, types in ((0, [2]), (libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH, [1])):
            with pair() as (ours, theirs):
                assert domain.openGraphics(0, theirs.fileno(), flags) == 0
                assert security_types(ours) == types
            with socket.socket(fileno=domain.openGraphicsFD(0, flags)) as end:
                assert security_types(end) == types
        with pair() as (_, theirs):
            fails(libvirt.VIR_ERR_INTERNAL_ERROR, "No graphics backend with index 3", domain.openGraphics, 3, theirs.fileno())
        fails(libvirt.VIR_ERR_NO_SUPPORT, "virDomainCreateWithFiles", domain.createWithFiles, [file.fileno()], 0)
        fails(libvirt.VIR_ERR_NO_SUPPORT, "virDomainCreateXMLWithFiles", conn.createXMLWithFiles, guest.xml(),
              [file.fileno()], 0)
        fails(libvirt.VIR_ERR_NO_SUPPORT, "virDomainFDAssociate", domain.FDAssociate, "group", [file.fileno()], 0)
        reader = libvirt.openReadOnly(served.uri())
        with pair() as (_, theirs):
            fails(libvirt.VIR_ERR_OPERATION_DENIED, "read only", reader.lookupByName(guest.name).openGraphics, 0,
                  theirs.fileno())
        conn.close()


def answer(function, *arguments):
    """What comes of a call: an error's code, or what kind of thing."""
    try:
        result = function(*arguments)
    except libvirt.libvirtError as error:
        is_named = error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT
        return error.get_error_code(), error.get_error_message() if is_named else ""
    if isinstance(result, int) and result > 0:
        with socket.socket(fileno=result) as end:
            return security_types(end)
    return result


def answers(uri, xml, fd):
    """Of each of the calls, with a domain that does not run, one that does, and a display that is not there."""
    conn = libvirt.open(uri)
    domain = conn.defineXML(xml)
    found = {}
    with pair() as (ours, theirs):
        end = theirs.fileno()
        found["stopped"] = answer(domain.openGraphics, 0, end, 0), answer(domain.openGraphicsFD, 0, 0)
        found["files"] = answer(domain.createWithFiles, [fd], 0), answer(conn.createXMLWithFiles, xml, [fd], 0)
        domain.create()
        found["opened"] = answer(domain.openGraphics, 0, end, 1), security_types(ours)
        found["flags"] = answer(domain.openGraphics, 0, end, 2), answer(domain.openGraphicsFD, 0, 2)
        found["index"] = answer(domain.openGraphics, 1, end, 0), answer(domain.openGraphicsFD, 7, 0)
        found["no socket"] = answer(domain.openGraphics, 0, fd, 0)
    found["fd"] = [answer(domain.openGraphicsFD, 0, flags) for flags in (0, 1)]
    domain.destroy()
    domain.undefine()
    conn.close()
    return found


@harness.test("the same answers as libvirtd gives to libvirt's python bindings")
def alike(t):
    reason = virsh_peer.why_not() if libvirt else "no python3-libvirt here (./dev setup)"
    if reason:
        raise harness.Skip(reason)
    libvirt.registerErrorHandler(lambda *_: None, None)
    xml = t.boot_sector_guest().xml(DISPLAY)
    peer = virsh_peer.VirshPeer(t.dir)
    try:
        with daemon(t) as served, open("/dev/null", "rb") as file:
            theirs = answers(f"qemu:///system?socket={peer.socket}", xml, file.fileno())
            ours = answers(served.uri(), xml, file.fileno())
    finally:
        peer.end()
    assert ours == theirs, f"\n  libvirtd: {theirs}\n  stasisd:  {ours}"


@harness.test("virsh with --pass-fds hears what it hears of libvirt's driver for QEMU")
def virsh(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served, open("/dev/null", "rb") as file:
        served.virsh("define", guest.xml_file())
        number = str(file.fileno())
        for command, function in ((("start", guest.name, "--pass-fds", number), "virDomainCreateWithFiles"),
                                  (("create", guest.xml_file(), "--pass-fds", number), "virDomainCreateXMLWithFiles"),
                                  (("dom-fd-associate", guest.name, "--name", "one", "--pass-fds", number),
                                   "virDomainFDAssociate")):
            done = subprocess.run(["virsh", "-c", served.uri(), *map(str, command)], capture_output=True, text=True,
                                  pass_fds=[file.fileno()], timeout=60, check=False)
            if "unknown command" in done.stderr:
                continue
            assert done.returncode == 1 and f"not supported by the connection driver: {function}" in done.stderr, done.stderr
        assert t.domstate(guest) == "shut off"


harness.main()
