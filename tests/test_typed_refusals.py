"""int16 and float32: what stays stock and why, what executors refuse, and what compilers must not fuse."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_programs import unchecked
from split_stages import planned
from test_runtime_refusals import drive
from tiny_models import T, single_op
from typed_models import TypedBuilder

from tflm_split import kinds
from tflm_split.errors import ProgramError, Refusal
from tflm_split.kinds import OpKind
from tflm_split.native.build import executor_sources, host_library
from tflm_split.program.check import check_program
from tflm_split.program.decode import decode
from tflm_split.program.format import HEADER, OP
from tflm_split.program.types import Program
from tflm_split.split.operators import split_operator
from tflm_split.split.overlap import overlap_distance
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import RowShape, Window
from tflm_split.tflite.reader import read_model

NO_PAD = {"stride_h": 1, "stride_w": 1, "padding": "VALID"}


def refusal(model: bytes) -> tuple[str, str]:
    graph = read_model(model).graph
    with pytest.raises(Refusal) as refused:
        split_operator(graph, graph.operators[-1])
    return refused.value.kind, refused.value.reason


def wide(*shape: int, scale: float | None = 0.001, zero_point: int = 0, dtype: str = "INT16") -> T:
    return T(shape, dtype, scale, zero_point)


def weights(*shape: int, scale: float = 0.01) -> T:
    return T(shape, "INT8", scale, data=np.ones(shape, np.int8))


def bias(count: int, dtype: str) -> T:
    return T((count,), dtype, 1e-5, data=np.ones(count, {"INT32": np.int32, "INT64": np.int64}[dtype]))


# What stays a stock operator.


@pytest.mark.parametrize("which", [0, 1])
def test_an_int16_zero_point_is_refused(which: int) -> None:
    points = [3 if k == which else 0 for k in range(2)]
    model = single_op(
        "CONV_2D", [wide(1, 4, 4, 2, zero_point=points[0]), weights(3, 1, 1, 2)], wide(1, 4, 4, 3, zero_point=points[1]),
        padding="SAME",
    )  # fmt: skip
    assert refusal(model) == ("quantization", f"tensor 't{2 * which}' is int16 with a zero point of 3")


def test_an_int64_sum_shifted_further_than_tflm_can_is_refused() -> None:
    operands = [wide(1, 4, 4, 2, scale=1.0), weights(3, 1, 1, 2, scale=1.0)]
    kind, reason = refusal(single_op("CONV_2D", operands, wide(1, 4, 4, 3, scale=0.001), padding="SAME"))
    assert (kind, reason) == ("quantization", "its scales give a left shift of 10, and TFLM needs at most 7")


def test_an_int32_sum_may_be_shifted_further() -> None:
    operands = [wide(1, 4, 4, 2, scale=1.0), weights(3, 1, 1, 2, scale=1.0), bias(3, "INT32")]
    graph = read_model(single_op("CONV_2D", operands, wide(1, 4, 4, 3, scale=0.001), padding="SAME")).graph
    (op,) = split_operator(graph, graph.operators[0])
    assert op.kind is OpKind.CONV_INT16


def test_an_int32_bias_of_a_depthwise_convolution_is_refused() -> None:
    operands = [wide(1, 4, 4, 2), weights(1, 3, 3, 2), bias(2, "INT32")]
    kind, reason = refusal(single_op("DEPTHWISE_CONV_2D", operands, wide(1, 4, 4, 2), padding="SAME"))
    assert (kind, "INT64" in reason) == ("dtype", True)


def test_float_weights_for_int16_and_int8_weights_for_float_are_refused() -> None:
    floats = T((3, 1, 1, 2), "FLOAT32", data=np.ones((3, 1, 1, 2), np.float32))
    assert refusal(single_op("CONV_2D", [wide(1, 4, 4, 2), floats], wide(1, 4, 4, 3), padding="SAME"))[0] == "dtype"
    hybrid = [T((1, 4, 4, 2), "FLOAT32"), weights(3, 1, 1, 2)]
    assert refusal(single_op("CONV_2D", hybrid, T((1, 4, 4, 3), "FLOAT32"), padding="SAME"))[0] == "dtype"


def test_float16_weights_are_refused() -> None:
    b = TypedBuilder("FLOAT32", (1, 4, 4, 2))
    model = b.finish(b.conv(b.input, 3, (1, 1)))
    graph = read_model(model).graph
    assert split_operator(graph, graph.operators[0])[0].kind is OpKind.CONV_FLOAT
    computed = [T((1, 4, 4, 2), "FLOAT32"), T((3, 1, 1, 2), "FLOAT32")]  # as a DEQUANTIZE of float16 would leave them
    kind, reason = refusal(single_op("CONV_2D", computed, T((1, 4, 4, 3), "FLOAT32"), padding="SAME"))
    assert (kind, reason) == ("constant", "its input 1 is computed at run time, needs a constant")


@pytest.mark.parametrize("kind", ["AVERAGE_POOL_2D", "MAX_POOL_2D"])
def test_a_pool_over_more_pixels_than_int32_can_sum_is_refused(kind: str) -> None:
    options: dict[str, Any] = {"filter_height": 257, "filter_width": 128, **NO_PAD}
    model = single_op(kind, [wide(1, 257, 128, 1)], wide(1, 1, 1, 1), **options)
    assert refusal(model)[0] in ("overflow", "geometry")


def test_a_softmax_of_another_output_scale_is_refused() -> None:
    model = single_op("SOFTMAX", [wide(1, 10)], wide(1, 10, scale=1 / 256))
    assert refusal(model) == ("quantization", "its output is not quantised with scale 1/32768 and zero point 0")


def test_a_relu6_beyond_int16_is_refused() -> None:
    assert refusal(single_op("RELU6", [wide(1, 4, scale=1e-4)], wide(1, 4, scale=1e-4)))[0] == "quantization"


@pytest.mark.parametrize("dtype", ["INT16", "FLOAT32"])
def test_padding_with_anything_but_zero_is_refused(dtype: str) -> None:
    number = np.int16 if dtype == "INT16" else np.float32
    scale = 0.001 if dtype == "INT16" else None
    operands = [
        T((1, 4, 4, 2), dtype, scale),
        T((4, 2), "INT32", data=np.array([[0, 0], [1, 1], [0, 0], [0, 0]], np.int32)),
        T((1,), dtype, scale, data=np.array([1], number)),
    ]
    assert refusal(single_op("PADV2", operands, T((1, 6, 4, 2), dtype, scale)))[0] == "padding"


# In place: distances are bytes.


@pytest.mark.parametrize(("kind", "size"), [(OpKind.CONV, 1), (OpKind.CONV_INT16, 2), (OpKind.CONV_FLOAT, 4)])
def test_an_output_row_starts_below_its_input_by_pixels_of_bytes(kind: OpKind, size: int) -> None:
    params = {"kernel_columns": 3, "stride_columns": 1, "pad_columns": 1, "groups": 1}
    shape = RowShape(9, 10, 8, size)
    op = RowOp(0, kind, (Read(0, shape, Window()),), 1, shape, params)
    assert overlap_distance(op, op.reads[0], 4) == 16 * size  # pixel x lies two pixels below the first it still reads


@pytest.mark.parametrize("kind", [OpKind.DEPTHWISE_INT16, OpKind.POOL_INT16, OpKind.DEPTHWISE_FLOAT, OpKind.POOL_FLOAT])
def test_a_channel_wise_row_of_one_column_may_take_its_inputs_address(kind: OpKind) -> None:
    params = {"kernel_columns": 1, "stride_columns": 1, "pad_columns": 0, "groups": 1}
    shape = RowShape(9, 1, 40, 4 if "FLOAT" in kind.name else 2)
    op = RowOp(0, kind, (Read(0, shape, Window()),), 1, shape, params)
    assert overlap_distance(op, op.reads[0], 4) == 0


# What no executor runs.


def typed_program(dtype: str) -> Program:
    """One program with an op of every kind of the type."""
    b = TypedBuilder(dtype, (1, 8, 6, 4), 2)
    x = b.conv(b.conv(b.input, 4), 4, depthwise=True)
    y = b.binary("ADD", b.pool(x, (1, 1)), b.unary("LEAKY_RELU", x, alpha=0.1))
    if dtype == "INT16":
        y = b.transposed(y, 4, stride=(1, 1))
    fed = b.dense(b.conv(y, 2), 5)
    mean = b.mean(y)
    mean = b.unary("LOGISTIC", mean)
    outputs = (fed, b.softmax(mean))
    (region,) = planned(read_model(b.finish(*outputs)).graph).regions
    return region.program


PROGRAMS = {dtype: typed_program(dtype) for dtype in ("INT16", "FLOAT32")}
KINDS = {kind: program for program in PROGRAMS.values() for kind in {op.kind for op in program.ops}}


def prepared(blob: bytes) -> int:
    library = ctypes.CDLL(str(host_library()))
    held = ctypes.create_string_buffer(len(blob) + 16)
    start = ctypes.addressof(held) + -ctypes.addressof(held) % 16
    ctypes.memmove(start, blob, len(blob))
    return int(library.split_nn_prepare(ctypes.c_void_p(start), ctypes.c_size_t(len(blob))))


def with_params(kind: OpKind, **fields: int | float) -> bytes:
    """The type's program, encoded, with parameters of its first op of `kind` overwritten in place."""
    program = KINDS[kind]
    blob = bytearray(unchecked(program))
    k = next(i for i, op in enumerate(program.ops) if op.kind is kind)
    record = OP.unpack(blob, int(HEADER.unpack(blob, 0)["ops_offset"]) + k * OP.size_bytes)
    layout, at = kinds.of(kind).record, int(record["params_offset"])
    blob[at : at + layout.size_bytes] = layout.pack(**(layout.unpack(bytes(blob), at) | fields))
    return bytes(blob)


