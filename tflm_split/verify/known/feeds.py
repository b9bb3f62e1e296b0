"""Ops that take their input in row by row: SUM_FEED and DENSE_FEED of int8, int16 and float32; PIXEL_SUM and ROW_SUM."""

from __future__ import annotations

import numpy as np

from tflm_split.kinds import MeanMode, OpKind
from tflm_split.verify import oracle_int8, oracle_int16
from tflm_split.verify.fixed_point import clamp, multiply, rounded_mean, wrap32
from tflm_split.verify.known import rows
from tflm_split.verify.known.entry import Added, Known
from tflm_split.verify.known.sharing import APART
from tflm_split.verify.operands import Floats, Operands, Row
from tflm_split.verify.oracle_float import limited


def _finished(step: Operands, total: Row) -> Row:
    """From sums to what SUM_FEED, SUM_FEED_INT16, PIXEL_SUM and ROW_SUM give."""
    p = step.p
    if p["mode"] == MeanMode.MAXIMUM:
        return clamp(total, p)
    if p["mode"] == MeanMode.AVERAGE_POOL:
        return clamp(rounded_mean(total, np.int64(p["count"])), p)
    return clamp(multiply(wrap32(total - p["bias"]), p["multiplier"], p["shift"]) + p["output_zero_point"], p)


def _pixel_sum(step: Operands) -> Row:
    return _finished(step, wrap32(step.read(step.row).sum(axis=1, keepdims=True)))


def _row_sum(step: Operands) -> Row:
    return _finished(step, wrap32(step.read(step.row).sum(axis=0, keepdims=True)))


def _sum_feed(step: Operands) -> Added:
    """The pixels' sum, or with MeanMode.MAXIMUM the largest of each channel."""
    x = step.read(step.row)
    if step.p["mode"] == MeanMode.MAXIMUM:
        largest = x.max(axis=0, keepdims=True)
        total = np.maximum(largest, step.held(0)) if step.row else largest
    else:
        total = x.sum(axis=0, keepdims=True) + (step.held(0) if step.row else 0)
    total = wrap32(total)
    return Added(total, _finished(step, total) if step.is_last_row else None)


def _products(step: Operands, x: Row) -> Row:
    """What the elements of an input row add to each output channel."""
    weights = step.constant("weights_offset", np.int8).reshape(-1, step.source.row_count, x.size)
    products: Row = weights[:, step.row] @ x.reshape(-1)
    return products[None, :]


def _dense_feed(step: Operands) -> Added:
    total = wrap32(_products(step, step.read(step.row)) + (step.held(0) if step.row else 0))
    return Added(total, oracle_int8.requantize(step, total) if step.is_last_row else None)


def _dense_feed_int16(step: Operands) -> Added:
    """The accumulator's int64s lie in it as two int32 each, the low half first."""
    before = step.held(0).astype("<i4").view("<i8") if step.row else np.int64(0)
    sums = _products(step, step.read(step.row)) + before
    return Added(sums.astype("<i8").view("<i4"), oracle_int16.requantize(step, sums) if step.is_last_row else None)


def _sum_feed_float(step: Operands) -> Added:
    """One pixel after the other."""
    sums = _floats_before(step)
    for pixel in step.read_floats(step.row):
        sums = sums + pixel
    return Added(sums, limited(step, sums / np.float32(step.params["count"])) if step.is_last_row else None)


def _dense_feed_float(step: Operands) -> Added:
    """One product after the other."""
    x = step.read_floats(step.row)
    weights = step.floats("weights_offset").reshape(step.output.channel_count, step.source.row_count, x.size)
    sums = _floats_before(step)
    for i, value in enumerate(x.reshape(-1)):
        sums = sums + weights[:, step.row, i] * value
    return Added(sums, limited(step, sums + step.floats("bias_offset")) if step.is_last_row else None)


def _floats_before(step: Operands) -> Floats:
    return step.held_floats(0) if step.row else np.zeros((1, step.output.channel_count), np.float32)


KNOWN = {
    OpKind.SUM_FEED: Known(_sum_feed, rows.same_row, APART, feeds=True),
    OpKind.DENSE_FEED: Known(_dense_feed, rows.same_row, APART, feeds=True),
    OpKind.PIXEL_SUM: Known(_pixel_sum, rows.same_row, APART),
    OpKind.ROW_SUM: Known(_row_sum, rows.same_row, APART),
    OpKind.SUM_FEED_INT16: Known(_sum_feed, rows.same_row, APART, feeds=True),
    OpKind.DENSE_FEED_INT16: Known(_dense_feed_int16, rows.same_row, APART, feeds=True),
    OpKind.SUM_FEED_FLOAT: Known(_sum_feed_float, rows.same_row, APART, feeds=True),
    OpKind.DENSE_FEED_FLOAT: Known(_dense_feed_float, rows.same_row, APART, feeds=True),
}
