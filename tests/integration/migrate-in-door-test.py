#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where sources come to a destination: addresses, ports, and doors."""

import contextlib
import os
import secrets
import signal
import socket

import harness
from incoming import running_guest, expect_here, expect_refused, come, expect_came_to_nothing
from migrating import LIVE, PARALLEL, Destination, Refused, Source, ask, connect


@harness.test("a guest comes by a unix socket, and by a port that was asked for")
def by_address(t):
    guest = running_guest(t)
    path = t.dir / "come in"
    with Destination(t) as destination:
        source, prepared, _ = come(t, destination, guest, uri=f"unix://{path}", listen=None)
        assert prepared["door"] == prepared["uri"] == f"unix://{path}", prepared
        expect_here(destination, guest, source.token)
        destination.stasis("destroy", guest.name)
        guest = running_guest(t, name="other")
        with socket.create_server(("127.0.0.1", 0)) as taken_port:
            port = taken_port.getsockname()[1]
            uri = f"tcp:127.0.0.1:{port}"
            source = Source(t, guest)
            expect_refused(lambda: source.prepare(destination, uri=uri), str(port), "in use")
            expect_came_to_nothing(t, destination, source)
        source, prepared, _ = come(t, destination, guest, uri=uri, listen="0.0.0.0")
        assert prepared["uri"] == uri, prepared
        expect_here(destination, guest, source.token)
        destination.stasis("destroy", guest.name)
    assert not path.exists(), "the socket is left"


@harness.test("the door lets in whom it knows", once=True)
def door(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source, stranger = Source(t, guest), Source(t, guest)
        prepared = source.prepare(destination)
        with connect(prepared["door"], stranger.token, "data") as peer:
            assert peer.recv(1) == b"", "a stranger was let in"
        assert ask(prepared["door"], stranger.token, "status") == "unknown"
        assert ask(prepared["door"], stranger.token, "nothing") is None
        for question in ("status", "revoke"):  # who knows the token, and has not the secret
            assert ask(prepared["door"], source.token, question, secret="0" * 64) == "unknown"
        assert destination.verdict(source.token) == "open"
        source.start(prepared, max_bandwidth=1000)
        with connect(prepared["door"], source.token, "data") as peer:
            assert peer.recv(1) == b"", "a second one was let in"
        source.open_monitor().command("migrate-set-parameters", **{"max-bandwidth": 1 << 30})
        source.wait_until("completed")
        destination.finish(guest.name, source.final())
        source.end()
        expect_here(destination, guest, source.token)
        assert ask(prepared["door"], stranger.token, "revoke") == "unknown"
        assert destination.verdict(stranger.token) == "open"
        destination.stasis("destroy", guest.name)


@harness.test("a port that was asked for is another's once the source has said that it asks no more", once=True)
def settled(t):
    uri = f"tcp:127.0.0.1:{harness.free_port()}"
    one, other = running_guest(t, name="one"), running_guest(t, name="other")
    with Destination(t) as destination, Destination(t, name="elsewhere") as elsewhere:
        source, prepared, _ = come(t, destination, one, uri=uri)
        expect_here(destination, one, source.token)
        assert destination.prepared(source.token).exists()
        expect_refused(lambda: Source(t, other).prepare(elsewhere, uri=uri), "in use")
        assert ask(prepared["door"], source.token, "settled", secret="0" * 64) == "unknown"
        assert ask(prepared["door"], source.token, "settled") == "begun"
        assert not destination.prepared(source.token).exists()

        def prepared_elsewhere():
            try:
                second = Source(t, other)
                second.prepare(elsewhere, uri=uri)
                return second
            except Refused as refused:
                assert "in use" in str(refused), refused
                return None
        harness.wait_for(prepared_elsewhere, "the port to be free")
        second = other.source
        assert destination.verdict(source.token) == "begun"
        # One that was taken back before it was sent.
        assert ask(uri, second.token, "settled") == "revoked"
        expect_came_to_nothing(t, elsewhere, second)
        destination.stasis("destroy", one.name)


@harness.test("two guests come at once, by one door")
def two(t):
    one, other = running_guest(t, name="one"), running_guest(t, name="other")
    with Destination(t) as destination:
        sources = [Source(t, guest) for guest in (one, other)]
        prepared = [source.prepare(destination) for source in sources]
        assert prepared[0]["door"] == prepared[1]["door"], prepared
        for source, said in zip(sources, prepared):
            source.start(said)
        for source in sources:
            source.wait_until("completed")
        numbers = [destination.begin("finish", name=source.guest.name, flags=LIVE, cookie=source.final())
                   for source in sources]
        for source, number in zip(sources, numbers):
            destination.answer(number)
            source.end()
        for source in sources:
            expect_here(destination, source.guest, source.token)
            destination.stasis("destroy", source.guest.name)


@harness.test("where QEMU is deaf nobody fills the house: of those who bring data one waits, the others are sent away")
def crowd_with_data(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source = Source(t, guest)
        prepared = source.prepare(destination)
        qemu = destination.status(guest.name)["qemu"]["pid"]
        os.kill(qemu, signal.SIGSTOP)
        try:
            with connect(prepared["door"], source.token, "data") as first:
                for _ in range(40):
                    with connect(prepared["door"], source.token, "data") as peer:
                        assert peer.recv(1) == b"", "a second one was let in"
                first.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    assert first.recv(1), "the first one was sent away"
                assert ask(prepared["door"], source.token, "status") == "waiting"
        finally:
            os.kill(qemu, signal.SIGCONT)
        assert ask(prepared["door"], source.token, "revoke") == "revoked"
        expect_came_to_nothing(t, destination, source)


@harness.test("a crowd of strangers who ask, and say nothing more, keeps no source from its answer", once=True)
def crowd_that_asks(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source, strangers = Source(t, guest), []
        prepared = source.prepare(destination)
        try:
            for _ in range(200):
                strangers.append(connect(prepared["door"], secrets.token_hex(16), "ask"))
            assert ask(prepared["door"], source.token, "revoke") == "revoked"
        finally:
            for stranger in strangers:
                stranger.close()
        expect_came_to_nothing(t, destination, source)


@harness.test("over several connections QEMU listens itself")
def parallel(t):
    guest = running_guest(t)
    with Destination(t) as destination:
        source = Source(t, guest)
        expect_refused(lambda: source.prepare(destination, flags=LIVE | PARALLEL), "multifd")
        destination.expect_nothing(guest.name)
        prepared = source.prepare(destination, flags=LIVE | PARALLEL, needed=["multifd"], channels=3)
        assert "multifd" in prepared["capabilities"] and prepared["door"] != prepared["addresses"][0], prepared
        assert ask(prepared["door"], source.token, "status") == "waiting"
        source.migrate(prepared["addresses"][0], prepared, multifd_channels=3)
        source.wait_until("completed")
        destination.finish(guest.name, source.final(), flags=LIVE | PARALLEL)
        source.end()
        expect_here(destination, guest, source.token)
        destination.stasis("destroy", guest.name)


if __name__ == "__main__":
    harness.main()
