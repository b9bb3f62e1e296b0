"""What if a tensor were computed again for its late readers, instead of being kept for them (rematerialisation)?

    before   A -------------------------> late reader       the result of A lives all the while
    after    A       ...        A again -> late reader      it lives twice, for a short time

Some operators get copies, which read the same tensors and make the same values. The late readers read the copies' results.
This is exact. It costs multiply-accumulates but no weights: copies share them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tflm_split.errors import ModelError
from tflm_split.ir.graph import Graph


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy `operators` for `readers`. Both are operator indices of the graph that it is applied to, in order."""

    operators: tuple[int, ...]
    readers: tuple[int, ...]

    def applied(self, graph: Graph) -> Graph:
        """`graph` with the copies added before the first reader.

        Raises ModelError when a copy would come after an operator that reads it.
        """
        if not self.operators or not self.readers or self.operators[-1] >= self.readers[0]:
            raise ModelError("an operator's copy would come after what reads it")
        tensors = list(graph.tensors)
        again: dict[int, int] = {}
        copies = []
        for k in self.operators:
            op = graph.operators[k]
            inputs = tuple(again.get(t, t) for t in op.inputs)
            for t in op.outputs:
                again[t] = len(tensors)
                tensors.append(replace(graph.tensors[t], index=len(tensors), name=f"{graph.tensors[t].name} again"))
            copies.append(replace(op, inputs=inputs, outputs=tuple(again[t] for t in op.outputs)))
        operators = list(graph.operators)
        for k in self.readers:
            operators[k] = replace(operators[k], inputs=tuple(again.get(t, t) for t in operators[k].inputs))
        first = self.readers[0]
        return replace(graph, tensors=tuple(tensors)).with_operators((*operators[:first], *copies, *operators[first:]))
