#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An unmodified virsh changes the devices of a guest that runs."""

from served import daemon, harness

PORTS = "".join(f"<controller type='pci' index='{n}' model='pcie-root-port'/>" for n in range(1, 8))
SCSI = "<controller type='scsi' index='0' model='virtio-scsi'/>"
NIC = "<interface type='user'><mac address='52:54:00:aa:bb:cc'/><model type='virtio'/></interface>"


def image(t, name, mib=8):
    path = t.dir / name
    with open(path, "wb") as file:
        file.truncate(mib << 20)
    return path


def nodes(t, guest):
    """The block nodes that QEMU has for disks, by name."""
    return sorted(node["node-name"] for node in t.qmp_command(guest, "query-named-block-nodes")
                  if node["node-name"].startswith("disk"))


def begin(t, served, guest, extra=""):
    text = guest.xml(PORTS + SCSI + extra).replace("<vcpu>1</vcpu>", "<vcpu current='1'>4</vcpu>")
    path = t.dir / "domain.xml"
    path.write_text(text.replace("<memballoon model='none'/>", "<memballoon model='virtio'/>"))
    served.virsh("define", path)
    served.virsh("start", guest.name)
    guest.wait_for_agent()


@harness.test("disks are attached and detached; the definition says what there is")
def disks(t):
    guest = t.linux_guest()
    with daemon(t) as served:
        begin(t, served, guest)
        before, fdsets = nodes(t, guest), len(t.qmp_command(guest, "query-fdsets"))
        for target, bus in (("vdb", "virtio"), ("sda", "scsi")):
            path = image(t, target)
            served.virsh("attach-disk", guest.name, path, target, "--targetbus", bus, "--live")
            assert str(path) in served.says("domblklist", guest.name)
            xml = served.says("dumpxml", guest.name)
            assert f"<source file='{path}'" in xml and f"<target dev='{target}'" in xml
            assert str(path) not in served.says("dumpxml", "--inactive", guest.name)
            failed = served.virsh("attach-disk", guest.name, path, target, "--targetbus", bus, "--live", check=False)
            assert failed.returncode == 1 and "used twice" in failed.stderr, failed.stderr
        for target in ("vdb", "sda"):
            served.virsh("detach-disk", guest.name, target, "--live")
            assert target not in served.says("domblklist", guest.name)
        assert nodes(t, guest) == before
        assert len(t.qmp_command(guest, "query-fdsets")) == fdsets
        failed = served.virsh("detach-disk", guest.name, "vdb", "--live", check=False)
        assert failed.returncode == 1, failed.stdout


@harness.test("interfaces: live and for the next start, by XML, by MAC address, by alias; the link")
def interfaces(t):
    guest = t.linux_guest()
    nic = t.dir / "nic.xml"
    nic.write_text(NIC)
    with daemon(t) as served:
        begin(t, served, guest)
        served.virsh("attach-device", guest.name, nic, "--live", "--config")
        assert "aa:bb:cc" in served.says("domiflist", guest.name)
        assert "aa:bb:cc" in served.says("domiflist", "--inactive", guest.name)
        harness.wait_for(lambda: "eth0" in guest.agent("sh ls /sys/class/net"), "the interface")
        served.virsh("domif-setlink", guest.name, "52:54:00:aa:bb:cc", "down")
        assert served.says("domif-getlink", guest.name, "52:54:00:aa:bb:cc").endswith("down")
        guest.agent("sh ip link set eth0 up")
        assert guest.agent("sh cat /sys/class/net/eth0/carrier") == "0"
        served.virsh("domif-setlink", guest.name, "52:54:00:aa:bb:cc", "up")
        harness.wait_for(lambda: guest.agent("sh cat /sys/class/net/eth0/carrier") == "1", "the link to come up")
        served.virsh("detach-interface", guest.name, "user", "--mac", "52:54:00:aa:bb:cc", "--live")
        assert "aa:bb:cc" not in served.says("domiflist", guest.name)
        served.virsh("detach-device", guest.name, nic, "--config")
        assert "aa:bb:cc" not in served.says("domiflist", "--inactive", guest.name)
        served.virsh("attach-device", guest.name, nic)
        served.virsh("detach-device-alias", guest.name, "net0", "--live")
        harness.wait_for(lambda: "aa:bb:cc" not in served.says("domiflist", guest.name), "the interface to go")


@harness.test("media: insert, update, eject")
def media(t):
    guest = t.linux_guest()
    one, two = image(t, "one.iso", 1), image(t, "two.iso", 2)
    with daemon(t) as served:
        begin(t, served, guest, f"<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>"
                                f"<source file='{one}'/><target dev='sdb' bus='sata'/><readonly/></disk>")
        served.virsh("change-media", guest.name, "sdb", two, "--update")
        assert str(two) in served.says("domblklist", guest.name)
        assert str(one) in served.says("domblklist", "--inactive", guest.name)
        served.virsh("change-media", guest.name, "sdb", "--eject", "--live", "--config")
        for which in ((), ("--inactive",)):
            assert "iso" not in served.says("domblklist", *which, guest.name)
        assert nodes(t, guest) == []
        served.virsh("change-media", guest.name, "sdb", one, "--insert", "--force")
        assert str(one) in served.says("domblklist", guest.name)


@harness.test("memory and processors: live, for the next start, at most")
def amounts(t):
    guest = t.linux_guest()
    with daemon(t) as served:
        begin(t, served, guest)
        served.virsh("setmem", guest.name, "200M", "--live")
        assert "204800 KiB" in served.says("dominfo", guest.name)
        served.virsh("setmem", guest.name, "100M", "--config")
        served.virsh("setmaxmem", guest.name, "512M", "--config")
        failed = served.virsh("setmaxmem", guest.name, "512M", "--live", check=False)
        assert failed.returncode == 1 and "runs" in failed.stderr, failed.stderr
        served.virsh("setvcpus", guest.name, "3", "--live")
        served.virsh("setvcpus", guest.name, "2", "--config")
        served.virsh("setvcpus", guest.name, "6", "--maximum", "--config")
        counts = [line.split() for line in served.says("vcpucount", guest.name).splitlines()]
        assert counts == [["maximum", "config", "6"], ["maximum", "live", "4"], ["current", "config", "2"],
                          ["current", "live", "3"]], counts
        assert served.says("vcpucount", guest.name, "--live", "--active") == "3"
        kept = served.says("dumpxml", "--inactive", guest.name)
        assert "<memory unit='KiB'>524288<" in kept and "<currentMemory unit='KiB'>102400<" in kept, kept
        harness.wait_for(lambda: "cpu2" in guest.agent("sh ls /sys/devices/system/cpu"), "the processors")
        if guest.accel == "kvm":
            served.virsh("setvcpus", guest.name, "1", "--live")
            assert served.says("vcpucount", guest.name, "--live", "--active") == "1"


@harness.test("who may only read changes no device")
def read_only(t):
    guest = t.boot_sector_guest()
    nic = t.dir / "nic.xml"
    nic.write_text(NIC)
    with daemon(t) as served:
        served.virsh("create", guest.xml_file())
        for command in (("attach-device", nic), ("detach-device", nic), ("setmem", "32M"), ("setvcpus", "1")):
            failed = served.virsh(command[0], guest.name, *command[1:], check=False, read_only=True)
            assert failed.returncode == 1 and "read only" in failed.stderr, (command, failed.stderr)


harness.main()
