"""Which rows should be computed again for each reader (`schedule/recomputed.py`)?

Those of tensors that live at the peak: whole rows, or groups of channels, one of which lives at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tflm_split.search.decision import Decision
from tflm_split.search.evaluate import Evaluation
from tflm_split.search.limits import Limits
from tflm_split.search.propose.channels import SHARES, sizes_of


def propose(state: Evaluation, limits: Limits) -> Iterator[Decision]:
    """Operators whose rows are computed again, with and without groups of channels."""
    if "rows" not in limits.axes:
        return
    decision, graph = state.decision, state.graph
    now = dict(decision.channel_groups)
    groupable = state.cut_graph.groupable if "channels" in limits.axes else frozenset[int]()
    producers = graph.producers()
    excluded = decision.recomputed | state.split.stock | state.must_run_once(limits.allow_extra_macs)
    for t in state.held_at_peak():
        maker = producers.get(t)
        if maker is None or maker in excluded:
            continue
        again = replace(decision, recomputed=decision.recomputed | {maker})
        yield again
        if t in groupable:
            for share in SHARES[1::2]:
                sizes = sizes_of(graph.tensors[t].shape[-1], share)
                if sizes is not None and len(sizes) >= len(now.get(t, (1,))):
                    yield again.grouped({**now, t: sizes})
