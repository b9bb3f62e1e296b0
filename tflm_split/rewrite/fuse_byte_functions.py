"""Fuse a chain of element-wise operators into one table of 256 entries.

A chain from 8 bits to 8 bits is a function of one byte, even when it passes through float32:

    int8 -> DEQUANTIZE -> RSQRT -> NEG -> QUANTIZE -> int8         becomes         int8 -> BYTE_FUNCTION -> int8

This is exact: each entry is computed as TFLM's kernels would. Each operator is a table already (`split/operators`), or one
float32 operation that IEEE 754 rounds the same everywhere. An operator that calls the C library (EXP, LOG, float TANH,
...) gives results that differ from library to library in their last bits. So both ends of what it may give are followed to
the QUANTIZE behind it. If both become the same byte, for each of the 256 inputs, then that byte is what every library
gives; if not, the chain stays. Only chains that end up inside a region may be fused: no stock kernel computes a BYTE_FUNCTION.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator
from tflm_split.kinds import OpKind
from tflm_split.split.operators import split_operator
from tflm_split.split.operators.binary import BINARY_KINDS
from tflm_split.split.operators.byte_function import BYTE_FUNCTION
from tflm_split.split.operators.unary import UNARY_KINDS

FUSE = "fuse_byte_functions"
"""The name of this rewrite."""

Floats = npt.NDArray[np.float32]

_TABLED = frozenset((*UNARY_KINDS, *BINARY_KINDS))
"""Kinds that can be a table. Those of BINARY_KINDS are one when an operand is a constant of one element."""

_FLOAT: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {
        "NEG": np.negative,
        "ABS": np.abs,
        "SQUARE": np.square,
        "SQRT": np.sqrt,
        "RSQRT": lambda x: np.float32(1) / np.sqrt(x),
        "FLOOR": np.floor,
        "CEIL": np.ceil,
        "ROUND": np.rint,
        "RELU": lambda x: np.where(x < 0, np.float32(0), x),
        "RELU6": lambda x: np.where(x > 6, np.float32(6), np.where(x < 0, np.float32(0), x)),
    }
)
"""TFLM's float32 kernels that round at most once per operation, as IEEE 754 says (RSQRT: twice)."""

_MONOTONE = frozenset({"NEG", "SQRT", "FLOOR", "CEIL", "ROUND", "RELU", "RELU6"})
"""Those of `_FLOAT` that keep an interval an interval: the ends of one become the ends of the other."""

Doubles = npt.NDArray[np.float64]


def _logistic(x: Doubles) -> Doubles:
    """With the bounds of TFLM's kernel (reference/logistic.h): exp(x) below -9, and 1 above 16.6."""
    return np.where(x > 16.619047164916992188, 1.0, np.where(x < -9.0, np.exp(x), 1.0 / (1.0 + np.exp(-x))))


_LIBRARY: Mapping[str, Callable[[Doubles], Doubles]] = MappingProxyType(
    {
        "EXP": np.exp,
        "LOG": np.log,
        "SIN": np.sin,
        "COS": np.cos,
        "TANH": np.tanh,
        "LOGISTIC": _logistic,
        "ELU": lambda x: np.where(x < 0, np.expm1(x), x),
    }
)
"""TFLM's float32 kernels that call the C library, in double precision."""
LIBRARY_ERROR = 8
"""The most units in the last place by which any C library is off. Those in use stay below 3 for these functions."""


@dataclass(frozen=True, slots=True)
class _Chain:
    """A chain of `operators` that reads tensor `source`.

    `table` says what each of the 256 input bytes becomes: 256 bytes, or 256 little-endian float32. Where floats are not
    known to the last bit they are the least that it may be, and `most` are the greatest.
    """

    operators: tuple[Operator, ...]
    source: int
    table: bytes
    most: bytes | None = None

    @property
    def ends_in_bytes(self) -> bool:
        return len(self.table) == 256

    @property
    def output(self) -> int:
        return self.operators[-1].outputs[0]


def fuse_byte_functions(graph: Graph, accept: Callable[[Graph, Operator], bool]) -> Graph:
    """`graph` with every chain of at least two operators fused that `accept` accepts. The others stay."""
    consumers = graph.consumers()
    taken: set[int] = set()
    fused: dict[int, Operator] = {}
    for op in graph.operators:
        if op.index in taken or op.kind not in _TABLED or _next(graph, op, consumers) is None:
            continue
        chain = _longest_chain(graph, op, consumers)
        if chain is None or len(chain.operators) == 1:
            continue
        last = chain.operators[-1]
        sources = tuple(k for member in chain.operators for k in member.source)
        table = {"table": chain.table.hex()}
        operator = Operator(last.index, BYTE_FUNCTION, (chain.source,), last.outputs, table, sources, FUSE)
        if accept(graph, operator):
            taken.update(member.index for member in chain.operators)
            fused[last.index] = operator
    if not fused:
        return graph
    kept = (fused.get(op.index, op) for op in graph.operators if op.index not in taken or op.index in fused)
    return graph.with_operators(tuple(kept))


