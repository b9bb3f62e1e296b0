"""Corrupted programs stay inside their memory: a short run of what `scripts/fuzz_executor.py` does at length."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from fuzz_executor import NoFuzzerError, build, fuzz, write_seeds  # noqa: E402
from fuzz_seeds import program_seeds  # noqa: E402

from tflm_split.program.decode import decode  # noqa: E402
from tflm_split.program.format import OpKind  # noqa: E402

RUNS = 20_000


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = tmp_path_factory.mktemp("fuzzer") / "executor_fuzzer"
    try:
        build(binary)
    except NoFuzzerError as error:
        pytest.skip(f"no libFuzzer here: {error}")
    return binary


def test_the_seeds_hold_every_kind_of_op() -> None:
    assert {op.kind for blob in program_seeds() for op in decode(blob).ops} == set(OpKind)


def test_no_mutation_of_a_program_leaves_its_memory(fuzzer: Path, tmp_path: Path) -> None:
    (tmp_path / "programs").mkdir()
    assert write_seeds(tmp_path / "programs") > 50
    done = fuzz(fuzzer, tmp_path / "programs", tmp_path, RUNS, seed=3)
    assert done.returncode == 0, done.stderr[-4000:]
    counted = re.search(r"programs: (\d+) prepared, (\d+) accepted, (\d+) run", done.stderr)
    assert counted is not None
    prepared, accepted, run = map(int, counted.groups())
    assert prepared >= RUNS
    assert accepted > run > prepared // 5  # what is refused at once proves nothing
