"""What do TFLM's logistic function and tanh of int16 compute? One table for both, and what lies between its entries.

Written down from logistic.h and tanh.h of reference/integer_ops, and from the table in internal/common.h.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from tflm_split.verify.fixed_point import Int64s

ENTRIES = 256


@cache
def logistic_table() -> Int64s:
    """The logistic function at i / 24 in Q0.16, moved by half of what a chord of it errs behind that; the last entry is 1."""
    at = np.arange(ENTRIES) / 24
    values = [1 / (1 + np.exp(-(at + behind / 48))) for behind in range(3)]
    chord = (values[0] + values[2]) / 2 - values[1]
    entries = np.floor(65536 * (values[0] - chord / 2) + 0.5).astype(np.int64)
    entries[-1] = 65535
    return entries


def logistic(table: Int64s, x: Int64s) -> Int64s:
    """x counts 512 to an entry; the result has 15 bits behind the point."""
    found = _between(table, np.abs(x), 9, 0x7FFF << 10)
    found = np.where(x >= 0, found + (1 << 9), (1 << 25) - found + (1 << 9) - 1) % 2**32
    return _low16(found >> 10)


def tanh(table: Int64s, x: Int64s) -> Int64s:
    """tanh(x) = 2 * logistic(2 * x) - 1: x counts 256 to an entry; the result has 15 bits behind the point."""
    found = _between(table, np.abs(x), 8, 0xFFFF << 8)
    found = np.where(x >= 0, found - (1 << 23) + (1 << 7), (1 << 23) - found + (1 << 7) - 1)
    return _low16(found >> 8)


def scaled(x: Int64s, multiplier: int, shift: int) -> Int64s:
    """x * multiplier / 2 ** shift, halves up."""
    half = (1 << shift) >> 1
    return np.asarray((x * multiplier + half) >> shift)


def _between(table: Int64s, steps: Int64s, bits: int, beyond: int) -> Int64s:
    """The table at `steps`, which has `bits` behind the point; `beyond` its end."""
    whole = np.minimum(steps >> bits, ENTRIES - 2)
    here, after = table[whole], table[whole + 1]
    inside = (here << bits) + (steps & ((1 << bits) - 1)) * (after - here)
    return np.where(steps >> bits > ENTRIES - 2, beyond, inside)


def _low16(x: Int64s) -> Int64s:
    return np.asarray((x + 2**15) % 2**16 - 2**15)
