"""Addresses for every piece of a schedule: turns pieces into bodies, and calls the planner.

A row may overlap another that dies in the step in which it is born (`Leeway`). In the best case a whole operator runs in
place, each output row over the input row it replaces:

    address
       ^
       |  |         in 2       |##|      out 2      |      in k: row k of the input; out k: row k of the output.
       |  |     in 1     |##|         out 1         |      Step k is the last to read in k, and writes out k.
       |  | in 0   |##|            out 0            |      ## is shared in that step. Each out k may start a
       +--+--------+--+--+--+--+--+-----------------+->    little below its in k, as the leeway demands.
                    0     1     2                  step

The planner sees every row as a body of its own, with leeways between them. It also starts from rigid layouts, in which
the rows of a chain are one body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tflm_split.analysis.latency import (
    COPY_INSTRUCTIONS,
    COPY_INSTRUCTIONS_PER_BYTE,
    OpCost,
    row_op_cost,
    slower_in_place,
)
from tflm_split.errors import InternalError
from tflm_split.kinds import OpKind
from tflm_split.kinds.limits import MOVE_ALIGN
from tflm_split.plan.check import check_layout
from tflm_split.plan.moves import MoveTerms
from tflm_split.plan.portfolio import Start, plan
from tflm_split.plan.problem import Layout, Leeway, Move, packing_lower_bound
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.program.format import MOVE_BYTES
from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.leeways import FREE, Price, leeways
from tflm_split.schedule.lives import TENSOR_ALIGN, Bodies, live_bytes, lives_held, make_bodies
from tflm_split.schedule.step_graph import PIECE_ALIGN, StepGraph
from tflm_split.split.regions import Split

RIGID_SHARES = (1.0, 0.6, 0.3, 0.0)
"""Rigid starts for the planner join rows into chains only in steps with many live bytes.

The threshold lies between the schedule's live peak (0.0: nearly everywhere) and the peak without overlap (1.0: nowhere).
"""


SLOW_BASE = 1 << 30
"""In a layout for two memories, this address is the first of the slow one. No workspace reaches up to it."""


@dataclass(frozen=True, slots=True)
class StorageRules:
    """What TFLM demands of the storages it sees.

    The rows of a `contiguous` storage follow each other in memory and may not be moved, unless the storage is among
    `movable_inputs`: TFLM does not look at these while the program runs. At the positions `whole_at` of a storage, all
    its rows need their bytes, even rows that nobody reads.
    """

    contiguous: frozenset[int]
    whole_at: Mapping[int, Sequence[int]]
    movable_inputs: frozenset[int]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What moves and overlapping rows may cost: `instructions` on `board`, compared with a layout without either.

    With `only_free`, rows overlap only where that costs no instructions.
    """

    board: str
    instructions: float
    only_free: bool = False


class Given(Protocol):
    """A layout that was found before. With `only_free`, its rows overlap only where that costs no instructions.

    Addresses from `SLOW_BASE` on are those of a slow memory.
    """

    @property
    def addresses(self) -> tuple[int, ...]: ...
    @property
    def moves(self) -> tuple[Move, ...]: ...
    @property
    def only_free(self) -> bool: ...
    @property
    def technique(self) -> str: ...
    @property
    def solver(self) -> str: ...


def place(
    split: Split,
    step_graph: StepGraph,
    schedule: Schedule,
    rules: StorageRules,
    effort: int,
    allowance: Allowance | None,
    tick: Tick = no_tick,
    given: Given | None = None,
) -> tuple[Bodies, Layout]:
    """The bodies of the schedule's pieces, and the smallest layout found for them.

    Each piece is a body of its own, which may overlap a row that dies in the step that writes it. The search starts from
    rigid layouts: in these, such rows are joined into one body at the distance that shares most. They have fewer bodies
    to place, and sometimes one is small enough already.
    """
    contiguous, whole_at = rules.contiguous, rules.whole_at
    peak_without_overlap = int(
        live_bytes(step_graph, len(schedule.steps), lives_held(step_graph, schedule.steps, whole_at)).max(initial=0)
    )
    low = schedule.live_peak_bytes
    bodies = make_bodies(step_graph, schedule.steps, contiguous, whole_at, peak_without_overlap)
    may_share = allowed_leeways(split, step_graph, schedule, bodies, allowance)
    only_free = allowance is not None and allowance.only_free
    if given is not None:
        return bodies, _checked(bodies, may_share, given)
    piece_of = {place.body: p for p, place in bodies.placements.items()}

    def rigid_starts() -> Iterator[Start]:
        for share in RIGID_SHARES if may_share and not only_free else ():
            threshold = int(low + (peak_without_overlap - low) * share)
            rigid = make_bodies(step_graph, schedule.steps, contiguous, whole_at, threshold)
            layout = plan(rigid.bodies, 0, granule_bytes=TENSOR_ALIGN, tick=tick)
            addresses = []
            for b in range(len(bodies.bodies)):
                place = rigid.placements[piece_of[b]]
                addresses.append(layout.addresses[place.body] + place.offset - bodies.placements[piece_of[b]].offset)
            yield Start(tuple(addresses), layout.technique + ", rows in place")

    terms = None
    if allowance:
        movable = _movable(step_graph, bodies, rules)
        terms = MoveTerms(
            movable, allowance.instructions, COPY_INSTRUCTIONS, COPY_INSTRUCTIONS_PER_BYTE, MOVE_ALIGN, MOVE_BYTES
        )
    layout = plan(
        bodies.bodies,
        effort,
        leeways=may_share,
        starts=rigid_starts(),
        granule_bytes=TENSOR_ALIGN,
        move_terms=terms,
        tick=tick,
    )
    return bodies, layout


