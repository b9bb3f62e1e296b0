"""What if a tensor were made again for its late readers, instead of being kept for them?

Some operators get copies, which read what they read and make the same values; the given readers read those (what others
call rematerialisation). Exact, and paid for in multiply-accumulates, never in weights: the copies share them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tflm_split.errors import ModelError
from tflm_split.ir.graph import Graph


@dataclass(frozen=True, slots=True)
class Copy:
    """Copies of `operators` for `readers`, both indices into the graph it is applied to, in order."""

    operators: tuple[int, ...]
    readers: tuple[int, ...]

    @property
    def copies(self) -> range:
        """Where the copies stand in the new graph: right before the first reader."""
        return range(self.readers[0], self.readers[0] + len(self.operators))

    def renumbered(self, operator: int) -> int:
        """The index that an operator of the old graph has in the new one."""
        return operator if operator < self.readers[0] else operator + len(self.operators)


def with_copies(graph: Graph, copy: Copy) -> Graph:
    """`graph` with `copy` done; raises ModelError when the operators' inputs are not there before the first reader."""
    if not copy.operators or not copy.readers or copy.operators[-1] >= copy.readers[0]:
        raise ModelError("an operator's copy would come after what reads it")
    tensors = list(graph.tensors)
    again: dict[int, int] = {}
    copies = []
    for k in copy.operators:
        op = graph.operators[k]
        inputs = tuple(again.get(t, t) for t in op.inputs)
        for t in op.outputs:
            again[t] = len(tensors)
            tensors.append(replace(graph.tensors[t], index=len(tensors), name=f"{graph.tensors[t].name} again"))
        copies.append(replace(op, inputs=inputs, outputs=tuple(again[t] for t in op.outputs)))
    operators = list(graph.operators)
    for k in copy.readers:
        operators[k] = replace(operators[k], inputs=tuple(again.get(t, t) for t in operators[k].inputs))
    first = copy.readers[0]
    return replace(graph, tensors=tuple(tensors)).with_operators((*operators[:first], *copies, *operators[first:]))
