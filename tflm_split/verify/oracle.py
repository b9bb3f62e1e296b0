"""What does a program compute? An independent executor in numpy, to hold against the C one and against TFLM.

`run_program` follows the steps one by one on a workspace of bytes, exactly as a device would: rows are read from and
written to the addresses the program gives, so a wrong plan gives a wrong answer. It shares no code with the C
executor, with the compiler, or with the memory replay. One step reads everything it needs before it writes; whether a
kernel that does not may run where it does is the replay's question.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tflm_split.errors import InputError
from tflm_split.kinds import MeanMode, OpKind, UnaryMode, WeightFlags
from tflm_split.program.types import Op, Program, View
from tflm_split.verify import oracle_float as of32
from tflm_split.verify import oracle_int16 as i16
from tflm_split.verify.fixed_point import divide_to_zero, multiply, softmax_from_exps, wrap32

Row = npt.NDArray[np.int64]
"""One row of a view as numbers: [columns, channels]."""

Bytes = npt.NDArray[np.uint8]

UNWRITTEN = 0xA5
"""What a workspace byte holds before anything is written there, so that reading it does not pass unnoticed."""


def run_program(program: Program, inputs: Sequence[bytes | npt.NDArray[np.generic]]) -> list[bytes]:
    """The output tensors' bytes for the input tensors' bytes, both in the program's order.

    Raises InputError when the inputs are not as many or as long as the program says, and IndexError or ValueError when
    the program is not well-formed (`decode` and `check_program` refuse those).
    """
    if len(inputs) != len(program.inputs):
        raise InputError(f"the program takes {len(program.inputs)} inputs, and {len(inputs)} were given")
    workspace = np.full(program.workspace_bytes, UNWRITTEN, np.uint8)
    for i, (io, given) in enumerate(zip(program.inputs, inputs, strict=True)):
        data = given if isinstance(given, bytes) else np.ascontiguousarray(given).tobytes()
        if len(data) != io.bytes:
            raise InputError(f"input {i} of the program has {io.bytes} bytes, and {len(data)} were given")
        workspace[io.address : io.address + io.bytes] = np.frombuffer(data, np.uint8)
    machine = _Machine(program, workspace)
    for number, step in enumerate(program.steps):
        machine.move_before(number)
        machine.step(step.op, step.row)
    return [workspace[io.address : io.address + io.bytes].tobytes() for io in program.outputs]


_INTEGERS: Mapping[int, type[np.signedinteger]] = {1: np.int8, 2: np.int16, 4: np.int32}


class _Machine:
    def __init__(self, program: Program, workspace: Bytes) -> None:
        self.program = program
        self.workspace = workspace
        self.addresses = [list(storage.addresses) for storage in program.storages]
        self.moves = list(reversed(program.moves))
        self.constants: dict[tuple[int, str], npt.NDArray[np.int64]] = {}
        self.rows: Mapping[OpKind, Callable[[int, Op, int], npt.NDArray[np.generic]]] = {
            OpKind.CONV: self._conv,
            OpKind.DEPTHWISE: self._depthwise,
            OpKind.AVERAGE_POOL: self._pool,
            OpKind.MAX_POOL: self._pool,
            OpKind.ADD: self._binary,
            OpKind.SUB: self._binary,
            OpKind.MUL: self._binary,
            OpKind.MINIMUM: self._extreme,
            OpKind.MAXIMUM: self._extreme,
            OpKind.SQUARED_DIFFERENCE: self._binary,
            OpKind.PRELU: self._prelu,
            OpKind.PIXEL_SUM: self._pixel_sum,
            OpKind.LUT: self._lut,
            OpKind.QUANTIZE_FLOAT: self._quantize_float,
            OpKind.SOFTMAX: self._softmax,
            OpKind.PAD: self._pad,
            OpKind.TRANSPOSE_CONV: self._transpose_conv,
            OpKind.RESIZE_NEAREST: self._resize,
            OpKind.RESIZE_BILINEAR: self._bilinear,
            OpKind.GATHER: self._gather,
            OpKind.DEPTH_TO_SPACE: self._depth_to_space,
            OpKind.BATCH_MATMUL: self._batch_matmul,
            OpKind.TRANSPOSE: self._transpose,
            OpKind.CONV_INT16: self._conv_int16,
            OpKind.DEPTHWISE_INT16: self._conv_int16,
            OpKind.POOL_INT16: self._pool_int16,
            OpKind.BINARY_INT16: self._binary_int16,
            OpKind.UNARY_INT16: self._unary_int16,
            OpKind.SOFTMAX_INT16: self._softmax_int16,
            OpKind.CONV_FLOAT: self._conv_float,
            OpKind.DEPTHWISE_FLOAT: self._conv_float,
            OpKind.POOL_FLOAT: self._pool_float,
            OpKind.BINARY_FLOAT: self._binary_float,
            OpKind.UNARY_FLOAT: self._unary_float,
        }

    def move_before(self, step: int) -> None:
        while self.moves and self.moves[-1].step == step:
            move = self.moves.pop()
            row_bytes = self.program.storages[move.storage].row_bytes
            at = self.addresses[move.storage][move.row]
            assert at is not None
            self.workspace[move.address : move.address + row_bytes] = self.workspace[at : at + row_bytes].copy()
            self.addresses[move.storage][move.row] = move.address

    def step(self, index: int, row: int) -> None:
        op = self.program.ops[index]
        if op.kind is OpKind.SUM_FEED or op.kind is OpKind.DENSE_FEED:
            self._feed(index, op, row)
        elif op.kind is OpKind.SUM_FEED_INT16 or op.kind is OpKind.DENSE_FEED_INT16:
            self._feed_int16(op, row)
        elif op.kind is OpKind.SUM_FEED_FLOAT or op.kind is OpKind.DENSE_FEED_FLOAT:
            self._feed_float(op, row)
        elif op.kind is OpKind.CONV_SUM or op.kind is OpKind.CONV_SUM_LAST:
            self._conv_sum(op, row)
        else:
            self._write(op.output, row, self.rows[op.kind](index, op, row))

    # Rows in memory.

    def _bytes(self, view: View, row: int) -> Bytes:
        """Row `row` of a view: a window [columns, bytes of a pixel] onto the workspace or onto a constant."""
        storage = self.program.storages[view.storage]
        storage_row = view.first_row + row
        if storage.constant is not None:
            held = np.frombuffer(self.program.constants[storage.constant], np.uint8)
            start = storage_row * storage.row_bytes
        else:
            held, address = self.workspace, self.addresses[view.storage][storage_row]
            if address is None:
                raise IndexError(f"row {storage_row} of storage {view.storage} has no address")
            start = address
        first = start + view.offset_bytes
        pixel_bytes = view.channel_count * view.element_bytes
        return np.lib.stride_tricks.as_strided(
            held[first : first + (view.column_count - 1) * view.pixel_stride_bytes + pixel_bytes],
            (view.column_count, pixel_bytes),
            (view.pixel_stride_bytes, 1),
        )

    def _read(self, view_index: int | None, row: int) -> Row:
        """The row as int8, int16 or int32 numbers, by the view's element size."""
        assert view_index is not None
        view = self.program.views[view_index]
        elements = self._bytes(view, row).copy().view(_INTEGERS[view.element_bytes])
        widened: Row = elements.astype(np.int64)
        return widened

    def _write(self, view_index: int | None, row: int, values: npt.NDArray[np.generic]) -> None:
        """Puts numbers (the low bytes of each) or float32 elements into a row."""
        assert view_index is not None
        view = self.program.views[view_index]
        if values.dtype != np.float32:
            values = values.astype(_INTEGERS[view.element_bytes])
        shape = (view.column_count, view.channel_count * view.element_bytes)
        self._bytes(view, row)[:] = np.ascontiguousarray(values).view(np.uint8).reshape(shape)

    def _constant(self, op: Op, name: str, dtype: type[np.generic]) -> npt.NDArray[np.int64]:
        index = int(op.params[name])
        key = (index, np.dtype(dtype).name)
        if key not in self.constants:
            self.constants[key] = np.frombuffer(self.program.constants[index], dtype).astype(np.int64)
        return self.constants[key]

    # Windows.

    def _window(self, op: Op, row: int, outside: int) -> tuple[Row, npt.NDArray[np.bool_]]:
        """The window's taps [kernel rows, kernel columns, columns, channels], and which of them lie inside the input.

        The others hold `outside`.
        """
        source, output, p = self.program.views[op.input], self.program.views[op.output], _integers(op)
        columns = np.arange(output.column_count) * p["stride_columns"] - p["pad_columns"]
        columns = columns[None, :] + (np.arange(p["kernel_columns"]) * p["dilation_columns"])[:, None]
        column_inside = (columns >= 0) & (columns < source.column_count)
        shape = (p["kernel_rows"], p["kernel_columns"], output.column_count, source.channel_count)
        taps = np.full(shape, outside, np.int64)
        inside = np.zeros(shape[:3], np.bool_)
        for k in range(p["kernel_rows"]):
            tap = row * p["stride_rows"] - p["pad_rows"] + k * p["dilation_rows"]
            if 0 <= tap < source.row_count:
                inside[k] = column_inside
                taps[k][column_inside] = self._read(op.input, tap)[columns[column_inside]]
        return taps, inside

    def _conv(self, index: int, op: Op, row: int) -> Row:
        return self._requantize(op, self._convolved(op, row))

    def _conv_sum(self, op: Op, row: int) -> None:
        """Adds one group of input channels to the sums; the last group's step makes the output of them."""
        first = int(op.params["flags"]) & WeightFlags.FIRST
        before = self._constant(op, "bias_offset", np.int32) if first else self._read(op.accumulator, row)
        total = wrap32(before + self._convolved(op, row))
        self._write(op.accumulator, row, total)
        if op.kind is OpKind.CONV_SUM_LAST:
            self._write(op.output, row, self._scaled(op, total))

    def _convolved(self, op: Op, row: int) -> Row:
        """Sums of products, without the bias."""
        taps, _ = self._window(op, row, int(op.params["input_zero_point"]))
        output, groups = self.program.views[op.output], int(op.params["groups"])
        in_channels = taps.shape[3] // groups
        out_channels = output.channel_count // groups
        weights = self._constant(op, "weights_offset", np.int8).reshape(output.channel_count, -1)
        sums = np.empty((output.column_count, output.channel_count), np.int64)
        for g in range(groups):
            patch = taps[..., g * in_channels : (g + 1) * in_channels].transpose(2, 0, 1, 3)
            kernel = weights[g * out_channels : (g + 1) * out_channels]
            # Doubles hold these sums exactly (below 2**53), and numpy multiplies matrices of doubles fast.
            product = patch.reshape(output.column_count, -1).astype(np.float64) @ kernel.T.astype(np.float64)
            sums[:, g * out_channels : (g + 1) * out_channels] = product.astype(np.int64)
        return sums

    def _depthwise(self, index: int, op: Op, row: int) -> Row:
        taps, _ = self._window(op, row, int(op.params["input_zero_point"]))
        channels = self.program.views[op.output].channel_count
        weights = self._constant(op, "weights_offset", np.int8).reshape(*taps.shape[:2], 1, channels)
        return self._requantize(op, (np.repeat(taps, int(op.params["groups"]), axis=3) * weights).sum(axis=(0, 1)))

    def _transpose_conv(self, index: int, op: Op, row: int) -> Row:
        """Every input row that reaches this output row is scattered over it, as TFLM scatters it."""
        p, source, output = _integers(op), self.program.views[op.input], self.program.views[op.output]
        shape = (output.channel_count, p["kernel_rows"], p["kernel_columns"], source.channel_count)
        weights = self._constant(op, "weights_offset", np.int8).reshape(shape)
        sums = np.zeros((output.column_count, output.channel_count), np.int64)
        for tap in range(source.row_count):
            k = row + p["pad_rows"] - tap * p["stride_rows"]
            if not 0 <= k < p["kernel_rows"]:
                continue
            x = self._read(op.input, tap) - p["input_zero_point"]
            for t in range(p["kernel_columns"]):
                columns = np.arange(source.column_count) * p["stride_columns"] - p["pad_columns"] + t
                inside = (columns >= 0) & (columns < output.column_count)
                sums[columns[inside]] += x[inside] @ weights[:, k, t].T
        return self._requantize(op, sums)

    def _requantize(self, op: Op, sums: Row) -> Row:
        """clamp(MBQM(sums + bias) + zero point), channels on the last axis."""
        return self._scaled(op, wrap32(sums + self._constant(op, "bias_offset", np.int32)))

    def _scaled(self, op: Op, sums: Row) -> Row:
        """As `_requantize`, the bias being in `sums` already."""
        p = _integers(op)
        multipliers = self._constant(op, "multipliers_offset", np.int32)
        shifts = self._constant(op, "shifts_offset", np.int8)
        if not p["flags"] & WeightFlags.PER_CHANNEL:
            multipliers, shifts = multipliers[:1], shifts[:1]
        scaled = multiply(sums, multipliers, shifts)
        return _clamp(scaled + p["output_zero_point"], p)

    def _pool(self, index: int, op: Op, row: int) -> Row:
        if op.kind is OpKind.MAX_POOL:
            taps, _ = self._window(op, row, -(2**31))
            return _clamp(taps.max(axis=(0, 1)), _integers(op))
        taps, inside = self._window(op, row, 0)
        return _clamp(_rounded_mean(taps.sum(axis=(0, 1)), inside.sum(axis=(0, 1))[:, None]), _integers(op))

    # Element by element.

    def _operands(self, op: Op, row: int) -> tuple[Row, Row]:
        """Both operands of a binary op, as broadcast over the output's row."""
        output = self.program.views[op.output]
        assert op.input2 is not None
        shape = (output.column_count, output.channel_count)
        a, b = (self._read(v, 0 if self.program.views[v].row_count == 1 else row) for v in (op.input, op.input2))
        return np.broadcast_to(a, shape), np.broadcast_to(b, shape)

    def _extreme(self, index: int, op: Op, row: int) -> Row:
        a, b = self._operands(op, row)
        return np.asarray((np.minimum if op.kind is OpKind.MINIMUM else np.maximum)(a, b))

    def _prelu(self, index: int, op: Op, row: int) -> Row:
        p, (a, b) = _integers(op), self._operands(op, row)
        a, b = a - p["zero_point1"], b - p["zero_point2"]
        result = np.where(
            a >= 0, multiply(a, p["multiplier1"], p["shift1"]), multiply(a * b, p["multiplier2"], p["shift2"])
        )
        return _clamp(result + p["output_zero_point"], p)

    def _binary(self, index: int, op: Op, row: int) -> Row:
        p, output = _integers(op), self.program.views[op.output]
        a, b = self._operands(op, row)
        a, b = a - p["zero_point1"], b - p["zero_point2"]
        if op.kind is OpKind.MUL:
            result = wrap32(a * b)
        else:
            a = multiply(a << p["left_shift"], p["multiplier1"], p["shift1"])
            b = multiply(b << p["left_shift"], p["multiplier2"], p["shift2"])
            result = wrap32(a + b if op.kind is OpKind.ADD else a - b)
            if op.kind is OpKind.SQUARED_DIFFERENCE:
                result = wrap32(result * result)
        result = multiply(result, p["output_multiplier"], p["output_shift"]) + p["output_zero_point"]
        return np.broadcast_to(_clamp(result, p), (output.column_count, output.channel_count))

    def _lut(self, index: int, op: Op, row: int) -> Row:
        entries = np.uint8 if self.program.views[op.output].element_bytes == 1 else np.int32
        table = self._constant(op, "table_offset", entries)
        return np.take(table, self._read(op.input, row) & 0xFF)

    def _quantize_float(self, index: int, op: Op, row: int) -> Row:
        p = _integers(op)
        values = self._bytes(self.program.views[op.input], row).copy().view(np.float32)
        with np.errstate(over="ignore"):  # a quotient beyond float32 is infinite, and saturates like any large one
            scaled = (values / np.float32(op.params["scale"])).astype(np.float64)
        rounded = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled)
        whole = np.clip(np.where(np.isnan(rounded), 0, rounded), -(2**31), 2**31 - 1)  # TFLM leaves NaN undefined
        return _clamp(whole.astype(np.int64) + p["zero_point"], p)

    def _softmax(self, index: int, op: Op, row: int) -> Row:
        x = self._read(op.input, row)
        below = x.max(axis=-1, keepdims=True) - x
        table = self._constant(op, "exps_offset", np.int32)
        counted = below < len(table)
        return softmax_from_exps(table[np.where(counted, below, 0)], counted)

    def _pad(self, index: int, op: Op, row: int) -> Row:
        p, source, output = _integers(op), self.program.views[op.input], self.program.views[op.output]
        padded = np.full((output.column_count, output.channel_count), p["value"], np.int64)
        tap = row - p["pad_rows"]
        if 0 <= tap < source.row_count:
            padded[
                p["pad_columns"] : p["pad_columns"] + source.column_count,
                p["pad_channels"] : p["pad_channels"] + source.channel_count,
            ] = self._read(op.input, tap)
        return padded

    def _resize(self, index: int, op: Op, row: int) -> Row:
        rows, columns = (self._constant(op, f"{axis}_map_offset", np.uint16) for axis in ("row", "column"))
        return self._read(op.input, int(rows[row]))[columns]

    def _bilinear(self, index: int, op: Op, row: int) -> Row:
        """Weights in 1/1024 along each axis; the four products are added up before the one rounding."""
        (low, high), up = self._neighbours(self._constant(op, "row_positions_offset", np.uint32)[row])
        (left, right), along = self._neighbours(self._constant(op, "column_positions_offset", np.uint32))
        a, b = self._read(op.input, int(low)), self._read(op.input, int(high))
        mixed = a * (1024 - up) + b * up
        along = along[:, None]
        total = mixed[left] * (1024 - along) + mixed[right] * along
        return np.asarray(np.sign(total) * ((np.abs(total) + (1 << 19)) >> 20))

    @staticmethod
    def _neighbours(positions: Row) -> tuple[tuple[Row, Row], Row]:
        """(the pixels before and after each position), and how far beyond the first it lies."""
        low, rest = positions // 1024, positions % 1024
        return (low, low + (rest > 0)), rest

    def _gather(self, index: int, op: Op, row: int) -> Row:
        output, count = self.program.views[op.output], int(op.params["entry_count"])
        entry = min(max(int(self._read(op.input, row)[0, 0]), 0), count - 1)
        table = self._constant(op, "table_offset", np.int8)
        return np.asarray(table.reshape(count, output.column_count, output.channel_count)[entry])

    def _depth_to_space(self, index: int, op: Op, row: int) -> Row:
        block, output = int(op.params["block"]), self.program.views[op.output]
        whole = self._read(op.input, row // block)
        parts = whole.reshape(len(whole), block, block, output.channel_count)
        return parts[:, row % block].reshape(output.column_count, output.channel_count)

    def _batch_matmul(self, index: int, op: Op, row: int) -> Row:
        assert op.input2 is not None
        p, rows = _integers(op), self.program.views[op.input2].row_count
        first = row // p["left_rows"] * p["right_rows"]
        right = np.concatenate([self._read(op.input2, (first + k) % rows) for k in range(p["right_rows"])])
        left, right = self._read(op.input, row) - p["left_zero_point"], right - p["right_zero_point"]
        sums = wrap32(left @ (right.T if p["transposed"] else right))
        return np.clip(multiply(sums, p["multiplier"], p["shift"]) + p["output_zero_point"], -128, 127)

    def _transpose(self, index: int, op: Op, row: int) -> Row:
        p, rows = _integers(op), self.program.views[op.input].row_count
        axes = p["row_axis"], p["column_axis"], p["channel_axis"]
        if axes[0] == 0:
            found: Row = self._read(op.input, row).transpose([a - 1 for a in axes[1:]])
        else:
            found = np.stack([self._read(op.input, k) for k in range(rows)]).transpose(axes)[row]
        return found

    def _pixel_sum(self, index: int, op: Op, row: int) -> Row:
        return self._mean(op, wrap32(self._read(op.input, row).sum(axis=1, keepdims=True)))

    # int16 and float32: the arithmetic is in `oracle_int16.py` and `oracle_float.py`.

    def _read_floats(self, view_index: int | None, row: int) -> of32.Floats:
        assert view_index is not None
        floats: of32.Floats = self._bytes(self.program.views[view_index], row).copy().view(np.float32)
        return floats

    def _floats(self, op: Op, name: str) -> of32.Floats:
        return np.frombuffer(self.program.constants[int(op.params[name])], np.float32)

    def _scale_int16(self, op: Op, sums: Row) -> Row:
        sums = sums + i16.int64_bias(self.program.constants[int(op.params["bias_offset"])])
        multipliers = self._constant(op, "multipliers_offset", np.int32)
        return i16.scale(op.params, sums, multipliers, self._constant(op, "shifts_offset", np.int8))

    def _conv_int16(self, index: int, op: Op, row: int) -> Row:
        taps, _ = self._window(op, row, 0)
        weights = self._constant(op, "weights_offset", np.int8)
        groups, channels = int(op.params["groups"]), self.program.views[op.output].channel_count
        if op.kind is OpKind.DEPTHWISE_INT16:
            sums = i16.depthwise(taps, weights.reshape(*taps.shape[:2], channels), groups)
        else:
            sums = i16.convolution(taps, weights.reshape(channels, *taps.shape[:2], -1), groups)
        return self._scale_int16(op, sums)

    def _pool_int16(self, index: int, op: Op, row: int) -> Row:
        return i16.pool(op.params, *self._window(op, row, 0))

    def _binary_int16(self, index: int, op: Op, row: int) -> Row:
        return i16.binary(op.params, *self._operands(op, row))

    def _unary_int16(self, index: int, op: Op, row: int) -> npt.NDArray[np.generic]:
        if op.params["mode"] == UnaryMode.FROM_FLOAT:
            return i16.from_float(op.params, self._read_floats(op.input, row))
        x = self._read(op.input, row)
        return i16.to_float(op.params, x) if op.params["mode"] == UnaryMode.TO_FLOAT else i16.requantize(op.params, x)

    def _softmax_int16(self, index: int, op: Op, row: int) -> Row:
        exps, reciprocals = (self._constant(op, f"{name}_table_offset", np.int16) for name in ("exps", "reciprocals"))
        return i16.softmax(op.params, self._read(op.input, row), exps, reciprocals)

    def _feed_int16(self, op: Op, row: int) -> None:
        x, view = self._read(op.input, row), self.program.views[op.input]
        last = row == view.row_count - 1
        if op.kind is OpKind.SUM_FEED_INT16:
            total = wrap32(x.sum(axis=0, keepdims=True) + (self._read(op.accumulator, 0) if row else 0))
            self._write(op.accumulator, 0, total)
            if last:
                self._write(op.output, 0, i16.finish_sum(op.params, total))
            return
        assert op.accumulator is not None
        weights = self._constant(op, "weights_offset", np.int8).reshape(-1, view.row_count, x.size)
        held = self._bytes(self.program.views[op.accumulator], 0)
        sums = held.reshape(-1).copy().view(np.int64) if row else np.zeros(len(weights), np.int64)
        sums = sums + weights[:, row] @ x.reshape(-1)
        held[:] = sums.view(np.uint8).reshape(held.shape)
        if last:
            self._write(op.output, 0, self._scale_int16(op, sums[None, :]))

    def _taps_float(self, op: Op, row: int) -> of32.Taps:
        p, source, output = (
            _integers(op, without_floats=True),
            self.program.views[op.input],
            self.program.views[op.output],
        )
        taps: of32.Taps = []
        for k in range(p["kernel_rows"]):
            read = row * p["stride_rows"] - p["pad_rows"] + k * p["dilation_rows"]
            if not 0 <= read < source.row_count:
                continue
            pixels = self._read_floats(op.input, read)
            for t in range(p["kernel_columns"]):
                columns = np.arange(output.column_count) * p["stride_columns"] - p["pad_columns"]
                columns = columns + t * p["dilation_columns"]
                inside = (columns >= 0) & (columns < source.column_count)
                taps.append((k, t, pixels[np.where(inside, columns, 0)], inside))
        nothing = np.zeros((output.column_count, source.channel_count), np.float32)
        return taps or [(0, 0, nothing, np.zeros(output.column_count, np.bool_))]

    def _conv_float(self, index: int, op: Op, row: int) -> of32.Floats:
        weights, bias = self._floats(op, "weights_offset"), self._floats(op, "bias_offset")
        kernel = int(op.params["kernel_rows"]), int(op.params["kernel_columns"])
        if op.kind is OpKind.DEPTHWISE_FLOAT:
            return of32.depthwise(op.params, self._taps_float(op, row), weights.reshape(*kernel, -1), bias)
        return of32.convolution(op.params, self._taps_float(op, row), weights.reshape(len(bias), *kernel, -1), bias)

    def _pool_float(self, index: int, op: Op, row: int) -> of32.Floats:
        return of32.pool(op.params, self._taps_float(op, row))

    def _binary_float(self, index: int, op: Op, row: int) -> of32.Floats:
        output, views = self.program.views[op.output], self.program.views
        shape = (output.column_count, output.channel_count)
        assert op.input2 is not None
        a, b = (self._read_floats(v, 0 if views[v].row_count == 1 else row) for v in (op.input, op.input2))
        return of32.binary(op.params, np.broadcast_to(a, shape), np.broadcast_to(b, shape))

    def _unary_float(self, index: int, op: Op, row: int) -> of32.Floats:
        return of32.unary(op.params, self._read_floats(op.input, row))

    def _feed_float(self, op: Op, row: int) -> None:
        x, view = self._read_floats(op.input, row), self.program.views[op.input]
        outputs = self.program.views[op.output].channel_count
        sums = self._read_floats(op.accumulator, 0)[0] if row else np.zeros(outputs, np.float32)
        if op.kind is OpKind.SUM_FEED_FLOAT:
            sums = of32.add_pixels(sums, x)
            result = sums / np.float32(op.params["count"])
        else:
            weights = self._floats(op, "weights_offset").reshape(outputs, view.row_count, x.size)
            sums = of32.add_products(sums, weights[:, row], x)
            result = sums + self._floats(op, "bias_offset")
        self._write(op.accumulator, 0, sums)
        if row == view.row_count - 1:
            self._write(op.output, 0, of32.limited(op.params, result))

    # Accumulators.

    def _feed(self, index: int, op: Op, row: int) -> None:
        x = self._read(op.input, row)
        before = self._read(op.accumulator, 0) if row > 0 else np.int64(0)
        if op.kind is OpKind.SUM_FEED and op.params["mode"] == MeanMode.MAXIMUM:
            largest = x.max(axis=0, initial=-128)
            added = np.maximum(largest, before) - before if row > 0 else largest
        elif op.kind is OpKind.SUM_FEED:
            added = x.sum(axis=0)
        else:
            source = self.program.views[op.input]
            weights = self._constant(op, "weights_offset", np.int8).reshape(-1, source.row_count, x.size)
            added = weights[:, row] @ x.reshape(-1)
        total = wrap32(before + added[None, :])
        self._write(op.accumulator, 0, total)
        if row == self.program.views[op.input].row_count - 1:
            self._write(
                op.output, 0, self._mean(op, total) if op.kind is OpKind.SUM_FEED else self._requantize(op, total)
            )

    @staticmethod
    def _mean(op: Op, total: Row) -> Row:
        p = _integers(op)
        if p["mode"] == MeanMode.MAXIMUM:
            return _clamp(total, p)
        if p["mode"] == MeanMode.AVERAGE_POOL:
            return _clamp(_rounded_mean(total, np.int64(p["count"])), p)
        return _clamp(multiply(wrap32(total - p["bias"]), p["multiplier"], p["shift"]) + p["output_zero_point"], p)


def _rounded_mean(sums: Row, counts: npt.NDArray[np.int64] | np.int64) -> Row:
    """sums / counts with halves away from zero, in C's truncating division."""
    half = counts // 2
    return divide_to_zero(np.where(sums > 0, sums + half, sums - half), counts)


def _clamp(values: Row, p: Mapping[str, int]) -> Row:
    return np.clip(values, p["output_min"], p["output_max"])


def _integers(op: Op, without_floats: bool = False) -> dict[str, int]:
    return {name: int(value) for name, value in op.params.items() if not (without_floats and isinstance(value, float))}
