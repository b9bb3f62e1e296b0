"""Products of matrices, and reductions: which axes are summed away, and which stay?"""

from __future__ import annotations

from math import prod

import numpy as np

from tflm_split.ir.graph import ABSENT, Graph, Operator
from tflm_split.split.axes.loops import Axes, Follows, Loops
from tflm_split.split.axes.reshaped import reshaped
from tflm_split.split.operators.common import constant, need, operand


def fully_connected(graph: Graph, op: Operator, output: int) -> Loops:
    """FULLY_CONNECTED, weights [units, depth]: the last `depth` elements of the input are summed, the axes before stay.

    When these elements span several axes of the input, the outermost of them follows the sum in blocks.
    """
    source, weights, target = operand(graph, op, 0), operand(graph, op, 1), graph.tensors[op.outputs[output]]
    need(len(weights.shape) == 2 and len(target.shape) > 0, "geometry", "its weights are not 2-dimensional")
    units, depth = weights.shape
    outer, rank = target.shape[:-1], len(target.shape)
    need(
        target.shape[-1] == units and 0 < source.elements == prod(outer) * depth, "geometry", "its operands do not fit"
    )
    axes, torn = reshaped(source.shape, (*outer, depth))
    # The last loop of the reshaped input is the sum, which comes after the units.
    axes = tuple(Follows(rank, f.size, f.reach) if f is not None and f.loop == rank - 1 else f for f in axes)
    operands: dict[int, Axes] = {0: axes, 1: (Follows(rank - 1, units), Follows(rank, depth))}
    if len(op.inputs) > 2 and op.inputs[2] != ABSENT:
        operands[2] = (Follows(rank - 1, units),)
    return Loops(rank, (*target.shape, depth), operands, torn - {rank - 1})


def matrix_product(graph: Graph, op: Operator, output: int) -> Loops:
    """BATCH_MATMUL of [.., rows, sum] and [.., sum, columns]; options may transpose either. Batches are broadcast."""
    target, rank = graph.tensors[op.outputs[output]].shape, len(graph.tensors[op.outputs[output]].shape)
    need(rank >= 2, "rank", "its output is no matrix")
    row, column, summed = rank - 2, rank - 1, rank
    operands: dict[int, Axes] = {}
    depths: set[int] = set()
    for position, loops, option in ((0, (row, summed), "adj_x"), (1, (summed, column), "adj_y")):
        shape = operand(graph, op, position).shape
        need(2 <= len(shape) <= rank, "rank", f"its input {position} has {len(shape)} dimensions")
        turned = op.options.get(option)
        need(isinstance(turned, bool), "option", f"its option {option} is {turned!r}")
        matrix = loops[::-1] if turned else loops
        first = rank - len(shape)
        fits = all(size in (1, target[first + a]) for a, size in enumerate(shape[:-2]))
        need(fits, "broadcast", f"its input {position} has other batches")
        batches = (Follows(first + a, s) if s == target[first + a] else None for a, s in enumerate(shape[:-2]))
        axes = (*batches, *(Follows(loop, s) for loop, s in zip(matrix, shape[-2:], strict=True)))
        operands[position] = axes
        for loop, size in zip(matrix, shape[-2:], strict=True):
            need(loop == summed or target[loop] == size, "geometry", "its output does not fit its inputs")
            depths.update({size} if loop == summed else ())
    need(len(depths) == 1, "geometry", "its inputs do not fit each other")
    return Loops(rank, (*target, *depths), operands)


def reduced(graph: Graph, op: Operator, output: int) -> Loops:
    """MEAN and its kin: the axes that operand 1 names are summed away (or kept with one element); the others stay."""
    source, target = operand(graph, op, 0).shape, graph.tensors[op.outputs[output]].shape
    given = np.frombuffer(constant(graph, op, 1, "INT32").data or b"", "<i4").tolist()
    rank = len(source)
    need(all(-rank <= a < rank for a in given), "axes", f"it reduces axes {given} of {rank}")
    away = sorted({a % rank for a in given})
    kept = [a for a in range(rank) if a not in away]
    with_ones = tuple(1 if a in away else size for a, size in enumerate(source))
    need(target in (with_ones, tuple(source[a] for a in kept)), "geometry", "its output is not its input reduced")
    place = {a: a for a in kept} if target == with_ones else {a: k for k, a in enumerate(kept)}
    place.update({a: len(target) + k for k, a in enumerate(away)})
    axes = tuple(Follows(place[a], size) for a, size in enumerate(source))
    return Loops(len(target), (*target, *(source[a] for a in away)), {0: axes})
