"""What is decided about a network? A plain value: evaluated, compared, written to a file, and read again.

A decision says nothing of how good it is, and holds nothing that was built from it. `evaluate.py` builds and scores it.
`decision_file.py` is its form on disk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from tflm_split.plan.problem import Move
from tflm_split.rewrite.copy_operators import Copy
from tflm_split.rewrite.tile_columns import Tiles
from tflm_split.schedule.recomputed import Patches
from tflm_split.split.channel_rules import Sizes

Rewrite = Copy | Tiles
"""A change of the graph, made before it is split."""


class Way(NamedTuple):
    """What must be decided before a graph is split at all. The fields are those of a `Decision`."""

    concatenate_in_place: bool = False
    swap_axes: int = 0
    samples: int = 0


@dataclass(frozen=True, slots=True)
class Addresses:
    """The layout of all bodies of a decision: `addresses` by body, and moves at run time.

    With `only_free`, rows overlap only where that costs no instructions on `board`. The other fields say how the layout
    was found (`plan.problem.Layout`).
    """

    addresses: tuple[int, ...]
    moves: tuple[Move, ...] = ()
    board: str = ""
    only_free: bool = False
    technique: str = ""
    solver: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """How a network is split and in which order it runs. Operators and tensors are indices of the rewritten graph."""

    nodes: tuple[int, ...]
    """The order of operators."""
    cuts: tuple[int, ...]
    """Positions in `nodes` where a group begins within which rows stream. The first one is 0."""
    concatenate_in_place: bool = False
    """Whether producers write straight into concatenations."""
    swap_axes: int = 0
    """In how many tiles height and width change places where that lets an operator be cut (`rewrite/swap_axes.py`). 0: not."""
    samples: int = 0
    """How many samples of the longest signal are a row (`rewrite/fold_signals.py`). 0: one."""
    rows: bool = True
    """Whether rows stream. Without, operators run whole."""
    streams_attention: bool = False
    """Whether no cut may make attention scores whole."""
    rewrites: tuple[Rewrite, ...] = ()
    """Rewrites that the graph goes through before it is split, in this order."""
    channel_groups: tuple[tuple[int, Sizes], ...] = ()
    """(Tensor that is cut along channels, channels of each group), in order of tensors."""
    recomputed: frozenset[int] = frozenset()
    """Operators whose rows are computed again for each step that reads them."""
    patches: tuple[Patches, ...] = ()
    """Blocks of operators that run a few rows of their result at a time, and forget all else after each."""
    steps: tuple[int, ...] | None = None
    """The order of steps, where it is not that in which rows stream."""
    layout: Addresses | None = None
    """Where everything lies. None: not placed yet."""

    @property
    def way(self) -> Way:
        """What must be decided before the graph is split at all."""
        return Way(self.concatenate_in_place, self.swap_axes, self.samples)

    @property
    def computes_again(self) -> bool:
        """Whether some rows are computed more than once. Their steps must not change places then."""
        return bool(self.recomputed or self.patches)

    def grouped(self, groups: dict[int, Sizes]) -> Decision:
        """The same with these channel groups instead."""
        return replace(self, channel_groups=tuple(sorted(groups.items())))
