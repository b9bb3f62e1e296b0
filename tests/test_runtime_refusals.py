"""`split_nn_prepare` refuses malformed programs. Programs that it accepts touch no byte outside of their memory.

`every_op` is one program with an op of most int8 kinds, on storages of every encoding; `samples.py` has a sample of every
kind. Fields of the bytes are set to what they must not be; hundreds of random mutations run under the address and
undefined-behaviour sanitizers.
"""

from __future__ import annotations

import functools
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_once import made_once
from objects import sanitized_library
from runtime_scene import Image, Scene, prepare
from sample_programs import int32s, one_op, requantize, unchecked, window
from samples import one_op_program
from toolchains import ASAN, need_linked

from tflm_split import kinds
from tflm_split.errors import ProgramError
from tflm_split.kinds import OpKind, WeightFlags
from tflm_split.kinds.record import Record
from tflm_split.native.build import EXECUTOR_FOLDER
from tflm_split.program.decode import decode
from tflm_split.program.format import HEADER, IO, MOVE, OP, STORAGE, VIEW, StorageKind
from tflm_split.program.types import Io, Move, Op, Program, Step, Storage, View
from tflm_split.verify import known

HEADER_FAULT = "the program's header names tables outside the program, or has an unknown flag"
IO_FAULT = "an input or output lies outside the workspace and the slow memory"
STORAGE_FAULT = (
    "a storage leaves workspace or program, is of an unknown kind, or has rows that move in a build without moves "
    "(SPLIT_NN_KINDS)"
)
VIEW_FAULT = "a view reaches outside its storage, or its elements are not aligned"
OP_FAULT = "an operator is of an unknown kind, or names views it cannot have"
SHAPE_FAULT = "an operator's views do not fit together"
WINDOW_FAULT = "an operator's window is empty, too tall or too wide"
PARAMS_FAULT = "an operator's parameters are out of range"
CONSTANT_FAULT = "an operator's weights or tables lie outside the program's constants, or hold values out of range"
STEP_FAULT = "a step names an operator or a row that does not exist"
ROW_FAULT = "a step reads or writes a row that has no address"

WINDOW = {"kernel_rows": 3, "kernel_columns": 2, "stride_rows": 1, "stride_columns": 1}
WINDOW |= {"dilation_rows": 1, "dilation_columns": 1, "pad_rows": 1, "pad_columns": 1}


BINARY = (
    OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.MINIMUM, OpKind.MAXIMUM, OpKind.SQUARED_DIFFERENCE, OpKind.PRELU,
)  # fmt: skip

TWO_OPERANDS = (*BINARY, OpKind.BATCH_MATMUL)


