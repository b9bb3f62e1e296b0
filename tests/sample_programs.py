"""Small programs, laid out by hand, that the tests of program/ and verify/ share.

`small_network` is, on a map of 8 rows, 4 columns and 2 channels:

    input 8x4x2 -> CONV 3x3 -> LUT, in place -> CONV 3x3 stride 2 -> 4x2x2 -> SUM_FEED -> 1x1x2

    address 0        64           72      76      80            88            96         104
            input    accumulator  row of  output  row of conv 1, LUT: a ring of three
            8 rows   (2 x int32)  conv 2  2 bytes
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from tflm_split.kinds import MeanMode, OpKind, WeightFlags
from tflm_split.kinds.limits import STATE_ALIGN
from tflm_split.program.checksum import without_checksum
from tflm_split.program.encode import encode
from tflm_split.program.types import Fill, Io, Move, Op, Program, Step, Storage, View
from tflm_split.split.operators.pad import COPY

ROWS, COLUMNS, CHANNELS = 8, 4, 2

INPUT, MIDDLE, ACTIVATED, DOWN, ACCUMULATOR, OUTPUT = range(6)
"""The storages of `small_network`. The view with the same number shows a storage whole."""

CONV1, LUT, CONV2, SUM = range(4)
"""The ops of `small_network`."""


def int32s(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def window(kernel: int, stride: int = 1, pad: int = 0, dilation: int = 1) -> dict[str, int]:
    """A square window's parameters."""
    return {
        f"{what}_{axis}": value
        for what, value in (("kernel", kernel), ("stride", stride), ("dilation", dilation), ("pad", pad))
        for axis in ("rows", "columns")
    }


def requantize(zero_point: int = 0, low: int = -128, high: int = 127, **offsets: int) -> dict[str, int]:
    return {
        "input_zero_point": zero_point,
        "output_zero_point": 3,
        "output_min": low,
        "output_max": high,
        **{f"{name}_offset": index for name, index in offsets.items()},
    }


def small_network(ring: int = 3) -> Program:
    """The network above, keeping `ring` rows of conv 1. Fewer than 3 are too few."""
    rng = np.random.default_rng(7)
    weights = [rng.integers(-127, 128, CHANNELS * 9 * CHANNELS, dtype=np.int8).tobytes() for _ in range(2)]
    constants = (
        weights[0],
        weights[1],
        int32s(100, -2000),
        int32s(1 << 30, 1518500250),
        struct.pack("2b", -8, -9),
        bytes((v * 7 + 3) % 256 for v in range(256)),
        int32s(1 << 30),
        struct.pack("b", -7),
    )
    middle = tuple(80 + 8 * (row % ring) for row in range(ROWS))
    storages = (
        Storage(8, ROWS, tuple(8 * row for row in range(ROWS))),
        Storage(8, ROWS, middle),
        Storage(8, ROWS, middle),
        Storage(4, 4, (72,) * 4),
        Storage(8, 1, (64,)),
        Storage(2, 1, (76,)),
    )
    views = (
        View(INPUT, 0, ROWS, COLUMNS, CHANNELS, CHANNELS),
        View(MIDDLE, 0, ROWS, COLUMNS, CHANNELS, CHANNELS),
        View(ACTIVATED, 0, ROWS, COLUMNS, CHANNELS, CHANNELS),
        View(DOWN, 0, 4, 2, CHANNELS, CHANNELS),
        View(ACCUMULATOR, 0, 1, 1, CHANNELS, 4 * CHANNELS, 0, 4),
        View(OUTPUT, 0, 1, 1, CHANNELS, CHANNELS),
    )
    conv1 = requantize(zero_point=5, weights=0, bias=2, multipliers=3, shifts=4)
    conv2 = requantize(zero_point=-4, low=3, weights=1, bias=2, multipliers=6, shifts=7)
    ops = (
        Op(
            OpKind.CONV,
            MIDDLE,
            INPUT,
            {**window(3, pad=1), **conv1, "groups": 1, "flags": int(WeightFlags.PER_CHANNEL)},
            source="op 0 CONV_2D 'first'",
        ),
        Op(OpKind.LUT, ACTIVATED, MIDDLE, {"table_offset": 5}, source="op 1 LOGISTIC 'table'"),
        Op(OpKind.CONV, DOWN, ACTIVATED, {**window(3, stride=2, pad=1), **conv2, "groups": 1, "flags": 0}),
        Op(
            OpKind.SUM_FEED,
            OUTPUT,
            DOWN,
            {
                "mode": int(MeanMode.MEAN),
                "count": 8,
                "bias": 24,
                "multiplier": 1 << 30,
                "shift": -2,
                "output_zero_point": -3,
                "output_min": -128,
                "output_max": 127,
            },
            accumulator=ACCUMULATOR,
        ),
    )
    steps: list[Step] = []
    for down in range(4):
        first = 0 if down == 0 else 2 * down
        for row in range(first, 2 * down + 2):
            steps += [Step(CONV1, row), Step(LUT, row)]
        steps += [Step(CONV2, down), Step(SUM, down)]
    return Program(104, (Io(0, 64),), (Io(76, 2),), storages, views, ops, tuple(steps), constants)


