# SPDX-License-Identifier: LGPL-2.1-or-later
"""A way between two hosts for copies of disks, which can hang, or break, and is looked at.

    with ways.way() as one:
        ... migrate with one.options() ...
        one.hang()
"""

import contextlib
import socket
import struct
import threading

import harness

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: what is closed is reset


class Way:
    """Between the source and the destination's disks: 127.0.0.2 here, and the same port of 127.0.0.1 there."""

    def __init__(self):
        self.taken, self.passed, self.goes = 0, 0, threading.Event()
        self.seen = bytearray()  # all that has passed
        self.goes.set()
        self.port = harness.free_port("127.0.0.1", "127.0.0.2")
        self.listener = socket.create_server(("127.0.0.2", self.port))
        self.ends = []
        threading.Thread(target=self.accept, daemon=True).start()

    def options(self):
        return ["--listen-address", "127.0.0.1", "--disks-uri", f"tcp://127.0.0.2:{self.port}"]

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                here = self.listener.accept()[0]
                try:
                    there = socket.create_connection(("127.0.0.1", self.port))
                except OSError:
                    here.close()
                    continue
                self.ends += [here, there]
                for pair in ((here, there), (there, here)):
                    threading.Thread(target=self.carry, args=pair, daemon=True).start()

    def carry(self, source, sink):
        with contextlib.suppress(OSError):
            while octets := source.recv(65536):
                self.taken += len(octets)
                self.goes.wait()
                sink.sendall(octets)
                self.passed += len(octets)
                self.seen += octets
            sink.shutdown(socket.SHUT_WR)

    def hang(self):
        self.goes.clear()
        harness.wait_for(lambda: self.taken > self.passed, "something to be sent that nobody answers")

    def cut(self):
        for end in self.ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RDWR)
                end.close()
        self.goes.set()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()


@contextlib.contextmanager
def way():
    one = Way()
    try:
        yield one
    finally:
        one.close()