@functools.cache
def every_op() -> Program:
    """Op k has kind KINDS[k]; maps of 4 rows, 3 columns and 2 channels, in every layout."""
    scene = Scene(np.random.default_rng(0))
    rng = scene.rng
    maps = [scene.image((4, 3, 2), gap=1, layout=layout) for layout in ("affine", "table16", "table32", "affine")]
    floats = scene.image((4, 3, 2), dtype="float32", layout="table16")
    pixel = scene.image((1, 1, 2))
    sums = scene.image((1, 1, 2), dtype="int32")
    constant = scene.constant_image(rng.integers(-128, 128, (4, 3, 2), dtype=np.int8))
    requantize = {"input_zero_point": 3, "output_zero_point": -4, "output_min": -128, "output_max": 127}
    requantize |= {
        "bias_offset": scene.constant(np.array([100, -200], np.int32)),
        "multipliers_offset": scene.constant(np.array([1 << 30, (1 << 31) - 1], np.int32)),
        "shifts_offset": scene.constant(np.array([-7, -8], np.int8)),
        "flags": int(WeightFlags.PER_CHANNEL),
    }
    weights = [scene.constant(rng.integers(-128, 128, n, dtype=np.int8)) for n in (24, 12, 48)]
    limits = {"output_min": -100, "output_max": 100}
    binary = {f"{n}{i}": v for i in (1, 2) for n, v in (("zero_point", 5), ("multiplier", 1 << 30), ("shift", -1))}
    binary |= {"left_shift": 20, "output_zero_point": 1, "output_multiplier": 1 << 30, "output_shift": -18, **limits}
    convolution = {**WINDOW, **requantize, "groups": 1}
    exps = np.array([2**31 - 1, 2**30, 2**29], np.int32)
    table = scene.constant(rng.integers(-128, 128, 256, dtype=np.int8))
    sum_params = {"mode": 1, "count": 12, "bias": 60, "multiplier": 1 << 30, "shift": -3, "output_zero_point": 0}
    undilated = {name: value for name, value in WINDOW.items() if not name.startswith("dilation")}
    row_map, column_map = (scene.constant(np.arange(n, dtype=np.uint16)) for n in (4, 3))
    indices = scene.image((4, 1, 1), dtype="int32")
    row_sums = scene.image((4, 3, 2), dtype="int32")
    single = scene.image((4, 3, 1))
    turned = scene.image((2, 4, 3))
    products = scene.image((4, 3, 3), layout="table32")
    matmul = {"left_zero_point": 3, "right_zero_point": -2, "output_zero_point": 1, "multiplier": 1 << 30, "shift": -9}
    entries = scene.constant(rng.integers(-128, 128, 4 * 6, dtype=np.int8))
    positions = [scene.constant(np.array(p, np.uint32)) for p in ((0, 512, 2048, 3072), (1, 1024, 2047))]
    a, b, c, d = maps
    described: dict[OpKind, tuple[Image, Image, dict[str, Any]]] = {
        OpKind.CONV: (b, a, {**convolution, "weights_offset": weights[0]}),
        OpKind.DEPTHWISE: (c, b, {**convolution, "weights_offset": weights[1]}),
        OpKind.AVERAGE_POOL: (d, c, {**WINDOW, **limits}),
        OpKind.MAX_POOL: (b, d, {**WINDOW, **limits}),
        OpKind.ADD: (c, b, binary),
        OpKind.SUB: (d, c, binary),
        OpKind.MUL: (c, d, binary),
        OpKind.LUT: (c, c, {"table_offset": table}),
        OpKind.QUANTIZE_FLOAT: (b, floats, {"scale": 0.5, "zero_point": 1, **limits}),
        OpKind.SOFTMAX: (d, b, {"exps_offset": scene.constant(exps), "exp_count": 3}),
        OpKind.PAD: (c, d, {"pad_rows": 0, "pad_columns": 0, "pad_channels": 0, "value": -7}),
        OpKind.SUM_FEED: (pixel, c, {**sum_params, **limits}),
        OpKind.DENSE_FEED: (pixel, c, {**requantize, "weights_offset": weights[2]}),
        OpKind.TRANSPOSE_CONV: (d, c, {**undilated, **requantize, "weights_offset": weights[0]}),
        OpKind.RESIZE_NEAREST: (b, c, {"row_map_offset": row_map, "column_map_offset": column_map}),
        OpKind.MINIMUM: (c, b, binary),
        OpKind.MAXIMUM: (d, c, binary),
        OpKind.SQUARED_DIFFERENCE: (c, d, binary),
        OpKind.PRELU: (b, c, binary),
        OpKind.PIXEL_SUM: (single, c, {**sum_params, **limits}),
        OpKind.RESIZE_BILINEAR: (
            d, b, {"row_positions_offset": positions[0], "column_positions_offset": positions[1]}
        ),
        OpKind.GATHER: (b, indices, {"table_offset": entries, "entry_count": 4}),
        OpKind.FETCH: (b, d, {"flip": 128}),
        OpKind.DEPTH_TO_SPACE: (c, d, {"block": 1}),
        OpKind.TRANSPOSE: (c, turned, {"row_axis": 1, "column_axis": 2, "channel_axis": 0}),
        OpKind.BATCH_MATMUL: (products, b, {**matmul, "left_rows": 1, "right_rows": 1, "transposed": 1}),
        OpKind.CONV_SUM: (row_sums, b, {**convolution, "weights_offset": weights[0]}),
        OpKind.CONV_SUM_LAST: (c, b, {**convolution, "weights_offset": weights[0]}),
    }  # fmt: skip
    accumulators = {
        OpKind.SUM_FEED: sums, OpKind.DENSE_FEED: sums, OpKind.CONV_SUM: row_sums, OpKind.CONV_SUM_LAST: row_sums,
    }  # fmt: skip
    ops = [
        Op(
            kind,
            output.view,
            source.view,
            params,
            constant.view if kind in TWO_OPERANDS else None,
            accumulators[kind].view if kind in accumulators else None,
        )
        for kind, (output, source, params) in described.items()
    ]
    program = scene.program(ops, [Step(k, row) for k in range(len(ops)) for row in range(4)])
    end = program.workspace_bytes
    return Program(
        end, (Io(0, 40),), (Io(end - 4, 4),), program.storages, program.views, program.ops, program.steps,
        program.constants, moves_of(program),
    )  # fmt: skip


def moves_of(program: Program) -> tuple[Move, ...]:
    """Rows 0 and 1 of storage 1 change places, and row 0 goes back later. A row of storage 2 moves to where it is."""
    first, second = program.storages[1].addresses[:2]
    assert first is not None and second is not None
    return (
        Move(2, 1, 0, second),
        Move(2, 1, 1, first),
        Move(9, 1, 0, first),
        Move(9, 2, 1, program.storages[2].addresses[1] or 0),
    )


KINDS = tuple(op.kind for op in every_op().ops)


def place(blob: bytes, record: Record, index: int) -> int:
    """The offset of record `index` of its table. For parameters, `index` is the number or the kind of the op."""
    if isinstance(index, OpKind):
        index = KINDS.index(index)
    header = HEADER.unpack(blob, 0)
    match record:
        case _ if record is HEADER:
            return 0
        case _ if record is IO:
            return int(header["io_offset"]) + index * record.size_bytes
        case _ if record is STORAGE:
            return int(header["storages_offset"]) + index * record.size_bytes
        case _ if record is VIEW:
            return int(header["views_offset"]) + index * record.size_bytes
        case _ if record is OP:
            return int(header["ops_offset"]) + index * record.size_bytes
        case _:
            return int(OP.unpack(blob, place(blob, OP, index))["params_offset"])


def changed(record: Record, index: int, **fields: int | float) -> bytes:
    """The bytes of `every_op` with some fields of one record set."""
    blob = bytearray(unchecked(every_op()))
    offset = place(bytes(blob), record, index)
    values = record.unpack(bytes(blob), offset) | fields
    blob[offset : offset + record.size_bytes] = record.pack(**values)
    return bytes(blob)


def changed_params(kind: OpKind, **fields: int | float) -> bytes:
    return changed(kinds.of(kind).record, KINDS.index(kind), **fields)


def test_the_untouched_program_is_accepted() -> None:
    assert prepare(unchecked(every_op())) == "ok"


