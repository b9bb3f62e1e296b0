"""TRANSPOSE_CONV and RESIZE_NEAREST_NEIGHBOR cut into rows: what a row reads, and what stays a stock operator."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import Op, T, build_model

from tflm_split.errors import Refusal
from tflm_split.kinds import OpKind
from tflm_split.split.operators import split_operator
from tflm_split.split.operators.resize import nearest
from tflm_split.split.overlap import overlap_distance
from tflm_split.split.row_op import RowOp
from tflm_split.split.rows import MappedRow, RowShape, TransposedWindow
from tflm_split.tflite.reader import read_model


def split(tensors: Sequence[T], op: Op) -> RowOp:
    model = build_model(tensors, [op], [t for t in op.inputs if tensors[t].data is None], op.outputs)
    graph = read_model(model).graph
    (row_op,) = split_operator(graph, graph.operators[0])
    return row_op


def numbers(*values: int) -> T:
    return T((len(values),), "INT32", data=np.array(values, np.int32))


def transposed(
    size: tuple[int, int] = (4, 5),
    out: tuple[int, int] = (8, 10),
    kernel: tuple[int, int] = (3, 2),
    stride: tuple[int, int] = (2, 2),
    padding: str = "SAME",
    channels: int = 2,
    dtype: str = "INT8",
    shape: T | None = None,
    options: Mapping[str, Any] | None = None,
) -> RowOp:
    """A model: TRANSPOSE_CONV of 2 channels to 3, with bias 7, 8, 9 and weights 0, 1, 2, ..."""
    weights = np.arange(3 * kernel[0] * kernel[1] * channels).astype(np.int8).reshape(3, *kernel, channels)
    tensors = [
        shape or numbers(1, *out, 3),
        T(weights.shape, scale=0.01, data=weights),
        T((1, *size, 2), dtype, 0.05, 5),
        T((3,), "INT32", 0.0005, data=np.array([7, 8, 9], np.int32)),
        T((1, *out, 3), dtype, 0.1, -3),
    ]
    given = {"padding": padding, "stride_h": stride[0], "stride_w": stride[1], **(options or {})}
    return split(tensors, Op("TRANSPOSE_CONV", (0, 1, 2, 3), (4,), given))


def resized(size: tuple[int, int], out: tuple[int, int], wanted: T | None = None, dtype: str = "INT8") -> RowOp:
    tensors = [T((1, *size, 2), dtype, 0.1), wanted or numbers(*out), T((1, *out, 2), dtype, 0.1)]
    options = {"align_corners": False, "half_pixel_centers": False}
    return split(tensors, Op("RESIZE_NEAREST_NEIGHBOR", (0, 1), (2,), options))


def test_a_transposed_convolution_reads_the_rows_that_reach_it() -> None:
    op = transposed()
    assert (op.kind, op.output_shape, op.steps) == (OpKind.TRANSPOSE_CONV, RowShape(8, 10, 3), 8)
    assert op.reads[0].shape == RowShape(4, 5, 2)
    assert op.reads[0].window == TransposedWindow(3, 2, 0)
    assert [list(op.reads[0].window.rows(r, 4)) for r in range(8)] == [[0], [0], [0, 1], [1], [1, 2], [2], [2, 3], [3]]


def test_its_bias_is_as_it_was_because_the_number_of_taps_varies() -> None:
    assert transposed().params["bias_offset"] == struct.pack("<3i", 7, 8, 9)
    assert transposed().params["input_zero_point"] == 5


def test_its_padding_is_that_of_the_convolution_over_its_output() -> None:
    op = transposed((4, 5), (4, 5), (3, 5), (1, 1))
    assert (op.params["pad_rows"], op.params["pad_columns"]) == (1, 2)
    op = transposed((4, 5), (6, 9), (3, 5), (1, 1), "VALID")
    assert (op.params["pad_rows"], op.params["pad_columns"]) == (0, 0)


def test_a_map_of_height_one_has_its_columns_as_rows_and_its_kernel_turned() -> None:
    op = transposed((1, 5), (1, 10), (1, 3), (1, 2))
    assert (op.params["kernel_rows"], op.params["kernel_columns"], op.params["stride_rows"]) == (3, 1, 2)
    assert (op.reads[0].shape, op.output_shape) == (RowShape(5, 1, 2), RowShape(10, 1, 3))


def test_a_row_that_no_tap_reaches_reads_nothing() -> None:
    op = transposed((4, 5), (12, 10), (2, 2), (3, 2), "VALID")
    assert list(op.reads[0].window.rows(2, 4)) == []


def test_a_resize_reads_one_row_and_maps_it() -> None:
    op = resized((2, 3), (5, 6))
    assert (op.kind, op.output_shape, op.steps) == (OpKind.RESIZE_NEAREST, RowShape(5, 6, 2), 5)
    assert op.reads[0].window == MappedRow((0, 0, 0, 1, 1))
    assert op.params["row_map_offset"] == struct.pack("<5H", 0, 0, 0, 1, 1)
    assert op.params["column_map_offset"] == struct.pack("<6H", 0, 0, 1, 1, 2, 2)


def test_a_resize_of_a_map_of_height_one_has_its_columns_as_rows() -> None:
    op = resized((1, 3), (1, 6))
    assert op.reads[0].window == MappedRow((0, 0, 1, 1, 2, 2))
    assert op.params["column_map_offset"] == struct.pack("<H", 0)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 50), st.integers(1, 200), st.booleans(), st.booleans())
def test_the_nearest_index_exists_and_never_goes_back(inputs: int, outputs: int, align: bool, centers: bool) -> None:
    found = nearest(inputs, outputs, align, centers)
    assert len(found) == outputs
    assert found[0] >= 0
    assert found[-1] < inputs
    assert list(found) == sorted(found)


@pytest.mark.parametrize("op", [transposed(), resized((2, 3), (2, 3))], ids=["transposed", "resized"])
def test_neither_may_run_over_its_dying_row(op: RowOp) -> None:
    assert overlap_distance(op, op.reads[0], 4) is None


@pytest.mark.parametrize(
    ("fields", "kind", "reason"),
    [
        ({"dtype": "FLOAT32"}, "dtype", "its input is FLOAT32, needs INT8 or INT16"),
        ({"shape": T((4,), "INT32")}, "constant", "its input 0 is computed at run time, needs a constant"),
        ({"channels": 3}, "geometry", "its weights and input disagree on channels"),
        ({"kernel": (33, 2)}, "geometry", "its window spans 33 rows, at most 32 can be read at once"),
        ({"stride": (0, 1)}, "geometry", "its stride or kernel is not positive, or too large"),
        (
            {"out": (2, 10), "kernel": (5, 2), "padding": "VALID"},
            "geometry",
            "its output has 2 along h, less than its kernel",
        ),
        ({"size": (1, 5)}, "geometry", "its input and output are cut along different axes"),
        (
            {"options": {"fused_activation_function": "TANH"}},
            "activation",
            "its fused activation TANH is not supported",
        ),
    ],
)
def test_a_transposed_convolution_that_stays_stock(fields: dict[str, Any], kind: str, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        transposed(**fields)
    assert (refused.value.kind, refused.value.reason) == (kind, reason)


@pytest.mark.parametrize(
    ("fields", "kind", "reason"),
    [
        ({"dtype": "FLOAT32"}, "dtype", "its input is FLOAT32, needs INT8"),
        ({"wanted": T((2,), "INT32")}, "constant", "its input 1 is computed at run time, needs a constant"),
        ({"wanted": numbers(4, 7)}, "geometry", "its size is [4, 7], its output is [1, 4, 6, 2]"),
    ],
)
def test_a_resize_that_stays_stock(fields: dict[str, Any], kind: str, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        resized((2, 3), (4, 6), **fields)
    assert (refused.value.kind, refused.value.reason) == (kind, reason)
