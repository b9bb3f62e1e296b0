"""Which axes stay together when a tensor is reshaped, its elements keeping their order?"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from tflm_split.split.axes.loops import IN_STEP, Axes, Follows, Reach, in_blocks

Shape = tuple[int, ...]


def reshaped(source: Shape, target: Shape) -> tuple[Axes, frozenset[int]]:
    """(which axis of the target each axis of the source follows, which axes of the target are torn).

    Axes are matched in the shortest runs of equal product:

        source  [ 4 ][ 6   2 ][ 5 ]        4 follows 4, 5 follows 5,
        target  [ 4 ][ 3   4 ][ 5 ]        and in the run 6 x 2 = 3 x 4 only the outermost may: 6 in blocks of 2 per 3

    In a run of several axes the outermost axis of each side belong together if one's elements are whole blocks of the
    other's. The inner axes of the run are lost.
    """
    axes: list[Follows | None] = [None] * len(source)
    torn: set[int] = set()
    for inner, outer in _runs(source, target):
        torn.update(outer[1:])
        if not inner or not outer:
            continue
        i, o = inner[0], outer[0]
        reach = _outermost(prod(source[a] for a in inner[1:]), prod(target[a] for a in outer[1:]))
        if reach is None:
            torn.add(o)
        else:
            axes[i] = Follows(o, source[i], reach)
    return tuple(axes), frozenset(torn)


def _outermost(source_block: int, target_block: int) -> Reach | None:
    """How the outermost axes of a run meet, by the elements that one index of each spans; None when they do not."""
    if source_block == target_block:
        return IN_STEP
    if source_block % target_block == 0:
        return in_blocks(source_block // target_block, 1)
    if target_block % source_block == 0:
        return in_blocks(1, target_block // source_block)
    return None


def _runs(source: Shape, target: Shape) -> Iterator[tuple[list[int], list[int]]]:
    """The shortest runs of axes (source, target) of equal product. Axes of one element are left out."""
    sides = [[a for a, size in enumerate(shape) if size > 1] for shape in (source, target)]
    while sides[0] or sides[1]:
        inner, outer = [sides[0].pop(0)], [sides[1].pop(0)]
        sizes = [source[inner[0]], target[outer[0]]]
        while sizes[0] != sizes[1]:
            if sizes[0] < sizes[1]:
                inner.append(sides[0].pop(0))
                sizes[0] *= source[inner[-1]]
            else:
                outer.append(sides[1].pop(0))
                sizes[1] *= target[outer[-1]]
        yield inner, outer
