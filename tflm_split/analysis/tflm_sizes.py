"""How many bytes does stock TFLM keep per operator on a 32-bit Arm?

The numbers are `sizeof` of the structs in TFLM's core/c/builtin_op_data.h and micro/kernels/: reference kernels, sources of
August 2026, arm-none-eabi-gcc 12.2. In that ABI an enum is as small as its values allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class OperatorBytes:
    """Bytes of the builtin parameters, with their alignment, and of the kernel's own data. 0 where there are none."""

    params_bytes: int = 0
    params_alignment_bytes: int = 1
    data_bytes: int = 0
    copies_output_shape: bool = False


_NOTHING = (
    "BATCH_TO_SPACE_ND", "BROADCAST_ARGS", "BROADCAST_TO", "CEIL", "COS", "DYNAMIC_UPDATE_SLICE", "EXP", "EXPAND_DIMS",
    "FILL", "FLOOR", "LOG", "LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR", "MAXIMUM", "MINIMUM", "NEG", "REVERSE_V2", "ROUND",
    "SIN", "SLICE", "SQRT", "SQUARE", "TRANSPOSE", "ZEROS_LIKE", "CUSTOM:TFLM_SPLIT",
)  # fmt: skip
_REDUCERS = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_ALL")
_COMPARISONS = ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
_OTHERS = {
    "ABS": OperatorBytes(0, 1, 28),
    "ADD": OperatorBytes(2, 1, 60),
    "ARG_MAX": OperatorBytes(1, 1),
    "ARG_MIN": OperatorBytes(1, 1),
    "CAST": OperatorBytes(2, 1),
    "CONCATENATION": OperatorBytes(8, 4, 24),
    "CONV_2D": OperatorBytes(28, 4, 56),
    "CUMSUM": OperatorBytes(2, 1, 36),
    "DEPTHWISE_CONV_2D": OperatorBytes(28, 4, 56),
    "DEPTH_TO_SPACE": OperatorBytes(4, 4, 0, copies_output_shape=True),
    "DEQUANTIZE": OperatorBytes(0, 1, 32),
    "DIV": OperatorBytes(1, 1, 28),
    "ELU": OperatorBytes(0, 1, 256),
    "FULLY_CONNECTED": OperatorBytes(5, 1, 48),
    "GATHER": OperatorBytes(8, 4, 0, copies_output_shape=True),
    "GATHER_ND": OperatorBytes(0, 1, 0, copies_output_shape=True),
    "HARD_SWISH": OperatorBytes(0, 1, 20),
    "L2_NORMALIZATION": OperatorBytes(1, 1, 4),
    "L2_POOL_2D": OperatorBytes(40, 4, 0, copies_output_shape=True),
    "LEAKY_RELU": OperatorBytes(4, 4, 24),
    "LOGISTIC": OperatorBytes(0, 1, 16),
    "MIRROR_PAD": OperatorBytes(1, 1, 20),
    "MUL": OperatorBytes(1, 1, 36),
    "PACK": OperatorBytes(8, 4),
    "PAD": OperatorBytes(0, 1, 56),
    "PADV2": OperatorBytes(0, 1, 56),
    "PRELU": OperatorBytes(0, 1, 28),
    "QUANTIZE": OperatorBytes(0, 1, 32),
    "RELU": OperatorBytes(0, 1, 28),
    "RELU6": OperatorBytes(0, 1, 8),
    "RESHAPE": OperatorBytes(36, 4),
    "RESIZE_BILINEAR": OperatorBytes(2, 1),
    "RESIZE_NEAREST_NEIGHBOR": OperatorBytes(2, 1),
    "RSQRT": OperatorBytes(0, 1, 28),
    "SELECT_V2": OperatorBytes(0, 1, 1),
    "SHAPE": OperatorBytes(1, 1),
    "SOFTMAX": OperatorBytes(4, 4, 56),
    "SPACE_TO_BATCH_ND": OperatorBytes(0, 1, 4),
    "SPACE_TO_DEPTH": OperatorBytes(4, 4, 0, copies_output_shape=True),
    "SPLIT": OperatorBytes(4, 4),
    "SPLIT_V": OperatorBytes(4, 4),
    "SQUARED_DIFFERENCE": OperatorBytes(0, 1, 112),
    "SQUEEZE": OperatorBytes(36, 4),
    "STRIDED_SLICE": OperatorBytes(24, 4, 84),
    "SUB": OperatorBytes(2, 1, 52),
    "SVDF": OperatorBytes(8, 4, 36),
    "TANH": OperatorBytes(0, 1, 16),
    "TRANSPOSE_CONV": OperatorBytes(16, 4, 72),
    "UNPACK": OperatorBytes(8, 4),
}

ARM32_OPERATOR_BYTES: Mapping[str, OperatorBytes] = MappingProxyType(
    {
        **dict.fromkeys(_NOTHING, OperatorBytes()),
        **dict.fromkeys(_REDUCERS, OperatorBytes(1, 1, 44)),
        **dict.fromkeys(_COMPARISONS, OperatorBytes(0, 1, 32)),
        **dict.fromkeys(_POOLS, OperatorBytes(40, 4, 32)),
        **_OTHERS,
    }
)
"""By operator kind. Kinds that are not here are unknown."""

_PARAMS_WITH_WIDE_ENUMS: Mapping[str, int] = MappingProxyType(
    {
        "ADD": 8, "ARG_MAX": 4, "ARG_MIN": 4, "CAST": 8, "DIV": 4, "FULLY_CONNECTED": 16, "L2_NORMALIZATION": 4, "MIRROR_PAD": 4,
        "MUL": 4, "SHAPE": 4, "SUB": 8, "SVDF": 12, "TRANSPOSE_CONV": 20,
    }
)  # fmt: skip
RISCV32_OPERATOR_BYTES: Mapping[str, OperatorBytes] = MappingProxyType(
    dict(ARM32_OPERATOR_BYTES)
    | {
        kind: replace(ARM32_OPERATOR_BYTES[kind], params_bytes=size, params_alignment_bytes=4)
        for kind, size in _PARAMS_WITH_WIDE_ENUMS.items()
    }
)
"""The same for the ABI ilp32 of RISC-V, where an enum takes four bytes (riscv64-unknown-elf-gcc 12.2)."""
