#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Streams: a guest's console through stasisd, by virsh, by libvirt's bindings, and by who misbehaves."""

import contextlib
import os
import pty
import select
import socket
import struct
import subprocess
import threading
import time

import wire
from crowd import crowded
from served import daemon, harness
from wire import Client, optional, packet, u32

try:
    import libvirt
except ImportError:
    libvirt = None

CONSOLE, PORT = 201, "serial1"
ALLOW = 54  # of our own program
STREAM, HOLE = wire.STREAM, 6
OK, ERROR, CONTINUE = range(3)


class Port:
    """A second serial port of a guest's, of which the test is the other end: whoever opens the console gets here."""

    def __init__(self, t):
        self.path = t.dir / "port"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.path.chmod(0o666)  # QEMU has a user of its own
        t.dir.chmod(0o711)
        self.listener.listen(64)
        self.listener.settimeout(60)
        self.guest = t.boot_sector_guest()
        t.stasis("create", self.guest.xml_file(
            f"<serial type='unix'><source mode='connect' path='{self.path}'/><target port='1'/></serial>"))
        self.qemu = self.accept()

    def accept(self):
        connection = self.listener.accept()[0]
        connection.settimeout(60)
        return connection

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.qemu.close()
        self.listener.close()


class Stream:
    """One of a client's, on the wire."""

    def __init__(self, client, domain, port):
        self.client = client
        self.serial = client.ask(CONSOLE, domain + optional(PORT) + u32(0))
        reply = client.receive()
        assert (reply.kind, reply.serial, reply.status) == (wire.REPLY, self.serial, OK), reply
        self.end = port.accept()

    def send(self, payload=b"", status=CONTINUE, kind=STREAM, serial=None):
        self.client.send(packet(CONSOLE, payload, kind=kind, serial=self.serial if serial is None else serial,
                                status=status))

    def receive(self, status=CONTINUE):
        """What comes next has to be of this stream."""
        got = self.client.receive()
        assert got is not None, "the connection was closed"
        assert (got.kind, got.serial, got.status) == (STREAM, self.serial, status), got
        return got


def read_exact(end, count):
    octets = b""
    while len(octets) < count:
        more = end.recv(count - len(octets))
        assert more, f"{len(octets)} octets, not {count}"
        octets += more
    return octets


def descriptors(served):
    return len(os.listdir(f"/proc/{served.process.pid}/fd"))


