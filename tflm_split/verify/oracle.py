"""What does a program compute? An independent executor in numpy, to hold against the C one and against TFLM.

`run_program` follows the steps one by one on a workspace of bytes, exactly as a device would: rows are read from and
written to the addresses the program gives, so a wrong plan gives a wrong answer. `known/` says what a step computes, in
one function per kind. None of it shares code with the C executor or with the compiler. One step reads everything it needs
before it writes; whether a kernel that does not may run where it does is the replay's question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tflm_split.errors import InputError
from tflm_split.program.types import Io, Program, View
from tflm_split.verify import known
from tflm_split.verify.known.entry import Added
from tflm_split.verify.operands import Floats, Operands, Row

Bytes = npt.NDArray[np.uint8]

UNWRITTEN = 0xA5
"""What a workspace byte holds before anything is written there, so that reading it does not pass unnoticed."""


def run_program(
    program: Program, inputs: Sequence[bytes | npt.NDArray[np.generic]], state: Bytes | None = None
) -> list[bytes]:
    """The output tensors' bytes for the input tensors' bytes, both in the program's order.

    `state` is what the run before has left of the program's state, and becomes what this one leaves; None: it is the first run.

    Of an input or output that is streamed, all rows are meant; each call finds its own at the input's address, and all else of
    the workspace as the call before has left it.
    Raises InputError when the inputs are not as many or as long as the program says, and IndexError or ValueError when
    the program is not well-formed (`decode` and `check_program` refuse those).
    """
    if len(inputs) != len(program.inputs):
        raise InputError(f"the program takes {len(program.inputs)} inputs, and {len(inputs)} were given")
    workspace = np.full(program.workspace_bytes, UNWRITTEN, np.uint8)
    slow = np.full(program.slow_bytes, UNWRITTEN, np.uint8)
    whole = []
    for i, (io, given) in enumerate(zip(program.inputs, inputs, strict=True)):
        data = given if isinstance(given, bytes) else np.ascontiguousarray(given).tobytes()
        wanted = program.all_rows_bytes(io) or io.bytes
        if len(data) != wanted:
            raise InputError(f"input {i} of the program has {wanted} bytes, and {len(data)} were given")
        whole.append(np.frombuffer(data, np.uint8))
    if program.slow_bytes:
        state = slow
    machine = Machine(program, workspace, first_state(program) if state is None else state)
    emitted: dict[int, bytes] = {}
    for call, (steps, brought, handed_over) in enumerate(
        zip(program.calls, program.brought, program.handed_over, strict=True)
    ):
        for io, values in zip(program.inputs, whole, strict=True):
            if streamed := program.streams_at(io):
                row_bytes = len(values) // streamed[1]
                rows = values[brought.start * row_bytes : brought.stop * row_bytes]
                machine.interface(io)[: len(rows)] = rows
            elif call == 0:
                machine.interface(io)[:] = values
        for number in steps:
            machine.move_before(number)
            machine.step(program.steps[number].op, program.steps[number].row)
        machine.move_before(steps.stop)
        for k, io in enumerate(program.outputs):
            if streamed := program.streams_at(io, output=True):
                row_bytes = program.storages[streamed[0].storage].row_bytes
                rows = machine.interface(io)[: len(handed_over) * row_bytes]
                emitted[k] = emitted.get(k, b"") + rows.tobytes()
    return [emitted[k] if k in emitted else machine.interface(io).tobytes() for k, io in enumerate(program.outputs)]


def first_state(program: Program) -> Bytes:
    """The state of a program before its first run."""
    state: Bytes = np.frombuffer(program.first_state, np.uint8).copy()
    return state


_INTEGERS: Mapping[int, type[np.signedinteger]] = {1: np.int8, 2: np.int16, 4: np.int32}


class Machine:
    """The workspace and the second memory, where each row lies in them now, and the constants. `second` is state or slow memory."""

    def __init__(self, program: Program, workspace: Bytes, second: Bytes | None = None) -> None:
        self.program = program
        self.workspace = workspace
        self.second = np.empty(0, np.uint8) if second is None else second
        self.addresses = [list(storage.addresses) for storage in program.storages]
        self.moves = list(reversed(program.moves))
        self.constants: dict[tuple[int, str], npt.NDArray[np.int64]] = {}

    def interface(self, io: Io) -> Bytes:
        """The bytes of an input or output."""
        held, start = self._memory_at(io.address)
        return held[start : start + io.bytes]

    def _memory_at(self, address: int) -> tuple[Bytes, int]:
        """The memory that an address lies in, and where in it."""
        beyond = address - self.program.workspace_bytes
        return (self.second, beyond) if beyond >= 0 and self.program.second_bytes else (self.workspace, address)

    def move_before(self, step: int) -> None:
        """Carry out the moves that come before step number `step`."""
        while self.moves and self.moves[-1].step == step:
            move = self.moves.pop()
            row_bytes = self.program.storages[move.storage].row_bytes
            at = self.addresses[move.storage][move.row]
            assert at is not None
            self.workspace[move.address : move.address + row_bytes] = self.workspace[at : at + row_bytes].copy()
            self.addresses[move.storage][move.row] = move.address

    def step(self, index: int, row: int) -> None:
        """Compute row `row` of op number `index`, or take in that row of its input."""
        op = self.program.ops[index]
        entry = known.of(op.kind)
        with np.errstate(over="ignore", invalid="ignore"):  # infinities and NaN are floats like any others, as in C
            result = entry.compute(Operands(self, op, row))
        if not isinstance(result, Added):
            written = row % self.program.views[op.output].row_count if entry.emits else row
            self.write(op.output, written, result)
            return
        held_row = 0 if entry.feeds else row
        self.write(op.accumulator, held_row, result.sums)
        if result.output is not None:
            self.write(op.output, held_row, result.output)

    # Rows in memory.

    def read(self, view: View, row: int) -> Row:
        elements = self._bytes(view, row).copy().view(_INTEGERS[view.element_bytes])
        widened: Row = elements.astype(np.int64)
        return widened

    def read_floats(self, view: View, row: int) -> Floats:
        floats: Floats = self._bytes(view, row).copy().view(np.float32)
        return floats

    def write(self, view_index: int | None, row: int, values: npt.NDArray[np.generic]) -> None:
        """Puts numbers (the low bytes of each) or float32 elements into a row."""
        assert view_index is not None
        view = self.program.views[view_index]
        if values.dtype != np.float32:
            values = values.astype(_INTEGERS[view.element_bytes])
        shape = (view.column_count, view.channel_count * view.element_bytes)
        self._bytes(view, row)[:] = np.ascontiguousarray(values).view(np.uint8).reshape(shape)

    def constant(self, index: int, dtype: type[np.generic]) -> npt.NDArray[np.int64]:
        key = (index, np.dtype(dtype).name)
        if key not in self.constants:
            self.constants[key] = np.frombuffer(self.program.constants[index], dtype).astype(np.int64)
        return self.constants[key]

    def _bytes(self, view: View, row: int) -> Bytes:
        """Row `row` of a view: a window [columns, bytes of a pixel] onto the workspace, the second memory or a constant."""
        storage = self.program.storages[view.storage]
        storage_row = view.first_row + row
        if storage.constant is not None:
            held = np.frombuffer(self.program.constants[storage.constant], np.uint8)
            start = storage_row * storage.row_bytes
        else:
            address = self.addresses[view.storage][storage_row]
            if address is None:
                raise IndexError(f"row {storage_row} of storage {view.storage} has no address")
            held, start = self._memory_at(address)
        first = start + view.offset_bytes
        pixel_bytes = view.channel_count * view.element_bytes
        return np.lib.stride_tricks.as_strided(
            held[first : first + (view.column_count - 1) * view.pixel_stride_bytes + pixel_bytes],
            (view.column_count, pixel_bytes),
            (view.pixel_stride_bytes, 1),
        )