@pytest.mark.parametrize("offset", [1, 2, 3])
def test_a_blob_that_is_not_4_aligned_is_refused(offset: int) -> None:
    text = "the program or the workspace does not start at a multiple of 4 bytes"
    assert prepare(unchecked(every_op()), offset) == text


def test_every_truncation_is_refused() -> None:
    blob = unchecked(every_op())
    for length in range(len(blob)):
        assert prepare(blob[:length]) == "the program is shorter than it says"


def test_bytes_behind_the_program_do_not_matter() -> None:
    assert prepare(unchecked(every_op()) + b"more") == "ok"


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"magic": 0}, "this is not a TFLM_SPLIT program, or the machine is not little-endian"),
        ({"version": 1}, "the program has another version than this executor"),
        ({"flags": 4}, HEADER_FAULT),
        ({"fill_count": 1}, HEADER_FAULT),
        ({"workspace_bytes": 1 << 31}, HEADER_FAULT),
        ({"workspace_bytes": 50}, IO_FAULT),
        ({"io_offset": 58}, HEADER_FAULT),
        ({"io_offset": 0}, HEADER_FAULT),
        ({"storages_offset": 0xFFFFFFFC}, HEADER_FAULT),
        ({"views_offset": 0xFFFFFFFC}, HEADER_FAULT),
        ({"ops_offset": 0xFFFFFFFC}, HEADER_FAULT),
        ({"moves_offset": 0xFFFFFFFC}, HEADER_FAULT),
        ({"move_count": 0xFFFFFFFF}, HEADER_FAULT),
        ({"steps_offset": 0xFFFFFFFC}, HEADER_FAULT),
        ({"step_count": 0xFFFFFFFF}, HEADER_FAULT),
        ({"constants_offset": 0xFFFFFFFF}, HEADER_FAULT),
        ({"constants_offset": 8}, HEADER_FAULT),
        ({"input_count": 0xFFFF}, HEADER_FAULT),
        ({"output_count": 0xFFFF}, HEADER_FAULT),
        ({"storage_count": 0xFFFF}, HEADER_FAULT),
        ({"view_count": 0xFFFF}, HEADER_FAULT),
        ({"op_count": 0xFFFF}, HEADER_FAULT),
        ({"storage_count": 1}, VIEW_FAULT),
        ({"view_count": 1}, OP_FAULT),
        ({"op_count": 1}, STEP_FAULT),
    ],
)
def test_header(fields: dict[str, int], fault: str) -> None:
    assert prepare(changed(HEADER, 0, **fields)) == fault


@pytest.mark.parametrize("fields", [{"address": 0xFFFFFFFF}, {"bytes": 0}, {"bytes": 0xFFFFFFFF}])
@pytest.mark.parametrize("index", [0, 1])
def test_inputs_and_outputs(index: int, fields: dict[str, int]) -> None:
    assert prepare(changed(IO, index, **fields)) == IO_FAULT


AFFINE, TABLE16, TABLE32, CONSTANT = 0, 1, 2, 7
"""Storages of `every_op` of each kind."""


@pytest.mark.parametrize("index", [AFFINE, TABLE16, TABLE32, CONSTANT])
@pytest.mark.parametrize(
    "fields",
    [{"where": 0xFFFFFFFC}, {"row_bytes": 0xFFFFFFFF}, {"row_bytes": 0}, {"row_count": 0}, {"kind": 4}],
)
def test_storages(index: int, fields: dict[str, int]) -> None:
    assert prepare(changed(STORAGE, index, **fields)) == STORAGE_FAULT


def test_the_storages_named_by_kind_are_of_that_kind() -> None:
    kinds = [storage.kind for storage in every_op().storages]
    assert [kinds[i] for i in (AFFINE, TABLE16, TABLE32, CONSTANT)] == list(StorageKind)


def test_an_address_table_is_4_aligned_and_inside_the_program() -> None:
    where = int(STORAGE.unpack(unchecked(every_op()), place(unchecked(every_op()), STORAGE, TABLE16))["where"])
    assert prepare(changed(STORAGE, TABLE16, where=where + 2)) == STORAGE_FAULT
    assert prepare(changed(STORAGE, TABLE16, where=len(unchecked(every_op())) - 4)) == STORAGE_FAULT


@pytest.mark.parametrize(("index", "layout", "entry"), [(TABLE16, "<H", 0xFFFE), (TABLE32, "<I", 0xFFFFFFFE)])
def test_a_row_address_outside_the_workspace_is_refused(index: int, layout: str, entry: int) -> None:
    blob = bytearray(unchecked(every_op()))
    struct.pack_into(layout, blob, int(STORAGE.unpack(bytes(blob), place(bytes(blob), STORAGE, index))["where"]), entry)
    assert prepare(bytes(blob)) == STORAGE_FAULT


@pytest.mark.parametrize(("index", "layout", "entry"), [(TABLE16, "<H", 0xFFFF), (TABLE32, "<I", 0xFFFFFFFF)])
@pytest.mark.parametrize("row", range(4))
def test_a_step_must_not_touch_a_row_without_an_address(index: int, layout: str, entry: int, row: int) -> None:
    blob = bytearray(unchecked(every_op()))
    table = int(STORAGE.unpack(bytes(blob), place(bytes(blob), STORAGE, index))["where"])
    struct.pack_into(layout, blob, table + row * struct.calcsize(layout), entry)
    assert prepare(bytes(blob)) == ROW_FAULT


