"""Small .tflite models for tests.

`build_model` writes any list of tensors and operators; `single_op`, `conv_model`, ... write one operator; `Builder`
assembles small int8 networks with random weights whose activations do not all saturate: it runs the network in numpy
float as it grows and picks every scale from the values seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from numpy.typing import NDArray
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tflm_split.tflite import schema as tflite_schema

DTYPES: Mapping[str, Any] = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "INT8": np.int8,
    "INT4": np.int8,
    "UINT8": np.uint8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "BOOL": np.bool_,
}


@dataclass(frozen=True)
class T:
    """A tensor: constant if it has `data`. `scale`/`zero_point` are one number, or one per channel along `axis`."""

    shape: Sequence[int]
    dtype: str = "INT8"
    scale: float | Sequence[float] | None = None
    zero_point: int | Sequence[int] = 0
    data: NDArray[Any] | None = None
    name: str = ""
    axis: int = 0
    is_variable: bool = False


@dataclass(frozen=True)
class Op:
    """An operator, `CUSTOM:<code>` for a custom one; `options` by the schema's snake_case names, enums by name."""

    kind: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: Mapping[str, Any] = field(default_factory=dict)
    custom_options: bytes | None = None


_OPTIONS_TABLE = {
    "IF": "IfOptions",
    "WHILE": "WhileOptions",
    "CALL_ONCE": "CallOnceOptions",
    "VAR_HANDLE": "VarHandleOptions",
    "READ_VARIABLE": "ReadVariableOptions",
    "ASSIGN_VARIABLE": "AssignVariableOptions",
    "SVDF": "SVDFOptions",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTMOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "SOFTMAX": "SoftmaxOptions",
    "CONCATENATION": "ConcatenationOptions",
    "ADD": "AddOptions",
    "SUB": "SubOptions",
    "MUL": "MulOptions",
    "MEAN": "ReducerOptions",
    "SUM": "ReducerOptions",
    "RESHAPE": "ReshapeOptions",
    "SQUEEZE": "SqueezeOptions",
    "EXPAND_DIMS": "ExpandDimsOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "PAD": "PadOptions",
    "QUANTIZE": "QuantizeOptions",
    "DEQUANTIZE": "DequantizeOptions",
    "HARD_SWISH": "HardSwishOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SPLIT": "SplitOptions",
    "PACK": "PackOptions",
    "GATHER": "GatherOptions",
    "TRANSPOSE": "TransposeOptions",
    "REVERSE_V2": "ReverseV2Options",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "NEG": "NegOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "MAXIMUM": "MaximumMinimumOptions",
    "MINIMUM": "MaximumMinimumOptions",
    "ABS": "AbsOptions",
    "SQUARED_DIFFERENCE": "SquaredDifferenceOptions",
    "REDUCE_MAX": "ReducerOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "SPACE_TO_DEPTH": "SpaceToDepthOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    "UNPACK": "UnpackOptions",
    "SLICE": "SliceOptions",
    "SPLIT_V": "SplitVOptions",
    "SHAPE": "ShapeOptions",
    "CAST": "CastOptions",
    "MIRROR_PAD": "MirrorPadOptions",
    "REDUCE_MIN": "ReducerOptions",
}
_ENUM_FIELDS = {
    "padding": "Padding",
    "mode": "MirrorPadMode",
    "fused_activation_function": "ActivationFunctionType",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
}


def build_model(
    tensors: Sequence[T],
    operators: Sequence[Op],
    inputs: Sequence[int],
    outputs: Sequence[int],
    metadata: Mapping[str, bytes] | None = None,
) -> bytes:
    """The .tflite bytes of one subgraph."""
    model = schema.ModelT()
    model.version = 3
    model.description = "tiny test model"
    model.buffers = [_buffer(None)]
    graph = schema.SubGraphT()
    graph.name = "main"
    graph.inputs, graph.outputs = list(inputs), list(outputs)
    graph.tensors = [_tensor(model, k, t) for k, t in enumerate(tensors)]
    model.operatorCodes = []
    codes: dict[str, int] = {}
    graph.operators = [_operator(model, codes, op) for op in operators]
    model.subgraphs = [graph]
    model.metadata = []
    for name, data in (metadata or {}).items():
        entry = schema.MetadataT()
        entry.name = name
        entry.buffer = len(model.buffers)
        model.buffers.append(_buffer(data))
        model.metadata.append(entry)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def joined(main: bytes, *others: bytes) -> bytes:
    """`main` with the only graph of each of `others` as a further subgraph."""
    tree = tflite_schema.unpack(main)
    for other in map(tflite_schema.unpack, others):
        first_buffer, first_code = len(tree.buffers), len(tree.operatorCodes)
        tree.buffers += other.buffers[1:]
        tree.operatorCodes += other.operatorCodes
        (graph,) = other.subgraphs
        for tensor in graph.tensors:
            tensor.buffer = tensor.buffer and tensor.buffer + first_buffer - 1
        for op in graph.operators:
            op.opcodeIndex += first_code
        tree.subgraphs.append(graph)
    return tflite_schema.pack(tree)


