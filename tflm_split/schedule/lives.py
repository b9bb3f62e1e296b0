"""When does each piece live in a given order of steps, and which pieces become one body for the planner?

A piece lives from the step that writes it to the last step that reads it:

    step           0    1    2    3
    writes         p    q    r
    reads               p    p q  r
    p lives        [0 ........ 3)
    q lives             [1 ... 3)
    r lives                  [2 .. 4)      in step 2, r may lie over a part of p or q, which die there
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from tflm_split.native.loops import native
from tflm_split.plan.problem import Body, Span
from tflm_split.schedule.step_arrays import Alive
from tflm_split.schedule.step_graph import PIECE_ALIGN, Overlap, StepGraph

TENSOR_ALIGN = 16
"""Bytes that TFLM aligns tensors to (MicroArenaBufferAlignment)."""
MAX_SPANS = 256
"""Most spans of one body. In a tensor of more rows, several rows share one span.

The planner's work grows with the square of the number of spans. No model known to us has tensors of more than 224 rows.
"""
MAX_PAIRS = 1_000_000
"""More pairs of rows that live at the same time are not looked at: they would take about 500 MB."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The body that a piece belongs to, and the piece's offset in it, in bytes."""

    body: int
    offset: int


@dataclass(frozen=True, slots=True)
class Bodies:
    """Bodies to place, and piece -> its placement in one of them. Pieces that never live are missing."""

    bodies: tuple[Body, ...]
    placements: Mapping[int, Placement]

    def pieces_of(self) -> dict[int, list[int]]:
        """Body -> its pieces."""
        pieces: dict[int, list[int]] = {}
        for p, place in self.placements.items():
            pieces.setdefault(place.body, []).append(p)
        return pieces


