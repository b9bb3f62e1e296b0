"""What is to be placed: bodies, made of spans that keep their distance, each alive for some time.

A body is what moves as one: a piece on its own, a tensor whose rows must follow each other (each row a span with a life
of its own), or a chain of rows that overwrite one another in place. Time and bytes are half-open intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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

    @property
    def bytes(self) -> int:
        return max(s.offset + s.bytes for s in self.spans)

    @property
    def start(self) -> int:
        return min(s.start for s in self.spans)

    @property
    def stop(self) -> int:
        return max(s.stop for s in self.spans)


@dataclass(frozen=True, slots=True)
class Layout:
    """`addresses[b]` is body b's address; `head_bytes` the end of the highest span."""

    addresses: tuple[int, ...]
    head_bytes: int
    technique: str


def live_lower_bound(bodies: Sequence[Body]) -> int:
    """Bytes alive at the worst step: no layout of these lives can be smaller.

    Spans of one body that overlap in both time and bytes are not allowed (`check.py`), so their sizes add up.
    """
    if not bodies:
        return 0
    horizon = max(b.stop for b in bodies) + 1
    change = np.zeros(horizon + 1, dtype=np.int64)
    for body in bodies:
        for span in body.spans:
            change[span.start] += span.bytes
            change[span.stop] -= span.bytes
    return int(np.cumsum(change).max())


def head_bytes(bodies: Sequence[Body], addresses: Sequence[int]) -> int:
    """End of the highest span of a placement."""
    return max((a + b.bytes for b, a in zip(bodies, addresses, strict=True)), default=0)
