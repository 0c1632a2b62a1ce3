# SPDX-License-Identifier: LGPL-2.1-or-later
"""A virsh that listens for events, and how to make the kernel lose some."""

import os
import pathlib
import re
import signal
import subprocess

import wire
from held import Relay
from served import harness

ALL = 27  # kinds of events that virsh 9.0 asks for, one by one; those that came later are none of ours


class Listener:
    """A virsh that prints each event, and stays however long the server is stopped."""

    def __init__(self, t, served, *options, env=None):
        self.path = t.dir / "events"
        self.path.write_bytes(b"")  # an earlier one may have been here
        self.relay = Relay(t, served.socket) if "--all" in options else None
        uri = f"qemu:///system?socket={self.relay.path}" if self.relay else served.uri()
        with open(self.path, "ab") as file:
            self.process = subprocess.Popen(["virsh", "-k", "0", "-c", uri, "event", "--loop", *options],
                                            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                                            env=env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)
        if self.relay:
            self.relay.close()

    def has_asked(self):
        """For all that it is to hear of."""
        return not self.relay or self.relay.answered.count((wire.REMOTE, wire.REGISTER)) >= ALL

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
    """Until it listens: events of domains that are defined for that only, of which none comes later."""
    def heard(which):
        t.stasis("define", which.xml_file())
        t.stasis("undefine", which.name)
        return listener.lifecycle(which.name)
    first, last = t.boot_sector_guest(name), t.boot_sector_guest(f"{name}-last")
    harness.wait_for(lambda: heard(first), "the first event")
    harness.wait_for(listener.has_asked, "virsh to have asked for every kind of event")
    heard(last)
    harness.wait_for(lambda: "Undefined Removed" in listener.lifecycle(last.name), "the last one of those")


def drown(t):
    """More happens than the kernel keeps for who watches: what comes after that is lost."""
    most = int(pathlib.Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
    names = [t.state / "config" / "domains" / f".{number}" for number in range(2)]
    for number in range(most + 1):
        os.symlink("nowhere", names[number % 2])
        os.unlink(names[number % 2])
