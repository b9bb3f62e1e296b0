"""An output row may overlap a dying input row as far as the kernels' pixel order allows, and no further."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflm_split.kinds import OpKind
from tflm_split.split.overlap import overlap_distance
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import RowShape

ALIGN = 4


def windowed(
    kind: OpKind, source: RowShape, target: RowShape, kernel: int, stride: int, pad: int, groups: int = 1
) -> RowOp:
    params = {"kernel_columns": kernel, "stride_columns": stride, "pad_columns": pad, "groups": groups}
    return RowOp(0, kind, (Read(0, source),), 1, target, params)


def distance(op: RowOp) -> int | None:
    return overlap_distance(op, op.reads[0], ALIGN)


def lies_only_on_finished_bytes(op: RowOp, below: int, stride: int, pad: int) -> bool:
    """Rule 1 of the kernels' contract, byte by byte: output pixel x touches no byte that a window >= x still reads."""
    source, target = op.reads[0].shape, op.output_shape
    for x in range(target.columns):
        first_needed = max(x * stride - pad, 0) * source.pixel_bytes
        low, high = x * target.pixel_bytes - below, (x + 1) * target.pixel_bytes - below
        if max(low, first_needed) < min(high, source.row_bytes):
            return False
    return True


@settings(max_examples=400, deadline=None)
@given(
    columns=st.integers(1, 12),
    source_channels=st.integers(1, 9),
    target_channels=st.integers(1, 9),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    pad=st.integers(0, 3),
)
def test_a_convolution_row_never_lands_on_bytes_it_still_reads(
    columns: int, source_channels: int, target_channels: int, kernel: int, stride: int, pad: int
) -> None:
    outputs = (columns + 2 * pad - kernel) // stride + 1
    if outputs < 1:
        return
    op = windowed(
        OpKind.CONV, RowShape(9, columns, source_channels), RowShape(9, outputs, target_channels), kernel, stride, pad
    )
    below = distance(op)
    if below is not None:
        assert below % ALIGN == 0
        assert 0 <= below < op.output_shape.row_bytes
        assert lies_only_on_finished_bytes(op, below, stride, pad)


def test_a_pointwise_row_starts_one_pixel_below_its_input() -> None:
    assert distance(windowed(OpKind.CONV, RowShape(9, 10, 8), RowShape(9, 10, 8), 1, 1, 0)) == 8


def test_a_widening_pointwise_row_ends_where_its_input_ends() -> None:
    op = windowed(OpKind.CONV, RowShape(9, 10, 8), RowShape(9, 10, 16), 1, 1, 0)
    assert distance(op) == 10 * 16 - 9 * 8


def test_a_padded_window_waits_for_its_left_neighbour() -> None:
    assert distance(windowed(OpKind.CONV, RowShape(9, 10, 8), RowShape(9, 10, 8), 3, 1, 1)) == 16


def test_a_column_of_one_pixel_is_filtered_in_place_channel_by_channel() -> None:
    assert distance(windowed(OpKind.DEPTHWISE, RowShape(9, 1, 40), RowShape(9, 1, 40), 1, 1, 0)) == 0
    assert distance(windowed(OpKind.CONV, RowShape(9, 1, 40), RowShape(9, 1, 40), 1, 1, 0)) is None


@pytest.mark.parametrize("kind", [OpKind.ADD, OpKind.LUT, OpKind.SOFTMAX])
def test_element_wise_rows_take_the_very_address(kind: OpKind) -> None:
    shape = RowShape(4, 5, 3)
    op = RowOp(0, kind, (Read(0, shape, may_be_overwritten=True),), 1, shape, {})
    assert distance(op) == 0


def test_what_accumulates_shares_no_byte() -> None:
    op = RowOp(0, OpKind.SUM_FEED, (Read(0, RowShape(4, 5, 3)),), 1, RowShape(1, 1, 3), {}, accumulator_bytes=12)
    assert distance(op) is None
