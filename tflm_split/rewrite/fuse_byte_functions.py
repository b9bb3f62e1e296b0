"""A chain of element-wise operators from 8 bits to 8 bits, through float32 or not, is a function of one byte: one table.

Exact because the table is worked out entry by entry as TFLM's kernels would: each operator is a table already
(`split/operators`), or one float32 operation that IEEE 754 rounds the same everywhere. What takes a function of the C
library (EXP, LOG, float TANH, ...) ends a chain. Only chains that end up inside a region may be fused: no stock kernel
computes a BYTE_FUNCTION.
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

Floats = npt.NDArray[np.float32]

_TABLED = frozenset((*UNARY_KINDS, *BINARY_KINDS))
"""Kinds that may be a table; those of BINARY_KINDS are when one operand is a constant of one element."""

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
"""TFLM's float32 kernels that are one correctly rounded operation or none."""


@dataclass(frozen=True, slots=True)
class _Chain:
    """Operators from the first on, the tensor it reads, and what each of the 256 bytes becomes: 256 bytes or float32."""

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
    """`graph` with every chain of two operators and more fused whose result `accept`s; others stay."""
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
        operator = Operator(last.index, BYTE_FUNCTION, (chain.source,), last.outputs, table, sources)
        if accept(graph, operator):
            taken.update(member.index for member in chain.operators)
            fused[last.index] = operator
    if not fused:
        return graph
    kept = (fused.get(op.index, op) for op in graph.operators if op.index not in taken or op.index in fused)
    return graph.with_operators(tuple(kept))


def _next(graph: Graph, op: Operator, consumers: Mapping[int, Sequence[int]]) -> Operator | None:
    """The operator that reads what `op` makes, if nobody else does and it may belong to a chain."""
    users = consumers.get(op.outputs[0], ())
    if len(op.outputs) != 1 or len(users) != 1 or op.outputs[0] in graph.outputs:
        return None
    user = graph.operators[users[0]]
    return user if user.kind in _TABLED or user.kind in _FLOAT else None


def _longest_chain(graph: Graph, first: Operator, consumers: Mapping[int, Sequence[int]]) -> _Chain | None:
    """The longest chain from `first` that ends in bytes; None when there is none."""
    found = _tabled(graph, first)
    longest = None
    chain = _Chain((first,), *found) if found else None
    while chain is not None:
        if chain.ends_in_bytes:
            longest = chain
        following = _next(graph, chain.operators[-1], consumers)
        chain = _extended(graph, chain, following) if following is not None else None
    return longest


def _tabled(graph: Graph, op: Operator) -> tuple[int, bytes] | None:
    """(the tensor it reads, its table) of an operator of 8-bit input that is a table by itself."""
    try:
        (row_op,) = split_operator(graph, op)
    except Refusal:
        return None
    table = row_op.params.get("table_offset")
    if row_op.kind is not OpKind.LUT or not isinstance(table, bytes):
        return None
    return row_op.reads[0].tensor, table


def _extended(graph: Graph, chain: _Chain, op: Operator) -> _Chain | None:
    """`chain` and what `op` makes of its end; None when that is not exact."""
    if chain.ends_in_bytes:
        found = _tabled(graph, op) if op.kind in _TABLED else None
        if found is None or found[0] != chain.output:
            return None
        width = len(found[1]) // 256
        table = b"".join(found[1][width * byte : width * (byte + 1)] for byte in chain.table)
    else:
        if graph.tensors[op.inputs[0]].shape != graph.tensors[op.outputs[0]].shape:
            return None
        values = np.frombuffer(chain.table, "<f4").astype(np.float32)
        with np.errstate(all="ignore"):
            made = _quantized(graph, op, values) if op.kind == "QUANTIZE" else _computed(graph, op, values)
        if made is None:
            return None
        table = made
    return _Chain((*chain.operators, op), chain.source, table)


def _computed(graph: Graph, op: Operator, values: Floats) -> bytes | None:
    """A float operator; None when it is not one of ours or leaves the numbers."""
    if op.kind not in _FLOAT or graph.tensors[op.outputs[0]].dtype != "FLOAT32":
        return None
    made: Floats = np.asarray(_FLOAT[op.kind](values), np.float32)
    return bytes(made.astype("<f4").data) if np.isfinite(made).all() else None


def _quantized(graph: Graph, op: Operator, values: Floats) -> bytes | None:
    """QUANTIZE as its kernel does it: the quotient in float32, halves away from zero (reference/quantize.h)."""
    try:
        (row_op,) = split_operator(graph, op)
    except Refusal:
        return None
    params = row_op.params
    scale, low, high = (params[name] for name in ("scale", "output_min", "output_max"))
    assert not isinstance(scale, bytes) and not isinstance(low, bytes) and not isinstance(high, bytes)
    quotients = (values / np.float32(scale)).astype(np.float64)
    rounded = np.copysign(np.floor(np.abs(quotients) + 0.5), quotients) + int(params["zero_point"])
    if not (np.abs(rounded) < 2**31 - 2**8).all():  # what no int32 holds has no defined result
        return None
    return bytes(np.clip(rounded, low, high).astype(np.int64).astype(np.uint8).data)
