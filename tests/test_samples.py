"""Every kind of op has a sample, and numpy and the C executor compute the same bytes for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from runtime_scene import execute
from samples import SAMPLES, one_op_program, with_params
from test_runtime_refusals import drive

from tflm_split import kinds
from tflm_split.kinds import OpKind
from tflm_split.program.check import check_program
from tflm_split.program.encode import encode
from tflm_split.program.types import Io, Program
from tflm_split.verify import known
from tflm_split.verify.oracle import run_program

SEEDS = 12


def test_every_kind_has_its_sample() -> None:
    missing = [kind.name for kind in OpKind if kind not in SAMPLES]
    assert not missing, f"SAMPLES of samples.py needs an entry for each of {missing}"


def whole(program: Program) -> Program:
    """The program with its whole workspace as input and output."""
    everything = (Io(0, program.workspace_bytes),)
    return Program(program.workspace_bytes, everything, everything, *(getattr(program, name) for name in REST))


REST = ("storages", "views", "ops", "steps", "constants", "moves")


def memory(program: Program, seed: int) -> bytes:
    """Random bytes; floats where the op reads floats."""
    rng = np.random.default_rng(seed)
    if program.views[program.ops[0].input].element_bytes == 4:
        return rng.normal(0, 2, program.workspace_bytes // 4).astype(np.float32).tobytes()
    return rng.bytes(program.workspace_bytes)


def without_accumulator(program: Program, after: bytes) -> bytes:
    """The workspace without the sums of a feed. They are nobody's business once it is done, and may count differently."""
    (op,) = program.ops
    if op.accumulator is None or not kinds.of(op.kind).feeds:
        return after
    storage = program.storages[program.views[op.accumulator].storage]
    start, end = storage.addresses[0], storage.addresses[-1]
    assert start is not None and end is not None
    return after[:start] + after[end + storage.row_bytes :]


OF_ONE_CALL = [kind for kind in OpKind if not known.of(kind).fetches]
"""Kinds of programs that take their whole input at once. `test_runtime_stream.py` runs the others, call by call."""


@pytest.mark.parametrize("kind", OF_ONE_CALL, ids=lambda kind: kind.name)
def test_numpy_and_the_executor_compute_the_same_bytes(kind: OpKind) -> None:
    changed = False
    for seed in range(SEEDS):
        program = whole(one_op_program(kind, seed))
        check_program(program)
        before = memory(program, seed)
        (expected,) = run_program(program, [before])
        after = execute(encode(program), before)
        assert without_accumulator(program, after) == without_accumulator(program, expected), (
            f"{seed}: {program.ops[0]}"
        )
        changed |= expected != before
    assert changed


@pytest.mark.parametrize("kind", OpKind, ids=lambda kind: kind.name)
def test_samples_differ_and_are_the_same_each_time(kind: OpKind) -> None:
    blobs = [encode(one_op_program(kind, seed)) for seed in range(SEEDS)]
    assert len(set(blobs)) > 1
    assert blobs[0] == encode(one_op_program.__wrapped__(kind, 0))
    assert {op.kind for op in one_op_program(kind).ops} == {kind}
    assert kinds.of(kind).name == kind.name


def extremes(kind: OpKind) -> list[dict[str, int]]:
    """The smallest and the largest value of each parameter that scales or moves numbers, alone and all together."""
    found: list[dict[str, int]] = []
    for bound in (0, 1):
        numbers = (f for f in kinds.of(kind).record.fields if f.ctype == "int32_t")
        fields = {f.name: (f.range or (-(2**31), 2**31 - 1))[bound] for f in numbers if SCALES & set(f.name.split("_"))}
        found += [fields, *({name: value} for name, value in fields.items())]
    return [fields for fields in found if fields]


SCALES = {"multiplier", "multiplier1", "multiplier2", "shift", "shift1", "shift2", "bias", "point", "point1", "point2"}


def test_extreme_parameters_are_no_undefined_behaviour(tmp_path: Path) -> None:
    """Numbers that overflow an int32 wrap, in every kind; the sanitizers watch."""
    cases = [(kind, seed, fields) for kind in OpKind for seed in range(3) for fields in extremes(kind)]
    statuses = drive(tmp_path, [with_params(kind, seed, **fields) for kind, seed, fields in cases])
    ran = {kind for (kind, _, _), status in zip(cases, statuses, strict=True) if status == 0}
    assert ran == {kind for kind, _, _ in cases}
    assert len(ran) > 20
    assert statuses.count(0) > 3 * len(statuses) // 4
