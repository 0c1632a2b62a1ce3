#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real virsh, and stasis, migrate guests in postcopy between two daemons."""

import json
import os
import signal
import subprocess

import breaking
from peers import expect_at, hosts, running_guest
from served import harness


def begin(*command):
    return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def ends_well(process):
    out, said = process.communicate(timeout=120)
    assert process.returncode == 0, (out, said)


def is_sent(host, guest):
    """Its memory is being sent."""
    return "Memory processed" in host.says("domjobinfo", guest.name, check=False)


@harness.test("virsh switches to postcopy by a command, client-managed and peer-to-peer", timeout=400)
def by_command(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one, pages=2048)
        for options in ((), ("--p2p",)):
            said = one.daemon.virsh("migrate-postcopy", guest.name, check=False).stderr
            assert "no migration" in said, said
            process = begin("virsh", "-c", one.uri(), "migrate", "--live", "--postcopy", "--bandwidth", "1", *options,
                            guest.name, two.peer() if options else two.uri())
            harness.wait_for(lambda: is_sent(one, guest) or process.poll() is not None, "the migration to begin")
            one.daemon.virsh("migrate-postcopy", guest.name)
            ends_well(process)
            expect_at(guest, two, one)
            one, two = two, one


@harness.test("virsh switches after the first pass, by an event of ours")
def after_precopy(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one)
        ends_well(begin("virsh", "-c", one.uri(), "migrate", "--live", "--postcopy", "--postcopy-after-precopy",
                        guest.name, two.uri()))
        expect_at(guest, two, one)


@harness.test("stasis switches after a time")
def after_time(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one, pages=2048)
        one.stasis("migrate", guest.name, two.peer(), "--live", "--postcopy", "--timeout", "1", "--timeout-postcopy",
                   "--bandwidth", "1")
        expect_at(guest, two, one)


def break_postcopy(link, guest, one, two, how=None):
    """It goes on at its destination, lacks memory, and the link is gone.  Returns what is said."""
    process = begin("virsh", "-c", one.uri(), "migrate", "--live", "--postcopy", "--bandwidth", "1", *link.options(),
                    guest.name, two.uri())
    harness.wait_for(lambda: is_sent(one, guest) or process.poll() is not None, "the migration to begin")
    assert process.poll() is None, process.communicate()
    one.daemon.virsh("migrate-postcopy", guest.name)
    harness.wait_for(lambda: two.state_of(guest) == "running (post-copy)" or process.poll() is not None,
                     "the guest to go on there")
    (how or link.cut)()
    out, said = process.communicate(timeout=120)
    assert process.returncode != 0, out
    return said


def status_of(host, guest):
    return json.loads((host.state / "run" / "domains" / guest.name / "status.json").read_text(encoding="utf-8"))


def kill_supervisor(host, guest):
    """The next one has to find out by itself."""
    folder = str(host.state / "run" / "domains" / guest.name)
    for pid, command in host.t.processes().items():
        if "stasis-supervisor" in command and folder in command:
            os.kill(pid, signal.SIGKILL)
            return
    raise AssertionError(f"no supervisor: {host.t.processes()}")


def expect_broken(guest, one, two):
    harness.wait_for(lambda: one.state_of(guest) == "paused (post-copy failed)"
                     and two.state_of(guest) == "running (post-copy failed)", "both to say so")


@harness.test("a broken postcopy is left as it is at both ends, and both say so")
def broken(t):
    with hosts(t) as (one, two), breaking.Link() as link:
        guest = running_guest(t, one, pages=4096)
        said = break_postcopy(link, guest, one, two)
        assert "--postcopy-resume" in said, said
        expect_broken(guest, one, two)
        refused = one.daemon.virsh("resume", guest.name, check=False)
        assert refused.returncode != 0 and "--postcopy-resume" in refused.stderr, refused
        for host in one, two:
            kill_supervisor(host, guest)
        expect_broken(guest, one, two)


def resume(link, guest, one, two, *options):
    return begin("virsh", "-c", one.uri(), "migrate", "--live", "--postcopy", "--postcopy-resume", *link.options(),
                 *options, guest.name, two.peer() if "--p2p" in options else two.uri())


def fails(process):
    said = process.communicate(timeout=120)[1]
    assert process.returncode != 0
    return said


def expect_recovered(guest, one, two):
    """As after any migration."""
    expect_at(guest, two, one)
    assert "postcopy" not in status_of(two, guest), status_of(two, guest)
    two.says("suspend", guest.name)
    two.says("resume", guest.name)
    assert two.state_of(guest) == "running (unpaused)"


