"""Corrupted programs stay inside their memory: a short run of what `scripts/fuzz_executor.py` does at length."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from fuzz_executor import MAX_PROGRAM_BYTES, build, fuzz, write_seeds  # noqa: E402
from fuzz_seeds import program_seeds  # noqa: E402
from sample_programs import one_op  # noqa: E402
from test_runtime_refusals import drive  # noqa: E402
from toolchains import FUZZER, need_linked  # noqa: E402

from tflm_split.kinds import OpKind  # noqa: E402
from tflm_split.program.decode import decode  # noqa: E402
from tflm_split.program.encode import encode, wide_steps  # noqa: E402
from tflm_split.program.types import Op, Storage, View  # noqa: E402

RUNS = 20_000


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_linked("clang", FUZZER)
    binary = tmp_path_factory.mktemp("fuzzer") / "executor_fuzzer"
    build(binary, optimization="-O0")  # compiling takes longer than running
    return binary


def test_the_seeds_hold_every_kind_of_op() -> None:
    assert {op.kind for blob in program_seeds() for op in decode(blob).ops} == set(OpKind)


def test_the_seeds_move_rows_in_narrow_and_in_wide_steps() -> None:
    programs = [decode(blob) for blob in program_seeds() if len(blob) <= MAX_PROGRAM_BYTES]
    assert {wide_steps(program) for program in programs if len(program.moves) > 1} == {False, True}
    assert {op.kind for program in programs if program.moves for op in program.ops} == set(OpKind)


def test_no_mutation_of_a_program_leaves_its_memory(fuzzer: Path, tmp_path: Path) -> None:
    (tmp_path / "programs").mkdir()
    assert write_seeds(tmp_path / "programs") > 50
    done = fuzz(fuzzer, tmp_path / "programs", tmp_path, RUNS, seed=3)
    assert done.returncode == 0, done.stderr[-4000:]
    counted = re.search(r"programs: (\d+) prepared, (\d+) accepted, (\d+) run, (\d+) of them with moves", done.stderr)
    assert counted is not None
    prepared, accepted, run, moving = map(int, counted.groups())
    assert prepared >= RUNS
    assert accepted > run > prepared // 5  # what is refused at once proves nothing
    assert moving > run // 10


def test_a_softmax_laid_over_input_it_still_has_to_read_stays_inside_its_table(tmp_path: Path) -> None:
    """Found by the fuzzer: the second element is larger than the maximum then, which gives an index before the table."""
    exps = np.full(256, 1 << 30, np.int32)
    storages = (Storage(2, 1, (0,)), Storage(2, 1, (1,)))
    views = (View(0, 0, 1, 1, 2, 2), View(1, 0, 1, 1, 2, 2))
    softmax = Op(OpKind.SOFTMAX, 1, 0, {"exps_offset": 0, "exp_count": 256})
    program = one_op(softmax, views, storages, workspace_bytes=4, constants=(exps.tobytes(),))
    assert drive(tmp_path, [encode(program)]) == [0]
