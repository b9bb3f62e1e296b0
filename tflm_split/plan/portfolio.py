"""The planner: tries a portfolio of techniques, from fast to slow, and keeps the smallest layout.

1. First fit and best fit in several orders, also with the largest tensor pinned to the top (`first_fit.py`).
2. Squeezing the best of these (`squeeze.py`).
3. CP-SAT, from `EXACT_EFFORT` on (`exact.py`).
4. Moving bodies at run time, where the caller allows it (`moves.py`).

It stops as soon as the lower bound is reached, since nothing can be smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from tflm_split.plan.check import check_layout
from tflm_split.plan.effort import DEFAULT_EFFORT, EXACT_EFFORT
from tflm_split.plan.exact import MOST_BODIES, available, solve_exactly
from tflm_split.plan.first_fit import Distances
from tflm_split.plan.moves import MoveTerms, with_moves
from tflm_split.plan.problem import Body, Layout, Leeway, head_bytes, packing_lower_bound
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.plan.squeeze import squeeze

Key = Callable[[Body], tuple[int, ...]]

ORDERS: tuple[tuple[str, Key], ...] = (
    ("in order of birth", lambda b: (b.start, -(b.stop - b.start), -b.bytes)),
    ("long lives first", lambda b: (-(b.stop - b.start), -b.bytes, b.start)),
    ("big first", lambda b: (-b.bytes, -(b.stop - b.start), b.start)),
    ("big times long first", lambda b: (-b.bytes * (b.stop - b.start), b.start)),
    ("in order of death, last first", lambda b: (-b.stop, b.start, -b.bytes)),
)
TARGETS = (0.0, 0.004, 0.008, 0.012, 0.016, 0.024, 0.032)
"""Heads to aim for when the largest tensor is pinned to the top, as excess over the lower bound."""
QUICK_TARGETS = (0.0, 0.016)
"""The same for problems of `MANY_PAIRS`, where placing all bodies once is already slow."""
MANY_PAIRS = 300_000
"""A problem with at least this many pairs of bodies is a large one."""

EXACT_TIME = 5.0
"""The solver's deterministic time at `EXACT_EFFORT`, a count of work: a few seconds. It is proportional to the effort."""
FIRST_FIT, SQUEEZE, CP_SAT, CP_SAT_MISSING = "first fit", "squeeze", "CP-SAT", "CP-SAT asked for, not installed"
MOVES = "moves"
"""Values of `Layout.solver`."""
VISITS_PER_EFFORT, MANY_VISITS_PER_EFFORT = 5_000, 10_000
"""Pairs of bodies that squeezing may look at per unit of effort; the second number is for problems of `MANY_PAIRS`."""
MOVE_VISITS_PER_EFFORT = 200_000
"""Pairs of bodies that the search for layouts with moves may look at per unit of effort."""
MANY_SPANS, MANY_SPANS_SHARE = 6_500, 16
"""With more spans than that, the search for layouts with moves may look at one pair in so many only: it takes minutes else."""
FIRST_TRY_VISITS = 2_000_000
"""Pairs of bodies that one try to get below a height may look at, at first."""
FIRST_TRY_ROUNDS = (8, 1000)
"""Limits of that number: every pair may be looked at this often, at least and at most."""
MOVE_TARGETS = (0.08, 0.04, 0.02, 0.01, 0.005, 0.0025, 0.0)
"""Heads to aim for with moves, as excess over the lower bound. A lower head needs more moves and a longer search."""
FRUITLESS_TARGETS = 2
"""Give up on moves after more than this many targets in a row without progress."""
FLASH_BYTES_PER_RAM_BYTE = 16
"""The exchange rate of memories: saving one byte of RAM is worth at most this many bytes of flash."""
RESOLUTION = 512
"""Squeezing lowers the height by the lower bound divided by this, or by a multiple."""


@dataclass(frozen=True, slots=True)
class Start:
    """A valid layout to start from, and the technique that made it."""

    addresses: tuple[int, ...]
    technique: str


