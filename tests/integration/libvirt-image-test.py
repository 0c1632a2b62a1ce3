#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Save images of a real libvirt, and ours that it restores.

libvirt 9.0 writes raw, gzip, bzip2, xz and lzop.  zstd and sparse came later; a sparse image is written
and loaded by QEMU itself here, inside our header.
"""

import hashlib
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

import harness
from bare_qemu import BareQemu

sys.path.insert(0, str(harness.ROOT / "bench"))
import virsh_peer  # pylint: disable=wrong-import-position

TOOL = os.environ.get("STASIS_LIBVIRT_TOOL", str(harness.BUILD / "tests/image/image-libvirt-tool"))
NAMES = ["raw", "gzip", "bzip2", "xz", "lzop"]  # by libvirt's numbers
CACHE = tempfile.TemporaryDirectory(prefix="stasis-test-libvirt-")
UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


def tool(*arguments, check=True, **options):
    """Run the library's tool; its output as octets."""
    result = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, check=False, **options)
    if check and result.returncode != 0:
        raise AssertionError(f"{arguments}: {result.stderr.decode(errors='replace')}")
    return result


def show(image):
    kind, state, offset, cookie = tool("show", image).stdout.decode().splitlines()[0].split()
    return kind, state, int(offset), int(cookie)


def body(image):
    return tool("body", image).stdout


class Libvirt:
    """A private libvirtd with one guest, for as long as a test lasts."""

    def __init__(self, t, save_format="raw"):
        if reason := virsh_peer.why_not():
            raise harness.Skip(reason)
        self.guest = t.boot_sector_guest(pages=256)
        self.peer = virsh_peer.VirshPeer(t.dir, conf=f'save_image_format = "{save_format}"\n', cache=CACHE.name)
        self.virsh = self.peer.virsh

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.peer.end()

    def save(self, path):
        """Start the guest, let it run and save it; its last tick."""
        self.peer.start(self.guest)
        self.guest.wait_for_tick(3)
        self.virsh("save", self.guest.name, path)
        return self.guest.last_tick()

    def restore(self, path, tick):
        """The guest goes on from that tick, with its memory whole, and is gone again."""
        self.guest.serial.unlink()
        self.virsh("restore", path)
        self.guest.wait_for_tick(tick + 3)
        assert self.guest.ticks()[0] in (tick, tick + 1), (tick, self.guest.ticks())
        assert self.guest.damaged_pages() == 0
        self.virsh("destroy", self.guest.name)

    def restore_by_stasis(self, t, path, tick, through_pipe=False):
        """The same by us, as a file or through a pipe."""
        self.guest.serial.unlink()
        if through_pipe:
            with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
                t.stasis("restore", "-", stdin=cat.stdout)
        else:
            t.stasis("restore", path)
        self.guest.wait_for_tick(tick + 3)
        assert self.guest.ticks()[0] in (tick, tick + 1), (tick, self.guest.ticks())
        assert self.guest.damaged_pages() == 0
        assert t.stasis("domstate", self.guest.name).stdout.strip() == "running"
        t.stasis("destroy", self.guest.name)


def both_ways(t, name, kind):
    """libvirt's image is read; raw and compressed ones that we write of it are restored."""
    if name != "raw" and not shutil.which(name):
        raise harness.Skip(f"no {name} here")
    image, raw, again = t.dir / "image", t.dir / "raw", t.dir / "again"
    with Libvirt(t, name) as libvirt:
        tick = libvirt.save(image)
        assert struct.unpack_from("=I", image.read_bytes()[:92], 28)[0] == NAMES.index(name)
        found, state, offset, cookie = show(image)
        assert (found, state) == (kind, "running") and cookie > 0, (found, state, cookie)
        stream = body(image)
        assert stream[:8] == b"QEVM\0\0\0\3" and len(stream) > 1 << 20
        if name == "raw":
            assert stream == image.read_bytes()[offset:]
        theirs = ElementTree.fromstring(libvirt.virsh("save-image-dumpxml", "--security-info", image))
        ours = ElementTree.fromstring(tool("xml", image).stdout)
        for path in ("name", "uuid", "memory", "os/type"):
            assert theirs.findtext(path) == ours.findtext(path), path

        tool("convert", image, "libvirt", raw)
        assert show(raw) == ("libvirt", "running", offset, cookie)
        tool("convert", raw, kind, again)
        assert show(again) == (found, state, offset, cookie)
        assert body(raw) == body(again) == stream
        libvirt.restore(image, tick)
        libvirt.restore(raw, tick)
        libvirt.restore(again, tick)
        libvirt.restore_by_stasis(t, image, tick)
        libvirt.restore_by_stasis(t, again, tick)
        libvirt.restore_by_stasis(t, image, tick, through_pipe=True)
        if name != "raw":
            refused_if_cut(t, again)