def _next(graph: Graph, op: Operator, consumers: Mapping[int, Sequence[int]]) -> Operator | None:
    """The only reader of what `op` makes; None when there are more, or when it cannot belong to a chain."""
    users = consumers.get(op.outputs[0], ())
    if len(op.outputs) != 1 or len(users) != 1 or op.outputs[0] in graph.outputs:
        return None
    user = graph.operators[users[0]]
    return user if user.kind in _TABLED or user.kind in _FLOAT or user.kind in _LIBRARY else None


def _longest_chain(graph: Graph, first: Operator, consumers: Mapping[int, Sequence[int]]) -> _Chain | None:
    """The longest chain from `first` that ends in bytes; None when there is none."""
    first_table = _tabled(graph, first)
    longest = None
    chain = _Chain((first,), *first_table) if first_table else None
    while chain is not None:
        if chain.ends_in_bytes:
            longest = chain
        following = _next(graph, chain.operators[-1], consumers)
        chain = _extended(graph, chain, following) if following is not None else None
    return longest


def _tabled(graph: Graph, op: Operator) -> tuple[int, bytes] | None:
    """(the tensor it reads, its table) of an operator that is a table by itself; None for any other."""
    try:
        (row_op,) = split_operator(graph, op)
    except Refusal:
        return None
    table = row_op.params.get("table_offset")
    if row_op.kind is not OpKind.LUT or not isinstance(table, bytes):
        return None
    return row_op.reads[0].tensor, table


def _extended(graph: Graph, chain: _Chain, op: Operator) -> _Chain | None:
    """`chain` with `op` added at its end; None when that would not be exact."""
    if chain.ends_in_bytes:
        tabled = _tabled(graph, op) if op.kind in _TABLED else None
        if tabled is None or tabled[0] != chain.output:
            return None
        entries = tabled[1]
        width = len(entries) // 256
        table = b"".join(entries[width * byte : width * (byte + 1)] for byte in chain.table)
        return _Chain((*chain.operators, op), chain.source, table)
    if graph.tensors[op.inputs[0]].shape != graph.tensors[op.outputs[0]].shape:
        return None
    least, most = (np.frombuffer(ends or chain.table, "<f4").astype(np.float32) for ends in (chain.table, chain.most))
    with np.errstate(all="ignore"):
        if op.kind == "QUANTIZE":
            first, last = _quantized(graph, op, least), _quantized(graph, op, most)
            return _Chain((*chain.operators, op), chain.source, first) if first and first == last else None
        ends = _ends(graph, chain, op, least, most)
    return _Chain((*chain.operators, op), chain.source, *ends) if ends else None


def _ends(graph: Graph, chain: _Chain, op: Operator, least: Floats, most: Floats) -> tuple[bytes, bytes | None] | None:
    """The least and the greatest results of a float operator (None: the same); None when these are not known."""
    if chain.most is None:
        if op.kind in _LIBRARY:
            return _library_ends(graph, op, least)
        results = _computed(graph, op, least)
        return (results, None) if results else None
    low, high = (_computed(graph, op, values) if op.kind in _MONOTONE else None for values in (least, most))
    if low is None or high is None:
        return None
    return (high, low) if op.kind == "NEG" else (low, high)


def _library_ends(graph: Graph, op: Operator, values: Floats) -> tuple[bytes, bytes] | None:
    """The least and the greatest float32 that any C library gives; None when one of them is infinite or NaN.

    What a kernel passes on unchanged (ELU: values that are not negative) is known exactly.
    """
    if graph.tensors[op.outputs[0]].dtype != "FLOAT32":
        return None
    exact = _LIBRARY[op.kind](values.astype(np.float64))
    nearest = exact.astype(np.float32)
    error = LIBRARY_ERROR * np.spacing(np.abs(nearest)).astype(np.float64)
    if op.kind == "ELU":
        error = np.where(values < 0, error, 0.0)
    least, most = ((exact + sign * error).astype(np.float32) for sign in (-1, 1))
    if not (np.isfinite(least).all() and np.isfinite(most).all()):
        return None
    return bytes(least.astype("<f4").data), bytes(most.astype("<f4").data)


def _computed(graph: Graph, op: Operator, values: Floats) -> bytes | None:
    """The results of a float operator, as float32; None when it is not in `_FLOAT`, or a result is infinite or NaN."""
    if op.kind not in _FLOAT or graph.tensors[op.outputs[0]].dtype != "FLOAT32":
        return None
    results: Floats = np.asarray(_FLOAT[op.kind](values), np.float32)
    return bytes(results.astype("<f4").data) if np.isfinite(results).all() else None


def _quantized(graph: Graph, op: Operator, values: Floats) -> bytes | None:
    """The results of a QUANTIZE, as bytes: quotients in float32, halves away from zero (reference/quantize.h)."""
    try:
        (row_op,) = split_operator(graph, op)
    except Refusal:
        return None
    params = row_op.params
    scale, low, high = (params[name] for name in ("scale", "output_min", "output_max"))
    assert not isinstance(scale, bytes) and not isinstance(low, bytes) and not isinstance(high, bytes)
    quotients = (values / np.float32(scale)).astype(np.float64)
    rounded = np.copysign(np.floor(np.abs(quotients) + 0.5), quotients) + int(params["zero_point"])
    if not (np.abs(rounded) < 2**31 - 2**8).all():  # C does not define the result beyond int32
        return None
    return bytes(np.clip(rounded, low, high).astype(np.int64).astype(np.uint8).data)
