#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What must be refused, is: with the reason, and nothing lost."""

import contextlib
import os
import random
import shutil
import socket
import subprocess

import harness


def running_guest(t, **options):
    guest = t.boot_sector_guest(**options)
    t.stasis("create", guest.xml_file())
    guest.wait_for_tick(2)
    return guest


def saved_guest(t, **options):
    guest = running_guest(t, **options)
    image = t.dir / "image.stasis"
    t.stasis("save", guest.name, image)
    return guest, image


def refused(t, *arguments, says, **env):
    """The command fails with a message that holds each word of `says`."""
    result = t.stasis(*arguments, check=False, **env)
    assert result.returncode == 1, f"{arguments} was not refused: {result.stdout}"
    assert result.stderr.startswith("error: "), result.stderr
    for word in [says] if isinstance(says, str) else says:
        assert word in result.stderr, f"'{word}' is not in: {result.stderr}"
    return result


def still_runs(guest):
    guest.wait_for_tick(guest.last_tick() + 2)
    assert guest.damaged_pages() == 0


def no_qemu(t):
    harness.wait_for(lambda: not [c for c in t.processes().values() if "qemu-system" in c], "QEMU to end")


# Disks.

@harness.test("a disk that changed between save and restore is refused, --force overrides", once=True)
def disk_changed(t):
    guest, image = saved_guest(t, read_only=False)
    with open(guest.disk, "r+b") as disk:
        disk.seek(4096)
        disk.write(b"somebody else was here")
    refused(t, "restore", image, says=["vda", str(guest.disk), "changed", "--force"])
    no_qemu(t)
    t.stasis("restore", image, "--force")
    still_runs(guest)


@harness.test("a second restore of an image with a writable disk is refused, --force overrides", once=True)
def second_restore(t):
    guest, image = saved_guest(t, read_only=False)
    t.stasis("restore", image)
    still_runs(guest)
    t.stasis("destroy", guest.name)
    refused(t, "restore", image, says=["already resumed", "--force"])
    copy = t.dir / "copy.stasis"
    shutil.copy(image, copy)
    refused(t, "restore", copy, says="already resumed")
    for way in ("fail", "kill"):
        refused_late = t.stasis("restore", image, "--force", check=False, STASIS_FAULT=f"restore-marked={way}")
        assert refused_late.returncode != 0
        no_qemu(t)
        refused(t, "restore", image, says="already resumed")
    t.stasis("restore", image, "--force")


@harness.test("an image without writable disks can be restored again and again", once=True)
def read_only_disks(t):
    guest, image = saved_guest(t, read_only=True)
    for _ in range(2):
        t.stasis("restore", image)
        still_runs(guest)
        t.stasis("destroy", guest.name)


@harness.test("a disk that is missing, or in use by another QEMU, is refused at restore")
def disk_missing(t):
    guest, image = saved_guest(t, read_only=False)
    moved = t.dir / "moved.img"
    os.rename(guest.disk, moved)
    refused(t, "restore", image, says=["vda", str(guest.disk)])
    os.rename(moved, guest.disk)
    other = subprocess.Popen([harness.QEMU, "-display", "none", "-nodefaults", "-S", "-machine", "q35",
                              "-drive", f"file={guest.disk},format=raw,if=virtio"], stdin=subprocess.DEVNULL)
    try:
        harness.wait_for(lambda: t.stasis("restore", image, check=False).returncode == 1, "the lock", 20)
        refused(t, "restore", image, says=["vda", "another process is using it"])
    finally:
        other.kill()
        other.wait()


# Targets.

@harness.test("disk full: the guest goes on, nothing is left, the space is free again")
def disk_full(t):
    guest = running_guest(t)
    with harness.mounted("-t", "tmpfs", "-o", "size=1m", "none", at=t.dir / "small") as small:
        for _ in range(2):
            refused(t, "save", guest.name, small / "image.stasis", says="No space left")
            still_runs(guest)
            assert list(small.iterdir()) == []
            used = os.statvfs(small)
            assert used.f_bfree == used.f_blocks, "QEMU still holds the deleted file"
    t.stasis("save", guest.name, t.dir / "image.stasis")


