"""What is to be placed: bodies, made of spans that keep their distance, each alive for some time.

A body is what moves as one: a piece on its own, a tensor whose rows must follow each other (each row a span with a life
of its own), or a chain of rows that overwrite one another in place. Time and bytes are half-open intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import gcd

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes [offset, offset + bytes) of a body, alive during steps [start, stop)."""

    start: int
    stop: int
    offset: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Body:
    """Spans that keep their relative offsets; the body's address is a multiple of `align`."""

    spans: tuple[Span, ...]
    align: int
    bytes: int = field(init=False)
    start: int = field(init=False)
    stop: int = field(init=False)

    def __post_init__(self) -> None:
        # Asked for more often than anything else while addresses are searched for.
        object.__setattr__(self, "bytes", max([s.offset + s.bytes for s in self.spans]))
        object.__setattr__(self, "start", min([s.start for s in self.spans]))
        object.__setattr__(self, "stop", max([s.stop for s in self.spans]))


@dataclass(frozen=True, slots=True)
class Leeway:
    """Bodies `written` and `read`, of one span each, are alive together in one step only: the first of `written`, the
    last of `read`. There, `written` may lie on `read` if it starts at least `distance_bytes` below it; if that is 0,
    at the very same address only. `instructions`: what it takes the device to do so less than `free_from_bytes` below."""

    read: int
    written: int
    distance_bytes: int
    instructions: float = 0.0
    free_from_bytes: int = 0

    def freed(self, bodies: Sequence[Body]) -> Leeway | None:
        """The leeway at a distance at which it takes no instructions; None if nothing is shared there."""
        if not self.instructions:
            return self
        shares = self.free_from_bytes < bodies[self.written].bytes and bodies[self.read].bytes > 0
        return replace(self, distance_bytes=self.free_from_bytes, instructions=0.0) if shares else None


@dataclass(frozen=True, slots=True)
class Move:
    """Before step `position`, span `span` of body `body` is copied to `address`, and stays there until its next move."""

    position: int
    body: int
    span: int
    address: int


@dataclass(frozen=True, slots=True)
class Layout:
    """`addresses[b]` is body b's address at its birth; `head_bytes` the end of the highest span; `moves` in their order.

    `lower_bound_bytes`: no layout of the same problem can be smaller. `solver`: the last that was needed (`portfolio.py`).
    """

    addresses: tuple[int, ...]
    head_bytes: int
    technique: str
    lower_bound_bytes: int = 0
    solver: str = ""
    moves: tuple[Move, ...] = ()


def live_lower_bound(bodies: Sequence[Body], leeways: Sequence[Leeway] = (), unit_bytes: int = 1) -> int:
    """Bytes alive at the worst step: no layout of these lives can be smaller.

    Spans of one body that overlap in both time and bytes are not allowed (`check.py`), so their sizes add up, each
    rounded up to `unit_bytes`. Of a body that may lie on others, what it could share with them at most is counted once.
    """
    if not bodies:
        return 0
    live = live_bytes_by_step(bodies, unit_bytes)
    shared: dict[int, tuple[int, int]] = {}
    """By written body: the least distance, and the bytes of all bodies it may lie on."""
    for leeway in leeways:
        distance, under = shared.get(leeway.written, (leeway.distance_bytes, 0))
        distance = min(distance, leeway.distance_bytes)
        shared[leeway.written] = distance, under + _rounded(bodies[leeway.read].bytes, unit_bytes)
    for written, (distance, under) in shared.items():
        live[bodies[written].start] -= max(0, min(_rounded(bodies[written].bytes, unit_bytes) - distance, under))
    return int(live.max())


def live_bytes_by_step(bodies: Sequence[Body], unit_bytes: int = 1) -> npt.NDArray[np.int64]:
    """Bytes alive in each step, spans rounded up to `unit_bytes`, when no body lies on another."""
    change = np.zeros(max(b.stop for b in bodies) + 2, dtype=np.int64)
    for body in bodies:
        for span in body.spans:
            change[span.start] += _rounded(span.bytes, unit_bytes)
            change[span.stop] -= _rounded(span.bytes, unit_bytes)
    return np.cumsum(change)


def _rounded(count: int, unit_bytes: int) -> int:
    return -(-count // unit_bytes) * unit_bytes


def unit_bytes(bodies: Sequence[Body]) -> int:
    """Every span of every layout starts at a multiple of this: what is left of a unit behind a span is of no use."""
    return gcd(*(b.align for b in bodies), *(s.offset for b in bodies for s in b.spans)) or 1


def packing_lower_bound(bodies: Sequence[Body], leeways: Sequence[Leeway] = (), granule_bytes: int = 1) -> int:
    """Least head, in multiples of `granule_bytes`, that the live bytes, whole units and the largest body allow."""
    if not bodies:
        return 0
    unit = unit_bytes(bodies)
    in_units = live_lower_bound(bodies, leeways, unit) - (unit - 1)  # the highest span may end inside its last unit
    bound = max(live_lower_bound(bodies, leeways), in_units, max(b.bytes for b in bodies))
    return -(-bound // granule_bytes) * granule_bytes


def head_bytes(bodies: Sequence[Body], addresses: Sequence[int]) -> int:
    """End of the highest span of a placement."""
    return max((a + b.bytes for b, a in zip(bodies, addresses, strict=True)), default=0)
