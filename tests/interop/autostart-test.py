#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Marks of domains that are to start with the host, by libvirt's wire: each time, and the next time only."""

import struct

import wire
from served import daemon, harness
from wire import Client, u32

GET, SET, GET_ONCE, SET_ONCE = 15, 29, 449, 450
CODE_INVALID_STATE = 55


def mark(client, procedure, domain, wanted):
    reply = client.call(procedure, domain + u32(wanted))
    assert reply.status == wire.OK and reply.payload == b"", reply


def marks(client, domain):
    """Each time, the next time."""
    replies = [client.call(procedure, domain) for procedure in (GET, GET_ONCE)]
    assert all(reply.status == wire.OK and len(reply.payload) == 4 for reply in replies), replies
    return tuple(struct.unpack(">i", reply.payload)[0] for reply in replies)


@harness.test("one mark says nothing of the other, and every connection sees both")
def both(t):
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    with daemon(t) as served, Client(served.socket) as client, Client(f"{served.socket}-ro") as reader:
        domain = client.lookup(guest.name)
        assert marks(client, domain) == (0, 0)
        for procedure, wanted, found in ((SET_ONCE, 1, (0, 1)), (SET_ONCE, 7, (0, 1)), (SET, 1, (1, 1)),
                                         (SET_ONCE, 0, (1, 0)), (SET_ONCE, 0, (1, 0)), (SET_ONCE, 1, (1, 1)),
                                         (SET, 0, (0, 1))):
            mark(client, procedure, domain, wanted)
            assert marks(client, domain) == marks(reader, domain) == found, (procedure, wanted)
        denied = reader.call(SET_ONCE, domain + u32(0))
        assert denied.code == wire.CODE_DENIED, denied
        assert "Autostart Once: enable" in t.stasis("dominfo", guest.name).stdout

        # What starts with the host takes it; whoever asks next knows.
        assert f"Domain '{guest.name}' started" in t.stasis("autostart", "--start").stdout
        assert marks(client, domain) == (0, 0)
        mark(client, SET_ONCE, domain, 1)
        t.stasis("destroy", guest.name)
        t.stasis("undefine", guest.name)
        t.stasis("define", guest.xml_file())
        assert marks(client, client.lookup(guest.name)) == (0, 0)


@harness.test("a transient domain cannot be marked, and is not")
def transient(t):
    with daemon(t) as served, Client(served.socket) as client:
        t.stasis("create", t.boot_sector_guest().xml_file())
        domain = client.lookup(t.boot_sector_guest().name)
        for procedure in (SET, SET_ONCE):
            refused = client.call(procedure, domain + u32(1))
            assert refused.code == CODE_INVALID_STATE and "transient" in refused.message, refused
        assert marks(client, domain) == (0, 0)
        missing = client.call(GET_ONCE, wire.domain("missing"))
        assert missing.status == wire.ERROR, missing


harness.main()