def plan(
    bodies: Sequence[Body],
    effort: int = DEFAULT_EFFORT,
    seed: int = 0,
    use_native: bool = True,
    *,
    leeways: Sequence[Leeway] = (),
    starts: Iterable[Start] = (),
    granule_bytes: int = 1,
    move_terms: MoveTerms | None = None,
    tick: Tick = no_tick,
) -> Layout:
    """A small layout of `bodies` that has passed its check. Same arguments, same layout.

    `leeways` say which bodies may overlap. `effort` is the length of the search, in units of `VISITS_PER_EFFORT`; from
    `EXACT_EFFORT` on, CP-SAT is used too if it is installed. The layout is never larger than any of `starts`, which are
    computed only if they are needed. Heads are compared in multiples of `granule_bytes`. Bodies may be moved at run time
    only if there are `move_terms`. `tick` is called once per try.
    """
    if not bodies:
        return Layout((), 0, "empty")
    bound = packing_lower_bound(bodies, leeways, granule_bytes)
    distances = Distances(bodies, leeways)
    best: Start | None = None
    solver = FIRST_FIT
    for start in chain(_placed(distances, bound, use_native), starts):
        tick()
        if best is None or head_bytes(bodies, start.addresses) < head_bytes(bodies, best.addresses):
            best = start
        if head_bytes(bodies, best.addresses) <= bound:
            break
    assert best is not None
    if effort and head_bytes(bodies, best.addresses) > bound:
        visits = effort * (VISITS_PER_EFFORT if distances.pairs < MANY_PAIRS else MANY_VISITS_PER_EFFORT)
        best = _squeezed(distances, best, bound, granule_bytes, visits, seed, use_native, tick)
        solver = SQUEEZE
    layout = Layout(best.addresses, head_bytes(bodies, best.addresses), best.technique, bound, solver)
    if effort >= EXACT_EFFORT and layout.head_bytes > bound and len(bodies) <= MOST_BODIES:
        layout = _exactly(bodies, layout, effort, leeways, granule_bytes)
    if effort and move_terms and layout.head_bytes > bound:
        many = sum(len(body.spans) for body in bodies) > MANY_SPANS
        visits = effort * MOVE_VISITS_PER_EFFORT // (MANY_SPANS_SHARE if many else 1)
        layout = _moved(bodies, leeways, move_terms, layout, bound, granule_bytes, visits, use_native, tick)
    check_layout(bodies, layout, leeways)
    return layout