def pattern(count):
    return b"".join(struct.pack(">I", number) for number in range(count // 4))


@harness.test("virsh console shows what the guest prints, and the escape character ends it")
def console(t):
    guest = t.boot_sector_guest()
    text = guest.xml().replace(f"type='file'><source path='{guest.serial}'/>", "type='pty'>")
    path = t.dir / "pty.xml"
    path.write_text(text, encoding="utf-8")
    with daemon(t) as served:
        served.virsh("create", path)
        ours, theirs = pty.openpty()
        process = subprocess.Popen(["virsh", "-c", served.uri(), "console", guest.name], stdin=theirs, stdout=theirs,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        os.close(theirs)
        said = b""
        deadline = time.monotonic() + 60
        while said.count(b"tick") < 2 and time.monotonic() < deadline:
            if select.select([ours], [], [], 1)[0]:
                said += os.read(ours, 4096)
        assert b"Escape character is ^]" in said and said.count(b"tick") >= 2, said
        second = served.virsh("console", guest.name, check=False)
        assert second.returncode == 1, second
        os.write(ours, b"\x1d")
        assert process.wait(60) == 0, said
        os.close(ours)
        refused = served.virsh("console", guest.name, read_only=True, check=False)
        assert refused.returncode == 1, refused


@harness.test("virsh screenshot: a whole picture, or a word why there is none")
def screenshot(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served:
        served.virsh("create", guest.xml_file("<video><model type='vga'/></video>"))
        guest.wait_for_tick(1)
        for _ in range(3):
            assert "image/x-portable-pixmap" in served.says("screenshot", guest.name, t.dir / "picture.ppm")
            octets = (t.dir / "picture.ppm").read_bytes()
            kind, width, height, depth = octets.split(maxsplit=4)[:4]
            assert (kind, depth) == (b"P6", b"255") and len(octets) > int(width) * int(height) * 3, octets[:40]
        failed = served.virsh("screenshot", guest.name, t.dir / "other", "--screen", 1, check=False)
        assert failed.returncode == 1 and "first display" in failed.stderr, failed.stderr
        assert served.virsh("screenshot", guest.name, t.dir / "other", read_only=True, check=False).returncode == 1
        served.virsh("destroy", guest.name)
        served.virsh("create", guest.xml_file("<video><model type='none'/></video>"))
        failed = served.virsh("screenshot", guest.name, t.dir / "other", check=False)
        assert failed.returncode == 1 and "screendump" in failed.stderr, failed.stderr


@harness.test("libvirt's streams: both directions, the end, and an abort", once=True)
def bindings(t):
    if not libvirt:
        raise harness.Skip("no python3-libvirt here (./dev setup)")
    with Port(t) as port, daemon(t) as served:
        before = descriptors(served)
        conn = libvirt.open(served.uri())
        domain = conn.lookupByName(port.guest.name)
        stream = conn.newStream(0)
        domain.openConsole(PORT, stream, 0)
        end = port.accept()
        octets = pattern(3 * 1024 * 1024)
        thread = threading.Thread(target=end.sendall, args=(octets,))
        thread.start()
        got = b""
        while len(got) < len(octets):
            got += stream.recv(65536)
        thread.join(60)
        assert got == octets
        received = []
        thread = threading.Thread(target=lambda: received.append(read_exact(end, len(octets))))
        thread.start()
        position = 0
        while position < len(octets):
            position += stream.send(octets[position:position + 100000])
        stream.finish()
        thread.join(60)
        assert received == [octets] and end.recv(1) == b""
        # It ends at the guest's side.
        stream = conn.newStream(0)
        domain.openConsole(PORT, stream, libvirt.VIR_DOMAIN_CONSOLE_SAFE)
        end = port.accept()
        end.sendall(b"last words")
        end.close()
        assert stream.recv(100) == b"last words" and stream.recv(100) == b""
        stream.finish()
        # Or is dropped.
        stream = conn.newStream(0)
        domain.openConsole(PORT, stream, 0)
        end = port.accept()
        stream.abort()
        assert end.recv(1) == b"" and conn.isAlive() and conn.getHostname()
        del stream, domain  # each has the connection
        conn.close()
        harness.wait_for(lambda: descriptors(served) <= before, "everything to be closed")


@harness.test("the packets of a stream: its end, its errors, and what belongs to none", once=True)
def packets(t):
    with Port(t) as port, daemon(t) as served, Client(served.socket) as client:
        domain = client.lookup(port.guest.name)
        stream = Stream(client, domain, port)
        stream.send(b"hello", serial=stream.serial + 1)
        stream.send(b"hello")
        assert read_exact(stream.end, 5) == b"hello"
        stream.end.sendall(b"and you")
        assert stream.receive().payload == b"and you"
        other = Stream(client, domain, port)
        other.send(b"x" * 100000)
        assert read_exact(other.end, 100000) == b"x" * 100000
        # The client has said all; nothing comes after that.
        stream.send(status=OK)
        assert stream.receive(OK).payload == b"" and stream.end.recv(1) == b""
        for status in (CONTINUE, OK, ERROR):
            stream.send(b"late" if status == CONTINUE else b"", status=status)
        assert client.says_nothing(0.2)
        # An abort throws away what was not delivered.
        other.send(status=ERROR)
        assert other.receive(OK).payload == b"" and other.end.recv(1) == b""
        for kind, status, message in ((HOLE, CONTINUE, "holes"), (STREAM, 7, "status")):
            wrong = Stream(client, domain, port)
            wrong.send(b"\0" * 12, status=status, kind=kind)
            assert message in wrong.receive(ERROR).message and wrong.end.recv(1) == b""
        # The other side goes away, with what is sent to it.
        gone = Stream(client, domain, port)
        gone.end.close()
        assert gone.receive().payload == b""
        gone.send(b"nobody")
        gone.send(status=OK)
        assert gone.receive(OK).payload == b"" and client.lives()
        broken = Stream(client, domain, port)
        broken.end.shutdown(socket.SHUT_RD)
        broken.send(b"nobody")
        assert "cannot write" in broken.receive(ERROR).message and client.lives()


@harness.test("a client that ends, or is refused its console, leaves no stream behind", once=True)
def left(t):
    with Port(t) as port, daemon(t) as served:
        with Client(served.socket) as other:
            domain = other.lookup(port.guest.name)
            before = descriptors(served)
            for name in ("serial7", "nonsense"):
                assert other.call(CONSOLE, domain + optional(name) + u32(0)).code == wire.CODE_INVALID
            assert other.call(CONSOLE, domain + optional(PORT) + u32(8)).code == wire.CODE_INVALID
            with Client(served.socket) as client:
                streams = [Stream(client, domain, port) for _ in range(5)]
                streams[0].send(b"x" * 1024)
            for stream in streams:
                while stream.end.recv(4096):
                    pass
            harness.wait_for(lambda: descriptors(served) <= before, "the streams to be closed")
            assert other.lives()


@harness.test("thousands of streams: a connection has some, and others as many", once=True)
def many(t):
    with Port(t) as port, daemon(t) as served, Client(served.socket) as client, Client(served.socket) as other:
        domain = client.lookup(port.guest.name)
        streams = [Stream(client, domain, port) for _ in range(32)]
        for _ in range(100):
            assert "too many streams" in client.call(CONSOLE, domain + optional(PORT) + u32(0)).message
            with contextlib.suppress(socket.timeout):
                port.accept().close()
        kept = Stream(other, domain, port)
        before = descriptors(served)
        for round_ in range(1000):
            stream = streams[round_ % 32]
            stream.send(b"x")
            stream.send(status=ERROR if round_ % 2 else OK)
            stream.receive(OK)
            stream.end.close()
            streams[round_ % 32] = Stream(client, domain, port)
        assert descriptors(served) <= before and other.lives() and kept.end.send(b"x") == 1


@harness.test("who does not read gets no more than fits, and holds up nobody", once=True)
def slow(t):
    with Port(t) as port, daemon(t) as served, Client(served.socket) as client, Client(served.socket) as other:
        domain = client.lookup(port.guest.name)
        stream = Stream(client, domain, port)
        stream.end.setblocking(False)
        octets, sent = pattern(1024 * 1024), 0
        deadline = time.monotonic() + 60
        idle = 0
        while idle < 20 and time.monotonic() < deadline:
            try:
                sent += stream.end.send(octets)
                idle = 0
            except BlockingIOError:
                idle += 1
                time.sleep(0.05)
        assert idle == 20 and sent < 32 * 1024 * 1024, sent
        assert other.lives() and Stream(other, domain, port)
        # Once it reads, it gets all of it.
        got = 0
        while got < sent:
            got += len(stream.receive().payload)
        assert got == sent
        stream.end.setblocking(True)
        stream.end.sendall(b"more")
        assert stream.receive().payload == b"more"


@harness.test("a stream goes on as its client allows although more calls wait than may", once=True)
def allowed_in_crowd(t):
    with Port(t) as port, daemon(t) as served, Client(served.socket) as client:
        domain = client.lookup(port.guest.name)
        stream = Stream(client, domain, port)
        assert client.call(ALLOW, u32(stream.serial) + struct.pack(">Q", 3), program=wire.OWN).status == OK
        stream.end.sendall(b"abcdef")
        assert stream.receive().payload == b"abc"
        with crowded(t, client, domain):
            client.ask(ALLOW, u32(stream.serial) + struct.pack(">Q", 6), program=wire.OWN)
            while (got := client.receive()).kind != STREAM:
                assert got.kind != wire.REPLY or got.serial != client.serial or got.status == OK, got
            assert (got.serial, got.payload) == (stream.serial, b"def"), got


@harness.test("of a stream no more comes than its client allows, and the rest of the connection goes on", once=True)
def allowed(t):
    with Port(t) as port, daemon(t) as served, Client(served.socket) as client:
        stream = Stream(client, client.lookup(port.guest.name), port)

        def allow(count, serial=stream.serial):
            reply = client.call(ALLOW, u32(serial) + struct.pack(">Q", count), program=wire.OWN)
            assert (reply.kind, reply.status) == (wire.REPLY, OK), reply

        def get(count):
            got = b""
            while len(got) < count:
                got += stream.receive().payload
            return got

        octets = pattern(300000)
        allow(100000)
        allow(1, serial=stream.serial + 1000)
        stream.end.sendall(octets[:200000])
        assert get(100000) == octets[:100000]
        assert client.says_nothing(1) and client.lives()
        allow(50000)  # as if it had been overtaken
        allow(100001)
        assert get(1) == octets[100000:100001] and client.says_nothing(0.2)
        allow(2 ** 64 - 1)
        stream.end.sendall(octets[200000:])
        stream.end.shutdown(socket.SHUT_WR)
        assert get(len(octets) - 100001) == octets[100001:] and stream.receive().payload == b""
        stream.send(status=OK)
        assert stream.receive(OK).payload == b""
        allow(1)


@harness.test("a guest that takes nothing: the client is not read, and the stream is ended, not the connection", once=True)
def stuck(t):
    with Port(t) as port, daemon(t) as served, Client(served.socket) as client, Client(served.socket) as other:
        domain = client.lookup(port.guest.name)
        stream = Stream(client, domain, port)
        chunk, sent = packet(CONSOLE, b"x" * 65536, kind=STREAM, serial=stream.serial, status=CONTINUE), 0
        client.socket.settimeout(2)
        with contextlib.suppress(TimeoutError):
            while sent < 64 * 1024 * 1024:
                sent += client.socket.send(chunk[sent % len(chunk):])
        assert sent < 64 * 1024 * 1024 and other.lives()
        client.socket.settimeout(60)
        assert "nobody takes" in stream.receive(ERROR).message
        client.send(chunk[sent % len(chunk):] if sent % len(chunk) else b"")
        assert client.lives()
        # As much as there is room for arrives, however large a packet is.
        stream = Stream(client, domain, port)
        octets = pattern(8 * 1024 * 1024)
        threading.Thread(target=stream.send, args=(octets,)).start()
        time.sleep(0.5)
        assert read_exact(stream.end, len(octets)) == octets
        stream.send(status=OK)
        stream.receive(OK)


harness.main()
