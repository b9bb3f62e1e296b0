"""How many iterations do the loops of the portable kernels make? One function per file in `kernels/portable/`.

A kind without a faster variant for a board's processor is counted here, too.
"""

from __future__ import annotations

from math import gcd

from tflm_split.analysis.latency_call import Counts, Edge, Geometry
from tflm_split.kinds import OpKind, WeightFlags

_LANES = 4
_BLOCK_CHANNELS = 32


def conv(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/conv.c`: four filters at a time."""
    to = Counts()
    rows, columns = at.kernel
    groups = at.groups
    depth, filters = at.input.channels // groups, at.output.channels // groups
    joined = at.number("dilation_columns", 1) == 1 and at.input.stride_bytes == depth
    fours, lanes = filters // _LANES, filters % _LANES
    to.add("step", 1)
    to.add("window row", rows)
    to.add("pixel", at.output.columns)
    to.add("group", at.output.columns * groups)
    to.add("output", at.output.elements)
    for (begin, end), pixels in at.spans().items():
        inside = edge.rows_inside if begin < end else 0
        parts, length = (1, (end - begin) * depth) if joined else (end - begin, depth)
        padding = (rows * columns - inside * (end - begin)) * depth * at.padding_counts
        for kind, lanes_used, blocks in (("four", 4, pixels * groups * fours), ("rest", lanes, pixels * groups)):
            if not blocks or not lanes_used:
                continue
            to.add(f"{kind} block", blocks)
            to.add(f"{kind} row", blocks * inside)
            to.add(f"{kind} padding row", blocks * (rows - inside))
            to.add(f"{kind} part", blocks * inside * parts)
            each = 1 if kind == "four" else lanes_used
            to.add(f"{kind} lane part", (each if kind == "rest" else 0) * blocks * inside * parts)
            to.add(f"{kind} element", each * blocks * inside * parts * length)
            to.add("padding lane", blocks * lanes_used * (2 * inside + rows) * at.padding_counts)
            to.add("padding element", blocks * lanes_used * padding)
    return to


def conv_sum(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/conv_sum.c`: the windows of CONV, with sums in memory. The first and the last step do more."""
    to = conv(at, edge)
    sum_ends(to, at)
    return to


def sum_ends(to: Counts, at: Geometry) -> None:
    """Adds the extra work of two steps: the first copies biases into a row's sums, the last requantises them."""
    first, last = at.number("flags") & WeightFlags.FIRST > 0, at.kind is OpKind.CONV_SUM_LAST
    to.add("first pixel", at.output.columns * first)
    to.add("first output", at.output.elements * first)
    to.add("last pixel", at.output.columns * last)
    to.add("last output", at.output.elements * last)


def depthwise(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/depthwise.c`: up to 32 channels at a time."""
    to = Counts()
    rows, columns = at.kernel
    blocks = -(-at.output.channels // _BLOCK_CHANNELS)
    kind = "tap" if at.groups == 1 else "multiplied tap"
    to.add("step", 1)
    to.add("window row", rows)
    to.add("pixel", at.output.columns)
    if at.groups > 1 and at.groups % 4 == 0:
        _four_copies(to, at, edge)
        return to
    to.add("block", at.output.columns * blocks)
    to.add("output", at.output.elements)
    to.add("block row", at.output.columns * blocks * rows)
    for (begin, end), pixels in at.spans().items():
        inside = edge.rows_inside * (end - begin)
        to.add(kind, pixels * blocks * inside)
        to.add(f"{kind} element", pixels * at.output.channels * inside)
        to.add("padding tap", pixels * blocks * (rows * columns - inside))
        outside = (rows * columns - inside) * at.padding_counts
        to.add("padding element", pixels * at.output.channels * outside)
    return to


def _four_copies(to: Counts, at: Geometry, edge: Edge) -> None:
    """Four output channels of one input channel at a time."""
    rows, columns = at.kernel
    fours = at.output.channels // 4
    to.add("four", at.output.columns * fours)
    to.add("output", at.output.elements)
    to.add("four row", at.output.columns * fours * rows)
    for (begin, end), pixels in at.spans().items():
        inside = edge.rows_inside * (end - begin)
        to.add("four tap", pixels * fours * (inside + (rows * columns - inside) * at.padding_counts))


def pool(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/average_pool.c`, `kernels/portable/max_pool.c`: up to 32 channels at a time."""
    to = Counts()
    blocks = -(-at.output.channels // _BLOCK_CHANNELS)
    to.add("step", 1)
    to.add("window row", at.kernel[0])
    to.add("pixel", at.output.columns)
    to.add("block", at.output.columns * blocks)
    to.add("block row", at.output.columns * blocks * at.kernel[0])
    to.add("output", at.output.elements)
    for (begin, end), pixels in at.spans().items():
        to.add("tap", pixels * blocks * edge.rows_inside * (end - begin))
        to.add("element", pixels * at.output.channels * edge.rows_inside * (end - begin))
    return to


def add(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/add.c`."""
    return _element_wise(at)


def mul(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/mul.c`."""
    return _element_wise(at)


def lut(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/lut.c`: entries of a byte or of a word."""
    to = Counts()
    kind = "word" if at.output.element_bytes == 4 else "byte"
    to.add("step", 1)
    to.add(f"{kind} pixel", at.output.columns)
    to.add(f"{kind} element", at.output.elements)
    return to


def quantize_float(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/quantize_float.c`."""
    return _element_wise(at)


def softmax(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/softmax.c`. How many elements are too far below the largest depends on the data; not counted."""
    return _element_wise(at)


def _moves(to: Counts, length: int, times: int, *pixels: tuple[int, int]) -> None:
    """newlib's memmove of `length` bytes, `times` times. `pixels`: (first, step) of each side; pixel k is at first + k * step.

    From sixteen bytes on it moves words if both sides are word-aligned, otherwise bytes.
    """
    aligned = 0
    if length >= 16:
        aligned = sum(all((first + k * step) % 4 == 0 for first, step in pixels) for k in range(times))
    to.add("move", times)
    to.add("aligned move", aligned)
    to.add("move sixteen", aligned * (length // 16))
    to.add("move word", aligned * (length // 4 % 4))
    to.add("move byte", aligned * (length % 4) + (times - aligned) * length)


def _fills(to: Counts, length: int, times: int) -> None:
    """newlib's memset of `length` bytes, `times` times."""
    to.add("fill nothing", times * (length == 0))
    to.add("fill", times * (0 < length < 4))
    to.add("fill words", times * (length >= 4))
    to.add("fill sixteen", times * (length // 16))
    to.add("fill word", times * (length // 4 % 4))
    to.add("fill byte", times * (length % 4))


def pad(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/pad.c`: a memmove and two memsets per pixel, or one memset."""
    to = Counts()
    inside = at.input.columns * edge.rows_inside
    size = at.output.element_bytes
    copied, pixel, before = at.input.channels * size, at.output.channels * size, at.number("pad_channels") * size
    first = at.number("pad_columns") * at.output.stride_bytes + before
    to.add("step", 1)
    _moves(to, copied, inside, (0, at.input.stride_bytes), (first, at.output.stride_bytes))
    to.add("copied pixel", inside)
    _fills(to, before, inside)
    _fills(to, pixel - before - copied, inside)
    to.add("filled pixel", at.output.columns - inside)
    _fills(to, pixel, at.output.columns - inside)
    return to


def sum_feed(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/sum_feed.c`."""
    to = Counts()
    to.add("step", 1)
    to.add("clear", edge.first)
    to.add("clear element", at.input.channels * edge.first)
    to.add("pixel", at.input.columns)
    to.add("element", at.input.elements)
    kind = "average" if at.number("mode") == 0 else "mean"
    to.add(f"{kind}", edge.last)
    to.add(f"{kind} channel", at.input.channels * edge.last)
    return to


def dense_feed(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/dense_feed.c`."""
    to = Counts()
    outputs = at.output.channels
    runs, run = (1, at.input.elements) if at.input.gapless else (at.input.columns, at.input.channels)
    to.add("step", 1)
    to.add("first", edge.first)
    to.add("first output", outputs * edge.first)
    to.add("output", outputs)
    to.add("output run", outputs * runs)
    to.add("element", outputs * runs * run)
    to.add("last", edge.last)
    to.add("last output", outputs * edge.last)
    return to


def transpose_conv(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/transpose_conv.c`: each output pixel gathers the taps that reach it."""
    to = Counts()
    rows, columns = at.kernel
    stride, pad = max(1, at.number("stride_columns", 1)), at.number("pad_columns")
    taps = 0
    for x in range(at.output.columns):
        reach = x + pad
        taps += sum(0 <= (reach - t) // stride < at.input.columns for t in range(reach % stride, columns, stride))
    to.add("step", 1)
    to.add("window row", rows)
    to.add("pixel", at.output.columns)
    to.add("output", at.output.elements)
    to.add("output row", at.output.elements * rows)
    to.add("output row inside", at.output.elements * edge.rows_inside)
    to.add("tap", at.output.channels * edge.rows_inside * taps)
    to.add("tap element", at.output.channels * edge.rows_inside * taps * at.input.channels)
    return to


def resize_nearest(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/resize_nearest.c`: a memmove per pixel."""
    to = Counts()
    to.add("step", 1)
    to.add("pixel", at.output.columns)
    _moves(to, at.output.channels, at.output.columns, (0, at.output.stride_bytes))
    return to


def gather(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/gather.c`: a memcpy per pixel; which entry of the table it reads is known at run time only."""
    to = Counts()
    to.add("step", 1)
    to.add("pixel", at.output.columns)
    to.add("sixteen", at.output.columns * (at.output.channels // 16))
    to.add("word", at.output.columns * (at.output.channels // 4 % 4))
    to.add("byte", at.output.columns * (at.output.channels % 4))
    return to


def fetch(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/stream.c`: a memmove per run of pixels without gaps, or a loop over words that inverts bits.

    The rows of a call follow each other. Those that do not start at a word are copied byte by byte: their share counts.
    """
    to = Counts()
    dense = at.input.gapless and at.output.gapless
    pixel_bytes = at.output.channels * at.output.element_bytes
    runs = 1 if dense else at.output.columns
    run_bytes = pixel_bytes * (at.output.columns if dense else 1)
    aligned = gcd(at.input.columns * at.input.stride_bytes, 4) / 4 if at.input.rows > 1 else 1
    flipped, at_once, block = ("flipped ", 4, "flipped word") if at.number("flip") else ("", 16, "sixteen")
    to.add(f"{flipped}step", 1)
    to.add(f"{flipped}run", runs)
    to.add(block, runs * aligned * (run_bytes // at_once))
    to.add(f"{flipped}byte", runs * (run_bytes - aligned * (run_bytes // at_once * at_once)))
    return to


def _element_wise(at: Geometry) -> Counts:
    to = Counts()
    to.add("step", 1)
    to.add("pixel", at.output.columns)
    to.add("element", at.output.elements)
    return to
