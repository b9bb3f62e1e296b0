"""Does a split model compute on a board what TFLM computes, and are the board's numbers true?"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from split_stages import planned
from tiny_models import Builder
from toolchains import need_board, needs_arm, needs_riscv

from tflm_split import cli
from tflm_split.board import firmware
from tflm_split.board.bench import bench
from tflm_split.board.boards import BOARDS, board_named
from tflm_split.board.elf_sizes import elf_sizes
from tflm_split.board.firmware import STACK_BYTES, board_folders
from tflm_split.board.layer_wise import layer_wise_model, layer_wise_schedule
from tflm_split.board.one_region import one_region
from tflm_split.board.run import BoardRun, run_on_board
from tflm_split.errors import InputError, ToolError
from tflm_split.lower.assemble import lower
from tflm_split.native import sources as native_sources
from tflm_split.schedule.step_builder import build_step_graph
from tflm_split.search.base import rewritten_split
from tflm_split.split.regions import SplitOptions
from tflm_split.tflite.reader import read_model
from tflm_split.verify.compare import Array
from tflm_split.verify.compare import test_inputs as make_inputs
from tflm_split.verify.tflm import run_in_tflm

DIGITS = Path(__file__).resolve().parents[1] / "models" / "digits_dscnn.tflite"
BOARDS_FOLDER = Path(__file__).resolve().parents[1] / "tflm_runtime_patch" / "boards"


@dataclass(frozen=True)
class Case:
    """A model, the split model, two inputs and TFLM's outputs."""

    original: bytes
    split: bytes
    inputs: list[tuple[Array, ...]]
    expected: tuple[tuple[bytes, ...], ...]


def split_model(original: bytes) -> bytes:
    """The split model, whether or not it takes less memory than the original."""
    model = read_model(original)
    plan = planned(model.graph)
    return lower(model, plan).model.original


def _case(original: bytes) -> Case:
    inputs = make_inputs(read_model(original).graph, 2, 0)
    return Case(original, split_model(original), inputs, run_in_tflm(original, inputs).outputs)


def many_kernels() -> bytes:
    """Two inputs and two outputs; convolutions of three kinds, pooling, an addition, a sum, a dense layer, a softmax."""
    net = Builder((1, 21, 17, 3))
    other = net.add_input((1, 11, 9, 6))
    first = net.conv(net.input, 6, 3, 3, 2, activation="RELU6")
    joined = net.add(first, other)
    deep = net.depthwise(joined, 3, 3, 1, activation="RELU")
    wide = net.conv(deep, 13, 1, 1)
    pooled = net.pool(wide, 2, 2, 2, kind="MAX_POOL_2D")
    mean = net.mean(net.pool(pooled, 3, 3, 1, "SAME"))
    return net.finish(net.softmax(net.dense(mean, 5)), pooled)


@pytest.fixture(scope="module")
def network() -> Case:
    return _case(many_kernels())


@pytest.fixture(scope="module")
def digits() -> Case:
    return _case(DIGITS.read_bytes())


@pytest.fixture(scope="module")
def digits_on_m4(digits: Case) -> BoardRun:
    return run_on_board(digits.split, "m4", digits.inputs)


@pytest.mark.parametrize("portable", [False, True], ids=["own_kernels", "portable"])
@pytest.mark.parametrize("board", BOARDS)
def test_every_board_gives_the_bytes_of_tflm(network: Case, board: str, portable: bool) -> None:
    need_board(BOARDS[board])
    run = run_on_board(network.split, board, network.inputs, portable=portable)
    assert run.outputs == network.expected
    assert run.outputs[0] != run.outputs[1]


@needs_arm
def test_a_trained_network_gives_the_bytes_of_tflm(digits: Case, digits_on_m4: BoardRun) -> None:
    assert digits_on_m4.outputs == digits.expected


@needs_arm
@pytest.mark.parametrize("board", ["m7", "netduinoplus2"])
def test_counting_twice_counts_the_same(network: Case, board: str) -> None:
    first, second = (run_on_board(network.split, board, network.inputs) for _ in range(2))
    assert first == second
    assert len(first.instructions_of) == 2
    assert first.instructions == max(first.instructions_of) > first.prepare_instructions


@needs_arm
def test_two_boards_with_other_timers_count_the_same_core_the_same(digits: Case, digits_on_m4: BoardRun) -> None:
    """SysTick ticks every 40 instructions, the STM32's timer every one. The counts agree within their errors."""
    other = run_on_board(digits.split, "netduinoplus2", digits.inputs)
    for one, two in zip(digits_on_m4.instructions_of, other.instructions_of, strict=True):
        assert abs(one - two) <= 16


