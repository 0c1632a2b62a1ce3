#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices that write to a guest's memory past QEMU: what cannot be tracked is not saved from outside."""

import json
import socket
import struct
import threading

import harness
from mapped import can_map, goes_on, need_mapping, saved_guest

NAMESPACE = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'"
SHARED = ("-object", "memory-backend-memfd,id=foreign,size=1M,share=on",
          "-device", "ivshmem-plain,id=others,memdev=foreign,master=on,addr=0x1c")


def with_arguments(xml, *arguments):
    lines = "".join(f"<qemu:arg value='{one}'/>" for one in arguments)
    return (xml.replace("<domain ", f"<domain {NAMESPACE} ", 1)
            .replace("</domain>", f"<qemu:commandline>{lines}</qemu:commandline></domain>"))


def booted(t, *arguments):
    """A guest with that on its command line."""
    config = t.state / "config" / "stasis.conf"
    config.write_text(config.read_text() + "[security]\nuid-count=0\n")  # sockets are in the test's own folder
    guest = t.boot_sector_guest()
    path = t.dir / "foreign.xml"
    path.write_text(with_arguments(guest.xml(), *arguments))
    t.stasis("create", path)
    guest.wait_for_tick(2)
    return guest


def comes_back(t, guest, image):
    t.stasis("destroy", guest.name, check=False)
    n_before = len(guest.ticks())
    t.stasis("restore", image)
    harness.wait_for(lambda: len(guest.ticks()) >= n_before + 3, "the restored guest to tick")
    assert guest.damaged_pages() == 0


def not_from_outside(t, guest, name):
    """It is saved by QEMU, and the device that is to blame is named; the image is good."""
    image = t.dir / "live.stasis"
    stats = json.loads(t.stasis("checkpoint", guest.name, image, "--json").stdout)
    told = f"what '{name} writes to the guest's memory cannot be seen"
    if can_map():
        assert f"not from outside: {told}" in stats["engine"] and "precopy" in stats["engine"], stats["engine"]
    t.stasis("image", "verify", image)
    guest.wait_for_tick(guest.last_tick() + 2)
    if can_map():
        result = t.stasis("checkpoint", guest.name, t.dir / "more.stasis", "--base", image, check=False)
        assert result.returncode == 1 and "incremental save is not possible" in result.stderr, result.stderr
        assert told in result.stderr and not (t.dir / "more.stasis").exists(), result.stderr
    return image


@harness.test("memory that is shared with others: QEMU saves it, live or not")
def shared(t):
    guest = booted(t, *SHARED)
    image = not_from_outside(t, guest, "others' (ivshmem-plain)")
    comes_back(t, guest, image)


@harness.test("a guest on a mapped image whose device came later is saved by QEMU as well")
def mapped(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    t.stasis("restore", image)
    stats = json.loads(t.stasis("save", guest.name, image, "--json").stdout)
    assert "written from outside QEMU" in stats["engine"], stats
    t.stasis("destroy", guest.name, check=False)
    path = t.dir / "foreign.xml"
    path.write_text(with_arguments(guest.xml(), *SHARED))
    t.stasis("create", path)
    guest.wait_for_tick(guest.last_tick() + 2)
    t.stasis("save", guest.name, image)
    last = guest.last_tick()
    t.stasis("restore", image)
    stats = json.loads(t.stasis("save", guest.name, image, "--json").stdout)
    assert "what 'others' (ivshmem-plain) writes" in stats["engine"], stats
    t.stasis("restore", image)
    goes_on(guest, last)


class Backend(threading.Thread):
    """The other side of a vhost-user network, as far as QEMU asks before there is a device."""

    # VIRTIO_F_VERSION_1, VHOST_USER_F_PROTOCOL_FEATURES, VHOST_F_LOG_ALL; VHOST_USER_PROTOCOL_F_LOG_SHMFD
    ANSWERS = {1: 1 << 32 | 1 << 30 | 1 << 26, 15: 1 << 1}
    REPLY = 1 << 2 | 1

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.start()

    def run(self):
        peer, _ = self.listener.accept()
        with peer, peer.makefile("rb") as stream:
            while len(head := stream.read(12)) == 12:
                request, _, size = struct.unpack("<3I", head)
                stream.read(size)
                if request in self.ANSWERS:
                    peer.sendall(struct.pack("<3IQ", request, self.REPLY, 8, self.ANSWERS[request]))

    def close(self):
        self.listener.close()


@harness.test("another process that has the guest's memory for a network is named")
def network(t):
    backend = Backend(t.dir / "vhost")
    try:
        guest = booted(t, "-chardev", f"socket,id=vhost,path={t.dir}/vhost",
                       "-netdev", "vhost-user,id=others,chardev=vhost")
        not_from_outside(t, guest, "others' (vhost-user)")
    finally:
        backend.close()


harness.main()
