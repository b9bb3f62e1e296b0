"""When does each piece live in a given order of steps, and which pieces become one body for the planner?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from tflm_split.plan.problem import Body, Span
from tflm_split.schedule.step_graph import PIECE_ALIGN, Overlap, StepGraph

TENSOR_ALIGN = 16
"""What TFLM aligns tensors to (MicroArenaBufferAlignment)."""
MAX_SPANS = 256
"""Spans of one body. A tensor of more rows is taken a few rows at a time: the planner's work grows with the square of
their number. No model known to us has more than 224 rows."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Which body a piece belongs to and where in it."""

    body: int
    offset: int


@dataclass(frozen=True, slots=True)
class Bodies:
    """Bodies to place, and piece -> its place in one of them (pieces that never live are missing)."""

    bodies: tuple[Body, ...]
    placements: Mapping[int, Placement]

    def pieces_of(self) -> dict[int, list[int]]:
        """Body -> its pieces."""
        found: dict[int, list[int]] = {}
        for p, place in self.placements.items():
            found.setdefault(place.body, []).append(p)
        return found


def lives(step_graph: StepGraph, order: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Piece -> half-open interval of positions in `order` during which its bytes must not be touched by others."""
    start: dict[int, int] = dict.fromkeys(sorted(step_graph.initial), 0)
    stop: dict[int, int] = dict.fromkeys(sorted(step_graph.initial), 0)
    for position, s in enumerate(order):
        step = step_graph.steps[s]
        for p in step.writes:
            start.setdefault(p, position)
            stop[p] = position + 1
        for p in step.reads:
            stop[p] = position + 1
    for p in step_graph.final:
        stop[p] = len(order)
    return {p: (start[p], stop[p]) for p in start}


def live_bytes(step_graph: StepGraph, steps: int, alive: Mapping[int, tuple[int, int]]) -> npt.NDArray[np.int64]:
    """Bytes alive in each of `steps` steps when nothing overlaps."""
    change = np.zeros(steps + 1, dtype=np.int64)
    for p, (start, stop) in alive.items():
        change[start] += step_graph.pieces[p].bytes
        change[stop] -= step_graph.pieces[p].bytes
    return np.cumsum(change)[:-1]


def live_peak(step_graph: StepGraph, order: Sequence[int]) -> int:
    """Most bytes alive in any step, where a step's output row runs over one dying row if it may."""
    return int(crowd(step_graph, order).max(initial=0))


def crowd(step_graph: StepGraph, order: Sequence[int]) -> npt.NDArray[np.int64]:
    """Bytes alive in each step, where a step's output row runs over one dying row if it may."""
    alive = lives(step_graph, order)
    found = live_bytes(step_graph, len(order), alive)
    shared: dict[int, int] = {}
    for position, overlap in usable_overlaps(step_graph, order, alive):
        shared.setdefault(position, overlap.shared_bytes)
    for position, nbytes in shared.items():
        found[position] -= nbytes
    return found


def usable_overlaps(
    step_graph: StepGraph, order: Sequence[int], alive: Mapping[int, tuple[int, int]]
) -> Iterator[tuple[int, Overlap]]:
    """Overlaps of which, at the position given, the row read dies in the step in which the row written is born.

    `alive` are the lives of the pieces that count (`lives`). Of one step, those that share most bytes come first.
    """
    for position, s in enumerate(order):
        for overlap in step_graph.steps[s].overlaps:
            read, written = alive.get(overlap.read), alive.get(overlap.written)
            meet = read and written and read[1] == position + 1 and written[0] == position
            if meet and overlap.read not in step_graph.final:
                yield position, overlap


def make_bodies(
    step_graph: StepGraph,
    order: Sequence[int],
    contiguous: frozenset[int],
    whole_at: Mapping[int, Sequence[int]] = MappingProxyType({}),
    overlap_above_bytes: int = 0,
) -> Bodies:
    """Bodies of the pieces that live in `order`.

    Storages of `contiguous` become one body each, and so do all pieces of one row that is made several times. Of the
    others, a row that may run over the row its step reads last shares that row's body, at the distance the kernels ask
    for; every other piece is a body of its own. Rows that hang together are harder to place, so they overlap only in
    steps with more than `overlap_above_bytes` alive. `whole_at` names, by storage of `contiguous`, positions at which
    all of its rows live, read later or not.
    """
    alive = lives(step_graph, order)
    for p in alive:
        for position in whole_at.get(step_graph.pieces[p].storage, ()):
            alive[p] = (min(alive[p][0], position), max(alive[p][1], position + 1))
    crowded = live_bytes(step_graph, len(order), alive) > overlap_above_bytes
    follows = _overlaps(step_graph, order, alive, contiguous, crowded)
    followed = {o.read: o for o in follows.values()}
    spans: dict[tuple[str, int], list[Span]] = {}
    place: dict[int, tuple[tuple[str, int], int]] = {}
    first_of: dict[tuple[int, int], int] = {}
    for p, piece in enumerate(step_graph.pieces):
        first_of.setdefault((piece.storage, piece.row), p)
    for p in sorted(alive, key=lambda p: (alive[p], p)):
        piece = step_graph.pieces[p]
        start, stop = alive[p]
        if piece.storage in contiguous:
            key, offset = ("storage", piece.storage), piece.row * piece.bytes
        elif p in follows:
            key, offset = place[follows[p].read]
            offset -= follows[p].distance_bytes
        else:
            key, offset = ("piece", first_of[piece.storage, piece.row]), 0
        place[p] = (key, offset)
        mine = spans.setdefault(key, [])
        if p not in followed:
            mine.append(Span(start, stop, offset, piece.bytes))
            continue
        # In its last step, a row that is run over counts only with the bytes its successor does not take.
        shared = followed[p].shared_bytes
        if start < stop - 1:
            mine.append(Span(start, stop - 1, offset, piece.bytes))
        if shared < piece.bytes:
            mine.append(Span(stop - 1, stop, offset + shared, piece.bytes - shared))
    index = {key: b for b, key in enumerate(spans)}
    lowest = {key: min(s.offset for s in found) if key[0] == "piece" else 0 for key, found in spans.items()}
    bodies = tuple(
        Body(
            tuple(_coarse(_merged([Span(s.start, s.stop, s.offset - lowest[key], s.bytes) for s in found]))),
            TENSOR_ALIGN if key[0] == "storage" else PIECE_ALIGN,
        )
        for key, found in spans.items()
    )
    return Bodies(bodies, {p: Placement(index[key], offset - lowest[key]) for p, (key, offset) in place.items()})


def _overlaps(
    step_graph: StepGraph,
    order: Sequence[int],
    alive: Mapping[int, tuple[int, int]],
    contiguous: frozenset[int],
    crowded: npt.NDArray[np.bool_],
) -> dict[int, Overlap]:
    """Written piece -> the overlap used for it: the largest of its step whose row dies there and is still free."""
    used: dict[int, Overlap] = {}
    taken: set[int] = set()
    free = {p: span for p, span in alive.items() if step_graph.pieces[p].storage not in contiguous}
    for position, overlap in usable_overlaps(step_graph, order, free):
        if crowded[position] and overlap.read not in taken and overlap.written not in used:
            used[overlap.written] = overlap
            taken.add(overlap.read)
    return used


def _merged(spans: list[Span]) -> list[Span]:
    """Neighbouring spans of equal life as one, so that the planner has fewer to look at."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.offset, s.start)):
        last = merged[-1] if merged else None
        if last and last.offset + last.bytes == span.offset and (last.start, last.stop) == (span.start, span.stop):
            merged[-1] = Span(last.start, last.stop, last.offset, last.bytes + span.bytes)
        else:
            merged.append(span)
    return merged


def _coarse(spans: list[Span]) -> list[Span]:
    """At most MAX_SPANS spans, in order of offset: neighbours joined, alive whenever one of them is."""
    while len(spans) > MAX_SPANS:
        pairs = [spans[k : k + 2] for k in range(0, len(spans), 2)]
        spans = [_joined(pair) for pair in pairs]
    return spans


def _joined(spans: Sequence[Span]) -> Span:
    low, high = min(s.offset for s in spans), max(s.offset + s.bytes for s in spans)
    return Span(min(s.start for s in spans), max(s.stop for s in spans), low, high - low)
