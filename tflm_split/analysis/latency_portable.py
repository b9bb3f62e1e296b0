"""How many iterations do the loops of the portable kernels make? One function per file in `kernels/portable/`.

A kind without a faster variant for a board's processor is counted here, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import gcd

from tflm_split.analysis.latency_call import Counts, Edge, Geometry
from tflm_split.kinds import OpKind, WeightFlags

_DOTS = 4
_COPIED_BYTES = 56
_BLOCK_CHANNELS, _POOL_CHANNELS = 16, 32
_MAX_COPIED_TAPS = 80


def gather_windows(
    to: Counts, at: Geometry, edge: Edge, depth: int, spans: Iterable[tuple[tuple[int, int], int]]
) -> None:
    """Copies of windows of `depth` channels (`split_gather_window`): so many for each span."""
    rows, columns = at.kernel
    joined = at.number("dilation_columns", 1) * at.input.stride_bytes == depth
    for (begin, end), copied in spans:
        inside = edge.rows_inside if begin < end else 0
        taps = inside * (end - begin)
        pieces, length = (inside, (end - begin) * depth) if joined else (taps, depth)
        to.add("gather", copied)
        to.add("gather row", copied * inside)
        to.add("gather padding row", copied * (rows - inside))
        to.add("gather copy", copied * pieces)
        to.add("gather word", copied * pieces * (length // 4))
        to.add("gather byte", copied * pieces * (length % 4))
        to.add("gather padding", copied * (rows * columns - taps) * depth)


def gather_all(to: Counts, at: Geometry, edge: Edge, depth: int, times: int) -> None:
    """Copies of the windows of all pixels, each `times` times."""
    gather_windows(to, at, edge, depth, ((span, pixels * times) for span, pixels in at.spans().items()))


def _dots(to: Counts, kind: str, length: int, times: float) -> None:
    """`times` calls of `kernels/portable/dots.c`, for `length` elements each."""
    to.add(f"{kind} dots", times)
    to.add(f"{kind} four", times * (length // 4))
    to.add(f"{kind} element", times * (length % 4))


class _Block:
    """What a block of a portable convolution (`kernels/portable/conv_block.h`) goes through in one window."""

    def __init__(self, at: Geometry, edge: Edge, span: tuple[int, int], depth: int) -> None:
        begin, end = span
        step = at.number("dilation_columns", 1) * at.input.stride_bytes
        joined = step == depth or end - begin == 1
        self.runs, self.run = (1, (end - begin) * depth) if joined else (end - begin, depth)
        self.rows_inside = edge.rows_inside if begin < end else 0
        self.rows_outside = at.kernel[0] - self.rows_inside
        self.sides = (begin > 0) + (end < at.kernel[1])
        taps = at.kernel[0] * at.kernel[1] - self.rows_inside * (end - begin)
        self.padding = taps * depth * at.padding_counts
        self.one_run = at.kernel[0] == 1 and self.runs == 1 and not self.sides and self.rows_inside == 1

    def add(self, to: Counts, kind: str, blocks: float) -> None:
        """Counts it for `blocks` blocks."""
        to.add(f"{kind} window", blocks)
        to.add("window row inside", blocks * self.rows_inside)
        to.add("window row outside", blocks * self.rows_outside)
        _dots(to, kind, self.run, blocks * self.rows_inside * self.runs)
        to.add("padding", blocks * (self.rows_outside + self.rows_inside * self.sides) * (self.padding > 0))
        to.add("padding element", blocks * self.padding)


def _blocks(to: Counts, at: Geometry, block: _Block | int, pixels_together: int, times: float) -> None:
    """All filters of one group for one or two pixels. `block` is the bytes of a window that was copied into one run."""
    filters = at.output.channels // at.groups
    lanes = _DOTS // pixels_together
    blocks = -(-filters // lanes) if filters >= lanes or pixels_together == 2 else filters
    kind = "2x2" if pixels_together == 2 else "1x4"
    to.add(f"{kind} filters", times)
    to.add(f"{kind} block", times * blocks)
    to.add(f"{kind} output", times * blocks * (_DOTS if filters >= lanes else pixels_together))
    if isinstance(block, int):
        _dots(to, kind, block, times * blocks)
    elif block.one_run:
        _dots(to, kind, block.run, times * blocks)
    else:
        block.add(to, kind, times * blocks)


def conv(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/conv.c`: two pixels and two filters at a time, or one pixel and four filters."""
    to = Counts()
    rows, columns = at.kernel
    groups, width = at.groups, at.output.columns
    depth = at.input.channels // groups
    filter_bytes = rows * columns * depth
    in_pairs = edge.apart or edge.together > 1
    to.add("step", 1)
    to.add("window row", rows)
    to.add("slow output", width * at.slow_channels)
    if rows * columns > 1 and filter_bytes <= _COPIED_BYTES:
        pairs = width // 2 if in_pairs and 2 * filter_bytes <= _COPIED_BYTES else 0
        to.add("copied block", width - pairs)
        gather_all(to, at, edge, depth, groups)
        _blocks(to, at, filter_bytes, 2, pairs * groups)
        _blocks(to, at, filter_bytes, 1, (width - 2 * pairs) * groups)
        return to
    for span, pixels in at.spans().items():
        block = _Block(at, edge, span, depth)
        pairs = pixels // 2 if in_pairs and span == (0, columns) else 0
        to.add("pixel", pixels - pairs)
        _blocks(to, at, block, 2, pairs * groups)
        _blocks(to, at, block, 1, (pixels - 2 * pairs) * groups)
    return to


