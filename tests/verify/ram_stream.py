# SPDX-License-Identifier: LGPL-2.1-or-later
"""The beginning of QEMU's stream, for the independent reader."""

from octets import MIB, corrupt, round_up, unsupported

BLOCKS_MAX, CAPABILITIES_MAX = 4096, 64
PAGE = 4096


class Block:
    """One block of the RAM map, or one that the body announces."""

    def __init__(self, name, used, bitmap, pages):
        self.name, self.used, self.bitmap, self.pages = name, used, bitmap, pages
        self.bitmap_length = round_up(used // PAGE, 64) // 8

    def place(self):
        return self.name, self.used, self.bitmap, self.pages


class MappedRam:
    """The beginning of QEMU's stream, big-endian, up to its last RAM block."""

    mapped = True

    def __init__(self, file, at, end):
        self.file, self.at, self.end = file, at, end
        self.blocks = []
        self.configuration()
        self.ram()

    def take(self, count):
        octets = self.file.read(self.at, count, self.end)
        self.at += count
        return octets

    def number(self, count):
        return int.from_bytes(self.take(count), "big")

    def name(self):
        name = self.take(self.number(1))
        if not name or b"\0" in name:
            raise corrupt(f"body, at {self.at}: name")
        return name

    def configuration(self):
        if self.take(8) != b"QEVM\0\0\0\3" or self.number(1) != 7:
            raise corrupt("body: not QEMU's")
        length = self.number(4)
        if length > 256:
            raise corrupt("body: machine type")
        self.take(length)
        capabilities = []
        section = self.number(1)
        while section == 5:
            self.subsection(capabilities)
            section = self.number(1)
        if section != 1 or (b"mapped-ram" in capabilities) != self.mapped:
            raise corrupt("body: no section, or mapped-ram where it must not be, or not where it must")

    def subsection(self, capabilities):
        name, version = self.name(), self.number(4)
        if version != 1:
            raise unsupported("body: version of a subsection")
        if name == b"configuration/capabilities":
            count = self.number(4)
            if count > CAPABILITIES_MAX:
                raise corrupt("body: capabilities")
            capabilities += [self.name() for _ in range(count)]
            if b"x-ignore-shared" in capabilities:
                raise unsupported("body: x-ignore-shared")
        elif name == b"configuration/target-page-bits":
            self.take(4)
        elif name == b"configuration/uuid":
            self.take(16)
        else:
            raise unsupported("body: subsection")

    def ram(self):
        self.take(4)
        if self.name() != b"ram" or self.number(4) != 0:
            raise corrupt("body: the first section is not 'ram'")
        if self.number(4) != 4:
            raise unsupported("body: version of 'ram'")
        total = self.number(8)
        if total % PAGE != 4:
            raise corrupt("body: MEM_SIZE")
        total -= 4
        while total > 0:
            self.block(total)
            total -= self.blocks[-1].used
        if not self.blocks or len(self.blocks) > BLOCKS_MAX:
            raise corrupt("body: number of blocks")

    def block(self, left):
        name, used, version = self.name(), self.number(8), self.number(4)
        page, bitmap, pages = self.number(8), self.number(8), self.number(8)
        if version != 1 or page != PAGE:
            raise unsupported("body: version or page size of mapped-ram")
        block = Block(name, used, bitmap, pages)
        if (used == 0 or used % PAGE or used > left or bitmap != self.at
                or pages != round_up(bitmap + block.bitmap_length, MIB) or pages + used > self.end):
            raise corrupt(f"body: block {name!r}")
        self.blocks.append(block)
        self.at = pages + used


class PlainRam(MappedRam):
    """The same of a stream that has no places in its list of blocks."""

    mapped = False

    def block(self, left):
        block = Block(self.name(), self.number(8), 0, 0)
        if block.used == 0 or block.used % PAGE or block.used > left:
            raise corrupt(f"body: block {block.name!r}")
        self.blocks.append(block)
