# SPDX-License-Identifier: LGPL-2.1-or-later
"""A slow link between two hosts, which can be cut.

    with breaking.Link() as link:
        ... migrate with link.options() ...
        link.cut()
"""

import contextlib
import socket
import struct
import threading
import time

from served import harness

HERE, THERE = "127.0.0.2", "127.0.0.1"
PART = 16384
BUFFER = 65536  # octets that are on the way, at most

RESET = struct.pack("ii", 1, 0)  # SO_LINGER


def reset(end):
    """Who sends hears of it at once: behind what nobody reads any more he would wait until his own time is over."""
    with contextlib.suppress(OSError):  # it has ended
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        end.shutdown(socket.SHUT_RDWR)
    end.close()


class Link:
    """Takes connections at HERE, and makes them to the same port of THERE."""

    def __init__(self, per_second=1 << 20):
        self.per_second = per_second  # from the source; 0: as fast as it goes
        self.lock, self.pairs = threading.Lock(), []
        self.port = harness.free_port(HERE, THERE)
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self.listener.bind((HERE, self.port))
        self.listener.listen()
        threading.Thread(target=self._take, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.cut()

    def options(self):
        return "--migrateuri", f"tcp:{HERE}:{self.port}", "--listen-address", THERE

    def cut(self):
        """All connections that there are; others can be made."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                reset(end)

    def _take(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection((THERE, self.port))
            except OSError:
                near.close()
                continue
            with self.lock:
                self.pairs.append((near, far))
            threading.Thread(target=self._pass, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, False), daemon=True).start()

    def _pass(self, one, other, is_slow):
        try:
            while part := one.recv(PART):
                other.sendall(part)
                if is_slow and self.per_second:
                    time.sleep(len(part) / self.per_second)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            for end in one, other:
                reset(end)
