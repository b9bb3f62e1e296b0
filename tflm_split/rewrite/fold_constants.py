"""Compute at compile time what does not depend on the model's inputs.

Converters write the shapes of a model with a dynamic batch as operators, although every shape is known by now:

    x --> SHAPE -> STRIDED_SLICE -> PACK --.                                 [1, 64], a constant --.
     `------------------------------------> RESHAPE        becomes        x -----------------------> RESHAPE

This is exact: `constant_values.py` computes what TFLM's kernels would. An operator that it does not know stays, and so does
one that makes an output of the model, or a constant that is much larger than what it is made of.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tflm_split.ir.graph import ABSENT, Graph, Operator
from tflm_split.rewrite.constant_values import constant_values

MAX_NEW_BYTES = 64 * 1024
"""A folded constant may be that large whatever it is made of."""
MAX_GROWTH = 8
"""Beyond that, so many times larger than the constants it is made of."""


Values = Callable[[Graph, Operator], "tuple[bytes, ...] | None"]
"""The bytes of every output of an operator; None when they are not known."""


def fold_constants(graph: Graph, known: Values = constant_values) -> Graph:
    """`graph` with each operator gone whose results are `known`. The tensors that it made are constants now."""
    kept: list[Operator] = []
    changed = False
    for op in graph.operators:
        values = _folded(graph, op, known)
        if values is None:
            kept.append(_without_shape(graph, op))
            changed |= kept[-1] is not op
            continue
        changed = True
        tensors = list(graph.tensors)
        for t, value in zip(op.outputs, values, strict=True):
            tensors[t] = replace(tensors[t], data=value)
        graph = replace(graph, tensors=tuple(tensors))
    return graph.with_operators(tuple(kept)) if changed else graph


def _without_shape(graph: Graph, op: Operator) -> Operator:
    """A RESHAPE without a shape that is computed at run time. TFLM takes the output's shape, and reads no numbers."""
    if op.kind != "RESHAPE" or all(t == ABSENT or graph.tensors[t].is_constant for t in op.inputs[1:]):
        return op
    return replace(op, inputs=op.inputs[:1])


def _folded(graph: Graph, op: Operator, known: Values) -> tuple[bytes, ...] | None:
    """The bytes of every output of `op`; None when they are not known, or should not become constants."""
    targets = [graph.tensors[t] for t in op.outputs]
    if not targets or any(t.index in graph.outputs or t.is_variable for t in targets):
        return None
    read = sum(graph.tensors[t].bytes for t in op.inputs if t != ABSENT and graph.tensors[t].is_constant)
    if sum(t.bytes for t in targets) > max(MAX_NEW_BYTES, MAX_GROWTH * read):
        return None
    values = known(graph, op)
    if values is None:
        return None
    sizes = [len(value) for value in values]
    return values if sizes == [t.bytes for t in targets] and all(sizes) else None
