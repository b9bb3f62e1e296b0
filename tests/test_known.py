"""Verification knows every kind, on its own, and agrees with `kinds/` where both say the same."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sample_programs import small_network
from samples import one_op_program
from test_runtime_refusals import every_op
from test_typed_refusals import PROGRAMS as TYPED

import tflm_split.verify
from tflm_split import kinds
from tflm_split.errors import InternalError
from tflm_split.kinds import OpKind
from tflm_split.program.check import case_of
from tflm_split.program.types import Op, Program, View
from tflm_split.verify import known
from tflm_split.verify.known import entry
from tflm_split.verify.operands import Operands

VERIFY = Path(tflm_split.verify.__file__).parent
NUMBERS_AND_MODES = {"BinaryMode", "MeanMode", "OpKind", "PoolMode", "UnaryMode", "WeightFlags"}
PROGRAMS = (every_op(), small_network(), *TYPED.values(), *(one_op_program(kind) for kind in OpKind))
OPS = {
    f"{op.kind.name}-{s}-{k}": (program, op) for s, program in enumerate(PROGRAMS) for k, op in enumerate(program.ops)
}


class RandomRows:
    """A memory of random rows that records which of them were read."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.rows: dict[tuple[View, int], NDArray[np.int64]] = {}
        self.was_read: set[tuple[View, int]] = set()

    def read(self, view: View, row: int) -> NDArray[np.int64]:
        assert 0 <= row < view.row_count
        self.was_read.add((view, row))
        if (view, row) not in self.rows:
            self.rows[view, row] = np.random.default_rng(row).integers(
                -128, 128, (view.column_count, view.channel_count)
            )
        return self.rows[view, row]

    def read_floats(self, view: View, row: int) -> NDArray[np.float32]:
        return self.read(view, row).astype(np.float32)

    def constant(self, index: int, dtype: type[np.generic]) -> NDArray[np.int64]:
        return np.frombuffer(self.program.constants[index], dtype).astype(np.int64)


def steps_of(program: Program, op: Op) -> range:
    return range(program.views[op.input if known.of(op.kind).feeds else op.output].row_count)


def test_every_kind_is_known() -> None:
    assert set(known.KNOWN) == set(OpKind)


def test_no_kind_is_in_two_families() -> None:
    assert sum(len(family) for family in known.FAMILIES) == len(known.KNOWN)


def test_a_kind_in_no_table_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "KNOWN", {k: v for k, v in known.KNOWN.items() if k is not OpKind.PAD})
    with pytest.raises(InternalError, match="does not know the op kind PAD"):
        known.of(OpKind.PAD)


def test_of_the_compilers_kinds_verification_uses_numbers_and_modes_alone() -> None:
    files = [
        *VERIFY.glob("known/*.py"),
        *VERIFY.glob("graph_oracle/*.py"),
        *VERIFY.glob("oracle*.py"),
        *(VERIFY / name for name in ("access.py", "fixed_point.py", "operands.py", "replay.py", "tags.py")),
    ]
    used = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert not any(name.name.startswith("tflm_split.kinds") for name in node.names), path
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tflm_split"):
                assert node.module is not None
                assert not node.module.startswith("tflm_split.kinds."), path
                assert node.module != "tflm_split" or "kinds" not in {name.name for name in node.names}, path
                used |= {name.name for name in node.names} if node.module == "tflm_split.kinds" else set()
    assert len(files) > 20
    assert used == NUMBERS_AND_MODES


@pytest.mark.parametrize("name", OPS)
def test_the_oracle_reads_the_rows_that_the_replay_checks(name: str) -> None:
    program, op = OPS[name]
    rule = known.of(op.kind)
    for row in steps_of(program, op):
        memory = RandomRows(program)
        rule.compute(Operands(memory, op, row))
        held = None if op.accumulator is None else program.views[op.accumulator]
        checked = {(program.views[view], tap) for view, tap in rule.reads(program, op, row)}
        assert {(view, tap) for view, tap in memory.was_read if view != held} == checked


@pytest.mark.parametrize("name", OPS)
def test_the_replay_and_the_compiler_agree_on_the_rows_a_step_reads(name: str) -> None:
    program, op = OPS[name]
    case, operands = case_of(program, op), (op.input, op.input2)
    for row in steps_of(program, op):
        wanted = [(operands[r.operand], r.row) for r in kinds.of(op.kind).reads.rows(case, row)]
        assert sorted(known.of(op.kind).reads(program, op, row)) == sorted(wanted)


@pytest.mark.parametrize("name", OPS)
def test_each_row_that_a_step_reads_is_looked_at_once_per_op_or_in_that_step(name: str) -> None:
    program, op = OPS[name]
    case, reads = case_of(program, op), kinds.of(op.kind).reads
    of_op = list(reads.checked_once(case))
    for row in steps_of(program, op):
        of_step = list(reads.checked_per_step(case, row))
        assert set(reads.rows(case, row)) <= {*of_op, *of_step}
    assert len(of_op) == len(set(of_op))


@pytest.mark.parametrize("kind", [OpKind.TRANSPOSE, OpKind.BATCH_MATMUL])
def test_kinds_whose_steps_read_all_rows_are_checked_in_time_that_grows_with_the_rows(kind: OpKind) -> None:
    programs = [one_op_program(kind, seed) for seed in range(40)]
    for program in programs:
        (op,), case = program.ops, case_of(program, program.ops[0])
        reads, steps = kinds.of(kind).reads, steps_of(program, op)
        looked_at = sum(1 for _ in reads.checked_once(case))
        looked_at += sum(1 for row in steps for _ in reads.checked_per_step(case, row))
        assert looked_at <= sum(view.row_count for view in case.operands) + len(steps)


@pytest.mark.parametrize("kind", OpKind)
def test_the_replay_and_the_compiler_agree_on_accumulators(kind: OpKind) -> None:
    assert known.of(kind).feeds == kinds.of(kind).feeds
    assert (known.of(kind).sums is not None) == kinds.of(kind).sums


@pytest.mark.parametrize("name", [n for n, (_, op) in OPS.items() if known.of(op.kind).shares.columns_read])
def test_a_pixel_depends_on_no_column_that_counts_as_read_before_it(name: str) -> None:
    """Rule 1: once the last pixel made of an input column is written, the column may hold anything."""
    program, op = OPS[name]
    rule, views = known.of(op.kind), program.views
    for row in steps_of(program, op):
        memory = RandomRows(program)
        before = computed(rule, memory, op, row)
        for view, tap in sorted(memory.was_read, key=str):
            last = rule.shares.last_read_columns(op, views[op.output], view)
            kept = memory.rows[view, tap]
            for column in range(view.column_count):
                memory.rows[view, tap] = kept.copy()
                memory.rows[view, tap][column] = np.random.default_rng(99).integers(-128, 128, view.channel_count)
                changed = (computed(rule, memory, op, row) != before).any(axis=1)
                assert not changed[last[column] + 1 :].any()
            memory.rows[view, tap] = kept


def computed(rule: entry.Known, memory: RandomRows, op: Op, row: int) -> NDArray[np.generic]:
    result = rule.compute(Operands(memory, op, row))
    assert not isinstance(result, entry.Added)
    return result