def allowed_leeways(
    split: Split, step_graph: StepGraph, schedule: Schedule, bodies: Bodies, allowance: Allowance | None
) -> tuple[Leeway, ...]:
    """Which rows may overlap in the step that reads one and writes the other."""
    price_of = _price_of_sharing(split, step_graph, allowance.board) if allowance else lambda _: FREE
    may_share = leeways(step_graph, schedule.steps, bodies, price_of)
    if allowance is not None and allowance.only_free:
        may_share = tuple(freed for x in may_share if (freed := x.freed(bodies.bodies)))
    return may_share


def _checked(bodies: Bodies, may_share: Sequence[Leeway], given: Given) -> Layout:
    """The given layout. Raises InternalError if it is none of these bodies, or not valid."""
    if len(given.addresses) != len(bodies.bodies):
        raise InternalError(f"a layout of {len(given.addresses)} addresses for {len(bodies.bodies)} bodies")
    ends = [a + b.bytes for b, a in zip(bodies.bodies, given.addresses, strict=True)]
    ends += _ends_of_moves(bodies, given.moves)
    bound = packing_lower_bound(bodies.bodies, may_share, TENSOR_ALIGN)
    layout = Layout(given.addresses, max(ends, default=0), given.technique, bound, given.solver, given.moves)
    check_layout(bodies.bodies, layout, may_share)
    return replace(layout, head_bytes=max((end for end in ends if end <= SLOW_BASE), default=0))


def _ends_of_moves(bodies: Bodies, moves: Sequence[Move]) -> list[int]:
    """Where each move's copy ends. Raises InternalError if there is no such body or span."""
    ends = []
    for m in moves:
        if not 0 <= m.body < len(bodies.bodies) or not 0 <= m.span < len(bodies.bodies[m.body].spans):
            raise InternalError(f"a move of span {m.span} of body {m.body}, which does not exist")
        ends.append(m.address + bodies.bodies[m.body].spans[m.span].bytes)
    return ends


def _price_of_sharing(split: Split, step_graph: StepGraph, board: str) -> Callable[[int], Price]:
    """By step: what it costs on `board` if its output row overlaps a row it reads."""
    costs: dict[int, OpCost] = {}

    def price_of(step: int) -> Price:
        op, row = step_graph.steps[step].row_op, step_graph.steps[step].row
        if op is None or not slower_in_place(OpKind(split.row_ops[op].kind), board):
            return FREE
        if op not in costs:
            costs[op] = row_op_cost(split.row_ops[op], board)
        # At least one instruction: where it makes no difference on this board, it does on others that may run the file.
        price = max(1.0, costs[op].step(row, apart=False) - costs[op].step(row))
        shape = split.row_ops[op].output_shape
        pixels = _pixels_together(costs[op], row, shape.columns) - 1
        return Price(price, -(-pixels * shape.pixel_bytes // PIECE_ALIGN) * PIECE_ALIGN)

    return price_of


def _pixels_together(cost: OpCost, row: int, columns: int) -> int:
    """The fewest pixels that a kernel must be able to compute together to be as fast as with an output row apart."""
    apart = cost.step(row)
    return next((n for n in range(2, columns) if cost.step(row, apart=False, together=n) <= apart), columns)


def _movable(step_graph: StepGraph, bodies: Bodies, rules: StorageRules) -> frozenset[int]:
    """Bodies that may be moved: single rows that TFLM does not see, and inputs that TFLM no longer needs.

    All spans of such a body are born in the same step.
    """
    movable = set()
    for b, pieces in bodies.pieces_of().items():
        storage = step_graph.pieces[pieces[0]].storage
        is_single = len(pieces) == 1 and storage not in rules.contiguous
        is_movable_input = storage in rules.movable_inputs and all(
            p in step_graph.initial and p not in step_graph.final for p in pieces
        )
        if (is_single or is_movable_input) and all(s.start == bodies.bodies[b].start for s in bodies.bodies[b].spans):
            movable.add(b)
    return frozenset(movable)
