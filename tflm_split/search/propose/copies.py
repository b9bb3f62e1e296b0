"""Which operators should be done twice, so that a tensor need not be kept for its late readers?

Backwards from the tensor as far as it takes: what the copies read must be kept instead, and has to be less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tflm_split.ir.graph import ABSENT, Graph
from tflm_split.rewrite.copy_operators import Copy
from tflm_split.split.crossing import may_cross
from tflm_split.split.regions import Split

MAX_OPERATORS = 12
"""Copied for one tensor. Chains that are worth it are short, and what a chain reads tells soon whether it is."""


def copies_to_try(
    graph: Graph,
    nodes: Sequence[int],
    tensor: int,
    held_bytes: Mapping[int, int],
    costs: Mapping[int, float],
    allowance: float,
) -> Iterator[tuple[Copy, ...]]:
    """Copies, to be applied one after the other, that make `tensor` again for some of its readers, the fewest operators first.

    `nodes`: the order of operators. `held_bytes`: of each tensor, what lives in the step in question; only more than that
    of what the copies read is a price. `costs`: of the operators that can be copied; all copies together may cost `allowance`.
    """
    position = {n: k for k, n in enumerate(nodes)}
    readers = sorted(graph.consumers().get(tensor, ()), key=lambda n: position[n])
    if len(readers) < 2:
        return
    for operators in _makers(graph, tensor, held_bytes, costs):
        cost = sum(costs[k] for k in operators)
        for first in range(1, len(readers)):  # those before keep the tensor, the others share the copy
            copy = Copy(operators, tuple(sorted(readers[first:])))
            if cost <= allowance and operators[-1] < copy.readers[0]:
                yield (copy,)
        if len(readers) > 2 and cost * (len(readers) - 1) <= allowance:
            yield tuple(_one_each(operators, sorted(readers)[1:]))


def stay_inside(split: Split, made: range) -> bool:
    """Whether the tensors `made`, by copies, are never seen from outside a region: TFLM has no tensors for them."""
    consumers = split.graph.consumers()
    crossing = may_cross(split.graph, split.stock)
    return not any(t in crossing or split.stock.intersection(consumers.get(t, ())) for t in made)


def _makers(
    graph: Graph, tensor: int, held_bytes: Mapping[int, int], costs: Mapping[int, float]
) -> Iterator[tuple[int, ...]]:
    """Operators that lead to `tensor`, from further and further back, whenever they read less than ever before."""
    producers = graph.producers()
    least = held_bytes.get(tensor, 0)
    operators: set[int] = set()
    read = {tensor}
    while len(operators) < MAX_OPERATORS:
        # What costs most to keep is made, too.
        back = max(read, key=lambda t: (_price(graph, t, held_bytes), -t))
        maker = producers.get(back)
        if maker is None or maker not in costs:
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
    return graph.tensors[tensor].bytes - held_bytes.get(tensor, 0)


def _one_each(operators: tuple[int, ...], readers: Sequence[int]) -> Iterator[Copy]:
    """A copy for each of `readers`, the last one first: so the numbers of the others stay what they are."""
    for n in reversed(readers):
        yield Copy(operators, (n,))
