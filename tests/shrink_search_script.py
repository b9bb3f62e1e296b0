"""A training script for `shrink search`, as a user would write it: which of two quadrants is bright?"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers


def network(trial):
    side, width = trial.suggest_categorical("side", [8, 12]), trial.suggest_int("width", 4, 16, step=4)
    image = keras.Input((side, side, 1))
    x = layers.Conv2D(width, 3, 2, padding="same", activation="relu")(image)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    return keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))


def data(trial):
    side = trial.params["side"]
    random = np.random.default_rng(0)
    x = random.random((256, side, side, 1)).astype(np.float32)
    y = random.integers(0, 2, 256)
    for image, label in zip(x, y, strict=True):
        half = slice(0, side // 2) if label else slice(side // 2, side)
        image[half, half] += 0.5
    return x[:192], y[:192], x[192:], y[192:]


def fit(model, x, y, callbacks):
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, epochs=4, verbose=0, callbacks=callbacks)