@harness.test("a broken postcopy goes on by another connection, client-managed and peer-to-peer", timeout=400)
def goes_on(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one, pages=4096)
        for options in ((), ("--p2p",)):
            with breaking.Link() as link:
                assert "no postcopy" in fails(resume(link, guest, one, two, *options))
                break_postcopy(link, guest, one, two)
                expect_broken(guest, one, two)
                link.per_second = 0
                ends_well(resume(link, guest, one, two, *options))
            expect_recovered(guest, one, two)
            one, two = two, one


@harness.test("domjobabort --postcopy breaks it off, and it goes on as fast as is asked for then", timeout=400)
def by_hand(t):
    with hosts(t) as (one, two):
        guest = running_guest(t, one, pages=4096)
        for speed in 7, None:
            refused = one.daemon.virsh("domjobabort", guest.name, "--postcopy", check=False)
            assert refused.returncode != 0 and "post-copy" in refused.stderr, refused
            with breaking.Link() as link:
                def how(one=one, speed=speed):
                    by = one.says if speed else one.stasis
                    by("domjobabort", guest.name, "--postcopy")

                said = break_postcopy(link, guest, one, two, how)
                assert "--postcopy-resume" in said, said
                expect_broken(guest, one, two)
                if not speed:
                    one.stasis("migrate-setspeed", guest.name, 8, "--postcopy")
                process = resume(link, guest, one, two, *(["--postcopy-bandwidth", speed] if speed else []))
                harness.wait_for(lambda: two.state_of(guest) == "running (post-copy)" or process.poll() is not None,
                                 "the guest to go on there")
                assert one.says("migrate-getspeed", guest.name, "--postcopy") == str(speed or 8)
                link.per_second = 0
                ends_well(process)
            expect_recovered(guest, one, two)
            one, two = two, one


@harness.test("a postcopy breaks a second time", timeout=400)
def again(t):
    with hosts(t) as (one, two), breaking.Link() as link:
        guest = running_guest(t, one, pages=4096)
        break_postcopy(link, guest, one, two)
        expect_broken(guest, one, two)
        process = resume(link, guest, one, two)
        harness.wait_for(lambda: two.state_of(guest) == "running (post-copy)" or process.poll() is not None,
                         "the guest to go on there")
        link.cut()
        fails(process)
        expect_broken(guest, one, two)
        for host in one, two:
            kill_supervisor(host, guest)
        link.per_second = 0
        ends_well(resume(link, guest, one, two))
        expect_recovered(guest, one, two)


@harness.test("stasis goes on with a broken postcopy; where it is killed, the pair is whole, or as broken as before", timeout=400)
def by_stasis(t):
    with hosts(t) as (one, two), breaking.Link() as link:
        guest = running_guest(t, one, pages=4096)
        break_postcopy(link, guest, one, two)
        command = ("migrate", guest.name, two.peer(), "--live", "--postcopy", "--postcopy-resume", *link.options())
        for fault in "migrate-out-journal=kill", "migrate-out-journal=fail":
            assert one.stasis(*command, check=False, STASIS_FAULT=fault).returncode != 0
            expect_broken(guest, one, two)
        assert one.stasis(*command, check=False, STASIS_FAULT="migrate-out-resumed=kill").returncode != 0
        link.per_second = 0
        harness.wait_for(lambda: guest.name not in one.names() and "postcopy" not in status_of(two, guest),
                         "both to see that all of it has come")
        expect_recovered(guest, one, two)
        guest = running_guest(t, one, pages=4096, name="other")
        link.per_second = 1 << 20
        break_postcopy(link, guest, one, two)
        link.per_second = 0
        one.stasis("migrate", guest.name, two.peer(), "--live", "--postcopy", "--postcopy-resume", *link.options())
        expect_recovered(guest, one, two)


@harness.test("who lacks no memory refuses a postcopy that goes on, and whoever sends is as before")
def elsewhere(t):
    with hosts(t) as (one, two), breaking.Link() as link:
        guest = running_guest(t, one, pages=4096)
        break_postcopy(link, guest, one, two)
        expect_broken(guest, one, two)
        two.says("destroy", guest.name)
        assert "lacks no memory" in fails(resume(link, guest, one, two))
        assert one.state_of(guest) == "paused (post-copy failed)"
        two.daemon.virsh("create", guest.xml_file())
        assert "lacks no memory" in fails(resume(link, guest, one, two))
        assert one.state_of(guest) == "paused (post-copy failed)"
        assert two.state_of(guest) == "running (booted)"


if __name__ == "__main__":
    harness.main()
