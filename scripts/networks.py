"""What do the networks of `models/` look like?

Small members of the families microcontrollers run: the MLPerf Tiny benchmark's keyword spotter, image classifier,
person detector and anomaly detector, a MobileNetV2, and what is hard to cut into rows: a text classifier, a wide fully
connected network, the deep end of a MobileNetV2. Each function returns an untrained Keras model that takes
`batch` samples; `batch=1` gives the one to convert, because a fixed batch leaves no shape arithmetic in the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras  # type: ignore[import-not-found]  # not installed where types are checked: models are built rarely
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types
from digits import CLASSES
from keras import layers
from languages import LANGUAGES, TOKENS, VOCABULARY

BN_MOMENTUM = 0.9
"""Statistics must settle within the few hundred steps these models are trained for; Keras's 0.99 is too slow."""

Tensor = Any
Network = Callable[[int | None], Any]


def _normalized(x: Tensor, activation: str | None = "relu") -> Tensor:
    """Batch normalisation, which the converter folds into the convolution before it, and an activation."""
    x = layers.BatchNormalization(momentum=BN_MOMENTUM)(x)
    return layers.Activation(activation)(x) if activation else x


def _conv(
    x: Tensor,
    filters: int,
    kernel: int | tuple[int, int],
    stride: int = 1,
    act: str | None = "relu",
    padding: str = "same",
) -> Tensor:
    x = layers.Conv2D(filters, kernel, stride, padding=padding, use_bias=False)(x)
    return _normalized(x, act)


def _depthwise(x: Tensor, stride: int = 1, act: str = "relu", padding: str = "same") -> Tensor:
    x = layers.DepthwiseConv2D(3, stride, padding=padding, use_bias=False)(x)
    return _normalized(x, act)


def dscnn(batch: int | None) -> Any:
    """DS-CNN: 10x4 convolution with stride 2, four depthwise-separable blocks of 64 channels, pool, classifier.

    Zhang et al., "Hello Edge: Keyword Spotting on Microcontrollers", 2017; shapes as in MLPerf Tiny.
    """
    image = keras.Input((49, 10, 1), batch, name="image")
    x = _conv(image, 64, (10, 4), stride=2)
    for _ in range(4):
        x = _conv(_depthwise(x), 64, 1)
    x = layers.AveragePooling2D((25, 5))(x)
    return _classifier(image, layers.Flatten()(x), "digits_dscnn")


def resnet8(batch: int | None) -> Any:
    """ResNet-8: three residual blocks of two 3x3 convolutions, 16, 32 and 64 channels, the last two with stride 2.

    He et al., "Deep Residual Learning for Image Recognition", 2016; shapes as in MLPerf Tiny.
    """
    image = keras.Input((32, 32, 3), batch, name="image")
    x = _conv(image, 16, 3)
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        y = _conv(_conv(x, filters, 3, stride), filters, 3, act=None)
        if stride != 1:
            x = layers.Conv2D(filters, 1, stride, padding="same")(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.AveragePooling2D(8)(x)
    return _classifier(image, layers.Flatten()(x), "digits_resnet8")


def mobilenet_v1(batch: int | None) -> Any:
    """MobileNetV1, width 0.25, at 96x96: 13 depthwise-separable blocks.

    Howard et al., "MobileNets", 2017; shapes as in MLPerf Tiny's person detector, with ten classes.
    """
    blocks = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1))
    image = keras.Input((96, 96, 3), batch, name="image")
    x = _conv(image, 8, 3, stride=2)
    for filters, stride in blocks:
        x = _conv(_depthwise(x, stride), filters, 1)
    x = layers.AveragePooling2D(3)(x)
    return _classifier(image, layers.Flatten()(x), "digits_mobilenet_v1_025_96")


def mobilenet_v2(batch: int | None) -> Any:
    """MobileNetV2, width 0.35, at 64x64: inverted residuals, RELU6, and PAD before every convolution with stride 2.

    Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018. One pixel of padding on all four
    sides, as PyTorch models have it, is not TensorFlow's SAME on an even size, so PAD operators stay in the file.
    The last two stages and the 1280-channel head are left out: ten digits need neither.
    """
    image = keras.Input((64, 64, 1), batch, name="image")
    x = _conv(layers.ZeroPadding2D(1)(image), 16, 3, stride=2, act="relu6", padding="valid")
    x = _conv(_depthwise(x, act="relu6"), 8, 1, act=None)
    for filters, stride in ((8, 2), (8, 1), (16, 2), (16, 1), (16, 1), (24, 2), (24, 1), (24, 1), (32, 1), (32, 1)):
        x = _inverted_residual(x, filters, stride)
    x = _conv(x, 128, 1, act="relu6")
    return _classifier(image, layers.GlobalAveragePooling2D()(x), "digits_mobilenet_v2")