def test_the_programs_hold_every_kind_of_their_types() -> None:
    typed = {kind for kind in OpKind if kind.name.endswith(("_INT16", "_FLOAT"))}
    # The first stands between types. The second keeps a state: tests/test_lstm.py and the samples have its programs.
    assert typed - {OpKind.QUANTIZE_FLOAT, OpKind.LSTM_INT16} <= KINDS.keys()
    for program in PROGRAMS.values():
        assert prepared(unchecked(program)) == 0


WINDOW = (OpKind.CONV_INT16, OpKind.DEPTHWISE_INT16, OpKind.POOL_INT16, OpKind.CONV_FLOAT, OpKind.POOL_FLOAT)
HOSTILE: list[tuple[tuple[OpKind, ...], dict[str, int | float]]] = [
    (WINDOW, {"kernel_rows": 0}),
    (WINDOW, {"kernel_rows": 33}),
    (WINDOW, {"stride_columns": 0}),
    (WINDOW, {"dilation_rows": 0}),
    ((OpKind.CONV_INT16, OpKind.DEPTHWISE_INT16, OpKind.CONV_FLOAT, OpKind.DEPTHWISE_FLOAT), {"groups": 0}),
    ((OpKind.CONV_INT16, OpKind.DEPTHWISE_INT16, OpKind.CONV_FLOAT, OpKind.DEPTHWISE_FLOAT), {"groups": 3}),
    ((OpKind.CONV_INT16, OpKind.DENSE_FEED_INT16), {"flags": 4}),
    ((OpKind.CONV_FLOAT,), {"flags": 1}),
    ((OpKind.CONV_INT16, OpKind.DENSE_FEED_INT16, OpKind.CONV_FLOAT), {"weights_offset": 0}),
    ((OpKind.CONV_INT16, OpKind.DENSE_FEED_INT16, OpKind.DENSE_FEED_FLOAT), {"bias_offset": 0x7FFFFFF0}),
    ((OpKind.CONV_INT16, OpKind.DENSE_FEED_INT16), {"multipliers_offset": 2}),
    ((OpKind.CONV_INT16, OpKind.POOL_INT16, OpKind.SUM_FEED_INT16), {"output_max": 32768}),
    ((OpKind.CONV_INT16, OpKind.BINARY_INT16, OpKind.UNARY_INT16), {"output_min": 100, "output_max": 99}),
    ((OpKind.POOL_INT16, OpKind.POOL_FLOAT), {"mode": 2}),
    ((OpKind.BINARY_INT16, OpKind.BINARY_FLOAT), {"mode": 3}),
    ((OpKind.UNARY_INT16, OpKind.LIBRARY_FLOAT), {"mode": 5}),
    ((OpKind.UNARY_FLOAT,), {"mode": 6}),
    ((OpKind.LIBRARY_FLOAT,), {"mode": 9}),
    ((OpKind.SOFTMAX_FLOAT,), {"beta": float("nan")}),
    ((OpKind.UNARY_INT16,), {"mode": 1}),
    ((OpKind.UNARY_INT16,), {"mode": 2}),
    ((OpKind.UNARY_FLOAT,), {"mode": 0}),
    ((OpKind.BINARY_INT16,), {"left_shift": 16}),
    ((OpKind.BINARY_INT16,), {"shift1": 31}),
    ((OpKind.BINARY_INT16,), {"output_shift": -32}),
    ((OpKind.UNARY_INT16,), {"negative_shift": 31}),
    ((OpKind.UNARY_INT16,), {"input_zero_point": 32768}),
    ((OpKind.UNARY_INT16,), {"scale": 0.0}),
    ((OpKind.UNARY_INT16,), {"scale": float("nan")}),
    ((OpKind.SOFTMAX_INT16,), {"shift": 31}),
    ((OpKind.SOFTMAX_INT16,), {"exps_table_offset": 0x7FFFFFF0}),
    ((OpKind.SOFTMAX_INT16,), {"reciprocals_table_offset": 1}),
    ((OpKind.SUM_FEED_INT16,), {"count": 0}),
    ((OpKind.SUM_FEED_INT16,), {"mode": 7}),
    ((OpKind.SUM_FEED_FLOAT,), {"count": 0.0}),
    ((OpKind.SUM_FEED_FLOAT,), {"count": float("nan")}),
    ((OpKind.CONV_FLOAT, OpKind.POOL_FLOAT, OpKind.SUM_FEED_FLOAT), {"output_min": 2.0, "output_max": 1.0}),
    ((OpKind.BINARY_FLOAT, OpKind.DENSE_FEED_FLOAT), {"output_max": float("nan")}),
    ((OpKind.UNARY_FLOAT,), {"slope": float("nan")}),
]


