"""The operator in the unmodified `tflite-micro` wheel. It runs where TFLM follows its plan, and refuses elsewhere."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import flatbuffers  # type: ignore[import-untyped]  # ships no type information
import numpy as np
import pytest
from runtime_scene import Array, Image, Scene, execute, library

from tflm_split.arithmetic.softmax import softmax_parameters
from tflm_split.kinds import MeanMode, OpKind, WeightFlags
from tflm_split.program.encode import encode
from tflm_split.program.types import Io, Op, Program, Step

runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
schema = pytest.importorskip("tflite_micro.tensorflow.lite.micro.python.schema_py_generated")

Tensor = tuple[tuple[int, ...], int, bytes | None, tuple[float, int] | None]
"""(shape, schema type, constant bytes, (scale, zero point)) of a tensor."""
INT8 = schema.TensorType.INT8
FLOAT32 = schema.TensorType.FLOAT32


def model(
    tensors: list[Tensor], inputs: list[int], outputs: list[int], operator: Any, code: Any, offsets: list[int] | None
) -> bytes:
    """A .tflite file with one operator; `offsets` become its OfflineMemoryAllocation metadata."""
    buffers = [schema.BufferT()]

    def buffer(data: bytes) -> int:
        buffers.append(schema.BufferT())
        buffers[-1].data = np.frombuffer(data, np.uint8)
        return len(buffers) - 1

    subgraph = schema.SubGraphT()
    subgraph.tensors = []
    for shape, dtype, data, quantization in tensors:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = np.array(shape, np.int32), dtype, 0 if data is None else buffer(data)
        if quantization is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.array([quantization[0]], np.float32)
            tensor.quantization.zeroPoint = np.array([quantization[1]], np.int64)
        subgraph.tensors.append(tensor)
    subgraph.inputs, subgraph.outputs = inputs, outputs
    subgraph.operators = [operator]
    built = schema.ModelT()
    built.version, built.subgraphs, built.operatorCodes, built.buffers = 3, [subgraph], [code], buffers
    if offsets is not None:
        metadata = schema.MetadataT()
        metadata.name = b"OfflineMemoryAllocation"
        metadata.buffer = buffer(np.array([1, 1, len(offsets), *offsets], np.int32).tobytes())
        built.metadata = [metadata]
    builder = flatbuffers.Builder(1024)
    builder.Finish(built.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def split_model(
    program: Program, *, planned: bool = True, blob: bytes | None = None, workspace_bytes: int = 0
) -> bytes:
    """A model that is one TFLM_SPLIT operator with the program's inputs and outputs."""
    blob = encode(program) if blob is None else blob
    size = workspace_bytes or program.workspace_bytes
    count = len(program.inputs) + 1
    tensors: list[Tensor] = [((io.bytes,), INT8, None, None) for io in program.inputs]
    tensors += [((len(blob),), INT8, blob, None)]
    tensors += [((io.bytes,), INT8, None, None) for io in program.outputs]
    tensors += [((size,), INT8, None, None)]
    offsets = [io.address for io in program.inputs] + [-1] + [io.address for io in program.outputs] + [0]
    operator, code = schema.OperatorT(), schema.OperatorCodeT()
    operator.opcodeIndex, operator.inputs = 0, list(range(count))
    operator.outputs = list(range(count, len(tensors)))
    code.customCode, code.version = b"TFLM_SPLIT", 1
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    last = len(tensors) - 1
    return model(
        tensors, list(range(count - 1)), list(range(count, last)), operator, code, offsets if planned else None
    )


