# SPDX-License-Identifier: LGPL-2.1-or-later
"""Saves that wait for a QEMU which is stopped, and a word of what a stasisd has answered."""

import contextlib
import os
import signal
import socket
import struct
import threading

import wire
from served import harness

CANCEL = 2


class Relay:
    """A socket that leads to another one; `answered` are the calls of which the reply came by: (program, procedure)."""

    def __init__(self, t, target):
        self.path, self.target, self.answered = t.dir / "relay", target, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.path.unlink()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self.target))
                for pair in ((client, server, None), (server, client, bytearray())):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source, target, packets):
        with contextlib.suppress(OSError):
            while octets := source.recv(65536):
                target.sendall(octets)
                if packets is not None:
                    packets += octets
                    self._note(packets)
            target.shutdown(socket.SHUT_WR)

    def _note(self, packets):
        while len(packets) >= 4 and len(packets) >= (length := struct.unpack_from(">I", packets)[0]):
            packet = wire.Packet(bytes(packets[:length]))
            if packet.kind == wire.REPLY:
                self.answered.append((packet.program, packet.procedure))
            del packets[:length]

    def wait_for_cancel(self):
        """Until a client's change of mind has been heard."""
        harness.wait_for(lambda: (wire.OWN, CANCEL) in self.answered, "the answer to who cancels")
        self.answered.clear()


@contextlib.contextmanager
def held_save(t, served, guest, uri):
    """A save by a client that waits for QEMU, which is stopped; the daemon was to stop at 'save-paused'."""
    qemu = t.status(guest)["qemu"]["pid"]
    save = t.start("-c", uri, "save", guest.name, t.dir / "image", "--verbose")
    try:
        harness.wait_for(lambda: harness.is_stopped(served.process.pid), "the save")
        os.kill(qemu, signal.SIGSTOP)
        served.process.send_signal(signal.SIGCONT)
        yield save
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(qemu, signal.SIGCONT)
        with contextlib.suppress(ProcessLookupError):
            save.kill()
