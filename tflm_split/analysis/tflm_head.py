"""How large a head will TFLM report for this file, without running it?"""

from __future__ import annotations

from tflm_split.analysis.scratch import DETECTION, detection_scratch_bytes, scratch_bytes, scratch_is_known
from tflm_split.analysis.tflm_planner import Scratch, planned_head
from tflm_split.ir.graph import Graph, Model, Operator
from tflm_split.tflite import offline_plan, schema
from tflm_split.tflite.reader import custom_options, offline_offsets, read_model


def predicted_head_bytes(model: Model) -> int:
    """The head of the pinned wheel for this file: all its subgraphs, its offline plan and its kernels' scratch.

    Exact when `unknown_scratch` names nothing; otherwise those operators are counted as if they asked for none. Raises
    ModelError if the plan does not fit the file, or for a further subgraph that could not be the main graph of a file.
    """
    return planned_head(model.graph, all_offsets(model), scratch_of(model), other_subgraphs(model))


def scratch_of(model: Model) -> Scratch:
    """`scratch_bytes` that also knows the option bytes of this file's custom operators.

    For its main graph and for rewritten forms of that: operators are found by their `source`.
    """
    options = custom_options(model)

    def scratch(graph: Graph, op: Operator) -> tuple[int, ...]:
        if op.kind == DETECTION and len(op.source) == 1:
            return detection_scratch_bytes(graph, op, options.get(op.source[0], b"")) or ()
        return scratch_bytes(graph, op)

    return scratch


def unknown_scratch(model: Model) -> tuple[str, ...]:
    """The kinds of operators in this file, sorted, whose scratch is not known."""
    options = custom_options(model)
    readable = {
        op.index
        for op in model.graph.operators
        if op.kind == DETECTION and detection_scratch_bytes(model.graph, op, options.get(op.index, b"")) is not None
    }
    kinds = {op.kind for op in model.graph.operators if op.index not in readable}
    kinds.update(op.kind for graph in other_subgraphs(model) for op in graph.operators)
    return tuple(sorted(kind for kind in kinds if not scratch_is_known(kind)))


def all_offsets(model: Model) -> dict[int, int]:
    """The file's offline plan: offset by tensor, counted over all subgraphs; empty without a plan."""
    if offline_offsets(model) is None:
        return {}
    tree = schema.unpack(model.original)
    name = offline_plan.METADATA_NAME.encode()
    buffer = [entry.buffer for entry in tree.metadata if entry.name == name][-1]
    return dict(enumerate(offline_plan.unpack(tree.buffers[buffer].data.tobytes())))


def other_subgraphs(model: Model) -> tuple[Graph, ...]:
    """The file's subgraphs after the main one: each is read as the only graph of a copy of the file."""
    if model.subgraph_count == 1:
        return ()
    tree = schema.unpack(model.original)
    tree.signatureDefs, tree.metadata, tree.metadataBuffer = [], [], None
    found = []
    for graph in tree.subgraphs[1:]:
        tree.subgraphs = [graph]
        found.append(read_model(schema.pack(tree)).graph)
    return tuple(found)