@pytest.mark.parametrize(("kind", "fields"), [(kind, fields) for kinds, fields in HOSTILE for kind in kinds])
def test_parameters_out_of_range_are_refused_by_both_checkers(kind: OpKind, fields: dict[str, int | float]) -> None:
    blob = with_params(kind, **fields)
    assert prepared(blob) != 0
    with pytest.raises(ProgramError):
        decode(blob)


def test_a_shift_an_int64_cannot_take_is_refused_by_both_checkers() -> None:
    """The shifts lie in the constants, so the constant itself is changed."""
    program = PROGRAMS["INT16"]
    op = next(op for op in program.ops if op.kind is OpKind.CONV_INT16)
    at = int(op.params["shifts_offset"])
    constants = list(program.constants)
    constants[at] = bytes([8]) * len(constants[at])
    blob = unchecked(program).replace(program.constants[at], constants[at])
    assert prepared(blob) != 0
    with pytest.raises(ProgramError, match="a shift is 8, and 7 is the most"):
        check_program(Program(*(getattr(program, f) if f != "constants" else tuple(constants) for f in FIELDS)))


FIELDS = tuple(Program.__dataclass_fields__)


# What compilers fuse, and what they may not.

FUSED = ("vfma", "vfms", "vfnma", "vfnms", "vmla.f", "vmls.f", "fmadd", "fmsub", "fmla", "fmls")
FUSING = pytest.mark.parametrize(
    "command",
    [
        "arm-none-eabi-gcc -mcpu=cortex-m7 -mthumb -mfloat-abi=hard -mfpu=fpv5-sp-d16 -std=gnu11 -O3",
        "arm-none-eabi-gcc -mcpu=cortex-m55 -mthumb -mfloat-abi=hard -std=c99 -O2",
        "gcc -march=haswell -std=gnu11 -O3 -ffp-contract=fast",
        "clang -march=haswell -std=gnu11 -O3 -ffp-contract=on",
    ],
)
"""Compilers for cores that can fuse."""