@needs_arm
def test_ram_is_the_workspace_and_the_measured_stack_and_nothing_else(digits: Case, digits_on_m4: BoardRun) -> None:
    region = one_region(read_model(digits.split))
    run = digits_on_m4
    assert run.data_bytes == 0
    assert run.bss_bytes == run.sizes.workspace_bytes == region.program.workspace_bytes
    assert 100 < run.run_stack_bytes <= run.stack_bytes < STACK_BYTES == run.sizes.stack_reserve_bytes
    assert run.ram_bytes == run.bss_bytes + run.stack_bytes


@needs_arm
def test_flash_is_what_the_image_stores(digits: Case, digits_on_m4: BoardRun, tmp_path: Path) -> None:
    run = digits_on_m4
    image = tmp_path / "firmware.elf"
    image.write_bytes(run.elf)
    binary = tmp_path / "firmware.bin"
    subprocess.run(["arm-none-eabi-objcopy", "-O", "binary", image, binary], check=True)
    assert elf_sizes(image) == run.sizes
    assert run.program_bytes == len(one_region(read_model(digits.split)).blob)
    gaps = 16 * len(run.sizes.sections)
    assert run.flash_bytes <= binary.stat().st_size <= run.flash_bytes + gaps
    assert run.executor_bytes + run.program_bytes < run.flash_bytes


@needs_arm
def test_only_the_kernels_a_program_calls_are_linked(digits: Case, digits_on_m4: BoardRun) -> None:
    linked = {symbol.name for symbol in digits_on_m4.sizes.symbols}
    assert {"split_nn_conv_row", "split_nn_depthwise_row", "split_nn_softmax_row"} <= linked
    assert not {"split_nn_max_pool_row", "split_nn_mul_row", "split_nn_quantize_float_row"} & linked


def test_layer_wise_finishes_each_operator_before_the_next() -> None:
    split = rewritten_split(read_model(DIGITS).graph, SplitOptions())
    steps = build_step_graph(split)
    order = [steps.steps[s].node for s in layer_wise_schedule(split, steps).steps]
    visits = [node for k, node in enumerate(order) if k == 0 or order[k - 1] != node]
    assert visits == sorted(set(order))
    assert set(layer_wise_schedule(split, steps).steps) == set(steps.needed)


@needs_arm
def test_layer_wise_takes_more_ram_and_gives_the_same_bytes(digits: Case, digits_on_m4: BoardRun) -> None:
    whole = run_on_board(layer_wise_model(digits.original), "m4", digits.inputs)
    assert whole.outputs == digits_on_m4.outputs
    assert whole.bss_bytes > digits_on_m4.bss_bytes
    assert 0.9 < digits_on_m4.instructions / whole.instructions < 1.1


