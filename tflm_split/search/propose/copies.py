"""Which operators should get a copy, so that a tensor need not be kept for its late readers?

    t  = f(x)           t  = f(x)
    a  = g(t)           a  = g(t)
    ...  (t is kept)    ...  (x is kept, if it is smaller than t)
    b  = h(t)           t' = f(x)
                        b  = h(t')

The search walks backwards from the tensor. The tensors that the copies read must be kept in its place, so they have to be
smaller than it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tflm_split.ir.graph import ABSENT, Graph
from tflm_split.rewrite.copy_operators import Copy
from tflm_split.search.decision import Decision
from tflm_split.search.evaluate import Evaluation
from tflm_split.search.limits import Limits
from tflm_split.split.operators.stream import FETCH_ROWS

MAX_OPERATORS = 12
"""Most operators that are copied for one tensor. Longer chains were never worth it."""


def propose(state: Evaluation, limits: Limits) -> Iterator[Decision]:
    """Copies of the operators that make the tensors of the peak, within the limit on instructions."""
    if "rows" not in limits.axes:
        return
    held = state.held_at_peak()
    costs = dict.fromkeys(range(len(state.graph.operators)), 0.0)
    for n, cost in state.costs():
        costs[n] += cost
    for n in state.split.stock | state.must_run_once(limits.allow_extra_macs):
        del costs[n]
    allowance = limits.max_instructions - state.instructions
    for t in held:
        for copies in copies_to_try(state.graph, state.schedule.nodes, t, held, costs, allowance):
            yield state.rewritten(copies)


def copies_to_try(
    graph: Graph,
    nodes: Sequence[int],
    tensor: int,
    held_bytes: Mapping[int, int],
    costs: Mapping[int, float],
    allowance: float,
) -> Iterator[tuple[Copy, ...]]:
    """Copies that make `tensor` again for some of its readers, fewest operators first. Each tuple is applied in its order.

    `nodes`: the order of operators. `held_bytes`: by tensor, the bytes that live in the most crowded step anyway; to keep
    those for a copy costs nothing. `costs`: the instructions of each operator that may be copied. `allowance`: most
    instructions of all copies together.
    """
    position = {n: k for k, n in enumerate(nodes)}
    readers = sorted(graph.consumers().get(tensor, ()), key=lambda n: position[n])
    if len(readers) < 2:
        return
    for operators in _makers(graph, tensor, held_bytes, costs):
        cost = sum(costs[k] for k in operators)
        for first in range(1, len(readers)):  # earlier readers use the tensor itself, later ones share the copy
            copy = Copy(operators, tuple(sorted(readers[first:])))
            if cost <= allowance and operators[-1] < copy.readers[0]:
                yield (copy,)
        if len(readers) > 2 and cost * (len(readers) - 1) <= allowance:
            yield tuple(_one_each(operators, sorted(readers)[1:]))


def _makers(
    graph: Graph, tensor: int, held_bytes: Mapping[int, int], costs: Mapping[int, float]
) -> Iterator[tuple[int, ...]]:
    """Sets of operators that make `tensor`, each one operator longer than the last.

    A set is given only if the tensors it reads cost fewer bytes to keep than `tensor` and than those of every set before.
    """
    producers = graph.producers()
    least = held_bytes.get(tensor, 0)
    operators: set[int] = set()
    read = {tensor}
    while len(operators) < MAX_OPERATORS:
        # Of all tensors that the copies read, the next copy makes the one that costs most bytes to keep.
        dearest = max(read, key=lambda t: (_price(graph, t, held_bytes), -t))
        maker = producers.get(dearest)
        if maker is None or maker not in costs or graph.operators[maker].kind == FETCH_ROWS:
            return
        operators.add(maker)
        op = graph.operators[maker]
        read -= set(op.outputs)
        made = {t for k in operators for t in graph.operators[k].outputs}
        read |= {t for t in op.inputs if t != ABSENT and not graph.tensors[t].is_constant} - made
        price = sum(_price(graph, t, held_bytes) for t in read)
        if price < least:
            least = price
            yield tuple(sorted(operators))
        if not read:
            return


def _price(graph: Graph, tensor: int, held_bytes: Mapping[int, int]) -> int:
    """Bytes to add to the crowded step if all of `tensor` is kept."""
    return graph.tensors[tensor].bytes - held_bytes.get(tensor, 0)


def _one_each(operators: tuple[int, ...], readers: Sequence[int]) -> Iterator[Copy]:
    """A copy for each of `readers`. The last reader comes first, so that the indices of the others stay valid."""
    for n in reversed(readers):
        yield Copy(operators, (n,))
