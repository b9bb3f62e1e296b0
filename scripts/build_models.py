"""How were the models of `models/` made? Train, quantise and write them: `python scripts/build_models.py [name ...]`.

Needs `tensorflow`, `scikit-learn` and, for its messages, `django`, which nothing else here does. Seeds are fixed and
TensorFlow runs its deterministic kernels: the same versions on the same machine write the same bytes. Other processors
round differently, so the committed files are the reference. Each model takes up to two and a half minutes on two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read once, when tensorflow is imported

import digits
import keras  # type: ignore[import-not-found]  # not installed where types are checked: models are built rarely
import languages
import messages
import tensorflow as tf  # type: ignore[import-untyped]  # ships no types
from networks import RECIPES, Recipe
from sklearn.datasets import load_digits  # type: ignore[import-not-found]  # as keras

SEED = 7
BATCH = 32
TEXTS_PER_PASS = 2000
LABEL_SMOOTHING = 0.1
"""Keeps the softmax away from 0 and 1, where int8 outputs of different images would all be the same."""

QUANTIZED = {
    "int8": (tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.int8),
    "int16": (tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8, tf.int16),
}
"""Recipe types -> the operators the converter may use, and the type of input and output."""

MODELS = Path(__file__).resolve().parent.parent / "models"

Samples = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the small models this project's tests and README use.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"what to build; all by default: {', '.join(RECIPES)}")
    parser.add_argument("--output", type=Path, default=MODELS, help="directory to write to (default: models/)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in RECIPES]
    if unknown:
        parser.error(f"no model is called {unknown[0]}; there are {', '.join(RECIPES)}")
    tf.config.experimental.enable_op_determinism()
    bunch = load_digits()
    images, labels = bunch.images.astype(np.uint8), bunch.target.astype(np.uint8)
    split = len(images) - digits.TEST_COUNT
    write_test_set(arguments.output / digits.TEST_FILE.name, images[split:], labels[split:])
    for_training, for_testing = messages.messages()
    texts, text_labels = messages.texts(for_testing, languages.TEST_COUNT, np.random.default_rng(SEED))
    write_test_set(arguments.output / languages.TEST_FILE.name, np.array(texts), text_labels, "texts")
    for name in arguments.names or RECIPES:
        recipe = RECIPES[name]
        if recipe.data == "languages":
            model, samples = trained_on_texts(recipe, for_training)
            score = accuracy(model, languages.as_input(texts), text_labels)
        else:
            model, samples = trained(recipe, images[:split], labels[:split])
            score = float_score(recipe, model, images[split:], labels[split:])
        content = converted(recipe, model, samples)
        (arguments.output / f"{name}.tflite").write_bytes(content)
        print(f"{name}: {len(content)} bytes, {score} before quantisation", flush=True)


def write_test_set(path: Path, samples: npt.NDArray[Any], labels: Labels, name: str = "images") -> None:
    """Stores the test images or texts and labels for everything that measures accuracy without what they come from."""
    packed = io.BytesIO()
    np.savez_compressed(packed, **{name: samples}, labels=labels)
    path.write_bytes(packed.getvalue())


def trained(recipe: Recipe, images: Labels, labels: Labels) -> tuple[Any, Samples]:
    """A trained Keras model, and the training samples (not augmented) as it takes them.

    An autoencoder learns to reproduce every digit but the one it must later find strange.
    """
    keras.backend.clear_session()  # restarts automatic layer names, which end up in the file
    keras.utils.set_random_seed(SEED)
    if recipe.reconstructs:
        images, labels = images[labels != digits.ANOMALY], labels[labels != digits.ANOMALY]
    model = recipe.network(None)
    samples = digits.as_input(images, model.input_shape[1:]).astype(np.float32)
    steps = recipe.epochs * -(-len(samples) // BATCH)
    _compile(recipe, model, steps)
    targets = np.eye(digits.CLASSES, dtype=np.float32)[labels]
    random = np.random.default_rng(SEED)
    for _ in range(recipe.epochs):
        order = random.permutation(len(samples))
        batch = samples[order] if recipe.reconstructs else augmented(samples[order], random)
        model.fit(batch, batch if recipe.reconstructs else targets[order], BATCH, verbose=0, shuffle=False)
    return model, samples


def trained_on_texts(recipe: Recipe, source: messages.Messages) -> tuple[Any, Samples]:
    """A trained Keras model, and texts as it takes them; every pass is over texts put together anew."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(SEED)
    model = recipe.network(None)
    _compile(recipe, model, recipe.epochs * -(-TEXTS_PER_PASS // BATCH))
    random = np.random.default_rng(SEED + 1)
    for _ in range(recipe.epochs):
        texts, labels = messages.texts(source, TEXTS_PER_PASS, random)
        tokens, order = languages.as_input(texts), random.permutation(TEXTS_PER_PASS)
        targets = np.eye(len(languages.LANGUAGES), dtype=np.float32)[labels]
        model.fit(tokens[order], targets[order], BATCH, verbose=0, shuffle=False)
    return model, tokens


def _compile(recipe: Recipe, model: Any, steps: int) -> None:
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps)),
        loss="mse" if recipe.reconstructs else keras.losses.CategoricalCrossentropy(label_smoothing=LABEL_SMOOTHING),
    )


