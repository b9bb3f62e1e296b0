"""Streamed programs in the C executor and in the oracle: calls, new beginnings, and blobs that prepare refuses."""

from __future__ import annotations

import ctypes
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from fuzz_seeds import drawn_network
from hypothesis import given, settings
from hypothesis import strategies as st
from runtime_scene import Stream, aligned, library, prepare

import tflm_split
from tflm_split.errors import InputError, InternalError, ProgramError
from tflm_split.kinds import OpKind
from tflm_split.program.check import check_program
from tflm_split.program.decode import decode
from tflm_split.program.encode import _encode, encode
from tflm_split.program.in_model import programs_of
from tflm_split.program.types import Program, Step
from tflm_split.tflite.reader import read_model
from tflm_split.verify.oracle import run_program
from tflm_split.verify.replay import replay

PAUSE_FAULT = "a pause is out of order, or rows are not taken in or handed over once, in order, each in its call"
NO_MORE_ROWS = "this program takes several calls, and all have been made or split_nn_run() was called"


def program_of(model: bytes, rows: int) -> Program:
    """The only program of a model, streamed or (0 rows) not. Raises InputError for a model that cannot be streamed."""
    made = tflm_split.optimize(model, stream_input=rows, verify=False, effort=0)
    programs = list(programs_of(read_model(made.model)).values())
    if len(programs) != 1:
        raise InputError("not one region")
    return decode(programs[0])


class Machine:
    """A program in the C executor."""

    def __init__(self, program: Program) -> None:
        self.program, self.blob = program, aligned(encode(program))
        assert prepare(encode(program)) == "ok"
        self.workspace = aligned(bytes([0xA5]) * program.workspace_bytes)
        self.stream = Stream()
        self.begin()

    def begin(self) -> None:
        library().split_nn_begin(self.blob.ctypes.data, ctypes.byref(self.stream))

    def call(self) -> str:
        status = library().split_nn_continue(
            self.blob.ctypes.data, self.workspace.ctypes.data, ctypes.byref(self.stream)
        )
        return str(library().split_nn_status_text(status).decode())

    def picture(self, inputs: list[bytes], calls: int | None = None) -> list[bytes]:
        """The outputs after the first `calls` calls of a picture, or after all of them."""
        count = len(self.program.calls)
        for call in range(count if calls is None else calls):
            for io, data in zip(self.program.inputs, inputs, strict=True):
                if call and not self.program.all_rows_bytes(io):
                    continue
                rows = np.frombuffer(data[call * io.bytes : (call + 1) * io.bytes], np.uint8)
                self.workspace[io.address : io.address + len(rows)] = rows
            assert self.call() == "ok"
        return [self.workspace[io.address : io.address + io.bytes].tobytes() for io in self.program.outputs]


def inputs_of(program: Program, seed: int) -> list[bytes]:
    rng = np.random.default_rng(seed)
    return [rng.bytes(program.all_rows_bytes(io) or io.bytes) for io in program.inputs]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 4))
def test_rows_in_calls_give_what_the_whole_input_gives(seed: int, rows: int) -> None:
    model = drawn_network(Random(seed))
    try:
        whole, streamed = program_of(model, 0), program_of(model, rows)
    except InputError:
        return
    if (
        not streamed.pauses or len(streamed.inputs) > 1
    ):  # not worth it; or the order of the inputs may differ, as that of
        return  # the outputs does
    if sorted(io.bytes for io in whole.outputs) != sorted(io.bytes for io in streamed.outputs):
        return  # a reshape of the input that is an output, too, is no part of the unstreamed region
    machine = Machine(streamed)
    for picture in range(3):
        inputs = inputs_of(streamed, seed + picture)
        expected = sorted(run_program(whole, inputs))
        assert sorted(run_program(streamed, inputs)) == expected
        assert sorted(machine.picture(inputs)) == expected
        machine.begin()
        machine.picture(inputs_of(streamed, picture), picture % len(streamed.calls))
        machine.begin()


@pytest.fixture(scope="module")
def streamed() -> Program:
    """Ten rows, three in each call."""
    from test_stream_input import network

    return program_of(network((1, 10, 6, 3)), 3)


def test_a_line_too_many_is_an_error(streamed: Program) -> None:
    machine = Machine(streamed)
    machine.picture(inputs_of(streamed, 0))
    before = machine.workspace.tobytes()
    assert machine.call() == NO_MORE_ROWS
    assert machine.workspace.tobytes() == before


