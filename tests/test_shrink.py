"""Costs of narrower networks: what the planner says of the cut file is what it says of the network converted again."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
import keras
from click.testing import CliRunner
from keras import layers
from keras_networks import Maker, one_dimensional, random_removal, randomize

import tflm_split
from tflm_split import shrink
from tflm_split.cli import cli
from tflm_split.errors import InputError
from tflm_split.shrink.convert import calibration_samples, converted, traced_to_int8
from tflm_split.shrink.file_map import file_map
from tflm_split.shrink.resolution import at_resolution
from tflm_split.shrink.trace import trace
from tflm_split.tflite.reader import read_model

NETWORKS = int(os.environ.get("SHRINK_NETWORKS", "8")) // 8
"""How many random networks are converted, which takes seconds each."""


def samples_of(model) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(16, *model.input_shape[1:])).astype(np.float32)


def operators(file):
    return [(op.kind, file.graph.tensors[op.outputs[0]].shape) for op in file.graph.operators]


def small_network(side=12):
    """Three convolutions and a classifier."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((side, side, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="wide"),
            layers.Conv2D(8, 3, 2, padding="same", activation="relu", name="middle"),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="narrow"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, name="scores"),
        ],
        name="small",
    )
    randomize(model, np.random.default_rng(0))
    return model


@pytest.fixture(scope="module")
def study():
    model = small_network()
    return shrink.study(model, max_arena=900, calibration=samples_of(model))


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_cut_file_has_the_shapes_of_the_network_converted_again_and_runs_split(seed):
    model = Maker(seed, convertible=True).network()
    traced, samples = trace(model), samples_of(model)
    file = read_model(traced_to_int8(traced, frozenset(), samples))
    removed = random_removal(traced, seed)
    again = read_model(traced_to_int8(traced, removed, samples))
    cut = file_map(file, traced).sliced(removed)
    assert operators(cut) == operators(again)
    for small in (cut, again):
        result = tflm_split.optimize(small.original, effort=0, inputs=2)
        assert result.report["verified"]["bit_exact"] is not False


def test_one_dimensional_network_is_followed_through_its_file():
    model = one_dimensional(1)
    traced, samples = trace(model), samples_of(model)
    file = read_model(traced_to_int8(traced, frozenset(), samples))
    removed = random_removal(traced, 5)
    cut = file_map(file, traced).sliced(removed)
    assert operators(cut) == operators(read_model(traced_to_int8(traced, removed, samples)))


def test_costs_of_the_last_decision_are_bounded_by_a_placed_plan(study):
    costs = study.costs
    removed = frozenset(study.trace.groups[0].units[:4])
    near, placed = costs.near(removed), costs.placed(removed)
    assert near.head <= placed.head <= study.split.head
    assert (near.macs, near.weights) == (placed.macs, placed.weights)
    model = costs.mapped.sliced(removed)
    searched = tflm_split.optimize(model.original, verify=False, effort="low")
    assert searched.report["optimized"]["planned_head_bytes"] <= placed.head


def test_study_says_where_memory_peaks_and_whether_the_limit_can_be_met(study):
    assert study.feasible and study.needs_pruning
    assert study.least.arena <= 900 < study.split.arena < study.stock.arena
    held = [group for group in study.groups if group.held_bytes]
    assert held[0].channel_bytes > 0
    assert "can fit 900 B" in str(study)
    assert len(repr(study)) < 100
    assert study._repr_html_().startswith("<svg")
    assert json.loads(json.dumps(study.record()))["feasible"] is True


def test_resolution_of_the_file_is_that_of_the_network_converted_at_it():
    traced = trace(small_network(12))
    file = read_model(traced_to_int8(traced, frozenset(), samples_of(traced.model)))
    larger = small_network(20)
    again = read_model(converted(larger, samples_of(larger)))
    assert [shape[1:] for _, shape in operators(at_resolution(file, 20, 20))] == [s[1:] for _, s in operators(again)]


def test_largest_resolution_fits_and_the_next_does_not():
    model = small_network()
    found = shrink.study(model, max_arena=3000, calibration=samples_of(model))
    assert found.resolution >= 12

    for rows, fits in ((found.resolution, True), (found.resolution + 4, False)):
        file = at_resolution(found.costs.mapped.model, rows, rows)
        report = tflm_split.optimize(file.original, verify=False, effort="low").report
        assert (report["optimized"]["predicted_arm32_minimum_arena_bytes"] <= 3000) is fits


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((4, 3)), r"has the shape \[4, 3\], needs \[samples, 12, 12, 1\]"),
        (np.full((2, 12, 12, 1), np.nan), "values that are no finite numbers"),
    ],
)
def test_calibration_data_that_does_not_fit_is_refused(samples, message):
    with pytest.raises(InputError, match=message):
        calibration_samples(small_network(), samples)


def test_command_writes_a_record_and_says_by_its_exit_code_whether_the_limit_can_be_met(tmp_path):
    model = small_network()
    model.save(tmp_path / "m.keras")
    np.save(tmp_path / "x.npy", samples_of(model))
    words = ["shrink", "study", str(tmp_path / "m.keras"), "--calibration", str(tmp_path / "x.npy"), "--no-resolution"]
    record = tmp_path / "plan.json"
    assert (
        CliRunner()
        .invoke(cli, [*words, "--max-arena", "900", "--json", str(record)], standalone_mode=False)
        .return_value
        == 0
    )
    assert json.loads(record.read_text())["max_arena_bytes"] == 900
    assert CliRunner().invoke(cli, [*words, "--max-arena", "100"], standalone_mode=False).return_value == 1


def test_command_refuses_what_is_no_model_in_one_sentence(tmp_path):
    bad = tmp_path / "m.keras"
    bad.write_bytes(b"nothing")
    np.save(tmp_path / "x.npy", np.zeros((1, 2)))
    done = CliRunner().invoke(cli, ["shrink", "study", str(bad), "--calibration", str(tmp_path / "x.npy")])
    assert isinstance(done.exception, InputError)
    assert "Keras cannot load it" in str(done.exception)
