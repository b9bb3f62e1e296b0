"""What may a search spend, and what may its results cost?"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from tflm_split.split.axes.allowed import ALL_AXES


@dataclass(frozen=True, slots=True)
class Limits:
    """What a search may spend and do."""

    evaluations: int
    """Changes that may be evaluated."""
    max_slowdown: float
    """How much slower than the start a result may be (`most_instructions`). A slowdown within the noise is always allowed."""
    beam: int = 1
    """States that each round goes on from."""
    allow_extra_macs: bool = False
    """Whether multiply-accumulates may be done twice."""
    axes: frozenset[str] = ALL_AXES
    """The axes that tensors may be cut along."""
    patches: bool = False
    """Whether blocks may run patch by patch."""
    max_instructions: float = inf
    """Most instructions of a result. The search derives it from `max_slowdown`."""


def most_instructions(max_slowdown: float, fastest: float, stock: float) -> float:
    """Most instructions of a result, where `fastest` are those of rows alone and `stock` those of TFLM's own kernels.

    What splitting may add is counted in what the user had before: faster kernels must not make the same schedule too slow.
    """
    return fastest + (max_slowdown - 1) * max(fastest, stock)
