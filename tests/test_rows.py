"""How a tensor is cut into rows, and which input rows an output row needs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Tensor
from tflm_split.split.rows import (
    MAX_COUNT,
    ROW_ZERO,
    SAME_ROW,
    MappedRow,
    RowShape,
    TransposedWindow,
    Window,
    row_shape,
    shared_axis_is_width,
)


def tensor(*shape: int, dtype: str = "INT8") -> Tensor:
    return Tensor(0, "t", shape, dtype)


@settings(max_examples=500, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(0, 5),
    st.integers(1, 4),
    st.integers(-3, 12),
    st.integers(0, 12),
    st.integers(1, 20),
)
def test_a_window_reads_the_taps_that_exist(
    kernel: int, stride: int, dilation: int, pad: int, row: int, available: int
) -> None:
    taps = [row * stride - pad + k * dilation for k in range(kernel)]
    expected = [tap for tap in taps if 0 <= tap < available]
    assert list(Window(kernel, stride, dilation, pad).rows(row, available)) == expected


@settings(max_examples=500, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 12), st.integers(0, 30), st.integers(1, 12))
def test_a_transposed_window_reads_the_rows_that_reach_the_output_row(
    kernel: int, stride: int, pad: int, row: int, available: int
) -> None:
    expected = [i for i in range(available) if 0 <= row - (i * stride - pad) < kernel]
    assert list(TransposedWindow(kernel, stride, pad).rows(row, available)) == expected


def test_a_mapped_row_reads_one_row() -> None:
    assert [list(MappedRow((0, 0, 2)).rows(r, 3)) for r in range(3)] == [[0], [0], [2]]


def test_same_row_and_row_zero() -> None:
    assert [list(SAME_ROW.rows(r, 3)) for r in range(3)] == [[0], [1], [2]]
    assert [list(ROW_ZERO.rows(r, 1)) for r in range(3)] == [[0], [0], [0]]


def test_a_window_wholly_in_the_padding_reads_nothing() -> None:
    assert list(Window(2, 1, 1, pad=5).rows(0, 4)) == []
    assert list(Window(2, 4, 1, pad=0).rows(3, 4)) == []


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 6, 5, 3), RowShape(6, 5, 3)),
        ((1, 6, 1, 3), RowShape(6, 1, 3)),
        ((1, 1, 5, 3), RowShape(5, 1, 3)),
        ((1, 1, 1, 3), RowShape(1, 1, 3)),
        ((1, 7, 3), RowShape(7, 1, 3)),
        ((2, 7, 3), RowShape(14, 1, 3)),
        ((4, 3), RowShape(4, 1, 3)),
        ((3,), RowShape(1, 1, 3)),
        ((), RowShape(1, 1, 1)),
    ],
)
def test_the_long_spatial_axis_is_the_row_axis(shape: tuple[int, ...], expected: RowShape) -> None:
    assert row_shape(tensor(*shape)) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 9), max_size=4), st.sampled_from(["INT8", "UINT8", "INT16", "FLOAT32"]))
def test_rows_lie_one_after_the_other_and_make_up_the_tensor(shape: list[int], dtype: str) -> None:
    if len(shape) == 4:
        shape[0] = 1
    cut = row_shape(tensor(*shape, dtype=dtype))
    assert cut.rows * cut.row_bytes == cut.bytes == tensor(*shape, dtype=dtype).bytes
    assert cut.row_bytes == cut.columns * cut.pixel_bytes == cut.columns * cut.channels * cut.element_bytes


@pytest.mark.parametrize(
    ("shape", "dtype", "kind", "sentence"),
    [
        ((2, 6, 5, 3), "INT8", "batch", "batch is 2, needs 1"),
        ((1, 2, 3, 4, 5), "INT8", "rank", "tensor 't' has 5 dimensions, at most 4 can be cut into rows"),
        ((1, 0, 5, 3), "INT8", "shape", "tensor 't' is empty"),
        ((1, 2, 3, 4), "STRING", "dtype", "tensor 't' is STRING"),
        ((MAX_COUNT + 1, 3), "INT8", "shape", "tensor 't' has more than 65535 rows or columns"),
        ((1, 2, MAX_COUNT + 1, 3), "INT8", "shape", "tensor 't' has more than 65535 rows or columns"),
    ],
)
def test_a_tensor_without_a_row_axis_is_refused(shape: tuple[int, ...], dtype: str, kind: str, sentence: str) -> None:
    with pytest.raises(Refusal) as refused:
        row_shape(tensor(*shape, dtype=dtype))
    assert (refused.value.kind, refused.value.reason) == (kind, sentence)


@pytest.mark.parametrize(
    ("source", "target", "along_width"),
    [
        ((1, 6, 5, 3), (1, 3, 5, 3), False),
        ((1, 1, 5, 3), (1, 1, 3, 3), True),
        ((1, 6, 5, 3), (1, 1, 1, 3), False),  # a single pixel lies along either axis
        ((1, 1, 5, 3), (1, 1, 1, 3), True),
        ((1, 1, 1, 3), (1, 4, 4, 3), False),
        ((1, 1, 1, 3), (1, 1, 4, 3), True),
        ((1, 1, 1, 3), (1, 1, 1, 3), False),
        ((1, 6, 1, 3), (1, 3, 1, 3), False),
    ],
)
def test_rows_run_along_the_axis_both_maps_have(
    source: tuple[int, ...], target: tuple[int, ...], along_width: bool
) -> None:
    assert shared_axis_is_width(tensor(*source), tensor(*target)) is along_width


@pytest.mark.parametrize(("source", "target"), [((1, 6, 5, 3), (1, 1, 5, 3)), ((1, 1, 5, 3), (1, 3, 7, 3))])
def test_maps_whose_rows_run_along_different_axes_are_refused(source: tuple[int, ...], target: tuple[int, ...]) -> None:
    with pytest.raises(Refusal, match="its input and output are cut along different axes"):
        shared_axis_is_width(tensor(*source), tensor(*target))
