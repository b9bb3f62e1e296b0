"""What is a network, for this compiler?

A frozen graph of tensors and operators. Invariants (tests/test_ir.py has one test for each):

1. `graph.tensors[i].index == i`; `graph.operators[k].index == k` after `Graph.checked()`.
2. Every index in `op.inputs` is a tensor or `ABSENT`; every index in `op.outputs` is a tensor.
3. A tensor has at most one producer. A constant, a variable and a graph input have none, and no tensor is two of these.
4. Operators stand in an order in which they can run: what they read has a value by then, and so have the outputs in the end.
5. A state's tensor `before` has no producer, and is no input, constant or variable; an operator makes `after`, of as many bytes.
   Neither is an output.
6. Shapes are final: no negative dimension, no zero dimension on an activation, and every tensor below `MAX_TENSOR_BYTES`.

Rewrites and splits are functions Graph -> value; nothing here is ever mutated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from math import prod
from types import MappingProxyType
from typing import Any

from tflm_split.errors import ModelError

ABSENT = -1
"""The index of an optional operator input that is missing (TFLite schema, `Operator.inputs`)."""

ELEMENT_BYTES: Mapping[str, int] = MappingProxyType(
    {
        "FLOAT32": 4, "FLOAT16": 2, "FLOAT64": 8, "BFLOAT16": 2, "INT8": 1, "UINT8": 1, "INT16": 2, "UINT16": 2,
        "INT32": 4, "UINT32": 4, "INT64": 8, "UINT64": 8, "BOOL": 1, "COMPLEX64": 8, "COMPLEX128": 16,
    }
)  # fmt: skip
"""TFLite type name -> bytes of one element. Sub-byte, string and resource types are left out on purpose."""

MAX_TENSOR_BYTES = 2**31
"""No tensor is as large: TFLM, and the microcontrollers it runs on, count arena bytes in 32 bits."""

Option = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Quantization:
    """Affine quantisation: real = scale * (q - zero_point). One entry for the tensor, or one per index of `axis`."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a subgraph. `data` holds the little-endian bytes of a constant, and is None for an activation."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    data: bytes | None = field(default=None, repr=False)
    is_variable: bool = False

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes TFLM plans for it. 0 for types without a fixed element size (RESOURCE, VARIANT, STRING)."""
        return self.elements * ELEMENT_BYTES.get(self.dtype, 0)

    @property
    def is_constant(self) -> bool:
        return self.data is not None


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator. `kind` is the name of the builtin in the TFLite schema, or `CUSTOM:<code>`.

    `options` holds the fields of its options table in snake_case, enums by name: `{"padding": "SAME", "stride_h": 2,
    "fused_activation_function": "RELU6"}`. After `rewrite.fold_pad` a convolution may carry `padding="EXPLICIT"` with
    `pad_top, pad_bottom, pad_left, pad_right`. An unknown enum value is the string of its number, never a default.

    `source` is the operator's position in the file it came from (several after a fold), for messages and refusals.
    `rewrite` is empty for an operator of the file. For all others it names the rewrite that made it; no stock kernel may
    be asked to run these.
    """

    index: int
    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option] = field(default_factory=dict)
    source: tuple[int, ...] = ()
    rewrite: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """What a network remembers: tensor `before` holds what `after` held when the inference before was done.

    In the first inference, and after a reset, each byte of it is `fill`, 0 to 255. No file holds states: `rewrite/states.py` makes
    them of variables.
    """

    before: int
    after: int
    fill: int


