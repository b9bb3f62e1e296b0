"""Fold a PAD into the convolution that reads it: the padded map never exists.

This is exact: a convolution's own padding adds nothing to a sum, and neither does the PAD's filler, its input's zero point.
(A float 0 adds 0 to the sum, unless the weight is infinite or NaN.)

The folded convolution has `padding="EXPLICIT"`. No stock TFLM kernel knows that, so only convolutions that end up inside
a region may be folded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.split.operators.pad import pad_amounts, pad_value
from tflm_split.split.operators.tall_convolution import TALL_CONV
from tflm_split.split.operators.window import same_pad

FOLD_PAD = "fold_pad"
"""The name of this rewrite."""
_FOLDABLE = ("CONV_2D", "DEPTHWISE_CONV_2D", TALL_CONV)


def fold_pad(graph: Graph, accept: Callable[[Graph, Operator], bool]) -> Graph:
    """`graph` with every PAD folded whose folded convolutions are exact and accepted by `accept`. The others stay."""
    consumers = graph.consumers()
    replaced: dict[int, Operator] = {}
    dropped: set[int] = set()
    for pad in graph.operators:
        if pad.kind not in ("PAD", "PADV2") or pad.outputs[0] in graph.outputs:
            continue
        users = consumers.get(pad.outputs[0], ())
        folded = [_folded(graph, pad, graph.operators[k]) for k in users]
        if folded and all(op is not None and accept(graph, op) for op in folded):
            dropped.add(pad.index)
            replaced.update({op.index: op for op in folded if op is not None})
    kept = tuple(replaced.get(op.index, op) for op in graph.operators if op.index not in dropped)
    return graph.with_operators(kept)


def _folded(graph: Graph, pad: Operator, user: Operator) -> Operator | None:
    """`user` with explicit padding, reading the input of `pad`; None when that would not compute the same."""
    if user.kind not in _FOLDABLE or user.inputs.count(pad.outputs[0]) != 1 or user.inputs[0] != pad.outputs[0]:
        return None
    source, padded = graph.tensors[pad.inputs[0]], graph.tensors[pad.outputs[0]]
    try:
        amounts = pad_amounts(graph, pad)
        filler = pad_value(graph, pad)
    except Refusal:
        return None
    if len(amounts) != 4 or amounts[0] != (0, 0) or amounts[3] != (0, 0):
        return None
    if not (_adds_nothing(graph, user) if source.dtype == "FLOAT32" else _same_numbers(source, padded, filler)):
        return None
    own = _own_padding(graph, user)
    if own is None:
        return None
    (top, bottom), (left, right) = own
    options = dict(user.options) | {
        "padding": "EXPLICIT",
        "pad_top": amounts[1][0] + top,
        "pad_bottom": amounts[1][1] + bottom,
        "pad_left": amounts[2][0] + left,
        "pad_right": amounts[2][1] + right,
    }
    return replace(
        user,
        inputs=(pad.inputs[0], *user.inputs[1:]),
        options=options,
        source=(*pad.source, *user.source),
        rewrite=FOLD_PAD,
    )


def _same_numbers(source: Tensor, padded: Tensor, filler: int) -> bool:
    """Whether both tensors are quantised alike, and the filler is their zero point."""
    a, b = source.quantization, padded.quantization
    alike = a is not None and b is not None and (a.scales, a.zero_points) == (b.scales, b.zero_points)
    return alike and a is not None and a.zero_points == (filler,)


def _adds_nothing(graph: Graph, user: Operator) -> bool:
    """Whether all products of a float convolution's weights with 0 are 0: no weight is infinite or NaN."""
    weights = graph.tensors[user.inputs[1]]
    if weights.dtype != "FLOAT32" or weights.data is None or len(weights.data) % 4:
        return False
    return bool(np.isfinite(np.frombuffer(weights.data, "<f4")).all())


def _own_padding(graph: Graph, op: Operator) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """((top, bottom), (left, right)) that the convolution pads itself; None for an unknown padding."""
    source, target, weights = (graph.tensors[t] for t in (op.inputs[0], op.outputs[0], op.inputs[1]))
    if op.options.get("padding") == "VALID":
        return (0, 0), (0, 0)
    if op.options.get("padding") == "EXPLICIT":
        top, bottom, left, right = (int(op.options[f"pad_{side}"]) for side in ("top", "bottom", "left", "right"))
        return (top, bottom), (left, right)
    if op.options.get("padding") != "SAME" or len(source.shape) != 4 or len(weights.shape) != 4:
        return None
    pads = []
    for axis, letter in ((1, "h"), (2, "w")):
        stride, dilation = op.options.get(f"stride_{letter}"), op.options.get(f"dilation_{letter}_factor")
        if not isinstance(stride, int) or not isinstance(dilation, int) or stride < 1 or dilation < 1:
            return None
        kernel = weights.shape[axis]
        before = same_pad(source.shape[axis], target.shape[axis], kernel, stride, dilation)
        reach = (target.shape[axis] - 1) * stride + (kernel - 1) * dilation + 1
        pads.append((before, max(reach - source.shape[axis] - before, 0)))
    return pads[0], pads[1]
