"""The step graph of a split graph. A search builds thousands of them.

It is built in C (`step_builder_c.py`) where the host library is there, and listed in Python (`step_lister.py`) elsewhere, for
streamed inputs and outputs, and for networks that remember. Both make the same graph; tests compare them.
"""

from __future__ import annotations

from tflm_split.native.loops import native
from tflm_split.schedule.step_builder_c import KnownOps, built_in_c
from tflm_split.schedule.step_graph import StepGraph
from tflm_split.schedule.step_lister import list_steps
from tflm_split.split.regions import Split


def build_step_graph(
    split: Split, in_place: bool = True, known: KnownOps | None = None, use_native: bool = True
) -> StepGraph:
    """The steps of `split`: a step for each row of each row op, and one for each stock operator, with its scratch.

    With `in_place` False, no step may write over a row that it reads for the last time. `known` keeps what was found out
    about row ops, for other splits that have the same ones.
    """
    library = native() if use_native else None
    if library is None or split.graph.states or any(op.fetches or op.emits for op in split.row_ops):
        return list_steps(split, in_place)
    return built_in_c(library, split, known or KnownOps(in_place))
