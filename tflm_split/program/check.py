"""Is this program well-formed: can an executor follow it without reading or writing outside its bounds?

`check_program` raises ProgramError with the first fault as one sentence. It looks at every record on its own and at
what records say about each other (views inside storages, shapes that fit together, constants of the right length); it
does not ask whether a step finds the data it expects: that is `verify.replay`. The C executor's `prepare` holds the
same rules.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import NoReturn

from tflm_split.errors import ProgramError
from tflm_split.program.check_maps import position_fault, rows_mixed, shape_fault
from tflm_split.program.check_matmul import matmul_fault, matmul_rows, transpose_fault
from tflm_split.program.check_types import (
    FLOAT_KINDS,
    INT16_KINDS,
    TYPED_BINARY,
    TYPED_CONVOLUTIONS,
    TYPED_FEEDS,
    TYPED_POOLS,
    TYPED_WINDOWED,
    element_bytes_of,
    typed_fault,
    wide_shift_fault,
)
from tflm_split.program.constants import DEPTHWISE_KINDS, constant_bytes, constant_fields
from tflm_split.program.format import (
    MAX_WINDOW_ROWS,
    MOVE_ALIGN,
    NONE,
    PARAMS_OF,
    MeanMode,
    OpKind,
    StorageKind,
    WeightFlags,
)
from tflm_split.program.types import Op, Program, Storage, View

Params = Mapping[str, int | float]

SUMS = (OpKind.CONV_SUM, OpKind.CONV_SUM_LAST)
WINDOWED = (OpKind.CONV, OpKind.DEPTHWISE, OpKind.AVERAGE_POOL, OpKind.MAX_POOL, *SUMS, *TYPED_WINDOWED)
BINARY = (
    OpKind.ADD, OpKind.SUB, OpKind.MUL, OpKind.MINIMUM, OpKind.MAXIMUM, OpKind.SQUARED_DIFFERENCE, OpKind.PRELU,
    *TYPED_BINARY,
)  # fmt: skip
FEEDS = (OpKind.SUM_FEED, OpKind.DENSE_FEED, *TYPED_FEEDS)
TYPED = INT16_KINDS | FLOAT_KINDS

MAX_BYTES = 2**31 - 1
"""Of the workspace: the executor computes addresses in int32."""
MAX_MOVES = 2**16 - 1
"""Their order is given in u16."""
MAX_REACH = 2**29
"""A window's last row or column lies before this, stride and dilation counted."""
MAX_SOFTMAX_CHANNELS = 4095
"""More exponentials could overflow the sum's 12 integer bits."""
MAX_SUMMED_PIXELS = 2**23
"""More int8 could overflow the int32 sum of `SUM_FEED`."""
MIN_SHIFT, MAX_SHIFT = -31, 30
"""What MultiplyByQuantizedMultiplier can shift an int32 by (negative is right)."""


def check_program(program: Program) -> None:
    """Nothing, if the program is well-formed; raises ProgramError with the first fault otherwise."""
    for what, count in (("storages", len(program.storages)), ("views", len(program.views)), ("ops", len(program.ops))):
        if count >= NONE:
            raise ProgramError(f"the program has {count} {what}, and {NONE - 1} is the most")
    if program.workspace_bytes > MAX_BYTES:
        raise ProgramError(f"the workspace has {program.workspace_bytes} bytes, and {MAX_BYTES} is the most")
    for name, ios in (("input", program.inputs), ("output", program.outputs)):
        for i, io in enumerate(ios):
            if io.bytes < 1 or io.address < 0 or io.address + io.bytes > program.workspace_bytes:
                raise ProgramError(
                    f"{name} {i} covers bytes {io.address} to {io.address + io.bytes} of a workspace "
                    f"of {program.workspace_bytes}"
                )
    for s, storage in enumerate(program.storages):
        _check_storage(program, f"storage {s}", storage)
    for v, view in enumerate(program.views):
        _check_view(program, f"view {v}", view)
    for k, op in enumerate(program.ops):
        _OpCheck(program, k, op).run()
    rows_of = [step_rows(program, op) for op in program.ops]
    for i, step in enumerate(program.steps):
        if not 0 <= step.op < len(program.ops):
            raise ProgramError(f"step {i} names op {step.op}, but there are {len(program.ops)} ops")
        if not 0 <= step.row < rows_of[step.op]:
            raise ProgramError(f"step {i} computes row {step.row} of op {step.op}, which has {rows_of[step.op]} rows")
    for k, row in sorted({(step.op, step.row) for step in program.steps}):
        _check_addresses(program, k, row)
    _check_moves(program)


