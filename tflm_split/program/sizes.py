"""What does a program's header say: how many of its bytes are program, and how many calls does an inference take?"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from tflm_split.errors import ProgramError
from tflm_split.program.format import HEADER, MAGIC


def program_bytes_without_constants(blob: bytes) -> int:
    """Bytes of the program before its constants: header, records, address tables, steps.

    Raises ProgramError when `blob` is no program.
    """
    return int(_header(blob)["constants_offset"])


def calls_of_program(blob: bytes) -> int:
    """How many calls one inference takes; 1 unless the program is streamed. Raises ProgramError like the above."""
    return int(_header(blob)["pause_count"]) + 1


def state_bytes_of_program(blob: bytes) -> int:
    """Bytes that last from one inference to the next. Raises ProgramError like the above."""
    return int(_header(blob)["state_bytes"])


def _header(blob: bytes) -> Mapping[str, int | float]:
    try:
        header = HEADER.unpack(blob, 0)
    except struct.error:
        raise ProgramError(f"the program ends after {len(blob)} bytes, inside its header") from None
    if header["magic"] != MAGIC:
        raise ProgramError("these bytes are not a TFLM_SPLIT program")
    return header
