"""Where does this network's memory peak, what does each channel there cost, and can it fit? Answered without training."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tflm_split import pipeline
from tflm_split.analysis.latency import board_costs
from tflm_split.options import Options, options_from
from tflm_split.plan.effort import EFFORTS
from tflm_split.shrink.convert import Samples, calibration_samples, traced_to_int8
from tflm_split.shrink.cost import Cost, Costs, stock_cost
from tflm_split.shrink.file_map import file_map
from tflm_split.shrink.resolution import input_side, largest
from tflm_split.shrink.trace import Trace, trace
from tflm_split.shrink.widths import full_widths, holding, least_widths, one_step, removed_units
from tflm_split.sizes import format_bytes
from tflm_split.tflite.reader import read_model

MULTIPLE, HELIUM_MULTIPLE = 4, 16
"""Widths stay multiples of this, unless the user says otherwise: what kernels work on at once."""
MOST_STUDIED = 8
"""So many groups get a price for each of their channels: those that hold the most bytes."""
LARGEST_TIMES = 4
"""Resolutions are tried up to so many times the model's own."""


@dataclass(frozen=True, slots=True)
class GroupCost:
    """A group of channels. `held_bytes`: what of it lives at the peak. `channel_bytes`: what one channel less would save.

    The latter is measured by planning the network with some channels less, and is None where that was not asked.
    """

    name: str
    channels: int
    held_bytes: int
    channel_bytes: float | None


@dataclass(frozen=True)
class Study:
    """What is known of a network before it is pruned. `feasible` is None without a limit."""

    name: str
    max_arena_bytes: int | None
    stock: Cost
    split: Cost
    least: Cost
    groups: tuple[GroupCost, ...]
    left_alone: tuple[tuple[str, str], ...]
    side: int | None
    resolution: int | None
    """The most rows that a picture may have within the limit, all else as it is. None: no limit, no picture, or not one."""
    multiple: int
    trace: Trace = field(repr=False)
    costs: Costs = field(repr=False)
    calibration: Samples = field(repr=False)

    @property
    def feasible(self) -> bool | None:
        return None if self.max_arena_bytes is None else self.least.arena <= self.max_arena_bytes

    @property
    def needs_pruning(self) -> bool:
        return self.max_arena_bytes is not None and self.split.arena > self.max_arena_bytes

    def pruner(self, **words: Any) -> Any:
        """A Keras callback that prunes the studied model while it is trained; `pruner.pruner_of` says what it takes."""
        from tflm_split.shrink.pruner import pruner_of

        return pruner_of(self, **words)

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "model": self.name,
            "max_arena_bytes": self.max_arena_bytes,
            "feasible": self.feasible,
            "stock": self.stock.record(),
            "split": self.split.record(),
            "least": self.least.record(),
            "groups": [
                {"name": g.name, "channels": g.channels, "held_bytes": g.held_bytes, "channel_bytes": g.channel_bytes}
                for g in self.groups
            ],
            "left_alone": [{"layer": name, "why": why} for name, why in self.left_alone],
            "input_rows": self.side,
            "largest_input_rows": self.resolution,
        }

    def __repr__(self) -> str:
        return f"<Study of {self.name}: split {self.split.arena:,} bytes, at least {self.least.arena:,}>"

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def _repr_html_(self) -> str:
        from tflm_split.shrink.picture import study_svg

        return study_svg(self) + f"<pre>{html.escape(str(self))}</pre>"


