"""RESIZE_NEAREST and RESIZE_BILINEAR."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tflm_split.kinds import OpKind
from tflm_split.program.types import Op, Program
from tflm_split.verify.known.entry import Known
from tflm_split.verify.known.sharing import APART
from tflm_split.verify.operands import Operands, Row


def _nearest(step: Operands) -> Row:
    row_map, column_map = (step.constant(f"{axis}_map_offset", np.uint16) for axis in ("row", "column"))
    return step.read(int(row_map[step.row]))[column_map]


def _nearest_reads(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    row_map = program.constants[int(op.params["row_map_offset"])]
    yield op.input, int.from_bytes(row_map[2 * row : 2 * row + 2], "little")


def _bilinear(step: Operands) -> Row:
    """Weights in 1/1024 along each axis; the four products are added up before the one rounding."""
    (low, high), up = _neighbours(step.constant("row_positions_offset", np.uint32)[step.row])
    (left, right), along = _neighbours(step.constant("column_positions_offset", np.uint32))
    mixed = step.read(int(low)) * (1024 - up) + step.read(int(high)) * up
    along = along[:, None]
    total = mixed[left] * (1024 - along) + mixed[right] * along
    return np.asarray(np.sign(total) * ((np.abs(total) + (1 << 19)) >> 20))


def _neighbours(positions: Row) -> tuple[tuple[Row, Row], Row]:
    """(the pixels before and after each position), and how far beyond the first it lies."""
    low, rest = positions // 1024, positions % 1024
    return (low, low + (rest > 0)), rest


def _bilinear_reads(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    """A position that lies on a row needs no other."""
    positions = program.constants[int(op.params["row_positions_offset"])]
    position = int.from_bytes(positions[4 * row : 4 * row + 4], "little")
    yield op.input, position >> 10
    if position & 1023:
        yield op.input, (position >> 10) + 1


KNOWN = {
    OpKind.RESIZE_NEAREST: Known(_nearest, _nearest_reads, APART),
    OpKind.RESIZE_BILINEAR: Known(_bilinear, _bilinear_reads, APART),
}
