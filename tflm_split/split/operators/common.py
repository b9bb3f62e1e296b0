"""What does every splitter check first? Operands, types, quantisation and options; each function raises Refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from tflm_split.errors import Refusal
from tflm_split.ir.graph import ABSENT, Graph, Operator, Tensor
from tflm_split.split.row_op import RowOp

Splitter = Callable[[Graph, Operator], tuple[RowOp, ...]]
"""Turns an operator into row ops, or raises Refusal."""

_VALUES = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-32768, 32767)}
"""The smallest and largest zero point of a type. Other types have no zero point but 0."""


def need(condition: bool, kind: str, reason: str) -> None:
    """Raise Refusal, unless `condition` holds."""
    if not condition:
        raise Refusal(kind, reason)


def activation(graph: Graph, op: Operator, position: int, *dtypes: str) -> Tensor:
    """Operand `position`; it must be computed at run time and be of one of `dtypes`."""
    tensor = operand(graph, op, position)
    need(not tensor.is_constant, "constant", f"its input {position} is a constant")
    need(not tensor.is_variable, "variable", f"its input {position} is a variable")
    need_dtype(tensor, "its input", dtypes)
    return tensor


def need_dtype(tensor: Tensor, what: str, dtypes: Sequence[str]) -> None:
    """Refuse a tensor of a type not in `dtypes`. For UINT8, the scheme of 2018, the reason says what to do about it."""
    hint = "; convert the original model again, with int8 quantisation" if tensor.dtype == "UINT8" else ""
    need(tensor.dtype in dtypes, "dtype", f"{what} is {tensor.dtype}, needs {' or '.join(dtypes)}{hint}")


def operand(graph: Graph, op: Operator, position: int) -> Tensor:
    """Operand `position`; it must be present."""
    need(len(op.inputs) > position and op.inputs[position] != ABSENT, "arity", f"it has no input {position}")
    return graph.tensors[op.inputs[position]]


def constant(graph: Graph, op: Operator, position: int, *dtypes: str) -> Tensor:
    """Operand `position`; it must be a constant of one of `dtypes`, with all its bytes in the file."""
    tensor = operand(graph, op, position)
    need(tensor.is_constant, "constant", f"its input {position} is computed at run time, needs a constant")
    need_dtype(tensor, f"its input {position}", dtypes)
    assert tensor.data is not None
    need(len(tensor.data) == tensor.bytes, "constant", f"its input {position} has {len(tensor.data)} bytes of data")
    return tensor


def bias_of(graph: Graph, op: Operator, position: int, channels: int, *dtypes: str) -> Tensor | None:
    """Operand `position`: a constant with one entry per output channel, or None where the operator has no bias."""
    if len(op.inputs) <= position or op.inputs[position] == ABSENT:
        return None
    tensor = constant(graph, op, position, *dtypes)
    need(tensor.elements == channels, "geometry", "its bias and output disagree on channels")
    return tensor


def result(graph: Graph, op: Operator, *dtypes: str) -> Tensor:
    """The operator's only output; it must be of one of `dtypes`."""
    need(len(op.outputs) == 1, "arity", f"it has {len(op.outputs)} outputs, needs 1")
    tensor = graph.tensors[op.outputs[0]]
    need(not tensor.is_variable, "variable", "its output is a variable")
    need_dtype(tensor, "its output", dtypes)
    return tensor


def per_tensor(tensor: Tensor) -> tuple[float, int]:
    """(scale, zero point) of a tensor quantised as a whole."""
    quantization = tensor.quantization
    need(
        quantization is not None and len(quantization.scales) == 1 and len(quantization.zero_points) == 1,
        "quantization",
        f"tensor {tensor.name!r} is not quantised with one scale",
    )
    assert quantization is not None
    scale, zero_point = quantization.scales[0], quantization.zero_points[0]
    need(0 < scale < inf, "quantization", f"tensor {tensor.name!r} has a scale that is not positive")
    low, high = _VALUES.get(tensor.dtype, (0, 0))
    need(low <= zero_point <= high, "quantization", f"tensor {tensor.name!r} has the zero point {zero_point}")
    return scale, zero_point


def weight_scales(weights: Tensor, channels: int, axis: int | None, each: str = "channel") -> tuple[float, ...]:
    """The scales of weights: one for all, or one per output channel. Zero points must be 0.

    `axis` is the axis of the output channels; None accepts any. `each` names a channel in the reason of a refusal.
    """
    quantization = weights.quantization
    need(quantization is not None, "quantization", "its weights are not quantised")
    assert quantization is not None
    scales = quantization.scales
    need(all(z == 0 for z in quantization.zero_points), "quantization", "its weights have a zero point that is not 0")
    need(len(scales) in (1, channels), "quantization", f"its weights have neither one scale nor one per {each}")
    along = len(scales) == 1 or axis in (None, quantization.axis)
    need(along, "quantization", f"its weights are quantised along axis {quantization.axis}")
    return scales


def need_same_shape(source: Tensor, target: Tensor) -> None:
    """Refuse an element-wise operator that changes the shape."""
    need(source.shape == target.shape, "geometry", "its input and output differ in shape")


def option_int(op: Operator, name: str, default: int | None = None) -> int:
    """An integer option. Give a `default` only where the schema defines one."""
    value = op.options.get(name, default)
    need(isinstance(value, int), "option", f"its option {name} is {value!r}")
    assert isinstance(value, int)
    return value


def option_float(op: Operator, name: str, low: float = -inf) -> float:
    """A float option; it must be at least `low`, and no NaN."""
    value = op.options.get(name)
    need(isinstance(value, float) and value >= low, "option", f"its {name} is {value!r}")
    assert isinstance(value, float)
    return value


def option_text(op: Operator, name: str) -> str:
    """An enum option, as the name of its value."""
    value = op.options.get(name)
    need(isinstance(value, str), "option", f"its option {name} is {value!r}")
    assert isinstance(value, str)
    return value
