"""The flags and modes that parameters of several kinds share."""

from __future__ import annotations

from enum import IntEnum


class WeightFlags(IntEnum):
    """Bits of `flags` of the records with weights."""

    PER_CHANNEL = 1  # multipliers and shifts hold one entry per output channel; otherwise one entry in all
    SUMS_32 = 2  # int16 kinds only: sums wrap at 32 bits and are scaled as int32 (TFLM's choice when the bias is int32)
    FIRST = 4  # CONV_SUM only: the sums start with the bias instead of what the accumulator holds


class MeanMode(IntEnum):
    """How `SUM_FEED` turns a sum into the output."""

    AVERAGE_POOL = 0  # (sum + count/2) / count away from zero, clamp (reference_integer_ops::AveragePool)
    MEAN = 1  # MBQM(sum - bias, multiplier, shift) + output zero point, clamp (reference_ops::QuantizedMeanOrSum)
    MAXIMUM = 2  # SUM_FEED only: no sum but the largest, clamp (REDUCE_MAX)


class PoolMode(IntEnum):
    """What `POOL_INT16` and `POOL_FLOAT` make of a window."""

    AVERAGE = 0
    MAXIMUM = 1


class BinaryMode(IntEnum):
    """What `BINARY_INT16` and `BINARY_FLOAT` make of two numbers."""

    ADD = 0
    SUB = 1
    MUL = 2


class UnaryMode(IntEnum):
    """What `UNARY_INT16` (the first three), `UNARY_FLOAT` and `LIBRARY_FLOAT` (the last three) make of one number."""

    REQUANTIZE = 0  # to another scale, with a slope of its own below the zero point
    FROM_FLOAT = 1  # float32 to int16
    TO_FLOAT = 2  # int16 to float32
    CLAMP = 3  # x > high ? high : x < low ? low : x
    LEAKY = 4  # x > 0 ? x : x * slope
    HARD_SWISH = 5  # x * min(6, max(0, x + 3)) / 6
    LOGISTIC = 6  # 1 / (1 + expf(-x)); expf(x) below -9, 1 above 16.619047
    TANH = 7  # tanhf(x)
    ELU = 8  # x < 0 ? expm1f(x) : x
