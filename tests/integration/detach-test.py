#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Does a guest that is detached from its image keep its memory, whatever becomes of the image?"""

import contextlib
import json
import os
import re
import pathlib
import resource
import shutil
import signal
import struct
import subprocess

import harness
from mapped import (booted_linux, can_map, damage, goes_on, image_lines, memory_use, need_mapping, restore, save,
                    saved_guest, verifiers, wait_verified, write_locked)


def mapped_guest(t):
    """A guest whose memory is mapped from its image: it, the image, its last tick."""
    need_mapping()
    guest, image, last = saved_guest(t)
    restore(t, image)
    return guest, image, last


def mapped_linux(t):
    need_mapping()
    guest, total = booted_linux(t)
    image = t.dir / "a.stasis"
    save(t, guest, image)
    restore(t, image)
    guest.wait_for_agent()
    return guest, image, total


def spoil(file):
    """Overwrite all of a file in place."""
    size = os.fstat(file.fileno()).st_size
    for offset in range(0, size, 1 << 20):
        os.pwrite(file.fileno(), b"\xa5" * min(1 << 20, size - offset), offset)


def free(t, guest, file):
    """Nobody holds the image, and nobody is told that the guest uses it; `file` is the open one that it used."""
    return (image_lines(t, guest) == [] and "memory-image" not in t.status(guest)
            and not write_locked(f"/proc/self/fd/{file.fileno()}"))


def stopped(t, *command, at):
    """A `stasis` that stands still at a fault point."""
    process = t.start(*command, STASIS_FAULT=f"{at}=stop")
    harness.wait_for(lambda: harness.is_stopped(process.pid), f"{command[0]} to come to {at}")
    return process


def go_on(process):
    """Let it; its exit status and what it said of failures."""
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def refused(t, guest, *options, **env):
    result = t.stasis("domdetach", guest.name, *options, check=False, **env)
    assert result.returncode == 1, result
    return result.stderr


@harness.test("a boot-sector guest keeps its memory, whatever is done to either file then")
def boot_sector(t):
    guest, image, last = mapped_guest(t)
    with open(image, "r+b") as old:
        before = image.stat()
        t.stasis("domdetach", guest.name)
        assert free(t, guest, old)
        now = image.stat()
        assert now.st_ino != before.st_ino and os.fstat(old.fileno()).st_nlink == 0
        assert (now.st_mode, now.st_uid, now.st_size) == (before.st_mode, before.st_uid, before.st_size)
        assert memory_use(t, guest)[0] >= guest.memory_mib << 20
        t.stasis("image", "verify", image)
        spoil(old)
        last = goes_on(guest, last, 10)
    image.write_bytes(b"")
    last = goes_on(guest, last)
    image.unlink()
    last = save(t, guest, image)
    restore(t, image)
    goes_on(guest, last)
    assert guest.damaged_pages() == 0


def acl_entry(tag, permissions, who=0xffffffff):
    return struct.pack("<HHI", tag, permissions, who)


# The owner rw, user 65534 r, the group nothing, the mask r, others nothing.
ACL = struct.pack("<I", 2) + b"".join((acl_entry(1, 6), acl_entry(2, 4, 65534), acl_entry(4, 0), acl_entry(16, 4),
                                       acl_entry(32, 0)))


def attributes(path):
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


