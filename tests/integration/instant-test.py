#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Does a guest whose memory is mapped from its image go on exactly where it was?"""

import contextlib
import json
import os
import signal
import subprocess
import time

import harness
from mapped import (booted_guest, booted_linux, can_map, damage, goes_on, image_lines, memory_use, need_mapping,
                    restore, save, saved_guest, verified, verifiers, wait_verified, write_locked)


@harness.test("a boot-sector guest goes on in memory mapped from its image, and the image is as it was")
def boot_sector(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    before = image.read_bytes()
    assert "verified before" in restore(t, image)
    goes_on(guest, last, 10)
    assert guest.damaged_pages() == 0
    assert t.domstate(guest, "--reason") == "running (restored)"
    assert image.read_bytes() == before, "the guest has written to its image"
    t.stasis("image", "verify", image)


@harness.test("a Linux guest keeps its memory; saved again and restored again, three times")
def linux(t):
    need_mapping()
    guest, total = booted_linux(t)
    for number in range(3):
        image = t.dir / f"{number}.stasis"
        last = save(t, guest, image)
        t.stasis("image", "verify", image)
        restore(t, image)
        assert memory_use(t, guest)[0] < 64 << 20, "the memory was loaded, not mapped"
        goes_on(guest, last)
        guest.wait_for_agent()
        assert guest.agent("sum") == total, "the guest's memory has changed"
        guest.close()
    image = t.dir / "2.stasis"
    t.stasis("destroy", guest.name)
    t.stasis("restore", image, "--load", "parallel")
    guest.wait_for_agent()
    assert guest.agent("sum") == total, "an image of a mapped guest differs when it is loaded"
    assert image_lines(t, guest) == []


def balloon(t, guest, mib):
    """Have the guest's balloon leave it that much memory."""
    def ask(command, **arguments):
        text = json.dumps({"execute": command, "arguments": arguments})
        return json.loads(t.stasis("qemu-monitor-command", guest.name, text).stdout)["return"]
    ask("balloon", value=mib << 20)
    harness.wait_for(lambda: ask("query-balloon")["actual"] == mib << 20, "the balloon")


@harness.test("a balloon takes nothing from the image")
def ballooned(t):
    need_mapping()
    guest, total = booted_linux(t, "<memballoon model='none'/>", "<memballoon model='virtio'/>")
    image = t.dir / "a.stasis"
    save(t, guest, image)
    before = image.read_bytes()
    restore(t, image)
    balloon(t, guest, 208)
    balloon(t, guest, 256)
    guest.wait_for_agent()
    assert guest.agent("sum") == total, "the guest's memory has changed"
    assert image.read_bytes() == before, "the balloon has changed the image"


@harness.test("what QEMU says of each page that a balloon takes does not fill the disk")
def ballooned_log(t):
    need_mapping()
    guest, _ = booted_linux(t, "<memballoon model='none'/>", "<memballoon model='virtio'/>")
    save(t, guest, t.dir / "a.stasis")
    restore(t, t.dir / "a.stasis")
    log = t.state / "log" / "qemu" / f"{guest.name}.log"
    newer = log.with_name(f"{log.name}.0")
    balloon(t, guest, 208)
    if log.stat().st_size < 256 << 10 and not newer.exists():
        raise harness.Skip("this QEMU says nothing of such pages")
    while not newer.exists():
        balloon(t, guest, 256)
        balloon(t, guest, 208)
    harness.wait_for(lambda: log.stat().st_size <= 2 << 20, "the log to be cut")
    assert newer.stat().st_size < 8 << 20


@harness.test("the image that a guest uses is shown, and locked until the guest ends")
def shown(t):
    need_mapping()
    guest, image, _ = saved_guest(t)
    assert not write_locked(image)
    restore(t, image)
    assert image_lines(t, guest) == [f"Memory image:   {image}"]
    told = json.loads(t.stasis("dominfo", guest.name, "--json").stdout)
    assert (told["memory_image"], told["memory_image_in_place"]) == (str(image), True), told
    assert t.status(guest)["memory-image"]["inode"] == image.stat().st_ino
    assert write_locked(image)
    harness.kill(t.supervisor())
    assert write_locked(image), "the lock went with the supervisor"
    assert image_lines(t, guest) == [f"Memory image:   {image}"]
    goes_on(guest, guest.last_tick())
    t.stasis("destroy", guest.name)
    harness.wait_for(lambda: not write_locked(image), "the lock to be gone")


@harness.test("the image may be replaced and removed under the running guest")
def replaced(t):
    need_mapping()
    guest, image, _ = saved_guest(t)
    restore(t, image)
    last = save(t, guest, image)  # over the file that backs its memory
    restore(t, image)
    last = goes_on(guest, last)

    other = t.dir / "other"
    other.write_bytes(b"something else")
    other.rename(image)
    assert image_lines(t, guest) == [f"Memory image:   {image} (replaced or removed since)"]
    last = goes_on(guest, last)
    image.unlink()
    told = json.loads(t.stasis("dominfo", guest.name, "--json").stdout)
    assert told["memory_image_in_place"] is False, told
    goes_on(guest, last)
    last = save(t, guest, t.dir / "b.stasis")
    restore(t, t.dir / "b.stasis")
    goes_on(guest, last)
    assert guest.damaged_pages() == 0


@harness.test("an image that nobody has verified here is verified before the guest runs")
def unverified(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    copy = t.dir / "copy.stasis"
    subprocess.run(["cp", "--sparse=always", image, copy], check=True)
    assert "verified as a whole first" in restore(t, copy)
    goes_on(guest, last)
    t.stasis("destroy", guest.name)
    assert "verified before" in restore(t, copy)
    t.stasis("destroy", guest.name)

    damage(t, copy).unlink()
    result = t.stasis("restore", copy, "--load", "instant", check=False)
    assert result.returncode == 1 and "is damaged at offset" in result.stderr, result.stderr
    assert guest.name not in t.stasis("list", "--all").stdout


@harness.test("an image with a stamp is verified in the background; a guest on a damaged one is paused")
def background(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    assert "once more in the background" in restore(t, image)
    assert wait_verified(t, guest) == ("yes", None)
    assert "Image verified: yes" in t.stasis("dominfo", guest.name).stdout
    goes_on(guest, last)
    last = save(t, guest, image)

    stamp = damage(t, image)
    restore(t, image)
    told, fault = wait_verified(t, guest)
    assert told == "DAMAGED" and "'pc.ram'" in fault and str(image) in fault, (told, fault)
    assert t.domstate(guest, "--reason") == "paused (I/O error)", t.domstate(guest, "--reason")
    assert not stamp.exists()
    result = t.stasis("save", guest.name, t.dir / "b.stasis", check=False)
    assert result.returncode == 1 and "comes from a damaged image" in result.stderr, result.stderr
    assert t.domstate(guest) == "paused"
    harness.kill(t.supervisor())
    t.stasis("list")
    assert t.domstate(guest, "--reason") == "paused (I/O error)", t.domstate(guest, "--reason")
    assert "comes from a damaged image" in t.stasis("resume", guest.name).stderr
    assert t.domstate(guest, "--reason") == "running (unpaused)", t.domstate(guest, "--reason")
    assert verified(t, guest)[0] == "DAMAGED"
    t.stasis("save", guest.name, t.dir / "b.stasis")

    result = t.stasis("restore", image, "--load", "instant", check=False)
    assert result.returncode == 1 and "is damaged at offset" in result.stderr, result.stderr


@harness.test("a paused guest on a damaged image is blamed too, and not passed on before it was resumed")
def background_paused(t):
    need_mapping()
    guest, image, _ = saved_guest(t)
    damage(t, image)
    restore(t, image, "--paused")
    assert wait_verified(t, guest)[0] == "DAMAGED"
    assert t.domstate(guest, "--reason") == "paused (I/O error)", t.domstate(guest, "--reason")
    for arguments in (["save", guest.name, t.dir / "b.stasis"], ["domdetach", guest.name]):
        result = t.stasis(*arguments, check=False)
        assert result.returncode == 1 and "comes from a damaged image" in result.stderr, result.stderr
    assert "comes from a damaged image" in t.stasis("resume", guest.name).stderr
    t.stasis("suspend", guest.name)
    t.stasis("save", guest.name, t.dir / "b.stasis")


@harness.test("a guest that sleeps on a damaged image is blamed too, and does not wake up unasked")
def background_asleep(t):
    need_mapping()
    guest = t.button_guest(sleeps=True)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(1)
    image = t.dir / "a.stasis"
    save(t, guest, image)
    damage(t, image)
    t.stasis("restore", image, "--load", "instant", STASIS_FAULT="verify=stop")
    verifier, = harness.wait_for(lambda: verifiers(t), "the check to begin")
    harness.wait_for(lambda: harness.is_stopped(verifier), "the check to stop")
    t.stasis("shutdown", guest.name)  # the button
    harness.wait_for(lambda: t.domstate(guest) == "pmsuspended", "the guest to sleep")
    os.kill(verifier, signal.SIGCONT)
    assert wait_verified(t, guest)[0] == "DAMAGED"
    assert t.domstate(guest, "--reason") == "paused (I/O error)", t.domstate(guest, "--reason")
    result = t.stasis("save", guest.name, t.dir / "b.stasis", check=False)
    assert result.returncode == 1 and "comes from a damaged image" in result.stderr, result.stderr
    assert t.domstate(guest, "--reason") == "paused (I/O error)", t.domstate(guest, "--reason")
    assert "comes from a damaged image" in t.stasis("resume", guest.name).stderr
    assert t.domstate(guest) == "pmsuspended", t.domstate(guest, "--reason")


@harness.test("what was found is written once there is room for it, and others wait no longer")
def finding_unwritten(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    with harness.mounted("-t", "tmpfs", "-o", "size=512k", "tmpfs", at=t.state / "run"):
        t.stasis("restore", image, STASIS_FAULT="verify=stop")
        verifier, = harness.wait_for(lambda: verifiers(t), "the check")
        harness.wait_for(lambda: harness.is_stopped(verifier), "the check to stop")
        fill = t.state / "run" / "fill"
        with open(fill, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        os.kill(verifier, signal.SIGCONT)
        harness.wait_for(lambda: not verifiers(t), "the check to end")
        time.sleep(0.5)
        assert verified(t, guest) == ("going on", None)
        fill.unlink()
        assert wait_verified(t, guest) == ("yes", None)
        last = goes_on(guest, last)
        t.stasis("save", guest.name, t.dir / "b.stasis")


def waits(t, guest, process):
    """Others see the save wait for the image to be verified."""
    def seen():
        info = json.loads(t.stasis("domjobinfo", guest.name, "--json").stdout)
        assert process.poll() is None, "the save did not wait"
        return info.get("phase") == "wait for the memory image to be verified" and info
    info = harness.wait_for(seen, "the save to wait")
    assert (info["operation"], info["owner_pid"]) == ("save", process.pid), info


@harness.test("a save that waits for the image to be verified can be aborted from anywhere")
def save_aborted(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    t.stasis("restore", image, "--load", "instant", STASIS_FAULT="verify=stop")
    (t.run_folder(guest) / "job-fate").symlink_to("commit")
    process = t.start("save", guest.name, t.dir / "b.stasis")
    waits(t, guest, process)
    # Without the domain's lock: what was decided of another job is left alone.
    assert os.readlink(t.run_folder(guest) / "job-fate") == "commit"
    result = t.stasis("domdetach", guest.name, check=False)
    assert result.returncode == 1 and f"is busy: save by process {process.pid}" in result.stderr, result.stderr
    t.stasis("domjobabort", guest.name)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "cancelled" in errors, errors
    assert "None" in t.stasis("domjobinfo", guest.name).stdout
    assert not (t.dir / "b.stasis").exists() and t.domstate(guest, "--reason") == "running (restored)"
    goes_on(guest, last)
    verifier, = verifiers(t)
    os.kill(verifier, signal.SIGCONT)
    assert wait_verified(t, guest) == ("yes", None)
    t.stasis("save", guest.name, t.dir / "b.stasis")


@harness.test("of two saves that wait the second is seen, and can be aborted, once the first has gone")
def saves_in_turn(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    t.stasis("restore", image, "--load", "instant", STASIS_FAULT="verify=stop")
    first = t.start("save", guest.name, t.dir / "b.stasis")
    waits(t, guest, first)
    second = t.start("save", guest.name, t.dir / "c.stasis")
    time.sleep(3)  # until it has given up to be seen at once
    for process in (first, second):
        info = harness.wait_for(lambda: json.loads(t.stasis("domjobinfo", guest.name, "--json").stdout).get("owner_pid")
                                == process.pid, "the save to be seen")  # pylint: disable=cell-var-from-loop
        assert info and process.poll() is None
        t.stasis("domjobabort", guest.name)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1 and "cancelled" in errors, errors
    goes_on(guest, last)


@harness.test("a save waits for the image to be verified; a supervisor that dies meanwhile is replaced")
def save_waits(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    t.stasis("restore", image, "--load", "instant", STASIS_FAULT="verify=stop")
    verifier, = harness.wait_for(lambda: verifiers(t), "the check to begin")
    harness.wait_for(lambda: harness.is_stopped(verifier), "the check to stop")
    last = goes_on(guest, last)
    assert verified(t, guest) == ("going on", None)
    process = t.start("save", guest.name, t.dir / "b.stasis")
    waits(t, guest, process)
    t.stasis("suspend", guest.name)  # nobody has the domain's lock
    assert t.domstate(guest, "--reason") == "paused (user)", t.domstate(guest, "--reason")
    t.stasis("resume", guest.name)
    assert t.domstate(guest, "--reason") == "running (unpaused)", t.domstate(guest, "--reason")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0 and t.domstate(guest) == "running"
    assert "None" in t.stasis("domjobinfo", guest.name).stdout
    process = t.start("save", guest.name, t.dir / "b.stasis")
    waits(t, guest, process)
    harness.kill(t.supervisor())
    t.stasis("list", STASIS_FAULT="verify=stop")
    waits(t, guest, process)  # the new one knows of it as well
    harness.wait_for(lambda: verifier not in t.processes(), "the first check to end")
    second, = harness.wait_for(lambda: verifiers(t), "the second check")
    harness.wait_for(lambda: harness.is_stopped(second), "the second check to stop")
    os.kill(second, signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    restore(t, t.dir / "b.stasis")
    goes_on(guest, guest.last_tick())


@harness.test("a check that dies is told of, and the guest goes on")
def check_dies(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    t.stasis("restore", image, "--load", "instant", STASIS_FAULT="verify=kill")
    told, fault = wait_verified(t, guest)
    assert told == "could not be done" and fault, (told, fault)
    goes_on(guest, last)
    save(t, guest, image)


@harness.test("--verify full, background and none do what they say, with and without a stamp")
def verify_ways(t):
    need_mapping()
    guest, image, _ = saved_guest(t)
    copy = t.dir / "copy.stasis"
    subprocess.run(["cp", "--sparse=always", image, copy], check=True)
    for path, way, engine, told in (
            (image, "full", "verified as a whole first", "before the guest ran"),
            (image, "background", "once more in the background", "yes"),
            (image, "none", "not verified", "no"),
            (copy, "none", "not verified", "no"),
            (copy, "background", "verified in the background", "yes"),
            (copy, "full", "verified as a whole first", "before the guest ran"),
            (copy, "auto", "once more in the background", "yes")):
        assert engine in restore(t, path, "--verify", way), (path, way)
        assert wait_verified(t, guest) == (told, None), (path, way)
        assert t.domstate(guest) == "running"
        t.stasis("destroy", guest.name)
    damage(t, copy)
    for load in ("instant", "parallel"):
        t.stasis("restore", copy, "--load", load, "--verify", "none")
        t.stasis("destroy", guest.name)
        result = t.stasis("restore", copy, "--load", load, "--verify", "full", check=False)
        assert result.returncode == 1 and "is damaged at offset" in result.stderr, result.stderr
    result = t.stasis("restore", copy, "--verify", "often", check=False)
    assert result.returncode != 0 and "not 'often'" in result.stderr, result.stderr


@harness.test("a paused guest is mapped paused, and goes on when told to")
def paused(t):
    need_mapping()
    guest = t.boot_sector_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(2)
    image = t.dir / "a.stasis"
    t.stasis("suspend", guest.name)
    last = save(t, guest, image)
    restore(t, image)
    assert t.domstate(guest) == "paused" and guest.last_tick() == last
    t.stasis("resume", guest.name)
    goes_on(guest, last)


def loads(t, image, reason):
    """It is restored all the same, and says why not instantly."""
    result = t.stasis("restore", image, "--load", "instant")
    assert result.stderr.startswith("warning: ") and "; not instant: " in result.stderr, result.stderr
    assert reason in result.stderr, result.stderr


@harness.test("what cannot be mapped is loaded, and the reason is said")
def fallback(t):
    guest = booted_guest(t)
    if not can_map():
        image = t.dir / "old.stasis"
        last = save(t, guest, image)
        loads(t, image, "cannot map memory from within a file")
        goes_on(guest, last)
        return

    for name, options, reason in (
            ("sparse", ["--format", "libvirt-sparse"], "does not lie in place"),
            ("stream", ["--format", "stasis-stream"], "does not lie in place")):
        image = t.dir / name
        t.stasis("save", guest.name, image, *options)
        last = guest.last_tick()
        loads(t, image, reason)
        last = goes_on(guest, last)

    image = t.dir / "open"
    last = save(t, guest, image)
    image.chmod(0o666)
    result = t.stasis("restore", image, "--load", "instant", "--trust")
    assert "others could change the image" in result.stderr, result.stderr
    goes_on(guest, last)
    assert image_lines(t, guest) == []


@harness.test("an image in memory is not mapped: its holes would fill up")
def in_memory(t):
    need_mapping()
    guest = booted_guest(t)
    with harness.mounted("-t", "tmpfs", "tmpfs", at=t.dir / "tmpfs") as folder:
        last = save(t, guest, folder / "a.stasis")
        loads(t, folder / "a.stasis", "in memory")
        goes_on(guest, last)


@harness.test("where QEMU's user cannot be let at the image, the memory is loaded")
def no_owners(t):
    need_mapping()
    if os.geteuid() != 0:
        raise harness.Skip("only root's QEMU is another user")
    guest = booted_guest(t)
    folders = {f"{name}dir": t.dir / name for name in ("lower", "upper", "work")}
    for folder in folders.values():
        folder.mkdir()
    options = ",".join(f"{name}={folder}" for name, folder in folders.items())
    with harness.mounted("-t", "overlay", "-o", options, "overlay", at=t.dir / "overlay") as folder:
        image = folder / "a.stasis"
        last = save(t, guest, image)
        loads(t, image, "cannot map the owner")
        last = goes_on(guest, last)
        assert image_lines(t, guest) == [] and not write_locked(image)
    assert guest.damaged_pages() == 0


@harness.test("an image that comes as an open file is mapped as well")
def standard_input(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    with open(image, "rb") as file:
        t.stasis("restore", "/dev/stdin", "--paused", stdin=file)
    assert image_lines(t, guest) == [f"Memory image:   {image}"]
    t.stasis("destroy", guest.name)
    with open(image, "rb") as file:
        t.stasis("restore", "-", "--load", "instant", stdin=file)
    assert image_lines(t, guest) == [f"Memory image:   {image}"]
    goes_on(guest, last)


@harness.test("shared memory stays shared")
def shared(t):
    need_mapping()
    guest = t.boot_sector_guest()
    xml = guest.xml().replace("<vcpu>", "<memoryBacking><access mode='shared'/></memoryBacking><vcpu>")
    path = t.dir / "shared.xml"
    path.write_text(xml)
    t.stasis("create", path)
    guest.wait_for_tick(2)
    image = t.dir / "a.stasis"
    last = save(t, guest, image)
    loads(t, image, "<memoryBacking>")
    goes_on(guest, last)


@harness.test("an instant restore that is killed leaves nothing, and the image is as good as before")
def killed(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    for point in ("restore-started", "restore-loaded", "restore-marked"):
        t.stasis("restore", image, "--load", "instant", check=False, STASIS_FAULT=f"{point}=kill")
        harness.wait_for(lambda: guest.name not in t.stasis("list", "--all").stdout, "QEMU to be ended")
        assert not write_locked(image)
    restore(t, image)
    goes_on(guest, last)


@harness.test("--load knows three ways")
def words(t):
    result = t.stasis("restore", t.dir / "x", "--load", "slowly", check=False)
    assert result.returncode != 0 and "'auto', 'instant' or 'parallel'" in result.stderr, result.stderr


harness.main()
