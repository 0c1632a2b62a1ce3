# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ourselves: the command `stasis`, embedded, in a private state folder."""

import json
import os
import pathlib
import subprocess
import time


class StasisPeer:
    """Same interface as FloorPeer: start, save, restore, end."""

    def __init__(self, folder, program, name="stasis", save_options=(), restore_options=()):
        self.name = name
        self.dir = pathlib.Path(folder) / name
        self.dir.mkdir(mode=0o700)
        self.program = program
        self.save_options = list(save_options)
        self.restore_options = list(restore_options)
        self.guest = None
        self.peak_kib = 0  # of the largest `stasis` so far

    def stasis(self, *arguments):
        """Run a command; seconds until it has ended, and its output."""
        start = time.monotonic()
        with open(self.dir / "output", "w+", encoding="utf-8") as output:
            process = subprocess.Popen(
                [self.program, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=dict(os.environ, STASIS_STATE_DIR=str(self.dir / "state")))
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.monotonic() - start
            output.seek(0)
            text = output.read()
        if process.returncode != 0:
            raise RuntimeError(f"stasis {arguments}: {text.strip()}")
        self.peak_kib = max(self.peak_kib, usage.ru_maxrss)
        return seconds, text

    def version(self):
        return self.stasis("--version")[1].strip().splitlines()[0]

    def start(self, guest):
        """Start a guest of tests/integration/guest.py."""
        self.guest = guest
        self.stasis("create", guest.xml_file())

    def save(self, path):
        """Save and end; seconds until the image is durable, and until `stasis` has returned.

        The first is the job's own clock: from its first question to the image's name on disk.
        """
        self.guest.close()
        seconds, text = self.stasis("save", "--json", *self.save_options, self.guest.name, path)
        return {"save": json.loads(text)["elapsed_us"] / 1e6, "save_and_end": seconds}

    def restore(self, path, *options):
        """Restore and run; seconds until `stasis` has returned."""
        return {"restore": self.stasis("restore", path, *self.restore_options, *options)[0]}

    def wait_until_idle(self):
        """Until nothing reads the image any more beside the guest."""
        while "going on" in self.stasis("dominfo", "--json", self.guest.name)[1]:
            time.sleep(0.1)

    def list(self):
        """List all domains."""
        return self.stasis("list", "--all")[0]

    def end(self):
        if self.guest is None:
            return
        self.guest.close()
        try:
            self.stasis("destroy", self.guest.name)
        except RuntimeError:
            pass
