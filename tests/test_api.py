"""What a user's script can do: `optimize`, `Result` and `tflm.interpreter`."""

import copy
import io
import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
from optimized import optimized, progress_of
from user_models import DSCNN, MODELS, float_sine, small_network
from x64_arena import minimum_x64_arena_bytes

import tflm_split
from tflm_split.errors import InputError, ModelError, Refusal
from tflm_split.tflite.reader import read_model


@pytest.fixture(scope="module")
def dscnn():
    return optimized(DSCNN)


def test_a_path_and_the_bytes_behind_it_give_the_same_model(tmp_path):
    path = tmp_path / "small.tflite"
    path.write_bytes(small_network())
    models = [tflm_split.optimize(source, verify=False).model for source in (path, str(path), path.read_bytes())]
    assert models[0] == models[1] == models[2] != path.read_bytes()


def test_the_model_gives_the_same_bytes_on_real_images_in_the_users_interpreter(dscnn):
    images = np.load(MODELS / "digits_test.npz")["images"][:4]
    both = [tflm_split.tflm.interpreter(model) for model in (DSCNN.read_bytes(), dscnn.model)]
    shape = both[0].get_input_details(0)["shape"]
    for image in images:
        values = np.resize(image, shape).astype(np.int8)
        outputs = []
        for interpreter in both:
            interpreter.set_input(values, 0)
            interpreter.invoke()
            outputs.append(interpreter.get_output(0).tobytes())
        assert outputs[0] == outputs[1]


def test_the_model_runs_in_the_small_arena_that_was_measured(dscnn):
    measured = optimized(DSCNN).report["optimized"]
    arena_bytes = minimum_x64_arena_bytes(
        read_model(dscnn.model), measured["measured_head_bytes"], measured["measured_tail_bytes"]
    )
    assert arena_bytes < 8 * 1024
    tflm_split.tflm.interpreter(dscnn.model, arena_size=arena_bytes).invoke()


def test_a_limit_may_be_text():
    result = tflm_split.optimize(small_network(), verify=False, max_arena="1KiB")
    assert result.report["goal"]["max_arena_bytes"] == 1024
    assert result.report["goal"]["met"] is False
    assert result.model == tflm_split.optimize(small_network(), verify=False).model


@pytest.mark.parametrize(
    "wrong", [{"max_arena": "4Q"}, {"max_arena": 0}, {"inputs": 0}, {"seed": -1}, {"effort": -1}, {"max_arena": -5}]
)
def test_an_impossible_wish_is_refused(wrong):
    with pytest.raises(InputError):
        tflm_split.optimize(small_network(), **wrong)


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\0" * 64, small_network()[:500]])
def test_bytes_that_are_no_model_are_refused(data):
    with pytest.raises(ModelError):
        tflm_split.optimize(data)


def test_saving_writes_the_model_and_never_over_the_input_unless_told(tmp_path):
    source = tmp_path / "model.tflite"
    source.write_bytes(small_network())
    result = tflm_split.optimize(source, verify=False)
    assert sorted(os.listdir(tmp_path)) == ["model.tflite"]
    result.save(tmp_path / "split.tflite")
    assert (tmp_path / "split.tflite").read_bytes() == result.model
    with pytest.raises(InputError, match="exists already"):
        result.save(tmp_path / "split.tflite")
    with pytest.raises(InputError, match="is the input file itself"):
        result.save(source)
    assert source.read_bytes() == small_network()
    result.save(source, force=True)
    assert source.read_bytes() == result.model


def test_a_result_can_be_kept_with_its_refusals():
    result = tflm_split.optimize(float_sine(), verify=False)
    kept = pickle.loads(pickle.dumps(result))
    assert (kept.report, kept.model) == (result.report, result.model)
    refusal = pickle.loads(pickle.dumps(Refusal("dtype", "its input is INT16")))
    assert (refusal.kind, str(refusal)) == ("dtype", "its input is INT16")


def test_a_result_shows_itself(dscnn):
    assert str(dscnn).startswith("digits_dscnn: ")
    assert "<b>digits_dscnn: " in dscnn._repr_html_()
    assert len(repr(dscnn)) < 500


def test_progress_is_told_stage_by_stage():
    told = []
    result = tflm_split.optimize(small_network(), progress=lambda *step: told.append(step))
    stages = list(dict.fromkeys(stage for stage, _, _, _ in told))
    assert stages == ["read", "run the original", "split", "schedule", "search", "polish", "place", "verify"]
    assert all(0 <= done <= (done if total is None else total) for _, done, total, _ in told)
    heads = [head for _, _, _, head in told if head is not None]
    assert heads == sorted(heads, reverse=True)
    assert heads[-1] == result.report["optimized"]["planned_head_bytes"]


def test_progress_is_told_often_while_candidates_are_placed():
    told = progress_of(DSCNN)
    for stage, least in (("search", 20), ("polish", 40), ("place", 200)):
        assert sum(1 for step in told if step[0] == stage) >= least, stage


def test_importing_the_package_does_not_import_the_compiler():
    """The package's own build and its TFLM worker import parts of it without numpy or the rest."""
    code = "import sys, tflm_split; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'optimise'"):
        _ = tflm_split.optimise


