"""Where every piece of a schedule lies: its bodies for the planner, and what the planner makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tflm_split.analysis.latency import (
    COPY_INSTRUCTIONS,
    COPY_INSTRUCTIONS_PER_BYTE,
    OpCost,
    row_op_cost,
    slower_in_place,
)
from tflm_split.kinds import OpKind
from tflm_split.kinds.limits import MOVE_ALIGN
from tflm_split.plan.moves import MoveTerms
from tflm_split.plan.portfolio import Start, plan
from tflm_split.plan.problem import Layout
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.program.format import MOVE_BYTES
from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.leeways import FREE, Price, leeways
from tflm_split.schedule.lives import TENSOR_ALIGN, Bodies, live_bytes, lives, make_bodies
from tflm_split.schedule.step_graph import PIECE_ALIGN, StepGraph
from tflm_split.split.regions import Split

RIGID_SHARES = (1.0, 0.6, 0.3, 0.0)
"""How crowded a step must be for its rows to hang together in a start for the planner: 1.0 nowhere, 0.0 everywhere."""


@dataclass(frozen=True, slots=True)
class Stays:
    """By storage, what TFLM sees: `contiguous` ones lie in one piece and stay where they are, `whole_at` some positions
    even with rows that nobody reads. Those of `may_leave` are nobody else's once the program runs."""

    contiguous: frozenset[int]
    whole_at: Mapping[int, Sequence[int]]
    may_leave: frozenset[int]


@dataclass(frozen=True, slots=True)
class Allowance:
    """`instructions` that a layout with moves may take on `board` more than one where every row lies by itself.

    With `only_free`, no row lies on what its step reads where that takes instructions.
    """

    board: str
    instructions: float
    only_free: bool = False


def place(
    split: Split,
    step_graph: StepGraph,
    schedule: Schedule,
    stays: Stays,
    effort: int,
    allowance: Allowance | None,
    tick: Tick = no_tick,
) -> tuple[Bodies, Layout]:
    """The smallest layout found: every piece on its own, free to lie on a row that dies as it is written, or not.

    Layouts in which such rows hang together, at the one distance that shares most, are starts for the search: there are
    fewer bodies to place, and sometimes that is all it takes.
    """
    contiguous, whole_at = stays.contiguous, stays.whole_at
    apart = int(live_bytes(step_graph, len(schedule.steps), lives(step_graph, schedule.steps)).max(initial=0))
    low = schedule.live_peak_bytes
    bodies = make_bodies(step_graph, schedule.steps, contiguous, whole_at, apart)
    price_of = _price_of_sharing(split, step_graph, allowance.board) if allowance else lambda _: FREE
    may_share = leeways(step_graph, schedule.steps, bodies, price_of)
    only_free = allowance is not None and allowance.only_free
    if only_free:
        may_share = tuple(freed for x in may_share if (freed := x.freed(bodies.bodies)))
    piece_of = {place.body: p for p, place in bodies.placements.items()}

    def rigid_starts() -> Iterator[Start]:
        for share in RIGID_SHARES if may_share and not only_free else ():
            above = int(low + (apart - low) * share)
            rigid = make_bodies(step_graph, schedule.steps, contiguous, whole_at, above)
            layout = plan(rigid.bodies, 0, granule_bytes=TENSOR_ALIGN, tick=tick)
            addresses = []
            for b in range(len(bodies.bodies)):
                place = rigid.placements[piece_of[b]]
                addresses.append(layout.addresses[place.body] + place.offset - bodies.placements[piece_of[b]].offset)
            yield Start(tuple(addresses), layout.technique + ", rows in place")

    terms = None
    if allowance:
        movable = _movable(step_graph, bodies, stays)
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


def _price_of_sharing(split: Split, step_graph: StepGraph, board: str) -> Callable[[int], Price]:
    """By step: what it takes `board` if its output row lies on a row it reads."""
    costs: dict[int, OpCost] = {}

    def price_of(step: int) -> Price:
        op, row = step_graph.steps[step].row_op, step_graph.steps[step].row
        if op is None or not slower_in_place(OpKind(split.row_ops[op].kind), board):
            return FREE
        if op not in costs:
            costs[op] = row_op_cost(split.row_ops[op], board)
        one_pixel = -(-split.row_ops[op].output_shape.pixel_bytes // PIECE_ALIGN) * PIECE_ALIGN
        return Price(costs[op].step(row, apart=False) - costs[op].step(row), one_pixel)

    return price_of


def _movable(step_graph: StepGraph, bodies: Bodies, stays: Stays) -> frozenset[int]:
    """Bodies that may change places while they live: each row must be one piece at one time."""
    found = set()
    for b, pieces in bodies.pieces_of().items():
        storage = step_graph.pieces[pieces[0]].storage
        alone = len(pieces) == 1 and storage not in stays.contiguous
        leaves = storage in stays.may_leave and all(
            p in step_graph.initial and p not in step_graph.final for p in pieces
        )
        if (alone or leaves) and all(s.start == bodies.bodies[b].start for s in bodies.bodies[b].spans):
            found.add(b)
    return frozenset(found)
