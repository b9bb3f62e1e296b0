"""Each kind of operator: the row ops it becomes, and every reason why it would stay a stock operator."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tiny_models import Builder, T, conv_model, single_op

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator, Quantization
from tflm_split.program.format import OpKind
from tflm_split.split.operators import SPLITTERS, split_operator
from tflm_split.split.operators.slices import slice_aliases
from tflm_split.split.overlap import overlap_distance
from tflm_split.split.row_op import Placement, RowOp
from tflm_split.split.rows import ROW_ZERO, SAME_ROW, MappedRow, RowShape, Window
from tflm_split.split.storage import Alias
from tflm_split.tflite.reader import read_model

NO_PAD = {"stride_h": 1, "stride_w": 1, "padding": "VALID"}


def split(model: bytes, op: int = -1) -> tuple[RowOp, ...]:
    graph = read_model(model).graph
    return split_operator(graph, graph.operators[op])


def refusal(model: bytes | Graph) -> tuple[str, str]:
    graph = read_model(model).graph if isinstance(model, bytes) else model
    with pytest.raises(Refusal) as refused:
        split_operator(graph, graph.operators[-1])
    return refused.value.kind, refused.value.reason


def act(
    *shape: int, dtype: str = "INT8", scale: float | None = 0.05, zero_point: int = 0, is_variable: bool = False
) -> T:
    return T(shape, dtype, scale, zero_point, is_variable=is_variable)


def numbers(*values: int, dtype: str = "INT32", scale: float | None = None) -> T:
    array = np.array(values, {"INT32": np.int32, "INT8": np.int8, "INT64": np.int64}[dtype])
    return T(array.shape, dtype, scale, data=array)


def pads(*amounts: tuple[int, int]) -> T:
    return T((len(amounts), 2), "INT32", data=np.array(amounts, np.int32))


def weights(*shape: int, scale: float | list[float] = 0.01, zero_point: int = 0, axis: int = 0) -> T:
    return T(shape, "INT8", scale, zero_point, np.ones(shape, np.int8), axis=axis)


def changed(model: bytes, **fields: Any) -> Graph:
    """The model's graph, fields of its last operator replaced; `options` are added to the old ones."""
    graph = read_model(model).graph
    op: Operator = graph.operators[-1]
    options = dict(op.options) | fields.pop("options", {})
    op = replace(op, options=options, **fields)
    return replace(graph, operators=(*graph.operators[:-1], op))


# What is covered.


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_a_convolution_reads_the_rows_its_kernel_touches(padding: str) -> None:
    (op,) = split(conv_model(9, 7, 4, 6, 3, 5, (2, 1), padding, dilation=(2, 1)))
    assert op.kind is OpKind.CONV
    pad = 2 if padding == "SAME" else 0
    assert op.reads[0].window == Window(kernel=3, stride=2, dilation=2, pad=pad)
    assert op.reads[0].shape == RowShape(9, 7, 4)
    assert op.output_shape == (RowShape(5, 7, 6) if padding == "SAME" else RowShape(3, 3, 6))
    assert op.steps == op.output_shape.rows
    assert op.macs_per_step == op.output_shape.columns * 6 * 3 * 5 * 4
    assert (op.params["kernel_columns"], op.params["groups"]) == (5, 1)


def test_a_map_of_height_one_has_its_columns_as_rows_and_its_kernel_turned() -> None:
    model = conv_model(1, 9, 2, 3, 1, 4, (1, 2))
    (op,) = split(model)
    assert (op.reads[0].shape, op.output_shape) == (RowShape(9, 1, 2), RowShape(5, 1, 3))
    assert op.reads[0].window == Window(kernel=4, stride=2, dilation=1, pad=1)
    kernel = np.frombuffer(read_model(model).graph.tensors[1].data or b"", np.int8).reshape(3, 1, 4, 2)
    assert op.params["weights_offset"] == kernel.transpose(0, 2, 1, 3).tobytes()


def test_groups_are_read_off_the_shapes() -> None:
    (op,) = split(conv_model(5, 5, 6, 9, 3, 3, groups=3))
    assert op.params["groups"] == 3


