"""Arenas with ESP-NN, the kernels of Espressif's chips: as measured in esp-tflite-micro, and the scratch of an ESP32-S3."""

from __future__ import annotations

import pytest
from tflite_helpers import CORPUS, ROOT, needs_corpus
from tiny_models import Builder

import tflm_split
from tflm_split.analysis.boards import measured_boards
from tflm_split.analysis.esp_nn import esp_nn_scratch
from tflm_split.analysis.kernel_sets import KERNELS, kernel_set
from tflm_split.answers.fit import fit, fit_text, need
from tflm_split.errors import InputError
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.options import Options
from tflm_split.stock.plan import stock_plan
from tflm_split.stock.proof import check_plan
from tflm_split.tflite.reader import read_model

BOARD = "rv32imc"
ARENAS = {
    ("mlperf_kws_int8", "esp-nn"): 22_780,
    ("mlperf_resnet8_int8", "esp-nn"): 54_364,
    ("person_detect", "esp-nn"): 82_300,
    ("micro_speech", "esp-nn"): 6_812,
    ("mlperf_vww96_int8", "esp-nn"): 100_668,
    ("mlperf_ad01_int8", "esp-nn"): 2_380,
    ("gen_mbv3s_035_96", "esp-nn"): 122_524,
    ("gen_nasnet_a_cifar", "esp-nn"): 243_212,
    ("mlperf_kws_int8", "esp-nn-s3"): 35_500,
    ("mlperf_resnet8_int8", "esp-nn-s3"): 110_140,
    ("person_detect", "esp-nn-s3"): 122_572,
    ("micro_speech", "esp-nn-s3"): 12_044,
    ("mlperf_vww96_int8", "esp-nn-s3"): 122_508,
    ("mlperf_ad01_int8", "esp-nn-s3"): 2_380,
    ("gen_mbv3s_035_96", "esp-nn-s3"): 246_908,
    ("gen_nasnet_a_cifar", "esp-nn-s3"): 243_932,
    ("sil_rock_paper_scissors", "esp-nn-s3"): 136_712,
    ("mcunet_vww1_tinyts", "esp-nn-s3"): 224_748,
}
"""`arena_used_bytes()` of stock models in esp-tflite-micro (August 2026), on a 32-bit core with enums of four bytes."""
S3_SCRATCH = (
    ((10, 9, 8, 1, 1, 1, True, 12, 0), 288),
    ((10, 9, 6, 1, 1, 1, True, 12, 0), 1008),
    ((2, 3, 16, 1, 1, 1, True, 10, 0), 224),
    ((10, 9, 1, 3, 3, 1, True, 4, 0), 1112),
    ((10, 9, 3, 3, 3, 2, False, 8, 0), 416),
    ((11, 9, 20, 3, 3, 2, True, 24, 0), 17900),
    ((9, 9, 16, 1, 1, 2, False, 8, 0), 1952),
    ((12, 10, 1, 4, 2, 1, False, 3, 0), 652),
    ((9, 7, 16, 3, 3, 1, True, 16, 1), 1744),
    ((9, 9, 16, 3, 3, 2, False, 16, 1), 1760),
    ((40, 40, 32, 3, 3, 1, True, 32, 1), 4336),
    ((9, 8, 24, 3, 3, 2, True, 24, 1), 5472),
    ((9, 8, 8, 3, 3, 1, True, 8, 1), 1328),
    ((9, 8, 16, 5, 5, 1, True, 16, 1), 3136),
    ((40, 40, 16, 5, 5, 1, True, 16, 1), 7232),
    ((9, 8, 5, 3, 3, 1, True, 5, 1), 1984),
    ((9, 8, 3, 3, 3, 1, True, 3, 1), 32),
    ((9, 8, 2, 3, 3, 1, True, 8, 4), 464),
    ((9, 8, 2, 3, 3, 1, True, 6, 3), 32),
    ((4, 4, 16, 3, 3, 1, False, 16, 1), 160),
)
"""Rows, columns, channels, window, stride, SAME, output channels, multiplier (0: no depthwise convolution) -> what
`esp_nn_get_{conv,depthwise_conv}_scratch_size_esp32s3` answer. One for each branch of theirs."""


