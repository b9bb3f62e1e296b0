"""Which tensors can be cut along a common axis, and where does that end?

These tensors form a *stretch*. It starts at one axis of one tensor. It spreads to every axis that follows this one or is
followed by it, through windows, too. All tensors of a stretch are cut into the same parts, and one part of all of them can
be made, used and forgotten before the next part:

    keys, values ----whole----.
                              v
    queries --row by row--> scores --row by row--> softmax --row by row--> result
    `------------------------- the stretch -------------------------------------'

So nothing in a stretch may need a whole tensor that the stretch makes, directly or through others. A tensor that needs one
lies after the stretch. A tensor that is needed whole lies before it. In attention, keys and values lie before the stretch,
because every query needs all of them.
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
    """Operator `operator` makes tensor `made` of tensor `read`, and their axes are related by `relation`.

    `axis` is the axis of that one of the two that was not asked about; -1 for none. `halo`: how many indices neighbouring
    parts share. `summed`: parts of `read` can be taken in one after the other (a reduction).
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
    """Tensors that are cut along a common axis. None of them is needed whole inside the stretch.

    `axes`: tensor -> the axis it is cut along. `windows`: links inside the stretch whose windows may overlap. `starts`:
    links from tensors before it, or from those needed whole. `ends`: links to tensors after it. A stretch also ends at the
    model's inputs and outputs, and at constants.
    """

    axes: Mapping[int, int]
    windows: tuple[Link, ...]
    starts: tuple[Link, ...]
    ends: tuple[Link, ...]


def connected(graph: Graph, tensor: int, axis: int) -> Stretch:
    """The stretch that one axis of `tensor` belongs to; `tensor` is no constant."""
    walk = _Walk(graph)
    outside: frozenset[int] = frozenset()
    while True:
        axes = walk.spread(tensor, axis, outside)
        misplaced = (walk.misplaced(link, tensor, axes) for link in walk.whole(axes))
        new = next((tensors for tensors in misplaced if not tensors <= outside), None)  # one at a time, nearest first
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
"""Relations through which a part of one tensor becomes a part of another one."""


def _is_inside(axes: Mapping[int, int], other: int, link: Link) -> bool:
    return link.relation in _PASSES and axes.get(other) == link.axis


class _Walk:
    """Walks over a graph, with the answers that are needed many times."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._producers = graph.producers()
        self._consumers = graph.consumers()
        self._loops: dict[int, Loops] = {}

    def spread(self, tensor: int, axis: int, outside: AbstractSet[int]) -> dict[int, int]:
        """Tensor -> its axis, for all that one axis reaches without entering `outside`, nearest first."""
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
        """Links between the stretch and a tensor, where a part of `made` needs the whole of `read`."""
        for t, axis in axes.items():
            for link in self.above(t, axis):
                if link.relation not in _PASSES or axes.get(link.read, link.axis) != link.axis:
                    yield link
            for link in self.below(t, axis):
                if link.relation not in _PASSES or axes.get(link.made, link.axis) != link.axis:
                    yield link

    def misplaced(self, link: Link, seed: int, axes: Mapping[int, int]) -> AbstractSet[int]:
        """Which tensors must leave the stretch because of `link`, along which a tensor is needed whole?

        Either all that `link.read` is made of goes before the stretch, or all that is made of `link.made` goes after it.
        The tensor `seed` stays. What is made of the seed never goes before it, and what it is made of never after. Where
        that leaves a choice, the tensor nearer to the seed stays.
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
        """Links from a tensor's axis to the tensors it is made of."""
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
        """Links from a tensor's axis to the tensors made of it."""
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
        """`tensor`, and all that it is made of (`upwards`) or all that is made of it."""
        reached = {tensor}
        todo = [tensor]
        while todo:
            t = todo.pop()
            if upwards:
                ops = [self._producers[t]] if t in self._producers else []
                near = [n for k in ops for n in self._graph.operators[k].inputs if n != ABSENT]
            else:
                near = [n for k in self._consumers.get(t, ()) for n in self._graph.operators[k].outputs]
            todo += (n for n in near if n not in reached)
            reached.update(near)
        return reached
