"""Which tensors should remember what they have in common with the inference before, when the input's window slides?

Remembering a tensor saves the rows of all that only it needed, and costs its rows of memory. Those that save nothing are
left out first, then one after the other the one that saves least for its bytes. So there is a choice for each device:

    choices     fastest first: all that helps, ..., the last one alone
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tflm_split.analysis.latency import COPY_INSTRUCTIONS, COPY_INSTRUCTIONS_PER_BYTE, StepCosts
from tflm_split.analysis.macs import macs
from tflm_split.errors import InputError, Refusal
from tflm_split.ir.graph import Graph, Operator, Tensor
from tflm_split.rewrite.reuse_window import Following, Reused, following, needed, reusable, reusing, warm_up
from tflm_split.rewrite.states import remembers
from tflm_split.search.evaluate import Evaluator
from tflm_split.split.operators import split_operator

_COPIES = 2
"""How often a row that is remembered is moved in an inference: to where the next one looks for it, and about once on the way."""


@dataclass(frozen=True, slots=True)
class Sliding:
    """Input number `position` of `graph` is, in each inference, the one before moved on by `rows` indices of axis `axis`."""

    graph: Graph
    position: int
    axis: int
    rows: int
    choices: tuple[tuple[Reused, ...], ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """The choice to remember these tensors."""

    sliding: Sliding
    chosen: tuple[Reused, ...]

    @property
    def tensors(self) -> tuple[int, ...]:
        """Which tensors those are."""
        return tuple(reused.tensor for reused in self.chosen)

    @property
    def remembering(self) -> Graph:
        """The graph that remembers them."""
        return reusing(self.sliding.graph, self.chosen)

    @property
    def warm_up(self) -> int:
        """How many inferences after a reset give no right results yet."""
        graph, slides = self.sliding.graph, self.sliding
        return warm_up(graph, self.chosen, following(graph, graph.inputs[slides.position], slides.axis))

    @property
    def state_bytes(self) -> int:
        """What is remembered."""
        return sum(_state_bytes(self.sliding.graph, reused) for reused in self.chosen)

    def within(self, limit_bytes: int | None) -> Iterator[Kept]:
        """The choices that alone do not pass `limit_bytes`, the fastest first; the smallest in any case."""
        for choice in self.sliding.choices:
            kept = Kept(self.sliding, choice)
            if limit_bytes is None or kept.state_bytes < limit_bytes or choice is self.sliding.choices[-1]:
                yield kept

    def of(self, tensors: Sequence[int]) -> Kept:
        """The choice of these tensors. Raises InputError where one of them cannot remember anything."""
        slides = self.sliding
        source = slides.graph.inputs[slides.position]
        known = {reused.tensor: reused for reused in reusable(slides.graph, source, slides.axis, slides.rows)}
        if not all(t in known for t in tensors):
            raise InputError("the plan is for another model: it remembers rows of other tensors; make a new one")
        return Kept(slides, tuple(known[t] for t in tensors))

    def no_gain(self) -> InputError:
        """What to say where no choice is faster than to remember nothing."""
        tensor = self.sliding.graph.tensors[self.sliding.graph.inputs[self.sliding.position]]
        return nothing_to_keep(tensor, self.sliding.axis, self.sliding.rows)


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What the best plan takes that remembers nothing."""

    predicted_instructions: int
    arena_bytes: int


def fastest_kept(graph: Graph, rows: int, board: str) -> Kept:
    """The fastest choice, where the largest input of `graph` slides by `rows` along its first axis of several indices.

    Raises InputError where nothing can be kept.
    """
    if remembers(graph):
        raise InputError("the network remembers by itself: its windows slide already; leave out --reuse-window")
    if not graph.inputs:
        raise InputError("the model has no input, so no window can slide")
    position = max(range(len(graph.inputs)), key=lambda k: graph.tensors[graph.inputs[k]].bytes)
    tensor = graph.tensors[graph.inputs[position]]
    axis = next((a for a, size in enumerate(tensor.shape) if size > 1), 0)
    found = following(graph, tensor.index, axis) if tensor.elements > 1 else {}
    everything = _inside(graph, reusable(graph, tensor.index, axis, rows), board) if found else ()
    choices = _Choosing(graph, found, board).choices(everything)
    if not choices:
        raise nothing_to_keep(tensor, axis, rows)
    return Kept(Sliding(graph, position, axis, rows, choices), choices[0])


def nothing_to_keep(tensor: Tensor, axis: int, rows: int) -> InputError:
    """The refusal of a window that slides by `rows` along an input's axis, and gains nothing."""
    return InputError(
        f"nothing can be kept of a window that slides by {rows} along axis {axis} of input {tensor.name!r} "
        f"{list(tensor.shape)}: no tensor's rows meet again, untouched by padding, and save more than they cost; slide by less, "
        "or leave out --reuse-window"
    )


def _inside(graph: Graph, everything: Sequence[Reused], board: str) -> tuple[Reused, ...]:
    """Those for which nothing more than before stays stock: TFLM has no operator that remembers."""
    stock = len(Evaluator(graph, board).base().stock)
    return tuple(r for r in everything if len(Evaluator(reusing(graph, [r]), board).base().stock) <= stock)


def _state_bytes(graph: Graph, reused: Reused) -> int:
    tensor = graph.tensors[reused.tensor]
    return tensor.bytes // tensor.shape[reused.at.axis] * reused.kept * reused.apart


class _Choosing:
    """Instructions of choices, roughly: every index of an operator's output costs the same."""

    def __init__(self, graph: Graph, found: Mapping[int, Following], board: str) -> None:
        self._graph, self._found = graph, found
        costs = StepCosts(board)
        self._whole = [_instructions(graph, op, costs) for op in graph.operators]

    def choices(self, everything: Sequence[Reused]) -> tuple[tuple[Reused, ...], ...]:
        """Ever smaller choices, the fastest first. None where no choice saves anything."""
        chosen = tuple(everything)
        taken = self._instructions(chosen)
        nothing = self._instructions(())
        found: list[tuple[Reused, ...]] = []
        while chosen:
            without = [(self._instructions(chosen[:k] + chosen[k + 1 :]), k) for k in range(len(chosen))]
            lost = [(more - taken) / max(1, _state_bytes(self._graph, chosen[k])) for more, k in without]
            k = min(range(len(chosen)), key=lost.__getitem__)
            if lost[k] > 0 and taken < nothing:
                found.append(chosen)
            taken, chosen = without[k][0], chosen[:k] + chosen[k + 1 :]
        return tuple(found)

    def _instructions(self, chosen: Sequence[Reused]) -> float:
        rows = needed(self._graph, chosen, self._found)
        total = 0.0
        for op, whole in zip(self._graph.operators, self._whole, strict=True):
            followers = [t for t in op.outputs if t in rows]
            total += whole * (max(rows[t].mean() for t in followers) if followers else 1)
        for reused in chosen:
            copied = COPY_INSTRUCTIONS_PER_BYTE * _state_bytes(self._graph, reused)
            total += _COPIES * (copied + COPY_INSTRUCTIONS * reused.kept * reused.apart)
        return total


def _instructions(graph: Graph, op: Operator, costs: StepCosts) -> float:
    try:
        return sum(sum(costs.of(row_op)) for row_op in split_operator(graph, op))
    except Refusal:
        return float(macs(graph, op))
