"""What a network remembers from one inference to the next, as values: `Graph.states` in place of variables.

    before   READ_VARIABLE v -> old;  CONCATENATION (old, new) -> ring;  STRIDED_SLICE ring -> rest;  ASSIGN_VARIABLE v, rest
    after    (remembered)  -> old;    CONCATENATION (old, new) -> ring;  STRIDED_SLICE ring -> rest;  KEEP_STATE rest -> kept

No operator has an effect beside its outputs then, so the rows of `old` can be cut, read in place and written over like others.
An SVDF becomes what it computes: a matrix product, a ring of its results, and a convolution over the ring (`svdf.py`). A sequence
LSTM becomes its steps of time (`lstm.py`).

TFLM makes a variable its zero point, in the beginning and at a reset (micro_resource_variable.cc, micro_interpreter_graph.cc). A
subgraph that CALL_ONCE runs is left out where it does just that; a reset does not run it again. All else that is not
sure to be the same stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from tflm_split.errors import ModelError, Refusal
from tflm_split.ir.graph import ABSENT, Graph, Operator, State, Tensor
from tflm_split.rewrite.lstm import LSTM, unrolled_lstm
from tflm_split.rewrite.svdf import Growing, unrolled
from tflm_split.split.operators import RESHAPES
from tflm_split.split.operators.common import need
from tflm_split.split.operators.slices import SLICES
from tflm_split.split.operators.state import KEEP_STATE, STATES

RESOURCE_KINDS = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"})
_WINDOWS = frozenset({"CONCATENATION", "PACK", *SLICES, *RESHAPES})
"""Kinds whose output may be the bytes of an input."""


def remembers(graph: Graph) -> bool:
    """Whether what the network computes may depend on earlier inferences."""
    return any(op.kind in RESOURCE_KINDS for op in graph.operators) or any(t.is_variable for t in graph.tensors)


def with_states(graph: Graph, others: Sequence[Graph]) -> Graph:
    """`graph` with states in place of variables, where that is exact. `others` are the other subgraphs, from number 1 on.

    All variables of VAR_HANDLE are replaced, or none: those that stay would be kept in memory anyway.
    """
    changed = graph
    with suppress(Refusal, ModelError):
        changed = _without_resources(graph, others)
    for op in graph.operators:
        if op.kind in _WITH_STATES:
            with suppress(Refusal, ModelError):
                changed = _without_variables(changed, op)
    return changed


# Operators with variables of their own.


def _svdf(growing: Growing, op: Operator) -> tuple[State, ...]:
    return (unrolled(growing, op),)


_WITH_STATES: Mapping[str, Callable[[Growing, Operator], tuple[State, ...]]] = {"SVDF": _svdf, LSTM: unrolled_lstm}
"""Kind -> adds the operators that do the same; the states that they need."""


def _without_variables(graph: Graph, wanted: Operator) -> Graph:
    """`graph` with operators in place of the one that stands for `wanted` of the file. Raises Refusal where it must stay."""
    op = next(o for o in graph.operators if o.kind == wanted.kind and o.outputs == wanted.outputs)
    variables = {t for t in op.inputs if t != ABSENT and graph.tensors[t].is_variable}
    readers = [o for o in graph.operators if variables.intersection(o.inputs)]
    need(len(readers) == 1, "state", "its state is none of its own")
    growing = Growing(graph, op)
    states = _WITH_STATES[op.kind](growing, op)
    operators = (*graph.operators[: op.index], *growing.operators, *graph.operators[op.index + 1 :])
    return replace(graph, tensors=tuple(growing.tensors), states=(*graph.states, *states)).with_operators(operators)


# Resource variables.


@dataclass(slots=True)
class _Variable:
    """A variable by its name: the tensor that it holds at the start, and the one that it holds now."""

    before: int | None = None
    now: int | None = None


def _without_resources(graph: Graph, others: Sequence[Graph]) -> Graph:
    """`graph` without resource variables. Raises Refusal where some must stay."""
    need(any(op.kind == "VAR_HANDLE" for op in graph.operators), "state", "it has no variables")
    handles = _handles(graph)
    _check_handles(graph, handles)
    set_once = _set_once(graph, others)
    variables = {name: _Variable() for name in handles.values()}
    same: dict[int, int] = {}
    kept: list[Operator] = []
    for op in graph.operators:
        if op.kind == "READ_VARIABLE":
            _read(variables[handles[op.inputs[0]]], op.outputs[0], same)
        elif op.kind == "ASSIGN_VARIABLE":
            variables[handles[op.inputs[0]]].now = same.get(op.inputs[1], op.inputs[1])
        elif op.kind not in RESOURCE_KINDS:
            kept.append(replace(op, inputs=tuple(same.get(t, t) for t in op.inputs)))
    need(not any(t in same for t in graph.outputs), "state", "what a variable holds is an output")
    tensors, states, updates = list(graph.tensors), list(graph.states), list[Operator]()
    for name, variable in variables.items():
        if variable.before is None:  # never read: nobody can tell what it holds
            continue
        need(variable.now not in (None, variable.before), "state", "a variable never changes")
        assert variable.now is not None
        fill = _fill(graph.tensors[variable.now], set_once.get(name))
        tensors.append(replace(graph.tensors[variable.now], index=len(tensors), name=f"{name} kept", data=None))
        need(tensors[-1].bytes == graph.tensors[variable.before].bytes, "state", "a variable changes its size")
        states.append(State(variable.before, tensors[-1].index, fill))
        source = _positions(graph, handles, name)
        updates.append(Operator(0, KEEP_STATE, (variable.now,), (tensors[-1].index,), {}, source, STATES))
    operators = kept
    for state, update in zip(states[len(graph.states) :], updates, strict=True):
        operators = placed_last(operators, state.before, update)
    return replace(graph, tensors=tuple(tensors), states=tuple(states)).with_operators(tuple(operators))


def _positions(graph: Graph, handles: Mapping[int, str], name: str) -> tuple[int, ...]:
    """Where in the file the operators of a variable are."""
    named = [op for op in graph.operators if name in {handles.get(t) for t in (*op.inputs, *op.outputs)}]
    return tuple(k for op in named for k in op.source)


def placed_last(operators: Sequence[Operator], before: int, update: Operator) -> list[Operator]:
    """`operators` with `update` behind all that may read the bytes of tensor `before`, and behind what makes its input."""
    seen = {before}
    last = -1
    for k, op in enumerate(operators):
        if seen.intersection(op.inputs):
            last = k
            if op.kind in _WINDOWS:
                seen.update(op.outputs)
        if set(update.inputs) & set(op.outputs):
            last = k
    return [*operators[: last + 1], update, *operators[last + 1 :]]


def updated_last(graph: Graph) -> Graph:
    """`graph` with each KEEP_STATE behind all that may read the bytes it writes over, wherever rewriting has moved those."""
    if not graph.states:
        return graph
    operators = list(graph.operators)
    for state in graph.states:
        update = next(op for op in operators if op.kind == KEEP_STATE and op.outputs == (state.after,))
        operators = placed_last([op for op in operators if op is not update], state.before, update)
    return graph.with_operators(tuple(operators))


def _handles(graph: Graph) -> dict[int, str]:
    """Tensor of a handle -> the variable's name. Raises Refusal for names that differ in their container only."""
    handles: dict[int, str] = {}
    containers: dict[str, object] = {}
    for op in graph.operators:
        if op.kind == "VAR_HANDLE":
            name, container = str(op.options.get("shared_name", "")), op.options.get("container", "")
            need(containers.setdefault(name, container) == container, "state", "two variables have one name")
            handles[op.outputs[0]] = name
    return handles


