"""`memory="fast=...,slow=..."`: which rows go where, that outputs stay the same, and what is refused.

What the format and the executor demand of programs for two memories is in `test_slow_memory.py`.
"""

from __future__ import annotations

import random
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from runtime_scene import library
from test_export import answers, executor, needs_gcc
from tflite_helpers import ROOT
from tiny_models import Builder
from toolchains import needs_arm

import tflm_split
from tflm_split.board.run import run_on_board
from tflm_split.errors import InputError
from tflm_split.export.files import exported, write_export
from tflm_split.memories import Memories, parse_memories
from tflm_split.options import options_from
from tflm_split.plan.check import check_layout
from tflm_split.plan.loads import FAST, SLOW, Loads
from tflm_split.plan.problem import Body, Layout, Leeway, Span, live_lower_bound
from tflm_split.plan.spill import SpillProblem, spill
from tflm_split.plan.two_memories import Sizes, place_in_two
from tflm_split.program.decode import decode
from tflm_split.program.in_model import programs_of, slow_memory_bytes, slow_tensors
from tflm_split.report.summary import next_steps, summary
from tflm_split.tflite.reader import read_model
from tflm_split.verify.replay import replay
from tflm_split.verify.tflm import run_in_tflm, untested_interpreter

MOBILENET = ROOT / "models" / "digits_mobilenet_v1_025_96.tflite"
__all__ = ["executor"]


def optimized(memory: str, **options: object) -> tflm_split.Result:
    return tflm_split.optimize(MOBILENET, memory=memory, effort="low", **options)


@pytest.fixture(scope="module")
def with_slow_input() -> tflm_split.Result:
    return optimized("fast=16KB,slow=8MB,total=64KB", inputs=2)


def reversed_only() -> bytes:
    """An operator that no program computes."""
    net = Builder((1, 8, 8, 4), seed=1)
    return net.finish(net.reversed(net.input))


def around_a_stock_operator() -> bytes:
    """Two regions, and between them a REVERSE_V2 that stays with TFLM."""
    net = Builder((1, 32, 32, 4), seed=2)
    first = net.conv(net.conv(net.input, 8, 3), 2, 3, stride=2)
    return net.finish(net.conv(net.conv(net.reversed(first), 8, 3), 1, 3))


# What people write.


def test_sizes_are_written_in_any_order_and_kept_in_one_spelling() -> None:
    assert parse_memories("slow=8MB, fast=64KB") == Memories(65_536, 8 << 20)
    assert str(parse_memories({"fast": 1024, "slow": "1M", "total": "2K"})) == "fast=1024,slow=1048576,total=2048"
    assert options_from({"memory": "fast=64K,slow=8M"}).memory == "fast=65536,slow=8388608"
    assert options_from({}).memories is None
    assert Memories(1, 1).most_bytes(1000) == 1100
    assert Memories(1, 1, 900).most_bytes(1000) == 900


@pytest.mark.parametrize(
    "wrong", ["64KB", "fast=64KB", "fast=1K,slow=1K,size=3", "fast=1K,fast=2K,slow=4K", 65536, {"fast": 1}]
)
def test_anything_else_is_refused_with_how_to_write_it(wrong: object) -> None:
    with pytest.raises(InputError, match=r"write fast=SIZE,slow=SIZE\[,total=SIZE\]"):
        options_from({"memory": wrong})


@pytest.mark.parametrize("other", [{"stream_input": 1}, {"stream_output": 1}, {"reuse_window": 1}, {"max_arena": 9000}])
def test_what_does_not_go_with_two_memories_is_refused(other: dict[str, int]) -> None:
    (word,) = other
    with pytest.raises(InputError, match=f"{word} does not go with memory: .*; leave one out"):
        options_from({"memory": "fast=1K,slow=1K", **other})
    with pytest.raises(InputError, match="memory needs the operator TFLM_SPLIT"):
        options_from({"memory": "fast=1K,slow=1K", "target": "stock"})


# Which bodies go where.


def body(start: int, stop: int, nbytes: int) -> Body:
    return Body((Span(start, stop, 0, nbytes),), 4)


