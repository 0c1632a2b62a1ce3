#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients hear of what becomes of the domains, whoever does it."""

import os
import signal
import subprocess

import wire
from listener import Listener, begins
from served import daemon, harness
from mapped import can_map, image_lines

OLD_REGISTER, OLD_DEREGISTER = 105, 106


@harness.test("the life of a domain that the command leads, as virsh hears of it")
def life(t):
    guest = t.boot_sector_guest()
    with daemon(t) as served, Listener(t, served, "--event", "lifecycle") as listener:
        begins(listener, t)
        listener.path.write_text("")
        t.stasis("define", guest.xml_file())
        listener.hears(guest.name, "Defined Added")
        t.stasis("start", guest.name)
        listener.hears(guest.name, "Started Booted")
        guest.wait_for_tick(2)
        t.stasis("suspend", guest.name)
        listener.hears(guest.name, "Suspended Paused")
        t.stasis("resume", guest.name)
        listener.hears(guest.name, "Resumed Unpaused")
        t.stasis("save", guest.name, t.dir / "image")
        listener.hears(guest.name, "Suspended Paused", "Stopped Saved")
        t.stasis("restore", t.dir / "image")
        listener.hears(guest.name, "Started Restored")
        t.stasis("save", guest.name, "/dev/full/nowhere", check=False)
        t.stasis("managedsave", guest.name)
        listener.hears(guest.name, "Suspended Paused", "Stopped Saved")
        t.stasis("start", guest.name)
        listener.hears(guest.name, "Started Restored")
        t.stasis("destroy", guest.name)
        listener.hears(guest.name, "Stopped Destroyed")
        t.stasis("undefine", guest.name)
        listener.hears(guest.name, "Undefined Removed")
        t.stasis("create", guest.xml_file())
        listener.hears(guest.name, "Started Booted")
        served.virsh("destroy", guest.name)
        listener.hears(guest.name, "Stopped Destroyed")