def test_the_bias_holds_the_input_zero_point() -> None:
    model = conv_model(5, 5, 2, 3, 3, 3)
    graph = read_model(model).graph
    zero_point = graph.tensors[0].quantization.zero_points[0]  # type: ignore[union-attr]
    kernel = np.frombuffer(graph.tensors[1].data or b"", np.int8).reshape(3, -1).astype(np.int64)
    bias = np.frombuffer(graph.tensors[2].data or b"", "<i4")
    folded = split(model)[0].params["bias_offset"]
    assert isinstance(folded, bytes)
    assert (np.frombuffer(folded, "<i4") == bias - zero_point * kernel.sum(1)).all()


def test_a_depthwise_convolution_keeps_its_multiplier() -> None:
    (op,) = split(conv_model(8, 6, 3, 6, 3, 3, 2, depthwise=True))
    assert (op.kind, op.params["groups"], op.output_shape) == (OpKind.DEPTHWISE, 2, RowShape(4, 3, 6))
    assert op.reads[0].window == Window(3, 2, 1, pad=0)


@pytest.mark.parametrize("shape", [(1, 24), (3, 8), (1, 3, 8), (1, 1, 3, 8)])
def test_a_dense_layer_is_a_pointwise_convolution_over_its_batch(shape: tuple[int, ...]) -> None:
    depth = 24 if shape == (1, 24) else 8
    batch = 24 // depth
    (op,) = split(single_op("FULLY_CONNECTED", [act(*shape), weights(5, depth)], act(batch, 5)))
    assert (op.kind, op.steps, op.reads[0].window) == (OpKind.CONV, batch, SAME_ROW)
    assert (op.reads[0].shape, op.output_shape) == (RowShape(batch, 1, depth), RowShape(batch, 1, 5))


