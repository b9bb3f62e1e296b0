"""Attention streams: scores and hidden layers are never whole in memory. The tests look at the programs themselves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from split_stages import every_compilation, planned, scheduled
from tflite_helpers import CORPUS, needs_corpus
from tflm_server import TflmServer
from tiny_models import Builder

import tflm_split
from tflm_split.kinds import OpKind
from tflm_split.program.decode import decode
from tflm_split.program.format import CUSTOM_CODE
from tflm_split.program.types import Program
from tflm_split.schedule.cuts import best_cuts
from tflm_split.schedule.step_builder import build_step_graph
from tflm_split.search.base import rewritten_split
from tflm_split.split.attention import attention_scores
from tflm_split.split.regions import SplitOptions
from tflm_split.tflite.reader import read_model

ROW_BY_ROW = (OpKind.CONV, OpKind.LUT, OpKind.MUL, OpKind.SOFTMAX, OpKind.BATCH_MATMUL)
"""Kinds that may stand between: each reads the row of its own token only."""


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def head(b: Builder, x: int, width: int, *, fused: bool = False) -> int:
    """One head of attention over the tokens x[T, C]."""
    q, k, v = (b.dense(x, width, activation="RELU6" if fused else "NONE") for _ in range(3))
    scores = b.add(b.matmul(q, k, transposed=True), b.quantized_constant(()), kind="MUL")
    return b.matmul(b.softmax(scores), v)


def transformer(tokens: int, width: int, heads: int, hidden: int, seed: int = 0) -> bytes:
    """A transformer layer: attention with its projection, then a feed-forward network, each added to its input."""
    b = Builder((tokens, width), seed=seed)
    x = b.dense(b.input, width)
    parts = [head(b, x, max(width // heads, 1)) for _ in range(heads)]
    x = b.add(x, b.dense(b.concat(parts, 1) if heads > 1 else parts[0], width))
    return b.finish(b.add(x, b.dense(b.dense(x, hidden, activation="RELU"), width)))


def programs(model: bytes) -> list[Program]:
    """The programs of the file's TFLM_SPLIT operators."""
    graph = read_model(model).graph
    split = [op for op in graph.operators if op.kind == f"CUSTOM:{CUSTOM_CODE}"]
    return [decode(graph.tensors[op.inputs[-1]].data or b"") for op in split]


def most_rows_alive(program: Program, storage: int) -> int:
    """The most rows of a storage that are live at once: written, and still to be read."""
    written: dict[int, int] = {}
    last_read: dict[int, int] = {}
    for at, step in enumerate(program.steps):
        op = program.ops[step.op]
        output, source = program.views[op.output], program.views[op.input]
        if source.storage == storage:
            assert op.kind in ROW_BY_ROW
            assert source.row_count == output.row_count
            last_read[source.first_row + step.row] = at
        if output.storage == storage:
            written.setdefault(output.first_row + step.row, at)
        assert op.input2 is None or program.views[op.input2].storage != storage
    assert written.keys() == last_read.keys()
    return max(sum(first < at <= last_read[row] for row, first in written.items()) for at in last_read.values())


def scores_of(program: Program) -> dict[int, int]:
    """Storage -> its rows, for all storages between one BATCH_MATMUL and the left operand of another."""
    readers = {program.views[op.input].storage: op for op in program.ops}
    found: dict[int, int] = {}
    for op in program.ops:
        path: dict[int, int] = {}
        while (op.kind is OpKind.BATCH_MATMUL and op.params["transposed"]) or path:
            view = program.views[op.output]
            path[view.storage] = view.row_count
            op = readers[view.storage]
            if op.kind is OpKind.BATCH_MATMUL:
                found |= path
                break
    return found


def hidden_of(program: Program, units: int) -> dict[int, int]:
    """Storage -> its rows, for outputs of fully connected layers with `units` units."""
    views = [program.views[op.output] for op in program.ops if op.kind is OpKind.CONV]
    return {view.storage: view.row_count for view in views if view.channel_count == units}


