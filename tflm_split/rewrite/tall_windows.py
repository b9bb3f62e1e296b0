"""Let a convolution with a window of more rows than a step can read work in parts (`split/operators/tall_convolution.py`).

    before   x -> CONV_2D, 64 rows -> y
    after    x -> TALL_CONV_2D -> y, sums

The sums of one output row at a time take memory. So this is the last of the rewrites: a long window with a stride is better
off as a short one (`fold_stride.py`).
"""

from __future__ import annotations

from dataclasses import replace

from tflm_split.errors import Refusal
from tflm_split.kinds.limits import MAX_WINDOW_ROWS
from tflm_split.rewrite.patch import Patch, Site
from tflm_split.split.operators.tall_convolution import TALL_CONV
from tflm_split.split.operators.window import sliding_window

TALL_WINDOWS = "tall_windows"


def tall_windows(site: Site) -> Patch | None:
    """The patch at a CONV_2D of int8 with a window of more than `MAX_WINDOW_ROWS` rows."""
    graph, op = site.graph, site.op
    if op.kind != "CONV_2D":
        return None
    source, weights, target = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[1]], graph.tensors[op.outputs[0]]
    if (source.dtype, weights.dtype, target.dtype) != ("INT8", "INT8", "INT8") or len(weights.shape) != 4:
        return None
    if max(weights.shape[1:3]) <= MAX_WINDOW_ROWS:
        return None
    try:
        window = sliding_window(op, source, target, (weights.shape[1], weights.shape[2]), dilated=True)
    except Refusal:
        return None
    if window.rows.kernel <= MAX_WINDOW_ROWS:
        return None
    patch = Patch(TALL_WINDOWS, graph, (op,))
    sums = patch.tensor(replace(target, name=f"{target.name}[sums]", dtype="INT32", quantization=None), target.shape)
    patch.add(TALL_CONV, op.inputs, op.outputs[0], op.options)
    patch.operators[-1] = replace(patch.operators[-1], outputs=(op.outputs[0], sums))
    return patch
