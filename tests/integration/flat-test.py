#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An emulator that cannot map memory from within an image maps a flat file of it."""

import contextlib
import errno
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import harness
from clones import clone, clone_of
from mapped import (booted_guest, booted_linux, can_map, goes_on, image_lines, memory_use, save, wait_verified,
                    write_locked)


def need_flat():
    if can_map():
        raise harness.Skip("this emulator maps memory from within the image itself")


def flat_files(t):
    """All that lies where they are kept, half made ones too."""
    return sorted(path for path in (t.state / "lib" / "flat").glob("*/*") if path.is_file())


def flat_file(t):
    path, = flat_files(t)
    return path


def saved(t):
    need_flat()
    guest = booted_guest(t)
    image = t.dir / "a.stasis"
    return guest, image, save(t, guest, image)


def engine(t, image, *options, **env):
    """Restore it; what is said of the way."""
    return json.loads(t.stasis("restore", image, "--json", *options, **env).stdout)["engine"]


def info(t, guest):
    return json.loads(t.stasis("dominfo", guest.name, "--json").stdout)


def shares(t, guest, path):
    """(resident, proportional) octets that its QEMU has of that file."""
    pid, inode = t.status(guest)["qemu"]["pid"], path.stat().st_ino
    text = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    parts = re.findall(rf"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ {inode} .*\n(?:\w+:.*\n)*?Rss: +(\d+) kB\nPss: +(\d+) kB",
                       text, re.M)
    assert parts, "no mapping of the flat file"
    return [sum(int(part[i]) for part in parts) << 10 for i in (0, 1)]


def end(t, guest):
    """It ends, and what it has printed is forgotten."""
    t.stasis("destroy", guest.name)
    guest.serial.unlink()


def flip(path):
    """One bit of the guest's memory in the file."""
    mode = path.stat().st_mode & 0o7777
    path.chmod(0o600)
    with open(path, "r+b") as file:
        at = os.lseek(file.fileno(), 0, os.SEEK_DATA)
        octet = os.pread(file.fileno(), 1, at)[0]
        os.pwrite(file.fileno(), bytes([octet ^ 1]), at)
    path.chmod(mode)
    return path


def restamp(t, path):
    """The host's stamp says again that the file is as it was."""
    st = path.stat()
    stamp, = t.state.rglob(f"marks/verified/{st.st_dev:x}-{st.st_ino:x}")
    stamp.write_text(f"{st.st_size} {st.st_ctime_ns // 10**9}.{st.st_ctime_ns % 10**9:09}\n")


@harness.test("a first restore loads and says how it could be faster; with --flat the memory is mapped")
def plain_restore(t):
    guest, image, last = saved(t)
    told = engine(t, image)
    assert told.startswith("plain stream") and "'--flat' makes one" in told, told
    assert flat_files(t) == [] and image_lines(t, guest) == []
    last = goes_on(guest, last)
    last = save(t, guest, image)

    assert "made of the image" in engine(t, image, "--flat")
    path = flat_file(t)
    assert path.stat().st_mode & 0o7777 == 0o400 and path.parent.parent.stat().st_mode & 0o7777 == 0o700
    assert path.stat().st_blocks * 512 < path.stat().st_size
    goes_on(guest, last)
    assert guest.damaged_pages() == 0
    assert image_lines(t, guest) == [f"Memory image:   {image}"]
    assert f"Flat file:      {path}" in t.stasis("dominfo", guest.name).stdout.splitlines()
    told = info(t, guest)
    assert (told["memory_image"], told["flat_file"], told["memory_image_in_place"]) == (str(image), str(path), True)
    assert write_locked(path) and not write_locked(image)
    assert wait_verified(t, guest) == ("yes", None)
    end(t, guest)
    harness.wait_for(lambda: not write_locked(path), "the lock to be gone")

    # Whoever comes next uses it without being told to.
    inode = path.stat().st_ino
    assert "flat file" in engine(t, image)
    assert flat_file(t).stat().st_ino == inode
    goes_on(guest, last)
    assert guest.damaged_pages() == 0


@harness.test("an emulator that can map from within an image makes no flat file")
def not_needed(t):
    if not can_map():
        raise harness.Skip("this emulator cannot map memory from within a file")
    guest = booted_guest(t)
    image = t.dir / "a.stasis"
    last = save(t, guest, image)
    told = engine(t, image, "--flat")
    assert told.startswith("instant: ") and "flat" not in told, told
    goes_on(guest, last)
    assert flat_files(t) == []


