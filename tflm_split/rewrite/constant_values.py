"""What does an operator make that reads constants only? The bytes that TFLM's kernels would give.

Kinds are left out where those bytes depend on more than the constants: on the C library (EXP, LOG), on the order of a float
sum (MEAN, SUM), or on behaviour that C leaves open (integers that overflow, floats that fit no integer).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from tflm_split.arithmetic.affine import QUANTIZED_DTYPES, affine_dequantize, affine_quantize
from tflm_split.arithmetic.tables import lut
from tflm_split.errors import Refusal
from tflm_split.ir.graph import ABSENT, Graph, Operator, Tensor
from tflm_split.split.operators.pad import pad_amounts
from tflm_split.split.operators.slices import SLICES, slices_taken
from tflm_split.split.operators.unary import UNARY_KINDS

Array = npt.NDArray[Any]

_DTYPES: Mapping[str, str] = MappingProxyType(
    {
        "FLOAT32": "<f4", "FLOAT16": "<f2", "FLOAT64": "<f8", "INT8": "i1", "UINT8": "u1", "INT16": "<i2", "UINT16": "<u2",
        "INT32": "<i4", "UINT32": "<u4", "INT64": "<i8", "UINT64": "<u8", "BOOL": "?",
    }
)  # fmt: skip
_WHOLE = ("INT32", "INT64")
"""Types of shapes and indices. Integers of these types are numbers, not quantised values."""
_SHAPE_ONLY = frozenset({"SHAPE", "RANK", "ZEROS_LIKE"})
"""Kinds that read the shape of their input, and none of its values."""


class _Unknown(Exception):
    """The results of this operator are not known."""


def constant_values(graph: Graph, op: Operator) -> tuple[bytes, ...] | None:
    """The little-endian bytes of every output of `op`. None when they depend on an activation, or are not known."""
    operands = [graph.tensors[t] for t in op.inputs if t != ABSENT]
    if op.kind not in _SHAPE_ONLY and not all(t.is_constant for t in operands):
        return None
    evaluate = _KINDS.get(op.kind)
    if evaluate is None or not operands or any(t.dtype not in _DTYPES for t in operands):
        return None
    try:
        with np.errstate(all="ignore"):
            results = evaluate(_Operands(graph, op))
    except (_Unknown, Refusal, ValueError, IndexError, OverflowError):
        return None
    targets = [graph.tensors[t] for t in op.outputs]
    if len(results) != len(targets) or any(t.dtype not in _DTYPES for t in targets):
        return None
    if any(
        r.dtype != np.dtype(_DTYPES[t.dtype]) or r.size != t.elements for r, t in zip(results, targets, strict=True)
    ):
        return None
    return tuple(np.ascontiguousarray(r).tobytes() for r in results)


class _Operands:
    """The operands of one operator, as arrays."""

    def __init__(self, graph: Graph, op: Operator) -> None:
        self.graph, self.op = graph, op

    @property
    def output(self) -> Tensor:
        return self.graph.tensors[self.op.outputs[0]]

    def tensor(self, position: int) -> Tensor:
        return self.graph.tensors[self.op.inputs[position]]

    def value(self, position: int) -> Array:
        tensor = self.tensor(position)
        if not tensor.is_constant or tensor.data is None or len(tensor.data) != tensor.bytes:
            raise _Unknown
        return np.frombuffer(tensor.data, _DTYPES[tensor.dtype]).reshape(tensor.shape)

    def whole(self, position: int) -> list[int]:
        """The whole numbers of an operand: axes, sizes, indices."""
        _need(self.tensor(position).dtype in _WHOLE)
        return [int(v) for v in self.value(position).reshape(-1)]

    def number(self, position: int) -> int:
        (number,) = self.whole(position)
        return number

    def option(self, name: str) -> int:
        return int(self.op.options.get(name, 0))

    def unquantized(self, *dtypes: str) -> list[Array]:
        """All operands. They have one type, of `dtypes`, and are numbers as they stand."""
        tensors = [self.tensor(k) for k in range(len(self.op.inputs))]
        _need(len({t.dtype for t in tensors}) == 1 and tensors[0].dtype in dtypes)
        _need(tensors[0].dtype == "FLOAT32" or all(t.quantization is None for t in (*tensors, self.output)))
        return [self.value(k) for k in range(len(tensors))]

    def of_output(self, values: Array) -> tuple[Array, ...]:
        """`values` in the output's type. Unknown where one does not fit it, or is not finite."""
        kind = np.dtype(_DTYPES[self.output.dtype])
        if kind.kind == "f":
            _need(bool(np.isfinite(values).all()))
        elif kind.kind in "iu":
            limits = np.iinfo(kind)
            _need(all(limits.min <= int(v) <= limits.max for v in values.reshape(-1)))
        return (values.astype(kind),)