@harness.test("an I/O error: the guest goes on, nothing is left")
def io_error(t):
    guest = running_guest(t, pages=4096)
    # A loop device whose file lies in a full tmpfs answers writes with EIO.
    with harness.mounted("-t", "tmpfs", "-o", "size=8m", "none", at=t.dir / "backing") as backing:
        with open(backing / "fs", "wb") as file:
            file.truncate(256 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-E", "nodiscard,lazy_itable_init=1", "-O", "^has_journal",
                        backing / "fs"], check=True)
        with harness.mounted("-o", "loop", backing / "fs", at=t.dir / "bad") as bad:
            fill = os.open(backing / "fill", os.O_WRONLY | os.O_CREAT)
            with contextlib.suppress(OSError):
                while os.write(fill, bytes(65536)):
                    pass
            os.close(fill)
            refused(t, "save", guest.name, bad / "image.stasis", says="error:")
            still_runs(guest)
            assert not (bad / "image.stasis").exists()
    t.stasis("save", guest.name, t.dir / "image.stasis")


@harness.test("a guest that somebody has QEMU migrate is not saved, and the migration goes on")
def migrating(t):
    guest = running_guest(t)
    with socket.create_server(("127.0.0.1", 0)) as server:
        t.qmp(guest, "monitor.sock",
              {"execute": "migrate-set-parameters", "arguments": {"max-bandwidth": 1}},
              {"execute": "migrate", "arguments": {"uri": f"tcp:127.0.0.1:{server.getsockname()[1]}"}})
        for more in ([], ["--still"], ["--live"]):
            refused(t, "save", guest.name, t.dir / "image.stasis", *more, says="is migrating domain")
        assert t.qmp_command(guest, "query-migrate")["status"] in ("setup", "active")
        assert not (t.dir / "image.stasis").exists()
        t.qmp(guest, "monitor.sock", "migrate_cancel")
    harness.wait_for(lambda: t.qmp_command(guest, "query-migrate")["status"] in ("cancelled", "failed"), "its end")
    t.stasis("save", guest.name, t.dir / "image.stasis")


@harness.test("a read-only folder, a missing folder, a folder, a pipe, a device, another file", once=True)
def bad_targets(t):
    guest = running_guest(t)
    with harness.mounted("-t", "tmpfs", "-o", "ro,size=16m", "none", at=t.dir / "ro") as read_only:
        refused(t, "save", guest.name, read_only / "image.stasis", says=[str(read_only), "Read-only"])
    missing = t.dir / "missing" / "image.stasis"
    refused(t, "save", guest.name, missing, says=[str(missing.parent), "No such file"])
    refused(t, "save", guest.name, t.dir, says=[str(t.dir), "folder"])
    os.mkfifo(t.dir / "pipe")
    refused(t, "save", guest.name, t.dir / "pipe", "--format", "stasis", says=["pipe", "stasis-stream"])
    refused(t, "save", guest.name, "/dev/null", says=["/dev/null", "regular file"])
    photo = t.dir / "photo.jpg"
    photo.write_bytes(b"\xff\xd8" * 3000)
    refused(t, "save", guest.name, photo, says=["photo.jpg", "no save image"])
    assert photo.read_bytes() == b"\xff\xd8" * 3000
    (t.dir / "nowhere").symlink_to(t.dir / "gone")
    refused(t, "save", guest.name, t.dir / "nowhere", says="symbolic link")
    still_runs(guest)


@harness.test("a symbolic link to an image is followed, not replaced", once=True)
def linked_target(t):
    guest, image = saved_guest(t)
    link = t.dir / "link.stasis"
    link.symlink_to(image)
    t.stasis("restore", image)
    t.stasis("save", guest.name, link)
    assert link.is_symlink()
    t.stasis("restore", link)


