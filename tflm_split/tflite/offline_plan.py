"""Which bytes tell TFLM where each tensor lies? Only this file knows the `OfflineMemoryAllocation` metadata.

The payload is little-endian int32[3 + n] (`GetOfflinePlannedOffsets` in TFLM's micro_allocation_info.cc):

    version | number of subgraphs | n | offset of tensor 0 | ... | offset of tensor n - 1

An offset counts bytes from the start of the arena's head; -1 lets TFLM place the tensor. n counts ALL tensors, constants
too, of ALL subgraphs in order. TFLM checks n and nothing else: the plan itself must see to overlap, alignment and range.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from tflm_split.errors import InternalError, ModelError

METADATA_NAME = "OfflineMemoryAllocation"
VERSION = 1
ONLINE = -1
"""The offset of a tensor that TFLM places itself."""

_HEADER = struct.Struct("<iii")
_MAX_OFFSET_BYTES = 2**31 - 1


def pack(offsets_bytes: Sequence[int], subgraphs: int = 1) -> bytes:
    """The payload for one offset per tensor of the file; `ONLINE` lets TFLM place it.

    Raises InternalError for an offset that is negative or does not fit 31 bits.
    """
    wrong = [o for o in offsets_bytes if o != ONLINE and not 0 <= o <= _MAX_OFFSET_BYTES]
    if wrong:
        raise InternalError(f"an offline plan cannot hold the offset {wrong[0]}")
    header = _HEADER.pack(VERSION, subgraphs, len(offsets_bytes))
    return header + struct.pack(f"<{len(offsets_bytes)}i", *offsets_bytes)


def unpack(payload: bytes) -> tuple[int, ...]:
    """The offsets of all tensors of all subgraphs. Raises ModelError if the payload is shorter than it says."""
    if len(payload) < _HEADER.size:
        raise ModelError(
            f"its {METADATA_NAME} metadata has {len(payload)} bytes, but the header alone takes {_HEADER.size}"
        )
    count = _HEADER.unpack_from(payload)[2]
    if not 0 <= count <= (len(payload) - _HEADER.size) // 4:
        raise ModelError(f"its {METADATA_NAME} metadata promises {count} offsets, but has only {len(payload)} bytes")
    return struct.unpack_from(f"<{count}i", payload, _HEADER.size)