def _lines(study: Study) -> list[str]:
    lines = [
        f"{study.name}: arena {study.stock.arena:,} bytes in TFLM, {study.split.arena:,} split, "
        f"{study.least.arena:,} split with {study.multiple} channels in each group"
    ]
    if study.max_arena_bytes is not None:
        limit = format_bytes(study.max_arena_bytes)
        if not study.needs_pruning:
            lines.append(f"fits {limit} as it is")
        elif study.feasible:
            lines.append(f"can fit {limit}: {study.split.arena - study.max_arena_bytes:,} bytes have to go")
        else:
            lines.append(f"cannot fit {limit}: {study.least.arena - study.max_arena_bytes:,} bytes too many even then")
        if study.side is not None:
            most = f"of up to {study.resolution} rows" if study.resolution else "of no size"
            lines.append(f"without pruning it fits pictures {most}; its own have {study.side}")
    lines += ["", f"{'channels at the peak':44}{'channels':>10}{'held':>10}{'bytes per channel':>20}"]
    for group in (g for g in study.groups if g.held_bytes):
        price = "" if group.channel_bytes is None else f"{group.channel_bytes:,.1f}"
        lines.append(f"{group.name[:43]:44}{group.channels:10}{group.held_bytes:10,}{price:>20}")
    others = sum(not group.held_bytes for group in study.groups)
    lines.append(f"{others} other groups hold nothing there and are left alone")
    lines += [f"channels of {name} stay: {why}" for name, why in study.left_alone]
    return lines


def study(
    model: Any, *, max_arena: int | str | None = None, calibration: Any, multiple: int | None = None,
    resolution: bool = True, **words: Any,
) -> Study:  # fmt: skip
    """Study a Keras model. `calibration`: samples [n, ...] for the int8 ranges. Other words are those of `optimize`.

    Widths stay multiples of `multiple`: 4, or 16 for a board with Helium. With `resolution`, the largest picture that fits
    `max_arena` is looked for. Raises InputError for what cannot be studied, ToolError without Keras.
    """
    options = options_from({"max_arena": max_arena, **words, "effort": words.get("effort") or EFFORTS["low"]})
    traced = trace(model)
    samples = calibration_samples(model, calibration)
    file = read_model(traced_to_int8(traced, frozenset(), samples))
    return study_of(traced, Costs(file_map(file, traced), options), samples, options, multiple, resolution)


def study_of(
    traced: Trace, costs: Costs, samples: Samples, options: Options, multiple: int | None, resolution: bool
) -> Study:
    """The study of a traced and converted model."""
    multiple = multiple or (HELIUM_MULTIPLE if board_costs(options.board).kernels == "mve" else MULTIPLE)
    split = costs.searched()
    held = holding(traced, costs, split)
    groups = _priced(traced, costs, held, multiple)
    least = Costs(costs.mapped, options).searched(
        removed_units(traced, least_widths(traced, multiple), np.zeros(traced.units))
    )
    model, limit = costs.mapped.model, options.max_arena_bytes
    side = _side(costs) if resolution else None
    most = None
    if side and limit:
        bounds = (side, LARGEST_TIMES * side) if split.arena <= limit else (1, side - 1)
        most = largest(model, lambda m: fits(m, costs.options, limit), _sides(side, *bounds))
    left = traced.left_alone
    name = traced.model.name
    return Study(
        name, limit, stock_cost(model), split, least, groups, left, side, most, multiple, traced, costs, samples
    )


def fits(model: Any, options: Options, limit: int) -> bool:
    """Whether the split model needs at most `limit` bytes of arena."""
    result = pipeline.optimize(model.original, options)
    return result.report["optimized"]["predicted_arm32_minimum_arena_bytes"] <= limit


def _side(costs: Costs) -> int | None:
    model = costs.mapped.model
    return input_side(model) if len(model.graph.tensors[model.graph.inputs[0]].shape) == 4 else None


def _sides(side: int, least: int, most: int) -> Sequence[int]:
    """Resolutions to try: eighths of the model's own, but multiples of 4 at least, from `least` to `most`."""
    step = max(4, side // 8)
    return [rows for rows in range(step, most + 1, step) if rows >= least]


def _priced(traced: Trace, costs: Costs, held: Mapping[str, int], multiple: int) -> tuple[GroupCost, ...]:
    scores = np.zeros(traced.units)
    full = full_widths(traced)
    asked, now = list(held)[:MOST_STUDIED], costs.near()
    priced = []
    for group in sorted(traced.groups, key=lambda g: -held.get(g.name, 0)):
        price, width = None, one_step(full[group.name], full[group.name], multiple)
        if group.name in asked and width < full[group.name]:
            less = costs.near(removed_units(traced, {**full, group.name: width}, scores))
            price = (now.arena - less.arena) / (full[group.name] - width)
        priced.append(GroupCost(group.name, len(group.units), held.get(group.name, 0), price))
    return tuple(priced)