def with_addresses(program: Program, storage: int, addresses: Mapping[int, int]) -> Program:
    """The program with other addresses for some rows of one storage."""
    changed = program.storages[storage]
    moved = tuple(addresses.get(row, address) for row, address in enumerate(changed.addresses))
    storages = list(program.storages)
    storages[storage] = replace(changed, addresses=moved)
    return replace(program, storages=tuple(storages))


def with_moves(program: Program) -> Program:
    """The network with 8 bytes more of workspace, and with rows of the LUT that move."""
    moves = (
        Move(3, ACTIVATED, 0, 104),
        Move(4, ACTIVATED, 1, 80),  # where row 0 was
        Move(8, ACTIVATED, 1, 88),  # back, before row 3 comes there
    )
    return replace(program, workspace_bytes=112, moves=moves)


def without_step(program: Program, step: Step) -> Program:
    assert step in program.steps
    return replace(program, steps=tuple(s for s in program.steps if s != step))


def swapped(program: Program, first: Step, second: Step) -> Program:
    """The program with two steps exchanged."""
    exchange = {first: second, second: first}
    return replace(program, steps=tuple(exchange.get(s, s) for s in program.steps))


def one_op(op: Op, views: tuple[View, ...], storages: tuple[Storage, ...], **rest: object) -> Program:
    """A program of one op that computes every row in order. `rest` are the other fields of Program."""
    feeds = op.kind in (OpKind.SUM_FEED, OpKind.DENSE_FEED)
    rows = views[op.input if feeds else op.output].row_count
    program = Program(0, (), (), storages, views, (op,), tuple(Step(0, row) for row in range(rows)))
    return replace(program, **rest)  # type: ignore[arg-type]


def unchecked(program: Program) -> bytes:
    """The bytes of a program that a test goes on to alter: without a checksum, by which every change would be refused."""
    return without_checksum(encode(program))


def remembering() -> Program:
    """Gives out the rows of the last three runs and its own, and remembers the last three: two of 7s and one of 200s at first.

    address 0      4             8           24 = workspace_bytes
            input  the new row   output      state: the rows of the last three runs
    """
    at = 24
    storages = (
        Storage(4, 1, (0,)),
        Storage(4, 4, (at, at + 4, at + 8, 4)),
        Storage(4, 4, (8, 12, 16, 20)),
        Storage(4, 3, (at, at + 4, at + 8)),
    )
    views = (
        View(0, 0, 1, 2, 2, 2),
        View(1, 3, 1, 2, 2, 2),
        View(1, 0, 4, 2, 2, 2),
        View(2, 0, 4, 2, 2, 2),
        View(1, 1, 3, 2, 2, 2),
        View(3, 0, 3, 2, 2, 2),
    )
    ops = tuple(Op(OpKind.PAD, output, source, COPY) for output, source in ((1, 0), (3, 2), (5, 4)))
    steps = (Step(0, 0), *(Step(1, row) for row in range(4)), *(Step(2, row) for row in range(3)))
    fills = (Fill(8, 7), Fill(4, 200))
    return Program(at, (Io(0, 4),), (Io(8, 16),), storages, views, ops, steps, fills=fills)


def in_two_memories(program: Program, slow: Collection[int]) -> Program:
    """The program with the storages `slow`, and the inputs and outputs that lie in them, at the same addresses of a slow memory.

    What shared bytes before and lies in one memory now still does, so the program computes what it did. Storages that move, and
    constants, stay where they are.
    """
    border = program.workspace_bytes + -program.workspace_bytes % STATE_ALIGN
    written = {program.views[v].storage for op in program.ops for v in (op.output, op.accumulator) if v is not None}
    storages, ends = list(program.storages), [STATE_ALIGN]
    ios: dict[bool, list[Io]] = {False: list(program.inputs), True: list(program.outputs)}
    for s in sorted(set(slow) - program.moved_storages):
        storage = storages[s]
        if storage.constant is not None:
            continue
        storages[s] = replace(storage, addresses=tuple(None if a is None else a + border for a in storage.addresses))
        ends += [a + storage.row_bytes for a in storage.addresses if a is not None]
        whole = next(iter(storage.addresses)), storage.row_bytes * storage.row_count
        of_kind = ios[s in written]
        of_kind[:] = [
            replace(io, address=io.address + border) if (io.address, io.bytes) == whole else io for io in of_kind
        ]
    return replace(
        program,
        workspace_bytes=border,
        inputs=tuple(ios[False]),
        outputs=tuple(ios[True]),
        storages=tuple(storages),
        slow_bytes=max(ends),
    )
