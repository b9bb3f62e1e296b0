"""How is an inference made with a model that takes its input or hands over its output a few rows at a time?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflm_split import kinds
from tflm_split.ir.graph import Model, Tensor
from tflm_split.program.decode import decode
from tflm_split.program.in_model import split_operators_of
from tflm_split.program.sizes import calls_of_program

FILLER = 0x55
"""What the application hands over where a call takes fewer rows than there is room for. The model must not look at it."""
NO_ROWS = np.empty(0, np.uint8)
"""An input that must be left alone in a call: rows may wait there that are taken in later, or other data lie there."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one inference, `count` of them.

    Call c takes rows `brought[c]` of input `position`, if that is streamed. Each byte's bits `flip` are inverted in what the
    application hands over. After it, rows `handed_over[c]` of output `output` are there, if that is streamed. The model's last
    output then holds `positions[c]`.
    """

    position: int | None
    brought: tuple[range, ...] = (range(0),)
    flip: int = 0
    output: int | None = None
    handed_over: tuple[range, ...] = (range(0),)
    positions: tuple[tuple[int, int], ...] = ()

    @property
    def count(self) -> int:
        return len(self.brought)

    def bytes_handed_over(self, tensor_bytes: int) -> list[int]:
        """By call: bytes of the streamed output that are there, of its tensor's `tensor_bytes`."""
        most = max(len(rows) for rows in self.handed_over)
        return [len(rows) * (tensor_bytes // most) for rows in self.handed_over]


ONE_CALL = Calls(None)
"""A model that is not streamed."""


def calls_of(model: Model) -> Calls:
    """How an inference is made with `model`. Raises ModelError for an operator without a program, or with a damaged one."""
    graph = model.graph
    for op, blob in split_operators_of(model):
        if calls_of_program(blob) == 1:
            continue
        program = decode(blob)
        taken = (t for io, t in zip(program.inputs, op.inputs, strict=False) if program.streams_at(io))
        given = (t for io, t in zip(program.outputs, op.outputs, strict=False) if program.streams_at(io, output=True))
        return Calls(
            next((graph.inputs.index(t) for t in taken), None),
            program.brought,
            next((int(o.params["flip"]) for o in program.ops if kinds.of(o.kind).fetches), 0),
            next((graph.outputs.index(t) for t in given), None),
            program.handed_over,
            program.positions,
        )
    return ONE_CALL


def in_calls(entry: Sequence[NDArray[Any]], tensors: Sequence[Tensor], calls: Calls) -> list[tuple[NDArray[Any], ...]]:
    """The inputs of each call. `entry` has one array per input, with all rows; `tensors` are those of the streamed model.

    Inputs that are not streamed come with the first call.
    """
    made = []
    for call, taken in enumerate(calls.brought):
        inputs = tuple(entry) if call == 0 else (NO_ROWS,) * len(entry)
        if calls.position is not None:
            k = calls.position
            rows = _rows(entry[k], tensors[k], taken, calls) if taken else NO_ROWS
            inputs = (*inputs[:k], rows, *inputs[k + 1 :])
        made.append(inputs)
    return made


def _rows(whole: NDArray[Any], tensor: Tensor, taken: range, calls: Calls) -> NDArray[Any]:
    """Rows `taken` of a streamed input, as `tensor` holds them."""
    data = np.frombuffer(np.ascontiguousarray(whole).tobytes(), np.uint8) ^ np.uint8(calls.flip)
    row_bytes = tensor.bytes // max(len(rows) for rows in calls.brought)
    rows = np.full(tensor.bytes, FILLER, np.uint8)
    rows[: row_bytes * len(taken)] = data[row_bytes * taken.start : row_bytes * taken.stop]
    return rows.view(np.uint8 if tensor.dtype == "UINT8" else whole.dtype).reshape(tensor.shape)


def joined(outputs: Sequence[Sequence[bytes]], calls: Calls) -> tuple[bytes, ...]:
    """The outputs of one inference, from those after each call."""
    last = tuple(outputs[-1])
    if calls.output is None:
        return last
    k = calls.output
    sizes = calls.bytes_handed_over(len(last[k]))
    whole = b"".join(after[k][:nbytes] for after, nbytes in zip(outputs, sizes, strict=True))
    return tuple(whole if j == k else data for j, data in enumerate(last[:-1]))


def wrong_position(outputs: Sequence[Sequence[bytes]], calls: Calls) -> str | None:
    """The first call after which the model's last output does not hold the position, as a sentence."""
    if calls.output is None:
        return None
    for call, (after, wanted) in enumerate(zip(outputs, calls.positions, strict=True)):
        found = tuple(np.frombuffer(after[-1], np.int32).tolist())
        if found != wanted:
            return f"after call {call} the operator says position {found}, not {wanted}"
    return None
