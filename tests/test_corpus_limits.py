"""On real models, verified in TFLM: nothing comes out worse, and an odd file gets a result or one sentence."""

import pytest
from optimized import optimized
from tflite_helpers import CORPUS, corpus_files, needs_corpus

import tflm_split
from tflm_split.cli import main

pytestmark = needs_corpus


@pytest.mark.parametrize("name", ["mlperf_ad01_int8", "mlperf_resnet8_16x8", "micro_speech", "mww_okay_nabu_v2"])
def test_a_model_with_little_to_gain_is_no_worse_and_says_why(name):
    report = optimized(CORPUS / "models" / f"{name}.tflite").report
    assert report["verified"]["bit_exact"] is True
    assert report["optimized"]["measured_arena_bytes"] <= report["original"]["measured_arena_bytes"]
    assert len(report["refusals"]) == report["optimized"]["stock_ops"]


@pytest.mark.parametrize(
    "name", ["helia_add_scalar_s8", "lr_call_once_mul", "lr_constant_output", "mlonmcu_multi_scratch"]
)
@pytest.mark.parametrize("verify", [True, False])
def test_a_model_that_would_need_more_on_a_board_is_kept(name, verify):
    """Split, its arena would be smaller on x86-64, where a tensor takes more bytes, but not on a Cortex-M."""
    result = tflm_split.optimize(CORPUS / "odd" / f"{name}.tflite", verify=verify)
    needed = [result.report[part]["predicted_arm32_minimum_arena_bytes"] for part in ("original", "optimized")]
    assert needed[1] <= needed[0]
    assert result.report["kept_original"]


@pytest.mark.parametrize("path", corpus_files("odd"))
def test_an_odd_file_gets_a_result_or_one_sentence(path, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["optimize", str(path), "-o", str(tmp_path / "out.tflite")])
    out, err = capsys.readouterr()
    assert ended.value.code in (0, 2)
    if ended.value.code == 0:
        assert out
        assert err == ""
    else:
        assert out == ""
        assert err.startswith("tflm-split: ")
        assert err.count("\n") == 1
    assert (tmp_path / "out.tflite").exists() == (ended.value.code == 0)
