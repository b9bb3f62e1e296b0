"""Which orders of operators are worth cutting? Up to three; the caller keeps the best.

1. The order of the file.
2. The order of chains with the fewest bytes alive (`optimal_order.py`). A chain has no branches and runs in one go. Rows
   stream within it, so only the tensors at its ends count.
3. The order of single operators with the fewest bytes alive.

A graph without branches has only the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tflm_split.ir.graph import Graph
from tflm_split.schedule.optimal_order import OrderProblem, Task, least_live_order
from tflm_split.schedule.step_graph import StepGraph, node_dependencies
from tflm_split.split.operators.slices import sliced_input
from tflm_split.split.regions import Split

ORDER_STATES = 20_000
"""States that each search for an order may look at (`optimal_order.py`)."""


@dataclass(frozen=True, slots=True)
class _Chain:
    """Nodes that run one after the other.

    `needs` are the chains that come first. `reads` and `makes` are the storages that live beyond the chain.
    """

    nodes: tuple[int, ...]
    needs: frozenset[int]
    reads: frozenset[int]
    makes: frozenset[int]


def candidate_orders(split: Split, step_graph: StepGraph, states: int = ORDER_STATES) -> tuple[tuple[int, ...], ...]:
    """Distinct operator orders, the file's first. It is the only one where the order could change the model's results."""
    graph = split.graph
    file_order = tuck_aliases(split, range(len(graph.operators)))
    if not may_reorder(graph):
        return (file_order,)
    dependencies = node_dependencies_with_aliases(split, step_graph)
    chains = _chains(split, step_graph, dependencies)
    singles = _singles(split, step_graph, dependencies)
    if len(chains) < 3 or not _branches(dependencies, graph):
        return (file_order,)
    orders = [file_order]
    for parts in (chains, singles):
        order = tuck_aliases(split, _least_live(split, parts, states))
        if order not in orders:
            orders.append(order)
    return tuple(orders)


def may_reorder(graph: Graph) -> bool:
    """Whether operators affect each other through tensors only: no variables, no states, no resources, no calls."""
    stateful = {"CALL_ONCE", "IF", "WHILE", "ASSIGN_VARIABLE", "READ_VARIABLE", "VAR_HANDLE", "CALL"}
    return not any(op.kind in stateful for op in graph.operators) and not (
        graph.states or any(t.is_variable for t in graph.tensors)
    )


def tuck_aliases(split: Split, order: Sequence[int]) -> tuple[int, ...]:
    """`order` with every reshape moved right behind its producer or, where that is stock, right before its first reader.

    A reshape takes no steps. Alone between two stock operators it would be a region without steps.
    """
    graph = split.graph
    producers = graph.producers()
    moved = [n for n in order if n in split.aliased and graph.operators[n].kind != "CONCATENATION"]
    result = [n for n in order if n not in set(moved)]
    placed: set[int] = set()
    for n in moved:
        producer = producers.get(sliced_input(graph.operators[n]))
        if producer in placed or (producer is not None and producer not in split.stock and producer not in moved):
            placed.add(n)
            result.insert(result.index(producer) + 1, n)
    for n in reversed(moved):
        if n not in placed:
            outputs = set(graph.operators[n].outputs)
            readers = [i for i, k in enumerate(result) if outputs & set(graph.operators[k].inputs)]
            result.insert(min(readers, default=0), n)
    return tuple(result)


def node_dependencies_with_aliases(split: Split, step_graph: StepGraph) -> dict[int, frozenset[int]]:
    """Node -> the nodes that must run before it. Operators without steps are among them: they depend through tensors."""
    graph = split.graph
    producers = graph.producers()
    by_pieces = node_dependencies(step_graph)
    return {
        op.index: by_pieces[op.index] | {producers[t] for t in op.inputs if t in producers} for op in graph.operators
    }


def _branches(dependencies: Mapping[int, frozenset[int]], graph: Graph) -> bool:
    """Whether some node has several readers, or the graph several inputs."""
    fan_out: dict[int, int] = {}
    for needs in dependencies.values():
        for n in needs:
            fan_out[n] = fan_out.get(n, 0) + 1
    return any(v > 1 for v in fan_out.values()) or len(graph.inputs) > 1


def _storages_of(split: Split, step_graph: StepGraph, nodes: Sequence[int]) -> tuple[set[int], set[int]]:
    """The storages that `nodes` read and those that they write, accumulators left out."""
    reads: set[int] = set()
    writes: set[int] = set()
    count = len(split.storages.storages)
    for n in nodes:
        for s in step_graph.steps_of[n]:
            step = step_graph.steps[s]
            reads.update(step_graph.pieces[p].storage for p in step.reads)
            writes.update(step_graph.pieces[p].storage for p in step.writes)
    return {s for s in reads if s < count}, {s for s in writes if s < count}


def _as_chains(
    split: Split, step_graph: StepGraph, groups: list[list[int]], deps: Mapping[int, frozenset[int]]
) -> list[_Chain]:
    """Each of `groups` as a chain. Storages that only one group uses are left out: they stream through it."""
    where = {n: c for c, nodes in enumerate(groups) for n in nodes}
    chains = []
    for c, nodes in enumerate(groups):
        needs = frozenset(where[d] for n in nodes for d in deps[n] if where[d] != c)
        reads, writes = _storages_of(split, step_graph, nodes)
        chains.append(_Chain(tuple(nodes), needs, frozenset(reads), frozenset(writes)))
    users: dict[int, set[int]] = {}
    for c, chain in enumerate(chains):
        for s in chain.reads | chain.makes:
            users.setdefault(s, set()).add(c)
    outer = {s for s, who in users.items() if len(who) > 1} | _interface_storages(split)
    return [_Chain(c.nodes, c.needs, c.reads & outer, c.makes & outer) for c in chains]


def _interface_storages(split: Split) -> set[int]:
    """The storages of the model's inputs and outputs."""
    graph, storages = split.graph, split.storages
    return {storages.storage_of[t] for t in (*graph.inputs, *graph.outputs) if t in storages.storage_of}


