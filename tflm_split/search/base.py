"""What do all decisions about a network start from? Its graph with operators fused, and split along rows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tflm_split.errors import Refusal
from tflm_split.ir.graph import ABSENT, Graph, Operator
from tflm_split.rewrite.constant_values import FOLDABLE, constant_values
from tflm_split.rewrite.drop_dead import drop_dead
from tflm_split.rewrite.fold_constants import fold_constants
from tflm_split.rewrite.fold_pad import fold_pad
from tflm_split.rewrite.fuse_byte_functions import fuse_byte_functions
from tflm_split.split.operators import RESHAPES, SPLITTERS, split_operator
from tflm_split.split.regions import Split, SplitOptions, split_graph
from tflm_split.verify.graph_oracle import run_graph_outputs


def rewritten_split(graph: Graph, options: SplitOptions) -> Split:
    """`graph` with its operators fused, and split wherever they can be.

    What does not depend on the model's inputs is computed. A PAD is folded into the convolution behind it. A chain of
    functions of one byte becomes one function. A fused operator that cannot be split is taken apart again.
    """
    graph = drop_dead(fold_constants(graph, known_values), SPLITTERS.keys() | RESHAPES | FOLDABLE)
    refused: set[tuple[int, ...]] = set()
    while True:
        accept = partial(_can_be_split, frozenset(refused))
        split = split_graph(fuse_byte_functions(fold_pad(graph, accept), accept), options)
        stuck = {split.graph.operators[k].source[-1:] for k in split.stock if len(split.graph.operators[k].source) > 1}
        if not stuck:
            return split
        refused |= stuck


def known_values(graph: Graph, op: Operator) -> tuple[bytes, ...] | None:
    """What `op` makes, if it reads constants only: as `constant_values`, or of int8 as the graph oracle. None if not known."""
    values = constant_values(graph, op)
    operands = [graph.tensors[t] for t in op.inputs if t != ABSENT]
    of_int8 = [graph.tensors[t].dtype for t in op.outputs] == ["INT8"]
    if values is not None or not of_int8 or not operands or not all(t.is_constant for t in operands):
        return values
    alone = replace(graph, operators=(op,), inputs=(), outputs=op.outputs)
    try:
        (result,) = run_graph_outputs(alone, [])
    except (Refusal, KeyError, IndexError, ValueError):
        return None
    return (result.tobytes(),)


def _can_be_split(refused: frozenset[tuple[int, ...]], graph: Graph, op: Operator) -> bool:
    """Whether a fused operator can be split. Those in `refused` could not be in an earlier attempt."""
    if op.source[-1:] in refused:
        return False
    try:
        split_operator(graph, op)
    except Refusal:
        return False
    return True
