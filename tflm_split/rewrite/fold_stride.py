"""Read several samples of a signal as one pixel: a long window with a stride becomes a short one without.

The first layer of many networks on raw signals reads 80 samples and goes on by 4. Each pixel of 4 samples is 4 channels:

    before   [1, 1, T, C]           80 taps of C channels, stride 4
    after    [1, 1, T / 4, 4 * C]   20 taps of 4 * C channels, stride 1

The weights keep their order. Zeros are added where padding does not start at a whole pixel, and at the end. Integers
multiplied by 0 add nothing, so this is exact.
"""

from __future__ import annotations

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Option
from tflm_split.rewrite.patch import Patch, Site
from tflm_split.split.operators.window import window_axes

FOLD_STRIDE = "fold_stride"
LONG_WINDOW = 32
"""Windows of fewer samples are read sample by sample."""


def fold_stride(site: Site) -> Patch | None:
    """The patch at a CONV_2D on a signal, of a window of more than `LONG_WINDOW` samples with a stride."""
    graph, op = site.graph, site.op
    if op.kind != "CONV_2D":
        return None
    source, weights, target = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]], graph.tensors[op.outputs[0]]
    if weights.dtype != "INT8" or weights.data is None or len(weights.data) != weights.elements:
        return None
    if source.shape[0] != 1 or source.shape[3] != weights.shape[3] or min(source.shape[1:3]) != 1:
        return None
    along = 2 if source.shape[1] == 1 else 1
    try:
        axis = window_axes(op, source, target, (weights.shape[1], weights.shape[2]), dilated=True)[along - 1]
    except Refusal:
        return None
    stride, pixels = axis.stride, source.shape[along] // max(axis.stride, 1)
    if weights.shape[3 - along] != 1 or target.shape[3 - along] != 1:
        return None
    if axis.kernel <= LONG_WINDOW or stride < 2 or axis.dilation != 1 or source.shape[along] % stride:
        return None
    front = -axis.pad % stride
    taps = -(-(front + axis.kernel) // stride)
    patch = Patch(FOLD_STRIDE, graph, (op,))
    channels = stride * source.shape[3]
    values = np.zeros((weights.shape[0], taps * stride, source.shape[3]), np.int8)
    values[:, front : front + axis.kernel] = np.frombuffer(weights.data, np.int8).reshape(
        weights.shape[0], -1, source.shape[3]
    )
    short = [weights.shape[0], 1, 1, channels]
    short[along] = taps
    before = (axis.pad + front) // stride
    pads = {"pad_top": 0, "pad_bottom": 0, "pad_left": 0, "pad_right": 0}
    names = ("pad_left", "pad_right") if along == 2 else ("pad_top", "pad_bottom")
    pads |= dict(zip(names, (before, target.shape[along] - 1 + taps - before - pixels), strict=True))
    options: dict[str, Option] = {"padding": "EXPLICIT", f"stride_{'hw'[along - 1]}": 1, **pads}
    shape = tuple(pixels if a == along else channels if a == 3 else 1 for a in range(4))
    inputs = (patch.reshape(source.index, shape), patch.constant(weights, values.reshape(short)), *op.inputs[2:])
    patch.copy(op, inputs, op.outputs[0], options)
    return patch
