#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A running guest gets another QEMU on the same host, or keeps the one that it has."""

import json
import os
import re
import signal
import time

import harness
from live import shared_memory

# In the order in which they come: up to the last of these the guest is the old QEMU's.
BEFORE = ["journal", "spawned", "started", "ready", "sending", "completed"]
REFUSED = "cont"  # decided, but the new QEMU does not let it run
AFTER = ["decided", "running", "moved", "finished"]


def running_guest(t, **options):
    guest = t.boot_sector_guest(**options)
    t.stasis("define", shared_memory(t, guest))
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    return guest


def json_objects(text):
    decoder = json.JSONDecoder()
    while text.strip():
        found, end = decoder.raw_decode(text.strip())
        text = text.strip()[end:]
        yield found


def qemu_of(t, guest):
    return t.status(guest)["qemu"]["pid"]


def qemus(t):
    return [pid for pid, command in t.processes().items() if "qemu-system" in command.split("\0")[0]]


def is_alone(t, guest):
    """One QEMU, one supervisor beside it, and nothing of a handover is left."""
    harness.wait_for(lambda: qemus(t) == [qemu_of(t, guest)], "there to be one QEMU")
    t.supervisor()
    folder = t.run_folder(guest)
    left = [entry.name for entry in folder.iterdir() if entry.name.endswith(".next") or entry.name == "handover"]
    assert not left, left
    assert "job" not in t.status(guest), t.status(guest)
    on = [one["capability"] for one in t.qmp_command(guest, "query-migrate-capabilities") if one["state"]]
    assert not on, on
    assert t.qmp_command(guest, "query-migrate-parameters")["max-bandwidth"] == 134217728


def goes_on(t, guest):
    t.wait_for_no_job(guest)
    assert t.domstate(guest) == "running", t.domstate(guest, "--reason")
    guest.wait_for_tick(guest.last_tick() + 3)
    assert guest.damaged_pages() == 0
    assert guest.boots() == 1, guest.boots()
    ticks = guest.ticks()
    assert ticks == sorted(ticks), ticks
    is_alone(t, guest)


@harness.test("a guest goes on in another QEMU, three times", timeout=300)
def chained(t):
    guest = running_guest(t)
    before = [t.stasis(command, guest.name).stdout for command in ("domid", "domuuid")]
    seen = {qemu_of(t, guest)}
    for count in range(2, 5):
        said = t.stasis("handover", guest.name).stdout
        assert re.fullmatch(r"Domain 'sector' handed over, paused for [0-9.]+ ms\n+", said), said
        seen.add(qemu_of(t, guest))
        assert len(seen) == count, seen
        goes_on(t, guest)
    assert [t.stasis(command, guest.name).stdout for command in ("domid", "domuuid")] == before
    t.stasis("destroy", guest.name)
    assert t.domstate(guest, "--reason") == "shut off (destroyed)"


@harness.test("how long it stood is in its statistics")
def statistics(t):
    guest = running_guest(t)
    stats = json.loads(t.stasis("handover", guest.name, "--json").stdout)
    assert stats["domain"] == guest.name and stats["pause-us"] > 0, stats
    info = t.stasis("domjobinfo", guest.name, "--completed").stdout
    assert "Completed" in info, info


@harness.test("one that is paused stays so")
def paused(t):
    guest = running_guest(t)
    t.stasis("suspend", guest.name)
    seen, last = {qemu_of(t, guest)}, guest.last_tick()
    for count in (2, 3):
        t.stasis("handover", guest.name)
        seen.add(qemu_of(t, guest))
        assert len(seen) == count, seen
        assert t.domstate(guest) == "paused"
        assert guest.last_tick() == last
    t.stasis("resume", guest.name)
    goes_on(t, guest)


@harness.test("--check does nothing")
def check(t):
    guest = running_guest(t)
    old = qemu_of(t, guest)
    assert "can be handed over" in t.stasis("handover", guest.name, "--check").stdout
    assert qemu_of(t, guest) == old
    goes_on(t, guest)


