"""What a network remembers lies inside the region: rings of variables, and SVDF.

The original in TFLM is the reference, invocation by invocation, across resets, and while other networks run in between.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from objects import host_executor
from runtime_scene import aligned, library, verdicts
from sample_programs import remembering
from streaming_networks import NETWORKS, Streaming, rings, svdfs
from tiny_models import Op, T

import tflm_split
from tflm_split import pipeline
from tflm_split.analysis.arena import least_arm32_arena, predicted_arm32_arena
from tflm_split.analysis.tflm_head import predicted_head_bytes
from tflm_split.board.run import run_on_board
from tflm_split.errors import InternalError
from tflm_split.export.files import exported, write_export
from tflm_split.kinds import OpKind
from tflm_split.native.build import EXECUTOR_FOLDER
from tflm_split.program.decode import decode
from tflm_split.program.encode import encode
from tflm_split.program.in_model import programs_of
from tflm_split.program.text import format_program
from tflm_split.program.types import Fill, Program, Storage
from tflm_split.rewrite.states import with_states
from tflm_split.tflite.reader import read_model
from tflm_split.verify import compare as comparing
from tflm_split.verify.oracle import first_state, run_program
from tflm_split.verify.own.executor import numpy_executor
from tflm_split.verify.own.machine import OwnMachine
from tflm_split.verify.replay import replay

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus"
STEPS = 64
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real models is not there")
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is missing")


def inputs_of(model: bytes, count: int = STEPS, seed: int = 7) -> list[tuple[np.ndarray, ...]]:
    return list(comparing.test_inputs(read_model(model).graph, count, seed))


@cache
def split(model: bytes) -> tflm_split.Result:
    """The model with all that it remembers inside one region."""
    result = tflm_split.optimize(model, verify=False, effort="low")
    assert result.plan is not None and len(result.plan.regions) == 1
    assert not result.plan.split.stock
    kinds = {op.kind for op in read_model(result.model).graph.operators}
    assert kinds == {"CUSTOM:TFLM_SPLIT"}
    return result


@pytest.mark.parametrize("name", NETWORKS)
def test_64_invocations_are_equal_at_each_step(name: str) -> None:
    model = NETWORKS[name]()
    result = split(model)
    compared = comparing.compare(read_model(model), read_model(result.model), inputs_of(model))
    assert compared.bit_exact, compared.first_difference
    assert compared.distinct_outputs > STEPS // 2


def interpreter(model: bytes) -> Any:
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    library()  # the operator that the interpreter looks up by its name
    return runtime.Interpreter.from_bytes(model, custom_op_registerers=["TFLM_SPLIT"])


def invoked(running: Any, entry: tuple[np.ndarray, ...]) -> bytes:
    for position, value in enumerate(entry):
        running.set_input(value, position)
    running.invoke()
    return bytes(running.get_output(0).tobytes())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_reset_forgets_and_other_networks_in_between_change_nothing(name: str) -> None:
    model = NETWORKS[name]()
    optimized = split(model).model
    other = split(NETWORKS["feedback"]()).model
    before, after, again, in_between = map(interpreter, (model, optimized, optimized, other))
    noise, entries = inputs_of(other, 5), inputs_of(model)
    outputs: list[bytes] = []
    for step, entry in enumerate(entries):
        if step in (20, 21, 45):
            for running in (before, after):
                running.reset()
        outputs.append(invoked(before, entry))
        assert invoked(after, entry) == outputs[-1], f"step {step}"
        invoked(in_between, noise[step % 5])
        if step >= 45:  # a new one knows as little as one that was reset
            assert invoked(again, entry) == outputs[-1], f"step {step}"
    again.reset()
    unreset = [invoked(again, entry) for entry in entries]
    assert unreset[:20] == outputs[:20] and unreset[45:] != outputs[45:]  # the past matters


TURNS = 6


@pytest.mark.parametrize("name", NETWORKS)
def test_our_own_model_of_tflm_keeps_state_as_tflm_does(name: str) -> None:
    """So that a result is verified where TFLM does not run, too."""
    model = NETWORKS[name]()
    running, machine = interpreter(model), OwnMachine(read_model(model))
    for entry in inputs_of(model, 24):
        assert machine.invoke(entry)[0] == invoked(running, entry)
    assert not machine.assumed


@needs_cc
def test_a_head_that_another_network_uses_in_between_holds_no_state(tmp_path: Path) -> None:
    """Two interpreters of one MicroAllocator share the head, and each has a tail of its own."""
    pytest.importorskip("tflite_micro")
    model, other = svdfs(), (ROOT / "models" / "digits_dscnn.tflite").read_bytes()
    paths = [tmp_path / name for name in ("remembers.tflite", "other.tflite")]
    for path, data in zip(paths, (split(model).model, other), strict=True):
        path.write_bytes(data)
    command = [sys.executable, str(ROOT / "tests" / "shared_arena.py"), *map(str, paths), "400000", "1", str(TURNS)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, check=True, timeout=120)
    running = interpreter(model)
    wanted = [hashlib.sha256(invoked(running, entry)).hexdigest() for entry in inputs_of(model, TURNS, 0)]
    assert json.loads(done.stdout)["outputs"][0] == wanted


@pytest.mark.parametrize("name", NETWORKS)
def test_our_own_executors_remember_as_tflm_does(name: str) -> None:
    optimized = read_model(split(NETWORKS[name]()).model)
    running = interpreter(optimized.original)
    machines = [OwnMachine(optimized), OwnMachine(optimized, numpy_executor())]
    (blob,) = programs_of(optimized).values()
    program = decode(blob)
    state = first_state(program)
    for entry in inputs_of(optimized.original, 12):
        wanted = invoked(running, entry)
        assert [machine.invoke(entry)[0] for machine in machines] == [wanted, wanted]
        assert run_program(program, [value.tobytes() for value in entry], state) == [wanted]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_arena_is_smaller_and_predicted_to_the_byte(name: str) -> None:
    model = NETWORKS[name]()
    result = tflm_split.optimize(model)
    before, after = (result.report[which] for which in ("original", "optimized"))
    assert after["measured_head_bytes"] < before["measured_head_bytes"]
    assert after["measured_tail_bytes"] < before["measured_tail_bytes"]
    assert result.plan is not None
    assert predicted_arm32_arena(read_model(result.model), result.plan.planned_head_bytes).exact


@pytest.mark.parametrize("name", NETWORKS)
def test_no_arena_is_larger_than_with_variables(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = NETWORKS[name]()
    needs = "predicted_arm32_minimum_arena_bytes"
    inside = split(model).report["optimized"][needs]
    monkeypatch.setattr("tflm_split.pipeline.with_states", lambda graph, others: graph)
    assert inside < tflm_split.optimize(model, verify=False, effort="low").report["optimized"][needs]


def test_where_variables_need_less_they_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the search could do more with the rest of the network."""
    found = pipeline._best
    wanted: list[bool] = []

    def worse_with_states(job: pipeline._Job) -> Any:
        wanted.append(bool(job.evaluator.graph.states))
        return None if wanted[-1] else found(job)

    monkeypatch.setattr(pipeline, "_best", worse_with_states)
    model = rings()
    result = tflm_split.optimize(model, verify=False, effort="low")
    assert wanted == [True, False]
    assert "READ_VARIABLE" in [op.kind for op in read_model(result.model).graph.operators]
    assert tflm_split.optimize(model, verify=False, effort="low", decision=result.decision).model == result.model


