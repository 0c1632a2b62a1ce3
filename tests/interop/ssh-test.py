#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An unmodified virsh reaches stasisd: from another host by its own ssh client and a real sshd, and by default."""

import os
import pathlib
import re
import subprocess
import sys

from listener import Listener, begins
from served import daemon, harness

sys.path.insert(0, str(harness.ROOT / "tests" / "transport"))
import sshd as ssh_server  # pylint: disable=wrong-import-position


class Far:
    """A virsh, and the host that it goes to."""

    def __init__(self, server, **parameters):
        self.server, self.parameters = server, parameters
        self.env = dict(os.environ, LC_ALL="C.UTF-8", PATH=f"{server.ssh_folder()}:{os.environ['PATH']}")
        for name in ("LIBVIRT_DEFAULT_URI", "SSH_AUTH_SOCK"):
            self.env.pop(name, None)

    def uri(self, path="system"):
        more = "&".join(f"{key}={value}" for key, value in self.parameters.items())
        return f"qemu+ssh://{self.server.user}@127.0.0.1:{self.server.port}/{path}" + (f"?{more}" if more else "")

    def virsh(self, *arguments, read_only=False):
        command = ["virsh", *(["-r"] if read_only else []), "-c", self.uri(), *map(str, arguments)]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                              env=self.env, check=False)

    def says(self, *arguments, **options):
        result = self.virsh(*arguments, **options)
        assert result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}\n{self.server.said()}"
        return result.stdout.strip()


def host(t, **options):
    reason = ssh_server.why_not()
    if reason:
        raise harness.Skip(reason)
    return ssh_server.sshd(t.dir / "sshd", **options)


def drive(t, far):
    """What one does with a guest, each time by a connection of its own, and one that hears of all of it."""
    guest = t.boot_sector_guest()
    with Listener(t, far, "--event", "lifecycle", env=far.env) as listener:
        begins(listener, t)
        listener.path.write_text("")
        assert "defined from" in far.says("define", guest.xml_file())
        assert "started" in far.says("start", guest.name)
        listener.hears(guest.name, "Defined Added", "Started Booted")
        guest.wait_for_tick(2)
        assert re.search(rf"\d+\s+{guest.name}\s+running", far.says("list"))
        info = far.says("dominfo", guest.name)
        assert re.search(r"State:\s+running", info) and re.search(r"Max memory:\s+65536 KiB", info), info
        assert f"<name>{guest.name}</name>" in far.says("dumpxml", guest.name)
        assert "saved to" in far.says("save", guest.name, t.dir / "image")
        last = guest.last_tick()
        listener.hears(guest.name, "Suspended Paused", "Stopped Saved")
        assert guest.name not in far.says("list")
        assert "restored from" in far.says("restore", t.dir / "image")
        listener.hears(guest.name, "Started Restored")
        guest.wait_for_tick(last + 2)
        ticks = guest.ticks()
        assert ticks == list(range(ticks[0], ticks[0] + len(ticks))) and guest.damaged_pages() == 0
        refused = far.virsh("destroy", guest.name, read_only=True)
        assert refused.returncode == 1 and "read only" in refused.stderr, refused.stderr
        far.says("destroy", guest.name)
        listener.hears(guest.name, "Stopped Destroyed")
        far.says("undefine", guest.name)


@harness.test("virsh from afar, by nc -U and stasis-connect: a guest's life, saves, events")
def by_netcat(t):
    with daemon(t) as served, host(t) as server:
        drive(t, Far(server, socket=served.socket))
        assert Far(server, socket=served.socket, proxy="netcat").says("hostname") == served.says("hostname")
        ours = pathlib.Path(harness.STASIS).with_name("stasis-connect")
        assert Far(server, socket=served.socket, netcat=ours).says("hostname") == served.says("hostname")
        failed = Far(server, socket=t.dir / "nowhere").virsh("list")
        assert failed.returncode == 1 and "nowhere" in failed.stderr, failed.stderr


def usual(served, name="libvirt-sock"):
    """The links that let libvirt's clients find it without a word."""
    if not ssh_server.has_namespaces():
        raise harness.Skip("root and mount namespaces are needed for a /run of one's own")
    return {f"/run/libvirt/{name}": served.socket, f"/run/libvirt/{name}-ro": f"{served.socket}-ro"}


@harness.test("virsh from afar, by libvirt's virt-ssh-helper and a link at libvirt's place: the same")
def by_helper(t):
    with daemon(t) as served, host(t, links=usual(served)) as server:
        drive(t, Far(server, proxy="native"))
        version = tuple(map(int, served.says("--version").split(".")))
        if version >= (11, 3):  # older ones ask the helper for the usual socket, whatever the URI says
            assert Far(server, proxy="native", socket=served.socket).says("hostname") == served.says("hostname")


@harness.test("virsh from afar leaves the choice of the way and of the socket to libvirt")
def by_default(t):
    with daemon(t) as served:
        for name in ("libvirt-sock", "virtqemud-sock"):
            with ssh_server.sshd(t.dir / name, links=usual(served, name)) as server:
                assert Far(server).says("hostname") == served.says("hostname")
                refused = Far(server).virsh("define", "/dev/null", read_only=True)
                assert refused.returncode == 1 and "read only" in refused.stderr, refused.stderr


@harness.test("virsh without a socket in the URI: a symbolic link at libvirt's place, environment, libvirt.conf")
def local(t):
    def says(*command, links=None, **env):
        clean = {key: value for key, value in os.environ.items() if key != "LIBVIRT_DEFAULT_URI"}
        command = ssh_server.in_namespace(*command, links=links)
        result = subprocess.run(command, env=clean | env, check=False, capture_output=True, text=True, timeout=60)
        return result.stdout.strip() if result.returncode == 0 else result.stderr

    guest = t.boot_sector_guest()
    with daemon(t) as served:
        served.virsh("define", guest.xml_file())
        ask = ("virsh", "list", "--all", "--name")
        for name in ("libvirt-sock", "virtqemud-sock"):
            links = usual(served, name)
            assert says("virsh", "-c", "qemu:///system", *ask[1:], links=links) == guest.name
            assert says("virsh", "-r", "-c", "qemu:///system", *ask[1:], links=links) == guest.name
        assert guest.name not in says(*ask)
        assert says(*ask, links=usual(served)) == guest.name  # without a URI: libvirt-sock
        assert says(*ask, LIBVIRT_DEFAULT_URI=served.uri()) == guest.name
        conf = t.dir / "libvirt.conf"
        conf.write_text(f'uri_default = "{served.uri()}"\n', encoding="utf-8")
        bound = f"mount --bind {conf} /etc/libvirt/libvirt.conf && exec {' '.join(ask)}"
        assert says("sh", "-c", bound) == guest.name


harness.main()
