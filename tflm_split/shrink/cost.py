"""What does a network cost without some of its channels? What the planner says, and nothing else.

The converted file is cut, and the decision that was found for other widths is carried out on it: the same order of the same
steps. `near` stops before addresses, and takes a fraction of a second; its head is the live peak, a bound of the real one.
`placed` gives addresses, too. `searched` looks for a new decision, which later calls then use.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from tflm_split import pipeline
from tflm_split.analysis.macs import graph_macs
from tflm_split.ir.graph import Graph, Model
from tflm_split.options import Options
from tflm_split.plan.effort import EFFORTS
from tflm_split.report.footprint import footprint
from tflm_split.report.result import Result
from tflm_split.schedule.lives import TENSOR_ALIGN
from tflm_split.search.decision_file import SavedDecision
from tflm_split.search.evaluate import Evaluation
from tflm_split.shrink.file_map import FileMap

AIMS = ("arena", "head", "instructions", "flash", "macs", "weights")
"""What can be made smaller: fields of `Cost`."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The price of a network. `arena`, `head`, `flash` and `weights` are bytes.

    `arena` is what firmware sets aside on a 32-bit Arm, `flash` the split file, `instructions` those of one inference on
    the options' board (None where nothing is split). `macs` and `weights` are those of the file before it is split.
    `holders`: tensor -> bytes of it at the step that holds the most.
    """

    arena: int
    head: int
    instructions: int | None
    flash: int
    macs: int
    weights: int
    holders: tuple[tuple[str, int], ...] = field(default=(), repr=False)

    def of(self, aim: str) -> int:
        """The number called `aim`, one of `AIMS`."""
        value: int | None = getattr(self, aim)
        return value or 0

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {aim: getattr(self, aim) for aim in AIMS}


def cost_of(model: Model, result: Result) -> Cost:
    """The cost of `model`, split as `result` says."""
    optimized = result.report["optimized"]
    bottleneck: Any = result.report.get("bottleneck") or {}
    holders = tuple((piece["tensor"], int(piece["bytes"])) for piece in bottleneck.get("live", ()))
    return Cost(
        optimized["predicted_arm32_minimum_arena_bytes"],
        optimized["planned_head_bytes"],
        result.report["latency"]["predicted_instructions"],
        optimized["file_bytes"],
        graph_macs(model.graph),
        _weight_bytes(model.graph),
        holders,
    )


def stock_cost(model: Model) -> Cost:
    """The cost of `model` in TFLM as it is. Instructions are not predicted for stock operators."""
    memory = footprint(model, None)
    arena, head = memory.predicted_arm32.minimum_arena_bytes, memory.planned_head_bytes
    return Cost(arena, head, None, len(model.original), graph_macs(model.graph), _weight_bytes(model.graph))


def _weight_bytes(graph: Graph) -> int:
    return sum(t.bytes for t in graph.tensors if t.is_constant)


class Costs:
    """Costs of one network at any widths. `options` say how it is split; nothing is verified here."""

    def __init__(self, mapped: FileMap, options: Options) -> None:
        self.mapped = mapped
        self.options = replace(options, verify=False, max_arena_bytes=None)
        self.decision: SavedDecision | None = None
        self._found: Cost | None = None
        self._near: dict[frozenset[int], Cost] = {}

    def near(self, removed: Collection[int] = ()) -> Cost:
        """The cost without the `removed` units by the last decision, as if its layout were perfect.

        What else an arena holds, and a file besides constants, is that of the last search. Where the decision does not fit,
        there is a search.
        """
        key = frozenset(removed)
        if key not in self._near:
            graph = self.mapped.graph_without(key)
            state = pipeline.reevaluated(graph, self.options, self.decision) if self.decision else None
            if state is None or self._found is None:
                return self.searched(key)
            self._near[key] = _near_cost(graph, state, self._found)
        return self._near[key]

    def placed(self, removed: Collection[int] = ()) -> Cost:
        """The cost without the `removed` units by the last decision, everything at an address. Searched if that fails."""
        model = self.mapped.sliced(frozenset(removed))
        low = replace(self.options, effort=min(self.options.effort, EFFORTS["low"]))
        result = pipeline.replanned(model.original, low, self.decision) if self.decision else None
        return cost_of(model, result) if result else self.searched(removed)

    def searched(self, removed: Collection[int] = ()) -> Cost:
        """The cost after a full search, whose decision is used from now on."""
        model = self.mapped.sliced(frozenset(removed))
        result = pipeline.optimize(model.original, self.options)
        found = cost_of(model, result)
        if result.decision and result.decision.decision:
            self.decision, self._found = result.decision, found
            self._near.clear()
        return found


def _near_cost(graph: Graph, state: Evaluation, found: Cost) -> Cost:
    weights = _weight_bytes(graph)
    head = -(-state.live_peak_bytes // TENSOR_ALIGN) * TENSOR_ALIGN
    names = {t.index: t.name for t in state.graph.tensors}
    return Cost(
        head + found.arena - found.head,
        head,
        round(state.instructions),
        found.flash + weights - found.weights,
        graph_macs(graph),
        weights,
        tuple((names[t], count) for t, count in state.held_at_peak().items()),
    )