def step_rows(program: Program, op: Op) -> int:
    """How many steps the op takes: the rows of its output view, or of its input view when it accumulates."""
    return program.views[op.input if op.kind in FEEDS else op.output].row_count


def u16s(program: Program, op: Op, name: str) -> tuple[int, ...]:
    """The entries of the row or column map that parameter `name` refers to."""
    constant = program.constants[int(op.params[name])]
    return struct.unpack(f"<{len(constant) // 2}H", constant)


def _check_addresses(program: Program, index: int, row: int) -> None:
    """Every row that the step touches must have an address."""
    op = program.ops[index]
    source = program.views[op.input]
    touched = [(op.output, 0 if op.kind in FEEDS else row)]
    if op.accumulator is not None:
        touched.append((op.accumulator, row if op.kind in SUMS else 0))
    if op.kind in WINDOWED:
        first = row * int(op.params["stride_rows"]) - int(op.params["pad_rows"])
        taps = [first + k * int(op.params["dilation_rows"]) for k in range(int(op.params["kernel_rows"]))]
        touched += [(op.input, tap) for tap in taps if 0 <= tap < source.row_count]
    elif op.kind is OpKind.TRANSPOSE_CONV:
        for k in range(int(op.params["kernel_rows"])):
            tap, rest = divmod(row + int(op.params["pad_rows"]) - k, int(op.params["stride_rows"]))
            touched += [(op.input, tap)] if rest == 0 and 0 <= tap < source.row_count else []
    elif op.kind is OpKind.RESIZE_NEAREST:
        touched.append((op.input, u16s(program, op, "row_map_offset")[row]))
    elif op.kind is OpKind.RESIZE_BILINEAR:
        touched += [(op.input, tap) for tap in rows_mixed(program, op, row)]
    elif op.kind is OpKind.BATCH_MATMUL and op.input2 is not None:
        touched += [(op.input, row), *((op.input2, r) for r in matmul_rows(program, op, row))]
    elif op.kind is OpKind.TRANSPOSE and op.params["row_axis"] != 0:
        touched += [(op.input, r) for r in range(source.row_count)]
    elif op.kind is OpKind.DEPTH_TO_SPACE:
        touched.append((op.input, row // int(op.params["block"])))
    elif op.kind is OpKind.PAD:
        tap = row - int(op.params["pad_rows"])
        touched += [(op.input, tap)] if 0 <= tap < source.row_count else []
    else:
        touched += [
            (view, 0 if op.kind in BINARY and program.views[view].row_count == 1 else row)
            for view in (op.input, op.input2)
            if view is not None
        ]
    for view_index, view_row in touched:
        view = program.views[view_index]
        storage = program.storages[view.storage]
        if storage.constant is None and storage.addresses[view.first_row + view_row] is None:
            raise ProgramError(
                f"row {row} of op {index} {op.kind.name} touches row {view.first_row + view_row} of storage "
                f"{view.storage}, which has no address"
            )


def _check_moves(program: Program) -> None:
    if len(program.moves) > MAX_MOVES:
        raise ProgramError(f"the program has {len(program.moves)} moves, and {MAX_MOVES} is the most")
    seen: set[tuple[int, int, int]] = set()
    latest = 0
    for i, move in enumerate(program.moves):
        if not latest <= move.step < len(program.steps):
            raise ProgramError(
                f"move {i} comes before step {move.step}, which is not one of {latest} to {len(program.steps)}"
            )
        latest = move.step
        if not 0 <= move.storage < len(program.storages) or program.storages[move.storage].constant is not None:
            raise ProgramError(f"move {i} names storage {move.storage}, which is none in the workspace")
        storage = program.storages[move.storage]
        first = storage.addresses[move.row] if 0 <= move.row < storage.row_count else None
        if first is None:
            raise ProgramError(f"move {i} moves row {move.row} of storage {move.storage}, which has no address")
        if not 0 <= move.address <= program.workspace_bytes - storage.row_bytes or (move.address - first) % MOVE_ALIGN:
            raise ProgramError(
                f"move {i} takes row {move.row} of storage {move.storage} from {first} to {move.address}, in a workspace "
                f"of {program.workspace_bytes} bytes and by a multiple of {MOVE_ALIGN}"
            )
        if (move.step, move.storage, move.row) in seen:
            raise ProgramError(f"move {i} moves row {move.row} of storage {move.storage} twice before step {move.step}")
        seen.add((move.step, move.storage, move.row))


def _check_storage(program: Program, name: str, storage: Storage) -> None:
    if storage.row_bytes < 1 or not 1 <= storage.row_count <= 0xFFFF:
        raise ProgramError(f"{name} has {storage.row_count} rows of {storage.row_bytes} bytes")
    if storage.constant is not None:
        if not 0 <= storage.constant < len(program.constants):
            raise ProgramError(f"{name} names constant {storage.constant}, but there are {len(program.constants)}")
        held, needed = len(program.constants[storage.constant]), storage.row_bytes * storage.row_count
        if held != needed:
            raise ProgramError(f"{name} needs {needed} bytes of constant {storage.constant}, which has {held}")
        return
    if len(storage.addresses) != storage.row_count:
        raise ProgramError(f"{name} has {storage.row_count} rows and {len(storage.addresses)} addresses")
    for row, address in enumerate(storage.addresses):
        if address is not None and not 0 <= address <= program.workspace_bytes - storage.row_bytes:
            raise ProgramError(
                f"row {row} of {name} covers bytes {address} to {address + storage.row_bytes} of a workspace "
                f"of {program.workspace_bytes}"
            )


def _check_view(program: Program, name: str, view: View) -> None:
    if not 0 <= view.storage < len(program.storages):
        raise ProgramError(f"{name} names storage {view.storage}, but there are {len(program.storages)}")
    storage = program.storages[view.storage]
    if view.first_row < 0 or view.row_count < 1 or view.first_row + view.row_count > storage.row_count:
        raise ProgramError(
            f"{name} sees rows {view.first_row} to {view.first_row + view.row_count} of storage {view.storage}, "
            f"which has {storage.row_count}"
        )
    if view.element_bytes not in (1, 2, 4):
        raise ProgramError(f"{name} has elements of {view.element_bytes} bytes, needs 1, 2 or 4")
    if not 1 <= view.column_count <= 0xFFFF or view.channel_count < 1:
        raise ProgramError(f"{name} has {view.column_count} columns of {view.channel_count} channels")
    pixel_bytes = view.channel_count * view.element_bytes
    if not 0 <= view.pixel_stride_bytes <= MAX_BYTES:
        raise ProgramError(f"{name} has pixels {view.pixel_stride_bytes} bytes apart")
    if view.column_count > 1 and view.pixel_stride_bytes < pixel_bytes:
        raise ProgramError(f"{name} has pixels of {pixel_bytes} bytes only {view.pixel_stride_bytes} bytes apart")
    end = view.offset_bytes + (view.column_count - 1) * view.pixel_stride_bytes + pixel_bytes
    if view.offset_bytes < 0 or end > storage.row_bytes:
        raise ProgramError(
            f"{name} reaches from byte {view.offset_bytes} to {end} of rows that have {storage.row_bytes} bytes"
        )
    if view.element_bytes > 1:
        if view.pixel_stride_bytes % view.element_bytes:
            raise ProgramError(
                f"{name} has pixels {view.pixel_stride_bytes} bytes apart, not a multiple of {view.element_bytes}"
            )
        if storage.kind is StorageKind.CONSTANT:
            starts: list[int] = [r * storage.row_bytes for r in range(storage.row_count)]
        else:
            starts = [a for a in storage.addresses[view.first_row : view.first_row + view.row_count] if a is not None]
        if any((start + view.offset_bytes) % view.element_bytes for start in starts):
            size = view.element_bytes
            raise ProgramError(f"{name} has {size}-byte elements at an address that is not a multiple of {size}")


class _OpCheck:
    """The rules one op must hold; `fail` names the op."""

    def __init__(self, program: Program, index: int, op: Op) -> None:
        self.program = program
        self.name = f"op {index} {op.kind.name}"
        self.op = op

    def fail(self, fault: str) -> NoReturn:
        raise ProgramError(f"{self.name}: {fault}")

    def view(self, index: int | None, role: str) -> View:
        if index is None or not 0 <= index < len(self.program.views):
            self.fail(f"its {role} names view {index}, but there are {len(self.program.views)} views")
        return self.program.views[index]

    def run(self) -> None:
        op, kind, params = self.op, self.op.kind, self.op.params
        names = {f.name for f in PARAMS_OF[kind].fields}
        if set(params) != names:
            self.fail(f"its parameters differ from {PARAMS_OF[kind].name}'s in {sorted(set(params) ^ names)}")
        output, source = self.view(op.output, "output"), self.view(op.input, "input")
        takes_two = kind in BINARY or kind is OpKind.BATCH_MATMUL
        if (op.input2 is not None) != takes_two:
            self.fail("it has no second input" if takes_two else "it has a second input and takes one")
        if (op.accumulator is not None) != (kind in (*FEEDS, *SUMS)):
            self.fail("it has no accumulator" if op.accumulator is None else "it has an accumulator and needs none")
        self._in_memory(output, "output")
        if kind in WINDOWED:
            self._window(params, output, source)
        if kind in BINARY:
            self._binary(params, output, source, self.view(op.input2, "second input"))
        if kind in FEEDS:
            accumulator = self.view(op.accumulator, "accumulator")
            self._in_memory(accumulator, "accumulator")
            if kind not in TYPED:
                self._feed(params, output, source, accumulator)
        if kind in TYPED:
            second = None if op.input2 is None else self.program.views[op.input2]
            fed = None if op.accumulator is None else self.program.views[op.accumulator]
            self._no_fault(typed_fault(op, output, source, second, fed))
        match kind:
            case kind if kind in TYPED_CONVOLUTIONS:
                self._convolution(params, output, source)
            case OpKind.CONV | OpKind.DEPTHWISE:
                self._convolution(params, output, source)
            case OpKind.CONV_SUM | OpKind.CONV_SUM_LAST:
                self._convolution(params, output, source)
                self._sums(params, output, self.view(op.accumulator, "accumulator"))
            case OpKind.LUT | OpKind.QUANTIZE_FLOAT | OpKind.SOFTMAX:
                self._elementwise(params, output, source)
            case OpKind.PAD:
                self._pad(params, output, source)
            case OpKind.TRANSPOSE_CONV:
                self._transpose_conv(params, output, source)
            case OpKind.RESIZE_NEAREST:
                self._resize(output, source)
            case OpKind.RESIZE_BILINEAR | OpKind.GATHER | OpKind.DEPTH_TO_SPACE | OpKind.PIXEL_SUM:
                self._no_fault(shape_fault(kind, params, output, source))
            case OpKind.TRANSPOSE:
                self._no_fault(transpose_fault(params, output, source))
            case OpKind.BATCH_MATMUL:
                self._no_fault(matmul_fault(params, output, source, self.view(op.input2, "second input")))
            case _:
                pass
        if kind not in TYPED:
            self._ranges(params)
        self._constants(params, output, source)
        if kind in INT16_KINDS:
            self._no_fault(wide_shift_fault(self.program, op))
        if kind is OpKind.RESIZE_NEAREST:
            self._maps(source)
        if kind is OpKind.RESIZE_BILINEAR:
            self._no_fault(position_fault(self.program, op, source))

    def _no_fault(self, fault: str | None) -> None:
        if fault:
            self.fail(fault)

    def _in_memory(self, view: View, role: str) -> None:
        if self.program.storages[view.storage].kind is StorageKind.CONSTANT:
            self.fail(f"its {role} lies in a constant")

    def _elements(self, view: View, role: str, allowed: tuple[int, ...]) -> None:
        if view.element_bytes not in allowed:
            self.fail(f"its {role} has elements of {view.element_bytes} bytes")

    def _sums(self, params: Params, output: View, accumulator: View) -> None:
        """The sums of an output row are a row of their own, which all but the last group have as their output."""
        if params["groups"] != 1:
            self.fail(f"it has {params['groups']} groups, needs 1")
        if self.op.kind is OpKind.CONV_SUM and self.op.accumulator != self.op.output:
            self.fail("its output is not its accumulator")
        self._in_memory(accumulator, "accumulator")
        if accumulator.pixel_stride_bytes != 4 * accumulator.channel_count:
            self.fail("its accumulator has room between its pixels")
        self._elements(accumulator, "accumulator", (4,))
        if _shape(accumulator) != _shape(output):
            self.fail(f"its accumulator is {list(_shape(accumulator))}, needs {list(_shape(output))}")

    def _window(self, params: Params, output: View, source: View) -> None:
        self._elements(output, "output", (4 if self.op.kind is OpKind.CONV_SUM else element_bytes_of(self.op.kind),))
        self._elements(source, "input", (element_bytes_of(self.op.kind),))
        for name in (
            "kernel_rows",
            "kernel_columns",
            "stride_rows",
            "stride_columns",
            "dilation_rows",
            "dilation_columns",
        ):
            if not 1 <= params[name] <= 0xFFFF:
                self.fail(f"its {name} is {params[name]}")
        if params["kernel_rows"] > MAX_WINDOW_ROWS:
            self.fail(f"its window has {params['kernel_rows']} rows, and {MAX_WINDOW_ROWS} is the most")
        for axis, count in (("rows", output.row_count), ("columns", output.column_count)):
            reaches = (count - 1) * params[f"stride_{axis}"], params[f"kernel_{axis}"] * params[f"dilation_{axis}"]
            if max(reaches) >= MAX_REACH:
                self.fail(f"its window reaches {max(reaches)} {axis} far, and {MAX_REACH - 1} is the most")
        for name in ("pad_rows", "pad_columns"):
            if not -0x8000 <= params[name] <= 0x7FFF:
                self.fail(f"its {name} is {params[name]}")
        if self.op.kind in (OpKind.AVERAGE_POOL, OpKind.MAX_POOL, *TYPED_POOLS):
            if output.channel_count != source.channel_count:
                self.fail(f"it pools {source.channel_count} channels into {output.channel_count}")
            for axis, outputs, inputs in (
                ("rows", output.row_count, source.row_count),
                ("columns", output.column_count, source.column_count),
            ):
                self._every_window_is_inside(params, axis, outputs, inputs)

    def _every_window_is_inside(self, params: Params, axis: str, outputs: int, inputs: int) -> None:
        """A pooling window without a single tap inside its input has no average and no maximum."""
        stride, pad = int(params[f"stride_{axis}"]), int(params[f"pad_{axis}"])
        kernel, dilation = int(params[f"kernel_{axis}"]), int(params[f"dilation_{axis}"])
        for i in range(outputs):
            start = i * stride - pad
            tap = max(0, -(start // dilation))  # the first tap at or after 0
            if tap >= kernel or start + tap * dilation >= inputs:
                self.fail(f"the window of output {i} lies outside the input's {axis}")

    def _convolution(self, params: Params, output: View, source: View) -> None:
        groups = int(params["groups"])
        if groups < 1:
            self.fail("it has no groups")
        if self.op.kind in DEPTHWISE_KINDS:
            if output.channel_count != groups * source.channel_count:
                self.fail(f"multiplier {groups} makes no {output.channel_count} of {source.channel_count} channels")
        elif source.channel_count % groups or output.channel_count % groups:
            self.fail(f"{groups} groups do not divide {source.channel_count} and {output.channel_count} channels")

    def _transpose_conv(self, params: Params, output: View, source: View) -> None:
        self._elements(output, "output", (1,))
        self._elements(source, "input", (1,))
        for name in ("kernel_rows", "kernel_columns", "stride_rows", "stride_columns"):
            if not 1 <= params[name] <= 0xFFFF:
                self.fail(f"its {name} is {params[name]}")
        if params["kernel_rows"] > MAX_WINDOW_ROWS:
            self.fail(f"its window has {params['kernel_rows']} rows, and {MAX_WINDOW_ROWS} is the most")
        for name in ("pad_rows", "pad_columns"):
            if not 0 <= params[name] <= 0xFFFF:
                self.fail(f"its {name} is {params[name]}")

    def _resize(self, output: View, source: View) -> None:
        self._elements(output, "output", (1,))
        self._elements(source, "input", (1,))
        if output.channel_count != source.channel_count:
            self.fail(f"it resizes {source.channel_count} channels into {output.channel_count}")

    def _maps(self, source: View) -> None:
        for axis, count in (("row", source.row_count), ("column", source.column_count)):
            if max(u16s(self.program, self.op, f"{axis}_map_offset")) >= count:
                self.fail(f"its {axis} map leads outside the input's {count} {axis}s")

    def _binary(self, params: Params, output: View, first: View, second: View) -> None:
        for role, view in (("output", output), ("input", first), ("second input", second)):
            self._elements(view, role, (element_bytes_of(self.op.kind),))
        for role, view in (("input", first), ("second input", second)):
            shape, wanted = _shape(view), _shape(output)
            if any(have not in (1, want) for have, want in zip(shape, wanted, strict=True)):
                self.fail(f"its {role} of shape {list(shape)} does not broadcast to {list(wanted)}")
        if self.op.kind in TYPED:
            return
        if not 0 <= params["left_shift"] <= 20:
            self.fail(f"its left_shift is {params['left_shift']}")
        for name in ("zero_point1", "zero_point2"):
            if not -128 <= params[name] <= 127:
                self.fail(f"its {name} is {params[name]}")

    def _elementwise(self, params: Params, output: View, source: View) -> None:
        if _shape(output) != _shape(source):
            self.fail(f"its input of shape {list(_shape(source))} is not {list(_shape(output))} like its output")
        self._elements(source, "input", (4,) if self.op.kind is OpKind.QUANTIZE_FLOAT else (1,))
        self._elements(output, "output", (1, 4) if self.op.kind is OpKind.LUT else (1,))
        if self.op.kind is OpKind.SOFTMAX:
            if not 1 <= params["exp_count"] <= 256:
                self.fail(f"its exp_count is {params['exp_count']}")
            if output.channel_count > MAX_SOFTMAX_CHANNELS:
                self.fail(f"it has {output.channel_count} channels, and {MAX_SOFTMAX_CHANNELS} is the most")
        if self.op.kind is OpKind.QUANTIZE_FLOAT:
            if not (math.isfinite(params["scale"]) and params["scale"] > 0):
                self.fail(f"its scale is {params['scale']}")
            if not -128 <= params["zero_point"] <= 255:
                self.fail(f"its zero_point is {params['zero_point']}")

    def _pad(self, params: Params, output: View, source: View) -> None:
        pads = [int(params[name]) for name in ("pad_rows", "pad_columns", "pad_channels")]
        for have, want, pad in zip(_shape(source), _shape(output), pads, strict=True):
            if pad < 0 or pad + have > want:
                self.fail(f"its input of shape {list(_shape(source))} at {pads} leaves {list(_shape(output))}")
        if output.element_bytes != source.element_bytes:
            self.fail(f"it copies elements of {source.element_bytes} bytes to {output.element_bytes}")
        if output.element_bytes != 1 and params["value"] != 0 and _shape(output) != _shape(source):
            self.fail(
                f"it pads elements of {output.element_bytes} bytes with bytes of {params['value']}, can only with 0"
            )
        if not -128 <= params["value"] <= 127:
            self.fail(f"its value is {params['value']}")

    def _feed(self, params: Params, output: View, source: View, accumulator: View) -> None:
        self._elements(output, "output", (1,))
        self._elements(source, "input", (1,))
        self._elements(accumulator, "accumulator", (4,))
        if (output.row_count, output.column_count) != (1, 1):
            self.fail(f"its output is {list(_shape(output))}, needs one row and one column")
        if _shape(accumulator) != _shape(output):
            self.fail(f"its accumulator is {list(_shape(accumulator))}, needs {list(_shape(output))}")
        if self.op.kind is OpKind.SUM_FEED:
            if output.channel_count != source.channel_count:
                self.fail(f"it sums {source.channel_count} channels into {output.channel_count}")
            if params["mode"] not in set(MeanMode):
                self.fail(f"its mode is {params['mode']}")
            if params["count"] < 1:
                self.fail(f"its count is {params['count']}")
            if source.row_count * source.column_count > MAX_SUMMED_PIXELS:
                self.fail(
                    f"it sums {source.row_count * source.column_count} pixels, and {MAX_SUMMED_PIXELS} is the most"
                )

    def _ranges(self, params: Params) -> None:
        low, high = params.get("output_min", -128), params.get("output_max", 127)
        unsigned = self.op.kind is OpKind.QUANTIZE_FLOAT and 0 <= low <= high <= 255
        if not (-128 <= low <= high <= 127 or unsigned):
            self.fail(f"its output range is {low} to {high}")
        for name in ("input_zero_point", "output_zero_point"):
            if not -128 <= params.get(name, 0) <= 127:
                self.fail(f"its {name} is {params[name]}")
        for name in ("shift", "shift1", "shift2", "output_shift"):
            if not MIN_SHIFT <= params.get(name, 0) <= MAX_SHIFT:
                self.fail(f"its {name} is {params[name]}")
        known = WeightFlags.PER_CHANNEL | (WeightFlags.FIRST if self.op.kind is OpKind.CONV_SUM else 0)
        if "input_zero_point" in params and int(params["flags"]) & ~int(known):
            self.fail(f"its flags are {int(params['flags']):#x}")

    def _constants(self, params: Params, output: View, source: View) -> None:
        for name in constant_fields(self.op.kind):
            index = int(params[name])
            if not 0 <= index < len(self.program.constants):
                self.fail(f"its {name} names constant {index}, but there are {len(self.program.constants)}")
            constant = self.program.constants[index]
            needed = constant_bytes(self.op.kind, name, params, output, source)
            if len(constant) != needed:
                self.fail(f"its {name} needs {needed} bytes and names a constant of {len(constant)}")
            if name == "shifts_offset":
                for shift in constant:
                    signed = shift - 256 if shift > 127 else shift
                    if not MIN_SHIFT <= signed <= MAX_SHIFT:
                        self.fail(f"a shift is {signed}")
            if name == "exps_offset":
                first, *rest = struct.unpack(f"<{len(constant) // 4}i", constant)
                if first < 1 << 30 or any(value < 0 for value in rest):
                    self.fail("its exponentials are not those of 0 and below")


def _shape(view: View) -> tuple[int, int, int]:
    return view.row_count, view.column_count, view.channel_count
