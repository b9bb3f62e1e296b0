"""Models that hand over their output a few rows at a time: the rewrite, the result in TFLM, the C doors, what is refused."""

from __future__ import annotations

import ctypes
import hashlib
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from fuzz_seeds import drawn_network
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import Network
from runtime_scene import aligned, library, prepare
from toolchains import needs_arm

import tflm_split
from tflm_split.cli import main
from tflm_split.errors import InputError, InternalError, ProgramError
from tflm_split.program.check import check_program
from tflm_split.program.decode import decode
from tflm_split.program.encode import _encode, encode
from tflm_split.program.format import PAUSE_GIVES, PAUSE_TAKES
from tflm_split.program.in_model import programs_of
from tflm_split.program.types import Program
from tflm_split.rewrite.stream_output import stream_output
from tflm_split.split.operators.stream import EMIT_ROWS
from tflm_split.tflite.reader import read_model
from tflm_split.verify.oracle import run_program
from tflm_split.verify.replay import replay

ROWS = 13


def network(shape: tuple[int, ...] = (1, ROWS, 6, 3)) -> bytes:
    """Two convolutions: as many rows go out as come in."""
    n = Network(shape)
    return n.finish(n.conv(n.conv(n.input, 5), 4))


def program_of(model: bytes, taken: int, given: int) -> Program:
    """The only program of a model that is streamed so. Raises InputError for a model that cannot be."""
    made = tflm_split.optimize(model, stream_input=taken, stream_output=given, verify=False, effort=0)
    programs = list(programs_of(read_model(made.model)).values())
    if len(programs) != 1:
        raise InputError("not one region")
    return decode(programs[0])


@pytest.mark.parametrize(("taken", "given"), [(0, 1), (1, 1), (2, 1), (5, 3), (3, 5), (12, 12)])
def test_the_result_is_equal_in_tflm_call_by_call(taken: int, given: int) -> None:
    result = tflm_split.optimize(network(), stream_input=taken, stream_output=given, inputs=3)
    stream = result.report["stream_output"]
    assert stream is not None and result.report["verified"] is not None
    graph = read_model(result.model).graph
    assert [graph.tensors[t].shape for t in graph.outputs] == [(1, given, 6, 4), (2,)]
    assert stream["sentence"] in str(result) and stream["sentence"] in result.html()
    again = tflm_split.optimize(network(), decision=result.decision)
    assert again.model == result.model


def test_both_ends_streamed_need_less_than_one() -> None:
    heads = [
        tflm_split.optimize(network((1, 60, 8, 3)), stream_input=taken, stream_output=given, verify=False).report[
            "optimized"
        ]["planned_head_bytes"]
        for taken, given in ((0, 0), (1, 0), (1, 1))
    ]
    assert heads[2] < 0.6 * min(heads[:2]), heads


def test_in_tflm_the_application_follows_the_position() -> None:
    """The loop of the docs: rows go in where the operator asks for them, and come out where it says so."""
    model = network()
    original = tflm_split.tflm.interpreter(model)
    it = tflm_split.tflm.interpreter(tflm_split.optimize(model, stream_input=2, stream_output=3).model)
    rng = np.random.default_rng(5)
    following = 0
    for _ in range(3):
        picture = rng.integers(-128, 128, (1, ROWS, 6, 3)).astype(np.int8)
        original.set_input(picture, 0)
        original.invoke()
        whole = np.zeros((1, ROWS, 6, 4), np.int8)
        done = 0
        while done < ROWS:
            if following >= 0:
                rows = np.zeros((1, 2, 6, 3), np.int8)
                taken = picture[:, following : following + 2]
                rows[:, : taken.shape[1]] = taken
                it.set_input(rows, 0)
            it.invoke()
            first, following = it.get_output(1).tolist()
            if first >= 0:
                done = min(first + 3, ROWS)
                whole[:, first:done] = it.get_output(0)[:, : done - first]
        assert np.array_equal(whole, original.get_output(0))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(0, 3), st.integers(1, 4))
