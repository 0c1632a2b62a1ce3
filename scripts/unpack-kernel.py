#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Unpack what a Linux bzImage decompresses when it boots.

    unpack-kernel.py BZIMAGE VMLINUX

An emulated CPU needs longer for that than for any other part of the boot; QEMU
starts the unpacked kernel at once (PVH).  The header tells where the packed one
lies: Documentation/arch/x86/boot.rst of Linux.
"""

import pathlib
import struct
import subprocess
import sys

TOOLS = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\0": "xz", b"\x02\x21\x4c\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstd"}


def main(source, target):
    image = pathlib.Path(source).read_bytes()
    if image[0x202:0x206] != b"HdrS":
        sys.exit(f"unpack-kernel: '{source}' is no bzImage")
    at, length = struct.unpack_from("<II", image, 0x248)
    at += (image[0x1f1] + 1) * 512
    packed = image[at:at + length]
    tool = next((tool for magic, tool in TOOLS.items() if packed.startswith(magic)), None)
    if tool is None:
        sys.exit(f"unpack-kernel: '{source}' is packed in a way that is not known")
    # The last four octets are the size, which the kernel's build appends.
    packed = packed if tool == "gzip" else packed[:-4]
    unpacked = subprocess.run([tool, "-d", "-c"], input=packed, capture_output=True, check=True).stdout
    if unpacked[:4] != b"\x7fELF":
        sys.exit(f"unpack-kernel: what is in '{source}' is no ELF file")
    pathlib.Path(target).write_bytes(unpacked)


main(*sys.argv[1:])
