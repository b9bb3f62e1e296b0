"""Programs for two memories: what Python's check, the C prepare and the replay demand of them, and that they compute the same.

A program becomes one for two memories by `in_two_memories`: some of its storages go to the same addresses of the other memory.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from fuzz_seeds import program_seeds
from runtime_scene import aligned, library, verdicts
from sample_programs import (
    ACTIVATED,
    DOWN,
    INPUT,
    MIDDLE,
    OUTPUT,
    in_two_memories,
    remembering,
    small_network,
    unchecked,
)
from test_program_verdicts import agree, values

from tflm_split import kinds
from tflm_split.errors import InternalError
from tflm_split.program.decode import decode
from tflm_split.program.encode import encode
from tflm_split.program.format import HEADER, IO, STATE_BIT, STORAGE, VERSION, Flags
from tflm_split.program.sizes import slow_bytes_of_program, slow_interface, state_bytes_of_program
from tflm_split.program.text import format_program
from tflm_split.program.types import Fill, Io, Program
from tflm_split.verify.oracle import run_program
from tflm_split.verify.replay import replay

ROW = bytes(range(64))
SPLITS = ((INPUT,), (OUTPUT,), (DOWN,), (INPUT, DOWN), (MIDDLE, ACTIVATED), (INPUT, MIDDLE, ACTIVATED, DOWN, OUTPUT))
"""Which storages of `small_network` go to the slow memory."""


def in_c(program: Program, inputs: list[bytes]) -> list[bytes]:
    """What the C executor makes of a program, in memories that hold noise."""
    blob, fast, slow = (
        aligned(data)
        for data in (encode(program), b"\xa5" * program.workspace_bytes, b"\x5a" * max(program.slow_bytes, 1))
    )

    def place(io: Io) -> slice:
        start = io.address if io.address < program.workspace_bytes else io.address - program.workspace_bytes
        return slice(start, start + io.bytes)

    for io, data in zip(program.inputs, inputs, strict=True):
        (fast if io.address < program.workspace_bytes else slow)[place(io)] = list(data)
    if program.slow_bytes:
        run = library().split_nn_run_with_slow_memory(blob.ctypes.data, fast.ctypes.data, slow.ctypes.data)
    else:
        run = library().split_nn_run(blob.ctypes.data, fast.ctypes.data)
    assert run == 0
    return [(fast if io.address < program.workspace_bytes else slow)[place(io)].tobytes() for io in program.outputs]


@pytest.mark.parametrize("slow", SPLITS)
def test_rows_in_the_slow_memory_give_the_same_outputs_in_c_and_numpy(slow: tuple[int, ...]) -> None:
    program = in_two_memories(small_network(), slow)
    wanted = run_program(small_network(), [ROW])
    assert verdicts(encode(program)) == ("", "")
    assert decode(encode(program)).slow_bytes == program.slow_bytes > 0
    assert run_program(program, [ROW]) == in_c(program, [ROW]) == in_c(small_network(), [ROW]) == wanted


def test_every_kind_of_op_finds_its_rows_in_either_memory() -> None:
    """Random networks and one program per kind of op, each with every second storage in the slow memory."""
    tried = 0
    for blob in program_seeds():
        one = decode(blob)
        if (
            any(kinds.of(op.kind).fetches or kinds.of(op.kind).emits for op in one.ops)
            or one.second_bytes
            or one.moves
            or len(blob) > 4096
        ):
            continue
        for first in (0, 1):
            program = in_two_memories(one, range(first, len(one.storages), 2))
            inputs = [bytes((7 * k + i) % 256 for i in range(io.bytes)) for k, io in enumerate(one.inputs)]
            if program.slow_bytes > 4 and len(set(program.inputs)) == len(one.inputs):
                assert in_c(program, inputs) == in_c(one, inputs)
                tried += 1
    assert tried > 150


def test_the_replay_counts_what_goes_to_the_slow_memory_and_back() -> None:
    report = replay(in_two_memories(small_network(), (DOWN,)))
    rows, row_bytes = 4, 4
    assert report.slow_written_bytes == rows * row_bytes  # each row of the second convolution once
    assert report.slow_read_bytes == rows * row_bytes  # and taken in once by the sum
    assert replay(small_network()).slow_read_bytes == replay(small_network()).slow_written_bytes == 0
    inside = replay(in_two_memories(small_network(), (INPUT,)))
    assert inside.slow_written_bytes == 0  # the caller writes it, not a step
    assert inside.slow_read_bytes == 8 * (3 * 8 - 2)  # 8 rows of 8 bytes in windows of 3, two of them cut off


def test_the_replay_finds_rows_of_the_slow_memory_that_overlap() -> None:
    program = in_two_memories(small_network(), (INPUT, DOWN))
    (io,), border = program.inputs, program.workspace_bytes
    storages = list(program.storages)
    storages[DOWN] = replace(storages[DOWN], addresses=(border + 32,) * 4)  # on the last rows of the input
    with pytest.raises(InternalError, match="needs byte 0 of row 4 of storage 0"):
        replay(replace(program, storages=tuple(storages)))
    assert io.address == border


@pytest.mark.parametrize("broken", [
    replace(in_two_memories(small_network(), (DOWN,)), slow_bytes=70),  # a row leaves the slow memory
    replace(in_two_memories(small_network(), (MIDDLE,)), workspace_bytes=188),  # a row lies in both
    replace(in_two_memories(small_network(), (DOWN,)), workspace_bytes=106),  # the slow memory at an odd address
    replace(in_two_memories(small_network(), (INPUT,)), inputs=(Io(100, 64),)),  # an input lies in both
    replace(in_two_memories(small_network(), (INPUT,)), inputs=(Io(104 + 4, 64),)),
    replace(in_two_memories(small_network(), (INPUT,)), slow_bytes=2**31),
    replace(remembering(), slow_bytes=4),  # a state, too
    replace(remembering(), inputs=(Io(24, 4),)),  # an input in a state
    replace(in_two_memories(small_network(), (DOWN,)), fills=(Fill(4, 0),)),
])  # fmt: skip
def test_what_cannot_be_is_refused_by_python_and_c(broken: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tflm_split.program.encode.check_program", lambda program: None)
    ours, theirs = verdicts(encode(broken))
    assert ours
    assert theirs


def test_both_agree_around_every_limit() -> None:
    accepted = refused = 0
    for slow in ((INPUT,), (DOWN, OUTPUT)):
        blob = unchecked(in_two_memories(small_network(), slow))
        header = HEADER.unpack(blob, 0)
        records = [(HEADER, 0)]
        records += [(IO, int(header["io_offset"]) + k * IO.size_bytes) for k in range(2)]
        records += [(STORAGE, int(header["storages_offset"]) + k * STORAGE.size_bytes) for k in range(6)]
        for record, at in records:
            now = record.unpack(blob, at)
            for field in record.fields:
                for value in values(field, now[field.name]):
                    changed = bytearray(blob)
                    changed[at : at + record.size_bytes] = record.pack(**now | {field.name: value})
                    if agree(bytes(changed)):
                        accepted += 1
                    else:
                        refused += 1
    assert accepted > 40
    assert refused > accepted


def test_a_program_with_one_memory_is_what_it_was() -> None:
    """The version has not changed: what was made before still runs, and an executor of before refuses what it does not know."""
    assert VERSION == 10
    header = HEADER.unpack(encode(small_network()), 0)
    assert (header["flags"], header["second_bytes"]) == (0, 0)
    assert HEADER.unpack(encode(in_two_memories(small_network(), (DOWN,))), 0)["flags"] == Flags.SLOW_MEMORY
    assert small_network().kinds_mask >> STATE_BIT & 1 == 0
    assert in_two_memories(small_network(), (DOWN,)).kinds_mask >> STATE_BIT & 1 == 1


def test_a_run_without_the_slow_memory_is_refused() -> None:
    program = in_two_memories(small_network(), (DOWN,))
    blob, fast, slow = (
        aligned(encode(program)),
        aligned(bytes(program.workspace_bytes)),
        aligned(bytes(program.slow_bytes)),
    )
    start, workspace = blob.ctypes.data, fast.ctypes.data
    status = library().split_nn_run(start, workspace)
    assert b"needs a slow memory" in library().split_nn_status_text(status)
    assert library().split_nn_run_with_slow_memory(start, workspace, None) == status
    assert library().split_nn_run_with_state(start, workspace, slow.ctypes.data) == status  # a slow memory is no state
    assert library().split_nn_continue(start, workspace, aligned(bytes(8)).ctypes.data) == status
    assert library().split_nn_run_with_slow_memory(start, workspace, slow.ctypes.data + 2) == 2
    remembers = aligned(encode(remembering()))
    status = library().split_nn_run_with_slow_memory(remembers.ctypes.data, workspace, slow.ctypes.data)
    assert b"keeps a state" in library().split_nn_status_text(status)


def test_the_header_alone_says_what_lies_in_the_slow_memory() -> None:
    blob = encode(in_two_memories(small_network(), (INPUT,)))
    assert (slow_bytes_of_program(blob), state_bytes_of_program(blob), slow_interface(blob)) == (64, 0, {0: 0})
    assert slow_interface(encode(small_network())) == {}
    assert slow_interface(encode(in_two_memories(small_network(), (DOWN,)))) == {}
    assert state_bytes_of_program(encode(remembering())) == 12
    assert "64 B of a slow memory" in format_program(decode(blob))
