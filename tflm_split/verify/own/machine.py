"""What does a file compute, without TFLM? An interpreter for original and optimised files alike.

Tensors lie where the file's offline plan puts them, in one arena that is never cleared, so that a plan that overwrites
something gives wrong bytes here as it would in TFLM. So it is with the slow memory of a file that is made for two. Tensors
without a place in the plan have memory of their own. What `graph_oracle/` does not know is done by a stand-in (`stand_in.py`),
and named in `assumed`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tflm_split.errors import InputError, ModelError, Refusal
from tflm_split.ir.graph import ABSENT, Graph, Model, Operator, Tensor
from tflm_split.program.decode import decode
from tflm_split.program.in_model import slow_memory_bytes, slow_tensors
from tflm_split.program.types import Program
from tflm_split.tflite.reader import offline_offsets
from tflm_split.verify.graph_oracle import evaluated
from tflm_split.verify.graph_oracle.evaluation import Array, constant_of, dtype_of
from tflm_split.verify.oracle import UNWRITTEN
from tflm_split.verify.own.executor import Bytes, Execute, aligned, executor
from tflm_split.verify.own.lstm import STATES, sequence_lstm
from tflm_split.verify.own.stand_in import fingerprint, keeps_state, made_up
from tflm_split.verify.own.state import first_byte, svdf

SPLIT_KIND = "CUSTOM:TFLM_SPLIT"


class _Tensors(Mapping[int, Array]):
    """The values of one graph's tensors, in memory. `offsets` places some of them in `arena`, programs some in `slow`."""

    def __init__(self, graph: Graph, offsets: Sequence[int] = (), slow_bytes: int = 0) -> None:
        self.graph = graph
        self.slow, self.in_slow = aligned(slow_bytes, UNWRITTEN), slow_tensors(graph)
        placed = {t.index: o for t, o in zip(graph.tensors, offsets, strict=False) if o >= 0 and t.data is None}
        self.arena = aligned(max((o + graph.tensors[t].bytes for t, o in placed.items()), default=0), UNWRITTEN)
        self.offsets = placed
        self.places: dict[int, Bytes] = {}
        for tensor in graph.tensors:
            if tensor.data is None:
                at = placed.get(tensor.index)
                fill = first_byte(tensor) if tensor.is_variable else UNWRITTEN
                own = aligned(tensor.bytes, fill) if at is None else self.arena[at : at + tensor.bytes]
                if (start := self.in_slow.get(tensor.index)) is not None:
                    own = self.slow[start : start + tensor.bytes]
                self.places[tensor.index] = own

    def __getitem__(self, index: int) -> Array:
        tensor = self.graph.tensors[index]
        if tensor.data is not None:
            return constant_of(tensor)
        return self.places[index].view(dtype_of(tensor)).reshape(tensor.shape)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.graph.tensors)))

    def __len__(self) -> int:
        return len(self.graph.tensors)

    def address(self, index: int, start: int, program: Program) -> int | None:
        """Where a tensor lies for a program whose workspace starts at `start` of the arena; None where it cannot see it."""
        if index in self.in_slow:
            return program.workspace_bytes + self.in_slow[index]
        return self.offsets[index] - start if index in self.offsets else None

    def raw(self, index: int) -> bytes:
        data = self.graph.tensors[index].data
        return self.places[index].tobytes() if data is None else data

    def write(self, index: int, value: Array | bytes) -> None:
        data = value if isinstance(value, bytes) else np.ascontiguousarray(value).tobytes()
        self.places[index][:] = np.frombuffer(data, np.uint8)


