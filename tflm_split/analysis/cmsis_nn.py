"""What do TFLM's kernels on CMSIS-NN ask for on a 32-bit Arm, beyond what the reference kernels do?

Scratch is the im2col buffer of a convolution and the like; with Helium, FULLY_CONNECTED, SVDF and LSTM keep sums of their
weights in the tail. Sources: TFLM's kernels/cmsis_nn/*.cc (August 2026, KERNELS_OPTIMIZED_FOR_SPEED) and CMSIS-NN's
`*_get_buffer_sizes_*.c` of the same date, built with GCC. An int8 or int16 operator is CMSIS-NN's; float32 runs on the
reference kernel, though what it keeps is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

from tflm_split.analysis.stock_window import StockWindow, pair_of, rounded, stock_window
from tflm_split.analysis.tflm_sizes import ARM32_OPERATOR_BYTES, OperatorBytes
from tflm_split.ir.graph import ABSENT, ELEMENT_BYTES, Graph, Operator, Tensor

Core = Literal["plain", "dsp", "mve"]
"""Which of CMSIS-NN's kernels a core has: plain C (M0, M3), DSP (M4, M7, M33), Helium (M55, M85)."""

_MVE_DEPTHWISE_BLOCK = 124
"""CH_IN_BLOCK_MVE of arm_nnsupportfunctions.h."""
_REVERSED_ABOVE_CHANNELS = 16
"""REVERSE_TCOL_EFFICIENT_THRESHOLD of arm_nnsupportfunctions.h."""
_FAST_INT16_TAPS = 512
"""From so many taps on, a depthwise convolution of int16 has no fast kernel (USE_FAST_DW_CONV_S16_FUNCTION)."""

CMSIS_NN_OPERATOR_BYTES: Mapping[str, OperatorBytes] = MappingProxyType(
    {
        **ARM32_OPERATOR_BYTES,
        "AVERAGE_POOL_2D": OperatorBytes(40, 4, 36),
        "CONV_2D": OperatorBytes(28, 4, 60),
        "DEPTHWISE_CONV_2D": OperatorBytes(28, 4, 60),
        "FULLY_CONNECTED": OperatorBytes(5, 1, 72),
        "MAX_POOL_2D": OperatorBytes(40, 4, 36),
        "SOFTMAX": OperatorBytes(4, 4, 64),
        "SVDF": OperatorBytes(8, 4, 40),
    }
)
"""`sizeof` of each kernel's own data, as in `tflm_sizes.py`."""


def _conv_buffer(core: Core, taps: int, channels: int) -> int:
    """arm_convolve_s8_get_buffer_size: im2col of two columns in int16, or of four in int8 with Helium."""
    columns = taps * channels
    return 4 * rounded(columns, 16) if core == "mve" else 2 * rounded(columns, 4) * 2


def _conv(graph: Graph, op: Operator, core: Core) -> tuple[int, ...]:
    w = stock_window(graph, op)
    if w.input.dtype == "INT16":
        columns = w.taps * w.channels
        return (4 * rounded(columns, 8) * 2 if core == "mve" else 2 * columns * 2,)
    return _asked(_conv_int8(w, core)) if w.input.dtype == "INT8" else ()


def _conv_int8(w: StockWindow, core: Core) -> int:
    """arm_convolve_wrapper_s8_get_buffer_size."""
    same_channels = w.filters.shape[3] == w.channels
    if w.kernel == (1, 1) and w.padding == (0, 0) and w.dilation == (1, 1) and same_channels:
        return 0
    flat = w.input.shape[1] == 1 and w.kernel[0] == 1 and w.dilation[1] == 1 and same_channels
    if core == "mve" and flat and w.stride[1] * w.channels % 4 == 0:
        return _conv_1_x_n_mve(w)
    return _conv_buffer(core, w.taps, w.channels)


