#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Several guests from one image: each goes on for itself, and the image and its disks stay as they were."""

import hashlib
import json
import os
import re
import signal
import subprocess
import time

import harness
from clones import clone, clone_of, folders, overlays
from mapped import (booted_guest, can_map, damage, goes_on, image_lines, need_mapping, save, saved_guest, verified,
                    verifiers, wait_verified, write_locked)


def refused(t, image, *options, name="c", **env):
    """What is said of clones that cannot be; none is there."""
    before = t.stasis("list", "--all", "--name").stdout
    result = t.stasis("restore", image, "--clone", name, *options, check=False, **env)
    assert result.returncode == 1, result.stdout
    assert t.stasis("list", "--all", "--name").stdout == before
    return result.stderr


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def info(t, guest):
    return json.loads(t.stasis("dominfo", guest.name, "--json").stdout)


def qmp(t, guest, command, **arguments):
    text = json.dumps({"execute": command, "arguments": arguments})
    return json.loads(t.stasis("qemu-monitor-command", guest.name, text).stdout)["return"]


def acpi_events(guest):
    """How often the firmware had news for it."""
    return sum(map(int, re.findall(r"^ *\d+: +(\d+) ", guest.agent("sh grep acpi /proc/interrupts"))))


def linux_with_disks(t, change=None):
    """A saved Linux guest with a qcow2 and a raw disk: it, its image, its last tick, the disks."""
    disks = [t.dir / "a.qcow2", t.dir / "b.raw"]
    for disk, kind in zip(disks, ("qcow2", "raw")):
        subprocess.run(["qemu-img", "create", "-q", "-f", kind, disk, "16M"], check=True)
    guest = t.linux_guest(disks=[(disks[0], "qcow2", "virtio", False), (disks[1], "raw", "virtio", False)])
    path = t.dir / "linux.xml"
    path.write_text(change(guest.xml()) if change else guest.xml())
    t.stasis("create", path)
    guest.wait_for_tick(1, timeout=120)
    guest.wait_for_agent()
    assert acpi_events(guest) == 0
    for device in ("vda", "vdb"):
        guest.agent(f"write-disk /dev/{device} 4096 of-the-parent")
    assert guest.agent("fill 32 7 mix") == "32 MiB"
    guest.close()
    image = t.dir / "linux.stasis"
    return guest, image, save(t, guest, image), disks


def goes_on_from(guest, last):
    """It goes on where the image's guest was saved; its output has a file of its own."""
    guest.wait_for_tick(last + 5)
    first = guest.ticks()[0]
    assert last < first <= last + 3, (last, first)
    goes_on(guest, guest.last_tick())


@harness.test("two clones run at once, and what one writes the other does not see")
def diverge(t):
    guest, image, last, disks = linux_with_disks(t)
    before = [digest(path) for path in (image, *disks)]
    one, two = clone(t, guest, image, "web", 2)
    for each in (one, two):
        goes_on_from(each, last)
        assert t.domstate(each, "--reason") == "running (restored)"
        each.wait_for_agent()
    total = one.agent("sum")
    assert total == two.agent("sum")
    for each, number in ((one, 1), (two, 2)):
        each.agent(f"fill 16 {number} mix")
        for device in ("vda", "vdb"):
            assert each.agent(f"read-disk /dev/{device} 4096") == "of-the-parent"
            each.agent(f"write-disk /dev/{device} 4096 of-clone-{number}")
    for each, number in ((one, 1), (two, 2)):
        assert each.agent("read-disk /dev/vda 4096") == f"of-clone-{number}"
        assert each.agent("read-disk /dev/vdb 4096") == f"of-clone-{number}"
    assert one.agent("sum") != two.agent("sum")
    assert before == [digest(path) for path in (image, *disks)], "the image or a disk was written to"
    assert len(overlays(t)) == 4, overlays(t)

    # Nobody writes to what they rest on, and whose fault that is, is told.
    told = f"disk 'vda' ('{disks[0]}'): used by the running domains 'web-1', 'web-2'"
    result = t.stasis("restore", image, check=False)
    assert result.returncode == 1 and told in result.stderr, result.stderr
    result = t.stasis("create", t.dir / "linux.xml", check=False)
    told = f"disk 'vda', '{disks[0]}', is used by the running domains 'web-1', 'web-2'"
    assert result.returncode == 1 and told in result.stderr, result.stderr
    for each in (one, two):
        t.stasis("destroy", each.name)
        each.close()
    assert folders(t) == []
    t.stasis("restore", image)
    goes_on(guest, last)
    guest.wait_for_agent()
    assert guest.agent("sum") == total
    assert guest.agent("read-disk /dev/vdb 4096") == "of-the-parent"


