"""What does a program's header say: how many of its bytes are program, and how many calls does an inference take?"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from tflm_split.errors import ProgramError
from tflm_split.program.format import HEADER, IO, MAGIC, Flags


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
    header = _header(blob)
    return 0 if int(header["flags"]) & Flags.SLOW_MEMORY else int(header["second_bytes"])


def slow_bytes_of_program(blob: bytes) -> int:
    """Bytes of a slow memory that one inference needs. Raises ProgramError like the above."""
    header = _header(blob)
    return int(header["second_bytes"]) if int(header["flags"]) & Flags.SLOW_MEMORY else 0


def slow_interface(blob: bytes) -> Mapping[int, int]:
    """Which inputs and outputs lie in the slow memory, and where: number of the io record, inputs first -> offset in that memory.

    Raises ProgramError like the above.
    """
    header = _header(blob)
    if not slow_bytes_of_program(blob):
        return {}
    count, first, border = (int(header[name]) for name in ("input_count", "io_offset", "workspace_bytes"))
    count += int(header["output_count"])
    if first + count * IO.size_bytes > len(blob):
        raise ProgramError(f"the program ends after {len(blob)} bytes, inside its io records")
    found = [int(IO.unpack(blob, first + k * IO.size_bytes)["address"]) for k in range(count)]
    return {k: address - border for k, address in enumerate(found) if address >= border}


def _header(blob: bytes) -> Mapping[str, int | float]:
    try:
        header = HEADER.unpack(blob, 0)
    except struct.error:
        raise ProgramError(f"the program ends after {len(blob)} bytes, inside its header") from None
    if header["magic"] != MAGIC:
        raise ProgramError("these bytes are not a TFLM_SPLIT program")
    return header
