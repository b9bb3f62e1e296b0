"""AVERAGE_POOL, MAX_POOL, POOL_INT16 and POOL_FLOAT."""

from __future__ import annotations

import numpy as np

from tflm_split.kinds import OpKind, PoolMode
from tflm_split.verify.fixed_point import clamp, rounded_mean
from tflm_split.verify.known import rows, windows
from tflm_split.verify.known.entry import Known
from tflm_split.verify.operands import Floats, Operands, Row
from tflm_split.verify.oracle_float import limited

_LOWEST = np.finfo(np.float32).min


def _average(step: Operands) -> Row:
    """Only the taps inside the input count."""
    taps, inside = windows.taps(step, 0)
    return clamp(rounded_mean(taps.sum(axis=(0, 1)), inside.sum(axis=(0, 1))[:, None]), step.params)


def _maximum(step: Operands, lowest: int) -> Row:
    taps, _ = windows.taps(step, lowest)
    return clamp(taps.max(axis=(0, 1)), step.params)


def _max_pool(step: Operands) -> Row:
    return _maximum(step, -(2**31))


def _pool_int16(step: Operands) -> Row:
    return _maximum(step, -(2**15)) if step.p["mode"] == PoolMode.MAXIMUM else _average(step)


def _pool_float(step: Operands) -> Floats:
    taps = windows.float_taps(step)
    shape = (step.output.column_count, step.source.channel_count)
    if step.p["mode"] == PoolMode.MAXIMUM:
        largest = np.full(shape, _LOWEST, np.float32)
        for _, _, pixels, inside in taps:
            largest = np.where(inside[:, None] & (largest < pixels), pixels, largest)
        return limited(step, largest)
    total, count = np.zeros(shape, np.float32), np.zeros((shape[0], 1), np.float32)
    for _, _, pixels, inside in taps:
        total = np.where(inside[:, None], total + pixels, total)
        count += inside[:, None]
    return limited(step, total / count)


KNOWN = {
    OpKind.AVERAGE_POOL: Known(_average, rows.window, windows.CHANNEL_WISE),
    OpKind.MAX_POOL: Known(_max_pool, rows.window, windows.CHANNEL_WISE),
    OpKind.POOL_INT16: Known(_pool_int16, rows.window, windows.CHANNEL_WISE),
    OpKind.POOL_FLOAT: Known(_pool_float, rows.window, windows.CHANNEL_WISE),
}
