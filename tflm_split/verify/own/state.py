"""What do operators that keep state compute? SVDF of int8, and what a variable holds in the beginning.

Written down from TFLM's svdf_common.cc, micro_resource_variable.cc and micro_interpreter_graph.cc alone.
"""

from __future__ import annotations

import numpy as np

from tflm_split.errors import Refusal
from tflm_split.ir.graph import ABSENT, Graph, Operator, Tensor
from tflm_split.verify.fixed_point import multiply, quantize_multiplier
from tflm_split.verify.graph_oracle.evaluation import Array


def first_byte(tensor: Tensor) -> int:
    """The byte that fills a variable until it is written: the lowest of its zero point, 0 if it is not quantised."""
    quantization = tensor.quantization
    quantized = quantization is not None and quantization.scales and quantization.zero_points
    return quantization.zero_points[0] & 0xFF if quantization is not None and quantized else 0


def svdf(graph: Graph, op: Operator, source: Array, state: Array) -> tuple[Array, Array]:
    """(The output, the state afterwards) of an SVDF. Raises Refusal for other element types, and where operands are missing."""
    if len(op.inputs) != 5 or ABSENT in op.inputs:
        raise Refusal("arity", "it has no bias")
    tensors = [graph.tensors[t] for t in (*op.inputs, *op.outputs)]
    if [t.dtype for t in tensors] != ["INT8", "INT8", "INT8", "INT32", "INT8", "INT8"]:
        raise Refusal("dtype", "it is not of int8")
    feature, over_time, bias = (
        np.frombuffer(t.data or b"", "<i4" if t.dtype == "INT32" else np.int8).astype(np.int64) for t in tensors[1:4]
    )
    filters, memory = tensors[2].shape
    scales = [np.float32(t.quantization.scales[0]) if t.quantization else np.float32(0) for t in tensors]
    source_zero, state_zero, target_zero = (_zero_point(tensors[k]) for k in (0, 4, 5))
    batch = source.shape[0]
    shifted = np.roll(state.reshape(-1).astype(np.int64), -1)  # the newest of each row is written below
    sums = (source.astype(np.int64) - source_zero) @ feature.reshape(filters, -1).T
    made = np.clip(multiply(sums, *quantize_multiplier(float(scales[0] * scales[1] / scales[4]))), -128, 127)
    held = shifted.reshape(batch, filters, memory)
    held[:, :, -1] = (made + state_zero).astype(np.int8)
    totals = ((held - state_zero) * over_time.reshape(filters, memory)).sum(axis=2)
    units = tensors[5].shape[1]
    totals = totals.reshape(batch, units, -1).sum(axis=2) + bias
    scaled = multiply(totals, *quantize_multiplier(float(scales[4] * scales[2] / scales[5])))
    output = np.clip(scaled + target_zero, -128, 127).astype(np.int8)
    return output.reshape(tensors[5].shape), held.astype(np.int8).reshape(state.shape)


def _zero_point(tensor: Tensor) -> int:
    return tensor.quantization.zero_points[0] if tensor.quantization else 0