def random_problem(chance: random.Random) -> SpillProblem:
    bodies = []
    for _ in range(chance.randint(3, 8)):
        start = chance.randrange(6)
        bodies.append(body(start, start + chance.randint(1, 4), 4 * chance.randint(1, 6)))
    leeways = [
        Leeway(r, w, 4)
        for r, w in combinations(range(len(bodies)), 2)
        if bodies[w].start == bodies[r].stop - 1 > bodies[r].start
    ][:2]
    traffic = [chance.randint(1, 50) for _ in bodies]
    return SpillProblem(bodies, leeways, traffic, frozenset({0} if chance.random() < 0.3 else ()))


def loads_of(problem: SpillProblem, slow: frozenset[int]) -> Loads:
    loads = Loads(problem.bodies, problem.leeways)
    for b in slow:
        loads.move(b, SLOW)
    return loads


def test_loads_are_those_of_the_bodies_in_each_memory() -> None:
    chance = random.Random(3)
    for _ in range(200):
        problem = random_problem(chance)
        slow = frozenset(b for b in range(len(problem.bodies)) if chance.random() < 0.5)
        loads = loads_of(problem, slow)
        for memory in (FAST, SLOW):
            inside = [b for b in range(len(problem.bodies)) if (b in slow) == (memory == SLOW)]
            number = {b: k for k, b in enumerate(inside)}
            leeways = [
                Leeway(number[x.read], number[x.written], x.distance_bytes)
                for x in problem.leeways
                if x.read in number and x.written in number
            ]
            assert int(loads.live[memory].max()) == live_lower_bound([problem.bodies[b] for b in inside], leeways)


def test_spilling_is_near_the_best_of_all_choices() -> None:
    """Against all subsets of small problems: never outside the sizes, never missing, and rarely more than the least traffic."""
    chance = random.Random(1)
    found = least = 0
    for _ in range(150):
        problem = random_problem(chance)
        whole = int(Loads(problem.bodies, problem.leeways).live[FAST].max())
        fast, slow_bytes = int(whole * 0.6), int(whole * 0.8)
        movable = [b for b in range(len(problem.bodies)) if b not in problem.pinned]
        subsets = (frozenset(c) for n in range(len(movable) + 1) for c in combinations(movable, n))
        fitting = [
            s for s in subsets
            if (loads := loads_of(problem, s)).live[FAST].max() <= fast and loads.live[SLOW].max() <= slow_bytes
        ]  # fmt: skip
        chosen = spill(problem, fast, slow_bytes)
        assert chosen is None or chosen in fitting
        if chosen is not None:
            found += problem.traffic_of(chosen)
            least += min(map(problem.traffic_of, fitting))
    assert least > 0
    assert found <= 1.1 * least


