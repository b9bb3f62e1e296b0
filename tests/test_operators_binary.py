"""ADD, SUB and MUL: which operands are broadcast, which may be overwritten, and when the operator is a table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from operator_cases import act, binary, each_refused, numbers, refusal, split, weights
from tiny_models import T, single_op

from tflm_split.ir.graph import Graph
from tflm_split.kinds import OpKind
from tflm_split.split.rows import ROW_ZERO, SAME_ROW, RowShape, Window


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_a_binary_operator_may_write_over_either_whole_operand(kind: str) -> None:
    (op,) = split(single_op(kind, [act(1, 6, 5, 3), act(1, 6, 5, 3)], act(1, 6, 5, 3)))
    assert op.kind is OpKind[kind]
    assert [(r.window, r.may_be_overwritten) for r in op.reads] == [(SAME_ROW, True)] * 2


@pytest.mark.parametrize(
    ("shape", "seen", "window"),
    [
        ((1, 1, 1, 3), RowShape(1, 1, 3), ROW_ZERO),
        ((3,), RowShape(1, 1, 3), ROW_ZERO),
        ((1, 6, 1, 3), RowShape(6, 1, 3), SAME_ROW),
        ((1, 6, 1, 1), RowShape(6, 1, 1), SAME_ROW),
        ((1, 6, 5, 1), RowShape(6, 5, 1), SAME_ROW),
    ],
)
def test_an_operand_is_broadcast(shape: tuple[int, ...], seen: RowShape, window: Window) -> None:
    (op,) = split(single_op("MUL", [act(1, 6, 5, 3), act(*shape)], act(1, 6, 5, 3)))
    assert (op.reads[1].shape, op.reads[1].window, op.reads[1].may_be_overwritten) == (seen, window, False)


def test_a_constant_row_is_broadcast_along_a_map() -> None:
    constant = T((1, 1, 5, 3), "INT8", 0.05, data=np.ones((1, 1, 5, 3), np.int8))
    (op,) = split(single_op("ADD", [act(1, 6, 5, 3), constant], act(1, 6, 5, 3)))
    assert (op.reads[1].shape, op.reads[1].window) == (RowShape(1, 5, 3), ROW_ZERO)


@pytest.mark.parametrize("first", [False, True])
def test_a_scalar_constant_makes_a_table(first: bool) -> None:
    operands = [act(1, 6, 5, 3), numbers(9, dtype="INT8", scale=0.1)]
    (op,) = split(single_op("SUB", operands[::-1] if first else operands, act(1, 6, 5, 3)))
    assert (op.kind, len(op.reads), op.reads[0].may_be_overwritten) == (OpKind.LUT, 1, True)


@each_refused(
    (
        "binary types",
        lambda: binary(act(1, 6, 5, 3), act(1, 6, 5, 3, dtype="INT16")),
        "dtype",
        "its input 1 is INT16, needs INT8",
    ),
    (
        "two constants",
        lambda: binary(weights(1, 6, 5, 3), weights(1, 6, 5, 3)),
        "constant",
        "all its inputs are constants",
    ),
    (
        "more dimensions",
        lambda: binary(act(1, 3), act(1, 1, 1, 3), target=act(1, 3)),
        "broadcast",
        "an input has more dimensions than the output",
    ),
    (
        "row along columns",
        lambda: binary(act(1, 6, 5, 3), act(1, 1, 5, 3)),
        "broadcast",
        "a broadcast input is cut along another axis",
    ),
    (
        "part of the rows",
        lambda: binary(act(2, 5, 3), act(1, 5, 3), target=act(2, 5, 3)),
        "broadcast",
        "its input [1, 5, 3] broadcasts along part of the rows",
    ),
)
def test_refusal(model: Callable[[], bytes | Graph], kind: str, reason: str) -> None:
    assert refusal(model()) == (kind, reason)