def small_network() -> tuple[Program, Callable[[Array], bytes]]:
    """8x6x2 -> convolution 3x3 to 5 channels -> maximum of 2x2 -> mean, with rings of 3 rows and of 1 in the middle.

    Also a function that gives the executor's output for an input, without TFLM.
    """
    rng = np.random.default_rng(5)
    scene = Scene(rng)
    source = scene.image((8, 6, 2))
    middle = scene.image((8, 6, 5))
    pooled = scene.image((4, 3, 5))
    sums, output = scene.image((1, 1, 5), dtype="int32"), scene.image((1, 1, 5))
    for image, ring in ((middle, 3), (pooled, 1)):
        storage = scene.storages[scene.views[image.view].storage]
        rows = tuple(storage.addresses[r % ring] for r in range(storage.row_count))
        scene.storages[scene.views[image.view].storage] = replace(storage, addresses=rows)

    def window(kernel: int, stride: int, pad: int) -> dict[str, int | float]:
        sizes = {"kernel": kernel, "stride": stride, "dilation": 1, "pad": pad}
        return {f"{name}_{axis}": value for name, value in sizes.items() for axis in ("rows", "columns")}

    limits: dict[str, int | float] = {"output_min": -128, "output_max": 127}
    weights = rng.integers(-128, 128, (5, 3, 3, 2), dtype=np.int8)
    convolution = {
        **window(3, 1, 1),
        **limits,
        "input_zero_point": -3,
        "output_zero_point": 4,
        "bias_offset": scene.constant(rng.integers(-500, 500, 5, dtype=np.int32)),
        "multipliers_offset": scene.constant(np.array([1_500_000_000], np.int32)),
        "shifts_offset": scene.constant(np.array([-8], np.int8)),
        "weights_offset": scene.constant(weights),
        "groups": 1,
        "flags": int(not WeightFlags.PER_CHANNEL),
    }
    mean = {"mode": int(MeanMode.AVERAGE_POOL), "count": 12, "bias": 0, "multiplier": 0, "shift": 0}
    ops = [
        Op(OpKind.CONV, middle.view, source.view, convolution),
        Op(OpKind.MAX_POOL, pooled.view, middle.view, {**window(2, 2, 0), **limits}),
        Op(OpKind.SUM_FEED, output.view, pooled.view, {**mean, "output_zero_point": 0, **limits}, None, sums.view),
    ]
    steps = [Step(op, row) for r in range(4) for op, row in ((0, 2 * r), (0, 2 * r + 1), (1, r), (2, r))]
    planned = scene.program(ops, steps)

    def io(image: Image) -> Io:
        return Io(int(image.places.min()), image.places.size)

    program = replace(planned, inputs=(io(source),), outputs=(io(output),))

    def direct(x: Array) -> bytes:
        memory = np.zeros(program.workspace_bytes, np.int8)
        memory[program.inputs[0].address :][: x.size] = x
        after = execute(encode(program), memory.tobytes())
        address = program.outputs[0].address
        return after[address : address + program.outputs[0].bytes]

    return program, direct


def interpreter(data: bytes) -> Any:
    library()
    return runtime.Interpreter.from_bytes(data, custom_op_registerers=["TFLM_SPLIT"], arena_size=1 << 16)


def test_a_program_runs_in_tflm() -> None:
    program, direct = small_network()
    loaded = interpreter(split_model(program))
    rng = np.random.default_rng(6)
    seen = set()
    for _ in range(20):
        x = rng.integers(-128, 128, program.inputs[0].bytes, dtype=np.int8)
        loaded.set_input(x, 0)
        loaded.invoke()
        seen.add(loaded.get_output(0).tobytes())
        assert loaded.get_output(0).tobytes() == direct(x)
    assert len(seen) == 20


