"""Splitters and the table of connected axes agree on which input rows an output row needs."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from random_networks import networks
from tflite_helpers import CORPUS, needs_corpus

from tflm_split.ir.graph import Tensor
from tflm_split.search.base import rewritten_split
from tflm_split.split.axes.table import loops_of
from tflm_split.split.regions import Split, SplitOptions
from tflm_split.split.row_op import RowOp
from tflm_split.split.rows import row_shape, rows_run_along_width
from tflm_split.tflite.reader import read_model


def row_axis(tensor: Tensor) -> int | None:
    """The axis that rows are cut along. None when there are several, or none."""
    if len(tensor.shape) == 4:
        return 2 if rows_run_along_width(tensor) else 1
    outer = [a for a, size in enumerate(tensor.shape[:-1]) if size > 1]
    return outer[0] if len(outer) == 1 else None


def compared(split: Split, op: RowOp) -> int:
    """Compare the rows that `op` reads with the table. Returns how many were compared."""
    graph, operator = split.graph, split.graph.operators[op.source]
    if op.accumulates:
        return 0
    target = graph.tensors[op.output]
    loops, along = loops_of(graph, operator, operator.outputs.index(op.output)), row_axis(target)
    count = 0
    for read in op.reads:
        source = graph.tensors[read.tensor]
        axis = row_axis(source)
        position = operator.inputs.index(read.tensor)
        follows = loops.followed(position, axis) if axis is not None else None
        if follows is None or follows.loop != along or op.output_shape.rows == target.elements:
            continue
        if operator.inputs.count(read.tensor) > 1 or read.shape.rows != row_shape(source).rows:
            continue
        for row in range(op.output_shape.rows):
            needed = follows.indices(op.placement.first_row + row)
            read_rows = read.window.rows(row, read.shape.rows)
            assert list(read_rows) == list(needed), f"{graph.label(operator)} row {row}"
            count += 1
    return count


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks())
def test_random_networks(model: bytes) -> None:
    split = rewritten_split(read_model(model).graph, SplitOptions())
    for op in split.row_ops:
        compared(split, op)


@needs_corpus
@pytest.mark.parametrize("name", ["gen_bert_tiny", "gen_unet_96", "gd32_fastvit_192", "gen_mbv3s_035_96"])
def test_real_models(name: str) -> None:
    split = rewritten_split(read_model(CORPUS / "models" / f"{name}.tflite").graph, SplitOptions())
    rows = sum(op.output_shape.rows for op in split.row_ops if not op.accumulates)
    assert sum(compared(split, op) for op in split.row_ops) > rows // 2
