"""How do people write a memory size, and how is one shown to them?"""

from __future__ import annotations

import re
from fractions import Fraction
from numbers import Integral

from tflm_split.errors import InputError

_UNITS = {"": 1, "K": 1024, "M": 1024 * 1024}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?(?:([KM])(?:I?B)?|B)?", re.IGNORECASE | re.ASCII)

SIZE_HELP = "65536, 64K, 64KB and 64KiB are the same (K = 1024), and 1.5K is 1536"


def parse_bytes(text: str | int) -> int:
    """The bytes of a size: `65536`, `64K`, `64KB`, `64KiB`, `1.5K`. K is 1024 and M is 1024 K; case does not matter.

    Raises InputError for anything else, zero and parts of a byte included.
    """
    if isinstance(text, Integral) and not isinstance(text, bool):
        number = int(text)
    else:
        match = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None:
            raise InputError(f"{text!r} is not a memory size; {SIZE_HELP}")
        exact = Fraction(match[1]) * _UNITS[(match[2] or "").upper()]
        if exact.denominator != 1:
            raise InputError(f"{text!r} is not a memory size: it is no whole number of bytes")
        number = int(exact)
    if number <= 0:
        raise InputError(f"{text!r} is not a memory size: it must be more than 0 bytes")
    return number


def format_bytes(number: int) -> str:
    """`28,032 B`: exact, because budgets are met or missed by single bytes."""
    return f"{number:,} B"


def counted(number: int, noun: str) -> str:
    """`1 input`, `2 inputs`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