def _inverted_residual(x: Tensor, filters: int, stride: int) -> Tensor:
    """1x1 expansion by 6, 3x3 depthwise, linear 1x1 projection; the input is added where the shapes agree."""
    y = _conv(x, 6 * x.shape[-1], 1, act="relu6")
    if stride == 2:
        y = _depthwise(layers.ZeroPadding2D(1)(y), 2, act="relu6", padding="valid")
    else:
        y = _depthwise(y, act="relu6")
    y = _conv(y, filters, 1, act=None)
    return layers.Add()([x, y]) if stride == 1 and x.shape[-1] == filters else y


def autoencoder(batch: int | None) -> Any:
    """Fully connected autoencoder, 256 -> 128 x4 -> 8 -> 128 x4 -> 256.

    The anomaly detector of MLPerf Tiny (DCASE 2020 task 2 baseline), on 16x16 images instead of 640 audio features.
    """
    features = keras.Input((256,), batch, name="features")
    x = features
    for units in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = _normalized(layers.Dense(units, use_bias=False)(x))
    return keras.Model(features, layers.Dense(256)(x), name="digits_autoencoder")


class Lookup(layers.Embedding):  # type: ignore[misc]  # its base has no types
    """An embedding that trusts its token ids: Keras lets negative ones count from the end, which takes three operators more."""

    def call(self, inputs: Tensor) -> Tensor:
        return tf.gather(self.embeddings, inputs)


def text(batch: int | None) -> Any:
    """Token ids -> 16 numbers each, their mean, a hidden layer, a classifier.

    TensorFlow's text classification example, which Stahl et al., "Fused Depthwise Tiling", 2023, call TXT.
    """
    tokens = keras.Input((TOKENS,), batch, name="tokens", dtype="int32")
    x = Lookup(VOCABULARY, 16)(tokens)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dense(16, activation="relu")(x)
    return keras.Model(tokens, layers.Dense(len(LANGUAGES), activation="softmax")(x), name="languages_text")


def wide(batch: int | None) -> Any:
    """Fully connected, 64 -> 2048 -> 32 -> 10: one layer far wider than what is before and after it."""
    features = keras.Input((64,), batch, name="features")
    x = layers.Dense(2048, activation="relu")(features)
    x = layers.Dense(32, activation="relu")(x)
    return _classifier(features, x, "digits_wide")


def tail(batch: int | None) -> Any:
    """The deep end of a MobileNetV2: one inverted residual at 7x7, 160 -> 960 -> 160 channels, pooling and classifier."""
    features = keras.Input((7, 7, 160), batch, name="features")
    x = _inverted_residual(features, 160, 1)
    return _classifier(features, layers.GlobalAveragePooling2D()(x), "digits_tail")


def _classifier(image: Tensor, flat: Tensor, name: str) -> Any:
    return keras.Model(image, layers.Dense(CLASSES, activation="softmax")(flat), name=name)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one model is trained, passes over the augmented training set and the largest learning rate, and converted."""

    network: Network
    epochs: int
    learning_rate: float
    reconstructs: bool = False
    data: str = "digits"
    """What it is trained on: "digits", or "languages"."""
    types: str = "int8"
    """Of the file's numbers: "int8", "int16" (activations; weights are int8) or "float32"."""


RECIPES: dict[str, Recipe] = {
    "digits_dscnn": Recipe(dscnn, epochs=40, learning_rate=2e-3),
    "digits_resnet8": Recipe(resnet8, epochs=20, learning_rate=2e-3),
    "digits_mobilenet_v1_025_96": Recipe(mobilenet_v1, epochs=20, learning_rate=3e-3),
    "digits_mobilenet_v2": Recipe(mobilenet_v2, epochs=25, learning_rate=3e-3),
    "digits_autoencoder": Recipe(autoencoder, epochs=150, learning_rate=2e-3, reconstructs=True),
    "digits_dscnn_16x8": Recipe(dscnn, epochs=40, learning_rate=2e-3, types="int16"),
    "digits_dscnn_float": Recipe(dscnn, epochs=40, learning_rate=2e-3, types="float32"),
    "digits_mobilenet_v2_float": Recipe(mobilenet_v2, epochs=25, learning_rate=3e-3, types="float32"),
    "digits_wide": Recipe(wide, epochs=40, learning_rate=2e-3),
    "digits_tail": Recipe(tail, epochs=15, learning_rate=2e-3),
    "languages_text": Recipe(text, epochs=40, learning_rate=1e-2, data="languages"),
}
"""File stem -> recipe; the order of the table in models/README.md."""
