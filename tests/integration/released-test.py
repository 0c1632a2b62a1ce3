#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images of guests that release a device while they are being saved."""

import json
import re
import signal

import harness
from live import await_stop, helpers_without_library, let_end

PORTS = "".join(f"<controller type='pci' index='{n}' model='pcie-root-port'/>" for n in range(1, 5))
NIC = "<interface type='user'><mac address='52:54:00:aa:bb:01'/><model type='virtio'/></interface>"


def running_guest(t, **env):
    guest = t.linux_guest()
    path = t.dir / "linux.xml"
    path.write_text(guest.xml(PORTS))
    t.stasis("create", path, **env)
    guest.wait_for_agent()
    return guest


def attach(t, guest, data):
    t.stasis("attach-disk", guest.name, data, "vda")
    harness.wait_for(lambda: "vda" in guest.agent("sh ls /sys/block"), "the guest to see the disk")


def slot_of(guest, path):
    """The slot that a device of the guest's is in."""
    place = guest.agent(f"sh basename $(readlink -f {path}/device/..)").rpartition(".")[0]
    return guest.agent(f"sh grep -l {place} /sys/bus/pci/slots/*/address").split("/")[-2]


def release(t, guest, slot, device):
    """The guest lets go of what is there, unasked; its monitor is the saver's."""
    harness.kill(t.supervisor())
    guest.agent(f"sh echo 0 > /sys/bus/pci/slots/{slot}/power")
    peripheral = {"execute": "qom-list", "arguments": {"path": "/machine/peripheral"}}
    harness.wait_for(lambda: all(one["name"] != device for one in t.qmp(guest, "supervisor.sock", peripheral)),
                     "QEMU to lose the device")


def saved_without(t, guest, data, words, step="save-journal", **env):
    """The guest releases the disk at that step of the save; its image restores."""
    image = t.dir / "image"
    attach(t, guest, data)
    slot = slot_of(guest, "/sys/block/vda")
    process = t.start(*words[:1], guest.name, image, *words[1:], STASIS_FAULT=f"{step}=stop", **env)
    await_stop(process, step)
    release(t, guest, slot, "virtio-disk0")
    let_end(process)
    if "trailer" not in words:
        assert str(data) not in t.stasis("image", "dumpxml", image).stdout, words
        t.stasis("image", "verify", image)
    if words[0] == "checkpoint":
        assert t.domstate(guest) == "running"
        t.stasis("destroy", guest.name)
    t.stasis("restore", image)
    guest.close()
    guest.wait_for_agent()
    assert "vda" not in guest.agent("sh ls /sys/block")


def is_from_outside(t, guest):
    said = t.stasis("checkpoint", guest.name, t.dir / "first", "--no-disks", "--json").stdout
    return "written from outside QEMU while" in json.loads(said)["engine"]


def data_of(t):
    path = t.dir / "data"
    path.write_bytes(bytes(8 << 20))
    return path


@harness.test("a disk that goes while the image is begun is not in it, whatever the way", timeout=300, embedded=True)
def ways(t):
    guest, data = running_guest(t), data_of(t)
    for words in (("save",), ("save", "--still"), ("save", "--format", "stasis-stream"), ("save", "--format", "libvirt"),
                  ("checkpoint",)):
        saved_without(t, guest, data, words)


@harness.test("one that goes while the memory is copied, in what is written of it from outside", embedded=True)
def copied(t):
    guest, data = running_guest(t), data_of(t)
    for words in (("save", "--live"), ("checkpoint", "--no-disks")):
        if not is_from_outside(t, guest):
            raise harness.Skip("memory is not copied from outside here")
        saved_without(t, guest, data, words, "save-followed")


@harness.test("one that goes while QEMU copies the memory of the running guest", embedded=True)
def migrated(t):
    guest, data = running_guest(t, STASIS_LIBEXEC_DIR=helpers_without_library(t)), data_of(t)
    for words in (("save", "--live"), ("checkpoint",)):
        saved_without(t, guest, data, words)


def cpu(t, guest, number):
    """What QMP calls the place of that processor of a guest of one socket's."""
    slots = t.qmp_command(guest, "query-hotpluggable-cpus")
    return next(slot for slot in slots if list(slot["props"].values()).count(number) == 1)