@pytest.mark.parametrize("kind", OpKind, ids=lambda kind: kind.name)
@pytest.mark.parametrize("role", ["output", "input", "input2", "accumulator"])
def test_each_kind_of_step_is_checked_for_rows_without_address(kind: OpKind, role: str) -> None:
    """One op alone. The rows of one of its views get a table without addresses, the others keep theirs."""
    program = one_op_program(kind)
    (op,) = program.ops
    view = getattr(op, role)
    blob = bytearray(unchecked(program))
    header = HEADER.unpack(bytes(blob), 0)
    steps = int(header["steps_offset"])
    blob[: HEADER.size_bytes] = HEADER.pack(**header | {"step_count": 1})
    blob[steps : steps + 2] = bytes([0, len(program.steps)])
    assert prepare(bytes(blob)) == STEP_FAULT
    if view is None:
        return
    storage = program.views[view].storage
    blob += bytes(-len(blob) % 4)
    record = place(bytes(blob), STORAGE, storage)
    fields = {"where": len(blob), "kind": int(StorageKind.TABLE32)}
    blob[record : record + STORAGE.size_bytes] = STORAGE.pack(**STORAGE.unpack(bytes(blob), record) | fields)
    blob += b"\xff" * (4 * program.storages[storage].row_count)
    blob[: HEADER.size_bytes] = HEADER.pack(**header | {"total_bytes": len(blob), "step_count": 1})
    for step in program.steps:
        touches = role in ("output", "accumulator") or view in (
            v for v, _ in known.of(kind).reads(program, op, step.row)
        )
        blob[steps : steps + 2] = bytes([0, step.row])
        assert prepare(bytes(blob)) == (ROW_FAULT if touches else "ok")


def test_the_second_operand_needs_an_address_too() -> None:
    program = every_op()
    add = program.ops[KINDS.index(OpKind.ADD)]
    view, storage = program.views[1], program.storages[1]
    missing = type(storage)(storage.row_bytes, storage.row_count, (*storage.addresses[:3], None))
    storages = (*program.storages, missing)
    views = (*program.views, type(view)(len(storages) - 1, 0, 4, 3, 2, view.pixel_stride_bytes))
    op = Op(add.kind, add.output, add.input, add.params, len(views) - 1)
    program = Program(program.workspace_bytes, (), (), storages, views, (op,), (Step(0, 0),), program.constants)
    blob = bytearray(unchecked(program))
    steps = int(HEADER.unpack(bytes(blob), 0)["steps_offset"])
    for row in range(4):
        blob[steps + 1] = row
        assert prepare(bytes(blob)) == (ROW_FAULT if row == 3 else "ok")


@pytest.mark.parametrize(
    "fields",
    [
        {"storage": 0xFFFF},
        {"first_row": 1},
        {"row_count": 0},
        {"row_count": 5},
        {"column_count": 0},
        {"column_count": 0xFFFF},
        {"channel_count": 0},
        {"channel_count": 0xFFFFFFFF},
        {"pixel_stride_bytes": 0xFFFFFFFF},
        {"pixel_stride_bytes": 1},
        {"offset_bytes": 0xFFFFFFFF},
        {"element_bytes": 0},
        {"element_bytes": 2},
        {"reserved": 1},
    ],
)
def test_views(fields: dict[str, int]) -> None:
    assert prepare(changed(VIEW, 0, **fields)) == VIEW_FAULT


@pytest.mark.parametrize("fields", [{"pixel_stride_bytes": 10}, {"offset_bytes": 2}])
def test_four_byte_elements_are_4_aligned(fields: dict[str, int]) -> None:
    assert prepare(changed(VIEW, 4, **fields)) == VIEW_FAULT


@pytest.mark.parametrize("kind", KINDS)
def test_an_op_names_the_views_its_kind_has(kind: OpKind) -> None:
    binary = kind in TWO_OPERANDS
    feeds = kind in (OpKind.SUM_FEED, OpKind.DENSE_FEED)
    for fields in (
        {"kind": 0xFFFF},
        {"output": 99},
        {"input": 0xFFFF},
        {"input2": 0xFFFF if binary else 0},
        {"accumulator": 0xFFFF if feeds else 0},
        {"reserved": 1},
        {"output": CONSTANT},
        {"accumulator": 0} if feeds else {"reserved": 2},
    ):
        assert prepare(changed(OP, KINDS.index(kind), **fields)) == OP_FAULT
    for offset in (2, 0, 0xFFFFFFFC):
        assert prepare(changed(OP, KINDS.index(kind), params_offset=offset)) == PARAMS_FAULT


FLOATS, PIXEL = 4, 5


