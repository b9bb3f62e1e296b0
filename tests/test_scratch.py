"""How much scratch do stock kernels ask for? Every size is compared with the head that TFLM reports."""

from dataclasses import dataclass

import numpy as np
import pytest
from tflite_helpers import CORPUS, buffer, code, ints, needs_corpus, operator, quantized, tensor
from tiny_models import Builder, T, single_op

from tflm_split.analysis.scratch import detection_scratch_bytes, scratch_bytes, scratch_is_known
from tflm_split.analysis.tflm_head import predicted_head_bytes, scratch_of
from tflm_split.ir.graph import ABSENT, Graph, Operator, Tensor
from tflm_split.tflite import schema
from tflm_split.tflite.reader import read_model
from tflm_split.verify.tflm import run_in_tflm


def scratch_in(data):
    """Scratch of the only operator of this file. TFLM must measure the head that follows from it."""
    model = read_model(data)
    assert len(model.graph.operators) == 1
    assert scratch_is_known(model.graph.operators[0].kind)
    assert predicted_head_bytes(model) == run_in_tflm(data, []).head_bytes
    return scratch_bytes(model.graph, model.graph.operators[0])


@dataclass(frozen=True)
class Operand:
    """An operand for `one_op`: a model input, a constant of zeros, a variable, or (None instead) absent."""

    shape: tuple[int, ...]
    dtype: str = "FLOAT32"
    role: str = "input"
    bytes: int = 0
    quantized: bool = False


def constant(shape, dtype="FLOAT32", nbytes=None, **more):
    width = {"FLOAT32": 4, "INT32": 4, "INT16": 2, "INT8": 1}.get(dtype, 1)
    return Operand(shape, dtype, "constant", int(np.prod(shape)) * width if nbytes is None else nbytes, **more)


def variable(shape, dtype="FLOAT32", **more):
    return Operand(shape, dtype, "variable", **more)


def one_op(kind, operands, output, options_table=None, **options):
    """A file with one operator of any kind, type and options table."""
    tensors, inputs, buffers, indices = [], [], [buffer()], []
    for k, operand in enumerate([*operands, output]):
        if operand is None:
            indices.append(ABSENT)
            continue
        indices.append(len(tensors))
        if operand.role == "input" and k < len(operands):
            inputs.append(len(tensors))
        if operand.role == "constant":
            buffers.append(buffer(bytes(operand.bytes)))
        tensors.append(
            tensor(
                f"t{k}", operand.shape, operand.dtype, len(buffers) - 1 if operand.role == "constant" else 0,
                isVariable=operand.role == "variable", quantization=quantized(0.5, 0) if operand.quantized else None,
            )
        )  # fmt: skip
    fields = {}
    if options_table:
        fields["builtinOptionsType"] = schema.enum_value("BuiltinOptions", options_table)
        fields["builtinOptions"] = schema.new(options_table + "T", **options)
    op = operator(0, indices[:-1], indices[-1:], **fields)
    main = schema.new(
        "SubGraphT", name=b"main", tensors=tensors, inputs=ints(*inputs), outputs=ints(indices[-1]), operators=[op]
    )
    tree = schema.new("ModelT", version=3, operatorCodes=[code(kind)], subgraphs=[main], buffers=buffers)
    return schema.pack(tree)


# ---- reductions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["MEAN", "SUM"])
def test_an_int8_mean_asks_for_its_sums_an_index_per_axis_and_its_axes(kind):
    b = Builder((1, 6, 6, 40))
    b.mean(b.input, (1, 2), kind=kind)
    assert scratch_in(b.finish()) == (160, 16, 8)


def test_an_int16_mean_asks_for_the_same():
    axes = T((2,), "INT32", data=np.array([1, 2], np.int32))
    data = single_op("MEAN", [T((1, 6, 6, 40), "INT16", 0.5), axes], T((1, 40), "INT16", 0.5), keep_dims=False)
    assert scratch_in(data) == (160, 16, 8)


def test_a_float_mean_needs_no_sums():
    axis = T((1,), "INT32", data=np.array([1], np.int32))
    data = single_op("MEAN", [T((1, 6, 40), "FLOAT32"), axis], T((1, 40), "FLOAT32"), keep_dims=False)
    assert scratch_in(data) == (12, 4)


def test_a_scalar_axis_counts_as_one():
    axis = T((), "INT32", data=np.array(1, np.int32))
    data = single_op("MEAN", [T((1, 6, 40), "INT8", 0.5), axis], T((1, 40), "INT8", 0.5), keep_dims=False)
    assert scratch_in(data) == (160, 12, 4)


@pytest.mark.parametrize(("kind", "dtype"), [("REDUCE_MAX", "INT8"), ("REDUCE_MIN", "FLOAT32"), ("REDUCE_ALL", "BOOL")])
def test_minimum_maximum_and_all_ask_for_indices_and_axes_only(kind, dtype):
    data = one_op(
        kind, [Operand((1, 6, 40), dtype, quantized=dtype == "INT8"), constant((1,), "INT32")],
        Operand((6, 40), dtype, quantized=dtype == "INT8"), "ReducerOptions",
    )  # fmt: skip
    assert scratch_in(data) == (12, 4)


