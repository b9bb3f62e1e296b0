"""How large a head will TFLM report for this file, without running it?"""

from __future__ import annotations

from tflm_split.analysis.scratch import DETECTION, detection_scratch_bytes, scratch_bytes, scratch_is_known
from tflm_split.analysis.tflm_planner import Scratch, planned_head
from tflm_split.ir.graph import Graph, Model, Operator
from tflm_split.tflite.reader import all_offsets


def predicted_head_bytes(model: Model) -> int:
    """The head that the pinned wheel needs for this file, with all its subgraphs, its offline plan and kernel scratch.

    It is exact if `unknown_scratch` is empty. Otherwise those operators are counted as if they asked for no scratch.
    Raises ModelError if the plan does not fit the file.
    """
    offsets = dict(enumerate(all_offsets(model) or ()))
    return planned_head(model.graph, offsets, scratch_of(model), model.other_graphs)


def scratch_of(model: Model) -> Scratch:
    """`scratch_bytes` that also reads the option bytes of this file's custom operators.

    It is valid for the main graph and its rewritten forms, because operators are found by their `source`.
    """
    options = model.custom_options

    def scratch(graph: Graph, op: Operator) -> tuple[int, ...]:
        if op.kind == DETECTION and len(op.source) == 1:
            return detection_scratch_bytes(graph, op, options.get(op.source[0], b"")) or ()
        return scratch_bytes(graph, op)

    return scratch


def unknown_scratch(model: Model) -> tuple[str, ...]:
    """The kinds of operators in this file, sorted, whose scratch is not known."""
    options = model.custom_options
    readable = {
        op.index
        for op in model.graph.operators
        if op.kind == DETECTION and detection_scratch_bytes(model.graph, op, options.get(op.index, b"")) is not None
    }
    kinds = {op.kind for op in model.graph.operators if op.index not in readable}
    kinds.update(op.kind for graph in model.other_graphs for op in graph.operators)
    return tuple(sorted(kind for kind in kinds if not scratch_is_known(kind)))
