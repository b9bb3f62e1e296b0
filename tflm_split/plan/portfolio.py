"""The smallest layout of a portfolio: placing orders, the largest tensor at either end, then squeezing the best; what
fixed addresses leave unused is won by moving bodies on the way.

Stops at once when the lower bound is reached: nothing can be smaller.
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
"""Heads to aim for when a tensor is pinned to the top, as excess over the lower bound."""
QUICK_TARGETS = (0.0, 0.016)
"""The same where placing everything once is already slow."""
MANY_PAIRS = 300_000

EXACT_TIME = 5.0
"""Deterministic time (a count that comes to some seconds) of the solver at `EXACT_EFFORT`; more with more."""
FIRST_FIT, SQUEEZE, CP_SAT, CP_SAT_MISSING = "first fit", "squeeze", "CP-SAT", "CP-SAT asked for, not installed"
MOVES = "moves"
"""`Layout.solver`."""
VISITS_PER_EFFORT, MANY_VISITS_PER_EFFORT = 5_000, 10_000
"""Pairs of bodies that squeezing may look at per unit of effort; the latter where there are `MANY_PAIRS`."""
MOVE_VISITS_PER_EFFORT = 200_000
"""The same for layouts with moves."""
FIRST_TRY_VISITS = 2_000_000
"""The same for the first tries to get below one height."""
FIRST_TRY_ROUNDS = (8, 1000)
"""How often they look at every pair, at least and at most."""
EXCESSES = (0.08, 0.04, 0.02, 0.01, 0.005, 0.0025, 0.0)
"""Heads tried with moves, as excess over the lower bound: the lower, the more moves and the more to look at."""
IN_VAIN = 2
"""Of these in a row that may be in vain."""
FLASH_BYTES_PER_BYTE = 16
"""How many bytes of flash a byte of RAM is worth at most."""
RESOLUTION = 512
"""Heights are tried in steps of this part of the lower bound."""


@dataclass(frozen=True, slots=True)
class Start:
    """A sound layout to begin with, and where it comes from."""

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
    """A checked layout of `bodies`, which may use `leeways`. Same arguments, same layout.

    `effort` is how much is looked at, in units of `VISITS_PER_EFFORT`; from `EXACT_EFFORT` on, CP-SAT has a go, too, if
    it is installed. The layout is no worse than any of `starts`, which are asked for only if needed. A head counts in
    multiples of `granule_bytes`: below that, nothing is gained. On `move_terms`, bodies may change places on the way. `tick`
    is called once per try.
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
        visits = effort * MOVE_VISITS_PER_EFFORT
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
    """`layout`, or the one with moves that is worth most: RAM first, flash for the moves at its exchange rate."""
    best, best_cost, in_vain = layout, float(layout.head_bytes), 0
    for excess in EXCESSES:
        height = -(-int(bound_bytes * (1 + excess)) // granule_bytes) * granule_bytes
        if height >= best.head_bytes:
            continue
        found, visits = with_moves(bodies, leeways, terms, layout, height, visits, use_native, tick)
        cost = (
            found.head_bytes + len(found.moves) * terms.flash_bytes_per_move / FLASH_BYTES_PER_BYTE
            if found
            else best_cost
        )
        in_vain = in_vain + 1
        if found and cost < best_cost:
            best, best_cost, in_vain = replace(found, lower_bound_bytes=bound_bytes, solver=MOVES), cost, 0
        if in_vain > IN_VAIN or visits <= 0:
            break
    return best


def _exactly(
    bodies: Sequence[Body], layout: Layout, effort: int, leeways: Sequence[Leeway], granule_bytes: int
) -> Layout:
    """`layout` or a smaller one, and what the solver has proved."""
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
    """All orders with nothing pinned, then with the largest tensor at the top of a head that should suffice.

    A model's input frees its rows from its start on. At the bottom of the head, that hole and the free space above the
    input stay apart until it is gone; at the top they are one.
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
    """`start`, or the lowest of what was found below it: further down after a success, less far down after a failure.

    When the smallest step down has failed, the next tries may look at more.
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
        found, left = squeeze(distances, best.addresses, height, granted, seed + tries, use_native, tick)
        visits -= granted - left
        tries += 1
        if found is not None:
            best = _settled(distances, Start(tuple(found), technique), use_native)
            head, down = head_bytes(bodies, best.addresses), 2 * down
        elif down > step:
            down //= 4
        else:
            allowed *= 2
    return best


def _settled(distances: Distances, start: Start, use_native: bool) -> Start:
    """Every body as low as those below it allow, unless that is higher altogether."""
    order = sorted(range(len(distances.bodies)), key=lambda b: (start.addresses[b], b))
    addresses = tuple(distances.place(order, use_native=use_native))
    bodies = distances.bodies
    lower = head_bytes(bodies, addresses) <= head_bytes(bodies, start.addresses)
    return Start(addresses, start.technique) if lower else start
