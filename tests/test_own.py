"""Without TFLM a model is verified against our own model of it: the same verdicts, and each report names its level."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from optimized import optimized
from split_stages import every_compilation
from tiny_models import Builder, Op, T, build_model

import tflm_split
from tflm_split import cli
from tflm_split.errors import ModelError, ProgramError, TflmUnavailable
from tflm_split.ir.graph import Model
from tflm_split.report.summary import summary
from tflm_split.tflite.edit import Edit
from tflm_split.tflite.reader import offline_offsets, read_model
from tflm_split.tflite.writer import write_model
from tflm_split.verify import tflm
from tflm_split.verify.compare import test_inputs as inputs_for
from tflm_split.verify.graph_oracle import KINDS
from tflm_split.verify.level import LEVELS, level_words
from tflm_split.verify.own import executor as executing
from tflm_split.verify.own import stand_in
from tflm_split.verify.own.compare import compare_without_tflm
from tflm_split.verify.own.machine import OwnMachine

ROOT = Path(__file__).resolve().parent.parent
MODELS = sorted((ROOT / "models").glob("*.tflite"))
OWN = "against tflm_split's own model of TFLM's arithmetic, not in TFLM"


@pytest.fixture
def without_tflm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tflm.SWITCH, "no")


def small(reverse: bool = False) -> Model:
    """Two convolutions; with `reverse`, a REVERSE_V2 after them, which stays stock and which the oracle does not know."""
    net = Builder((1, 12, 10, 3))
    last = net.conv(net.conv(net.input, 8, 3, 3), 2, 3, 3)
    return read_model(net.finish(net.reversed(last) if reverse else last))


def split_of(model: Model) -> Model:
    return read_model(next(iter(every_compilation(model.original))).optimized)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_own_model_and_tflm_agree(path: Path) -> None:
    """On a whole network the original gives TFLM's bytes, and the optimised file is found equal."""
    model, result = read_model(path), optimized(path)
    inputs = inputs_for(model.graph, 2, 3)
    machine = OwnMachine(model)
    outputs = tuple(machine.invoke(entry) for entry in inputs)
    assert not machine.assumed
    assert outputs == tflm.run_in_tflm(model.original, inputs).outputs
    verdict = compare_without_tflm(model, read_model(result.model), inputs)
    assert (verdict.bit_exact, verdict.level) == (True, "own_model")


def test_both_executors_give_the_same_bytes() -> None:
    model = small()
    split, inputs = split_of(model), inputs_for(model.graph, 2, 0)
    found = []
    for execute in (executing.executor(), executing.numpy_executor()):
        machine = OwnMachine(split, execute)
        found.append([machine.invoke(entry) for entry in inputs])
    assert found[0] == found[1] == [OwnMachine(model).invoke(entry) for entry in inputs]


def test_without_the_operator_tflm_runs_the_original_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wheel that was built without a compiler, where TFLM itself is installed."""
    monkeypatch.setattr(tflm, "LIBRARY_PATH", tmp_path / "none.so")
    report = tflm_split.optimize(small().original, effort="low").report
    assert report["verified"] is not None
    assert (report["verified"]["level"], report["verified"]["bit_exact"]) == ("own_model", True)
    assert report["verified"]["not_in_tflm_because"] == "TFLM_SPLIT was not built for it, for want of a C compiler"
    assert tflm.run_in_tflm(small().original, inputs_for(small().graph, 1, 0)).outputs


def test_a_streamed_model_takes_its_rows_in_calls(without_tflm: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the C executor, and by numpy."""
    net = Builder((1, 16, 10, 3))
    model = net.finish(net.conv(net.conv(net.input, 8, 3, 3), 2, 3, 3))
    for _ in range(2):
        report = tflm_split.optimize(model, stream_input=2, effort="low").report
        assert report["verified"] is not None
        assert (report["verified"]["level"], report["verified"]["bit_exact"]) == ("own_model", True)
        assert report["kept_original"] is None
        monkeypatch.setattr(executing, "native", lambda: None)