@dataclass(frozen=True, slots=True)
class Graph:
    """One subgraph: tensors, operators in execution order, the interface, and what it remembers."""

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    states: tuple[State, ...] = ()

    def operands(self, op: Operator) -> Iterator[Tensor]:
        """The tensors `op` reads, constants included, absent ones skipped."""
        return (self.tensors[i] for i in op.inputs if i != ABSENT)

    def label(self, op: Operator) -> str:
        """How messages name an operator: `op 7 CONV_2D 'block2/conv'`."""
        where = "+".join(map(str, op.source)) if op.source else str(op.index)
        name = self.tensors[op.outputs[0]].name if op.outputs else ""
        return f"op {where} {op.kind} {name!r}"

    def producers(self) -> dict[int, int]:
        """Tensor index -> index of the operator that writes it."""
        return {t: op.index for op in self.operators for t in op.outputs}

    def consumers(self) -> dict[int, tuple[int, ...]]:
        """Tensor index -> indices of the operators that read it, in order, each once."""
        readers: dict[int, list[int]] = {}
        for op in self.operators:
            for t in dict.fromkeys(op.inputs):
                if t != ABSENT:
                    readers.setdefault(t, []).append(op.index)
        return {t: tuple(ops) for t, ops in readers.items()}

    def with_operators(self, operators: tuple[Operator, ...]) -> Graph:
        """The same tensors with other operators, which are renumbered. Raises ModelError like `checked`."""
        return replace(self, operators=tuple(replace(op, index=k) for k, op in enumerate(operators))).checked()

    def checked(self) -> Graph:
        """This graph, if the invariants at the top of this file hold. Raises ModelError for the first that does not."""
        count = len(self.tensors)
        for i, tensor in enumerate(self.tensors):
            if tensor.index != i:
                raise ModelError(f"tensor {i} carries the index {tensor.index}")
            if any(d < 0 for d in tensor.shape):
                raise ModelError(f"tensor {i} {tensor.name!r} has a dynamic shape {list(tensor.shape)}")
            if tensor.is_constant and tensor.is_variable:  # TFLM would write zeros into the model
                raise ModelError(f"tensor {i} {tensor.name!r} is a constant and a variable")
            if max(tensor.bytes, tensor.elements) >= MAX_TENSOR_BYTES:
                raise ModelError(f"tensor {i} {tensor.name!r} is larger than any arena: {list(tensor.shape)}")
        for t in self.inputs + self.outputs:
            if not 0 <= t < count:
                raise ModelError(f"the graph's interface names tensor {t}, but there are {count} tensors")
        for t in self.inputs:
            self._check_filled(t, "input")
            if self.tensors[t].is_constant or self.tensors[t].is_variable:
                raise ModelError(f"tensor {t} is an input of the graph, and a constant or a variable")
        written = set(self.inputs)
        produced = {t for op in self.operators for t in op.outputs}
        for k, op in enumerate(self.operators):
            if op.index != k:
                raise ModelError(f"operator {k} carries the index {op.index}")
            for t in op.inputs:
                if t == ABSENT:
                    continue
                if not 0 <= t < count:
                    raise ModelError(f"op {k} {op.kind} reads tensor {t}, but there are {count} tensors")
                if t in produced and t not in written:
                    raise ModelError(f"op {k} {op.kind} reads tensor {t} before any operator has produced it")
                if not self._has_value(t, written) and self.tensors[t].elements:
                    raise ModelError(f"op {k} {op.kind} reads tensor {t}, which nothing produces")
            for t in op.outputs:
                if not 0 <= t < count:
                    raise ModelError(f"op {k} {op.kind} writes tensor {t}, but there are {count} tensors")
                if t in written:
                    raise ModelError(f"op {k} {op.kind} writes tensor {t}, which already has a value")
                if self.tensors[t].is_constant:
                    raise ModelError(f"op {k} {op.kind} writes tensor {t}, which is a constant")
                if self.tensors[t].is_variable:
                    raise ModelError(f"op {k} {op.kind} writes tensor {t}, which is a variable")
                self._check_filled(t, f"result of op {k} {op.kind}")
                written.add(t)
        for t in self.outputs:
            if not self._has_value(t, written):
                raise ModelError(f"the graph gives out tensor {t}, which nothing produces")
        for state in self.states:
            self._check_state(state, produced)
        return self

    def _has_value(self, tensor: int, written: AbstractSet[int]) -> bool:
        value = self.tensors[tensor]
        remembered = any(tensor == state.before for state in self.states)
        return tensor in written or value.is_constant or value.is_variable or remembered

    def _check_state(self, state: State, produced: AbstractSet[int]) -> None:
        before, after = self.tensors[state.before], self.tensors[state.after]
        given = {*produced, *self.inputs, *self.outputs}
        if state.before in given or before.is_constant or before.is_variable:
            raise ModelError(f"tensor {state.before} is what the graph remembers, and something else")
        if state.after not in produced or state.after in self.outputs or before.bytes != after.bytes:
            raise ModelError(f"tensor {state.after} is not what the graph could remember as tensor {state.before}")

    def _check_filled(self, tensor: int, role: str) -> None:
        """Refuse an empty tensor: TFLM gives it no memory, and kernels do not check that."""
        if not self.tensors[tensor].elements:
            raise ModelError(f"tensor {tensor}, {role}, is empty: {list(self.tensors[tensor].shape)}")


@dataclass(frozen=True, slots=True)
class Model:
    """A whole file. `original` holds its bytes, so that nothing is lost.

    `graph` is the main graph; `other_graphs` are the other subgraphs, in order. `custom_options`: position of a custom
    operator of the main graph -> its option bytes. `offline_plan` is the payload that tells TFLM where tensors lie
    (`tflite/offline_plan.py`), or None. `tree` is the unpacked file: only `tflite/` looks into it, and nobody changes it.
    """

    name: str
    graph: Graph
    original: bytes = field(repr=False)
    tree: Any = field(repr=False, compare=False)
    other_graphs: tuple[Graph, ...] = ()
    custom_options: Mapping[int, bytes] = field(default_factory=dict, repr=False)
    offline_plan: bytes | None = field(default=None, repr=False)
    metadata: tuple[str, ...] = ()
    signature_count: int = 0
    description: str = ""

    @property
    def subgraph_count(self) -> int:
        return 1 + len(self.other_graphs)
