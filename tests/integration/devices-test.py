#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Devices, memory and processors that come and go while a guest runs, and images of such a guest."""

import ctypes
import json
import os
import re
import signal
import subprocess
import time

import harness

CLONE_NEWNET = 0x40000000

PORTS = "".join(f"<controller type='pci' index='{n}' model='pcie-root-port'/>" for n in range(1, 8))
SCSI = "<controller type='scsi' index='0' model='virtio-scsi'/>"
NIC = "<interface type='user'><mac address='52:54:00:aa:bb:0{}'/><model type='virtio'/></interface>"
STEPS = ("device-journal", "device-passed", "device-opened", "device-done")


def image(t, name, mib=8, fill=b"\0"):
    path = t.dir / name
    path.write_bytes(fill * (mib << 20))
    return path


def define(t, guest, extra="", vcpus=1, memballoon="none"):
    text = guest.xml(PORTS + SCSI + extra)
    text = text.replace("<vcpu>1</vcpu>", f"<vcpu current='1'>{vcpus}</vcpu>")
    text = text.replace("<memballoon model='none'/>", f"<memballoon model='{memballoon}'/>")
    path = t.dir / f"{guest.name}.xml"
    path.write_text(text)
    t.stasis("define", path)
    t.stasis("start", guest.name)
    guest.wait_for_agent()


def file(t, text):
    path = t.dir / f"device-{abs(hash(text))}.xml"
    path.write_text(text)
    return path


def nodes(t, guest):
    return sorted(node["node-name"] for node in t.qmp_command(guest, "query-named-block-nodes")
                  if node["node-name"].startswith("disk"))


def has_open(t, guest, path):
    return str(path) in harness.open_files(t.status(guest)["qemu"]["pid"])


def cpus(guest):
    return guest.agent("sh ls -d /sys/devices/system/cpu/cpu[0-9]*").count("cpu/cpu")


def addresses(t, guest):
    """What the live definition says of where each device is."""
    return sorted(re.findall(r"<address type='pci'[^>]*>", t.stasis("dumpxml", guest.name).stdout))


@harness.test("an attached disk is the guest's: it writes to it, is saved, restored, loses it")
def disk(t):
    guest = t.linux_guest()
    define(t, guest)
    data = image(t, "data")
    for target, bus in (("vda", "virtio"), ("sda", "scsi")):
        t.stasis("attach-disk", guest.name, data, target, "--targetbus", bus)
        harness.wait_for(lambda name=target: name in guest.agent("sh ls /sys/block"), "the guest to see the disk")
        guest.agent(f"write-disk /dev/{target} 4096 from-{target}")
        before = addresses(t, guest)
        for load in ((), ("--load", "parallel")):
            t.stasis("save", guest.name, t.dir / "image")
            t.stasis("restore", t.dir / "image", *load)
            guest.close()
            guest.wait_for_agent()
            assert addresses(t, guest) == before
            assert guest.agent(f"read-disk /dev/{target} 4096") == f"from-{target}"
        t.stasis("detach-disk", guest.name, target)
        assert target not in guest.agent("sh ls /sys/block") and not has_open(t, guest, data)
        assert nodes(t, guest) == [] and target not in t.stasis("domblklist", guest.name).stdout
    assert data.read_bytes()[4096:4104] == b"from-sda"
    t.stasis("destroy", guest.name)
    assert str(data) not in t.stasis("dumpxml", guest.name).stdout
    t.stasis("attach-disk", guest.name, data, "vda", "--config")
    assert str(data) in t.stasis("dumpxml", guest.name).stdout