def lives(step_graph: StepGraph, order: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Piece -> its live interval: half-open, in positions of `order`. No other piece may touch its bytes meanwhile.

    Pieces of a state are left out: they have bytes of their own.
    """
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
    return {p: (start[p], stop[p]) for p in start if p not in step_graph.remembered}


def lives_held(
    step_graph: StepGraph, order: Sequence[int], whole_at: Mapping[int, Sequence[int]]
) -> dict[int, tuple[int, int]]:
    """As `lives`, but the rows of a storage in `whole_at` live at the positions named for it, too.

    Of a row that has several pieces, the first one does.
    """
    alive = lives(step_graph, order)
    held: set[tuple[int, int]] = set()
    for p in sorted(alive):
        piece = step_graph.pieces[p]
        if piece.storage in whole_at and (piece.storage, piece.row) not in held:
            held.add((piece.storage, piece.row))
            at = whole_at[piece.storage]
            alive[p] = (min(alive[p][0], *at), max(alive[p][1], *(position + 1 for position in at)))
    return alive


def live_bytes(step_graph: StepGraph, steps: int, alive: Mapping[int, tuple[int, int]]) -> npt.NDArray[np.int64]:
    """Bytes alive in each of `steps` steps if no step writes in place."""
    change = np.zeros(steps + 1, dtype=np.int64)
    for p, (start, stop) in alive.items():
        change[start] += step_graph.pieces[p].bytes
        change[stop] -= step_graph.pieces[p].bytes
    return np.cumsum(change)[:-1]


def live_bytes_apart(step_graph: StepGraph, order: Sequence[int]) -> npt.NDArray[np.int64]:
    """Bytes alive in each step of `order` if no step writes in place."""
    if native() is not None:
        return Alive(step_graph, order).apart
    return live_bytes(step_graph, len(order), lives(step_graph, order))


def live_peak(step_graph: StepGraph, order: Sequence[int]) -> int:
    """Most bytes alive in any step, if each step writes in place over one dying row where it may."""
    return int(live_bytes_in_place(step_graph, order).max(initial=0))


def live_bytes_in_place(step_graph: StepGraph, order: Sequence[int], use_native: bool = True) -> npt.NDArray[np.int64]:
    """Bytes alive in each step, if each step writes in place over one dying row where it may."""
    if use_native and native() is not None:
        return Alive(step_graph, order).in_place
    alive = lives(step_graph, order)
    live = live_bytes(step_graph, len(order), alive)
    shared: dict[int, int] = {}
    for position, overlap in usable_overlaps(step_graph, order, alive):
        shared.setdefault(position, overlap.shared_bytes)
    for position, nbytes in shared.items():
        live[position] -= nbytes
    return live


def usable_overlaps(
    step_graph: StepGraph, order: Sequence[int], alive: Mapping[int, tuple[int, int]]
) -> Iterator[tuple[int, Overlap]]:
    """(Position of a step, overlap) wherever the row read dies in the very step in which the row written is born.

    `alive` are the live intervals of the pieces that count (`lives`). Overlaps of one step that share most bytes come first.
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
    """The pieces that live in `order` as bodies.

    * A storage of `contiguous` is one body. At the positions `whole_at` names for it, all of its rows live, even those that
      no later step reads.
    * All pieces of one row that is computed several times are one body.
    * A row that may be written in place joins the body of the row it is written over, at the distance the kernel needs.
      Joined rows are harder to place, so they are joined only in steps with more than `overlap_above_bytes` alive.
    * Rows of a tensor of which very many live at once are joined, a few to a body (`_joins`).
    * Every other piece is a body of its own.
    """
    alive = lives_held(step_graph, order, whole_at)
    crowded = live_bytes(step_graph, len(order), alive) > overlap_above_bytes
    joins = _joins(step_graph, alive, contiguous)
    follows = _overlaps(step_graph, order, alive, contiguous.union(joins), crowded)
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
            within = piece.row % joins.get(piece.storage, 1)
            room = -(-piece.bytes // PIECE_ALIGN) * PIECE_ALIGN
            key, offset = ("piece", first_of[piece.storage, piece.row - within]), within * room
        place[p] = (key, offset)
        taken = followed[p].shared_bytes if p in followed else None
        spans.setdefault(key, []).extend(_spans_of(start, stop, offset, piece.bytes, taken))
    index = {key: b for b, key in enumerate(spans)}
    lowest = {key: min(s.offset for s in of_body) if key[0] == "piece" else 0 for key, of_body in spans.items()}
    bodies = tuple(
        Body(
            tuple(_coarse(_merged([Span(s.start, s.stop, s.offset - lowest[key], s.bytes) for s in of_body]))),
            TENSOR_ALIGN if key[0] == "storage" else PIECE_ALIGN,
        )
        for key, of_body in spans.items()
    )
    return Bodies(bodies, {p: Placement(index[key], offset - lowest[key]) for p, (key, offset) in place.items()})


def _spans_of(start: int, stop: int, offset: int, nbytes: int, taken_bytes: int | None) -> Iterator[Span]:
    """The spans of a piece. In its last step another row may take its first `taken_bytes`."""
    if taken_bytes is None:
        yield Span(start, stop, offset, nbytes)
        return
    if start < stop - 1:
        yield Span(start, stop - 1, offset, nbytes)
    if taken_bytes < nbytes:
        yield Span(stop - 1, stop, offset + taken_bytes, nbytes - taken_bytes)


def _joins(step_graph: StepGraph, alive: Mapping[int, tuple[int, int]], contiguous: frozenset[int]) -> dict[int, int]:
    """Storage -> how many of its rows become one body: none, unless the planner would have to look at too many pairs.

    Those storages are joined of which most rows live at once. Their rows die at about the same time, so little is lost.
    """
    loose = {p: life for p, life in alive.items() if step_graph.pieces[p].storage not in contiguous}
    if _pairs(loose.values()) <= MAX_PAIRS:
        return {}
    lives_of: dict[int, list[tuple[int, int]]] = {}
    for p, life in loose.items():
        lives_of.setdefault(step_graph.pieces[p].storage, []).append(life)
    joins: dict[int, int] = {}
    for rows in (2, 4, 8, 16, 32, 64):
        for storage, of_storage in lives_of.items():
            if 4 * _pairs(of_storage) > len(of_storage) ** 2:
                joins[storage] = rows
        joined = [life for s, of_storage in lives_of.items() for life in sorted(of_storage)[:: joins.get(s, 1)]]
        if _pairs(joined) <= MAX_PAIRS:
            break
    return joins


def _pairs(of_lives: Collection[tuple[int, int]]) -> int:
    """How many pairs of these live intervals meet."""
    spans = np.array(list(of_lives), dtype=np.int64).reshape(-1, 2)
    starts, stops = np.sort(spans[:, 0]), np.sort(spans[:, 1])
    before = np.searchsorted(stops, starts, side="right")
    return int((np.arange(len(starts)) - before).clip(0).sum())


def _overlaps(
    step_graph: StepGraph,
    order: Sequence[int],
    alive: Mapping[int, tuple[int, int]],
    contiguous: frozenset[int],
    crowded: npt.NDArray[np.bool_],
) -> dict[int, Overlap]:
    """Written piece -> the overlap used for it: the one that shares most bytes with a row that no other piece took."""
    used: dict[int, Overlap] = {}
    taken: set[int] = set()
    free = {p: span for p, span in alive.items() if step_graph.pieces[p].storage not in contiguous}
    for position, overlap in usable_overlaps(step_graph, order, free):
        if crowded[position] and overlap.read not in taken and overlap.written not in used:
            used[overlap.written] = overlap
            taken.add(overlap.read)
    return used


def _merged(spans: list[Span]) -> list[Span]:
    """`spans` without those inside others, and with neighbours of the same live interval joined.

    So the planner has fewer to look at.
    """
    merged: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.offset, s.start, -s.stop)):
        last = merged[-1] if merged else None
        if last and _lies_inside(span, last):
            continue
        if last and last.offset + last.bytes == span.offset and (last.start, last.stop) == (span.start, span.stop):
            merged[-1] = Span(last.start, last.stop, last.offset, last.bytes + span.bytes)
        else:
            merged.append(span)
    return merged


def _lies_inside(span: Span, other: Span) -> bool:
    """Whether `other`, which does not start at a higher offset, covers all bytes of `span` all its life."""
    covers = span.offset + span.bytes <= other.offset + other.bytes
    return covers and other.start <= span.start and span.stop <= other.stop


def _coarse(spans: list[Span]) -> list[Span]:
    """At most MAX_SPANS spans, in order of offset. Neighbours are joined; a joined span lives while any of its parts does."""
    while len(spans) > MAX_SPANS:
        pairs = [spans[k : k + 2] for k in range(0, len(spans), 2)]
        spans = [_joined(pair) for pair in pairs]
    return spans


def _joined(spans: Sequence[Span]) -> Span:
    """One span that covers the bytes and the live intervals of all `spans`."""
    low, high = min(s.offset for s in spans), max(s.offset + s.bytes for s in spans)
    return Span(min(s.start for s in spans), max(s.stop for s in spans), low, high - low)