def plug(t, guest, slot, name):
    """Past our lock."""
    add = {"execute": "device_add", "arguments": {"driver": slot["type"], "id": name, **slot["props"]}}
    t.by_hand(guest, add)


def several(t, current, maximum, **env):
    """A guest that begins with so many processors."""
    guest = t.linux_guest()
    path = t.dir / "linux.xml"
    path.write_text(guest.xml().replace("<vcpu>1</vcpu>", f"<vcpu current='{current}'>{maximum}</vcpu>"))
    t.stasis("create", path, **env)
    guest.wait_for_agent()
    return guest


def online(guest):
    return guest.agent("sh ls -d /sys/devices/system/cpu/cpu[0-9]*").count("cpu/cpu")


def saved_with(t, words, step, **env):
    """A processor comes at that step of the save; its image restores."""
    image = t.dir / "image"
    guest = several(t, 1, 4, **env)
    slot = cpu(t, guest, 3)
    process = t.start(*words[:1], guest.name, image, *words[1:], STASIS_FAULT=f"{step}=stop", **env)
    await_stop(process, step)
    plug(t, guest, slot, "vcpu3")
    let_end(process)
    there = re.findall(r"<vcpu id='(\d)' enabled='yes'", t.stasis("image", "dumpxml", image).stdout)
    assert there == ["0", "3"], (words, there)
    if words[0] == "checkpoint":
        t.stasis("destroy", guest.name)
    t.stasis("restore", image)
    guest.close()
    guest.wait_for_agent()
    harness.wait_for(lambda: online(guest) == 2, "the processor")
    t.stasis("destroy", guest.name)


@harness.test("an image is of the processors that the guest has in its moment", timeout=300, embedded=True)
def processors(t):
    helpers = helpers_without_library(t)
    for words, step, env in ((("save",), "save-journal", {}), (("save", "--still"), "save-journal", {}),
                             (("save", "--format", "libvirt"), "save-journal", {}),
                             (("checkpoint",), "save-configured", {"STASIS_LIBEXEC_DIR": helpers})):
        saved_with(t, words, step, **env)


@harness.test("a guest that released a processor that it began with is not saved, and runs on", embedded=True)
def begun_with(t):
    guest, image = several(t, 2, 2), t.dir / "image"
    path = cpu(t, guest, 1)["qom-path"]
    process = t.start("save", guest.name, image, "--still", STASIS_FAULT="save-passed=stop")
    await_stop(process, "save-passed")
    harness.kill(t.supervisor())
    t.qmp(guest, "supervisor.sock", {"execute": "device_del", "arguments": {"id": path}})
    listed = lambda: t.qmp(guest, "supervisor.sock", "query-hotpluggable-cpus")  # noqa: E731
    harness.wait_for(lambda: sum("qom-path" in one for one in listed()) == 1, "the guest to eject the processor")
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1 and "has released processor 1" in errors, errors
    assert not image.exists() and t.domstate(guest) == "running"
    assert online(guest) == 1


@harness.test("an interface's own memory goes with it: the guest goes on, or the image has neither", embedded=True)
def interface(t):
    guest, image = running_guest(t), t.dir / "image"
    path = t.dir / "nic.xml"
    path.write_text(NIC)
    ways = [("save-journal", "--live"), ("save-journal", "--still")]
    if is_from_outside(t, guest):
        ways.insert(0, ("save-followed", "--live"))
    for step, option in ways:
        image.unlink(missing_ok=True)
        t.stasis("attach-device", guest.name, path)
        harness.wait_for(lambda: "eth0" in guest.agent("sh ls /sys/class/net"), "the interface")
        slot = slot_of(guest, "/sys/class/net/eth0")
        process = t.start("save", guest.name, image, option, STASIS_FAULT=f"{step}=stop")
        await_stop(process, step)
        release(t, guest, slot, "net0")
        process.send_signal(signal.SIGCONT)
        _, errors = process.communicate(timeout=120)
        if process.returncode != 0:
            assert "try again" in errors and not image.exists() and t.domstate(guest) == "running", errors
            t.stasis("save", guest.name, image)
        assert "aa:bb:01" not in t.stasis("image", "dumpxml", image).stdout
        t.stasis("restore", image)
        guest.close()
        guest.wait_for_agent()
        assert guest.agent("sh ls /sys/class/net") == "lo"


harness.main()
