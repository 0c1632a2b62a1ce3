# SPDX-License-Identifier: LGPL-2.1-or-later
"""A connection through which an image goes, and of which more quick calls wait than may."""

import contextlib
import os
import signal

import wire
from wire import optional, string

FROM_PIPE = 49  # of our own program
UNDER_WAY, WAITING = 4, 64
BUSY = 68


@contextlib.contextmanager
def crowded(t, client, domain):
    """The serial of the call whose image goes through it: it waits for what the client sends."""
    serial = client.ask(FROM_PIPE, string("-") + optional(None) + string(t.dir / "converted") + 2 * optional(None),
                        program=wire.OWN)
    got = client.receive()
    assert (got.kind, got.serial, got.payload) == (wire.STREAM, serial, b""), got
    supervisor = t.supervisor()
    os.kill(supervisor, signal.SIGSTOP)
    try:
        for _ in range(UNDER_WAY + WAITING + 32):
            client.ask(wire.JOB_INFO, domain)
        for _ in range(32):
            got = client.receive()
            assert got.kind == wire.REPLY and got.code == BUSY and "too many calls" in got.message, got
        yield serial
    finally:
        os.kill(supervisor, signal.SIGCONT)
