"""How is a program run on a workspace? By the host build of the C executor, or by the numpy oracle where that is missing."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tflm_split.errors import ProgramError
from tflm_split.native.loops import native
from tflm_split.program.decode import decode
from tflm_split.verify.oracle import Machine

Bytes = npt.NDArray[np.uint8]
Execute = Callable[[bytes, Bytes, Bytes], None]
"""(encoded program, workspace, second memory): runs the program where its inputs lie, and leaves its outputs where they belong.
The second memory is the state that the run before has left, or a slow memory; it has no bytes where the program has neither.

Of a streamed program it makes the next call. One `Execute` is one run of pictures: it remembers how far each program is.
"""

ALIGNMENT_BYTES = 16


def executor() -> Execute:
    """The C executor where the host library is there, else the numpy oracle. Both refuse a damaged program."""
    library = native()
    if library is None:
        return numpy_executor()
    library.split_nn_prepare.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    library.split_nn_run_with_state.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    library.split_nn_run_with_slow_memory.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    library.split_nn_slow_bytes.argtypes = (ctypes.c_void_p,)
    library.split_nn_status_text.restype = ctypes.c_char_p
    library.split_nn_begin.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    library.split_nn_begin.restype = None
    library.split_nn_calls.argtypes = (ctypes.c_void_p,)
    library.split_nn_continue.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    programs: dict[bytes, Bytes] = {}
    streams: dict[bytes, Bytes] = {}

    def run(blob: bytes, workspace: Bytes, second: Bytes) -> None:
        if blob not in programs:
            program = aligned(len(blob))
            program[:] = np.frombuffer(blob, np.uint8)
            _check(library, library.split_nn_prepare(program.ctypes.data, program.nbytes))
            programs[blob] = program
        address, calls = programs[blob].ctypes.data, library.split_nn_calls(programs[blob].ctypes.data)
        if calls == 1:
            slow = library.split_nn_slow_bytes(address) > 0
            execute = library.split_nn_run_with_slow_memory if slow else library.split_nn_run_with_state
            _check(library, execute(address, workspace.ctypes.data, second.ctypes.data if second.size else None))
            return
        stream = streams.get(blob)  # split_stream: the call and the move, both uint32
        if stream is None or stream.view(np.uint32)[0] == calls:
            stream = streams[blob] = aligned(8)
            library.split_nn_begin(address, stream.ctypes.data)
        _check(library, library.split_nn_continue(address, workspace.ctypes.data, stream.ctypes.data))

    return run


def _check(library: Any, status: int) -> None:
    if status:
        raise ProgramError(f"the program is refused: {library.split_nn_status_text(status).decode()}")


@cache
def _decoded(blob: bytes) -> Any:
    return decode(blob)


def numpy_executor() -> Execute:
    """The numpy oracle, on the workspace that it is given."""
    running: dict[bytes, tuple[Machine, list[range]]] = {}

    def run(blob: bytes, workspace: Bytes, second: Bytes) -> None:
        program = _decoded(blob)
        if blob not in running:
            running[blob] = Machine(program, workspace, second), list(program.calls)
        machine, calls = running[blob]
        steps = calls.pop(0)
        for number in steps:
            machine.move_before(number)
            machine.step(program.steps[number].op, program.steps[number].row)
        machine.move_before(steps.stop)
        if not calls:
            del running[blob]

    return run


def aligned(nbytes: int, fill: int = 0) -> Bytes:
    """`nbytes` bytes of memory from an address that is a multiple of 16, each holding `fill`."""
    room = np.full(nbytes + ALIGNMENT_BYTES, fill, np.uint8)
    start = -room.ctypes.data % ALIGNMENT_BYTES
    memory: Bytes = room[start : start + nbytes]
    return memory
