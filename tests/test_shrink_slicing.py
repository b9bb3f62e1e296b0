"""Channels of Keras models: what goes together is found, and the sliced model computes what the masked one does."""

from __future__ import annotations

import os

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
import keras
from keras import layers
from keras_networks import Maker, one_dimensional, random_removal

from tflm_split.errors import InputError
from tflm_split.shrink.slicing import mask_weights, masks, sliced
from tflm_split.shrink.trace import trace

NETWORKS = int(os.environ.get("SHRINK_NETWORKS", "8"))
"""How many random networks are tried. Set SHRINK_NETWORKS=300 for the long run."""


def assert_same(model, removed) -> None:
    """The sliced model gives what the masked one gives, to float tolerance."""
    traced = trace(model)
    small = sliced(traced, removed)
    mask_weights(traced, removed)
    x = np.random.default_rng(1).normal(size=(3, *model.input_shape[1:])).astype(np.float32)
    masked, cut = np.asarray(model(x)), np.asarray(small(x))
    np.testing.assert_allclose(cut, masked, rtol=1e-4, atol=1e-5 * max(1.0, float(np.abs(masked).max())))
    for group in traced.groups:
        gone = len(set(group.units) & removed)
        assert gone == 0 or small.count_params() < model.count_params()


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_random_networks_sliced_equal_masked(seed):
    model = Maker(seed).network()
    traced = trace(model)
    assert traced.groups
    assert_same(model, random_removal(traced, seed))


def test_one_dimensional_network_sliced_equals_masked():
    model = one_dimensional(3)
    traced = trace(model)
    assert [len(group.units) for group in traced.groups] == [8, 12, 8]
    assert_same(model, random_removal(traced, 3))


def test_residual_addition_couples_its_inputs():
    x = keras.Input((4, 4, 1))
    a = layers.Conv2D(3, 1, name="a")(x)
    b = layers.Conv2D(3, 1, name="b")(a)
    y = layers.Conv2D(2, 1, name="out")(layers.Add()([a, b]))
    traced = trace(keras.Model(x, y))
    assert [(group.layers, len(group.units)) for group in traced.groups] == [(("a", "b"), 3)]


def test_grouped_convolution_loses_the_same_channels_of_each_group():
    x = keras.Input((4, 4, 1))
    a = layers.Conv2D(6, 1, name="a")(x)
    b = layers.Conv2D(4, 1, groups=2, name="b")(a)
    model = keras.Model(x, layers.Conv2D(1, 1)(b))
    traced = trace(model)
    assert [(group.name, len(group.units)) for group in traced.groups] == [("a", 3), ("b", 2)]
    small = sliced(traced, {0, 4})
    assert [small.get_layer(name).filters for name in ("a", "b")] == [4, 2]


def test_channels_of_outputs_and_of_unknown_layers_stay_and_are_named():
    x = keras.Input((4, 4, 2))
    a = layers.Conv2D(3, 1, name="a")(x)
    y = layers.Conv2D(5, 1, name="end")(layers.LayerNormalization(name="odd")(a))
    traced = trace(keras.Model(x, y))
    assert traced.groups == ()
    assert dict(traced.left_alone) == {"odd": "LayerNormalization is not understood"}


def test_layer_derived_from_a_known_one_is_left_alone():
    class Mine(layers.Conv2D):
        def call(self, inputs):
            return super().call(inputs)[..., ::-1]

    x = keras.Input((4, 4, 2))
    traced = trace(keras.Model(x, layers.Conv2D(1, 1)(Mine(4, 1, name="mine")(x))))
    assert traced.groups == ()
    assert dict(traced.left_alone) == {"mine": "Mine is not understood"}


def test_shared_layer_is_cut_once_for_both_of_its_calls():
    x = keras.Input((4, 4, 2))
    first = layers.Conv2D(4, 1, name="first")(x)
    again = layers.Conv2D(4, 1, name="again")
    y = layers.Dense(2)(layers.GlobalAveragePooling2D()(again(again(first))))
    model = keras.Model(x, y)
    traced = trace(model)
    assert [(group.layers, len(group.units)) for group in traced.groups] == [(("first", "again"), 4)]
    assert_same(model, frozenset({1, 3}))


def test_masks_zero_only_what_reads_removed_channels():
    x = keras.Input((4, 4, 1))
    model = keras.Model(x, layers.Conv2D(1, 1, name="reader")(layers.Conv2D(2, 1, name="maker")(x)))
    traced = trace(model)
    (mask,) = masks(traced, {1})
    assert mask.variable is model.get_layer("reader").kernel
    assert mask.factor.ravel().tolist() == [1, 0]


def test_no_layer_may_lose_all_channels():
    x = keras.Input((4, 4, 1))
    traced = trace(keras.Model(x, layers.Conv2D(1, 1)(layers.Conv2D(2, 1, name="maker")(x))))
    with pytest.raises(InputError, match="layer 'maker' would be left without channels"):
        sliced(traced, {0, 1})


def test_model_that_is_no_graph_is_refused_in_one_sentence():
    class Free(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(InputError, match="is no Sequential or functional model"):
        trace(Free())
