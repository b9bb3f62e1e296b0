"""What would the same model cost without splitting into rows? Each operator runs whole, on the same executor and kernels.

The price of splitting is measured against this: instructions of the row-by-row order over those of the layer-wise order.
"""

from __future__ import annotations

import os

from tflm_split.errors import InputError
from tflm_split.lower.assemble import lower
from tflm_split.lower.compile import compile_schedule
from tflm_split.rewrite.integer_interface import strip_float_interface
from tflm_split.rewrite.states import with_states
from tflm_split.schedule.cuts import Schedule
from tflm_split.schedule.lives import lives
from tflm_split.schedule.orders import tuck_aliases
from tflm_split.schedule.step_builder import build_step_graph
from tflm_split.schedule.step_graph import StepGraph
from tflm_split.schedule.streaming import streaming_order
from tflm_split.search.base import rewritten_split
from tflm_split.split.regions import Split, SplitOptions
from tflm_split.tflite.reader import read_model

_EFFORT = 5


def layer_wise_model(source: os.PathLike[str] | str | bytes, *, int8_io: bool = False) -> bytes:
    """The model at `source` (a path, or its bytes), split so that each operator makes all its rows before the next starts.

    `int8_io` strips float conversions from its interface. Raises InputError when nothing of it can be a program.
    """
    model = read_model(source)
    graph = strip_float_interface(model.graph)[0] if int8_io else model.graph
    split = rewritten_split(with_states(graph, model.other_graphs), SplitOptions())
    if not split.row_ops:
        raise InputError(f"{model.name}: no operator of it can be split")
    step_graph = build_step_graph(split)
    plan = compile_schedule(split, step_graph, layer_wise_schedule(split, step_graph), _EFFORT)
    return lower(model, plan).model.original


def layer_wise_schedule(split: Split, step_graph: StepGraph) -> Schedule:
    """The schedule of `split` in the file's own order of operators, each of them whole."""
    nodes = tuck_aliases(split, [op.index for op in split.graph.operators])
    steps = tuple(s for n in nodes for s in streaming_order(step_graph, [n]))
    return Schedule(nodes, tuple(range(len(nodes))), steps, _live_peak_bytes(step_graph, steps))


def _live_peak_bytes(step_graph: StepGraph, steps: tuple[int, ...]) -> int:
    """The most bytes of pieces that are live at any step, when no step works in place."""
    change = [0] * (len(steps) + 1)
    for piece, (start, stop) in lives(step_graph, steps).items():
        change[start] += step_graph.pieces[piece].bytes
        change[stop] -= step_graph.pieces[piece].bytes
    live = peak = 0
    for delta in change:
        live += delta
        peak = max(peak, live)
    return peak