@harness.test("each has a name, a UUID and a generation ID of its own, and says whose clone it is")
def identity(t):
    guest, image, _, _ = linux_with_disks(t, lambda xml: xml.replace("<memory ", "<genid/><memory ", 1))
    xml = t.stasis("save-image-dumpxml", image).stdout
    parent = [re.search(f"<{tag}>(.*)</{tag}>", xml)[1] for tag in ("uuid", "genid")]
    clones = clone(t, guest, image, "web", 2)
    seen = [parent]
    for each in clones:
        xml = t.stasis("dumpxml", each.name).stdout
        uuid, genid = [re.search(f"<{tag}>(.*)</{tag}>", xml)[1] for tag in ("uuid", "genid")]
        assert f"<name>{each.name}</name>" in xml
        assert qmp(t, each, "query-vm-generation-id")["guid"] == genid
        assert qmp(t, each, "query-uuid")["UUID"] == uuid
        seen.append([uuid, genid])
        told = info(t, each)
        assert (told["clone_of"], told["clone_image"]) == (guest.name, str(image)), told
        assert not told["persistent"]
        assert f"Clone of:       {guest.name} ({image})" in t.stasis("dominfo", each.name).stdout.splitlines()
        assert image_lines(t, each) == [f"Memory image:   {image}"]
        # This kernel has no driver for it, but it sees that there is news from its firmware.
        each.wait_for_agent()
        assert acpi_events(each) > 0, "the guest was not told that it is a clone"
    assert len({uuid for uuid, _ in seen}) == 3 and len({genid for _, genid in seen}) == 3, seen


@harness.test("clones are listed with what they come from, and not among others'", once=True)
def listed(t):
    guest, image, last = saved_guest(t)
    copy_of_image = t.dir / "b.stasis"
    subprocess.run(["cp", image, copy_of_image], check=True)
    clones = clone(t, guest, copy_of_image, "b") + clone(t, guest, image, "a", 2)
    t.stasis("restore", image)
    lines = [line.split() for line in t.stasis("list", "--clones").stdout.splitlines()[2:] if line]
    assert [line[1:] for line in lines] == [
        ["a-1", "running", guest.name, str(image)], ["a-2", "running", guest.name, str(image)],
        ["b", "running", guest.name, str(copy_of_image)]], lines
    told = {one["name"]: (one["clone_of"], one["clone_image"])
            for one in json.loads(t.stasis("list", "--json").stdout)}
    assert told == {guest.name: (None, None), "b": (guest.name, str(copy_of_image)),
                    "a-1": (guest.name, str(image)), "a-2": (guest.name, str(image))}, told
    assert t.stasis("list").stdout.splitlines()[0].split() == ["Id", "Name", "State"]
    assert t.stasis("list", "--clones", "--name").stdout.split() == ["a-1", "a-2", "b"]
    for each in (guest, *clones):
        goes_on(each, last)