@pytest.mark.parametrize("kind", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_a_pool_slides(kind: str) -> None:
    (op,) = split(
        single_op(
            kind, [act(1, 9, 6, 2)], act(1, 5, 3, 2),
            filter_height=3, filter_width=2, stride_h=2, stride_w=2, padding="SAME",
        )
    )  # fmt: skip
    assert op.kind is {"AVERAGE_POOL_2D": OpKind.AVERAGE_POOL, "MAX_POOL_2D": OpKind.MAX_POOL}[kind]
    assert op.reads[0].window == Window(3, 2, 1, pad=1)


def test_a_global_average_takes_its_rows_as_they_come() -> None:
    (op,) = split(
        single_op("AVERAGE_POOL_2D", [act(1, 9, 6, 2)], act(1, 1, 1, 2), filter_height=9, filter_width=6, **NO_PAD)
    )
    assert (op.kind, op.steps, op.accumulator_bytes, op.params["count"]) == (OpKind.SUM_FEED, 9, 8, 54)


@pytest.mark.parametrize(
    ("shape", "axes", "target", "rows"),
    [
        ((1, 6, 5, 3), (1, 2), (1, 3), 6),
        ((1, 6, 5, 3), (-2, -3), (1, 1, 1, 3), 6),
        ((1, 1, 5, 3), (1, 2), (1, 3), 5),
        ((1, 7, 3), (1,), (1, 3), 7),
    ],
)
def test_a_mean_takes_its_rows_as_they_come(
    shape: tuple[int, ...], axes: tuple[int, ...], target: tuple[int, ...], rows: int
) -> None:
    (op,) = split(single_op("MEAN", [act(*shape), numbers(*axes)], act(*target)))
    assert (op.kind, op.steps, op.accumulator_bytes) == (OpKind.SUM_FEED, rows, 12)


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL"])
def test_a_binary_operator_may_write_over_either_whole_operand(kind: str) -> None:
    (op,) = split(single_op(kind, [act(1, 6, 5, 3), act(1, 6, 5, 3)], act(1, 6, 5, 3)))
    assert op.kind is OpKind[kind]
    assert [(r.window, r.may_be_overwritten) for r in op.reads] == [(SAME_ROW, True)] * 2


@pytest.mark.parametrize(
    ("shape", "seen", "window"),
    [
        ((1, 1, 1, 3), RowShape(1, 1, 3), ROW_ZERO),
        ((3,), RowShape(1, 1, 3), ROW_ZERO),
        ((1, 6, 1, 3), RowShape(6, 1, 3), SAME_ROW),
        ((1, 6, 1, 1), RowShape(6, 1, 1), SAME_ROW),
        ((1, 6, 5, 1), RowShape(6, 5, 1), SAME_ROW),
    ],
)
def test_an_operand_is_broadcast(shape: tuple[int, ...], seen: RowShape, window: Window) -> None:
    (op,) = split(single_op("MUL", [act(1, 6, 5, 3), act(*shape)], act(1, 6, 5, 3)))
    assert (op.reads[1].shape, op.reads[1].window, op.reads[1].may_be_overwritten) == (seen, window, False)


def test_a_constant_row_is_broadcast_along_a_map() -> None:
    constant = T((1, 1, 5, 3), "INT8", 0.05, data=np.ones((1, 1, 5, 3), np.int8))
    (op,) = split(single_op("ADD", [act(1, 6, 5, 3), constant], act(1, 6, 5, 3)))
    assert (op.reads[1].shape, op.reads[1].window) == (RowShape(1, 5, 3), ROW_ZERO)


@pytest.mark.parametrize("first", [False, True])
def test_a_scalar_constant_makes_a_table(first: bool) -> None:
    operands = [act(1, 6, 5, 3), numbers(9, dtype="INT8", scale=0.1)]
    (op,) = split(single_op("SUB", operands[::-1] if first else operands, act(1, 6, 5, 3)))
    assert (op.kind, len(op.reads), op.reads[0].may_be_overwritten) == (OpKind.LUT, 1, True)


@pytest.mark.parametrize("kind", ["RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "QUANTIZE"])
def test_a_unary_operator_is_a_table(kind: str) -> None:
    b = Builder((1, 6, 5, 3))
    (op,) = split(b.finish(b.unary(kind, b.input)))
    assert (op.kind, op.steps, op.reads[0].may_be_overwritten) == (OpKind.LUT, 6, True)
    table = op.params["table_offset"]
    assert isinstance(table, bytes) and len(table) == 256


def test_dequantize_is_a_table_of_floats_that_cannot_be_in_place() -> None:
    (op,) = split(single_op("DEQUANTIZE", [act(1, 6, 5, 3)], act(1, 6, 5, 3, dtype="FLOAT32", scale=None)))
    table = op.params["table_offset"]
    assert isinstance(table, bytes) and len(table) == 4 * 256
    assert (op.output_shape, op.reads[0].may_be_overwritten) == (RowShape(6, 5, 3, 4), False)


def test_quantize_of_floats_is_arithmetic() -> None:
    (op,) = split(single_op("QUANTIZE", [act(1, 6, 5, 3, dtype="FLOAT32", scale=None)], act(1, 6, 5, 3)))
    assert (op.kind, op.reads[0].shape) == (OpKind.QUANTIZE_FLOAT, RowShape(6, 5, 3, 4))


@pytest.mark.parametrize(("source", "target"), [("UINT8", "INT8"), ("INT8", "UINT8")])
def test_quantize_between_bytes_is_a_table(source: str, target: str) -> None:
    (op,) = split(single_op("QUANTIZE", [act(4, 3, dtype=source)], act(4, 3, dtype=target)))
    assert op.kind is OpKind.LUT


def test_softmax_goes_row_by_row() -> None:
    (op,) = split(single_op("SOFTMAX", [act(4, 10)], act(4, 10, scale=1 / 256, zero_point=-128), beta=1.0))
    assert (op.kind, op.steps) == (OpKind.SOFTMAX, 4)


@pytest.mark.parametrize(
    ("axis", "target", "placements", "stride"),
    [
        (1, (1, 10, 4, 3), [Placement(0), Placement(5)], 0),
        (2, (1, 5, 8, 3), [Placement(0, 0), Placement(0, 12)], 3),
        (3, (1, 5, 4, 6), [Placement(0, 0), Placement(0, 3)], 6),
        (-1, (1, 5, 4, 6), [Placement(0, 0), Placement(0, 3)], 6),
    ],
)
def test_a_concatenation_is_a_copy_per_input(
    axis: int, target: tuple[int, ...], placements: list[Placement], stride: int
) -> None:
    ops = split(single_op("CONCATENATION", [act(1, 5, 4, 3), act(1, 5, 4, 3)], act(*target), axis=axis))
    assert [op.placement for op in ops] == placements
    assert [(op.kind, op.output_pixel_stride_bytes, op.steps) for op in ops] == [(OpKind.PAD, stride, 5)] * 2


@pytest.mark.parametrize(("axis", "target"), [(2, (1, 1, 8, 3)), (3, (1, 1, 4, 6))])
def test_maps_of_height_one_are_joined_by_columns_as_rows(axis: int, target: tuple[int, ...]) -> None:
    ops = split(single_op("CONCATENATION", [act(1, 1, 4, 3), act(1, 1, 4, 3)], act(*target), axis=axis))
    assert [op.placement for op in ops] == [Placement(), Placement(4) if axis == 2 else Placement(0, 3)]


def test_a_pad_surrounds_rows_columns_and_channels() -> None:
    model = single_op("PAD", [act(1, 4, 3, 2), pads((0, 0), (1, 2), (3, 0), (0, 1))], act(1, 7, 6, 3, zero_point=-7))
    (op,) = split(model)
    assert op.reads[0].window == Window(pad=1)
    assert op.params == {"pad_rows": 1, "pad_columns": 3, "pad_channels": 0, "value": -7}
    assert [len(op.reads[0].window.rows(r, 4)) for r in range(7)] == [0, 1, 1, 1, 1, 0, 0]


def test_a_pad_of_a_map_of_height_one_pads_its_columns_as_rows() -> None:
    (op,) = split(single_op("PAD", [act(1, 1, 4, 2), pads((0, 0), (0, 0), (2, 1), (0, 0))], act(1, 1, 7, 2)))
    assert (op.params["pad_rows"], op.params["pad_columns"], op.output_shape) == (2, 0, RowShape(7, 1, 2))


def test_padv2_brings_its_own_filler() -> None:
    operands = [act(1, 4, 3, 2), pads((0, 0), (1, 1), (0, 0), (0, 0)), numbers(55, dtype="INT8", scale=0.05)]
    assert split(single_op("PADV2", operands, act(1, 6, 3, 2)))[0].params["value"] == 55


# Slices are no steps, but windows.


def aliases(model: bytes) -> tuple[Alias, ...]:
    graph = read_model(model).graph
    return slice_aliases(graph, graph.operators[0])


def sliced(begin: tuple[int, ...], size: tuple[int, ...]) -> Alias:
    (alias,) = aliases(single_op("SLICE", [act(1, 8, 6, 4), numbers(*begin), numbers(*size)], act(*size)))
    return alias


def test_a_slice_of_rows_is_some_of_the_rows() -> None:
    assert sliced((0, 2, 0, 0), (1, 3, 6, 4)) == Alias(3, 0, first_row=2, row_bytes=24)


def test_a_slice_of_columns_and_channels_keeps_the_distance_of_pixels() -> None:
    assert sliced((0, 2, 1, 3), (1, 3, 5, 1)) == Alias(3, 0, 2, offset_bytes=7, pixel_stride_bytes=4, row_bytes=24)


def test_a_split_is_a_window_per_output() -> None:
    model = single_op("SPLIT", [numbers(3), act(1, 8, 6, 4)], [act(1, 8, 6, 2), act(1, 8, 6, 2)], num_splits=2)
    assert [(a.offset_bytes, a.pixel_stride_bytes) for a in aliases(model)] == [(0, 4), (2, 4)]


@pytest.mark.parametrize(
    ("end", "strides", "mask", "reason"),
    [
        ((1, 8, 6, 4), (1, 2, 1, 1), {}, "its strides are [1, 2, 1, 1], needs 1"),
        ((1, 4, 6, 4), (1, 1, 1, 1), {"new_axis_mask": 1}, "it has a new_axis_mask"),
        ((1, 3, 6, 4), (1, 1, 1, 1), {}, "its output is not what its bounds say"),
    ],
)
def test_a_slice_with_holes_is_no_window(
    end: tuple[int, ...], strides: tuple[int, ...], mask: dict[str, int], reason: str
) -> None:
    operands = [act(1, 8, 6, 4), numbers(0, 0, 0, 0), numbers(*end), numbers(*strides)]
    with pytest.raises(Refusal) as refused:
        aliases(single_op("STRIDED_SLICE", operands, act(1, 4, 6, 4), **mask))
    assert refused.value.reason == reason


def test_a_slice_that_drops_an_axis_is_a_window() -> None:
    operands = [act(1, 8, 4), numbers(0, 3, 0), numbers(1, 4, 4), numbers(1, 1, 1)]
    model = single_op("STRIDED_SLICE", operands, act(1, 4), shrink_axis_mask=2)
    assert aliases(model) == (Alias(4, 0, first_row=3, row_bytes=4),)


def test_a_slice_that_is_no_window_is_copied_by_rows_and_groups_of_channels() -> None:
    operands = [act(1, 8, 6, 4), numbers(0, 7, 1, 2), numbers(1, 1, 6, 4), numbers(1, -2, 2, 1)]
    graph = read_model(single_op("STRIDED_SLICE", operands, act(1, 3, 3, 2))).graph
    (op,) = split_operator(graph, graph.operators[0])
    assert (op.kind, op.reads[0].shape, op.output_shape) == (
        OpKind.RESIZE_NEAREST,
        RowShape(8, 12, 2),
        RowShape(3, 3, 2),
    )
    assert op.reads[0].window == MappedRow((7, 5, 3))
    assert op.params["column_map_offset"] == struct.pack("<3H", 3, 7, 11)


# How far an output row may run over a dying input row.


@pytest.mark.parametrize(
    ("model", "distance"),
    [
        (conv_model(6, 8, 4, 4, 1, 1), 4),  # one pixel
        (conv_model(6, 8, 4, 8, 1, 1), 36),  # pixels grow: the last output pixel ends where the last input one starts
        (conv_model(6, 8, 8, 4, 1, 1), 4),
        (conv_model(6, 8, 4, 4, 3, 3), 8),  # a column of padding: the last window starts one pixel earlier
        (conv_model(6, 8, 4, 4, 3, 1, depthwise=True), 0),  # channel by channel, one column: the same address
        (conv_model(6, 8, 4, 4, 3, 3, depthwise=True), 8),
        (conv_model(6, 2, 4, 8, 3, 3), None),  # the rows would not share a byte
    ],
)
def test_a_convolution_may_run_over_its_dying_row(model: bytes, distance: int | None) -> None:
    (op,) = split(model)
    assert overlap_distance(op, op.reads[0], 4) == distance


# What is refused, in words.


def _binary(*operands: T, target: T | None = None) -> bytes:
    return single_op("ADD", operands, target or act(1, 6, 5, 3))


def _conv(source: T, kernel: T, target: T, *more: T, **options: object) -> bytes:
    return single_op("CONV_2D", [source, kernel, *more], target, **({"padding": "SAME"} | options))


def _depthwise(source: T, kernel: T, target: T, **options: object) -> bytes:
    return single_op("DEPTHWISE_CONV_2D", [source, kernel], target, **({"padding": "SAME"} | options))


def _dense(source: T, kernel: T, target: T, *more: T, **options: object) -> bytes:
    return single_op("FULLY_CONNECTED", [source, kernel, *more], target, **options)


def _pool(source: T, target: T, kernel: int, kind: str = "AVERAGE_POOL_2D", **options: object) -> bytes:
    window = {"filter_height": kernel, "filter_width": kernel, "stride_h": 1, "stride_w": 1, "padding": "VALID"}
    return single_op(kind, [source], target, **(window | options))


def _join(*sources: T, target: T, axis: int, **options: object) -> bytes:
    return single_op("CONCATENATION", sources, target, axis=axis, **options)


MAP = act(1, 6, 5, 4)
ONES = weights(4, 1, 1, 4)
REFUSALS: list[tuple[str, Callable[[], bytes | Graph], str, str]] = [
    ("unknown operator", lambda: single_op("RANK", [MAP], MAP), "operator", "RANK has no row-wise form here"),
    # CONV_2D
    (
        "int16 activations",
        lambda: _conv(act(1, 6, 5, 4, dtype="INT16"), ONES, MAP),
        "dtype",
        "its output is INT8, needs INT16",
    ),
    (
        "int16 output",
        lambda: _conv(MAP, ONES, act(1, 6, 5, 4, dtype="INT16")),
        "dtype",
        "its input is INT8, needs INT16",
    ),
    ("constant input", lambda: _conv(weights(1, 6, 5, 4), ONES, MAP), "constant", "its input 0 is a constant"),
    (
        "computed weights",
        lambda: _conv(MAP, act(4, 1, 1, 4), MAP),
        "constant",
        "its input 1 is computed at run time, needs a constant",
    ),
    ("batch", lambda: _conv(act(2, 6, 5, 4), ONES, act(2, 6, 5, 4)), "batch", "batch is 2, needs 1"),
    (
        "wrong output size",
        lambda: _conv(MAP, ONES, act(1, 5, 5, 4)),
        "geometry",
        "its output has 5 along h, its window gives 6",
    ),
    (
        "collapsing rows",
        lambda: _conv(MAP, weights(4, 6, 1, 4), act(1, 1, 5, 4), padding="VALID"),
        "geometry",
        "its input and output are cut along different axes",
    ),
    (
        "tall kernel",
        lambda: _conv(act(1, 40, 5, 4), weights(4, 33, 1, 4), act(1, 40, 5, 4)),
        "geometry",
        "its window spans 33 rows, at most 32 can be read at once",
    ),
    (
        "output channels",
        lambda: _conv(MAP, weights(3, 1, 1, 4), MAP),
        "geometry",
        "its weights and output disagree on channels",
    ),
    (
        "input channels",
        lambda: _conv(MAP, weights(4, 1, 1, 3), MAP),
        "geometry",
        "its weights and input disagree on channels",
    ),
    (
        "groups",
        lambda: _conv(MAP, weights(3, 1, 1, 2), act(1, 6, 5, 3)),
        "geometry",
        "its 3 output channels do not divide into 2 groups",
    ),
    (
        "input without scale",
        lambda: _conv(act(1, 6, 5, 4, scale=None), ONES, MAP),
        "quantization",
        "tensor 't0' is not quantised with one scale",
    ),
    (
        "asymmetric weights",
        lambda: _conv(MAP, weights(4, 1, 1, 4, zero_point=3), MAP),
        "quantization",
        "its weights have a zero point that is not 0",
    ),
    (
        "scales for some",
        lambda: _conv(MAP, weights(4, 1, 1, 4, scale=[0.1, 0.2]), MAP),
        "quantization",
        "its weights have neither one scale nor one per channel",
    ),
    (
        "scales along another axis",
        lambda: _conv(MAP, weights(4, 1, 1, 4, scale=[0.1] * 4, axis=3), MAP),
        "quantization",
        "its weights are quantised along axis 3",
    ),
    (
        "short bias",
        lambda: _conv(MAP, ONES, MAP, numbers(1, 2)),
        "geometry",
        "its bias and output disagree on channels",
    ),
    (
        "wide bias",
        lambda: _conv(MAP, ONES, MAP, numbers(1, 2, 3, 4, dtype="INT64")),
        "dtype",
        "its input 2 is INT64, needs INT32",
    ),
    (
        "activation",
        lambda: _conv(MAP, ONES, MAP, fused_activation_function="TANH"),
        "activation",
        "its fused activation TANH is not supported",
    ),
    ("padding", lambda: changed(_conv(MAP, ONES, MAP), options={"padding": "2"}), "padding", "its padding is '2'"),
    ("stride", lambda: _conv(MAP, ONES, MAP, stride_h=0), "geometry", "its stride, dilation or kernel is not positive"),
    (
        "missing option",
        lambda: changed(_conv(MAP, ONES, MAP), options={"stride_w": "x"}),
        "option",
        "its option stride_w is 'x'",
    ),
    ("missing weights", lambda: changed(_conv(MAP, ONES, MAP), inputs=(0, -1)), "arity", "it has no input 1"),
    ("too many outputs", lambda: changed(_conv(MAP, ONES, MAP), outputs=(2, 1)), "arity", "it has 2 outputs, needs 1"),
    # DEPTHWISE_CONV_2D
    (
        "depthwise weights",
        lambda: _depthwise(MAP, weights(2, 1, 1, 4), MAP),
        "geometry",
        "its weights are not [1, height, width, channels]",
    ),
    (
        "depthwise channels",
        lambda: _depthwise(MAP, weights(1, 1, 1, 6), act(1, 6, 5, 6)),
        "geometry",
        "its output channels are no multiple of its input channels",
    ),
    (
        "multiplier",
        lambda: _depthwise(MAP, weights(1, 1, 1, 8), act(1, 6, 5, 8), depth_multiplier=1),
        "option",
        "its depth_multiplier is 1, its shapes say 2",
    ),
    # FULLY_CONNECTED
    (
        "dense depth",
        lambda: _dense(act(1, 7), weights(3, 4), act(1, 3)),
        "geometry",
        "its weights and input disagree on depth",
    ),
    (
        "dense units",
        lambda: _dense(act(1, 8), weights(3, 8), act(1, 4)),
        "geometry",
        "its output does not fit its weights and input",
    ),
    (
        "dense rank",
        lambda: _dense(act(1, 8), weights(3, 8, 1), act(1, 3)),
        "geometry",
        "its weights are not 2-dimensional",
    ),
    (
        "dense scales",
        lambda: _dense(act(1, 8), weights(3, 8, scale=[0.1, 0.2]), act(1, 3)),
        "quantization",
        "its weights have neither one scale nor one per unit",
    ),
    ("dense target batch", lambda: _dense(act(2, 8), weights(3, 8), act(2, 1, 1, 3)), "batch", "batch is 2, needs 1"),
    (
        "dense target rank",
        lambda: _dense(act(2, 8), weights(3, 8), act(1, 2, 1, 1, 3)),
        "rank",
        "tensor 't2' has 5 dimensions, at most 4 can be cut into rows",
    ),
    (
        "shuffled weights",
        lambda: _dense(act(1, 8), weights(3, 8), act(1, 3), weights_format="SHUFFLED4x16INT8"),
        "option",
        "its weights format is SHUFFLED4x16INT8",
    ),
    # ADD, SUB, MUL
    (
        "binary types",
        lambda: _binary(act(1, 6, 5, 3), act(1, 6, 5, 3, dtype="INT16")),
        "dtype",
        "its input 1 is INT16, needs INT8",
    ),
    (
        "two constants",
        lambda: _binary(weights(1, 6, 5, 3), weights(1, 6, 5, 3)),
        "constant",
        "all its inputs are constants",
    ),
    (
        "more dimensions",
        lambda: _binary(act(1, 3), act(1, 1, 1, 3), target=act(1, 3)),
        "broadcast",
        "an input has more dimensions than the output",
    ),
    (
        "row along columns",
        lambda: _binary(act(1, 6, 5, 3), act(1, 1, 5, 3)),
        "broadcast",
        "a broadcast input is cut along another axis",
    ),
    (
        "part of the rows",
        lambda: _binary(act(2, 5, 3), act(1, 5, 3), target=act(2, 5, 3)),
        "broadcast",
        "its input [1, 5, 3] broadcasts along part of the rows",
    ),
    # pools
    ("pool channels", lambda: _pool(MAP, act(1, 5, 4, 3), 2), "geometry", "its input and output disagree on channels"),
    (
        "tall pool",
        lambda: _pool(act(1, 40, 40, 1), act(1, 2, 2, 1), 39, "MAX_POOL_2D"),
        "geometry",
        "its window spans 39 rows, at most 32 can be read at once",
    ),
    # MEAN
    ("mean axes", lambda: single_op("MEAN", [MAP, numbers(2)], act(1, 6, 4)), "axes", "it reduces axes [2] of 4"),
    ("mean batch", lambda: single_op("MEAN", [act(2, 6, 4), numbers(1)], act(2, 4)), "batch", "batch is 2, needs 1"),
    (
        "mean axes computed",
        lambda: single_op("MEAN", [MAP, act(2, dtype="INT32")], act(1, 4)),
        "constant",
        "its input 1 is computed at run time, needs a constant",
    ),
    (
        "mean target",
        lambda: single_op("MEAN", [MAP, numbers(1, 2)], act(1, 3)),
        "geometry",
        "its output does not have one element per channel",
    ),
    # unary
    (
        "unary shape",
        lambda: single_op("RELU", [act(4, 3)], act(3, 4)),
        "geometry",
        "its input and output differ in shape",
    ),
    (
        "float to uint8",
        lambda: single_op("QUANTIZE", [act(4, 3, dtype="FLOAT32", scale=None)], act(4, 3, dtype="UINT8")),
        "dtype",
        "it makes UINT8 of floats, needs INT8",
    ),
    (
        "int16 to uint8",
        lambda: single_op("QUANTIZE", [act(4, 3, dtype="INT16")], act(4, 3, dtype="UINT8")),
        "dtype",
        "its output is UINT8, needs INT8 or INT16 or FLOAT32; convert the original model again, with int8 quantisation",
    ),
    # SOFTMAX
    (
        "softmax shape",
        lambda: single_op("SOFTMAX", [act(4, 3)], act(3, 4, scale=1 / 256, zero_point=-128)),
        "geometry",
        "its input and output differ in shape",
    ),
    # CONCATENATION
    (
        "joined activation",
        lambda: _join(act(1, 3), act(1, 3), target=act(1, 6), axis=1, fused_activation_function="RELU"),
        "activation",
        "it has a fused activation",
    ),
    (
        "joined batches",
        lambda: _join(act(1, 6, 5, 4), act(1, 6, 5, 4), target=act(2, 6, 5, 4), axis=0),
        "batch",
        "batch is 2, needs 1",
    ),
    (
        "joined tokens of batches",
        lambda: _join(act(2, 3, 4), act(2, 3, 4), target=act(2, 6, 4), axis=1),
        "axes",
        "it joins axis 1 of 3",
    ),
    (
        "joined ranks",
        lambda: _join(act(1, 3), act(3), target=act(1, 6), axis=1),
        "geometry",
        "its inputs differ in rank",
    ),
    (
        "joined to height 2",
        lambda: _join(act(1, 1, 5, 4), act(1, 1, 5, 4), target=act(1, 2, 5, 4), axis=1),
        "geometry",
        "its inputs differ in row size",
    ),
    (
        "joined sizes",
        lambda: _join(act(1, 3), act(1, 2), target=act(1, 6), axis=1),
        "geometry",
        "its inputs do not add up to its output",
    ),
    # PAD
    (
        "padded rank",
        lambda: single_op("PAD", [act(5, 4), pads((1, 0), (0, 0))], act(6, 4)),
        "rank",
        "its input is not 4-dimensional",
    ),
    (
        "padded batch",
        lambda: single_op("PAD", [MAP, pads((1, 0), (0, 0), (0, 0), (0, 0))], act(2, 6, 5, 4)),
        "batch",
        "it pads the batch",
    ),
    (
        "negative pad",
        lambda: single_op("PAD", [MAP, pads((0, 0), (-1, 0), (0, 0), (0, 0))], act(1, 5, 5, 4)),
        "geometry",
        "its padding is negative or odd in number",
    ),
    (
        "padded shape",
        lambda: single_op("PAD", [MAP, pads((0, 0), (1, 0), (0, 0), (0, 0))], MAP),
        "geometry",
        "its output shape does not fit its padding",
    ),
    (
        "padded to height 2",
        lambda: single_op("PAD", [act(1, 1, 5, 4), pads((0, 0), (1, 0), (0, 0), (0, 0))], act(1, 2, 5, 4)),
        "geometry",
        "its input and output are cut along different axes",
    ),
    (
        "computed pad",
        lambda: single_op("PAD", [MAP, act(4, 2, dtype="INT32")], MAP),
        "constant",
        "its input 1 is computed at run time, needs a constant",
    ),
    (
        "filler",
        lambda: single_op(
            "PADV2",
            [MAP, pads((0, 0), (1, 0), (0, 0), (0, 0)), numbers(1, 2, dtype="INT8", scale=0.05)],
            act(1, 7, 5, 4),
        ),
        "geometry",
        "its filler is not one value",
    ),
]


@pytest.mark.parametrize(("model", "kind", "reason"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_refusal(model: Callable[[], bytes | Graph], kind: str, reason: str) -> None:
    assert refusal(model()) == (kind, reason)


def test_softmax_needs_the_output_quantisation_tflm_insists_on() -> None:
    kind, _ = refusal(single_op("SOFTMAX", [act(4, 3)], act(4, 3, scale=1 / 128, zero_point=-128), beta=1.0))
    assert kind == "quantization"


def test_a_quantisation_that_is_per_channel_is_refused_for_activations() -> None:
    graph = read_model(
        single_op("AVERAGE_POOL_2D", [MAP], act(1, 5, 4, 4), filter_height=2, filter_width=2, **NO_PAD)
    ).graph
    target = replace(graph.tensors[1], quantization=Quantization((0.1, 0.2), (0, 0)))
    assert refusal(replace(graph, tensors=(graph.tensors[0], target)))[0] == "quantization"


@pytest.mark.parametrize("kind", sorted(SPLITTERS))
def test_every_splitter_refuses_an_operator_without_operands(kind: str) -> None:
    """Never a bare IndexError or KeyError for a broken file."""
    graph = read_model(single_op("RELU", [MAP], MAP)).graph
    for inputs in ((), (-1,), (0,)):
        for options in ({}, {"axis": "x"}):
            op = Operator(0, kind, inputs, (1,), options)
            try:
                split_operator(graph, op)
            except Refusal:
                continue
            assert kind in (
                "RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH", "ELU", "ABS", "QUANTIZE", "CONCATENATION", "UNPACK",
            )  # fmt: skip