def test_both_memories_have_a_layout_within_their_sizes() -> None:
    chance = random.Random(2)
    for _ in range(60):
        problem = random_problem(chance)
        whole = sum(b.bytes for b in problem.bodies)
        sizes = Sizes(max(whole // 2, problem.bodies[0].bytes), whole, whole)
        placed = place_in_two(problem, sizes, 1, 4)
        assert placed is not None
        assert placed.fast_bytes <= sizes.fast_bytes
        assert placed.fast_bytes + placed.slow_bytes <= sizes.total_bytes
        assert not placed.slow & problem.pinned
        apart = tuple(a + (b in placed.slow) * (1 << 20) for b, a in enumerate(placed.addresses))
        check_layout(problem.bodies, Layout(apart, 1 << 21, ""), problem.leeways)


def test_twice_the_fast_memory_never_costs_traffic() -> None:
    chance = random.Random(4)
    fewer = 0
    for _ in range(60):
        problem = random_problem(chance)
        whole = int(Loads(problem.bodies, problem.leeways).live[FAST].max())
        fast = max(whole // 4, problem.bodies[0].bytes)
        found = [
            placed.traffic_bytes
            for k in range(3)
            if (placed := place_in_two(problem, Sizes(fast << k, 1 << 20, int(1.3 * whole)), 1, 4))
        ]
        assert found == sorted(found, reverse=True)
        fewer += found != found[:1] * len(found)
    assert fewer > 20


def test_what_is_touched_least_per_byte_is_slow() -> None:
    bodies = [body(0, 4, 8), body(0, 4, 8), body(0, 4, 8)]
    assert spill(SpillProblem(bodies, (), [9, 2, 5]), 16, 8) == {1}
    assert spill(SpillProblem(bodies, (), [9, 2, 5], frozenset({1})), 16, 8) == {2}
    assert spill(SpillProblem(bodies, (), [9, 2, 5]), 8, 8) is None


# Whole models.


def test_a_slow_input_is_read_once_and_the_arena_holds_the_rest(with_slow_input: tflm_split.Result) -> None:
    """Verified in TFLM by `optimize`; TFLM's arena holds the fast part alone."""
    model = read_model(with_slow_input.model)
    (blob,) = programs_of(model).values()
    memories, after = with_slow_input.report["memories"], with_slow_input.report["optimized"]
    input_bytes = model.graph.tensors[model.graph.inputs[0]].bytes
    report = replay(decode(blob))
    assert slow_tensors(model.graph) == {model.graph.inputs[0]: 0}
    assert memories["slow_used_bytes"] == slow_memory_bytes(model) == input_bytes == 27_648
    assert memories["predicted_slow_read_bytes"] == report.slow_read_bytes == input_bytes
    assert memories["predicted_slow_written_bytes"] == report.slow_written_bytes == 0
    assert after["measured_head_bytes"] == after["planned_head_bytes"] == memories["head_bytes"] < 16_384
    assert after["predicted_arm32_minimum_arena_bytes"] <= 16_384
    assert with_slow_input.report["verified"]["bit_exact"]
    assert "27,648 B in the slow one" in summary(with_slow_input.report)
    assert "SetSlowMemory(memory, 27648)" in next_steps(with_slow_input.report, Path("x.tflite"))


def test_by_default_both_take_at_most_a_tenth_more_than_one() -> None:
    result = optimized("fast=16KB,slow=8MB", verify=False)
    memories = result.report["memories"]
    used = memories["head_bytes"] + memories["slow_used_bytes"]
    assert used <= memories["most_bytes"] == int(1.1 * memories["one_memory_head_bytes"])
    assert memories["predicted_slow_read_bytes"] > 27_648  # the price of that


def test_a_model_that_fits_the_fast_memory_is_what_it_is_with_one() -> None:
    one = tflm_split.optimize(MOBILENET, effort="low", verify=False)
    two = optimized("fast=64KB,slow=8MB", verify=False)
    assert two.model == one.model
    assert two.report["memories"]["slow_used_bytes"] == two.report["memories"]["predicted_slow_read_bytes"] == 0
    assert "all of it fits the fast one" in summary(two.report)
    assert one.report["memories"] is None


def test_memories_that_are_too_small_are_refused() -> None:
    with pytest.raises(InputError, match=r"does not fit into fast=1024,slow=2048: one memory would take [\d,]+ B"):
        optimized("fast=1KB,slow=2KB", verify=False)
    with pytest.raises(InputError, match="nothing of this model can be split"):
        tflm_split.optimize(reversed_only(), memory="fast=100,slow=2KB", verify=False)


def test_the_operator_says_what_is_missing(
    with_slow_input: tflm_split.Result, capfd: pytest.CaptureFixture[str]
) -> None:
    runtime = pytest.importorskip("tflite_micro").runtime
    untested_interpreter(with_slow_input.model)  # loads the library and gives it what it needs
    room = np.zeros(27_648, np.uint8)
    said = {}
    for name, memory in (
        ("none", (None, 0)),
        ("small", (room.ctypes.data, 27_632)),
        ("odd", (room.ctypes.data + 2, 27_648)),
    ):
        library().tflm_split_host_set_slow_memory(*memory)
        with pytest.raises(RuntimeError):
            runtime.Interpreter.from_bytes(
                with_slow_input.model, custom_op_registerers=["TFLM_SPLIT"], arena_size=1 << 20
            )
        said[name] = capfd.readouterr().err
    assert "made for two memories: call tflm_split::SetSlowMemory() before AllocateTensors()" in said["none"]
    assert "is smaller than the model needs" in said["small"]
    assert "does not start at a multiple of 4 bytes" in said["odd"]


def test_two_interpreters_keep_their_own_slow_memories(with_slow_input: tflm_split.Result) -> None:
    pytest.importorskip("tflite_micro")
    inputs = [np.random.default_rng(k).integers(-128, 128, (1, 96, 96, 3)).astype(np.int8) for k in (0, 1)]
    wanted = run_in_tflm(MOBILENET.read_bytes(), [[x] for x in inputs]).outputs
    both = [untested_interpreter(with_slow_input.model) for _ in inputs]
    for it, x in zip(both, inputs, strict=True):
        it.set_input(x, 0)
    for it in both:
        it.invoke()
    assert tuple((it.get_output(0).tobytes(),) for it in both) == wanted


def test_what_a_stock_operator_touches_stays_in_the_arena() -> None:
    """Verified in TFLM: the tensors at the borders of the regions may be slow, and TFLM's own operator finds them there."""
    whole = tflm_split.optimize(around_a_stock_operator(), verify=False).report["optimized"]
    fast = whole["predicted_arm32_minimum_arena_bytes"] - 1024
    result = tflm_split.optimize(around_a_stock_operator(), memory={"fast": fast, "slow": "1MB", "total": "64KB"})
    model = read_model(result.model)
    assert [op.kind for op in model.graph.operators].count("REVERSE_V2") == 1
    assert len(programs_of(model)) == 2
    assert result.report["verified"]["bit_exact"]
    assert result.report["optimized"]["predicted_arm32_minimum_arena_bytes"] <= fast
    assert result.report["memories"]["slow_used_bytes"] > 0


@pytest.mark.parametrize("library_there", [True, False])
def test_the_same_is_verified_without_tflm(monkeypatch: pytest.MonkeyPatch, library_there: bool) -> None:
    """By the package's own interpreter, with the C executor and with the numpy oracle."""
    monkeypatch.setenv("TFLM_SPLIT_TFLM", "no")
    if not library_there:
        monkeypatch.setattr("tflm_split.verify.own.executor.native", lambda: None)
    data = around_a_stock_operator()
    fast = tflm_split.optimize(data, verify=False).report["optimized"]["predicted_arm32_minimum_arena_bytes"] - 1024
    result = tflm_split.optimize(data, memory={"fast": fast, "slow": "1MB", "total": "64KB"}, inputs=1)
    assert result.report["memories"]["slow_used_bytes"] > 0
    assert result.report["verified"]["bit_exact"]
    assert result.report["verified"]["level"] != "tflm"


@needs_gcc
def test_the_export_without_tflm_has_two_memories(
    with_slow_input: tflm_split.Result, tmp_path: Path, executor: Path
) -> None:
    write_export(exported(read_model(with_slow_input.model), "m.tflite", "c"), tmp_path / "out")
    inputs = [[np.random.default_rng(k).integers(-128, 128, (1, 96, 96, 3)).astype(np.int8)] for k in (0, 1)]
    wanted = run_in_tflm(MOBILENET.read_bytes(), inputs).outputs
    assert answers(tmp_path / "out", executor, inputs, 1) == b"".join(b"".join(entry) for entry in wanted)
    assert "slow_memory[27648];" in (tmp_path / "out" / "model_data.h").read_text()
    assert "#define MODEL_SLOW_BYTES 27648" in (tmp_path / "out" / "model.h").read_text()


@needs_arm
@pytest.mark.parametrize("board", ["m7", "m55", "m0"])
def test_the_emulator_counts_the_accesses_that_are_predicted(board: str, with_slow_input: tflm_split.Result) -> None:
    """Two of these boards have a second RAM at another place. Each byte of the input is read once, and nothing else is slow."""
    inputs = [[np.random.default_rng(k).integers(-128, 128, (1, 96, 96, 3)).astype(np.int8)] for k in (0, 1)]
    done = run_on_board(with_slow_input.model, board, inputs, count_accesses=True)
    assert done.outputs == run_in_tflm(MOBILENET.read_bytes(), inputs).outputs
    assert done.accesses is not None
    slow, fast = done.accesses["slow"], done.accesses["fast"]
    memories = with_slow_input.report["memories"]
    assert (slow.read_bytes, slow.written_bytes) == (memories["predicted_slow_read_bytes"], 0)
    assert fast.read_bytes > slow.read_bytes
    assert done.slow_bytes == memories["slow_used_bytes"]
    assert done.bss_bytes < memories["head_bytes"] + 16
    assert set(done.record()["accesses"]) == {"fast", "slow"}
