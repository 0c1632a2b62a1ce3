#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a guest writes to is tracked between saves: the next increment is right, and compares nothing."""

import json
import os
import pathlib
import random
import shutil
import signal
import time

import harness
import live
from live import goes_on, set_balloon, shared_memory, verify
from mapped import booted_guest, can_map, need_mapping
from throttle import come_back_as_read, direct_guest, has_read, slow_reads, start_reading

OUTSIDE = "incremental, written from outside QEMU"
LIVE = f"{OUTSIDE} while the guest runs"
ROUNDS = 100 if harness.SOAK else 8


def linux(t, *change):
    need_mapping()
    return live.linux(t, *change)


def sector(t, **options):
    need_mapping()
    return booted_guest(t, **options)


def save(t, guest, image, *options, command="checkpoint", **env):
    """Save it; the engine that was used."""
    guest.close()
    stats = json.loads(t.stasis(command, guest.name, image, "--json", *options, **env).stdout)
    return stats["engine"]


def root(t, guest, image):
    engine = save(t, guest, image, "--track")
    assert engine.startswith("mapped-ram, written from outside QEMU") and "from here on is tracked" in engine, engine
    assert since(t, guest) == str(image) and registered(t, guest)


def tracked(t, guest, image, base, *options):
    """Save what was written to since; nothing is compared."""
    engine = save(t, guest, image, *(options or ["--incremental"]))
    assert engine.startswith(f"{LIVE}: what the guest has written to since '{base}'"), engine
    assert since(t, guest) == str(image) and registered(t, guest)


def compared(t, guest, image, base, why, *options):
    engine = save(t, guest, image, *(options or ["--incremental"]))
    assert engine.startswith(f"{LIVE}: what differs from '{base}'") and why in engine, engine
    assert since(t, guest) == str(image)


def since(t, guest):
    """What dominfo says that it is tracked since."""
    told = json.loads(t.stasis("dominfo", guest.name, "--json").stdout).get("tracked_since")
    lines = [line for line in t.stasis("dominfo", guest.name).stdout.splitlines() if line.startswith("Tracked since:")]
    assert [line.split(None, 2)[2] for line in lines] == ([told] if told else []), lines
    return told


def registered(t, guest):
    """Whether any of its QEMU's memory is write-protected from outside, as the kernel tells it."""
    smaps = pathlib.Path(f"/proc/{t.status(guest)['qemu']['pid']}/smaps").read_text()
    return any("uw" in line.split() for line in smaps.splitlines() if line.startswith("VmFlags:"))


def stored(t, image):
    return json.loads(t.stasis("image", "info", image, "--json").stdout)["memory"]["stored"]


def comes_back(t, guest, image, total):
    guest.close()
    t.stasis("destroy", guest.name, check=False)
    t.stasis("restore", image)
    guest.wait_for_agent()
    assert guest.agent("sum") == total, "the guest's memory has changed"


@harness.test("increment on increment without a comparison, each restored", timeout=300)
def chain(t):
    guest = linux(t)
    images = [t.dir / f"{number}.stasis" for number in range(4)]
    totals = [guest.agent("sum")]
    root(t, guest, images[0])
    for number in range(1, 4):
        totals.append(guest.agent(f"fill {8 + number} {number} mix") and guest.agent("sum"))
        tracked(t, guest, images[number], images[number - 1])
        assert stored(t, images[number]) < stored(t, images[0]) / 2
        verify(t, images[number])
    assert guest.agent("ping") is not None
    for image, total in zip(images, totals):
        comes_back(t, guest, image, total)
    whole = t.dir / "whole.stasis"
    t.stasis("image", "flatten", images[3], whole)
    comes_back(t, guest, whole, totals[3])


@harness.test("every page of a busy Linux guest holds what was last written to it, increment after increment",
              timeout=300)
def busy(t):
    guest = linux(t)
    guest.agent("dirty 20000")
    images = [t.dir / f"{number}.stasis" for number in range(5)]
    root(t, guest, images[0])
    for before, image in zip(images, images[1:]):
        time.sleep(0.3)
        tracked(t, guest, image, before)
        assert guest.agent("check").startswith("0 bad"), "in the guest that ran on"
    for image in images:
        guest.close()
        t.stasis("destroy", guest.name)
        t.stasis("restore", image)
        guest.wait_for_agent()
        assert guest.agent("check").startswith("0 bad"), "in the guest that came back"


