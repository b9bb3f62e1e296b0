"""Element-wise operators of two operands by rows, with broadcasting. One operand may be a constant.

An operator with one constant scalar is a function of one byte, and becomes a table. (`unary.py` does the same for
activations.)
"""

from __future__ import annotations

from tflm_split.arithmetic.requantize import binary_parameters
from tflm_split.arithmetic.tables import binary_lut
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.kinds import OpKind
from tflm_split.split.operators.common import need, need_same_shape, operand, option_text, per_tensor, result
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import ROW_ZERO, SAME_ROW, RowShape, row_shape, rows_run_along_width

HOW = {
    **dict.fromkeys(
        ("ADD", "SUB", "MUL", "MINIMUM", "MAXIMUM", "SQUARED_DIFFERENCE"),
        "element by element, in place; operands broadcast along rows, columns and channels, or a constant",
    ),
    "PRELU": "element by element, in place; the slope is broadcast",
}
"""Operator -> in a few words, how it is cut: for SUPPORTED.md."""

_KINDS = {
    "ADD": OpKind.ADD,
    "SUB": OpKind.SUB,
    "MUL": OpKind.MUL,
    "MINIMUM": OpKind.MINIMUM,
    "MAXIMUM": OpKind.MAXIMUM,
    "SQUARED_DIFFERENCE": OpKind.SQUARED_DIFFERENCE,
    "PRELU": OpKind.PRELU,
}
BINARY_KINDS = tuple(_KINDS)
_ACTIVATED = ("ADD", "SUB", "MUL")
"""Kinds whose options name a fused activation."""


def two_operands(graph: Graph, op: Operator, dtype: str) -> tuple[Tensor, Tensor]:
    """Inputs 0 and 1, both of `dtype`; one of them may be a constant."""
    operands = (operand(graph, op, 0), operand(graph, op, 1))
    for position, tensor in enumerate(operands):
        need(tensor.dtype == dtype, "dtype", f"its input {position} is {tensor.dtype}, needs {dtype}")
        need(not tensor.is_variable, "variable", f"its input {position} is a variable")
    need(not all(t.is_constant for t in operands), "constant", "all its inputs are constants")
    return operands


def split_binary(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op of an int8 operator of BINARY_KINDS. Each axis of an operand has the output's size, or 1."""
    target = result(graph, op, "INT8")
    operands = two_operands(graph, op, "INT8")
    shape = row_shape(target)
    activation = option_text(op, "fused_activation_function") if op.kind in _ACTIVATED else "NONE"
    for position, tensor in enumerate(operands):
        if tensor.is_constant and tensor.elements == 1:
            return (_table(op, operands, position, target, shape, activation),)
    reads = tuple(broadcast_read(tensor, target, shape) for tensor in operands)
    for tensor in (*operands, target):
        per_tensor(tensor)
    first, second = operands
    params = binary_parameters(op.kind, first.quantization, second.quantization, target.quantization, activation)
    return (RowOp(op.index, _KINDS[op.kind], reads, target.index, shape, params),)


def _table(
    op: Operator, operands: tuple[Tensor, Tensor], constant_at: int, target: Tensor, shape: RowShape, activation: str
) -> RowOp:
    source, scalar = operands[1 - constant_at], operands[constant_at]
    need_same_shape(source, target)
    value = int.from_bytes((scalar.data or b"")[:1], "little", signed=True)
    for tensor in (*operands, target):
        per_tensor(tensor)
    first, second = (t.quantization for t in operands)
    table = binary_lut(op.kind, first, second, target.quantization, activation, value, constant_at == 0)
    reads = (Read(source.index, shape, SAME_ROW, may_be_overwritten=True),)
    return RowOp(op.index, OpKind.LUT, reads, target.index, shape, {"table_offset": table})


def broadcast_read(tensor: Tensor, target: Tensor, shape: RowShape) -> Read:
    """How an operand is read when the output is computed row by row; axes of 1 are broadcast.

    `shape` is the output's. Raises Refusal when the operand's rows lie along another axis.
    """
    if tensor.shape == target.shape:
        return Read(tensor.index, shape, SAME_ROW, may_be_overwritten=not tensor.is_constant)
    need(len(tensor.shape) <= len(target.shape), "broadcast", "an input has more dimensions than the output")
    padded = (1,) * (len(target.shape) - len(tensor.shape)) + tensor.shape
    need(
        all(a in (1, b) for a, b in zip(padded, target.shape, strict=True)),
        "broadcast",
        f"its input {list(tensor.shape)} does not broadcast to {list(target.shape)}",
    )
    if len(padded) == 4:
        rows, columns = (padded[2], padded[1]) if rows_run_along_width(target) else (padded[1], padded[2])
        wanted = RowShape(rows, columns, padded[3], shape.element_bytes)
    elif all(a == 1 or a == b for a, b in zip(padded[:-1], target.shape[:-1], strict=True)) and (
        padded[:-1] in (target.shape[:-1], (1,) * len(padded[:-1]))
    ):
        rows = shape.rows if padded[:-1] == target.shape[:-1] else 1
        wanted = RowShape(rows, 1, padded[-1] if padded else 1, shape.element_bytes)
    else:
        raise Refusal("broadcast", f"its input {list(tensor.shape)} broadcasts along part of the rows")
    if not tensor.is_constant:
        own = row_shape(tensor)
        need(own.row_bytes == wanted.row_bytes, "broadcast", "a broadcast input is cut along another axis")
    return Read(tensor.index, wanted, SAME_ROW if wanted.rows == shape.rows else ROW_ZERO)
