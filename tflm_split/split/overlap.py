"""How far may an output row reach into an input row that dies in the same step?

The kernels' contract (`tflm_runtime_patch/split_nn/split_nn.h`, rules 1 to 3): pixels are computed in increasing column
order, so output pixel x may lie on input bytes that only the windows of earlier pixels read. An output row that starts
low enough, a pixel or two below the input row, therefore runs over it as it is consumed. No copy, no scratch; in-place
pointwise convolutions (vMCU) and depthwise line buffers with one row less both follow.
"""

from __future__ import annotations

from tflm_split.program.format import OpKind
from tflm_split.split.row_op import Read, RowOp

_DEPTHWISE = frozenset({OpKind.DEPTHWISE, OpKind.DEPTHWISE_INT16, OpKind.DEPTHWISE_FLOAT})
_CHANNEL_WISE = _DEPTHWISE | {OpKind.AVERAGE_POOL, OpKind.MAX_POOL, OpKind.POOL_INT16, OpKind.POOL_FLOAT}
_WINDOWED = _CHANNEL_WISE | {OpKind.CONV, OpKind.CONV_INT16, OpKind.CONV_FLOAT}


def overlap_distance(op: RowOp, read: Read, align: int) -> int | None:
    """Bytes, a multiple of `align`, by which the output row must start below the dying row of `read`.

    0 means the very same address. None when the two rows may not share a byte, or would not. Rows are dense: pixels
    follow each other without gaps in both.
    """
    source, target = read.shape, op.output_shape
    if read.may_be_overwritten:
        return 0 if source.row_bytes == target.row_bytes else None
    if op.kind in _WINDOWED:
        stride, pad = _number(op, "stride_columns"), _number(op, "pad_columns")
        single_column = _number(op, "kernel_columns") == 1 and stride == 1 and pad == 0
        multiplier = _number(op, "groups") if op.kind in _DEPTHWISE else 1
        if op.kind in _CHANNEL_WISE and single_column and multiplier == 1 and source.row_bytes == target.row_bytes:
            return 0
    elif op.kind is OpKind.PAD:
        stride, pad = 1, _number(op, "pad_columns")
    else:
        return None
    distance = max(
        (x + 1) * target.pixel_bytes - (x * stride - pad) * source.pixel_bytes for x in (0, target.columns - 1)
    )
    distance = -(-distance // align) * align
    return distance if 0 <= distance < target.row_bytes else None


def _number(op: RowOp, name: str) -> int:
    value = op.params[name]
    assert isinstance(value, int)
    return value