@harness.test("a guest with memory of its own is told why it cannot be, and goes on")
def private(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    for options in ([], ["--check"]):
        result = t.stasis("handover", guest.name, *options, check=False)
        assert result.returncode == 1 and "private" in result.stderr and "memfd" in result.stderr, result.stderr
    result = t.stasis("handover", guest.name, "--emulator", "/no/such/qemu", check=False)
    assert "private" in result.stderr and "/no/such/qemu" in result.stderr, result.stderr
    goes_on(t, guest)


@harness.test("--all tells of each, and whether all went", timeout=300)
def every_one(t):
    shared = running_guest(t)
    private = t.boot_sector_guest(name="other")
    t.stasis("create", private.xml_file())
    private.wait_for_tick(2)
    result = t.stasis("handover", "--all", check=False)
    assert result.returncode == 1, result
    lines = result.stdout.splitlines()
    assert any(re.match(r"sector: handed over", line) for line in lines), lines
    assert any(re.match(r"other: .*private", line) for line in lines), lines
    assert "1 of 2" in result.stderr, result.stderr
    told = t.stasis("handover", "--all", "--json", check=False)
    assert told.returncode == 1, told
    objects = {one["domain"]: one for one in json_objects(told.stdout)}
    assert objects["sector"]["pause-us"] > 0 and "private" in objects["other"]["error"], objects
    t.stasis("destroy", private.name)
    assert "of domains: 1" in t.stasis("handover", "--all").stdout
    goes_on(t, shared)
    assert t.stasis("handover", check=False).returncode != 0


@harness.test("what the guest has in memory and writes to its disk is there after it", timeout=600)
def disk(t):
    data = t.dir / "data.img"
    data.write_bytes(bytes(16 << 20))
    guest = t.linux_guest(disks=[(data, "raw", "virtio", False)])
    t.stasis("define", shared_memory(t, guest))
    t.stasis("start", guest.name)
    guest.wait_for_agent(300)
    guest.agent("fill 32 0.5")
    for number in range(3):
        guest.agent(f"write-disk /dev/vda {number * 4096} written-{number}")
        t.stasis("handover", guest.name)
        guest.close()
        guest.wait_for_agent(120)
        assert guest.agent("check").startswith("0 bad"), "what it has in memory"
        for older in range(number + 1):
            assert guest.agent(f"read-disk /dev/vda {older * 4096}") == f"written-{older}"
        assert data.read_bytes()[number * 4096:].startswith(f"written-{number}".encode())
    is_alone(t, guest)
    t.stasis("destroy", guest.name)


@harness.test("a device that came while it ran is there after it", timeout=300)
def hotplugged(t):
    guest = running_guest(t)
    data = t.dir / "data.img"
    data.write_bytes(bytes(1 << 20))
    t.stasis("attach-disk", guest.name, data, "vdb", "--live")
    t.stasis("handover", guest.name)
    goes_on(t, guest)
    assert "vdb" in t.stasis("domblklist", guest.name).stdout
    t.stasis("handover", guest.name)
    goes_on(t, guest)


@harness.test("whoever waits at a channel's socket is still there")
def channel(t):
    guest = running_guest(t)
    before = os.stat(guest.agent_path)
    t.stasis("handover", guest.name)
    after = os.stat(guest.agent_path)
    assert (before.st_dev, before.st_ino) == (after.st_dev, after.st_ino)
    guest._connect(time.monotonic() + 60)
    guest.close()
    goes_on(t, guest)
    t.stasis("destroy", guest.name)
    assert not guest.agent_path.exists()


for point in [*BEFORE, REFUSED]:
    @harness.test(f"a failure at '{point}' leaves it in the QEMU that it had", embedded=True)
    def fails_before(t, point=point):
        guest = running_guest(t)
        old = qemu_of(t, guest)
        result = t.stasis("handover", guest.name, check=False, STASIS_FAULT=f"handover-{point}=fail")
        assert result.returncode == 1, result
        assert qemu_of(t, guest) == old
        goes_on(t, guest)
        t.stasis("handover", guest.name)
        goes_on(t, guest)

for point in BEFORE + AFTER:
    @harness.test(f"a driver that is killed at '{point}' leaves one copy, which goes on", embedded=True)
    def killed(t, point=point):
        guest = running_guest(t)
        old = qemu_of(t, guest)
        t.stasis("handover", guest.name, check=False, STASIS_FAULT=f"handover-{point}=kill")
        goes_on(t, guest)
        assert (qemu_of(t, guest) == old) == (point in BEFORE), (old, qemu_of(t, guest))
        t.stasis("handover", guest.name)
        goes_on(t, guest)


def stopped(t, guest, point):
    """A handover that stands at that point."""
    process = t.start("handover", guest.name, STASIS_FAULT=f"handover-{point}=stop")
    harness.wait_for(lambda: harness.is_stopped(process.pid), f"the driver to stand at '{point}'")
    return process


for point in ("started", "ready", "sending", "completed", "decided"):
    @harness.test(f"the new QEMU is killed at '{point}': the guest goes on in the old one", embedded=True)
    def new_dies(t, point=point):
        guest = running_guest(t)
        old = qemu_of(t, guest)
        process = stopped(t, guest, point)
        status = t.status(guest)
        harness.kill((status["qemu"] if point == "decided" else status["job"]["beside"])["pid"])
        os.kill(process.pid, signal.SIGCONT)
        assert process.wait(60) == 1
        assert qemu_of(t, guest) == old
        goes_on(t, guest)


@harness.test("the new QEMU is killed once the guest runs there: nothing is left but a definition", embedded=True)
def new_dies_late(t):
    guest = running_guest(t)
    process = stopped(t, guest, "running")
    harness.kill(qemu_of(t, guest))
    os.kill(process.pid, signal.SIGCONT)
    process.wait(60)
    assert t.domstate(guest) == "shut off"
    harness.wait_for(lambda: not qemus(t), "both QEMUs to end")


def is_over(t, guest):
    assert t.domstate(guest) == "shut off"
    harness.wait_for(lambda: not qemus(t), "both QEMUs to end")
    harness.wait_for(lambda: not t.run_folder(guest).exists(), "the run folder to go")


for point in BEFORE + AFTER[:2]:
    @harness.test(f"the old QEMU is killed at '{point}'", embedded=True)
    def old_dies(t, point=point):
        guest = running_guest(t)
        old = qemu_of(t, guest)
        process = stopped(t, guest, point)
        harness.kill(old)
        os.kill(process.pid, signal.SIGCONT)
        has_it = process.wait(60) == 0
        assert has_it or point not in ["completed", *AFTER], point
        assert not has_it or point not in BEFORE[:4], point  # else it had sent nothing
        if has_it:
            goes_on(t, guest)
        else:
            is_over(t, guest)


for point in BEFORE[1:] + AFTER[:2]:
    for whose in ("old", "new"):
        @harness.test(f"the driver and the {whose} QEMU are killed at '{point}'", embedded=True)
        def both_die(t, point=point, whose=whose):
            guest = running_guest(t)
            process = stopped(t, guest, point)
            status = t.status(guest)
            present, beside = status["qemu"]["pid"], status["job"]["beside"]["pid"]
            is_present = (whose == "new") == (point in AFTER)
            harness.kill(present if is_present else beside)
            harness.kill(process.pid)
            process.wait(60)
            if is_present:
                harness.wait_for(lambda: not t.run_folder(guest).exists(), "the run folder to go")
                is_over(t, guest)
            else:
                goes_on(t, guest)
                assert qemu_of(t, guest) == present


for point in BEFORE + AFTER:
    @harness.test(f"the supervisor is killed at '{point}'", embedded=True)
    def supervisor_dies(t, point=point):
        guest = running_guest(t)
        process = stopped(t, guest, point)
        harness.kill(t.supervisor())
        os.kill(process.pid, signal.SIGCONT)
        assert process.wait(60) == 0, process.stderr.read()
        goes_on(t, guest)

    @harness.test(f"the supervisor and the driver are killed at '{point}'", embedded=True)
    def supervisor_and_driver_die(t, point=point):
        guest = running_guest(t)
        process = stopped(t, guest, point)
        harness.kill(t.supervisor())
        harness.kill(process.pid)
        process.wait(60)
        t.stasis("domstate", guest.name)
        goes_on(t, guest)


@harness.test("it is aborted, as long as the guest was not given away", embedded=True)
def aborted(t):
    guest = running_guest(t)
    old = qemu_of(t, guest)
    process = stopped(t, guest, "started")
    t.stasis("domjobabort", guest.name)
    os.kill(process.pid, signal.SIGCONT)
    assert process.wait(60) == 1
    assert qemu_of(t, guest) == old
    goes_on(t, guest)
    process = stopped(t, guest, "completed")
    assert t.stasis("domjobabort", guest.name, check=False).returncode != 0
    os.kill(process.pid, signal.SIGCONT)
    assert process.wait(60) == 0, process.stderr.read()
    goes_on(t, guest)


@harness.test("nothing of it is left in the driver")
def left_open(t):
    if harness.MODE != "unix":
        raise harness.Skip("the driver has ended")
    guest = running_guest(t)

    def kinds():
        names = harness.open_files(t.daemon.pid)
        return [name for name in names if "memfd" in name or "stasis-ram" in name], len(names)
    t.stasis("handover", guest.name)
    before = kinds()
    for _ in range(4):
        t.stasis("handover", guest.name)
    assert kinds()[0] == [], kinds()
    harness.wait_for(lambda: kinds()[1] <= before[1], "it to have no more open than before")
    goes_on(t, guest)


@harness.test("it ends with 'destroy', whoever has it", timeout=300, embedded=True)
def destroyed(t):
    for point in ("started", "completed", "decided", "moved"):
        guest = running_guest(t, name=f"sector-{point}")
        process = stopped(t, guest, point)
        destroy = t.start("destroy", guest.name)
        harness.wait_for(lambda: (t.run_folder(guest) / "end-reason").exists() or destroy.poll() is not None,
                         "the end to be noted")
        os.kill(process.pid, signal.SIGCONT)
        process.wait(60)
        assert destroy.wait(60) == 0
        assert t.domstate(guest) == "shut off"
        harness.wait_for(lambda: not qemus(t), "both QEMUs to end")


harness.main()
