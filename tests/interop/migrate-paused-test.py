#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real virsh sends a paused guest about, which is saved in between, and has its disk wherever it is."""

import subprocess

from peers import hosts
from served import harness


def is_paused_at(guest, here, there):
    assert here.says("domstate", guest.name) == "paused"
    assert guest.name not in there.names(), there.says("list", "--all")


@harness.test("a paused guest is sent back and forth, saved, restored and sent again", timeout=300)
def back_and_forth(t):
    disk, image = t.dir / "data.qcow2", t.dir / "image"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "16M"], check=True)
    with hosts(t) as (one, two):
        guest = t.linux_guest(disks=[(disk, "qcow2", "virtio", False)])
        one.virsh("create", guest.xml_file())
        guest.wait_for_agent(timeout=120)
        guest.agent("write-disk /dev/vda 4096 at-home")
        guest.close()
        one.virsh("suspend", guest.name)
        for here, there, more in ((one, two, ()), (two, one, ()), (one, two, ("--p2p",)), (two, one, ("--p2p",))):
            here.virsh("migrate", "--live", *more, guest.name, there.peer() if more else there.uri())
            is_paused_at(guest, there, here)
            there.virsh("save", guest.name, image)
            there.virsh("restore", image, "--paused")
            is_paused_at(guest, there, here)
        one.virsh("resume", guest.name)
        guest.wait_for_agent()
        assert guest.agent("read-disk /dev/vda 4096") == "at-home"
        guest.agent("write-disk /dev/vda 8192 back-again")
        guest.close()
        one.virsh("migrate", "--live", "--suspend", guest.name, two.uri())
        is_paused_at(guest, two, one)
        two.virsh("migrate", "--live", guest.name, one.uri())
        is_paused_at(guest, one, two)
        one.virsh("resume", guest.name)
        guest.wait_for_agent()
        assert guest.agent("read-disk /dev/vda 4096") == "at-home"
        assert guest.agent("read-disk /dev/vda 8192") == "back-again"
        guest.close()
        one.virsh("destroy", guest.name)
    subprocess.run(["qemu-img", "check", "-q", disk], check=True)


if __name__ == "__main__":
    harness.main()
