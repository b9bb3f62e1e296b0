"""Small int16 ("16x8") and float32 .tflite models for tests, as `tiny_models.py` makes int8 ones.

Scales are chosen from the spread values are expected to have, so that few of them saturate and none is always 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tiny_models import Op, T, build_model, window_output

LARGEST = {"INT8": 127, "INT16": 32767}


class TypedBuilder:
    """A network of `dtype` activations, operator by operator; methods take and return tensor indices."""

    def __init__(self, dtype: str, input_shape: Sequence[int], seed: int = 0) -> None:
        self.dtype = dtype
        self.rng = np.random.default_rng(seed)
        self.tensors: list[T] = []
        self.spread: dict[int, float] = {}
        self.operators: list[Op] = []
        self.inputs: list[int] = []
        self.input = self.add_input(input_shape)

    def add_input(self, shape: Sequence[int], dtype: str | None = None) -> int:
        index = self.activation(shape, float(self.rng.uniform(0.5, 4.0)), dtype)
        self.inputs.append(index)
        return index

    def activation(self, shape: Sequence[int], spread: float, dtype: str | None = None) -> int:
        """A tensor computed at run time whose values have the standard deviation `spread`."""
        dtype = dtype or self.dtype
        scale = float(np.float32(2.5 * spread / LARGEST[dtype])) if dtype in LARGEST else None
        self.tensors.append(T(tuple(shape), dtype, scale))
        self.spread[len(self.tensors) - 1] = spread
        return len(self.tensors) - 1

    def constant(self, data: NDArray[Any], dtype: str, **quantization: Any) -> int:
        self.tensors.append(T(data.shape, dtype, data=data, **quantization))
        return len(self.tensors) - 1

    def shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(self.tensors[tensor].shape)

    def op(self, kind: str, inputs: Sequence[int], outputs: Sequence[int], **options: Any) -> int:
        self.operators.append(Op(kind, inputs, outputs, options))
        return outputs[0]

    # Operators with weights.

    def conv(
        self,
        source: int,
        channels: int = 4,
        kernel: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (1, 1),
        padding: str = "SAME",
        *,
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        depthwise: bool = False,
        activation: str = "NONE",
        bias: str | None = "wide",
        per_channel: bool = True,
    ) -> int:
        """`bias`: "wide" (int64, or float), "narrow" (int32), or None."""
        _, height, width, depth = self.shape(source)
        shape = (1, *kernel, channels) if depthwise else (channels, *kernel, depth // groups)
        taps = kernel[0] * kernel[1] * (1 if depthwise else depth // groups)
        out = [
            window_output(n, k, s, d, padding)
            for n, k, s, d in zip((height, width), kernel, stride, dilation, strict=True)
        ]
        options: dict[str, Any] = {
            "padding": padding,
            "stride_h": stride[0],
            "stride_w": stride[1],
            "dilation_h_factor": dilation[0],
            "dilation_w_factor": dilation[1],
            "fused_activation_function": activation,
        }
        if depthwise:
            options["depth_multiplier"] = channels // depth
        target = self.activation((1, *out, channels), self.spread[source] * np.sqrt(taps))
        operands = self._weights(source, shape, 3 if depthwise else 0, channels, bias, per_channel)
        kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        return self.op(kind, (source, *operands), (target,), **options)

    def transposed(
        self,
        source: int,
        channels: int,
        kernel: tuple[int, int] = (3, 3),
        stride: tuple[int, int] = (2, 2),
        padding: str = "SAME",
        *,
        bias: str | None = "wide",
        per_channel: bool = True,
    ) -> int:
        """A TRANSPOSE_CONV that makes `stride` times as many rows and columns, or a window more without padding."""
        _, height, width, depth = self.shape(source)
        more = (0, 0) if padding == "SAME" else [max(k - s, 0) for k, s in zip(kernel, stride, strict=True)]
        out = (1, height * stride[0] + more[0], width * stride[1] + more[1], channels)
        target = self.activation(out, self.spread[source] * np.sqrt(depth * kernel[0] * kernel[1]))
        weights = self._weights(source, (channels, *kernel, depth), 0, channels, bias, per_channel)
        shape = self.constant(np.array(out, np.int32), "INT32")
        operands = (shape, weights[0], source, *weights[1:])
        options = {"stride_h": stride[0], "stride_w": stride[1], "fused_activation_function": "NONE"}
        return self.op("TRANSPOSE_CONV", operands, (target,), padding=padding, **options)

    def dense(
        self,
        source: int,
        units: int,
        *,
        depth: int | None = None,
        activation: str = "NONE",
        bias: str | None = "wide",
        per_channel: bool = False,
    ) -> int:
        elements = int(np.prod(self.shape(source)))
        depth = depth or elements
        target = self.activation((elements // depth, units), self.spread[source] * np.sqrt(depth))
        operands = self._weights(source, (units, depth), 0, units, bias, per_channel)
        return self.op("FULLY_CONNECTED", (source, *operands), (target,), fused_activation_function=activation)

    def _weights(
        self, source: int, shape: Sequence[int], axis: int, channels: int, bias: str | None, per_channel: bool
    ) -> list[int]:
        if self.dtype == "FLOAT32":
            found = [self.constant(self.rng.normal(0, 1, shape).astype(np.float32), "FLOAT32")]
            if bias:
                found.append(self.constant(self.rng.normal(0, 1, channels).astype(np.float32), "FLOAT32"))
            return found
        scales = self.rng.uniform(0.5, 1.5, channels if per_channel else 1) / 73  # int8 of the whole range: spread 73
        data = self.rng.integers(-127, 128, shape).astype(np.int8)
        found = [self.constant(data, "INT8", scale=scales.astype(np.float32).tolist(), axis=axis)]
        if bias:
            scale = float(self.tensors[source].scale)  # type: ignore[arg-type]  # an activation has one
            dtype, number = ("INT64", np.int64) if bias == "wide" else ("INT32", np.int32)
            steps = self.rng.normal(0, self.spread[source], channels) / (scale / 73)
            quantization = {"scale": (scales * scale).astype(np.float32).tolist(), "axis": 0}
            found.append(self.constant(steps.astype(number), dtype, **quantization))
        return found

    # The others.

    def pool(
        self,
        source: int,
        kernel: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        padding: str = "VALID",
        kind: str = "AVERAGE_POOL_2D",
        activation: str = "NONE",
    ) -> int:
        _, height, width, depth = self.shape(source)
        out = [window_output(n, k, s, 1, padding) for n, k, s in zip((height, width), kernel, stride, strict=True)]
        target = self.activation((1, *out, depth), self.spread[source])  # of the same scale, as TFLM demands
        options = {"filter_height": kernel[0], "filter_width": kernel[1], "stride_h": stride[0], "stride_w": stride[1]}
        return self.op(kind, (source,), (target,), padding=padding, fused_activation_function=activation, **options)

    def binary(self, kind: str, a: int, b: int, activation: str = "NONE") -> int:
        shape = np.broadcast_shapes(self.shape(a), self.shape(b))
        spread = self.spread[a] * self.spread[b] if kind == "MUL" else np.hypot(self.spread[a], self.spread[b])
        target = self.activation(shape, float(spread))
        return self.op(kind, (a, b), (target,), fused_activation_function=activation)

    def constant_operand(self, shape: Sequence[int]) -> int:
        values = self.rng.normal(0, 1, shape)
        if self.dtype == "FLOAT32":
            index = self.constant(values.astype(np.float32), "FLOAT32")
        else:
            index = self.constant(np.clip(values * 8000, -32767, 32767).astype(np.int16), "INT16", scale=1 / 8000)
        self.spread[index] = 1.0
        return index

    def unary(self, kind: str, source: int, dtype: str | None = None, **options: Any) -> int:
        target = self.activation(self.shape(source), self.spread[source] * 0.8, dtype)
        if kind in ("LOGISTIC", "TANH") and self.dtype == "INT16":  # the only scale that TFLite gives their results
            self.tensors[target] = T(self.shape(source), "INT16", 1 / 32768)
        return self.op(kind, (source,), (target,), **options)

    def softmax(self, source: int, beta: float = 1.0) -> int:
        target = self.activation(self.shape(source), 1.0)
        if self.dtype == "INT16":
            self.tensors[target] = T(self.shape(source), "INT16", 1 / 32768)
        return self.op("SOFTMAX", (source,), (target,), beta=beta)

    def mean(self, source: int, keep_dims: bool = False) -> int:
        shape = self.shape(source)
        axes = self.constant(np.arange(1, len(shape) - 1, dtype=np.int32), "INT32")
        out = (1, *(1 for _ in shape[1:-1]), shape[-1]) if keep_dims else (1, shape[-1])
        target = self.activation(out, self.spread[source] * 0.3)
        return self.op("MEAN", (source, axes), (target,), keep_dims=keep_dims)

    def concat(self, parts: Sequence[int], axis: int) -> int:
        shape = list(self.shape(parts[0]))
        shape[axis] = sum(self.shape(p)[axis] for p in parts)
        target = self.activation(shape, self.spread[parts[0]])
        return self.op("CONCATENATION", parts, (target,), axis=axis)

    def pad(self, source: int, amounts: Sequence[tuple[int, int]]) -> int:
        shape = [n + a + b for n, (a, b) in zip(self.shape(source), amounts, strict=True)]
        pads = self.constant(np.array(amounts, np.int32), "INT32")
        target = self.activation(shape, self.spread[source])
        self.tensors[target] = T(tuple(shape), self.dtype, self.tensors[source].scale)
        return self.op("PAD", (source, pads), (target,))

    def reshape(self, source: int, shape: Sequence[int]) -> int:
        wanted = self.constant(np.array(shape, np.int32), "INT32")
        target = self.activation(shape, self.spread[source])
        self.tensors[target] = T(tuple(shape), self.dtype, self.tensors[source].scale)
        return self.op("RESHAPE", (source, wanted), (target,))

    def finish(self, *outputs: int) -> bytes:
        """The model's bytes; its output is the last operator's unless told otherwise."""
        return build_model(self.tensors, self.operators, self.inputs, outputs or (self.operators[-1].outputs[0],))


def random_inputs(model_inputs: Sequence[Any], count: int = 3, seed: int = 7) -> list[list[NDArray[Any]]]:
    """`count` random inputs for tensors with `shape` and `dtype`, integers over their whole range."""
    rng = np.random.default_rng(seed)
    entries = []
    for _ in range(count):
        entry: list[NDArray[Any]] = []
        for tensor in model_inputs:
            if tensor.dtype == "FLOAT32":
                entry.append(rng.normal(0, 2, tensor.shape).astype(np.float32))
            elif tensor.dtype == "INT16":
                entry.append(rng.integers(-32768, 32768, tensor.shape).astype(np.int16))
            else:
                entry.append(rng.integers(-128, 128, tensor.shape).astype(np.int8))
        entries.append(entry)
    return entries