# ---- weights -------------------------------------------------------------------------------------------------------


def transpose_conv(dtype, bias=None):
    weights = constant((8, 2, 2, 4), "FLOAT32" if dtype == "FLOAT32" else "INT8", quantized=True)
    operands = [constant((4,), "INT32"), weights, Operand((1, 5, 5, 4), dtype, quantized=True)]
    output = Operand((1, 10, 10, 8), dtype, quantized=True)
    return one_op(
        "TRANSPOSE_CONV", operands + ([bias] if bias else []), output, "TransposeConvOptions", strideW=2, strideH=2
    )


@pytest.mark.parametrize(("dtype", "scratch"), [("INT8", (3200,)), ("INT16", (6400,)), ("FLOAT32", ())])
def test_a_transposed_convolution_asks_for_an_accumulator_per_output_element(dtype, scratch):
    assert scratch_in(transpose_conv(dtype)) == scratch


def test_a_16_bit_bias_of_a_transposed_convolution_is_widened():
    assert scratch_in(transpose_conv("INT16", constant((8,), "INT16", quantized=True))) == (6400, 64)


@pytest.mark.parametrize(
    ("kind", "weights", "data", "output", "table"),
    [
        ("FULLY_CONNECTED", (10, 60), (1, 60), (1, 10), "FullyConnectedOptions"),
        ("CONV_2D", (6, 3, 3, 4), (1, 3, 3, 4), (1, 1, 1, 6), "Conv2DOptions"),
        ("DEPTHWISE_CONV_2D", (1, 3, 3, 40), (1, 3, 3, 40), (1, 1, 1, 40), "DepthwiseConv2DOptions"),
    ],
)
def test_four_bit_weights_are_unpacked_to_a_byte_each(kind, weights, data, output, table):
    strides = {} if kind == "FULLY_CONNECTED" else {"strideW": 1, "strideH": 1, "padding": 1}
    more = {"depthMultiplier": 1} if kind == "DEPTHWISE_CONV_2D" else {}
    count = int(np.prod(weights))
    four_bit = constant(weights, "INT4", count // 2, quantized=True)
    data, output = Operand(data, "INT8", quantized=True), Operand(output, "INT8", quantized=True)
    assert scratch_in(one_op(kind, [data, four_bit], output, table, **strides, **more)) == (count,)
    eight_bit = constant(weights, "INT8", quantized=True)
    assert scratch_in(one_op(kind, [data, eight_bit], output, table, **strides, **more)) == ()


# ---- the rest ------------------------------------------------------------------------------------------------------


def test_a_float_svdf_asks_for_a_value_per_filter():
    operands = [Operand((1, 6)), constant((8, 6)), constant((8, 10)), constant((4,)), variable((1, 80))]
    data = one_op("SVDF", operands, Operand((1, 4)), "SVDFOptions", rank=2)
    assert scratch_in(data) == (32,)


def test_an_int8_svdf_asks_for_a_value_per_unit_too():
    q = {"quantized": True}
    # The bias's scale is the state's times the time weights': the helper gives both 0.5, so it is made 0.25 here.
    operands = [
        Operand((1, 6), "INT8", **q), constant((8, 6), "INT8", **q), constant((8, 10), "INT16", **q),
        constant((4,), "INT32", **q), variable((1, 80), "INT16", **q),
    ]  # fmt: skip
    tree = schema.unpack(one_op("SVDF", operands, Operand((1, 4), "INT8", **q), "SVDFOptions", rank=2))
    tree.subgraphs[0].tensors[3].quantization.scale = np.array([0.25], np.float32)
    assert scratch_in(schema.pack(tree)) == (32, 16)


@pytest.mark.parametrize("time_major", [False, True])
def test_an_lstm_asks_for_four_gates_of_its_state(time_major):
    batch, steps, features, state = 2, 3, 5, 7
    shape = (steps, batch) if time_major else (batch, steps)
    operands = [
        Operand((*shape, features)),
        *[constant((state, features))] * 4, *[constant((state, state))] * 4,
        None, None, None, *[constant((state,))] * 4, None, None,
        variable((batch, state)), variable((batch, state)), None, None, None, None,
    ]  # fmt: skip
    data = one_op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", operands, Operand((*shape, state)),
        "UnidirectionalSequenceLSTMOptions", fusedActivationFunction=4, timeMajor=time_major,
    )  # fmt: skip
    assert scratch_in(data) == (batch * state * 4,) * 4


def test_add_n_asks_for_a_pointer_to_each_input():
    assert scratch_in(one_op("ADD_N", [Operand((1, 4))] * 5, Operand((1, 4)))) == (40,)


