"""How well does a model of `models/`, original or split, do on the test digits or texts when TFLM itself runs it?

`python scripts/measure_accuracy.py [file.tflite ...] [--samples N] [--json]`; without files, all of `models/`.
Because a split model returns the same bytes, its line must equal its original's, predictions included.
`models/accuracy.json` is what `--json` prints for the committed models.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import digits
import languages
import numpy as np

from tflm_split import tflm
from tflm_split.errors import InputError, TflmSplitError

MODELS = digits.TEST_FILE.parent
COUNT = min(digits.TEST_COUNT, languages.TEST_COUNT)
"""Of test images, and of test texts."""
TYPES = (np.int8, np.int16, np.float32)
Numbers = Any
"""An array of one of `TYPES`."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the accuracy of .tflite files on test samples, in TFLM.")
    parser.add_argument("models", nargs="*", type=Path, metavar="file.tflite", help="default: all of models/")
    parser.add_argument("--samples", type=int, default=COUNT, help="only the first so many test images or texts")
    parser.add_argument("--json", action="store_true", help="print one JSON object, file stem -> measurement")
    arguments = parser.parse_args()
    if not 1 <= arguments.samples <= COUNT:
        parser.error(f"--samples must be 1 to {COUNT}, not {arguments.samples}")
    missing = [path for path in arguments.models if not path.is_file()]
    if missing:
        parser.error(f"{missing[0]} is not a file")
    paths = arguments.models or sorted(MODELS.glob("*.tflite"))
    try:
        measured = {path.stem: measure(path, arguments.samples) for path in paths}
    except TflmSplitError as error:
        parser.exit(error.exit_code, f"{parser.prog}: {error}\n")
    if arguments.json:
        print(json.dumps(measured, indent=1))
        return
    for name, record in measured.items():
        print(f"{name}: {record['metric']} {record['value']:.4f} on {record['samples']} samples")


def measure(path: Path, count: int = COUNT) -> dict[str, Any]:
    """The measurement of one file on the first `count` test images, or texts if its input is token ids.

    A model with ten outputs is a classifier: `metric` "accuracy", `correct` samples, and `predictions`, one class per
    sample. One with as many outputs as inputs rebuilds its input: `metric` "auc", see `digits.anomaly_auc`.
    `distinct_outputs` counts different output bytes, `outputs_sha256` is over those of all samples. Raises InputError
    for any other model, and where the images are too few for an AUC.
    """
    content = path.read_bytes()
    interpreter = tflm.interpreter(content)
    source, sink = interpreter.get_input_details(0), interpreter.get_output_details(0)
    features = int(np.prod(sink["shape"]))
    if source["dtype"] is np.int32:
        inputs, labels = _texts(path, source, features)
    else:
        inputs, labels = _images(path, source, sink, features)
    inputs, labels = inputs[:count], labels[:count]
    outputs = np.stack([_invoked(interpreter, sample) for sample in inputs])
    record: dict[str, Any] = {
        "model_sha256": hashlib.sha256(content).hexdigest(),
        "samples": count,
        "distinct_outputs": len({output.tobytes() for output in outputs}),
        "outputs_sha256": hashlib.sha256(outputs.tobytes()).hexdigest(),
    }
    if features == digits.CLASSES:
        predictions = outputs.argmax(axis=1)
        correct = int(np.sum(predictions == labels))
        return record | {
            "metric": "accuracy",
            "value": round(correct / count, 4),
            "correct": correct,
            "predictions": "".join(map(str, predictions)),
        }
    rebuilt = _as_numbers(outputs, sink)
    seen = _as_numbers(inputs, source).reshape(rebuilt.shape)
    try:
        auc = digits.anomaly_auc(seen, rebuilt, labels)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    return record | {"metric": "auc", "value": round(auc, 4)}


def _texts(path: Path, source: dict[str, Any], features: int) -> tuple[Numbers, digits.Bytes]:
    """The test texts as token ids, and their labels; raises InputError when they do not fit."""
    if tuple(source["shape"]) != (1, languages.TOKENS) or features != len(languages.LANGUAGES):
        raise InputError(f"{path}: does not tell languages apart by {languages.TOKENS} token ids")
    texts, labels = languages.test_set()
    return languages.as_input(texts), labels


def _images(path: Path, source: dict[str, Any], sink: dict[str, Any], features: int) -> tuple[Numbers, digits.Bytes]:
    """The test images as the input has them, and their labels; raises InputError when they do not fit."""
    if source["dtype"] is not sink["dtype"] or source["dtype"] not in TYPES:
        raise InputError(f"{path}: input and output must both be int8, int16 or float32")
    if features not in (digits.CLASSES, int(np.prod(source["shape"]))):
        raise InputError(f"{path}: neither tells ten digits apart nor rebuilds its input")
    images, labels = digits.test_set()
    try:
        samples = digits.as_input(images, tuple(int(d) for d in source["shape"][1:]))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    return _as_type_of(samples, source), labels


def _as_type_of(values: digits.Floats, details: dict[str, Any]) -> Numbers:
    """Real values as a tensor holds them."""
    if details["dtype"] is np.float32:
        return values.astype(np.float32)
    return digits.quantized(values, *_affine(details), details["dtype"])


def _as_numbers(values: Numbers, details: dict[str, Any]) -> digits.Floats:
    """What a tensor holds as real values."""
    if details["dtype"] is np.float32:
        return values.astype(np.float64)
    return digits.dequantized(values, *_affine(details))


def _affine(details: dict[str, Any]) -> tuple[float, int]:
    """Scale and zero point of a tensor quantised as a whole."""
    parameters = details["quantization_parameters"]
    return float(parameters["scales"][0]), int(parameters["zero_points"][0])


def _invoked(interpreter: Any, sample: Numbers) -> Numbers:
    """The output, flat, for one sample without its batch dimension."""
    interpreter.set_input(sample[None], 0)
    interpreter.invoke()
    return np.array(interpreter.get_output(0)).reshape(-1)


if __name__ == "__main__":
    main()
