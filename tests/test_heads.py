"""No head grows: every real model stays within the head reached so far, planned as TFLM measures it, and verified.

`pytest tests/test_heads.py --all-heads` tests all models (ten minutes). Without the option, only the quick ones.
The figures of models/ are in tests/heads.tsv, those of the corpus lie beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from optimized import optimized as optimized_once
from tflite_helpers import CORPUS, ROOT

import tflm_split
from tflm_split.errors import InputError
from tflm_split.program.in_model import programs_of
from tflm_split.program.sizes import state_bytes_of_program
from tflm_split.search.decision_file import SavedDecision
from tflm_split.tflite.reader import read_model

FIGURES = {ROOT / "models": ROOT / "tests" / "heads.tsv", CORPUS / "models": CORPUS / "heads_2026-11.tsv"}
"""Folder of models -> its figures."""
SLOW = {
    "ad_micronet_large",
    "coral_tf2_mbv2_100_224_ptq",
    "derived_person_detect_offline",
    "gd32_fastvit_192",
    "gen_bert_tiny",
    "gen_nasnet_a_cifar",
    "gen_randwire_ws32_a",
    "gen_unet_96",
    "kws_micronet_l",
    "mcunet_person_det",
    "mcunet_vww0_tinyts",
    "person_detect",
    "seeed_fomo_mbv2_035",
    "sil_rock_paper_scissors",
    "vww_micronet_vww2",
}
"""Models left out without the option: they take about ten seconds or more, or are much like another one."""
SAME_OUTPUT = {"gen_mbv3s_035_96", "keyword_scrambled_8bit"}
"""Models whose outputs are the same for all random inputs."""

MAX_TAIL_BYTES = 1_800
"""The largest tail of a model that is one region, but for what it remembers."""
MAX_PROGRAM_BYTES = 6 * 1024
"""The largest programs of the models of MLPerf Tiny, without constants."""
MLPERF = {"mlperf_kws_int8", "mlperf_resnet8_int8", "mlperf_vww96_int8", "mlperf_strww_int8"}


def figures() -> Iterator[tuple[Path, bool, int]]:
    """(model, whether its float interface is stripped, the head in bytes) of each line of a table."""
    for folder, table in FIGURES.items():
        if not folder.is_dir() or not table.is_file():
            continue
        for line in table.read_text().splitlines():
            if line.startswith("#"):
                continue
            name, options, head_bytes = line.split("\t")
            assert options in ("-", "--int8-io")
            path = folder / f"{name}.tflite"
            if path.is_file():
                yield path, options == "--int8-io", int(head_bytes)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "figure" in metafunc.fixturenames:
        every = metafunc.config.getoption("all_heads")
        asked = [figure for figure in figures() if every or figure[0].stem not in SLOW]
        names = [path.stem + "_int8_io" * int8_io for path, int8_io, _ in asked]
        metafunc.parametrize("figure", asked, ids=names)


def test_the_head_is_no_larger_than_before(figure: tuple[Path, bool, int]) -> None:
    path, int8_io, head_bytes = figure
    result = optimized_once(path, int8_io=True) if int8_io else optimized_once(path)
    report = result.report
    original, optimized = report["original"], report["optimized"]
    assert report["verified"]["bit_exact"] is True
    assert report["verified"]["distinct_outputs"] > 1 or path.stem in SAME_OUTPUT
    assert optimized["planned_head_bytes"] == optimized["measured_head_bytes"] <= head_bytes
    assert optimized["measured_arena_bytes"] <= original["measured_arena_bytes"]
    assert optimized["macs"] <= report["model"]["macs"]
    if optimized["regions"] == 1 and not optimized["stock_ops"]:
        remembered = sum(map(state_bytes_of_program, programs_of(read_model(result.model)).values()))
        assert optimized["measured_tail_bytes"] <= MAX_TAIL_BYTES + remembered
    if path.stem in MLPERF:
        assert optimized["program_bytes"] < MAX_PROGRAM_BYTES


def test_a_saved_plan_makes_the_same_file_without_a_search(
    figure: tuple[Path, bool, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, int8_io, _ = figure
    result = optimized_once(path, int8_io=True) if int8_io else optimized_once(path)
    saved = SavedDecision.parse(result.decision.json())
    monkeypatch.setattr("tflm_split.pipeline.best_plan", None)
    assert tflm_split.optimize(path, verify=False, decision=saved).model == result.model
    other = ROOT / "models" / ("digits_tail.tflite" if path.stem != "digits_tail" else "digits_wide.tflite")
    with pytest.raises(InputError, match="the plan is for another model"):
        tflm_split.optimize(other, verify=False, decision=saved)


def test_every_model_of_the_repository_has_its_figure() -> None:
    stated = {path.stem for path, _, _ in figures() if path.parent == ROOT / "models"}
    assert stated == {path.stem for path in (ROOT / "models").glob("*.tflite")}
