"""Multiply-accumulates by shape, for each kind that has any, and for the corpus."""

import csv

import pytest
from tflite_helpers import CORPUS, needs_corpus
from tiny_models import Builder

from tflm_split.analysis.macs import graph_macs, macs
from tflm_split.ir.graph import ABSENT, Graph, Operator, Tensor
from tflm_split.tflite.reader import read_model


def one_op(kind, inputs, output, **options):
    """Multiply-accumulates of one operator with operands of these shapes."""
    tensors = tuple(Tensor(i, "", shape, "INT8") for i, shape in enumerate([*inputs, output]))
    op = Operator(0, kind, tuple(range(len(inputs))), (len(inputs),), options)
    return macs(Graph("g", tensors, (op,), (0,), (len(inputs),)), op)


def test_a_convolution_applies_every_weight_at_every_output_pixel():
    assert one_op("CONV_2D", [(1, 9, 9, 4), (8, 3, 3, 4), (8,)], (1, 5, 5, 8)) == 25 * 8 * 9 * 4


def test_a_grouped_convolution_reads_only_its_groups_channels():
    assert one_op("CONV_2D", [(1, 9, 9, 4), (8, 3, 3, 2)], (1, 5, 5, 8)) == 25 * 8 * 9 * 2


def test_a_depthwise_convolution_applies_one_kernel_per_output_channel():
    assert one_op("DEPTHWISE_CONV_2D", [(1, 9, 9, 4), (1, 3, 3, 8)], (1, 5, 5, 8)) == 25 * 8 * 9


def test_a_transposed_convolution_applies_every_weight_at_every_input_pixel():
    assert one_op("TRANSPOSE_CONV", [(4,), (8, 2, 2, 4), (1, 5, 5, 4)], (1, 10, 10, 8)) == 25 * 4 * 4 * 8


def test_fully_connected_and_its_batch():
    assert one_op("FULLY_CONNECTED", [(3, 7), (5, 7)], (3, 5)) == 3 * 5 * 7


@pytest.mark.parametrize(("first", "adj_x"), [((2, 3, 7), False), ((2, 7, 3), True)])
def test_batch_matmul_counts_the_inner_dimension_whichever_side_it_is_on(first, adj_x):
    assert one_op("BATCH_MATMUL", [first, (2, 7, 5)], (2, 3, 5), adj_x=adj_x) == 2 * 3 * 5 * 7


def test_svdf_counts_features_and_time():
    assert one_op("SVDF", [(1, 6), (8, 6), (8, 10)], (1, 4)) == 8 * 6 + 8 * 10


@pytest.mark.parametrize("kind", ["ADD", "MUL", "MEAN", "SOFTMAX", "AVERAGE_POOL_2D", "RESHAPE", "CUSTOM:anything"])
def test_what_has_no_weights_counts_nothing(kind):
    assert one_op(kind, [(1, 4, 4, 4), (1, 4, 4, 4)], (1, 4, 4, 4)) == 0


def test_an_operator_tflm_would_refuse_counts_nothing():
    assert one_op("CONV_2D", [(1, 4, 4, 4)], (1, 4, 4, 4)) == 0
    tensors = (Tensor(0, "", (1, 4), "INT8"), Tensor(1, "", (1, 4), "INT8"))
    op = Operator(0, "FULLY_CONNECTED", (0, ABSENT), (1,))
    assert macs(Graph("g", tensors, (op,), (0,), (1,)), op) == 0


def test_a_networks_macs_are_its_operators():
    b = Builder((1, 8, 8, 3))
    b.dense(b.pool(b.depthwise(b.conv(b.input, 4)), 8, 8), 10)
    assert graph_macs(read_model(b.finish()).graph) == 64 * 4 * 27 + 64 * 4 * 9 + 10 * 4


@needs_corpus
def test_the_corpus_index_counts_the_same():
    with open(CORPUS / "index.tsv") as file:
        stated = {r["name"]: int(r["macs"]) for r in csv.DictReader(file, delimiter="\t") if r["macs"]}
    assert {name: graph_macs(read_model(CORPUS / "models" / f"{name}.tflite").graph) for name in stated} == stated
    assert len(stated) == 27
