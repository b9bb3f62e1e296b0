"""FETCH, EMIT."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tflm_split.kinds import OpKind
from tflm_split.program.types import Op, Program
from tflm_split.verify.known.entry import Known
from tflm_split.verify.known.sharing import APART
from tflm_split.verify.operands import Operands, Row


def _slot(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    """The place of row `row` among the rows of its call."""
    yield op.input, row % program.views[op.input].row_count


def _own(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    yield op.input, row


def _fetch(step: Operands) -> Row:
    """The row as it came; an int8 whose highest bit is inverted is the uint8, less 128."""
    return _flipped(step, step.row % step.source.row_count)


def _emit(step: Operands) -> Row:
    """The row as it goes."""
    return _flipped(step, step.row)


def _flipped(step: Operands, row: int) -> Row:
    taken = step.read(row)
    return np.asarray(taken ^ -128 if step.p["flip"] else taken)


KNOWN = {
    OpKind.FETCH: Known(_fetch, _slot, APART, fetches=True),
    OpKind.EMIT: Known(_emit, _own, APART, emits=True),
}
