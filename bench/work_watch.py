# SPDX-License-Identifier: LGPL-2.1-or-later
"""How fast a guest works while something is done to it, as one sees it from outside.

A worker in the guest writes to its memory as fast as it can, and prints a line for each MiB.
"""

import statistics
import time

from tick_watch import TickWatch

WINDOW_S = 0.1
# 16 MiB again and again, so that a copy which follows the guest comes to its end.
WORKER = ("touch /working; (n=0; while [ -e /working ]; do "
          "dd if=/dev/zero of=/work bs=64k count=16 seek=$((n % 16 * 16)) conv=notrunc 2>/dev/null; "
          "n=$((n + 1)); echo work $n >/dev/ttyS0; done) </dev/null >/dev/null 2>&1 &")


def begin(guest):
    guest.wait_for_agent()
    guest.agent(f"sh {WORKER}")
    guest.close()


def end(guest):
    guest.wait_for_agent()
    guest.agent("sh rm -f /working")
    guest.close()


class WorkWatch(TickWatch):
    """The same as its parent, of work instead of ticks; `rates()` when it is over."""

    WORD = b"work"
    CALM = 30  # pieces of work before and after

    def _calm(self):
        super()._calm()
        time.sleep(1)

    def rates(self, begun, ended):
        """[(seconds since `begun`, share of the usual rate)] of each window, until a second after `ended`."""
        gaps = [b - a for a, b in zip(self.arrivals, self.arrivals[1:])]
        usual = WINDOW_S / statistics.mean(gaps[:self.begin])
        first = begun - int((begun - self.arrivals[0]) / WINDOW_S) * WINDOW_S
        last = min(ended + 1, self.arrivals[-1])
        curve = []
        at = first
        while at + WINDOW_S <= last:
            n = sum(at <= arrival < at + WINDOW_S for arrival in self.arrivals)
            curve.append((at - begun, n / usual))
            at += WINDOW_S
        return curve


def middle(curves):
    """The median of several curves, window by window, as far as more than half of them reach."""
    by_window = {}
    for curve in curves:
        for at, share in curve:
            by_window.setdefault(round(at / WINDOW_S), []).append(share)
    return [(number * WINDOW_S, statistics.median(shares)) for number, shares in sorted(by_window.items())
            if len(shares) * 2 > len(curves)]