@needs_corpus
@pytest.mark.parametrize(("name", "kernels"), ARENAS)
def test_the_arena_is_the_one_measured(name: str, kernels: str) -> None:
    found = need(read_model(CORPUS / "models" / f"{name}.tflite"), kernel_set(kernels, BOARD))
    assert (found["arena_bytes"], found["unknown"]) == (ARENAS[name, kernels], [])


def convolution(
    rows: int, columns: int, channels: int, kh: int, kw: int, stride: int, same: bool, outputs: int, multiplier: int,
    dtype: str = "INT8",
) -> Graph:  # fmt: skip
    size = [-(-n // stride) if same else (n - k) // stride + 1 for n, k in ((rows, kh), (columns, kw))]
    filters = (1, kh, kw, outputs) if multiplier else (outputs, kh, kw, channels)
    shapes = ((1, rows, columns, channels), filters, (1, *size, outputs))
    tensors = tuple(Tensor(k, "", shape, dtype) for k, shape in enumerate(shapes))
    options = {
        "stride_h": stride, "stride_w": stride, "padding": "SAME" if same else "VALID", "depth_multiplier": multiplier
    }  # fmt: skip
    kind = "DEPTHWISE_CONV_2D" if multiplier else "CONV_2D"
    return Graph("", tensors, (Operator(0, kind, (0, 1), (2,), options),), (0,), (2,))


@pytest.mark.parametrize(("shape", "nbytes"), S3_SCRATCH)
def test_scratch_on_an_s3(shape: tuple[int, ...], nbytes: int) -> None:
    graph = convolution(*shape)  # type: ignore[arg-type]
    assert esp_nn_scratch(graph, graph.operators[0], s3=True) == (nbytes,)
    assert esp_nn_scratch(graph, graph.operators[0], s3=False) == ()


def test_other_types_run_on_the_reference_kernels() -> None:
    graph = convolution(9, 7, 16, 3, 3, 1, True, 16, 1, dtype="FLOAT32")
    assert esp_nn_scratch(graph, graph.operators[0], s3=True) is None


@pytest.mark.parametrize("kernels", ["esp-nn", "esp-nn-s3"])
def test_esp_nn_is_refused_on_an_arm(kernels: str) -> None:
    with pytest.raises(InputError, match="the board 'm7' is an Arm; add --board rv32imc"):
        kernel_set(kernels, "m7")


def test_fit_names_the_core() -> None:
    said = fit_text(fit([ROOT / "models" / "digits_wide.tflite"], Options(kernels="esp-nn-s3", board=BOARD)))
    assert said.startswith("Bytes of arena on a 32-bit RISC-V or Xtensa core, esp-nn-s3 kernels:")


@pytest.mark.parametrize("board", measured_boards())
def test_a_plan_alone_has_kernels_on_every_board(board: str) -> None:
    options = Options(target="stock", board=board)
    assert options.kernels == ("esp-nn" if board.startswith("rv32") else "cmsis-nn")
    kernel_set(str(options.kernels), board)


@pytest.mark.parametrize("kernels", ["esp-nn", "esp-nn-s3"])
def test_plans_for_esp_nn_are_right_in_tflm_and_with_the_reference_kernels(kernels: str) -> None:
    net = Builder((1, 12, 12, 4), seed=3)
    a = net.conv(net.input, 8, 3)
    model = net.finish(net.add(net.conv(a, 8, 1), net.depthwise(a)))
    result = tflm_split.optimize(model, target="stock", kernels=kernels, board=BOARD, inputs=3)
    assert result.report["verified"] and result.report["verified"]["bit_exact"]
    for others in ("reference", kernels):
        check_plan(stock_plan(read_model(model), kernel_set(kernels, BOARD), 20).model, kernel_set(others, BOARD))


def test_the_option_knows_all_kernels() -> None:
    for name in KERNELS:
        assert Options(kernels=name).kernels == name
