"""The JSON record has all its fields, and its numbers are consistent."""

import copy
import hashlib
import json

import pytest
from optimized import optimized
from tiny_models import Builder
from user_models import DSCNN, float_network, float_sine, small_network

import tflm_split
from tflm_split.cli import main
from tflm_split.report.bottleneck import live_bytes_per_step
from tflm_split.report.json_schema import record_schema, schemas
from tflm_split.report.summary import summary
from tflm_split.tflite.reader import read_model

SCHEMA_1 = {
    "": {"schema", "tool_version", "tflm_version", "model", "original", "optimized", "verified", "goal", "refusals"},
    "model": {"name", "sha256", "ops", "macs", "file_bytes"},
    "original": {
        "live_peak_bytes", "measured_head_bytes", "measured_tail_bytes", "measured_arena_bytes",
        "predicted_arm32_arena_bytes",
    },
    "optimized": {
        "planned_head_bytes", "lower_bound_bytes", "measured_head_bytes", "measured_tail_bytes", "measured_arena_bytes",
        "predicted_arm32_arena_bytes", "macs", "file_bytes", "program_bytes", "steps", "regions", "split_ops",
        "stock_ops",
    },
    "verified": {"inputs", "bit_exact"},
    "goal": {"max_arena_bytes", "met"},
}  # fmt: skip
"""Keys that must stay. New ones may be added."""


@pytest.fixture(scope="module")
def dscnn():
    return optimized(DSCNN)


def test_every_key_of_schema_1_is_there(dscnn):
    for part, keys in SCHEMA_1.items():
        assert keys <= (dscnn.report[part] if part else dscnn.report).keys()
    assert dscnn.report["schema"] == 1


def test_the_schema_refuses_what_is_no_record(dscnn):
    validator = pytest.importorskip("jsonschema").Draft202012Validator(record_schema())
    validator.check_schema(record_schema())
    assert validator.is_valid(dscnn.report)
    for part, key, wrong in (
        ("model", "ops", "12"), ("goal", "met", None), ("options", "axes", ["tokens"]), ("options", "speed", 1),
        ("optimized", "measured_head_bytes", 1.5), ("latency", "unknown", 1),
    ):  # fmt: skip
        record = copy.deepcopy(dscnn.report)
        record[part][key] = wrong
        assert not validator.is_valid(record), (part, key)
    del record["latency"]
    assert not validator.is_valid(record)


@pytest.mark.parametrize(("name", "fields"), [("record", 80), ("front", 13), ("verdict", 20), ("inspection", 40)])
def test_every_field_of_a_schema_says_what_it_means(name, fields):
    def objects(schema):
        if "properties" in schema:
            yield from schema["properties"].items()
        for part in schema.values():
            for inner in part if isinstance(part, list) else [part]:
                if isinstance(inner, dict):
                    yield from objects(inner)

    found = list(objects(schemas()[name]))
    assert len(found) >= fields
    for field, says in found:
        assert says["description"].strip(), field
        assert says.get("unit") == "bytes" or not field.endswith("_bytes"), field


def test_front_verdict_and_inspection_keep_to_their_schemas(tmp_path, capsys):
    """conftest.py checks each record that is made. Here each command is called with every form of its answer."""
    validators = {name: pytest.importorskip("jsonschema").Draft202012Validator(s) for name, s in schemas().items()}
    models = {"net": small_network(), "float": float_network(), "stock": float_sine()}
    for name, data in models.items():
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(data)
        for command, words in (
            ("pareto", ["--effort", "low", "--no-verify", "--json", "-"]),
            ("inspect", ["--json"]),
            ("inspect", ["--json", "--axes"]),
            ("verify", [path, "--json"]),
        ):
            with pytest.raises(SystemExit):
                main([command, str(path), *map(str, words)])
            record = json.loads(capsys.readouterr().out)
            kind = {"pareto": "front", "inspect": "inspection", "verify": "verdict"}[command]
            assert validators[kind].is_valid(record), (name, command, words)


