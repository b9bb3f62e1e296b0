"""How many instructions does a program take on this board?

    instructions = sum over a kernel's loops of (iterations, computed) x (instructions per iteration, measured)

The iterations follow from a row's geometry (`latency_portable.py`, `latency_dsp.py`, `latency_mve.py`, `latency_typed.py`).
Instructions per iteration were measured on the emulated boards. `scripts/measure_kernels.py` has written them to
`instructions.json`, with the compiler and its flags. These are instructions, not cycles: wait states and dual issue are not
modelled.

What depends on the data is left out: a little in SOFTMAX, clamping on cores without saturating instructions, and what cores
without an FPU take for a float operation, which was measured on numbers like those behind a RELU, of which half are 0. A kind
of step that was not measured gets a generic estimate: so much per step, element and multiply-accumulate, fitted to the
portable kernels of all kinds. Nine times out of ten it is within a factor of five (four on boards other than m3). Every
answer names such kinds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import fsum

from tflm_split import kinds
from tflm_split.analysis import latency_dsp, latency_mve, latency_portable, latency_typed
from tflm_split.analysis.boards import TABLE_PATH
from tflm_split.analysis.latency_call import Counts, Edge, Geometry, Row
from tflm_split.errors import InputError
from tflm_split.kinds import OpKind
from tflm_split.program.types import Move, Op, Program, View
from tflm_split.split.row_op import RowOp
from tflm_split.split.rows import RowShape

TABLE_SCHEMA = 1
GENERIC = "generic"
"""The table's entry for kinds that have none of their own."""
COPY_INSTRUCTIONS, COPY_INSTRUCTIONS_PER_BYTE = 90.0, 0.6
"""The cost of moving a row, on any board. `core/copy.h` copies four words at a time."""
MEASURED_AS = {
    OpKind.SUB: OpKind.ADD,
    OpKind.CONV_SUM_LAST: OpKind.CONV_SUM,
    OpKind.ROW_SUM: OpKind.SUM_FEED,
    OpKind.EMIT: OpKind.FETCH,
}
"""Kinds that run on another kind's kernel."""

PAIRS_OF_PIXELS = frozenset({"dsp", "portable"})
"""Sets of kernels that compute two pixels of a convolution together where their output does not lie in the way."""

Counter = Callable[[Geometry, Edge], Counts]
Addresses = Sequence[Sequence[int | None]]
"""By storage and row."""

_PORTABLE: Mapping[OpKind, Counter] = {
    OpKind.CONV: latency_portable.conv,
    OpKind.DEPTHWISE: latency_portable.depthwise,
    OpKind.CONV_SUM: latency_portable.conv_sum,
    OpKind.AVERAGE_POOL: latency_portable.pool,
    OpKind.MAX_POOL: latency_portable.pool,
    OpKind.ADD: latency_portable.add,
    OpKind.MUL: latency_portable.mul,
    OpKind.LUT: latency_portable.lut,
    OpKind.QUANTIZE_FLOAT: latency_portable.quantize_float,
    OpKind.SOFTMAX: latency_portable.softmax,
    OpKind.PAD: latency_portable.pad,
    OpKind.SUM_FEED: latency_portable.sum_feed,
    OpKind.DENSE_FEED: latency_portable.dense_feed,
    OpKind.TRANSPOSE_CONV: latency_portable.transpose_conv,
    OpKind.RESIZE_NEAREST: latency_portable.resize_nearest,
    OpKind.GATHER: latency_portable.gather,
    OpKind.FETCH: latency_portable.fetch,
    OpKind.CONV_INT16: latency_typed.conv_int16,
    OpKind.DEPTHWISE_INT16: latency_typed.depthwise_int16,
    OpKind.BINARY_INT16: latency_typed.binary_int16,
    OpKind.POOL_INT16: latency_typed.pool,
    OpKind.SUM_FEED_INT16: latency_typed.sum_feed,
    OpKind.DENSE_FEED_INT16: latency_typed.dense_feed_int16,
    OpKind.SOFTMAX_INT16: latency_typed.softmax,
    OpKind.CONV_FLOAT: latency_typed.conv_float,
    OpKind.DEPTHWISE_FLOAT: latency_typed.depthwise_float,
    OpKind.BINARY_FLOAT: latency_typed.binary_float,
    OpKind.POOL_FLOAT: latency_typed.pool,
    OpKind.SUM_FEED_FLOAT: latency_typed.sum_feed,
    OpKind.DENSE_FEED_FLOAT: latency_typed.dense_feed_float,
    OpKind.SOFTMAX_FLOAT: latency_typed.softmax,
}
COUNTERS: Mapping[str, Mapping[OpKind, Counter]] = {
    "portable": _PORTABLE,
    "dsp": {
        **_PORTABLE,
        OpKind.CONV: latency_dsp.conv,
        OpKind.DEPTHWISE: latency_dsp.depthwise,
        OpKind.CONV_SUM: latency_dsp.conv_sum,
        OpKind.AVERAGE_POOL: latency_dsp.pool,
        OpKind.MAX_POOL: latency_dsp.pool,
        OpKind.ADD: latency_dsp.add,
        OpKind.SUM_FEED: latency_dsp.sum_feed,
        OpKind.DENSE_FEED: latency_dsp.dense_feed,
        OpKind.CONV_INT16: latency_typed.conv_int16_dsp,
    },
    "mve": {
        **_PORTABLE,
        OpKind.CONV: latency_mve.conv,
        OpKind.DEPTHWISE: latency_mve.depthwise,
        OpKind.CONV_SUM: latency_mve.conv_sum,
        OpKind.AVERAGE_POOL: latency_mve.average_pool,
        OpKind.MAX_POOL: latency_mve.max_pool,
        OpKind.ADD: latency_mve.add,
        OpKind.MUL: latency_mve.mul,
        OpKind.LUT: latency_mve.lut,
        OpKind.QUANTIZE_FLOAT: latency_mve.quantize_float,
        OpKind.PAD: latency_mve.pad,
        OpKind.SUM_FEED: latency_mve.sum_feed,
        OpKind.DENSE_FEED: latency_mve.dense_feed,
        OpKind.BINARY_INT16: latency_typed.binary_int16_mve,
        OpKind.CONV_INT16: latency_typed.conv_int16_mve,
        OpKind.DEPTHWISE_INT16: latency_typed.depthwise_int16_mve,
    },
}
"""By set of kernels (`kernels/target.h`) and kind: the function that counts the kernel's loops."""

