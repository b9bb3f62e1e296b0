"""What lies where in a `TFLM_SPLIT` program? This file owns the byte format.

A program is one blob: little-endian, position-independent, read in place from flash. Every `*_offset` is a byte offset
from its first byte, 4-aligned unless its comment says otherwise. The parts, in order:

    header              `HEADER`
    io records          one `IO` per input, then per output
    fill records        `FILL`: what each part of the state holds before the first run
    storage records     `STORAGE`
    view records        `VIEW`
    op records          `OP`
    parameter records   one per op, equal ones shared; the records are in `kinds/`
    address tables      u16 or u32 per row, and u16[row_count + 1] behind them where rows move
    moves               `MOVE`, sorted by storage, row and step
    order of the moves  u16[move_count + 1]: the first move to carry out, then the next one after each move
    pauses              u32[pause_count]: the steps before which a streamed program stops, with flags
    steps               (op, row): two u8 each, or two u16
    constants           weights, biases, multipliers, shifts, tables

The C header `split_nn/generated/split_nn_format.h` is generated from this file and from `kinds/`, by
`python -m tflm_split.program.generate`. A test says when it is stale.

The executor (`split_nn/core/run.c`) takes the steps in order. Step `(op, row)` computes row `row` of the op's output view.
A feed (`SUM_FEED`, `DENSE_FEED`) takes in row `row` of its input view instead: row 0 clears the accumulator first, and the
last row writes the output. `CONV_SUM` adds to row `row` of sums that several ops share. Before a step, the executor copies
the rows that `MOVE` records name for it to other addresses, where later steps find them.

A program that takes its input or hands over its output a few rows at a time (*streamed*) runs in several calls. `pauses`
names the step at which each call after the first one starts. Where its bit `PAUSE_TAKES` is set, and before the first call, the
caller puts the next rows at the input's address, and `FETCH` steps take them from there. Where `PAUSE_GIVES` is set, `EMIT`
steps have put the next rows at the output's address, and the caller takes them; the last rows are there after the last call.
The moves that come before the first step of a call are made at the end of the call before it. Everything else in the
workspace must be left alone between calls.

A program may have a *second memory* of `second_bytes`. Its addresses follow those of the workspace, which then has a multiple of
4 bytes: address `workspace_bytes + b` is byte b of the second memory. A row lies in one of the two, and none that lies in the
second one ever moves. Such a program has one call. The second memory is one of two things:

* a *state*, memory that nobody else uses and that is kept from one run to the next. Before the first run, and after a reset, each
  of its bytes is what the fill records say; afterwards it is what the run before has left there.
* with the flag `SLOW_MEMORY`, more workspace, in a memory that is larger and slower. Inputs and outputs may lie there, too. There
  are no fill records.

The rest of the format:

* A *storage* is cut into pieces: `row_count` rows of `row_bytes` bytes. Each row has an address of its own, a byte offset
  into the workspace. `AFFINE` rows follow each other (inputs and outputs of the model). `TABLE16` looks a row up in a table
  of u16, in units of 4 bytes; `TABLE32` in a table of u32, in bytes. `CONSTANT` rows follow each other in the blob. A row
  that moves lies at this address until its first move, and from then on where the latest move has put it. A storage with
  such rows has a table and, behind it, u16[row_count + 1]: row r's moves are those from entry r up to entry r + 1.
* A *view* is how an op sees a storage: rows `[first_row, first_row + row_count)`, and in each row `column_count` pixels of
  `channel_count` elements. Pixels lie `pixel_stride_bytes` apart and start `offset_bytes` into the row. RESHAPE,
  CONCATENATION and channel slices are views, not steps. A map of height 1 is viewed with its columns as rows.
"""

from __future__ import annotations

from enum import IntEnum

from tflm_split.kinds.record import Field, Record

MAGIC = int.from_bytes(b"TSPL", "little")
VERSION = 10
CUSTOM_CODE = "TFLM_SPLIT"
"""The name of the custom operator that runs a program."""
NONE = 0xFFFF
"""In place of an index: there is no such view or storage."""
MOVES_BIT = 63
"""The bit of `SPLIT_NN_KINDS` that says that the build can move rows."""
STATE_BIT = 62
"""The bit of `SPLIT_NN_KINDS` that says that the build knows a second memory: a state, or a slow one."""
CHECKSUM_FACTOR = 0x9E3779B1
"""An odd number whose bits look random: 2 ** 32 over the golden ratio, to a prime (`checksum.py`)."""
NO_ADDRESS16 = 0xFFFF
NO_ADDRESS32 = 0xFFFFFFFF
"""The table entry of a row without an address: no step may read or write it."""


class StorageKind(IntEnum):
    """How a storage gives the addresses of its rows."""

    AFFINE = 0
    TABLE16 = 1
    TABLE32 = 2
    CONSTANT = 3


class StorageFlags(IntEnum):
    """Bits of `STORAGE.flags`."""

    MOVES = 1  # rows of this storage move


class Flags(IntEnum):
    """Bits of `HEADER.flags`."""

    WIDE_STEPS = 1  # a step is two u16 instead of two u8
    SLOW_MEMORY = 2  # the second memory is more workspace, and no state


