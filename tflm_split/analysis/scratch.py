"""Which scratch buffers does a stock operator ask TFLM for, and how large are they?

Kernels call `RequestScratchBufferInArena` while they prepare. TFLM then places these buffers in the head, around the
offline plan. Their lifetime is that one operator. The sizes here are those of the reference kernels in the pinned wheel
(x86-64, where a pointer has 8 bytes). Optimised kernels (CMSIS-NN, ESP-NN, ...) ask for more.

Sources: TFLM's kernels/{reduce,svdf,conv,depthwise_conv}_common.cc, fully_connected.cc, transpose_conv.cc, add_n.cc,
mirror_pad.cc, unidirectional_sequence_lstm.cc. BATCH_MATMUL, SOFTMAX and the like keep what they need in the tail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from tflm_split.ir.graph import ABSENT, ELEMENT_BYTES, Graph, Operator, Tensor

_INT_BYTES = 4
_POINTER_BYTES = 8

DETECTION = "CUSTOM:TFLite_Detection_PostProcess"
"""Its requests depend on its option bytes, see `detection_scratch_bytes`."""

NO_SCRATCH = frozenset(
    {
        "ABS", "ADD", "ARG_MAX", "ARG_MIN", "ASSIGN_VARIABLE", "AVERAGE_POOL_2D", "BATCH_MATMUL",
        "BATCH_TO_SPACE_ND", "BROADCAST_ARGS", "BROADCAST_TO", "CALL_ONCE", "CAST", "CEIL", "CONCATENATION",
        "COS", "CUMSUM", "DEPTH_TO_SPACE", "DEQUANTIZE", "DIV", "DYNAMIC_UPDATE_SLICE", "ELU",
        "EMBEDDING_LOOKUP", "EQUAL", "EXP", "EXPAND_DIMS", "FILL", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "GATHER",
        "GATHER_ND", "GREATER", "GREATER_EQUAL", "HARD_SWISH", "IF", "L2_NORMALIZATION", "L2_POOL_2D",
        "LEAKY_RELU", "LESS", "LESS_EQUAL", "LOG", "LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR", "LOGISTIC",
        "LOG_SOFTMAX", "MAXIMUM", "MAX_POOL_2D", "MINIMUM", "MUL", "NEG", "NOT_EQUAL", "PACK", "PAD", "PADV2",
        "PRELU", "QUANTIZE", "READ_VARIABLE", "RELU", "RELU6", "RESHAPE", "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "ROUND", "RSQRT", "SELECT_V2", "SHAPE", "SIN", "SLICE",
        "SOFTMAX", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT", "SQUARE",
        "SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE", "SUB", "TANH", "TRANSPOSE", "UNPACK", "VAR_HANDLE",
        "WHILE", "ZEROS_LIKE", "CUSTOM:CIRCULAR_BUFFER", "CUSTOM:SignalDelay", "CUSTOM:SignalEnergy",
        "CUSTOM:SignalFftAutoScale", "CUSTOM:SignalFilterBank", "CUSTOM:SignalFilterBankLog",
        "CUSTOM:SignalFilterBankSpectralSubtraction", "CUSTOM:SignalFilterBankSquareRoot",
        "CUSTOM:SignalFramer", "CUSTOM:SignalOverlapAdd", "CUSTOM:SignalPCAN", "CUSTOM:SignalStacker",
        "CUSTOM:SignalWindow", "CUSTOM:TFLM_SPLIT",
    }
)  # fmt: skip
"""Kinds the wheel can run whose kernels never ask for scratch. TFLM_SPLIT's workspace is an output tensor."""


def scratch_is_known(kind: str) -> bool:
    """Whether `scratch_bytes` is right for operators of this kind.

    False for what the wheel does not run, and for the few whose requests depend on a custom operator's option bytes
    (TFLite_Detection_PostProcess, SignalRfft, SignalIrfft) or that place their outputs themselves (TFLM_DECODE).
    """
    return kind in NO_SCRATCH or kind in _REQUESTS


def scratch_bytes(graph: Graph, op: Operator) -> tuple[int, ...]:
    """Bytes of each scratch buffer `op` asks for, in the order of its requests, unrounded.

    Empty when it asks for none, when the kind is unknown (`scratch_is_known`), and for an operator that lacks operands
    its kernel needs: TFLM refuses that one.
    """
    request = _REQUESTS.get(op.kind)
    if request is None:
        return ()
    try:
        return request(graph, op)
    except IndexError:
        return ()


