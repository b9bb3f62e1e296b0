"""How does TFLM turn floats into quantised integers and back? (reference/quantize.h, reference/dequantize.h)"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflm_split.arithmetic.fixed_point import INT32_MAX, INT32_MIN

QUANTIZED_DTYPES: Mapping[str, type[np.int8] | type[np.uint8] | type[np.int16]] = {
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT16": np.int16,
}


def affine_quantize(values: NDArray[Any], scale: float, zero_point: int, dtype: str) -> NDArray[Any]:
    """QUANTIZE of float32 values of any shape: divide in float32, round halves away from zero, saturate to `dtype`.

    A quotient beyond int32, or NaN, becomes the smallest value: that is what x86-64's conversion gives.
    """
    kind = QUANTIZED_DTYPES[dtype]
    quotient = np.asarray(values, np.float32) / np.float32(scale)
    whole = np.trunc(quotient)
    rounded = np.where(np.abs(quotient - whole) >= 0.5, whole + np.copysign(np.float32(1), quotient), whole)
    fits = (rounded >= INT32_MIN) & (rounded <= INT32_MAX)
    steps = np.where(fits, rounded, INT32_MIN).astype(np.int64) + zero_point
    limits = np.iinfo(kind)
    return np.clip(steps, limits.min, limits.max).astype(kind)


def affine_dequantize(values: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float32]:
    """DEQUANTIZE to float32 of values of any shape: the product is a double, rounded once to float32."""
    product: NDArray[np.float32] = (float(scale) * (values.astype(np.int64) - zero_point)).astype(np.float32)
    return product