@harness.test("links of another user lead neither a domain's output nor an image to root's files", once=True)
def others_links(t):
    if os.geteuid() != 0:
        raise harness.Skip("only root can make links that belong to others")
    guest = running_guest(t)
    precious, link = t.dir / "precious", t.dir / "others"
    precious.mkdir()
    link.symlink_to(precious)
    os.chown(link, 12345, 12345, follow_symlinks=False)
    (precious / "log").write_text("precious")
    refused(t, "save", guest.name, link / "image.stasis", says=[str(link), "12345"])
    still_runs(guest)
    t.stasis("destroy", guest.name)

    channel = "<channel type='{}'><source {}/><target type='virtio' name='a'/></channel>"
    os.link(precious / "log", t.dir / "second")
    for kind, source, says in (("file", f"path='{link}/log'", [str(link), "12345"]),
                               ("file", f"path='{link}/new'", [str(link), "12345"]),
                               ("file", f"path='{t.dir}/second'", "2 names"),
                               ("unix", f"mode='bind' path='{link}/socket'", [str(link), "12345"])):
        refused(t, "create", guest.xml_file(extra=channel.format(kind, source)), says=says)
    assert [path.name for path in precious.iterdir()] == ["log"]
    assert (precious / "log").read_text() == "precious"
    no_qemu(t)


@harness.test("a FIFO of another user gets no guest", once=True)
def others_fifo(t):
    if os.geteuid() != 0:
        raise harness.Skip("only root can make a FIFO that belongs to others")
    guest = running_guest(t)
    fifo = t.dir / "fifo"
    os.mkfifo(fifo, 0o666)
    os.chown(fifo, 12345, 12345)
    reader = subprocess.Popen(["cat", fifo], stdout=subprocess.DEVNULL)
    try:
        refused(t, "save", guest.name, fifo, says=[str(fifo), "12345", "--fd"])
        still_runs(guest)
    finally:
        reader.kill()
        reader.wait()


# Images.

@harness.test("links of another user lead to no image that is read", once=True)
def others_links_to_images(t):
    if os.geteuid() != 0:
        raise harness.Skip("only root can make links that belong to others")
    guest, image = saved_guest(t)
    link, folder = t.dir / "link.stasis", t.dir / "folder"
    link.symlink_to(image)
    folder.symlink_to(t.dir)
    for path in (link, folder):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    for led, path in ((link, link), (folder, folder / image.name)):
        says = [str(led), "symbolic link", "12345"]
        refused(t, "restore", path, says=says)
        refused(t, "restore", path, "--trust", "--force", says=says)
        refused(t, "image", "info", path, says=says)
        refused(t, "image", "convert", path, t.dir / "converted", says=says)
        refused(t, "save-image-dumpxml", path, says=says)
        verified = t.stasis("image", "verify", path, check=False)
        assert verified.returncode != 0 and "12345" in verified.stderr + verified.stdout, verified
    no_qemu(t)
    for path in (link, folder):
        os.chown(path, 0, 0, follow_symlinks=False)
    t.stasis("image", "verify", link)
    t.stasis("restore", folder / link.name)
    still_runs(guest)


@harness.test("an image that is cut anywhere is never restored", timeout=600)
def cut_image(t):
    _, image = saved_guest(t)
    size = image.stat().st_size
    places = list(range(0, 65536, 1024)) + [random.randrange(65536, size) for _ in range(16)] + [size - 1]
    cut = t.dir / "cut.stasis"
    for place in places:
        # The head alone tells for most places: a sparse copy of it is enough.
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", image, cut], check=True)
        os.truncate(cut, place)
        result = t.stasis("image", "verify", cut, check=False)
        assert result.returncode in (1, 2), f"cut at {place}: {result.returncode} {result.stderr}"
        refused(t, "restore", cut, says="error:")
    no_qemu(t)