@harness.test("increments at random moments, of a guest that changes its memory all the time", timeout=3600)
def consistent(t):
    guest = sector(t, pages=6000)
    rng = random.Random(12)
    for number in range(ROUNDS):
        folder = t.dir / str(number)
        folder.mkdir()
        before = folder / "root"
        root(t, guest, before)
        for name in range(rng.randrange(1, 5)):
            time.sleep(rng.random() / 5)
            tracked(t, guest, folder / str(name), before)
            before = folder / str(name)
            goes_on(t, guest)
        live.comes_back(t, guest, before)
        shutil.rmtree(folder)


def octets_read(t, guest, *command):
    """What the command has read of files when its image is there: /proc/PID/io."""
    process = t.start(*command, STASIS_FAULT="save-renamed=stop")
    harness.wait_for(lambda: harness.is_stopped(process.pid), "the command to be stopped")
    lines = pathlib.Path(f"/proc/{process.pid}/io").read_text().splitlines()
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    guest.close()
    return int(dict(line.split(": ") for line in lines)["rchar"])


@harness.test("a tracked increment reads nothing of the base's pages, and little of the guest's")
def reads(t):
    guest = linux(t)
    base = t.dir / "base.stasis"
    root(t, guest, base)
    size = stored(t, base)
    read = octets_read(t, guest, "checkpoint", guest.name, t.dir / "a.stasis", "--incremental")
    assert read < size / 4, (read, size)
    stats = json.loads(t.stasis("domjobinfo", guest.name, "--completed", "--json").stdout)
    assert stats["bytes_written"] < size / 4, stats
    t.stasis("domuntrack", guest.name)
    read = octets_read(t, guest, "checkpoint", guest.name, t.dir / "b.stasis", "--base", base)
    assert read > size, (read, size)


@harness.test("what a balloon gives back is zero in the increment, and not the base's")
def balloon(t):
    guest = linux(t, "<memballoon model='none'/>", "<memballoon model='virtio'/>")
    guest.agent("fill 120 7 random")
    base, image, other = t.dir / "base.stasis", t.dir / "a.stasis", t.dir / "b.stasis"
    root(t, guest, base)
    guest.agent("fill 1 1 text")
    t.by_hand(guest)
    set_balloon(t, guest, 100)
    tracked(t, guest, image, base)
    flat = t.dir / "flat.stasis"
    t.stasis("image", "flatten", image, flat)
    assert stored(t, flat) < stored(t, base) - (80 << 20), "what was given back is still there"
    t.by_hand(guest)
    set_balloon(t, guest, 256)
    guest.agent("fill 100 9 mix")
    total = guest.agent("sum")
    tracked(t, guest, other, image)
    for one in (image, other):
        verify(t, one)
    comes_back(t, guest, other, total)


STEPS = ("save-journal", "save-passed", "capture-tracked", "save-followed", "save-paused", "save-going-on",
         "save-copied", "save-written", "save-linked")


@harness.test("an increment that fails or dies: nothing is tracked for nobody, and the next one is right", timeout=900)
def failures(t):
    guest = sector(t, pages=6000)
    base, image, after = t.dir / "base.stasis", t.dir / "a.stasis", t.dir / "b.stasis"
    for step in STEPS:
        for how in ("fail", "kill"):
            root(t, guest, base)
            result = t.stasis("checkpoint", guest.name, image, "--incremental", check=False,
                              STASIS_FAULT=f"{step}={how}")
            assert result.returncode == (1 if how == "fail" else -signal.SIGKILL), (step, how, result.stderr)
            goes_on(t, guest)
            t.wait_for_no_job(guest)
            assert not image.exists() and since(t, guest) is None, (step, how)
            assert not registered(t, guest), (step, how)
            compared(t, guest, image, base, f"tracked since '{base}', until a save that did not come to its end")
            tracked(t, guest, after, image)
            image.unlink()
            if how == "kill" and step in ("capture-tracked", "save-followed", "save-copied"):
                compared(t, guest, image, base, "", "--base", base)
                live.comes_back(t, guest, image)
                image.unlink()
            after.unlink()
    # From the rename on the image is there, but it is not told since when the guest is tracked.
    for how in ("fail", "kill"):
        root(t, guest, base)
        t.stasis("checkpoint", guest.name, image, "--incremental", check=False, STASIS_FAULT=f"save-renamed={how}")
        goes_on(t, guest)
        t.wait_for_no_job(guest)
        assert image.exists() and since(t, guest) is None and not registered(t, guest)
        compared(t, guest, after, base, "until a save that did not come to its end")
    live.comes_back(t, guest, after)


