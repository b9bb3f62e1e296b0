"""When does each piece live in a given order of steps, and which pieces become one body for the planner?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tflm_split.plan.problem import Body, Span
from tflm_split.schedule.step_graph import StepGraph

TENSOR_ALIGN = 16
"""What TFLM aligns tensors to (MicroArenaBufferAlignment)."""
PIECE_ALIGN = 4
"""Rows lie on words: the u16 address table counts in them, and word loads work on every core."""


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


def make_bodies(
    step_graph: StepGraph,
    order: Sequence[int],
    contiguous: frozenset[int],
    whole_at: Mapping[int, Sequence[int]] = MappingProxyType({}),
) -> Bodies:
    """Bodies of the pieces that live in `order`.

    `whole_at` names, by storage of `contiguous`, positions at which all of its rows live, read later or not.

    Storages of `contiguous` become one body each. Of the others, a piece that an element-wise step may write over the
    row it reads last shares that row's body; every other piece is a body of its own.
    """
    alive = lives(step_graph, order)
    for p in alive:
        for position in whole_at.get(step_graph.pieces[p].storage, ()):
            alive[p] = (min(alive[p][0], position), max(alive[p][1], position + 1))
    follows: dict[int, int] = {}
    taken: set[int] = set()
    for position, s in enumerate(order):
        for read, written in step_graph.steps[s].in_place:
            fits = (
                read not in taken
                and written not in follows
                and alive[read][1] == position + 1
                and alive[written][0] == position
                and step_graph.pieces[read].bytes == step_graph.pieces[written].bytes
                and step_graph.pieces[read].storage not in contiguous
                and step_graph.pieces[written].storage not in contiguous
                and read not in step_graph.final
            )
            if fits:
                follows[written] = read
                taken.add(read)
    spans: dict[tuple[str, int], list[Span]] = {}
    key_of: dict[int, tuple[tuple[str, int], int]] = {}
    for p in sorted(alive, key=lambda p: (alive[p], p)):
        piece = step_graph.pieces[p]
        start, stop = alive[p]
        if p in taken:
            stop -= 1  # its last reader writes the follower over it
        if piece.storage in contiguous:
            key, offset = ("storage", piece.storage), piece.row * piece.bytes
        elif p in follows:
            key, offset = key_of[follows[p]][0], 0
        else:
            key, offset = ("piece", p), 0
        key_of[p] = (key, offset)
        spans.setdefault(key, [])
        if start < stop:
            spans[key].append(Span(start, stop, offset, piece.bytes))
        elif piece.storage in contiguous:
            spans[key].append(Span(start, start, offset, piece.bytes))
    index = {key: b for b, key in enumerate(spans)}
    bodies = tuple(
        Body(tuple(_merged(found)), TENSOR_ALIGN if key[0] == "storage" else PIECE_ALIGN)
        for key, found in spans.items()
    )
    placements = {p: Placement(index[key], offset) for p, (key, offset) in key_of.items()}
    return Bodies(bodies, placements)


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