def _need(condition: bool) -> None:
    if not condition:
        raise _Unknown


# Shapes.


def _shape(e: _Operands) -> tuple[Array, ...]:
    return e.of_output(np.array(e.tensor(0).shape, np.int64))


def _rank(e: _Operands) -> tuple[Array, ...]:
    return e.of_output(np.array(len(e.tensor(0).shape), np.int64))


def _zeros(e: _Operands) -> tuple[Array, ...]:
    _need(e.output.dtype in ("FLOAT32", *_WHOLE))
    return (np.zeros(e.output.shape, _DTYPES[e.output.dtype]),)


def _fill(e: _Operands) -> tuple[Array, ...]:
    _need(tuple(e.whole(0)) == e.output.shape)
    return (np.full(e.output.shape, e.value(1).reshape(())),)


def _range(e: _Operands) -> tuple[Array, ...]:
    return e.of_output(np.arange(e.number(0), e.number(1), e.number(2), dtype=np.int64))


# Moves of elements, of any type.


def _reshape(e: _Operands) -> tuple[Array, ...]:
    return (e.value(0),)


def _slice(e: _Operands) -> tuple[Array, ...]:
    source = e.op.inputs[1 if e.op.kind == "SPLIT" else 0]
    tensors = list(e.graph.tensors)
    tensors[source] = replace(tensors[source], data=None)
    whole = e.value(1 if e.op.kind == "SPLIT" else 0)
    taken = slices_taken(replace(e.graph, tensors=tuple(tensors)), e.op)
    return tuple(whole[np.ix_(*(list(r) for r in ranges))] if ranges else whole for ranges in taken)


def _pack(e: _Operands) -> tuple[Array, ...]:
    return (np.stack([e.value(k) for k in range(len(e.op.inputs))], e.option("axis")),)


def _concatenation(e: _Operands) -> tuple[Array, ...]:
    _need(e.op.options.get("fused_activation_function", "NONE") == "NONE")
    parts = [e.value(k) for k in range(len(e.op.inputs))]
    return (np.concatenate(parts, e.option("axis")),)


def _transpose(e: _Operands) -> tuple[Array, ...]:
    return (np.transpose(e.value(0), e.whole(1)),)


def _gather(e: _Operands) -> tuple[Array, ...]:
    _need(not e.option("batch_dims") and e.tensor(1).dtype in _WHOLE)
    indices = e.value(1)
    _need(bool((indices >= 0).all()))
    return (np.take(e.value(0), indices, e.option("axis")),)


def _broadcast_to(e: _Operands) -> tuple[Array, ...]:
    return (np.broadcast_to(e.value(0), e.whole(1)),)


def _broadcast_shapes(e: _Operands) -> tuple[Array, ...]:
    return e.of_output(np.array(np.broadcast_shapes(tuple(e.whole(0)), tuple(e.whole(1))), np.int64))


def _tile(e: _Operands) -> tuple[Array, ...]:
    return (np.tile(e.value(0), e.whole(1)),)


def _pad(e: _Operands) -> tuple[Array, ...]:
    """PAD of numbers that are not quantised: the filler is 0, or the third operand."""
    filler: Any = 0
    if len(e.op.inputs) > 2:
        filler = e.value(2).reshape(())
    _need(e.tensor(0).dtype in ("FLOAT32", *_WHOLE) and e.tensor(0).dtype == e.output.dtype)
    return (np.pad(e.value(0), pad_amounts(e.graph, e.op), constant_values=filler),)


