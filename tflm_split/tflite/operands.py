"""Does every operator have the operands that its kind needs?

For the kinds that TFLM runs, these are the checks of its kernels' Prepare: numbers of inputs and outputs, and ranks.
Whoever looks at an operator afterwards may index these operands without asking. Optional operands, such as a bias, are not
counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType

from tflm_split.errors import ModelError
from tflm_split.ir.graph import ABSENT, Graph, Operator

_ONE_INPUT = (
    "ABS", "AVERAGE_POOL_2D", "CAST", "CEIL", "CONCATENATION", "COS", "DEPTH_TO_SPACE", "DEQUANTIZE", "ELU", "EXP", "FLOOR",
    "GELU", "HARD_SWISH", "L2_NORMALIZATION", "L2_POOL_2D", "LEAKY_RELU", "LOG", "LOGICAL_NOT", "LOGISTIC", "LOG_SOFTMAX",
    "MAX_POOL_2D", "NEG", "PACK", "QUANTIZE", "READ_VARIABLE", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE", "ROUND",
    "RSQRT", "SHAPE", "SIN", "SOFTMAX", "SPACE_TO_DEPTH", "SQRT", "SQUARE", "SQUEEZE", "TANH", "UNPACK", "ZEROS_LIKE",
)  # fmt: skip
_TWO_INPUTS = (
    "ADD", "ADD_N", "ARG_MAX", "ARG_MIN", "BATCH_MATMUL", "BROADCAST_TO", "CONV_2D", "CUMSUM", "DEPTHWISE_CONV_2D", "DIV",
    "EMBEDDING_LOOKUP", "EQUAL", "EXPAND_DIMS", "FILL", "FLOOR_DIV", "FLOOR_MOD", "FULLY_CONNECTED", "GATHER", "GATHER_ND",
    "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "LOGICAL_AND", "LOGICAL_OR", "MAXIMUM", "MEAN", "MINIMUM",
    "MIRROR_PAD", "MUL", "NOT_EQUAL", "PAD", "POW", "PRELU", "REDUCE_ALL", "REDUCE_MAX", "REDUCE_MIN", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SPLIT", "SQUARED_DIFFERENCE", "SUB", "SUM", "TRANSPOSE",
)  # fmt: skip
_THREE_INPUTS = (
    "BATCH_TO_SPACE_ND", "DYNAMIC_UPDATE_SLICE", "PADV2", "SELECT", "SELECT_V2", "SLICE", "SPACE_TO_BATCH_ND", "SPLIT_V",
    "SVDF", "TRANSPOSE_CONV",
)  # fmt: skip

_LEAST_INPUTS: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(_ONE_INPUT, 1),
        **dict.fromkeys(_TWO_INPUTS, 2),
        **dict.fromkeys(_THREE_INPUTS, 3),
        "STRIDED_SLICE": 4,
        "IF": 1,
        "ASSIGN_VARIABLE": 2,
    }
)
_NO_OUTPUT = frozenset({"ASSIGN_VARIABLE", "CALL_ONCE", "IF", "WHILE"})
"""Kinds that may have no output. The kernels of all others in the table write output 0."""
_RANKS: Mapping[str, Mapping[int, int]] = MappingProxyType(
    {
        "CONV_2D": {0: 4, 1: 4},
        "DEPTHWISE_CONV_2D": {0: 4, 1: 4},
        "TRANSPOSE_CONV": {1: 4, 2: 4},
        "AVERAGE_POOL_2D": {0: 4},
        "MAX_POOL_2D": {0: 4},
    }
)
"""Kind -> position of an operand -> how many dimensions it must have."""
_SAME_SIZE = frozenset(
    {
        "ABS", "CAST", "CEIL", "COS", "DEQUANTIZE", "ELU", "EXP", "EXPAND_DIMS", "FLOOR", "GELU", "HARD_SWISH",
        "L2_NORMALIZATION", "LEAKY_RELU", "LOG", "LOGICAL_NOT", "LOGISTIC", "LOG_SOFTMAX", "NEG", "QUANTIZE", "RELU",
        "RELU6", "RELU_N1_TO_1", "RESHAPE", "ROUND", "RSQRT", "SIN", "SOFTMAX", "SQRT", "SQUARE", "SQUEEZE", "TANH",
    }
)  # fmt: skip
"""Kinds that make one element of each. Their kernels do not check that: they would read or write too much or too little."""
_BROADCASTING = frozenset(
    {
        "ADD", "DIV", "EQUAL", "FLOOR_DIV", "FLOOR_MOD", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "LOGICAL_AND",
        "LOGICAL_OR", "MAXIMUM", "MINIMUM", "MUL", "NOT_EQUAL", "PRELU", "SQUARED_DIFFERENCE", "SUB",
    }
)  # fmt: skip
"""Kinds that make one element of each pair of elements, broadcast."""


def check_operands(graph: Graph) -> None:
    """Raise ModelError for the first operator whose operands do not fit its kind.

    It lacks an operand, an output or dimensions that its kernel needs, or its output has a wrong size that its kernel
    does not check. Kinds that are not in the table, such as custom operators, may have any operands.
    """
    for op in graph.operators:
        least = _LEAST_INPUTS.get(op.kind)
        if least is not None:
            _check(graph, op, least)


def _check(graph: Graph, op: Operator, least: int) -> None:
    present = next((k for k, t in enumerate(op.inputs[:least]) if t == ABSENT), min(least, len(op.inputs)))
    if present < least:
        raise ModelError(f"op {op.index} {op.kind} lacks its input {present}")
    if not op.outputs and op.kind not in _NO_OUTPUT:
        raise ModelError(f"op {op.index} {op.kind} has no output")
    if op.kind in _SAME_SIZE or op.kind in _BROADCASTING:
        shapes = [graph.tensors[t].shape for t in op.inputs[: 1 if op.kind in _SAME_SIZE else 2]]
        made, has = _broadcast_elements(shapes), graph.tensors[op.outputs[0]].elements
        if made != has:
            given = " and ".join(str(list(shape)) for shape in shapes)
            raise ModelError(f"op {op.index} {op.kind} makes {has} elements of {given}")
    for position, rank in _RANKS.get(op.kind, {}).items():
        shape = graph.tensors[op.inputs[position]].shape
        if len(shape) != rank:
            raise ModelError(f"input {position} of op {op.index} {op.kind} is {list(shape)}, needs {rank} dimensions")


def _broadcast_elements(shapes: Sequence[tuple[int, ...]]) -> int | None:
    """How many elements these shapes have when they are broadcast to each other; None when they cannot be."""
    elements = 1
    for sizes in zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1):
        wanted = {d for d in sizes if d != 1} or {1}
        if len(wanted) > 1:
            return None
        elements *= wanted.pop()
    return elements
