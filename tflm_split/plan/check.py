"""Is a layout valid? This check always runs, and shares no code with what makes layouts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from tflm_split.errors import InternalError
from tflm_split.plan.problem import Body, Layout, Leeway, Move, Span

PARTS = 256
"""Memory is looked at in so many parts, each for itself."""


def check_layout(bodies: Sequence[Body], layout: Layout, leeways: Sequence[Leeway] = ()) -> None:
    """Raises InternalError unless all of this holds:

    * Every address is a multiple of the body's alignment, not negative, and ends within the head.
    * No two spans share a byte while both are alive. A leeway is the one exception: it allows its two bodies to overlap
      in the one step in which both are alive, at its distance or further below.
    * Moves are in the order of their steps. Each moves a span that is alive, to bytes that no other live span holds. The
      span's own old bytes may overlap the new ones.
    """
    if len(layout.addresses) != len(bodies):
        raise InternalError(f"a layout of {len(layout.addresses)} addresses for {len(bodies)} bodies")
    distances = {(leeway.read, leeway.written): leeway.distance_bytes for leeway in leeways}
    moves_of: dict[tuple[int, int], list[Move]] = {}
    for move in layout.moves:
        moves_of.setdefault((move.body, move.span), []).append(move)
    events: list[tuple[int, int, int, int, int, int]] = []
    for b, (body, address) in enumerate(zip(bodies, layout.addresses, strict=True)):
        if address < 0 or address % body.align:
            raise InternalError(f"body {b} lies at {address}, which is not a multiple of {body.align}")
        for number, span in enumerate(body.spans):
            if span.offset < 0:
                raise InternalError(f"span {number} of body {b} starts {-span.offset} bytes before it")
            moves = moves_of.get((b, number), [])
            for start, stop, low in _intervals(b, address, span, moves):
                if low < 0 or low + span.bytes > layout.head_bytes:
                    raise InternalError(f"body {b} ends at {low + span.bytes}, past the head of {layout.head_bytes} B")
                if start < stop and span.bytes:
                    events.append((start, 1, low, low + span.bytes, b, number))
                    events.append((stop, 0, low, low + span.bytes, b, number))
    _check_order_of_moves(bodies, layout)
    # Sweep over time. Intervals are half-open, so ends come before starts of the same step.
    body_spans = [body.spans for body in bodies]
    parts = _Parts(layout.head_bytes)
    for time, begins, low, high, b, number in sorted(events):
        if not begins:
            parts.remove((b, number), low, high)
            continue
        for (other, other_number), (other_low, other_high) in parts.near(low, high):
            if low < other_high and other_low < high:
                read, written = (other, b) if (other, b) in distances else (b, other)
                if (read, written) not in distances:
                    raise InternalError(f"bodies {b} and {other} share bytes at step {time}")
                starts = {
                    b: low - body_spans[b][number].offset,
                    other: other_low - body_spans[other][other_number].offset,
                }
                below = starts[read] - starts[written]
                distance = distances[read, written]
                if below < distance or (distance == 0 and below != 0):
                    raise InternalError(
                        f"body {written} lies {below} bytes below body {read} at step {time}, needs {distance}"
                    )
                if bodies[read].stop != time + 1 or bodies[written].start != time:
                    raise InternalError(f"bodies {written} and {read} share bytes in more than step {time}")
        parts.add((b, number), low, high)


class _Parts:
    """The live spans, by the parts of memory that they touch: only those in the same parts can share bytes."""

    def __init__(self, head_bytes: int) -> None:
        self._part_bytes = max(head_bytes // PARTS, 1)
        self._alive: list[dict[tuple[int, int], tuple[int, int]]] = [{} for _ in range(PARTS + 1)]

    def _touched(self, low: int, high: int) -> range:
        return range(min(low // self._part_bytes, PARTS), min((high - 1) // self._part_bytes, PARTS) + 1)

    def add(self, key: tuple[int, int], low: int, high: int) -> None:
        for part in self._touched(low, high):
            self._alive[part][key] = low, high

    def remove(self, key: tuple[int, int], low: int, high: int) -> None:
        for part in self._touched(low, high):
            del self._alive[part][key]

    def near(self, low: int, high: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """All that may share a byte with [low, high), some of them twice."""
        for part in self._touched(low, high):
            yield from self._alive[part].items()


def _intervals(body: int, address: int, span: Span, moves: Sequence[Move]) -> list[tuple[int, int, int]]:
    """The lifetime of a span, cut at its moves: (start, stop, address) of each part."""
    times = [span.start, *(m.position for m in moves), span.stop]
    if moves and any(before >= after for before, after in pairwise(times)):
        raise InternalError(f"body {body} moves when it does not live, or twice before one step")
    lows = [address + span.offset, *(m.address for m in moves)]
    return [(start, stop, low) for (start, stop), low in zip(pairwise(times), lows, strict=True)]


def _check_order_of_moves(bodies: Sequence[Body], layout: Layout) -> None:
    """Raises InternalError if a move overwrites a live span, or if moves are not in the order of their steps."""
    at = {
        (b, s): layout.addresses[b] + span.offset for b, body in enumerate(bodies) for s, span in enumerate(body.spans)
    }
    latest = 0
    for move in layout.moves:
        if move.position < latest:
            raise InternalError(f"a move before step {move.position} follows one before step {latest}")
        latest = move.position
        end = move.address + bodies[move.body].spans[move.span].bytes
        for (b, s), low in at.items():
            span = bodies[b].spans[s]
            lives = span.start < move.position < span.stop and span.bytes
            if lives and (b, s) != (move.body, move.span) and low < end and move.address < low + span.bytes:
                raise InternalError(f"the move of body {move.body} before step {move.position} overwrites body {b}")
        at[move.body, move.span] = move.address
