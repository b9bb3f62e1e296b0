"""Where may a stock kernel write its output over an input that dies?

    input    |##########.............|        pixels before the dots are read for the last time,
    output   |oooooooooo|                     and the output is written over them, a distance below

Two kinds of sharing. *At the same address*: an element-wise kernel reads each element right before it writes the one at
the same place, and RESHAPE copies nothing when both addresses are equal. *Diagonal*: the reference kernels of convolutions and
pools write element after element (conv.h, depthwise_conv.h, pooling.h in TFLM's reference/integer_ops), so that what lies
below all later windows may be overwritten. CMSIS-NN and ESP-NN promise no order of pixels; there, only sharing at the same
address is allowed, in the kernels that read four elements before they write these four.

`proof.py` checks every overlap of a plan without a line of this file.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tflm_split.ir.graph import ABSENT, Graph, Operator, Tensor

ALIGNMENT_BYTES = 16

_ELEMENT_WISE = frozenset(
    {
        "ABS", "CEIL", "COS", "DIV", "ELU", "EXP", "FLOOR", "HARD_SWISH", "LEAKY_RELU", "LOG", "LOGISTIC", "NEG", "RELU",
        "RELU6", "ROUND", "RSQRT", "SIN", "SQRT", "SQUARE", "SUB", "TANH",
    }
)  # fmt: skip
"""Kinds whose kernels are the reference ones in all kernel sets."""
_SUMS_AND_PRODUCTS = frozenset({"ADD", "MUL"})
"""Of int8, CMSIS-NN's kernels work at the same address (arm_elementwise_{add,mul}_s8.c), and ESP-NN's in C
(esp_nn_{add,mul}_ansi.c). Of int16, and of the S3's assembly, nobody has looked."""
_REFERENCE_ELEMENT_WISE = frozenset({"MAXIMUM", "MINIMUM", "SOFTMAX"})
_WINDOWS = frozenset({"AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D"})
_CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})
_NUMBERS = frozenset({"INT8", "INT16", "FLOAT32"})


def distance_bytes(graph: Graph, op: Operator, operand: int, kernels: str) -> int | None:
    """How far below input `operand` (a tensor) of `op` its output must start if the two overlap while `op` runs.

    0 means at the very same address. None if they must not overlap with these kernels. The input must die with `op`.
    """
    if len(op.outputs) != 1 or operand == ABSENT:
        return None
    read, written = graph.tensors[operand], graph.tensors[op.outputs[0]]
    if read.is_constant or read.is_variable:
        return None
    if op.kind == "RESHAPE":
        return 0 if operand == op.inputs[0] and read.bytes == written.bytes else None
    if op.kind in _CONVERSIONS:
        return _converted(read, written)
    if read.dtype != written.dtype or read.dtype not in _NUMBERS:
        return None
    if op.kind in _element_wise(kernels, read.dtype):
        return 0 if read.shape == written.shape else None
    if op.kind == "CONCATENATION" and _axis(op, written) == len(written.shape) - 1:
        pixels = written.elements // written.shape[-1]
        return _distance(np.arange(pixels, dtype=np.int64), read, written)
    if kernels != "reference":
        return None
    if op.kind == "TRANSPOSE_CONV" and operand == op.inputs[2] and read.dtype == "INT8":
        return 0  # It adds up in its scratch, and writes when all is read.
    if op.kind == "PAD" and operand == op.inputs[0]:
        return _padded(graph, op, read, written)
    if op.kind in _WINDOWS and operand == op.inputs[0]:
        return _diagonal(graph, op, read, written)
    return None


def _element_wise(kernels: str, dtype: str) -> frozenset[str]:
    if kernels == "reference":
        return _ELEMENT_WISE | _SUMS_AND_PRODUCTS | _REFERENCE_ELEMENT_WISE
    return _ELEMENT_WISE if dtype == "INT16" or kernels == "esp-nn-s3" else _ELEMENT_WISE | _SUMS_AND_PRODUCTS


def _diagonal(graph: Graph, op: Operator, read: Tensor, written: Tensor) -> int | None:
    """The least distance at which no pixel is overwritten that a later output pixel reads, in multiples of 16 bytes."""
    if len(read.shape) != 4 or len(written.shape) != 4 or read.shape[0] != 1 or written.shape[0] != 1:
        return None
    first_rows, first_columns = (_first_read(graph, op, axis) for axis in (0, 1))
    first = (first_rows[:, None] * read.shape[2] + first_columns[None, :]).ravel()
    if not first.size:
        return None
    return _distance(first, read, written)