def test_a_model_without_its_plan_fails_in_invoke(capfd: pytest.CaptureFixture[str]) -> None:
    program, _ = small_network()
    loaded = interpreter(split_model(program, planned=False))
    loaded.set_input(np.zeros(program.inputs[0].bytes, np.int8), 0)
    with pytest.raises(RuntimeError):
        loaded.invoke()
    assert (
        "TFLM_SPLIT: an input or output does not lie in the workspace where the program expects"
        in capfd.readouterr().err
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda blob: b"XSPL" + blob[4:], "this is not a TFLM_SPLIT program"),
        (lambda blob: blob[:-8], "the program is shorter than it says"),
        (lambda blob: blob[:40] + b"\xff\xff\xff\xff" + blob[44:], "the program's header names tables outside"),
    ],
)
def test_a_spoilt_program_fails_when_tensors_are_allocated(
    spoil: Callable[[bytes], bytes], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    program, _ = small_network()
    with pytest.raises(RuntimeError):
        interpreter(split_model(program, blob=spoil(encode(program))))
    assert f"TFLM_SPLIT: {message}" in capfd.readouterr().err


def test_tensors_of_another_size_than_in_the_program_are_refused(capfd: pytest.CaptureFixture[str]) -> None:
    program, _ = small_network()
    with pytest.raises(RuntimeError):
        interpreter(split_model(program, workspace_bytes=program.workspace_bytes - 4))
    assert "the last output must be the workspace" in capfd.readouterr().err
    other = replace(program, inputs=(Io(program.inputs[0].address, 95),))
    with pytest.raises(RuntimeError):
        interpreter(split_model(other, blob=encode(program)))
    assert "an input or output tensor has another size than in the program" in capfd.readouterr().err
    with pytest.raises(RuntimeError):
        interpreter(split_model(replace(program, outputs=program.outputs * 2), blob=encode(program)))
    assert "the operator has other inputs or outputs than its program" in capfd.readouterr().err


def test_two_interpreters_may_hold_the_operator_at_once() -> None:
    program, direct = small_network()
    pair = [interpreter(split_model(program)) for _ in range(2)]
    x = np.arange(program.inputs[0].bytes, dtype=np.int8)
    for loaded in pair:
        loaded.set_input(x, 0)
        loaded.invoke()
        assert loaded.get_output(0).tobytes() == direct(x)


REGISTRATION_BYTES, CAPACITY = 56, 200


def resolver(vtable: int, count: int, *, invoke: int = 1, code: int = 32) -> Any:
    """The memory of an op resolver with `count` entries filled in."""
    memory = ctypes.create_string_buffer(8 + CAPACITY * REGISTRATION_BYTES + 8)
    ctypes.c_uint64.from_buffer(memory, 0).value = vtable
    for i in range(min(count, CAPACITY)):
        ctypes.c_uint64.from_buffer(memory, 8 + i * REGISTRATION_BYTES + 24).value = invoke
        ctypes.c_uint32.from_buffer(memory, 8 + i * REGISTRATION_BYTES + 40).value = code
    ctypes.c_uint32.from_buffer(memory, 8 + CAPACITY * REGISTRATION_BYTES).value = count
    return memory


def refusal(memory: Any) -> str:
    before = None if memory is None else memory.raw
    assert not library().TFLM_SPLIT(memory)
    assert memory is None or memory.raw == before
    return str(library().tflm_split_host_error().decode())


def test_an_unknown_resolver_is_left_alone() -> None:
    from tflite_micro.python.tflite_micro import _runtime  # type: ignore[import-untyped]  # likewise

    symbol = ctypes.c_char.in_dll(ctypes.CDLL(_runtime.__file__), "_ZTVN6tflite17PythonOpsResolverE")
    vtable = ctypes.addressof(symbol) + 16
    foreign = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value
    assert foreign is not None
    assert "library cannot be found" in refusal(None)
    assert "library cannot be found" in refusal(resolver(16, 1))
    assert "of another type" in refusal(resolver(foreign, 1))
    assert "of another type" in refusal(resolver(vtable + 8, 1))
    assert "has another layout" in refusal(resolver(vtable, 0))
    assert "has another layout" in refusal(resolver(vtable, CAPACITY + 1))
    assert "registrations have another layout" in refusal(resolver(vtable, 3, invoke=0))
    assert "registrations have another layout" in refusal(resolver(vtable, 3, code=100_000))
    assert "is full" in refusal(resolver(vtable, CAPACITY))
    assert library().TFLM_SPLIT(resolver(vtable, 3))
    assert library().tflm_split_host_error() == b""


def builtin(tensors: list[Tensor], kind: str, options: Any) -> Any:
    """An interpreter of a model with one builtin operator from tensor 0 to the last tensor."""
    operator, code = schema.OperatorT(), schema.OperatorCodeT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, list(range(len(tensors) - 1)), [len(tensors) - 1]
    if options is not None:
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
        operator.builtinOptions = options
    code.builtinCode = getattr(schema.BuiltinOperator, kind)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
    data = model(tensors, [0], [len(tensors) - 1], operator, code, None)
    return runtime.Interpreter.from_bytes(data, arena_size=1 << 20)


@pytest.mark.parametrize("scale", [0.0003, 0.011, 0.0625, 0.19, 0.9, 7.0])
@pytest.mark.parametrize("channels", [2, 10, 257])
def test_softmax_gives_the_bytes_of_tflm(scale: float, channels: int) -> None:
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    rows = 64
    shape = (rows, channels)
    tensors: list[Tensor] = [(shape, INT8, None, (scale, 3)), (shape, INT8, None, (1 / 256, -128))]
    stock = builtin(tensors, "SOFTMAX", options)
    rng = np.random.default_rng(channels)
    spread = rng.integers(1, 128, (rows, 1))
    x = np.clip(rng.normal(0, 1, shape) * spread, -128, 127).astype(np.int8)
    stock.set_input(x, 0)
    stock.invoke()
    scene = Scene(rng)
    source, output = scene.holding(x[None]), scene.image((1, rows, channels), gap=1)
    data, count = softmax_parameters(scale, 1.0)
    params = {"exps_offset": scene.constant(np.frombuffer(data, np.int32)), "exp_count": count}
    assert np.array_equal(scene.run(OpKind.SOFTMAX, params, output, source)[0], stock.get_output(0))


@pytest.mark.parametrize("scale", [0.007, 0.5, 1.0, 3.7])
def test_quantising_floats_gives_the_bytes_of_tflm(scale: float) -> None:
    rng = np.random.default_rng(9)
    exact = np.float32(scale)
    steps = np.arange(-270, 270, dtype=np.float32) * np.float32(0.5)
    x = np.concatenate([steps * exact, np.nextafter(steps * exact, np.float32(0)), rng.normal(0, 90 * scale, 1000)])
    x = x.astype(np.float32)
    stock = builtin([((x.size,), FLOAT32, None, None), ((x.size,), INT8, None, (scale, -7))], "QUANTIZE", None)
    stock.set_input(x, 0)
    stock.invoke()
    scene = Scene(rng)
    source, output = scene.holding(x[None, :, None]), scene.image((1, x.size, 1))
    params = {"scale": float(exact), "zero_point": -7, "output_min": -128, "output_max": 127}
    result = scene.run(OpKind.QUANTIZE_FLOAT, params, output, source)
    assert np.array_equal(result.ravel(), stock.get_output(0))
