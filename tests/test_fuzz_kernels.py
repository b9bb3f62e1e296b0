"""Random programs on emulated cores, with the core's own kernels and with the portable ones.

This is a short run of `scripts/fuzz_kernels.py`. Other tests plant mistakes, which the fuzzer must notice.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import fuzz_kernels  # noqa: E402
from fuzz_executor import write_seeds  # noqa: E402
from objects import host_executor  # noqa: E402
from sample_programs import MIDDLE, int32s, one_op, small_network  # noqa: E402
from toolchains import needs_arm  # noqa: E402

from tflm_split.board import firmware  # noqa: E402
from tflm_split.board.boards import board_named  # noqa: E402
from tflm_split.errors import TflmSplitError  # noqa: E402
from tflm_split.kinds import OpKind  # noqa: E402
from tflm_split.native.build import EXECUTOR_FOLDER, executor_units, unit_name  # noqa: E402
from tflm_split.program.decode import decode  # noqa: E402
from tflm_split.program.encode import encode  # noqa: E402
from tflm_split.program.types import Op, Storage, View  # noqa: E402

PROGRAMS = 3000
KERNELS = ("portable", "own")
HELIUM = EXECUTOR_FOLDER / "kernels" / "helium"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz_kernels")


@pytest.fixture(scope="module")
def programs(folder: Path) -> list[bytes]:
    """The programs that both cores run. They are also in the file `programs` of `folder`."""
    (folder / "seeds").mkdir()
    assert write_seeds(folder / "seeds") > 50
    fuzz_kernels.build_generator(folder / "program_generator", executor=host_executor())
    return fuzz_kernels.generate(folder / "program_generator", folder / "seeds", folder / "programs", PROGRAMS, seed=5)


def test_the_programs_are_different_and_of_every_kind_and_the_same_each_time(
    programs: list[bytes], folder: Path
) -> None:
    again = fuzz_kernels.generate(folder / "program_generator", folder / "seeds", folder / "again", 300, seed=5)
    assert again == programs[:300]
    assert len(programs) == PROGRAMS
    assert len(set(programs)) > PROGRAMS * 9 // 10
    assert {op.kind for program in decodable(programs) for op in program.ops} == set(OpKind)


def decodable(blobs: list[bytes]):
    """The programs among `blobs` that this package can decode. The executor accepts more."""
    for blob in blobs:
        try:
            yield decode(blob)
        except TflmSplitError:
            continue


@needs_arm
@pytest.mark.parametrize("core", ["m7", "m55"])
def test_no_program_tells_a_cores_own_kernels_from_the_portable_ones(
    core: str, programs: list[bytes], folder: Path
) -> None:
    board = board_named(core)
    images = [fuzz_kernels.build_runner(board, folder / core / name, portable=name == "portable") for name in KERNELS]
    verdict = fuzz_kernels.compare(board, *images, folder / "programs")
    assert verdict.findings == ()
    assert verdict.compared == PROGRAMS
    assert verdict.excused < PROGRAMS // 20


# What it would notice.


def sums_at_the_end() -> bytes:
    """A DENSE_FEED of 4 channels to 2: the sums are the workspace's last 8 bytes."""
    storages = (Storage(4, 1, (0,)), Storage(2, 1, (4,)), Storage(8, 1, (8,)))
    views = (View(0, 0, 1, 1, 4, 4), View(1, 0, 1, 1, 2, 2), View(2, 0, 1, 1, 2, 8, 0, 4))
    quantized = {"input_zero_point": 0, "output_zero_point": 0, "output_min": -128, "output_max": 127, "flags": 0}
    offsets = {"bias_offset": 0, "multipliers_offset": 1, "shifts_offset": 2, "weights_offset": 3}
    constants = (int32s(1000, -1000), int32s(1 << 30), b"\xfa", bytes(range(8)))
    dense = Op(OpKind.DENSE_FEED, 1, 0, {**quantized, **offsets}, accumulator=2)
    return encode(one_op(dense, views, storages, workspace_bytes=16, constants=constants))


@needs_arm
def test_helium_reads_no_sums_behind_those_of_a_dense_layer(tmp_path: Path) -> None:
    """Found by the fuzzer: the last sums were loaded four at a time, also where the RAM ends behind two."""
    board = board_named("m55")
    images = [fuzz_kernels.build_runner(board, tmp_path / name, portable=name == "portable") for name in KERNELS]
    fuzz_kernels.write_programs(tmp_path / "programs", [sums_at_the_end()])
    assert fuzz_kernels.compare(board, *images, tmp_path / "programs") == fuzz_kernels.Verdict(1, 0, ())


MISTAKES = {
    "dense_feed": ("vldrwq_z_s32(sums + whole, p)", "vldrwq_s32(sums + whole)"),
    "lut": ("vctp8q((uint32_t)(channels - c))", "vctp8q((uint32_t)(channels - c - 1))"),
}
"""(right text, wrong text) in a Helium kernel. The wrong one reads behind the sums, or leaves out a channel."""


def with_mistakes(folder: Path) -> tuple[Path, ...]:
    """The executor's sources, those of MISTAKES with their mistake."""
    careless = {}
    for kernel, (right, wrong) in MISTAKES.items():
        source = HELIUM / f"{kernel}.c"
        text = source.read_text()
        assert text.count(right) == 1
        text = re.sub(r'#include "(.+)"', lambda m: f'#include "{(HELIUM / m[1]).resolve()}"', text)
        path = folder / unit_name(source)
        path.write_text(text.replace(right, wrong))
        careless[path.name] = path
    return tuple(careless.get(unit.name, unit) for unit in executor_units())


@needs_arm
def test_reading_behind_the_memory_and_computing_something_else_are_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = board_named("m55")
    portable = fuzz_kernels.build_runner(board, tmp_path / "portable", portable=True)
    units = with_mistakes(tmp_path)
    monkeypatch.setattr(firmware, "executor_units", lambda: units)
    own = fuzz_kernels.build_runner(board, tmp_path / "own", portable=False)
    fuzz_kernels.write_programs(tmp_path / "programs", [encode(small_network()), sums_at_the_end(), sums_at_the_end()])
    verdict = fuzz_kernels.compare(board, portable, own, tmp_path / "programs")
    assert {(f.number, f.fault) for f in verdict.findings} == {
        (0, "the kernels of m55 leave other bytes than the portable ones"),
        (2, "with the kernels of m55: fault"),
    }


# What it excuses.


def test_a_program_that_keeps_the_rules_for_rows_on_each_other_is_not_excused() -> None:
    assert fuzz_kernels.keeps_overlap_rules(encode(small_network()))


def test_a_program_that_reads_what_was_never_written_is_not_excused() -> None:
    program = small_network()
    assert fuzz_kernels.keeps_overlap_rules(encode(replace(program, steps=program.steps[-1:])))


def test_a_program_that_writes_on_what_it_still_reads_is_excused() -> None:
    program = small_network()
    on_the_input = replace(program.storages[MIDDLE], addresses=tuple(8 * row + 2 for row in range(8)))
    storages = (*program.storages[:MIDDLE], on_the_input, *program.storages[MIDDLE + 1 :])
    assert not fuzz_kernels.keeps_overlap_rules(encode(replace(program, storages=storages)))
