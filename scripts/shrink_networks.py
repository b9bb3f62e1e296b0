"""The networks that `bench_shrink.py` trains: members of the families of MLPerf Tiny, and one over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras  # type: ignore[import-not-found]  # not installed where types are checked
from keras import layers

BN_MOMENTUM = 0.9
"""Statistics must settle within the few hundred steps these networks are trained for; Keras's 0.99 is too slow."""

Tensor = Any


def _activated(x: Tensor, activation: str | None = "relu") -> Tensor:
    x = layers.BatchNormalization(momentum=BN_MOMENTUM)(x)
    return layers.Activation(activation)(x) if activation else x


def _conv(x: Tensor, name: str, filters: int, kernel: Any, stride: int = 1, activation: str | None = "relu") -> Tensor:
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=name)(x)
    return _activated(x, activation)


def _separable(x: Tensor, name: str, filters: int, stride: int = 1) -> Tensor:
    x = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False, name=f"{name}_depthwise")(x)
    return _conv(_activated(x), name, filters, 1)


def _scores(x: Tensor, classes: int) -> Tensor:
    return layers.Dense(classes, name="scores")(layers.GlobalAveragePooling2D()(x))


def watch() -> Any:
    """128 samples of 6 axes -> convolutions over time of 64, 64, 96 and 96 channels, halved twice, mean, classifier."""
    series = keras.Input((128, 6), name="series")
    x = layers.Reshape((128, 1, 6))(series)
    for k, (filters, stride) in enumerate(((64, 1), (64, 2), (96, 2), (96, 1)), 1):
        x = _conv(x, f"conv{k}", filters, (5, 1), (stride, 1))
    return keras.Model(series, _scores(x, 7), name="watch")


def digits() -> Any:
    """DS-CNN: 10x4 convolution with stride 2, four depthwise-separable blocks of 64 channels (Zhang et al., "Hello Edge", 2017)."""
    image = keras.Input((49, 10, 1), name="coefficients")
    x = _conv(image, "conv1", 64, (10, 4), 2)
    for k in range(2, 6):
        x = _separable(x, f"conv{k}", 64)
    return keras.Model(image, _scores(x, 11), name="digits")


def fashion() -> Any:
    """ResNet-8: residual blocks of 16, 32 and 64 channels, the last two with stride 2 (as in MLPerf Tiny)."""
    image = keras.Input((32, 32, 1), name="picture")
    x = _conv(image, "conv1", 16, 3)
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        y = _conv(x, f"block{filters}_a", filters, 3, stride)
        y = _conv(y, f"block{filters}_b", filters, 3, activation=None)
        if stride != 1:
            x = _conv(x, f"block{filters}_skip", filters, 1, stride, activation=None)
        x = layers.ReLU()(layers.Add()([x, y]))
    return keras.Model(image, _scores(x, 10), name="fashion")


def person(side: int = 96, batch: int | None = None) -> Any:
    """MobileNetV1 of width 0.25 (Howard et al., 2017; as in MLPerf Tiny), for pictures of any size."""
    blocks = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1))
    image = keras.Input((side, side, 3), batch, name="picture")
    x = _conv(image, "conv1", 8, 3, 2)
    for k, (filters, stride) in enumerate(blocks, 2):
        x = _separable(x, f"conv{k}", filters, stride)
    return keras.Model(image, _scores(x, 2), name="person")


NETWORKS: dict[str, Callable[[], Any]] = {"watch": watch, "digits": digits, "fashion": fashion, "person": person}
