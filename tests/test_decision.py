"""A decision is a value: written, read and carried out again it gives the same bytes, and what does not fit is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_networks import Network
from test_search import strided_block
from tiny_models import Builder

import tflm_split
from tflm_split.cli import cli
from tflm_split.errors import InputError
from tflm_split.report.result import Result
from tflm_split.search.decision_file import SavedDecision
from tflm_split.search.propose.channels import MIN_GROUP, sizes_of

OPTIONS: dict[str, Any] = {"verify": False, "effort": 100}


def result_of(model: bytes, **options: Any) -> Result:
    return tflm_split.optimize(model, **{**OPTIONS, **options})


@pytest.fixture(scope="module")
def block() -> Result:
    """Groups of channels, and rows made again: a decision with a bit of everything."""
    return result_of(strided_block(), max_slowdown=3.0, axes="rows,channels")


def text_of(result: Result) -> str:
    assert result.decision
    return result.decision.json()


@pytest.mark.parametrize("options", [{}, {"max_slowdown": 3.0}, {"axes": "channels"}, {"effort": 1500}])
def test_a_decision_that_was_written_and_read_makes_the_same_bytes(options: dict[str, Any], tmp_path: Path) -> None:
    result = result_of(strided_block(), **options)
    assert result.decision
    path = tmp_path / "plan.json"
    result.decision.save(path)
    read = SavedDecision.read(path)
    assert read == result.decision
    again = result_of(strided_block(), decision=read)
    assert again.model == result.model != strided_block()
    assert again.decision == result.decision


def test_groups_and_rows_made_again_are_written_down(block: Result) -> None:
    decision = json.loads(text_of(block))["decision"]
    assert decision["channel_groups"]
    assert decision["layout"]["addresses"]
    assert sizes_of(32, 2) == (16, 16)
    assert sizes_of(MIN_GROUP, 2) is None


def test_a_plan_fits_a_model_that_was_trained_again() -> None:
    def model(seed: int) -> bytes:
        b = Builder((1, 16, 8, 4), seed=seed)
        return b.finish(b.conv(b.conv(b.input, 8), 4))

    first, second = model(1), model(2)
    assert first != second
    decision = result_of(first).decision
    assert result_of(second, decision=decision).decision == decision


def test_where_nothing_is_gained_the_plan_is_to_keep_the_original() -> None:
    n = Network((1, 4, 4, 2))
    model = n.finish(n.reversed(n.input))
    result = result_of(model)
    assert result.report["kept_original"]
    assert result.decision
    assert result.decision.decision is None
    assert result_of(model, decision=SavedDecision.parse(result.decision.json())).model == model


def test_a_plan_for_another_model_is_refused(block: Result) -> None:
    with pytest.raises(InputError, match=r"the plan is for another model: .*differ"):
        result_of(strided_block(12, 12), decision=block.decision)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"schema": 1}, "has schema 1, this version reads 3"),
        ({"model": 7}, "its 'model' is not a text"),
        ({"int8_io": 0}, "its 'int8_io' is not true or false"),
        ({"decision": []}, "is no plan"),
        ({"decision": {}}, "it has no 'steps'"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(block: Result, change: dict[str, Any], sentence: str) -> None:
    text = json.dumps({**json.loads(text_of(block)), **change})
    with pytest.raises(InputError, match=sentence):
        SavedDecision.parse(text)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("nodes", [0, 1], "it orders other operators"),
        ("nodes", [2, 1, 0], "cannot run in this order"),
        ("nodes", "012", "is not a list of numbers"),
        ("nodes", [0, 1, -2], "is not a list of numbers"),
        ("cuts", [1], "its groups of operators are none"),
        ("cuts", [0, 9], "its groups of operators are none"),
        ("channel_groups", {"x": [4]}, "is not by number of a tensor"),
        ("channel_groups", {"99": [4]}, "tensors or operators that do not exist"),
        ("channel_groups", {"3": [4]}, "cannot be cut along channels"),
        ("recomputed", [9], "tensors or operators that do not exist"),
        ("patches", [{"inner": [0], "last": 9, "rows": 1}], "tensors or operators that do not exist"),
        ("patches", [{"inner": [0], "last": 0, "rows": 1}], "its patches are none"),
        ("patches", [{"inner": [0], "last": 1, "rows": 0}], "its patches are none"),
        ("patches", [{"inner": "0", "last": 1, "rows": 1}], "is not a list of numbers"),
        ("steps", [0, 0], "cannot run in this order"),
        ("steps", [0], "lacks steps"),
        ("rewrites", [{"copy": [9], "for": [10]}], "the plan does not fit the model"),
        ("layout", None, "it has no layout"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused_in_a_sentence(
    block: Result, field: str, value: Any, sentence: str
) -> None:
    document = json.loads(text_of(block))
    document["decision"][field] = value
    with pytest.raises(InputError, match=sentence):
        result_of(strided_block(), decision=SavedDecision.parse(json.dumps(document)))


def numbers_in(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every number of a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in items for place in ([(value, key)] if type(inner) is int else numbers_in(inner))]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_plan_with_a_wrong_number_is_refused_or_still_safe(block: Result, data: st.DataObject) -> None:
    """What still passes every check, the replay among them, may well be another valid plan."""
    document = json.loads(text_of(block))
    container, key = data.draw(st.sampled_from(numbers_in(document["decision"])))
    container[key] = max(0, container[key] + data.draw(st.sampled_from([-16, -4, -1, 1, 4, 16, 1000])))
    try:
        head_bytes = result_of(strided_block(), decision=SavedDecision.parse(json.dumps(document))).report["optimized"][
            "planned_head_bytes"
        ]
    except InputError:
        head_bytes = 1
    assert head_bytes > 0


def test_the_command_line_writes_a_plan_and_repeats_it(tmp_path: Path) -> None:
    model, plan = tmp_path / "model.tflite", tmp_path / "plan.json"
    model.write_bytes(strided_block())
    first, second = tmp_path / "first.tflite", tmp_path / "second.tflite"
    common = ["optimize", str(model), "--no-verify"]
    made = CliRunner().invoke(cli, [*common, "-o", str(first), "--plan-out", str(plan), "--effort", "100"])
    assert made.exit_code == 0, made.output
    again = CliRunner().invoke(cli, [*common, "-o", str(second), "--plan", str(plan)])
    assert again.exit_code == 0, again.output
    assert first.read_bytes() == second.read_bytes()
    with pytest.raises(InputError, match="cannot be read"):
        SavedDecision.read(tmp_path / "none.json")


def test_a_front_takes_no_plan(block: Result) -> None:
    with pytest.raises(InputError, match="a decision is one result"):
        tflm_split.optimize(strided_block(), pareto=True, decision=block.decision)  # type: ignore[call-overload]