def _buffer(data: bytes | None) -> Any:
    buffer = schema.BufferT()
    buffer.data = None if data is None else np.frombuffer(data, np.uint8)
    return buffer


def _tensor(model: Any, index: int, t: T) -> Any:
    tensor = schema.TensorT()
    tensor.name = t.name or f"t{index}"
    tensor.shape = [int(d) for d in t.shape]
    tensor.type = getattr(schema.TensorType, t.dtype)
    tensor.isVariable = t.is_variable
    tensor.buffer = 0
    if t.data is not None:
        data = np.asarray(t.data)
        assert data.dtype == DTYPES[t.dtype], f"tensor {index} holds {data.dtype}, not {t.dtype}"
        assert data.size == int(np.prod(t.shape)), f"tensor {index} holds {data.shape}, not {t.shape}"
        tensor.buffer = len(model.buffers)
        model.buffers.append(_buffer(_halves(data) if t.dtype == "INT4" else data.tobytes()))
    if t.scale is not None:
        scales = np.atleast_1d(np.asarray(t.scale, np.float32))
        zero_points = np.atleast_1d(np.asarray(t.zero_point, np.int64))
        quantization = schema.QuantizationParametersT()
        quantization.scale = scales
        quantization.zeroPoint = np.broadcast_to(zero_points, scales.shape).copy()
        quantization.quantizedDimension = t.axis
        tensor.quantization = quantization
    return tensor


def _halves(data: NDArray[Any]) -> bytes:
    """Numbers from -8 to 7, two to a byte, the first one in its low bits."""
    low, high = np.append(data.reshape(-1), np.zeros(data.size % 2, np.int8)).reshape(-1, 2).T & 15
    return np.asarray(low | high << 4, np.uint8).tobytes()


def _operator(model: Any, codes: dict[str, int], op: Op) -> Any:
    if op.kind not in codes:
        code = schema.OperatorCodeT()
        if op.kind.startswith("CUSTOM:"):
            code.builtinCode = schema.BuiltinOperator.CUSTOM
            code.customCode = op.kind.removeprefix("CUSTOM:")
        else:
            code.builtinCode = getattr(schema.BuiltinOperator, op.kind)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        codes[op.kind] = len(model.operatorCodes)
        model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = codes[op.kind]
    operator.inputs, operator.outputs = list(op.inputs), list(op.outputs)
    if op.custom_options is not None:
        operator.customOptions = np.frombuffer(op.custom_options, np.uint8)
    table = _OPTIONS_TABLE.get(op.kind)
    assert table or not op.options, f"{op.kind} takes no options here"
    if table:
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, table)
        operator.builtinOptions = _options(table, op.options)
    return operator


def _options(table: str, values: Mapping[str, Any]) -> Any:
    options = getattr(schema, table + "T")()
    defaults = {
        "dilationHFactor": 1,
        "dilationWFactor": 1,
        "strideH": 1,
        "strideW": 1,
        "depthMultiplier": 1,
        "beta": 1.0,
    }
    for name, value in defaults.items():
        if hasattr(options, name):
            setattr(options, name, value)
    for name, value in values.items():
        first, *rest = name.split("_")
        camel = first + "".join(word.capitalize() for word in rest)
        assert hasattr(options, camel), f"{table} has no field {name}"
        if name in _ENUM_FIELDS and isinstance(value, str):
            value = getattr(getattr(schema, _ENUM_FIELDS[name]), value)
        setattr(options, camel, value)
    return options


