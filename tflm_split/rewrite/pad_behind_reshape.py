"""Swap a PAD with the RESHAPE behind it, where that only adds or drops axes of one element.

A causal Conv1D pads a tensor of rank 3, and its convolution reads it as a map of height 1:

    before   [1, T, C] -> PAD -> [1, T + p, C] -> RESHAPE -> [1, 1, T + p, C] -> CONV_2D
    after    [1, T, C] -> RESHAPE -> [1, 1, T, C] -> PAD -> [1, 1, T + p, C] -> CONV_2D

This is exact, and the PAD can now be folded into the convolution (`fold_pad.py`).
"""

from __future__ import annotations

from tflm_split.errors import Refusal
from tflm_split.rewrite.patch import Patch, Site
from tflm_split.split.operators import is_reshape
from tflm_split.split.operators.pad import pad_amounts

PAD_BEHIND_RESHAPE = "pad_behind_reshape"


def pad_behind_reshape(site: Site) -> Patch | None:
    """The patch at a RESHAPE to four axes that reads a PAD. A PAD with other readers stays for these."""
    graph, reshape = site.graph, site.op
    if not is_reshape(reshape):
        return None
    pad, target = site.maker(reshape.inputs[0]), graph.tensors[reshape.outputs[0]]
    if pad is None or pad.kind not in ("PAD", "PADV2") or len(target.shape) != 4:
        return None
    source, padded = graph.tensors[pad.inputs[0]], graph.tensors[pad.outputs[0]]
    if len(padded.shape) == 4:
        return None
    try:
        amounts = pad_amounts(graph, pad)
    except Refusal:
        return None
    places = axes_kept(padded.shape, target.shape)
    if (
        places is None
        or len(amounts) != len(source.shape)
        or any((before or after) and axis not in places for axis, (before, after) in enumerate(amounts))
    ):
        return None
    shape, moved = [1] * 4, [(0, 0)] * 4
    for axis, place in places.items():
        shape[place], moved[place] = source.shape[axis], amounts[axis]
    patch = Patch(PAD_BEHIND_RESHAPE, graph, (reshape,), (pad,))
    seen = patch.reshape(pad.inputs[0], shape)
    patch.add(pad.kind, (seen, patch.numbers(moved), *pad.inputs[2:]), reshape.outputs[0])
    return patch


def axes_kept(source: tuple[int, ...], target: tuple[int, ...]) -> dict[int, int] | None:
    """Axis of `source` -> the axis of `target` that it is, where both differ in axes of one element only; else None."""
    inner = [a for a, size in enumerate(source) if size > 1]
    outer = [a for a, size in enumerate(target) if size > 1]
    if [source[a] for a in inner] != [target[a] for a in outer]:
        return None
    return dict(zip(inner, outer, strict=True))
