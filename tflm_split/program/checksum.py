"""Was a program altered after it was made? A flipped bit of a weight would not break any other rule of the format.

    checksum = sum over i of mixed(word i) * CHECKSUM_FACTOR ** (words - 1 - i)   mod 2 ** 32,   mixed(w) = w ^ (w >> 16)

over the program's little-endian words of four bytes, the last one filled up with zeros, the header's checksum taken as zero.
Mixing can be undone and powers of an odd number have inverses, so a change within one word always changes the sum. On the
device it takes five instructions per word (`checksum_of` in `split_nn/core/prepare.c`).
"""

from __future__ import annotations

import struct

import numpy as np

from tflm_split.errors import ProgramError
from tflm_split.program.format import CHECKSUM_FACTOR, HEADER

OFFSET = HEADER.offset_of("checksum")
UNCHECKED = 0
"""In place of a checksum: the program is not checked."""


def checksum_of(blob: bytes) -> int:
    """The checksum of a whole program."""
    words = np.frombuffer(blob + bytes(-len(blob) % 4), "<u4").astype(np.uint32)
    words[OFFSET // 4] = UNCHECKED
    words ^= words >> np.uint32(16)
    powers = np.ones(len(words), np.uint32)
    np.multiply.accumulate(np.full(len(words) - 1, CHECKSUM_FACTOR, np.uint32), out=powers[1:])
    return int((words * powers[::-1]).sum(dtype=np.uint32))


def with_checksum(blob: bytes) -> bytes:
    """The program with its checksum in its header."""
    return _with(blob, checksum_of(blob))


def without_checksum(blob: bytes) -> bytes:
    """The program, marked as one that is not checked."""
    return _with(blob, UNCHECKED)


def check_checksum(blob: bytes) -> None:
    """Return if the program's checksum is right, or if it has none. Raises ProgramError otherwise."""
    (held,) = struct.unpack_from("<I", blob, OFFSET)
    if held != UNCHECKED and held != checksum_of(blob):
        raise ProgramError("the program was altered after it was made: its checksum does not match its bytes")


def _with(blob: bytes, checksum: int) -> bytes:
    return blob[:OFFSET] + struct.pack("<I", checksum) + blob[OFFSET + 4 :]
