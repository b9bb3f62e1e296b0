"""A convolution whose window has more rows than a step can read at once, in parts. No file holds such an operator.

Each part reads some rows of the window and adds to int32 sums of the output row, which are requantised once:

    window of 64 rows    # # # .. # | # # # .. #        the sums of an output row
    first part           32 rows  ------------------>   bias + products
    last part                         32 rows  ----->   + products, requantised: the output row

Sums of integers do not mind the order, so this is exact. `rewrite/tall_windows.py` makes these operators.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tflm_split.ir.graph import Graph, Operator
from tflm_split.kinds import OpKind, WeightFlags
from tflm_split.kinds.limits import MAX_WINDOW_ROWS
from tflm_split.split.operators.common import activation, constant, need, result
from tflm_split.split.operators.convolution import Geometry, conv_geometry, requantized, without_dead_channels
from tflm_split.split.operators.window import sliding_window
from tflm_split.split.row_op import Read, RowOp

TALL_CONV = "TALL_CONV_2D"
"""A CONV_2D with one more output: the sums, int32 in the shape of the output, which nobody else reads."""


def split_tall_convolution(graph: Graph, op: Operator) -> tuple[RowOp, ...]:
    """One row op per part of the window. Raises Refusal for a convolution in groups, or what no convolution can be."""
    need(len(op.outputs) == 2, "arity", "it has no sums")
    source, sums = activation(graph, op, 0, "INT8"), graph.tensors[op.outputs[1]]
    target, weights = result(graph, replace(op, outputs=op.outputs[:1]), "INT8"), constant(graph, op, 1, "INT8")
    kernel = np.frombuffer(weights.data or b"", np.int8).reshape(weights.shape)
    need(len(weights.shape) == 4 and weights.shape[3] == source.shape[-1], "groups", "it is tall, and in groups")
    window = sliding_window(op, source, target, (weights.shape[1], weights.shape[2]), dilated=True)
    geometry = conv_geometry(op, source, target, weights, tall=True)
    fields = requantized(graph, op, weights, 0, kernel.astype(np.int64).sum(axis=(1, 2, 3)), source, target)
    kernel, fields = without_dead_channels(kernel, 0, fields)
    by_rows = geometry.turn(kernel)
    rows_of_sums = replace(window.target, element_bytes=4)
    parts = []
    for first, stop in _parts(window.rows.kernel):
        rows = replace(window.rows, kernel=stop - first, pad=window.rows.pad - first * window.rows.dilation)
        part = replace(window, rows=rows)
        last = stop == window.rows.kernel
        flags = int(WeightFlags.PER_CHANNEL) | (0 if first else int(WeightFlags.FIRST))
        parts.append(
            RowOp(
                op.index,
                OpKind.CONV_SUM_LAST if last else OpKind.CONV_SUM,
                (Read(source.index, part.source, part.row_window),),
                target.index if last else sums.index,
                window.target if last else rows_of_sums,
                {
                    **part.params(),
                    "groups": 1,
                    **fields,
                    "weights_offset": by_rows[:, first:stop].tobytes(),
                    "flags": flags,
                },
                macs_per_step=_macs(geometry, window.rows.kernel, stop - first),
                sums=sums.index if first else None,
            )
        )
    return tuple(parts)


def _parts(rows: int) -> Iterator[tuple[int, int]]:
    """The (first, stop) rows of each part of a window: as few parts as can be, of about as many rows each."""
    count = -(-rows // MAX_WINDOW_ROWS)
    for k in range(count):
        yield rows * k // count, rows * (k + 1) // count


def _macs(geometry: Geometry, rows: int, some: int) -> int:
    return geometry.macs_per_row // rows * some
