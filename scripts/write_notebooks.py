"""Runs the notebooks of `docs/notebooks/` and writes them with their outputs.

`python scripts/write_notebooks.py [NAME ...]`; needs the extra `test`. Names of files and cells are here;
`tests/test_notebooks.py` runs the same cells on a smaller model, or for a shorter time.
"""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

NOTEBOOKS = Path(__file__).resolve().parent.parent / "docs" / "notebooks"

Cell = tuple[str, str]
"""What it is, `text`, `code` or `parameters`, and its source."""

FIVE_MINUTES: Sequence[Cell] = (
    (
        "text",
        "# Shrink my arena in five minutes\n\nA model, the RAM it asks for, and the same model in a fraction of that.",
    ),
    ("parameters", 'MODEL = "../../models/digits_mobilenet_v1_025_96.tflite"\nEFFORT = "default"\nARENA = "32KB"'),
    (
        "text",
        "## What does it need?\n\nNothing runs yet. Each rectangle is a tensor: as high as its bytes, as wide as its life.",
    ),
    ("code", "import tflm_split\n\ntflm_split.inspect(MODEL)"),
    (
        "text",
        "## Split it\n\nThe original runs in TensorFlow Lite Micro first. Then it is split, and both run on the same inputs; every "
        "output byte is compared.",
    ),
    ("code", "result = tflm_split.optimize(MODEL, effort=EFFORT)\nresult"),
    ("text", "The same pictures for a paper or a slide:"),
    ("code", "before, after = result.plot_memory()"),
    ("text", "## Which operators matter?\n\n`result.operators()` is a list of records, ready for `pandas.DataFrame`."),
    (
        "code",
        'for op in sorted(result.operators(), key=lambda op: -op["live_bytes"])[:5]:\n'
        "    print(f\"{op['kind']:20} {op['live_bytes']:>8,} B alive whole, {op['split_live_bytes'] or 0:>8,} B split, \"\n"
        "          f\"{op['instructions'] or 0:>10,} instructions\")",
    ),
    ("text", "## Does it fit?"),
    (
        "code",
        'goal = tflm_split.optimize(MODEL, effort=EFFORT, max_arena=ARENA, verify=False).report["goal"]\n'
        'print("fits" if goal["met"] else f"{goal[\'missing_bytes\']:,} B are missing")',
    ),
    ("text", "## Into the firmware\n\nA file, the operator's sources, one line, and the size of the array."),
    (
        "code",
        'result.save("split.tflite", force=True)\nprint(tflm_split.runtime_path().name, "holds the sources")\n'
        "print(f\"static uint8_t tensor_arena[{result.report['optimized']['predicted_arm32_minimum_arena_bytes']}];\")",
    ),
)
ROW_COST: Sequence[Cell] = (
    (
        "text",
        "# What does a row cost?\n\nLess memory can cost time: shorter kernel calls, and rows that are computed again.",
    ),
    ("parameters", 'MODEL = "../../models/digits_wide.tflite"\nEFFORT = "default"'),
    ("text", "## The whole choice\n\nNo result is beaten in both memory and time by another one; the fastest comes first."),
    ("code", "import tflm_split\n\nfront = tflm_split.pareto(MODEL, effort=EFFORT, verify=False)\nfront"),
    ("code", "axes = front.plot()"),
    ("text", "## Which axis pays?\n\nRows stream, channels come in groups, columns in tiles."),
    (
        "code",
        'for axes in ("rows", "rows,columns", "rows,channels", "rows,channels,columns"):\n'
        "    report = tflm_split.optimize(MODEL, effort=EFFORT, axes=axes, verify=False).report\n"
        "    print(f\"{axes:22} head {report['optimized']['planned_head_bytes']:>7,} B, \"\n"
        "          f\"{report['latency']['predicted_instructions'] or 0:>10,} instructions\")",
    ),
    ("text", "## Where do the instructions go?\n\nPer operator, in the fastest and in the smallest result:"),
    (
        "code",
        "for name, result in ((\"fastest\", front[0]), (\"smallest\", front[-1])):\n"
        "    print(f\"{name}: {result!r}\")\n"
        "    for op in result.operators():\n"
        "        print(f\"  {op['kind']:18} {op['treatment']:10} {op['instructions'] or 0:>10,} instructions\")",
    ),
    ("text", "## The smallest, in time and bytes"),
    ("code", "before, after = front[-1].plot_memory()"),
)  # fmt: skip
NARROWER: Sequence[Cell] = (
    (
        "text",
        "# A network that is too large\n\nSplitting is not enough? Then make it narrower, but only where its memory peaks. Needs "
        "`pip install 'tflm-split[shrink]'`.",
    ),
    ("parameters", 'DIGITS = "../../models/digits_test.npz"\nEPOCHS = 30\nARENA = "1800B"'),
    (
        "text",
        "## A network of yours\n\nHandwritten digits, 16 x 16. Compiling and fitting are Keras as you know it.",
    ),
    (
        "code",
        "import os\n\n"
        'os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"\n'
        "import keras\n"
        "import numpy as np\n"
        "from keras import layers\n\n"
        "from tflm_split import shrink\n\n"
        "with np.load(DIGITS) as stored:\n"
        '    x = (stored["images"] / 16).repeat(2, 1).repeat(2, 2)[..., None].astype(np.float32)\n'
        '    y = stored["labels"].astype(int)\n'
        "x, y, x_test, y_test = x[:260], y[:260], x[260:], y[260:]\n\n"
        "keras.utils.set_random_seed(0)\n"
        'model = keras.Sequential([keras.Input((16, 16, 1))], name="digits")\n'
        "for filters, stride in ((16, 1), (24, 2), (32, 1), (32, 2)):\n"
        '    model.add(layers.Conv2D(filters, 3, stride, padding="same", use_bias=False, name=f"conv{len(model.layers)}"))\n'
        "    model.add(layers.BatchNormalization(momentum=0.8))\n"
        "    model.add(layers.ReLU())\n"
        "model.add(layers.GlobalAveragePooling2D())\n"
        "model.add(layers.Dense(10))\n\n\n"
        "def fit(model, rate, callbacks):\n"
        "    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)\n"
        '    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])\n'
        "    return model.fit(x, y, epochs=EPOCHS, verbose=0, callbacks=callbacks)\n\n\n"
        "print(f\"learned {fit(model, 5e-3, []).history['accuracy'][-1]:.0%} of the digits\")",
    ),
    (
        "text",
        "## Where does its memory peak?\n\nNothing is trained here. The planner says what each channel costs, and whether any "
        "width fits.",
    ),
    ("code", "study = shrink.study(model, max_arena=ARENA, calibration=x)\nstudy"),
    (
        "text",
        "## Prune while training\n\nA callback. Channels are masked, can return, and are gone at the end. What comes out is "
        "converted to int8, split, and verified in TensorFlow Lite Micro.",
    ),
    ("code", "pruner = study.pruner()\nfit(model, 2e-3, [pruner])\nresult = pruner.finish()\nprint(result)"),
    (
        "text",
        "## Is it still good?\n\nTensorFlow Lite Micro itself classifies digits that it never saw, before and after.",
    ),
    (
        "code",
        "whole = study.costs.mapped.model.original\n"
        'for name, file in (("whole", whole), ("narrower", result.original)):\n'
        '    print(f"{name:10} {len(file):>8,} bytes of flash, {shrink.accuracy_in_tflm(file, x_test, y_test):.0%} right")',
    ),
    ("text", "## What is alive when?\n\nThe narrower network, as it is and split:"),
    ("code", "before, after = result.split.plot_memory()"),
    ("text", "## Into the firmware"),
    (
        "code",
        'result.save("split.tflite", force=True)\nprint(f"static uint8_t tensor_arena[{result.cost.arena}];")',
    ),
)
CELLS: Mapping[str, Sequence[Cell]] = {
    "shrink_my_arena": FIVE_MINUTES,
    "what_does_a_row_cost": ROW_COST,
    "a_network_that_is_too_large": NARROWER,
}
"""File stem -> its cells."""


