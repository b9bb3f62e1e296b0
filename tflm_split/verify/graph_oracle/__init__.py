"""What does a graph compute, operator by operator? An independent whole-tensor interpreter in numpy.

`run_graph` evaluates the int8 operators the compiler can split, bit for bit as TFLM's reference kernels do (double
rounding). Tests hold it against the real TFLM on whole models; the compiler's own output is then held against it where
TFLM cannot go (a graph after `rewrite`, with `padding="EXPLICIT"`). Operators it does not know raise Refusal: it never
guesses. It shares no code with the compiler. Each family of operators has a file, with its entries in `EVALUATE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from tflm_split.errors import InputError
from tflm_split.ir.graph import Graph
from tflm_split.verify.graph_oracle import (
    activation,
    binary,
    convolution,
    element_wise,
    layout,
    pooling,
    resize,
    tokens,
)
from tflm_split.verify.graph_oracle.evaluation import Array, Evaluate, Evaluation, constant_of, dtype_of

_FAMILIES = (convolution, pooling, resize, binary, element_wise, activation, layout, tokens)
_EVALUATE: Evaluate = MappingProxyType(
    {kind: evaluate for family in _FAMILIES for kind, evaluate in family.EVALUATE.items()}
)
KINDS = tuple(_EVALUATE)
"""The operators this oracle knows."""


def run_graph(graph: Graph, inputs: Sequence[bytes | Array]) -> dict[int, Array]:
    """Every activation's value by tensor index, given the graph inputs' values in order.

    Raises InputError when the inputs do not fit the graph and Refusal for an operator or a case this oracle does not
    know.
    """
    if len(inputs) != len(graph.inputs):
        raise InputError(f"the graph takes {len(graph.inputs)} inputs, and {len(inputs)} were given")
    values: dict[int, Array] = {}
    for i, (index, given) in enumerate(zip(graph.inputs, inputs, strict=True)):
        tensor = graph.tensors[index]
        data = given if isinstance(given, bytes) else np.ascontiguousarray(given).tobytes()
        if len(data) != tensor.bytes:
            raise InputError(f"input {i} of the graph has {tensor.bytes} bytes, and {len(data)} were given")
        values[index] = np.frombuffer(data, dtype_of(tensor)).reshape(tensor.shape)
    for op in graph.operators:
        result = _evaluate(Evaluation(graph, op, values))
        output = graph.tensors[op.outputs[0]]
        values[output.index] = result.reshape(output.shape).astype(dtype_of(output))
    return values


def run_graph_outputs(graph: Graph, inputs: Sequence[bytes | Array]) -> list[Array]:
    """The graph outputs' values, in order."""
    values = run_graph(graph, inputs)
    return [values[t] if t in values else constant_of(graph.tensors[t]) for t in graph.outputs]


def _evaluate(e: Evaluation) -> Array:
    if e.op.kind not in _EVALUATE or len(e.op.outputs) != 1:
        raise e.refuse("operator", "this oracle does not know it")
    return _EVALUATE[e.op.kind](e)
