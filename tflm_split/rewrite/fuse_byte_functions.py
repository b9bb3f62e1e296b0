"""Fuse a chain of element-wise operators into one table of 256 entries.

A chain from 8 bits to 8 bits is a function of one byte, even when it passes through float32:

    int8 -> DEQUANTIZE -> RSQRT -> NEG -> QUANTIZE -> int8         becomes         int8 -> BYTE_FUNCTION -> int8

This is exact: each entry is computed as TFLM's kernels would. Each operator is a table already (`split/operators`), or one
float32 operation that IEEE 754 rounds the same everywhere. An operator that calls the C library (EXP, LOG, float TANH,
...) ends a chain. Only chains that end up inside a region may be fused: no stock kernel computes a BYTE_FUNCTION.
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


@dataclass(frozen=True, slots=True)
class _Chain:
    """A chain of `operators` that reads tensor `source`.

    `table` says what each of the 256 input bytes becomes: 256 bytes, or 256 little-endian float32.
    """

    operators: tuple[Operator, ...]
    source: int
    table: bytes

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
    return user if user.kind in _TABLED or user.kind in _FLOAT else None


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
    else:
        if graph.tensors[op.inputs[0]].shape != graph.tensors[op.outputs[0]].shape:
            return None
        values = np.frombuffer(chain.table, "<f4").astype(np.float32)
        with np.errstate(all="ignore"):
            results = _quantized(graph, op, values) if op.kind == "QUANTIZE" else _computed(graph, op, values)
        if results is None:
            return None
        table = results
    return _Chain((*chain.operators, op), chain.source, table)


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
