"""Taller pieces: rows that are tied together run together, and nothing else changes."""

from __future__ import annotations

from itertools import groupby

import pytest
from tiny_models import Builder

from tflm_split.schedule.cuts import best_cuts
from tflm_split.schedule.heights import kernel_changes, taller
from tflm_split.schedule.step_builder import build_step_graph
from tflm_split.search.base import rewritten_split
from tflm_split.split.regions import SplitOptions
from tflm_split.tflite.reader import read_model


def chain() -> bytes:
    """Three 3x3 convolutions on a map of 13 rows."""
    net = Builder((1, 13, 8, 4))
    return net.finish(net.conv(net.conv(net.conv(net.input, 6), 6), 4))


@pytest.mark.parametrize("height", [1, 2, 4, 100])
def test_rows_of_a_piece_run_one_after_the_other(height: int) -> None:
    split = rewritten_split(read_model(chain()).graph, SplitOptions())
    step_graph = taller(build_step_graph(split), height)
    schedule = best_cuts(step_graph, range(3), split.stock)
    steps = [step_graph.steps[s] for s in schedule.steps]
    for _, run in groupby(steps, key=lambda step: (step.row_op, step.row // height)):
        rows = [step.row for step in run]
        first = rows[0] // height * height
        assert rows == list(range(first, min(first + height, 13)))


def test_taller_pieces_take_more_memory_and_fewer_changes_of_kernel() -> None:
    split = rewritten_split(read_model(chain()).graph, SplitOptions())
    peaks, changes = [], []
    for height in (1, 2, 4, 100):
        step_graph = taller(build_step_graph(split), height)
        schedule = best_cuts(step_graph, range(3), split.stock)
        peaks.append(schedule.live_peak_bytes)
        changes.append(kernel_changes(step_graph, schedule.steps))
    assert peaks == sorted(peaks)
    assert changes == sorted(changes, reverse=True)


def test_a_height_of_one_changes_nothing() -> None:
    split = rewritten_split(read_model(chain()).graph, SplitOptions())
    step_graph = build_step_graph(split)
    assert best_cuts(taller(step_graph, 1), range(3), split.stock) == best_cuts(step_graph, range(3), split.stock)
