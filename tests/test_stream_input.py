"""Models that take their input a few rows at a time: the rewrite, the result in TFLM, the report, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from random_networks import Network
from tiny_models import Op, T, build_model

import tflm_split
from tflm_split.analysis.line_time import line_time, work_of_lines
from tflm_split.errors import InputError
from tflm_split.ir.graph import Graph
from tflm_split.options import Options
from tflm_split.plan.progress import Teller, quiet
from tflm_split.program.types import Program
from tflm_split.rewrite.stream_input import stream_input
from tflm_split.search.candidates import best_plan
from tflm_split.search.decision import Decision
from tflm_split.search.evaluate import Evaluator
from tflm_split.split.operators.stream import FETCH_ROWS
from tflm_split.tflite.reader import read_model


def network(shape: tuple[int, ...] = (1, 13, 6, 3)) -> bytes:
    """Two convolutions and a fully connected layer."""
    n = Network(shape)
    made = n.conv(n.input, 5, stride=2)
    made = n.conv(made, 4)
    return n.finish(n.dense(made, 3))


@pytest.mark.parametrize("rows", [1, 2, 5, 12])
def test_the_result_is_equal_in_tflm_call_by_call(rows: int) -> None:
    result = tflm_split.optimize(network(), stream_input=rows, inputs=4)
    stream = result.report["stream"]
    assert stream is not None and result.report["verified"] is not None
    assert stream["calls"] == -(-13 // rows)
    assert read_model(result.model).graph.tensors[read_model(result.model).graph.inputs[0]].shape == (1, rows, 6, 3)
    assert stream["sentence"] in str(result)


def test_a_row_at_a_time_needs_less_than_the_whole_input() -> None:
    whole, rows = (tflm_split.optimize(network((1, 40, 8, 3)), stream_input=k, verify=False) for k in (0, 1))
    assert rows.report["optimized"]["planned_head_bytes"] < whole.report["optimized"]["planned_head_bytes"]
    assert rows.report["optimized"]["macs"] == whole.report["optimized"]["macs"]
    assert whole.report["stream"] is None


def test_true_is_one_row() -> None:
    assert tflm_split.optimize(network(), stream_input=True, verify=False).report["options"]["stream_input"] == 1


def test_float_rows_are_quantised_as_they_come() -> None:
    n = Network((1, 9, 4, 2))
    made = n.conv(n.float_input((1, 12, 8, 2)), 3)
    graph = read_model(n.finish(made)).graph
    streamed, stream = stream_input(graph, 1)
    assert streamed.tensors[stream.tensor].dtype == "FLOAT32"
    assert (stream.position, stream.rows, stream.whole.row_bytes) == (1, 12, 64)


def test_an_input_that_is_not_streamed_stays_whole() -> None:
    n = Network((1, 12, 8, 2))
    model = n.finish(n.add(n.conv(n.input, 3), n.add_input((1, 12, 8, 3))))
    result = tflm_split.optimize(model, stream_input=1, inputs=3)
    assert result.report["verified"] is not None


def test_rows_of_time_steps() -> None:
    tensors = [
        T((1, 20, 6), scale=0.1), T((1, 1, 20, 6), scale=0.1), T((4, 1, 3, 6), scale=0.02, data=_weights(4, 1, 3, 6)),
        T((1, 1, 20, 4), scale=0.1), T((4,), "INT32", data=np.array([1, 0, 1, 3], np.int32)),
    ]  # fmt: skip
    tensors[4] = T((4,), "INT32", data=np.array([1, 1, 20, 6], np.int32))
    conv = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "dilation_w_factor": 1, "dilation_h_factor": 1}
    operators = [Op("RESHAPE", [0, 4], [1]), Op("CONV_2D", [1, 2, -1], [3], conv)]
    model = build_model(tensors, operators, [0], [3])
    result = tflm_split.optimize(model, stream_input=1, inputs=3)
    stream = result.report["stream"]
    assert stream is not None and (stream["rows"], stream["row_bytes"]) == (20, 6)


def _weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-127, 128, shape, dtype=np.int8)


def test_reshapes_before_the_rows_are_passed_over() -> None:
    graph = read_model(network()).graph
    streamed, stream = stream_input(graph, 1)
    assert streamed.operators[0].kind == FETCH_ROWS
    assert streamed.inputs == (stream.tensor,) and streamed.tensors[stream.tensor].name == graph.tensors[0].name


def pixels_in(scale: float, zero_point: int) -> bytes:
    """A network whose input has this scale and zero point."""
    tensors = [
        T((1, 12, 8, 1), scale=scale, zero_point=zero_point),
        T((3, 3, 3, 1), scale=0.02, data=_weights(3, 3, 3, 1)),
    ]
    tensors.append(T((1, 12, 8, 3), scale=0.05))
    conv = {"padding": "SAME", "stride_w": 1, "stride_h": 1, "dilation_w_factor": 1, "dilation_h_factor": 1}
    return build_model(tensors, [Op("CONV_2D", [0, 1, -1], [2], conv)], [0], [2])


@pytest.mark.parametrize(("scale", "zero_point"), [(1 / 255, -128), (1 / 127.5, -1), (1 / 127.5, 0), (1.0, -128)])
def test_pixels_of_a_camera_are_taken_as_they_come(scale: float, zero_point: int) -> None:
    result = tflm_split.optimize(pixels_in(scale, zero_point), stream_input=1, uint8_pixels=True, inputs=3)
    stream = result.report["stream"]
    assert stream is not None and stream["dtype"] == "UINT8"


def test_a_scale_that_is_not_a_camera_s_is_refused() -> None:
    with pytest.raises(InputError, match=r"scale 0.3 and zero point 5 do not make it pixels"):
        tflm_split.optimize(pixels_in(0.3, 5), stream_input=1, uint8_pixels=True)


@pytest.mark.parametrize(
    ("rows", "why"), [(13, "has 13 rows: a call must bring fewer"), (99, "a call must bring fewer, not 99")]
)
def test_a_call_with_all_rows_is_refused(rows: int, why: str) -> None:
    with pytest.raises(InputError, match=why):
        tflm_split.optimize(network(), stream_input=rows)


def test_an_input_of_one_row_is_refused() -> None:
    n = Network((1, 8))
    with pytest.raises(InputError, match="has a single row, so there is nothing to stream"):
        tflm_split.optimize(n.finish(n.dense(n.input, 4)), stream_input=1)


def test_an_operator_that_stays_stock_is_refused_by_name() -> None:
    n = Network((1, 12, 8, 2))
    made = n.reversed(n.conv(n.input, 2))
    with pytest.raises(InputError, match="would run an operator on unfinished data in each call: op 1 REVERSE_V2"):
        tflm_split.optimize(n.finish(made), stream_input=1)


def test_the_front_shows_memory_against_how_often_rows_may_come() -> None:
    front = tflm_split.pareto(network((1, 40, 8, 3)), stream_input=1, verify=False, effort=100)
    heads = [point["planned_head_bytes"] for point in front.report["points"]]
    lines = front.report["lines"]
    assert heads == sorted(set(heads), reverse=True) and lines
    row_bytes = 8 * 3
    for line, smaller in zip(lines, [*lines[1:], None], strict=True):
        times = {t["fifo"]: t["predicted_instructions"] for t in front[line["point"]].report["stream"]["line_times"]}
        assert line["predicted_instructions"] == times[line["fifo"]]
        assert line["memory_bytes"] == heads[line["point"]] + (line["fifo"] - 1) * row_bytes
        if smaller is not None:
            assert smaller["memory_bytes"] < line["memory_bytes"]
            assert smaller["predicted_instructions"] > line["predicted_instructions"]
    assert lines[-1]["memory_bytes"] == heads[-1]
    assert "rows may come every" in str(front) and "How often rows may come" in front.html()
    assert f"{lines[0]['memory_bytes']:,}" in front._repr_html_()


def test_a_front_without_a_streamed_input_says_nothing_of_rows() -> None:
    front = tflm_split.pareto(network(), verify=False, effort=20)
    assert front.report["lines"] == [] and "rows may come" not in str(front)


def test_the_work_of_the_busiest_call_is_known_before_anything_has_an_address() -> None:
    n = Network((1, 13, 6, 3))
    graph = stream_input(read_model(n.finish(n.conv(n.input, 5, stride=2))).graph, 2)[0]
    evaluator = Evaluator(graph, "m7")
    state = evaluator.first(Decision(tuple(range(len(graph.operators))), ()))
    work = work_of_lines(best_plan_of(graph), "m7")
    assert state.busiest_call() == pytest.approx(line_time(work), rel=0.05)


def best_plan_of(graph: Graph) -> Program:
    found = best_plan(Evaluator(graph, "m7"), Options(effort=0), Teller(quiet))
    assert found is not None
    return found.plan.regions[0].program
