#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A migration is aborted at each of its steps: in time the guest stays, too late it leaves, and nothing is left."""

import contextlib
import os
import signal
import subprocess

import network
import served
from hosts import Side
from served import harness

# Each of the source's, and of the destination's; where the guest stands still it is too late.
OUT = ["begin", "configured", "connected", "journal", "sending", "waiting", "handed", "continued", "completed", "confirm"]
OUT_LATE = {"handed", "continued", "completed", "confirm"}
IN = ["started", "told", "listening", "prepared", "finish", "loaded", "committed", "decided", "running"]
IN_LATE = {"committed", "decided", "running"}
SOME = {"begin", "configured", "sending", "waiting", "handed", "completed", "started", "prepared", "finish", "decided"}
KINDS = [("stasis", []), ("virsh", []), ("stasis", ["--p2p"]), ("virsh", ["--p2p"])]


@contextlib.contextmanager
def two_hosts(t):
    if not served.shutil.which("virsh"):
        raise harness.Skip("no virsh here (./dev setup)")
    with network.joined(t, 2) as net:
        sides = [Side(t, net, 0), Side(t, net, 1)]
        try:
            yield sides
        except BaseException:
            for side in sides:
                print(f"# daemon {side.number} said: {side.daemon.said()[-3000:]!r}", flush=True)
                print(f"# status {side.number}: {side.status('sector')}", flush=True)
            raise
        finally:
            for side in sides:
                if side.is_alive():
                    with contextlib.suppress(ProcessLookupError):
                        side.daemon.process.send_signal(signal.SIGCONT)
                for name in side.says("list", "--name").split():
                    side.says("destroy", name, check=False)
                side.daemon.stop()


def begin(t, here, there, guest, kind):
    program, options = kind
    command = [harness.STASIS if program == "stasis" else "virsh", "-c", here.uri(), "migrate", "--live", *options,
               guest.name, there.uri()]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=t.environment(), cwd=t.dir)


def abort_at(t, side, guest, client):
    """The daemon of @side stands at a step; it is aborted there past that.  Whether that was in time."""
    daemon = side.daemon.process
    harness.wait_for(lambda: client.poll() is not None or harness.is_stopped(daemon.pid), "the step, or the end")
    assert harness.is_stopped(daemon.pid), f"never came to that step: {client.communicate()}"
    said = t.stasis("domjobabort", guest.name, check=False, STASIS_STATE_DIR=side.state)
    os.kill(daemon.pid, signal.SIGCONT)
    client.wait(120)
    return said.returncode == 0, said.stderr


def expect_one(guest, sides, here):
    """It runs there, as ever, and at the other one there is nothing of it."""
    there = sides[1 - here]
    assert sides[here].says("domstate", guest.name) == "running"
    harness.wait_for(lambda: there.status(guest.name) is None and not there.qemus(), "the other one to clear away")
    harness.wait_for(lambda: sides[here].is_at_rest(guest.name), "it to come to rest")
    assert guest.name not in there.says("list", "--all", "--name").split()
    last = guest.last_tick()
    guest.wait_for_tick(last + 2)
    assert guest.boots() == 1 and guest.damaged_pages() == 0, guest.serial_text()[-300:]


def at_each(t, steps, late, name):
    with two_hosts(t) as sides:
        guest = t.boot_sector_guest(pages=64)
        here = 0
        sides[0].says("create", guest.xml_file())
        guest.wait_for_tick(2)
        for number, step in enumerate(step for step in steps if harness.SOAK or step in SOME):
            side = sides[here if name == "out" else 1 - here]
            side.restart(f"migrate-{name}-{step}")
            client = begin(t, sides[here], sides[1 - here], guest, KINDS[number % len(KINDS)])
            try:
                is_aborted, said = abort_at(t, side, guest, client)
            finally:
                client.kill()
            told = client.communicate()[1]
            print(f"# {name} {step}: {'aborted' if is_aborted else ' '.join(said.split())}; {' '.join(told.split())}", flush=True)
            assert is_aborted == (step not in late), (step, said)
            assert (client.returncode == 0) == (step in late), (step, client.returncode, told)
            side.restart()
            here = 1 - here if step in late else here
            expect_one(guest, sides, here)


@harness.test("at each step of the source", timeout=900)
def of_source(t):
    at_each(t, OUT, OUT_LATE, "out")


@harness.test("at each step of the destination", timeout=900)
def of_destination(t):
    at_each(t, IN, IN_LATE, "in")


if __name__ == "__main__":
    harness.main()