@harness.test("an attached interface works, is saved and restored, and goes by its alias")
def interface(t):
    guest = t.linux_guest()
    define(t, guest)
    for number in (1, 2):
        t.stasis("attach-device", guest.name, file(t, NIC.format(number)), "--live", "--config")
        harness.wait_for(lambda n=number: f"eth{n - 1}" in guest.agent("sh ls /sys/class/net"), "the interface")
    assert guest.agent("net")
    failed = t.stasis("detach-device-alias", guest.name, "net0", check=False)
    assert failed.returncode == 1 and "came later" in failed.stderr, failed.stderr
    before = addresses(t, guest)
    for load in ((), ("--load", "parallel")):
        t.stasis("save", guest.name, t.dir / "image")
        t.stasis("restore", t.dir / "image", *load)
        guest.close()
        guest.wait_for_agent()
        assert addresses(t, guest) == before
        assert "aa:bb:02" in guest.agent("sh cat /sys/class/net/eth1/address")
    t.stasis("detach-interface", guest.name, "user", "52:54:00:aa:bb:02", "--live", "--config")
    t.stasis("detach-device-alias", guest.name, "net0")
    assert guest.agent("sh ls /sys/class/net") == "lo"
    kept = t.stasis("dumpxml", "--inactive", guest.name).stdout
    assert "aa:bb:01" in kept and "aa:bb:02" not in kept
    assert [net["name"] for net in t.qmp_command(guest, "query-rx-filter")] == []


@harness.test("an interface that comes with its link down has it down, whoever dies")
def link_down(t):
    guest = t.linux_guest()
    define(t, guest)
    nic = file(t, NIC.format(1).replace("</interface>", "<link state='down'/></interface>"))
    carrier = "sh ip link set eth0 up; sleep 1; cat /sys/class/net/eth0/carrier"
    for fault in ({"STASIS_FAULT": "device-added=kill"}, {"STASIS_FAULT": "device-added=fail"}, {}):
        t.stasis("attach-device", guest.name, nic, check=not fault, **fault)
        t.wait_for_no_job(guest)
        assert "<link state='down'/>" in t.stasis("dumpxml", guest.name).stdout
        harness.wait_for(lambda: "eth0" in guest.agent("sh ls /sys/class/net"), "the interface")
        assert guest.agent(carrier) == "0", fault
        t.stasis("detach-device", guest.name, nic)


@harness.test("what cannot come is refused, and leaves nothing")
def refused(t):
    guest = t.linux_guest()
    path = guest.xml_file()  # one free port
    t.stasis("create", path)
    guest.wait_for_agent()
    data = image(t, "data")
    other = image(t, "other")
    t.stasis("attach-disk", guest.name, data, "vda")
    before = t.stasis("dumpxml", guest.name).stdout
    for words, text in ((("attach-disk", guest.name, other, "vdb"), "no free pcie-root-port"),
                        (("attach-disk", guest.name, other, "sda", "--targetbus", "sata"), "cannot be hotplugged"),
                        (("attach-disk", guest.name, other, "sda", "--targetbus", "scsi"), "disk 'sda'"),
                        (("attach-disk", guest.name, other, "sda", "--targetbus", "sata", "--type", "cdrom"), "CD-ROM"),
                        (("attach-disk", guest.name, t.dir / "none", "vdb"), "vdb"),
                        (("detach-disk", guest.name, "vdz"), "vdz"),
                        (("attach-disk", guest.name, other, "vdb", "--config"), "transient"),
                        (("setmem", guest.name, "64M"), "balloon"),
                        (("setvcpus", guest.name, "2"), "at most"),
                        (("attach-device", guest.name, file(t, "<memballoon model='virtio'/>")), "'memballoon'"),
                        (("attach-device", guest.name, file(t, "<rng model='virtio'><backend model='builtin'/></rng>")),
                         "'rng'"),
                        (("attach-device", guest.name, file(t, "<hostdev mode='subsystem'/>")), "'hostdev'"),
                        (("attach-device", guest.name, file(t, "<disk><what/></disk>")), "what"),
                        (("detach-device", guest.name, file(t, "<memballoon model='none'/>")), "memballoon")):
        failed = t.stasis(*words, check=False)
        assert failed.returncode == 1 and text in failed.stderr, (words, failed.stderr)
    assert t.stasis("dumpxml", guest.name).stdout == before
    assert nodes(t, guest) == ["disk-vda-format", "disk-vda-storage"] and not has_open(t, guest, other)
    assert "job" not in t.status(guest)


