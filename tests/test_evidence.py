"""The original runs first; what TFLM cannot run is refused at once, in words; inputs are tried until outputs differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tflite_micro
from tiny_models import Builder, Op, T, build_model, conv_model, single_op

import tflm_split
from tflm_split.errors import InputError, UnrunnableError
from tflm_split.pipeline import optimize
from tflm_split.report.arrays import load_samples
from tflm_split.tflite.reader import read_model
from tflm_split.verify.evidence import Made, gather
from tflm_split.verify.other_inputs import ROUNDS, other_inputs
from tflm_split.verify.unrunnable import KNOWN_CUSTOM, surely_unrunnable


def saturated() -> bytes:
    """A convolution whose output is 0 for all inputs but small ones."""
    weights = np.full((1, 3, 3, 1), 127, np.int8)
    tensors = [
        T((1, 3, 3, 1), scale=1.0),
        T((1, 3, 3, 1), scale=1.0, data=weights),
        T((1, 1, 1, 1), scale=0.01),
        T((1, 3, 3, 1), scale=1.0),
    ]
    ops = [
        Op("ABS", [0], [3]),
        Op("CONV_2D", [3, 1, -1], [2], {"padding": "VALID", "fused_activation_function": "RELU"}),
    ]
    return build_model(tensors, ops, [0], [2])


def custom(name: str) -> bytes:
    return build_model([T((4,)), T((4,)), T((4,))], [Op(f"CUSTOM:{name}", [0], [1]), Op("RELU", [1], [2])], [0], [2])


def test_inputs_are_tried_until_outputs_differ() -> None:
    found = gather(read_model(saturated()), Made(4, 0))
    assert found.distinct_outputs > 1
    assert len(found.inputs) > 4
    assert len(found.run.outputs) == len(found.inputs)


def test_outputs_that_differ_need_no_other_inputs() -> None:
    assert len(gather(read_model(conv_model(4, 4, 2, 2, 1, 1)), Made(3, 0)).inputs) == 3


def test_other_inputs_stay_in_range_and_repeat_themselves() -> None:
    table = T((7, 3), "INT8", 0.1, 0, np.zeros((7, 3), np.int8))
    tensors = [T((1, 50), "INT32"), table, T((1, 50, 3), "INT8", 0.1)]
    graph = read_model(build_model(tensors, [Op("GATHER", [1, 0], [2], {"axis": 0})], [0], [2])).graph
    for kind in range(ROUNDS):
        first, again = other_inputs(graph, kind, 6, 1), other_inputs(graph, kind, 6, 1)
        for (a,), (b,) in zip(first, again, strict=True):
            assert a.tobytes() == b.tobytes()
            assert a.dtype == np.int32 and 0 <= a.min() <= a.max() <= 6


def test_custom_operators_are_named_at_once_and_what_can_be_done() -> None:
    with pytest.raises(UnrunnableError, match=r"does not know the custom operator 'Mine', .* with --no-verify"):
        gather(read_model(custom("Mine")), Made(1, 0))
    for name, words in (("ethos-u", "compiled for an Ethos-U by Vela"), ("FlexErf", "convert without .*SELECT_TF_OPS")):
        with pytest.raises(UnrunnableError, match=words):
            gather(read_model(custom(name)), Made(1, 0))


def test_custom_operators_that_the_wheel_has_are_known() -> None:
    runtime = next(Path(tflite_micro.__file__).parent.rglob("_runtime*.so")).read_bytes()
    assert all(name.encode() in runtime for name in KNOWN_CUSTOM - {"TFLM_SPLIT"})
    assert surely_unrunnable(read_model(custom("SignalWindow"))) is None


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            single_op("DEQUANTIZE", [T((2,), "FLOAT16", data=np.zeros(2, np.float16))], T((2,), "FLOAT32")),
            r"its weights are float16.*convert without `supported_types",
        ),
        (
            single_op(
                "FULLY_CONNECTED",
                [T((1, 4), "FLOAT32"), T((3, 4), scale=0.1, data=np.zeros((3, 4), np.int8))],
                T((1, 3), "FLOAT32"),
            ),
            r"it is quantised for dynamic range.*representative_dataset",
        ),
        (
            single_op("REVERSE_SEQUENCE", [T((2, 4)), T((2,), "INT32")], T((2, 4))),
            r"TFLM has no REVERSE_SEQUENCE: build",
        ),
        (single_op("SQRT", [T((4,), scale=0.1)], T((4,), scale=0.1)), r"for float32 only: put it before QUANTIZE"),
        (
            single_op("GATHER", [T((4, 2), "INT16", 0.1), T((2,), "INT32")], T((2, 2), "INT16", 0.1)),
            "convert with int8",
        ),
    ],
)
def test_what_tflm_said_first_and_what_can_be_done(model: bytes, words: str) -> None:
    with pytest.raises(UnrunnableError, match=words):
        gather(read_model(model), Made(1, 0))


def test_nothing_is_searched_for_a_model_that_tflm_does_not_run() -> None:
    stages: list[str] = []
    with pytest.raises(UnrunnableError):
        optimize(custom("Mine"), progress=lambda stage, *_: stages.append(stage))
    assert set(stages) == {"read", "run the original"}


# The user's own inputs.


def test_the_users_own_inputs_are_taken(tmp_path: Path) -> None:
    n = Builder((1, 6, 6, 2))
    other = n.add_input((1, 6, 6, 2))
    model = n.finish(n.conv(n.add(n.input, other), 3))
    a, b = (np.arange(5 * 72, dtype=np.int64).reshape(5, 1, 6, 6, 2) * k for k in (1, 3))
    np.savez(tmp_path / "own.npz", t0=a.astype(np.int8), arr_1=b.astype(np.int8))
    result = tflm_split.optimize(model, inputs=tmp_path / "own.npz")
    assert result.report["verified"]["inputs"] == 5
    assert result.report["options"]["inputs"] == str(tmp_path / "own.npz")
    samples = load_samples(read_model(model).graph, tmp_path / "own.npz")
    assert (samples[4][1] == b[4].astype(np.int8)).all()


def test_one_sample_needs_no_axis_for_samples(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", np.ones((1, 4, 4, 2), np.int8))
    ((sample,),) = load_samples(read_model(conv_model(4, 4, 2, 2, 1, 1)).graph, tmp_path / "one.npz")
    assert sample.shape == (1, 4, 4, 2)


def test_inputs_that_do_not_fit_are_refused_in_one_sentence(tmp_path: Path) -> None:
    graph = read_model(conv_model(4, 4, 2, 2, 1, 1)).graph
    path = tmp_path / "own.npz"
    cases = [
        ({"x": np.ones(3, np.int8)}, r"has no array for input 0; call it 't0' or '0' \(it has: x\)"),
        (
            {"t0": np.ones((2, 1, 4, 4, 2), np.float32)},
            r"is float32 \[2, 1, 4, 4, 2\], but input 0 't0' takes int8 \[samples, 1",
        ),
        ({"0": np.ones((2, 4), np.int8)}, r"is int8 \[2, 4\], but input 0"),
    ]
    for arrays, words in cases:
        np.savez(path, **arrays)
        with pytest.raises(InputError, match=words):
            load_samples(graph, path)
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"is not a .npz archive of arrays; numpy.savez"):
        load_samples(graph, path)
    with pytest.raises(InputError, match="no such file"):
        load_samples(graph, tmp_path / "none.npz")


# An output that never changes.


def always_the_same() -> bytes:
    """A network whose last operator saturates, whatever it is given."""
    b = Builder((1, 6, 6, 2))
    features = b.conv(b.input, 4)
    flat = b.tensors[features]
    output = b._append(T((1, 6, 6, 4), scale=flat.scale, zero_point=-128))
    lowest = b.quantized_constant((1, 1, 1, 4))
    b.tensors[lowest] = T((1, 1, 1, 4), scale=1000.0, zero_point=127, data=np.full((1, 1, 1, 4), -128, np.int8))
    return b.finish(b._op("ADD", [features, lowest], output))


def test_an_activation_is_compared_where_the_output_never_changes() -> None:
    result = tflm_split.optimize(always_the_same(), inputs=4)
    verified = result.report["verified"]
    assert verified["distinct_outputs"] == 1
    assert verified["inside"]["distinct_values"] > 1
    assert verified["inputs"] == 4
    text = " ".join(str(result).split())
    assert "Warning: 4 inputs gave only 1 different output" in text
    assert "inside was compared, too, in a plan that gives it out" in text