def fusing(command: str, folder: Path) -> set[str]:
    """The float kernels in whose code there is a fused multiply-add. Skips the test where the compiler is not installed."""
    compiler, *flags = command.split()
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    sources = [path for path in executor_sources() if path.name.endswith("_float.c") and "ops" not in path.parts]
    assert {"conv_float.c", "pool_float.c", "element_float.c"} <= {path.name for path in sources}
    found = set()
    for source in sources:
        listing = folder / f"{source.stem}.s"
        subprocess.run([compiler, *flags, "-S", str(source), "-o", str(listing)], check=True)
        if any(word in listing.read_text() for word in FUSED):
            found.add(source.name)
    return found


@FUSING
def test_sums_of_products_are_fused_like_those_of_tflm_in_the_same_build(command: str, tmp_path: Path) -> None:
    """TFLM's kernels are C++, where GCC and clang fuse whatever the standard; flags for C do not change ours."""
    assert fusing(command, tmp_path) == {"conv_float.c", "feed_float.c"}


@FUSING
def test_strict_float_kernels_have_no_fused_multiply_add(command: str, tmp_path: Path) -> None:
    """A fused multiply-add rounds once where the wheel's reference rounds twice."""
    assert fusing(f"{command} -DSPLIT_NN_STRICT_FLOAT", tmp_path) == set()


# What no bytes make the executor do.


def test_no_mutation_of_a_typed_program_makes_the_executor_misbehave(tmp_path: Path) -> None:
    """Records with extreme and random values, constants with random ones, under both sanitizers."""
    rng = np.random.default_rng(13)
    mutated = []
    for program in PROGRAMS.values():
        blob = unchecked(program)
        header = HEADER.unpack(blob, 0)
        start, constants = int(header["views_offset"]), int(header["constants_offset"])
        for k in range(3000):
            copy = bytearray(blob)
            if k % 3 == 0:  # sums as large as they get
                extremes = np.array([0x7F, 0x80, 0xFF, 0x00], np.uint8)
                copy[constants:] = rng.choice(extremes, len(blob) - constants).tobytes()
            for _ in range(int(rng.integers(1, 4))):
                at = int(rng.integers(start, constants))
                copy[at] = int(rng.choice([0, 1, 2, 0x7F, 0x80, 0xFF, int(rng.integers(0, 256))]))
            mutated.append(bytes(copy))
    statuses = drive(tmp_path, mutated)
    assert statuses.count(0) > 400
