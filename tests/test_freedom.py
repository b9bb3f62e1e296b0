"""More freedom is never worse: a looser limit on time, more effort or more axes never give a larger head, and limits hold."""

from __future__ import annotations

from typing import Any

import pytest
from random_networks import Network
from test_search import strided_block
from tflite_helpers import CORPUS
from tiny_models import Builder

import tflm_split
from tflm_split.options import Options
from tflm_split.plan.effort import DEFAULT_EFFORT
from tflm_split.search.candidates import configurations

MODELS = ("micro_speech", "keyword_scrambled_8bit")
"""Quick models of the corpus. All were compared when the rules were made."""


def report_of(model: bytes, **options: Any) -> Any:
    return tflm_split.optimize(model, verify=False, **options).report


def head_of(model: bytes, **options: Any) -> int:
    head_bytes: int = report_of(model, **options)["optimized"]["planned_head_bytes"]
    return head_bytes


def hidden_layers() -> bytes:
    """Dense layers: rows bring nothing, groups of channels do."""
    b = Builder((1, 32))
    x = b.dense(b.input, 96, activation="RELU")
    return b.finish(b.dense(b.dense(x, 64, activation="RELU"), 8))


def branches() -> bytes:
    n = Network((1, 12, 8, 4))
    x = n.conv(n.input, 8)
    return n.finish(n.conv(n.concat([n.conv(x, 8), n.conv(n.conv(x, 4), 8)]), 4))


def models() -> list[Any]:
    drawn = [pytest.param(model(), id=model.__name__) for model in (strided_block, hidden_layers)]
    paths = [CORPUS / "models" / f"{name}.tflite" for name in MODELS]
    return drawn + [pytest.param(path.read_bytes(), id=path.stem) for path in paths if path.is_file()]


@pytest.mark.parametrize("model", models())
def test_the_head_does_not_grow_with_freedom(model: bytes) -> None:
    default = head_of(model)
    assert head_of(model, effort="high") <= default <= head_of(model, effort="low")
    assert default <= min(head_of(model, axes=axes) for axes in ("rows", "channels", "rows,channels"))
    assert head_of(model, max_slowdown=2.0) <= head_of(model, max_slowdown=1.2) <= default


@pytest.mark.parametrize("model", [strided_block(), branches()], ids=["strided_block", "branches"])
def test_a_limit_that_the_unlimited_result_meets_is_met(model: bytes) -> None:
    for slowdown in (1.05, 2.0):
        unlimited = report_of(model, max_slowdown=slowdown)["optimized"]["predicted_arm32_minimum_arena_bytes"]
        limited = report_of(model, max_slowdown=slowdown, max_arena=unlimited)
        assert limited["goal"]["met"]
        missed = report_of(model, max_slowdown=slowdown, max_arena=16)
        assert not missed["goal"]["met"]
        assert missed["optimized"]["predicted_arm32_minimum_arena_bytes"] <= unlimited


def test_more_freedom_is_less_freedom_and_more() -> None:
    tight, loose = configurations(Options(max_slowdown=1.2)), configurations(Options(max_slowdown=2.0, effort=20_000))
    assert set(tight) < {*loose, *tight}
    allowed = [(c.max_slowdown, c.effort, "rows" in c.axes) for c in loose]
    assert {(c.max_slowdown, c.effort, "rows" in c.axes) for c in tight} <= {*allowed}
    assert {c.effort for c in loose} == {DEFAULT_EFFORT, 10_000, 20_000}
    assert [c.max_slowdown for c in configurations(Options())] == [1.05, 1.05]