@harness.test("a disk of another guest's is refused, and named")
def in_use(t):
    one, two = t.boot_sector_guest("one"), t.boot_sector_guest("two", machine="pc")
    data = image(t, "data")
    one.disks.append((data, "raw", "virtio", False))
    t.stasis("create", one.xml_file())
    t.stasis("create", two.xml_file())
    failed = t.stasis("attach-disk", two.name, data, "vdb", check=False)
    assert failed.returncode == 1 and "domain 'one'" in failed.stderr, failed.stderr
    assert nodes(t, two) == ["disk-vda-format", "disk-vda-storage"]


USB = "<controller type='usb' index='0' model='qemu-xhci'/>"


@harness.test("a USB disk: a guest boots from it, is saved and restored, and gets and loses another")
def usb(t):
    guest = t.boot_sector_guest(bus="usb")
    t.stasis("create", guest.xml_file(USB))
    guest.wait_for_tick(2)
    data = image(t, "data")
    for load in ((), ("--load", "parallel")):
        t.stasis("attach-disk", guest.name, data, "sdb", "--targetbus", "usb")
        assert has_open(t, guest, data) and "sdb" in t.stasis("domblklist", guest.name).stdout
        before, last = t.stasis("dumpxml", guest.name).stdout.count("<address type='usb'"), guest.last_tick()
        t.stasis("checkpoint", guest.name, t.dir / "first")
        t.stasis("save", guest.name, t.dir / "image")
        t.stasis("restore", t.dir / "image", *load)
        guest.wait_for_tick(last + 2)
        assert guest.damaged_pages() == 0 and has_open(t, guest, data)
        assert t.stasis("dumpxml", guest.name).stdout.count("<address type='usb'") == before == 2
        t.stasis("detach-disk", guest.name, "sdb")
        assert not has_open(t, guest, data) and "sdb" not in t.stasis("domblklist", guest.name).stdout
    t.stasis("attach-disk", guest.name, data, "sdb", "--targetbus", "usb")
    t.stasis("destroy", guest.name)
    t.stasis("restore", t.dir / "first")
    guest.wait_for_tick(guest.last_tick() + 2)


def drive(t, guest, path):
    define(t, guest, f"<disk type='file' device='cdrom'><source file='{path}'/><target dev='sdb' bus='sata'/></disk>")


@harness.test("media come, go and are exchanged")
def media(t):
    guest = t.linux_guest()
    one, two = image(t, "one.iso", 1, b"1"), image(t, "two.iso", 2, b"2")
    drive(t, guest, one)
    for path in (two, one, two):
        t.stasis("change-media", guest.name, "sdb", path)
        assert str(path) in t.stasis("domblklist", guest.name).stdout
        assert has_open(t, guest, path) and not has_open(t, guest, one if path == two else two)
    t.stasis("save", guest.name, t.dir / "image")
    t.stasis("restore", t.dir / "image")
    assert str(two) in t.stasis("domblklist", guest.name).stdout and has_open(t, guest, two)
    t.stasis("change-media", guest.name, "sdb", "--eject", "--force")
    assert nodes(t, guest) == [] and not has_open(t, guest, two)
    t.stasis("change-media", guest.name, "sdb", one, "--live", "--config")
    assert has_open(t, guest, one)


@harness.test("a medium that cannot be exchanged is put back")
def media_back(t):
    guest = t.linux_guest()
    one, two = image(t, "one.iso", 1, b"1"), image(t, "two.iso", 2, b"2")
    drive(t, guest, two)
    for step in ("medium-removed", "medium-inserted"):
        failed = t.stasis("change-media", guest.name, "sdb", one, check=False, STASIS_FAULT=f"{step}=fail")
        assert failed.returncode == (1 if step == "medium-removed" else failed.returncode)
        now = t.stasis("domblklist", guest.name).stdout
        assert has_open(t, guest, one) == (str(one) in now) and has_open(t, guest, two) == (str(two) in now)
        t.stasis("change-media", guest.name, "sdb", two)


