"""Which orders of operators are worth cutting? Several, of which the caller keeps the best.

The file's own order; and, on graphs that branch, orders of least live bytes (`optimal_order.py`): of operators, and of
chains without branches that move as one, for within a chain rows stream, so only what crosses its ends counts.
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
"""Sets of executed operators that each search for an order may look at (`optimal_order.py`)."""


@dataclass(frozen=True, slots=True)
class _Chain:
    """Nodes that run one after the other; `needs` are chains, `reads` and `makes` storages that cross its ends."""

    nodes: tuple[int, ...]
    needs: frozenset[int]
    reads: frozenset[int]
    makes: frozenset[int]


def candidate_orders(split: Split, step_graph: StepGraph, states: int = ORDER_STATES) -> tuple[tuple[int, ...], ...]:
    """Distinct operator orders, the file's first; only that one where order could matter for more than memory."""
    graph = split.graph
    file_order = tuck_aliases(split, range(len(graph.operators)))
    if not may_reorder(graph):
        return (file_order,)
    dependencies = node_dependencies_with_aliases(split, step_graph)
    chains = _chains(split, step_graph, dependencies)
    singles = _singles(split, step_graph, dependencies)
    if len(chains) < 3 or not _branches(dependencies, graph):
        return (file_order,)
    found = [file_order]
    for parts in (chains, singles):
        order = tuck_aliases(split, _least_live(split, parts, states))
        if order not in found:
            found.append(order)
    return tuple(found)


def may_reorder(graph: Graph) -> bool:
    """Whether operators talk to each other through tensors only (no variables, resources or subgraph calls)."""
    stateful = {"CALL_ONCE", "IF", "WHILE", "ASSIGN_VARIABLE", "READ_VARIABLE", "VAR_HANDLE", "CALL"}
    return not any(op.kind in stateful for op in graph.operators) and not any(t.is_variable for t in graph.tensors)


def tuck_aliases(split: Split, order: Sequence[int]) -> tuple[int, ...]:
    """`order` with every operator that takes no step moved next to the one it belongs to.

    A reshape follows its producer at once (or precedes its first reader), so that it never stands alone between stock
    operators as a region without steps.
    """
    graph = split.graph
    producers = graph.producers()
    moved = [n for n in order if n in split.aliased and graph.operators[n].kind != "CONCATENATION"]
    result = [n for n in order if n not in set(moved)]
    behind: set[int] = set()
    for n in moved:
        producer = producers.get(sliced_input(graph.operators[n]))
        if producer in behind or (producer is not None and producer not in split.stock and producer not in moved):
            behind.add(n)
            result.insert(result.index(producer) + 1, n)
    for n in reversed(moved):
        if n not in behind:
            outputs = set(graph.operators[n].outputs)
            readers = [i for i, k in enumerate(result) if outputs & set(graph.operators[k].inputs)]
            result.insert(min(readers, default=0), n)
    return tuple(result)


def node_dependencies_with_aliases(split: Split, step_graph: StepGraph) -> dict[int, frozenset[int]]:
    """What must run before each node: through pieces, and through tensors for operators without steps."""
    graph = split.graph
    producers = graph.producers()
    by_pieces = node_dependencies(step_graph)
    return {
        op.index: by_pieces[op.index] | {producers[t] for t in op.inputs if t in producers} for op in graph.operators
    }


def _branches(dependencies: Mapping[int, frozenset[int]], graph: Graph) -> bool:
    fan_out: dict[int, int] = {}
    for needs in dependencies.values():
        for n in needs:
            fan_out[n] = fan_out.get(n, 0) + 1
    return any(v > 1 for v in fan_out.values()) or len(graph.inputs) > 1


def _storages_of(split: Split, step_graph: StepGraph, nodes: Sequence[int]) -> tuple[set[int], set[int]]:
    """Storages (accumulators left out) that `nodes` read and write."""
    reads: set[int] = set()
    writes: set[int] = set()
    count = len(split.storages.storages)
    for n in nodes:
        for s in step_graph.steps_of[n]:
            step = step_graph.steps[s]
            reads.update(step_graph.pieces[p].storage for p in step.reads)
            writes.update(step_graph.pieces[p].storage for p in step.writes)
    return {s for s in reads if s < count}, {s for s in writes if s < count}


def _group(
    split: Split, step_graph: StepGraph, groups: list[list[int]], deps: Mapping[int, frozenset[int]]
) -> list[_Chain]:
    where = {n: c for c, nodes in enumerate(groups) for n in nodes}
    chains = []
    for c, nodes in enumerate(groups):
        needs = frozenset(where[d] for n in nodes for d in deps[n] if where[d] != c)
        reads, writes = _storages_of(split, step_graph, nodes)
        chains.append(_Chain(tuple(nodes), needs, frozenset(reads), frozenset(writes)))
    # what only lives inside a chain streams through it
    users: dict[int, set[int]] = {}
    for c, chain in enumerate(chains):
        for s in chain.reads | chain.makes:
            users.setdefault(s, set()).add(c)
    outer = {s for s, who in users.items() if len(who) > 1} | _interface_storages(split)
    return [_Chain(c.nodes, c.needs, c.reads & outer, c.makes & outer) for c in chains]


def _interface_storages(split: Split) -> set[int]:
    graph, storages = split.graph, split.storages
    return {storages.storage_of[t] for t in (*graph.inputs, *graph.outputs) if t in storages.storage_of}


def _singles(split: Split, step_graph: StepGraph, deps: Mapping[int, frozenset[int]]) -> list[_Chain]:
    return _group(split, step_graph, [[op.index] for op in split.graph.operators], deps)


def _chains(split: Split, step_graph: StepGraph, deps: Mapping[int, frozenset[int]]) -> list[_Chain]:
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
    return _group(split, step_graph, groups, deps)


def _least_live(split: Split, chains: Sequence[_Chain], states: int) -> list[int]:
    """Nodes in an order of least live bytes, as far as `states` sets of executed chains can tell."""
    graph, storages = split.graph, split.storages
    tasks = tuple(Task(c.needs, c.reads, c.makes) for c in chains)
    sizes = tuple(s.rows * s.row_bytes for s in storages.storages)
    initial = frozenset(storages.storage_of[t] for t in graph.inputs if t in storages.storage_of)
    kept = frozenset(storages.storage_of[t] for t in graph.outputs if t in storages.storage_of)
    order = least_live_order(OrderProblem(tasks, sizes, initial, kept), states)
    return [n for c in order.tasks for n in chains[c].nodes]
