"""What do all decisions about a network start from? Its graph in normal form, and split along rows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tflm_split.errors import Refusal
from tflm_split.ir.graph import ABSENT, Graph, Operator
from tflm_split.rewrite.constant_values import constant_values
from tflm_split.rewrite.fold_constants import fold_constants
from tflm_split.rewrite.normal_form import normal_form
from tflm_split.rewrite.states import updated_last
from tflm_split.split.operators import is_reshape, split_operator
from tflm_split.split.operators.slices import SLICES, slice_aliases
from tflm_split.split.regions import Split, SplitOptions, split_graph
from tflm_split.verify.graph_oracle import run_graph_outputs


def rewritten_split(graph: Graph, options: SplitOptions) -> Split:
    """`graph` in the form that is easiest to split (`rewrite/normal_form.py`), and split wherever it can be.

    What does not depend on the model's inputs is computed first. What rewriting made and cannot be split is taken apart
    again.
    """
    graph = fold_constants(graph, known_values)
    refused: set[tuple[str, tuple[int, ...]]] = set()
    while True:
        accept = partial(_can_be_split, frozenset(refused))
        form = normal_form(graph, accept, options.swap_axes, options.samples)
        split = split_graph(updated_last(form), options)
        operators = [split.graph.operators[k] for k in sorted(split.stock)]
        stuck = {(op.rewrite, op.source) for op in operators if op.rewrite}
        if stuck <= refused:  # also where what an earlier rewrite made cannot be split: the user of the split decides
            return split
        refused |= stuck


def in_normal_form(graph: Graph) -> Graph:
    """`graph` as `rewritten_split` rewrites it first, whether all that can be split can be planned together or not."""
    return normal_form(fold_constants(graph, known_values), partial(_can_be_split, frozenset()))


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


def _can_be_split(refused: frozenset[tuple[str, tuple[int, ...]]], graph: Graph, op: Operator) -> bool:
    """Whether an operator that rewriting made can be split. Those in `refused` could not be in an earlier attempt."""
    if (op.rewrite, op.source) in refused:
        return False
    if is_reshape(op):
        return True
    for attempt in (slice_aliases, split_operator) if op.kind in SLICES else (split_operator,):
        try:
            attempt(graph, op)
        except Refusal:
            continue
        return True
    return False
