#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong around stasisd: it is killed beside many guests, and the host's clock jumps."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import wire
from served import busy, daemon, harness, has_hung_up
from wire import Client, u32

GUESTS = 50
DAY = 86400
JUMP_CLOCK = pathlib.Path(os.environ["STASIS_TEST_BUILDDIR"]) / "tests/interop/libjump-clock.so"


def states(served):
    """{name: state} of all that run."""
    return {match[1]: match[2] for match in re.finditer(r"^ \d+ +(many-\d+) +(\w+)$", served.says("list"), re.M)}


def heard(path):
    return re.findall(r"event 'lifecycle' for domain '(many-\d+)': (.*)", path.read_text(encoding="utf-8"))


@contextlib.contextmanager
def listener(t, served):
    path = t.dir / "events"
    with open(path, "wb") as file:
        process = subprocess.Popen(["virsh", "-c", served.uri(), "event", "--loop", "--event", "lifecycle"],
                                   stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield path
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@harness.test("killed beside fifty guests: all go on, the next daemon knows them, and events come again", timeout=400)
def killed(t):
    guests = [t.boot_sector_guest(f"many-{number}", memory_mib=8) for number in range(GUESTS)]
    every = {guest.name for guest in guests}
    with daemon(t) as served, concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda guest: served.virsh("create", guest.xml_file()), guests))
        for guest in guests:
            guest.wait_for_tick(1)
        before = {guest.name: guest.last_tick() for guest in guests}
        # In the middle of what clients ask of it.
        calls = [Client(served.socket) for _ in range(8)]
        for client in calls:
            client.ask(wire.LIST, u32(1) + u32(0))
            client.ask(wire.SUSPEND, wire.domain("nobody"))
        served.stop(signal.SIGKILL)
        served.__init__(t)
        for client in calls:
            client.close()
        assert states(served) == dict.fromkeys(every, "running"), states(served)
        for guest in guests:
            guest.wait_for_tick(before[guest.name] + 2)
            assert guest.damaged_pages() == 0
        with listener(t, served) as path:
            def is_heard():
                t.stasis("suspend", guests[0].name)
                t.stasis("resume", guests[0].name)
                return (guests[0].name, "Suspended Paused") in heard(path)
            harness.wait_for(is_heard, "the first event")
            list(pool.map(lambda guest: t.stasis("suspend", guest.name), guests[1:]))
            wanted = {(name, "Suspended Paused") for name in every}
            harness.wait_for(lambda: wanted <= set(heard(path)), "the pauses")
            list(pool.map(lambda guest: t.stasis("destroy", guest.name), guests))
            wanted = {(name, "Stopped Destroyed") for name in every}
            harness.wait_for(lambda: wanted <= set(heard(path)), "the ends")
        assert not states(served)


def answers_pings(client, count):
    """Until that many signs of life were asked for, one in a second."""
    while count > 0:
        got = client.receive()
        assert got is not None, "the connection was closed"
        if got.is_ping():
            count -= 1
            client.send(wire.PONG_PACKET)


@harness.test("the host's clock jumps: nothing is given up for it, nothing waits for it")
def clock(t):
    clock_file = t.dir / "clock"
    clock_file.write_text("0")
    config = t.dir / "stasisd.conf"
    config.write_text("[keepalive]\ninterval=1\ncount=10\n", encoding="utf-8")
    guest = t.boot_sector_guest()
    with daemon(t, "--config", config, LD_PRELOAD=JUMP_CLOCK, JUMP_CLOCK=clock_file) as served, \
            Client(served.socket, None) as unopened:
        for number, jump in enumerate((DAY, -DAY, 30 * 365 * DAY, -20 * 365 * DAY)):
            clock_file.write_text(str(jump))
            served.virsh("create", guest.xml_file())
            # It does believe that clock.
            status = json.loads((t.run_folder(guest) / "status.json").read_text(encoding="utf-8"))
            started = next(value for key, value in status.items() if key.startswith("started")) / 1e6
            assert abs(started - time.time() - jump) < 600, (started, jump)
            guest.wait_for_tick(1)
            with Client(served.socket) as alive:
                domain = alive.lookup(guest.name)
                begun = time.monotonic()
                assert alive.call(wire.FEATURE, u32(wire.FEATURE_KEEPALIVE)).payload == u32(1)
                with busy(t, guest.name):
                    serial = alive.ask(wire.SUSPEND, domain)
                    clock_file.write_text(str(-jump))
                    answers_pings(alive, 2)
                    # Asked once in a second, whatever the clock says; and the call still waits.
                    assert time.monotonic() - begun > 1
                    clock_file.write_text(str(jump))
                while (got := alive.receive()).kind != wire.REPLY:
                    alive.send(wire.PONG_PACKET)
                assert (got.serial, got.status) == (serial, wire.OK), got
            assert served.says("domstate", guest.name, "--reason") == "paused (user)"
            image = t.dir / f"image-{number}"
            served.virsh("save", guest.name, image)
            served.virsh("restore", image)
            job = served.says("domjobinfo", guest.name, "--completed")
            elapsed = int(re.search(r"Time elapsed:\s+(\d+)\s+ms", job)[1])
            assert elapsed < 60000, job
            served.virsh("destroy", guest.name)
        # One that is silent is given up by the same measure.
        config.write_text("[keepalive]\ninterval=1\ncount=2\n", encoding="utf-8")
        served.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: "read anew" in served.said(), "the configuration to be read")
        with Client(served.socket) as dead:
            assert dead.call(wire.FEATURE, u32(wire.FEATURE_KEEPALIVE)).payload == u32(1)
            assert dead.receive().is_ping()
            clock_file.write_text(str(DAY))
            assert dead.receive().is_ping() and dead.receive() is None
        assert not has_hung_up(unopened)


harness.main()
