"""What does a graph compute, operator by operator? An independent whole-tensor interpreter in numpy.

`run_graph` evaluates the operators the compiler can split, of int8, int16 and float32, bit for bit as TFLM's reference
kernels do (double rounding). Tests hold it against the real TFLM on whole models. The compiler's own output is then held
against it where TFLM cannot go: on machines for which there is no TFLM wheel (`verify/own/`), and for a graph after
`rewrite`, with `padding="EXPLICIT"`. Operators it does not know raise Refusal: it never guesses. It shares no code with the
compiler. Each family of operators has a file, with its entries in `EVALUATE`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from tflm_split.errors import InputError
from tflm_split.ir.graph import Graph, Operator
from tflm_split.verify.graph_oracle import (
    activation,
    binary,
    convolution,
    element_wise,
    float32,
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
_FLOAT32: Evaluate = {**float32.EVALUATE, **layout.EVALUATE}
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
        values |= evaluated(graph, op, values)
    return values


def evaluated(graph: Graph, op: Operator, values: Mapping[int, Array]) -> dict[int, Array]:
    """The values of one operator's outputs, by tensor index, given those of the tensors before it. Refusal as `run_graph`."""
    known = _FLOAT32 if _is_float32(graph, op) else _EVALUATE
    e = Evaluation(graph, op, values)
    if op.kind not in known:
        raise e.refuse("operator", "this oracle does not know it")
    with np.errstate(over="ignore", invalid="ignore"):  # infinities and NaN are floats like any others, as in C
        result = known[op.kind](e)
    results = [result] if isinstance(result, np.ndarray) else result
    if len(results) != len(op.outputs):
        raise e.refuse("geometry", f"it has {len(op.outputs)} outputs")
    outputs = [graph.tensors[t] for t in op.outputs]
    return {t.index: r.reshape(t.shape).astype(dtype_of(t)) for t, r in zip(outputs, results, strict=True)}


def _is_float32(graph: Graph, op: Operator) -> bool:
    """Whether first input and first output are float32."""
    touched = [t for t in (*op.inputs[:1], *op.outputs[:1]) if t >= 0]
    return {graph.tensors[t].dtype for t in touched} == {"FLOAT32"}


def run_graph_outputs(graph: Graph, inputs: Sequence[bytes | Array]) -> list[Array]:
    """The graph outputs' values, in order."""
    values = run_graph(graph, inputs)
    return [values[t] if t in values else constant_of(graph.tensors[t]) for t in graph.outputs]
