"""Is an offline plan safe for stock kernels? This check always runs on the written file, and shares no code with its maker.

It asks TFLM's own rules when each buffer of the head lives (`analysis/tflm_planner.py`), and lets no two share a byte while
both do, but for the output and an input of one operator. Of these the order in which the kernel reads and writes is followed.
"""

from __future__ import annotations

import numpy as np

from tflm_split.analysis.kernel_sets import KernelSet
from tflm_split.analysis.tflm_planner import head_buffers, place
from tflm_split.errors import InternalError
from tflm_split.ir.graph import Graph, Model, Operator, Tensor
from tflm_split.tflite.reader import all_offsets

_BY_ELEMENT = frozenset(
    {
        "ABS", "ADD", "CEIL", "COS", "DIV", "ELU", "EXP", "FLOOR", "HARD_SWISH", "LEAKY_RELU", "LOG", "LOGISTIC", "MUL", "NEG",
        "RELU", "RELU6", "ROUND", "RSQRT", "SIN", "SQRT", "SQUARE", "SUB", "TANH",
    }
)  # fmt: skip
_AT_ONE_ADDRESS = {
    "reference": _BY_ELEMENT | {"MAXIMUM", "MINIMUM", "SOFTMAX"},
    "cmsis-nn": _BY_ELEMENT,
    "esp-nn": _BY_ELEMENT,
    "esp-nn-s3": _BY_ELEMENT - {"ADD", "MUL"},
}
"""Kernels that read an element, or four, before they write to the same place: by kernel set."""


def check_plan(model: Model, kernels: KernelSet) -> None:
    """Raises InternalError unless all results of `model` survive until their last reader, with these kernels."""
    graph = model.graph
    offsets = dict(enumerate(all_offsets(model) or ()))
    buffers = place(head_buffers((graph, *model.other_graphs), offsets, kernels.scratch(model)))
    for k, a in enumerate(buffers):
        if a.offset < 0 or a.offset % 16:
            raise InternalError(f"buffer {k} of the plan lies at {a.offset}")
        for b in buffers[:k]:
            if not (a.meets(b) and a.offset < b.end and b.offset < a.end):
                continue
            if a.tensor is None or b.tensor is None:
                raise InternalError("scratch shares bytes with a tensor that lives")
            read, written = (a, b) if a.first < b.first else (b, a)
            moment = written.first
            if read.last != moment or not 0 < moment <= len(graph.operators) or read.tensor in graph.outputs:
                raise InternalError(f"tensors {a.tensor} and {b.tensor} share bytes beyond one operator")
            op = graph.operators[moment - 1]
            below = read.offset - written.offset
            if not _survives(graph, op, read.tensor or 0, written.tensor or 0, below, kernels.name):
                raise InternalError(f"{graph.label(op)} may overwrite what it still reads, {below} bytes below")


def _survives(graph: Graph, op: Operator, read: int, written: int, below: int, kernels: str) -> bool:
    """Whether `op` may write tensor `written` so many bytes below tensor `read`, of which it is the last reader."""
    source, target = graph.tensors[read], graph.tensors[written]
    if op.outputs != (written,) or read not in op.inputs:
        return False
    if op.kind == "RESHAPE":
        return below == 0 and op.inputs[0] == read and source.bytes == target.bytes
    if op.kind in ("QUANTIZE", "DEQUANTIZE"):
        return _elements_survive(source, target, below)
    if source.dtype != target.dtype:
        return False
    if op.kind in _AT_ONE_ADDRESS[kernels]:
        if kernels != "reference" and op.kind in ("ADD", "MUL") and source.dtype == "INT16":
            return False
        return below == 0 and source.shape == target.shape
    if op.kind == "CONCATENATION":
        return op.options.get("axis") in (-1, len(target.shape) - 1) and _joined_survives(source, target, below)
    if kernels != "reference":
        return False
    if op.kind == "TRANSPOSE_CONV":
        return read == op.inputs[2] and source.dtype == "INT8"
    if op.kind == "PAD":
        return read == op.inputs[0] and _padding_survives(graph, op, source, target, below)
    if op.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"):
        return False
    if op.inputs[0] != read or len(source.shape) != 4 or source.shape[0] != 1:
        return False
    return _every_tap_survives(graph, op, source, target, below)