def detection_scratch_bytes(graph: Graph, op: Operator, option_bytes: bytes) -> tuple[int, ...] | None:
    """Scratch of a TFLite_Detection_PostProcess operator, in the order of its requests.

    `option_bytes` are a flexbuffer map; None if its fields are missing. The operands are boxes, class scores and anchors.
    Source: detection_postprocess.cc.
    """
    try:
        options = import_module("flatbuffers.flexbuffers").Loads(option_bytes)
        detections, classes = int(options["max_detections"]), int(options["num_classes"])
        boxes = _input(graph, op, 0).shape[1]
        _, anchors, scores = _input(graph, op, 1).shape
    except (ImportError, IndexError, KeyError, TypeError, ValueError, ArithmeticError):
        return None
    words = (
        4 * boxes, anchors * scores, boxes, boxes, detections * boxes, detections * boxes, boxes, detections * boxes,
        max(classes, detections) * boxes, min(boxes, detections) * boxes,
    )  # fmt: skip
    return boxes, *(_INT_BYTES * n for n in words)


def _input(graph: Graph, op: Operator, position: int) -> Tensor:
    index = op.inputs[position]
    if index == ABSENT:
        raise IndexError(position)
    return graph.tensors[index]


def _output(graph: Graph, op: Operator) -> Tensor:
    return graph.tensors[op.outputs[0]]


def _mean_or_sum(graph: Graph, op: Operator) -> tuple[int, ...]:
    """An int32 sum per output element (integers only), an index per input axis, the resolved axes."""
    data = _input(graph, op, 0)
    sums = (_INT_BYTES * _output(graph, op).elements,) if data.dtype in ("INT8", "INT16") else ()
    return *sums, *_axes(graph, op)


def _axes(graph: Graph, op: Operator) -> tuple[int, ...]:
    return _INT_BYTES * len(_input(graph, op, 0).shape), _INT_BYTES * _input(graph, op, 1).elements


def _int4_weights(graph: Graph, op: Operator) -> tuple[int, ...]:
    """4-bit weights are unpacked to a byte each; others are read where they are."""
    weights = _input(graph, op, 1)
    return (weights.elements,) if weights.dtype == "INT4" else ()


def _transpose_conv(graph: Graph, op: Operator) -> tuple[int, ...]:
    """One accumulator per output element, 32 bits for int8 and 64 for int16; a 16-bit bias widened to 64."""
    accumulator_bytes = {"INT8": 4, "INT16": 8}.get(_input(graph, op, 2).dtype)
    if accumulator_bytes is None:
        return ()
    accumulators = accumulator_bytes * _output(graph, op).elements
    bias = graph.tensors[op.inputs[3]] if len(op.inputs) > 3 and op.inputs[3] != ABSENT else None
    if accumulator_bytes == 8 and bias is not None and bias.dtype == "INT16":
        return accumulators, 8 * bias.elements
    return (accumulators,)


def _svdf(graph: Graph, op: Operator) -> tuple[int, ...]:
    """A 32-bit value per filter; for int8 also one per unit of the output."""
    data, filters = _input(graph, op, 0), _input(graph, op, 1)
    per_filter = 4 * data.shape[0] * filters.shape[0]
    return (per_filter, 4 * _output(graph, op).elements) if data.dtype == "INT8" else (per_filter,)


def _lstm(graph: Graph, op: Operator) -> tuple[int, ...]:
    """Four gates: each one state vector per batch, of the cell state's type."""
    data, hidden, cell = _input(graph, op, 0), _input(graph, op, 18), _input(graph, op, 19)
    batch = data.shape[1 if op.options.get("time_major") else 0]
    return (batch * hidden.shape[1] * ELEMENT_BYTES.get(cell.dtype, 0),) * 4


def _add_n(graph: Graph, op: Operator) -> tuple[int, ...]:
    """A pointer to each input."""
    return (_POINTER_BYTES * len(op.inputs),)


def _mirror_pad(graph: Graph, op: Operator) -> tuple[int, ...]:
    """How many elements each axis of the input and of the output spans."""
    return (_INT_BYTES * len(_input(graph, op, 0).shape),) * 2


_REQUESTS: Mapping[str, Callable[[Graph, Operator], tuple[int, ...]]] = MappingProxyType(
    {
        "ADD_N": _add_n,
        "CONV_2D": _int4_weights,
        "DEPTHWISE_CONV_2D": _int4_weights,
        "FULLY_CONNECTED": _int4_weights,
        "MEAN": _mean_or_sum,
        "MIRROR_PAD": _mirror_pad,
        "REDUCE_ALL": _axes,
        "REDUCE_MAX": _axes,
        "REDUCE_MIN": _axes,
        "SUM": _mean_or_sum,
        "SVDF": _svdf,
        "TRANSPOSE_CONV": _transpose_conv,
        "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
    }
)
