"""Which plan is best in two memories? The one of the smallest head, or one that fetches the rows of its input from the slow one.

The plan of the smallest head shares the bytes of its input's dead rows. Where the input lies in the slow memory, all that would
be slow, too. So another search looks for a plan that is small without its input, whose rows are then fetched
(`rewrite/fetch_input.py`).
Of the two, the one of less predicted traffic to the slow memory is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tflm_split.errors import InternalError, Refusal
from tflm_split.lower.compile import Plan, compile_schedule
from tflm_split.lower.place import Allowance
from tflm_split.lower.two_memories import in_two_memories
from tflm_split.options import Options
from tflm_split.plan.progress import Teller
from tflm_split.plan.two_memories import Sizes
from tflm_split.rewrite.fetch_input import fetch_input, without_input
from tflm_split.search.candidates import best_plan
from tflm_split.search.evaluate import Evaluator
from tflm_split.search.placing import Found
from tflm_split.verify.replay import replay


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes of rows in the slow memory that the steps of one inference read and write, as the replay counts them."""

    read_bytes: int
    written_bytes: int

    @property
    def bytes(self) -> int:
        """Both."""
        return self.read_bytes + self.written_bytes


class Placer:
    """Plans of one network in two memories. `found` is its plan in one. Raises nothing; `within` says None where nothing fits."""

    def __init__(self, evaluator: Evaluator, found: Found, options: Options, teller: Teller) -> None:
        self._options, self._teller = options, teller
        self._candidates = list(_candidates(evaluator, found, options, teller))

    def within(self, sizes: Sizes) -> Plan | None:
        """The plan of least traffic within these sizes; of equals the one that takes less of both memories."""
        placed = [
            plan
            for one, allowance in self._candidates
            if (plan := in_two_memories(one, sizes, allowance, self._options.effort, self._teller.tick))
        ]
        return min(
            placed, key=lambda plan: (traffic_of(plan).bytes, plan.planned_head_bytes + plan.slow_bytes), default=None
        )


def traffic_of(plan: Plan) -> Traffic:
    """What the plan's programs move to and from the slow memory. Raises InternalError if one fails its replay."""
    reports = [replay(region.program, region.output_storages) for region in plan.regions]
    return Traffic(sum(r.slow_read_bytes for r in reports), sum(r.slow_written_bytes for r in reports))


def _candidates(
    evaluator: Evaluator, found: Found, options: Options, teller: Teller
) -> Iterator[tuple[Plan, Allowance]]:
    yield found.plan, _allowance(found, options)
    graph = fetch_input(evaluator.graph)
    if graph is None:
        return
    try:
        small = best_plan(Evaluator(without_input(graph), options.board), options, teller)
        if small is None:
            return
        state = Evaluator(graph, options.board).evaluate(replace(small.decision, layout=None))
        allowance = _allowance(small, options)
        yield compile_schedule(state.split, state.step_graph, state.schedule, 0, allowance), allowance
    except (Refusal, InternalError, LookupError):
        return


def _allowance(found: Found, options: Options) -> Allowance:
    layout = found.decision.layout
    return Allowance(options.board, 0.0, layout is not None and layout.only_free)
