"""The ways of splitting that the search asks for changes, in this order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tflm_split.search.decision import Decision
from tflm_split.search.evaluate import Evaluation
from tflm_split.search.limits import Limits
from tflm_split.search.propose import channels, copies, patches, recompute, tiles

Proposer = Callable[[Evaluation, Limits], Iterator[Decision]]

PROPOSERS: tuple[Proposer, ...] = (
    copies.propose,
    channels.propose,
    recompute.propose,
    tiles.propose,
    patches.propose,
)
