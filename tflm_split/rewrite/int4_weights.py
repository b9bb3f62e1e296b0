"""Unpack weights of 4 bits to int8. TFLM does so in every inference, into scratch memory of its own.

Two weights lie in a byte, the first one in its low bits. TFLM's CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED unpack all of them
(`UnpackDenseInt4IntoInt8`) and go on as with int8 weights, so this is exact. The program holds a byte for each weight.
"""

from __future__ import annotations

import numpy as np

from tflm_split.ir.graph import ABSENT
from tflm_split.rewrite.patch import Patch, Site

INT4_WEIGHTS = "int4_weights"
_KINDS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})


def int4_weights(site: Site) -> Patch | None:
    """The patch at an operator of int8 activations and int4 weights."""
    graph, op = site.graph, site.op
    if op.kind not in _KINDS or len(op.inputs) < 2 or ABSENT in op.inputs[:2]:
        return None
    source, weights = (graph.tensors[t] for t in op.inputs[:2])
    packed = np.frombuffer(weights.data or b"", np.uint8)
    if source.dtype != "INT8" or weights.dtype != "INT4" or len(packed) != (weights.elements + 1) // 2:
        return None
    halves = np.stack([packed & 15, packed >> 4], axis=1).reshape(-1)[: weights.elements]
    patch = Patch(INT4_WEIGHTS, graph, (op,))
    values = np.where(halves > 7, halves.astype(np.int8) - 16, halves).astype(np.int8)
    unpacked = patch.constant(weights, values.reshape(weights.shape), dtype="INT8")
    patch.again(op, (op.inputs[0], unpacked, *op.inputs[2:]))
    return patch