@pytest.mark.parametrize(
    ("kind", "fields", "fault"),
    [
        *(
            (kind, {"input": FLOATS}, OP_FAULT)
            for kind in KINDS
            if kind not in (OpKind.QUANTIZE_FLOAT, OpKind.PAD, OpKind.GATHER, OpKind.FETCH)
        ),
        (OpKind.QUANTIZE_FLOAT, {"input": 0}, OP_FAULT),
        (OpKind.QUANTIZE_FLOAT, {"output": FLOATS}, OP_FAULT),
        (OpKind.PAD, {"input": FLOATS}, SHAPE_FAULT),
        (OpKind.LUT, {"input": PIXEL}, SHAPE_FAULT),
        (OpKind.SOFTMAX, {"input": PIXEL}, SHAPE_FAULT),
        (OpKind.SUM_FEED, {"output": 0}, SHAPE_FAULT),
        (OpKind.DENSE_FEED, {"output": 0}, SHAPE_FAULT),
        (OpKind.RESIZE_NEAREST, {"input": PIXEL}, CONSTANT_FAULT),
        (OpKind.LUT, {"output": FLOATS}, CONSTANT_FAULT),
        (OpKind.PIXEL_SUM, {"output": 0}, SHAPE_FAULT),
        (OpKind.RESIZE_BILINEAR, {"input": PIXEL}, CONSTANT_FAULT),
        (OpKind.FETCH, {"input": FLOATS}, SHAPE_FAULT),
        (OpKind.GATHER, {"input": 0}, OP_FAULT),
        (OpKind.GATHER, {"input": FLOATS}, SHAPE_FAULT),
        (OpKind.DEPTH_TO_SPACE, {"input": PIXEL}, SHAPE_FAULT),
    ],
)
def test_views_of_the_wrong_type_or_shape(kind: OpKind, fields: dict[str, int], fault: str) -> None:
    if kind is OpKind.LUT and fault == CONSTANT_FAULT:  # a table of 256 floats would end beyond the constants
        end = len(unchecked(every_op()))
        params = bytearray(changed(OP, KINDS.index(kind), **fields))
        at = place(bytes(params), kinds.of(kind).record, KINDS.index(kind))
        params[at : at + 4] = (end - 256).to_bytes(4, "little")
        assert prepare(bytes(params)) == fault
    else:
        assert prepare(changed(OP, KINDS.index(kind), **fields)) == fault


def test_a_table_has_entries_of_one_byte_or_of_four() -> None:
    """Found by the fuzzer: entries of two bytes were read and written as four, beyond the table and the workspace."""
    storages = (Storage(2, 1, (0,)), Storage(8, 1, (4,)))
    views = (View(0, 0, 1, 1, 2, 2), View(1, 0, 1, 1, 2, 8, 0, 4))
    table = Op(OpKind.LUT, 1, 0, {"table_offset": 0})
    blob = bytearray(unchecked(one_op(table, views, storages, workspace_bytes=12, constants=(bytes(1024),))))
    assert prepare(bytes(blob)) == "ok"
    at = int(HEADER.unpack(bytes(blob), 0)["views_offset"]) + VIEW.size_bytes
    blob[at : at + VIEW.size_bytes] = VIEW.pack(**(VIEW.unpack(bytes(blob), at) | {"element_bytes": 2}))
    assert prepare(bytes(blob)) == OP_FAULT
    with pytest.raises(ProgramError, match="elements of 2 bytes"):
        decode(bytes(blob))


WINDOWED = (OpKind.CONV, OpKind.DEPTHWISE, OpKind.AVERAGE_POOL, OpKind.MAX_POOL)


@pytest.mark.parametrize("kind", WINDOWED)
@pytest.mark.parametrize(
    "fields",
    [
        {"kernel_rows": 0},
        {"kernel_rows": 33},
        {"kernel_columns": 0},
        {"stride_rows": 0},
        {"stride_columns": 0},
        {"dilation_rows": 0},
        {"dilation_columns": 0},
        {"kernel_columns": 0xFFFF, "dilation_columns": 0xFFFF},
    ],
)
def test_windows(kind: OpKind, fields: dict[str, int]) -> None:
    assert prepare(changed_params(kind, **fields)) == WINDOW_FAULT


@pytest.mark.parametrize("name", ["stride_columns", "dilation_columns", "pad_columns"])
def test_a_window_reaches_no_further_than_an_int32_counts_bytes(name: str) -> None:
    """The stride of a row of one pixel may have any value, but kernels multiply with it."""
    storages = (Storage(1, 1, (0,)), Storage(1, 1, (4,)))
    views = (View(0, 0, 1, 1, 1, 1 << 24), View(1, 0, 1, 1, 1, 1))
    constants = (b"\x01", int32s(0), int32s(1 << 30), b"\xff")
    params = {**window(1), **requantize(weights=0, bias=1, multipliers=2, shifts=3), "groups": 1, "flags": 0}
    conv = Op(OpKind.CONV, 1, 0, params | {name: 16})
    blob = unchecked(one_op(conv, views, storages, workspace_bytes=8, constants=constants))
    record = kinds.of(OpKind.CONV).record
    at = int(OP.unpack(blob, int(HEADER.unpack(blob, 0)["ops_offset"]))["params_offset"])
    values = ((16, "ok"), (64, WINDOW_FAULT)) + (((-16, "ok"), (-64, WINDOW_FAULT)) if name == "pad_columns" else ())
    for value, said in values:
        changed_blob = bytearray(blob)
        changed_blob[at : at + record.size_bytes] = record.pack(**record.unpack(blob, at) | {name: value})
        assert prepare(bytes(changed_blob)) == said
        if said != "ok":
            with pytest.raises(ProgramError, match="its window reaches"):
                decode(bytes(changed_blob))


@pytest.mark.parametrize("name", ["kernel_rows", "kernel_columns", "stride_rows", "stride_columns"])
def test_a_transposed_window_is_not_empty_and_not_too_tall(name: str) -> None:
    assert prepare(changed_params(OpKind.TRANSPOSE_CONV, **{name: 0})) == WINDOW_FAULT
    assert prepare(changed_params(OpKind.TRANSPOSE_CONV, kernel_rows=33)) == WINDOW_FAULT


