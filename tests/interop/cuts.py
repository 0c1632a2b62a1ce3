# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever breaks while a guest migrates: never two of it run, and one does where its state survived.

Two daemons, each in a network of its own.  At the boundary of each phase, and at times that are drawn,
the link is cut, or a daemon, a QEMU, or the client is killed; then the link is joined again, what was killed is
started again, and all of it has to come to rest by itself.
"""

import collections
import contextlib
import os
import random
import signal
import subprocess
import time

import network
import served
from hosts import Side
from served import harness

SEED = os.environ.get("STASIS_TEST_SEED") or str(time.time_ns() % 1000000)
REST = 150  # seconds
BANDWIDTH = 2  # MiB/s: so that Perform takes a moment
VICTIMS = ("link", "source", "destination", "source-qemu", "destination-qemu", "client")
PHASES = ("connect", "begin", "prepare", "perform", "finish", "confirm")


class Pair:
    """The two of them, and their guest."""

    OPTIONS = ("--bandwidth", BANDWIDTH)
    PAGES = 64  # of the guest, which it writes to all the time

    def __init__(self, t, net):
        self.t, self.net = t, net
        self.sides = [Side(t, net, 0), Side(t, net, 1)]
        self.here = 0
        self.guest = t.boot_sector_guest(pages=self.PAGES, read_only=False)
        self.counts = collections.Counter()
        self.begin_anew()

    @property
    def source(self):
        return self.sides[self.here]

    @property
    def destination(self):
        return self.sides[1 - self.here]

    def begin_anew(self):
        """A guest that ticks from 1, at the source alone."""
        for side in self.sides:
            for name in side.says("list", "--all", "--name").split():
                side.says("undefine", name, check=False)
        self.guest.serial.unlink(missing_ok=True)
        self.source.says("define", self.guest.xml_file())
        self.source.says("start", self.guest.name)
        self.guest.wait_for_tick(2)

    def client(self, kind):
        """A migration begins."""
        return self.migrate(kind, "--persistent", "--undefinesource", *self.OPTIONS)

    def migrate(self, kind, *options):
        program, peer = kind
        flags = ["--live", *options]
        flags += ["--p2p"] if peer else []
        command = [harness.STASIS if program == "stasis" else "virsh", "-c",
                   self.source.uri(), "migrate", *map(str, flags), self.guest.name, self.destination.uri()]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env=self.t.environment(), cwd=self.t.dir)

    def pid_of_qemu(self, side):
        status = side.status(self.guest.name)
        return status["qemu"]["pid"] if status is not None and "qemu" in status else None

    def strike(self, victim, client):
        """Returns whether there was something to be hit."""
        if victim == "link":
            self.net.cut(self.destination.number)
        elif victim == "client":
            client.kill()
        elif victim in ("source", "destination"):
            getattr(self, victim).kill()
        else:
            pid = self.pid_of_qemu(self.source if victim == "source-qemu" else self.destination)
            if not pid:
                return False
            with contextlib.suppress(ProcessLookupError):
                harness.kill(pid)
        return True

    def wake(self):
        """Whoever stands at a fault point goes on."""
        for pid, text in self.t.processes().items():
            with contextlib.suppress(OSError, AssertionError):
                if "stasis" in text and harness.is_stopped(pid):
                    os.kill(pid, signal.SIGCONT)

    def is_at_rest(self):
        self.wake()
        return all(side.is_at_rest(self.guest.name) for side in self.sides)

    def ends(self, client):
        """What it said; the exit status."""
        deadline = time.monotonic() + REST
        while client.poll() is None:
            self.wake()
            assert time.monotonic() < deadline, "the client does not end"
            with contextlib.suppress(subprocess.TimeoutExpired):
                client.wait(0.1)
        return client.communicate(timeout=60)[1]

    def once(self, victim, kind, moment, heals_after):
        """One migration with something broken in it; @moment(client) returns when that is to happen.

        A link is joined after some seconds, or (None) when the client has ended."""
        client = self.client(kind)
        try:
            moment(client)
            was_hit = self.strike(victim, client)
            self.wake()
            if victim == "link" and heals_after is not None:
                time.sleep(heals_after)
                self.net.join(self.destination.number)
            said = self.ends(client)
        finally:
            client.kill()
            client.communicate()
            self.net.join(self.destination.number)
        self.come_to_rest()
        if victim != "client" and kind[0] == "stasis" and client.returncode != 0:
            assert any(phase in said for phase in PHASES), said
        self.judge(victim, was_hit)

    def come_to_rest(self):
        for side in self.sides:
            if not side.is_alive():
                side.start()
        harness.wait_for(self.is_at_rest, "both sides to come to rest", REST)

    def judge(self, victim, was_hit):
        states = [side.says("domstate", self.guest.name, check=False) for side in self.sides]
        running = [number for number, state in enumerate(states) if state == "running"]
        assert len(running) <= 1, f"two copies: {states}"
        assert self.guest.boots() == 1 and self.guest.damaged_pages() == 0, self.guest.serial_text()[-300:]
        for side in self.sides:
            assert len(side.space.ports()) <= 1, side.space.ports()
        if not running:
            self.is_gone(victim, was_hit, states)
            return
        self.counts["moved" if running[0] != self.here else "stayed"] += 1
        self.here = running[0]
        last = self.guest.last_tick()
        self.guest.wait_for_tick(last + 2)
        assert self.guest.boots() == 1 and self.guest.damaged_pages() == 0, self.guest.serial_text()[-300:]
        harness.wait_for(lambda: not self.destination.qemus(), f"nothing to be left: {self.destination.qemus()}")
        assert not (self.destination.state / "run" / "domains" / self.guest.name).exists()
        listed = [side.says("list", "--all", "--name").split() for side in (self.source, self.destination)]
        assert listed == [[self.guest.name], []], listed
        assert self.source.says("list", "--all", "--persistent", "--name").split() == [self.guest.name]

    def is_gone(self, victim, was_hit, states):
        """The killed process may have been the only one that had all of it."""
        begun = [verdict for verdict in self.destination.verdicts().values() if verdict == "begun"]
        assert was_hit and (victim == "source-qemu" or (victim == "destination-qemu" and begun)), (victim, states)
        assert states[0] != "paused" and states[1] != "paused", states
        self.counts["gone"] += 1
        harness.wait_for(lambda: not any(side.qemus() for side in self.sides), "both QEMUs to end")
        self.begin_anew()

    def end(self):
        self.wake()
        for side in self.sides:
            self.net.join(side.number)
            if not side.is_alive():
                side.start()
        for side in self.sides:
            for name in side.says("list", "--name").split():
                side.says("destroy", name, check=False)
            side.daemon.stop()


@contextlib.contextmanager
def pair(t, make=Pair):
    if not served.shutil.which("virsh"):
        raise harness.Skip("no virsh here (./dev setup)")
    with network.joined(t, 2) as net:
        both = make(t, net)
        try:
            yield both
        except BaseException:
            for side in both.sides:
                print(f"# daemon {side.number} said: {side.daemon.said()[-3000:]!r}", flush=True)
                print(f"# status {side.number}: {side.status(both.guest.name)}", flush=True)
            raise
        finally:
            both.end()
        print(f"# {dict(both.counts)}", flush=True)


KINDS = [("stasis", False), ("virsh", False), ("stasis", True), ("virsh", True)]


def at_boundary(t, victim, steps, name, make=Pair):
    """Each step of one side, with all kinds of clients in turn."""
    with pair(t, make) as both:
        for number, step in enumerate(steps):
            side = getattr(both, name)
            fault = f"migrate-{'out' if name == 'source' else 'in'}-{step}"
            side.restart(fault)
            began = time.monotonic()

            def reached(client, side=side):
                harness.wait_for(lambda: client.poll() is not None or harness.is_stopped(side.daemon.process.pid),
                                 "the step, or the end")
                assert harness.is_stopped(side.daemon.process.pid), f"{client.args} never came to that step"

            kind = KINDS[number % len(KINDS)]
            try:
                both.once(victim, kind, reached, 2)
            except BaseException:
                print(f"# {victim} at {fault}, {kind}", flush=True)
                raise
            print(f"# {victim} at {fault}, {kind}: {time.monotonic() - began:.1f} s, {dict(both.counts)}", flush=True)
            for one in both.sides:
                if one is side:
                    one.restart()


def draw(t, count, longest, heals, make=Pair):
    """At times that are drawn, until then; links come back after one of @heals."""
    chance = random.Random(SEED)
    print(f"# STASIS_TEST_SEED={SEED}", flush=True)
    with pair(t, make) as both:
        for number in range(count):
            victim, kind, wait = chance.choice(VICTIMS), chance.choice(KINDS), chance.uniform(0, longest)
            heals_after = chance.choice(heals)
            began = time.monotonic()
            try:
                both.once(victim, kind, lambda _, wait=wait: time.sleep(wait), heals_after)
            except BaseException:
                print(f"# cut {number}: {victim} after {wait:.3f} s, {kind}, link back after {heals_after} s", flush=True)
                raise
            print(f"# cut {number}: {victim} after {wait:.3f} s, {kind}: {time.monotonic() - began:.1f} s, "
                  f"{dict(both.counts)}", flush=True)
