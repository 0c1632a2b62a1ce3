# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests of saves of guests that run meanwhile have in common."""

import os
import pathlib
import random
import signal
import subprocess
import time

import harness
from mapped import booted_guest

VERIFIER = harness.ROOT / "tests" / "verify" / "verify_image.py"


def goes_on(t, guest):
    guest.wait_for_tick(guest.last_tick() + 2)
    assert guest.damaged_pages() == 0 and t.domstate(guest) == "running"


def comes_back(t, guest, image, *options, **env):
    """End the guest, restore the image: the tick that it went on from."""
    t.stasis("destroy", guest.name, check=False)
    n_before = len(guest.ticks())
    t.stasis("restore", image, *options, **env)
    harness.wait_for(lambda: len(guest.ticks()) >= n_before + 3, "the restored guest to tick")
    ticks = guest.ticks()[n_before:]
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks))), "a tick is missing or doubled"
    assert guest.damaged_pages() == 0, "a page is older or newer than its neighbours"
    return ticks[0]


def linux(t, *change):
    """A Linux guest with 64 MiB of a pattern; `change`: from what to what in its XML."""
    guest = t.linux_guest()
    path = t.dir / "linux.xml"
    path.write_text(guest.xml().replace(*change) if change else guest.xml())
    t.stasis("create", path)
    guest.wait_for_agent(timeout=120)
    guest.agent("fill 64 7 mix")
    return guest


def verify(t, image):
    """By both readers: hashes, bitmaps, and that what has no bit is zero."""
    t.stasis("image", "verify", image)
    subprocess.run(["/usr/bin/python3", VERIFIER, image], check=True, stdout=subprocess.DEVNULL)


def set_balloon(t, guest, mib):
    """Its supervisor has been killed (by_hand)."""
    t.qmp(guest, "supervisor.sock", {"execute": "balloon", "arguments": {"value": mib << 20}})
    harness.wait_for(lambda: t.qmp(guest, "supervisor.sock", "query-balloon")["actual"] == mib << 20, "the balloon")


def at_random_moments(t, rounds, checkpoint, come_back):
    """Save and restore, again and again, a guest that changes its memory all the time."""
    guest = booted_guest(t, pages=6000)
    image = t.dir / "a.stasis"
    pauses, rng = [], random.Random(11)
    for _ in range(rounds):
        time.sleep(rng.random() / 5)
        pauses.append(checkpoint(t, guest, image)["pause_us"])
        goes_on(t, guest)
        come_back(guest, image, rng)
    print(f"# pauses, ms: {sorted(pauses)[len(pauses) // 2] / 1000:.1f} median, {max(pauses) / 1000:.1f} at the most")


def helpers_without_library(t):
    """A folder of helpers for STASIS_LIBEXEC_DIR: a QEMU that is started with them has no library preloaded."""
    helpers = t.dir / "helpers"
    helpers.mkdir()
    for path in pathlib.Path(harness.STASIS).parent.iterdir():
        if path.suffix != ".so" or path.name == "stasis-ssh.so":
            os.link(path, helpers / path.name)
    return helpers


def shared_memory(t, guest):
    """The file of its definition, changed to memory that other processes may map."""
    path = t.dir / "shared.xml"
    backing = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
    path.write_text(guest.xml().replace("<vcpu>", backing + "<vcpu>"))
    return path


def await_stop(process, step):
    """Wait until a command has been stopped at a fault point."""
    harness.wait_for(lambda: harness.is_stopped(process.pid), f"the command to be stopped at {step}")
    return process


def let_end(process):
    process.send_signal(signal.SIGCONT)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output
