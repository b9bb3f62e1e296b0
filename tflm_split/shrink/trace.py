"""Which channels of a Keras model must go together, and which weights go with them?

Each channel of each tensor gets a label, and labels that must agree are joined: an addition joins its inputs channel by
channel, a depthwise convolution hands labels on, a concatenation puts them side by side. What is left is a number of
**units**: sets of channels that can only be removed together (Fang et al., "DepGraph", 2023, call these coupled). Units that
the same layers make form a **group**; only how many of a group stay matters to memory.

Channels that reach an output of the model, or a layer that is not understood, belong to no unit and are never removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tflm_split.shrink.walk import Call, checked_model, walk

Labels = npt.NDArray[np.int64]
"""One label per channel, which is the last axis."""

FIXED = -1
"""The label of a channel that belongs to no unit."""


@dataclass(frozen=True, slots=True)
class Slot:
    """An axis of a layer's variable that has one index per channel.

    `reads`: the axis is that of the layer's input, and the layer adds up over it. So zeros there are as good as
    no channel, whatever the channel holds.
    """

    attribute: str
    axis: int
    labels: tuple[int, ...]
    reads: bool = False


@dataclass(frozen=True, slots=True)
class TracedLayer:
    """A layer with what of it changes when channels go: `slots` of variables, and numbers of its configuration.

    `sizes`: (key of the configuration, labels that it counts). `made`: the labels of what the layer produces.
    """

    layer: Any
    name: str
    slots: tuple[Slot, ...]
    sizes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    made: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Units made by the same layers, in order of channels."""

    name: str
    layers: tuple[str, ...]
    units: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """The channels of a model. Units count from 0."""

    model: Any = field(repr=False)
    layers: tuple[TracedLayer, ...] = field(repr=False)
    groups: tuple[Group, ...]
    left_alone: tuple[tuple[str, str], ...]
    """(Layer, why the channels that it reads or makes stay)."""
    inputs: tuple[tuple[int, ...], ...] = ()

    @property
    def units(self) -> int:
        return sum(len(group.units) for group in self.groups)

    def layer_of(self, layer: Any) -> TracedLayer | None:
        return next((known for known in self.layers if known.layer is layer), None)


class Labeller:
    """Labels under construction: a union-find structure, and what is known of each layer."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._fixed: list[bool] = []
        self.makers: list[set[str]] = []
        self.layers: dict[int, TracedLayer] = {}
        self.left_alone: dict[str, str] = {}

    def fresh(self, count: int, maker: str = "", *, fixed: bool = False) -> Labels:
        """`count` labels that nothing has yet."""
        first = len(self._parents)
        self._parents += range(first, first + count)
        self._fixed += [fixed] * count
        self.makers += [{maker} if maker else set() for _ in range(count)]
        return np.arange(first, first + count)

    def root(self, label: int) -> int:
        while self._parents[label] != label:
            self._parents[label] = self._parents[self._parents[label]]
            label = self._parents[label]
        return label

    def join(self, a: Iterable[int], b: Iterable[int]) -> None:
        """Channel by channel, what has label `a` goes together with what has label `b`."""
        for x, y in zip(a, b, strict=True):
            low, high = sorted((self.root(int(x)), self.root(int(y))))
            if low != high:
                self._parents[high] = low
                self._fixed[low] = self._fixed[low] or self._fixed[high]
                self.makers[low] |= self.makers[high]

    def fix(self, labels: Iterable[int]) -> None:
        """These channels stay."""
        for label in labels:
            self._fixed[self.root(int(label))] = True

    def leave(self, name: str, why: str, values: Sequence[Value]) -> None:
        """What the layer `name` touches stays, because of `why`."""
        self.left_alone.setdefault(name, why)
        for value in values:
            self.fix(value.labels)

    def is_fixed(self, label: int) -> bool:
        return self._fixed[self.root(int(label))]


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor: its shape without the batch, and the labels of its last axis."""

    shape: tuple[int | None, ...]
    labels: Labels = field(repr=False, compare=False)


def trace(model: Any) -> Trace:
    """The channel groups of a Sequential or functional Keras 3 model, nested ones included.

    Raises InputError for a model that is neither.
    """
    from tflm_split.shrink.rules import rule_of

    labeller = Labeller()

    def visit(call: Call, given: list[Value]) -> list[Value]:
        shapes = [tuple(tensor.shape)[1:] for tensor in call.node.output_tensors]
        return rule_of(call.operation)(labeller, call, given, shapes)

    inputs = [_input(labeller, tensor.shape) for tensor in checked_model(model).inputs]
    for value in walk(model, inputs, visit):
        labeller.fix(value.labels)
    return _finished(labeller, model, inputs)


def _input(labeller: Labeller, shape: Sequence[int | None]) -> Value:
    sizes = tuple(shape)[1:]
    return Value(sizes, labeller.fresh((sizes[-1] or 0) if sizes else 1, fixed=True))


def _finished(labeller: Labeller, model: Any, inputs: Sequence[Value]) -> Trace:
    """Units get their numbers in the order in which the model makes them. What no layer makes is fixed."""
    numbers: dict[int, int] = {}
    members: dict[frozenset[str], list[int]] = {}
    order = {layer.name: k for k, layer in enumerate(labeller.layers.values())}
    for layer in labeller.layers.values():
        for label in layer.made:
            root = labeller.root(label)
            if root in numbers or labeller.is_fixed(root):
                continue
            numbers[root] = len(numbers)
            members.setdefault(frozenset(labeller.makers[root]), []).append(numbers[root])

    def numbered(labels: Iterable[int]) -> tuple[int, ...]:
        return tuple(numbers.get(labeller.root(int(label)), FIXED) for label in labels)

    layers = tuple(
        TracedLayer(
            layer.layer,
            layer.name,
            tuple(Slot(s.attribute, s.axis, numbered(s.labels), s.reads) for s in layer.slots),
            tuple((key, numbered(labels)) for key, labels in layer.sizes),
            numbered(layer.made),
        )
        for layer in labeller.layers.values()
    )
    groups = []
    for makers, units in members.items():
        names = tuple(sorted(makers, key=lambda name: order.get(name, len(order))))
        groups.append(Group(" + ".join(names), names, tuple(units)))
    left = tuple(labeller.left_alone.items())
    return Trace(model, layers, tuple(groups), left, tuple(numbered(value.labels) for value in inputs))
