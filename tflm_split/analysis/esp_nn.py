"""What do TFLM's kernels on ESP-NN ask for on Espressif's chips, beyond what the reference kernels do?

ESP-NN has portable C for chips without vector instructions (ESP32, ESP32-C3, ESP32-C6: ESP-NN's `generic_opt`) and assembly
for the ESP32-S3, which copies inputs and filters into scratch. Sources: esp-tflite-micro's kernels/esp_nn/*.cc (August 2026)
and ESP-NN's `esp_nn_get_*_scratch_size_*` of April 2026. Only int8 is ESP-NN's. Structs have the
same sizes on RISC-V and Xtensa.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from types import MappingProxyType

from tflm_split.analysis.scratch import scratch_bytes
from tflm_split.analysis.stock_window import StockWindow, rounded, stock_window
from tflm_split.analysis.tflm_sizes import RISCV32_OPERATOR_BYTES, OperatorBytes
from tflm_split.ir.graph import Graph, Operator

_DATA_BYTES = {"CONV_2D": 60, "DEPTHWISE_CONV_2D": 60, "SOFTMAX": 64}
ESP_NN_OPERATOR_BYTES: Mapping[str, OperatorBytes] = MappingProxyType(
    dict(RISCV32_OPERATOR_BYTES)
    | {kind: replace(RISCV32_OPERATOR_BYTES[kind], data_bytes=size) for kind, size in _DATA_BYTES.items()}
)
"""`sizeof` of each kernel's own data, as in `tflm_sizes.py`: three of them remember a scratch buffer."""

_MOST_PADDED_INPUT_BYTES = 40 * 1024
_MOST_WIDENED_BYTES = 48 * 1024
"""Above these a depthwise convolution of the S3 works on strips of rows."""


def esp_nn_scratch(graph: Graph, op: Operator, s3: bool) -> tuple[int, ...] | None:
    """Bytes of each scratch buffer that ESP-NN's kernel asks for; None where the reference kernel's rule holds.

    `s3`: the assembly of the ESP32-S3, otherwise portable C. Raises IndexError for an operator that lacks operands its
    kernel needs.
    """
    request = _SCRATCH.get(op.kind)
    if request is None or graph.tensors[op.inputs[0]].dtype != "INT8":
        return None
    nbytes = request(graph, op, s3)
    # Filters of int4 are unpacked first, as by the reference kernel.
    return (*scratch_bytes(graph, op), *((nbytes,) if nbytes > 0 else ()))


def _softmax(graph: Graph, op: Operator, s3: bool) -> int:
    """esp_nn_get_softmax_scratch_size_{opt,esp32s3}: a word for each element of dimension 1, whatever the shape is."""
    data, output = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    return 4 * data.shape[1] if output.dtype == "INT8" else 0


def _conv(graph: Graph, op: Operator, s3: bool) -> int:
    """esp_nn_get_conv_scratch_size_esp32s3: of the sizes of inputs and filters, with room to align them."""
    if not s3:
        return 0
    w = stock_window(graph, op)
    rows, columns, outputs = w.input.shape[1], w.input.shape[2], w.output.shape[3]
    spare, in_row, in_window = 64, w.kernel[1] * w.channels, w.taps * w.channels
    if w.kernel == (1, 1) and w.padding == (0, 0) and w.stride == (1, 1):
        channels = rounded(w.channels, 8)
        transposed = 16 * channels if rows * columns >= 8 else 0
        copied = rows * columns * channels if w.channels % 8 else 0
        return copied + channels * outputs + transposed + spare
    if in_row < 16 <= in_window:
        return 4 * outputs + 32 + (outputs + 1) * rounded(in_window, 16) + spare
    padded = (rows + 2 * w.padding[0]) * (columns + 2 * w.padding[1]) * w.channels if any(w.padding) else 0
    filters = w.taps * rounded(w.channels, 16) * outputs + rounded(in_row, 16) * w.kernel[0] * outputs
    below, right = _lacking(w)
    bordered = (rows + below) * (columns + right) * w.channels if below or right else 0
    return padded + filters + bordered + spare + 4 * outputs


def _lacking(w: StockWindow) -> tuple[int, int]:
    """Rows and columns that windows read beyond the end of an input without padding before it, and one stride more."""
    return tuple(  # type: ignore[return-value]
        max(0, w.output.shape[a + 1] * w.stride[a] + w.kernel[a] - 1 - w.input.shape[a + 1]) for a in (0, 1)
    )


def _depthwise(graph: Graph, op: Operator, s3: bool) -> int:
    """esp_nn_get_depthwise_conv_scratch_size_esp32s3."""
    if not s3:
        return 0
    w = stock_window(graph, op)
    multiplier = int(op.options.get("depth_multiplier", 1))
    if multiplier != 1:
        return 2 * (w.taps * w.channels * multiplier + prod(w.input.shape[1:])) + 32 if multiplier % 4 == 0 else 32
    if w.channels % 8:
        return _depthwise_of_padded_channels(w) if w.channels > 3 else 32
    if w.kernel != (3, 3):
        widened = 2 * (w.taps * w.channels + prod(w.input.shape[1:]))
        rows = 2 * (w.taps * w.channels + w.input.shape[2] * w.kernel[0] * w.channels)
        return (widened if widened <= _MOST_WIDENED_BYTES else rows) + 32
    if w.channels % 16 == 0:
        return _depthwise_3x3(w)
    if w.channels == 8:
        return 2 * (9 * w.channels + prod(w.input.shape[1:])) + 32
    channels = rounded(w.channels, 16)
    below, right = _lacking(w)
    rows, columns = w.input.shape[1] + 2 * w.padding[0] + below, w.input.shape[2] + 2 * w.padding[1] + right
    return (9 + rows * columns + w.output.shape[1] * w.output.shape[2]) * channels + 64


def _depthwise_3x3(w: StockWindow) -> int:
    """Of a multiple of 16 channels."""
    rows, columns = w.input.shape[1], w.input.shape[2]
    filters = 9 * w.channels
    if any(w.padding):
        below, right = 2 * w.padding[0], 2 * w.padding[1]
    else:
        below, right = (w.output.shape[a + 1] * w.stride[a] + 2 - w.input.shape[a + 1] for a in (0, 1))
    if not (below or right):
        return filters + 16
    padded = (rows + below) * (columns + right) * w.channels
    if padded > _MOST_PADDED_INPUT_BYTES:
        padded = (columns + right) * 3 * w.channels
    return filters + padded + 16


def _depthwise_of_padded_channels(w: StockWindow) -> int:
    """Filters and input in int16, the output, bias, shifts and multipliers, all with channels up to a multiple of 8."""
    channels = rounded(w.channels, 8)
    nbytes = rounded(2 * w.taps * channels, 16)
    nbytes = rounded(nbytes + 2 * w.input.shape[1] * w.input.shape[2] * channels, 16)
    nbytes = rounded(nbytes + w.output.shape[1] * w.output.shape[2] * channels, 16)
    return nbytes + 12 * channels + 16


_SCRATCH: Mapping[str, Callable[[Graph, Operator, bool], int]] = MappingProxyType(
    {"CONV_2D": _conv, "DEPTHWISE_CONV_2D": _depthwise, "SOFTMAX": _softmax}
)