def augmented(samples: Samples, random: np.random.Generator) -> Samples:
    """Every sample with a little noise, within 0..1; images [height, width, channels] first moved by up to an eighth."""
    moved = _moved(samples, random) if samples.ndim == 4 else samples
    noise = random.normal(0.0, 0.05, samples.shape)
    return np.clip(moved + noise, 0.0, 1.0).astype(np.float32)


def _moved(samples: Samples, random: np.random.Generator) -> Samples:
    height, width = samples.shape[1:3]
    moved = np.zeros_like(samples)
    for target, sample in zip(moved, samples, strict=True):
        down = int(random.integers(-(height // 8), height // 8 + 1))
        right = int(random.integers(-(width // 8), width // 8 + 1))
        target[_shared(down, height), _shared(right, width)] = sample[_shared(-down, height), _shared(-right, width)]
    return moved


def _shared(shift: int, size: int) -> slice:
    """Where, along an axis of `size` pixels, an image moved by `shift` still has pixels of its own."""
    return slice(max(shift, 0), size + min(shift, 0))


def converted(recipe: Recipe, model: Any, samples: Samples) -> bytes:
    """The trained model as a .tflite file of the recipe's types, activation ranges taken from 200 training samples.

    Fully connected weights get one scale per tensor: older TFLM kernels know no other.
    """
    single = recipe.network(1)
    single.set_weights(model.get_weights())
    chosen = samples[:: len(samples) // 200][:200]

    def representative() -> Iterator[list[Samples]]:
        for sample in chosen:
            yield [sample[None]]

    converter = tf.lite.TFLiteConverter.from_keras_model(single)
    if recipe.types != "float32":
        builtins, activations = QUANTIZED[recipe.types]
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [builtins]
        converter.inference_input_type = converter.inference_output_type = activations
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    with contextlib.redirect_stdout(io.StringIO()):  # the converter lists every variable
        return bytes(converter.convert())


def float_score(recipe: Recipe, model: Any, images: Labels, labels: Labels) -> str:
    """What the float model reaches on the test set: the share classified right, or the AUC of the anomaly score."""
    inputs = digits.as_input(images, model.input_shape[1:])
    outputs = np.asarray(model.predict(inputs.astype(np.float32), verbose=0), np.float64)
    if recipe.reconstructs:
        return f"AUC {digits.anomaly_auc(inputs, outputs, labels):.4f}"
    return f"accuracy {np.mean(outputs.argmax(1) == labels):.4f}"


def accuracy(model: Any, inputs: languages.Tokens, labels: Labels) -> str:
    """The share of texts the float model classifies right."""
    return f"accuracy {np.mean(np.asarray(model.predict(inputs, verbose=0)).argmax(1) == labels):.4f}"


if __name__ == "__main__":
    main()