@pytest.mark.parametrize(
    ("kinds", "fields", "fault"),
    [
        ((OpKind.TRANSPOSE_CONV,), {"flags": 2}, PARAMS_FAULT),
        ((OpKind.TRANSPOSE_CONV,), {"input_zero_point": 128}, PARAMS_FAULT),
        ((OpKind.TRANSPOSE_CONV,), {"output_zero_point": -129}, PARAMS_FAULT),
        ((OpKind.TRANSPOSE_CONV,), {"output_max": 128}, PARAMS_FAULT),
        ((OpKind.TRANSPOSE_CONV,), {"kernel_columns": 0xFFFF}, CONSTANT_FAULT),
        ((OpKind.TRANSPOSE_CONV,), {"weights_offset": 0x7FFFFFF0}, CONSTANT_FAULT),
        ((OpKind.TRANSPOSE_CONV,), {"bias_offset": 1}, CONSTANT_FAULT),
        ((OpKind.TRANSPOSE_CONV,), {"multipliers_offset": 60}, CONSTANT_FAULT),
        ((OpKind.TRANSPOSE_CONV,), {"shifts_offset": 0xFFFFFFFF}, CONSTANT_FAULT),
        ((OpKind.RESIZE_NEAREST,), {"row_map_offset": 0x7FFFFFF0}, CONSTANT_FAULT),
        ((OpKind.RESIZE_NEAREST,), {"row_map_offset": 1}, CONSTANT_FAULT),
        ((OpKind.RESIZE_NEAREST,), {"column_map_offset": 0}, CONSTANT_FAULT),
        ((OpKind.RESIZE_BILINEAR,), {"row_positions_offset": 0x7FFFFFF0}, CONSTANT_FAULT),
        ((OpKind.RESIZE_BILINEAR,), {"column_positions_offset": 2}, CONSTANT_FAULT),
        ((OpKind.GATHER,), {"entry_count": 0}, PARAMS_FAULT),
        ((OpKind.GATHER,), {"entry_count": 0xFFFFFFFF}, CONSTANT_FAULT),
        ((OpKind.GATHER,), {"table_offset": 0}, CONSTANT_FAULT),
        ((OpKind.DEPTH_TO_SPACE,), {"block": 0}, PARAMS_FAULT),
        ((OpKind.DEPTH_TO_SPACE,), {"block": 2}, SHAPE_FAULT),
        ((OpKind.TRANSPOSE,), {"row_axis": 0}, PARAMS_FAULT),
        ((OpKind.TRANSPOSE,), {"column_axis": 3}, PARAMS_FAULT),
        ((OpKind.TRANSPOSE,), {"column_axis": 0, "channel_axis": 2}, SHAPE_FAULT),
        ((OpKind.BATCH_MATMUL,), {"left_zero_point": -129}, PARAMS_FAULT),
        ((OpKind.BATCH_MATMUL,), {"right_zero_point": 128}, PARAMS_FAULT),
        ((OpKind.BATCH_MATMUL,), {"output_zero_point": 128}, PARAMS_FAULT),
        ((OpKind.BATCH_MATMUL,), {"shift": 31}, PARAMS_FAULT),
        ((OpKind.BATCH_MATMUL,), {"transposed": 2}, PARAMS_FAULT),
        ((OpKind.BATCH_MATMUL,), {"left_rows": 0}, PARAMS_FAULT),
        ((OpKind.BATCH_MATMUL,), {"right_rows": 0}, PARAMS_FAULT),
        ((OpKind.BATCH_MATMUL,), {"left_rows": 3}, SHAPE_FAULT),
        ((OpKind.BATCH_MATMUL,), {"left_rows": 2}, SHAPE_FAULT),
        ((OpKind.BATCH_MATMUL,), {"right_rows": 2}, SHAPE_FAULT),
        ((OpKind.BATCH_MATMUL,), {"right_rows": 4}, SHAPE_FAULT),
        ((OpKind.BATCH_MATMUL,), {"transposed": 0}, SHAPE_FAULT),
        ((OpKind.PIXEL_SUM,), {"mode": 0}, PARAMS_FAULT),
        ((OpKind.PIXEL_SUM, OpKind.SUM_FEED), {"count": 0}, PARAMS_FAULT),
        ((OpKind.SUM_FEED,), {"mode": 3}, PARAMS_FAULT),
        ((OpKind.CONV, OpKind.DEPTHWISE), {"groups": 0}, PARAMS_FAULT),
        ((OpKind.CONV, OpKind.DEPTHWISE), {"groups": 3}, SHAPE_FAULT),
        ((OpKind.CONV, OpKind.DEPTHWISE), {"flags": 2}, PARAMS_FAULT),
        ((OpKind.CONV, OpKind.DEPTHWISE, OpKind.DENSE_FEED), {"input_zero_point": 128}, PARAMS_FAULT),
        ((OpKind.CONV, OpKind.DEPTHWISE, OpKind.DENSE_FEED), {"weights_offset": 0x7FFFFFF0}, CONSTANT_FAULT),
        ((OpKind.CONV, OpKind.DEPTHWISE, OpKind.DENSE_FEED), {"weights_offset": 64}, CONSTANT_FAULT),
        ((OpKind.CONV, OpKind.DEPTHWISE, OpKind.DENSE_FEED), {"bias_offset": 0xFFFFFFFC}, CONSTANT_FAULT),
        ((OpKind.CONV, OpKind.DEPTHWISE, OpKind.DENSE_FEED), {"bias_offset": 1}, CONSTANT_FAULT),
        ((OpKind.CONV, OpKind.DEPTHWISE, OpKind.DENSE_FEED), {"multipliers_offset": 60}, CONSTANT_FAULT),
        ((OpKind.CONV, OpKind.DEPTHWISE, OpKind.DENSE_FEED), {"shifts_offset": 0xFFFFFFFF}, CONSTANT_FAULT),
        ((OpKind.CONV, OpKind.DEPTHWISE), {"kernel_columns": 0xFFFF}, CONSTANT_FAULT),
        ((OpKind.CONV, OpKind.DEPTHWISE, OpKind.DENSE_FEED, OpKind.SUM_FEED), {"output_zero_point": 128}, PARAMS_FAULT),
        (BINARY, {"zero_point1": -129}, PARAMS_FAULT),
        (BINARY, {"zero_point2": 128}, PARAMS_FAULT),
        (BINARY, {"left_shift": 21}, PARAMS_FAULT),
        (BINARY, {"left_shift": -1}, PARAMS_FAULT),
        (BINARY, {"shift1": 31}, PARAMS_FAULT),
        (BINARY, {"shift2": -32}, PARAMS_FAULT),
        (BINARY, {"output_shift": 31}, PARAMS_FAULT),
        ((OpKind.LUT,), {"table_offset": 0x7FFFFFFC}, CONSTANT_FAULT),
        ((OpKind.LUT,), {"table_offset": 56}, CONSTANT_FAULT),
        ((OpKind.QUANTIZE_FLOAT,), {"scale": 0.0}, PARAMS_FAULT),
        ((OpKind.QUANTIZE_FLOAT,), {"scale": -1.0}, PARAMS_FAULT),
        ((OpKind.QUANTIZE_FLOAT,), {"scale": float("nan")}, PARAMS_FAULT),
        ((OpKind.QUANTIZE_FLOAT,), {"scale": float("inf")}, PARAMS_FAULT),
        ((OpKind.QUANTIZE_FLOAT,), {"zero_point": 256}, PARAMS_FAULT),
        ((OpKind.QUANTIZE_FLOAT,), {"output_max": 128}, PARAMS_FAULT),
        ((OpKind.SOFTMAX,), {"exp_count": 0}, PARAMS_FAULT),
        ((OpKind.SOFTMAX,), {"exp_count": 257}, PARAMS_FAULT),
        ((OpKind.SOFTMAX,), {"exps_offset": 0x7FFFFFFC}, CONSTANT_FAULT),
        ((OpKind.PAD,), {"pad_rows": 1}, SHAPE_FAULT),
        ((OpKind.PAD,), {"pad_columns": 1}, SHAPE_FAULT),
        ((OpKind.PAD,), {"pad_channels": 0xFFFF}, SHAPE_FAULT),
        ((OpKind.PAD,), {"value": 128}, PARAMS_FAULT),
        ((OpKind.SUM_FEED,), {"mode": 2}, PARAMS_FAULT),
        ((OpKind.SUM_FEED,), {"count": 0}, PARAMS_FAULT),
        ((OpKind.SUM_FEED,), {"shift": 31}, PARAMS_FAULT),
        ((OpKind.DENSE_FEED,), {"flags": 2}, PARAMS_FAULT),
        (
            (*WINDOWED, OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.SUM_FEED, OpKind.DENSE_FEED),
            {"output_min": -129},
            PARAMS_FAULT,
        ),
        (
            (*WINDOWED, OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.SUM_FEED, OpKind.DENSE_FEED),
            {"output_min": 5, "output_max": 4},
            PARAMS_FAULT,
        ),
    ],
)
def test_parameters(kinds: tuple[OpKind, ...], fields: dict[str, int | float], fault: str) -> None:
    for kind in kinds:
        assert prepare(changed_params(kind, **fields)) == fault


