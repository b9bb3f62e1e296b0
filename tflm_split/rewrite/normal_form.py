"""In which form is a graph easiest to split? All exact rewrites that every model goes through, in their order.

Each rule is a small file. An operator that rewriting made is only kept if it can be split.
"""

from __future__ import annotations

from tflm_split.ir.graph import Graph
from tflm_split.rewrite.batches import batches, joined_slices
from tflm_split.rewrite.dilation import dilation
from tflm_split.rewrite.drop_dead import drop_dead
from tflm_split.rewrite.fold_pad import fold_pad
from tflm_split.rewrite.fold_signals import folded_signals
from tflm_split.rewrite.fold_stride import fold_stride
from tflm_split.rewrite.fuse_byte_functions import fuse_byte_functions
from tflm_split.rewrite.int4_weights import int4_weights
from tflm_split.rewrite.moved_elements import moved_elements
from tflm_split.rewrite.moved_joint import moved_joint
from tflm_split.rewrite.pad_behind_reshape import pad_behind_reshape
from tflm_split.rewrite.patch import Accept, Rule, rewritten
from tflm_split.rewrite.reductions import reductions
from tflm_split.rewrite.rows_alike import rows_alike
from tflm_split.rewrite.sink_transposes import sink_transposes
from tflm_split.rewrite.swap_axes import swapped_axes
from tflm_split.rewrite.tall_windows import tall_windows

RULES: tuple[Rule, ...] = (
    int4_weights,
    dilation,
    batches,
    joined_slices,
    sink_transposes,
    moved_elements,
    moved_joint,
    reductions,
    pad_behind_reshape,
    fold_stride,
    tall_windows,
)


def normal_form(graph: Graph, accept: Accept, swap_axes: int = 0, samples: int = 0) -> Graph:
    """`graph` in its normal form. Every operator that is new satisfies `accept`.

    `swap_axes`: also exchange height and width where that lets an operator be cut, in so many tiles (`swap_axes.py`).
    `samples`: so many samples of the longest signal make a row (`fold_signals.py`).
    """
    graph = drop_dead(graph)
    if swap_axes:
        graph = swapped_axes(rewritten(graph, int4_weights, accept), accept, swap_axes)
    for rule in RULES:
        graph = rewritten(graph, rule, accept)
    graph = fuse_byte_functions(fold_pad(graph, accept), accept)
    if samples:
        graph = folded_signals(graph, accept, samples)
    return rewritten(graph, rows_alike, accept)
