"""A sample of every kind of op: the one place where tests learn which shapes and parameters it may have.

`SAMPLES[kind]` draws a `Sample`: the shapes of the op's views, and the parameters that must not be 0. From it come

* random programs of several ops (`test_program.py`) and the fuzzers' first programs (`fuzz_seeds.py`);
* `one_op_program(kind)`, in which the checks of Python and C are compared, and what verification knows of the kind;
* the same op in numpy and in the C executor, on the same bytes (`test_samples.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import permutations
from random import Random
from typing import Protocol, TypeVar

import numpy as np
from sample_programs import unchecked, window

from tflm_split import kinds
from tflm_split.kinds import BinaryMode, MeanMode, OpKind, UnaryMode, WeightFlags
from tflm_split.kinds.kind import Case
from tflm_split.kinds.limits import POSITIONS_PER_PIXEL
from tflm_split.program.format import HEADER, OP, StorageKind
from tflm_split.program.types import Op, Program, Step, Storage, View

T = TypeVar("T")
Shape = tuple[int, int, int]
"""Rows, columns, channels."""


class Choices(Protocol):
    """Where random choices come from: Hypothesis, or a plain generator."""

    def one(self, options: Sequence[T]) -> T:
        """One of the options."""

    def number(self, low: int, high: int) -> int:
        """A number from `low` to `high`."""


class Seeded:
    """Choices that a seed determines."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def one(self, options: Sequence[T]) -> T:
        return self._random.choice(options)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)


@dataclass(frozen=True, slots=True)
class Sample:
    """One op. Its element sizes are the first that its kind accepts, unless given here.

    `params`: those that are neither 0 nor the index of a constant nor limits of the output. `constants`: the bytes of a
    constant whose values must be in a range of their own; all others are made by `constant_bytes`. `dense`: its views have no
    gaps between pixels. `sums_per_output`: int32 sums that an accumulator keeps for each output.
    """

    source: Shape
    output: Shape
    params: Mapping[str, int | float] = field(default_factory=dict)
    second: Shape | None = None
    constants: Mapping[str, bytes] = field(default_factory=dict)
    output_bytes: int = 0
    dense: bool = False
    sums_per_output: int = 1


Draw = Callable[[Choices, Shape], Sample]
"""The sample for an input of about this shape: at most 5 rows, 4 columns, 6 channels."""


def _flags(choices: Choices, *bits: WeightFlags) -> int:
    return sum(int(choices.one((0, bit))) for bit in bits)


def _convolution(*bits: WeightFlags, depthwise: bool = False) -> Draw:
    def draw(choices: Choices, shape: Shape) -> Sample:
        rows, columns, channels = shape
        groups = choices.one((1, channels))
        made = channels * groups if depthwise else groups * choices.number(1, 3)
        params = {**window(choices.number(1, 3), 1, 1), "groups": groups, "flags": _flags(choices, *bits)}
        return Sample(shape, (rows, columns, made), params)

    return draw


def _partial_sums(*bits: WeightFlags) -> Draw:
    def draw(choices: Choices, shape: Shape) -> Sample:
        params = {**window(choices.number(1, 3), 1, 1), "groups": 1, "flags": _flags(choices, *bits)}
        return Sample(shape, (*shape[:2], choices.number(1, 5)), params)

    return draw


def _transposed_convolution(*bits: WeightFlags) -> Draw:
    def draw(choices: Choices, shape: Shape) -> Sample:
        slides = window(choices.number(1, 3), choices.number(1, 3), choices.number(0, 2))
        params = {name: value for name, value in slides.items() if not name.startswith("dilation")}
        params["flags"] = _flags(choices, *bits)
        return Sample(shape, (2 * shape[0], shape[1] + 1, choices.number(1, 5)), params)

    return draw


def _stream(choices: Choices, shape: Shape) -> Sample:
    """All rows come or go in one call."""
    return Sample(shape, shape, {"flip": choices.one((0, 128))})


def _pool(choices: Choices, shape: Shape) -> Sample:
    return Sample(shape, shape, window(3, pad=1))


def _pool_of_a_mode(choices: Choices, shape: Shape) -> Sample:
    return Sample(shape, shape, window(3, pad=1) | {"mode": choices.number(0, 1)})


def _binary(choices: Choices, shape: Shape) -> Sample:
    """The second operand is broadcast along any axis."""
    scaled = {f"{name}{i}": value for i in (1, 2) for name, value in (("multiplier", 1 << 30), ("shift", -1))}
    second = (choices.one((1, shape[0])), choices.one((1, shape[1])), choices.one((1, shape[2])))
    return Sample(shape, shape, scaled | {"left_shift": 7, "output_multiplier": 1 << 30, "output_shift": -6}, second)


