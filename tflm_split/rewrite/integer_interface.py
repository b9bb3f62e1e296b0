"""Strip QUANTIZE at a float input and DEQUANTIZE at a float output: the application hands over int8 itself.

Unlike the other rewrites, this one changes the model's interface. So it is done only on request, and the change is
reported with scale and zero point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from tflm_split.ir.graph import Graph

Side = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class InterfaceChange:
    """Input or output `position` of the model is now tensor `tensor`, quantised as said, instead of tensor `was`."""

    side: Side
    position: int
    was: int
    tensor: int
    dtype: str
    scale: float
    zero_point: int

    def sentence(self) -> str:
        """The change as a sentence for the report."""
        return (
            f"{self.side} {self.position} is {self.dtype} now, not FLOAT32: "
            f"real = {self.scale!r} * (q - ({self.zero_point}))"
        )


def strip_float_interface(graph: Graph) -> tuple[Graph, tuple[InterfaceChange, ...]]:
    """(`graph` without the conversions at its inputs and outputs, what changed); unchanged when there are none."""
    producers, consumers = graph.producers(), graph.consumers()
    inputs, outputs = list(graph.inputs), list(graph.outputs)
    changes: list[InterfaceChange] = []
    dropped: set[int] = set()
    for position, t in enumerate(graph.inputs):
        users = consumers.get(t, ())
        if graph.tensors[t].dtype != "FLOAT32" or len(users) != 1 or t in graph.outputs:
            continue
        op = graph.operators[users[0]]
        if op.kind == "QUANTIZE" and op.outputs[0] not in graph.outputs and _quantized(graph, op.outputs[0]):
            changes.append(_change(graph, "input", position, t, op.outputs[0]))
            inputs[position] = op.outputs[0]
            dropped.add(op.index)
    for position, t in enumerate(graph.outputs):
        if graph.tensors[t].dtype != "FLOAT32" or t not in producers or consumers.get(t) or graph.outputs.count(t) > 1:
            continue
        op = graph.operators[producers[t]]
        if op.kind == "DEQUANTIZE" and op.inputs[0] not in (*inputs, *outputs) and _quantized(graph, op.inputs[0]):
            changes.append(_change(graph, "output", position, t, op.inputs[0]))
            outputs[position] = op.inputs[0]
            dropped.add(op.index)
    if not changes:
        return graph, ()
    stripped = replace(graph, inputs=tuple(inputs), outputs=tuple(outputs))
    return stripped.with_operators(tuple(op for op in graph.operators if op.index not in dropped)), tuple(changes)


def _quantized(graph: Graph, tensor: int) -> bool:
    quantization = graph.tensors[tensor].quantization
    return quantization is not None and len(quantization.scales) == 1 and len(quantization.zero_points) == 1


def _change(graph: Graph, side: Side, position: int, was: int, tensor: int) -> InterfaceChange:
    value = graph.tensors[tensor]
    assert value.quantization is not None
    scale, zero_point = value.quantization.scales[0], value.quantization.zero_points[0]
    return InterfaceChange(side, position, was, tensor, value.dtype, scale, zero_point)
