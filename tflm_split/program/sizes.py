"""How much of a program's bytes is program, and how much is weights and tables?"""

from __future__ import annotations

import struct

from tflm_split.errors import ProgramError
from tflm_split.program.format import HEADER, MAGIC


def program_bytes_without_constants(blob: bytes) -> int:
    """Bytes of the program before its constants: header, records, address tables, steps.

    Raises ProgramError when `blob` is no program.
    """
    try:
        header = HEADER.unpack(blob, 0)
    except struct.error:
        raise ProgramError(f"the program ends after {len(blob)} bytes, inside its header") from None
    if header["magic"] != MAGIC:
        raise ProgramError("these bytes are not a TFLM_SPLIT program")
    return int(header["constants_offset"])