@harness.test("random bit flips: each is found by verify, none is restored", timeout=3000)
def flipped_bits(t):
    _, image = saved_guest(t)
    size = image.stat().st_size
    count = 1000 if harness.SOAK else 60
    seed = random.randrange(1 << 32)
    print(f"# seed {seed}")
    place = random.Random(seed)
    stamped = image.stat()
    for number in range(count):
        # Half of them where the octets are, half anywhere: also inside of holes.
        offset = place.randrange(size) if number % 2 else place.choice([place.randrange(min(size, 1 << 20)),
                                                                        place.randrange(size)])
        mask = 1 << place.randrange(8)
        with open(image, "r+b") as file:
            file.seek(offset)
            old = file.read(1)
            file.seek(offset)
            file.write(bytes([old[0] ^ mask]))
        result = t.stasis("image", "verify", image, check=False)
        assert result.returncode == 1, f"bit {mask:#x} at {offset} was not found: {result.stderr}"
        if number % 10 == 0:
            refused(t, "restore", image, says="error:")
            no_qemu(t)
        with open(image, "r+b") as file:
            file.seek(offset)
            file.write(old)
    assert image.stat().st_size == stamped.st_size
    t.stasis("image", "verify", image)
    t.stasis("restore", image)


@harness.test("a hole in place of data is found")
def punched(t):
    _, image = saved_guest(t)
    subprocess.run(["fallocate", "--punch-hole", "--offset", str(1 << 20), "--length", str(64 << 20), image],
                   check=True)
    assert t.stasis("image", "verify", image, check=False).returncode == 1
    refused(t, "restore", image, says="error:")
    no_qemu(t)


@harness.test("files that are no image, of another version, or unfinished are named", once=True)
def other_files(t):
    guest, image = saved_guest(t)
    text = t.dir / "text"
    text.write_text("not an image\n" * 1000)
    refused(t, "restore", text, says=str(text))
    libvirt = t.dir / "libvirt.save"
    libvirt.write_bytes(b"LibvirtQemudSave" + bytes(8192))
    refused(t, "restore", libvirt, says="libvirt")
    refused(t, "restore", t.dir / "missing", says=["missing", "No such file"])
    refused(t, "restore", t.dir, says=str(t.dir))
    t.stasis("restore", image)
    refused(t, "restore", image, says=[guest.name, "already active"])


@harness.test("an image of somebody else needs --trust, its emulator must be allowed", once=True)
def trust(t):
    if os.geteuid() != 0:
        raise harness.Skip("only root can give a file away")
    guest, image = saved_guest(t)
    os.chown(image, 12345, 12345)
    refused(t, "restore", image, says=["12345", "--trust"])
    t.stasis("restore", image, "--trust")
    t.stasis("destroy", guest.name)
    os.chown(image, 0, 0)
    config = t.state / "config" / "stasis.conf"
    config.write_text("[emulators]\ndefault=/nonexistent\nallowed=/usr/lib/qemu-*\n")
    refused(t, "restore", image, says=["stasis.conf", guest.qemu])


@harness.test("a machine that this QEMU lacks is named")
def machine_missing(t):
    guest = t.boot_sector_guest(machine="pc-q35-99.9")
    refused(t, "define", guest.xml_file(), says="pc-q35-99.9")


@harness.test("XML bombs and nonsense are refused at once, with file and line", once=True)
def xml_bombs(t):
    bomb = t.dir / "bomb.xml"
    bomb.write_text('<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
                    + "".join(f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 10}">' for i in range(9))
                    + "]><domain type='qemu'><name>&j;</name></domain>")
    refused(t, "define", bomb, says=str(bomb))
    bomb.write_text("<domain>" + "<a>" * 100000 + "</a>" * 100000 + "</domain>")
    refused(t, "define", bomb, says=str(bomb))
    bomb.write_text("<domain type='qemu'>\n<name>x</name>\n<memory>1</memory>\n<nonsense/>\n</domain>")
    refused(t, "define", bomb, says=[f"{bomb}:4", "nonsense"])


@harness.test("a domain that needs something we lack is refused by name", once=True)
def networks(t):
    guest = t.boot_sector_guest()
    extra = "<interface type='network'><source network='default'/></interface>"
    refused(t, "define", guest.xml_file(extra), says=["default", "bridge"])


