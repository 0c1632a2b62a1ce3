# SPDX-License-Identifier: LGPL-2.1-or-later
"""A virsh that listens for events, and how to make the kernel lose some."""

import os
import pathlib
import re
import signal
import subprocess

from served import harness


class Listener:
    """A virsh that prints each event."""

    def __init__(self, t, served, *options, env=None):
        self.path = t.dir / "events"
        self.path.write_bytes(b"")  # an earlier one may have been here
        with open(self.path, "ab") as file:
            self.process = subprocess.Popen(["virsh", "-c", served.uri(), "event", "--loop", *options],
                                            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                                            env=env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)

    def lines(self):
        return self.path.read_text(encoding="utf-8").splitlines()

    def lifecycle(self, name):
        """'Started Booted' and so on, in their order."""
        found = [re.match(rf"event 'lifecycle' for domain '{name}': (.*)", line) for line in self.lines()]
        return [one[1] for one in found if one]

    def hears(self, name, *wanted):
        """These, and nothing else, since the last time."""
        harness.wait_for(lambda: len(self.lifecycle(name)) >= len(wanted), f"{wanted}, not {self.lifecycle(name)}")
        assert self.lifecycle(name) == list(wanted), self.lifecycle(name)
        self.path.write_text("")


def begins(listener, t, name="begin"):
    """Until it listens: events of a domain that is defined for that only."""
    guest = t.boot_sector_guest(name)

    def heard():
        t.stasis("define", guest.xml_file())
        t.stasis("undefine", name)
        return listener.lifecycle(name)
    harness.wait_for(heard, "the first event")


def drown(t):
    """More happens than the kernel keeps for who watches: what comes after that is lost."""
    most = int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
    names = [t.state / "config" / "domains" / f".{number}" for number in range(2)]
    for number in range(most + 1):
        os.symlink("nowhere", names[number % 2])
        os.unlink(names[number % 2])
