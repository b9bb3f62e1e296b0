"""The steps of a network and the pieces they read and write. Scheduling and planning need to know nothing else.

    node 3, a convolution:   step 17  reads pieces 40 41 42, writes piece 60
                             step 18  reads pieces    41 42 43, writes piece 61
                             ...

A streamed input has a piece for each row of each call. They are born together when the call begins: in the step that fetches
the first of them. Each dies when it is fetched. A streamed output has such pieces, too: each is born when its row is emitted,
and all of a call live up to the step that emits the last of them, after which the caller takes them.

Pieces, overlaps and steps are tuples, because a search makes millions of them.

A state has two storages at the same address: the rows that the inference before has left, and those that this one leaves. A step
that writes one of the latter waits for all steps that read what lies there. Such pieces take no room in the workspace, so they
count no bytes.

A *node* is an operator of the graph. Each row of its row ops is a step. A stock operator is one step, which reads and
writes whole tensors. A *piece* is one row of a storage, one accumulator, or the scratch memory of a stock operator's kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

T = TypeVar("T")

PIECE_ALIGN = 4
"""Rows start at multiples of 4 bytes. The address table counts in words, in 16 bits, and word loads work on every core."""


class Piece(NamedTuple):
    """Row `row` of storage `storage`. An accumulator or scratch is row 0 of a storage of its own, numbered after the others."""

    storage: int
    row: int
    bytes: int


class Overlap(NamedTuple):
    """An in-place opportunity of a step: if piece `read` dies in it, piece `written` may lie over a part of it.

    `written` must start at least `distance_bytes` below `read`. At that distance the two share `shared_bytes`.
    """

    read: int
    written: int
    distance_bytes: int
    shared_bytes: int


class Remembered(NamedTuple):
    """Where a piece of a state lies: byte `offset` of state `state` (an index into `Graph.states`)."""

    state: int
    offset: int


class Step(NamedTuple):
    """Row `row` of row op `row_op`, an index into `Split.row_ops`. A stock operator is one step, with `row_op` None."""

    node: int
    row_op: int | None
    row: int
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    depends: tuple[int, ...] = ()
    """Steps that must come first: those that write what is read here, and the one before it on the same accumulator."""
    overlaps: tuple[Overlap, ...] = ()
    """Rows that the output row may be written over if they die here, most bytes shared first. Only one can be used."""


class Kept:
    """What was computed of a graph once, by the class that holds it. Copies of the graph compute it anew."""

    def __init__(self) -> None:
        self._values: dict[object, object] = {}
        self.unlisted: dict[str, Callable[[], object]] = {}
        """Makes the fields that the graph does not have yet, because they were built in C (`step_builder_c.py`)."""

    def put(self, kind: Callable[[StepGraph], object], value: object) -> None:
        """`value` is what `kind` would compute."""
        self._values[kind] = value

    def get(self, kind: Callable[[StepGraph], T], graph: StepGraph) -> T:
        """`kind(graph)`, the same object each time."""
        if kind not in self._values:
            self._values[kind] = kind(graph)
        return cast(T, self._values[kind])

    def __reduce__(self) -> tuple[type[Kept], tuple[()]]:
        return Kept, ()


@dataclass(frozen=True, slots=True)
class StepGraph:
    """All steps and pieces. Both are named by their index everywhere."""

    nodes: int
    """Number of nodes."""
    pieces: tuple[Piece, ...]
    steps: tuple[Step, ...]
    steps_of: tuple[tuple[int, ...], ...]
    """By node: its steps."""
    producers: tuple[tuple[int, ...], ...]
    """By piece: the steps that write it, or a part of it."""
    readers: tuple[tuple[int, ...], ...]
    """By piece: the steps that read it."""
    initial: frozenset[int]
    """Pieces that exist at the start."""
    final: frozenset[int]
    """Pieces that must survive to the end."""
    scratch: frozenset[int]
    """Storages that are scratch of stock operators. TFLM places them; the plan only keeps room for them."""
    needed: frozenset[int]
    """Steps whose result reaches an output, a stock operator or another region. Rows that a stride skips are not needed."""
    remembered: Mapping[int, Remembered] = field(default_factory=dict)
    """Pieces of states, of those that exist at the start and of those that are kept."""
    kept: Kept = field(default_factory=Kept, init=False, compare=False, repr=False)

    if not TYPE_CHECKING:  # which would then let every name pass

        def __getattr__(self, name: str) -> Any:
            """A field that is made when it is first asked for."""
            if name == "kept" or name not in self.kept.unlisted:
                raise AttributeError(name)
            value = self.kept.unlisted[name]()
            object.__setattr__(self, name, value)
            return value


def node_dependencies(step_graph: StepGraph) -> Mapping[int, frozenset[int]]:
    """Node -> the other nodes that its steps depend on."""
    return step_graph.kept.get(_node_dependencies, step_graph)


def _node_dependencies(step_graph: StepGraph) -> Mapping[int, frozenset[int]]:
    needs: dict[int, set[int]] = {n: set() for n in range(step_graph.nodes)}
    node_of = [step.node for step in step_graph.steps]
    for step in step_graph.steps:
        if step.depends:
            needs[step.node].update([node_of[d] for d in step.depends])
    return {n: frozenset(d - {n}) for n, d in needs.items()}
