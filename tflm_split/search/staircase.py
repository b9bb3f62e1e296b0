"""Which results are on a Pareto front of memory against a price?

head
 ^   o                o: on the front. Whoever pays more gets a smaller head.
 |      x             x: beaten in both by another one
 |    o    x
 |           o
 +------------------> price
"""

from __future__ import annotations

from collections.abc import Sequence


def staircase(prices: Sequence[float], heads: Sequence[int]) -> list[int]:
    """The positions of a Pareto front: each head is smaller than those of all lower prices. The lowest price first."""
    kept: list[int] = []
    for k in sorted(range(len(prices)), key=lambda k: (prices[k], heads[k], k)):
        if not kept or heads[k] < heads[kept[-1]]:
            kept.append(k)
    return kept


def with_stairs(kept: Sequence[int], more: Sequence[int], prices: Sequence[float], heads: Sequence[int]) -> list[int]:
    """The positions `kept` and `more`, the lowest price first. Of equal heads, those of `kept` stay."""
    known = {heads[k] for k in kept}
    both = {*kept, *(k for k in more if heads[k] not in known)}
    return sorted(both, key=lambda k: (prices[k], heads[k], k))
