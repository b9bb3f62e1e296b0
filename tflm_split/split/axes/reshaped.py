"""Which axes stay together when a tensor's elements, in their order, get another shape?"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from tflm_split.split.axes.loops import IN_STEP, Axes, Follows, Reach, in_blocks

Shape = tuple[int, ...]


def reshaped(source: Shape, target: Shape) -> tuple[Axes, frozenset[int]]:
    """What the source's axes follow of the target's, and which of the target's axes are torn.

    Axes are matched by runs of equal product. In a run of several axes the outermost of each side belong
    together, if one's elements are whole blocks of the other's; those within are lost.
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
    """Elements of one index of either outermost axis -> how they meet."""
    if source_block == target_block:
        return IN_STEP
    if source_block % target_block == 0:
        return in_blocks(source_block // target_block, 1)
    if target_block % source_block == 0:
        return in_blocks(1, target_block // source_block)
    return None


def _runs(source: Shape, target: Shape) -> Iterator[tuple[list[int], list[int]]]:
    """The shortest runs of axes of both sides that hold the same elements; axes of one element are left out."""
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
