# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the independent reader reads with: a file, and what it says of one that is not good."""

import errno
import os

MIB = 1 << 20


class Bad(Exception):
    """The image is not good; the first argument says in which way."""


def corrupt(what):
    return Bad("corrupt", what)


def unsupported(what):
    return Bad("unsupported", what)


def round_up(value, unit):
    return -(-value // unit) * unit


def is_zero(octets):
    return not any(octets)


class File:
    """An open file: exact reads, and where its data is."""

    def __init__(self, fd):
        self.fd = fd
        self.size = os.fstat(fd).st_size

    def read(self, at, count, end=None):
        if at + count > (self.size if end is None else end):
            raise corrupt(f"{count} octets at {at} reach beyond their end")
        octets = b""
        while len(octets) < count:
            piece = os.pread(self.fd, count - len(octets), at + len(octets))
            if not piece:
                raise corrupt(f"the file ends at {at + len(octets)}")
            octets += piece
        return octets

    def data(self, start, end):
        """The runs of data in [start, end)."""
        while start < end:
            try:
                start = os.lseek(self.fd, start, os.SEEK_DATA)
                stop = os.lseek(self.fd, start, os.SEEK_HOLE)
            except OSError as failure:
                if failure.errno == errno.ENXIO:
                    return
                raise
            if start < end:
                yield start, min(stop, end)
            start = stop

    def require_zero(self, start, end, what):
        for run, stop in self.data(start, end):
            for at in range(run, stop, MIB):
                octets = self.read(at, min(MIB, stop - at))
                if not is_zero(octets):
                    raise corrupt(f"{what}: octets near {at} are not zero")