def test_values_in_tables_are_checked() -> None:
    blob = unchecked(every_op())
    conv = kinds.of(OpKind.CONV).record.unpack(blob, place(blob, kinds.of(OpKind.CONV).record, OpKind.CONV))
    softmax = kinds.of(OpKind.SOFTMAX).record.unpack(blob, place(blob, kinds.of(OpKind.SOFTMAX).record, OpKind.SOFTMAX))
    resize_record = kinds.of(OpKind.RESIZE_NEAREST).record
    resize = resize_record.unpack(blob, place(blob, resize_record, OpKind.RESIZE_NEAREST))
    for offset, value in (
        (int(resize["row_map_offset"]) + 2, struct.pack("<H", 4)),
        (int(resize["column_map_offset"]) + 4, struct.pack("<H", 3)),
        (int(conv["shifts_offset"]), struct.pack("<b", 31)),
        (int(conv["shifts_offset"]) + 1, struct.pack("<b", -32)),
        (int(conv["multipliers_offset"]), struct.pack("<i", -1)),
        (int(softmax["exps_offset"]), struct.pack("<i", (1 << 30) - 1)),
        (int(softmax["exps_offset"]) + 8, struct.pack("<i", -1)),
    ):
        assert prepare(blob[:offset] + value + blob[offset + len(value) :]) == CONSTANT_FAULT


