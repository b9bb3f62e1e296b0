"""Are the committed models what models/README.md says they are?"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tflm_split.ir.graph import Graph
from tflm_split.tflite.reader import read_model
from tflm_split.verify.tflm import run_in_tflm

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "models"
LARGEST_FILE_BYTES = 1_000_000
STATED: dict[str, Any] = json.loads((MODELS / "accuracy.json").read_text())


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table in models/README.md."""

    input_shape: tuple[int, ...]
    operators: int
    macs: int
    file_bytes: int
    measured_head_bytes: int
    metric: str
    value: float


def _table() -> dict[str, Row]:
    """File stem -> its row; columns: model, input, operators, MACs, file bytes, head, float score, TFLM score."""
    rows = {}
    for line in (MODELS / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if match := re.fullmatch(r"`(\w+)\.tflite`", cells[0]):
            metric, value = cells[7].split()
            shape = tuple(int(d) for d in cells[1].split("x"))
            operators, macs, file_bytes, head_bytes = (int(cell.replace(",", "")) for cell in cells[2:6])
            rows[match.group(1)] = Row(shape, operators, macs, file_bytes, head_bytes, metric, float(value))
    return rows


TABLE = _table()
_VALUES = {
    "INT8": (np.int8, (-128, 128)),
    "INT16": (np.int16, (-32768, 32768)),
    "FLOAT32": (np.float32, (0, 1)),
    "INT32": (np.int32, (0, 4096)),
}
"""Type -> the range that inputs are drawn from. 32-bit integers are token ids."""


def _dtypes(name: str) -> tuple[str, str]:
    """The types of input and output that the model's name says."""
    if name.endswith("_text"):
        return "INT32", "INT8"
    dtype = "INT16" if name.endswith("_16x8") else "FLOAT32" if name.endswith("_float") else "INT8"
    return dtype, dtype


def _macs(graph: Graph) -> int:
    """Multiply-accumulates of convolutions and fully connected layers, padding counted as if it were pixels."""
    total = 0
    for op in graph.operators:
        if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            weights, out = graph.tensors[op.inputs[1]], graph.tensors[op.outputs[0]]
            outputs_per_weight_set = weights.shape[3] if op.kind == "DEPTHWISE_CONV_2D" else weights.shape[0]
            total += out.elements * weights.elements // outputs_per_weight_set
    return total


def _measured(*arguments: str) -> dict[str, Any]:
    """The output of scripts/measure_accuracy.py, run as a user runs it."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "measure_accuracy.py"), "--json", *arguments],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def test_table_files_and_measurements_name_the_same_models() -> None:
    stems = {path.stem for path in MODELS.glob("*.tflite")}
    assert stems == set(TABLE) == set(STATED)
    assert len(stems) == 11


@pytest.mark.parametrize("name", TABLE)
def test_model_is_small_and_as_the_table_says(name: str) -> None:
    content = (MODELS / f"{name}.tflite").read_bytes()
    graph, row = read_model(content).graph, TABLE[name]
    assert len(content) == row.file_bytes < LARGEST_FILE_BYTES
    assert [graph.tensors[t].shape for t in graph.inputs] == [(1, *row.input_shape)]
    assert tuple(graph.tensors[t].dtype for t in (*graph.inputs, *graph.outputs)) == _dtypes(name)
    assert (len(graph.operators), _macs(graph)) == (row.operators, row.macs)


@pytest.mark.parametrize("name", TABLE)
def test_tflm_plans_the_stated_head_and_different_inputs_give_different_outputs(name: str) -> None:
    """Equal outputs of a split model and its original mean something only if outputs depend on inputs."""
    random = np.random.default_rng(0)
    number, (low, high) = _VALUES[_dtypes(name)[0]]
    inputs = [[random.uniform(low, high, (1, *TABLE[name].input_shape)).astype(number)] for _ in range(16)]
    run = run_in_tflm((MODELS / f"{name}.tflite").read_bytes(), inputs)
    assert run.head_bytes == TABLE[name].measured_head_bytes
    assert len(set(run.outputs)) >= 12


def test_models_together_exercise_padding_residuals_pooling_and_embeddings() -> None:
    kinds = {op.kind for name in TABLE for op in read_model(MODELS / f"{name}.tflite").graph.operators}
    assert kinds == {
        "ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "GATHER", "MEAN", "PAD",
        "SOFTMAX",
    }  # fmt: skip


def test_accuracy_in_tflm_is_the_stated_one_to_the_last_output_byte() -> None:
    """All 360 test images or texts through all models: about twenty seconds."""
    assert _measured() == STATED


def test_table_repeats_the_measured_scores() -> None:
    assert {name: (row.metric, row.value) for name, row in TABLE.items()} == {
        name: (record["metric"], record["value"]) for name, record in STATED.items()
    }


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--samples", "0"], "--samples must be 1 to 360, not 0"),
        (["no.tflite"], "no.tflite is not a file"),
        ([__file__], "not a TFLite model"),
    ],
)
def test_bad_arguments_get_one_sentence(arguments: list[str], complaint: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        _measured(*arguments)
    assert refused.value.returncode == 2
    assert complaint in refused.value.stderr
    assert "Traceback" not in refused.value.stderr


def test_stated_measurements_are_of_these_very_files() -> None:
    for name, record in STATED.items():
        assert record["model_sha256"] == hashlib.sha256((MODELS / f"{name}.tflite").read_bytes()).hexdigest()
