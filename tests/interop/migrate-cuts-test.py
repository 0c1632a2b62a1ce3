#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What breaks while a guest migrates in precopy (cuts.py)."""

import cuts
from cuts import VICTIMS
from served import harness

DRAWN = 200 if harness.SOAK else 6
HEALS = (0.5, 2, 5, 40) if harness.SOAK else (0.5, 2, 5)
OUT = ["begin", "configured", "connected", "journal", "sending", "waiting", "handed", "continued", "completed",
       "confirm"]
IN = ["held", "started", "listening", "journal", "prepared", "finish", "loaded", "decided", "begun", "running", "committed"]


def some(steps, victim):
    """All of them under soak; else a few, others for each victim."""
    return steps if harness.SOAK else steps[VICTIMS.index(victim)::4]


for VICTIM in VICTIMS:
    @harness.test(f"{VICTIM}: at each step of the source", timeout=3000 if harness.SOAK else 600)
    def of_source(t, victim=VICTIM):
        cuts.at_boundary(t, victim, some(OUT, victim), "source")

    @harness.test(f"{VICTIM}: at each step of the destination", timeout=3000 if harness.SOAK else 600)
    def of_destination(t, victim=VICTIM):
        cuts.at_boundary(t, victim, some(IN, victim), "destination")


@harness.test("at times that are drawn", timeout=14400 if harness.SOAK else 900)
def drawn(t):
    cuts.draw(t, DRAWN, 1.5, HEALS)


if __name__ == "__main__":
    harness.main()