_ELEMENT_BYTES: Mapping[OpKind, frozenset[tuple[int, int]]] = {
    OpKind.LUT: frozenset({(1, 1), (1, 4)}),
    OpKind.QUANTIZE_FLOAT: frozenset({(4, 1)}),
    OpKind.PAD: frozenset({(1, 1), (4, 4)}),
    OpKind.GATHER: frozenset({(4, 1)}),
    OpKind.FETCH: frozenset({(1, 1), (2, 2), (4, 4)}),
    OpKind.CONV_SUM: frozenset({(1, 4), (1, 1)}),
    **{kind: frozenset({(2, 2)}) for kind in OpKind if kind.name.endswith("_INT16")},
    **{
        kind: frozenset({(4, 4)})
        for kind in OpKind
        if kind.name.endswith("_FLOAT") and kind is not OpKind.QUANTIZE_FLOAT
    },
}
_BYTES = frozenset({(1, 1)})
"""(bytes of an input element, of an output element) for which a kernel was measured, unless `_ELEMENT_BYTES` says more."""


@dataclass(frozen=True, slots=True)
class BoardCosts:
    """`instructions[kind][feature]` are those of one iteration of that part of the kernel. `kernels` names their set."""

    board: str
    kernels: str
    compiler: str
    instructions: Mapping[str, Mapping[str, float]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Predicted instructions. `instructions_of[k]` are those of all steps of op k.

    `layer_wise_instructions` is what whole operators would take: each step once, and no row overlaps another. The
    difference is the price of the schedule and of its layout. `unmeasured_kinds` have a generic estimate only.
    """

    board: str
    instructions: int
    layer_wise_instructions: int
    unmeasured_kinds: tuple[str, ...]
    instructions_of: tuple[int, ...] = field(repr=False)


@cache
def _table() -> Mapping[str, BoardCosts]:
    data = json.loads(TABLE_PATH.read_text())
    return {
        name: BoardCosts(name, entry["kernels"], entry["compiler"], data["instructions"][entry["measured_on"]])
        for name, entry in data["boards"].items()
    }


def board_costs(board: str) -> BoardCosts:
    """What was measured for `board`. Raises InputError, which names the measured boards, if it is not one of them."""
    if board not in _table():
        raise InputError(f"there are no instruction counts for a board {board!r}; there are for: {', '.join(_table())}")
    return _table()[board]


class OpCost:
    """What each step of one op costs on one board. Results are cached by row and by edge, so asking again is cheap."""

    __slots__ = ("_by_edge", "_by_row", "_costs", "_counter", "at")

    def __init__(self, at: Geometry, board: str) -> None:
        costs = board_costs(board)
        self.at = at
        self._by_edge: dict[Edge, float] = {}
        self._by_row: dict[tuple[int, bool, int], float] = {}
        self._counter: Counter = generic_counts
        self._costs = costs.instructions[GENERIC]
        kind = MEASURED_AS.get(at.kind, at.kind)
        counter = COUNTERS[costs.kernels].get(kind)
        bytes_of = (at.input.element_bytes, at.output.element_bytes)
        if counter and kind.name in costs.instructions and bytes_of in _ELEMENT_BYTES.get(kind, _BYTES):
            self._counter, self._costs = counter, costs.instructions[kind.name]

    @property
    def measured(self) -> bool:
        """Whether kernels of this kind were measured; otherwise the generic estimate is given."""
        return self._counter is not generic_counts

    def step(self, row: int, apart: bool = True, together: int = 1) -> float:
        """Instructions of the step for row `row`; `apart` and `together` as in `Edge`."""
        key = (row, apart, together)
        if key not in self._by_row:
            self._by_row[key] = self.at_edge(self.at.edge(row, apart, together))
        return self._by_row[key]

    def at_edge(self, edge: Edge) -> float:
        """Instructions of a step with this edge."""
        if edge not in self._by_edge:
            counts = self._counter(self.at, edge)
            self._by_edge[edge] = fsum(self._costs.get(name, 0.0) * times for name, times in counts.items())
        return self._by_edge[edge]


def generic_counts(at: Geometry, edge: Edge) -> Counts:
    """Counts for the generic estimate: steps, elements and multiply-accumulates. The latter follow from the weights, if any."""
    to = Counts()
    feeds = kinds.of(at.kind).feeds
    weights = len(at.constant("weights_offset")) / (4 if at.output.element_bytes == 4 else 1)
    taps = at.kernel[0] * at.kernel[1] * at.output.elements if "kernel_rows" in at.params else 0
    to.add("step", 1)
    to.add("element", at.input.elements if feeds else at.output.elements)
    sums = at.kind in (OpKind.BATCH_MATMUL, OpKind.PIXEL_SUM)  # over the channels of a pixel
    products = at.input.channels * at.output.elements if sums else taps
    to.add("mac", weights * (1 / at.input.rows if feeds else at.output.columns) if weights else products)
    return to


def op_geometry(program: Program, op: Op) -> Geometry:
    """An op of a program as its kernel sees it."""
    views = program.views
    constants = kinds.of(op.kind).constant_fields
    params = {n: program.constants[int(value)] if n in constants else value for n, value in op.params.items()}
    second = None if op.input2 is None else _row_of_view(views[op.input2])
    rectified = any(
        views[maker.output].storage == views[op.input].storage and maker.params.get("output_min", -1) >= 0
        for maker in program.ops
    )
    return Geometry(op.kind, params, _row_of_view(views[op.input]), _row_of_view(views[op.output]), second, rectified)


def _row_of_view(view: View) -> Row:
    return Row(view.column_count, view.channel_count, view.pixel_stride_bytes, view.element_bytes, view.row_count)


def _row_of_shape(shape: RowShape, stride_bytes: int = 0) -> Row:
    return Row(shape.columns, shape.channels, stride_bytes or shape.pixel_bytes, shape.element_bytes, shape.rows)


def row_op_cost(op: RowOp, board: str) -> OpCost:
    """The costs of a row op's steps, before there is a program. Its input pixels are assumed to have no gaps between them."""
    rows = [_row_of_shape(read.shape) for read in op.reads]
    output = _row_of_shape(op.output_shape, op.output_pixel_stride_bytes)
    return OpCost(Geometry(OpKind(op.kind), op.params, rows[0], output, rows[1] if len(rows) > 1 else None), board)


class StepCosts:
    """Instructions of each step of row ops on one board. Row ops that look the same to their kernel are computed once."""

    def __init__(self, board: str) -> None:
        self._board = board
        self._by_look: dict[object, tuple[float, ...]] = {}
        self._by_op: dict[int, tuple[RowOp, tuple[float, ...]]] = {}
        """By `id`: the row op, which keeps the id from being used again, and its costs."""

    def of(self, op: RowOp) -> tuple[float, ...]:
        """Instructions of each step of `op`, as `row_op_cost` gives them."""
        known = self._by_op.get(id(op))
        if known is None:
            look = _look(op)
            if look not in self._by_look:
                cost = row_op_cost(op, self._board)
                self._by_look[look] = tuple(cost.step(row) for row in range(op.steps))
            known = self._by_op[id(op)] = op, self._by_look[look]
        return known[1]


def _look(op: RowOp) -> object:
    """All that the costs of `op` depend on. Of most constants that is their length (`Geometry`)."""
    params = tuple(
        (name, len(value) if isinstance(value, bytes) and name != "shifts_offset" else value)
        for name, value in op.params.items()
    )
    return op.kind, params, tuple(read.shape for read in op.reads), op.output_shape, op.output_pixel_stride_bytes


def predict(program: Program, board: str) -> Prediction:
    """The instructions of one run of `program` on `board`, and which kinds in it were not measured.

    Raises InputError for a board that was not measured.
    """
    costs = [OpCost(op_geometry(program, op), board) for op in program.ops]
    totals = [0.0] * len(costs)
    for step, instructions in zip(program.steps, _by_step(program, costs, board), strict=True):
        totals[step.op] += instructions
    copied = fsum(_instructions_of_move(program, move) for move in program.moves)
    once = fsum(costs[step.op].step(step.row) for step in dict.fromkeys(program.steps))
    unmeasured = {op.kind.name for op, cost in zip(program.ops, costs, strict=True) if not cost.measured}
    return Prediction(
        board, round(fsum(totals) + copied), round(once), tuple(sorted(unmeasured)), tuple(map(round, totals))
    )


def _by_step(program: Program, costs: Sequence[OpCost], board: str) -> Iterator[float]:
    """Instructions of each step, moves left out."""
    overlaps = board_costs(board).kernels in PAIRS_OF_PIXELS
    for step, addresses in zip(program.steps, program.addresses_by_step(), strict=True):
        op = program.ops[step.op]
        apart, together = sharing(program, op, step.row, addresses) if overlaps else (True, 1)
        yield costs[step.op].step(step.row, apart, together)


def _instructions_of_move(program: Program, move: Move) -> float:
    return COPY_INSTRUCTIONS + COPY_INSTRUCTIONS_PER_BYTE * program.storages[move.storage].row_bytes


def predict_calls(program: Program, board: str) -> tuple[int, ...]:
    """The instructions of each call of a streamed program: of its steps, and of the moves before the next call.

    Raises InputError for a board that was not measured.
    """
    costs = [OpCost(op_geometry(program, op), board) for op in program.ops]
    by_step = list(_by_step(program, costs, board))
    for move in program.moves:
        # Moves before the first step of a call are made at the end of the call before.
        by_step[move.step - (move.step in program.pauses)] += _instructions_of_move(program, move)
    return tuple(round(fsum(by_step[steps.start : steps.stop])) for steps in program.calls)


def slower_in_place(kind: OpKind, board: str) -> bool:
    """Whether a step is slower if its output row overlaps a row it reads at the smallest distance (`sharing`).

    At one output pixel more it is not: then two pixels may be computed together.
    """
    return board_costs(board).kernels in PAIRS_OF_PIXELS and kind is OpKind.CONV


def sharing(program: Program, op: Op, row: int, addresses: Addresses | None = None) -> tuple[bool, int]:
    """`Edge.apart` and `Edge.together` of a step, as `split_pixels_together` (`kernels/windows.c`) computes them.

    A depthwise output row counts as apart if it overlaps an input row at a distance of whole pixels, since each channel
    then overlaps only itself. Rows are at `addresses`; without these, at their addresses before the first move.
    """
    if addresses is None:
        addresses = [storage.addresses for storage in program.storages]
    if op.kind not in (OpKind.CONV, OpKind.DEPTHWISE):
        return True, 1
    view, output = program.views[op.input], program.views[op.output]
    written = _span(addresses, output, row)
    stride, pad = int(op.params["stride_columns"]), int(op.params["pad_columns"])
    origin = row * int(op.params["stride_rows"]) - int(op.params["pad_rows"])
    step, own_step = view.pixel_stride_bytes, output.pixel_stride_bytes
    together = output.column_count
    for k in range(int(op.params["kernel_rows"])):
        at = origin + k * int(op.params["dilation_rows"])
        read = _span(addresses, view, at) if 0 <= at < view.row_count else None
        if not (written and read and written[0] < read[1] and read[0] < written[1]):
            continue
        below = read[0] - written[0]
        if op.kind is OpKind.DEPTHWISE and op.params["groups"] == 1 and step == own_step and below % step == 0:
            continue
        ends = (below + (x * stride - pad) * step - x * own_step for x in (0, output.column_count - 1))
        together = min(together, max(1, (min(ends) - output.channel_count) // own_step + 1))
    apart = together == output.column_count
    return apart, 1 if apart else together


def _span(addresses: Addresses, view: View, row: int) -> tuple[int, int] | None:
    """Where a row of a view lies in the workspace."""
    rows = addresses[view.storage]
    address = rows[view.first_row + row] if rows else None
    if address is None:
        return None
    start = address + view.offset_bytes
    return start, start + (view.column_count - 1) * view.pixel_stride_bytes + view.channel_count * view.element_bytes