@harness.test("the balloon follows; an image of such a guest restores")
def memory(t):
    guest = t.linux_guest()
    define(t, guest, memballoon="virtio")
    total = lambda: int(guest.agent("sh grep MemTotal /proc/meminfo").split()[1])  # noqa: E731
    full = total()
    t.stasis("setmem", guest.name, "192M")
    harness.wait_for(lambda: total() < full - 50000, "the balloon to be blown up")
    for load in ((), ("--load", "parallel")):
        t.stasis("save", guest.name, t.dir / "image")
        t.stasis("restore", t.dir / "image", *load)
        guest.close()
        guest.wait_for_agent()
        assert total() < full - 50000
        assert "<currentMemory unit='KiB'>196608</currentMemory>" in t.stasis("dumpxml", guest.name).stdout
    t.stasis("setmem", guest.name, "256M")
    harness.wait_for(lambda: total() == full, "the balloon to be emptied")
    failed = t.stasis("setmem", guest.name, "257M", check=False)
    assert failed.returncode == 1 and "maximum" in failed.stderr
    t.stasis("setmem", guest.name, "200M", "--config")
    t.stasis("destroy", guest.name)
    t.stasis("start", guest.name)
    guest.close()
    guest.wait_for_agent()
    harness.wait_for(lambda: total() < full - 40000, "the balloon to be blown up at the start")


@harness.test("processors come and go; an image of such a guest restores, and they go after that")
def processors(t):
    guest = t.linux_guest()
    define(t, guest, vcpus=4)
    assert cpus(guest) == 1
    t.stasis("setvcpus", guest.name, "3")
    harness.wait_for(lambda: cpus(guest) == 3, "the processors to come")
    guest.agent("sh for n in 1 2; do echo 1 > /sys/devices/system/cpu/cpu$n/online; done")
    for load in ((), ("--load", "parallel")):
        t.stasis("save", guest.name, t.dir / "image")
        t.stasis("restore", t.dir / "image", *load)
        guest.close()
        guest.wait_for_agent()
        assert guest.agent("sh cat /sys/devices/system/cpu/online") == "0-2"
    if guest.accel == "kvm":
        t.stasis("setvcpus", guest.name, "1")
        assert cpus(guest) == 1 and t.stasis("vcpucount", guest.name, "--live").stdout.strip() == "1"
        t.stasis("save", guest.name, t.dir / "image")
        t.stasis("restore", t.dir / "image")
        guest.close()
        guest.wait_for_agent()
        assert cpus(guest) == 1
    else:
        failed = t.stasis("setvcpus", guest.name, "1", check=False)
        assert failed.returncode == 1 and "emulates" in failed.stderr and cpus(guest) == 3, failed.stderr
    failed = t.stasis("setvcpus", guest.name, "5", check=False)
    assert failed.returncode == 1 and "at most" in failed.stderr, failed.stderr
    t.stasis("setvcpus", guest.name, "4", "--config", "--live")
    harness.wait_for(lambda: cpus(guest) == 4, "the processors to come")
    t.stasis("setvcpus", guest.name, "8", "--config", "--maximum")
    assert t.stasis("vcpucount", guest.name).stdout.split() == [
        "maximum", "config", "8", "maximum", "live", "4", "current", "config", "4", "current", "live", "4"]


