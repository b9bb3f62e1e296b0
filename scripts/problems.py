"""Models with the problems that people report most, for `docs/your_problem.md`: small ones, with random weights.

`python scripts/problems.py FOLDER` writes them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from cells import INPUT, Layer, Layers, tflite


def tcn(samples: int = 400, channels: int = 32) -> Layers:
    """A temporal convolutional network: four residual blocks along time, each dilated twice as far as the one before."""
    layers = [Layer(INPUT, (), (1, samples, 6)), Layer("CONV_2D", (0,), (1, samples, channels), 3, relu=True)]
    for dilation in (1, 2, 4, 8):
        before = len(layers) - 1
        layers.append(Layer("CONV_2D", (before,), (1, samples, channels), 3, dilation=dilation, relu=True))
        layers.append(Layer("ADD", (before, before + 1), (1, samples, channels)))
    return (*layers, Layer("CONV_2D", (len(layers) - 1,), (1, samples // 16, 8), 16, stride=16))


def large_picture(size: int = 160) -> Layers:
    """A classifier of pictures whose first layers are wide: a small file, a huge arena."""
    layers = [Layer(INPUT, (), (size, size, 3))]
    for rows, channels, stride in (
        (size, 16, 1), (size, 40, 1), (size // 2, 40, 2), (size // 4, 64, 2), (size // 8, 96, 2), (size // 16, 128, 2),
        (size // 32, 96, 2),
    ):  # fmt: skip
        layers.append(Layer("CONV_2D", (len(layers) - 1,), (rows, rows, channels), 3, stride, relu=True))
    return tuple(layers)


PROBLEMS: Mapping[str, Callable[[], Layers]] = {"tcn": tcn, "large_picture": large_picture}
"""File stem -> the model."""


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: python scripts/problems.py FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PROBLEMS.items():
        (folder / f"{name}.tflite").write_bytes(tflite(make()))


if __name__ == "__main__":
    main()
