"""How are names, numbers and bytes written in C? The same model always gives the same text."""

from __future__ import annotations

import re

import numpy as np

from tflm_split.errors import InputError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_RUNTIME = "split_nn"
_PER_LINE = 16
_MEMBERS = tuple(f"0x{value:02x}," for value in range(256))

ALIGNAS = """\
#if !defined(__cplusplus)
#include <stdalign.h>
#endif
"""
"""The include that gives C11 `alignas`. C++11 has it built in."""


def checked_name(name: str) -> str:
    """`name`, if files and C symbols can begin with it. Raises InputError otherwise."""
    if not _IDENTIFIER.fullmatch(name):
        raise InputError(f"{name!r} is not a C identifier: letters, digits and underscores, no digit first")
    if name.startswith(_RUNTIME):
        raise InputError(f"{name!r} begins like the runtime's own files, {_RUNTIME}")
    return name


def xxd_name(file_name: str) -> str:
    """The array name of `xxd -i file_name`: `_` for all but letters and digits, and `__` before a leading digit."""
    name = re.sub(r"[^A-Za-z0-9]", "_", file_name)
    return f"__{name}" if name[:1].isdigit() else name


def byte_lines(data: bytes) -> str:
    """The members of an array initialiser: lines of 16 bytes, each ending in a newline."""
    rows = (data[k : k + _PER_LINE] for k in range(0, len(data), _PER_LINE))
    return "".join("    " + " ".join(_MEMBERS[value] for value in row) + "\n" for row in rows)


def float_literal(value: float) -> str:
    """The shortest C literal with exactly this float32 value."""
    text = repr(float(str(np.float32(value))))
    return f"{text}f"


def comment_text(text: str) -> str:
    """`text` as it may stand inside a C comment: printable ASCII, no comment marks."""
    plain = "".join(c if " " <= c <= "~" else "?" for c in text)
    return plain.replace("*/", "* /").replace("/*", "/ *")
