"""Random Keras networks: residual, concatenated, depthwise, grouped, separable, squeeze-and-excite, nested, one-dimensional."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

ACTIVATIONS = ("relu", "relu6", "sigmoid", "tanh", "hard_swish", "leaky_relu")


class Maker:
    """Adds random blocks to a network. `convertible`: only what TensorFlow makes int8 operators of that TFLM runs."""

    def __init__(self, seed: int, *, convertible: bool = False) -> None:
        self.random = np.random.default_rng(seed)
        self.convertible = convertible
        self.nested = 0

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.random.integers(len(choices)))]

    def act(self, x: Any) -> Any:
        name = "relu" if self.convertible else self.pick(*ACTIVATIONS)
        return layers.Activation(name)(x)

    def norm(self, x: Any) -> Any:
        return layers.BatchNormalization()(x) if self.random.random() < 0.6 else x

    def conv(self, x: Any, filters: int | None = None, stride: int = 1) -> Any:
        filters = filters or int(self.random.integers(2, 9))
        bias = bool(self.random.random() < 0.5)
        return layers.Conv2D(filters, self.pick(1, 3), stride, padding="same", use_bias=bias)(x)

    def plain(self, x: Any) -> Any:
        return self.act(self.norm(self.conv(x, stride=self.pick(1, 1, 2))))

    def residual(self, x: Any) -> Any:
        y = self.act(self.norm(self.conv(x)))
        y = self.norm(self.conv(y, x.shape[-1]))
        return self.act(layers.Add()([x, y]))

    def concatenated(self, x: Any) -> Any:
        return self.norm(layers.Concatenate()([x, self.act(self.conv(x)), self.conv(x)]))

    def depthwise(self, x: Any) -> Any:
        times = 1 if self.convertible else self.pick(1, 2)
        y = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=times, use_bias=self.pick(True, False))(x)
        return self.act(self.norm(y))

    def grouped(self, x: Any) -> Any:
        x = self.conv(x, 6)
        return self.act(layers.Conv2D(self.pick(6, 12), 3, padding="same", groups=self.pick(2, 3, 6))(x))

    def separable(self, x: Any) -> Any:
        return self.act(self.norm(layers.SeparableConv2D(int(self.random.integers(3, 9)), 3, padding="same")(x)))

    def squeeze_excite(self, x: Any) -> Any:
        s = layers.GlobalAveragePooling2D(keepdims=self.pick(True, False))(x)
        s = layers.Reshape((1, 1, x.shape[-1]))(s)
        s = layers.Conv2D(4, 1, activation="relu")(s)
        return layers.Multiply()([x, layers.Conv2D(x.shape[-1], 1, activation="sigmoid")(s)])

    def pooled(self, x: Any) -> Any:
        if min(x.shape[1:3]) < 2:
            return x
        return self.pick(layers.MaxPooling2D, layers.AveragePooling2D)(2)(layers.ZeroPadding2D(1)(x))

    def inner(self, x: Any) -> Any:
        """A block as a model of its own, called once or twice."""
        self.nested += 1
        inside = keras.Input(x.shape[1:])
        y = self.conv(self.act(self.norm(self.conv(inside))), x.shape[-1])
        block = keras.Model(inside, y, name=f"block{self.nested}")
        return block(block(x)) if self.random.random() < 0.3 else block(x)

    def network(self) -> Any:
        keras.utils.set_random_seed(int(self.random.integers(1 << 30)))
        side = int(self.random.integers(6, 11))
        x = image = keras.Input((side, side, self.pick(1, 3)))
        x = self.plain(x)
        blocks = [
            self.plain, self.residual, self.concatenated, self.depthwise, self.separable, self.squeeze_excite, self.pooled,
            self.inner, *([] if self.convertible else [self.grouped]),
        ]  # fmt: skip
        for _ in range(int(self.random.integers(1, 5))):
            x = self.pick(*blocks)(x)
        flat = layers.Flatten()(x) if self.random.random() < 0.5 else layers.GlobalAveragePooling2D()(x)
        hidden = layers.Dense(int(self.random.integers(3, 9)), activation="relu")(flat)
        model = keras.Model(image, layers.Dense(3)(hidden), name="random")
        randomize(model, self.random)
        return model


def randomize(model: Any, random: np.random.Generator) -> None:
    """Weights and statistics as training could have left them, so that outputs vary."""
    for variable in model.variables:
        if "variance" in variable.path:
            variable.assign(random.uniform(0.3, 2.0, variable.shape))
        elif "seed" not in variable.path:
            fan_in = max(1, int(np.prod(variable.shape[:-1])))
            variable.assign(random.normal(0, 1 / np.sqrt(fan_in), variable.shape))


def one_dimensional(seed: int) -> Any:
    """A small network over time: convolutions, a separable one, pooling, dense."""
    random = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((32, 6)),
            layers.Conv1D(8, 5, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.SeparableConv1D(12, 3, padding="same"),
            layers.MaxPooling1D(2),
            layers.Conv1D(8, 3, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(4),
        ]
    )
    randomize(model, random)
    return model


def random_removal(trace: Any, seed: int) -> frozenset[int]:
    """Some units of each group, never all."""
    random = np.random.default_rng(seed)
    removed: set[int] = set()
    for group in trace.groups:
        count = int(random.integers(0, len(group.units)))
        removed.update(int(u) for u in random.choice(group.units, count, replace=False))
    return frozenset(removed)