@harness.test("three clones of one image go on from the same state and share their memory")
def cloned(t):
    need_flat()
    guest, total = booted_linux(t)
    image = t.dir / "a.stasis"
    last = save(t, guest, image)
    all_three = clone(t, guest, image, "c", 3)
    path = flat_file(t)
    before = path.read_bytes()
    for each in all_three:
        goes_on(each, last)
        first = each.ticks()[0]
        assert last < first <= last + 3, (last, first)
        each.wait_for_agent()
        assert each.agent("sum") == total
        assert image_lines(t, each) == [f"Memory image:   {image}"]
        assert info(t, each)["clone_image"] == str(image)
    for each in all_three:
        rss, pss = shares(t, each, path)
        anonymous, _ = memory_use(t, each)
        assert pss < rss * 3 // 4, (rss, pss)
        assert rss + anonymous < 300 << 20
    all_three[0].agent("fill 16 3 mix")
    assert all_three[1].agent("sum") == total and all_three[0].agent("sum") != total
    assert path.read_bytes() == before, "a clone has written to the flat file"
    more = clone(t, guest, image, "c", 1)
    assert flat_file(t).stat().st_ino == path.stat().st_ino
    more[0].wait_for_agent()
    assert more[0].agent("sum") == total


def of_file(t, guest, path):
    """What QEMU has open of the file."""
    found = []
    for fd in pathlib.Path(f"/proc/{t.status(guest)['qemu']['pid']}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(fd.stat(), path.stat()):
                found.append(fd)
    assert len(found) >= 2, "what was inherited, and what QEMU has opened"
    return found


def check_read_only(t, guest, path):
    for fd in of_file(t, guest, path):
        flags = int(re.search(r"flags:\s*(\d+)", (fd.parent.parent / "fdinfo" / fd.name).read_text())[1], 8)
        assert flags & os.O_ACCMODE == os.O_RDONLY, oct(flags)


@harness.test("a QEMU that runs as root itself cannot write to it either")
def as_root(t):
    if os.geteuid() != 0:
        raise harness.Skip("for root only")
    guest, image, last = saved(t)
    with open(t.state / "config" / "stasis.conf", "a", encoding="utf-8") as file:
        file.write("[security]\nuid-count=0\n")
    engine(t, image, "--flat")
    path = flat_file(t)
    goes_on(guest, last)
    assert t.status(guest)["uid"] == 0
    check_read_only(t, guest, path)
    for fd in of_file(t, guest, path):
        try:
            os.close(os.open(fd, os.O_RDWR))
        except OSError as error:
            assert error.errno == errno.EROFS, error
        else:
            raise AssertionError("the file can be opened for writing")


@harness.test("QEMU cannot write to the flat file, and a balloon takes nothing from it")
def read_only(t):
    need_flat()
    guest, total = booted_linux(t, "<memballoon model='none'/>", "<memballoon model='virtio'/>")
    image = t.dir / "a.stasis"
    save(t, guest, image)
    engine(t, image, "--flat")
    path = flat_file(t)
    check_read_only(t, guest, path)
    before = path.read_bytes()
    for size in (208, 256):
        command = {"execute": "balloon", "arguments": {"value": size << 20}}
        t.stasis("qemu-monitor-command", guest.name, json.dumps(command))
        harness.wait_for(lambda size=size: t.qmp_command(guest, "query-balloon")["actual"] == size << 20, "the balloon")
    guest.wait_for_agent()
    assert guest.agent("sum") == total, "the guest's memory has changed"
    assert path.read_bytes() == before, "the balloon has changed the file"


@harness.test("a guest on a flat file is saved, live too, and comes back from that")
def saved_again(t):
    need_flat()
    guest, total = booted_linux(t)
    image = t.dir / "a.stasis"
    save(t, guest, image)
    engine(t, image, "--flat")
    guest.wait_for_agent()
    other, live = t.dir / "b.stasis", t.dir / "c.stasis"
    t.stasis("save", "--live", "--keep-running", "--no-disks", guest.name, live)
    guest.close()
    last = save(t, guest, other)
    engine(t, other)
    goes_on(guest, last)
    guest.wait_for_agent()
    assert guest.agent("sum") == total
    guest.close()
    end(t, guest)
    assert "made of the image" in engine(t, live, "--flat")
    guest.wait_for_agent()
    assert guest.agent("sum") == total
    guest.close()
    end(t, guest)
    assert len(flat_files(t)) == 2
    # The image over which the guest was saved is another now.
    t.stasis("restore", other)
    guest.wait_for_agent()
    result = t.stasis("save", "--incremental", guest.name, t.dir / "d.stasis", check=False)
    assert result.returncode == 1 and "--base" in result.stderr, result.stderr


@harness.test("detached, the guest has memory of its own, and the flat file may go")
def detached(t):
    need_flat()
    guest, total = booted_linux(t)
    image = t.dir / "a.stasis"
    save(t, guest, image)
    engine(t, image, "--flat")
    path = flat_file(t)
    content = image.read_bytes()
    t.stasis("domdetach", guest.name)
    assert not write_locked(path) and image_lines(t, guest) == [] and "flat_file" not in info(t, guest)
    assert image.read_bytes() == content
    flip(path)
    path.unlink()
    guest.wait_for_agent()
    assert guest.agent("sum") == total
    goes_on(guest, guest.last_tick())


@harness.test("an image that was replaced has no flat file; the old one goes when no guest uses it any more")
def replaced(t):
    guest, image, last = saved(t)
    first, = clone(t, guest, image, "c", 1)
    old = flat_file(t)
    t.stasis("restore", image)
    last = goes_on(guest, last)
    last = save(t, guest, image)
    told = engine(t, image)
    assert "there is no flat file" in told, told
    assert flat_files(t) == [old], "swept although a guest uses it"
    goes_on(first, first.last_tick())
    last = goes_on(guest, last)
    assert guest.damaged_pages() == 0 and first.damaged_pages() == 0
    t.stasis("destroy", first.name)
    last = save(t, guest, image)
    engine(t, image, "--flat")
    new = flat_file(t)
    assert new.name != old.name or new.stat().st_ctime_ns > image.stat().st_ctime_ns
    goes_on(guest, last)
    end(t, guest)
    image.unlink()
    other = t.boot_sector_guest("other")
    t.stasis("create", other.xml_file())
    other.wait_for_tick(2)
    save(t, other, t.dir / "b.stasis")
    t.stasis("restore", t.dir / "b.stasis")
    assert flat_files(t) == []


@harness.test("who is killed while it is made leaves nothing, and the next one makes it")
def killed(t):
    guest, image, last = saved(t)
    for point in ("flat-begun", "flat-written"):
        result = t.stasis("restore", image, "--flat", check=False, STASIS_FAULT=f"{point}=kill")
        assert result.returncode == -signal.SIGKILL, result
        assert flat_files(t) == [] and t.stasis("list", "--all", "--name").stdout.split() == []
    # Where a file system knows no unnamed files, a name is left until the next command comes by.
    folder, = (t.state / "lib" / "flat").iterdir()
    left = folder / ".1-2.flat.0000abcd.tmp"
    left.write_bytes(b"half")
    t.stasis("restore", image)
    assert not left.exists()
    goes_on(guest, last)
    end(t, guest)
    for each in clone(t, guest, image, "c", 2):
        goes_on(each, last)
    assert len(flat_files(t)) == 1


@harness.test("two commands that want the same flat file make it once")
def both(t):
    guest, image, last = saved(t)
    first = t.start("restore", image, "--clone", "c", STASIS_FAULT="flat-begun=stop")
    harness.wait_for(lambda: harness.is_stopped(first.pid), "the first to make it")
    second = t.start("restore", image, "--clone", "d")
    third = t.start("restore", image, "--clone", "e")
    time.sleep(1)
    assert second.poll() is None and third.poll() is None, "it did not wait"
    third.send_signal(signal.SIGINT)
    _, errors = third.communicate(timeout=60)
    assert third.returncode != 0 and "cancelled" in errors.lower(), errors
    assert second.poll() is None
    os.kill(first.pid, signal.SIGCONT)
    for process in (first, second):
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    inodes = set()
    for name in ("c", "d"):
        one = clone_of(t, guest, name)
        goes_on(one, last)
        inodes.add(t.status(one)["memory-image"]["inode"])
    assert inodes == {flat_file(t).stat().st_ino}


@contextlib.contextmanager
def small_disk(t, mib):
    """The flat files lie on a disk of that size."""
    (t.state / "lib").mkdir(mode=0o700, exist_ok=True)
    disk = t.dir / "disk"
    with open(disk, "wb") as file:
        file.truncate(mib << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", disk], check=True)
    with harness.mounted("-o", "loop", disk, at=t.state / "lib" / "flat") as folder:
        folder.chmod(0o700)
        yield folder


@harness.test("no room: a restore loads, clones are refused with the reason, nothing is left")
def no_room(t):
    guest, image, last = saved(t)
    with small_disk(t, 8):
        told = engine(t, image, "--flat")
        assert told.startswith("plain stream") and "a flat file of the memory may need" in told, told
        last = goes_on(guest, last)
        last = save(t, guest, image)
        result = t.stasis("restore", image, "--clone", "c", "--count", "3", check=False)
        assert result.returncode == 1 and "cannot be cloned: a flat file" in result.stderr, result.stderr
        assert t.stasis("list", "--all", "--name").stdout.split() == [] and flat_files(t) == []
        t.stasis("restore", image)
        goes_on(guest, last)


@harness.test("a disk that gets full while it is made: a restore loads, nothing is left")
def gets_full(t):
    guest, image, last = saved(t)
    with small_disk(t, 64) as folder:
        for options in (["--flat"], ["--clone", "c"]):
            process = t.start("restore", image, "--json", *options, STASIS_FAULT="flat-begun=stop")
            harness.wait_for(lambda process=process: harness.is_stopped(process.pid), "it to begin")
            with open(folder / "fill", "wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(bytes(4096)):
                    pass
            os.kill(process.pid, signal.SIGCONT)
            output, errors = process.communicate(timeout=60)
            (folder / "fill").unlink()
            assert flat_files(t) == []
            if options == ["--flat"]:
                told = json.loads(output)["engine"]
                assert told.startswith("plain stream") and "No space left" in told, told
                last = goes_on(guest, last)
                last = save(t, guest, image)
            else:
                assert process.returncode == 1 and "No space left" in errors, errors
                assert t.stasis("list", "--all", "--name").stdout.split() == []
        t.stasis("restore", image, "--flat")
        goes_on(guest, last)
        end(t, guest)


@harness.test("a file system in memory gets no flat file: its holes would fill up")
def in_memory(t):
    guest, image, last = saved(t)
    (t.state / "lib").mkdir(mode=0o700, exist_ok=True)
    with harness.mounted("-t", "tmpfs", "-o", "mode=700", "tmpfs", at=t.state / "lib" / "flat"):
        assert "in memory" in engine(t, image, "--flat")
        goes_on(guest, last)
        assert flat_files(t) == []


@harness.test("a flat file that somebody has written to is noticed before the guest runs, and made anew")
def changed(t):
    guest, image, last = saved(t)
    engine(t, image, "--flat")
    goes_on(guest, last)
    end(t, guest)
    path = flip(flat_file(t))
    told = engine(t, image)
    assert told.startswith("plain stream") and "was damaged, and has been removed" in told, told
    assert flat_files(t) == []
    goes_on(guest, last)
    assert guest.damaged_pages() == 0
    end(t, guest)
    engine(t, image, "--flat")
    goes_on(guest, last)
    end(t, guest)
    flip(path)
    assert "made of the image" in engine(t, image, "--flat")
    goes_on(guest, last)
    assert guest.damaged_pages() == 0
    end(t, guest)

    # What QEMU is fed is looked at in any case.
    path.chmod(0o600)
    with open(path, "r+b") as file:
        file.seek(-100000, os.SEEK_END)
        octet = file.read(1)[0]
        file.seek(-100000, os.SEEK_END)
        file.write(bytes([octet ^ 1]))
    path.chmod(0o400)
    told = engine(t, image, "--verify", "none")
    assert told.startswith("plain stream"), told
    goes_on(guest, last)


@harness.test("damage below the file system is found beside the guest, which is paused")
def damaged(t):
    guest, image, last = saved(t)
    engine(t, image, "--flat")
    goes_on(guest, last)
    end(t, guest)
    restamp(t, flip(flat_file(t)))
    assert "in the background" in engine(t, image)
    told, fault = wait_verified(t, guest)
    assert told == "DAMAGED" and "flat file" in fault, (told, fault)
    assert t.domstate(guest, "--reason") == "paused (I/O error)", t.domstate(guest, "--reason")
    result = t.stasis("save", guest.name, t.dir / "b.stasis", check=False)
    assert result.returncode == 1 and "comes from a damaged image" in result.stderr, result.stderr
    end(t, guest)
    told = engine(t, image, "--verify", "full")
    assert told.startswith("plain stream") and "was damaged" in told, told
    assert flat_files(t) == []
    goes_on(guest, last)
    assert guest.damaged_pages() == 0


@harness.test("a damaged image gives no flat file, and no guest")
def damaged_image(t):
    guest, image, _ = saved(t)
    with open(image, "r+b") as file:
        file.seek(image.stat().st_size // 2)
        octet = file.read(1)[0]
        file.seek(image.stat().st_size // 2)
        file.write(bytes([octet ^ 1]))
    for options in (["--flat"], ["--clone", "c"]):
        result = t.stasis("restore", image, *options, check=False)
        assert result.returncode == 1 and "damaged" in result.stderr, result.stderr
        assert flat_files(t) == [] and t.stasis("list", "--all", "--name").stdout.split() == []


@harness.test("--flat and memory that is to be loaded exclude each other; an image of others' has none")
def words(t):
    result = t.stasis("restore", t.dir / "x", "--flat", "--load", "parallel", check=False)
    assert result.returncode != 0 and "not loaded" in result.stderr, result.stderr
    need_flat()
    guest = booted_guest(t)
    image = t.dir / "a.libvirt"
    t.stasis("save", guest.name, image, "--format", "libvirt")
    last = guest.last_tick()
    assert "an image of this kind has no flat file" in engine(t, image, "--flat")
    goes_on(guest, last)
    assert flat_files(t) == []


harness.main()
