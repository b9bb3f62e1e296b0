"""Every refusal says what can be done, or that nothing can."""

from __future__ import annotations

import re
from pathlib import Path

from random_networks import Network
from tiny_models import Builder

import tflm_split
from tflm_split.report.advice import BY_KIND, BY_OPERATOR, advice
from tflm_split.report.inspection import inspect_model, inspection_text
from tflm_split.report.summary import bottleneck_sentence, summary
from tflm_split.split.operators.stock import STOCK_REASONS

PACKAGE = Path(tflm_split.__file__).parent


def test_every_kind_of_refusal_in_the_sources_has_its_advice() -> None:
    found = {word for path in PACKAGE.rglob("*.py") for word in re.findall(r'Refusal\(\s*"([a-z]+)"', path.read_text())}
    assert len(found) > 10
    assert found - BY_KIND.keys() <= {"library"}


def test_operators_without_a_form_say_what_to_do_instead() -> None:
    assert "unroll=True" in advice("WHILE", "operator")
    assert "nothing can be done" in advice("CUMSUM", "operator")
    assert "batch to 1" in advice("CONV_2D", "batch")
    assert advice("CONV_2D", "of a kind to come") == advice("CUMSUM", "operator")
    assert BY_OPERATOR.keys() <= STOCK_REASONS.keys()


def batch_of_two() -> bytes:
    b = Builder((2, 6, 6, 2))
    return b.finish(b.reversed(b.reversed(b.input)))


def test_the_summary_and_the_record_pass_the_advice_on() -> None:
    result = tflm_split.optimize(batch_of_two(), verify=False)
    assert all(refusal["advice"] for refusal in result.report["refusals"])
    assert "(nothing can be done about it; TFLM runs it as before)" in " ".join(summary(result.report).split())


def test_a_model_that_nobody_ran_says_so() -> None:
    result = tflm_split.optimize(batch_of_two(), verify=False)
    assert "nobody has compared outputs" in summary(result.report)


def test_few_different_outputs_and_an_unknown_arena_are_warnings() -> None:
    record = dict(tflm_split.optimize(batch_of_two(), verify=False).report)
    record["verified"] = {"inputs": 8, "bit_exact": True, "distinct_outputs": 1}
    record["verified"] |= {"level": "tflm", "assumed": [], "not_in_tflm_because": None, "inside": None}
    record["original"] = record["original"] | dict.fromkeys(
        ("measured_head_bytes", "measured_tail_bytes", "measured_arena_bytes"), 0
    )
    record["optimized"] = {
        **record["optimized"],
        **record["original"],
        "prediction_unknown": ["CUSTOM:Mine", "subgraphs"],
    }
    text = " ".join(summary(record).split())
    assert "Warning: 8 inputs gave only 1 different output, so equal bytes prove little; --inputs FILE.npz" in text
    assert "Warning: the arena of Mine, other subgraphs is not known: in the predictions they count" in text


def test_a_bottleneck_without_bytes_is_a_sentence() -> None:
    empty = {"step": 0, "operator": "op 0 CALL_ONCE ''", "row": 0, "live_bytes": 0, "live_pieces": 0, "live": []}
    assert bottleneck_sentence(empty) == "No step keeps anything in memory."


def test_inspect_and_optimize_count_the_same_operators(tmp_path: Path) -> None:
    n = Network((1, 6, 5, 2))
    features = n.conv(n.pad(n.input, [(0, 0), (1, 1), (1, 1), (0, 0)]), 3, padding="VALID")
    model = n.finish(n.reversed(n.dense(n.shaped_by(features, (1, 90), n.batch_shape(features, (90,))), 4)))
    path = tmp_path / "model.tflite"
    path.write_bytes(model)
    record, operators = inspect_model(path)
    found = tflm_split.optimize(model, verify=False).report["optimized"]
    text = inspection_text(record, operators)
    assert f"{found['split_ops']} of 8 operators can be split, 1 stays stock, 3 do nothing at run time." in text
    assert found["stock_ops"] == 1


def test_inspect_says_what_can_be_done_each_reason_once(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(batch_of_two())
    text = inspection_text(*inspect_model(path))
    assert "0 of 2 operators can be split, 2 stay stock." in text
    assert text.count("nothing can be done about it") == 1
    assert "firmware runs it as before" in advice("CUSTOM:Mine", "operator")


def test_inspect_shows_the_way_to_split_that_leaves_the_fewest_operators_stock() -> None:
    """Here with height and width swapped: a window of the whole height makes one row of columns."""
    b = Builder((1, 16, 24, 1))
    made = b.conv(b.conv(b.conv(b.input, 4, 3, 3), 6, 16, 1, padding="VALID"), 5, 1, 3)
    model = b.finish(made)
    report = tflm_split.optimize(model, verify=False, effort=0).report
    assert report["optimized"]["split_ops"] == 3
    assert "3 of 3 operators can be split, 0 stay stock." in str(tflm_split.inspect(model))
