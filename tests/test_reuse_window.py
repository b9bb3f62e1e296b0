"""Windows that slide: rows of the inference before are remembered, and every output is still the original's, in TFLM."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from odd_networks import ODD_GROWERS, OddNetwork
from runtime_scene import library
from streaming_networks import NETWORKS
from tiny_models import Builder

import tflm_split
from tflm_split.board.run import run_on_board
from tflm_split.errors import InputError
from tflm_split.rewrite.reuse_window import Following, following, needed, reusable, reusing, warm_up
from tflm_split.search.reuse import fastest_kept
from tflm_split.tflite.reader import read_model
from tflm_split.verify.compare import compare
from tflm_split.verify.evidence import Made, Slide, gather

ROWS = 40


def residual(stride: int = 2, *, seed: int = 0) -> bytes:
    """A spectrogram's network: a strided convolution, a residual block of two, a pool over time, a dense layer."""
    n = Builder((1, ROWS, 6, 2), seed=seed)
    first = n.conv(n.input, 12, 5, 3, (stride, 2))
    inner = n.conv(n.depthwise(first), 12, 1, 1)
    both = n.add(first, inner)
    after = n.conv(n.depthwise(both), 12, 1, 1)
    return n.finish(n.dense(n.mean(after), 4))


def columns(*, seed: int = 0) -> bytes:
    """The same along the width, as 1-D convolutions are written."""
    n = Builder((1, 1, ROWS, 6), seed=seed)
    x = n.conv(n.input, 16, 1, 5, 1, "VALID")
    x = n.conv(x, 16, 1, 5, (1, 2), "VALID")
    return n.finish(n.dense(n.mean(x), 3))


def windows(model: bytes, rows: int, count: int, axis: int = 1) -> list[tuple[np.ndarray[Any, Any], ...]]:
    """Windows that slide over one signal."""
    made = gather(read_model(model), Made(count, 3, Slide(0, axis, rows)))
    return list(made.inputs)


def test_rows_follow_the_input_at_their_stride() -> None:
    graph = read_model(residual()).graph
    found = following(graph, graph.inputs[0], 1)
    first = graph.operators[0].outputs[0]
    # 5 taps at a stride of 2, with 1 row of padding before 40 rows and 2 behind.
    assert found[graph.inputs[0]] == Following(1, 1, 0, ROWS)
    assert found[first] == Following(1, 2, 1, 19)
    added = next(op for op in graph.operators if op.kind == "ADD")
    assert found[added.outputs[0]] == Following(1, 2, 2, 18)
    pooled = next(op for op in graph.operators if op.kind == "MEAN")
    assert pooled.outputs[0] not in found
    by_rows = {
        k: {r.tensor: (r.apart, r.shift) for r in reusable(graph, graph.inputs[0], 1, k)}[first] for k in (1, 2, 3, 4)
    }
    assert by_rows == {1: (2, 1), 2: (1, 1), 3: (2, 3), 4: (1, 2)}


def test_a_constant_that_differs_from_row_to_row_stands_still() -> None:
    n = Builder((1, 12, 1, 4), seed=1)
    position = n.quantized_constant((1, 12, 1, 4))
    placed = n.add(n.input, position)
    graph = read_model(n.finish(n.conv(placed, 8, 3, 1))).graph
    assert set(following(graph, graph.inputs[0], 1)) == {graph.inputs[0]}


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("make", [residual, columns])
def test_every_window_after_the_warm_up_gives_the_original_s_bytes(make: Any, rows: int) -> None:
    model = make()
    result = tflm_split.optimize(model, reuse_window=rows, effort="low", inputs=6)
    window, verified = result.report["window"], result.report["verified"]
    assert window is not None and verified is not None
    assert (verified["bit_exact"], verified["inputs"]) == (True, 6)
    assert window["state_bytes"] == sum(region["state_bytes"] for region in result.report["region_details"])
    without = window["predicted_instructions_without"]
    assert without is not None and result.report["latency"]["predicted_instructions"] < 0.8 * without
    axis = 1 if make is residual else 2
    # The warm-up is not longer than it must be: the last of its results is wrong.
    count = window["warm_up"]
    early = compare(read_model(model), read_model(result.model), windows(model, rows, count, axis), warm_up=count - 1)
    assert not early.bit_exact


def test_memory_is_traded_for_instructions() -> None:
    model = residual()
    fastest = tflm_split.optimize(model, reuse_window=2, effort="low", verify=False)
    seen = [fastest]
    arena = fastest.report["optimized"]["predicted_arm32_minimum_arena_bytes"]
    while len(seen) < 3:
        seen.append(tflm_split.optimize(model, reuse_window=2, effort="low", verify=False, max_arena=arena - 1))
        if not seen[-1].report["goal"]["met"]:
            break
        arena = seen[-1].report["optimized"]["predicted_arm32_minimum_arena_bytes"]
    arenas = [r.report["optimized"]["predicted_arm32_minimum_arena_bytes"] for r in seen]
    work = [r.report["latency"]["predicted_instructions"] for r in seen]
    assert len(seen) > 1 and arenas == sorted(arenas, reverse=True) and work == sorted(work)


def test_a_saved_plan_remembers_the_same_tensors(tmp_path: Path) -> None:
    model = residual()
    result = tflm_split.optimize(model, reuse_window=2, effort="low", verify=False, max_arena="2500")
    assert result.decision is not None and result.decision.reuse_window == 2
    result.decision.save(tmp_path / "plan.json")
    again = tflm_split.optimize(model, decision=tflm_split.SavedDecision.read(tmp_path / "plan.json"), verify=False)
    assert again.model == result.model
    window = again.report["window"]
    assert window is not None and window["predicted_instructions_without"] is None  # nothing was searched
    other = replace(result.decision, reused=(result.decision.reused[0] + 1,))
    with pytest.raises(InputError, match="the plan is for another model"):
        tflm_split.optimize(model, decision=other, verify=False)