def conv_sum(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/conv_sum.c`: four filters at a time, with sums in memory. The first and the last step do more."""
    to = Counts()
    to.add("step", 1)
    to.add("window row", at.kernel[0])
    fours, rest = divmod(at.output.channels, _DOTS)
    for span, pixels in at.spans().items():
        to.add("pixel", pixels)
        _Block(at, edge, span, at.input.channels).add(to, "1x4", pixels * (fours + rest))
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
    """`kernels/portable/depthwise.c`: four channels at a time where there are as many, else up to 16 with sums in memory."""
    to = Counts()
    rows, columns = at.kernel
    width, channels, multiplier, taps = at.output.columns, at.output.channels, at.groups, rows * columns
    to.add("step", 1)
    to.add("window row", rows)
    to.add("pixel", width)
    to.add("output", at.output.elements)
    to.add("slow output", width * at.slow_channels)
    if multiplier > 1 and multiplier % 4 == 0 and taps <= _MAX_COPIED_TAPS:
        gather_all(to, at, edge, 1, at.input.channels)
        eights, four = divmod(multiplier, 8)
        for kind, blocks in (("eight", eights), ("four copies", four // 4)):
            to.add(kind, width * at.input.channels * blocks)
            to.add(f"{kind} tap", width * at.input.channels * blocks * taps)
        return to
    fours = channels // 4 if multiplier == 1 else 0
    rest = channels - 4 * fours
    for (begin, end), pixels in at.spans().items():
        rows_inside = edge.rows_inside if begin < end else 0
        inside, outside = rows_inside * (end - begin), taps - rows_inside * (end - begin)
        for count, kind in ((4 * fours, "fours"), (rest, "any")):
            blocks = pixels * -(-count // _BLOCK_CHANNELS)
            to.add(f"{kind} block", blocks)
            to.add(f"{kind} block row", blocks * rows)
            to.add("padding tap", blocks * outside * (at.padding_counts or kind == "any"))
            to.add("padding element", pixels * count * outside * at.padding_counts)
        to.add("four", pixels * fours)
        to.add("four row", pixels * fours * rows)
        to.add("four row inside", pixels * fours * rows_inside)
        to.add("four tap", pixels * fours * inside)
        tap = "tap" if multiplier == 1 else "multiplied tap"
        to.add(tap, pixels * -(-rest // _BLOCK_CHANNELS) * inside)
        to.add(f"{tap} element", pixels * rest * inside)
    return to


def pool(at: Geometry, edge: Edge) -> Counts:
    """`kernels/portable/average_pool.c`, `kernels/portable/max_pool.c`: up to 32 channels at a time."""
    to = Counts()
    blocks = -(-at.output.channels // _POOL_CHANNELS)
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
    """`kernels/portable/add.c`. Shifts of its three scales to the left, and none, have ways of their own."""
    to = _element_wise(at)
    shifts = [at.number(name) for name in ("shift1", "shift2", "output_shift")]
    to.add("left element", at.output.elements * sum(shift > 0 for shift in shifts))
    to.add("unshifted element", at.output.elements * shifts.count(0))
    return to


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
    """`kernels/portable/dense_feed.c`: four outputs at a time."""
    to = Counts()
    outputs = at.output.channels
    runs, run = (1, at.input.elements) if at.input.gapless else (at.input.columns, at.input.channels)
    fours, rest = divmod(outputs, _DOTS)
    to.add("step", 1)
    to.add("first", edge.first)
    to.add("first output", outputs * edge.first)
    to.add("block", fours)
    _dots(to, "1x4", run, fours * runs)
    to.add("output", rest)
    to.add("output run", rest * runs)
    to.add("element", rest * runs * run)
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
