"""Tensors are cut along the axes that the user allows, and along no other."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from tiny_models import Builder

import tflm_split
from tflm_split.cli import main
from tflm_split.errors import InputError
from tflm_split.lower.compile import Plan
from tflm_split.options import Options
from tflm_split.split.axes.allowed import ALL_AXES, parse_axes


def block(stride: int = 2, size: int = 12, channels: int = 8) -> bytes:
    """An inverted residual. With a stride, both axes pay off."""
    net = Builder((1, size, size, channels))
    wide = net.conv(net.input, 6 * channels, 1, 1)
    return net.finish(net.conv(net.depthwise(wide, 3, 3, stride), channels, 1, 1))


def two_wide_branches() -> bytes:
    """A concatenation. It need not exist where its reader takes groups of channels."""
    net = Builder((1, 8, 8, 4))
    joined = net.concat([net.conv(net.input, 24, 3, 3), net.conv(net.input, 40, 3, 3)])
    return net.finish(net.conv(joined, 4, 1, 1))


def plan_of(model: bytes, axes: str) -> Plan:
    plan = tflm_split.optimize(model, axes=axes, verify=False).plan
    assert plan is not None
    return plan


@pytest.mark.parametrize(
    "said",
    ["rows,channels", "channels,rows", " rows , channels ", ("channels", "rows"), ["rows", "channels"]],
)
def test_the_order_and_the_spelling_of_axes_do_not_matter(said: str | Iterable[str]) -> None:
    assert parse_axes(said) == frozenset({"rows", "channels"})


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("tokens", "there is no axis 'tokens' to cut along, only rows, channels, columns"),
        ("rows,Channels", "there is no axis 'Channels' to cut along, only rows, channels, columns"),
        (("rows", 3), "there is no axis '3' to cut along, only rows, channels, columns"),
        (3, "there is no axis '3' to cut along, only rows, channels, columns"),
        ([["rows"]], "there is no axis \"['rows']\" to cut along, only rows, channels, columns"),
        ("", "no axis to cut along is given, needs at least one of rows, channels, columns"),
        (",", "no axis to cut along is given, needs at least one of rows, channels, columns"),
        ((), "no axis to cut along is given, needs at least one of rows, channels, columns"),
    ],
)
def test_an_unknown_axis_and_none_at_all_are_refused(said: Any, complaint: str) -> None:
    with pytest.raises(InputError) as refused:
        tflm_split.optimize(block(), axes=said)
    assert str(refused.value) == complaint
    with pytest.raises(InputError):
        Options(axes=said)


def test_rows_alone_group_no_channels_and_keep_concatenations() -> None:
    assert plan_of(block(), "rows,channels").split.part_of
    assert not plan_of(block(), "rows").split.part_of
    assert plan_of(two_wide_branches(), "rows,channels").split.part_of
    assert not plan_of(two_wide_branches(), "rows").split.part_of


def test_channels_alone_make_all_rows_of_a_group_before_anything_else() -> None:
    plan = plan_of(block(), "channels")
    assert plan.split.part_of
    steps = [plan.step_graph.steps[s] for s in plan.schedule.steps]
    runs = [row_op for row_op, _ in groupby(steps, key=lambda step: step.row_op)]
    assert len(runs) == len(set(runs)) == len(plan.split.row_ops)


def test_each_axis_lowers_the_head_and_both_together_most() -> None:
    results = {axes: tflm_split.optimize(block(), axes=axes) for axes in ("rows", "channels", "rows,channels")}
    heads = {axes: result.report["optimized"]["measured_head_bytes"] for axes, result in results.items()}
    assert heads["rows,channels"] < min(heads["rows"], heads["channels"])
    assert max(heads.values()) < results["rows"].report["original"]["measured_head_bytes"]
    assert all(result.report["verified"]["bit_exact"] for result in results.values())


def test_all_axes_are_the_default() -> None:
    assert tflm_split.optimize(block(), verify=False).model == tflm_split.optimize(block(), axes=ALL_AXES).model
    assert Options().axes == ALL_AXES


def test_the_record_says_which_axes_were_allowed() -> None:
    assert tflm_split.optimize(block(), verify=False).report["options"]["axes"] == ["rows", "channels", "columns"]
    assert tflm_split.optimize(block(), axes=("channels",), verify=False).report["options"]["axes"] == ["channels"]


def test_no_rows_are_computed_again_where_none_are_cut() -> None:
    for axes, again in (("rows,channels", True), ("channels", False)):
        results = tflm_split.pareto(block(1, 8, 4), axes=axes, max_slowdown=3.0, verify=False, effort=200)
        macs = {result.report["optimized"]["macs"] for result in results}
        assert (len(macs) > 1) is again
        assert all(result.report["options"]["axes"] == axes.split(",") for result in results)


def test_the_commands_take_axes_and_say_what_is_wrong_with_them(tmp_path: Path, capsys: Any) -> None:
    model = tmp_path / "block.tflite"
    model.write_bytes(block())

    def run(*arguments: object) -> tuple[Any, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    code, out, _ = run("optimize", model, "--no-verify", "--axes", "rows", "--json", "-")
    assert (code, json.loads(out)["options"]["axes"]) == (0, ["rows"])
    code, out, _ = run("pareto", model, "--no-verify", "--axes", "rows", "--max-slowdown", "1", "--json", "-")
    heads = [point["planned_head_bytes"] for point in json.loads(out)["points"]]
    assert (code, heads) == (0, [plan_of(block(), "rows").planned_head_bytes])
    for command in ("optimize", "pareto"):
        code, out, err = run(command, model, "--axes", "rows,tokens")
        assert (code, out) == (2, "")
        assert err == (
            "tflm-split: Invalid value for '--axes': there is no axis 'tokens' to cut along, only rows, channels, columns; "
            f"see: tflm-split {command} --help\n"
        )
