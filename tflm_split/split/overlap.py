"""How far may an output row reach into an input row that dies in the same step?

The kernels' contract (`tflm_runtime_patch/split_nn/split_nn.h`, rules 1 to 3): pixels are computed in increasing column
order, so output pixel x may lie on input bytes that only the windows of earlier pixels read. An output row that starts
low enough, a pixel or two below the input row, therefore runs over it as it is consumed. No copy, no scratch; in-place
pointwise convolutions (vMCU) and depthwise line buffers with one row less both follow.
"""

from __future__ import annotations

from tflm_split import kinds
from tflm_split.kinds.kind import InPlace
from tflm_split.split.row_op import Read, RowOp


def overlap_distance(op: RowOp, read: Read, align: int) -> int | None:
    """Bytes, a multiple of `align`, by which the output row must start below the dying row of `read`.

    0 means the very same address. None when the two rows may not share a byte, or would not. Rows are dense: pixels
    follow each other without gaps in both.
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
    """A parameter; `default` where the kind has no such parameter."""
    value = op.params[name] if default is None else op.params.get(name, default)
    assert isinstance(value, int)
    return value
