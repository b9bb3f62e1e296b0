"""Do the parameters of an int16 or float32 op make sense, and do its views hold elements of its type?

The rules of `check.py` that these kinds do not share with the int8 ones; what they share (windows, broadcasting,
constants, addresses) is checked there.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from math import inf, isfinite

from tflm_split.program.format import BinaryMode, MeanMode, OpKind, PoolMode, UnaryMode, WeightFlags
from tflm_split.program.types import Op, Program, View

INT16_KINDS = frozenset(
    {
        OpKind.CONV_INT16, OpKind.DEPTHWISE_INT16, OpKind.POOL_INT16, OpKind.BINARY_INT16, OpKind.UNARY_INT16,
        OpKind.SUM_FEED_INT16, OpKind.SOFTMAX_INT16, OpKind.DENSE_FEED_INT16,
    }
)  # fmt: skip
FLOAT_KINDS = frozenset(
    {
        OpKind.CONV_FLOAT, OpKind.DEPTHWISE_FLOAT, OpKind.POOL_FLOAT, OpKind.BINARY_FLOAT, OpKind.UNARY_FLOAT,
        OpKind.SUM_FEED_FLOAT, OpKind.DENSE_FEED_FLOAT,
    }
)  # fmt: skip
TYPED_WINDOWED = (
    OpKind.CONV_INT16, OpKind.DEPTHWISE_INT16, OpKind.POOL_INT16, OpKind.CONV_FLOAT, OpKind.DEPTHWISE_FLOAT,
    OpKind.POOL_FLOAT,
)  # fmt: skip
TYPED_POOLS = (OpKind.POOL_INT16, OpKind.POOL_FLOAT)
TYPED_CONVOLUTIONS = (OpKind.CONV_INT16, OpKind.DEPTHWISE_INT16, OpKind.CONV_FLOAT, OpKind.DEPTHWISE_FLOAT)
TYPED_BINARY = (OpKind.BINARY_INT16, OpKind.BINARY_FLOAT)
TYPED_FEEDS = (
    OpKind.SUM_FEED_INT16, OpKind.DENSE_FEED_INT16, OpKind.SUM_FEED_FLOAT, OpKind.DENSE_FEED_FLOAT,
)  # fmt: skip

MAX_WIDE_SHIFT = 7
"""What an int64 sum may be shifted to the left by, in TFLM as here."""
MAX_SOFTMAX_CHANNELS = 32767
MAX_SUMMED_PIXELS = 32768
"""More int16 could overflow an int32 sum."""
_INT16 = (-32768, 32767)
_CONVERTED_BYTES = {
    UnaryMode.REQUANTIZE: ((1, 2), (1, 2)),
    UnaryMode.FROM_FLOAT: ((4,), (2,)),
    UnaryMode.TO_FLOAT: ((2,), (4,)),
}
"""Bytes per element of input and output."""


def element_bytes_of(kind: OpKind) -> int:
    """Of the views of an op that has one type in and out."""
    return 2 if kind in INT16_KINDS else 4 if kind in FLOAT_KINDS else 1


def typed_fault(op: Op, output: View, source: View, second: View | None, accumulator: View | None) -> str | None:
    """What is wrong with an op of `INT16_KINDS` or `FLOAT_KINDS`; None when nothing is."""
    wanted = element_bytes_of(op.kind)
    for role, view in (("output", output), ("input", source), ("second input", second)):
        if view is not None and op.kind is not OpKind.UNARY_INT16 and view.element_bytes != wanted:
            return f"its {role} has elements of {view.element_bytes} bytes"
    if accumulator is not None:
        fault = _accumulator_fault(op, output, accumulator)
        if fault:
            return fault
    return _int16_fault(op, output, source) if op.kind in INT16_KINDS else _float_fault(op, output, source)


def wide_shift_fault(program: Program, op: Op) -> str | None:
    """An int64 sum is scaled by shifts that TFLM can do; called when the constants are known to be there."""
    if "shifts_offset" not in op.params or int(op.params["flags"]) & WeightFlags.SUMS_32:
        return None
    constant = program.constants[int(op.params["shifts_offset"])]
    largest = max(struct.unpack(f"{len(constant)}b", constant))
    return f"a shift is {largest}, and {MAX_WIDE_SHIFT} is the most" if largest > MAX_WIDE_SHIFT else None


def _accumulator_fault(op: Op, output: View, accumulator: View) -> str | None:
    if accumulator.element_bytes != 4:
        return f"its accumulator has elements of {accumulator.element_bytes} bytes"
    if (output.row_count, output.column_count) != (1, 1):
        return f"its output is {list(_shape(output))}, needs one row and one column"
    per_output = 2 if op.kind is OpKind.DENSE_FEED_INT16 else 1
    wanted = (1, 1, per_output * output.channel_count)
    if _shape(accumulator) != wanted:
        return f"its accumulator is {list(_shape(accumulator))}, needs {list(wanted)}"
    return None


def _int16_fault(op: Op, output: View, source: View) -> str | None:
    p = op.params
    for name in ("shift", "shift1", "shift2", "negative_shift", "output_shift"):
        if not -31 <= p.get(name, 0) <= 30:
            return f"its {name} is {p[name]}"
    for name in ("input_zero_point", "output_zero_point"):
        if not _INT16[0] <= p.get(name, 0) <= _INT16[1]:
            return f"its {name} is {p[name]}"
    low, high = p.get("output_min", 0), p.get("output_max", 0)
    narrowest = (-128, 127) if output.element_bytes == 1 else _INT16
    if not narrowest[0] <= low <= high <= narrowest[1]:
        return f"its output range is {low} to {high}"
    match op.kind:
        case OpKind.CONV_INT16 | OpKind.DEPTHWISE_INT16 | OpKind.DENSE_FEED_INT16:
            known = int(WeightFlags.PER_CHANNEL | WeightFlags.SUMS_32)
            return f"its flags are {int(p['flags']):#x}" if int(p["flags"]) & ~known else None
        case OpKind.POOL_INT16:
            return _mode_fault(p, set(PoolMode))
        case OpKind.BINARY_INT16:
            if not 0 <= p["left_shift"] <= 15:
                return f"its left_shift is {p['left_shift']}"
            return _mode_fault(p, set(BinaryMode))
        case OpKind.UNARY_INT16:
            return _conversion_fault(p, output, source)
        case OpKind.SUM_FEED_INT16:
            return _sum_fault(p, output, source)
        case _:
            if output.channel_count > MAX_SOFTMAX_CHANNELS:
                return f"it has {output.channel_count} channels, and {MAX_SOFTMAX_CHANNELS} is the most"
            return _same_shape_fault(output, source)


def _conversion_fault(p: Mapping[str, int | float], output: View, source: View) -> str | None:
    fault = _mode_fault(p, set(_CONVERTED_BYTES)) or _same_shape_fault(output, source)
    if fault:
        return fault
    have = (source.element_bytes, output.element_bytes)
    if any(
        bytes_ not in allowed for bytes_, allowed in zip(have, _CONVERTED_BYTES[UnaryMode(int(p["mode"]))], strict=True)
    ):
        return f"it takes elements of {have[0]} bytes to {have[1]}"
    if not (isfinite(p["scale"]) and p["scale"] > 0):
        return f"its scale is {p['scale']}"
    return None


def _sum_fault(p: Mapping[str, int | float], output: View, source: View) -> str | None:
    if output.channel_count != source.channel_count:
        return f"it sums {source.channel_count} channels into {output.channel_count}"
    if p["count"] < 1:
        return f"its count is {p['count']}"
    pixels = source.row_count * source.column_count
    if pixels > MAX_SUMMED_PIXELS:
        return f"it sums {pixels} pixels, and {MAX_SUMMED_PIXELS} is the most"
    return _mode_fault(p, {MeanMode.AVERAGE_POOL, MeanMode.MEAN})


def _float_fault(op: Op, output: View, source: View) -> str | None:
    p = op.params
    limits = ("low", "high") if op.kind is OpKind.UNARY_FLOAT else ("output_min", "output_max")
    if not p[limits[0]] <= p[limits[1]]:
        return f"its output range is {p[limits[0]]} to {p[limits[1]]}"
    match op.kind:
        case OpKind.CONV_FLOAT | OpKind.DEPTHWISE_FLOAT:
            return f"its flags are {int(p['flags']):#x}" if p["flags"] else None
        case OpKind.POOL_FLOAT:
            return _mode_fault(p, set(PoolMode))
        case OpKind.BINARY_FLOAT:
            return _mode_fault(p, set(BinaryMode))
        case OpKind.UNARY_FLOAT:
            if not -inf <= p["slope"] <= inf:
                return f"its slope is {p['slope']}"
            return _mode_fault(p, {UnaryMode.CLAMP, UnaryMode.LEAKY}) or _same_shape_fault(output, source)
        case OpKind.SUM_FEED_FLOAT:
            if output.channel_count != source.channel_count:
                return f"it sums {source.channel_count} channels into {output.channel_count}"
            return None if p["count"] >= 1 else f"its count is {p['count']}"
        case _:
            return None


def _mode_fault(
    p: Mapping[str, int | float], known: set[MeanMode] | set[PoolMode] | set[BinaryMode] | set[UnaryMode]
) -> str | None:
    return None if p["mode"] in known else f"its mode is {p['mode']}"


def _same_shape_fault(output: View, source: View) -> str | None:
    if _shape(output) == _shape(source):
        return None
    return f"its input of shape {list(_shape(source))} is not {list(_shape(output))} like its output"


def _shape(view: View) -> tuple[int, int, int]:
    return view.row_count, view.column_count, view.channel_count
