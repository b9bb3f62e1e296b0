"""What does the program's byte format look like in C?

`render()` answers with `tflm_runtime_patch/split_nn/generated/split_nn_format.h`, generated from `format.py` so that the format
has one owner. `python -m tflm_split.program.c_header` rewrites the file; with `--check` it only says whether the file
is fresh (exit code 1 if not).
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path

from tflm_split.program import format as fmt

HEADER_PATH = (
    Path(__file__).resolve().parents[2] / "tflm_runtime_patch" / "split_nn" / "generated" / "split_nn_format.h"
)

_ENUMS: tuple[tuple[str, type[IntEnum]], ...] = (
    ("STORAGE", fmt.StorageKind),
    ("STORAGE", fmt.StorageFlags),
    ("OP", fmt.OpKind),
    ("FLAG", fmt.Flags),
    ("WEIGHT", fmt.WeightFlags),
    ("MEAN", fmt.MeanMode),
    ("POOL", fmt.PoolMode),
    ("BINARY", fmt.BinaryMode),
    ("UNARY", fmt.UnaryMode),
)

_TOP = """\
/* The byte format of a TFLM_SPLIT program: generated from tflm_split/program/format.py by
 * `python -m tflm_split.program.c_header`; edit that file, not this one. Valid in C99 and C++11.
 *
 * Every record is little-endian, naturally aligned and without padding, so a program that starts at a
 * 4-aligned address is read in place on a little-endian machine. */
/* clang-format off */
#ifndef SPLIT_NN_FORMAT_H_
#define SPLIT_NN_FORMAT_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
"""

_BOTTOM = """
#ifdef __cplusplus
}
#endif

#endif /* SPLIT_NN_FORMAT_H_ */
"""


def _comment(text: str) -> str:
    lines = textwrap.wrap(" ".join(text.split()), 105)
    return "/* " + "\n * ".join(lines) + " */"


def _constants() -> str:
    rows = (
        ("SPLIT_MAGIC", f"0x{fmt.MAGIC:08X}u", "the bytes 'T' 'S' 'P' 'L'"),
        ("SPLIT_VERSION", f"{fmt.VERSION}u", ""),
        ("SPLIT_NONE", f"0x{fmt.NONE:04X}u", "names no view"),
        ("SPLIT_NO_ADDRESS16", f"0x{fmt.NO_ADDRESS16:04X}u", "TABLE16: this row has no address"),
        ("SPLIT_NO_ADDRESS32", f"0x{fmt.NO_ADDRESS32:08X}u", "TABLE32: this row has no address"),
        ("SPLIT_MAX_WINDOW_ROWS", f"{fmt.MAX_WINDOW_ROWS}", "input rows one step may read through a window"),
        ("SPLIT_POSITIONS_PER_PIXEL", f"{fmt.POSITIONS_PER_PIXEL}u", "units of a RESIZE_BILINEAR position"),
        ("SPLIT_MOVE_ALIGN", f"{fmt.MOVE_ALIGN}u", "moves go by multiples of this many bytes"),
        ("SPLIT_MOVES_BIT", f"{fmt.MOVES_BIT}", "of SPLIT_NN_KINDS: this build can move rows"),
        ("SPLIT_MAX_SUMMED", f"{fmt.MAX_SUMMED}u", "int8 that may be added up"),
        ("SPLIT_TABLE16_UNIT", f"{fmt.TABLE16_UNIT}u", "bytes per unit of a TABLE16 address"),
    )
    return "\n".join(f"#define {name} {value}" + (f" /* {note} */" if note else "") for name, value, note in rows)


def _enum(prefix: str, members: type[IntEnum]) -> str:
    doc = _comment((members.__doc__ or "").strip()) + "\n" if members.__doc__ else ""
    body = "\n".join(f"    SPLIT_{prefix}_{m.name} = {m.value}," for m in members)
    return f"{doc}enum {{\n{body}\n}};"


def _struct(record: fmt.Record) -> str:
    lines = [_comment(record.doc), f"typedef struct {record.name} {{"]
    for member in record.members:
        if isinstance(member, fmt.Block):
            lines.append(f"    {member.record.name} {member.name};")
            continue
        note = f" /* {member.comment} */" if member.comment else ""
        line = f"    {member.ctype} {member.name};{note}"
        if len(line) > 110:
            lines.append("    " + _comment(member.comment).replace("\n", "\n    "))
            line = f"    {member.ctype} {member.name};"
        lines.append(line)
    lines += [
        f"}} {record.name};",
        f"typedef char {record.name}_is_{record.size_bytes}_bytes[sizeof({record.name}) == {record.size_bytes} ? 1 : -1];",
    ]
    return "\n".join(lines)


def render() -> str:
    """The whole text of `split_nn_format.h`."""
    parts = [_TOP, _constants() + "\n"]
    parts += [_enum(prefix, members) + "\n" for prefix, members in _ENUMS]
    parts += ["\n".join(_struct(record) + "\n" for record in fmt.RECORDS).rstrip("\n")]
    return "\n".join(parts) + "\n" + _BOTTOM


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrites the header and returns 0; with `--check` returns 1 when the file on disk is stale."""
    parser = argparse.ArgumentParser(prog="python -m tflm_split.program.c_header", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if the header is stale")
    check = bool(parser.parse_args(arguments).check)
    text = render()
    if not check:
        HEADER_PATH.write_text(text, encoding="utf-8")
        return 0
    if HEADER_PATH.is_file() and HEADER_PATH.read_text(encoding="utf-8") == text:
        return 0
    print("split_nn_format.h is stale: run `python -m tflm_split.program.c_header`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
