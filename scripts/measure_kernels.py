"""Measures what the kernels' loops cost on the emulated boards and writes `tflm_split/analysis/instructions.json`.

    python scripts/measure_kernels.py [--board m7 ...] [--kind CONV ...] [--cases 1.0] [-o FILE]

Hundreds of small programs of one op each, of many geometries (`KINDS`), run on each board; every distinct step of theirs is
counted. `tflm_split/analysis/latency*.py` says how often each loop of a kernel turns in such a step; the cost of a turn is
what explains the counts best: least squares of the relative errors, no cost below zero. Needs the
cross compilers and emulators of `tflm_split/board/toolchain.py`; takes a minute or two.
"""

from __future__ import annotations

import json
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from tflm_split import kinds
from tflm_split.analysis.boards import TABLE_PATH
from tflm_split.analysis.latency import (
    COUNTERS,
    GENERIC,
    MEASURED_AS,
    TABLE_SCHEMA,
    generic_counts,
    op_geometry,
    sharing,
)
from tflm_split.analysis.latency_call import Counts, Edge, Geometry
from tflm_split.board.boards import BOARDS, Board
from tflm_split.board.firmware import build_image, describe_compiler
from tflm_split.board.run import emulate
from tflm_split.board.toolchain import require_tools
from tflm_split.kinds import OpKind, WeightFlags
from tflm_split.native.sources import runtime_path
from tflm_split.program.encode import encode
from tflm_split.program.types import Op, Program, Step, Storage, View

Array = NDArray[Any]
Rng = np.random.Generator

KERNELS_OF = {
    "m0": "portable", "m3": "portable", "m4": "dsp", "m7": "dsp", "m55": "mve", "rv32imc": "portable", "rv32gc": "portable",
}  # fmt: skip
SAME_CORE = {
    board.name: next(name for name in KERNELS_OF if BOARDS[name].flags == board.flags)
    for board in BOARDS.values() if board.name not in KERNELS_OF
}  # fmt: skip
"""Boards with the core, the compiler's flags and so the counts of another."""
REPEATS = 4
"""Times each step runs in its program: counts are exact to about eight instructions."""
PROGRAM_BYTES, WORKSPACE_BYTES = 192 * 1024, 192 * 1024
SEED = 20
_KINDS_MASK = sum(1 << kind for kind in {*COUNTERS["portable"], *MEASURED_AS})


@dataclass(frozen=True, slots=True)
class Case:
    """One op: shapes are (rows, columns, channels); `gap` bytes lie between input pixels. Without `apart` the output rows
    lie on the input rows, from `below_bytes` before each of them."""

    kind: OpKind
    params: Mapping[str, int | float | bytes]
    input: tuple[int, int, int]
    output: tuple[int, int, int]
    input2: tuple[int, int, int] | None = None
    gap: int = 0
    apart: bool = True
    below_bytes: int = 0
    input_bytes: int = 1
    output_bytes: int = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """One step: how often the loops turn, and what it took."""

    kind: OpKind
    at: Geometry
    edge: Edge
    instructions: float


def _pick(rng: Rng, *values: int) -> int:
    return int(rng.choice(values))


def _requantization(rng: Rng, channels: int, products: int, *, slow: float = 0.1) -> dict[str, int | bytes]:
    """Scales that spread the sums of `products` products over int8; now and then one that shifts left."""
    scale = 50 / (5400 * products**0.5)
    shift = int(np.ceil(np.log2(scale)))
    per_channel = rng.random() < 0.9
    count = channels if per_channel else 1
    shifts = np.full(count, min(shift, -1), np.int8)
    if rng.random() < slow:
        shifts[rng.random(count) < rng.random()] = 0
    narrow = rng.random() < 0.25
    return {
        "input_zero_point": _pick(rng, 0, -128, 5, -3),
        "output_zero_point": int(rng.integers(-128, 20)),
        "output_min": int(rng.integers(-100, 0)) if narrow else -128,
        "output_max": int(rng.integers(60, 127)) if narrow and rng.random() < 0.5 else 127,
        "bias_offset": rng.integers(-1000, 1000, channels, dtype=np.int32).tobytes(),
        "multipliers_offset": rng.integers(1 << 30, (1 << 31) - 1, count, dtype=np.int32).tobytes(),
        "shifts_offset": shifts.tobytes(),
        "flags": int(per_channel),
    }