@pytest.mark.parametrize("name", NETWORKS)
def test_variables_that_alone_need_more_are_not_searched(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = NETWORKS[name]()
    found, searched = pipeline._best, list[bool]()

    def counted(job: pipeline._Job) -> Any:
        searched.append(bool(job.evaluator.graph.states))
        return found(job)

    monkeypatch.setattr(pipeline, "_best", counted)
    result = tflm_split.optimize(model, verify=False, effort="low")
    assert searched[0]
    monkeypatch.setattr(pipeline, "_least_arena_bytes", lambda *_: 0)
    assert tflm_split.optimize(model, verify=False, effort="low").model == result.model
    assert searched.count(False) >= 1, "with no bound, both are searched"


@pytest.mark.parametrize("name", NETWORKS)
def test_the_bound_of_an_arena_is_one(name: str) -> None:
    model = read_model(NETWORKS[name]())
    every = range(len(model.graph.operators))
    assert 0 < least_arm32_arena(model, every[:1]) <= least_arm32_arena(model, every)
    assert (
        least_arm32_arena(model, every) <= predicted_arm32_arena(model, predicted_head_bytes(model)).minimum_arena_bytes
    )


def test_a_saved_decision_makes_the_same_file_again() -> None:
    result = split(rings())
    assert tflm_split.optimize(rings(), verify=False, effort="low", decision=result.decision).model == result.model


# What must stay with TFLM.


def changed_by(change: Callable[[Streaming], None]) -> bytes:
    net = Streaming(3, 8, zero_point=5, seed=1)
    net.ring(2)
    net.depthwise(-128)
    change(net)
    return net.model()


def read_as_an_output(net: Streaming) -> None:
    _, net.last = net.variable((1, 1, 1, 8), 0)


def never_assigned(net: Streaming) -> None:
    _, old = net.variable((1, 1, 1, 8), -128)
    net.op("ADD", (net.last, old), net.act((1, 1, 1, 8), -128))


@pytest.mark.parametrize("change", [read_as_an_output, never_assigned])
def test_variables_that_are_no_states_stay(change: Callable[[Streaming], None]) -> None:
    graph = read_model(changed_by(change)).graph
    assert with_states(graph, ()) is graph


def three_rows() -> Streaming:
    net = Streaming(3, 8, zero_point=5, seed=1)
    net.ring(2)
    net.depthwise(-128)
    net.convolution(4, 3)
    return net


def test_a_subgraph_called_once_that_sets_zero_points_is_left_out() -> None:
    model = three_rows().model({"v0": 5})
    result = split(model)
    emptied = read_model(result.model).other_graphs
    assert [len(graph.operators) for graph in emptied] == [0]
    compared = comparing.compare(read_model(model), read_model(result.model), inputs_of(model))
    assert compared.bit_exact, compared.first_difference


def test_one_that_sets_other_values_stays() -> None:
    model = read_model(three_rows().model({"v0": 9}))
    assert with_states(model.graph, model.other_graphs) is model.graph
    result = tflm_split.optimize(model.original, verify=False, effort="low")
    compared = comparing.compare(model, read_model(result.model), inputs_of(model.original))
    assert compared.bit_exact, compared.first_difference


def check_that_variables_stay(model: bytes) -> None:
    """Both variables and the stock operator that stands between are in the split file, which computes the same."""
    result = tflm_split.optimize(model, verify=False, effort="low")
    kinds = [op.kind for op in read_model(result.model).graph.operators]
    assert kinds.count("READ_VARIABLE") == 2 and "REVERSE_V2" in kinds
    compared = comparing.compare(read_model(model), read_model(result.model), inputs_of(model))
    assert compared.bit_exact, compared.first_difference


def test_what_a_stock_operator_reads_stays_a_variable() -> None:
    net = three_rows()
    whole = net.ring(2)
    (old,) = (
        op.outputs[0]
        for op in net.operators
        if op.kind == "READ_VARIABLE" and op.outputs[0] in net.operators[-3].inputs
    )
    net.op("REVERSE_V2", (old, net.numbers(1)), net.act(net.tensors[old].shape, 3))
    back = net.last
    net.op("CONCATENATION", (whole, back), net.act((1, 5, 1, 4), 3), axis=1)
    check_that_variables_stay(net.model())


def test_a_ring_that_a_stock_operator_reads_stays_in_variables() -> None:
    net = three_rows()
    whole = net.ring(2)
    net.op("REVERSE_V2", (whole, net.numbers(1)), net.act(net.tensors[whole].shape, 3))
    check_that_variables_stay(net.model())


def test_a_stock_operator_behind_a_ring_costs_no_copies() -> None:
    """No order of the operators runs it between the ring and what is kept of it, so that may be a window onto the ring."""
    net = Streaming(1, 1, seed=6)
    net.tensors[net.first] = T((1, 24), "INT8", 0.08, -12)
    net.svdf(16, 5, -9, 0)
    net.op("REVERSE_V2", (net.last, net.numbers(1)), net.act((1, 16), -9))
    model = net.model()
    result = tflm_split.optimize(model, verify=False, effort="low")
    assert [op.kind for op in read_model(result.model).graph.operators] == ["CUSTOM:TFLM_SPLIT", "REVERSE_V2"]
    (blob,) = programs_of(read_model(result.model)).values()
    assert OpKind.RESIZE_NEAREST not in {op.kind for op in decode(blob).ops}
    compared = comparing.compare(read_model(model), read_model(result.model), inputs_of(model))
    assert compared.bit_exact, compared.first_difference


def test_each_region_keeps_a_state_of_its_own() -> None:
    net = Streaming(3, 8, zero_point=5, seed=9)
    net.op("REVERSE_V2", (net.convolution(8, 5), net.numbers(1)), net.act((1, 3, 1, 8), 5))
    net.ring(2)
    net.depthwise(-128)
    net.op("REVERSE_V2", (net.convolution(6, 2), net.numbers(3)), net.act((1, 1, 1, 6), 2))
    net.ring(4)
    net.depthwise(1)
    model = net.model()
    result = tflm_split.optimize(model, verify=False, effort="low")
    assert [region["state_bytes"] for region in result.report["region_details"]] == [0, 16, 24]
    compared = comparing.compare(read_model(model), read_model(result.model), inputs_of(model))
    assert compared.bit_exact, compared.first_difference


def test_variables_that_change_places_stay() -> None:
    """Neither can be written over before the other one was read."""
    net = three_rows()
    (first, one), (second, other) = (net.variable((1, 1, 1, 4), 3) for _ in range(2))
    net.op("ADD", (net.last, one), net.act((1, 1, 1, 4), 3))
    total = net.op("ADD", (net.last, other), net.act((1, 1, 1, 4), 3))
    net.operators.append(Op("ASSIGN_VARIABLE", (first, other), ()))
    net.operators.append(Op("ASSIGN_VARIABLE", (second, one), ()))
    net.last = total
    model = net.model()
    result = tflm_split.optimize(model, verify=False, effort="low")
    assert "READ_VARIABLE" in [op.kind for op in read_model(result.model).graph.operators]
    compared = comparing.compare(read_model(model), read_model(result.model), inputs_of(model))
    assert compared.bit_exact, compared.first_difference


# The program: its checks, the replay, what C makes of it.


def test_a_program_remembers_in_c_and_numpy() -> None:
    blob = encode(remembering())
    assert verdicts(blob) == ("", "")
    program, state = aligned(blob), aligned(bytes(12))
    library().split_nn_start(program.ctypes.data, state.ctypes.data)
    rows = [bytes([k] * 4) for k in range(1, 8)]
    held = [bytes([7] * 4), bytes([7] * 4), bytes([200] * 4)]
    mine = first_state(remembering())
    for row in rows:
        workspace = aligned(row + bytes(20))
        assert library().split_nn_run_with_state(program.ctypes.data, workspace.ctypes.data, state.ctypes.data) == 0
        held.append(row)
        assert workspace[8:24].tobytes() == b"".join(held[-4:])
        assert run_program(remembering(), [row], mine) == [b"".join(held[-4:])]
        assert state.tobytes() == mine.tobytes() == b"".join(held[-3:])
    library().split_nn_start(program.ctypes.data, state.ctypes.data)
    assert state.tobytes() == bytes([7] * 8 + [200] * 4)


def test_a_run_without_the_state_is_refused() -> None:
    program, workspace = aligned(encode(remembering())), aligned(bytes(24))
    status = library().split_nn_run(program.ctypes.data, workspace.ctypes.data)
    assert b"keeps a state" in library().split_nn_status_text(status)
    assert library().split_nn_run_with_state(program.ctypes.data, workspace.ctypes.data, None) == status
    stream = aligned(bytes(8))
    assert library().split_nn_continue(program.ctypes.data, workspace.ctypes.data, stream.ctypes.data) == status
    assert library().split_nn_run_with_state(program.ctypes.data, workspace.ctypes.data, workspace.ctypes.data + 2) == 2


def moved_row(program: Program, storage: int, row: int, address: int) -> Program:
    addresses = list(program.storages[storage].addresses)
    addresses[row] = address
    storages = list(program.storages)
    storages[storage] = replace(storages[storage], addresses=tuple(addresses))
    return replace(program, storages=tuple(storages))


@pytest.mark.parametrize("broken", [
    replace(remembering(), fills=(Fill(8, 7), Fill(3, 200))),  # a row leaves the state
    replace(remembering(), fills=(Fill(12, 256),)),
    replace(remembering(), fills=(Fill(12, 7), Fill(0, 7))),
    replace(remembering(), fills=()),
    moved_row(remembering(), 1, 0, 22),  # half in the workspace, half in the state
    moved_row(remembering(), 3, 2, 36),
    replace(remembering(), workspace_bytes=26),
])  # fmt: skip
def test_a_state_that_cannot_be_is_refused_by_python_and_c(broken: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tflm_split.program.encode.check_program", lambda program: None)
    ours, theirs = verdicts(encode(broken))
    assert ours and theirs


def with_order(*steps: int) -> Program:
    """`remembering` with its eight steps in another order."""
    program = remembering()
    return replace(program, steps=tuple(program.steps[k] for k in steps))


def test_the_replay_passes_what_remembers() -> None:
    report = replay(remembering())
    assert report.peak_workspace_bytes == 24
    replay(with_order(0, 1, 5, 2, 3, 6, 4, 7))  # a row may be written over as soon as it was read


@pytest.mark.parametrize(("order", "fault"), [
    ((0, 5, 1, 2, 3, 4, 6, 7), "needs byte 0 of row 0 of storage 1"),  # written over before it is given out
    ((0, 1, 2, 3, 4, 6, 5, 7), "needs byte 0 of row 1 of storage 1"),  # the shift goes the wrong way
    ((0, 1, 2, 3, 4, 5, 6), "row 2 of storage 3 .* no row"),  # the last row is not kept
])  # fmt: skip
def test_the_replay_finds_what_is_forgotten(order: tuple[int, ...], fault: str) -> None:
    program = with_order(*order)
    if len(order) == 7:  # nobody writes it: it stands for what the run before has left, so nothing is lost
        with pytest.raises(InternalError, match="lies in the state on another row"):
            replay(program)
        return
    with pytest.raises(InternalError, match=fault):
        replay(program)


def test_the_replay_finds_a_row_kept_in_two_halves() -> None:
    program = remembering()
    kept = Storage(4, 3, (24, 28, 28))
    with pytest.raises(InternalError, match="the next run needs"):
        replay(replace(program, storages=(*program.storages[:3], kept)))


def test_a_program_with_a_state_is_printed() -> None:
    text = format_program(remembering())
    assert "24 B workspace, 12 B state" in text
    assert "part 1  32..36  4 B of 200" in text


# Firmware without TFLM.

DRIVER = """\
#include <stdio.h>
#include <string.h>
#include "net.h"

int main(void) {
    if (net_init() != 0) return 1;
    for (int k = 0; ; ++k) {
        if (k == 20) net_reset();
        if (fread(net_input0(), NET_INPUT0_BYTES, 1, stdin) != 1) return 0;
        if (net_invoke() != 0) return 2;
        fwrite(net_output0(), NET_OUTPUT0_BYTES, 1, stdout);
    }
}
"""


@needs_gcc
@pytest.mark.parametrize("name", ["rings", "svdfs"])
def test_exported_c_remembers_and_forgets(name: str, tmp_path: Path) -> None:
    model = NETWORKS[name]()
    write_export(exported(read_model(split(model).model), "net.tflite", "c", "net"), tmp_path)
    (tmp_path / "main.c").write_text(DRIVER)
    strict = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion"]
    command = [
        "gcc",
        "-std=c11",
        *strict,
        f"-I{EXECUTOR_FOLDER}",
        "main.c",
        "net.c",
        *map(str, host_executor()),
        "-lm",
        "-o",
        "net",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
    entries = inputs_of(model, 40)
    given = b"".join(entry[0].tobytes() for entry in entries)
    done = subprocess.run([tmp_path / "net"], input=given, capture_output=True, check=True, timeout=60)
    running = interpreter(model)
    wanted = b""
    for step, entry in enumerate(entries):
        if step == 20:
            running.reset()
        wanted += invoked(running, entry)
    assert done.stdout == wanted


def test_a_board_remembers() -> None:
    pytest.importorskip("elftools")
    if shutil.which("arm-none-eabi-gcc") is None or shutil.which("qemu-system-arm") is None:
        pytest.skip("the cross compiler or QEMU is missing")
    model = svdfs()
    entries = inputs_of(model, 12)
    ran = run_on_board(split(model).model, "mps2-an385", entries)
    running = interpreter(model)
    assert [outputs[0] for outputs in ran.outputs] == [invoked(running, entry) for entry in entries]


# Real models.


@needs_corpus
@pytest.mark.parametrize(
    ("name", "stock", "head_bytes"), [("mww_okay_nabu_v2", 0, 160), ("keyword_scrambled_8bit", 2, 288)]
)
def test_a_real_model_has_all_that_it_remembers_inside(name: str, stock: int, head_bytes: int) -> None:
    model = (CORPUS / "models" / f"{name}.tflite").read_bytes()
    result = tflm_split.optimize(model, verify=False, effort="low")
    assert result.plan is not None and len(result.plan.regions) == 1
    assert len(result.plan.split.stock) <= stock
    assert result.plan.planned_head_bytes <= head_bytes
    before, after = interpreter(model), interpreter(result.model)
    rng = np.random.default_rng(3)
    for step in range(2 * STEPS):
        if step == STEPS:
            before.reset()
            after.reset()
        details = before.get_input_details(0)
        info = np.iinfo(details["dtype"])
        value = rng.integers(info.min, info.max + 1, details["shape"]).astype(details["dtype"])
        assert invoked(after, (value,)) == invoked(before, (value,)), f"step {step}"
