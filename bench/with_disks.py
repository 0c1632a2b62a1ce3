# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest with a disk is saved while it runs on, and its disk with it, at the same instant.

The disk is qcow2; what the guest writes afterwards goes into an overlay (virsh: `--diskspec`; Stasis:
`checkpoint` without `--no-disks`), one more in each round.  Disks and overlays lie in a folder of
each peer's own, and go with it.
"""

import json
import os
import subprocess
import sys
import time

import stats
from tick_watch import TickWatch

PAUSE_MS = 50
DISK = "64M"


class Disks:
    """One of the peers, with a guest of its own."""

    def __init__(self, peer, folder):
        self.peer, self.folder, self.told = peer, folder / f"disks-{peer.name}", []
        self.folder.mkdir()
        self.disk = self.folder / "vda.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", self.disk, DISK], check=True)

    def boot(self, make_guest):
        guest = make_guest(f"disks-{self.peer.name}", [(self.disk, "qcow2", "virtio", False)])
        self.peer.start(guest)
        guest.wait_for_agent(timeout=180)
        guest.agent(f"fill {guest.memory_mib // 2} 1 random", timeout=600)
        guest.close()

    def checkpoint(self, image, number):
        name = self.peer.guest.name
        if self.peer.name == "virsh":
            self.peer.virsh("snapshot-create-as", name, "--live", "--no-metadata",
                            "--memspec", f"file={image},snapshot=external",
                            "--diskspec", f"vda,snapshot=external,file={self.folder}/vda.{number}.qcow2")
            return
        text = self.peer.stasis("checkpoint", "--json", name, image)[1]
        self.told.append(json.loads(text)["pause_us"] / 1e6)

    def one(self, number, samples):
        """The guest writes to its disk before and after, and finds what it wrote."""
        guest, image = self.peer.guest, self.folder / f"{number}.image"
        guest.wait_for_agent()
        guest.agent(f"write-disk /dev/vda 4096 before-{number}")
        guest.close()
        os.sync()
        with TickWatch(guest) as watch:
            begun = time.monotonic()
            self.checkpoint(image, number)
            total = time.monotonic() - begun
        samples.setdefault("disks pause", {}).setdefault(self.peer.name, []).append(watch.pause())
        samples.setdefault("disks total", {}).setdefault(self.peer.name, []).append(total)
        guest.wait_for_agent()
        if guest.agent("read-disk /dev/vda 4096") != f"before-{number}":
            raise RuntimeError(f"{guest.name}: its disk has lost a write")
        guest.close()
        image.unlink()


def run(peers, folder, make_guest, rounds, samples):
    """Rounds with each of the peers; what Stasis told, or why it does not do that."""
    rows = [Disks(peer, folder) for peer in peers]
    try:
        for row in rows:
            row.boot(make_guest)
        for number in range(rounds):
            turn = number % len(rows)
            for row in rows[turn:] + rows[:turn]:
                row.one(number, samples)
            print(f"with disks: round {number + 1} of {rounds}", file=sys.stderr)
    except RuntimeError as failure:
        for measure in ("disks pause", "disks total"):
            samples.pop(measure, None)
        return None, str(failure).splitlines()[0]
    return next(row.told for row in rows if row.told), None


def limits(samples, told):
    """As bench/fast has them: text, limit, value."""
    ticks = stats.median(samples["disks pause"]["stasis"]) * 1000
    own = stats.median(told) * 1000
    return [(f"with disks: pause, ticks: {ticks:.1f} ms", PAUSE_MS, ticks),
            (f"with disks: pause, told: {own:.1f} ms", PAUSE_MS, own)]