@harness.test("a gap among the processors is in the definition and in images, and is filled")
def gap(t):
    guest = t.linux_guest()
    define(t, guest, vcpus=4)
    t.stasis("setvcpus", guest.name, "2")
    slot = max(t.qmp_command(guest, "query-hotpluggable-cpus"), key=lambda one: list(one["props"].values()))
    add = {"execute": "device_add", "arguments": {"driver": slot["type"], "id": "vcpu3", **slot["props"]}}
    t.stasis("qemu-monitor-command", guest.name, json.dumps(add))
    data = image(t, "data")
    t.stasis("attach-disk", guest.name, data, "vda")
    there = lambda: re.findall(r"<vcpu id='(\d)' enabled='yes'", t.stasis("dumpxml", guest.name).stdout)  # noqa: E731
    assert there() == ["0", "1", "3"] and t.stasis("vcpucount", guest.name, "--live").stdout.strip() == "3"
    harness.wait_for(lambda: cpus(guest) == 3, "the processors to come")
    for load in ((), ("--load", "parallel")):
        t.stasis("save", guest.name, t.dir / "image")
        t.stasis("restore", t.dir / "image", *load)
        guest.close()
        guest.wait_for_agent()
        assert there() == ["0", "1", "3"] and cpus(guest) == 3
        assert len([one for one in t.qmp_command(guest, "query-hotpluggable-cpus") if "qom-path" in one]) == 3
    t.stasis("setvcpus", guest.name, "4")
    harness.wait_for(lambda: cpus(guest) == 4, "the processor to come")
    assert "<vcpu placement='static'>4</vcpu>" in t.stasis("dumpxml", guest.name).stdout


@harness.test("whoever dies at any step leaves a guest and a definition that agree", timeout=400)
def killed(t):
    guest = t.linux_guest()
    define(t, guest, vcpus=4)
    data = image(t, "data")
    for step in STEPS:
        for what in ("kill", "fail"):
            t.stasis("attach-disk", guest.name, data, "vda", check=False, STASIS_FAULT=f"{step}={what}")
            t.wait_for_no_job(guest)
            named = "vda" in t.stasis("domblklist", guest.name).stdout
            assert named == (nodes(t, guest) != []) == has_open(t, guest, data), (step, what)
            harness.wait_for(lambda n=named: n == ("vda" in guest.agent("sh ls /sys/block")), f"the guest ({step})")
            assert "job" not in t.status(guest)
            if named:
                t.stasis("detach-disk", guest.name, "vda")
    for step in ("device-noted", "device-asked", "device-released", "device-forgotten"):
        t.stasis("attach-disk", guest.name, data, "vda")
        t.stasis("detach-disk", guest.name, "vda", check=False, STASIS_FAULT=f"{step}=kill")
        if step == "device-noted":
            t.stasis("detach-disk", guest.name, "vda")
        harness.wait_for(lambda: "vda" not in t.stasis("domblklist", guest.name).stdout, f"the disk to go ({step})")
        harness.wait_for(lambda: "unplugs" not in t.status(guest), f"the end of it ({step})")
        assert nodes(t, guest) == [] and not has_open(t, guest, data), step
    t.stasis("setvcpus", guest.name, "3", check=False, STASIS_FAULT="device-done=kill")
    t.wait_for_no_job(guest)
    count = t.stasis("vcpucount", guest.name, "--live").stdout.strip()
    assert count == "2" and len(t.qmp_command(guest, "query-cpus-fast")) == 2


@harness.test("no change while a job goes on; what waits to be released stays in images")
def jobs(t):
    guest = t.linux_guest()
    define(t, guest)
    data = image(t, "data")
    process = t.start("save", guest.name, t.dir / "image", STASIS_FAULT="save-copied=stop")
    harness.wait_for(lambda: harness.is_stopped(process.pid), "the save to come to its end")
    failed = t.stasis("attach-disk", guest.name, data, "vda", check=False)
    assert failed.returncode == 1 and "busy: save" in failed.stderr, failed.stderr
    harness.kill(process.pid)
    process.communicate()
    t.stasis("attach-disk", guest.name, data, "vda")
    t.stasis("suspend", guest.name)
    said = t.stasis("detach-disk", guest.name, "vda").stdout
    assert "has not done so yet" in said, said
    assert "vda" in t.stasis("domblklist", guest.name).stdout
    t.stasis("save", guest.name, t.dir / "image", "--running")
    assert str(data) in t.stasis("image", "dumpxml", t.dir / "image").stdout
    t.stasis("restore", t.dir / "image")
    guest.close()
    guest.wait_for_agent()