@harness.test("the supervisor dies between two increments, and nothing is lost by that")
def supervisor_dies(t):
    guest = linux(t)
    base, image = t.dir / "base.stasis", t.dir / "a.stasis"
    root(t, guest, base)
    total = guest.agent("fill 4 9 mix") and guest.agent("sum")
    harness.kill(t.supervisor())
    tracked(t, guest, image, base)
    comes_back(t, guest, image, total)


@harness.test("a first save with --track that dies leaves nothing tracked")
def first_dies(t):
    guest = sector(t)
    for options in ([], ["--track"]):
        for how in ("fail", "kill"):
            t.stasis("checkpoint", guest.name, t.dir / "a.stasis", *options, check=False,
                     STASIS_FAULT=f"save-copied={how}")
            goes_on(t, guest)
            t.wait_for_no_job(guest)
            assert since(t, guest) is None and not registered(t, guest), (options, how)
            result = t.stasis("checkpoint", guest.name, t.dir / "a.stasis", "--incremental", check=False)
            assert result.returncode == 1 and "--base" in result.stderr, result.stderr


@harness.test("a live save in between ends it, a save that fails while the guest is paused does not")
def in_between(t):
    guest = linux(t)
    base, image, whole = t.dir / "base.stasis", t.dir / "a.stasis", t.dir / "whole.stasis"
    root(t, guest, base)
    before = guest.agent("fill 3 1 mix") and guest.agent("sum")
    for options in ([], ["--incremental"]):
        for how in ("fail", "kill"):
            t.stasis("save", guest.name, image, *options, check=False, STASIS_FAULT=f"save-copied={how}")
            t.wait_for_no_job(guest)
            assert since(t, guest) == str(base) and registered(t, guest), (options, how)
    tracked(t, guest, image, base)
    guest.agent("fill 4 2 mix")
    save(t, guest, whole)
    assert since(t, guest) is None and not registered(t, guest)
    total = guest.agent("fill 5 3 mix") and guest.agent("sum")
    compared(t, guest, t.dir / "b.stasis", image, f"its writes were tracked since '{image}', until a live save")
    comes_back(t, guest, t.dir / "b.stasis", total)
    # Its memory is mapped now, from the first one: which nothing has to be compared for either.
    engine = save(t, guest, t.dir / "c.stasis", "--incremental")
    assert engine.startswith(f"{LIVE}: what the guest has written to since it was mapped from '{base}'"), engine
    comes_back(t, guest, image, before)


@harness.test("a guest on a mapped image is tracked, too, and what it only reads is not saved")
def of_mapped(t):
    guest = linux(t)
    base, images = t.dir / "base.stasis", [t.dir / f"{number}.stasis" for number in range(3)]
    save(t, guest, base, command="save")
    t.stasis("restore", base)
    guest.wait_for_agent()
    engine = save(t, guest, images[0], "--incremental")
    assert engine.startswith(f"{LIVE}: what the guest has written to since it was mapped from '{base}'"), engine
    total = guest.agent("sum")  # reads all of the pattern
    tracked(t, guest, images[1], images[0])
    assert stored(t, images[1]) < 32 << 20, stored(t, images[1])
    comes_back(t, guest, images[1], total)
    save(t, guest, images[0], "--incremental")
    total = guest.agent("fill 5 3 mix") and guest.agent("sum")
    tracked(t, guest, images[2], images[0])
    save(t, guest, t.dir / "whole.stasis")
    engine = save(t, guest, images[1], "--incremental")
    assert engine.startswith(f"{LIVE}: what the guest has written to since it was mapped from '{base}'"), engine
    assert "until a live save" in engine, engine
    comes_back(t, guest, images[2], total)
    comes_back(t, guest, images[1], total)


