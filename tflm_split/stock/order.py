"""In which order should the operators of a file run, so that the fewest bytes are alive at the worst one?

Tensors count rounded to 16 bytes, as TFLM plans them, and with the scratch of the kernels. What an output may lie on
(`sharing.py`) counts once.
"""

from __future__ import annotations

from collections.abc import Mapping

from tflm_split.analysis.liveness import activation_bytes
from tflm_split.analysis.tflm_planner import Scratch, rounded
from tflm_split.ir.graph import ABSENT, Graph, Operator
from tflm_split.schedule.optimal_order import OrderProblem, Task, least_live_order
from tflm_split.schedule.orders import may_reorder
from tflm_split.stock.sharing import distance_bytes

ORDER_STATES = 50_000
"""Sets of executed operators that one search may look at."""


def orders(graph: Graph, kernels: str, scratch: Scratch, states: int = ORDER_STATES) -> tuple[tuple[int, ...], ...]:
    """Orders of the operators that are worth a layout: the file's, and the best with and without shared bytes.

    Only the file's where operators affect each other by more than tensors.
    """
    first = tuple(range(len(graph.operators)))
    if not may_reorder(graph) or not graph.operators:
        return (first,)
    found = [first]
    for shared in (True, False):
        order = least_live_order(_problem(graph, kernels, scratch, shared), states).tasks
        if order not in found:
            found.append(order)
    return tuple(found)


def least_head_bytes(graph: Graph, kernels: str, scratch: Scratch, states: int = ORDER_STATES) -> int:
    """No plan without an operator of ours can have a smaller head: a bound on the live bytes of every order, with shared bytes.

    0 where operators affect each other by more than tensors: their order is the file's.
    """
    if not may_reorder(graph) or not graph.operators:
        return 0
    return least_live_order(_problem(graph, kernels, scratch, True), states).lower_bound_bytes


def _problem(graph: Graph, kernels: str, scratch: Scratch, shared: bool) -> OrderProblem:
    """Operators over tensors; scratch is a buffer that lives within its operator."""
    producers = graph.producers()
    sizes = [rounded(activation_bytes(tensor)) for tensor in graph.tensors]
    tasks = []
    for op in graph.operators:
        reads = {t for t in op.inputs if t != ABSENT and sizes[t]}
        needs = frozenset(producers[t] for t in op.inputs if t in producers)
        makes = {t for t in op.outputs if sizes[t]}
        asked = sum(map(rounded, scratch(graph, op)))
        if asked:
            makes.add(len(sizes))
            reads.add(len(sizes))
            sizes.append(asked)
        over = _overwrites(graph, op, kernels) if shared else {}
        tasks.append(Task(needs, frozenset(reads), frozenset(makes), over))
    return OrderProblem(tuple(tasks), tuple(sizes), frozenset(graph.inputs), frozenset(graph.outputs))


def _overwrites(graph: Graph, op: Operator, kernels: str) -> Mapping[int, int]:
    over: dict[int, int] = {}
    for t in dict.fromkeys(op.inputs):
        distance = distance_bytes(graph, op, t, kernels)
        if distance is not None and t not in graph.outputs:
            written, read = (rounded(graph.tensors[k].bytes) for k in (op.outputs[0], t))
            common = min(written - distance, read)
            if common > 0:
                over[t] = common
    return over
