"""What do rewrites have in common? Each puts a few new operators in place of some operators, and is exact.

A `Patch` collects the new operators and tensors. `rewritten` applies one kind of patch wherever it fits, as long as every
new operator can be split: no stock kernel may have to run one. The tensors that are read outside of a patch stay the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tflm_split.ir.graph import Graph, Operator, Option, Tensor
from tflm_split.rewrite.drop_dead import drop_dead
from tflm_split.split.operators import is_reshape

Accept = Callable[[Graph, Operator], bool]
"""Whether an operator of a graph can be split."""


@dataclass(frozen=True, slots=True)
class Site:
    """An operator that a rewrite may start at, with what is known of its graph."""

    graph: Graph
    op: Operator
    producers: Mapping[int, int]
    consumers: Mapping[int, tuple[int, ...]]

    def maker(self, tensor: int) -> Operator | None:
        """The operator that makes a tensor; None for an input of the graph, a constant or a variable."""
        return self.graph.operators[self.producers[tensor]] if tensor in self.producers else None

    def made_as(self, tensor: int) -> int:
        """The tensor whose bytes `tensor` are, through any chain of RESHAPEs."""
        while (maker := self.maker(tensor)) is not None and is_reshape(maker):
            tensor = maker.inputs[0]
        return tensor

    def only_reader(self, tensor: int) -> Operator | None:
        """The one operator that reads a tensor; None when there are more or none, or when it leaves the graph."""
        readers = self.consumers.get(tensor, ())
        if len(readers) != 1 or tensor in self.graph.outputs:
            return None
        reader = self.graph.operators[readers[0]]
        return reader if reader.inputs.count(tensor) == 1 else None


class Patch:
    """New operators in place of `replaced`, which are operators of `graph`.

    The new ones stand where the last of `replaced` stood. All of them carry the positions in the file of `replaced`, and of
    `absorbed`: operators whose work they do, too, and that stay only if others read what they make.
    """

    def __init__(
        self, name: str, graph: Graph, replaced: Sequence[Operator], absorbed: Sequence[Operator] = ()
    ) -> None:
        self.graph = graph
        self.replaced = tuple(sorted(replaced, key=lambda op: op.index))
        self.tensors = list(graph.tensors)
        self.operators: list[Operator] = []
        self._name = name
        self._source = tuple(dict.fromkeys(k for op in (*absorbed, *self.replaced) for k in op.source))

    @property
    def key(self) -> tuple[str, tuple[int, ...]]:
        """What tells this patch from others of the same graph."""
        return self._name, self._source

    def tensor(self, like: Tensor, shape: Sequence[int]) -> int:
        """A new activation, quantised as `like`."""
        return self._append(replace(like, index=len(self.tensors), shape=tuple(shape), data=None))

    def constant(self, like: Tensor, values: npt.NDArray[np.generic], dtype: str = "") -> int:
        """A new constant of the quantisation of `like`, and of its type unless another one is given."""
        data = np.ascontiguousarray(values).tobytes()
        made = replace(like, index=len(self.tensors), shape=values.shape, dtype=dtype or like.dtype, data=data)
        return self._append(made)

    def numbers(self, values: npt.ArrayLike) -> int:
        """A new int32 constant: axes, amounts, shapes."""
        array = np.asarray(values, "<i4")
        return self._append(Tensor(len(self.tensors), "numbers", array.shape, "INT32", data=array.tobytes()))

    def add(self, kind: str, inputs: Sequence[int], output: int, options: Mapping[str, Option] | None = None) -> int:
        """Add an operator that writes `output`, and return it."""
        self.operators.append(Operator(0, kind, tuple(inputs), (output,), options or {}, self._source, self._name))
        return output

    def copy(
        self, op: Operator, inputs: Sequence[int], output: int, options: Mapping[str, Option] | None = None
    ) -> int:
        """Add an operator like `op` on other tensors; `options` take the place of its own where they are given."""
        return self.add(op.kind, inputs, output, {**op.options, **(options or {})})

    def again(self, op: Operator, inputs: Sequence[int]) -> None:
        """Add an operator like `op`, which writes what `op` writes, on other inputs."""
        self.operators.append(replace(op, inputs=tuple(inputs), source=self._source, rewrite=self._name))

    def reshape(self, tensor: int, shape: Sequence[int], output: int | None = None) -> int:
        """Add a RESHAPE and return its output: `output`, or a new tensor. No operator where nothing changes.

        A constant becomes another constant.
        """
        if self.tensors[tensor].is_constant and output is None:
            return self._append(replace(self.tensors[tensor], index=len(self.tensors), shape=tuple(shape)))
        if output is None and self.tensors[tensor].shape == tuple(shape):
            return tensor
        return self.add(
            "RESHAPE",
            (tensor, self.numbers(shape)),
            self.tensor(self.tensors[tensor], shape) if output is None else output,
        )

    def applied(self) -> Graph:
        """The graph with the patch in it. Raises ModelError when the new operators do not fit."""
        dropped = {op.index for op in self.replaced}
        last = self.replaced[-1].index
        operators: list[Operator] = []
        for op in self.graph.operators:
            if op.index == last:
                operators += self.operators
            elif op.index not in dropped:
                operators.append(op)
        return replace(self.graph, tensors=tuple(self.tensors)).with_operators(tuple(operators))

    def _append(self, tensor: Tensor) -> int:
        self.tensors.append(tensor)
        return tensor.index


Rule = Callable[[Site], Patch | None]
"""Finds the patch that starts at a site; None when there is none."""


def rewritten(graph: Graph, rule: Rule, accept: Accept) -> Graph:
    """`graph` with every patch of `rule` whose operators `accept` accepts, and without what nobody reads any more."""
    rejected: set[tuple[str, tuple[int, ...]]] = set()
    while True:
        for patch in _patches(graph, rule):
            if patch.key in rejected:
                continue
            changed = patch.applied()
            first = patch.replaced[-1].index - len(patch.replaced) + 1
            new = changed.operators[first : first + len(patch.operators)]
            if all(accept(changed, op) for op in new):
                graph = drop_dead(changed)
                break
            rejected.add(patch.key)
        else:
            return graph


def _patches(graph: Graph, rule: Rule) -> Iterator[Patch]:
    producers, consumers = graph.producers(), graph.consumers()
    for op in graph.operators:
        patch = rule(Site(graph, op, producers, consumers))
        if patch is not None:
            yield patch