@needs_riscv
def test_a_riscv_board_counts_exactly_and_protects_its_flash(digits: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (run_on_board(digits.split, "rv32imc", digits.inputs) for _ in range(2))
    assert first == second
    assert first.outputs == digits.expected
    assert first.data_bytes == 0
    assert first.bss_bytes == one_region(read_model(digits.split)).program.workspace_bytes
    monkeypatch.setattr(firmware, "STACK_BYTES", 64)
    with pytest.raises(ToolError, match="the emulated virt: fault"):
        run_on_board(digits.split, "rv32imc", digits.inputs)


@needs_arm
def test_what_exceeds_the_sram_of_the_part_does_not_link() -> None:
    net = Builder((1, 300, 500, 1))
    model = split_model(net.finish(net.mean(net.input)))
    inputs = [(np.zeros((1, 300, 500, 1), np.int8),)]
    with pytest.raises(InputError, match=r"does not fit netduinoplus2: it takes [0-9,]+ bytes more RAM than there are"):
        run_on_board(model, "netduinoplus2", inputs)
    assert run_on_board(model, "m4", inputs).bss_bytes > 128 * 1024


def test_a_model_that_is_not_split_is_refused_in_one_sentence() -> None:
    with pytest.raises(
        InputError, match="has 0 TFLM_SPLIT operators, but a board without TFLM runs a model that is exactly one"
    ):
        run_on_board(DIGITS.read_bytes(), "m7", [])


def test_a_model_with_a_stock_operator_is_refused_by_its_name() -> None:
    net = Builder((1, 16, 16, 3))
    model = net.finish(net.reversed(net.conv(net.conv(net.input, 8, 3, 3), 2, 3, 3)))
    with pytest.raises(InputError, match=r"REVERSE_V2 .* stays with TFLM"):
        one_region(read_model(layer_wise_model(model)))


def test_an_unknown_board_is_answered_with_the_boards_there_are() -> None:
    with pytest.raises(
        InputError,
        match="there is no board 'm99'; there are: m0, m3, m4, m7, m55, netduinoplus2, microbit, stm32vldiscovery, rv32imc, rv32gc",
    ):
        board_named("m99")
    assert board_named("mps2-an500").name == "m7"


def test_inputs_that_are_not_the_models_are_refused(network: Case) -> None:
    with pytest.raises(InputError, match="the model has 2 inputs, but 1 are given"):
        run_on_board(network.split, "m7", [network.inputs[0][:1]])
    with pytest.raises(InputError, match="input 0 of the model has 1071 bytes, but 3 are given"):
        run_on_board(network.split, "m7", [(b"abc", network.inputs[0][1])])


def test_a_missing_toolchain_is_one_sentence_with_the_packages_to_install(
    network: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model_split.tflite"
    path.write_bytes(network.split)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as left:
        cli.main(["board", "run", str(path), "--board", "m7"])
    assert left.value.code == 2
    assert capsys.readouterr().err == (
        "tflm-split: arm-none-eabi-gcc is not on this machine; on Debian: apt install gcc-arm-none-eabi "
        "libnewlib-arm-none-eabi qemu-system-arm\n"
    )


def test_an_installation_without_the_sources_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_sources, "RUNTIME_FOLDER", tmp_path)
    with pytest.raises(ToolError, match="C sources are not in this installation"):
        native_sources.runtime_path()


def test_a_file_that_is_no_elf_is_refused_in_one_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "firmware.elf"
    broken.write_bytes(b"\x7fELF\x01\x01\x01" + bytes(20))
    for path, reason in ((broken, "is not an ELF file"), (tmp_path / "absent.elf", "no such file")):
        with pytest.raises(InputError, match=reason):
            elf_sizes(path)


@needs_arm
def test_the_command_line_runs_sizes_and_benches(network: Case, tmp_path: Path) -> None:
    model, record_path, image = tmp_path / "m_split.tflite", tmp_path / "out.json", tmp_path / "firmware.elf"
    model.write_bytes(network.split)
    arguments = ["board", "run", str(model), "--board", "m4", "--json", str(record_path), "--elf", str(image)]
    for k, array in enumerate(network.inputs[0]):
        np.save(tmp_path / f"{k}.npy", array)
        arguments += ["--input", str(tmp_path / f"{k}.npy")]
    assert CliRunner().invoke(cli.cli, arguments, catch_exceptions=False).exit_code == 0
    record = json.loads(record_path.read_text())
    run = run_on_board(network.split, "m4", network.inputs[:1])
    assert record == run.record()
    assert record.keys() >= {
        "instructions", "data_bytes", "bss_bytes", "stack_bytes", "flash_bytes", "program_bytes", "outputs_sha256",
        "board", "compiler",
    }  # fmt: skip

    answer = CliRunner().invoke(cli.cli, ["board", "size", str(image), "--json"], catch_exceptions=False)
    sizes = json.loads(answer.stdout)
    assert sizes["flash_bytes"] == record["flash_bytes"] == sum(s["bytes"] for s in sizes["sections"] if s["in_flash"])
    assert sizes["workspace_bytes"] == record["bss_bytes"]
    assert sizes["symbols"][0]["name"] in ("board_program", "board_workspace")


@needs_arm
def test_bench_sets_split_against_layer_wise(tmp_path: Path) -> None:
    stock = Builder((1, 16, 16, 3))
    other = tmp_path / "stock_inside.tflite"
    other.write_bytes(stock.finish(stock.reversed(stock.conv(stock.input, 8, 3, 3))))
    result = bench([DIGITS, other], "m4")
    first, second = result.record()["models"]
    assert first["split"]["outputs_sha256"] == first["layer_wise"]["outputs_sha256"]
    assert first["split"]["ram_bytes"] < first["layer_wise"]["ram_bytes"]
    assert result.geometric_mean_ratio == pytest.approx(first["instruction_ratio"])
    assert "stays with TFLM" in second["layer_wise"]["not_run"]
    assert result.table().count("\n") >= 6
    with pytest.raises(InputError):
        bench([other], "m4")


@pytest.mark.parametrize("state_bytes", [0, 16])
@pytest.mark.parametrize("board", BOARDS)
def test_the_firmware_compiles_without_a_warning(board: str, state_bytes: int) -> None:
    target = BOARDS[board]
    need_board(target)
    names = board_folders(target)
    sources = [path for name in names for path in sorted((BOARDS_FOLDER / name).glob("*.c"))]
    folders = (*(BOARDS_FOLDER / name for name in names), BOARDS_FOLDER.parent / "split_nn")
    command = [
        target.toolchain.compiler, *target.flags, "-std=c99", "-O2", "-fsyntax-only",
        "-Wall", "-Wextra", "-Werror", "-Wconversion", "-DBOARD_WORKSPACE_BYTES=16",
        f"-DBOARD_STATE_BYTES={state_bytes}", *(f"-I{f}" for f in folders),
        *map(str, sources),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
