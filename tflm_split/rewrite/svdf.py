"""An SVDF as what it computes, one step after the other (EvalIntegerSvdfReference in svdf_common.cc), of int8.

    feature    each filter's product with the input, requantised: one row of a ring
    ring       the rows of the last `memory` inferences, the oldest first; all but the oldest are remembered
    time       each filter's product with its column of the ring, added up over the rank: a convolution of one output row

TFLM adds the state's zero point after it has limited a feature to int8, so the sum may wrap around. A table does that, too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tflm_split.ir.graph import ABSENT, Graph, Operator, Option, Quantization, State, Tensor
from tflm_split.split.operators.byte_function import BYTE_FUNCTION
from tflm_split.split.operators.common import constant, need, option_int, per_tensor
from tflm_split.split.operators.state import KEEP_STATE, STATES
from tflm_split.split.operators.svdf import SVDF_FEATURE, SVDF_TIME


class Growing:
    """Tensors and operators that are added in place of one operator."""

    def __init__(self, graph: Graph, op: Operator) -> None:
        self.tensors: list[Tensor] = list(graph.tensors)
        self.operators: list[Operator] = []
        self._graph, self._source = graph, op.source

    @property
    def graph(self) -> Graph:
        return self._graph

    def tensor(self, like: Tensor, shape: tuple[int, ...], name: str, zero_point: int | None = None) -> int:
        """A new activation, quantised as `like`, with another zero point if one is given."""
        quantization = like.quantization
        if quantization is not None and zero_point is not None:
            quantization = Quantization(quantization.scales, (zero_point,))
        new = Tensor(len(self.tensors), name, shape, like.dtype, quantization)
        self.tensors.append(new)
        return new.index

    def numbers(self, *values: int) -> int:
        """A new int32 constant."""
        data = np.array(values, "<i4").tobytes()
        self.tensors.append(Tensor(len(self.tensors), "numbers", (len(values),), "INT32", data=data))
        return len(self.tensors) - 1

    def add(self, kind: str, inputs: tuple[int, ...], output: int, options: Mapping[str, Option] | None = None) -> int:
        """Add an operator that writes `output`, and return it."""
        self.operators.append(Operator(0, kind, inputs, (output,), options or {}, self._source, STATES))
        return output


def unrolled(growing: Growing, op: Operator) -> State:
    """Adds the operators that do what the SVDF `op` does; the state that they need. Raises Refusal for another SVDF."""
    graph = growing.graph
    need(len(op.inputs) == 5 and ABSENT not in op.inputs, "arity", "it has no bias or no state")
    source, state, target = graph.tensors[op.inputs[0]], graph.tensors[op.inputs[4]], graph.tensors[op.outputs[0]]
    rank = option_int(op, "rank")
    need(state.is_variable and state.dtype == source.dtype == target.dtype == "INT8", "dtype", "its state is not INT8")
    feature, over_time = constant(graph, op, 1, "INT8"), constant(graph, op, 2, "INT8")
    need(len(feature.shape) == len(over_time.shape) == 2, "geometry", "its weights are not 2-dimensional")
    filters, memory = over_time.shape
    need(rank > 0 and filters == rank * target.elements, "geometry", "its rank and its output differ")
    need(memory > 1 and source.shape == (1, feature.shape[1]) and len(target.shape) == 2, "geometry", "its shapes")
    need(
        feature.shape[0] == filters and state.shape == (1, filters * memory), "geometry", "its state and weights differ"
    )
    zero = per_tensor(state)[1]
    name = target.name or "svdf"
    row, kept, whole = (1, 1, 1, filters), (1, memory - 1, 1, filters), (1, memory, 1, filters)
    made = growing.add(SVDF_FEATURE, op.inputs[:2], growing.tensor(state, row, f"{name} feature", 0))
    if zero:
        table = bytes((byte + zero) & 0xFF for byte in range(256)).hex()
        made = growing.add(BYTE_FUNCTION, (made,), growing.tensor(state, row, f"{name} row"), {"table": table})
    before = growing.tensor(state, kept, f"{name} memory")
    ring = growing.tensor(state, whole, f"{name} ring")
    growing.add("CONCATENATION", (before, made), ring, {"axis": 1, "fused_activation_function": "NONE"})
    growing.add(SVDF_TIME, (ring, *op.inputs[2:4]), op.outputs[0])
    rest = growing.tensor(state, kept, f"{name} rest")
    growing.add("SLICE", (ring, growing.numbers(0, 1, 0, 0), growing.numbers(*kept)), rest)
    after = growing.add(KEEP_STATE, (rest,), growing.tensor(state, kept, f"{name} kept"))
    return State(before, after, zero & 0xFF)
