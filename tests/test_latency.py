"""Are instructions predicted well, for programs that ran and for kinds that nobody measured?"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_programs import CONV1, small_network
from split_stages import planned
from toolchains import need_board, needs_arm

import tflm_split
from tflm_split import cli
from tflm_split.analysis import latency
from tflm_split.analysis.boards import TABLE_PATH
from tflm_split.analysis.latency import (
    COUNTERS,
    GENERIC,
    MEASURED_AS,
    TABLE_SCHEMA,
    OpCost,
    board_costs,
    generic_counts,
    op_geometry,
    predict,
    row_op_cost,
)
from tflm_split.analysis.latency_call import Geometry, Row
from tflm_split.board.bench import bench
from tflm_split.board.boards import BOARDS
from tflm_split.board.firmware import describe_compiler
from tflm_split.board.run import BoardRun, run_on_board
from tflm_split.errors import InputError
from tflm_split.kinds import OpKind
from tflm_split.lower.assemble import lower
from tflm_split.program.encode import encode
from tflm_split.program.types import Op, Program, Step
from tflm_split.tflite.reader import read_model
from tflm_split.verify.compare import test_inputs as make_inputs

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "corpus" / "models"
SMALL = ("digits_dscnn", "digits_resnet8", "digits_autoencoder", "digits_wide", "languages_text")
ALLOWED_ERROR = 0.10


def a_window_op(
    kind: OpKind,
    columns: int = 8,
    channels: int = 8,
    filters: int = 8,
    kernel: int = 3,
    stride: int = 1,
    pad: int = 1,
    rows: int = 8,
) -> Geometry:
    """A square window over a map of `rows` rows. All output channels shift to the right."""
    out = (columns + 2 * pad - kernel) // stride + 1
    axes = ("rows", "columns")
    params: dict[str, int | float | bytes] = {f"kernel_{a}": kernel for a in axes}
    params |= (
        {f"stride_{a}": stride for a in axes} | {f"dilation_{a}": 1 for a in axes} | {f"pad_{a}": pad for a in axes}
    )
    params |= {"groups": 1, "flags": 1, "input_zero_point": 3, "output_min": -128, "output_max": 127}
    params["shifts_offset"] = bytes([250] * filters)
    return Geometry(kind, params, Row(columns, channels, channels, rows=rows), Row(out, filters, filters, rows=rows))


@pytest.fixture(scope="module")
def script() -> Any:
    sys.path.insert(0, str(ROOT / "scripts"))
    import measure_kernels

    return measure_kernels


# --- the table ---------------------------------------------------------------------------------------------------


def test_the_table_has_every_board_with_its_compiler_and_flags() -> None:
    table = json.loads(TABLE_PATH.read_text())
    assert table["schema"] == TABLE_SCHEMA
    assert set(table["boards"]) == set(BOARDS)
    for name, entry in table["boards"].items():
        assert entry["compiler"].startswith(f"{BOARDS[name].toolchain.compiler} ")
        assert entry["compiler"].endswith(" ".join(BOARDS[name].target_flags))


@pytest.mark.parametrize("name", BOARDS)
def test_the_table_was_measured_with_the_flags_firmware_is_built_with(name: str) -> None:
    need_board(BOARDS[name])
    version, _, flags = describe_compiler(BOARDS[name]).partition(" -")
    measured_version, _, measured_flags = board_costs(name).compiler.partition(" -")
    assert measured_flags == flags
    if measured_version != version:
        pytest.skip(f"the table was measured with {measured_version}, here is {version}")


@pytest.mark.parametrize("name", BOARDS)
def test_every_kind_that_is_counted_was_measured_and_costs_nothing_negative(name: str) -> None:
    costs = board_costs(name)
    assert set(costs.instructions) == {kind.name for kind in COUNTERS[costs.kernels]} | {GENERIC}
    for kind, of_kind in costs.instructions.items():
        assert of_kind, kind
        assert all(cost > 0 for cost in of_kind.values()), kind


def test_the_table_is_small_and_installed_with_the_package() -> None:
    assert TABLE_PATH.stat().st_size < 48 * 1024  # seven boards, thirty kinds
    named = (ROOT / "setup.cfg").read_text().split()
    assert "analysis/instructions.json" in named
    assert {f"analysis/{path.name}" for path in TABLE_PATH.parent.glob("*.json")} <= set(named)


def test_a_board_without_measurements_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="no instruction counts for a board 'esp32'; there are for: m3, m4"):
        board_costs("esp32")
    with pytest.raises(InputError, match="esp32"):
        tflm_split.optimize(ROOT / "models" / "digits_autoencoder.tflite", verify=False, board="esp32")


# --- what a prediction says ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("board", BOARDS)
def test_a_program_costs_what_its_steps_cost(board: str) -> None:
    program = small_network()
    expected = 0.0
    for step in program.steps:
        at = op_geometry(program, program.ops[step.op])
        expected += OpCost(at, board).step(step.row)
    found = predict(program, board)
    assert found.instructions == pytest.approx(expected, abs=1)
    assert sum(found.instructions_of) == pytest.approx(found.instructions, abs=len(program.ops))
    assert found.unmeasured_kinds == ()


@pytest.mark.parametrize("board", BOARDS)
def test_a_step_more_costs_more_and_no_steps_cost_nothing(board: str) -> None:
    program = small_network()
    longer = replace(program, steps=(*program.steps, Step(CONV1, 3)))
    assert predict(longer, board).instructions > predict(program, board).instructions
    assert predict(replace(program, steps=()), board).instructions == 0


def test_layer_wise_counts_each_step_once() -> None:
    program = small_network()
    twice = replace(program, steps=(*program.steps, Step(CONV1, 3)))
    assert predict(twice, "m7").layer_wise_instructions == predict(program, "m7").layer_wise_instructions
    assert predict(twice, "m7").instructions > predict(program, "m7").instructions


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([OpKind.CONV, OpKind.DEPTHWISE, OpKind.AVERAGE_POOL, OpKind.MAX_POOL]),
    st.sampled_from(["m3", "m4", "m7", "m55"]),
    st.integers(3, 20),
    st.integers(1, 70),
    st.integers(1, 4),
)
def test_wider_rows_cost_more(kind: OpKind, board: str, columns: int, channels: int, more: int) -> None:
    narrow = a_window_op(kind, columns, channels, channels)
    side_by_side = (
        16 if kind == OpKind.DEPTHWISE and board == "m55" and channels <= 8 else 0
    )  # pixels that a vector may hold
    wide = a_window_op(kind, columns + side_by_side + 2 * more, channels, channels)
    assert 0 < OpCost(narrow, board).step(3) < OpCost(wide, board).step(3)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["m3", "m4", "m7", "m55"]), st.integers(1, 9), st.integers(1, 12), st.sampled_from([1, 3, 5]))
def test_four_times_the_channels_cost_more(board: str, channels: int, filters: int, kernel: int) -> None:
    few = a_window_op(OpKind.CONV, 8, 16 * channels, 4 * filters, kernel, pad=kernel // 2)
    deep = a_window_op(OpKind.CONV, 8, 64 * channels, 4 * filters, kernel, pad=kernel // 2)
    many = a_window_op(OpKind.CONV, 8, 16 * channels, 16 * filters, kernel, pad=kernel // 2)
    cost = OpCost(few, board).step(3)
    assert cost < OpCost(deep, board).step(3)
    assert cost < OpCost(many, board).step(3)


def test_window_columns_inside_the_input_are_counted_as_the_kernels_clip_them() -> None:
    at = a_window_op(OpKind.CONV, columns=5, kernel=3, pad=1)
    assert at.spans() == {(1, 3): 1, (0, 3): 3, (0, 2): 1}
    wide = replace(at, params={**at.params, "dilation_columns": 2, "pad_columns": 2})
    assert wide.spans() == {(1, 3): 2, (0, 3): 1, (0, 2): 2}


@settings(deadline=None, max_examples=80)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.integers(0, 4))
def test_window_columns_agree_with_counting_every_tap(
    columns: int, kernel: int, stride: int, dilation: int, pad: int
) -> None:
    at = a_window_op(OpKind.CONV)
    names = {"kernel_columns": kernel, "stride_columns": stride, "dilation_columns": dilation, "pad_columns": pad}
    at = replace(at, params={**at.params, **names}, input=replace(at.input, columns=columns))
    inside = sum(
        0 <= x * stride - pad + k * dilation < columns for x in range(at.output.columns) for k in range(kernel)
    )
    assert sum((end - begin) * pixels for (begin, end), pixels in at.spans().items()) == inside
    assert sum(at.spans().values()) == at.output.columns


def test_rows_at_the_edge_are_told_from_those_inside() -> None:
    cost = OpCost(a_window_op(OpKind.CONV, rows=8), "m3")
    at = cost.at
    assert [at.edge(r).rows_inside for r in range(8)] == [2, 3, 3, 3, 3, 3, 3, 2]
    assert cost.step(1) == cost.step(6)
    assert cost.step(0) == cost.step(7) != cost.step(1)


@pytest.mark.parametrize("board", ["m4", "m7"])
def test_a_row_over_its_own_input_costs_more_where_large_windows_are_read_in_parts(board: str) -> None:
    at = a_window_op(OpKind.CONV, kernel=1, pad=0, channels=160)
    assert OpCost(at, board).step(0, apart=False) > OpCost(at, board).step(0)
    small = a_window_op(OpKind.CONV, kernel=1, pad=0)  # such windows are widened as a whole before anything is written
    assert OpCost(small, board).step(0, apart=False) == OpCost(small, board).step(0)


def depthwise_over_its_input(script: Any, below_bytes: int | None, columns: int = 5) -> tuple[Program, Op]:
    """The op of a 3x3 depthwise convolution with 64 channels, whose output rows start `below_bytes` before the input row
    in the same place; None: elsewhere."""
    params = {
        **script.kernel_cases.window_params(3, 3, 1, 1, (1, 1)),
        **script.kernel_cases.requantization(np.random.default_rng(3), 64, 9, slow=0),
        "output_min": -128, "output_max": 127, "weights_offset": bytes([3] * 9 * 64), "groups": 1,
    }  # fmt: skip
    shape = (3, columns, 64)
    case = script.Case(OpKind.DEPTHWISE, params, shape, shape, apart=below_bytes is None, below_bytes=below_bytes or 0)
    program = replace(script.program_of(case), steps=(Step(0, 1),) * script.REPEATS)
    return program, program.ops[0]


def test_depthwise_pixels_that_may_be_written_together(script: Any) -> None:
    """Two pixels below its input row, the output row stays behind the windows. At a distance of whole pixels no channel
    meets another one. At other distances, each pixel more below allows one pixel more at a time."""
    together = {
        below: latency.sharing(*depthwise_over_its_input(script, below), 1) for below in (None, 128, 192, 144, 208, 272)
    }
    assert together == {
        None: (True, 1), 128: (True, 1), 192: (True, 1), 144: (False, 1), 208: (False, 2), 272: (False, 3),
    }  # fmt: skip


def convolution_over_its_input(script: Any, below_bytes: int | None, channels: int = 68) -> Program:
    """Steps of a 1x1 convolution of 6 pixels, from so many channels to as many, whose output row starts `below_bytes` before
    its input row; None: elsewhere."""
    params = {
        **script.kernel_cases.window_params(1, 1, 1, 1, (0, 0)),
        **script.kernel_cases.requantization(np.random.default_rng(3), channels, channels, slow=0),
        "output_min": -128, "output_max": 127, "weights_offset": bytes([3] * channels * channels), "groups": 1,
    }  # fmt: skip
    shape = (1, 6, channels)
    case = script.Case(OpKind.CONV, params, shape, shape, apart=below_bytes is None, below_bytes=below_bytes or 0)
    return replace(script.program_of(case), steps=(Step(0, 0),) * script.REPEATS)


def test_convolution_pixels_that_may_be_written_together(script: Any) -> None:
    """Directly below its input row, pixels are written one by one; from one pixel further down on, two at a time. A
    distance of whole pixels does not help, because every output channel reads all input channels."""
    programs = {below: convolution_over_its_input(script, below) for below in (None, 68, 132, 136, 204, 340, 408)}
    assert {below: latency.sharing(p, p.ops[0], 0) for below, p in programs.items()} == {
        None: (True, 1), 68: (False, 1), 132: (False, 1), 136: (False, 2), 204: (False, 3), 340: (False, 5), 408: (True, 1),
    }  # fmt: skip


@needs_arm
def test_a_convolution_over_its_own_input_costs_nothing_two_pixels_further_down(script: Any) -> None:
    """Windows of 132 elements are widened in parts, for three pixels together where they may be."""
    programs = [convolution_over_its_input(script, below, 132) for below in (None, 396, 132)]
    empty = replace(programs[0], steps=())
    counted = script.run_programs(BOARDS["m7"], [(encode(p), 0) for p in (empty, *programs)], False)
    apart, threes, ones = [(n - counted[0]) / script.REPEATS for n in counted[1:]]
    assert threes < 1.01 * apart < 1.08 * apart < ones
    for program, found in zip(programs, (apart, threes, ones), strict=True):
        assert predict(program, "m7").instructions / script.REPEATS == pytest.approx(found, rel=0.03)


@needs_arm
def test_a_depthwise_row_over_its_own_input_costs_hardly_more(script: Any) -> None:
    """At a distance of whole pixels it costs nothing. At others, weights are widened once per two or three pixels."""
    programs = [depthwise_over_its_input(script, below)[0] for below in (None, 128, 208, 272, 144)]
    empty = replace(programs[0], steps=())
    counted = script.run_programs(BOARDS["m7"], [(encode(p), 0) for p in (empty, *programs)], False)
    apart, whole_pixels, *others = [(n - counted[0]) / script.REPEATS for n in counted[1:]]
    assert whole_pixels < 1.01 * apart
    assert [n / apart for n in others] == pytest.approx([1.42, 1.25, 2.05], abs=0.06)
    for program, found in zip(programs, [apart, whole_pixels, *others], strict=True):
        assert predict(program, "m7").instructions / script.REPEATS == pytest.approx(found, rel=0.03)


def test_row_ops_cost_before_there_is_a_program_what_their_steps_cost_in_it() -> None:
    plan = planned(read_model(ROOT / "models" / "digits_dscnn.tflite").graph)
    (region,) = plan.regions
    costs = [row_op_cost(op, "m55") for op in plan.split.row_ops]
    steps = [plan.step_graph.steps[s] for s in plan.schedule.steps]
    found = sum(costs[s.row_op].step(s.row) for s in steps if s.row_op is not None)
    assert found == pytest.approx(predict(region.program, "m55").instructions, rel=0.001)


# --- kinds nobody measured ----------------------------------------------------------------------------------------


def without_costs(monkeypatch: pytest.MonkeyPatch, kind: OpKind) -> None:
    """Forget what was measured of `kind`."""
    counters = {k: {x: f for x, f in of.items() if x != kind} for k, of in COUNTERS.items()}
    monkeypatch.setattr(latency, "COUNTERS", counters)


def test_a_kind_without_measurements_gets_a_generic_estimate_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = predict(small_network(), "m7")
    without_costs(monkeypatch, OpKind.CONV)
    found = predict(small_network(), "m7")
    assert found.unmeasured_kinds == ("CONV",)
    assert 0.2 < found.instructions / measured.instructions < 5


def test_elements_of_another_size_are_another_kernel() -> None:
    at = a_window_op(OpKind.CONV)
    assert OpCost(at, "m7").measured
    wider = replace(at, input=replace(at.input, element_bytes=2), output=replace(at.output, element_bytes=2))
    assert not OpCost(wider, "m7").measured
    assert OpCost(wider, "m7").step(0) > 0


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("kind", OpKind)
def test_no_kind_of_step_is_without_an_answer(kind: OpKind, board: str) -> None:
    """A kind of which only shapes are known gets an estimate, too."""
    row = Row(6, 8, 8, rows=4)
    cost = OpCost(Geometry(kind, {}, row, row, row), board)
    assert cost.step(0) > 0 and cost.step(3) > 0
    known = {k.name for k in COUNTERS["portable"]} | {k.name for k in MEASURED_AS}
    assert cost.measured <= (kind.name in known)


def test_the_generic_estimate_counts_multiply_accumulates_by_the_weights() -> None:
    at = a_window_op(OpKind.CONV, channels=4, filters=8)
    weighty = replace(at, params={**at.params, "weights_offset": bytes(9 * 4 * 8)})
    assert generic_counts(weighty, weighty.edge(3)) == {"step": 1, "element": 64, "mac": 8 * 9 * 4 * 8}
    assert generic_counts(at, at.edge(3))["mac"] == 9 * 64


@pytest.mark.parametrize("board", BOARDS)
def test_a_row_summed_up_at_once_costs_what_a_feed_of_one_row_does(board: str) -> None:
    """ROW_SUM runs the kernels of SUM_FEED. Boards count 0.1 to 10 per cent more, most for rows of few columns."""
    source, made = Row(40, 24, 24, rows=10), Row(1, 24, 24, rows=10)
    rows = OpCost(Geometry(OpKind.ROW_SUM, {"mode": 1}, source, made), board)
    feed = OpCost(Geometry(OpKind.SUM_FEED, {"mode": 1}, replace(source, rows=1), replace(made, rows=1)), board)
    assert rows.measured
    assert {rows.step(row) for row in range(10)} == {feed.step(0)}


def test_a_sum_over_channels_counts_what_it_sums() -> None:
    at = Geometry(OpKind.PIXEL_SUM, {"mode": 1}, Row(5, 96, 96, rows=6), Row(5, 1, 1, rows=6))
    assert generic_counts(at, at.edge(0)) == {"step": 1, "element": 5, "mac": 5 * 96}


# --- the report ---------------------------------------------------------------------------------------------------


def test_the_record_names_the_board_its_prediction_is_for() -> None:
    result = tflm_split.optimize(ROOT / "models" / "digits_dscnn.tflite", verify=False, board="m55")
    assert result.plan is not None
    found = result.report["latency"]
    expected = sum(predict(r.program, "m55").instructions for r in result.plan.regions)
    assert (found["board"], found["predicted_instructions"]) == ("m55", expected)
    assert found["compiler"] == board_costs("m55").compiler
    assert (found["unmeasured_kinds"], found["stock_ops_not_counted"]) == ([], 0)
    assert f"Predicted for board m55: {expected:,} instructions per inference" in str(result)


def test_the_command_line_predicts_for_the_board_asked_for() -> None:
    path = str(ROOT / "models" / "digits_autoencoder.tflite")
    for arguments, board in (((), "m7"), (("--board", "m3"), "m3")):
        found = CliRunner().invoke(cli.cli, ["optimize", path, "--no-verify", "--json", "-", *arguments])
        assert json.loads(found.output)["latency"]["board"] == board
    assert "default: m7" in " ".join(CliRunner().invoke(cli.cli, ["optimize", "--help"]).output.split())


# --- against the emulator -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small_networks() -> dict[str, bytes]:
    found = {}
    for name in SMALL:
        model = read_model(ROOT / "models" / f"{name}.tflite")
        plan = planned(model.graph)
        found[name] = lower(model, plan).model.original
    return found


@pytest.mark.parametrize("board", ["m3", "m4", "m7", "m55", "rv32imc", "rv32gc"])
@pytest.mark.parametrize("name", SMALL)
def test_small_networks_are_predicted_within_ten_percent(
    small_networks: dict[str, bytes], name: str, board: str
) -> None:
    need_board(BOARDS[board])
    inputs = make_inputs(read_model(small_networks[name]).graph, 1, 0)
    run = run_on_board(small_networks[name], board, inputs)
    assert abs(predict(run.program, board).instructions / run.instructions - 1) < ALLOWED_ERROR


@pytest.mark.parametrize(
    ("name", "board"),
    [
        *(("digits_dscnn_16x8", board) for board in ("m0", "m3", "m4", "m7", "m55", "rv32imc", "rv32gc")),
        *(("digits_dscnn_float", board) for board in ("m3", "m7", "m55", "rv32imc", "rv32gc")),
    ],
)
def test_int16_and_float_networks_are_predicted_within_three_percent(name: str, board: str) -> None:
    need_board(BOARDS[board])
    model = read_model(ROOT / "models" / f"{name}.tflite")
    lowered = lower(model, planned(model.graph)).model
    run = run_on_board(lowered.original, board, make_inputs(model.graph, 1, 0))
    found = predict(run.program, board)
    assert found.unmeasured_kinds == ()
    assert abs(found.instructions / run.instructions - 1) < 0.03


@needs_arm
def test_the_benchmark_says_how_far_off_the_prediction_is() -> None:
    found = bench([ROOT / "models" / "digits_autoencoder.tflite"], "m7", inputs=1)
    (row,) = found.rows
    assert isinstance(row.split, BoardRun) and row.prediction is not None
    predicted = predict(row.split.program, "m7").instructions
    error = predicted / row.split.instructions - 1
    assert row.prediction_error == found.largest_prediction_error == error
    record = found.record()
    assert record["largest_prediction_error"] == record["models"][0]["prediction_error"] == error
    assert record["models"][0]["predicted_instructions"] == predicted
    assert f"{predicted:,}  {error:+.1%}" in found.table()


@needs_arm
@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of real models is not next to the checkout")
def test_a_real_network_is_predicted_within_ten_percent() -> None:
    (row,) = bench([CORPUS / "mlperf_strww_int8.tflite"], "m7", inputs=1).rows
    assert row.prediction_error is not None and abs(row.prediction_error) < ALLOWED_ERROR


# --- the measuring script -----------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_the_fit_finds_costs_that_are_there(seed: int) -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    import measure_kernels

    rng = np.random.default_rng(seed)
    turns = rng.integers(0, 50, (30, 5)).astype(float)
    turns[:, 0] = 1
    costs = np.array([100.0, 3.0, 0.0, 7.5, 20.0])
    found = measure_kernels.nonnegative_least_squares(turns / (turns @ costs)[:, None], np.ones(30))
    assert found == pytest.approx(costs, abs=1e-6)


def test_no_cost_comes_out_negative(script: Any) -> None:
    turns = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]])
    assert script.nonnegative_least_squares(turns, np.array([3.0, 2.0, 1.0])) == pytest.approx([2.0, 0.0])


def test_every_case_that_is_measured_is_a_program_the_executor_takes(script: Any) -> None:
    from runtime_scene import prepare

    rng = np.random.default_rng(1)
    for cases, _ in script.KINDS:
        for case in cases(rng, 2):
            for program, _, _ in script.steps_of(case):
                assert isinstance(program, Program)
                assert prepare(encode(program)) == "ok"


@needs_arm
def test_what_is_measured_again_is_what_the_table_says(script: Any) -> None:
    """A few cases of each kind; `python scripts/measure_kernels.py` writes the table anew."""
    samples = script.measure(BOARDS["m7"], 0.1)
    errors = [OpCost(s.at, "m7").at_edge(s.edge) / s.instructions - 1 for s in samples]
    assert np.mean(np.abs(errors)) < 0.03
    assert len(samples) > 100
