#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Do the peers of the benchmarks work?  Save and restore once with each; prints TAP.

Usage: peers-test.py [MIB-OF-MEMORY]
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "integration"))
import harness  # pylint: disable=wrong-import-position
from qmp_floor import FloorPeer  # pylint: disable=wrong-import-position
from virsh_peer import VirshPeer  # pylint: disable=wrong-import-position

MIB = int(sys.argv.pop(1)) if len(sys.argv) > 1 else 512


def round_trip(t, peer):
    guest = t.linux_guest(name=f"bench-{peer.name}", memory_mib=MIB)
    image = t.dir / f"{peer.name}.image"
    try:
        peer.start(guest)
        guest.wait_for_agent()
        guest.agent(f"fill {MIB // 2} 1 random", timeout=120)
        total = guest.agent("sum")
        for _ in range(2):
            saved = peer.save(image)
            restored = peer.restore(image)
            guest.wait_for_agent()
            assert guest.agent("sum") == total
            print(f"# {peer.name}, {peer.version()}: {saved | restored} {image.stat().st_blocks >> 11} MiB")
        tick = guest.last_tick()
        guest.wait_for_tick(tick + 2)
    finally:
        peer.end()


@harness.test("bare QMP saves and restores", timeout=300)
def floor(t):
    round_trip(t, FloorPeer(harness.QEMU, harness.ACCEL))


@harness.test("virsh saves and restores", timeout=300)
def virsh(t):
    round_trip(t, VirshPeer(t.dir))


harness.main()