def test_run_refuses_a_program_that_wants_its_rows(streamed: Program) -> None:
    machine = Machine(streamed)
    status = library().split_nn_run(machine.blob.ctypes.data, machine.workspace.ctypes.data)
    assert library().split_nn_status_text(status).decode() == NO_MORE_ROWS


def test_rows_can_be_pulled_and_the_caller_can_end_it(streamed: Program) -> None:
    machine, data = Machine(streamed), inputs_of(streamed, 4)[0]
    expected = run_program(streamed, [data])
    asked: list[tuple[int, int]] = []
    row_bytes = len(data) // 10

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)
    def next_rows(user: int, to: int, first: int, rows: int) -> int:
        asked.append((first, rows))
        ctypes.memmove(to, data[first * row_bytes :], rows * row_bytes)
        return int(user == 1 and first == 6)

    run = library().split_nn_run_rows
    run.argtypes = (ctypes.c_void_p, ctypes.c_void_p, type(next_rows), ctypes.c_void_p, ctypes.c_void_p)
    assert run(machine.blob.ctypes.data, machine.workspace.ctypes.data, next_rows, None, None) == 0
    assert asked == [(0, 3), (3, 3), (6, 3), (9, 1)]
    io = streamed.outputs[0]
    assert machine.workspace[io.address : io.address + io.bytes].tobytes() == expected[0]
    status = run(machine.blob.ctypes.data, machine.workspace.ctypes.data, next_rows, None, 1)
    assert library().split_nn_status_text(status).decode() == "the caller ended the run"


def test_the_outputs_keep_the_earlier_result_until_the_last_call(streamed: Program) -> None:
    machine = Machine(streamed)
    first = machine.picture(inputs_of(streamed, 1))
    machine.begin()
    assert machine.picture(inputs_of(streamed, 2), len(streamed.calls) - 1) == first


def faulty(streamed: Program) -> dict[str, Program]:
    """Programs whose rows would not be what their steps take them for."""
    fetch = next(k for k, op in enumerate(streamed.ops) if op.kind is OpKind.FETCH)
    steps = list(streamed.steps)
    at = [i for i, step in enumerate(steps) if step.op == fetch]
    swapped, twice, missing = list(steps), list(steps), list(steps)
    swapped[at[0]], swapped[at[1]] = swapped[at[1]], swapped[at[0]]
    twice[at[1]] = Step(fetch, 0)
    del missing[at[-1]]
    pauses = streamed.pauses
    return {
        "no pauses": replace(streamed, pauses=()),
        "one pause less": replace(streamed, pauses=pauses[:-1]),
        "one pause more": replace(streamed, pauses=(*pauses, len(steps) - 1)),
        "a pause at the start": replace(streamed, pauses=(0, *pauses[1:])),
        "a pause behind the end": replace(streamed, pauses=(*pauses[:-1], len(steps))),
        "the same pause twice": replace(streamed, pauses=(pauses[0], pauses[0], *pauses[2:])),
        "a pause too late": replace(streamed, pauses=(at[4], *pauses[1:])),
        "rows in another order": replace(streamed, steps=tuple(swapped)),
        "a row twice": replace(streamed, steps=tuple(twice)),
        "a row left out": replace(streamed, steps=tuple(missing)),
    }


@pytest.mark.parametrize("fault", [
    "no pauses", "one pause less", "one pause more", "a pause at the start", "a pause behind the end", "the same pause twice",
    "a pause too late", "rows in another order", "a row twice", "a row left out",
])  # fmt: skip
def test_both_checks_refuse_rows_out_of_turn(streamed: Program, fault: str) -> None:
    program = faulty(streamed)[fault]
    with pytest.raises(ProgramError):
        check_program(program)
    assert prepare(_encode(program)) == PAUSE_FAULT


def test_the_replay_finds_a_row_that_the_next_rows_overwrite(streamed: Program) -> None:
    replay(streamed)
    fetch = next(op for op in streamed.ops if op.kind is OpKind.FETCH)
    picture = streamed.views[fetch.output].storage
    start = streamed.inputs[0].address
    addresses = tuple(start if row == 2 else a for row, a in enumerate(streamed.storages[picture].addresses))
    storages = tuple(replace(s, addresses=addresses) if k == picture else s for k, s in enumerate(streamed.storages))
    with pytest.raises(InternalError, match="which holds"):
        replay(replace(streamed, storages=storages, moves=()))