def refused_if_cut(t, image):
    """A compressed image that lacks its end, or has more than that."""
    octets, broken = image.read_bytes(), t.dir / "broken"
    for size in (len(octets) - 1, len(octets) - 4, len(octets) // 2):
        broken.write_bytes(octets[:size])
        result = tool("body", broken, check=False)
        assert result.returncode == 1 and b"stasis_image_error" in result.stderr, result.stderr
    broken.write_bytes(octets + b"more")
    result = tool("body", broken, check=False)
    assert result.returncode == 1 and b"stasis_image_error" in result.stderr, result.stderr


for word in NAMES:
    label = "libvirt" if word == "raw" else f"libvirt-{word}"
    harness.test(f"libvirt's own image, {word}: read, converted, restored by libvirt", timeout=300)(
        lambda t, name=word, kind=label: both_ways(t, name, kind))


@harness.test("an edited image is restored by libvirt, also with an XML that it would refuse as too long")
def edited(t):
    image, new, text = t.dir / "image", t.dir / "new", t.dir / "new.xml"
    with Libvirt(t) as libvirt:
        tick = libvirt.save(image)
        digest = hashlib.sha256(image.read_bytes()).digest()
        xml = tool("xml", image).stdout.decode()
        for length in (100, 100000):
            description = f"<description>{'edited ' * (length // 7)}</description>"
            text.write_text(xml.replace("</name>", f"</name>{description}"))
            new.unlink(missing_ok=True)
            tool("rewrite", image, text, "running", new)
            assert description.strip() in libvirt.virsh("save-image-dumpxml", new)
            assert body(new) == body(image)
            libvirt.restore(new, tick)
        new.unlink()
        tool("rewrite", image, text, "paused", new)
        libvirt.virsh("restore", new)
        assert libvirt.virsh("domstate", libvirt.guest.name).strip() == "paused"
        assert hashlib.sha256(image.read_bytes()).digest() == digest


@harness.test("a save that libvirt did not finish is called that")
def unfinished(t):
    image = t.dir / "image"
    with Libvirt(t) as libvirt:
        libvirt.save(image)
        with open(image, "r+b") as file:
            file.write(b"LibvirtQemudPart")
        result = tool("show", image, check=False)
        assert result.returncode == 1 and b"did not finish" in result.stderr, result.stderr


@harness.test("an image of libvirt through a pipe with a trailer, and back")
def trailer(t):
    image = t.dir / "image"
    with Libvirt(t) as libvirt:
        libvirt.save(image)
    stream = body(image)
    whole = tool("trailer", image, UUID).stdout
    assert whole == stream + b"LibvirtQemudUUID\0" + bytes.fromhex(UUID.replace("-", ""))
    result = tool("untrailer", input=whole)
    assert result.stdout == stream and result.stderr.decode().strip() == UUID
    assert tool("untrailer", input=whole[:-1], check=False).returncode == 1


def set_mapped_ram(qemu):
    known = [one["capability"] for one in qemu.command("query-migrate-capabilities")]
    if "mapped-ram" not in known:
        raise harness.Skip("this QEMU has no mapped-ram")
    qemu.command("migrate-set-capabilities", capabilities=[
        {"capability": name, "state": True} for name in ("mapped-ram", "multifd")])


@harness.test("a sparse image: QEMU's body inside libvirt's header, read and loaded")
def sparse(t):
    guest, image, text = t.boot_sector_guest(pages=256), t.dir / "image", t.dir / "some.xml"
    text.write_text("<domain type='qemu'><name>sparse</name></domain>")
    arguments = BareQemu.guest_arguments(guest)
    options = {"accel": harness.ACCEL, "machine": guest.machine, "memory_mib": guest.memory_mib}
    with BareQemu(harness.QEMU, *arguments, **options) as qemu:
        set_mapped_ram(qemu)
        guest.wait_for_tick(3)
        qemu.command("stop")
        with subprocess.Popen([TOOL, "sparse", text, image], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as writer:
            offset = int(writer.stdout.readline())
            assert image.read_bytes()[:16] == b"LibvirtQemudPart"
            qemu.command("migrate", uri=f"file:{image},offset={offset}")
            qemu.wait_for_migration()
            writer.communicate(b"\n", timeout=60)
        assert writer.returncode == 0
        tick = guest.last_tick()
    lines = tool("show", image).stdout.decode().splitlines()
    assert lines[0].split() == ["libvirt-sparse", "running", str(offset), "0"], lines
    assert "pc.ram" in lines[1:], lines

    new = t.dir / "new"
    text.write_text("<domain type='qemu'><name>renamed</name></domain>")
    tool("rewrite", image, text, "running", new)
    assert tool("xml", new).stdout == text.read_bytes()
    assert os.stat(new).st_blocks <= os.stat(image).st_blocks + 16
    with BareQemu(harness.QEMU, *arguments, "-incoming", "defer", **options) as qemu:
        set_mapped_ram(qemu)
        qemu.command("migrate-incoming", uri=f"file:{new},offset={offset}")
        harness.wait_for(lambda: qemu.command("query-status")["status"] == "paused", "the load")
        qemu.command("cont")
        guest.wait_for_tick(tick + 3)
    assert guest.damaged_pages() == 0


harness.main(skip_all="" if pathlib.Path(TOOL).exists() else f"no {TOOL}")