@harness.test("the copy has the attributes, the ACL and the times of the image, and none that its folder gives")
def same_attributes(t):
    try:
        os.setxattr(t.dir, "user.stasis.note", b"")
        os.setxattr(t.dir, "system.posix_acl_default", ACL)
    except OSError as reason:
        raise harness.Skip(f"no attributes here: {reason}") from reason
    guest, image, last = mapped_guest(t)
    wait_verified(t, guest)  # nobody reads it any more
    os.setxattr(image, "user.stasis.note", b"kept\0octets")
    with contextlib.suppress(OSError):
        os.removexattr(image, "system.posix_acl_access")
    image.chmod(0o640)
    os.utime(image, ns=(1_000_000_007, 2_000_000_011))
    before = image.stat()
    t.stasis("domdetach", guest.name)
    assert attributes(image) == {"user.stasis.note": b"kept\0octets"}, attributes(image)
    now = image.stat()
    assert now.st_ino != before.st_ino
    assert (now.st_mode, now.st_uid, now.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert (now.st_mtime_ns, now.st_atime_ns) == (2_000_000_011, 1_000_000_007), now
    goes_on(guest, last)
    t.stasis("destroy", guest.name)
    guest.serial.unlink()

    os.removexattr(t.dir, "system.posix_acl_default")
    os.setxattr(image, "system.posix_acl_access", ACL)
    restore(t, image, "--force")
    inode = image.stat().st_ino
    t.stasis("domdetach", guest.name)
    assert image.stat().st_ino != inode and image.stat().st_mode & 0o777 == 0o640
    assert attributes(image) == {"user.stasis.note": b"kept\0octets", "system.posix_acl_access": ACL}, attributes(image)


@harness.test("a Linux guest that writes all the time loses nothing of it")
def writing(t):
    guest, image, _ = mapped_linux(t)
    guest.agent("dirty 20000")
    with open(image, "r+b") as old:
        t.stasis("domdetach", guest.name)
        assert free(t, guest, old)
        spoil(old)
    guest.agent("dirty 0")
    told = guest.agent("check")  # an error where a page is not as it was last written
    assert told.startswith("0 bad of ") and int(told.split()[-2]) > 0, told


@harness.test("the memory sum is the same after the file that it came from was overwritten")
def same_sum(t):
    guest, image, total = mapped_linux(t)
    with open(image, "r+b") as old:
        stats = json.loads(t.stasis("domdetach", guest.name, "--json").stdout)
        assert free(t, guest, old)
        spoil(old)
        assert guest.agent("sum") == total, "the guest's memory has changed"
    assert stats["state"] == "completed" and stats["operation"] == "detach", stats
    assert stats["bytes_total"] >= guest.memory_mib << 20, stats
    other = t.dir / "b.stasis"
    guest.close()
    last = save(t, guest, other)
    t.stasis("restore", other)
    goes_on(guest, last)
    guest.wait_for_agent()
    assert guest.agent("sum") == total, "saved and restored afterwards it has changed"


@harness.test("a paused guest is detached, and stays paused")
def paused(t):
    guest, image, last = mapped_guest(t)
    t.stasis("suspend", guest.name)
    with open(image, "r+b") as old:
        t.stasis("domdetach", guest.name)
        assert free(t, guest, old)
        spoil(old)
    assert t.domstate(guest, "--reason") == "paused (user)"
    t.stasis("resume", guest.name)
    goes_on(guest, last)
    assert guest.damaged_pages() == 0


@harness.test("an image that was removed or replaced is let go without a copy")
def removed(t):
    for how in ("unlink", "replace"):
        guest, image, last = mapped_guest(t)
        with open(image, "r+b") as old:
            other = t.dir / "other"
            other.write_bytes(b"something else")
            image.unlink() if how == "unlink" else other.rename(image)
            t.stasis("domdetach", guest.name)
            assert free(t, guest, old)
            spoil(old)
        assert not image.exists() if how == "unlink" else image.read_bytes() == b"something else"
        goes_on(guest, last)
        assert guest.damaged_pages() == 0
        t.stasis("destroy", guest.name)
        image.unlink(missing_ok=True)
        guest.serial.unlink()


@harness.test("an image with further names is kept: each is a way to cut it off")
def names(t):
    guest, image, last = mapped_guest(t)
    link = t.dir / "link"
    os.link(image, link)
    assert "further names" in refused(t, guest)
    assert write_locked(image) and image_lines(t, guest) != []
    moved = t.dir / "moved"
    image.rename(moved)
    assert "further names" in refused(t, guest)
    moved.rename(image)
    link.unlink()
    # While it is at it: then it is too late for a word before the work, and the place is taken.
    process = stopped(t, "domdetach", guest.name, at="detach-pull")
    moved.write_bytes(b"something else")
    moved.rename(image)
    status, errors = go_on(process)
    assert status == 1 and "replaced meanwhile" in errors, errors
    assert image.read_bytes() == b"something else" and image_lines(t, guest) != []
    t.stasis("domdetach", guest.name)
    assert image_lines(t, guest) == []
    goes_on(guest, last)


@harness.test("an image that was renamed since is renewed under its new name")
def renamed(t):
    need_mapping()
    folder, other = t.dir / "folder", t.dir / "other"
    for how in ("name", "place", "folder"):
        guest, image, last = saved_guest(t)
        folder.mkdir()
        other.mkdir()
        image = image.rename(folder / "a.stasis")
        restore(t, image)
        now = {"name": folder / "b.stasis", "place": other / "a.stasis", "folder": t.dir / "new" / "a.stasis"}[how]
        image.rename(now) if how != "folder" else folder.rename(now.parent)
        content, before = now.read_bytes(), now.stat()
        with open(now, "r+b") as old:
            t.stasis("domdetach", guest.name)
            assert free(t, guest, old)
            after = now.stat()
            assert after.st_ino != before.st_ino and os.fstat(old.fileno()).st_nlink == 0, how
            assert (after.st_mode, after.st_uid, after.st_size) == (before.st_mode, before.st_uid, before.st_size)
            spoil(old)
        assert now.read_bytes() == content and not image.exists(), how
        assert list(now.parent.iterdir()) == [now], how
        goes_on(guest, last)
        assert guest.damaged_pages() == 0
        t.stasis("destroy", guest.name)
        guest.serial.unlink()
        for path in (folder, other, t.dir / "new"):
            shutil.rmtree(path, ignore_errors=True)


@harness.test("an image that was moved to where nobody can find it is kept")
def out_of_sight(t):
    if os.geteuid() != 0:
        raise harness.Skip("only root can mount")
    guest, image, last = mapped_guest(t)
    moved = t.dir / "elsewhere" / "a.stasis"
    moved.parent.mkdir()
    image.rename(moved)
    with harness.mounted("-t", "tmpfs", "tmpfs", at=moved.parent):
        assert "moved away" in refused(t, guest)
        assert image_lines(t, guest) != []
    t.stasis("domdetach", guest.name)
    assert image_lines(t, guest) == [] and moved.exists()
    goes_on(guest, last)


@harness.test("aborted, it goes on with its image, and can be detached later")
def aborted(t):
    guest, image, last = mapped_guest(t)
    with open(image, "r+b") as old:
        process = stopped(t, "domdetach", guest.name, at="detach-pull")
        info = t.stasis("domjobinfo", guest.name).stdout
        assert "Detach" in info and "pull" in info, info
        assert "is busy: detach by process" in refused(t, guest)
        t.stasis("domjobabort", guest.name)
        status, errors = go_on(process)
        assert status == 1 and "uses the image as before" in errors, errors
        assert write_locked(image) and image_lines(t, guest) == [f"Memory image:   {image}"]
        assert "None" in t.stasis("domjobinfo", guest.name).stdout

        process = stopped(t, "domdetach", guest.name, at="detach-pull")
        process.send_signal(signal.SIGINT)
        status, errors = go_on(process)
        assert status == 1 and "uses the image as before" in errors, errors
        assert "Cancelled" in t.stasis("domjobinfo", guest.name, "--completed").stdout

        last = goes_on(guest, last)
        t.stasis("domdetach", guest.name)
        assert free(t, guest, old)
        spoil(old)
    goes_on(guest, last)
    assert guest.damaged_pages() == 0


@harness.test("killed at any step it leaves a running guest, and the next one finishes")
def killed(t):
    guest, image, last = mapped_guest(t)
    content = image.read_bytes()
    with open(image, "r+b") as old:
        for point, is_named, is_locked in (("detach-pull", True, True), ("detach-copied", True, True),
                                           ("detach-proven", True, True), ("detach-renamed", False, True),
                                           ("detach-unlocked", False, False)):
            t.stasis("domdetach", guest.name, check=False, STASIS_FAULT=f"{point}=kill")
            assert t.domstate(guest) == "running"
            last = goes_on(guest, last)
            assert write_locked(f"/proc/self/fd/{old.fileno()}") == is_locked, point
            assert image_lines(t, guest) == [f"Memory image:   {image}"
                                             + ("" if is_named else " (replaced or removed since)")], point
            assert sorted(path.name for path in t.dir.glob("*.stasis*")) == [image.name], point
            assert "None" in t.stasis("domjobinfo", guest.name).stdout
        t.stasis("domdetach", guest.name)
        assert free(t, guest, old)
        spoil(old)
    assert image.read_bytes() == content
    goes_on(guest, last)
    assert guest.damaged_pages() == 0


@harness.test("a step that fails leaves the image in use")
def failed(t):
    guest, image, last = mapped_guest(t)
    for point in ("detach-pull", "detach-copied", "detach-proven"):
        assert "fault asked for" in refused(t, guest, STASIS_FAULT=f"{point}=fail")
        assert write_locked(image) and image_lines(t, guest) == [f"Memory image:   {image}"]
    goes_on(guest, last)
    t.stasis("domdetach", guest.name)


@harness.test("who has no image to be detached from is told so")
def nothing(t):
    guest, _, _ = saved_guest(t)
    image = t.dir / "a.stasis"
    t.stasis("restore", image, "--load", "parallel")
    assert "uses no save image" in refused(t, guest)
    if can_map():
        t.stasis("destroy", guest.name)
        restore(t, image)
        t.stasis("domdetach", guest.name)
        assert "uses no save image" in refused(t, guest)


@harness.test("the guest can be paused, reset and ended meanwhile")
def meanwhile(t):
    guest, image, _ = mapped_guest(t)
    process = stopped(t, "domdetach", guest.name, at="detach-pull")
    t.stasis("suspend", guest.name)
    assert t.domstate(guest, "--reason") == "paused (user)"
    t.stasis("resume", guest.name)
    assert t.domstate(guest, "--reason") == "running (unpaused)", t.domstate(guest, "--reason")
    before = guest.boots()
    t.stasis("reset", guest.name)
    harness.wait_for(lambda: guest.boots() > before, "the guest to begin anew")
    assert go_on(process) == (0, ""), "detach failed"
    guest.wait_for_tick(3)
    t.stasis("destroy", guest.name)

    restore(t, image, "--force")
    process = stopped(t, "domdetach", guest.name, at="detach-pull")
    t.stasis("destroy", guest.name)
    status, errors = go_on(process)
    assert status == 1 and "has ended meanwhile" in errors, errors
    assert not write_locked(image)
    assert list((t.state / "lib" / "last-job").glob("*")) == [], "left behind for a domain that has gone"


@harness.test("a save goes first")
def save_first(t):
    guest, image, _ = mapped_guest(t)
    detach = stopped(t, "domdetach", guest.name, at="detach-pull")
    other = t.dir / "b.stasis"
    saving = stopped(t, "save", guest.name, other, at="save-journal")
    status, errors = go_on(detach)
    assert status == 1 and "is busy: save by process" in errors, errors
    assert memory_use(t, guest)[0] < guest.memory_mib << 19, "it has not let the save go first at once"
    assert go_on(saving)[0] == 0
    restore(t, other)
    goes_on(guest, guest.last_tick())
    assert guest.damaged_pages() == 0 and not write_locked(image)


@harness.test("a save that is begun while a detach goes on is seen as the job")
def save_seen(t):
    guest, _, _ = mapped_guest(t)
    detach = stopped(t, "domdetach", guest.name, at="detach-pull")
    saving = t.start("save", guest.name, t.dir / "b.stasis", STASIS_FAULT="save-paused=stop")
    harness.wait_for(lambda: t.status(guest).get("job", {}).get("operation") == "save", "the save's journal")
    assert go_on(detach)[0] == 1
    harness.wait_for(lambda: harness.is_stopped(saving.pid), "the save to come to its pause")
    info = json.loads(t.stasis("domjobinfo", guest.name, "--json").stdout)
    assert (info["operation"], info["owner_pid"], info["phase"]) == ("save", saving.pid, "pause"), info
    assert t.domstate(guest, "--reason") == "paused (saving)", t.domstate(guest, "--reason")
    assert go_on(saving)[0] == 0


@harness.test("where memory is short it is refused with the figures, unless forced")
def short(t):
    guest, image, last = mapped_guest(t)
    if os.geteuid() != 0:
        raise harness.Skip("only root can mount over /proc/meminfo")
    told = t.dir / "meminfo"
    told.write_text("MemTotal: 1000000 kB\nMemAvailable: 70000 kB\n")

    def run(*options):
        script = f"mount --bind {told} /proc/meminfo && exec {harness.STASIS} domdetach {guest.name} {' '.join(options)}"
        return subprocess.run(["unshare", "--mount", "sh", "-c", script], env=t.environment(), capture_output=True,
                              text=True, check=False, timeout=120)
    result = run()
    if "permission denied" in result.stderr.lower():
        raise harness.Skip(f"cannot mount here: {result.stderr.strip()}")
    assert result.returncode == 1 and "have 4 MiB" in result.stderr and "--force" in result.stderr, result
    needed = re.search(r"needs (\d+) MiB", result.stderr)  # the guest has written some already
    assert needed and 48 <= int(needed[1]) <= 64, result
    assert write_locked(image) and memory_use(t, guest)[0] < 40 << 20
    assert run("--force").returncode == 0
    assert image_lines(t, guest) == []
    goes_on(guest, last)


@harness.test("who may not look into QEMU is told so, and nothing is changed")
def not_allowed(t):
    guest, image, last = mapped_guest(t)
    if os.geteuid() != 0:
        raise harness.Skip("only root's QEMU is another user")
    command = ["setpriv", "--inh-caps=-sys_ptrace", "--bounding-set=-sys_ptrace", harness.STASIS, "domdetach",
               guest.name]
    result = subprocess.run(command, env=t.environment(), capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 1 and "ptrace" in result.stderr, result
    assert write_locked(image) and image_lines(t, guest) == [f"Memory image:   {image}"]
    goes_on(guest, last)


@harness.test("a copy that fails keeps the image in use")
def no_copy(t):
    guest, image, last = mapped_guest(t)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (256 << 10, 256 << 10))
    # Python ignores SIGXFSZ, and hands that on: writing fails.
    result = subprocess.run([harness.STASIS, "domdetach", guest.name], env=t.environment(), capture_output=True,
                            text=True, check=False, timeout=120, preexec_fn=limit, restore_signals=False)
    assert result.returncode == 1 and "could not be copied" in result.stderr, result
    assert write_locked(image) and image_lines(t, guest) == [f"Memory image:   {image}"]
    assert sorted(path.name for path in t.dir.glob("*.stasis*")) == [image.name]
    goes_on(guest, last)
    t.stasis("domdetach", guest.name)
    assert image_lines(t, guest) == []


@harness.test("a check of the image that goes on is waited for, and can be aborted")
def awaits_check(t):
    need_mapping()
    guest, image, last = saved_guest(t)
    t.stasis("restore", image, "--load", "instant", STASIS_FAULT="verify=stop")
    verifier, = harness.wait_for(lambda: verifiers(t), "the check to begin")
    harness.wait_for(lambda: harness.is_stopped(verifier), "the check to stop")
    process = t.start("domdetach", guest.name)
    harness.wait_for(lambda: "to be verified" in t.stasis("domjobinfo", guest.name).stdout, "the detach to wait")
    t.stasis("domjobabort", guest.name)
    assert process.wait(timeout=60) == 1
    process.communicate()
    assert write_locked(image) and image_lines(t, guest) != []
    process = t.start("domdetach", guest.name)
    harness.wait_for(lambda: "to be verified" in t.stasis("domjobinfo", guest.name).stdout, "the detach to wait")
    os.kill(verifier, signal.SIGCONT)
    assert process.communicate(timeout=60)[1] == "" and process.returncode == 0
    assert image_lines(t, guest) == [] and "verified" not in t.stasis("dominfo", guest.name).stdout
    goes_on(guest, last)


@harness.test("a guest on a damaged image is detached once somebody has resumed it all the same")
def damaged(t):
    need_mapping()
    guest, image, _ = saved_guest(t)
    damage(t, image)
    restore(t, image)
    assert wait_verified(t, guest)[0] == "DAMAGED"
    errors = refused(t, guest)
    assert "comes from a damaged image" in errors, errors
    assert write_locked(image) and image_lines(t, guest) != []
    t.stasis("resume", guest.name)
    t.stasis("domdetach", guest.name)
    assert image_lines(t, guest) == []
    assert t.stasis("image", "verify", image, check=False).returncode == 1, "the copy has no damage"


@harness.test("statistics and progress are of octets")
def progress(t):
    guest, _, _ = mapped_guest(t)
    pid = pathlib.Path(f"/proc/{t.status(guest)['qemu']['pid']}")
    done = t.stasis("domdetach", guest.name, "--json", "--verbose")
    last = json.loads(done.stdout)
    assert last["bytes_processed"] == last["bytes_total"] and last["bytes_remaining"] == 0, last
    steps = [json.loads(line) for line in done.stderr.splitlines()]
    assert {step["phase"] for step in steps} >= {"pull", "copy", "commit"}, steps
    assert pid.exists()


harness.main()
