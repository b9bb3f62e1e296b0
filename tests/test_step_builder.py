"""The step graph built in C is the one that is listed in Python, and so are its arrays."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import networks

import tflm_split
from tflm_split.errors import Refusal
from tflm_split.schedule.step_arrays import arrays_of
from tflm_split.schedule.step_builder import build_step_graph
from tflm_split.schedule.step_builder_c import KnownOps
from tflm_split.schedule.step_graph import StepGraph
from tflm_split.search import evaluate
from tflm_split.search.base import rewritten_split
from tflm_split.split.regions import Split, SplitOptions, cut_operators, fit
from tflm_split.tflite.reader import read_model

MODELS = Path(__file__).resolve().parent.parent / "models"
ARRAYS = (
    "first_depends", "depends", "first_read", "reads", "first_write", "writes", "first_overlap", "overlap_read",
    "overlap_written", "overlap_shared", "node", "first_step", "steps_of", "first_needs", "needs", "needed", "bytes",
    "initial", "final",
)  # fmt: skip


def assert_equal(split: Split, in_place: bool = True) -> StepGraph:
    """Both builders agree, field by field. The arrays first: they must not need the lists."""
    built = build_step_graph(split, in_place)
    listed = build_step_graph(split, in_place, use_native=False)
    for name in ARRAYS:
        assert np.array_equal(arrays_of(built).array(name), arrays_of(listed).array(name)), name
    for field in fields(StepGraph):
        if field.compare:
            assert getattr(built, field.name) == getattr(listed, field.name), field.name
    assert built == listed
    return built


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.booleans(), st.booleans())
def test_random_networks(model: bytes, concatenate_in_place: bool, in_place: bool) -> None:
    split = rewritten_split(read_model(model).graph, SplitOptions(concatenate_in_place=concatenate_in_place))
    assert_equal(split, in_place)


@pytest.mark.parametrize("name", ["digits_autoencoder", "languages_text"])
def test_all_that_a_search_builds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of channels with sums, accumulators, rewritten graphs."""
    seen: list[Split] = []

    def checked(split: Split, in_place: bool = True, known: KnownOps | None = None) -> StepGraph:
        seen.append(split)
        assert_equal(split, in_place)
        return build_step_graph(split, in_place, known)

    monkeypatch.setattr(evaluate, "build_step_graph", checked)
    tflm_split.optimize(MODELS / f"{name}.tflite", verify=False)
    assert any(op.sums is not None for split in seen for op in split.row_ops)
    assert any(split.part_of for split in seen)


def test_a_stock_operator_with_scratch() -> None:
    graph = read_model((MODELS / "digits_resnet8.tflite").read_bytes()).graph
    cut = cut_operators(graph)
    for node in range(len(graph.operators)):
        pieces = {k: ops for k, ops in cut.pieces.items() if k != node}
        split = fit(replace(cut, pieces=pieces, refusals={node: Refusal("test", "it stays stock")}), SplitOptions())
        assert node in split.stock
        assert_equal(split)


def test_copies_of_a_graph_have_all_its_lists() -> None:
    split = rewritten_split(read_model((MODELS / "digits_dscnn.tflite").read_bytes()).graph, SplitOptions())
    built = build_step_graph(split)
    assert pickle.loads(pickle.dumps(built)) == built == replace(built, nodes=built.nodes)
    with pytest.raises(AttributeError):
        _ = built.nothing_like_it  # type: ignore[attr-defined]
