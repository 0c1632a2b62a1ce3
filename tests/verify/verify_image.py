#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Check a save image: an independent reader, written from docs/save-image.md alone.

usage: verify_image.py [--quiet] IMAGE...

Prints one line for each image, `IMAGE: VERDICT[: what and where]`, the verdict being good, corrupt,
incomplete, unsupported or not-an-image.  Exit status: 0 all good, 1 some are not, 2 could not look.
Standard library only; libxxhash is used where it is there, for speed.
"""

import json
import os
import stat
import struct
import sys
import uuid

from octets import MIB, Bad, File, corrupt, is_zero, round_up, unsupported
from ram_stream import BLOCKS_MAX, PAGE, Block, MappedRam, PlainRam
from xxh3 import digest

MAGIC = bytes.fromhex("895354530d0a1a0a")
VERSION = 2
END, DOMAIN_XML, QEMU_FACTS, STATIC_END, RAM_MAP, DISKS, CHUNK_HASHES = range(7)
PARENT = 9
CHUNK_RECORD = 10
PACKED_RAM_RECORD = 12
ORIGIN = 0x80000001
MAPPED_RAM, STREAM, CHUNKS, PACKED_RAM = 1, 2, 3, 4
FRONT, TAIL, BODY = 1, 2, 4
PIECE_MAX, PIECES_MAX = 4 * MIB, 2 * MIB
RAW, ZSTD = 0, 1
# by type: name, places, longest body
TYPES = {
    END: ("END", TAIL, 40),
    DOMAIN_XML: ("DOMAIN_XML", FRONT | TAIL, 16 * MIB),
    QEMU_FACTS: ("QEMU_FACTS", FRONT, MIB),
    STATIC_END: ("STATIC_END", FRONT, 0),
    RAM_MAP: ("RAM_MAP", TAIL, 2 * MIB),
    DISKS: ("DISKS", TAIL, MIB),
    CHUNK_HASHES: ("CHUNK_HASHES", TAIL, 64 * MIB + 32),
    PARENT: ("PARENT", FRONT, 64 << 10),
    CHUNK_RECORD: ("CHUNK", BODY, 16 + PIECE_MAX),
    PACKED_RAM_RECORD: ("PACKED_RAM", TAIL, 2 * MIB),
    ORIGIN: ("ORIGIN", FRONT, MIB),
}
RECORDS_MAX = 4096
CHUNK, END_MAX = MIB, 4 << 40


class Header:
    def __init__(self, file):
        octets = os.pread(file.fd, 4096, 0)
        self.identify(octets)
        (self.state, self.uuid, self.domain, flags, self.created, self.file_size, front, front_length,
         self.body, body_length, self.kind, reserved, self.tail, tail_length, writer,
         rest) = struct.unpack_from("<4s16s16sQQQQQQQIIQQ64s3888s", octets, 12)
        if self.state not in (b"PART", b"DONE", b"FLOW") or front != 4096 or writer[-1] != 0:
            raise corrupt("header: state, front offset or writer")
        self.writer = self.text(writer.split(b"\0")[0])
        if self.state == b"PART":
            raise Bad("incomplete", "the save did not finish")
        if self.kind not in (MAPPED_RAM, STREAM, CHUNKS, PACKED_RAM):
            raise unsupported(f"body kind {self.kind}")
        if (self.state == b"FLOW") != (self.kind == CHUNKS):
            raise corrupt("header: state and body kind")
        self.front_end, self.body_end = 4096 + front_length, self.body + body_length
        self.tail_end = self.tail + tail_length
        if self.kind == CHUNKS:
            self.check_stream(front_length, body_length, tail_length)
        else:
            self.check_layout(file, front_length, body_length, tail_length)
        if flags or reserved or not is_zero(rest) or not is_zero(writer[len(self.writer.encode()):]):
            raise corrupt("header: a reserved field is not zero")

    @staticmethod
    def text(octets):
        try:
            return octets.decode()
        except UnicodeDecodeError:
            raise corrupt("header: the writer is not UTF-8") from None

    @staticmethod
    def identify(octets):
        if octets[:8] != MAGIC:
            if octets[:4] in (MAGIC[:4], b"\x09STS"):
                raise corrupt("magic: a transfer in text mode?")
            if octets[:12] == b"LibvirtQemud" or octets[:4] == b"QEVM":
                raise unsupported("another program's format")
            if len(octets) >= 4096 and digest(MAGIC + octets[8:4080] + bytes(16)) == octets[4080:4096]:
                raise corrupt("magic: the rest of the header is an image's")
            raise Bad("not-an-image", "no magic")
        if len(octets) < 4096:
            raise corrupt("header: cut")
        if digest(octets[:4080] + bytes(16)) != octets[4080:]:
            raise corrupt("header: checksum")
        version = int.from_bytes(octets[8:12], "little")
        if version != VERSION:
            raise unsupported(f"format version {version}, not {VERSION}")

    def check_stream(self, front_length, body_length, tail_length):
        if (self.file_size or body_length or self.tail or tail_length or front_length % 8
                or self.body != self.front_end):
            raise corrupt("header: layout of a stream")

    def check_layout(self, file, front_length, body_length, tail_length):
        if file.size != self.file_size:
            raise corrupt(f"the file has {file.size} octets, not {self.file_size}")
        if (front_length % 8 or tail_length % 8 or self.front_end > self.body or self.body % 4096
                or body_length < 1 or self.body_end > END_MAX
                or self.tail != round_up(self.body_end, 4096) or self.tail_end != self.file_size):
            raise corrupt("header: layout")


class Record:
    def __init__(self, file, at, end):
        head = file.read(at, 32, end)
        self.at = at
        self.type, flags, length = struct.unpack_from("<IIQ", head)
        self.checksum = head[16:]
        self.name, self.places, longest = TYPES.get(self.type, (f"type {self.type:#x}", 0, 64 * MIB))
        self.end = at + 32 + round_up(length, 8)
        if length > longest or self.end > end:
            raise self.bad(f"length {length}")
        self.body = file.read(at + 32, length)
        if digest(head[:16] + self.body) != self.checksum:
            raise self.bad("checksum")
        if flags:
            raise self.bad("flags are reserved")
        if not is_zero(file.read(at + 32 + length, -length % 8)):
            raise self.bad("padding")

    def bad(self, what):
        return corrupt(f"record {self.name} at {self.at}: {what}")

    def json(self):
        try:
            value = json.loads(self.body.decode())
        except (ValueError, RecursionError):
            raise self.bad("no JSON") from None
        if not isinstance(value, dict):
            raise self.bad("no object")
        return value


class Image:
    def __init__(self, file):
        self.file = file
        self.header = Header(file)
        self.seen = {}
        self.unknown = []
        self.checksums = []
        self.blocks = []
        self.records(FRONT, 4096, self.header.front_end, STATIC_END)
        if self.header.kind == CHUNKS:
            self.chunks()
        self.records(TAIL, self.header.tail, self.header.tail_end, END)
        self.check_presence()
        self.check_bodies()

    def records(self, place, at, end, last):
        for _ in range(RECORDS_MAX):
            record = Record(self.file, at, end)
            self.accept(record, place)
            at = record.end
            if record.type == last:
                if at != end:
                    raise record.bad("records behind the last")
                return
        raise corrupt("too many records")

    def chunks(self):
        """The CHUNK records of a streamed image; the first of another type begins the tail."""
        header, file = self.header, self.file
        at, position, count = header.body, 0, 0
        while at + 32 <= file.size and file.read(at, 4) == CHUNK_RECORD.to_bytes(4, "little"):
            record = Record(file, at, file.size)
            if len(record.body) < 16:
                raise record.bad("too short")
            encoding, length, place = struct.unpack_from("<IIQ", record.body)
            data = record.body[16:]
            if not 1 <= length <= PIECE_MAX or place != position:
                raise record.bad("length or position")
            if encoding == RAW and len(data) != length or encoding == ZSTD and len(data) >= length:
                raise record.bad("length of the data")
            if encoding not in (RAW, ZSTD):
                raise unsupported(f"encoding {encoding} of a CHUNK")
            if encoding == ZSTD:
                check_frame(record, data, length)
            self.checksums.append(record.checksum)
            at, position, count = record.end, position + length, count + 1
        if not 1 <= count <= PIECES_MAX or position > END_MAX:
            raise corrupt(f"body: {count} CHUNK records")
        header.body_end = header.tail = at
        header.tail_end = file.size

    def accept(self, record, place):
        if record.type not in TYPES:
            if not record.type & 0x80000000:
                raise unsupported(f"mandatory record of type {record.type}")
            self.unknown.append(record.type)
        elif not record.places & place or (record.type == DOMAIN_XML and place == TAIL
                                           and self.header.kind == CHUNKS):
            raise record.bad("misplaced")
        elif record.type in self.seen:
            raise record.bad("twice")
        self.seen[record.type] = record
        if record.type == END:
            self.check_end(record)
        self.checksums.append(record.checksum)

    def check_end(self, record):
        expected = (self.header.uuid + digest(b"".join(self.checksums))
                    + len(self.checksums).to_bytes(8, "little"))
        if record.body != expected:
            raise record.bad("UUID, digest or count")

    def check_presence(self):
        for number, (name, _, _) in TYPES.items():
            if number == ORIGIN or number == PARENT and self.header.kind == MAPPED_RAM:
                continue
            wanted = {RAM_MAP: self.header.kind == MAPPED_RAM, CHUNK_RECORD: False,
                      PARENT: self.header.kind == PACKED_RAM,
                      PACKED_RAM_RECORD: self.header.kind == PACKED_RAM,
                      CHUNK_HASHES: self.header.kind != CHUNKS}.get(number, True)
            if wanted != (number in self.seen):
                raise corrupt(f"record {name}: {'missing' if wanted else 'not for this body'}")

    def check_bodies(self):
        xml = self.seen[DOMAIN_XML]
        try:
            if "\0" in xml.body.decode() or not xml.body:
                raise xml.bad("empty, or a NUL")
        except UnicodeDecodeError:
            raise xml.bad("not UTF-8") from None
        self.check_facts(self.seen[QEMU_FACTS])
        self.check_disks(self.seen[DISKS])
        if ORIGIN in self.seen:
            self.check_strings(self.seen[ORIGIN], "kind", "program")
        if PARENT in self.seen:
            self.check_strings(self.seen[PARENT], "image", "hashes", "file")
        if RAM_MAP in self.seen:
            self.check_ram_map(self.seen[RAM_MAP])
        if PACKED_RAM_RECORD in self.seen:
            self.check_packed_ram(self.seen[PACKED_RAM_RECORD])
        if CHUNK_HASHES in self.seen:
            self.check_hash_table(self.seen[CHUNK_HASHES])

    @staticmethod
    def check_facts(record):
        facts = record.json()
        for key in ("emulator", "version", "machine", "accelerator", "run-state"):
            if not isinstance(facts.get(key), str):
                raise record.bad(f"member {key}")
        if facts["run-state"] not in ("running", "paused"):
            raise record.bad("run state")
        if not isinstance(facts.get("frozen", True), bool):
            raise record.bad("member frozen")
        capabilities = facts.get("capabilities")
        if not isinstance(capabilities, list) or not all(isinstance(c, str) for c in capabilities):
            raise record.bad("capabilities")

    @staticmethod
    def check_strings(record, *keys):
        json = record.json()
        for key in keys:
            if not isinstance(json.get(key), str):
                raise record.bad(f"member {key}")

    @staticmethod
    def check_disks(record):
        disks = record.json().get("disks")
        if not isinstance(disks, list):
            raise record.bad("member disks")
        for disk in disks:
            if (not isinstance(disk, dict)
                    or not all(isinstance(disk.get(key), str) for key in ("target", "path", "format"))
                    or not isinstance(disk.get("readonly"), bool)
                    or type(disk.get("size")) is not int or disk["size"] < 0):
                raise record.bad("a disk lacks something")

    def check_ram_map(self, record):
        body, at, floor = record.body, 16, self.header.body
        if len(body) < 16 or not 1 <= int.from_bytes(body[:4], "little") <= BLOCKS_MAX:
            raise record.bad("number of blocks")
        for _ in range(int.from_bytes(body[:4], "little")):
            if at + 80 > len(body):
                raise record.bad("cut")
            (used, page, bitmap, bitmap_length, pages, n_set, bitmap_hash, reserved, name_length,
             reserved2) = struct.unpack_from("<QQQQQQ16sQII", body, at)
            name = body[at + 80:at + 80 + name_length]
            padding = body[at + 80 + name_length:at + 80 + round_up(name_length, 8)]
            at += 80 + round_up(name_length, 8)
            self.check_name(record, name)
            block = Block(name, used, bitmap, pages)
            block.n_set, block.hash = n_set, bitmap_hash
            if (not 1 <= name_length <= 255 or at > len(body) or page != PAGE or used == 0
                    or used % PAGE or bitmap_length != block.bitmap_length or n_set > used // PAGE
                    or bitmap < floor or pages % MIB or bitmap + bitmap_length > pages
                    or pages + used > self.header.body_end):
                raise record.bad(f"block {name!r}")
            if reserved or reserved2 or not is_zero(padding):
                raise record.bad(f"block {name!r}: reserved")
            floor = pages + used
            self.blocks.append(block)
        if at != len(body):
            raise record.bad("octets behind the last block")
        if not is_zero(body[4:16]):
            raise record.bad("reserved")

    def check_packed_ram(self, record):
        body, at, header = record.body, 48, self.header
        if len(body) < 48:
            raise record.bad("too short")
        count, reserved, self.n_stored, self.n_runs, reserved2, self.index_hash = struct.unpack_from(
            "<IIQQQ16s", body)
        for _ in range(count if 1 <= count <= BLOCKS_MAX else 0):
            if at + 24 > len(body):
                raise record.bad("cut")
            used, n_set, name_length, reserved3 = struct.unpack_from("<QQII", body, at)
            name = body[at + 24:at + 24 + name_length]
            padding = body[at + 24 + name_length:at + 24 + round_up(name_length, 8)]
            at += 24 + round_up(name_length, 8)
            self.check_name(record, name)
            block = Block(name, used, 0, 0)
            block.n_set = n_set
            if (not 1 <= name_length <= 255 or at > len(body) or used == 0 or used % PAGE
                    or n_set > used // PAGE or name in [b.name for b in self.blocks]):
                raise record.bad(f"block {name!r}")
            if reserved3 or not is_zero(padding):
                raise record.bad(f"block {name!r}: reserved")
            self.blocks.append(block)
        n_set = sum(block.n_set for block in self.blocks)
        self.index = header.body + self.n_stored * PAGE
        self.stream = self.index + self.n_runs * 8
        if (not self.blocks or at != len(body) or sum(b.used for b in self.blocks) > END_MAX
                or self.n_stored > n_set or self.n_runs > n_set or self.stream >= header.body_end):
            raise record.bad("number of blocks, pages or runs")
        if reserved or reserved2:
            raise record.bad("reserved")

    @staticmethod
    def check_name(record, name):
        try:
            if "\0" in name.decode():
                raise record.bad("NUL in a name")
        except UnicodeDecodeError:
            raise record.bad("a name is not UTF-8") from None

    def check_hash_table(self, record):
        first = self.header.body // CHUNK
        count = -(-self.header.body_end // CHUNK) - first
        if len(record.body) < 32:
            raise record.bad("too short")
        size, reserved, found, reserved2 = struct.unpack_from("<IIQ16s", record.body)
        if size != CHUNK:
            raise unsupported(f"chunk size {size}")
        if found != count or len(record.body) != 32 + 16 * count:
            raise record.bad(f"{found} hashes for {count} chunks")
        if reserved or not is_zero(reserved2):
            raise record.bad("reserved")

    def verify(self):
        header, file = self.header, self.file
        file.require_zero(header.front_end, header.body, "gap before the body")
        file.require_zero(header.body_end, header.tail, "gap behind the body")
        if header.kind != CHUNKS:
            self.verify_hashes()
        if header.kind == MAPPED_RAM:
            self.verify_mapped_ram()
        if header.kind == PACKED_RAM:
            self.verify_packed_ram()

    def verify_hashes(self):
        header, table, zeros = self.header, self.seen[CHUNK_HASHES].body, {}
        for index, number in enumerate(range(header.body // CHUNK, -(-header.body_end // CHUNK))):
            start = max(header.body, number * CHUNK)
            end = min(header.body_end, (number + 1) * CHUNK)
            if next(self.file.data(start, end), None) is not None:
                found = digest(self.file.read(start, end - start))
            else:
                found = zeros.setdefault(end - start, None) or digest(bytes(end - start))
                zeros[end - start] = found
            if found != table[32 + 16 * index:48 + 16 * index]:
                raise corrupt(f"body: chunk {index} at {start}: hash")

    def verify_mapped_ram(self):
        announced = MappedRam(self.file, self.header.body, self.header.body_end).blocks
        if [b.place() for b in announced] != [b.place() for b in self.blocks]:
            raise corrupt("body: its blocks are not those of the RAM map")
        for block in self.blocks:
            bits = self.file.read(block.bitmap, block.bitmap_length)
            number = int.from_bytes(bits, "little")
            if digest(bits) != block.hash or bin(number).count("1") != block.n_set:
                raise corrupt(f"block {block.name!r}: bitmap")
            if number >> block.used // PAGE:
                raise corrupt(f"block {block.name!r}: spare bits")
            self.file.require_zero(block.bitmap + block.bitmap_length, block.pages,
                                   f"block {block.name!r}: before its pages")
            self.verify_clear_pages(block, bits)

    def verify_packed_ram(self):
        octets = self.file.read(self.index, self.stream - self.index)
        if digest(octets) != self.index_hash:
            raise corrupt("index: hash")
        pages, stored, first, ends = set(), 0, 0, []
        for block in self.blocks:
            first += block.used // PAGE
            ends.append(first)
        counts = [0] * len(ends)
        for page, count in struct.iter_unpack("<II", octets):
            is_zero_run, count = count >> 31, count & 0x7fffffff
            number = next((i for i, end in enumerate(ends) if page < end), None)
            if number is None or count == 0 or page + count > ends[number]:
                raise corrupt(f"index: a run of {count} pages at {page}")
            run = range(page, page + count)
            if not pages.isdisjoint(run):
                raise corrupt(f"index: a page is there twice, at {page}")
            pages.update(run)
            counts[number] += count
            stored += 0 if is_zero_run else count
        if stored != self.n_stored or counts != [block.n_set for block in self.blocks]:
            raise corrupt("index: number of pages")
        announced = PlainRam(self.file, self.stream, self.header.body_end).blocks
        if [(b.name, b.used) for b in announced] != [(b.name, b.used) for b in self.blocks]:
            raise corrupt("body: its blocks are not those of the record PACKED_RAM")

    def verify_clear_pages(self, block, bits):
        for start, end in self.file.data(block.pages, block.pages + block.used):
            for page in range((start - block.pages) // PAGE, -(-(end - block.pages) // PAGE)):
                if bits[page // 8] >> page % 8 & 1:
                    continue
                if not is_zero(self.file.read(block.pages + page * PAGE, PAGE)):
                    raise corrupt(f"block {block.name!r}: page {page} has data, its bit is clear")


def check_frame(record, data, length):
    """One zstd frame (RFC 8878) that says how much is in it; its blocks are not decompressed."""
    try:
        if data[:4] != b"\x28\xb5\x2f\xfd":
            raise record.bad("no zstd frame")
        flags = data[4]
        single = flags >> 5 & 1
        at = 5 + (1 - single)
        id_size = (0, 1, 2, 4)[flags & 3]
        size_size = (single, 2, 4, 8)[flags >> 6]
        dictionary = int.from_bytes(data[at:at + id_size], "little")
        at += id_size
        content = int.from_bytes(data[at:at + size_size], "little") + (256 if size_size == 2 else 0)
        at += size_size
        if flags & 8 or dictionary or size_size == 0 or content != length:
            raise record.bad("head of its zstd frame")
        last = 0
        while not last:
            head = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            last, kind = head & 1, head >> 1 & 3
            at += 3 + (1 if kind == 1 else head >> 3)
            if kind == 3:
                raise record.bad("zstd block")
    except IndexError:
        raise record.bad("its zstd frame is cut") from None
    if at + (4 if flags & 4 else 0) != len(data):
        raise record.bad("not one zstd frame")


def check(path):
    """Verdict and explanation."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return "not-an-image", "not a regular file"
        image = Image(File(fd))
        image.verify()
    except Bad as bad:
        return bad.args
    finally:
        os.close(fd)
    notes = f"domain {uuid.UUID(bytes=image.header.domain)}, by {image.header.writer}"
    if image.unknown:
        notes += f", {len(image.unknown)} unknown optional records"
    return "good", notes


def main(arguments):
    quiet = "--quiet" in arguments
    paths = [a for a in arguments if a != "--quiet"]
    if not paths:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    worst = 0
    for path in paths:
        try:
            verdict, what = check(path)
        except OSError as failure:
            print(f"error: {failure}", file=sys.stderr)
            worst = 2
            continue
        if not quiet:
            print(f"{path}: {verdict}: {what}")
        if verdict != "good":
            worst = max(worst, 1)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
