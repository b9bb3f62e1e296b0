"""Some variables of subgraphs would get no memory from TFLM. Here they get another number, and with it memory.

TFLM asks the offline plan whether it has to allocate a variable. It looks the variable up by its number in its own
subgraph (AllocateVariables in micro_allocator.cc). So tensor 5 of the second subgraph counts as placed when the plan places
tensor 5 of the main graph, and then it has no memory at all. Here such a variable gets a number whose entry in the plan
says that TFLM places it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tflm_split.tflite import schema


def move_hidden_variables(tree: Any, offsets: Mapping[int, int]) -> None:
    """In every subgraph but the main one, renumber each variable whose number is in `offsets`. Changes `tree`."""
    for index, graph in enumerate(tree.subgraphs[1:], start=1):
        hidden = [t for t, tensor in enumerate(graph.tensors or []) if tensor.isVariable and t in offsets]
        for old in hidden:
            _renumber(tree, index, old, _free_number(graph, offsets))


def _free_number(graph: Any, offsets: Mapping[int, int]) -> int:
    """A new tensor number that the plan does not place. Empty tensors are added to take the numbers before it."""
    while len(graph.tensors) in offsets:
        graph.tensors.append(_nothing())
    graph.tensors.append(_nothing())
    return len(graph.tensors) - 1


def _nothing() -> Any:
    """A tensor that gets no memory from TFLM."""
    return schema.new("TensorT", name=b"", shape=np.zeros(1, np.int32), type=9, buffer=0)


def _renumber(tree: Any, index: int, old: int, new: int) -> None:
    graph = tree.subgraphs[index]
    graph.tensors[new], graph.tensors[old] = graph.tensors[old], graph.tensors[new]
    for owner, name in (
        (graph, "inputs"),
        (graph, "outputs"),
        *((op, field) for op in graph.operators or [] for field in ("inputs", "outputs", "intermediates")),
    ):
        numbers = getattr(owner, name)
        if numbers is not None:
            setattr(owner, name, np.where(np.asarray(numbers) == old, new, numbers).astype(np.int32))
    for signature in tree.signatureDefs or []:
        if signature.subgraphIndex == index:
            for entry in (*(signature.inputs or []), *(signature.outputs or [])):
                entry.tensorIndex = new if entry.tensorIndex == old else entry.tensorIndex