def test_an_operator_counts_once_however_often_it_is_computed():
    """A map is summed up as a whole before it is scaled. The operator that makes it is computed for both readers."""
    b = Builder((1, 12, 12, 4))
    wide = b.conv(b.input, 16)
    scales = b.conv(b.mean(wide, keep_dims=True), b.shape(wide)[-1], 1, 1)
    model = b.finish(b.mean(b.add(wide, scales, kind="MUL")))
    results = tflm_split.pareto(model, max_slowdown=3.0, verify=False, effort=200)
    assert any(r.report["optimized"]["macs"] > r.report["model"]["macs"] for r in results)
    assert any(len(r.plan.split.graph.operators) > r.report["model"]["ops"] for r in results)
    for result in results:
        optimized, ops = result.report["optimized"], result.report["model"]["ops"]
        assert optimized["split_ops"] + optimized["stock_ops"] <= ops
        for region in result.report["region_details"]:
            assert region["ops"] == sorted(set(region["ops"]))


def test_it_is_json_and_the_same_every_time(dscnn):
    text = json.dumps(dscnn.report, allow_nan=False)
    assert json.loads(text) == dscnn.report
    first, second = (json.dumps(tflm_split.optimize(small_network()).report) for _ in range(2))
    assert first == second


def test_it_says_which_model_and_which_tools(dscnn):
    data = DSCNN.read_bytes()
    model = dscnn.report["model"]
    assert model["name"] == "digits_dscnn"
    assert model["sha256"] == hashlib.sha256(data).hexdigest()
    assert (model["ops"], model["macs"], model["file_bytes"]) == (12, 2_656_640, len(data))
    assert dscnn.report["tool_version"] == tflm_split.__version__
    assert dscnn.report["tflm_version"] == "0.dev20261023182759"


def test_the_planned_head_is_the_measured_one(dscnn):
    for part in ("original", "optimized"):
        assert dscnn.report[part]["planned_head_bytes"] == dscnn.report[part]["measured_head_bytes"]


def test_an_arena_is_its_head_and_its_tail(dscnn):
    for part in ("original", "optimized"):
        found = dscnn.report[part]
        assert found["measured_arena_bytes"] == found["measured_head_bytes"] + found["measured_tail_bytes"]


def test_the_head_lies_between_its_lower_bound_and_the_original(dscnn):
    original, optimized = dscnn.report["original"], dscnn.report["optimized"]
    assert optimized["lower_bound_bytes"] <= optimized["planned_head_bytes"] < original["live_peak_bytes"]
    assert original["live_peak_bytes"] <= original["measured_head_bytes"] == 16_000


def test_nothing_is_computed_twice(dscnn):
    assert dscnn.report["optimized"]["macs"] == dscnn.report["model"]["macs"]


def test_file_program_and_operators_are_counted(dscnn):
    optimized = dscnn.report["optimized"]
    assert optimized["file_bytes"] == len(dscnn.model)
    assert (optimized["regions"], optimized["split_ops"], optimized["stock_ops"]) == (1, 12, 0)
    assert 0 < optimized["program_bytes"] < 6 * 1024
    (region,) = dscnn.report["region_details"]
    assert region["ops"] == list(range(12))
    assert (region["steps"], region["program_bytes"]) == (optimized["steps"], optimized["program_bytes"])
    assert region["program_bytes"] + region["program_constant_bytes"] < optimized["file_bytes"]


def test_what_is_counted_is_said(dscnn):
    for word in ("inputs", "outputs", "accumulators", "scratch", "tail", "stack"):
        assert word in dscnn.report["what_is_counted"]


def test_the_bottleneck_is_the_step_with_most_bytes_live(dscnn):
    live = live_bytes_per_step(dscnn.plan)
    bottleneck = dscnn.report["bottleneck"]
    assert bottleneck["live_bytes"] == max(live) == live[bottleneck["step"]]
    optimized = dscnn.report["optimized"]
    assert bottleneck["live_bytes"] == optimized["packing"]["live_lower_bound_bytes"] <= optimized["planned_head_bytes"]
    assert bottleneck["live_pieces"] == sum(held["pieces"] for held in bottleneck["live"])
    assert sum(held["bytes"] for held in bottleneck["live"]) >= bottleneck["live_bytes"]
    assert bottleneck["operator"].startswith("op ")