def _reverse(e: _Operands) -> tuple[Array, ...]:
    return (np.flip(e.value(0), tuple(e.whole(1))),)


# Types.


def _cast(e: _Operands) -> tuple[Array, ...]:
    """Floats are cut off towards zero."""
    source, target = np.dtype(_DTYPES[e.tensor(0).dtype]), np.dtype(_DTYPES[e.output.dtype])
    _need(source.itemsize <= 8 and e.output.dtype != "FLOAT16")
    values = e.value(0)
    if target.kind == "b":
        return (values != 0,)
    if target.kind == "f":
        return (values.astype(target),)
    return e.of_output(np.trunc(values) if source.kind == "f" else values.astype(np.int64))


def _dequantize(e: _Operands) -> tuple[Array, ...]:
    source = e.tensor(0)
    if source.dtype == "FLOAT16":
        return (e.value(0).astype(_DTYPES["FLOAT32"]),)
    quantization = source.quantization
    _need(source.dtype in QUANTIZED_DTYPES and e.output.dtype == "FLOAT32" and quantization is not None)
    assert quantization is not None
    _need(len(quantization.scales) == len(quantization.zero_points) == 1)
    return (affine_dequantize(e.value(0), quantization.scales[0], quantization.zero_points[0]).astype("<f4"),)


def _quantize(e: _Operands) -> tuple[Array, ...]:
    if e.tensor(0).dtype != "FLOAT32":
        return _by_table(e)
    quantization = e.output.quantization
    _need(e.output.dtype in QUANTIZED_DTYPES and quantization is not None)
    assert quantization is not None
    _need(len(quantization.scales) == len(quantization.zero_points) == 1)
    values = e.value(0)
    _need(bool((np.abs(values / np.float32(quantization.scales[0])) < 2**30).all()))
    made = affine_quantize(values, quantization.scales[0], quantization.zero_points[0], e.output.dtype)
    return (made.astype(_DTYPES[e.output.dtype]),)


def _by_table(e: _Operands) -> tuple[Array, ...]:
    """A function of one byte."""
    source, target = e.tensor(0), e.output
    _need(source.dtype == "INT8" and target.dtype == "INT8" and len(e.op.inputs) == 1)
    _need(all(t.quantization is not None and len(t.quantization.scales) == 1 for t in (source, target)))
    table = lut(e.op.kind, source.quantization, target.quantization, e.op.options, source.dtype, target.dtype)
    return (np.frombuffer(table, np.int8)[e.value(0).view(np.uint8)],)


# Arithmetic of floats, each operation rounded once, and of whole numbers that do not overflow.


def _binary(function: Callable[[Array, Array], Array]) -> Callable[[_Operands], tuple[Array, ...]]:
    def evaluate(e: _Operands) -> tuple[Array, ...]:
        a, b = e.unquantized("FLOAT32", *_WHOLE)
        whole = e.tensor(0).dtype != "FLOAT32"
        if whole:
            _need(all(abs(int(v)) < 2**31 for x in (a, b) for v in x.reshape(-1)))
            a, b = a.astype(np.int64), b.astype(np.int64)
        values = function(a, b)
        activation = e.op.options.get("fused_activation_function", "NONE")
        if activation != "NONE":
            _need(not whole and activation in _RANGES)
            values = np.clip(values, *(None if v is None else np.float32(v) for v in _RANGES[str(activation)]))
        return e.of_output(values)

    return evaluate


_RANGES: Mapping[str, tuple[float | None, float | None]] = MappingProxyType(
    {"RELU": (0, None), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}
)


def _quotient(e: _Operands) -> tuple[Array, ...]:
    _need(e.tensor(0).dtype == "FLOAT32")
    return _binary(np.divide)(e)


def _floored(function: Callable[[Array, Array], Array]) -> Callable[[_Operands], tuple[Array, ...]]:
    """A division of whole numbers by one that is not 0."""

    def evaluate(e: _Operands) -> tuple[Array, ...]:
        _need(e.tensor(0).dtype in _WHOLE and bool((e.value(1) != 0).all()))
        return _binary(function)(e)

    return evaluate