def _binary_of_a_mode(choices: Choices, shape: Shape) -> Sample:
    mode = int(choices.one(tuple(BinaryMode)))
    drawn = _binary(choices, shape)
    return Sample(shape, shape, {**drawn.params, "mode": mode}, drawn.second)


def _binary_float(choices: Choices, shape: Shape) -> Sample:
    drawn = _binary_of_a_mode(choices, shape)
    return Sample(shape, shape, {"mode": drawn.params["mode"]}, drawn.second)


def _table(choices: Choices, shape: Shape) -> Sample:
    return Sample(shape, shape, output_bytes=choices.one((1, 4)))


def _quantize(choices: Choices, shape: Shape) -> Sample:
    return Sample(shape, shape, {"scale": choices.one((0.5, 1.25)), "zero_point": 3})


def _unary_int16(choices: Choices, shape: Shape) -> Sample:
    scaled = {"multiplier": 1 << 30, "negative_multiplier": 1 << 28, "scale": 0.5}
    return Sample(shape, shape, {**scaled, "mode": int(UnaryMode.REQUANTIZE)})


def _unary_float(choices: Choices, shape: Shape) -> Sample:
    return Sample(
        shape,
        shape,
        {"mode": int(choices.one((UnaryMode.CLAMP, UnaryMode.LEAKY, UnaryMode.HARD_SWISH))), "slope": 0.25},
    )


def _library_float(choices: Choices, shape: Shape) -> Sample:
    return Sample(shape, shape, {"mode": int(choices.one((UnaryMode.LOGISTIC, UnaryMode.TANH, UnaryMode.ELU)))})


def _softmax_float(choices: Choices, shape: Shape) -> Sample:
    return Sample(shape, shape, {"beta": choices.one((1.0, 0.25))})


def _softmax(choices: Choices, shape: Shape) -> Sample:
    count = choices.number(1, 256)
    exps = np.linspace(2**31 - 1, 2**20, 256).astype(np.int32)[:count]
    return Sample(shape, shape, {"exp_count": count}, constants={"exps_offset": exps.tobytes()})


def _softmax_int16(choices: Choices, shape: Shape) -> Sample:
    at = np.linspace(0, 1, 513)
    tables = {"exps": np.exp(10 * at - 10), "reciprocals": 1 / (1 + at)}
    held = {f"{name}_table_offset": np.minimum(32768 * v, 32767).astype(np.int16) for name, v in tables.items()}
    constants = {name: values.tobytes() for name, values in held.items()}
    return Sample(shape, shape, {"multiplier": 1 << 30, "shift": -2}, constants=constants)


def _sum(modes: Sequence[int]) -> Draw:
    def draw(choices: Choices, shape: Shape) -> Sample:
        params = {"mode": int(choices.one(modes)), "count": choices.number(1, 99), "bias": -5}
        return Sample(shape, (1, 1, shape[2]), {**params, "multiplier": 1 << 30, "shift": -3})

    return draw


def _sum_float(choices: Choices, shape: Shape) -> Sample:
    return Sample(shape, (1, 1, shape[2]), {"count": choices.number(1, 99)})


def _dense(*bits: WeightFlags, sums_per_output: int = 1) -> Draw:
    def draw(choices: Choices, shape: Shape) -> Sample:
        params = {"flags": _flags(choices, *bits)} if bits else {}
        return Sample(shape, (1, 1, choices.number(1, 5)), params, sums_per_output=sums_per_output)

    return draw


def _sum_of_pixels(choices: Choices, shape: Shape) -> Sample:
    drawn = _sum((MeanMode.MEAN,))(choices, shape)
    return Sample(shape, (*shape[:2], 1), drawn.params)


def _sum_of_rows(choices: Choices, shape: Shape) -> Sample:
    drawn = _sum((MeanMode.MEAN,))(choices, shape)
    return Sample(shape, (shape[0], 1, shape[2]), drawn.params)


def _pad(choices: Choices, shape: Shape) -> Sample:
    rows, columns, channels = shape
    params = {"pad_rows": 1, "pad_columns": 0, "pad_channels": 2, "value": -7}
    return Sample(shape, (rows + 2, columns + 1, channels + 2), params)


def _resize_nearest(choices: Choices, shape: Shape) -> Sample:
    made = (2 * shape[0], shape[1] + 1, shape[2])
    return Sample(shape, made, constants=_each_axis("map", shape, made, choices, 1, np.uint16))