def test_rows_in_calls_are_those_of_the_whole_output(seed: int, taken: int, handed: int) -> None:
    model = drawn_network(Random(seed))
    try:
        program = program_of(model, taken, handed)
        whole = program_of(model, 0, 0)
    except InputError:
        return
    if not program.streams_output or len(program.inputs) > 1 or len(whole.outputs) != len(program.outputs):
        return  # not worth it; or the order of inputs or outputs may differ
    rng = np.random.default_rng(seed)
    inputs = [rng.bytes(program.all_rows_bytes(io) or io.bytes) for io in program.inputs]
    expected = sorted(run_program(whole, inputs))
    assert sorted(run_program(program, inputs)) == expected
    assert sorted([pulled(program, inputs)[0], *whole_outputs(program, inputs)]) == expected


def whole_outputs(program: Program, inputs: list[bytes]) -> list[bytes]:
    """The outputs that are there as a whole after all calls."""
    made = run_program(program, inputs)
    return [data for io, data in zip(program.outputs, made, strict=True) if not program.all_rows_bytes(io, output=True)]


NEXT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32)


def pulled(program: Program, inputs: list[bytes], stop_at: int | None = None) -> tuple[bytes, str]:
    """(The rows that `split_nn_run_rows` hands over, its status). It is stopped when row `stop_at` is there."""
    blob, workspace = aligned(encode(program)), aligned(bytes([0xA5]) * program.workspace_bytes)
    assert prepare(encode(program)) == "ok"
    row_bytes = {}
    for io, data in zip(program.inputs, inputs, strict=True):
        if found := program.streams_at(io):
            row_bytes["input"] = len(data) // found[1]
        else:
            workspace[io.address : io.address + io.bytes] = np.frombuffer(data, np.uint8)
    (output,) = (found for io in program.outputs if (found := program.streams_at(io, output=True)))
    out_bytes = program.storages[output[0].storage].row_bytes
    rows_made: list[tuple[int, int]] = []
    made_bytes = bytearray()

    def next_rows(user: int, to: int, first: int, rows: int) -> int:
        ctypes.memmove(to, inputs[0][first * row_bytes["input"] :], rows * row_bytes["input"])
        return 0

    def made_rows(user: int, at: int, first: int, rows: int) -> int:
        rows_made.append((first, rows))
        made_bytes.extend(ctypes.string_at(at, rows * out_bytes))
        return int(stop_at is not None and first <= stop_at < first + rows)

    run = library().split_nn_run_rows
    run.argtypes = (ctypes.c_void_p, ctypes.c_void_p, NEXT, NEXT, ctypes.c_void_p)
    status = run(blob.ctypes.data, workspace.ctypes.data, NEXT(next_rows), NEXT(made_rows), None)
    assert [first for first, _ in rows_made] == list(range(0, len(made_bytes) // out_bytes, output[0].row_count))
    return bytes(made_bytes), library().split_nn_status_text(status).decode()


@pytest.fixture(scope="module")
def streamed() -> Program:
    """13 rows, 2 taken and 3 handed over in a call."""
    return program_of(network(), 2, 3)


def test_the_caller_can_end_it(streamed: Program) -> None:
    data = [np.random.default_rng(1).bytes(ROWS * 18)]
    whole, status = pulled(streamed, data)
    assert status == "ok" and whole == run_program(streamed, data)[0]
    part, status = pulled(streamed, data, stop_at=4)
    assert status == "the caller ended the run" and part == whole[: len(part)] and len(part) == 6 * 24


@pytest.fixture(scope="module", params=[0, 2])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model, and the same one with a streamed output; its input is streamed, too, or whole."""
    folder = tmp_path_factory.mktemp("streamed")
    (folder / "net.tflite").write_bytes(network())
    tflm_split.optimize(network(), stream_input=request.param, stream_output=3).save(folder / "rows.tflite")
    return folder / "net.tflite", folder / "rows.tflite"


def test_verify_makes_all_calls(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert command("verify", *files) == 0
    assert "Equal: every byte" in capsys.readouterr().out


@needs_arm
def test_a_board_hands_over_all_rows(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    picture = np.random.default_rng(3).integers(-128, 128, (1, ROWS, 6, 3)).astype(np.int8)
    np.save(files[0].with_name("picture.npy"), picture)
    assert command("board", "run", files[1], "--board", "m7", "--input", files[0].with_name("picture.npy")) == 0
    original = tflm_split.tflm.interpreter(network())
    original.set_input(picture, 0)
    original.invoke()
    shown = capsys.readouterr().out
    assert hashlib.sha256(original.get_output(0).tobytes()).hexdigest() in shown
    assert f"int8 [1, {ROWS}, 6, 4]" in shown


def command(*words: object) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return int(ended.value.code or 0)


def test_calls_say_what_they_take_and_give(streamed: Program) -> None:
    assert [row for rows in streamed.brought for row in rows] == list(range(ROWS))
    assert [row for rows in streamed.handed_over for row in rows] == list(range(ROWS))
    assert streamed.positions[-1][1] == 0


def test_wrong_flags_are_refused_by_both(streamed: Program) -> None:
    blob = encode(streamed)
    for k, pause in enumerate(streamed.pauses_with_flags):
        for flag in (PAUSE_TAKES, PAUSE_GIVES):
            at = blob.find(np.array(streamed.pauses_with_flags, "<u4").tobytes()) + 4 * k
            wrong = blob[:at] + np.uint32(pause ^ flag).tobytes() + blob[at + 4 :]
            with pytest.raises(ProgramError):
                decode(wrong)
            assert prepare(wrong).startswith("a pause is out of order")


def test_rows_out_of_turn_are_refused_by_both(streamed: Program) -> None:
    emit = next(k for k, op in enumerate(streamed.ops) if op.kind.name == "EMIT")
    at = [i for i, step in enumerate(streamed.steps) if step.op == emit]
    steps = list(streamed.steps)
    steps[at[0]], steps[at[1]] = steps[at[1]], steps[at[0]]
    left_out = [step for i, step in enumerate(streamed.steps) if i != at[-1]]
    late = tuple(pause + (pause == at[2] + 1) for pause in streamed.pauses)
    for program in (replace(streamed, steps=tuple(steps)), replace(streamed, steps=tuple(left_out))):
        with pytest.raises(ProgramError):
            check_program(program)
        assert prepare(_encode(program)).startswith("a pause is out of order")
    assert late == streamed.pauses or prepare(_encode(replace(streamed, pauses=late)))


def test_the_replay_finds_a_row_that_is_overwritten_before_it_is_taken(streamed: Program) -> None:
    replay(streamed)
    emit = next(op for op in streamed.ops if op.kind.name == "EMIT")
    rows = streamed.views[emit.output].storage
    other = next(k for k, s in enumerate(streamed.storages) if k != rows and s.addresses and s.addresses[0] is not None)
    start = streamed.storages[rows].addresses[0]
    addresses = tuple(start if r == 1 else a for r, a in enumerate(streamed.storages[other].addresses))
    storages = tuple(replace(s, addresses=addresses) if k == other else s for k, s in enumerate(streamed.storages))
    with pytest.raises(InternalError):
        replay(replace(streamed, storages=storages, moves=()))


def test_a_reshape_before_the_output_is_passed_over() -> None:
    n = Network((1, 8, 4, 2))
    graph = read_model(n.finish(n.reshape(n.conv(n.input, 3), (1, 96)))).graph
    made, stream = stream_output(graph, 2)
    assert (stream.whole.rows, stream.whole.row_bytes) == (8, 12)
    assert made.operators[-1].kind == EMIT_ROWS and len(made.operators) == 2


@pytest.mark.parametrize(("rows", "why"), [(ROWS, "must hand over fewer"), (99, "must hand over fewer")])
def test_too_many_rows_are_refused(rows: int, why: str) -> None:
    with pytest.raises(InputError, match=why):
        tflm_split.optimize(network(), stream_output=rows, verify=False)


def test_a_single_row_is_refused() -> None:
    n = Network((1, 8, 4, 2))
    model = n.finish(n.dense(n.conv(n.input, 3), 3))
    with pytest.raises(InputError, match="has a single row"):
        tflm_split.optimize(model, stream_output=1, verify=False)