@pytest.mark.parametrize("reverse", [False, True], ids=["in_a_region", "before_a_stand_in"])
def test_a_plan_that_overwrites_something_gives_other_bytes(reverse: bool) -> None:
    """The output of the region is put where its input lies, or what the stock operator reads where nobody wrote it."""
    model = small(reverse=True) if reverse else small()
    split = split_of(model)
    offsets = offline_offsets(split)
    assert offsets is not None
    inputs = inputs_for(model.graph, 2, 0)
    assert compare_without_tflm(model, split, inputs).bit_exact
    if reverse:
        (stock,) = (op for op in split.graph.operators if op.kind == "REVERSE_V2")
        moved = dict(enumerate(offsets)) | {stock.outputs[0]: offsets[split.graph.inputs[0]] + 16}
        broken = replace(split, offline_plan=None)
        machine = OwnMachine(broken)
        assert machine.tensors.offsets == {}
        with pytest.raises(ModelError, match="no place in the file's offline plan"):
            machine.invoke(inputs[0])
        assert moved != dict(enumerate(offsets))
        return
    (region,) = split.graph.operators
    shifted = {t: o + (16 if t == region.outputs[0] else 0) for t, o in enumerate(offsets) if o >= 0}
    broken = write_model(split, Edit(offsets=shifted))
    with pytest.raises(ModelError, match="does not lie in the workspace where the program expects it"):
        compare_without_tflm(model, broken, inputs)


def test_a_wrong_address_is_found_by_the_values() -> None:
    """An ADD in TFLM's hands writes its result onto an operand that the next operator still needs."""
    tensors = [T((1, 16), scale=0.1) for _ in range(4)]
    operators = [Op("ADD", (0, 1), (2,)), Op("SUB", (2, 1), (3,))]
    model = read_model(build_model(tensors, operators, (0, 1), (3,)))
    inputs = inputs_for(model.graph, 3, 0)
    good = write_model(model, Edit(offsets={0: 0, 1: 16, 2: 0, 3: 32}))
    bad = write_model(model, Edit(offsets={0: 0, 1: 16, 2: 16, 3: 32}))
    assert compare_without_tflm(model, good, inputs).bit_exact
    verdict = compare_without_tflm(model, bad, inputs)
    assert verdict.bit_exact is False
    assert verdict.first_difference is not None
    assert "differs in" in verdict.first_difference


def test_a_stand_in_tells_its_inputs_apart_and_nothing_else() -> None:
    graph = small(reverse=True).graph
    op = next(op for op in graph.operators if op.kind == "REVERSE_V2")
    tensor = graph.tensors[op.outputs[0]]

    def value(*read: bytes, before: bytes = b"") -> bytes:
        return stand_in.made_up(graph, tensor, stand_in.fingerprint(op, b"", read, before)).tobytes()

    assert value(b"ab") == value(b"ab")
    assert len({value(b"ab"), value(b"a", b"b"), value(b"ac"), value(b"ab", before=b"x")}) == 4
    assert not stand_in.keeps_state(op)


def test_an_operator_with_state_remembers_what_it_read() -> None:
    """SVDF is a stand-in here; the same input twice gives two outputs, in original and copy alike."""
    tensors = [
        T((1, 4), scale=0.1),
        T((2, 4), scale=0.1, data=np.ones((2, 4), np.int8)),
        T((2, 3), "INT16", 0.1, data=np.ones((2, 3), np.int16)),
        T((1, 6), "INT16", 0.1),
        T((1, 2), scale=0.1),
    ]
    model = read_model(build_model(tensors, [Op("SVDF", (0, 1, 2, -1, 3), (4,), {"rank": 1})], (0, 3), (4,)))
    one, two = OwnMachine(model), OwnMachine(model)
    given = inputs_for(model.graph, 1, 0)[0]
    first, second = one.invoke(given), one.invoke(given)
    assert first != second
    assert [two.invoke(given), two.invoke(given)] == [first, second]


