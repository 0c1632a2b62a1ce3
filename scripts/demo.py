#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Show the main job on a real Linux guest: boot, save, verify, restore, go on.

Run by ./dev demo, which has set everything up.  Uses a private folder and removes it.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))
import guest as guests  # pylint: disable=wrong-import-position

BUILD = ROOT / "build"
STASIS = BUILD / "bin" / "stasis"
MEMORY_MIB, FILLED_MIB = 1024, 512


def accelerator():
    """kvm where it really runs a guest here, else tcg."""
    answer = subprocess.run([ROOT / "scripts" / "kvm-works.sh"], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "tcg"


class Demo:
    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.env = dict(os.environ, STASIS_STATE_DIR=str(self.dir / "state"))
        self.rows = []

    def stasis(self, *arguments):
        print(f"\n$ stasis {' '.join(str(a) for a in arguments)}", flush=True)
        began = time.monotonic()
        result = subprocess.run([STASIS, *map(str, arguments)], env=self.env, check=True, text=True,
                                stdout=subprocess.PIPE)
        print(result.stdout.rstrip(), flush=True)
        return time.monotonic() - began, result.stdout

    def row(self, what, value):
        self.rows.append((what, value))

    def boot(self):
        accel = accelerator()
        qemu = shutil.which("qemu-system-x86_64")
        guest = guests.LinuxGuest(self.dir, "demo", qemu, accel, BUILD / "guest", memory_mib=MEMORY_MIB)
        print(f"A Linux guest with {MEMORY_MIB} MiB, by {qemu} ({accel}).")
        self.stasis("define", guest.xml_file())
        began = time.monotonic()
        self.stasis("start", guest.name)
        guest.wait_for_tick(1, timeout=180)
        self.row("boot to the first tick", f"{time.monotonic() - began:.2f} s")
        guest.wait_for_agent()
        guest.agent(f"fill {FILLED_MIB} 1 mix", timeout=180)
        return guest

    def run(self):
        guest = self.boot()
        total = guest.agent("sum")
        guest.close()
        image = self.dir / "demo.stasis"
        saved, _ = self.stasis("save", guest.name, image)
        before = guest.last_tick()
        paused_at = time.monotonic() - saved
        size = image.stat()
        verified, _ = self.stasis("image", "verify", image)
        self.stasis("image", "info", image)
        restored, _ = self.stasis("restore", image)
        guest.wait_for_tick(before + 1)
        gap = time.monotonic() - paused_at
        self.stasis("list")
        guest.wait_for_tick(before + 5)
        guest.wait_for_agent()
        after = guest.agent("sum")
        ticks = guest.ticks()
        first = ticks.index(before)
        print("\nThe guest's own ticks across the gap:",
              " ".join(map(str, ticks[max(0, first - 3):first + 1])), "|",
              " ".join(map(str, ticks[first + 1:first + 5])))
        good = after == total and ticks == list(range(ticks[0], ticks[0] + len(ticks)))
        print(f"Checksum of its {FILLED_MIB} MiB: {total} before, {after} after.")
        self.row("save, on disk", f"{saved:.2f} s")
        self.row("image", f"{size.st_blocks * 512 / 2**20:.0f} MiB on disk")
        self.row("verify every octet", f"{verified:.2f} s")
        self.row("restore", f"{restored:.2f} s")
        self.row("save to next tick, all in all", f"{gap:.2f} s")
        guest.close()
        self.stasis("destroy", guest.name)
        self.stasis("undefine", guest.name)
        print()
        for what, value in self.rows:
            print(f"  {what:32} {value}")
        print(f"\n{'The guest went on exactly where it was.' if good else 'THE GUEST DID NOT GO ON AS IT WAS.'}")
        return good


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="stasis-demo-")
    demo = Demo(folder)
    try:
        return 0 if demo.run() else 1
    finally:
        subprocess.run([STASIS, "-q", "destroy", "demo"], env=demo.env, check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
