# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hosts of a test on one machine: a network for each, joined by links that can be cut.

    with network.joined(t, 2) as net:
        served.Daemon(t, before=net[0].before)
        net.cut(0)

Each is a network namespace without a name, which ends with the process that holds it.  A switch in one
more of them joins the links; one that is cut stays up at both ends, and what is sent is lost, as by a
cable that broke far away.  Addresses are 192.0.2.1 and so on.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess

from served import harness

BRIDGE = "br0"    # of each host
LISTENING = "0A"  # in /proc/net/tcp
CONNECTED = "01"


class Space:
    """A network namespace."""

    def __init__(self, t):
        # What is seen in /sys is of the network of who mounted it.
        self.holder = subprocess.Popen(["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c",
                                        "mount -t sysfs sys /sys && exec sleep infinity"], cwd=t.dir,
                                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.before = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", f"--mount=/proc/{self.holder.pid}/ns/mnt"]
        harness.wait_for(self.is_there, "a network namespace")
        self.ip("link", "set", "lo", "up")

    def is_there(self):
        if self.holder.poll() is not None:
            raise harness.Skip(f"no network namespaces here: {self.holder.stderr.read().strip()}")
        proc = pathlib.Path(f"/proc/{self.holder.pid}")
        return (os.readlink(proc / "ns/net") != os.readlink("/proc/self/ns/net")
                and (proc / "comm").read_text(encoding="utf-8").strip() == "sleep")

    def run(self, *command):
        return subprocess.run([*self.before, *map(str, command)], check=True, capture_output=True, text=True).stdout

    def ip(self, *arguments):
        result = subprocess.run([*self.before, "ip", *map(str, arguments)], check=False, capture_output=True, text=True)
        if result.returncode != 0:
            raise harness.Skip(f"ip {' '.join(map(str, arguments))}: {result.stderr.strip()}")

    def sockets(self):
        return [line.split() for kind in ("tcp", "tcp6")
                for line in pathlib.Path(f"/proc/{self.holder.pid}/net/{kind}").read_text(encoding="utf-8").splitlines()]

    def ports(self):
        """Where somebody listens."""
        return sorted(int(words[1].rpartition(":")[2], 16) for words in self.sockets() if words[3] == LISTENING)

    def unsent(self):
        """Octets that others have not acknowledged."""
        return sum(int(words[4].partition(":")[0], 16) for words in self.sockets() if words[3] == CONNECTED)

    def end(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stderr.close()


class Network:
    def __init__(self, t, count):
        self.switch, self.spaces = None, []
        try:
            self.switch = Space(t)
            self.switch.ip("link", "add", "switch", "type", "bridge", "stp_state", "0")
            self.switch.ip("link", "set", "switch", "up")
            for number in range(count):
                self.spaces.append(Space(t))
                self.lay(number)
        except BaseException:
            self.end()
            raise

    def lay(self, number):
        """A link from the switch to the last one, where guests can be bridged to it."""
        space, port = self.spaces[number], f"port{number}"
        self.switch.ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space.holder.pid)
        self.join(number)
        self.switch.ip("link", "set", port, "up")
        space.ip("link", "add", BRIDGE, "type", "bridge", "stp_state", "0")
        space.ip("link", "set", "eth0", "master", BRIDGE)
        for device in ("eth0", BRIDGE):
            space.ip("link", "set", device, "up")
        space.ip("address", "add", f"{self.address(number)}/24", "dev", BRIDGE)

    @staticmethod
    def address(number):
        return f"192.0.2.{number + 1}"

    def __getitem__(self, number):
        return self.spaces[number]

    def cut(self, number):
        self.switch.ip("link", "set", f"port{number}", "nomaster")

    def join(self, number):
        self.switch.ip("link", "set", f"port{number}", "master", "switch")

    def slow(self, number, mbit):
        """What comes to it comes at this rate."""
        self.switch.run("tc", "qdisc", "replace", "dev", f"port{number}", "root", "tbf", "rate", f"{mbit}mbit",
                        "burst", "32k", "latency", "100ms")

    def end(self):
        for space in [*self.spaces, *([self.switch] if self.switch else [])]:
            space.end()


@contextlib.contextmanager
def joined(t, count):
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter", "unshare"))):
        raise harness.Skip("network namespaces need root, and ip, nsenter, and unshare")
    net = Network(t, count)
    try:
        yield net
    finally:
        net.end()
