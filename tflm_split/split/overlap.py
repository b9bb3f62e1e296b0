"""How far may an output row reach into an input row that dies in the same step?

The kernels promise to compute pixels in increasing column order (`tflm_runtime_patch/split_nn/split_nn.h`, rules 1 to 3).
So output pixel x may lie on input bytes that only the windows of earlier pixels read. An output row that starts low
enough, a pixel or two below the input row, follows behind the reading:

    address   low                              high
    input          [ 0 ][ 1 ][ 2 ][ 3 ]              dies in this step
    output    [ 0 ][ 1 ][ 2 ][ 3 ]                   starts `distance` bytes lower

Nothing is copied, and no scratch is needed. Two known savings follow: in-place pointwise convolutions (vMCU), and
depthwise line buffers with one row less.
"""

from __future__ import annotations

from tflm_split import kinds
from tflm_split.kinds.kind import InPlace
from tflm_split.split.row_op import Read, RowOp


def overlap_distance(op: RowOp, read: Read, align: int) -> int | None:
    """By how many bytes must the output row start below the dying row of `read`?

    A multiple of `align`; 0 is the same address. None when the two rows may not share a byte, or would not share one. Both
    rows are dense: their pixels follow each other without gaps.
    """
    source, target = read.shape, op.output_shape
    if read.may_be_overwritten:
        return 0 if source.row_bytes == target.row_bytes else None
    kind = kinds.of(op.kind)
    if kind.in_place not in (InPlace.IN_ORDER, InPlace.CHANNEL_WISE):
        return None
    stride, pad = _number(op, "stride_columns", 1), _number(op, "pad_columns")
    single_column = _number(op, "kernel_columns", 1) == 1 and stride == 1 and pad == 0
    multiplier = _number(op, "groups") if kind.multiplies_depth else 1
    if (
        kind.in_place is InPlace.CHANNEL_WISE
        and single_column
        and multiplier == 1
        and source.row_bytes == target.row_bytes
    ):
        return 0
    distance = max(
        (x + 1) * target.pixel_bytes - (x * stride - pad) * source.pixel_bytes for x in (0, target.columns - 1)
    )
    distance = -(-distance // align) * align
    return distance if 0 <= distance < target.row_bytes else None


def _number(op: RowOp, name: str, default: int | None = None) -> int:
    """An integer parameter of `op`, or `default` where its kind has no such parameter."""
    value = op.params[name] if default is None else op.params.get(name, default)
    assert isinstance(value, int)
    return value