@harness.test("an image that others may write needs --trust", once=True)
def writable_by_others(t):
    guest, image = saved_guest(t)
    for mode in (0o620, 0o602):
        image.chmod(mode)
        refused(t, "restore", image, says=[f"{mode:04o}", "--trust"])
    no_qemu(t)
    t.stasis("restore", image, "--trust")
    t.stasis("destroy", guest.name)
    image.chmod(0o644)
    t.stasis("restore", image)


@harness.test("an emulator that stasis.conf does not allow is never started, whoever names it", once=True)
def emulator_not_allowed(t):
    guest, image = saved_guest(t)
    evil, trace = t.dir / "evil", t.dir / "evil-ran"
    evil.write_text(f"#!/bin/sh\ntouch {trace}\nexec {guest.qemu} \"$@\"\n")
    evil.chmod(0o755)
    t.dir.chmod(0o777)  # whoever it would run as, it could tell
    xml = t.dir / "evil.xml"
    own = t.stasis("save-image-dumpxml", image).stdout
    xml.write_text(own.replace(f"<emulator>{guest.qemu}<", f"<emulator>{evil}<"))
    same = t.dir / "same.xml"
    same.write_text(own)
    assert str(evil) in xml.read_text()
    says = ["stasis.conf", str(evil), "allowed"]
    refused(t, "define", xml, says=says)
    refused(t, "create", xml, says=says)
    refused(t, "restore", image, "--xml", xml, says=says)
    refused(t, "save-image-define", image, "--xml", xml, says=says)

    # An image that names it: made where it was allowed.
    config = t.state / "config" / "stasis.conf"
    strict = config.read_text()
    config.write_text(f"[emulators]\ndefault={guest.qemu}\nallowed={guest.qemu};{evil}\n")
    t.stasis("save-image-define", image, "--xml", xml)
    assert trace.exists()
    trace.unlink()
    config.write_text(strict)
    shutil.rmtree(t.state / "cache", ignore_errors=True)
    refused(t, "restore", image, says=says)
    refused(t, "restore", image, "--trust", says=says)
    refused(t, "save-image-define", image, "--xml", same, says=says)
    assert not trace.exists()
    no_qemu(t)


@harness.test("an image keeps its owner and mode when its definition is replaced", once=True)
def define_keeps_owner(t):
    if os.geteuid() != 0:
        raise harness.Skip("only root can give a file away")
    _, image = saved_guest(t)
    xml = t.dir / "same.xml"
    xml.write_text(t.stasis("save-image-dumpxml", image).stdout)
    os.chown(image, 12345, 12346)
    image.chmod(0o640)
    before = image.stat()
    t.stasis("save-image-define", image, "--xml", xml)
    after = image.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_uid, after.st_gid, after.st_mode) == (12345, 12346, before.st_mode), after
    refused(t, "restore", image, says=["12345", "--trust"])
    t.stasis("restore", image, "--trust")


@harness.test("two domains never run as the same user, and without a free one there is no start", once=True)
def users(t):
    if os.geteuid() != 0:
        raise harness.Skip("only root has users to give")
    config = t.state / "config" / "stasis.conf"
    # Three users: two for guests, one for probes.
    config.write_text(config.read_text() + "[security]\nuid-base=2013300000\nuid-count=3\n")
    guests = [t.boot_sector_guest(name=f"guest{i}") for i in range(3)]
    t.stasis("create", guests[0].xml_file())
    for _ in range(2):  # whatever number it gets, it is not the first one's
        t.stasis("create", guests[1].xml_file())
        uids = {os.stat(f"/proc/{pid}").st_uid for pid, c in t.processes().items() if "qemu-system" in c}
        assert uids == {2013300000, 2013300001}, uids
        refused(t, "create", guests[2].xml_file(), says=["in use", "uid-count"])
        t.stasis("destroy", guests[1].name)


harness.main()
