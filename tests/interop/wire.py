# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of libvirt's wire protocol that may misbehave."""

import socket
import struct
import uuid

REMOTE, QEMU, OWN, KEEPALIVE = 0x20008086, 0x20008087, 0x20005354, 0x6B656570
CALL, REPLY, EVENT, STREAM, CALL_WITH_FDS, REPLY_WITH_FDS = range(6)
FDS_MAX = 32
OK, ERROR = range(2)
PING, PONG = 1, 2
HEADER = struct.Struct(">7I")

OPEN, CREATE, DEFINE, DESTROY, XML, BY_NAME, RESUME, SUSPEND = 1, 10, 11, 12, 14, 23, 28, 34
RESTORE, SAVE, HOSTNAME, FEATURE, IMAGE_XML, IMAGE_DEFINE, LIST = 54, 55, 59, 60, 235, 236, 273
JOB_INFO, REGISTER, MANAGED_XML = 163, 316, 388
SAVE_FLAGS, RESTORE_FLAGS, SAVE_PARAMS, RESTORE_PARAMS = 232, 233, 440, 441
FEATURE_KEEPALIVE = 10
CODE_INVALID, CODE_DENIED, CODE_RPC, CODE_UNSUPPORTED = 8, 29, 39, 67


# Octets.

def u32(number):
    return struct.pack(">I", number & 0xFFFFFFFF)


def string(text):
    octets = text if isinstance(text, bytes) else str(text).encode()
    return u32(len(octets)) + octets + bytes(-len(octets) % 4)


def optional(text):
    return u32(0) if text is None else u32(1) + string(text)


def domain(name, number="00000000-0000-0000-0000-000000000001", running_id=-1):
    return string(name) + uuid.UUID(number).bytes + u32(running_id)


def parameter(name, text):
    return string(name) + u32(7) + string(text)


def arguments(layout, a_domain, text="/nowhere/at-all"):
    """Something of every kind for a layout of src/remote/wire.h."""
    pieces = {"i": u32(0), "u": u32(0), "l": bytes(8), "U": bytes(8), "d": bytes(8), "s": string(text),
              "z": u32(0), "b": u32(0), "D": a_domain, "O": u32(0), "x": bytes(16), "A": u32(0), "S": u32(0), "I": u32(0),
              "p": u32(1) + parameter("file", text)}
    return b"".join(pieces[letter] for letter in layout if layout != "-")


def packet(procedure, payload=b"", program=REMOTE, version=1, kind=CALL, serial=0, status=0):
    return HEADER.pack(28 + len(payload), program, version, procedure & 0xFFFFFFFF, kind, serial, status) + payload


PING_PACKET = packet(PING, program=KEEPALIVE, kind=EVENT)
PONG_PACKET = packet(PONG, program=KEEPALIVE, kind=EVENT)


class Packet:
    def __init__(self, octets):
        _, self.program, self.version, self.procedure, self.kind, self.serial, self.status = HEADER.unpack(octets[:28])
        self.payload = octets[28:]
        self.fds = []

    @property
    def code(self):
        """Of an error."""
        assert self.status == ERROR, self
        return struct.unpack(">i", self.payload[:4])[0]

    @property
    def message(self):
        assert self.status == ERROR, self
        present, length = struct.unpack(">II", self.payload[8:16])
        assert present == 1
        return self.payload[16:16 + length].decode()

    def text(self):
        """Of a result that is a string."""
        assert self.status == OK, (self.code, self.message)
        length = struct.unpack(">I", self.payload[:4])[0]
        return self.payload[4:4 + length].decode()

    def is_ping(self):
        return (self.program, self.procedure) == (KEEPALIVE, PING)

    def is_pong(self):
        return (self.program, self.procedure) == (KEEPALIVE, PONG)

    def __repr__(self):
        return f"<program {self.program:x} procedure {self.procedure} type {self.kind} serial {self.serial} " \
               f"status {self.status} {self.payload[:200]!r}>"


class Client:
    """A connection; opened, unless @flags are None."""

    def __init__(self, path, flags=0):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(path))
        self.serial = 0
        if flags is not None:
            reply = self.open(flags)
            assert reply.status == OK, reply

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def open(self, flags=0):
        return self.call(OPEN, optional("qemu:///system") + u32(flags))

    def send(self, octets):
        self.socket.sendall(octets)

    def _read(self, length):
        octets = b""
        while len(octets) < length:
            more = self.socket.recv(length - len(octets))
            if not more:
                return None
            octets += more
        return octets

    def send_with_fds(self, octets, fds):
        """A packet, and behind it an octet with each of the descriptors."""
        self.send(octets)
        for fd in fds:
            socket.send_fds(self.socket, [b"\0"], [fd])

    def _take_fds(self, got):
        """Those of a packet, which are the caller's to close."""
        count, got.payload = struct.unpack(">I", got.payload[:4])[0], got.payload[4:]
        for _ in range(count):
            octet, fds, flags, _ = socket.recv_fds(self.socket, 1, 2)
            assert octet == b"\0" and len(fds) == 1 and not flags & socket.MSG_CTRUNC, (octet, fds, flags)
            got.fds += fds
        return got

    def receive(self):
        """The next packet; None at the end of the connection."""
        try:
            head = self._read(4)
            rest = self._read(struct.unpack(">I", head)[0] - 4) if head else None
        except (ConnectionResetError, BrokenPipeError):
            return None
        if rest is None:
            return None
        got = Packet(head + rest)
        return self._take_fds(got) if got.kind == REPLY_WITH_FDS else got

    def ask(self, procedure, payload=b"", fds=None, **header):
        """Send a call; its serial."""
        self.serial += 1
        if fds is None:
            self.send(packet(procedure, payload, serial=self.serial, **header))
        else:
            self.send_with_fds(packet(procedure, u32(len(fds)) + payload, kind=CALL_WITH_FDS, serial=self.serial,
                                      **header), fds)
        return self.serial

    def call(self, procedure, payload=b"", **header):
        """Its reply; nothing else comes meanwhile."""
        serial = self.ask(procedure, payload, **header)
        reply = self.receive()
        assert reply is not None, "the connection was closed"
        assert reply.kind in (REPLY, REPLY_WITH_FDS) and reply.serial == serial, reply
        return reply

    def says_nothing(self, seconds):
        """Whether neither a packet nor the end comes within that time."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) is None
        except (TimeoutError, BlockingIOError):
            return True
        finally:
            self.socket.settimeout(60)

    def lives(self):
        return self.call(HOSTNAME).status == OK

    def lookup(self, name):
        """The octets of a domain."""
        reply = self.call(BY_NAME, string(name))
        assert reply.status == OK, (reply.code, reply.message)
        return reply.payload