@harness.test("a guest that was given memory of its own meanwhile")
def detached(t):
    guest = linux(t)
    base, image, other = t.dir / "base.stasis", t.dir / "a.stasis", t.dir / "b.stasis"
    save(t, guest, base, command="save")
    t.stasis("restore", base)
    guest.wait_for_agent()
    save(t, guest, image, "--incremental")
    guest.agent("fill 5 3 mix")
    guest.close()
    t.stasis("domdetach", guest.name)
    total = guest.agent("fill 6 4 mix") and guest.agent("sum")
    tracked(t, guest, other, image)
    comes_back(t, guest, other, total)


@harness.test("a base that was removed or replaced is named; one that is named may lie elsewhere")
def bases(t):
    guest = linux(t)
    base, image, kept, moved = (t.dir / name for name in ("base.stasis", "a.stasis", "kept", "moved"))
    root(t, guest, base)
    shutil.copy(base, kept)

    def refused(word):
        result = t.stasis("checkpoint", guest.name, image, "--incremental", check=False)
        assert result.returncode == 1 and f"tracked since '{base}'" in result.stderr and word in result.stderr, \
            result.stderr
        assert since(t, guest) == str(base) and not image.exists()
    base.unlink()
    refused("No such file")
    save(t, guest, base, "--base", kept)
    tracked(t, guest, image, base)
    image.unlink()
    root(t, guest, base)
    shutil.copy(base, moved)
    shutil.copy(kept, base)
    refused("another image")
    result = t.stasis("checkpoint", guest.name, base, "--incremental", "--base", moved, check=False)
    assert result.returncode == 0, result.stderr
    engine = save(t, guest, image, "--base", moved)
    assert engine.startswith(f"{LIVE}: what differs from '{moved}'"), engine
    total = guest.agent("fill 5 3 mix") and guest.agent("sum")
    shutil.copy(image, kept)
    tracked(t, guest, t.dir / "b.stasis", kept, "--base", kept)
    comes_back(t, guest, t.dir / "b.stasis", total)
    root(t, guest, t.dir / "c.stasis")
    result = t.stasis("checkpoint", guest.name, t.dir / "c.stasis", "--incremental", check=False)
    assert result.returncode == 1 and "stand on" in result.stderr, result.stderr
    assert since(t, guest) == str(t.dir / "c.stasis")


@harness.test("a paused guest, and one that is paused for its save")
def paused(t):
    guest = linux(t)
    images = [t.dir / f"{number}.stasis" for number in range(4)]
    root(t, guest, images[0])
    guest.agent("fill 5 3 mix")
    t.stasis("suspend", guest.name)
    tracked(t, guest, images[1], images[0])
    assert t.domstate(guest) == "paused"
    t.stasis("resume", guest.name)
    total = guest.agent("fill 6 4 mix") and guest.agent("sum")
    engine = save(t, guest, images[2], "--incremental", command="save")
    assert engine.startswith(f"{OUTSIDE}: what the guest has written to since '{images[1]}'"), engine
    assert stored(t, images[2]) < stored(t, images[0]) / 2
    comes_back(t, guest, images[2], total)
    # Another QEMU knows nothing of what was tracked in the last one.
    assert since(t, guest) is None and "tracked" not in t.status(guest)
    root(t, guest, images[1])
    total = guest.agent("fill 7 4 mix") and guest.agent("sum")
    guest.close()
    engine = save(t, guest, images[3], "--incremental", "--live", command="save")
    assert engine.startswith(f"{LIVE}: what the guest has written to since '{images[1]}'"), engine
    comes_back(t, guest, images[3], total)