def single_op(kind: str, inputs: Sequence[T], output: T | Sequence[T], **options: Any) -> bytes:
    """One operator; inputs with data are constants, the others the model's inputs, in order."""
    outputs = [output] if isinstance(output, T) else list(output)
    count = len(inputs)
    produced = range(count, count + len(outputs))
    graph_inputs = [k for k, t in enumerate(inputs) if t.data is None]
    return build_model([*inputs, *outputs], [Op(kind, range(count), produced, options)], graph_inputs, produced)


def window_output(size: int, kernel: int, stride: int, dilation: int, padding: str) -> int:
    """Output rows (or columns) of a sliding window with TFLite's SAME or VALID padding."""
    reach = (kernel - 1) * dilation + 1
    assert padding == "SAME" or reach <= size, f"a window of {reach} does not fit into {size}"
    return -(-size // stride) if padding == "SAME" else -(-(size - reach + 1) // stride)


def conv_model(
    h: int,
    w: int,
    cin: int,
    cout: int,
    kh: int,
    kw: int,
    stride: int | tuple[int, int] = 1,
    padding: str = "SAME",
    *,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    depthwise: bool = False,
    activation: str = "NONE",
    per_channel: bool = True,
    bias: bool = True,
    seed: int = 0,
) -> bytes:
    """One CONV_2D, or a DEPTHWISE_CONV_2D with multiplier cout / cin."""
    b = Builder((1, h, w, cin), seed=seed)
    if depthwise:
        b.depthwise(
            b.input, kh, kw, stride, padding, multiplier=cout // cin, dilation=dilation, activation=activation,
            per_channel=per_channel, bias=bias,
        )  # fmt: skip
    else:
        b.conv(
            b.input, cout, kh, kw, stride, padding, dilation=dilation, groups=groups, activation=activation,
            per_channel=per_channel, bias=bias,
        )  # fmt: skip
    return b.finish()


_ACTIVATIONS = {
    "NONE": lambda x: x,
    "RELU": lambda x: np.maximum(x, 0),
    "RELU6": lambda x: np.clip(x, 0, 6),
    "RELU_N1_TO_1": lambda x: np.clip(x, -1, 1),
}
_UNARY = {
    "RELU": _ACTIVATIONS["RELU"],
    "RELU6": _ACTIVATIONS["RELU6"],
    "LOGISTIC": lambda x: 1 / (1 + np.exp(-x)),
    "TANH": np.tanh,
    "HARD_SWISH": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "LEAKY_RELU": lambda x: np.where(x > 0, x, 0.1 * x),
    "ELU": lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
    "ABS": np.abs,
    "NEG": np.negative,
    "QUANTIZE": _ACTIVATIONS["NONE"],
}
_SAMPLES = 3
"""How many random inputs the float run uses to choose scales."""


class Builder:
    """A small int8 network, operator by operator.

    Methods take and return tensor indices; `finish` returns the model's bytes. Weights and quantisation depend on
    `seed` alone. `input` is the first model input; `add_input` makes more.
    """

    def __init__(self, input_shape: Sequence[int], *, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors: list[T] = []
        self.operators: list[Op] = []
        self.inputs: list[int] = []
        self._values: dict[int, NDArray[np.float64]] = {}
        self.input = self.add_input(input_shape)

    def add_input(self, shape: Sequence[int]) -> int:
        """Another int8 model input; its values in the float run use the whole int8 range."""
        scale = float(np.float32(self.rng.uniform(0.01, 0.05)))
        zero_point = int(self.rng.integers(-20, 20))
        q = self.rng.integers(-128, 128, (_SAMPLES, *shape))
        index = self._append(T(tuple(shape), scale=scale, zero_point=zero_point))
        self._values[index] = (q - zero_point) * scale
        self.inputs.append(index)
        return index

    def shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(self.tensors[tensor].shape)

    def scale(self, tensor: int) -> float:
        scale = self.tensors[tensor].scale
        assert isinstance(scale, float)
        return scale

    def _append(self, t: T) -> int:
        self.tensors.append(t)
        return len(self.tensors) - 1

    def constant(self, data: NDArray[Any], dtype: str = "INT32", **quantization: Any) -> int:
        """A constant tensor."""
        return self._append(T(data.shape, dtype, data=data.astype(DTYPES[dtype]), **quantization))

    def _output(
        self, values: NDArray[np.float64], *, like: int | None = None, fixed: tuple[float, int] | None = None
    ) -> int:
        """A new int8 activation that holds `values`: quantised as `like`, as `fixed`, or to fit their range."""
        if like is not None:
            scale, zero_point = self.scale(like), self.tensors[like].zero_point
        elif fixed is not None:
            scale, zero_point = fixed
        else:
            # A little less than the range seen: a few values saturate, most do not.
            lo, hi = min(float(values.min()) * 0.95, 0.0), max(float(values.max()) * 0.95, 1e-3)
            scale = float(np.float32((hi - lo) / 255))
            zero_point = int(np.clip(round(-128 - lo / scale), -128, 127))
        index = self._append(T(values.shape[1:], scale=scale, zero_point=zero_point))
        q = np.clip(np.round(values / scale) + zero_point, -128, 127)
        self._values[index] = (q - zero_point) * scale
        return index

    def _op(self, kind: str, inputs: Sequence[int], output: int, **options: Any) -> int:
        self.operators.append(Op(kind, inputs, [output], options))
        return output

    def _weights(
        self, source: int, shape: tuple[int, ...], axis: int, fan_in: int, per_channel: bool, bias: bool
    ) -> tuple[list[int], NDArray[np.float64], NDArray[np.float64]]:
        """(weight and bias tensor indices, their real values)."""
        channels = shape[axis]
        q = np.clip(np.round(self.rng.normal(0, 40, shape)), -127, 127).astype(np.int8)
        scales = self.rng.uniform(0.5, 2.0, channels if per_channel else 1) / (40 * np.sqrt(fan_in))
        scales = scales.astype(np.float32).astype(np.float64)
        weights = self.constant(
            q, "INT8", scale=scales.tolist(), zero_point=[0] * len(scales), axis=axis if per_channel else 0
        )
        broadcast = [1] * len(shape)
        broadcast[axis] = -1
        real = q * (scales.reshape(broadcast) if per_channel else scales)
        if not bias:
            return [weights], real, np.zeros(channels)
        bias_scales = scales * self.scale(source)
        spread = 0.3 * np.abs(self._values[source]).mean() / bias_scales
        q_bias = np.round(self.rng.normal(0, 1, channels) * spread).astype(np.int32)
        biases = self.constant(q_bias, "INT32", scale=bias_scales.tolist(), zero_point=[0] * len(scales))
        return [weights, biases], real, q_bias * bias_scales

    def conv(
        self,
        source: int,
        channels: int,
        kh: int = 3,
        kw: int = 3,
        stride: int | tuple[int, int] = 1,
        padding: str = "SAME",
        *,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        activation: str = "NONE",
        per_channel: bool = True,
        bias: bool = True,
    ) -> int:
        """CONV_2D."""
        cin = self.shape(source)[3] // groups
        constants, w, b = self._weights(source, (channels, kh, kw, cin), 0, kh * kw * cin, per_channel, bias)
        x = self._values[source]
        patches = _patches(x, kh, kw, _pair(stride), _pair(dilation), padding)
        per_group = channels // groups
        parts = [
            np.einsum(
                "bhwkli,okli->bhwo", patches[..., g * cin : (g + 1) * cin], w[g * per_group : (g + 1) * per_group]
            )
            for g in range(groups)
        ]
        return self._conv_op(
            "CONV_2D", source, constants, np.concatenate(parts, -1)[:, None] + b, stride, dilation, padding, activation
        )

    def depthwise(
        self,
        source: int,
        kh: int = 3,
        kw: int = 3,
        stride: int | tuple[int, int] = 1,
        padding: str = "SAME",
        *,
        multiplier: int = 1,
        dilation: int | tuple[int, int] = 1,
        activation: str = "NONE",
        per_channel: bool = True,
        bias: bool = True,
    ) -> int:
        """DEPTHWISE_CONV_2D; output channel c reads input channel c // multiplier."""
        cin = self.shape(source)[3]
        shape = (1, kh, kw, cin * multiplier)
        constants, w, b = self._weights(source, shape, 3, kh * kw, per_channel, bias)
        patches = _patches(self._values[source], kh, kw, _pair(stride), _pair(dilation), padding)
        values = np.einsum("bhwklc,klc->bhwc", np.repeat(patches, multiplier, -1), w[0])[:, None] + b
        return self._conv_op(
            "DEPTHWISE_CONV_2D",
            source,
            constants,
            values,
            stride,
            dilation,
            padding,
            activation,
            depth_multiplier=multiplier,
        )

    def _conv_op(
        self,
        kind: str,
        source: int,
        constants: list[int],
        values: NDArray[np.float64],
        stride: int | tuple[int, int],
        dilation: int | tuple[int, int],
        padding: str,
        activation: str,
        **more: Any,
    ) -> int:
        (sh, sw), (dh, dw) = _pair(stride), _pair(dilation)
        output = self._output(_ACTIVATIONS[activation](values))
        return self._op(
            kind, [source, *constants], output, padding=padding, stride_h=sh, stride_w=sw, dilation_h_factor=dh,
            dilation_w_factor=dw, fused_activation_function=activation, **more,
        )  # fmt: skip

    def dense(
        self, source: int, channels: int, *, activation: str = "NONE", per_channel: bool = False, bias: bool = True
    ) -> int:
        """FULLY_CONNECTED over all elements of a batch of 1, or over the last axis of a 2-D input."""
        x = self._values[source].reshape(_SAMPLES, self.shape(source)[0], -1)
        constants, w, b = self._weights(source, (channels, x.shape[2]), 0, x.shape[2], per_channel, bias)
        output = self._output(_ACTIVATIONS[activation](x @ w.T + b))
        return self._op("FULLY_CONNECTED", [source, *constants], output, fused_activation_function=activation)

    def add(self, first: int, second: int, *, kind: str = "ADD", activation: str = "NONE") -> int:
        """ADD, SUB or MUL of two tensors, broadcast if their shapes differ."""
        x, y = self._values[first], self._values[second]
        values = {"ADD": x + y, "SUB": x - y, "MUL": x * y}[kind]
        return self._op(
            kind, [first, second], self._output(_ACTIVATIONS[activation](values)), fused_activation_function=activation
        )

    def quantized_constant(self, shape: Sequence[int]) -> int:
        """A random int8 constant, for the second operand of ADD, SUB or MUL."""
        q = self.rng.integers(-128, 128, shape).astype(np.int8)
        scale, zero_point = float(np.float32(self.rng.uniform(0.005, 0.03))), int(self.rng.integers(-20, 20))
        index = self.constant(q, "INT8", scale=scale, zero_point=zero_point)
        self._values[index] = (q - float(zero_point)) * scale  # the same for every sample
        return index

    def concat(self, sources: Sequence[int], axis: int = 3, *, activation: str = "NONE") -> int:
        """CONCATENATION. TFLM copies bytes, so sources quantised otherwise than the first are requantised before."""
        first = sources[0]
        same = [first] + [self.unary("QUANTIZE", s, like=first) for s in sources[1:]]
        values = np.concatenate([self._values[s] for s in same], axis % len(self.shape(first)) + 1)
        output = self._output(values, like=first)
        return self._op("CONCATENATION", same, output, axis=axis, fused_activation_function=activation)

    def pool(
        self,
        source: int,
        kh: int,
        kw: int,
        stride: int | tuple[int, int] = 1,
        padding: str = "VALID",
        *,
        kind: str = "AVERAGE_POOL_2D",
        activation: str = "NONE",
    ) -> int:
        """AVERAGE_POOL_2D or MAX_POOL_2D."""
        patches = _patches(self._values[source], kh, kw, _pair(stride), (1, 1), padding, np.nan)
        reduce = np.nanmean if kind == "AVERAGE_POOL_2D" else np.nanmax
        output = self._output(_ACTIVATIONS[activation](reduce(patches, axis=(3, 4))[:, None]), like=source)
        sh, sw = _pair(stride)
        return self._op(
            kind, [source], output, padding=padding, stride_h=sh, stride_w=sw, filter_height=kh, filter_width=kw,
            fused_activation_function=activation,
        )  # fmt: skip

    def mean(self, source: int, axes: Sequence[int] = (1, 2), *, keep_dims: bool = False, kind: str = "MEAN") -> int:
        """MEAN or SUM over `axes`."""
        reduce = np.mean if kind == "MEAN" else np.sum
        values = reduce(self._values[source], axis=tuple(a + 1 for a in axes), keepdims=keep_dims)
        axis = self.constant(np.asarray(axes, np.int32))
        return self._op(kind, [source, axis], self._output(values), keep_dims=keep_dims)

    def matmul(self, left: int, right: int, *, transposed: bool = False) -> int:
        """BATCH_MATMUL; `transposed` is its adj_y. Either operand may be a constant."""
        rank = max(len(self.shape(left)), len(self.shape(right)))
        a, b = (
            np.broadcast_to(self._values[t], (_SAMPLES, *self.shape(t))).reshape(
                _SAMPLES, *(1,) * (rank - len(self.shape(t))), *self.shape(t)
            )
            for t in (left, right)
        )
        values = np.matmul(a, np.swapaxes(b, -1, -2) if transposed else b)
        return self._op("BATCH_MATMUL", [left, right], self._output(values), adj_x=False, adj_y=transposed)

    def softmax(self, source: int, *, beta: float = 1.0) -> int:
        """SOFTMAX over the last axis."""
        x = self._values[source] * beta
        e = np.exp(x - x.max(-1, keepdims=True))
        return self._op(
            "SOFTMAX", [source], self._output(e / e.sum(-1, keepdims=True), fixed=(1 / 256, -128)), beta=beta
        )

    def pad(self, source: int, pads: Sequence[tuple[int, int]]) -> int:
        """PAD with the tensor's zero; one (before, after) per axis."""
        values = np.pad(self._values[source], [(0, 0), *pads])
        amounts = self.constant(np.asarray(pads, np.int32))
        return self._op("PAD", [source, amounts], self._output(values, like=source))

    def reshape(self, source: int, shape: Sequence[int]) -> int:
        """RESHAPE."""
        target = self.constant(np.asarray(shape, np.int32))
        output = self._output(self._values[source].reshape(_SAMPLES, *shape), like=source)
        return self._op("RESHAPE", [source, target], output, new_shape=list(shape))

    def unary(self, kind: str, source: int, *, like: int | None = None) -> int:
        """An element-wise operator of one int8 input; LEAKY_RELU with alpha 0.1. `like` lends a quantisation."""
        values = _UNARY[kind](self._values[source])
        fixed = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0)}.get(kind)
        if kind == "RELU6":
            like = source
        output = self._output(values, like=like, fixed=fixed)
        return self._op(kind, [source], output, **({"alpha": 0.1} if kind == "LEAKY_RELU" else {}))

    def reversed(self, source: int) -> int:
        """REVERSE_V2 along the second axis: a stock operator that takes no scratch."""
        axis = min(1, len(self.shape(source)) - 1)
        values = np.flip(self._values[source], axis + 1)
        axes = self.constant(np.array([axis], np.int32))
        return self._op("REVERSE_V2", [source, axes], self._output(values, like=source))

    def finish(self, *outputs: int) -> bytes:
        """The model; its outputs are `outputs`, or what the last operator wrote."""
        return build_model(self.tensors, self.operators, self.inputs, outputs or self.operators[-1].outputs)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _patches(
    x: NDArray[np.float64],
    kh: int,
    kw: int,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: str,
    fill: float = 0.0,
) -> NDArray[np.float64]:
    """Windows of x[samples, 1, h, w, c] (batch 1) as [samples, rows, columns, kh, kw, c]; outside is `fill`."""
    x = x[:, 0]
    _, h, w, _ = x.shape
    rows, columns = (
        window_output(n, k, s, d, padding) for n, k, s, d in zip((h, w), (kh, kw), stride, dilation, strict=True)
    )
    tall, wide = (max((o - 1) * s + (k - 1) * d + 1 - n, 0) for o, s, k, d, n in
                  zip((rows, columns), stride, (kh, kw), dilation, (h, w), strict=True))  # fmt: skip
    x = np.pad(x, ((0, 0), (tall // 2, tall - tall // 2), (wide // 2, wide - wide // 2), (0, 0)), constant_values=fill)
    windows = [
        [
            x[:, k * dilation[0] : k * dilation[0] + (rows - 1) * stride[0] + 1 : stride[0]]
            [:, :, j * dilation[1] : j * dilation[1] + (columns - 1) * stride[1] + 1 : stride[1]]
            for j in range(kw)
        ]
        for k in range(kh)
    ]  # fmt: skip
    return np.stack([np.stack(row, 3) for row in windows], 3)