def _window(rows: int, columns: int, stride: int, dilation: int, pad: tuple[int, int]) -> dict[str, int]:
    return {
        "kernel_rows": rows, "kernel_columns": columns, "stride_rows": stride, "stride_columns": stride,
        "dilation_rows": dilation, "dilation_columns": dilation, "pad_rows": pad[0], "pad_columns": pad[1],
    }  # fmt: skip


def _random_window(
    rng: Rng, kernels: tuple[tuple[int, int], ...]
) -> tuple[dict[str, int], tuple[int, int], tuple[int, int]]:
    """A window, the map it reads and the map it makes, SAME or VALID."""
    rows, columns = kernels[int(rng.integers(len(kernels)))]
    stride, dilation = _pick(rng, 1, 1, 2), _pick(rng, 1, 1, 1, 1, 2)
    out = int(rng.integers(rows, rows + 4)), int(rng.integers(1, 25))
    reach = (rows - 1) * dilation + 1, (columns - 1) * dilation + 1
    pad = (reach[0] // 2, reach[1] // 2) if rng.random() < 0.6 else (0, 0)
    needed = tuple((o - 1) * stride + r - 2 * p for o, r, p in zip(out, reach, pad, strict=True))
    given = max(needed[0], 1), max(needed[1], 1)
    out = tuple((g + 2 * p - r) // stride + 1 for g, p, r in zip(given, pad, reach, strict=True))
    return _window(rows, columns, stride, dilation, pad), given, (out[0], out[1])


def conv_cases(rng: Rng, count: int) -> Iterator[Case]:
    kernels = ((1, 1), (1, 1), (1, 1), (3, 3), (3, 3), (5, 5), (2, 2), (10, 4), (1, 3), (3, 1), (7, 7))
    for k in range(count):
        window, given, out = _random_window(rng, kernels)
        rows, columns = window["kernel_rows"], window["kernel_columns"]
        groups = _pick(rng, 1, 1, 1, 1, 1, 1, 2, 4)
        if rows * columns == 1:
            depth = int(rng.choice([1, 3, 8, 16, 24, 32, 48, 64, 96, 128, 144, 256, int(rng.integers(1, 200))]))
        else:
            depth = int(rng.choice([1, 1, 2, 3, 3, 4, 8, 16, 24, 32, 64, int(rng.integers(1, 40))]))
        filters = int(rng.choice([1, 2, 4, 8, 10, 12, 16, 24, 32, 64, 128, int(rng.integers(1, 70))]))
        if rows * columns == 1 and window["pad_rows"] == 0 and k % 10 == 0:
            groups, given, out = 1, (out[0], out[1]), out
            window = _window(1, 1, 1, 1, (0, 0))
            filters, apart, gap = min(depth, filters), False, 0
        else:
            apart, gap = True, _pick(rng, 0, 0, 0, 0, 8)
        while rows * columns * depth * groups * filters * groups > 120_000:
            filters = max(1, filters // 2)
            depth = max(1, depth // 2) if filters == 1 else depth
        weights = rng.integers(-127, 128, filters * groups * rows * columns * depth, dtype=np.int8).tobytes()
        params = {
            **window, **_requantization(rng, filters * groups, rows * columns * depth),
            "weights_offset": weights, "groups": groups,
        }  # fmt: skip
        yield Case(OpKind.CONV, params, (*given, depth * groups), (*out, filters * groups), gap=gap, apart=apart)


def conv_sum_cases(rng: Rng, count: int) -> Iterator[Case]:
    """The first, a middle and the last group of convolutions without groups of their own."""
    cases = (c for c in conv_cases(rng, 2 * count) if c.apart and c.params["groups"] == 1)
    for k, case in zip(range(count), cases, strict=False):
        last, flags = k % 3 == 2, int(case.params["flags"]) | (WeightFlags.FIRST if k % 3 == 0 else 0)
        kind = OpKind.CONV_SUM_LAST if last else OpKind.CONV_SUM
        yield replace(case, kind=kind, params={**case.params, "flags": int(flags)}, output_bytes=1 if last else 4)


def fully_connected_cases(rng: Rng, count: int) -> Iterator[Case]:
    """One pixel: FULLY_CONNECTED is a 1x1 convolution."""
    for _ in range(count):
        depth = int(rng.integers(4, 700))
        filters = min(int(rng.choice([1, 2, 3, 8, 10, 12, 128, int(rng.integers(1, 130))])), 120_000 // depth)
        weights = rng.integers(-127, 128, filters * depth, dtype=np.int8).tobytes()
        params = {
            **_window(1, 1, 1, 1, (0, 0)), **_requantization(rng, filters, depth), "weights_offset": weights, "groups": 1,
        }  # fmt: skip
        yield Case(OpKind.CONV, params, (1, 1, depth), (1, 1, filters))


def depthwise_cases(rng: Rng, count: int) -> Iterator[Case]:
    kernels = ((3, 3), (3, 3), (3, 3), (5, 5), (7, 7), (2, 2), (10, 8), (3, 1), (1, 3), (9, 1), (1, 5))
    for k in range(count):
        window, given, out = _random_window(rng, kernels)
        rows, columns = window["kernel_rows"], window["kernel_columns"]
        channels = int(rng.choice([1, 4, 8, 16, 24, 32, 48, 64, 96, 128, int(rng.integers(1, 80))]))
        multiplier = _pick(rng, 1, 1, 1, 1, 1, 8, 4, 2, 3)
        if multiplier > 1:
            channels = _pick(rng, 1, 1, 2, 3)
        if k % 12 == 0:
            given, out, multiplier = (out[0], 1), (out[0], 1), 1
            window = {**window, "stride_columns": 1, "pad_columns": columns // 2 * window["dilation_columns"]}
            window["stride_rows"], window["pad_rows"] = 1, rows // 2 * window["dilation_rows"]
            out = (given[0] + 2 * window["pad_rows"] - (rows - 1) * window["dilation_rows"], 1)
            out = (out[0], 1 + 2 * window["pad_columns"] - (columns - 1) * window["dilation_columns"])
            if out[0] < 1 or out[1] < 1:
                continue
        weights = rng.integers(-127, 128, channels * multiplier * rows * columns, dtype=np.int8).tobytes()
        params = {
            **window, **_requantization(rng, channels * multiplier, rows * columns),
            "weights_offset": weights, "groups": multiplier,
        }  # fmt: skip
        apart, below = bool(rng.random() < 0.6) or given != out or multiplier != 1, 0
        if not apart:
            # As far below as the kernels ask for or a few pixels more, and half a pixel or none.
            below = (1 + window["pad_columns"] + (0, 0, 1, 2, 4, 7)[k % 6]) * channels + (k // 6 % 3 > 0) * (
                channels // 2
            )
        case = Case(OpKind.DEPTHWISE, params, (*given, channels), (*out, channels * multiplier))
        yield replace(case, apart=apart, below_bytes=below)


def depthwise_run_cases(rng: Rng, count: int) -> Iterator[Case]:
    """Rows over their own input, half a pixel apart from whole ones: they are made in short runs, some of border pixels only."""
    for _ in range(count):
        columns, channels = _pick(rng, 3, 4, 5, 7, 9), _pick(rng, 16, 32, 48, 64, 96)
        shape = 3, columns, channels
        params = {
            **_window(3, 3, 1, 1, (1, 1)), **_requantization(rng, channels, 9, slow=0), "groups": 1,
            "weights_offset": rng.integers(-127, 128, 9 * channels, dtype=np.int8).tobytes(),
        }  # fmt: skip
        below = _pick(rng, 3, 3, 4, 5) * channels + channels // 4
        yield Case(OpKind.DEPTHWISE, params, shape, shape, apart=False, below_bytes=below)


def pool_cases(kind: OpKind) -> Callable[[Rng, int], Iterator[Case]]:
    def cases(rng: Rng, count: int) -> Iterator[Case]:
        for _ in range(count):
            window, given, out = _random_window(rng, ((2, 2), (3, 3), (2, 1), (4, 4), (1, 2), (5, 5), (8, 8)))
            channels = int(rng.choice([1, 4, 8, 16, 32, 64, 100, int(rng.integers(1, 130))]))
            params = {**window, "output_min": -128, "output_max": _pick(rng, 127, 100)}
            yield Case(kind, params, (*given, channels), (*out, channels))

    return cases


def binary_cases(kind: OpKind) -> Callable[[Rng, int], Iterator[Case]]:
    def cases(rng: Rng, count: int) -> Iterator[Case]:
        for _ in range(count):
            shape = (2, int(rng.integers(1, 40)), int(rng.choice([1, 3, 8, 16, 24, 64, int(rng.integers(1, 100))])))
            other = shape
            if kind == OpKind.MUL and rng.random() < 0.6:
                other = (shape[0], 1, shape[2]) if rng.random() < 0.6 else (1, 1, 1)
            left = rng.random() < 0.15
            params = {
                "zero_point1": int(rng.integers(-128, 128)), "zero_point2": int(rng.integers(-128, 128)),
                "output_zero_point": int(rng.integers(-30, 30)), "left_shift": 20,
                "multiplier1": int(rng.integers(1 << 30, 1 << 31)), "shift1": 1 if left else -int(rng.integers(0, 3)),
                "multiplier2": int(rng.integers(1 << 30, 1 << 31)), "shift2": -int(rng.integers(0, 3)),
                "output_multiplier": int(rng.integers(1 << 30, 1 << 31)),
                "output_shift": -18 if kind == OpKind.ADD else -7, "output_min": -128, "output_max": 127,
            }  # fmt: skip
            yield Case(kind, params, shape, shape, other)

    return cases


def lut_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        shape = (1, int(rng.integers(1, 40)), int(rng.choice([1, 3, 16, 32, int(rng.integers(1, 100))])))
        output_bytes = _pick(rng, 1, 1, 4)
        table = rng.bytes(256 * output_bytes)
        yield Case(OpKind.LUT, {"table_offset": table}, shape, shape, output_bytes=output_bytes)


def quantize_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        shape = (1, int(rng.integers(1, 40)), int(rng.choice([1, 3, 16, int(rng.integers(1, 60))])))
        params = {"scale": 0.05, "zero_point": 3, "output_min": -128, "output_max": 127}
        yield Case(OpKind.QUANTIZE_FLOAT, params, shape, shape, input_bytes=4)


def softmax_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        shape = (1, _pick(rng, 1, 1, 2, 8), int(rng.choice([2, 3, 4, 10, 12, 35, 100, int(rng.integers(2, 200))])))
        exps = (np.exp(-0.1 * np.arange(200)) * (2**31 - 1)).astype(np.int32)
        yield Case(OpKind.SOFTMAX, {"exps_offset": exps.tobytes(), "exp_count": len(exps)}, shape, shape)


def pad_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        channels = int(rng.choice([1, 3, 4, 8, 16, 32, 64, int(rng.integers(1, 130))]))
        rows, columns = 2, int(rng.integers(1, 40))
        pad = _pick(rng, 0, 1, 2), _pick(rng, 0, 1, 3), _pick(rng, 0, 0, 0, 4)
        after = 2 * pad[0] // 2, _pick(rng, 0, 1), _pick(rng, 0, 0, 0, 3)
        output = rows + pad[0] + after[0], columns + pad[1] + after[1], channels + pad[2] + after[2]
        params = {"pad_rows": pad[0], "pad_columns": pad[1], "pad_channels": pad[2], "value": -5}
        yield Case(OpKind.PAD, params, (rows, columns, channels), output, gap=_pick(rng, 0, 0, 0, 16))


def sum_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        columns = _pick(rng, 1, 2, 3, 4, 7, 12, 49, 300)
        channels = int(rng.choice([1, 4, 16, 64, 256, int(rng.integers(1, 130))]))
        mode = _pick(rng, 0, 1)
        params = {
            "mode": mode, "count": 3 * columns, "bias": 10, "multiplier": 1 << 30, "shift": -int(np.log2(columns) + 1),
            "output_zero_point": 1, "output_min": -128, "output_max": 127,
        }  # fmt: skip
        yield Case(OpKind.SUM_FEED, params, (3, columns, channels), (1, 1, channels))


def dense_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        columns, channels = _pick(rng, 1, 3, 6, 13), _pick(rng, 1, 4, 8, 16, 20, 33)
        outputs = _pick(rng, 1, 2, 4, 10, 24, 35)
        weights = rng.integers(-127, 128, outputs * 3 * columns * channels, dtype=np.int8).tobytes()
        requantization = _requantization(rng, outputs, 3 * columns * channels)
        params = {**requantization, "weights_offset": weights}
        yield Case(OpKind.DENSE_FEED, params, (3, columns, channels), (1, 1, outputs), gap=_pick(rng, 0, 0, 4))


def transpose_conv_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        kernel, stride = _pick(rng, 2, 3, 4), _pick(rng, 1, 2, 2)
        rows, columns = 4, int(rng.integers(2, 14))
        depth, filters = _pick(rng, 1, 3, 8, 16, 32), _pick(rng, 1, 4, 8, 16)
        requantization = _requantization(rng, filters, max(1, kernel * kernel * depth // stride**2))
        weights = rng.integers(-127, 128, filters * kernel * kernel * depth, dtype=np.int8).tobytes()
        pad = _pick(rng, 0, 1)
        params = {
            **requantization, "kernel_rows": kernel, "kernel_columns": kernel, "stride_rows": stride,
            "stride_columns": stride, "pad_rows": pad, "pad_columns": pad, "weights_offset": weights,
        }  # fmt: skip
        output = (rows - 1) * stride + kernel - 2 * pad, (columns - 1) * stride + kernel - 2 * pad, filters
        yield Case(OpKind.TRANSPOSE_CONV, params, (rows, columns, depth), output)


def resize_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        columns, channels = int(rng.integers(1, 30)), _pick(rng, 1, 2, 3, 4, 8, 16, 24, 64)
        maps = [np.arange(2 * n, dtype=np.uint16) // 2 for n in (2, columns)]
        params = {"row_map_offset": maps[0].tobytes(), "column_map_offset": maps[1].tobytes()}
        yield Case(OpKind.RESIZE_NEAREST, params, (2, columns, channels), (4, 2 * columns, channels))


def gather_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        entries, channels = _pick(rng, 2, 30), int(rng.choice([1, 2, 4, 8, 12, 16, 32, 64, int(rng.integers(1, 130))]))
        params = {"table_offset": rng.bytes(entries * channels), "entry_count": entries}
        yield Case(OpKind.GATHER, params, (2, 1, 1), (2, 1, channels), input_bytes=4)


def fetch_cases(rng: Rng, count: int) -> Iterator[Case]:
    for _ in range(count):
        columns, channels = int(rng.integers(1, 100)), _pick(rng, 1, 2, 3, 4, 8, 16)
        gap = _pick(rng, 0, 0, 0, 4)
        shape = REPEATS, columns, channels
        yield Case(OpKind.FETCH, {"flip": _pick(rng, 0, 128)}, shape, shape, gap=gap)


KINDS: tuple[tuple[Callable[[Rng, int], Iterator[Case]], int], ...] = (
    (conv_cases, 260), (fully_connected_cases, 30), (depthwise_cases, 220),
    (pool_cases(OpKind.AVERAGE_POOL), 40), (pool_cases(OpKind.MAX_POOL), 40),
    (binary_cases(OpKind.ADD), 40), (binary_cases(OpKind.MUL), 40), (lut_cases, 24), (quantize_cases, 16),
    (softmax_cases, 24), (pad_cases, 40), (sum_cases, 40), (dense_cases, 40), (transpose_conv_cases, 30),
    (resize_cases, 20), (conv_sum_cases, 120), (gather_cases, 40), (fetch_cases, 40),
    (depthwise_run_cases, 80),
)  # fmt: skip
"""What makes the cases of a kind, and how many."""


def _storage(
    memory: int, shape: tuple[int, int, int], element_bytes: int, gap: int, room: int = 0
) -> tuple[Storage, int]:
    """Rows with `room` bytes between them, and a few more, and where the next storage may start."""
    row_bytes = shape[1] * (shape[2] * element_bytes + gap)
    pitch = row_bytes + room + -(row_bytes + room) % 4 + 4
    return Storage(row_bytes, shape[0], tuple(memory + r * pitch for r in range(shape[0]))), memory + shape[0] * pitch


def program_of(case: Case) -> Program:
    """The program of the one op, without steps."""
    shapes = [(case.input, case.input_bytes, case.gap)]
    if case.input2:
        shapes.append((case.input2, 1, 0))
    shapes.append((case.output, case.output_bytes, 0))
    if case.kind in (OpKind.SUM_FEED, OpKind.DENSE_FEED):
        shapes.append(((1, 1, case.output[2]), 4, 0))
    if case.kind is OpKind.CONV_SUM_LAST:
        shapes.append((case.output, 4, 0))
    storages: list[Storage] = []
    views: list[View] = []
    memory = case.below_bytes
    for k, (shape, element_bytes, gap) in enumerate(shapes):
        storage, end = _storage(memory, shape, element_bytes, gap, case.below_bytes)
        if k == 1 and not case.apart:
            addresses = [a - case.below_bytes for a in storages[0].addresses[: shape[0]] if a is not None]
            storage, end = Storage(storage.row_bytes, shape[0], tuple(addresses)), memory
        if case.kind is OpKind.FETCH and k == 0:  # rows of a call follow each other
            row_bytes = storage.row_bytes
            storage = Storage(row_bytes, shape[0], tuple(memory + r * row_bytes for r in range(shape[0])))
        memory = end
        storages.append(storage)
        stride = shape[2] * element_bytes + gap
        views.append(View(k, 0, *shape, stride, 0, element_bytes))
    constants: list[bytes] = []
    params: dict[str, int | float] = {}
    for name in (f.name for f in kinds.of(case.kind).record.fields):
        value = case.params[name]
        if isinstance(value, bytes):
            constants.append(value)
            params[name] = len(constants) - 1
        else:
            params[name] = value
    output = 2 if case.input2 else 1
    accumulators = {OpKind.SUM_FEED: 2, OpKind.DENSE_FEED: 2, OpKind.CONV_SUM: 1, OpKind.CONV_SUM_LAST: 2}
    accumulator = accumulators.get(case.kind)
    op = Op(case.kind, output, 0, params, 1 if case.input2 else None, accumulator)
    return Program(memory + 64, (), (), tuple(storages), tuple(views), (op,), (), tuple(constants))


def steps_of(case: Case) -> Iterator[tuple[Program, Geometry, Edge]]:
    """A program for each step of the case's op that is unlike the others: the step, several times."""
    bare = program_of(case)
    at = op_geometry(bare, bare.ops[0])
    rows = case.input[0] if case.kind in (OpKind.SUM_FEED, OpKind.DENSE_FEED) else case.output[0]
    if case.kind is OpKind.FETCH:  # each row can be fetched once
        yield replace(bare, steps=tuple(Step(0, row) for row in range(REPEATS))), at, at.edge(0)
        return
    seen = set()
    for row in range(rows):
        edge = at.edge(row, *sharing(bare, bare.ops[0], row))
        if edge not in seen:
            seen.add(edge)
            yield replace(bare, steps=(Step(0, row),) * REPEATS), at, edge


def run_programs(board: Board, blobs: list[tuple[bytes, bool]], portable: bool) -> list[int]:
    """The instructions of one run of each program; True with those whose input is floats."""
    defines = (f"-DMEASURE_PROGRAM_BYTES={PROGRAM_BYTES}", f"-DMEASURE_WORKSPACE_BYTES={WORKSPACE_BYTES}")
    with tempfile.TemporaryDirectory(prefix="tflm_split_measure_") as scratch:
        folder = Path(scratch)
        image = build_image(
            board,
            [runtime_path() / "boards" / "measure" / "measure.c"],
            defines,
            folder,
            kinds_mask=_KINDS_MASK,
            portable=portable,
        )
        (folder / "programs.bin").write_bytes(b"".join(struct.pack("<2I", len(b), f) + b for b, f in blobs))
        console = emulate(board, image, folder, 600)
    found = [int(line.split()[1]) for line in console.splitlines() if line.startswith("run_instructions ")]
    if len(found) != len(blobs):
        raise SystemExit(f"{board.name}: {len(found)} counts for {len(blobs)} programs")
    return found


def measure(board: Board, share: float, *, portable: bool = False) -> list[Sample]:
    """What every step of every case takes on `board`; with `portable`, without the kernels written for its core."""
    rng = np.random.default_rng(SEED)
    steps = [(c.kind, *s) for cases, n in KINDS for c in cases(rng, max(4, int(n * share))) for s in steps_of(c)]
    empty = replace(steps[0][1], steps=())
    blobs = [encode(program) for program in (empty, *(s[1] for s in steps))]
    fitting = [k for k, b in enumerate(blobs) if len(b) <= PROGRAM_BYTES and (k == 0 or _fits(steps[k - 1][1]))]
    of_floats = [False, *(s[0] == OpKind.QUANTIZE_FLOAT for s in steps)]
    found = run_programs(board, [(blobs[k], of_floats[k]) for k in fitting], portable)
    counts = dict(zip(fitting, found, strict=True))
    return [
        Sample(kind, at, edge, (counts[k + 1] - counts[0]) / REPEATS)
        for k, (kind, _, at, edge) in enumerate(steps)
        if k + 1 in counts
    ]


def _fits(program: Program) -> bool:
    return program.workspace_bytes <= WORKSPACE_BYTES


def nonnegative_least_squares(a: Array, b: Array) -> Array:
    """The x >= 0 with least |a x - b| (Lawson and Hanson's active sets)."""
    passive = np.zeros(a.shape[1], bool)
    x = np.zeros(a.shape[1])
    for _ in range(3 * a.shape[1]):
        gradient = np.where(passive, -np.inf, a.T @ (b - a @ x))
        if gradient.max(initial=-np.inf) <= 1e-9:
            break
        passive[int(gradient.argmax())] = True
        while True:
            trial = np.zeros_like(x)
            trial[passive] = np.linalg.lstsq(a[:, passive], b, rcond=None)[0]
            if trial[passive].min() > 0:
                x = trial
                break
            shrinking = passive & (trial <= 0)
            step = (x[shrinking] / np.maximum(x[shrinking] - trial[shrinking], 1e-300)).min()
            x = x + step * (trial - x)
            passive &= x > 1e-12
            x[~passive] = 0
    return x


def fit(counts: list[Counts], measured: Array) -> tuple[dict[str, float], Array]:
    """The cost of each feature, and the relative error of each sample."""
    names = sorted({name for c in counts for name in c})
    table = np.array([[c.get(name, 0.0) for name in names] for c in counts])
    scale = table.max(axis=0)
    weighted = table / scale / measured[:, None]
    costs = nonnegative_least_squares(weighted, np.ones(len(measured))) / scale
    rounded = {name: float(f"{cost:.5g}") for name, cost in zip(names, costs, strict=True) if cost > 0}
    predicted = table @ np.array([rounded.get(name, 0.0) for name in names])
    return rounded, predicted / measured - 1


def fit_generic(samples: list[Sample]) -> tuple[dict[str, float], Array]:
    """One cost per step, element and multiply-accumulate for all kinds, and predicted over measured of each sample.

    Least squares of the logarithms, every kind weighing the same: being three times too high is as bad as three times too
    low. Gauss and Newton's steps.
    """
    names = ("step", "element", "mac")
    table = np.array([[generic_counts(s.at, s.edge).get(name, 0.0) for name in names] for s in samples])
    measured = np.array([s.instructions for s in samples])
    kinds = [s.kind for s in samples]
    weights = np.array([kinds.count(kind) ** -0.5 for kind in kinds])
    costs = np.array([300.0, 10.0, 5.0])
    for _ in range(50):
        predicted = table @ costs
        target = np.maximum(1 - np.log(predicted / measured), 0.1)
        costs = nonnegative_least_squares(table / predicted[:, None] * weights[:, None], target * weights)
    rounded = {name: float(f"{cost:.5g}") for name, cost in zip(names, costs, strict=True) if cost > 0}
    return rounded, table @ costs / measured


def fit_board(board: Board, samples: list[Sample], portable: list[Sample]) -> dict[str, dict[str, float]]:
    """The costs of every kind; prints how well they explain what was measured. The generic ones are of portable kernels,
    as those are that have no counts of their own."""
    found = {}
    for kind, counter in COUNTERS[KERNELS_OF[board.name]].items():
        of_kind = [s for s in samples if MEASURED_AS.get(s.kind, s.kind) == kind]
        measured = np.array([s.instructions for s in of_kind])
        found[kind.name], errors = fit([counter(s.at, s.edge) for s in of_kind], measured)
        click.echo(
            f"{board.name:4} {kind.name:16} {len(of_kind):4} steps, {len(found[kind.name]):2} costs, error "
            f"mean {np.abs(errors).mean():6.1%} p95 {np.quantile(np.abs(errors), 0.95):6.1%} max {np.abs(errors).max():6.1%}"
        )
    found[GENERIC], ratios = fit_generic(portable)
    low, high = np.quantile(ratios, (0.05, 0.95))
    click.echo(
        f"{board.name:4} {GENERIC:16} {len(portable):4} steps, predicted / measured {low:.2f} to {high:.2f} (p5, p95)"
    )
    return found


@click.command()
@click.option("--board", "boards", multiple=True, type=click.Choice(list(KERNELS_OF)), help="Only these; default: all.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([k.name for k in COUNTERS["portable"]]),
    help="Only these kinds of steps; the others stay as they are.",
)
@click.option("--cases", default=1.0, show_default=True, help="How many cases, as a share of the usual number.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=TABLE_PATH, help="The table to write.")
def main(boards: tuple[str, ...], kinds: tuple[str, ...], cases: float, output: Path) -> None:
    """Measure the kernels on the emulated boards and write the table of costs."""
    for toolchain in {BOARDS[name].toolchain for name in boards or KERNELS_OF}:
        require_tools(toolchain)
    table: dict[str, Any] = json.loads(output.read_text()) if (boards or kinds) and output.exists() else {}
    table = {
        "schema": TABLE_SCHEMA,
        "about": "Instructions per turn of each kernel's loops; python scripts/measure_kernels.py writes it",
        "boards": table.get("boards", {}),
        "instructions": table.get("instructions", {}),
    }
    for name in boards or KERNELS_OF:
        costs = fit_board(BOARDS[name], measure(BOARDS[name], cases), measure(BOARDS[name], cases, portable=True))
        kept = table["instructions"].get(name, {}) if kinds else {}
        table["instructions"][name] = kept | {k: v for k, v in costs.items() if k in (kinds or costs)}
        for alias in (name, *(a for a, core in SAME_CORE.items() if core == name)):
            table["boards"][alias] = {
                "kernels": KERNELS_OF[name], "measured_on": name, "compiler": describe_compiler(BOARDS[name])
            }  # fmt: skip
    output.write_text(json.dumps(table, indent=0) + "\n")


if __name__ == "__main__":
    sys.exit(main())
