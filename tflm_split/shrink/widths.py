"""How many channels does each group keep, and which? The smallest cuts, as judged by the planner, that reach a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tflm_split.shrink.cost import Cost, Costs
from tflm_split.shrink.trace import Group, Trace

Scores = npt.NDArray[np.float64]
"""How much each unit matters, by its number."""

STEP_SHARE = 8
"""A group loses about one of so many of its channels at a time."""
LARGE_STEP = 2.0
"""Above this many times the target, steps are twice as large: there is far to go, and each step is planned."""


def removed_units(trace: Trace, widths: Mapping[str, int], scores: Scores) -> frozenset[int]:
    """The units that matter least, so many of each group that `widths` of it stay."""
    removed: set[int] = set()
    for group in trace.groups:
        order = sorted(group.units, key=lambda unit: (scores[unit], unit))
        removed.update(order[: len(group.units) - widths.get(group.name, len(group.units))])
    return frozenset(removed)


def full_widths(trace: Trace) -> dict[str, int]:
    return {group.name: len(group.units) for group in trace.groups}


def least_widths(trace: Trace, multiple: int) -> dict[str, int]:
    """As few channels as may stay: `multiple` of each group, or all where it has fewer."""
    return {group.name: min(multiple, len(group.units)) for group in trace.groups}


def one_step(width: int, full: int, multiple: int, share: float = STEP_SHARE) -> int:
    """The next smaller width of a group of `full` channels: a multiple of `multiple`, and not below it."""
    least = min(multiple, full)
    wanted = width - max(1, int(full / share))
    return max(least, min(wanted // multiple * multiple, (width - 1) // multiple * multiple))


def holding(trace: Trace, costs: Costs, cost: Cost) -> dict[str, int]:
    """Group -> bytes of its channels at the step that holds the most, most bytes first."""
    by_name = {tensor.name: tensor.index for tensor in costs.mapped.model.graph.tensors}
    group_of = {unit: group.name for group in trace.groups for unit in group.units}
    held: dict[str, int] = {}
    for name, count in cost.holders:
        tensor = by_name.get(name.removeprefix("accumulator of "))
        units = costs.mapped.units_of(tensor) if tensor is not None else frozenset()
        for group in {group_of[unit] for unit in units}:
            held[group] = held.get(group, 0) + count
    return dict(sorted(held.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True, slots=True)
class Step:
    """The widths after a group was made narrower, and what that saves for each score that it loses."""

    widths: dict[str, int]
    gain: float


def narrower(
    trace: Trace, costs: Costs, scores: Scores, widths: Mapping[str, int], aim: str, goal: str, target: int,
    multiple: int,
) -> tuple[dict[str, int], Cost]:  # fmt: skip
    """Widths whose `goal` ("arena" or "head") is at most `target` bytes, from `widths` on, and their cost.

    The narrowest where that cannot be reached. `aim`, one of `cost.AIMS`, is what each step saves.

    With `aim` "arena" or "head", groups that hold no bytes at the peak are left alone. Of the others, the one that saves
    most for what it loses goes first.
    """
    now, gap = dict(widths), 0
    while True:
        removed = removed_units(trace, now, scores)
        near = costs.near(removed)
        if near.of(goal) + gap <= target:
            placed = costs.placed(removed)
            if placed.of(goal) <= target:
                return now, placed
            gap = max(gap, placed.of(goal) - near.of(goal))
        best = _best_step(trace, costs, scores, now, near, aim, target, multiple)
        if best is None:
            return now, costs.placed(removed)
        now = best.widths


def _best_step(
    trace: Trace, costs: Costs, scores: Scores, widths: dict[str, int], cost: Cost, aim: str, target: int, multiple: int
) -> Step | None:
    held = holding(trace, costs, cost) if aim in ("arena", "head") else dict.fromkeys(widths, 1)
    share = STEP_SHARE / 2 if cost.of(aim) > LARGE_STEP * target else STEP_SHARE
    lost_before = _kept_scores(trace.groups, widths, scores)
    steps: list[Step] = []
    for group in trace.groups:
        full = len(group.units)
        width = one_step(widths[group.name], full, multiple, share)
        if group.name not in held or width >= widths[group.name]:
            continue
        new = {**widths, group.name: width}
        after = costs.near(removed_units(trace, new, scores))
        loss = lost_before - _kept_scores(trace.groups, new, scores)
        steps.append(Step(new, (cost.of(aim) - after.of(aim)) / max(loss, 1e-9)))
    if not steps:
        return None
    best = max(steps, key=lambda step: step.gain)
    if best.gain > 0:
        return best
    # Several steps of the program are equally high: the group that holds the most bytes goes first.
    order = list(held)
    return min(steps, key=lambda step: order.index(next(n for n in order if step.widths[n] < widths[n])))


def _kept_scores(groups: Sequence[Group], widths: Mapping[str, int], scores: Scores) -> float:
    """What the kept units matter, each group on a scale of its own: all of it is its number of channels."""
    total = 0.0
    for group in groups:
        values = np.sort(scores[list(group.units)])[::-1]
        total += float(values[: widths[group.name]].sum() / max(float(values.mean()), 1e-12))
    return total
