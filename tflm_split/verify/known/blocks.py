"""DEPTH_TO_SPACE and RECUT."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tflm_split.kinds import OpKind
from tflm_split.program.types import Op, Program
from tflm_split.verify.known.entry import Known
from tflm_split.verify.known.sharing import APART
from tflm_split.verify.operands import Operands, Row


def _depth_to_space(step: Operands) -> Row:
    block, output = step.p["block"], step.output
    whole = step.read(step.row // block)
    parts = whole.reshape(len(whole), block, block, output.channel_count)
    return parts[:, step.row % block].reshape(output.column_count, output.channel_count)


def _reads(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    """An input row makes as many output rows as a block has."""
    yield op.input, row // int(op.params["block"])


def _elements_taken(program: Program, op: Op, row: int) -> range:
    """Which elements of the input, counted from its first row on, make output row `row`."""
    output = program.views[op.output]
    count = output.column_count * output.channel_count
    begin = int(op.params["first"]) + row * count
    return range(begin, begin + count)


def _recut_reads(program: Program, op: Op, row: int) -> Iterator[tuple[int, int]]:
    source = program.views[op.input]
    per_row = source.column_count * source.channel_count
    for k in sorted({element // per_row for element in _elements_taken(program, op, row)}):
        yield op.input, k


def _recut(step: Operands) -> Row:
    program, output = step.program, step.output
    taken = _elements_taken(program, step.op, step.row)
    rows = [k for _, k in _recut_reads(program, step.op, step.row)]
    read = np.concatenate([step.read(k).reshape(-1) for k in rows])
    skipped = rows[0] * (len(read) // len(rows))
    return read[taken.start - skipped : taken.stop - skipped].reshape(output.column_count, output.channel_count)


KNOWN = {
    OpKind.DEPTH_TO_SPACE: Known(_depth_to_space, _reads, APART),
    OpKind.RECUT: Known(_recut, _recut_reads, APART),
}
