#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The interop matrix: a guest between Stasis and the libvirt that is installed here.

For each format of libvirt's, both ways: what one has saved the other restores, the guest's memory has the
same sum and its ticks go on.  A format that this libvirt does not know has to be refused by it, not to be
mistaken for another.  The last test prints the matrix.
"""

import os
import shutil
import struct
import sys
import tempfile

import harness

sys.path.insert(0, str(harness.ROOT / "bench"))
import virsh_peer  # pylint: disable=wrong-import-position

# libvirt's words and numbers, and its first version that writes and reads the format; the number is that
# of the header.
FORMATS = {"raw": (0, (0,)), "gzip": (1, (0,)), "bzip2": (2, (0,)), "xz": (3, (0,)), "lzop": (4, (0,)),
           "zstd": (5, (11, 2)), "sparse": (6, (11, 2))}
# A stream that goes through a program's pipe is the same one whatever the program.
PIPED = ("bzip2", "xz", "lzop", "zstd")
# For these a Linux guest is a minute's work each time.  The small one looks at its memory itself.
SLOW = ("bzip2", "xz")
CACHE = tempfile.TemporaryDirectory(prefix="stasis-test-libvirt-")
cells = {}
versions = set()


class Pair:
    """A guest whose memory is known, a private libvirtd, and Stasis."""

    def __init__(self, t, word):
        if word in PIPED and not shutil.which(word):
            raise harness.Skip(f"no {word} here (./dev setup)")
        self.t, self.word = t, word
        self.kind = "libvirt" if word == "raw" else f"libvirt-{word}"
        self.number, since = FORMATS[word]
        self.guest = t.boot_sector_guest() if word in SLOW else t.linux_guest(memory_mib=160)
        self.image = t.dir / "image"
        # An unknown word in its configuration keeps an older libvirt from saving, not from starting.
        self.peer = virsh_peer.VirshPeer(t.dir, conf=f'save_image_format = "{word}"\n', cache=CACHE.name)
        version = self.peer.version_numbers()
        versions.add(".".join(map(str, version)))
        self.is_known = version >= since

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.guest.close()
        self.peer.end()

    def note(self, direction, text):
        cells[self.word, direction] = text

    def fill(self):
        if self.word in SLOW:
            self.guest.wait_for_tick(3)
            return
        self.guest.wait_for_agent(120)
        assert self.guest.agent("fill 8 7 mix") == "8 MiB"

    def total(self):
        if self.word in SLOW:
            return self.guest.damaged_pages()
        self.guest.wait_for_agent(120)
        total = self.guest.agent("sum")
        self.guest.close()
        return total

    def goes_on(self, total, tick, before=None):
        """The guest runs with the same memory, after the tick that it was saved at; `before`: how many had been told when it was restored."""
        before = self.guest.ticks().index(tick) + 1 if before is None else before
        harness.wait_for(lambda: len(self.guest.ticks()) >= before + 3, "the restored guest to tick")
        after = self.guest.ticks()[before:]
        assert after[0] in (tick + 1, tick + 2), (tick, after[:3])
        assert self.total() == total, "the guest's memory has changed"

    def header_number(self):
        return struct.unpack_from("=I", self.image.read_bytes()[:92], 28)[0]


def read_by_stasis(t, word):
    """virsh saves, we look at it, verify and restore it."""
    with Pair(t, word) as pair:
        guest = pair.guest
        # What libvirt makes of this stands in the image's cookie only.
        xml = guest.xml().replace("<features>", "<cpu mode='host-model'/>\n  <features>")
        guest.xml_file().write_text(xml, encoding="utf-8")
        pair.peer.guest = guest
        pair.peer.virsh("create", guest.dir / f"{guest.name}.xml")
        pair.fill()
        total = pair.total()
        try:
            pair.peer.virsh("save", guest.name, pair.image)
        except RuntimeError as error:
            if "mapped-ram" in str(error):
                pair.note("read", "QEMU too old")
            else:
                assert not pair.is_known and "Invalid save image format" in str(error), error
                pair.note("read", "not written")
            return
        assert pair.is_known and pair.header_number() == pair.number
        tick = guest.last_tick()
        told = t.stasis("image", "info", pair.image).stdout
        assert pair.kind in told, told
        t.stasis("image", "verify", pair.image)
        t.stasis("restore", pair.image)
        pair.goes_on(total, tick)
        assert t.stasis("domstate", guest.name).stdout.strip() == "running"
        t.stasis("destroy", guest.name)
        pair.note("read", "same sum")


def read_by_virsh(t, word):
    """We save, virsh restores it, unmodified."""
    with Pair(t, word) as pair:
        guest = pair.guest
        t.stasis("define", guest.xml_file())
        t.stasis("start", guest.name)
        pair.fill()
        total = pair.total()
        result = t.stasis("save", guest.name, pair.image, "--format", pair.kind, check=False)
        if word == "sparse" and "mapped-ram" in result.stderr:
            assert result.returncode == 1 and not pair.image.exists(), result.stderr
            pair.note("write", "QEMU too old")
            return
        assert result.returncode == 0, result.stderr
        assert pair.header_number() == pair.number
        tick = guest.last_tick()
        try:
            pair.peer.virsh("restore", pair.image)
        except RuntimeError as error:
            assert not pair.is_known and ("compressed" in str(error) or "format" in str(error)), error
            pair.note("write", "unknown to it")
            t.stasis("restore", pair.image)
            pair.goes_on(total, tick)
            return
        assert pair.is_known
        assert pair.peer.virsh("domstate", guest.name).strip() == "running"
        pair.goes_on(total, tick, before=0)  # it has begun the serial port's file anew
        pair.peer.virsh("destroy", guest.name)
        before = len(guest.ticks())
        t.stasis("restore", pair.image)  # the same image once more, by us
        pair.goes_on(total, tick, before)
        pair.note("write", "same sum")


for name in FORMATS:
    harness.test(f"{name}: what virsh has saved is restored here", timeout=900, once=name in PIPED)(
        lambda t, word=name: read_by_stasis(t, word))
    harness.test(f"{name}: what is saved here is restored by virsh", timeout=900, once=name in PIPED)(
        lambda t, word=name: read_by_virsh(t, word))


@harness.test("the matrix")
def matrix(_t):
    words = [word for word in FORMATS if word not in PIPED or not harness.REPEATED]
    if len(cells) < 2 * len(words):
        raise harness.Skip("not all of the tests above have run")
    assert len(versions) == 1, versions
    print(f"# libvirt {versions.pop()}, {os.path.basename(harness.QEMU)}")
    print(f"# {'kind':16} {'virsh -> stasis':>16} {'stasis -> virsh':>16}")
    for word in words:
        kind = "libvirt" if word == "raw" else f"libvirt-{word}"
        print(f"# {kind:16} {cells[word, 'read']:>16} {cells[word, 'write']:>16}")


harness.main(skip_all=virsh_peer.why_not())