def _distance(first: NDArray[np.int64], read: Tensor, written: Tensor) -> int:
    """The distance for output pixels of which the p-th reads no input pixel before `first[p]`."""
    still_read = np.minimum.accumulate(first[::-1])[::-1]
    pixel_out = written.bytes // first.size
    pixel_in = read.bytes // (read.elements // read.shape[-1])
    # All of output pixel p may be written while p itself, and all after it, still read from `still_read[p]` on.
    needed = (np.arange(first.size, dtype=np.int64) + 1) * pixel_out - still_read * pixel_in
    return _aligned(int(needed.max()))


def _aligned(distance: int) -> int:
    return -(-max(distance, 0) // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def _converted(read: Tensor, written: Tensor) -> int | None:
    """QUANTIZE and DEQUANTIZE read element i right before they write it, in both kernel sets."""
    if read.elements != written.elements or not {read.dtype, written.dtype} <= _NUMBERS:
        return None
    if read.dtype != written.dtype and "INT8" not in (read.dtype, written.dtype):
        return None  # Compilers may assume that two types that are both wider than a byte never share bytes.
    wider = written.bytes // written.elements - read.bytes // read.elements
    return _aligned((written.elements - 1) * wider)


def _padded(graph: Graph, op: Operator, read: Tensor, written: Tensor) -> int | None:
    """PAD writes one element after the other, and takes the next of its input where that is due (pad.h)."""
    inside = padded_elements(graph, op)
    if inside is None:
        return None
    taken = np.cumsum(inside)
    before_last = int(inside.nonzero()[0][-1])
    ahead = int((np.arange(1, before_last + 1) - taken[:before_last]).max(initial=0))
    return _aligned(ahead * (read.bytes // read.elements))


def padded_elements(graph: Graph, op: Operator) -> NDArray[np.bool_] | None:
    """For each element of PAD's output, whether it is one of the input; None if the amounts are not known, or do not fit."""
    read, amounts, written = (graph.tensors[t] for t in (op.inputs[0], op.inputs[1], op.outputs[0]))
    numbers = {"INT32": np.int32, "INT64": np.int64}.get(amounts.dtype)
    if amounts.data is None or numbers is None or amounts.shape != (len(read.shape), 2):
        return None
    sides = np.frombuffer(amounts.data, numbers).reshape(-1, 2)
    if (sides < 0).any() or tuple(read.shape + sides.sum(1)) != written.shape:
        return None
    inside = np.zeros(written.shape, np.bool_)
    inside[tuple(slice(int(b), int(b) + n) for (b, _), n in zip(sides, read.shape, strict=True))] = True
    return inside.ravel()


def _axis(op: Operator, written: Tensor) -> int:
    axis = int(op.options.get("axis", 0))
    return axis + len(written.shape) if axis < 0 else axis


def _first_read(graph: Graph, op: Operator, axis: int) -> NDArray[np.int64]:
    """The first row (axis 0) or column (axis 1) inside the input that each row or column of the output reads."""
    read, written = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    size, count = read.shape[axis + 1], written.shape[axis + 1]
    kernel, stride, dilation = window(graph, op, axis)
    padding = 0
    if op.options.get("padding") == "SAME":
        padding = max((count - 1) * stride + (kernel - 1) * dilation + 1 - size, 0) // 2
    starts = np.arange(count, dtype=np.int64) * stride - padding
    below = np.maximum(-starts, 0)
    first: NDArray[np.int64] = np.minimum(starts + -(-below // dilation) * dilation, size - 1)
    return first


def window(graph: Graph, op: Operator, axis: int) -> tuple[int, int, int]:
    """Kernel size, stride and dilation along axis 0 (rows) or 1 (columns)."""
    side = "hw"[axis]
    stride = int(op.options.get(f"stride_{side}", 1))
    if op.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        return int(op.options.get(f"filter_{('height', 'width')[axis]}", 1)), stride, 1
    kernel = graph.tensors[op.inputs[1]].shape[axis + 1]
    return kernel, stride, int(op.options.get(f"dilation_{side}_factor", 1))
