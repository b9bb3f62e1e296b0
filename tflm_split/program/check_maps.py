"""The rules of the op kinds whose output pixel is worked out from where it lies: RESIZE_BILINEAR, GATHER, DEPTH_TO_SPACE,
and of PIXEL_SUM. Each function gives the fault, or None.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from tflm_split.program.format import MAX_SUMMED, POSITIONS_PER_PIXEL, MeanMode, OpKind
from tflm_split.program.types import Op, Program, View


def rows_mixed(program: Program, op: Op, row: int) -> tuple[int, ...]:
    """The one or two input rows that row `row` of a RESIZE_BILINEAR is made of."""
    first, rest = divmod(_positions(program, op, "row_positions_offset")[row], POSITIONS_PER_PIXEL)
    return (first, first + 1) if rest else (first,)


def _positions(program: Program, op: Op, name: str) -> tuple[int, ...]:
    constant = program.constants[int(op.params[name])]
    return struct.unpack(f"<{len(constant) // 4}I", constant)


def shape_fault(kind: OpKind, params: Mapping[str, int | float], output: View, source: View) -> str | None:
    """What is wrong with the shapes and numbers of an op of these kinds."""
    wanted = 4 if kind is OpKind.GATHER else 1
    if source.element_bytes != wanted:
        return f"its input has elements of {source.element_bytes} bytes"
    if output.element_bytes != 1:
        return f"its output has elements of {output.element_bytes} bytes"
    read = (source.row_count, source.column_count, source.channel_count)
    written = (output.row_count, output.column_count, output.channel_count)
    match kind:
        case OpKind.RESIZE_BILINEAR if read[2] != written[2]:
            return f"it resizes {read[2]} channels into {written[2]}"
        case OpKind.GATHER:
            if read != (written[0], 1, 1):
                return f"its indices of shape {list(read)} are not one for each of {written[0]} rows"
            if params["entry_count"] < 1:
                return "its table is empty"
        case OpKind.DEPTH_TO_SPACE:
            block = int(params["block"])
            if block < 1 or (read[0] * block, read[1] * block, read[2]) != (*written[:2], written[2] * block**2):
                return f"blocks of {block} make no {list(written)} of {list(read)}"
        case OpKind.PIXEL_SUM:
            if written != (*read[:2], 1):
                return f"it sums pixels of shape {list(read)} into {list(written)}"
            if read[2] > MAX_SUMMED:
                return f"it sums {read[2]} channels, and {MAX_SUMMED} is the most"
            if params["mode"] != MeanMode.MEAN:
                return f"its mode is {params['mode']}"
            if params["count"] < 1:
                return f"its count is {params['count']}"
    return None


def position_fault(program: Program, op: Op, source: View) -> str | None:
    """A position of a RESIZE_BILINEAR outside its input; its constants have been checked."""
    for axis, count in (("row", source.row_count), ("column", source.column_count)):
        if max(_positions(program, op, f"{axis}_positions_offset")) > (count - 1) * POSITIONS_PER_PIXEL:
            return f"its {axis} positions lead outside the input's {count} {axis}s"
    return None
