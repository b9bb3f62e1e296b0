"""The table of operators that `inspect` prints."""

from dataclasses import replace

import pytest
from tflite_helpers import CORPUS, needs_corpus
from tiny_models import Builder

from tflm_split.analysis.liveness import live_peak_bytes
from tflm_split.analysis.macs import graph_macs
from tflm_split.analysis.occupancy import OperatorRow, format_table, operator_table
from tflm_split.split.regions import split_graph
from tflm_split.tflite.reader import read_model

NEG_REASON = "TFLM has it for float32 only, and it has no form for that here"


def table_of(data):
    return operator_table(split_graph(read_model(data).graph))


def network():
    """Convolution, a NEG that cannot be cut, convolution, mean, reshape, dense layer."""
    b = Builder((1, 6, 6, 3))
    x = b.conv(b.unary("NEG", b.conv(b.input, 4)), 8, stride=2)
    return b.finish(b.dense(b.reshape(b.mean(x, keep_dims=True), (1, 8)), 5))


def test_each_operator_tells_its_size_and_its_treatment():
    conv, neg, second, mean, reshape, dense = table_of(network())
    assert conv == OperatorRow(0, (0,), "CONV_2D", (1, 6, 6, 4), 144 * 27, 108 + 144, "rows: 6")
    assert (neg.treatment, neg.reason) == ("stock", NEG_REASON)
    assert (second.output_shape, second.macs, second.live_bytes) == ((1, 3, 3, 8), 72 * 36, 144 + 72)
    assert second.treatment == "rows: 3"
    assert (mean.kind, mean.macs, mean.treatment) == ("MEAN", 0, "rows: 3"), "it takes three rows of its input"
    assert (reshape.treatment, reshape.reason) == ("free", "")
    assert (dense.macs, dense.live_bytes, dense.treatment) == (40, 13, "rows: 1")


def test_a_reshape_between_stock_operators_is_stock_and_says_why():
    b = Builder((1, 6, 6, 3))
    b.unary("NEG", b.reshape(b.unary("NEG", b.input), (1, 108)))
    _, reshape, _ = table_of(b.finish())
    assert (reshape.treatment, reshape.reason) == ("stock", "neither side of it is inside a region")


def test_the_text_marks_the_peak_and_gives_the_reason():
    rows = table_of(network())[:3]
    assert format_table(rows) == (
        "op  kind     output    MACs  live bytes  split\n"
        "0   CONV_2D  1x6x6x4  3,888         252  rows: 6\n"
        f"1   NEG      1x6x6x4      0         288  stock    peak; {NEG_REASON}\n"
        "2   CONV_2D  1x3x3x8  2,592         216  rows: 3"
    )


def test_a_folded_operator_names_all_it_came_from():
    row = replace(table_of(network())[0], source=(0, 1))
    assert format_table([row]).splitlines()[1].startswith("0+1  CONV_2D")
    assert format_table([]) == "op  kind  output  MACs  live bytes  split"


@needs_corpus
@pytest.mark.parametrize("path", sorted((CORPUS / "models").glob("*.tflite")), ids=lambda path: path.stem)
def test_the_table_of_a_real_model_adds_up(path):
    graph = read_model(path).graph
    split = split_graph(graph)
    rows = operator_table(split)
    assert [row.index for row in rows] == list(range(len(graph.operators)))
    assert sum(row.macs for row in rows) == graph_macs(graph)
    assert max(row.live_bytes for row in rows) == live_peak_bytes(graph)
    assert {row.index for row in rows if row.treatment == "stock"} == split.stock
    assert {row.index for row in rows if row.treatment == "free"} == split.aliased
    assert all(row.reason for row in rows if row.treatment == "stock")
    assert not any(row.reason for row in rows if row.treatment != "stock")
    assert len(format_table(rows).splitlines()) == len(rows) + 1
