"""SLICE, STRIDED_SLICE and SPLIT are windows and need no step. A slice that is no window is copied."""

from __future__ import annotations

import struct

import pytest
from operator_cases import act, numbers
from tiny_models import single_op

from tflm_split.errors import Refusal
from tflm_split.kinds import OpKind
from tflm_split.split.operators import split_operator
from tflm_split.split.operators.slices import slice_aliases
from tflm_split.split.rows import MappedRow, RowShape
from tflm_split.split.storage import Alias
from tflm_split.tflite.reader import read_model


def aliases(model: bytes) -> tuple[Alias, ...]:
    graph = read_model(model).graph
    return slice_aliases(graph, graph.operators[0])


def sliced(begin: tuple[int, ...], size: tuple[int, ...]) -> Alias:
    (alias,) = aliases(single_op("SLICE", [act(1, 8, 6, 4), numbers(*begin), numbers(*size)], act(*size)))
    return alias


def test_a_slice_of_rows_is_some_of_the_rows() -> None:
    assert sliced((0, 2, 0, 0), (1, 3, 6, 4)) == Alias(3, 0, first_row=2, row_bytes=24)


def test_a_slice_of_columns_and_channels_keeps_the_distance_of_pixels() -> None:
    assert sliced((0, 2, 1, 3), (1, 3, 5, 1)) == Alias(3, 0, 2, offset_bytes=7, pixel_stride_bytes=4, row_bytes=24)


def test_a_split_is_a_window_per_output() -> None:
    model = single_op("SPLIT", [numbers(3), act(1, 8, 6, 4)], [act(1, 8, 6, 2), act(1, 8, 6, 2)], num_splits=2)
    assert [(a.offset_bytes, a.pixel_stride_bytes) for a in aliases(model)] == [(0, 4), (2, 4)]


@pytest.mark.parametrize(
    ("end", "strides", "mask", "reason"),
    [
        ((1, 8, 6, 4), (1, 2, 1, 1), {}, "its strides are [1, 2, 1, 1], needs 1"),
        ((1, 4, 6, 4), (1, 1, 1, 1), {"new_axis_mask": 1}, "it has a new_axis_mask"),
        ((1, 3, 6, 4), (1, 1, 1, 1), {}, "its output is not what its bounds say"),
    ],
)
def test_a_slice_with_holes_is_no_window(
    end: tuple[int, ...], strides: tuple[int, ...], mask: dict[str, int], reason: str
) -> None:
    operands = [act(1, 8, 6, 4), numbers(0, 0, 0, 0), numbers(*end), numbers(*strides)]
    with pytest.raises(Refusal) as refused:
        aliases(single_op("STRIDED_SLICE", operands, act(1, 4, 6, 4), **mask))
    assert refused.value.reason == reason


def test_a_slice_that_drops_an_axis_is_a_window() -> None:
    operands = [act(1, 8, 4), numbers(0, 3, 0), numbers(1, 4, 4), numbers(1, 1, 1)]
    model = single_op("STRIDED_SLICE", operands, act(1, 4), shrink_axis_mask=2)
    assert aliases(model) == (Alias(4, 0, first_row=3, row_bytes=4),)


def test_a_slice_that_is_no_window_is_copied_by_rows_and_groups_of_channels() -> None:
    operands = [act(1, 8, 6, 4), numbers(0, 7, 1, 2), numbers(1, 1, 6, 4), numbers(1, -2, 2, 1)]
    graph = read_model(single_op("STRIDED_SLICE", operands, act(1, 3, 3, 2))).graph
    (op,) = split_operator(graph, graph.operators[0])
    assert (op.kind, op.reads[0].shape, op.output_shape) == (
        OpKind.RESIZE_NEAREST,
        RowShape(8, 12, 2),
        RowShape(3, 3, 2),
    )
    assert op.reads[0].window == MappedRow((7, 5, 3))
    assert op.params["column_map_offset"] == struct.pack("<3H", 3, 7, 11)