@needs_corpus
def test_bert_never_has_its_scores_or_hidden_layers_whole() -> None:
    result = tflm_split.optimize(CORPUS / "models" / "gen_bert_tiny.tflite", effort="low")
    optimized = result.report["optimized"]
    assert result.report["verified"]["bit_exact"] is True
    assert optimized["measured_head_bytes"] == optimized["planned_head_bytes"] <= 14_600
    assert (optimized["regions"], optimized["stock_ops"]) == (1, 0)
    (program,) = programs(result.model)
    scores, hidden = scores_of(program), hidden_of(program, 256)
    assert len(scores) == 4 * 3  # four heads; scores, scaled, as weights
    assert len(hidden) == 2
    assert set((scores | hidden).values()) == {64}
    assert [most_rows_alive(program, storage) for storage in (*scores, *hidden)] == [1] * 14


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 12), st.sampled_from([4, 6, 8]), st.sampled_from([1, 2]), st.integers(0, 999))
def test_a_transformer_of_any_size(tflm: TflmServer, tokens: int, width: int, heads: int, seed: int) -> None:
    model = transformer(tokens, width, heads, 3 * width, seed)
    rng = np.random.default_rng(seed)
    inputs = [[rng.integers(-128, 128, (tokens, width)).astype(np.int8)] for _ in range(3)]
    original = tflm.run(model, inputs)
    for c in every_compilation(model):
        assert not c.plan.split.stock
        optimized = tflm.run(c.optimized, inputs)
        assert optimized.outputs == original.outputs
        assert optimized.measured_head_bytes == c.plan.planned_head_bytes


def test_the_scores_of_each_head_are_found() -> None:
    split = rewritten_split(read_model(transformer(5, 8, 2, 16)).graph, SplitOptions())
    kinds = [
        op.kind
        for op in split.graph.operators
        for t in op.outputs
        if split.storages.storage_of[t] in attention_scores(split)
    ]
    assert kinds == ["BATCH_MATMUL", "MUL", "SOFTMAX"] * 2


def test_what_is_read_twice_or_leaves_the_model_is_no_score() -> None:
    for with_output in (False, True):
        b = Builder((5, 8))
        scores = b.softmax(b.matmul(b.input, b.dense(b.input, 8), transposed=True))
        attended = b.matmul(scores, b.dense(b.input, 8))
        outputs = (attended, scores) if with_output else (attended, b.unary("ABS", scores))
        split = rewritten_split(read_model(b.finish(*outputs)).graph, SplitOptions())
        assert not attention_scores(split)


def test_what_lies_between_two_products_with_weights_is_no_score() -> None:
    b = Builder((5, 8))
    hidden = b.matmul(b.input, b.quantized_constant((8, 12)))
    model = b.finish(b.matmul(b.unary("LOGISTIC", hidden), b.quantized_constant((12, 6))))
    assert not attention_scores(rewritten_split(read_model(model).graph, SplitOptions()))


def test_no_cut_makes_streamed_scores_whole() -> None:
    """Many tokens and narrow heads: layer by layer the scores would be half of everything."""
    graph = read_model(transformer(24, 8, 2, 32)).graph
    split = rewritten_split(graph, SplitOptions())
    step_graph, free = scheduled(split)
    schedule = best_cuts(step_graph, free.nodes, split.stock, attention_scores(split))
    for cut in schedule.cuts:
        before = {t for n in schedule.nodes[:cut] for t in split.graph.operators[n].outputs}
        after = {t for n in schedule.nodes[cut:] for t in split.graph.operators[n].inputs}
        assert not {split.storages.storage_of[t] for t in before & after} & attention_scores(split)
    assert schedule.live_peak_bytes >= free.live_peak_bytes


def test_scores_may_be_whole_where_nothing_else_is_possible() -> None:
    """A stock operator between scores and values takes them whole."""
    graph = read_model(transformer(6, 8, 1, 16)).graph
    split = rewritten_split(graph, SplitOptions())
    step_graph = build_step_graph(split)
    nodes = range(len(split.graph.operators))
    everything = frozenset(storage.index for storage in split.storages.storages)
    stock = frozenset(nodes)
    assert best_cuts(step_graph, nodes, stock, everything) == best_cuts(step_graph, nodes, stock)


def test_the_plan_of_an_encoder_is_far_below_its_scores() -> None:
    tokens = 48
    plan = planned(read_model(transformer(tokens, 8, 1, 16)).graph)
    assert plan.planned_head_bytes < tokens * tokens
