#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Those who may only read, all together: what they can take from the others."""

import contextlib
import os
import signal

import wire
from served import MEASURED, busy, daemon, grown_mib, harness, has_hung_up, rss_kib
from wire import Client, packet, string, u32

MEMORY_STATS, ALL_STATS = 159, 344
NOBODY = 65534


def configured(t, text):
    config = t.dir / "stasisd.conf"
    config.write_text(text, encoding="utf-8")
    return config


def readers(served, stack, count):
    return [stack.enter_context(Client(f"{served.socket}-ro")) for _ in range(count)]


def readers_of_nobody(t, served, stack, count):
    """Other users cannot reach a test's daemon by themselves."""
    if os.geteuid() != 0:
        raise harness.Skip("only root can be another user")
    t.dir.chmod(0o711)
    os.chmod(f"{served.socket}-ro", 0o666)
    os.seteuid(NOBODY)
    try:
        return readers(served, stack, count)
    finally:
        os.seteuid(0)


@harness.test("readers whose calls wait leave threads for those who may do more, and are answered in the end")
def threads(t):
    guest = t.boot_sector_guest()
    config = configured(t, "[limits]\nmax-workers=4\n")
    with daemon(t, "--config", config) as served, contextlib.ExitStack() as stack, Client(served.socket) as other:
        t.stasis("create", guest.xml_file())
        domain = other.lookup(guest.name)
        clients = readers(served, stack, 3)
        with busy(t, guest.name):
            for client in clients:
                for _ in range(4):
                    client.ask(MEMORY_STATS, domain + u32(8) + u32(0))
                assert client.lives()
            other.socket.settimeout(60)
            assert other.call(wire.XML, domain + u32(0)).status == wire.OK
            assert all(client.says_nothing(0) for client in clients)
        for client in clients:
            assert sorted(client.receive().serial for _ in range(4)) == list(range(client.serial - 4, client.serial))


@harness.test("readers whose quick calls wait leave threads for quick calls of others")
def quick_threads(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served, contextlib.ExitStack() as stack, Client(served.socket) as other:
        t.stasis("create", guest.xml_file())
        domain = other.lookup(guest.name)
        clients = readers(served, stack, 10)
        supervisor = t.supervisor()
        os.kill(supervisor, signal.SIGSTOP)
        try:
            for client in clients:
                for _ in range(4):
                    client.ask(wire.JOB_INFO, domain)
            assert other.lives() and other.lives()
            assert all(client.says_nothing(0) for client in clients)
        finally:
            os.kill(supervisor, signal.SIGCONT)
        assert all(client.receive().kind == wire.REPLY for client in clients for _ in range(4))


@harness.test("one user's readers leave threads for another's")
def users(t):
    guest = t.boot_sector_guest()
    config = configured(t, "[limits]\nmax-workers=8\n")
    with daemon(t, "--config", config) as served, contextlib.ExitStack() as stack:
        t.stasis("create", guest.xml_file())
        clients = readers_of_nobody(t, served, stack, 6)
        reader = readers(served, stack, 1)[0]
        domain = reader.lookup(guest.name)
        with busy(t, guest.name):
            for client in clients:
                client.ask(MEMORY_STATS, domain + u32(8) + u32(0))
                client.ask(MEMORY_STATS, domain + u32(8) + u32(0))
            reader.socket.settimeout(60)
            assert reader.call(wire.XML, domain + u32(0)).status == wire.OK
            assert all(client.says_nothing(0) for client in clients)
        assert all(client.receive().status == wire.OK for client in clients for _ in range(2))


@harness.test("of a domain that is named often statistics are told once")
def named_often(t):
    guest, second = t.boot_sector_guest(), t.boot_sector_guest(name="second")
    with daemon(t) as served, Client(f"{served.socket}-ro") as client:
        t.stasis("define", guest.xml_file())
        t.stasis("define", second.xml_file())
        names = [client.lookup(guest.name), client.lookup(second.name)]
        reply = client.call(ALL_STATS, u32(16384) + b"".join(names) * 8192 + u32(0) + u32(0))
        assert reply.status == wire.OK and reply.payload[:4] == u32(2), reply


def check_memory(t, said, count):
    """So many readers say that: some are given up before all of them together cost too much."""
    if "TSAN_OPTIONS" in os.environ:
        raise harness.Skip("ThreadSanitizer takes many times the memory that is measured here")
    guest = t.boot_sector_guest()
    xml = guest.dir / "long.xml"
    xml.write_text(guest.xml().replace("</name>", f"</name><description>{'x' * 900000}</description>"), encoding="utf-8")
    with daemon(t, **MEASURED) as served, contextlib.ExitStack() as stack, Client(served.socket) as other:
        t.stasis("define", xml)
        domain = other.lookup(guest.name)
        assert len(other.call(wire.XML, domain + u32(0)).text()) > 900000
        modest = readers(served, stack, 1)[0]
        before = rss_kib(served)
        clients = readers(served, stack, count)
        for client in clients:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.send(said(domain))
        harness.wait_for(lambda: sum(has_hung_up(client) for client in clients) > count // 2, "most to be given up")
        assert modest.call(wire.XML, domain + u32(0)).status == wire.OK and other.lives()
        # All of them would have 600 and more.  Beside what is kept there is what calls that go on have.
        assert grown_mib(served, before) < 400, grown_mib(served, before)
        assert not all(has_hung_up(client) for client in clients)


@harness.test("readers that take nothing of what they ask for are given up before they cost too much together")
def takes_nothing(t):
    check_memory(t, lambda domain: packet(wire.XML, domain + u32(0)) * 5, 160)


@harness.test("readers that end no packet are given up before they cost too much together")
def ends_nothing(t):
    check_memory(t, lambda domain: packet(wire.BY_NAME, string("x" * 4000000))[:-4], 160)


harness.main()