def _each_axis(
    what: str, read: Shape, made: Shape, choices: Choices, unit: int, dtype: type[np.generic]
) -> dict[str, bytes]:
    """For each row and column that is made, a place among those that are read, in units of 1/`unit`."""
    places = {}
    for name, count, last in zip(("row", "column"), made, (n - 1 for n in read), strict=False):
        values = [choices.number(0, unit * last) for _ in range(count)]
        places[f"{name}_{what}_offset"] = np.array(values, dtype).tobytes()
    return places


def _resize_bilinear(choices: Choices, shape: Shape) -> Sample:
    made = (2 * shape[0], shape[1] + 1, shape[2])
    return Sample(shape, made, constants=_each_axis("positions", shape, made, choices, POSITIONS_PER_PIXEL, np.uint32))


def _gather(choices: Choices, shape: Shape) -> Sample:
    made = (shape[0], choices.number(1, 3), choices.number(1, 5))
    return Sample((shape[0], 1, 1), made, {"entry_count": choices.number(1, 9)})


def _depth_to_space(choices: Choices, shape: Shape) -> Sample:
    rows, columns, channels = shape
    return Sample((rows, columns, 4 * channels), (2 * rows, 2 * columns, channels), {"block": 2})


def _recut(choices: Choices, shape: Shape) -> Sample:
    """Whole or in part, in shorter or longer rows."""
    elements = shape[0] * shape[1] * shape[2]
    columns, channels = choices.number(1, 3), choices.number(1, 4)
    while columns * channels > elements:
        columns, channels = 1, channels - (columns == 1)
    rows = choices.number(1, min(5, elements // (columns * channels)))
    return Sample(
        shape, (rows, columns, channels), {"first": choices.number(0, elements - rows * columns * channels)}, dense=True
    )


def _transpose(choices: Choices, shape: Shape) -> Sample:
    axes = choices.one(tuple(permutations((0, 1, 2))))
    params = dict(zip(("row_axis", "column_axis", "channel_axis"), axes, strict=True))
    return Sample(shape, (shape[axes[0]], shape[axes[1]], shape[axes[2]]), params)


def _matmul(choices: Choices, shape: Shape) -> Sample:
    rows, columns, channels = shape
    scaled = {"multiplier": 1 << 30, "shift": -6, "left_zero_point": 3, "right_zero_point": -2}
    if choices.one((True, False)):
        right = (choices.number(1, 5), choices.number(1, 3), channels)
        made, params = right[0] * right[1], {"right_rows": right[0], "transposed": 1}
    else:
        right = (channels, 1, choices.number(1, 5))
        made, params = right[2], {"right_rows": right[0], "transposed": 0}
    return Sample(shape, (rows, columns, made), {**scaled, **params, "left_rows": rows}, right)


def _sigmoid_int16(choices: Choices, shape: Shape) -> Sample:
    mode = int(choices.one((UnaryMode.LOGISTIC, UnaryMode.TANH)))
    return Sample(shape, shape, {"mode": mode, "multiplier": choices.number(0, 32767), "shift": choices.number(0, 31)})


def _lstm(parts: int) -> Draw:
    def draw(choices: Choices, shape: Shape) -> Sample:
        rows, _, channels = shape
        states = parts * choices.number(1, 5)
        halved = {f"{name}_{field}": v for name in ("forget", "cell", "hidden") for field, v in _HALF.items()}
        params = {**halved, "multiplier": 3, "shift": choices.number(0, 2), "cell_clip": choices.one((0, 9000))}
        params["hidden_zero_point"] = choices.number(-5, 5)
        return Sample((rows, 1, channels), (rows, 1, states), params, (rows + choices.number(0, 1), 1, states))

    return draw


_HALF = {"multiplier": 1 << 30, "shift": -14}
_CHANNELS, _SUMS_32, _FIRST = WeightFlags.PER_CHANNEL, WeightFlags.SUMS_32, WeightFlags.FIRST
SAMPLES: Mapping[OpKind, Draw] = {
    OpKind.CONV: _convolution(_CHANNELS),
    OpKind.DEPTHWISE: _convolution(_CHANNELS, depthwise=True),
    OpKind.CONV_INT16: _convolution(_CHANNELS, _SUMS_32),
    OpKind.DEPTHWISE_INT16: _convolution(_CHANNELS, _SUMS_32, depthwise=True),
    OpKind.CONV_FLOAT: _convolution(),
    OpKind.DEPTHWISE_FLOAT: _convolution(depthwise=True),
    OpKind.CONV_SUM: _partial_sums(_CHANNELS, _FIRST),
    OpKind.CONV_SUM_LAST: _partial_sums(_CHANNELS),
    OpKind.TRANSPOSE_CONV: _transposed_convolution(_CHANNELS),
    OpKind.TRANSPOSE_CONV_INT16: _transposed_convolution(_CHANNELS, _SUMS_32),
    OpKind.AVERAGE_POOL: _pool,
    OpKind.MAX_POOL: _pool,
    OpKind.POOL_INT16: _pool_of_a_mode,
    OpKind.POOL_FLOAT: _pool_of_a_mode,
    **dict.fromkeys((OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.MINIMUM, OpKind.MAXIMUM, OpKind.PRELU), _binary),
    OpKind.SQUARED_DIFFERENCE: _binary,
    OpKind.BINARY_INT16: _binary_of_a_mode,
    OpKind.BINARY_FLOAT: _binary_float,
    OpKind.LUT: _table,
    OpKind.QUANTIZE_FLOAT: _quantize,
    OpKind.UNARY_INT16: _unary_int16,
    OpKind.UNARY_FLOAT: _unary_float,
    OpKind.LIBRARY_FLOAT: _library_float,
    OpKind.SOFTMAX_FLOAT: _softmax_float,
    OpKind.SOFTMAX: _softmax,
    OpKind.SOFTMAX_INT16: _softmax_int16,
    OpKind.SUM_FEED: _sum(tuple(MeanMode)),
    OpKind.SUM_FEED_INT16: _sum((MeanMode.AVERAGE_POOL, MeanMode.MEAN)),
    OpKind.SUM_FEED_FLOAT: _sum_float,
    OpKind.DENSE_FEED: _dense(_CHANNELS),
    OpKind.DENSE_FEED_INT16: _dense(_CHANNELS, _SUMS_32, sums_per_output=2),
    OpKind.DENSE_FEED_FLOAT: _dense(),
    OpKind.PIXEL_SUM: _sum_of_pixels,
    OpKind.ROW_SUM: _sum_of_rows,
    OpKind.PAD: _pad,
    OpKind.RESIZE_NEAREST: _resize_nearest,
    OpKind.RESIZE_BILINEAR: _resize_bilinear,
    OpKind.GATHER: _gather,
    OpKind.FETCH: _stream,
    OpKind.EMIT: _stream,
    OpKind.DEPTH_TO_SPACE: _depth_to_space,
    OpKind.RECUT: _recut,
    OpKind.TRANSPOSE: _transpose,
    OpKind.BATCH_MATMUL: _matmul,
    OpKind.SIGMOID_INT16: _sigmoid_int16,
    OpKind.LSTM: _lstm(3),
    OpKind.LSTM_INT16: _lstm(2),
}


# Programs of samples.


def constant_bytes(kind: OpKind, name: str, length: int, case: Case, choices: Choices) -> bytes:
    """A constant of any values that its kind allows: small biases, multipliers of 1/2 or more, right shifts; else bytes."""
    rng = np.random.default_rng(choices.number(0, 2**31))
    wide = length // case.output.channel_count == 8
    match name:
        case "bias_offset" | "weights_offset" if kind.name.endswith("_FLOAT"):
            return rng.normal(0, 1, length // 4).astype(np.float32).tobytes()
        case "bias_offset":
            return (
                rng.integers(-2000, 2000, length // (8 if wide else 4)).astype(np.int64 if wide else np.int32).tobytes()
            )
        case "multipliers_offset":
            return rng.integers(2**30, 2**31, length // 4).astype(np.int32).tobytes()
        case "shifts_offset":
            return rng.integers(-9, 1, length).astype(np.int8).tobytes()
        case _:
            return rng.bytes(length)


class Programs:
    """Makes programs of samples, op by op.

    Rows of different storages lie apart, or with a `workspace` anywhere in one of so many bytes, also on each other.
    """

    def __init__(self, choices: Choices, workspace: int = 0) -> None:
        self.choices = choices
        self.storages: list[Storage] = []
        self.views: list[View] = []
        self.ops: list[Op] = []
        self.constants: list[bytes] = [b"unused"]
        self.workspace = workspace
        self._anywhere = workspace > 0

    def add(self, kind: OpKind) -> Op:
        """An op of this kind, on storages of its own."""
        owner, one, number = kinds.of(kind), self.choices.one, self.choices.number
        sample = SAMPLES[kind](self.choices, (number(1, 5), number(1, 4), number(1, 6)))
        read, made = owner.input_bytes[0], sample.output_bytes or owner.output_bytes[0]
        source = self.view(
            sample.source, read, may_be_constant=not owner.fetches, dense=sample.dense, in_order=owner.fetches
        )
        second = None if sample.second is None else self.view(sample.second, read, may_be_constant=True)
        sums_only = owner.sums and made == 4
        output = self.view(sample.output, made, dense=sums_only or sample.dense, in_order=owner.emits)
        accumulator = output if sums_only else None
        if owner.sums and not sums_only:
            accumulator = self.view(sample.output, 4, dense=True)
        if owner.feeds:
            accumulator = self.view((1, 1, sample.sums_per_output * sample.output[2]), 4)
        params: dict[str, int | float] = dict.fromkeys((f.name for f in owner.record.fields), 0)
        params |= sample.params
        if "output_min" in params:
            params |= {"output_min": -number(0, 128), "output_max": number(0, 127)}
        case = Case(params, self.views[output], self.views[source])
        for name in owner.constant_fields:
            length = owner.constant_bytes(name, case)
            self.constants.append(sample.constants.get(name) or constant_bytes(kind, name, length, case, self.choices))
            params[name] = len(self.constants) - 1
        self.ops.append(Op(kind, output, source, params, second, accumulator, source=one(("", "somewhere"))))
        return self.ops[-1]

    def rows_of(self, op: Op) -> int:
        """How many steps the op has."""
        return self.views[op.input if kinds.of(op.kind).steps_by_input else op.output].row_count

    def program(self, steps: Sequence[Step]) -> Program:
        parts = self.storages, self.views, self.ops, steps, self.constants
        return Program(self.workspace, (), (), *map(tuple, parts))

    def view(
        self,
        shape: Shape,
        element: int,
        *,
        may_be_constant: bool = False,
        dense: bool = False,
        in_order: bool = False,
    ) -> int:
        """The number of a new view of this shape, with gaps between its pixels unless `dense`.

        Rows that are `in_order` follow each other in memory.
        """
        rows, columns, channels = shape
        one, number = self.choices.one, self.choices.number
        stride = channels * element + (0 if dense else one((0, 0, 4)))
        offset, first = one((0, 4)), number(0, 2)
        row_bytes = offset + columns * stride + one((0, 4))
        row_bytes += -row_bytes % 4
        count = first + rows
        if self._anywhere:
            self.storages.append(self._storage_anywhere(row_bytes, count, element, may_be_constant, in_order))
        else:
            self.storages.append(Storage(row_bytes, count, tuple(self.workspace + r * row_bytes for r in range(count))))
            self.workspace += count * row_bytes
        self.views.append(View(len(self.storages) - 1, first, rows, columns, channels, stride, offset, element))
        return len(self.views) - 1

    def _storage_anywhere(
        self, row_bytes: int, count: int, element: int, may_be_constant: bool, in_order: bool
    ) -> Storage:
        one, number = self.choices.one, self.choices.number
        kind = StorageKind.AFFINE if in_order else one(tuple(StorageKind)[: 4 if may_be_constant else 3])
        unit = {StorageKind.TABLE16: 4, StorageKind.TABLE32: element}.get(kind, 4)
        if kind is StorageKind.CONSTANT:
            self.constants.append(bytes([number(0, 255)]) * (row_bytes * count))
            return Storage(row_bytes, count, (), len(self.constants) - 1)
        if kind is StorageKind.AFFINE:
            start = unit * number(0, (self.workspace - count * row_bytes) // unit)
            return Storage(row_bytes, count, tuple(start + r * row_bytes for r in range(count)))
        last = (self.workspace - row_bytes) // unit
        return Storage(row_bytes, count, tuple(unit * number(0, last) for _ in range(count)))


def rows_of_calls(program: Program) -> frozenset[int]:
    """The storages whose rows each call brings or hands over anew. They must not move."""
    brought = {program.views[op.input].storage for op in program.ops if kinds.of(op.kind).fetches}
    return frozenset(brought | {program.views[op.output].storage for op in program.ops if kinds.of(op.kind).emits})


@cache
def one_op_program(kind: OpKind, seed: int = 0) -> Program:
    """A program of one op of this kind, which makes every row in order. Its storages lie apart."""
    made = Programs(Seeded(seed))
    op = made.add(kind)
    return made.program([Step(0, row) for row in range(made.rows_of(op))])


def with_params(kind: OpKind, seed: int = 0, **fields: int | float) -> bytes:
    """The bytes of `one_op_program(kind, seed)`, with parameters overwritten by values that may be wrong."""
    blob = bytearray(unchecked(one_op_program(kind, seed)))
    record = kinds.of(kind).record
    at = int(OP.unpack(bytes(blob), int(HEADER.unpack(bytes(blob), 0)["ops_offset"]))["params_offset"])
    blob[at : at + record.size_bytes] = record.pack(**record.unpack(bytes(blob), at) | fields)
    return bytes(blob)
