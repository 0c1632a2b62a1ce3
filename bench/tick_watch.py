# SPDX-License-Identifier: LGPL-2.1-or-later
"""For how long a guest stood still, as one sees it from outside: by its ticks."""

import os
import statistics
import threading
import time


class TickWatch:
    """Notes when each tick of a guest of tests/integration/guest.py arrives, in its serial file.

        with TickWatch(guest) as watch:
            ... save it while it runs ...
        watch.pause()
    """

    WORD = b"tick"
    NAP = 0.0005
    CALM = 12  # ticks before and after

    def __init__(self, guest):
        self.guest, self.arrivals, self._end = guest, [], threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        with open(self.guest.serial, "rb") as file:
            file.seek(0, os.SEEK_END)
            line = b""
            while not self._end.is_set():
                octets = file.read()
                if not octets:
                    if os.fstat(file.fileno()).st_size < file.tell():
                        file.seek(0)  # whoever restored it has begun the file anew
                    time.sleep(self.NAP)
                    continue
                now = time.monotonic()
                *lines, line = (line + octets).split(b"\n")
                self.arrivals += [now for one in lines if self.WORD in one]

    def _calm(self):
        wanted, deadline = len(self.arrivals) + self.CALM, time.monotonic() + 60
        while len(self.arrivals) < wanted:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.guest.name} ticks no more")
            time.sleep(0.01)

    def __enter__(self):
        self._thread.start()
        self._calm()
        self.begin = len(self.arrivals) - 1
        return self

    def __exit__(self, *failure):
        self.end = len(self.arrivals) + 1
        try:
            if failure[0] is None:
                self._calm()
        finally:
            self._end.set()
            self._thread.join()

    def pause(self):
        """The longest time between two ticks in between, less the usual one before; seconds."""
        gaps = [b - a for a, b in zip(self.arrivals, self.arrivals[1:])]
        return max(0.0, max(gaps[self.begin:self.end]) - statistics.median(gaps[:self.begin]))