@harness.test("what a disk of direct I/O sends while increments are made is in them", timeout=600)
def direct(t):
    need_mapping()
    guest, disk, wanted = direct_guest(t)
    images = [t.dir / f"{number}.stasis" for number in range(4)]
    root(t, guest, images[0])
    with slow_reads(t, guest, disk):
        for before, image in zip(images, images[1:]):
            start_reading(guest)
            time.sleep(1)
            tracked(t, guest, image, before)
            assert has_read(guest, wanted)
    come_back_as_read(t, guest, images[1:], wanted)


@harness.test("images whose paths are not UTF-8: what is written can be read, and such a base is refused")
def octets(t):
    guest = sector(t)
    base = t.dir / os.fsdecode(b"base-\xff.stasis")
    image = t.dir / os.fsdecode(b"a-\xfe.stasis")
    save(t, guest, base, "--track")
    for options in (["--incremental"], ["--base", base]):
        result = t.stasis("save", guest.name, image, *options, check=False)
        assert result.returncode == 1 and "UTF-8" in result.stderr, result.stderr
        goes_on(t, guest)
    live.comes_back(t, guest, base)
    engine = save(t, guest, image, "--still", command="save")  # which names the base
    assert "mapped from" in engine, engine
    stats = json.loads(t.stasis("image", "info", image, "--json").stdout)
    assert stats["qemu"]["engine"] == engine
    verify(t, image)
    live.comes_back(t, guest, image)


@harness.test("it is ended by hand, and refused where it makes no sense")
def by_hand(t):
    guest = sector(t)
    base, image = t.dir / "base.stasis", t.dir / "a.stasis"
    result = t.stasis("domuntrack", guest.name, check=False)
    assert result.returncode == 1 and "is not tracked" in result.stderr, result.stderr
    result = t.stasis("save", guest.name, base, "--track", check=False)
    assert result.returncode == 1 and "goes on" in result.stderr, result.stderr
    root(t, guest, base)
    t.stasis("domuntrack", guest.name)
    assert since(t, guest) is None and not registered(t, guest)
    compared(t, guest, image, base, "until that was switched off")
    t.stasis("reset", guest.name)
    guest.wait_for_tick(1)
    tracked(t, guest, t.dir / "b.stasis", image)
    live.comes_back(t, guest, t.dir / "b.stasis")


@harness.test("memory that is not what was tracked any more is compared")
def lost(t):
    guest = sector(t)
    base, image, other = t.dir / "base.stasis", t.dir / "a.stasis", t.dir / "b.stasis"
    root(t, guest, base)
    path = t.run_folder(guest) / "status.json"
    for new, old, change in ((image, base, lambda blocks: blocks[0].update(address=blocks[0]["address"] + 4096)),
                             (other, image, lambda blocks: blocks.pop())):  # as if one were new
        status = json.loads(path.read_text())
        change(status["tracked"]["blocks"])
        path.write_text(json.dumps(status))
        compared(t, guest, new, old, "QEMU has other memory by now")
    live.comes_back(t, guest, other)


@harness.test("shared memory is not tracked between saves, and the engine says so")
def shared(t):
    need_mapping()
    guest = t.boot_sector_guest()
    t.stasis("create", shared_memory(t, guest))
    guest.wait_for_tick(2)
    engine = save(t, guest, t.dir / "a.stasis", "--track")
    assert "is not tracked: its memory is shared" in engine, engine
    assert since(t, guest) is None and not registered(t, guest)


@harness.test("a chain ends before it is too long to be restored", timeout=300)
def long_chain(t):
    guest = sector(t)
    before = t.dir / "0"
    root(t, guest, before)
    for number in range(1, 64):
        tracked(t, guest, t.dir / str(number), before)
        before = t.dir / str(number)
    result = t.stasis("checkpoint", guest.name, t.dir / "64", "--incremental", check=False)
    assert result.returncode == 1 and "image flatten" in result.stderr, result.stderr
    live.comes_back(t, guest, before)


@harness.test("where QEMU copies, the engine says that nothing is tracked")
def old_emulator(t):
    if can_map():
        raise harness.Skip("this emulator is not asked to copy")
    guest = booted_guest(t)
    engine = save(t, guest, t.dir / "a.stasis", "--track")
    assert "what it writes to from here on is not tracked" in engine, engine
    assert since(t, guest) is None and not registered(t, guest)


harness.main()