def _elements_survive(source: Tensor, target: Tensor, below: int) -> bool:
    """Element i is read, then written: the write at byte i of the output must not be beyond what is read next."""
    if source.elements != target.elements:
        return False
    if source.dtype != target.dtype and "INT8" not in (source.dtype, target.dtype):
        return False
    each, wide = source.bytes // source.elements, target.bytes // target.elements
    # Linear in i, so that the first and the last write decide.
    return source.elements == 1 or all(n * wide - below <= n * each for n in (1, source.elements - 1))


def _padding_survives(graph: Graph, op: Operator, source: Tensor, target: Tensor, below: int) -> bool:
    """The k-th element of the input is read at the time of its place in the output, and is not written over before."""
    data = graph.tensors[op.inputs[1]].data or b""
    size = 8 if graph.tensors[op.inputs[1]].dtype == "INT64" else 4
    before = [int.from_bytes(data[2 * a * size : (2 * a + 1) * size], "little") for a in range(len(source.shape))]
    places = np.indices(source.shape).reshape(len(source.shape), -1)
    now = np.zeros(source.elements, np.int64)
    for axis, length in enumerate(target.shape):
        now = now * length + places[axis] + before[axis]
    element = source.bytes // source.elements
    return bool(((np.arange(source.elements) * element + below) // element >= now).all())


def _joined_survives(source: Tensor, target: Tensor, below: int) -> bool:
    """Part p of the input is copied at time p: no output part up to p, itself included, may reach it."""
    parts = np.arange(target.elements // target.shape[-1])
    part, whole = source.bytes // parts.size, target.bytes // parts.size
    return bool((parts * part + below >= (parts + 1) * whole).all())


def _every_tap_survives(graph: Graph, op: Operator, source: Tensor, target: Tensor, below: int) -> bool:
    """Follows the kernel, pixel after pixel and tap after tap: nothing read has been written over before.

    Output pixel q is written at time q, to bytes from `q * pixel - below` on, counted from the start of the input. A read
    at time p must find its bytes not yet reached: the pixel that reaches them first comes later. In kernels that keep
    channels apart, an equal place is early enough if pixels are as large and none is read twice.
    """
    _, height, width, channels = source.shape
    _, rows, columns, outputs = target.shape
    size = source.bytes // source.elements
    apart = op.kind != "CONV_2D" and channels == outputs and below % (channels * size) == 0
    if op.kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        taps_y, taps_x = int(op.options["filter_height"]), int(op.options["filter_width"])
        step_y = step_x = 1
    else:
        _, taps_y, taps_x, _ = graph.tensors[op.inputs[1]].shape
        step_y, step_x = (int(op.options.get(f"dilation_{s}_factor", 1)) for s in "hw")
    stride_y, stride_x = (int(op.options[f"stride_{s}"]) for s in "hw")
    before_y = before_x = 0
    if op.options["padding"] == "SAME":
        before_y = max(0, (rows - 1) * stride_y + (taps_y - 1) * step_y + 1 - height) // 2
        before_x = max(0, (columns - 1) * stride_x + (taps_x - 1) * step_x + 1 - width) // 2
    y, x = np.divmod(np.arange(rows * columns), columns)
    for tap_y in range(taps_y):
        for tap_x in range(taps_x):
            from_y, from_x = y * stride_y - before_y + tap_y * step_y, x * stride_x - before_x + tap_x * step_x
            inside = (from_y >= 0) & (from_y < height) & (from_x >= 0) & (from_x < width)
            byte = (from_y * width + from_x) * channels * size + below
            reached = byte // (outputs * size)
            now = np.flatnonzero(inside)
            safe = reached[now] > now
            if apart:
                safe |= reached[now] == now
            if not safe.all():
                return False
    return True
