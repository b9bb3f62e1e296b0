"""Unpack weights of 4 bits to int8. TFLM does so in every inference, into scratch memory of its own.

Two weights lie in a byte, the first one in its low bits. TFLM's CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED unpack all of them
(`UnpackDenseInt4IntoInt8`) and go on as with int8 weights, so this is exact. The program holds a byte for each weight.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tflm_split.ir.graph import ABSENT, Tensor
from tflm_split.rewrite.patch import Patch, Site

INT4_WEIGHTS = "int4_weights"
_KINDS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})


def int4_weights(site: Site) -> Patch | None:
    """The patch at an operator of int8 activations and int4 weights."""
    graph, op = site.graph, site.op
    if op.kind not in _KINDS or len(op.inputs) < 2 or ABSENT in op.inputs[:2]:
        return None
    source, weights = (graph.tensors[t] for t in op.inputs[:2])
    values = int8_weights(weights) if weights.dtype == "INT4" else None
    if source.dtype != "INT8" or values is None:
        return None
    patch = Patch(INT4_WEIGHTS, graph, (op,))
    unpacked = patch.constant(weights, values, dtype="INT8")
    patch.again(op, (op.inputs[0], unpacked, *op.inputs[2:]))
    return patch


def int8_weights(weights: Tensor) -> npt.NDArray[np.int8] | None:
    """The values of constant weights of int8 or int4, in their shape. None for other types, and where bytes are missing."""
    data = np.frombuffer(weights.data or b"", np.uint8)
    if weights.dtype == "INT4" and len(data) == (weights.elements + 1) // 2:
        halves = np.stack([data & 15, data >> 4], axis=1).reshape(-1)[: weights.elements]
        return np.where(halves > 7, halves.astype(np.int8) - 16, halves).astype(np.int8).reshape(weights.shape)
    return (
        data.view(np.int8).reshape(weights.shape) if (weights.dtype, len(data)) == ("INT8", weights.elements) else None
    )