def _check_handles(graph: Graph, handles: Mapping[int, str]) -> None:
    for op in graph.operators:
        uses = [t for t in op.inputs if t in handles]
        if uses:
            need(op.kind in RESOURCE_KINDS and op.inputs[0] in handles, "state", "a variable goes to another operator")
        elif op.kind in ("READ_VARIABLE", "ASSIGN_VARIABLE"):
            raise Refusal("state", "a variable has no name")
    need(not set(handles) & {*graph.inputs, *graph.outputs}, "state", "a variable is an input or an output")


def _read(variable: _Variable, output: int, same: dict[int, int]) -> None:
    """What a READ_VARIABLE gives is the tensor that the variable holds now; at first, a tensor that nobody makes."""
    if variable.now is None:
        variable.before = variable.now = output
    else:
        same[output] = variable.now


def _set_once(graph: Graph, others: Sequence[Graph]) -> dict[str, Tensor]:
    """Variable -> the constant that it is set to before the first inference.

    Raises Refusal where other subgraphs could do more with variables, or do it later.
    """
    numbers: set[int] = set()
    for k, op in enumerate(graph.operators):
        if op.kind == "CALL_ONCE":
            earlier = {o.kind for o in graph.operators[:k]}
            need(not earlier & {"READ_VARIABLE", "ASSIGN_VARIABLE"}, "state", "variables are set up too late")
            numbers.add(int(op.options.get("init_subgraph_index", 0)))
    values: dict[str, Tensor] = {}
    for number, other in enumerate(others, 1):
        if number in numbers:
            values.update(_constants_set(other))
        else:
            need(not any(o.kind in RESOURCE_KINDS for o in other.operators), "state", "another subgraph has variables")
    need(all(1 <= number <= len(others) for number in numbers), "state", "what is called once is not there")
    return values


def _constants_set(graph: Graph) -> dict[str, Tensor]:
    handles = _handles(graph)
    values: dict[str, Tensor] = {}
    for op in graph.operators:
        if op.kind == "VAR_HANDLE":
            continue
        plain = op.kind == "ASSIGN_VARIABLE" and op.inputs[0] in handles and graph.tensors[op.inputs[1]].is_constant
        need(plain, "state", "what is called once does more than to set variables")
        values[handles[op.inputs[0]]] = graph.tensors[op.inputs[1]]
    return values


def _fill(assigned: Tensor, first: Tensor | None) -> int:
    """The byte of a variable in the beginning and after a reset. Raises Refusal where these are not the same byte.

    TFLM takes the zero point of the tensor that it finds assigned first: that of the main graph, or of the one called once.
    """
    fill = zero_byte(assigned)
    if first is not None:
        need(zero_byte(first) == fill and set(first.data or b"") <= {fill}, "state", "it begins with values of its own")
    return fill


def zero_byte(tensor: Tensor) -> int:
    """The byte with which TFLM fills a variable: the zero point's lowest; 0 without quantisation."""
    quantization = tensor.quantization
    if quantization is None or not quantization.scales or not quantization.zero_points:
        return 0
    return quantization.zero_points[0] & 0xFF
