#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Is a guest the same, whatever kinds of images it went through?"""

import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import harness

VERIFY = harness.ROOT / "tests" / "verify" / "verify_image.py"
PROGRAMS = {"libvirt-bzip2": "bzip2", "libvirt-xz": "xz", "libvirt-lzop": "lzop"}
OURS = ["stasis", "stasis-stream"]
FILES = ["stasis", "libvirt-sparse"]
KINDS = OURS + [kind for kind in ("libvirt", "libvirt-gzip", "libvirt-bzip2", "libvirt-xz", "libvirt-lzop",
                                  "libvirt-zstd", "libvirt-sparse", "trailer")
                if shutil.which(PROGRAMS.get(kind, "true"))]


def saved(t, **options):
    """A defined guest, and the image that it was saved to."""
    guest = t.boot_sector_guest(**options)
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(3)
    image = t.dir / "first"
    t.stasis("save", guest.name, image)
    return guest, image


def check_image(t, image, kind):
    t.stasis("image", "verify", image)
    info = json.loads(t.stasis("image", "info", image, "--json").stdout)
    assert info["kind"] == kind, info
    if kind in OURS:
        result = subprocess.run([sys.executable, VERIFY, image], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
    return info


def convert(t, *arguments, check=True, **options):
    """Octets on standard input and output."""
    return subprocess.run([harness.STASIS, "image", "convert", *map(str, arguments)], check=check,
                          env=t.command_environment(), capture_output=True, **options)


def goes_on(t, guest, image, last):
    t.stasis("restore", image)
    guest.wait_for_tick(last + 2)
    ticks = guest.ticks()
    assert guest.damaged_pages() == 0
    t.stasis("destroy", guest.name)
    return ticks


COOKIE = b"""<cookie><cpu mode='custom' match='exact' check='full'><model fallback='forbid'>qemu64</model>
<feature policy='require' name='hypervisor'/></cpu><slirpHelper/></cookie>\0"""


def with_cookie(image, new):
    """libvirt's raw image, with a cookie behind its definition."""
    octets = bytearray(image.read_bytes())
    length, state = struct.unpack_from("=I", octets, 20)[0], octets[24:28]
    xml, body = bytes(octets[92:92 + length]).rstrip(b"\0") + b"\0", octets[92 + length:]
    room = -(len(xml) + len(COOKIE)) % 4096
    header = bytearray(octets[:92])
    struct.pack_into("=I", header, 20, len(xml) + len(COOKIE) + room)
    struct.pack_into("=I", header, 32, len(xml))
    assert header[24:28] == state
    new.write_bytes(bytes(header) + xml + COOKIE + bytes(room) + body)


@harness.test("libvirt's cookie says what the CPU was, also after the image became one of ours", once=True)
def cookie(t):
    guest, first = saved(t)
    last, plain, whole, ours = guest.last_tick(), t.dir / "plain", t.dir / "whole", t.dir / "ours"
    t.stasis("image", "convert", "-O", "libvirt", first, plain)
    with_cookie(plain, whole)
    t.stasis("image", "convert", "-O", "stasis", whole, ours)
    for image in (whole, ours):
        guest.serial.unlink(missing_ok=True)
        t.stasis("restore", image)
        guest.wait_for_tick(last + 2)
        domain = ElementTree.fromstring(t.stasis("dumpxml", guest.name).stdout)
        assert domain.find("cpu/feature").attrib == {"policy": "require", "name": "hypervisor"}, image
        t.stasis("destroy", guest.name)


@harness.test("through every kind and back: the guest goes on, its memory intact", timeout=900)
def every_kind(t):
    guest, first = saved(t)
    last = guest.last_tick()
    for kind in KINDS:
        there, back = t.dir / "there", t.dir / "back"
        t.stasis("image", "convert", "-O", kind, first, there)
        info = check_image(t, there, kind)
        assert info["domain-name"] == (None if kind == "trailer" else guest.name), info
        t.stasis("image", "convert", "-f", kind, there, back)
        info = check_image(t, back, "stasis")
        assert info["origin"]["kind"] == kind and info["origin"]["program"].startswith("stasis "), info
        guest.serial.unlink(missing_ok=True)
        goes_on(t, guest, back, last)


@harness.test("a Linux guest has the same memory afterwards", timeout=900)
def linux(t):
    guest = t.linux_guest()
    t.stasis("define", guest.xml_file())
    t.stasis("start", guest.name)
    guest.wait_for_tick(1, timeout=120)
    guest.wait_for_agent()
    guest.agent("fill 32 7 mix")
    total = guest.agent("sum")
    guest.close()
    image, there = t.dir / "image", t.dir / "there"
    for kind in "stasis-stream", "libvirt-zstd", "libvirt-sparse", "trailer":
        image.unlink(missing_ok=True)
        t.stasis("save", guest.name, image)
        t.stasis("image", "convert", "-O", kind, image, there)
        t.stasis("image", "convert", there, image)
        t.stasis("restore", image)
        there.unlink()
        guest.wait_for_agent()
        assert guest.agent("sum") == total, kind
        assert guest.agent("check").startswith("0 bad of 8192 pages"), kind
        guest.close()


@harness.test("among all kinds: the same stream comes out in the end", timeout=900)
def all_pairs(t):
    _guest, first = saved(t)
    images = {kind: t.dir / f"from-{kind}" for kind in KINDS}
    for kind, image in images.items():
        t.stasis("image", "convert", "-O", kind, first, image)
    expected = images["trailer"].read_bytes()
    for source in KINDS:
        for dest in KINDS:
            there, last = t.dir / "there", t.dir / "last"
            there.unlink(missing_ok=True)
            last.unlink(missing_ok=True)
            t.stasis("image", "convert", "-O", dest, images[source], there)
            t.stasis("image", "convert", "-O", "trailer", there, last)
            assert last.read_bytes() == expected, (source, dest)
        assert not list(t.dir.glob(".*.tmp"))


@harness.test("pipes at both ends, wherever the formats allow it", timeout=900, once=True)
def pipes(t):
    _guest, first = saved(t)
    for source in KINDS:
        image = t.dir / source
        t.stasis("image", "convert", "-O", source, first, image)
        done = convert(t, "-", "-", input=image.read_bytes(), check=False)
        if source in FILES or source == "trailer":
            assert done.returncode == 1 and not done.stdout and b"pipe" in done.stderr, (source, done)
            continue
        piped = t.dir / "piped"
        piped.write_bytes(done.stdout)
        check_image(t, piped, "stasis-stream")
        for verb in "verify", "info":
            with open(image, "rb") as file, subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE) as cat:
                subprocess.run([harness.STASIS, "image", verb, "-"], stdin=cat.stdout, check=True,
                               env=t.command_environment(), stdout=subprocess.DEVNULL)
        for dest in KINDS:
            done = convert(t, "-O", dest, "-", "-", input=image.read_bytes(), check=False)
            if dest in FILES:
                assert done.returncode == 1 and b"needs a file" in done.stderr, (source, dest, done)
                continue
            assert done.returncode == 0, (source, dest, done)
            piped.write_bytes(done.stdout)
            check_image(t, piped, dest)
    out = t.dir / "out"
    with open(out, "wb") as dest:
        subprocess.run([harness.STASIS, "image", "convert", first, "-"], env=t.command_environment(), stdout=dest, check=True)
    check_image(t, out, "stasis-stream")
    with open(out, "ab") as dest:
        done = subprocess.run([harness.STASIS, "image", "convert", first, "-"], env=t.command_environment(), stdout=dest,
                              stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1 and b"not empty" in done.stderr, done
    check_image(t, out, "stasis-stream")
    with open(first, "rb") as source, open(out, "w+b") as dest:
        t_fds = [source.fileno(), dest.fileno()]
        convert(t, "-O", "stasis", "--in-fd", t_fds[0], "--out-fd", t_fds[1], pass_fds=t_fds)
    check_image(t, out, "stasis")


@harness.test("the image keeps its UUID, its time and libvirt's cookie; what is lost is said", once=True)
def kept(t):
    guest, first = saved(t)
    stream, back = t.dir / "stream", t.dir / "back"
    t.stasis("image", "convert", "--compress", "zstd:5", first, stream)
    t.stasis("image", "convert", stream, back)
    old, new = (json.loads(t.stasis("image", "info", image, "--json").stdout) for image in (first, back))
    for info in old, new:
        info["qemu"]["capabilities"].sort()
    for member in "uuid", "domain-uuid", "created-ns", "disks", "qemu":
        assert old[member] == new[member], member
    assert new["origin"]["before"]["kind"] == "stasis" and "origin" not in old
    assert stream.stat().st_size < first.stat().st_blocks * 512

    foreign, ours, again = t.dir / "foreign", t.dir / "ours", t.dir / "again"
    lost = t.stasis("image", "convert", "-O", "libvirt", first, foreign).stderr
    assert "checksums" in lost and "disks" in lost and "facts" in lost, lost
    lost = t.stasis("image", "convert", "-O", "trailer", first, t.dir / "old").stderr
    assert "definition" in lost and "running" in lost, lost
    octets = bytearray(foreign.read_bytes())
    cookie = b"<cookie><cpu mode='custom'/></cookie>"
    xml = guest_xml_length(octets)
    octets[xml + 1 + 92:xml + 1 + 92 + len(cookie) + 1] = cookie + b"\0"
    octets[32:36] = (xml + 1).to_bytes(4, "little")
    foreign.write_bytes(octets)
    t.stasis("image", "convert", foreign, ours)
    info = json.loads(t.stasis("image", "info", ours, "--json").stdout)
    assert info["qemu"]["libvirt-cookie"] == cookie.decode() and info["qemu"]["version"] == "", info
    t.stasis("image", "convert", "-O", "libvirt", ours, again)
    new = again.read_bytes()
    assert cookie + b"\0" in new[:new.index(b"QEVM")]
    assert new[new.index(b"QEVM"):] == octets[octets.index(b"QEVM"):]
    assert guest.name in t.stasis("image", "dumpxml", foreign).stdout


def guest_xml_length(octets):
    return octets.index(b"\0", 92) - 92


@harness.test("an image of libvirt gets another definition, as ours does", once=True)
def define(t):
    _guest, first = saved(t)
    for kind in KINDS:
        image = t.dir / kind
        t.stasis("image", "convert", "-O", kind, first, image)
        if kind == "trailer":
            assert "no definition" in t.stasis("image", "dumpxml", image, check=False).stderr
            continue
        xml = t.stasis("image", "dumpxml", image, "--security-info").stdout
        changed = t.dir / "changed.xml"
        changed.write_text(xml.replace("</name>", "</name><title>other</title>"), encoding="utf-8")
        t.stasis("save-image-define", image, changed, "--paused")
        assert "<title>other</title>" in t.stasis("save-image-dumpxml", image).stdout
        check_image(t, image, kind)
        back = t.dir / "back"
        t.stasis("image", "convert", image, back)
        info = json.loads(t.stasis("image", "info", back, "--json").stdout)
        assert info["qemu"]["run-state"] == "paused", kind


@harness.test("an image that was cut anywhere is not converted, and leaves nothing", timeout=900, once=True)
def prefixes(t):
    _guest, first = saved(t)
    out = t.dir / "out"
    for kind in KINDS:
        image = t.dir / kind
        t.stasis("image", "convert", "-O", kind, first, image)
        octets = image.read_bytes()
        size = len(octets)
        cuts = {0, 1, 15, 16, 91, 92, 93, 4095, 4096, size // 2, size - 40, size - 33, size - 32, size - 1}
        cuts |= set(range(size // 12, size, size // 12))
        for cut in sorted(cut for cut in cuts if 0 <= cut < size):
            image.write_bytes(octets[:cut])
            for dest in "stasis", "libvirt":
                done = t.stasis("image", "convert", "-O", dest, image, out, check=False)
                assert done.returncode == 1, (kind, dest, cut, size)
                assert not out.exists(), (kind, dest, cut)
            verdict = t.stasis("image", "verify", image, check=False)
            assert verdict.returncode != 0, (kind, cut, size)
        image.unlink()


@harness.test("damage is found, and what was there before stays", timeout=900, once=True)
def damaged(t):
    _guest, first = saved(t)
    out = t.dir / "out"
    t.stasis("image", "convert", first, out)
    before = out.read_bytes()
    for kind in OURS:
        image = t.dir / kind
        t.stasis("image", "convert", "-O", kind, first, image)
        octets = image.read_bytes()
        pieces = [20, 4096 + 40, len(octets) - 20, len(octets) // 2]
        body = octets.index(b"QEVM")
        pieces += [body, body + 5, body + 200]
        for at in pieces:
            changed = bytearray(octets)
            changed[at] ^= 0x10
            image.write_bytes(changed)
            done = t.stasis("image", "convert", "-O", "stasis-stream", image, out, check=False)
            assert done.returncode == 1 and done.stderr.startswith("error: "), (kind, at)
            assert out.read_bytes() == before
            assert t.stasis("image", "verify", image, check=False).returncode == 1, (kind, at)
        with open(t.dir / "by-fd", "w+b") as dest:
            done = convert(t, "-O", "stasis", image, "--out-fd", dest.fileno(), pass_fds=[dest.fileno()], check=False)
            assert done.returncode == 1 and os.fstat(dest.fileno()).st_size == 0, done


@harness.test("no space, no reader: each is said, and nothing is left", once=True)
def trouble(t):
    _guest, first = saved(t)
    with subprocess.Popen([harness.STASIS, "image", "convert", first, "-"], env=t.command_environment(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(10)
        process.stdout.close()
        text = process.stderr.read().decode()
        assert process.wait() == 1 and "failed to convert" in text, text

    small = pathlib.Path("/dev/full")
    with open(small, "wb") as full:
        done = subprocess.run([harness.STASIS, "image", "convert", first, "-"], env=t.command_environment(),
                              stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1 and b"space" in done.stderr, done

    done = t.stasis("image", "convert", "-O", "stasis-tape", first, t.dir / "out", check=False)
    assert done.returncode == 1 and "stasis-tape" in done.stderr and "libvirt-zstd" in done.stderr
    (t.dir / "text").write_text("no image at all\n" * 1000, encoding="utf-8")
    assert t.stasis("image", "convert", t.dir / "text", t.dir / "out", check=False).returncode == 1
    assert t.stasis("image", "convert", first, first, check=False).returncode in (0, 1)
    t.stasis("image", "verify", first)
    assert not list(t.dir.glob(".*.tmp"))


@harness.test("no program: each is named with its package, and nothing is left", embedded=True, once=True)  # PATH is the daemon's
def no_program(t):
    _guest, first = saved(t)
    stream = t.dir / "stream"
    t.stasis("image", "convert", "-O", "libvirt", first, stream)
    empty = t.dir / "empty"
    empty.mkdir()
    for kind in "libvirt-bzip2", "libvirt-xz", "libvirt-lzop":
        out = t.dir / "out"
        done = t.stasis("image", "convert", "-O", kind, stream, out, check=False, PATH=empty)
        assert done.returncode == 1 and kind.removeprefix("libvirt-") in done.stderr, done
        assert "package" in done.stderr and not out.exists(), done
    assert not list(t.dir.glob(".*.tmp"))


@harness.test("a small file system that is full: the older image stays", once=True)
def full_disk(t):
    _guest, first = saved(t)
    mount = t.dir / "small"
    mount.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", mount],
                                           check=False, capture_output=True).returncode != 0:
        raise harness.Skip("needs root for a small tmpfs")
    try:
        refused = 0
        for kind in KINDS:
            older = first.read_bytes()[:8192]
            (mount / "out").write_bytes(older)
            done = t.stasis("image", "convert", "-O", kind, first, mount / "out", check=False)
            assert [left.name for left in mount.iterdir()] == ["out"], kind
            if done.returncode == 1:
                refused += 1
                assert "space" in done.stderr and (mount / "out").read_bytes() == older, (kind, done.stderr)
        assert refused > 0
    finally:
        subprocess.run(["umount", mount], check=True)
    t.stasis("image", "verify", first)


@harness.test("Ctrl-C: the older image stays, and nothing else", once=True)
def cancelled(t):
    _guest, first = saved(t)
    out = t.dir / "out"
    t.stasis("image", "convert", "-O", "libvirt", first, out)
    before = out.read_bytes()
    with subprocess.Popen([harness.STASIS, "image", "convert", "--verbose", "-", out], stdin=subprocess.PIPE,
                          env=t.command_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        process.stdin.write(before[:len(before) // 2])
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        assert b"cancel" in process.stderr.read().lower() and process.wait() == 1
    assert out.read_bytes() == before and not list(t.dir.glob(".*.tmp"))


@harness.test("somebody else's image stays somebody else's: restore does not trust it by itself", once=True)
def owner(t):
    if os.geteuid() != 0:
        raise harness.Skip("needs root to give a file away")
    _guest, first = saved(t)
    os.chown(first, 65534, 65534)
    t.stasis("image", "convert", first, t.dir / "out")
    assert (t.dir / "out").stat().st_uid == 65534
    done = t.stasis("restore", t.dir / "out", check=False)
    assert done.returncode == 1 and "--trust" in done.stderr, done


@harness.test("what cannot be looked at is not called damaged", embedded=True, once=True)
def not_looked_at(t):
    _guest, first = saved(t)
    image, empty = t.dir / "image", t.dir / "empty"
    empty.mkdir()
    t.stasis("image", "convert", "-O", "libvirt-xz", first, image)
    done = t.stasis("image", "verify", image, check=False, PATH=empty)
    assert done.returncode == 2 and "xz-utils" in done.stderr, done
    octets = bytearray(image.read_bytes())
    octets[0:16] = b"LibvirtQemudPart"
    image.write_bytes(octets)
    done = t.stasis("image", "verify", image, check=False)
    assert done.returncode == 1, done
    for command in "info", "dumpxml":
        done = t.stasis("image", command, image, check=False)
        assert done.returncode == 1 and "did not finish" in done.stderr, done
    verdict = json.loads(t.stasis("image", "verify", image, "--json", check=False).stdout)
    assert verdict["good"] is False, verdict


@harness.test("a map of the memory")
def picture(t):
    _guest, first = saved(t)
    in_place = json.loads(t.stasis("image", "info", first, "--json").stdout)["body"]["kind"] == "mapped-ram"
    for image in ([first] if in_place else []) + [t.dir / "sparse"]:
        if image != first:
            t.stasis("image", "convert", "-O", "libvirt-sparse", first, image)
        t.stasis("image", "map", image, "--svg", t.dir / "map.svg")
        t.stasis("image", "map", image, "--png", t.dir / "map.png")
        assert "pc.ram" in (t.dir / "map.svg").read_text(encoding="utf-8")
        assert (t.dir / "map.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    t.stasis("image", "convert", "-O", "libvirt", first, t.dir / "plain")
    done = t.stasis("image", "map", t.dir / "plain", "--svg", t.dir / "none.svg", check=False)
    assert done.returncode == 1 and "convert" in done.stderr and not (t.dir / "none.svg").exists()


@harness.test("a map replaces a map of its kind, or nothing", once=True)
def picture_place(t):
    _guest, first = saved(t)
    image = t.dir / "sparse"
    t.stasis("image", "convert", "-O", "libvirt-sparse", first, image)
    before = image.read_bytes()
    (t.dir / "link").symlink_to(image)
    (t.dir / "hard").hardlink_to(image)
    (t.dir / "letter").write_text("dear reader")
    (t.dir / "empty").touch()
    (t.dir / "written.svg").write_text("<?xml version='1.0'?><svg/>")
    os.mkfifo(t.dir / "fifo")
    t.stasis("image", "map", image, "--svg", t.dir / "map.svg")
    t.stasis("image", "map", image, "--png", t.dir / "map.png")
    for kind, name, says in (
            ("svg", "sparse", "is the save image itself"), ("png", "sparse", "is the save image itself"),
            ("svg", "link", "is the save image itself"), ("png", "hard", "is the save image itself"),
            ("svg", "letter", "exists and is no SVG picture; remove it first"),
            ("svg", "map.png", "exists and is no SVG picture; remove it first"),
            ("png", "map.svg", "exists and is no PNG picture; remove it first"),
            ("png", "fifo", "is no regular file")):
        done = t.stasis("image", "map", image, f"--{kind}", t.dir / name, check=False)
        assert done.returncode == 1 and says in done.stderr, (kind, name, done)
    assert image.read_bytes() == before and (t.dir / "letter").read_text() == "dear reader"
    assert (t.dir / "fifo").is_fifo() and (t.dir / "link").is_symlink()
    for name in "map.svg", "empty", "written.svg":
        (t.dir / name).chmod(0o600)
        t.stasis("image", "map", image, "--svg", t.dir / name)
        assert "pc.ram" in (t.dir / name).read_text(encoding="utf-8")
    t.stasis("image", "map", image, "--png", t.dir / "map.png")


harness.main()