def build_driver(binary: Path) -> None:
    """The driver, on the executor with sanitizers, for all tests of a session."""
    library = sanitized_library()
    flags = ["-std=c99", "-O1", "-g", *ASAN, "-fno-sanitize-recover=all", f"-I{EXECUTOR_FOLDER}"]
    command = ["gcc", *flags, str(Path(__file__).parent / "runtime_driver.c"), str(library), "-o", str(binary)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, built.stderr


def drive(folder: Path, blobs: list[bytes]) -> list[int]:
    """The status of each blob; fails with the sanitizer's report if one of them made the executor misbehave.

    Skips where the compiler has no sanitizers.
    """
    need_linked("gcc", ASAN)
    driver = made_once("runtime_driver", build_driver)
    path = folder / "blobs"
    path.write_bytes(b"".join(struct.pack("<I", len(blob)) + blob for blob in blobs))
    done = subprocess.run([driver, path], capture_output=True, text=True, timeout=300, check=False)
    statuses = [int(line) for line in done.stdout.split()]
    assert done.returncode == 0, f"blob {len(statuses)}: {done.stderr[:4000]}"
    assert len(statuses) == len(blobs)
    return statuses


EXTREMES = (
    0,
    1,
    2,
    3,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFE,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFC,
    0xFFFFFFFF,
)


_SCALAR_BYTES = {"uint8_t": 1, "uint16_t": 2, "int16_t": 2, "uint32_t": 4, "int32_t": 4, "float": 4}


def scalar_mutations(blob: bytes) -> list[bytes]:
    """Every scalar of every record and table in front of the constants set to each extreme value, once."""
    header = HEADER.unpack(blob, 0)
    tables = [
        (HEADER, 0, 1),
        (IO, int(header["io_offset"]), int(header["input_count"]) + int(header["output_count"])),
        (STORAGE, int(header["storages_offset"]), int(header["storage_count"])),
        (VIEW, int(header["views_offset"]), int(header["view_count"])),
        (OP, int(header["ops_offset"]), int(header["op_count"])),
        (MOVE, int(header["moves_offset"]), int(header["move_count"])),
    ]
    tables += [(kinds.of(kind).record, place(blob, kinds.of(kind).record, KINDS.index(kind)), 1) for kind in KINDS]
    mutated = []
    for record, start, count in tables:
        for index in range(count):
            at = start + index * record.size_bytes
            for field in record.fields:
                size = _SCALAR_BYTES[field.ctype]
                for value in EXTREMES:
                    scalar = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
                    mutated.append(blob[:at] + scalar + blob[at + size :])
                at += size
    return list(dict.fromkeys(mutated))


def test_no_extreme_value_of_any_field_makes_the_executor_misbehave(tmp_path: Path) -> None:
    statuses = drive(tmp_path, scalar_mutations(unchecked(every_op())))
    assert statuses.count(0) > 100
    assert len(set(statuses)) > 12


def test_no_random_mutation_makes_the_executor_misbehave(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    blob = unchecked(every_op())
    constants = int(HEADER.unpack(blob, 0)["constants_offset"])
    mutated = []
    for k in range(4000):
        copy = bytearray(blob)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(0, constants if k % 4 else len(blob)))
            copy[at] = int(rng.integers(0, 256)) if k % 2 else copy[at] ^ (1 << int(rng.integers(0, 8)))
        mutated.append(bytes(copy[: int(rng.integers(0, len(copy)))] if k % 50 == 0 else copy))
    statuses = drive(tmp_path, mutated)
    assert statuses.count(0) > 200


def test_sums_that_overflow_wrap(tmp_path: Path) -> None:
    """All constants of the program are as large as possible. No overflow of an int32 may be undefined behaviour."""
    blob = bytearray(unchecked(every_op()))
    constants = int(HEADER.unpack(bytes(blob), 0)["constants_offset"])
    conv = kinds.of(OpKind.CONV).record.unpack(
        bytes(blob), place(bytes(blob), kinds.of(OpKind.CONV).record, OpKind.CONV)
    )
    kept = int(conv["shifts_offset"])
    shifts = bytes(blob[kept : kept + 2])
    multipliers = int(conv["multipliers_offset"])
    hostile = []
    for value in (0x7FFFFFFF, 0x80000000, 0x80808080, 0x7F7F7F7F):
        copy = blob[:constants] + value.to_bytes(4, "little") * ((len(blob) - constants) // 4)
        for shift in (shifts, bytes([30, 30]), bytes([0xE1, 0xE1])):
            copy[kept : kept + 2] = shift
            copy[multipliers : multipliers + 8] = (value & 0x7FFFFFFF).to_bytes(4, "little") * 2  # none may be negative
            for kind in (*TWO_OPERANDS, OpKind.SUM_FEED, OpKind.PIXEL_SUM):
                at = place(bytes(copy), kinds.of(kind).record, KINDS.index(kind))
                fields = kinds.of(kind).record.unpack(bytes(copy), at)
                high = value - (1 << 32) if value >> 31 else value
                hostile_fields = {n: high for n in fields if "multiplier" in n or n == "bias"}
                hostile_fields |= {n: 30 for n in fields if "shift" in n and n != "left_shift"}
                copy[at : at + kinds.of(kind).record.size_bytes] = kinds.of(kind).record.pack(**fields | hostile_fields)
            exps = kinds.of(OpKind.SOFTMAX).record.unpack(
                bytes(copy), place(bytes(copy), kinds.of(OpKind.SOFTMAX).record, OpKind.SOFTMAX)
            )
            at = int(exps["exps_offset"])
            copy[at : at + 12] = struct.pack("<3i", 2**31 - 1, 2**31 - 1, 2**31 - 1)
            resize = kinds.of(OpKind.RESIZE_NEAREST).record
            for name, entries in (("row_map_offset", 4), ("column_map_offset", 3)):
                at = int(resize.unpack(bytes(copy), place(bytes(copy), resize, OpKind.RESIZE_NEAREST))[name])
                copy[at : at + 2 * entries] = bytes(2 * entries)
            bilinear = kinds.of(OpKind.RESIZE_BILINEAR).record
            for name, entries in (("row_positions_offset", 4), ("column_positions_offset", 3)):
                at = int(bilinear.unpack(bytes(copy), place(bytes(copy), bilinear, OpKind.RESIZE_BILINEAR))[name])
                copy[at : at + 4 * entries] = bytes(4 * entries)
            hostile.append(bytes(copy))
    assert set(drive(tmp_path, hostile)) == {0}