HEADER = Record(
    "split_header",
    "First bytes of every program.",
    (
        Field("magic", "uint32_t", "'TSPL'"),
        Field("version", "uint16_t", "VERSION"),
        Field("flags", "uint16_t", "Flags"),
        Field("total_bytes", "uint32_t", "of the blob, constants included"),
        Field("workspace_bytes", "uint32_t", "RAM of one run: inputs, outputs and all in between"),
        Field("second_bytes", "uint32_t", "RAM whose addresses follow the workspace's: the state, or a slow memory"),
        Field("io_offset", "uint32_t", "io records: inputs, then outputs"),
        Field("fills_offset", "uint32_t", "fill records: the parts of the state, one after the other"),
        Field("storages_offset", "uint32_t"),
        Field("views_offset", "uint32_t"),
        Field("ops_offset", "uint32_t"),
        Field(
            "moves_offset",
            "uint32_t",
            "move records, by storage, row and step; then their order: the first, and after each the next",
        ),
        Field("move_count", "uint32_t"),
        Field(
            "pauses_offset", "uint32_t", "steps before which the program stops, in increasing order, with PAUSE flags"
        ),
        Field("pause_count", "uint32_t", "0 if the program runs in one call"),
        Field("steps_offset", "uint32_t"),
        Field("step_count", "uint32_t"),
        Field("constants_offset", "uint32_t", "all weights and tables lie in [constants_offset, total_bytes)"),
        Field("checksum", "uint32_t", "of all bytes; 0: not checked"),
        Field("input_count", "uint16_t"),
        Field("output_count", "uint16_t"),
        Field("storage_count", "uint16_t"),
        Field("view_count", "uint16_t"),
        Field("op_count", "uint16_t"),
        Field("fill_count", "uint16_t", "0 if the program keeps no state"),
    ),
)

FILL = Record(
    "split_fill",
    "The next part of the state: what every byte of it holds before the first run, and after a reset.",
    (Field("bytes", "uint32_t"), Field("value", "uint32_t", "0 to 255")),
)

IO = Record(
    "split_io",
    "Where one input or output tensor of the region lies in the workspace, or in a slow memory behind it.",
    (Field("address", "uint32_t", "byte offset into the workspace and the slow memory"), Field("bytes", "uint32_t")),
)

STORAGE = Record(
    "split_storage",
    "Rows and their addresses.",
    (
        Field(
            "where",
            "uint32_t",
            "AFFINE: workspace offset of row 0; TABLE*: blob offset of the table; CONSTANT: blob offset of row 0",
        ),
        Field("row_bytes", "uint32_t"),
        Field("row_count", "uint16_t"),
        Field("kind", "uint8_t", "StorageKind"),
        Field("flags", "uint8_t", "StorageFlags"),
    ),
)

MOVE = Record(
    "split_move",
    "Before step `step`, row `row` of storage `storage` goes to `address`; the two places may overlap. The moves of one "
    "step are carried out one after the other.",
    (
        Field("storage", "uint16_t"),
        Field("row", "uint16_t"),
        Field("step", "uint32_t"),
        Field("address", "uint32_t", "byte offset into the workspace; differs by a multiple of 4 from the row's first"),
    ),
)

MOVE_BYTES = MOVE.size_bytes + 2
"""Bytes that a move takes in a program: its record, and its place in the order of execution."""


def bytes_of_moves(count: int) -> int:
    """Bytes that all moves take: their records, and behind these the order of execution, u16[count + 1]."""
    return count * MOVE_BYTES + 2 if count else 0


PAUSE_BYTES = 4
"""Bytes of one pause: a u32."""
POSITION_SHAPE = (2,)
"""Where an output is streamed, the operator has one more output of int32: the first row of the output that is there after this
call, and the first row of the input that the next call takes, -1 for none (`Program.positions`)."""
PAUSE_TAKES, PAUSE_GIVES = 1 << 31, 1 << 30
"""Flags of a pause: the call that starts here takes rows; the call that ends here hands over rows."""

VIEW = Record(
    "split_view",
    "How an op sees a storage.",
    (
        Field("storage", "uint16_t"),
        Field("first_row", "uint16_t"),
        Field("row_count", "uint16_t"),
        Field("column_count", "uint16_t", "pixels per row"),
        Field("channel_count", "uint32_t", "elements per pixel"),
        Field("pixel_stride_bytes", "uint32_t"),
        Field("offset_bytes", "uint32_t", "of pixel 0 within its row"),
        Field("element_bytes", "uint16_t", "1 (int8, uint8), 2 (int16) or 4 (int32, float)"),
        Field("reserved", "uint16_t", "0"),
    ),
)

OP = Record(
    "split_op",
    "One operator of the region.",
    (
        Field("kind", "uint16_t", "OpKind"),
        Field("output", "uint16_t", "view"),
        Field("input", "uint16_t", "view"),
        Field("input2", "uint16_t", "view of the second operand, or NONE"),
        Field(
            "accumulator",
            "uint16_t",
            "view of int32 partial sums: one row for *_FEED, a row per output row for CONV_SUM*; or NONE",
        ),
        Field("reserved", "uint16_t", "0"),
        Field("params_offset", "uint32_t"),
    ),
)
