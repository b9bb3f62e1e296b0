"""The memory planning problem: bodies with lifetimes that need addresses, and the layout that gives them.

Each span is a rectangle in this chart. A body is one span or several that keep their distance. The planner chooses one
address per body, and no two rectangles may overlap.

    address
       ^
    48 |  +-----------------+
       |  |    T, row 2     |         T is a tensor of three rows: one body of three spans.
    32 |  +-----------+-----+         Its rows follow each other in memory.
       |  | T, row 1  |               Each row has a lifetime of its own.
    16 |  +-----+-----+-----------+
       |  |row 0|        A        |   A is a body of one span. It reuses the bytes of row 0.
     0 |  +-----+-----------------+
       +--+-----+-----+-----+-----+--> step
          0     2     4     6     8

A body stands for one of three things: a single piece, a tensor whose rows are contiguous, or a chain of rows that
overwrite one another in place. Steps and bytes are half-open intervals: A is alive in steps [2, 8), at bytes [0, 16).
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
    """Spans at fixed offsets from one address, which must be a multiple of `align`."""

    spans: tuple[Span, ...]
    align: int
    bytes: int = field(init=False)
    start: int = field(init=False)
    stop: int = field(init=False)

    def __post_init__(self) -> None:
        # The search for addresses reads these more often than anything else, so they are computed once.
        object.__setattr__(self, "bytes", max([s.offset + s.bytes for s in self.spans]))
        object.__setattr__(self, "start", min([s.start for s in self.spans]))
        object.__setattr__(self, "stop", max([s.stop for s in self.spans]))


@dataclass(frozen=True, slots=True)
class Leeway:
    """`written` may overlap `read` in the one step in which both are alive.

        address
           ^
           |  +-----------+              R is `read`. Step 3 is its last.
           |  |     R     |
           |  |        +--+-------+      ## is shared, in step 3 only.
           |  |        |##|       |
           |  +--------+##|   W   |  -+
           |           |          |   |  at least `distance_bytes`
           |           +----------+  -+
           +-----------+--+----------> step
                       3  4              W is `written`. Step 3 is its first.

    Both bodies have one span. A distance of 0 is special: then W may only start at the very same address as R.

    The overlap may slow the device down. It costs `instructions` if W starts less than `free_from_bytes` below R, and
    nothing from there on.
    """

    read: int
    written: int
    distance_bytes: int
    instructions: float = 0.0
    free_from_bytes: int = 0

    def freed(self, bodies: Sequence[Body]) -> Leeway | None:
        """This leeway at the distance where it costs no instructions. None if the bodies share no byte there."""
        if not self.instructions:
            return self
        shares = self.free_from_bytes < bodies[self.written].bytes and bodies[self.read].bytes > 0
        return replace(self, distance_bytes=self.free_from_bytes, instructions=0.0) if shares else None


@dataclass(frozen=True, slots=True)
class Move:
    """Before step `position`, span `span` of body `body` is copied to `address`. It stays there until its next move."""

    position: int
    body: int
    span: int
    address: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A solution: `addresses[b]` is the address of body b when it is born, and `moves` are carried out in their order.

    `head_bytes` is the end of the highest span. No layout of the same problem is smaller than `lower_bound_bytes`.
    `technique` says how the addresses were found; `solver` is the last solver that was needed (`portfolio.py`).
    """

    addresses: tuple[int, ...]
    head_bytes: int
    technique: str
    lower_bound_bytes: int = 0
    solver: str = ""
    moves: tuple[Move, ...] = ()


def live_lower_bound(bodies: Sequence[Body], leeways: Sequence[Leeway] = (), unit_bytes: int = 1) -> int:
    """Bytes alive in the worst step. No layout can be smaller.

    Each span is rounded up to `unit_bytes`. Their sizes may be added up, because spans of one body never overlap in
    both time and bytes (`check.py`). What a body can share with others through leeways, at most, is counted once.
    """
    if not bodies:
        return 0
    live = live_bytes_by_step(bodies, unit_bytes)
    shared: dict[int, tuple[int, int]] = {}
    """By written body: the smallest distance of its leeways, and the bytes of all bodies it may overlap."""
    for leeway in leeways:
        distance, under = shared.get(leeway.written, (leeway.distance_bytes, 0))
        distance = min(distance, leeway.distance_bytes)
        shared[leeway.written] = distance, under + _rounded(bodies[leeway.read].bytes, unit_bytes)
    for written, (distance, under) in shared.items():
        live[bodies[written].start] -= max(0, min(_rounded(bodies[written].bytes, unit_bytes) - distance, under))
    return int(live.max())


def live_bytes_by_step(bodies: Sequence[Body], unit_bytes: int = 1) -> npt.NDArray[np.int64]:
    """Bytes alive in each step if no body overlaps another. Each span is rounded up to `unit_bytes`."""
    change = np.zeros(max(b.stop for b in bodies) + 2, dtype=np.int64)
    for body in bodies:
        for span in body.spans:
            change[span.start] += _rounded(span.bytes, unit_bytes)
            change[span.stop] -= _rounded(span.bytes, unit_bytes)
    return np.cumsum(change)


def _rounded(count: int, unit_bytes: int) -> int:
    return -(-count // unit_bytes) * unit_bytes


def unit_bytes(bodies: Sequence[Body]) -> int:
    """The largest number that divides the start of every span in every layout.

    Bytes between the end of a span and the next multiple cannot be used by anything else.
    """
    return gcd(*(b.align for b in bodies), *(s.offset for b in bodies for s in b.spans)) or 1


def packing_lower_bound(bodies: Sequence[Body], leeways: Sequence[Leeway] = (), granule_bytes: int = 1) -> int:
    """Lower bound of the head, rounded up to `granule_bytes`.

    It is the largest of three: the live bytes, the same in whole units (`unit_bytes`), and the largest body.
    """
    if not bodies:
        return 0
    unit = unit_bytes(bodies)
    # The highest span may end inside its last unit, so that one need not be whole.
    in_units = live_lower_bound(bodies, leeways, unit) - (unit - 1)
    bound = max(live_lower_bound(bodies, leeways), in_units, max(b.bytes for b in bodies))
    return -(-bound // granule_bytes) * granule_bytes


def head_bytes(bodies: Sequence[Body], addresses: Sequence[int]) -> int:
    """The end of the highest span."""
    return max((a + b.bytes for b, a in zip(bodies, addresses, strict=True)), default=0)
