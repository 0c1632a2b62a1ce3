#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What breaks while a guest migrates in postcopy (cuts.py): the pair is whole, or both sides say that it is not.

A pair that is broken after the switch goes on by --postcopy-resume, once the link is back.  Where a QEMU ended that had
some of the guest's memory the guest is gone, and the other side says what it lacks.
"""

import subprocess
import time

import cuts
from cuts import KINDS, VICTIMS
from served import harness

DRAWN = 200 if harness.SOAK else 4
HEALS = (0.5, 5, 40, None) if harness.SOAK else (0.5, 5)
AFTER = 4  # MiB/s
# In about a second.  Before QEMU 9.0 an emulated guest has but one pass, in the middle of which it has to be.
VERSION = subprocess.run([harness.QEMU, "--version"], capture_output=True, text=True, check=True).stdout
IS_OLD = int(VERSION.split("version ")[1].partition(".")[0]) < 9
SWITCH = (("--bandwidth", 4, "--timeout", 1, "--timeout-postcopy") if IS_OLD
          else ("--bandwidth", 16, "--postcopy-after-precopy"))
# From the switch on.
OUT = ["handed", "continued", "completed", "confirm"]
IN = ["finish", "loaded", "committed", "decided", "begun", "running"]
# While a pair goes on.
OUT_AGAIN = ["journal", "connected", "resumed", "confirm"]
IN_AGAIN = ["prepared", "begun", "running"]
SOME_AGAIN = [("source", "source", "resumed"), ("destination", "destination", "begun"),
              ("destination-qemu", "source", "resumed"), ("source-qemu", "destination", "begun")]
LEFT = "paused (post-copy failed)"      # at the source
LACKING = "running (post-copy failed)"  # at the destination


class PostcopyPair(cuts.Pair):
    """A guest that writes to all of its memory, and never comes to an end in precopy."""

    OPTIONS = ("--postcopy", "--postcopy-bandwidth", AFTER, *SWITCH)
    PAGES = 4096

    def reasons(self):
        return [side.says("domstate", self.guest.name, "--reason", check=False) for side in (self.source, self.destination)]

    def lacks(self):
        """At the source, that its copy is the rest of one elsewhere; at the destination, that it lacks that."""
        source, destination = (side.status(self.guest.name) for side in (self.source, self.destination))
        return (source is not None and bool(source.get("undecided-migration", {}).get("postcopy")),
                destination is not None and "postcopy" in destination)

    def is_at_rest(self):
        self.wake()
        all_of_it = [side.status(self.guest.name) for side in self.sides]
        if any(status is not None and "job" in status for status in all_of_it):
            self.switch_for_client()
            return False
        lacks = self.lacks()
        if not any(lacks):
            return super().is_at_rest()
        other = self.source if lacks[1] else self.destination
        said = [reason for lack, reason in zip(lacks, self.reasons()) if lack]
        wanted = [reason for lack, reason in zip(lacks, (LEFT, LACKING)) if lack]
        return said == wanted and (all(lacks) or other.status(self.guest.name) is None)

    def switch_for_client(self):
        """It is virsh that asks for the switch: without it what a daemon has begun would go on for ever."""
        status = self.source.status(self.guest.name) or {}
        if status.get("job", {}).get("step") == "migrate-sending":
            self.source.says("migrate-postcopy", self.guest.name, check=False)

    def judge(self, victim, was_hit):
        if all(self.lacks()):
            said = self.go_on(check=victim != "link")
            if said is not None:
                self.is_given_up(said)
                return
            assert not any(self.lacks())
            self.counts["resumed"] += 1
        elif any(self.lacks()):
            self.is_half(victim, was_hit)
            return
        super().judge(victim, was_hit)

    def await_switch(self, client):
        """The guest goes on there."""
        harness.wait_for(lambda: self.reasons()[1] == "running (post-copy)" or client.poll() is not None,
                         "the guest to go on there")

    def go_on(self, *options, check=True):
        """With what was broken.  Returns what was said where that was refused."""
        client = self.migrate(("stasis", False), "--postcopy", "--postcopy-resume", *options)
        try:
            said = self.ends(client)
        finally:
            client.kill()
            client.communicate()
        assert client.returncode == 0 or not check, (client.returncode, said)
        self.come_to_rest()
        return said if client.returncode != 0 else None

    def is_given_up(self, said):
        """QEMU had written all of it when the link broke, and has nothing more to send."""
        assert not IS_OLD and "has given up" in said, said
        assert self.reasons() == [LEFT, LACKING]
        self.destination.says("destroy", self.guest.name)
        self.counts["gone"] += 1
        # The source, which asks, hears that nothing is lacking there any more.
        harness.wait_for(lambda: all(one.status(self.guest.name) is None and not one.qemus() for one in self.sides),
                         "both to end")
        self.begin_anew()

    def verdict(self):
        token = self.source.status(self.guest.name)["undecided-migration"]["token"]
        return self.destination.verdicts().get(token)

    def is_half(self, victim, was_hit):
        """One of them has ended, and with it the guest."""
        has_left = self.lacks()[0]
        # A link that is cut before the guest's devices have come there ends that QEMU as well (docs/migration.md).
        is_early = has_left and victim == "link" and self.verdict() == "revoked"
        assert is_early or (was_hit and victim == ("destination-qemu" if has_left else "source-qemu")), (victim,
                                                                                                         self.reasons())
        side = self.source if has_left else self.destination
        client = self.migrate(("stasis", False), "--postcopy", "--postcopy-resume")
        said = self.ends(client)
        assert client.returncode != 0 and self.guest.name in said, said
        assert self.reasons()[0 if has_left else 1] == (LEFT if has_left else LACKING)
        assert has_left or self.reasons()[0] == "shut off (crashed)", self.reasons()
        side.says("destroy", self.guest.name)
        self.t.stasis("-c", self.source.uri(), "migrate-resolve", self.guest.name)
        self.counts["gone"] += 1
        harness.wait_for(lambda: not any(one.qemus() for one in self.sides), "both QEMUs to end")
        self.begin_anew()


@harness.test("a link that hangs after the switch is noticed at both ends, and the pair goes on by another", timeout=600)
def hangs(t):
    with cuts.pair(t, PostcopyPair) as both:
        for kind in KINDS[:1] if not harness.SOAK else KINDS:
            both.once("link", kind, both.await_switch, None)
            assert both.counts["resumed"] == both.counts["moved"] > 0, both.counts


@harness.test("a resume breaks off what the destination still takes for a connection")
def breaks_off(t):
    with cuts.pair(t, PostcopyPair) as both:
        client = both.client(KINDS[0])
        both.await_switch(client)
        both.net.cut(both.destination.number)
        both.source.kill()
        both.source.start()
        harness.wait_for(lambda: both.lacks()[0], "the source to see that its daemon has died")
        both.go_on("--migrateuri", f"unix://{t.dir}/other-way")
        assert both.ends(client) and client.returncode != 0
        both.net.join(both.destination.number)
        both.judge("source", True)
        assert both.counts["moved"] == 1, both.counts


class SmallPair(PostcopyPair):
    """All that is left after the switch fits into a socket."""

    PAGES = 64

    def is_all_written(self):
        """What waits in sockets gets less: QEMU would fill it up."""
        before = self.source.space.unsent()
        time.sleep(0.3)
        return before > self.source.space.unsent() > 0 and self.reasons()[1] == "running (post-copy)"


if not IS_OLD:  # no QEMU before 8.2 fails there
    @harness.test("a connection that breaks when all is written, and has not come, leaves no second copy that runs")
    def breaks_late(t):
        with cuts.pair(t, SmallPair) as both:
            for _ in range(5):
                client = both.client(KINDS[0])
                both.net.slow(both.destination.number, 1)
                harness.wait_for(lambda client=client: both.is_all_written() or client.poll() is not None,
                                 "all to be written")
                both.source.says("domjobabort", both.guest.name, "--postcopy", check=False)
                seen = set()
                while client.poll() is None:
                    seen.add(both.reasons()[0].partition(" ")[0])
                both.ends(client)
                both.come_to_rest()
                assert "running" not in seen, seen
                both.judge("link", True)
                if both.counts["gone"]:
                    return
            raise AssertionError(f"it was faster each time: {both.counts}")


class AgainPair(PostcopyPair):
    """Broken by somebody who wants it so, it goes on, and that is what is cut."""

    def break_off(self, kind):
        for _ in range(10):
            client = super().client(kind)
            harness.wait_for(lambda client=client: self.can_break_off() or client.poll() is not None, "the switch")
            said = self.ends(client)
            self.come_to_rest()
            if all(self.lacks()):
                return
            assert client.returncode == 0, said
            self.judge("nobody", False)  # it was faster
        raise AssertionError("it was faster each time")

    def can_break_off(self):
        return self.source.daemon.virsh("domjobabort", self.guest.name, "--postcopy", check=False).returncode == 0

    def client(self, kind):
        return self.migrate(kind, "--postcopy", "--postcopy-resume")


def again(both, victim, name, step, kind):
    both.break_off(kind)
    side = getattr(both, name)
    side.restart(f"migrate-{'out' if name == 'source' else 'in'}-{step}")

    def reached(client):
        harness.wait_for(lambda: client.poll() is not None or harness.is_stopped(side.daemon.process.pid),
                         "the step, or the end")

    both.once(victim, kind, reached, 2)
    side.restart()


@harness.test("whatever is killed while a pair goes on, it is whole, or as broken as before", timeout=6000 if harness.SOAK else 900)
def while_it_goes_on(t):
    steps = [("source", step) for step in OUT_AGAIN] + [("destination", step) for step in IN_AGAIN]
    cases = [(victim, *step) for victim in VICTIMS for step in steps] if harness.SOAK else SOME_AGAIN
    with cuts.pair(t, AgainPair) as both:
        for number, case in enumerate(cases):
            kind = KINDS[number % len(KINDS)]
            print(f"# {case}, {kind}, {dict(both.counts)}", flush=True)
            again(both, *case, kind)


for VICTIM in VICTIMS if harness.SOAK else ():
    @harness.test(f"{VICTIM}: at each step of the source from the switch on", timeout=3000)
    def of_source(t, victim=VICTIM):
        cuts.at_boundary(t, victim, OUT, "source", PostcopyPair)

    @harness.test(f"{VICTIM}: at each step of the destination from the switch on", timeout=3000)
    def of_destination(t, victim=VICTIM):
        cuts.at_boundary(t, victim, IN, "destination", PostcopyPair)


@harness.test("at times that are drawn", timeout=18000 if harness.SOAK else 900)
def drawn(t):
    cuts.draw(t, DRAWN, 5, HEALS, PostcopyPair)


if __name__ == "__main__":
    harness.main()