@pytest.mark.parametrize(
    "wrong",
    [
        {"effort": 3.5},
        {"effort": "9" * 5000},
        {"max_slowdown": "1.2"},
        {"inputs": "8"},
        {"inputs": 2.5},
        {"seed": 1.5},
        {"board": ["m7"]},
    ],
)
def test_an_option_of_the_wrong_type_is_refused_in_one_sentence(wrong):
    with pytest.raises(InputError, match="needs"):
        tflm_split.optimize(DSCNN, **wrong)


def test_bytes_of_any_kind_and_sizes_of_numpy_are_taken():
    content = small_network()
    expected = tflm_split.optimize(content, max_arena=10_000, verify=False)
    assert tflm_split.optimize(bytearray(content), max_arena=np.int64(10_000), verify=False).model == expected.model


def test_optimize_gives_the_whole_front_if_asked():
    model = small_network()
    front = tflm_split.optimize(model, pareto=True, verify=False, effort=20)
    same = tflm_split.pareto(model, verify=False, effort=20)
    assert len(front) > 1
    assert [result.model for result in front] == [result.model for result in same]
    with pytest.raises(InputError, match="leave one of them out"):
        tflm_split.optimize(model, pareto=True, max_arena="4KB")


def test_a_result_goes_through_pickle_and_copy(dscnn):
    for other in (pickle.loads(pickle.dumps(dscnn)), copy.deepcopy(dscnn)):
        assert (other.model, other.report, other.plan.layout) == (dscnn.model, dscnn.report, dscnn.plan.layout)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (io.BytesIO(b"TFL3"), "not BytesIO; pass its .read()"),
        (None, "not NoneType"),
        (np.zeros(4, np.uint8), "not ndarray"),
        (7, "not int"),
    ],
)
def test_what_is_no_model_is_refused_in_words(source, words):
    with pytest.raises(InputError, match=re.escape(f"a model is a path or its bytes, {words}")):
        tflm_split.optimize(source)


def test_wrong_types_get_a_sentence(dscnn, tmp_path):
    with pytest.raises(InputError, match=r"decision is a SavedDecision .*, not str"):
        tflm_split.optimize(b"TFL3", decision="plan.json")
    with pytest.raises(InputError, match="progress is True, needs a function"):
        tflm_split.optimize(b"TFL3", progress=True)
    with pytest.raises(InputError, match=r"interpreter takes a model's bytes, not .*Path; pass the file's bytes"):
        tflm_split.tflm.interpreter(tmp_path)
    with pytest.raises(InputError, match=r"not Result; pass its \.model"):
        tflm_split.tflm.interpreter(dscnn)
    path = tmp_path / "there.tflite"
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"use save\(..., force=True\) to overwrite it"):
        dscnn.save(path)
    with pytest.raises(InputError, match="save takes a path, not NoneType"):
        dscnn.save(None)


def test_the_public_names_are_these_and_no_others():
    assert dir(tflm_split) == [
        "Front", "Inspection", "Result", "SavedDecision", "__version__", "errors", "inspect", "optimize", "pareto",
        "runtime_path", "tflm",
    ]  # fmt: skip
    assert set(tflm_split.__all__) == set(dir(tflm_split))
    for name in tflm_split.__all__:
        value = getattr(tflm_split, name)
        assert isinstance(value, str) or value.__doc__, name


def test_what_is_looked_at_is_short_in_a_line_and_rich_in_a_notebook(dscnn):
    inspection = tflm_split.inspect(DSCNN)
    assert repr(inspection) == "Inspection('digits_dscnn': 12 operators, 0 cannot be split, arena 22,688 B)"
    assert str(inspection).startswith("digits_dscnn: ")
    assert inspection.report == tflm_split.inspect(DSCNN.read_bytes()).report | {"model": inspection.report["model"]}
    assert len(inspection.operators()) == 12
    front = tflm_split.pareto(small_network(), verify=False, effort=20)
    for value in (inspection, dscnn, front):
        assert len(repr(value)) < 200
        assert "\n" not in repr(value)
        assert "<svg" in value._repr_html_()
        assert len(value._repr_html_()) < 300_000
    assert len(repr(dscnn.plan)) < 100
    assert repr(dscnn).startswith("Result('digits_dscnn': arena 4,048 B instead of 22,688 B, ")
    with pytest.raises(InputError, match="not int"):
        tflm_split.inspect(7)


def test_a_front_stays_one_when_it_is_kept(dscnn):
    front = tflm_split.pareto(small_network(), verify=False, effort=20)
    again = pickle.loads(pickle.dumps(front))
    assert type(again) is tflm_split.Front
    assert again.report == front.report


def test_a_kept_result_is_read_by_a_process_that_has_read_no_model(tmp_path):
    (tmp_path / "kept").write_bytes(pickle.dumps(tflm_split.optimize(small_network(), verify=False)))
    code = "import pickle, sys; print(len(pickle.load(open(sys.argv[1], 'rb')).operators()))"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "kept"], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert int(done.stdout) > 0
