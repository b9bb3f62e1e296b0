"""Which tensors can be cut along a common axis, and where does that end?

From an axis of a tensor, the stretch spreads to whatever follows that axis or is followed by it, through windows too. Its
tensors are cut into the same parts, and a part of all of them can be made, used and forgotten before the next: so nothing
in a stretch may need, directly or by way of others, a whole tensor that the stretch makes. What does is after the stretch;
what is needed whole itself, before it. The queries and scores of attention are a stretch along the queries, keys and
values lie before it, because every query needs all of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tflm_split.ir.graph import ABSENT, Graph
from tflm_split.split.axes.loops import Loops, Relation
from tflm_split.split.axes.table import loops_of


@dataclass(frozen=True, slots=True)
class Link:
    """Operator `operator` makes `made` of `read`: what their axes are to each other; `axis`, of the one not asked about.

    `summed`: of a reduction, whether parts can be taken in one after the other.
    """

    operator: int
    read: int
    made: int
    relation: Relation
    axis: int = -1
    halo: int = 0
    summed: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """`axes`: tensor -> the axis it is cut along; they are made or read by the stretch, and in it never needed whole.

    `windows`: links inside with windows, that may overlap. `starts`: links from what lies before it, or is needed whole;
    `ends`: links to what lies after it. Beside these it ends at the model's own inputs and outputs, and at constants.
    """

    axes: Mapping[int, int]
    windows: tuple[Link, ...]
    starts: tuple[Link, ...]
    ends: tuple[Link, ...]


def connected(graph: Graph, tensor: int, axis: int) -> Stretch:
    """The stretch of one axis of a tensor that is no constant."""
    walk = _Walk(graph)
    outside: frozenset[int] = frozenset()
    while True:
        axes = walk.spread(tensor, axis, outside)
        misplaced = (walk.misplaced(link, tensor, axes) for link in walk.whole(axes))
        new = next(
            (found for found in misplaced if not found <= outside), None
        )  # one at a time: the nearest decides first
        if new is None:
            break
        outside |= new
    inner: list[Link] = []
    starts: list[Link] = []
    ends: list[Link] = []
    for t, along in axes.items():
        for link in walk.above(t, along):
            (inner if _is_inside(axes, link.read, link) else starts).append(link)
        ends += (link for link in walk.below(t, along) if not _is_inside(axes, link.made, link))
    return Stretch(axes, tuple(link for link in inner if link.relation is Relation.WINDOW), tuple(starts), tuple(ends))


_PASSES = (Relation.IDENTITY, Relation.WINDOW)
"""How a part of one tensor becomes a part of another."""


def _is_inside(axes: Mapping[int, int], other: int, link: Link) -> bool:
    return link.relation in _PASSES and axes.get(other) == link.axis


class _Walk:
    """A graph, and what is asked of it again and again."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._producers = graph.producers()
        self._consumers = graph.consumers()
        self._loops: dict[int, Loops] = {}

    def spread(self, tensor: int, axis: int, outside: AbstractSet[int]) -> dict[int, int]:
        """What can be reached from an axis without entering `outside`, nearest first; each tensor along one axis."""
        axes = {tensor: axis}
        todo = deque(axes)
        while todo:
            t = todo.popleft()
            near = [(link.read, link) for link in self.above(t, axes[t])]
            near += ((link.made, link) for link in self.below(t, axes[t]))
            for other, link in near:
                if link.relation in _PASSES and other not in axes and other not in outside:
                    axes[other] = link.axis
                    todo.append(other)
        return axes

    def whole(self, axes: Mapping[int, int]) -> Iterator[Link]:
        """Links along which a part of what is made would need all of what is read, one of them in the stretch."""
        for t, axis in axes.items():
            for link in self.above(t, axis):
                if link.relation not in _PASSES or axes.get(link.read, link.axis) != link.axis:
                    yield link
            for link in self.below(t, axis):
                if link.relation not in _PASSES or axes.get(link.made, link.axis) != link.axis:
                    yield link

    def misplaced(self, link: Link, seed: int, axes: Mapping[int, int]) -> AbstractSet[int]:
        """What a link along which something is needed whole puts before or after the stretch, which keeps `seed`.

        What is made of the seed is never put before it, what it is made of never after. Where that leaves a choice, the
        nearer tensor stays.
        """
        before, after = self._reachable(link.read, upwards=True), self._reachable(link.made, upwards=False)
        if seed in before:
            return after
        if seed in after:
            return before
        made_of_seed = seed in self._reachable(link.made, upwards=True)
        seed_made_of = seed in self._reachable(link.read, upwards=False)
        if made_of_seed != seed_made_of:
            return before if made_of_seed else after
        nearest_first = list(axes)
        places = [nearest_first.index(t) if t in axes else len(axes) for t in (link.read, link.made)]
        return after if places[0] < places[1] else before

    def above(self, tensor: int, axis: int) -> Iterator[Link]:
        """From a tensor's axis to what it is made of."""
        if tensor not in self._producers:
            return
        op = self._graph.operators[self._producers[tensor]]
        loops = self._loops_of(tensor)
        for position, read in enumerate(op.inputs):
            if read == ABSENT or self._graph.tensors[read].is_constant:
                continue
            relation, follower = loops.of_output(position, axis), loops.follower(position, axis)
            halo = self._halo(loops, position, follower) if relation is Relation.WINDOW else 0
            yield Link(op.index, read, tensor, relation, -1 if follower is None else follower, halo)

    def below(self, tensor: int, axis: int) -> Iterator[Link]:
        """From a tensor's axis to what is made of it."""
        for k in self._consumers.get(tensor, ()):
            op = self._graph.operators[k]
            for made in op.outputs:
                loops = self._loops_of(made)
                for position in (p for p, read in enumerate(op.inputs) if read == tensor):
                    relation, follows = loops.of_input(position, axis), loops.followed(position, axis)
                    halo = self._halo(loops, position, axis) if relation is Relation.WINDOW else 0
                    along = follows.loop if follows is not None and relation in _PASSES else -1
                    summed = follows is not None and follows.loop >= loops.rank
                    yield Link(k, tensor, made, relation, along, halo, summed)

    @staticmethod
    def _halo(loops: Loops, position: int, axis: int | None) -> int:
        follows = loops.followed(position, axis) if axis is not None else None
        return follows.halo if follows is not None else 0

    def _loops_of(self, made: int) -> Loops:
        if made not in self._loops:
            op = self._graph.operators[self._producers[made]]
            self._loops[made] = loops_of(self._graph, op, op.outputs.index(made))
        return self._loops[made]

    def _reachable(self, tensor: int, *, upwards: bool) -> AbstractSet[int]:
        """`tensor`, and all it is made of or all that is made of it."""
        found = {tensor}
        todo = [tensor]
        while todo:
            t = todo.pop()
            if upwards:
                ops = [self._producers[t]] if t in self._producers else []
                near = [n for k in ops for n in self._graph.operators[k].inputs if n != ABSENT]
            else:
                near = [n for k in self._consumers.get(t, ()) for n in self._graph.operators[k].outputs]
            todo += (n for n in near if n not in found)
            found.update(near)
        return found