def let_go(t, guest, data):
    """A disk comes, and the guest ejects it."""
    t.stasis("attach-disk", guest.name, data, "vda")
    harness.wait_for(lambda: "vda" in guest.agent("sh ls /sys/block"), "the guest to see the disk")
    place = guest.agent("sh basename $(readlink -f /sys/block/vda/device/..)").rpartition(".")[0]
    slot = guest.agent(f"sh grep -l {place} /sys/bus/pci/slots/*/address").split("/")[-2]
    guest.agent(f"sh echo 0 > /sys/bus/pci/slots/{slot}/power")
    peripheral = {"execute": "qom-list", "arguments": {"path": "/machine/peripheral"}}
    harness.wait_for(lambda: all(one["name"] != "virtio-disk0" for one in t.qmp(guest, "monitor.sock", peripheral)),
                     "QEMU to lose the disk")


@harness.test("what was behind a disk that the guest has released unasked goes, whoever dies")
def released_killed(t):
    guest = t.linux_guest()
    define(t, guest)
    data, other = image(t, "data"), image(t, "other")
    let_go(t, guest, data)
    t.stasis("attach-disk", guest.name, other, "vdb", check=False, STASIS_FAULT="device-forgotten=kill")
    t.stasis("attach-disk", guest.name, other, "vdb")
    assert nodes(t, guest) == ["disk-vdb-format", "disk-vdb-storage"] and not has_open(t, guest, data)
    assert "unplugs" not in t.status(guest)


@harness.test("what the guest releases late, or unasked, goes from the definition and from QEMU")
def released(t):
    guest = t.linux_guest()
    define(t, guest)
    data = image(t, "data")
    t.stasis("attach-disk", guest.name, data, "vda")
    t.stasis("suspend", guest.name)
    t.stasis("detach-disk", guest.name, "vda")
    t.stasis("resume", guest.name)
    harness.wait_for(lambda: "vda" not in t.stasis("domblklist", guest.name).stdout, "the disk to go")
    assert nodes(t, guest) == [] and not has_open(t, guest, data) and "unplugs" not in t.status(guest)
    let_go(t, guest, data)
    t.stasis("save", guest.name, t.dir / "image")
    assert str(data) not in t.stasis("image", "dumpxml", t.dir / "image").stdout
    t.stasis("restore", t.dir / "image")
    guest.close()
    guest.wait_for_agent()
    t.stasis("attach-disk", guest.name, data, "vda")


@harness.test("a disk that a checkpoint has laid an overlay over is detached with all below it")
def checkpoint(t):
    guest = t.linux_guest()
    define(t, guest)
    data = image(t, "data")
    t.stasis("attach-disk", guest.name, data, "vda", "--live", "--config")
    harness.wait_for(lambda: "vda" in guest.agent("sh ls /sys/block"), "the guest to see the disk")
    guest.agent("write-disk /dev/vda 0 before")
    t.stasis("checkpoint", guest.name, t.dir / "image")
    guest.agent("write-disk /dev/vda 0 after")
    t.stasis("detach-disk", guest.name, "vda")
    assert nodes(t, guest) == [] and not has_open(t, guest, data)
    t.stasis("destroy", guest.name)
    t.stasis("restore", t.dir / "image")
    guest.close()
    guest.wait_for_agent()
    assert guest.agent("read-disk /dev/vda 0") == "before"


@harness.test("a floppy that a checkpoint has laid an overlay over goes with all below it")
def floppy(t):
    guest = t.linux_guest()
    one, two = image(t, "one", 1), image(t, "two", 1)
    define(t, guest, f"<disk type='file' device='floppy'><source file='{one}'/><target dev='fda' bus='fdc'/></disk>")
    for old, new in ((one, two), (two, one)):
        t.stasis("checkpoint", guest.name, t.dir / "image")
        assert len(nodes(t, guest)) == 4, nodes(t, guest)
        t.stasis("change-media", guest.name, "fda", new)
        assert len(nodes(t, guest)) == 2 and has_open(t, guest, new) and not has_open(t, guest, old), nodes(t, guest)