def _singles(split: Split, step_graph: StepGraph, deps: Mapping[int, frozenset[int]]) -> list[_Chain]:
    """Each operator as a chain of its own."""
    return _as_chains(split, step_graph, [[op.index] for op in split.graph.operators], deps)


def _chains(split: Split, step_graph: StepGraph, deps: Mapping[int, frozenset[int]]) -> list[_Chain]:
    """Longest runs of operators in which each is the only follower of the one before, and needs nothing else."""
    followers: dict[int, list[int]] = {op.index: [] for op in split.graph.operators}
    for n, needs in deps.items():
        for d in needs:
            followers[d].append(n)
    groups: list[list[int]] = []
    where: dict[int, int] = {}
    for op in split.graph.operators:
        n = op.index
        before = sorted(deps[n])
        if len(before) == 1 and followers[before[0]] == [n]:
            where[n] = where[before[0]]
            groups[where[n]].append(n)
        else:
            where[n] = len(groups)
            groups.append([n])
    return _as_chains(split, step_graph, groups, deps)


def _least_live(split: Split, chains: Sequence[_Chain], states: int) -> list[int]:
    """The nodes of `chains` in the order with the fewest bytes alive that a search of `states` states finds."""
    graph, storages = split.graph, split.storages
    tasks = tuple(Task(c.needs, c.reads, c.makes) for c in chains)
    sizes = tuple(s.rows * s.row_bytes for s in storages.storages)
    initial = frozenset(storages.storage_of[t] for t in graph.inputs if t in storages.storage_of)
    kept = frozenset(storages.storage_of[t] for t in graph.outputs if t in storages.storage_of)
    order = least_live_order(OrderProblem(tasks, sizes, initial, kept), states)
    return [n for c in order.tasks for n in chains[c].nodes]
