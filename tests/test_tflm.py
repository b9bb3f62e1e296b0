"""TFLM in a process of its own: what it computes, what it takes, and how it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from repeated import is_repeatable
from split_stages import every_compilation
from tiny_models import Builder, Op, T, build_model, conv_model, single_op

from tflm_split.errors import ModelError, TflmError, ToolError
from tflm_split.verify import probe, tflm
from tflm_split.verify.tflm import (
    PINNED_TFLM_VERSION,
    generous_memory_bytes,
    interpreter,
    run_both_in_tflm,
    run_in_tflm,
)

CORPUS = Path(__file__).resolve().parents[1].parent / "shared" / "corpus"


@pytest.fixture(autouse=True)
def _processes_as_users_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not forked from one that has imported everything (`tflm_forks.py`)."""
    monkeypatch.setattr(tflm, "subprocess", subprocess)


def random_inputs(shape: tuple[int, ...], count: int, seed: int = 0) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [[rng.integers(-128, 128, shape).astype(np.int8)] for _ in range(count)]


def test_a_run_gives_the_outputs_of_every_input_in_order() -> None:
    model = conv_model(6, 5, 2, 4, 3, 3)
    inputs = random_inputs((1, 6, 5, 2), 3)
    run = run_in_tflm(model, inputs)
    it = interpreter(model)
    for entry, outputs in zip(inputs, run.outputs, strict=True):
        it.set_input(entry[0], 0)
        it.invoke()
        assert outputs == (it.get_output(0).tobytes(),)
    assert run.version == PINNED_TFLM_VERSION


def test_head_and_tail_are_those_of_the_recording_allocator() -> None:
    path = CORPUS / "models" / "mlperf_kws_int8.tflite"
    if not path.exists():
        pytest.skip("the corpus is not there")
    run = run_in_tflm(path.read_bytes(), random_inputs((1, 49, 10, 1), 1))
    assert (run.head_bytes, run.tail_bytes, run.arena_bytes) == (16_000, 8_272, 24_272)


def test_a_model_with_several_inputs_and_outputs() -> None:
    b = Builder((1, 4, 4, 2), seed=1)
    other = b.add_input((1, 4, 4, 2))
    x = b.add(b.input, other)
    y = b.conv(x, 3)
    (first,), (second,) = random_inputs((1, 4, 4, 2), 2)
    run = run_in_tflm(b.finish(x, y), [(first, second), (second, first)])
    assert [[len(o) for o in outputs] for outputs in run.outputs] == [[32, 48], [32, 48]]


def test_repeats_run_the_inputs_again_on_the_same_interpreter() -> None:
    run = run_in_tflm(conv_model(4, 4, 2, 2, 1, 1), random_inputs((1, 4, 4, 2), 2), repeats=3)
    assert len(run.outputs) == 6
    assert is_repeatable(run)


def test_a_model_that_keeps_state_is_not_repeatable() -> None:
    path = CORPUS / "models" / "mww_okay_nabu_v2.tflite"
    if not path.exists():
        pytest.skip("the corpus is not there")
    rng = np.random.default_rng(0)
    details = interpreter(path.read_bytes()).get_input_details(0)
    inputs = [[rng.integers(-128, 128, details["shape"]).astype(np.int8)] for _ in range(2)]
    assert not is_repeatable(run_in_tflm(path.read_bytes(), inputs, repeats=2))


def test_an_arena_that_would_crash_tflm_is_refused() -> None:
    for size in (0, 100):
        with pytest.raises(TflmError, match="too small for any model"):
            interpreter(conv_model(4, 4, 2, 2, 1, 1), arena_size=size)


def test_two_models_at_once() -> None:
    inputs = random_inputs((1, 4, 4, 2), 2)
    first, second = run_both_in_tflm(conv_model(4, 4, 2, 2, 1, 1), inputs, conv_model(4, 4, 2, 4, 1, 1), inputs)
    assert (len(first.outputs[0][0]), len(second.outputs[0][0])) == (32, 64)


UNKNOWN_OPERATOR = build_model(
    [T((4,), scale=0.1), T((4,), scale=0.1)], [Op("CUSTOM:NOBODY_KNOWS", [0], [1])], [0], [1]
)


def test_a_refusal_ends_with_the_last_message_of_tflm() -> None:
    with pytest.raises(TflmError, match="Failed to get registration from op code CUSTOM"):
        run_in_tflm(UNKNOWN_OPERATOR, random_inputs((4,), 1))


def test_the_failing_model_of_two_is_named() -> None:
    good = conv_model(4, 4, 2, 2, 1, 1)
    with pytest.raises(TflmError, match=r"^the optimised model: "):
        run_both_in_tflm(good, random_inputs((1, 4, 4, 2), 1), UNKNOWN_OPERATOR, random_inputs((4,), 1))


