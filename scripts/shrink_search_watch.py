"""A training script for `tflm-split shrink search`: small networks for the smartwatch exercises of `shrink_data.py`, soon trained.

The environment variable SHRINK_CACHE names the folder of the sets.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-not-found]  # not installed where types are checked
from keras import layers

sys.path.insert(0, str(Path(__file__).resolve().parent))

import shrink_data

SAMPLES, EPOCHS, BATCH = 1600, 4, 32


def network(trial: Any) -> Any:
    width = trial.suggest_int("width", 8, 32, step=8)
    blocks = trial.suggest_int("blocks", 2, 4)
    kernel = trial.suggest_categorical("kernel", [3, 5, 7])
    series = keras.Input((shrink_data.WINDOW, 6))
    x = layers.Reshape((shrink_data.WINDOW, 1, 6))(series)
    for k in range(blocks):
        x = layers.Conv2D(width, (kernel, 1), (2 if k else 1, 1), padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return keras.Model(series, layers.Dense(7)(layers.GlobalAveragePooling2D()(x)))


def data(trial: Any) -> tuple[Any, Any, Any, Any]:
    found = shrink_data.watch(Path(os.environ["SHRINK_CACHE"]))
    step = len(found.x) // SAMPLES
    return found.x[::step][:SAMPLES], found.y[::step][:SAMPLES], found.x_test[::4], found.y_test[::4]


def fit(model: Any, x: Any, y: Any, callbacks: list[Any]) -> None:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(5e-3), loss, jit_compile=False)
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=callbacks)