@harness.test("a disk less guest has clones too; the image may be removed and replaced under them")
def image_gone(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    one, two = clone(t, guest, image, "c", 2)
    assert folders(t) == []
    assert write_locked(image)
    image.unlink()
    (t.dir / "other").write_bytes(b"something else")
    (t.dir / "other").rename(image)
    assert image_lines(t, one) == [f"Memory image:   {image} (replaced or removed since)"]
    for each in (one, two):
        goes_on(each, last)
        assert each.damaged_pages() == 0
    other = t.dir / "two.stasis"
    last = save(t, two, other)
    t.stasis("domdetach", one.name)
    assert image_lines(t, one) == []
    t.stasis("restore", other)
    goes_on(two, last)
    goes_on(one, one.last_tick())
    assert f"Clone of:       {guest.name} ({image})" in t.stasis("dominfo", one.name).stdout


@harness.test("an image that clones use is locked until the last of them ends, and edited as another file")
def locked(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    one, two = clone(t, guest, image, "c", 2)
    with open(image, "rb") as file:
        path = t.dir / "titled.xml"
        path.write_text(t.stasis("save-image-dumpxml", image).stdout.replace("</name>", "</name><title>new</title>"))
        t.stasis("save-image-define", image, path)
        assert os.fstat(file.fileno()).st_ino != image.stat().st_ino, "the image was edited under its clones"
        t.stasis("destroy", one.name)
        assert write_locked(f"/proc/self/fd/{file.fileno()}")
        goes_on(two, last)
        t.stasis("destroy", two.name)
        harness.wait_for(lambda: not write_locked(f"/proc/self/fd/{file.fileno()}"), "the lock to be gone")


@harness.test("a name that is taken is refused before anything is started", once=True)
def names(t):
    guest, image, _ = saved_guest(t)
    clone(t, guest, image, "c-2")
    assert "'c-2' is there already" in refused(t, image, "--count", "3")
    assert "'c-2' is there already" in refused(t, image, name="c-2")
    defined = t.dir / "defined.xml"
    defined.write_text(guest.xml().replace(f"<name>{guest.name}<", "<name>d-1<"))
    t.stasis("define", defined)
    assert "'d-1' is there already" in refused(t, image, name="d-1")
    assert "'d-1' is there already" in refused(t, image, "--count", "2", name="d")
    assert "cannot be the name" in refused(t, image, name="a/b")
    t.stasis("undefine", "d-1")


@harness.test("options that make no sense are told", once=True)
def options(t):
    image = t.dir / "a.stasis"
    for words, told in ((["--count", "2"], "--count is for --clone"),
                        (["--clone", "c", "--count", "0"], "from 1 to"),
                        (["--clone", "c", "--count", "many"], "from 1 to"),
                        (["--clone", "c", "--running", "--paused"], "--running")):
        result = t.stasis("restore", image, *words, check=False)
        assert result.returncode != 0 and told in result.stderr, (words, result.stderr)
    result = t.stasis("restore", "-", "--clone", "c", check=False)
    assert result.returncode != 0 and "has to be a file" in result.stderr, result.stderr


@harness.test("a disk that has changed, is written to, or is a block device is refused by name", once=True)
def disks(t):
    guest = t.boot_sector_guest(read_only=False)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image = t.dir / "a.stasis"
    save(t, guest, image)
    t.stasis("restore", image)
    told = refused(t, image)
    assert f"disk 'vda' ('{guest.disk}') is written to by the running domain '{guest.name}'" in told, told
    last = save(t, guest, image)
    one, = clone(t, guest, image)
    goes_on(one, last)
    t.stasis("destroy", one.name)

    with open(guest.disk, "r+b") as file:
        file.seek(1 << 19)
        file.write(b"changed")
    told = refused(t, image)
    assert "vda" in told and "--force restores anyway" in told, told
    one, = clone(t, guest, image, "d", 1, "--force")
    goes_on(one, last)
    t.stasis("destroy", one.name)
    assert folders(t) == []


@harness.test("where one of several fails nothing is left of any, and it is named", once=True)
def failure(t):
    guest = t.boot_sector_guest(read_only=False)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image = t.dir / "a.stasis"
    last = save(t, guest, image)
    told = refused(t, image, "--count", "3", STASIS_FAULT="clone-loaded-c-2=fail")
    assert "clone 'c-2': fault asked for" in told, told
    assert folders(t) == [] and not write_locked(image)
    assert list((t.state / "run" / "domains").iterdir()) == []
    assert list((t.state / "lib" / "last-job").glob("c-*")) == []
    told = refused(t, image, STASIS_FAULT="start-resume=fail")
    assert "clone 'c': fault asked for" in told, told
    assert folders(t) == []

    t.stasis("restore", image, "--clone", "c", "--count", "3", check=False,
             STASIS_FAULT="clone-loaded-c-2=kill")
    harness.wait_for(lambda: t.stasis("list", "--all", "--name").stdout.split() == [], "the others to be ended")
    harness.wait_for(lambda: folders(t) == [], "the overlays to be gone")
    assert not write_locked(image)

    # Who dies when they are let run leaves the one that may run already.
    t.stasis("restore", image, "--clone", "d", "--count", "3", check=False, STASIS_FAULT="start-resuming=kill")
    goes_on(clone_of(t, guest, "d-1"), last)
    harness.wait_for(lambda: t.stasis("list", "--all", "--name").stdout.split() == ["d-1"], "the others to be ended")
    harness.wait_for(lambda: len(folders(t)) == 1, "their overlays to be gone")
    for each in clone(t, guest, image, "e", 3):
        goes_on(each, last)


@harness.test("the overlays are gone after destroy, a shutdown of QEMU's, kill -9, and a crash of the host")
def overlays_gone(t):
    guest = t.boot_sector_guest(read_only=False)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image = t.dir / "a.stasis"
    save(t, guest, image)
    ways = (lambda one: t.stasis("destroy", one.name),
            lambda one: harness.kill(t.status(one)["qemu"]["pid"]),
            lambda one: os.kill(t.status(one)["qemu"]["pid"], signal.SIGTERM),
            lambda one: qmp(t, one, "quit"))
    for way in ways:
        one, = clone(t, guest, image)
        assert len(overlays(t)) == 1
        way(one)
        harness.wait_for(lambda: folders(t) == [], "the overlay to be gone")
        harness.wait_for(lambda one=one: not t.run_folder(one).exists(), "the run folder to be gone")

    # With nobody there any more, the next clone sees to it.
    one, two = clone(t, guest, image, "c", 2)
    host, = (t.state / "lib" / "clones").iterdir()
    left = host / "00000000-0000-4000-8000-000000000000"
    left.mkdir()
    (left / "vda.qcow2").write_bytes(b"x")
    three, = clone(t, guest, image, "d")
    assert not left.exists() and len(overlays(t)) == 3
    for each in (one, two, three):
        goes_on(each, each.last_tick())


@harness.test("a clone that is saved keeps its disks, and goes on with them")
def saved_clone(t):
    guest, image, last, _ = linux_with_disks(t)
    one, two = clone(t, guest, image, "web", 2)
    one.wait_for_agent()
    one.agent("write-disk /dev/vda 4096 of-clone-1")
    one.close()
    kept = t.dir / "one.stasis"
    last = save(t, one, kept)
    t.stasis("destroy", two.name)
    folder, = folders(t)
    t.stasis("image", "verify", kept)
    for step in ("restore-loaded=fail", "restore-marked=fail", "start-resume=fail", "restore-marked=kill"):
        result = t.stasis("restore", kept, check=False, STASIS_FAULT=step)
        assert result.returncode != 0, step
        harness.wait_for(lambda: one.name not in t.stasis("list", "--all").stdout, "QEMU to be ended")
        assert folders(t) == [folder], step
    third, = clone(t, one, kept, "third")  # a clone of the clone
    third.wait_for_agent()
    assert third.agent("read-disk /dev/vda 4096") == "of-clone-1"
    t.stasis("destroy", third.name)
    assert folders(t) == [folder]

    t.stasis("restore", kept)
    goes_on(one, last)
    one.wait_for_agent()
    assert one.agent("read-disk /dev/vda 4096") == "of-clone-1"
    t.stasis("destroy", one.name)
    assert folders(t) == []


@harness.test("a clone that is saved is not restored where its parent has written to the disk below")
def parent_goes_on(t):
    guest = t.boot_sector_guest(read_only=False)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image = t.dir / "a.stasis"
    save(t, guest, image)
    one, = clone(t, guest, image)
    kept = t.dir / "c.stasis"
    last = save(t, one, kept)
    with open(guest.disk, "r+b") as file:
        file.seek(1 << 19)
        file.write(b"by the parent")
    result = t.stasis("restore", kept, check=False)
    told = f"what the clone's disks rest on has changed: disk 'vda' ('{guest.disk}')"
    assert result.returncode == 1 and told in result.stderr, result.stderr
    assert told in refused(t, kept, name="d")
    t.stasis("restore", kept, "--force")
    goes_on(one, last)


@harness.test("an image is verified once for all clones: before them, or beside them")
def verification(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    unverified = t.dir / "copy.stasis"
    subprocess.run(["cp", "--sparse=always", image, unverified], check=True)
    for each in clone(t, guest, unverified, "c", 2):
        assert verified(t, each) == ("before the guest ran", None)
        goes_on(each, last)
        t.stasis("destroy", each.name)

    clones = clone(t, guest, image, "d", 3, STASIS_FAULT="verify=stop")
    harness.wait_for(lambda: len(verifiers(t)) == 3 and any(map(harness.is_stopped, verifiers(t))), "the checks to begin")
    time.sleep(0.5)
    stopped, = [pid for pid in verifiers(t) if harness.is_stopped(pid)]
    os.kill(stopped, signal.SIGCONT)
    for each in clones:
        assert wait_verified(t, each) == ("yes", None)
        goes_on(each, last)
        t.stasis("destroy", each.name)

    damage(t, image)
    clones = clone(t, guest, image, "e", 2)
    for each in clones:
        assert wait_verified(t, each)[0] == "DAMAGED"
        assert t.domstate(each, "--reason") == "paused (I/O error)"
        t.stasis("destroy", each.name)
    assert "is damaged at offset" in refused(t, image)
    one, = clone(t, guest, image, "f", 1, "--verify", "none")
    goes_on(one, last)


@harness.test("what can be had once only is refused, and the rest is each clone's own", once=True)
def shared_things(t):
    guest = t.boot_sector_guest()
    log = t.dir / "channel.log"
    xml = guest.xml(f"""<serial type='tcp'><source mode='bind' host='127.0.0.1' service='0'/></serial>
      <channel type='null'><log file='{log}'/><target type='virtio' name='x'/></channel>
      <graphics type='vnc' port='5999' autoport='no'/><video><model type='vga'/></video>""")
    path = t.dir / "many.xml"
    path.write_text(xml)
    t.stasis("create", path)
    guest.wait_for_tick(2)
    image = t.dir / "a.stasis"
    last = save(t, guest, image)
    told = refused(t, image)
    assert "'serial1' listens on port 0" in told and "--xml" in told, told
    path.write_text(re.sub(r"<serial type='tcp'>\s*<source[^>]*/>(\s*<protocol[^>]*/>)?", "<serial type='pty'>",
                           t.stasis("save-image-dumpxml", image).stdout))
    for each in clone(t, guest, image, "c", 2, "--xml", path):
        goes_on(each, last)
        seen = t.stasis("dumpxml", each.name).stdout
        assert f"'{log}.{each.name}'" in seen and f"'{each.agent_path}'" in seen, seen
        assert "autoport='yes'" in seen and "port='5999'" not in seen, seen
        assert each.agent_path.is_socket()
        t.stasis("destroy", each.name)
        assert not each.agent_path.exists()


@harness.test("a network interface has the image's address until the guest resets it, which is told")
def interface(t):
    nic = """<interface type='user'><mac address='52:54:00:01:02:03'/><model type='virtio'/></interface>
      <interface type='user'><mac address='52:54:00:01:02:04'/><model type='e1000'/></interface>"""
    guest, image, last, _ = linux_with_disks(t, lambda xml: xml.replace("<memballoon", nic + "<memballoon"))
    result = json.loads(t.stasis("restore", image, "--clone", "c", "--json").stdout)
    one = clone_of(t, guest, "c")
    goes_on_from(one, last)
    assert len(result["warnings"]) == 2, result
    assert "'net0'" in result["warnings"][0] and "52:54:00:01:02:03" in result["warnings"][0], result
    assert "'net1'" in result["warnings"][1] and "keeps the MAC address 52:54:00:01:02:04" in result["warnings"][1]
    assert [each["domain"] for each in result["clones"]] == ["c"], result
    new, kept = re.findall("<mac address='(.*)'/>", t.stasis("dumpxml", one.name).stdout)
    assert new != "52:54:00:01:02:03" and kept == "52:54:00:01:02:04", (new, kept)
    one.wait_for_agent()
    driver = "/sys/bus/virtio/drivers/virtio_net"
    name = one.agent(f"sh ls {driver} | grep virtio | head -1")
    address = f"sh cat {driver}/{name}/net/*/address"
    assert one.agent(address) == "52:54:00:01:02:03"
    one.agent(f"sh echo {name} > {driver}/unbind; echo {name} > {driver}/bind")
    assert one.agent(address) == new


@harness.test("on a network of the host the link of a clone's interface is down until somebody sets it up")
def link(t):
    guest = t.linux_guest()
    path = t.dir / "tap.xml"
    path.write_text(guest.xml("<interface type='ethernet'><model type='virtio'/></interface>"))
    result = t.stasis("create", path, check=False)
    if result.returncode != 0:
        raise harness.Skip(f"no tap here: {result.stderr.splitlines()[-1]}")
    guest.wait_for_tick(1, timeout=120)
    guest.wait_for_agent()
    guest.agent("sh ip link set eth0 up")
    carrier = "sh cat /sys/class/net/eth0/carrier"
    assert guest.agent(carrier) == "1"
    guest.close()
    image = t.dir / "a.stasis"
    save(t, guest, image)
    result = t.stasis("restore", image, "--clone", "c", "--count", "2")
    assert "its link is down" in result.stderr, result.stderr
    for each in (clone_of(t, guest, "c-1"), clone_of(t, guest, "c-2")):
        each.wait_for_agent()
        harness.wait_for(lambda each=each: each.agent(carrier) == "0", "the carrier to be lost")
        assert "<link state='down'/>" in t.stasis("dumpxml", each.name).stdout
        qmp(t, each, "set_link", name="net0", up=True)
        harness.wait_for(lambda each=each: each.agent(carrier) == "1", "the carrier to be back")


@harness.test("cancelled, nothing is left of any clone", once=True)
def cancelled(t):
    guest = t.boot_sector_guest(read_only=False)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image = t.dir / "a.stasis"
    last = save(t, guest, image)
    process = t.start("restore", image, "--clone", "c", "--count", "3", STASIS_FAULT="clone-loaded-c-1=stop")
    harness.wait_for(lambda: harness.is_stopped(process.pid), "a clone to be loaded")
    process.send_signal(signal.SIGINT)
    os.kill(process.pid, signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0 and "cancelled" in errors.lower(), errors
    assert t.stasis("list", "--all", "--name").stdout.split() == []
    assert folders(t) == [] and not write_locked(image)
    goes_on(clone(t, guest, image)[0], last)


@harness.test("a guest with UEFI has variables of its own in each clone")
def firmware(t):
    guest = t.linux_guest(packed=True)
    path = t.dir / "uefi.xml"
    path.write_text(guest.xml().replace("<os>", "<os firmware='efi'>"))
    result = t.stasis("create", path, check=False)
    if result.returncode != 0:
        raise harness.Skip(f"no UEFI here: {result.stderr.splitlines()[-1]}")
    guest.wait_for_tick(1, timeout=150)
    image = t.dir / "a.stasis"
    last = save(t, guest, image)
    nvram, = (t.state / "lib" / "nvram").iterdir()
    before = digest(nvram)
    clones = clone(t, guest, image, "c", 2)
    for each in clones:
        goes_on(each, last)
    assert digest(nvram) == before
    own = [re.search(r">(.*)</nvram>", t.stasis("dumpxml", each.name).stdout)[1] for each in clones]
    assert sorted(own) == [str(path) for path in overlays(t)] and len(own) == 2, own
    assert {path.stat().st_size for path in overlays(t)} == {nvram.stat().st_size}
    for each in clones:
        t.stasis("destroy", each.name)
    assert folders(t) == []
    t.stasis("restore", image)
    goes_on(guest, last)


@harness.test("only an image whose memory lies in place, or has a flat file, can be cloned")
def kinds(t):
    guest = booted_guest(t)
    image = t.dir / "stream.stasis"
    t.stasis("save", guest.name, image, "--format", "stasis-stream" if can_map() else "libvirt")
    told = refused(t, image)
    assert "cannot be cloned" in told, told


@harness.test("clones whose memory cannot be mapped have it loaded, and that is told")
def loaded(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    with harness.mounted("-t", "tmpfs", "tmpfs", at=t.dir / "tmpfs") as folder:
        subprocess.run(["cp", "--sparse=always", image, folder / "a.stasis"], check=True)
        result = t.stasis("restore", folder / "a.stasis", "--clone", "c", "--count", "2")
        assert "has memory of its own, which was loaded: " in result.stderr, result.stderr
        for each in (clone_of(t, guest, "c-1"), clone_of(t, guest, "c-2")):
            goes_on(each, last)
            assert image_lines(t, each) == []
            assert info(t, each)["clone_of"] == guest.name


@harness.test("ten clones at once")
def ten(t):
    guest = t.boot_sector_guest(read_only=False)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    image = t.dir / "a.stasis"
    last = save(t, guest, image)
    clones = clone(t, guest, image, "c", 10, "--paused")
    assert all(t.domstate(each) == "paused" for each in clones)
    assert len(overlays(t)) == 10
    for each in clones:
        t.stasis("resume", each.name)
    for each in clones:
        goes_on(each, last, ticks=1)


harness.main()