def test_where_a_split_operator_is_unknown_nothing_is_claimed(
    monkeypatch: pytest.MonkeyPatch, without_tflm: None
) -> None:
    from tflm_split.verify import graph_oracle

    known = {kind: how for kind, how in graph_oracle._EVALUATE.items() if kind != "CONV_2D"}
    monkeypatch.setattr(graph_oracle, "_EVALUATE", known)
    result = tflm_split.optimize(small().original)
    verified = result.report["verified"]
    assert verified is not None
    assert (verified["level"], verified["bit_exact"], verified["assumed"]) == ("replay", None, ["CONV_2D"])
    text = " ".join(summary(result.report).split())
    assert "Checked by replay only, not in TFLM (TFLM_SPLIT_TFLM=no)" in text
    assert "does not know CONV_2D" in text
    assert "erified" not in text


def test_record_and_text_name_the_level(without_tflm: None) -> None:
    result = tflm_split.optimize(small(reverse=True).original)
    assert result.report["tflm_version"] is None
    assert result.report["verified"] == {
        "inputs": 8,
        "bit_exact": True,
        "distinct_outputs": 8,
        "inside": None,
        "level": "own_model_in_part",
        "assumed": ["REVERSE_V2"],
        "not_in_tflm_because": "TFLM_SPLIT_TFLM=no",
    }
    assert result.report["optimized"]["measured_head_bytes"] is None
    text = " ".join(summary(result.report).split())
    assert f"Verified {OWN} (TFLM_SPLIT_TFLM=no), with REVERSE_V2 as an arbitrary function of what it reads" in text


def test_every_level_has_words_of_its_own() -> None:
    words = [level_words(level, "1.0", ("NEG",), "no wheel") for level in LEVELS]
    assert len(set(words)) == len(LEVELS)
    assert [w.startswith("in TFLM 1.0") for w in words] == [True, False, False, False]


def test_commands_verify_and_run_without_tflm(
    tmp_path: Path, without_tflm: None, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small()
    original, split, data, out = (tmp_path / n for n in ("a.tflite", "b.tflite", "in.npy", "out.npy"))
    original.write_bytes(model.original)
    split.write_bytes(split_of(model).original)
    np.save(data, inputs_for(model.graph, 1, 0)[0][0])
    assert _code(["verify", str(original), str(split)]) == 0
    assert f"Equal: every byte of 16 inputs, 16 different outputs, {OWN}" in capsys.readouterr().out
    assert _code(["run", str(split), "--input", str(data), "--output", str(out)]) == 0
    assert "not run in TFLM, but in tflm_split's own model of it" in capsys.readouterr().err
    (expected,) = OwnMachine(model).invoke([np.load(data)])
    assert np.load(out).tobytes() == expected


def test_run_refuses_what_only_tflm_knows(
    tmp_path: Path, without_tflm: None, capsys: pytest.CaptureFixture[str]
) -> None:
    model = small(reverse=True)
    path, data = tmp_path / "a.tflite", tmp_path / "in.npy"
    path.write_bytes(model.original)
    np.save(data, inputs_for(model.graph, 1, 0)[0][0])
    assert _code(["run", str(path), "--input", str(data), "--output", str(tmp_path / "out.npy")]) == 2
    assert "only TFLM can run REVERSE_V2" in capsys.readouterr().err
    assert not (tmp_path / "out.npy").exists()


def test_a_damaged_program_is_refused() -> None:
    execute = executing.executor()
    with pytest.raises(ProgramError, match="the program is refused"):
        execute(bytes(64), executing.aligned(64), executing.aligned(0))


def test_the_switch_is_named_where_tflm_is_asked_for(without_tflm: None) -> None:
    with pytest.raises(TflmUnavailable, match="TFLM_SPLIT_TFLM=no"):
        tflm.tflm_version()


def test_the_oracle_knows_all_that_is_split() -> None:
    from tflm_split.split.operators import RESHAPES, SPLITTERS

    made_by_a_rewrite = {"EMIT_ROWS", "FETCH_ROWS", "FILLED", "KEEP_STATE", "LSTM_STATES", "PICK", "RECUT"}
    made_by_a_rewrite |= {"SVDF_FEATURE", "SVDF_TIME", "TALL_CONV_2D"}
    assert (set(SPLITTERS) - made_by_a_rewrite) | RESHAPES <= set(KINDS)


def _code(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert isinstance(left.value.code, int)
    return left.value.code