def test_without_verification_nothing_is_measured_and_the_bytes_are_the_same():
    verified, quick = (tflm_split.optimize(small_network(), verify=verify) for verify in (True, False))
    assert quick.model == verified.model
    assert quick.report["verified"] is None
    for part in ("original", "optimized"):
        for key, value in quick.report[part].items():
            assert (value is None) if key.startswith("measured_") else (value == verified.report[part][key])


@pytest.mark.parametrize("inputs", [1, 9])
def test_verification_says_on_how_many_inputs(inputs):
    report = tflm_split.optimize(small_network(), inputs=inputs).report
    assert report["verified"] == {
        "level": "tflm",
        "inputs": inputs,
        "bit_exact": True,
        "distinct_outputs": inputs,
        "inside": None,
        "assumed": [],
        "not_in_tflm_because": None,
    }


def test_a_goal_is_compared_with_the_arena_to_set_aside(dscnn):
    needed = dscnn.report["optimized"]["predicted_arm32_minimum_arena_bytes"]
    assert needed >= dscnn.report["optimized"]["predicted_arm32_arena_bytes"]
    assert dscnn.report["goal"] == {
        "max_arena_bytes": None,
        "met": True,
        "compared_with": "predicted_arm32_minimum_arena_bytes",
        "missing_bytes": 0,
    }
    small = tflm_split.optimize(small_network(), verify=False).report["optimized"]
    needed = small["predicted_arm32_minimum_arena_bytes"]
    for limit, met, missing in ((needed, True, 0), (needed - 1, False, 1)):
        goal = tflm_split.optimize(small_network(), verify=False, max_arena=limit).report["goal"]
        assert (goal["max_arena_bytes"], goal["met"], goal["missing_bytes"]) == (limit, met, missing)


def test_a_model_that_cannot_be_split_comes_back_unchanged_and_says_why():
    data = float_sine()
    result = tflm_split.optimize(data)
    report = result.report
    assert result.model == data
    assert result.plan is None
    assert report["kept_original"] == "no operator of it can be split"
    assert report["verified"]["bit_exact"] is True
    optimized = report["optimized"]
    assert (optimized["regions"], optimized["steps"], optimized["split_ops"], optimized["stock_ops"]) == (0, 0, 0, 1)
    assert optimized["measured_arena_bytes"] == report["original"]["measured_arena_bytes"]
    (refusal,) = report["refusals"]
    assert (refusal["op"], refusal["operator"], refusal["kind"]) == (0, "SIN", "operator")
    assert "has no form for that here" in refusal["reason"]
    assert report["bottleneck"]["live_bytes"] == 32


def test_a_changed_interface_is_recorded_with_scale_and_zero_point():
    data = float_network()
    before = read_model(data).graph
    result = tflm_split.optimize(data, int8_io=True)
    assert tflm_split.optimize(data).report["interface_changes"] == []
    for change, op, side in zip(result.report["interface_changes"], (0, -1), ("input", "output"), strict=True):
        operator = before.operators[op]
        inner = before.tensors[operator.outputs[0] if side == "input" else operator.inputs[0]]
        assert (change["side"], change["position"], change["dtype"]) == (side, 0, "INT8")
        assert (change["scale"],) == inner.quantization.scales
        assert (change["zero_point"],) == inner.quantization.zero_points
    graph = read_model(result.model).graph
    assert [graph.tensors[t].dtype for t in (*graph.inputs, *graph.outputs)] == ["INT8", "INT8"]


def test_the_summary_puts_the_arena_first(dscnn):
    needed = dscnn.report["optimized"]["predicted_arm32_minimum_arena_bytes"]
    first = summary(dscnn.report).splitlines()[0]
    assert first == f"digits_dscnn: {needed:,} B of arena on a Cortex-M instead of 22,688 B."


@pytest.mark.parametrize(("limit", "words"), [(64 * 1024, "fits into 65,536 B"), (512, "does NOT fit into 512 B")])
def test_the_summary_answers_whether_it_fits(limit, words):
    report = tflm_split.optimize(small_network(), verify=False, max_arena=limit).report
    assert words in summary(report).splitlines()[0]