@harness.test("a job that has ended, a guest that shuts down, one that runs before the daemon does")
def jobs(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    with daemon(t) as served, Listener(t, served, "--all") as listener:
        begins(listener, t)
        t.stasis("checkpoint", guest.name, t.dir / "image", "--no-disks")
        harness.wait_for(lambda: [line for line in listener.lines() if "job-completed" in line and guest.name in line],
                         "the end of the job")
        assert "operation: 2" in listener.path.read_text() and "success: 1" in listener.path.read_text(), listener.lines()
        harness.kill(t.supervisor())
        t.stasis("suspend", guest.name)
        harness.wait_for(lambda: "Suspended Paused" in listener.lifecycle(guest.name), "the pause")
        button = t.button_guest()
        served.virsh("create", button.xml_file())
        button.wait_for_tick(1)
        served.virsh("shutdown", button.name)
        harness.wait_for(lambda: "Stopped Shutdown" in listener.lifecycle(button.name), "the end of the guest")


@harness.test("the end of a job without a journal is told when it ends")
def jobs_without_journal(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    ends = lambda heard: [line for line in heard.lines() if "job-completed" in line and guest.name in line]  # noqa: E731
    with daemon(t) as served, Listener(t, served, "--all") as listener:
        begins(listener, t)
        t.stasis("save", guest.name, t.dir / "image", check=False, STASIS_FAULT="image-begin=fail")
        harness.wait_for(lambda: len(ends(listener)) == 1, "the end of the save that failed")
        assert "success: 0" in listener.path.read_text() and t.domstate(guest) == "running", listener.lines()
        t.stasis("save", guest.name, t.dir / "image")
        harness.wait_for(lambda: len(ends(listener)) == 2, "the end of the save")
        t.stasis("restore", t.dir / "image", "--load", "instant" if can_map() else "parallel")
        harness.wait_for(lambda: len(ends(listener)) == 3, "the end of the restore")
        if image_lines(t, guest):  # not every file system can be mapped from
            t.stasis("domdetach", guest.name)
            harness.wait_for(lambda: len(ends(listener)) == 4, "the end of domdetach")
        n_ends = len(ends(listener))
        t.stasis("destroy", guest.name)
        harness.wait_for(lambda: "Stopped Destroyed" in listener.lifecycle(guest.name), "the end of the guest")
        assert len(ends(listener)) == n_ends, listener.lines()


@harness.test("a guest that ran before the daemon: its supervisor was killed, or hangs, and it ends")
def adopted(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    qemu = t.status(guest)["qemu"]["pid"]
    harness.kill(t.supervisor())
    os.kill(qemu, signal.SIGSTOP)  # its next supervisor learns late how it is
    with daemon(t) as served, Listener(t, served, "--event", "lifecycle") as listener:
        begins(listener, t)
        os.kill(qemu, signal.SIGCONT)
        assert served.says("domstate", guest.name) == "running"
        t.stasis("suspend", guest.name)
        harness.wait_for(lambda: listener.lifecycle(guest.name), "the first event")
        assert listener.lifecycle(guest.name) == ["Suspended Paused"], listener.lifecycle(guest.name)
    supervisor = t.supervisor()
    os.kill(supervisor, signal.SIGSTOP)  # it says no word to the next daemon
    with daemon(t) as served, Listener(t, served, "--event", "lifecycle") as listener:
        begins(listener, t)
        listener.path.write_text("")
        t.stasis("destroy", guest.name)
        os.kill(supervisor, signal.SIGCONT)
        listener.hears(guest.name, "Stopped Destroyed")


@harness.test("what QEMU says: resets, trays, the agent's channel, and in QEMU's own words")
def qemu(t):
    disc = t.dir / "disc.iso"
    disc.write_bytes(bytes(65536))
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file(f"""<disk type='file' device='cdrom'><source file='{disc}'/>
        <target dev='sdb' bus='sata'/><readonly/></disk>"""))
    raw = t.dir / "raw"
    with daemon(t) as served, Listener(t, served, "--all") as listener, open(raw, "wb") as file, \
            wire.Client(served.socket) as client:
        begins(listener, t)
        monitor = subprocess.Popen(["virsh", "-c", served.uri(), "qemu-monitor-event", "--loop", "--no-case", "--event",
                                    "reset", "--domain", guest.name], stdin=subprocess.DEVNULL, stdout=file)
        assert client.call(OLD_REGISTER).payload == wire.u32(1)
        assert client.call(OLD_REGISTER).status == wire.ERROR

        def is_heard():
            served.virsh("reset", guest.name)
            return "event RESET at" in raw.read_text(encoding="utf-8")
        harness.wait_for(is_heard, "QEMU's event")
        monitor.send_signal(signal.SIGINT)
        monitor.wait(60)
        harness.wait_for(lambda: f"event 'reboot' for domain '{guest.name}'" in listener.lines(), "the reboot")
        served.virsh("qemu-monitor-command", guest.name,
                     '{"execute":"blockdev-open-tray","arguments":{"id":"sata0-0-1","force":true}}')
        harness.wait_for(lambda: [line for line in listener.lines() if "tray-change" in line and "sata0-0-1" in line
                                  and "opened" in line], f"the tray, not {listener.lines()}")
        served.virsh("suspend", guest.name)
        packet = client.receive()
        assert (packet.procedure, packet.kind, packet.serial) == (107, wire.EVENT, 0), packet
        assert packet.payload.endswith(wire.u32(3) + wire.u32(0)), packet
        assert client.call(OLD_DEREGISTER).status == wire.OK and client.call(OLD_DEREGISTER).status == wire.ERROR
        served.virsh("resume", guest.name)
        for flags, name, code in ((1, "RESET", wire.CODE_UNSUPPORTED), (8, "RESET", wire.CODE_INVALID)):
            reply = client.call(4, wire.u32(0) + wire.optional(name) + wire.u32(flags), program=wire.QEMU)
            assert reply.code == code, reply.message
        reply = client.call(4, wire.u32(0) + wire.optional("STOP") + wire.u32(0), program=wire.QEMU)
        assert reply.status == wire.OK
        served.virsh("suspend", guest.name)
        packet = client.receive()
        assert (packet.program, packet.procedure, packet.kind) == (wire.QEMU, 6, wire.EVENT), packet
        assert packet.payload.startswith(reply.payload) and b"STOP" in packet.payload
        # The two kinds of callbacks do not know each other.
        assert client.call(317, reply.payload).code == wire.CODE_INVALID
        assert client.call(5, reply.payload, program=wire.QEMU).status == wire.OK
        assert client.call(5, reply.payload, program=wire.QEMU).code == wire.CODE_INVALID


@harness.test("a device that comes: whoever brought it, and where he died over it, whoever finished that")
def added(t):
    ports = "".join(f"<controller type='pci' index='{n}' model='pcie-root-port'/>" for n in range(1, 8))
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file(ports))
    nic = t.dir / "nic.xml"
    nic.write_text("<interface type='user'><model type='virtio'/></interface>")
    with daemon(t) as served, Listener(t, served, "--all") as listener:
        begins(listener, t)

        def heard():
            found = [line.rpartition(": ")[2] for line in listener.lines()
                     if line.startswith(f"event 'device-added' for domain '{guest.name}': ")]
            return found
        served.virsh("attach-device", guest.name, nic, "--live")
        harness.wait_for(lambda: heard() == ["net0"], "the first")
        t.stasis("attach-device", guest.name, nic, "--live")
        harness.wait_for(lambda: heard() == ["net0", "net1"], "the second")
        if harness.has_faults():
            t.stasis("attach-device", guest.name, nic, "--live", check=False, STASIS_FAULT="device-done=kill")
            assert heard() == ["net0", "net1"], heard()
            assert "net2" in served.says("dumpxml", guest.name)
            served.virsh("suspend", guest.name)
            harness.wait_for(lambda: heard() == ["net0", "net1", "net2"], "the third")
        refused = served.virsh("attach-device", guest.name, t.dir / "nothing.xml", "--live", check=False)
        assert refused.returncode == 1
        served.virsh("suspend", guest.name)
        harness.wait_for(lambda: "Suspended Paused" in listener.lifecycle(guest.name), "the pause")
        assert len(heard()) == (3 if harness.has_faults() else 2), heard()


@harness.test("a disk without room: which one, what became of the guest, and why", timeout=300)
def full(t):
    with harness.mounted("-t", "tmpfs", "-o", "size=4m", "none", at=t.dir / "small") as folder:
        disk = folder / "disk.img"
        with open(disk, "wb") as file:
            file.truncate(32 << 20)
        guest = t.linux_guest(disks=[(disk, "raw", "virtio", False)])
        with daemon(t) as served, Listener(t, served, "--all") as listener:
            begins(listener, t)
            served.virsh("create", guest.xml_file())
            guest.wait_for_agent()
            guest.agent("sh cat /dev/zero >/dev/vda 2>/dev/null &")
            wanted = (f"event 'io-error' for domain '{guest.name}': {disk} (virtio-disk0) pause",
                      f"event 'io-error-reason' for domain '{guest.name}': {disk} (virtio-disk0) pause due to enospc")
            for line in wanted:  # newer ones of virsh call both 'io-error'
                names = (line, line.replace("io-error-reason", "io-error"))
                harness.wait_for(lambda names=names: any(name in listener.lines() for name in names),
                                 f"{line}, not {listener.lines()}")
            harness.wait_for(lambda: "Suspended I/O Error" in listener.lifecycle(guest.name), "the pause")
            guest.close()
            served.virsh("destroy", guest.name)


@harness.test("a guest that is reset without end pushes no state out of what is told")
def flood(t):
    guest = t.boot_sector_guest()
    t.stasis("create", guest.xml_file())
    with daemon(t) as served, Listener(t, served, "--event", "lifecycle") as listener:
        begins(listener, t)
        listener.path.write_text("")
        os.kill(served.process.pid, signal.SIGSTOP)
        t.stasis("suspend", guest.name)
        for _ in range(200):
            t.qmp_command(guest, "system_reset")
        t.stasis("resume", guest.name)
        os.kill(served.process.pid, signal.SIGCONT)
        listener.hears(guest.name, "Suspended Paused", "Resumed Unpaused")


harness.main()