def test_a_reset_begins_anew() -> None:
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")
    model = residual()
    result = tflm_split.optimize(model, reuse_window=2, effort="low", inputs=1)
    window = result.report["window"]
    assert window is not None
    signal = windows(model, 2, window["warm_up"] + 4)
    library()  # the operator that the interpreter looks up by its name
    before = runtime.Interpreter.from_bytes(model)
    after = runtime.Interpreter.from_bytes(result.model, custom_op_registerers=["TFLM_SPLIT"])
    for _ in range(2):
        for step, entry in enumerate(signal):
            for running in (before, after):
                running.set_input(entry[0], 0)
                running.invoke()
            if step >= window["warm_up"]:
                assert after.get_output(0).tobytes() == before.get_output(0).tobytes()
        after.reset()


def test_the_work_falls_on_the_emulated_board() -> None:
    model = residual()
    plain = tflm_split.optimize(model, effort="low", verify=False)
    result = tflm_split.optimize(model, reuse_window=2, effort="low", verify=False)
    data = [np.zeros((1, ROWS, 6, 2), np.int8).tobytes()]
    whole, part = (run_on_board(one.model, "m7", [data]) for one in (plain, result))
    assert part.instructions < 0.8 * whole.instructions
    assert part.instructions == pytest.approx(result.report["latency"]["predicted_instructions"], rel=0.05)


@pytest.mark.parametrize("seed", range(12))
def test_random_networks(seed: int) -> None:
    """Nothing to keep, or equal to the original after the warm-up."""
    random = Random(seed)
    n = OddNetwork(random.choice([(1, 30, 4, 3), (1, 24, 6, 4), (1, 1, 40, 6)]), random)
    kept = ("convolution", "depthwise", "unary", "pool", "binary", "concatenation", "pad", "transpose", "slice")
    n.growers = {kind: n.growers[kind] for kind in kept}
    for _ in range(random.randint(2, 6)):
        n.grow()
    read = {t for op in n.operators for t in op.inputs}
    outputs = dict.fromkeys(t for op in n.operators for t in op.outputs if t not in read)
    model = n.finish(*outputs) if outputs else residual(seed=seed)
    rows = random.randint(1, 4)
    try:
        result = tflm_split.optimize(model, reuse_window=rows, effort="low", inputs=3)
    except InputError:
        with pytest.raises(InputError, match="nothing can be kept"):
            tflm_split.optimize(model, reuse_window=rows, effort="low", verify=False)
    else:
        assert result.report["window"] is not None
        assert result.report["verified"]["bit_exact"]


@pytest.mark.parametrize("pair", ["transposed pair", "spaced"])
def test_readers_behind_operators_that_cancel_come_before_the_update(pair: str) -> None:
    """What is remembered is read under another name by the RELU, as soon as the two operators around it cancel."""
    n = OddNetwork((1, 32, 6, 4), Random(5))
    x = n.conv(n.conv(n.input, 16, 5, 5), 8, 5, 5)
    n.live = [x]
    ODD_GROWERS[pair](n)
    read = {t for op in n.operators for t in op.inputs}
    last = next(t for op in reversed(n.operators) for t in op.outputs if t not in read)
    model = n.finish(n.conv(last, 4), n.mean(x))
    result = tflm_split.optimize(model, reuse_window=1, effort="low", inputs=3)
    assert result.report["window"] is not None and result.report["verified"]["bit_exact"]


def test_what_remembers_is_estimated_as_it_is_needed() -> None:
    graph = read_model(residual()).graph
    kept = fastest_kept(graph, 2, "m7")
    found = following(graph, graph.inputs[0], 1)
    rows = needed(graph, kept.chosen, found)
    assert 0 < rows[graph.operators[0].outputs[0]].sum() < ROWS // 2
    assert warm_up(graph, (), found) == 0
    assert reusing(graph, ()) == graph


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"reuse_window": 40}, "nothing can be kept of a window that slides by 40 along axis 1"),
        ({"reuse_window": 2, "stream_input": True}, "stream_input never holds the window"),
        ({"reuse_window": 2, "target": "stock"}, "reuse_window needs the operator"),
        ({"reuse_window": -1}, "needs a whole number from 0 on"),
    ],
)
def test_what_cannot_be(words: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        tflm_split.optimize(residual(), **words)


def test_a_network_that_remembers_slides_by_itself() -> None:
    with pytest.raises(InputError, match="the network remembers by itself"):
        tflm_split.optimize(NETWORKS["rings"](), reuse_window=1, verify=False)


def test_the_user_s_own_windows_must_slide(tmp_path: Path) -> None:
    model = residual()
    count = fastest_kept(read_model(model).graph, 2, "m7").warm_up + 2
    samples = np.concatenate([entry[0] for entry in windows(model, 2, count)])[:, None]
    np.savez(tmp_path / "few.npz", samples[:3])
    np.savez(tmp_path / "other.npz", samples[::-1])
    np.savez(tmp_path / "good.npz", samples)
    with pytest.raises(InputError, match="results are not right yet"):
        tflm_split.optimize(model, reuse_window=2, effort="low", inputs=tmp_path / "few.npz")
    with pytest.raises(InputError, match="is not sample 0 moved on by 2 rows"):
        tflm_split.optimize(model, reuse_window=2, effort="low", inputs=tmp_path / "other.npz")
    verified = tflm_split.optimize(model, reuse_window=2, effort="low", inputs=tmp_path / "good.npz").report["verified"]
    assert verified is not None and verified["bit_exact"] and verified["inputs"] == 2