def _conv_1_x_n_mve(w: StockWindow) -> int:
    """arm_convolve_1_x_n_s8_get_buffer_size_mve."""
    kernel, stride, left, out = w.kernel[1], w.stride[1], w.padding[1], w.output.shape[2]
    lacking = (out - 1) * stride + kernel - w.input.shape[2]
    uneven = lacking % 2 if lacking >= 0 else -(-lacking % 2)
    right_pixels = max(1, _c_divided(left + uneven + stride - 1, stride)) if left + uneven else 0
    left_pixels = max(1, (left + stride - 1) // stride) if left else 0
    if right_pixels + left_pixels + max(out - right_pixels - left_pixels, 0) != out:
        return _conv_buffer("mve", w.taps, w.channels)
    right = right_pixels if uneven else left
    return max((kernel + left) * w.channels, (kernel - 1 + right) * w.channels)


def _c_divided(a: int, b: int) -> int:
    return -(-a // b) if a < 0 else a // b


def _depthwise(graph: Graph, op: Operator, core: Core) -> tuple[int, ...]:
    """arm_depthwise_conv_wrapper_s8_get_buffer_size. Of int16, TFLM asks for nothing."""
    w = stock_window(graph, op)
    if w.input.dtype != "INT8":
        return ()
    outputs = w.output.shape[3]
    if core == "mve" and w.filters.dtype == "INT8" and w.channels == 1 and outputs > 1:
        # Turned into a convolution: its buffer, whose filters are said to have `outputs` channels, and transposed weights.
        return (_conv_buffer(core, w.taps, 1) + outputs * w.taps,) if not _as_1x1(w, outputs) else (outputs * w.taps,)
    if w.channels != outputs or w.input.shape[0] != 1 or w.dilation != (1, 1):
        return ()
    if core == "mve":
        return (4 * _MVE_DEPTHWISE_BLOCK * w.taps,)
    if w.filters.dtype == "INT8" and ((w.kernel == (3, 3) and max(w.padding) <= 1) or core == "plain"):
        return ()
    return (2 * w.channels * w.taps,)


def _as_1x1(w: StockWindow, outputs: int) -> bool:
    return w.kernel == (1, 1) and w.padding == (0, 0) and w.dilation == (1, 1) and outputs == 1


def _fully_connected(graph: Graph, op: Operator, core: Core) -> tuple[int, ...]:
    data, filters, output = (graph.tensors[t] for t in (op.inputs[0], op.inputs[1], op.outputs[0]))
    if data.dtype != "INT8" or filters.dtype == "INT4":
        return ()
    channels = output.shape[-1]
    if _as_convolution(filters, output):
        per_channel = filters.quantization is not None and len(filters.quantization.scales) > 1
        return () if per_channel else (8 * channels,)
    return _asked(4 * channels if core == "mve" and not _sums_kept(graph, op) else 0)


def _as_convolution(filters: Tensor, output: Tensor) -> bool:
    """Whether FULLY_CONNECTED of int8 runs as a 1x1 convolution."""
    return len(output.shape) > 2 and filters.shape[-1] % 4 == 0


def _sums_kept(graph: Graph, op: Operator) -> bool:
    """Whether the sums of its weights can be computed once: weights and bias are constants."""
    bias = op.inputs[2] if len(op.inputs) > 2 else ABSENT
    return graph.tensors[op.inputs[1]].is_constant and (bias == ABSENT or graph.tensors[bias].is_constant)


def _average_pool(graph: Graph, op: Operator, core: Core) -> tuple[int, ...]:
    data = graph.tensors[op.inputs[0]]
    return (4 * data.shape[3],) if core == "dsp" and data.dtype in ("INT8", "INT16") else ()


def _transpose_conv(graph: Graph, op: Operator, core: Core) -> tuple[int, ...]:
    """arm_transpose_conv_s8_get_buffer_size, and the reversed filters. TFLM asks for both, even for 0 bytes."""
    filters, data, output = (graph.tensors[t] for t in (op.inputs[1], op.inputs[2], op.outputs[0]))
    taps = filters.shape[1] * filters.shape[2]
    stride_h, stride_w = pair_of(op, "stride_{}")
    channels = data.shape[3]
    if max(stride_h, stride_w) <= 2 and channels > _REVERSED_ABOVE_CHANNELS:
        return _conv_buffer(core, taps, channels), channels * taps * filters.shape[0]
    columns = ((data.shape[2] - 1) * stride_w + max(filters.shape[2], stride_h)) * output.shape[3]
    return 4 * columns * max(filters.shape[1], stride_h), 0


def _batch_matmul(graph: Graph, op: Operator, core: Core) -> tuple[int, ...]:
    output = graph.tensors[op.outputs[0]]
    return (4 * output.shape[-1],) if core == "mve" and output.dtype == "INT8" else ()


def _lstm(graph: Graph, op: Operator, core: Core) -> tuple[int, ...]:
    data, hidden, cell = (graph.tensors[op.inputs[k]] for k in (0, 18, 19))
    batch = data.shape[1 if op.options.get("time_major") else 0]
    return (batch * hidden.shape[1] * ELEMENT_BYTES.get(cell.dtype, 0),) * 3


def _asked(nbytes: int) -> tuple[int, ...]:
    return (nbytes,) if nbytes > 0 else ()


_INTEGERS = frozenset({"INT8", "INT16"})
_SCRATCH: Mapping[str, Callable[[Graph, Operator, Core], tuple[int, ...]]] = MappingProxyType(
    {
        "AVERAGE_POOL_2D": _average_pool,
        "BATCH_MATMUL": _batch_matmul,
        "CONV_2D": _conv,
        "DEPTHWISE_CONV_2D": _depthwise,
        "FULLY_CONNECTED": _fully_connected,
        "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
    }
)


def cmsis_nn_scratch(graph: Graph, op: Operator, core: Core) -> tuple[int, ...] | None:
    """Bytes of each scratch buffer that CMSIS-NN's kernel asks for; None where the reference kernel's rule holds.

    Raises IndexError for an operator that lacks operands its kernel needs.
    """
    if op.kind == "TRANSPOSE_CONV" and graph.tensors[op.inputs[2]].dtype == "INT8":
        return _transpose_conv(graph, op, core)
    request = _SCRATCH.get(op.kind)
    if request is None or graph.tensors[op.inputs[0]].dtype not in _INTEGERS:
        return None
    return request(graph, op, core)


def cmsis_nn_kept(graph: Graph, op: Operator, core: Core) -> tuple[int, ...]:
    """Bytes of further buffers that the kernel keeps in the tail while it prepares."""
    data = graph.tensors[op.inputs[0]] if op.inputs and op.inputs[0] != ABSENT else None
    if data is None or data.dtype not in _INTEGERS:
        return ()
    if op.kind == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        return (graph.tensors[op.inputs[18]].shape[1] * (4 if data.dtype == "INT8" else 8),) * 8
    if core != "mve" or data.dtype != "INT8":
        return ()
    filters = graph.tensors[op.inputs[1]] if len(op.inputs) > 1 and op.inputs[1] != ABSENT else None
    if op.kind == "SVDF" and filters is not None:
        return (4 * filters.shape[0],)
    if op.kind == "FULLY_CONNECTED" and filters is not None and filters.dtype != "INT4" and _sums_kept(graph, op):
        output = graph.tensors[op.outputs[0]]
        return () if _as_convolution(filters, output) else (4 * output.shape[-1],)
    return ()


def cmsis_nn_refuses(graph: Graph, op: Operator) -> str | None:
    """Why the kernel does not prepare `op`, though the reference kernel does; None where it prepares."""
    if op.kind != "FULLY_CONNECTED" or graph.tensors[op.inputs[0]].dtype != "INT16":
        return None
    quantization = graph.tensors[op.inputs[1]].quantization
    if quantization is not None and len(quantization.scales) > 1:
        return "CMSIS-NN has no FULLY_CONNECTED of int16 with a scale per channel"
    return None
