"""A plan alone: no operator is added, results survive until their last reader, and TFLM gives the same bytes in less memory."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import Builder, Op, T, build_model

import tflm_split
from tflm_split.analysis.kernel_sets import KernelSet, kernel_set
from tflm_split.analysis.liveness import activation_bytes
from tflm_split.analysis.tflm_planner import rounded, scratch_room_bytes
from tflm_split.cli import main
from tflm_split.errors import InputError, InternalError
from tflm_split.ir.graph import Model
from tflm_split.options import Options
from tflm_split.stock.order import least_head_bytes
from tflm_split.stock.plan import stock_plan
from tflm_split.stock.proof import check_plan
from tflm_split.stock.sharing import distance_bytes
from tflm_split.tflite.edit import Edit
from tflm_split.tflite.reader import all_offsets, read_model
from tflm_split.tflite.writer import write_model

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from cells import darts_normal, randwire, swiftnet, tflite  # noqa: E402  # scripts/ is no package

REFERENCE, CMSIS_NN = kernel_set("reference", "m7"), kernel_set("cmsis-nn", "m7")
EFFORT = 20


def heads(content: bytes, kernels: str = "reference") -> tuple[int, int]:
    """Measured heads of the file and of its planned form, which has the same operators and gives the same bytes."""
    result = tflm_split.optimize(content, target="stock", kernels=kernels, inputs=3, effort=EFFORT)
    report = result.report
    assert report["verified"] is not None and report["verified"]["bit_exact"]
    before, after = read_model(content).graph, read_model(result.model).graph
    assert sorted(op.kind for op in before.operators) == sorted(op.kind for op in after.operators)
    planned = report["optimized"]["measured_head_bytes"], report["original"]["measured_head_bytes"]
    assert None not in planned and planned[0] <= planned[1]
    return report["original"]["measured_head_bytes"] or 0, report["optimized"]["measured_head_bytes"] or 0


@pytest.mark.parametrize("kernels", ["reference", "cmsis-nn"])
@pytest.mark.parametrize("cell", [darts_normal(6, 8), swiftnet(4, 6, 4, seed=1), randwire(4, 8, seed=1, nodes=8)])
def test_the_best_order_of_a_cell_reaches_tflm_as_a_plan(cell: object, kernels: str) -> None:
    before, after = heads(tflite(cell), kernels)  # type: ignore[arg-type]
    assert after < before


def test_a_window_runs_over_its_dying_input() -> None:
    """8 rows of 32 bytes; the output starts a row and a pixel below, and takes the place of its input."""
    net = Builder((1, 8, 8, 4), seed=5)
    before, after = heads(net.finish(net.depthwise(net.conv(net.input, 4, 3))))
    assert before == 2 * 256 and after <= 256 + 3 * 48


def test_with_cmsis_nn_a_convolution_never_shares() -> None:
    net = Builder((1, 8, 8, 4), seed=5)
    model = read_model(net.finish(net.depthwise(net.conv(net.input, 4, 3))))
    assert stock_plan(model, CMSIS_NN, EFFORT).shared == 0
    with pytest.raises(InternalError, match="overwrite"):
        check_plan(stock_plan(model, REFERENCE, EFFORT).model, CMSIS_NN)


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    channels=st.tuples(st.integers(1, 5), st.integers(1, 9)),
)
def test_maker_and_proof_agree_on_the_distance(
    size: tuple[int, int], kernel: int, stride: int, channels: tuple[int, int]
) -> None:
    """At the maker's distance the proof holds; where it fails 16 bytes above, the maker's was the least."""
    net = Builder((1, *size, channels[0]), seed=1)
    model = read_model(net.finish(net.conv(net.input, channels[1], kernel, stride)))
    graph = model.graph
    op = graph.operators[0]
    distance = distance_bytes(graph, op, op.inputs[0], "reference")
    assert distance is not None
    written, read = op.outputs[0], op.inputs[0]
    base = 16 * 200
    # The output of the last operator stays, but the input dies with it.
    check_plan(_placed(model, {read: base, written: base - distance}), REFERENCE)
    if distance > 2 * 16 * channels[1]:
        with pytest.raises(InternalError):
            check_plan(_placed(model, {read: base, written: base - distance + 32 * channels[1]}), REFERENCE)


def _placed(model: Model, offsets: dict[int, int]) -> Model:
    return write_model(model, Edit(offsets=offsets))


def test_padding_runs_over_its_dying_input() -> None:
    rows, pads = 12, np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32)
    quantized = {"scale": 0.1, "zero_point": 3}
    tensors = [
        T((1, rows, rows, 4), **quantized),
        T((1, rows, rows, 4), **quantized),
        T((4, 2), "INT32", data=pads),
        T((1, rows + 2, rows + 2, 4), **quantized),
    ]
    content = build_model(tensors, [Op("RELU", [0], [1]), Op("PAD", [1, 2], [3])], [0], [3])
    before, after = heads(content)
    assert before >= (rows**2 + (rows + 2) ** 2) * 4
    assert after <= ((rows + 2) ** 2 * 4 + 15) // 16 * 16 + 16


def test_a_plan_that_shares_too_much_fails_its_proof() -> None:
    net = Builder((1, 8, 8, 4), seed=5)
    found = stock_plan(read_model(net.finish(net.conv(net.conv(net.input, 4, 3), 4, 3))), REFERENCE, EFFORT).model
    check_plan(found, REFERENCE)
    offsets = dict(enumerate(all_offsets(found) or ()))
    activations = [t.index for t in found.graph.tensors if not t.is_constant]
    for t in activations:
        for moved in (0, 16, 64):
            changed = {**offsets, t: moved}
            if {k: changed[k] for k in activations} == {k: offsets[k] for k in activations}:
                continue
            rewritten = _placed(found, {k: changed[k] for k in activations})
            try:
                check_plan(rewritten, REFERENCE)
            except InternalError:
                continue
            # What passes must be right: TFLM is asked.
            from tflm_split.verify.evidence import Made
            from tflm_split.verify.verification import verify

            assert verify(found, rewritten, Made(3, 0)).bit_exact


def test_scratch_gets_a_hole_of_its_own() -> None:
    net = Builder((1, 8, 8, 4), seed=5)
    content = net.finish(net.conv(net.conv(net.input, 8, 3), 4, 3))
    for kernels in (REFERENCE, CMSIS_NN):
        found = stock_plan(read_model(content), kernels, EFFORT)
        assert found.head_bytes == found.layout.head_bytes


def test_options_that_need_the_operator_are_refused() -> None:
    net = Builder((1, 8, 8, 4), seed=5)
    content = net.finish(net.conv(net.input, 4, 3))
    for option in ({"int8_io": True}, {"stream_input": 1}):
        with pytest.raises(InputError, match="TFLM_SPLIT"):
            tflm_split.optimize(content, target="stock", **option)  # type: ignore[arg-type]


def test_a_saved_decision_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = Builder((1, 8, 8, 4), seed=5)
    path = tmp_path / "net.tflite"
    path.write_bytes(net.finish(net.conv(net.conv(net.input, 4, 3), 4, 3)))
    with pytest.raises(SystemExit) as ended:
        main(["optimize", str(path), "--target", "stock", "--plan-out", str(tmp_path / "plan.json")])
    assert ended.value.code == 2 and "no decisions" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["optimize", str(path), "--target", "stock", "--kernels", "reference", "--json", "-"])
    report = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0 and report["options"]["target"] == "stock"
    assert report["optimized"]["regions"] == 0 and report["kept_original"] is None


def test_without_a_word_a_plan_is_right_with_both_sets_of_kernels() -> None:
    assert (Options().target, Options().kernels) == ("split", "reference")
    assert Options(target="stock").kernels == "cmsis-nn"


@pytest.mark.parametrize("kernels", [REFERENCE, CMSIS_NN])
def test_no_plan_is_below_the_bound_of_all_orders(kernels: KernelSet) -> None:
    """Of a chain under CMSIS-NN, whose convolutions share nothing, the plan is the bound: the largest operator."""
    for cell in (darts_normal(6, 8), swiftnet(4, 6, 4, seed=1)):
        model = read_model(tflite(cell))
        least = least_head_bytes(model.graph, kernels.name, kernels.scratch(model))
        assert 0 < least <= stock_plan(model, kernels, EFFORT).head_bytes
    net = Builder((1, 8, 8, 4), seed=1)
    chain = read_model(net.finish(net.conv(net.conv(net.input, 8, 3), 2, 3)))
    if kernels is CMSIS_NN:
        scratch = kernels.scratch(chain)
        taken = [
            sum(rounded(activation_bytes(chain.graph.tensors[t])) for t in (op.inputs[0], op.outputs[0]))
            + scratch_room_bytes(chain.graph, op, scratch)
            for op in chain.graph.operators
        ]
        assert stock_plan(chain, kernels, EFFORT).head_bytes == max(taken)
        assert least_head_bytes(chain.graph, kernels.name, scratch) == max(taken)