def executed(cells: Sequence[Cell], folder: Path, parameters: str | None = None) -> Any:
    """The notebook, run in `folder`; `parameters` replace those of its own. Raises CellExecutionError when a cell fails."""
    made = nbformat.v4.new_notebook()
    for k, (kind, source) in enumerate(cells):
        if kind == "text":
            cell = nbformat.v4.new_markdown_cell(source)
        else:
            said = parameters if kind == "parameters" and parameters is not None else source
            cell = nbformat.v4.new_code_cell(said, metadata={"tags": ["parameters"]} if kind == "parameters" else {})
        cell["id"] = f"cell-{k}"
        made.cells.append(cell)
    client = NotebookClient(made, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute()
    for cell in made.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", ()):
                output["data"]["image/png"] = _with_palette(output["data"]["image/png"])
    return made


def _with_palette(png: str) -> str:
    """The picture `png` (base64) in 64 colours, which takes a quarter of the bytes and looks the same."""
    small = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB").quantize(64).save(small, "PNG", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def main() -> None:
    NOTEBOOKS.mkdir(exist_ok=True)
    for name in sys.argv[1:] or CELLS:
        nbformat.write(executed(CELLS[name], NOTEBOOKS), NOTEBOOKS / f"{name}.ipynb")
        (NOTEBOOKS / "split.tflite").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
