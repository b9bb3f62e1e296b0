"""Heads of three networks that are hard to cut into rows, with each axis of splitting switched off.

To update docs/benchmarks.md: `python scripts/bench_axes.py --update`.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from optimized import optimized

import tflm_split
from tflm_split.kinds import OpKind
from tflm_split.tflite.reader import read_model

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import bench_axes  # noqa: E402  # of scripts/, which is no package

BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text()
TEXT, WIDE, TAIL = bench_axes.DEFAULT_MODELS


@cache
def measured(name: str, max_slowdown: float) -> dict[str, Any]:
    """What `bench_axes.measure` gives."""
    path = ROOT / "models" / f"{name}.tflite"
    records = {axes: optimized(path, axes=axes, max_slowdown=max_slowdown).report for axes in bench_axes.CHOICES}
    return {"max_slowdown": max_slowdown, **records}


def head(name: str, axes: str, max_slowdown: float = 1.05) -> int:
    """The head that TFLM measures. Verification is on, so the outputs are those of the original."""
    record = measured(name, max_slowdown)[axes]
    assert record["verified"]["bit_exact"]
    assert record["options"]["axes"] == axes.split(",")
    assert record["optimized"]["measured_head_bytes"] == record["optimized"]["planned_head_bytes"]
    return int(record["optimized"]["measured_head_bytes"])


def stock(name: str) -> int:
    return int(measured(name, 1.05)["rows"]["original"]["measured_head_bytes"])


@pytest.mark.parametrize("max_slowdown", bench_axes.SLOWDOWNS)
@pytest.mark.parametrize("name", bench_axes.DEFAULT_MODELS)
def test_the_table_is_measured(name: str, max_slowdown: float) -> None:
    assert "| " + " | ".join(bench_axes.row(measured(name, max_slowdown))) + " |" in BENCHMARKS


def test_a_text_classifier_needs_76_percent_less_and_little_more_than_its_token_ids() -> None:
    """Fused depthwise tiling reports 76.2 % for its kind (arXiv 2303.17878)."""
    assert stock(TEXT) == 256 * 4 + 256 * 16
    assert head(TEXT, "rows,channels") <= 0.24 * stock(TEXT)
    assert head(TEXT, "rows,channels") <= 256 * 4 + 16 + 16 * 4


def test_the_embedding_is_never_whole() -> None:
    plan = tflm_split.optimize(ROOT / "models" / f"{TEXT}.tflite", verify=False).plan
    assert plan is not None and not plan.split.stock
    (region,) = plan.regions
    steps = [region.program.ops[step.op].kind for step in region.program.steps]
    assert steps[:-3] == [OpKind.GATHER, OpKind.SUM_FEED] * 256


def test_only_channels_lower_the_head_of_a_wide_fully_connected_network() -> None:
    assert head(WIDE, "rows") == head(WIDE, "rows,columns", 1.2) == stock(WIDE) == 64 + 2048
    assert head(WIDE, "channels") == head(WIDE, "rows,channels") < 0.3 * stock(WIDE)
    assert head(WIDE, "rows", 1.2) == stock(WIDE)
    assert head(WIDE, "rows,channels", 1.2) < 0.2 * stock(WIDE)


def test_only_channels_take_an_inverted_residual_at_7x7_below_what_rows_alone_need() -> None:
    """No layout of the best order of rows is as small as the plan with groups of channels.

    Tiles of columns lower the head less, and only by doing multiply-accumulates twice.
    """
    graph = read_model(ROOT / "models" / f"{TAIL}.tflite").graph
    assert [graph.tensors[op.outputs[0]].shape[-1] for op in graph.operators[:3]] == [960, 960, 160]
    for max_slowdown in bench_axes.SLOWDOWNS:
        alive = measured(TAIL, max_slowdown)["rows"]["optimized"]["lower_bound_bytes"]
        assert head(TAIL, "rows,channels", max_slowdown) < alive <= head(TAIL, "rows", max_slowdown)
        assert head(TAIL, "rows,channels", max_slowdown) < head(TAIL, "rows,columns", max_slowdown)
        records = [measured(TAIL, max_slowdown)[axes] for axes in ("rows", "channels", "rows,channels")]
        assert {record["optimized"]["macs"] for record in records} == {records[0]["model"]["macs"]}
    assert head(TAIL, "rows,columns", 1.05) == head(TAIL, "rows", 1.05)
    assert head(TAIL, "rows", 1.2) == head(TAIL, "rows", 1.05)
    assert head(TAIL, "rows,channels", 1.2) < 0.9 * head(TAIL, "rows", 1.2)
    assert head(TAIL, "channels", 1.2) < 0.5 * stock(TAIL)
