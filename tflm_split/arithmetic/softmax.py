"""Which exponentials does TFLM's int8 SOFTMAX use?

Their argument is a difference of two int8 values, so there are at most 256 of them, and they fit into a table. Sources:
micro/kernels/softmax_common.cc, kernels/internal/reference/softmax.h, PreprocessSoftmaxScaling in quantization_util.cc.
"""

from __future__ import annotations

import struct

import numpy as np

from tflm_split.arithmetic.fixed_point import (
    quantize_multiplier,
    saturating_rounding_doubling_high_multiply,
)
from tflm_split.arithmetic.gemmlowp import ONE_Q0, exp_on_negative_values
from tflm_split.errors import Refusal
from tflm_split.ir.graph import Quantization

_DIFFERENCE_INTEGER_BITS = 5
_LARGEST_DIFFERENCE = 255
_ONLY_THE_MAXIMUM_COUNTS = 2.0**30
"""From this multiplier on, only the maximum itself counts: every smaller value gives an exponential of 0."""


def softmax_parameters(input_scale: float, beta: float) -> tuple[bytes, int]:
    """(exps, exp_count) of SOFTMAX_PARAMS: int32[exp_count], entry i is exp(-i * input_scale * beta) in Q0.31.

    A value that lies exp_count or more below the maximum adds nothing to the sum and gives -128. Raises Refusal where TFLM
    aborts.
    """
    real = float(np.float32(beta)) * float(np.float32(input_scale)) * (1 << (31 - _DIFFERENCE_INTEGER_BITS))
    if not real > 1.0:
        raise Refusal("quantization", f"its input scale {input_scale:g} times beta {beta:g} is too small for TFLM")
    if real >= _ONLY_THE_MAXIMUM_COUNTS:
        return struct.pack("<i", ONE_Q0), 1
    q, left_shift = quantize_multiplier(real)
    radius = ((1 << _DIFFERENCE_INTEGER_BITS) - 1) << (31 - _DIFFERENCE_INTEGER_BITS) >> left_shift
    exps = [
        exp_on_negative_values(
            saturating_rounding_doubling_high_multiply(-difference << left_shift, q), _DIFFERENCE_INTEGER_BITS
        )
        for difference in range(min(radius, _LARGEST_DIFFERENCE) + 1)
    ]
    return struct.pack(f"<{len(exps)}i", *exps), len(exps)


def check_softmax_output(output: Quantization | None) -> None:
    """Raise Refusal if the output is not quantised as TFLM's int8 SOFTMAX needs it."""
    if output is None or output.scales[:1] != (1 / 256,) or output.zero_points[:1] != (-128,):
        raise Refusal("quantization", "its output is not quantised with scale 1/256 and zero point -128")
