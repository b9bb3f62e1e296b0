"""What does an operator's options table say? Names and values are those of the schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tflm_split.ir.graph import Option
from tflm_split.tflite import schema

_ENUMS: Mapping[str, str] = MappingProxyType(
    {
        "padding": "Padding",
        "fused_activation_function": "ActivationFunctionType",
        "weights_format": "FullyConnectedOptionsWeightsFormat",
        "quantized_bias_type": "TensorType",
        "in_data_type": "TensorType",
        "out_data_type": "TensorType",
        "out_type": "TensorType",
        "output_type": "TensorType",
        "idx_out_type": "TensorType",
        "key_dtype": "TensorType",
        "value_dtype": "TensorType",
        "kernel_type": "LSTMKernelType",
        "combiner": "CombinerType",
        "mode": "MirrorPadMode",
        "reduce_function": "ReduceWindowFunction",
    }
)
"""Option field -> the enum that it holds."""


def read_options(operator: Any) -> Mapping[str, Option]:
    """snake_case name in the schema -> value, for every number, flag, enum and string of an `OperatorT`'s options.

    An enum is given by its name, an unknown one as the string of its number. Vectors (`new_shape`, `squeeze_dims`, ...)
    are left out: TFLM takes shapes from the tensors. Empty when the operator has no options table.
    """
    options: dict[str, Option] = {}
    for table in (operator.builtinOptions, operator.builtinOptions2):
        if table is None:
            continue
        for name, value in vars(table).items():
            option = _option(_snake_case(name), value)
            if option is not None:
                options[_snake_case(name)] = option
    return options


def _snake_case(name: str) -> str:
    return re.sub(r"[A-Z]", r"_\g<0>", name).lower()


def _option(name: str, value: Any) -> Option | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if name in _ENUMS and isinstance(value, int):
        return schema.enum_name(_ENUMS[name], value) or str(value)
    return value if isinstance(value, (bool, int, float)) else None
