"""Operators of one operand, element by element: a table of 256 entries, or arithmetic for floats."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from operator_cases import act, each_refused, refusal, split
from tiny_models import Builder, single_op

from tflm_split.ir.graph import Graph
from tflm_split.kinds import OpKind
from tflm_split.split.rows import RowShape


@pytest.mark.parametrize("kind", ["RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "QUANTIZE"])
def test_a_unary_operator_is_a_table(kind: str) -> None:
    b = Builder((1, 6, 5, 3))
    (op,) = split(b.finish(b.unary(kind, b.input)))
    assert (op.kind, op.steps, op.reads[0].may_be_overwritten) == (OpKind.LUT, 6, True)
    table = op.params["table_offset"]
    assert isinstance(table, bytes) and len(table) == 256


def test_dequantize_is_a_table_of_floats_that_cannot_be_in_place() -> None:
    (op,) = split(single_op("DEQUANTIZE", [act(1, 6, 5, 3)], act(1, 6, 5, 3, dtype="FLOAT32", scale=None)))
    table = op.params["table_offset"]
    assert isinstance(table, bytes) and len(table) == 4 * 256
    assert (op.output_shape, op.reads[0].may_be_overwritten) == (RowShape(6, 5, 3, 4), False)


def test_quantize_of_floats_is_arithmetic() -> None:
    (op,) = split(single_op("QUANTIZE", [act(1, 6, 5, 3, dtype="FLOAT32", scale=None)], act(1, 6, 5, 3)))
    assert (op.kind, op.reads[0].shape) == (OpKind.QUANTIZE_FLOAT, RowShape(6, 5, 3, 4))


@pytest.mark.parametrize(("source", "target"), [("UINT8", "INT8"), ("INT8", "UINT8")])
def test_quantize_between_bytes_is_a_table(source: str, target: str) -> None:
    (op,) = split(single_op("QUANTIZE", [act(4, 3, dtype=source)], act(4, 3, dtype=target)))
    assert op.kind is OpKind.LUT


@each_refused(
    (
        "unary shape",
        lambda: single_op("RELU", [act(4, 3)], act(3, 4)),
        "geometry",
        "its input and output differ in shape",
    ),
    (
        "float to uint8",
        lambda: single_op("QUANTIZE", [act(4, 3, dtype="FLOAT32", scale=None)], act(4, 3, dtype="UINT8")),
        "dtype",
        "it makes UINT8 of floats, needs INT8",
    ),
    (
        "int16 to uint8",
        lambda: single_op("QUANTIZE", [act(4, 3, dtype="INT16")], act(4, 3, dtype="UINT8")),
        "dtype",
        "its output is UINT8, needs INT8 or INT16 or FLOAT32; convert the original model again, with int8 quantisation",
    ),
)
def test_refusal(model: Callable[[], bytes | Graph], kind: str, reason: str) -> None:
    assert refusal(model()) == (kind, reason)
