"""Compute element-wise operators before a TRANSPOSE instead of behind it, so that it meets the next one and cancels.

Models that came from PyTorch keep their channels first and turn every tensor around for each convolution:

    before   CONV_2D -> TRANSPOSE -> HARD_SWISH -> TRANSPOSE back -> CONV_2D
    after    CONV_2D -> HARD_SWISH -> TRANSPOSE -> TRANSPOSE back -> CONV_2D       (these two are nothing)

This is exact: an element-wise operator does not ask where an element lies. A reduction or a FULLY_CONNECTED behind the
TRANSPOSE can take the tensor as it was, too: with other axes, or with its weights in another order. Sums of integers do not
depend on the order of their terms; sums of floats do, so those stay.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflm_split.rewrite.moved_elements import permutation, transposed_index
from tflm_split.rewrite.patch import Patch, Site
from tflm_split.split.operators import is_reshape
from tflm_split.split.operators.binary import BINARY_KINDS
from tflm_split.split.operators.unary import UNARY_KINDS

SINK_TRANSPOSES = "sink_transposes"

_ELEMENT_WISE = frozenset((*UNARY_KINDS, *BINARY_KINDS))
_REDUCTIONS = frozenset({"MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"})
_WHOLE_NUMBERS = {"INT8": "i1", "INT16": "<i2"}


def sink_transposes(site: Site) -> Patch | None:
    """The patch at an operator that reads what a TRANSPOSE makes."""
    if site.op.kind in _ELEMENT_WISE:
        return _element_wise(site)
    if site.op.kind in _REDUCTIONS:
        return _reduction(site)
    return _dense(site) if site.op.kind == "FULLY_CONNECTED" else None


def _element_wise(site: Site) -> Patch | None:
    graph, op = site.graph, site.op
    activations = [t for t in op.inputs if t >= 0 and not graph.tensors[t].is_constant]
    makers = [site.maker(t) for t in activations]
    orders = [permutation(graph, m) if m is not None and m.kind == "TRANSPOSE" else None for m in makers]
    order = orders[0] if orders else None
    target = graph.tensors[op.outputs[0]]
    if order is None or any(o != order for o in orders) or len(op.outputs) != 1:
        return None
    if any(graph.tensors[t].shape != target.shape or t in graph.outputs for t in activations):
        return None
    if any(graph.operators[k].kind not in _ELEMENT_WISE for t in activations for k in site.consumers[t]):
        return None
    patch = Patch(SINK_TRANSPOSES, graph, (op,), [m for m in makers if m is not None])
    inputs = []
    for t in op.inputs:
        maker = site.maker(t) if t >= 0 else None
        seen = maker.inputs[0] if maker is not None else _constant_before(patch, t, order)
        if seen is None:
            return None
        inputs.append(seen)
    inverse = np.argsort(order)
    before = patch.tensor(target, [target.shape[a] for a in inverse])
    patch.copy(op, inputs, before)
    patch.add("TRANSPOSE", (before, patch.numbers(order)), op.outputs[0])
    return patch


def _constant_before(patch: Patch, tensor: int, order: Sequence[int]) -> int | None:
    """A constant operand as it must be before the TRANSPOSE; None when it has no such form."""
    value = patch.graph.tensors[tensor]
    if value.elements == 1:
        return tensor
    codes = {**_WHOLE_NUMBERS, "FLOAT32": "<f4"}
    per_tensor = value.quantization is None or len(value.quantization.scales) == 1
    if value.dtype not in codes or value.data is None or len(value.shape) > len(order) or not per_tensor:
        return None
    values = np.frombuffer(value.data, codes[value.dtype])
    if values.size != value.elements:
        return None
    full = values.reshape((1,) * (len(order) - len(value.shape)) + value.shape)
    return patch.constant(value, full.transpose(np.argsort(order)))


def _reduction(site: Site) -> Patch | None:
    """A reduction over other axes, where those that are left keep their order."""
    graph, op = site.graph, site.op
    maker, axes = site.maker(op.inputs[0]), graph.tensors[op.inputs[1]]
    order = permutation(graph, maker) if maker is not None and maker.kind == "TRANSPOSE" else None
    if maker is None or order is None or axes.data is None or axes.dtype != "INT32":
        return None
    source, target = graph.tensors[maker.inputs[0]], graph.tensors[op.outputs[0]]
    given = {int(a) % len(order) for a in np.frombuffer(axes.data, "<i4")}
    kept = [order[a] for a in range(len(order)) if a not in given and source.shape[order[a]] > 1]
    if source.dtype not in _WHOLE_NUMBERS or kept != sorted(kept):
        return None
    patch = Patch(SINK_TRANSPOSES, graph, (op,), (maker,))
    reduced = sorted(order[a] for a in given)
    shape = tuple(1 if a in reduced else size for a, size in enumerate(source.shape))
    made = patch.tensor(target, shape)
    patch.copy(op, (source.index, patch.numbers(reduced)), made, {"keep_dims": True})
    patch.reshape(made, target.shape, target.index)
    return patch


def _dense(site: Site) -> Patch | None:
    """A FULLY_CONNECTED of one row, with its weights in the order of the tensor before the TRANSPOSE."""
    graph, op = site.graph, site.op
    reader, maker = op, site.maker(op.inputs[0])
    while maker is not None and is_reshape(maker) and reader is not None:
        reader, maker = maker, site.maker(maker.inputs[0])
    weights = graph.tensors[op.inputs[1]]
    if maker is None or maker.kind != "TRANSPOSE" or weights.data is None or weights.dtype != "INT8":
        return None
    order, source = permutation(graph, maker), graph.tensors[maker.inputs[0]]
    target = graph.tensors[op.outputs[0]]
    one_row = len(weights.shape) == 2 and weights.shape[1] == source.elements and target.elements == weights.shape[0]
    if order is None or not one_row or len(weights.data) != weights.elements or source.dtype not in _WHOLE_NUMBERS:
        return None
    values = np.frombuffer(weights.data, "i1").reshape(weights.shape)
    sorted_values = np.empty_like(values)
    sorted_values[:, transposed_index(source.shape, order).reshape(-1)] = values
    patch = Patch(SINK_TRANSPOSES, graph, (op,), (maker,))
    seen = patch.reshape(source.index, (1, source.elements))
    patch.copy(op, (seen, patch.constant(weights, sorted_values), *op.inputs[2:]), op.outputs[0])
    return patch