def test_a_crash_is_an_error_of_one_sentence() -> None:
    # An output scale this fine needs a multiplier above 1, and TFLM's answer to that is abort().
    ts = [T((64,), scale=1.0), T((64,), scale=1.0), T((64,), scale=1e-7)]
    model = build_model(ts, [Op("ADD", [0, 1], [2])], [0, 1], [2])
    with pytest.raises(TflmError, match=r"^TFLM crashed \(SIGABRT\) while allocating tensors"):
        run_in_tflm(model, [[np.zeros(64, np.int8)] * 2])


def test_a_run_that_needs_too_much_memory_is_stopped_in_one_sentence() -> None:
    model, inputs = conv_model(4, 4, 2, 2, 1, 1), random_inputs((1, 4, 4, 2), 1)
    limit = generous_memory_bytes(model, inputs)
    assert run_in_tflm(model, inputs, memory_bytes=limit).outputs == run_in_tflm(model, inputs).outputs
    with pytest.raises(TflmError, match=r"^TFLM needed more than the 1,000,000,000 bytes of memory it is given, while"):
        run_in_tflm(model, inputs, arena_size=1 << 30, memory_bytes=10**9)


def test_who_waits_is_told_that_it_goes_on() -> None:
    told: list[int] = []
    model, inputs = conv_model(4, 4, 2, 2, 1, 1), random_inputs((1, 4, 4, 2), 1)
    run_both_in_tflm(model, inputs, model, inputs, tick=lambda: told.append(1))
    assert told


def test_a_run_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(TflmError, match=r"did not finish within 0.01 s"):
        run_in_tflm(conv_model(4, 4, 2, 2, 1, 1), random_inputs((1, 4, 4, 2), 1), timeout_s=0.01)


def test_an_arena_that_is_too_small_is_an_error_that_says_by_how_much() -> None:
    model = conv_model(16, 16, 4, 8, 3, 3)
    with pytest.raises(TflmError, match=r"it said: .*available"):
        run_in_tflm(model, random_inputs((1, 16, 16, 4), 1), arena_size=3000)


def test_what_tflm_says_first_is_shown_and_where_it_was() -> None:
    model = single_op(
        "SVDF", [T((1, 4), scale=1.0), T((2, 4), scale=1.0, data=np.ones((2, 4), np.int8))] * 2, T((1, 4))
    )
    with pytest.raises(TflmError, match=r"it said: .*svdf.*; Node SVDF \(number 0\) failed to prepare") as caught:
        run_in_tflm(model, [[np.zeros((1, 4), np.int8)] * 2])
    assert "Failed to get registration" not in str(caught.value)


def test_what_tflm_split_says_is_wrong_is_shown_and_not_what_tflm_says_last() -> None:
    model = bytearray(next(iter(every_compilation(conv_model(16, 16, 4, 8, 3, 3)))).optimized)
    at = model.index(b"TSPL")
    model[at : at + 4] = bytes(4)
    with pytest.raises(TflmError, match=r"it said: TFLM_SPLIT: this is not a TFLM_SPLIT program"):
        run_in_tflm(bytes(model), random_inputs((1, 16, 16, 4), 1))


def test_an_input_of_the_wrong_shape_is_an_error() -> None:
    with pytest.raises(TflmError, match="Dimension mismatch"):
        run_in_tflm(conv_model(4, 4, 2, 2, 1, 1), random_inputs((1, 4, 5, 2), 1))


@pytest.mark.parametrize("junk", [b"", b"hello, this is not a model", b"\x10\0\0\0TFL3" + b"\xff" * 64])
def test_bytes_that_are_not_a_model_are_an_error(junk: bytes) -> None:
    with pytest.raises(ModelError):
        interpreter(junk)


def test_another_wheel_that_does_not_pass_the_probe_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflm.importlib.metadata, "version", lambda name: "0.dev20260203")
    monkeypatch.setattr(probe, "probe_fault", lambda version: "did not pass the probe: it is too old")
    with pytest.raises(ToolError, match=f"0.dev20260203 is installed.*{PINNED_TFLM_VERSION}"):
        interpreter(conv_model(4, 4, 2, 2, 1, 1))


def test_the_default_arena_leaves_no_ragged_end_in_the_tail() -> None:
    assert tflm.generous_arena_bytes(conv_model(5, 5, 3, 3, 3, 3)) % 16 == 0


def test_importing_the_public_module_does_not_load_the_wheel() -> None:
    code = "import sys, tflm_split; tflm_split.tflm; print('tflite_micro' in sys.modules)"
    root = str(Path(__file__).resolve().parents[1])
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
