# SPDX-License-Identifier: LGPL-2.1-or-later
"""XXH3 with 128 bits, seed 0, in its canonical form, from the algorithm's description.

`digest` uses libxxhash where it is installed; `digest_slow` is all Python and says the same
(run this file to compare the two; it prints TAP).
"""

import ctypes
import struct

M32, M64 = 2**32 - 1, 2**64 - 1
P32_1, P32_2, P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
P64_1, P64_2, P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P64_4, P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")
STRIPE, LANES, BLOCK = 64, 8, 16  # octets, lanes, stripes of a block
SECRET_MIN = 136


def le32(octets, at):
    return int.from_bytes(octets[at:at + 4], "little")


def le64(octets, at):
    return int.from_bytes(octets[at:at + 8], "little")


def swap64(value):
    return int.from_bytes(value.to_bytes(8, "little"), "big")


def avalanche(value):
    value ^= value >> 37
    value = value * 0x165667919E3779F9 & M64
    return value ^ value >> 32


def avalanche64(value):
    value ^= value >> 33
    value = value * P64_2 & M64
    value ^= value >> 29
    value = value * P64_3 & M64
    return value ^ value >> 32


def fold(a, b):
    product = a * b
    return (product ^ product >> 64) & M64


def short(data):
    n = len(data)
    if n == 0:
        return (avalanche64(le64(SECRET, 64) ^ le64(SECRET, 72)),
                avalanche64(le64(SECRET, 80) ^ le64(SECRET, 88)))
    if n <= 3:
        low = data[0] << 16 | data[n >> 1] << 24 | data[n - 1] | n << 8
        high = int.from_bytes(low.to_bytes(4, "little"), "big")
        high = (high << 13 | high >> 19) & M32
        return (avalanche64(low ^ le32(SECRET, 0) ^ le32(SECRET, 4)),
                avalanche64(high ^ le32(SECRET, 8) ^ le32(SECRET, 12)))
    if n <= 8:
        keyed = (le32(data, 0) | le32(data, n - 4) << 32) ^ le64(SECRET, 16) ^ le64(SECRET, 24)
        product = keyed * (P64_1 + (n << 2))
        low, high = product & M64, product >> 64 & M64
        high = high + (low << 1) & M64
        low ^= high >> 3
        low ^= low >> 35
        low = low * 0x9FB21C651E98DF25 & M64
        return low ^ low >> 28, avalanche(high)
    low, high = le64(data, 0), le64(data, n - 8)
    product = (low ^ high ^ le64(SECRET, 32) ^ le64(SECRET, 40)) * P64_1
    low, carry = product & M64, product >> 64 & M64
    low = low + ((n - 1) << 54) & M64
    high ^= le64(SECRET, 48) ^ le64(SECRET, 56)
    carry = carry + high + (high & M32) * (P32_2 - 1) & M64
    low ^= swap64(carry)
    product = low * P64_2
    return avalanche(product & M64), avalanche((product >> 64) + carry * P64_2 & M64)


def mix16(data, at, key):
    return fold(le64(data, at) ^ le64(SECRET, key), le64(data, at + 8) ^ le64(SECRET, key + 8))


def mix32(low, high, data, first, second, key):
    low = low + mix16(data, first, key) & M64
    low ^= le64(data, second) + le64(data, second + 8) & M64
    high = high + mix16(data, second, key + 16) & M64
    high ^= le64(data, first) + le64(data, first + 8) & M64
    return low, high


def medium(data):
    n = len(data)
    low, high = n * P64_1 & M64, 0
    if n <= 128:
        for i in reversed(range((n - 1) // 32 + 1)):
            low, high = mix32(low, high, data, 16 * i, n - 16 * (i + 1), 32 * i)
    else:
        for i in range(4):
            low, high = mix32(low, high, data, 32 * i, 32 * i + 16, 32 * i)
        low, high = avalanche(low), avalanche(high)
        for i in range(4, n // 32):
            low, high = mix32(low, high, data, 32 * i, 32 * i + 16, 3 + 32 * (i - 4))
        low, high = mix32(low, high, data, n - 16, n - 32, SECRET_MIN - 17 - 16)
    total = low * P64_1 + high * P64_4 + n * P64_2 & M64
    return avalanche(low + high & M64), -avalanche(total) & M64


KEYS = {at: struct.unpack_from("<8Q", SECRET, at) for at in [*range(0, 129, 8), 121]}


def accumulate(acc, data, at, key):
    lanes = struct.unpack_from("<8Q", data, at)
    for i, secret in enumerate(KEYS[key]):
        keyed = lanes[i] ^ secret
        acc[i ^ 1] = acc[i ^ 1] + lanes[i] & M64
        acc[i] = acc[i] + (keyed & M32) * (keyed >> 32) & M64


def merge(acc, key, start):
    for i in range(4):
        start += fold(acc[2 * i] ^ le64(SECRET, key + 16 * i),
                      acc[2 * i + 1] ^ le64(SECRET, key + 16 * i + 8))
    return avalanche(start & M64)


def long(data):
    n = len(data)
    acc = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1]
    for stripe in range((n - 1) // STRIPE):
        accumulate(acc, data, stripe * STRIPE, stripe % BLOCK * 8)
        if stripe % BLOCK == BLOCK - 1 and n - 1 >= (stripe + 1) * STRIPE:
            acc = [(a ^ a >> 47 ^ key) * P32_1 & M64 for a, key in zip(acc, KEYS[128])]
    accumulate(acc, data, n - STRIPE, 121)
    return (merge(acc, 11, n * P64_1 & M64),
            merge(acc, len(SECRET) - 64 - 11, ~(n * P64_2) & M64))


def digest_slow(data):
    low, high = (short if len(data) <= 16 else medium if len(data) <= 240 else long)(data)
    return high.to_bytes(8, "big") + low.to_bytes(8, "big")


class Pair(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


def load():
    try:
        function = ctypes.CDLL("libxxhash.so.0").XXH3_128bits
    except (OSError, AttributeError):
        return None
    function.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    function.restype = Pair
    return function


LIBRARY = load()


def digest(data):
    if LIBRARY is None:
        return digest_slow(data)
    pair = LIBRARY(bytes(data), len(data))
    return pair.high.to_bytes(8, "big") + pair.low.to_bytes(8, "big")


def main():
    lengths = [*range(0, 300), 511, 512, 513, 1023, 1024, 1025, 1088, 2047, 2048, 2049, 4096, 65537]
    print(f"1..{len(lengths)}")
    for number, length in enumerate(lengths, 1):
        data = bytes((i * 131 + (i >> 3) * 7) & 255 for i in range(length))
        if LIBRARY is None:
            print(f"ok {number} # SKIP libxxhash is not installed")
            continue
        same = digest(data) == digest_slow(data)
        print(f"{'ok' if same else 'not ok'} {number} - {length} octets")


if __name__ == "__main__":
    main()