@harness.test("whoever dies while a medium is changed leaves one of both in the drive, and in the definition")
def media_killed(t):
    guest = t.linux_guest()
    one, two = image(t, "one.iso", 1), image(t, "two.iso", 2)
    drive(t, guest, one)
    for step in ("device-journal", "medium-removed", "medium-inserted", "device-done", "device-committed"):
        t.stasis("change-media", guest.name, "sdb", two, check=False, STASIS_FAULT=f"{step}=kill")
        t.wait_for_no_job(guest)
        now = t.stasis("domblklist", guest.name).stdout
        assert (str(one) in now) != (str(two) in now), (step, now)
        assert has_open(t, guest, one) == (str(one) in now) and has_open(t, guest, two) == (str(two) in now), step
        assert len(nodes(t, guest)) == 2 and "job" not in t.status(guest), step
        t.stasis("change-media", guest.name, "sdb", one)


@harness.test("an interface on a bridge comes with its tap device, and takes it along")
def bridge(t):
    if harness.MODE == "ssh":
        raise harness.Skip("no sshd can be reached from a network of our own")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise harness.Skip(f"no network of its own: {os.strerror(ctypes.get_errno())}")
    made = subprocess.run("ip link add br0 type bridge && ip link set br0 up", shell=True, capture_output=True,
                          text=True, check=False)
    if made.returncode != 0:
        raise harness.Skip(f"no bridge: {made.stderr.strip()}")
    links = lambda: subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout  # noqa: E731
    guest = t.linux_guest()
    define(t, guest)
    failed = t.stasis("attach-interface", guest.name, "bridge", "br9", "--model", "virtio", check=False)
    assert failed.returncode == 1 and "br9" in failed.stderr and "vnet" not in links(), failed.stderr
    mac = "52:54:00:aa:bb:01"
    for step in ("device-passed", "device-opened"):
        t.stasis("attach-interface", guest.name, "bridge", "br0", "--model", "virtio", check=False,
                 STASIS_FAULT=f"{step}=kill")
        harness.wait_for(lambda: mac not in t.stasis("domiflist", guest.name).stdout and "vnet" not in links(),
                         "the tap device to go")
    # A QEMU that is slow to greet has the descriptors of the dead driver all the same.
    attach = t.start("attach-interface", guest.name, "bridge", "br0", "--model", "virtio", STASIS_FAULT="device-passed=stop")
    harness.wait_for(lambda: harness.is_stopped(attach.pid), "the tap device to be passed")
    qemu = t.status(guest)["qemu"]["pid"]
    os.kill(qemu, signal.SIGSTOP)
    attach.kill()
    attach.communicate()
    time.sleep(1)
    os.kill(qemu, signal.SIGCONT)
    harness.wait_for(lambda: "vnet" not in links(), "the tap device to go")
    t.wait_for_no_job(guest)
    t.stasis("attach-interface", guest.name, "bridge", "br0", "--model", "virtio", "--mac", mac)
    assert re.search(r"vnet0.*master br0", links()) and "vnet0" in t.stasis("domiflist", guest.name).stdout
    # The bridge's own address stays that of a lower one.
    assert re.search(r"vnet0.*link/ether fe:", links()), links()
    harness.wait_for(lambda: "eth0" in guest.agent("sh ls /sys/class/net"), "the interface")
    t.stasis("save", guest.name, t.dir / "image")
    assert "vnet" not in links()
    t.stasis("restore", t.dir / "image")
    guest.close()
    guest.wait_for_agent()
    assert "vnet0" in links()
    t.stasis("detach-interface", guest.name, "bridge", mac)
    assert "vnet" not in links() and guest.agent("sh ls /sys/class/net") == "lo"


harness.main()
