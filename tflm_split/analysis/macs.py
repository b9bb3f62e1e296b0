"""How many multiply-accumulates does an operator take?

As usual, one for each weight that is applied to each output element. Padding counts; bias and activation do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from types import MappingProxyType

from tflm_split.ir.graph import ABSENT, Graph, Operator
from tflm_split.split.operators.lstm import LSTM_STATES
from tflm_split.split.operators.tall_convolution import TALL_CONV


def macs(graph: Graph, op: Operator) -> int:
    """Multiply-accumulates of one operator; 0 for kinds without weights or an inner product (ADD, MEAN, MUL, ...).

    It is also 0 for an operator that lacks operands or dimensions which its kind needs. TFLM refuses such an operator.
    """
    count = _COUNTS.get(op.kind)
    try:
        return count(graph, op) if count else 0
    except IndexError:
        return 0


def graph_macs(graph: Graph) -> int:
    """Multiply-accumulates of one inference of this subgraph."""
    return sum(macs(graph, op) for op in graph.operators)


def _outputs(graph: Graph, op: Operator) -> int:
    return graph.tensors[op.outputs[0]].elements


def _shape(graph: Graph, op: Operator, position: int) -> tuple[int, ...]:
    index = op.inputs[position]
    if index == ABSENT:
        raise IndexError(position)
    return graph.tensors[index].shape


def _convolution(graph: Graph, op: Operator) -> int:
    """Weights [channels out, height, width, channels in of a group]."""
    return _outputs(graph, op) * prod(_shape(graph, op, 1)[1:])


def _depthwise(graph: Graph, op: Operator) -> int:
    """Weights [1, height, width, channels out]."""
    return _outputs(graph, op) * prod(_shape(graph, op, 1)[1:3])


def _transpose_convolution(graph: Graph, op: Operator) -> int:
    """Operands: output shape, weights [channels out, height, width, channels in], data. Each element of the data meets
    each weight of its channel."""
    return prod(_shape(graph, op, 2)) * prod(_shape(graph, op, 1)[:3])


def _dense(graph: Graph, op: Operator) -> int:
    """Weights [out, in]."""
    return _outputs(graph, op) * _shape(graph, op, 1)[-1]


def _batch_matmul(graph: Graph, op: Operator) -> int:
    """[..., m, k] x [..., k, n], the first transposed when `adj_x` is set."""
    return _outputs(graph, op) * _shape(graph, op, 0)[-2 if op.options.get("adj_x") else -1]


def _svdf(graph: Graph, op: Operator) -> int:
    """Inputs: data [batch, in], feature weights [filters, in], time weights [filters, memory]."""
    return _shape(graph, op, 0)[0] * (prod(_shape(graph, op, 1)) + prod(_shape(graph, op, 2)))


def _lstm(graph: Graph, op: Operator) -> int:
    """Inputs: data of so many steps, ..., four matrices of weights, four recurrent ones."""
    data = _shape(graph, op, 0)
    matrices = [prod(graph.tensors[t].shape) for t in op.inputs if _is_matrix(graph, t)]
    return prod(data[:-1]) * sum(matrices)


def _is_matrix(graph: Graph, tensor: int) -> bool:
    return tensor != ABSENT and graph.tensors[tensor].is_constant and len(graph.tensors[tensor].shape) == 2


_COUNTS: Mapping[str, Callable[[Graph, Operator], int]] = MappingProxyType(
    {
        "CONV_2D": _convolution,
        TALL_CONV: _convolution,
        "DEPTHWISE_CONV_2D": _depthwise,
        "TRANSPOSE_CONV": _transpose_convolution,
        "FULLY_CONNECTED": _dense,
        "BATCH_MATMUL": _batch_matmul,
        "SVDF": _svdf,
        "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
        LSTM_STATES: _lstm,
    }
)
