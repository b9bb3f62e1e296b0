"""A small operator of every kind that the compiler knows, in every type: what `write_supported.py` asks it about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tflm_split.ir.graph import Graph, Operator, Option, Quantization, Tensor

TYPES = ("INT8", "INT16", "FLOAT32", "UINT8")

_NUMPY = {"INT8": np.int8, "INT16": np.int16, "FLOAT32": np.float32, "UINT8": np.uint8, "INT32": np.int32}
_QUANTIZATIONS = {"INT8": (0.1, 3), "INT16": (0.001, 0), "UINT8": (0.1, 128)}
_BIAS = {"INT8": "INT32", "INT16": "INT64", "FLOAT32": "FLOAT32", "UINT8": "INT32"}
_WEIGHTS = {"INT8": "INT8", "INT16": "INT8", "FLOAT32": "FLOAT32", "UINT8": "UINT8"}

MAP = (1, 8, 8, 4)
TOKENS = (1, 8, 4)


def tensor(shape: Sequence[int], dtype: str, data: bytes | None = None) -> Tensor:
    """Its index is set when the graph is made."""
    scale = _QUANTIZATIONS.get(dtype)
    quantization = Quantization((scale[0],), (scale[1],)) if scale else None
    return Tensor(0, "x", tuple(shape), dtype, quantization, data)


def numbers(*values: int) -> Tensor:
    return tensor((len(values),), "INT32", np.array(values, np.int32).tobytes())


def constant(shape: Sequence[int], dtype: str) -> Tensor:
    """Ones, with a zero point of 0."""
    made = tensor(shape, dtype, np.ones(shape, _NUMPY[dtype]).tobytes())
    return replace(made, quantization=made.quantization and replace(made.quantization, zero_points=(0,)))


def bias(channels: int, dtype: str) -> Tensor:
    kind = _BIAS[dtype]
    return Tensor(0, "b", (channels,), kind, None, bytes(channels * (8 if kind == "INT64" else 4)))


@dataclass(frozen=True)
class Example:
    """Operands and outputs for a type, and the options."""

    operands: Callable[[str], Sequence[Tensor]]
    outputs: Callable[[str], Sequence[Tensor]]
    options: Mapping[str, Option] = field(default_factory=dict)

    def graph(self, kind: str, dtype: str) -> Graph:
        operands, outputs = self.operands(dtype), self.outputs(dtype)
        tensors = tuple(replace(t, index=k) for k, t in enumerate((*operands, *outputs)))
        made = tuple(range(len(operands), len(tensors)))
        op = Operator(0, kind, tuple(range(len(operands))), made, self.options)
        inputs = tuple(t.index for t in tensors[: len(operands)] if not t.is_constant)
        return Graph("example", tensors, (op,), inputs, made).checked()


def _one(shape: Sequence[int] = MAP) -> Callable[[str], Sequence[Tensor]]:
    return lambda dtype: [tensor(shape, dtype)]


_WINDOW: Mapping[str, Option] = {
    "padding": "SAME", "stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1,
    "fused_activation_function": "NONE",
}  # fmt: skip
_POOL: Mapping[str, Option] = {
    "padding": "VALID", "stride_h": 2, "stride_w": 2, "filter_height": 2, "filter_width": 2,
    "fused_activation_function": "NONE",
}  # fmt: skip


def _weighted(weights: Sequence[int], channels: int) -> Callable[[str], Sequence[Tensor]]:
    return lambda dtype: [tensor(MAP, dtype), constant(weights, _WEIGHTS[dtype]), bias(channels, dtype)]


def _softmax_output(dtype: str) -> Sequence[Tensor]:
    fixed = {"INT8": (1 / 256, -128), "INT16": (1 / 32768, 0)}.get(dtype)
    made = tensor(TOKENS, dtype)
    return [replace(made, quantization=Quantization((fixed[0],), (fixed[1],))) if fixed else made]


def _fixed_output(scale: float, zero_point: int) -> Callable[[str], Sequence[Tensor]]:
    def outputs(dtype: str) -> Sequence[Tensor]:
        made = tensor(MAP, dtype)
        fixed = {"INT8": (scale, zero_point), "INT16": (1 / 32768, 0)}.get(dtype)
        return [replace(made, quantization=Quantization((fixed[0],), (fixed[1],))) if fixed else made]

    return outputs


def _at_minus_128(dtype: str) -> Sequence[Tensor]:
    made = tensor(MAP, dtype)
    return [replace(made, quantization=Quantization((0.1,), (-128,))) if dtype == "INT8" else made]


def _unary(**options: Option) -> Example:
    return Example(_one(), _one(), options)


def _binary(**options: Option) -> Example:
    return Example(lambda d: [tensor(MAP, d), tensor(MAP, d)], _one(), options)


_ACTIVATED: Mapping[str, Option] = {"fused_activation_function": "NONE"}
_MASKS: Mapping[str, Option] = {
    "begin_mask": 0, "end_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0,
}  # fmt: skip
_PADS = tensor((4, 2), "INT32", np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32).tobytes())


def _reduced() -> Example:
    return Example(lambda d: [tensor(MAP, d), numbers(1, 2)], _one((1, 4)), {"keep_dims": False})


def _resized() -> Example:
    options: Mapping[str, Option] = {"align_corners": False, "half_pixel_centers": True}
    return Example(lambda d: [tensor(MAP, d), numbers(16, 16)], _one((1, 16, 16, 4)), options)


EXAMPLES: Mapping[str, Example] = {
    "CONV_2D": Example(
        _weighted((6, 3, 3, 4), 6),
        _one((1, 8, 8, 6)),
        _WINDOW,
    ),
    "DEPTHWISE_CONV_2D": Example(_weighted((1, 3, 3, 4), 4), _one(), {**_WINDOW, "depth_multiplier": 1}),
    "TRANSPOSE_CONV": Example(
        lambda d: [numbers(1, 16, 16, 6), constant((6, 3, 3, 4), _WEIGHTS[d]), tensor(MAP, d), bias(6, d)],
        _one((1, 16, 16, 6)),
        {"padding": "SAME", "stride_h": 2, "stride_w": 2, "fused_activation_function": "NONE"},
    ),
    "FULLY_CONNECTED": Example(
        lambda d: [tensor((1, 16), d), constant((6, 16), _WEIGHTS[d]), bias(6, d)],
        _one((1, 6)),
        {"weights_format": "DEFAULT", "fused_activation_function": "NONE"},
    ),
    "BATCH_MATMUL": Example(
        lambda d: [tensor(TOKENS, d), tensor((1, 4, 8), d)],
        _one((1, 8, 8)),
        {"adj_x": False, "adj_y": False},
    ),
    "AVERAGE_POOL_2D": Example(_one(), _one((1, 4, 4, 4)), _POOL),
    "MAX_POOL_2D": Example(_one(), _one((1, 4, 4, 4)), _POOL),
    "MEAN": _reduced(),
    "SUM": _reduced(),
    "REDUCE_MAX": _reduced(),
    "RESIZE_NEAREST_NEIGHBOR": _resized(),
    "RESIZE_BILINEAR": _resized(),
    **dict.fromkeys(("ADD", "SUB", "MUL"), _binary(**_ACTIVATED)),
    **dict.fromkeys(("MINIMUM", "MAXIMUM", "SQUARED_DIFFERENCE"), _binary()),
    "PRELU": Example(
        lambda d: [tensor(MAP, d), constant((1, 1, 4), _WEIGHTS[d])],
        _one(),
    ),
    **dict.fromkeys(("RELU", "RELU6", "ELU", "HARD_SWISH", "ABS"), _unary()),
    "LEAKY_RELU": _unary(alpha=0.1),
    "LOGISTIC": Example(_one(), _fixed_output(1 / 256, -128)),
    "TANH": Example(_one(), _fixed_output(1 / 128, 0)),
    "RSQRT": Example(_at_minus_128, _one()),
    "QUANTIZE": Example(_one(), lambda d: [tensor(MAP, "INT8")]),
    "DEQUANTIZE": Example(_one(), lambda d: [tensor(MAP, "FLOAT32")]),
    "SOFTMAX": Example(_one(TOKENS), _softmax_output, {"beta": 1.0}),
    "GATHER": Example(
        lambda d: [constant((10, 4), d), tensor((1, 8), "INT32")],
        _one(TOKENS),
        {"axis": 0, "batch_dims": 0},
    ),
    "CONCATENATION": Example(
        lambda d: [tensor(MAP, d), tensor(MAP, d)],
        _one((1, 8, 8, 8)),
        {"axis": 3, **_ACTIVATED},
    ),
    "PACK": Example(
        lambda d: [tensor((8, 4), d), tensor((8, 4), d)],
        _one((2, 8, 4)),
        {"axis": 0, "values_count": 2},
    ),
    "TRANSPOSE": Example(
        lambda d: [tensor((1, 8, 6, 4), d), numbers(0, 3, 1, 2)],
        _one((1, 4, 8, 6)),
    ),
    "PAD": Example(lambda d: [tensor(MAP, d), _PADS], _one((1, 10, 10, 4))),
    "PADV2": Example(
        lambda d: [tensor(MAP, d), _PADS, constant((1,), d)],
        _one((1, 10, 10, 4)),
    ),
    "MIRROR_PAD": Example(lambda d: [tensor(MAP, d), _PADS], _one((1, 10, 10, 4)), {"mode": "REFLECT"}),
    "SPACE_TO_DEPTH": Example(_one(), _one((1, 4, 4, 16)), {"block_size": 2}),
    "DEPTH_TO_SPACE": Example(_one(), _one((1, 16, 16, 1)), {"block_size": 2}),
    "RESHAPE": Example(_one(), _one((1, 64, 4))),
    "SQUEEZE": Example(_one((1, 1, 8, 4)), _one((8, 4))),
    "EXPAND_DIMS": Example(lambda d: [tensor(TOKENS, d), numbers(1)], _one((1, 1, 8, 4))),
    "SLICE": Example(lambda d: [tensor(MAP, d), numbers(0, 2, 0, 0), numbers(1, 4, 8, 4)], _one((1, 4, 8, 4))),
    "STRIDED_SLICE": Example(
        lambda d: [tensor(MAP, d), numbers(0, 2, 0, 0), numbers(1, 6, 8, 4), numbers(1, 1, 1, 1)],
        _one((1, 4, 8, 4)),
        _MASKS,
    ),
    "SPLIT": Example(
        lambda d: [numbers(3), tensor(MAP, d)], lambda d: [tensor((1, 8, 8, 2), d)] * 2, {"num_splits": 2}
    ),
    "SPLIT_V": Example(
        lambda d: [tensor(MAP, d), numbers(1, 3), numbers(3)],
        lambda d: [tensor((1, 8, 8, n), d) for n in (1, 3)],
        {"num_splits": 2},
    ),
    "UNPACK": Example(_one((2, 8, 4)), lambda d: [tensor((8, 4), d)] * 2, {"axis": 0, "num": 2}),
}