class OwnMachine:
    """One interpreter for one file. State lasts from one `invoke` to the next."""

    def __init__(self, model: Model, execute: Execute | None = None) -> None:
        self.model = model
        self.tensors = _Tensors(model.graph, offline_offsets(model) or (), slow_memory_bytes(model))
        self.assumed: dict[tuple[str, ...], str] = {}
        """The operators that a stand-in did: names of their outputs, and their kind."""
        self._execute = execute or executor()
        self._history: dict[tuple[str, ...], bytes] = {}
        self._calls_made: dict[int, int] = {}  # by operator of a streamed output: how many of one inference
        self._variables: dict[str, bytes] = {}
        self._states: dict[int, Bytes] = {}  # by operator of a region that keeps one
        self._handles: dict[tuple[int, int], str] = {}
        self._called: set[int] = set()

    def invoke(self, inputs: Sequence[Array]) -> tuple[bytes, ...]:
        """The bytes of every output. Inputs without elements are left as they are (`calls.NO_ROWS`).

        Raises InputError for inputs that do not fit, ModelError for a plan that cannot be.
        """
        graph = self.model.graph
        if len(inputs) != len(graph.inputs):
            raise InputError(f"the model takes {len(graph.inputs)} inputs, and {len(inputs)} were given")
        for index, value in zip(graph.inputs, inputs, strict=True):
            if value.size or not graph.tensors[index].bytes:
                self.tensors.write(index, value)
        self._run(graph, self.tensors)
        return tuple(self.tensors.raw(t) for t in graph.outputs)

    def _run(self, graph: Graph, tensors: _Tensors) -> None:
        for op in graph.operators:
            if op.kind == SPLIT_KIND:
                self._run_region(op, tensors)
            elif op.kind in _STATEFUL:
                _STATEFUL[op.kind](self, op, tensors)
            else:
                self._run_stock(graph, op, tensors)

    def _run_region(self, op: Operator, tensors: _Tensors) -> None:
        """What `tflm_split_call.c` does: check that everything lies where the program expects it, then run it."""
        label, program = tensors.graph.label(op), tensors.graph.tensors[op.inputs[-1]]
        workspace = op.outputs[-1]
        if program.data is None or workspace not in tensors.offsets:
            raise ModelError(f"{label}: has no program, or its workspace no place in the file's offline plan")
        start, known = tensors.offsets[workspace], decode(program.data)
        position = op.outputs[-2] if known.streams_output else None
        around = (*op.inputs[:-1], *op.outputs[: -1 if position is None else -2])
        ios = (*known.inputs, *known.outputs)
        found = [(tensors.address(t, start, known), tensors.graph.tensors[t].bytes) for t in around]
        if found != [(io.address, io.bytes) for io in ios]:
            raise ModelError(f"{label}: an input or output does not lie in the workspace where the program expects it")
        if tensors.graph.tensors[workspace].bytes != known.workspace_bytes:
            raise ModelError(f"{label}: its workspace has another size than its program says")
        if known.slow_bytes:
            self._states[op.index] = tensors.slow
        elif op.index not in self._states:
            self._states[op.index] = aligned(known.state_bytes)
            self._states[op.index][:] = np.frombuffer(known.first_state, np.uint8)
        self._execute(program.data, tensors.places[workspace], self._states[op.index])
        if position is not None:
            call = self._calls_made.get(op.index, 0)
            tensors.write(position, np.array(known.positions[call], np.int32))
            self._calls_made[op.index] = (call + 1) % len(known.calls)

    def _run_stock(self, graph: Graph, op: Operator, tensors: _Tensors) -> None:
        try:
            if op.kind == "SVDF":
                self._run_svdf(graph, op, tensors)
                return
            if op.kind == "UNIDIRECTIONAL_SEQUENCE_LSTM":
                self._run_lstm(graph, op, tensors)
                return
            if any(t != ABSENT and graph.tensors[t].is_variable for t in op.inputs):
                raise Refusal("state", "it keeps state")
            made = evaluated(graph, op, tensors)
        except Refusal:
            self.assumed[tuple(graph.tensors[t].name for t in op.outputs)] = op.kind
            made = self._stand_in(graph, op, tensors)
        copies = {t: np.ascontiguousarray(value).tobytes() for t, value in made.items()}
        for t, data in copies.items():
            tensors.write(t, data)

    def _run_svdf(self, graph: Graph, op: Operator, tensors: _Tensors) -> None:
        output, after = svdf(graph, op, tensors[op.inputs[0]], tensors[op.inputs[4]])
        tensors.write(op.outputs[0], output)
        tensors.write(op.inputs[4], after)

    def _run_lstm(self, graph: Graph, op: Operator, tensors: _Tensors) -> None:
        if len(op.inputs) != 24 or ABSENT in (op.inputs[k] for k in STATES):
            raise Refusal("arity", "it has no states")
        states = [op.inputs[k] for k in STATES]
        made = sequence_lstm(graph, op, tensors[op.inputs[0]], *(tensors[t] for t in states))
        for t, value in zip((op.outputs[0], *states), made, strict=True):
            tensors.write(t, value)

    def _stand_in(self, graph: Graph, op: Operator, tensors: _Tensors) -> dict[int, Array]:
        """Made-up values for the outputs, and for the variables that the operator may change."""
        read = [b"" if t == ABSENT else tensors.raw(t) for t in op.inputs]
        name = (op.kind, *(graph.tensors[t].name for t in op.outputs))
        custom = self.model.custom_options.get(op.index, b"") if graph is self.model.graph else b""
        seed = fingerprint(op, custom, read, self._history.get(name, b""))
        if keeps_state(op):
            self._history[name] = seed
        variables = [t for t in op.inputs if t != ABSENT and graph.tensors[t].is_variable]
        fresh = [graph.tensors[t] for t in (*op.outputs, *variables)]
        return {tensor.index: made_up(graph, tensor, seed) for tensor in fresh if tensor.bytes}

    # Resource variables, by the name of their handle.

    def _name_variable(self, op: Operator, tensors: _Tensors) -> None:
        options = op.options
        name = f"{options.get('container', '')}/{options.get('shared_name', '')}"
        self._handles[id(tensors.graph), op.outputs[0]] = name

    def _read_variable(self, op: Operator, tensors: _Tensors) -> None:
        name = self._handles[id(tensors.graph), op.inputs[0]]
        if name not in self._variables:
            fill = next((first_byte(t) for other, t in self._assigned(tensors.graph) if other == name), 0)
            self._variables[name] = bytes([fill]) * tensors.graph.tensors[op.outputs[0]].bytes
        tensors.write(op.outputs[0], self._variables[name])

    def _assigned(self, graph: Graph) -> Iterator[tuple[str | None, Tensor]]:
        """(Variable, what is assigned to it) of each ASSIGN_VARIABLE of a graph."""
        for op in graph.operators:
            if op.kind == "ASSIGN_VARIABLE":
                yield self._handles.get((id(graph), op.inputs[0])), graph.tensors[op.inputs[1]]

    def _assign_variable(self, op: Operator, tensors: _Tensors) -> None:
        self._variables[self._handles[id(tensors.graph), op.inputs[0]]] = tensors.raw(op.inputs[1])

    def _call_once(self, op: Operator, tensors: _Tensors) -> None:
        number = int(op.options["init_subgraph_index"])
        if number not in self._called:
            self._called.add(number)
            graph = self.model.other_graphs[number - 1]
            self._run(graph, _Tensors(graph))


_STATEFUL = {
    "VAR_HANDLE": OwnMachine._name_variable,
    "READ_VARIABLE": OwnMachine._read_variable,
    "ASSIGN_VARIABLE": OwnMachine._assign_variable,
    "CALL_ONCE": OwnMachine._call_once,
}
