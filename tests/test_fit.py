"""The arena that `fit` names is the one that boards and the wheel measured, alone and shared, to the byte."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from optimized import optimized

from tflm_split.analysis.boards import measured_boards
from tflm_split.analysis.kernel_sets import kernel_set
from tflm_split.answers.fit import fit, fit_text, joint, need
from tflm_split.board.boards import BOARDS
from tflm_split.board.toolchain import ARM
from tflm_split.cli import main
from tflm_split.errors import InputError, TflmUnavailable
from tflm_split.options import Options
from tflm_split.report.footprint import head_with
from tflm_split.tflite.reader import read_model
from tflm_split.verify.compare import test_inputs as made_inputs
from tflm_split.verify.tflm import run_in_tflm, tflm_version

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "models"
CORPUS = ROOT.parent / "shared" / "corpus"

STOCK_WITH_CMSIS_NN = {
    ("digits_dscnn_16x8", "m7"): 41_076,
    ("digits_dscnn_16x8", "m55"): 41_332,
    ("digits_dscnn_16x8", "m3"): 41_076,
    ("digits_dscnn_16x8", "m0"): 41_076,
    ("digits_dscnn_float", "m7"): 66_080,
    ("digits_mobilenet_v2_float", "m55"): 425_728,
    ("digits_tail", "m7"): 119_796,
    ("digits_tail", "m55"): 124_324,
    ("digits_tail", "m3"): 119_796,
    ("digits_wide", "m7"): 2_964,
    ("digits_wide", "m55"): 11_332,
    ("digits_wide", "m0"): 2_964,
}
"""`arena_used_bytes()` of stock TFLM with CMSIS-NN on emulated boards."""
PAIRS = (("digits_wide", "digits_dscnn"), ("digits_dscnn", "digits_resnet8"), ("digits_autoencoder", "digits_wide"))
X64_ALLOCATOR_BYTES = 3 * 72
"""What a MicroAllocator itself takes in the wheel, once, with the padding behind it."""


@pytest.mark.parametrize(("name", "board"), STOCK_WITH_CMSIS_NN)
def test_the_arena_is_the_one_measured_with_cmsis_nn(name: str, board: str) -> None:
    found = need(read_model(MODELS / f"{name}.tflite"), kernel_set("cmsis-nn", board))
    assert (found["arena_bytes"], found["unknown"]) == (STOCK_WITH_CMSIS_NN[name, board], [])


def test_every_measured_arena_of_the_corpus_is_named_exactly() -> None:
    table = CORPUS / "stock_instructions.tsv"
    if not table.exists():
        pytest.skip("the corpus is not there")
    wrong, seen = [], 0
    for row in csv.DictReader(table.open(), delimiter="\t"):
        path = next((p for p in (CORPUS / "models", MODELS) if (p / f"{row['model']}.tflite").exists()), None)
        if row["stock_arena_used_bytes"] == "-" or path is None:
            continue
        found = need(
            read_model(path / f"{row['model']}.tflite"), kernel_set(row["stock_kernels"].lower(), row["board"])
        )
        seen += 1
        if found["arena_bytes"] != int(row["stock_arena_used_bytes"]):
            wrong.append((row["model"], row["board"], found))
        # The reference FULLY_CONNECTED was measured there, because CMSIS-NN's does not take this model.
        other_kernel = row["model"] == "mlperf_resnet8_16x8" and row["stock_kernels"] == "CMSIS-NN"
        assert bool(found["unknown"]) == other_kernel
    assert seen >= 70 and wrong == []


def test_every_measured_arena_of_a_split_file_is_its_head_and_the_predicted_tail() -> None:
    """The files that were measured are of an earlier commit; all are one region with one input and one output."""
    table, figures = CORPUS / "stock_instructions.tsv", CORPUS / "heads_2026-11.tsv"
    if not table.exists() or not figures.exists():
        pytest.skip("the corpus is not there")
    lines = (line.split("\t") for line in figures.read_text().splitlines() if not line.startswith("#"))
    heads = {name: int(head_bytes) for name, options, head_bytes in lines if options == "-"}
    split = read_model(optimized(CORPUS / "models" / "micro_speech.tflite").model)
    seen = 0
    for row in csv.DictReader(table.open(), delimiter="\t"):
        if row["split_arena_used_bytes"] == "-" or not (CORPUS / "models" / f"{row['model']}.tflite").exists():
            continue
        seen += 1
        tail_bytes = need(split, kernel_set(row["stock_kernels"].lower(), row["board"]))["tail_bytes"]
        assert int(row["split_arena_used_bytes"]) == heads[row["model"]] + tail_bytes, row
    assert seen >= 45


def test_what_is_not_known_does_not_fit() -> None:
    odd = CORPUS / "odd" / "mlonmcu_custom.tflite"
    if not odd.exists():
        pytest.skip("the corpus is not there")
    record = fit([odd], Options(max_arena_bytes="1M", verify=False))
    assert record["models"][0]["stock"]["unknown"] and record["models"][0]["not_run_because"]
    assert not record["met"]
    assert "not known" in fit_text(record)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_shared_arena_is_the_one_two_interpreters_take(pair: tuple[str, str]) -> None:
    paths = [MODELS / f"{name}.tflite" for name in pair]
    models = [read_model(path) for path in paths]
    alone = [_two_in_one_arena(path, path, shared=False) for path in paths]
    reference = kernel_set("reference", "m7")
    heads = [head_with(model, reference) for model in models]
    tails = [run["used_bytes"] - head for run, head in zip(alone, heads, strict=True)]
    ready = _two_in_one_arena(*paths, shared=True)
    in_turn = _two_in_one_arena(*paths, shared=False)
    for run in (ready, in_turn):
        assert run["outputs"] == [_outputs_alone(path) for path in paths]
    expected = max(heads) + sum(tails) - X64_ALLOCATOR_BYTES
    assert abs(ready["used_bytes"] - expected) <= 16
    assert in_turn["used_bytes"] == alone[1]["used_bytes"]
    shared = joint(models, reference)
    assert shared["all_ready"]["head_bytes"] == max(heads)
    single = [need(model, reference) for model in models]
    assert shared["one_at_a_time"]["set_aside_bytes"] == max(n["set_aside_bytes"] for n in single)
    assert shared["interleaved"]["set_aside_bytes"] == sum(n["set_aside_bytes"] for n in single)


def _two_in_one_arena(first: Path, second: Path, *, shared: bool) -> dict[str, object]:
    try:
        tflm_version()
    except TflmUnavailable as error:
        pytest.skip(str(error))
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    command = [sys.executable, str(ROOT / "tests/shared_arena.py"), str(first), str(second), "400000", str(int(shared))]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, check=True, timeout=120)
    return dict(json.loads(done.stdout))


def _outputs_alone(path: Path) -> list[str]:
    model = read_model(path)
    run = run_in_tflm(model.original, made_inputs(model.graph, 2, 0))
    return [hashlib.sha256(b"".join(outputs)).hexdigest() for outputs in run.outputs]


def test_the_command_says_whether_it_fits(capsys: pytest.CaptureFixture[str]) -> None:
    model = str(MODELS / "digits_wide.tflite")
    codes = []
    for arguments in (["--arena", "4KB"], ["--arena", "1KB"], ["--board", "m55", "--kernels", "cmsis-nn", "--json"]):
        with pytest.raises(SystemExit) as ended:
            main(["fit", model, "--stock-only", *arguments])
        codes.append(ended.value.code)
    said = capsys.readouterr().out
    assert codes == [0, 1, 0]
    assert "Fits into 4,096 B." in said and "Does NOT fit into 1,024 B." in said
    assert json.loads(said[said.index("{") :])["models"][0]["stock"]["arena_bytes"] == 11_332


def test_split_models_are_measured_too() -> None:
    record = fit([MODELS / "digits_wide.tflite"], Options(), lambda path, model: model)
    entry = record["models"][0]
    assert entry["split"] == entry["stock"] and record["joint_split"] is None


@pytest.mark.parametrize("board", [name for name in measured_boards() if BOARDS[name].toolchain is ARM])
def test_cmsis_nn_is_known_on_every_board_with_an_arm_core(board: str) -> None:
    core = {"netduinoplus2": "m4", "microbit": "m0", "stm32vldiscovery": "m3"}.get(board, board)
    model = read_model(MODELS / "digits_wide.tflite")
    assert need(model, kernel_set("cmsis-nn", board)) == need(model, kernel_set("cmsis-nn", core))


@pytest.mark.parametrize("board", [name for name in measured_boards() if BOARDS[name].toolchain is not ARM])
def test_cmsis_nn_is_refused_on_other_cores(board: str) -> None:
    with pytest.raises(
        InputError, match=f"for Arm cores, and the board '{board}' has none; choose the kernels 'reference'"
    ):
        kernel_set("cmsis-nn", board)


def test_a_board_that_nobody_measured_is_refused() -> None:
    with pytest.raises(InputError, match="'esp32'"):
        kernel_set("cmsis-nn", "esp32")
