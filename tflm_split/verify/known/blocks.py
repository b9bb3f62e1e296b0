"""DEPTH_TO_SPACE."""

from __future__ import annotations

from collections.abc import Iterator

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


KNOWN = {OpKind.DEPTH_TO_SPACE: Known(_depth_to_space, _reads, APART)}
