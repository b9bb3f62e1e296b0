"""On which real parts does a model fit? What is said is what the linker says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from split_stages import every_compilation
from tiny_models import Builder
from toolchains import need_board, needs

import tflm_split
from tflm_split import cli
from tflm_split.board.boards import BOARDS
from tflm_split.board.firmware import STACK_BYTES
from tflm_split.board.fits import fits
from tflm_split.board.one_region import one_region
from tflm_split.board.parts import PARTS
from tflm_split.board.run import run_on_board
from tflm_split.board.toolchain import ARM, RISCV
from tflm_split.errors import ProgramError
from tflm_split.tflite.reader import read_model

pytestmark = needs(ARM, RISCV)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model, and the same split."""
    net = Builder((1, 40, 60, 4))
    model = net.finish(net.mean(net.conv(net.conv(net.input, 8, 3, 3), 4, 3, 3)))
    folder = tmp_path_factory.mktemp("fits")
    stock, split = folder / "m.tflite", folder / "m_split.tflite"
    stock.write_bytes(model)
    split.write_bytes(next(iter(every_compilation(model))).optimized)
    return stock, split


def test_a_split_model_is_linked_for_each_core(files: tuple[Path, Path]) -> None:
    found = fits(files[1])
    region = one_region(read_model(files[1]))
    assert [fit.part for fit in found.on] == list(PARTS)
    for fit in found.on:
        assert fit.stock is None
        assert fit.split.linked
        assert fit.split.ram_bytes == region.program.workspace_bytes + STACK_BYTES
        assert fit.split.flash_bytes > len(region.blob)


def test_the_flash_is_that_of_the_firmware_that_runs(files: tuple[Path, Path]) -> None:
    need_board(BOARDS["m3"])
    (needed, *_) = (fit.split for fit in fits(files[1]).on if fit.part.board == "m3")
    assert run_on_board(files[1].read_bytes(), "m3", [[bytes(40 * 60 * 4)]]).flash_bytes == needed.flash_bytes


def test_a_stock_model_is_split_and_both_are_answered(files: tuple[Path, Path]) -> None:
    answer = CliRunner().invoke(cli.cli, ["board", "fits", str(files[0]), "--json"], catch_exceptions=False)
    parts = json.loads(answer.stdout)["parts"]
    smallest = parts[0]
    assert smallest["ram_bytes"] == 8192
    assert not smallest["stock"]["fits"]
    assert all(
        p["stock"]["ram_bytes"] >= 40 * 60 * 4 and p["split"]["ram_bytes"] < p["stock"]["ram_bytes"] for p in parts
    )
    table = CliRunner().invoke(cli.cli, ["board", "fits", str(files[1])], catch_exceptions=False).stdout
    assert table.count("\n") == len(PARTS) + 2


def test_a_damaged_program_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    blob = one_region(read_model(files[1])).blob
    damaged = blob[:-1] + bytes([blob[-1] ^ 4])
    (tmp_path / "d.tflite").write_bytes(files[1].read_bytes().replace(blob, damaged))
    with pytest.raises(ProgramError, match="checksum"):
        fits(tmp_path / "d.tflite")


def test_parts_name_boards_and_are_sorted_by_their_memory() -> None:
    assert all(part.board in BOARDS for part in PARTS)
    assert list(PARTS) == sorted(PARTS, key=lambda part: (part.ram_bytes, PARTS.index(part)))


CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "models"


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real models is not there")
def test_wake_words_for_the_eye_run_in_16_kb_and_256_kb() -> None:
    """MLPerf Tiny's visual wake words, whose map alone has 27 KB, on a micro:bit. Its flash is full to the last kilobyte."""
    result = tflm_split.optimize(
        CORPUS / "mlperf_vww96_int8.tflite", stream_input=True, max_slowdown=1.01, verify=False
    )
    need_board(BOARDS["microbit"])
    picture = np.zeros((1, 96, 96, 3), np.int8).tobytes()
    done = run_on_board(result.model, "microbit", [[picture]])
    assert done.ram_bytes < 16 * 1024
    assert done.flash_bytes < 256 * 1024