def _unary(function: Callable[[Array], Array]) -> Callable[[_Operands], tuple[Array, ...]]:
    def evaluate(e: _Operands) -> tuple[Array, ...]:
        (values,) = e.unquantized("FLOAT32")
        return e.of_output(function(values))

    return evaluate


def _compared(function: Callable[[Array, Array], Array]) -> Callable[[_Operands], tuple[Array, ...]]:
    def evaluate(e: _Operands) -> tuple[Array, ...]:
        a, b = e.unquantized("FLOAT32", *_WHOLE)
        return (function(a, b),)

    return evaluate


def _logical(function: Callable[..., Array]) -> Callable[[_Operands], tuple[Array, ...]]:
    def evaluate(e: _Operands) -> tuple[Array, ...]:
        return (function(*e.unquantized("BOOL")),)

    return evaluate


def _select(e: _Operands) -> tuple[Array, ...]:
    _need(e.tensor(0).dtype == "BOOL" and e.tensor(1).dtype == e.tensor(2).dtype)
    return (np.where(e.value(0), e.value(1), e.value(2)).astype(_DTYPES[e.output.dtype]),)


def _reduced(function: Callable[..., Array]) -> Callable[[_Operands], tuple[Array, ...]]:
    def evaluate(e: _Operands) -> tuple[Array, ...]:
        _need(e.tensor(0).dtype in _WHOLE and e.tensor(0).quantization is None)
        values = e.value(0).astype(object)
        return e.of_output(np.asarray(function(values, axis=tuple(e.whole(1)))))

    return evaluate


_KINDS: Mapping[str, Callable[[_Operands], tuple[Array, ...]]] = MappingProxyType(
    {
        **dict.fromkeys(UNARY_KINDS, _by_table),
        **dict.fromkeys(sorted(SLICES), _slice),
        "SHAPE": _shape,
        "RANK": _rank,
        "ZEROS_LIKE": _zeros,
        "FILL": _fill,
        "RANGE": _range,
        "RESHAPE": _reshape,
        "SQUEEZE": _reshape,
        "EXPAND_DIMS": _reshape,
        "PACK": _pack,
        "CONCATENATION": _concatenation,
        "TRANSPOSE": _transpose,
        "GATHER": _gather,
        "BROADCAST_TO": _broadcast_to,
        "BROADCAST_ARGS": _broadcast_shapes,
        "TILE": _tile,
        "PAD": _pad,
        "PADV2": _pad,
        "REVERSE_V2": _reverse,
        "CAST": _cast,
        "DEQUANTIZE": _dequantize,
        "QUANTIZE": _quantize,
        "ADD": _binary(np.add),
        "SUB": _binary(np.subtract),
        "MUL": _binary(np.multiply),
        "MINIMUM": _binary(np.minimum),
        "MAXIMUM": _binary(np.maximum),
        "DIV": _quotient,
        "FLOOR_DIV": _floored(np.floor_divide),
        "FLOOR_MOD": _floored(np.mod),
        "NEG": _unary(np.negative),
        "SQUARE": _unary(np.square),
        "SQRT": _unary(np.sqrt),
        "FLOOR": _unary(np.floor),
        "CEIL": _unary(np.ceil),
        "EQUAL": _compared(np.equal),
        "NOT_EQUAL": _compared(np.not_equal),
        "GREATER": _compared(np.greater),
        "GREATER_EQUAL": _compared(np.greater_equal),
        "LESS": _compared(np.less),
        "LESS_EQUAL": _compared(np.less_equal),
        "LOGICAL_AND": _logical(np.logical_and),
        "LOGICAL_OR": _logical(np.logical_or),
        "LOGICAL_NOT": _logical(np.logical_not),
        "SELECT": _select,
        "SELECT_V2": _select,
        "REDUCE_PROD": _reduced(np.prod),
        "REDUCE_MAX": _reduced(np.max),
        "REDUCE_MIN": _reduced(np.min),
        "SUM": _reduced(np.sum),
    }
)
"""Kind of operator -> its outputs. It raises `_Unknown` for operands that it does not know."""

FOLDABLE = frozenset(_KINDS)
"""Kinds that may be computed here. They compute, and do nothing else."""