def test_mirror_pad_asks_for_the_span_of_each_axis():
    data = one_op("MIRROR_PAD", [Operand((4, 5, 6)), constant((3, 2), "INT32")], Operand((4, 5, 6)), "MirrorPadOptions")
    assert scratch_in(data) == (12, 12)


@needs_corpus
def test_detection_postprocessing_takes_its_sizes_from_its_option_bytes():
    model = read_model(CORPUS / "odd" / "mlonmcu_detpost.tflite")
    op = model.graph.operators[0]
    assert not scratch_is_known(op.kind)
    assert scratch_bytes(model.graph, op) == ()
    boxes, detections, classes, scores = 1917, 10, 90, 91
    assert scratch_of(model)(model.graph, op) == (
        boxes, 16 * boxes, 4 * boxes * scores, 4 * boxes, 4 * boxes, 4 * boxes * detections, 4 * boxes * detections,
        4 * boxes, 4 * boxes * detections, 4 * boxes * classes, 4 * boxes * detections,
    )  # fmt: skip
    assert predicted_head_bytes(model) == run_in_tflm(model.original, []).head_bytes


@pytest.mark.parametrize("option_bytes", [b"", b"\0", b"not a flexbuffer", bytes(40), b"\xff" * 40])
def test_detection_option_bytes_that_make_no_sense_are_unknown(option_bytes):
    shapes = [(1, 9, 4), (1, 9, 3), (9, 4), (1, 5, 4)]
    tensors = tuple(Tensor(i, "", shape, "FLOAT32") for i, shape in enumerate(shapes))
    op = Operator(0, "CUSTOM:TFLite_Detection_PostProcess", (0, 1, 2), (3,))
    assert detection_scratch_bytes(Graph("g", tensors, (op,), (0, 1), (3,)), op, option_bytes) is None


NONE_ASKED = {
    "ABS": one_op("ABS", [Operand((1, 4))], Operand((1, 4))),
    "ARG_MAX": one_op("ARG_MAX", [Operand((1, 4)), constant((1,), "INT32")], Operand((4,), "INT32"), "ArgMaxOptions"),
    "BATCH_MATMUL": one_op("BATCH_MATMUL", [Operand((2, 3, 4)), Operand((2, 4, 5))], Operand((2, 3, 5)), "BatchMatMulOptions"),
    "CUMSUM": one_op("CUMSUM", [Operand((1, 4)), constant((), "INT32", 4)], Operand((1, 4)), "CumsumOptions"),
    "ELU": one_op("ELU", [Operand((1, 4), "INT8", quantized=True)], Operand((1, 4), "INT8", quantized=True)),
    "LOG_SOFTMAX": one_op("LOG_SOFTMAX", [Operand((1, 40))], Operand((1, 40))),
    "PRELU": one_op("PRELU", [Operand((1, 4, 4, 2)), constant((1, 1, 2))], Operand((1, 4, 4, 2))),
    "RESIZE_BILINEAR": one_op(
        "RESIZE_BILINEAR",
        [Operand((1, 4, 4, 2)), constant((2,), "INT32")],
        Operand((1, 8, 8, 2)),
        "ResizeBilinearOptions",
    ),
    "RESIZE_NEAREST_NEIGHBOR": one_op(
        "RESIZE_NEAREST_NEIGHBOR",
        [Operand((1, 4, 4, 2)), constant((2,), "INT32")],
        Operand((1, 8, 8, 2)),
        "ResizeNearestNeighborOptions",
    ),
    "SOFTMAX": single_op("SOFTMAX", [T((1, 40), "INT16", 0.001)], T((1, 40), "INT16", 1 / 32768), beta=1.0),
    "SPLIT": one_op("SPLIT", [constant((), "INT32", 4), Operand((1, 40))], Operand((1, 40)), "SplitOptions", numSplits=1),
    "SQUARED_DIFFERENCE": one_op("SQUARED_DIFFERENCE", [Operand((1, 40)), Operand((1, 40))], Operand((1, 40))),
    "TRANSPOSE": one_op("TRANSPOSE", [Operand((4, 4)), constant((2,), "INT32")], Operand((4, 4)), "TransposeOptions"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NONE_ASKED)
def test_most_kinds_ask_for_nothing(kind):
    assert scratch_in(NONE_ASKED[kind]) == ()


def test_kinds_the_wheel_does_not_run_are_unknown():
    assert not any(map(scratch_is_known, ("TILE", "LSTM", "REVERSE_SEQUENCE", "CUSTOM:mine", "CUSTOM:SignalRfft")))


def test_an_operator_that_lacks_operands_asks_for_nothing():
    tensors = (Tensor(0, "", (1, 4), "INT8"), Tensor(1, "", (1, 4), "INT8"))
    for op in (Operator(0, "MEAN", (0,), (1,)), Operator(0, "MEAN", (0, ABSENT), (1,)), Operator(0, "SVDF", (), ())):
        assert scratch_bytes(Graph("g", tensors, (op,), (0,), (1,)), op) == ()
