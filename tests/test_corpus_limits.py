"""On real models, verified in TFLM: heads stay below the stated limits, nothing is computed twice, nothing comes out worse."""

import pytest
from tflite_helpers import CORPUS, corpus_files, needs_corpus

import tflm_split
from tflm_split.cli import main

MAX_HEAD_BYTES = {
    "mlperf_kws_int8": 3_700,
    "mlperf_resnet8_int8": 9_850,
    "mlperf_vww96_int8": 28_100,
    "mlperf_strww_int8": 3_650,
    "person_detect": 11_600,
    "mcunet_vww1_tinyts": 20_600,
    "mcunet_vww0_tinyts": 13_600,
    "kws_micronet_l": 22_400,
    "ad_micronet_large": 45_000,
    "vww_micronet_vww2": 6_560,
    "sil_kws_mobilenetv2": 5_600,
    "seeed_fomo_mbv2_035": 29_300,
    "seeed_yolov5_tiny_96": 29_400,
}
"""What has been reached, rounded up: from here it only goes down."""
MAX_HEAD_BYTES_INT8_IO = {"mcunet_vww": 20_500, "sil_rock_paper_scissors": 9_000}
"""With the float conversions at the border stripped: their float inputs alone are larger."""

MAX_TAIL_BYTES = 1_800
"""Of a model that is one region as a whole."""
MAX_PROGRAM_BYTES = 6 * 1024
"""Without constants, for the models of MLPerf Tiny."""

pytestmark = needs_corpus


def report_of(name, **options):
    return tflm_split.optimize(CORPUS / "models" / f"{name}.tflite", **options).report


def check(report, max_head_bytes):
    original, optimized = report["original"], report["optimized"]
    assert report["verified"]["bit_exact"] is True
    assert report["verified"]["distinct_outputs"] > 1
    assert optimized["measured_head_bytes"] == optimized["planned_head_bytes"] <= max_head_bytes
    assert optimized["measured_arena_bytes"] < original["measured_arena_bytes"]
    assert optimized["macs"] <= report["model"]["macs"]
    if optimized["regions"] == 1 and not optimized["stock_ops"]:
        assert optimized["measured_tail_bytes"] <= MAX_TAIL_BYTES


@pytest.mark.parametrize("name", MAX_HEAD_BYTES)
def test_the_head_stays_below_its_limit(name):
    report = report_of(name)
    check(report, MAX_HEAD_BYTES[name])
    if name.startswith("mlperf_"):
        assert report["optimized"]["program_bytes"] < MAX_PROGRAM_BYTES


@pytest.mark.parametrize("name", MAX_HEAD_BYTES_INT8_IO)
def test_the_head_stays_below_its_limit_with_an_integer_interface(name):
    check(report_of(name, int8_io=True), MAX_HEAD_BYTES_INT8_IO[name])


@pytest.mark.parametrize("name", ["mlperf_ad01_int8", "mlperf_resnet8_16x8", "micro_speech", "mww_okay_nabu_v2"])
def test_a_model_with_little_to_gain_is_no_worse_and_says_why(name):
    report = report_of(name)
    assert report["verified"]["bit_exact"] is True
    assert report["optimized"]["measured_arena_bytes"] <= report["original"]["measured_arena_bytes"]
    assert len(report["refusals"]) == report["optimized"]["stock_ops"]


@pytest.mark.parametrize(
    "name", ["helia_add_scalar_s8", "lr_call_once_mul", "lr_constant_output", "mlonmcu_multi_scratch"]
)
@pytest.mark.parametrize("verify", [True, False])
def test_a_model_that_would_need_more_on_a_board_is_kept(name, verify):
    """Its arena gets smaller on x86-64, whose tensors take more, but not on a Cortex-M."""
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
