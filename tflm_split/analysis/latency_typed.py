"""How many iterations do the loops of the int16 and float kernels make? One function per kind.

Most are the portable kernels' on every core. Those for int16 convolutions have variants: `kernels/dsp/` multiplies four values at
a time, `kernels/helium/` up to 48.
"""

from __future__ import annotations

from collections.abc import Mapping

from tflm_split.analysis.latency_call import Counts, Edge, Geometry
from tflm_split.kinds import BinaryMode, MeanMode, PoolMode, WeightFlags

_FILTERS = 4
"""Computed at a time."""
_PRODUCTS = 511
"""So many products are added up in an int32 (`SPLIT_INT32_PRODUCTS`)."""
_MVE_BATCH, _MVE_HELD = 32, 48
"""Filters whose sums wait together, and values that stay in registers for them, in `kernels/helium/conv_int16.c`."""
_LEAST_NARROW_SHIFT = -16
"""With smaller shifts, sums are scaled in 64 bits."""
_MODES: Mapping[int, str] = {BinaryMode.ADD: "sum", BinaryMode.SUB: "difference", BinaryMode.MUL: "product"}


def conv_int16(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/conv_int16.c`."""
    return _conv_int16(at, edge, 1)


def conv_int16_dsp(at: Geometry, edge: Edge) -> Counts:
    """`kernels/dsp/conv_int16.c`."""
    return _conv_int16(at, edge, 4)


def conv_int16_mve(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/conv_int16.c`: a run of up to 48 values with up to 32 filters, each of one to three vectors."""
    to = Counts()
    rows, columns = at.kernel
    depth, filters = at.input.channels // at.groups, at.output.channels // at.groups
    batches = at.groups * -(-filters // _MVE_BATCH)
    filter_values = rows * columns * depth
    copied = filter_values <= _MVE_HELD and rows * columns > 1
    joined = at.number("dilation_columns", 1) == 1 and at.input.stride_bytes == 2 * depth
    narrow = _is_narrow_mve(at)
    to.add("step", 1)
    to.add("checked channel", at.output.channels if narrow else 0)
    for (begin, end), pixels in at.spans().items():
        taps = end - begin
        inside = edge.rows_inside if taps > 0 else 0
        to.add("pixel", pixels)
        to.add("batch", pixels * batches)
        to.add("filter", pixels * at.output.channels)
        if copied:
            to.add("copy", pixels * batches)
            to.add("copied row", pixels * batches * inside)
            to.add("copied tap", pixels * batches * inside * taps)
            to.add("copied vector", pixels * batches * inside * taps * -(-depth // 8))
            runs, count = pixels, filter_values
        else:
            to.add("window row", pixels * batches * rows)
            runs, count = pixels * inside * (1 if joined else taps), (taps if joined else 1) * depth
        _runs_mve(to, runs, count, batches, at.output.channels)
        vectors = (at.groups * _whole_vectors(filters)) if narrow else 0
        to.add("vector", pixels * vectors)
        wide = _wide_channels(at)
        to.add("output", pixels * (at.output.channels - wide - 4 * vectors))
        to.add("wide output", pixels * wide)
    return to


def _runs_mve(to: Counts, runs: int, count: int, batches: int, channels: int) -> None:
    """`add_run`, `runs` times for each batch of filters: parts of 48 values, and what is left."""
    whole, rest = divmod(count, _MVE_HELD)
    to.add("run", runs * batches)
    to.add("part", runs * batches * (whole + (rest > 0)))
    to.add("filter of three", runs * channels * (whole + (rest > 32)))
    to.add("filter of two", runs * channels * (16 < rest <= 32))
    to.add("filter of one", runs * channels * (rest == 16))
    to.add("short part", runs * batches * (0 < rest < 16))
    to.add("short filter", runs * channels * (0 < rest < 16))


def _whole_vectors(filters: int) -> int:
    """Of four channels, in batches of 32 filters."""
    return filters // _MVE_BATCH * (_MVE_BATCH // 4) + filters % _MVE_BATCH // 4


def _is_narrow_mve(at: Geometry) -> bool:
    """Whether four sums at once become outputs: a scale per channel, none of them too small or above 1, sums of 64 bits."""
    flags = at.number("flags")
    shifts = at.constant("shifts_offset")
    return bool(
        flags & WeightFlags.PER_CHANNEL
        and not flags & WeightFlags.SUMS_32
        and all(shift == 0 or shift >= 256 + _LEAST_NARROW_SHIFT for shift in shifts)
    )


def _conv_int16(at: Geometry, edge: Edge, lanes: int) -> Counts:
    """`kernels/conv_int16_row.h`: four filters at a time, or one; short windows in one call, long ones in parts."""
    to = Counts()
    rows = at.kernel[0]
    depth, filters = at.input.channels // at.groups, at.output.channels // at.groups
    blocks = at.groups * (filters // _FILTERS + filters % _FILTERS)
    joined = at.number("dilation_columns", 1) == 1 and at.input.stride_bytes == 2 * depth
    to.add("step", 1)
    to.add("window row", rows)
    for (begin, end), pixels in at.spans().items():
        taps = end - begin
        runs, count = (int(taps > 0), taps * depth) if joined else (taps, depth)
        inside = edge.rows_inside if taps > 0 else 0
        short = runs == 1 and rows * taps * depth <= _PRODUCTS and not at.number("flags") & WeightFlags.SUMS_32
        to.add("pixel", pixels)
        to.add("short block" if short else "long block", pixels * blocks)
        if short:
            to.add("call", pixels * blocks)
            to.add("call row", pixels * blocks * rows)
            _dots_int16(to, count, pixels * blocks * inside, lanes)
        else:
            _parts(to, rows, inside, count, pixels * blocks * runs, lanes)
        kind = "output" if short else "long output"
        wide = _wide_channels(at)
        to.add(kind, pixels * (at.output.channels - wide))
        to.add(f"wide {kind}", pixels * wide)
    return to


def _parts(to: Counts, rows: int, inside: int, count: int, runs: int, lanes: int) -> None:
    """`split_add_long`, `runs` times: parts of as many rows as an int32 has room for, and of rows if it has not."""
    fit = max(1, _PRODUCTS // max(count, 1))
    whole, rest = divmod(count, _PRODUCTS)
    pieces = whole + (rest > 0)
    to.add("run", runs)
    to.add("part", runs * -(-rows // fit))
    to.add("call", runs * -(-rows // fit) * pieces)
    to.add("call row", runs * rows * pieces)
    _dots_int16(to, _PRODUCTS, runs * inside * whole, lanes)
    _dots_int16(to, rest, runs * inside * (rest > 0), lanes)


def _dots_int16(to: Counts, count: int, times: int, lanes: int) -> None:
    """Products of `count` values with four filters, `lanes` at once."""
    to.add("dots", times)
    to.add("values", times * (count // lanes))
    to.add("rest", times * (count % lanes))


def _wide_channels(at: Geometry) -> int:
    """Channels whose sums are scaled in 64 bits."""
    shifts = at.constant("shifts_offset")
    if not at.number("flags") & WeightFlags.PER_CHANNEL or len(shifts) < at.output.channels:
        shifts = shifts[:1] * at.output.channels
    return sum(128 <= shift < 256 + _LEAST_NARROW_SHIFT for shift in shifts)


def depthwise_int16(at: Geometry, edge: Edge) -> Counts:
    """`kernels/depthwise_int16_row.h`: four channels at a time, or one."""
    to = Counts()
    fours = at.output.channels // 4 if at.groups == 1 else 0
    _depthwise_blocks(to, at, edge, (("four", fours), ("one", at.output.channels - 4 * fours)))
    return to


def depthwise_int16_mve(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/depthwise_int16.c`: up to four channels at a time."""
    if at.groups != 1 or at.kernel[0] * at.kernel[1] > _PRODUCTS:
        return depthwise_int16(at, edge)
    to = Counts()
    _depthwise_blocks(to, at, edge, (("vector", -(-at.output.channels // 4)),))
    return to


def _depthwise_blocks(to: Counts, at: Geometry, edge: Edge, blocks_of: tuple[tuple[str, int], ...]) -> None:
    wide = at.output.columns * _wide_channels(at)
    to.add("step", 1)
    to.add("window row", at.kernel[0])
    to.add("pixel", at.output.columns)
    to.add("output", at.output.elements - wide)
    to.add("wide output", wide)
    for (begin, end), pixels in at.spans().items():
        inside = edge.rows_inside if begin < end else 0
        for kind, blocks in blocks_of:
            to.add(kind, pixels * blocks)
            to.add(f"{kind} row", pixels * blocks * at.kernel[0])
            to.add(f"{kind} row inside", pixels * blocks * inside)
            to.add(f"{kind} tap", pixels * blocks * inside * (end - begin))


def binary_int16(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/binary_int16.c`. Shifts of its scales to the left and to the right have ways of their own."""
    to = Counts()
    product = at.number("mode") == BinaryMode.MUL
    names = ("output_shift",) if product else ("shift1", "shift2", "output_shift")
    shifts = [at.number(name) for name in names]
    to.add("step", 1)
    to.add("pixel", at.output.columns)
    to.add(_MODES[at.number("mode")], at.output.elements)
    to.add("left element", at.output.elements * sum(shift > 0 for shift in shifts))
    to.add("right element", at.output.elements * sum(shift < 0 for shift in shifts))
    return to


def binary_int16_mve(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/binary_int16.c`: four elements at a time."""
    to = Counts()
    vectors = at.output.columns * -(-at.output.channels // 4)
    to.add("step", 1)
    to.add("pixel", at.output.columns)
    to.add("product" if at.number("mode") == BinaryMode.MUL else "sum", vectors)
    return to


def dense_feed_int16(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/feed_int16.c`: one output at a time."""
    to = Counts()
    outputs = at.output.channels
    to.add("step", 1)
    to.add("first", edge.first)
    to.add("first output", outputs * edge.first)
    to.add("output", outputs)
    to.add("run", outputs * at.input.columns)
    to.add("part", outputs * at.input.columns * -(-at.input.channels // _PRODUCTS))
    to.add("element", outputs * at.input.elements)
    to.add("last", edge.last)
    to.add("last output", outputs * edge.last)
    return to


def sum_feed(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/feed_int16.c`, `kernels/portable/feed_float.c`."""
    to = Counts()
    to.add("step", 1)
    to.add("clear", edge.first)
    to.add("clear element", at.input.channels * edge.first)
    to.add("pixel", at.input.columns)
    to.add("element", at.input.elements)
    kind = "average" if at.number("mode") == MeanMode.AVERAGE_POOL else "mean"
    to.add(kind, edge.last)
    to.add(f"{kind} channel", at.input.channels * edge.last)
    return to


def softmax(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/softmax_int16.c`, `kernels/portable/library_float.c`."""
    to = Counts()
    to.add("step", 1)
    to.add("pixel", at.output.columns)
    to.add("element", at.output.elements)
    return to


def pool(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/pool_int16.c`, `kernels/portable/pool_float.c`."""
    to = _windows(at, edge)
    to.add("average" if at.number("mode") == PoolMode.AVERAGE else "maximum", at.output.elements)
    return to


def conv_float(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/conv_float.c`: one filter at a time."""
    to = _windows(at, edge)
    taps = sum(pixels * (end - begin) for (begin, end), pixels in at.spans().items())
    to.add(_of_floats("product", at), at.output.channels * edge.rows_inside * taps * (at.input.channels // at.groups))
    return to


def depthwise_float(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/conv_float.c`: one channel at a time."""
    to = _windows(at, edge)
    to[_of_floats("tap", at)] = to.pop("tap", 0)
    return to


def _of_floats(name: str, at: Geometry) -> str:
    """The name of a feature that computes with the input's floats."""
    return name if at.rectified else f"dense {name}"


def _windows(at: Geometry, edge: Edge) -> Counts:
    """Loops over pixels, channels and the window's rows and taps."""
    to = Counts()
    channels = at.output.channels
    to.add("step", 1)
    to.add("window row", at.kernel[0])
    to.add("pixel", at.output.columns)
    to.add("output", at.output.elements)
    for (begin, end), pixels in at.spans().items():
        inside = edge.rows_inside if begin < end else 0
        to.add("row", pixels * channels * (at.kernel[0] - inside))
        to.add("row inside", pixels * channels * inside)
        to.add("tap", pixels * channels * inside * (end - begin))
    return to


def binary_float(at: Geometry, edge: Edge) -> Counts:
    """BINARY_FLOAT of `kernels/portable/element_float.c`."""
    to = Counts()
    to.add("step", 1)
    to.add("pixel", at.output.columns)
    to.add(_MODES[at.number("mode")], at.output.elements)
    return to


def dense_feed_float(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/feed_float.c`: one output at a time."""
    to = Counts()
    outputs = at.output.channels
    to.add("step", 1)
    to.add("first", edge.first)
    to.add("first output", outputs * edge.first)
    to.add("output", outputs)
    to.add("run", outputs * at.input.columns)
    to.add(_of_floats("element", at), outputs * at.input.elements)
    to.add("last output", outputs * edge.last)
    return to