def _moved(
    bodies: Sequence[Body],
    leeways: Sequence[Leeway],
    terms: MoveTerms,
    layout: Layout,
    bound_bytes: int,
    granule_bytes: int,
    visits: int,
    use_native: bool,
    tick: Tick,
) -> Layout:
    """The best of `layout` and layouts with moves. The cost is RAM, plus the moves' flash at its exchange rate."""
    best, best_cost, fruitless = layout, float(layout.head_bytes), 0
    for excess in MOVE_TARGETS:
        height = -(-int(bound_bytes * (1 + excess)) // granule_bytes) * granule_bytes
        if height >= best.head_bytes:
            continue
        candidate, visits = with_moves(bodies, leeways, terms, layout, height, visits, use_native, tick)
        fruitless += 1
        if candidate:
            flash_bytes = len(candidate.moves) * terms.flash_bytes_per_move
            cost = candidate.head_bytes + flash_bytes / FLASH_BYTES_PER_RAM_BYTE
            if cost < best_cost:
                best, best_cost, fruitless = replace(candidate, lower_bound_bytes=bound_bytes, solver=MOVES), cost, 0
        if fruitless > FRUITLESS_TARGETS or visits <= 0:
            break
    return best


def _exactly(
    bodies: Sequence[Body], layout: Layout, effort: int, leeways: Sequence[Leeway], granule_bytes: int
) -> Layout:
    """`layout` or a smaller one, with the lower bound that the solver has proved."""
    if not available():
        return replace(layout, solver=CP_SAT_MISSING)
    exact = solve_exactly(bodies, layout, effort / EXACT_EFFORT * EXACT_TIME, leeways, granule_bytes)
    better = replace(layout, lower_bound_bytes=exact.lower_bound_bytes, solver=CP_SAT)
    if exact.addresses is None:
        return better
    technique = layout.technique + ", improved by CP-SAT"
    return replace(
        better, addresses=exact.addresses, head_bytes=head_bytes(bodies, exact.addresses), technique=technique
    )


def _placed(distances: Distances, bound_bytes: int, use_native: bool) -> Iterator[Start]:
    """Layouts of all orders: first with nothing pinned, then with the largest tensor at the top of several heads.

    The largest tensor is often the model's input, whose first rows die first:

        input at the bottom   [ dead rows ][ live rows ][       free       ]    two gaps until the input is dead
        input at the top      [       free       ][ dead rows ][ live rows ]    one gap
    """
    bodies = distances.bodies
    largest = max(range(len(bodies)), key=lambda b: (len(bodies[b].spans) > 1, bodies[b].bytes))
    pins: list[tuple[str, Mapping[int, int]]] = [("", {})]
    if len(bodies[largest].spans) > 1:
        body = bodies[largest]
        for excess in TARGETS if distances.pairs < MANY_PAIRS else QUICK_TARGETS:
            address = (int(bound_bytes * (1 + excess)) - body.bytes) // body.align * body.align
            pins.append((", largest tensor on top", {largest: max(address, 0)}))
    for suffix, fixed in pins:
        for name, key in ORDERS:
            order = sorted(range(len(bodies)), key=lambda b: (*key(bodies[b]), b))
            for best_fit in (False, True):
                technique = name + (", tightest hole" if best_fit else "") + suffix
                yield Start(tuple(distances.place(order, fixed, best_fit, use_native)), technique)


def _squeezed(
    distances: Distances,
    start: Start,
    bound_bytes: int,
    granule_bytes: int,
    visits: int,
    seed: int,
    use_native: bool,
    tick: Tick,
) -> Start:
    """The smallest layout that squeezing reaches from `start`, or `start` itself.

    Each try aims for a lower height. The step down doubles after a success and shrinks to a quarter after a failure. Once
    the smallest step fails, the next try may look at twice as many pairs.
    """
    bodies = distances.bodies
    step = max(granule_bytes, bound_bytes // RESOLUTION // granule_bytes * granule_bytes)
    best, head = start, head_bytes(bodies, start.addresses)
    technique = start.technique + ", squeezed"
    down, tries = (head - bound_bytes) // 4, 0
    least, most = (rounds * distances.pairs for rounds in FIRST_TRY_ROUNDS)
    allowed = max(least, min(most, FIRST_TRY_VISITS))
    while head > bound_bytes and visits > 0:
        tick()
        height = max(bound_bytes, (head - max(down, step)) // granule_bytes * granule_bytes)
        granted = min(allowed, visits)
        squeezed, left = squeeze(distances, best.addresses, height, granted, seed + tries, use_native, tick)
        visits -= granted - left
        tries += 1
        if squeezed is not None:
            best = _settled(distances, Start(tuple(squeezed), technique), use_native)
            head, down = head_bytes(bodies, best.addresses), 2 * down
        elif down > step:
            down //= 4
        else:
            allowed *= 2
    return best


def _settled(distances: Distances, start: Start, use_native: bool) -> Start:
    """Lets every body fall, from the lowest on, as far as those below it allow; `start` if that makes the head larger."""
    order = sorted(range(len(distances.bodies)), key=lambda b: (start.addresses[b], b))
    addresses = tuple(distances.place(order, use_native=use_native))
    bodies = distances.bodies
    lower = head_bytes(bodies, addresses) <= head_bytes(bodies, start.addresses)
    return Start(addresses, start.technique) if lower else start
