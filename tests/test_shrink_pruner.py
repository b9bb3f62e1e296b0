"""Pruning while training: targets, criteria, masks that channels can return from, and what comes out in the end."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
import keras
from keras import layers
from keras_networks import randomize

from tflm_split import shrink
from tflm_split.errors import InputError
from tflm_split.shrink.criteria import batch_norm_scale, l2, taylor
from tflm_split.shrink.finished import accuracy_in_tflm
from tflm_split.shrink.pruner import Masked, ramp
from tflm_split.shrink.slicing import masks
from tflm_split.shrink.trace import trace


def problem():
    random = np.random.default_rng(0)
    x = random.random((192, 12, 12, 1)).astype(np.float32)
    y = random.integers(0, 2, 192)
    for image, label in zip(x, y, strict=True):
        half = slice(0, 6) if label else slice(6, 12)
        image[half, half] += 0.5
    return x, y


def network():
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 1))
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="wide")(image)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = layers.Conv2D(8, 3, 2, padding="same", activation="relu", name="narrow")(x)
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(x)), name="halves")
    model.compile(keras.optimizers.Adam(5e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@pytest.fixture(scope="module")
def finished():
    model, (x, y) = network(), problem()
    study = shrink.study(model, max_arena=900, calibration=x, resolution=False)
    pruner = study.pruner()
    before = study.split
    model.fit(x, y, epochs=6, verbose=0, callbacks=[pruner])
    out = pruner.pruning.removed
    return before, pruner, pruner.finish(effort="low"), (x, y), out


def test_pruned_network_fits_is_verified_and_classifies_in_tflm(finished):
    before, _, done, (x, y), _ = finished
    assert done.fits and done.cost.arena <= 900 < before.arena
    assert done.split.report["verified"]["bit_exact"]
    assert done.record["widths"]["wide"][1] < 16
    assert done.record["widths"]["wide"][1] % 4 == 0
    assert accuracy_in_tflm(done.split.model, x[:64], y[:64]) > 0.8
    assert "fits" in str(done)


def test_target_sinks_with_the_ramp_and_ends_at_the_limit(finished):
    _, pruner, *_ = finished
    targets = [step["target"] for step in pruner.pruning.history]
    assert targets == sorted(targets, reverse=True)
    assert targets[-1] == 900


def test_finished_keras_model_has_the_widths_of_the_record(finished):
    _, _, done, *_ = finished
    assert done.keras_model.get_layer("wide").filters == done.record["widths"]["wide"][1]


def test_what_was_out_when_training_ended_stays_out(finished):
    """What stays has learned to do without it, and nothing learns any more."""
    _, pruner, _, _, out = finished
    assert out and out <= pruner.pruning.removed


def test_scores_of_a_settled_network_never_bring_back_what_is_out():
    model, (x, _) = network(), problem()
    pruning = shrink.study(model, max_arena=900, calibration=x, resolution=False).pruner().pruning
    pruning.to(1.0, 0)
    out = pruning.removed
    reader = model.get_layer("narrow").kernel
    strong = reader.numpy().copy()
    strong[:, :, sorted(u for u in out if u < 16)] *= 100  # what is out would matter most now
    reader.assign(strong)
    pruning.to(1.0, -1, settled=True)
    assert pruning.removed >= out
    pruning.to(1.0, 1)
    assert not pruning.removed >= out


def test_ramp_is_cubic():
    assert [ramp(share) for share in (-1, 0, 0.5, 1, 2)] == [0, 0, 0.875, 1, 1]


def test_a_step_under_masks_teaches_the_weights_that_are_out():
    model, (x, y) = network(), problem()
    traced = trace(model)
    kernel = model.get_layer("narrow").kernel
    before = kernel.numpy().copy()
    masked = Masked(list(masks(traced, {0, 1})))
    masked.put()
    assert not kernel.numpy().copy()[:, :, :2].any()
    model.train_on_batch(x[:32], y[:32])
    masked.take()
    after = kernel.numpy().copy()
    assert (after[:, :, :2] != before[:, :, :2]).any()
    assert np.abs(after - before).max() < 0.02


def test_l2_ranks_units_by_their_weights():
    model = network()
    wide = model.get_layer("wide").kernel.numpy().copy()
    wide[..., 3] *= 3
    wide[..., 5] = 0
    model.get_layer("wide").kernel.assign(wide)
    reader = model.get_layer("narrow").kernel
    reader.assign(np.ones(reader.shape))
    scores = l2(trace(model))[:16]
    assert (scores.argmax(), scores.argmin()) == (3, 5)


def test_batch_norm_scale_ranks_units_by_gamma_and_gives_others_the_mean():
    model = network()
    model.get_layer("norm").gamma.assign(np.arange(1, 17))
    scores = batch_norm_scale(trace(model))
    assert scores[:16].tolist() == list(range(1, 17))
    assert set(scores[16:]) == {8.5}


def test_taylor_is_the_change_of_the_loss_without_a_unit():
    model, (x, y) = network(), problem()
    randomize(model, np.random.default_rng(0))
    kernel = model.get_layer("narrow").kernel
    small = kernel.numpy().copy()
    small[:, :, 4] *= 1e-3  # so little that the first order is all there is
    kernel.assign(small)
    scores = taylor(trace(model), (x, y))
    before = float(model.compute_loss(x, y, model(x, training=False)))
    small[:, :, 4] = 0
    kernel.assign(small)
    after = float(model.compute_loss(x, y, model(x, training=False)))
    assert scores[4] == pytest.approx(abs(after - before), rel=0.1, abs=1e-5)


def test_what_cannot_be_pruned_for_is_refused_in_one_sentence():
    model, (x, _) = network(), problem()
    small = shrink.study(model, max_arena=64, calibration=x, resolution=False)
    with pytest.raises(InputError, match="no width of the network fits 64 bytes"):
        small.pruner()
    for words, message in (
        ({"criterion": "l7"}, "the criterion is 'l7', needs one of l2, bn, taylor"),
        ({"aim": "size"}, "the aim is 'size'"),
        ({"criterion": "taylor"}, "the criterion taylor needs data"),
        ({"start": 3, "end": 1}, "is no plan"),
    ):
        with pytest.raises(InputError, match=message):
            _with_limit(small, 900).pruner(**words)


def _with_limit(study, limit):
    import dataclasses

    return dataclasses.replace(study, max_arena_bytes=limit)
