"""How many iterations do the loops of the Helium kernels make? One function per file in `kernels/helium/`."""

from __future__ import annotations

from tflm_split.analysis.latency_call import Counts, Edge, Geometry
from tflm_split.analysis.latency_portable import sum_ends

_BYTES = 16
_WORDS = 4
_BATCH = 64
_GATHERED_BYTES = 160
_PADDING_BYTES = 64
_LISTED_TAPS = 49
_MOST_TAPS = 256


def _vectors(length: int, size: int) -> int:
    return -(-length // size)


def _dots(to: Counts, length: int, filters: int, times: float) -> None:
    """`kernels/helium/dots.c`: `filters` dot products of `length` bytes, in runs that are held in registers."""
    to.add("dots", times)
    while length > 0:
        if length >= 64:
            run = 96 if length >= 96 else 64
        else:
            run = length
        kind = f"{run}" if run in (16, 32, 48, 64, 96) else f"below {-(-run // 16) * 16}"
        to.add("dots run", times)
        to.add(f"dots of {kind}", times * filters)
        length -= run


def _store(to: Counts, at: Geometry, count: int, times: float) -> None:
    """`kernels/helium/store.c`: four channels at a time, all on the slow path if any shift is not to the right."""
    to.add("store", times)
    short = bool(at.number("flags") & 1) and at.slow_channels == 0
    to.add("store four", times * (count // _WORDS if short else 0))
    left = count % _WORDS if short else count
    to.add("store long", times * (left > 0))
    to.add("store long four", times * _vectors(left, _WORDS))


def _batches(channels: int) -> list[int]:
    return [min(_BATCH, channels - first) for first in range(0, channels, _BATCH)]


def _copies(to: Counts, length: int, times: float) -> None:
    to.add("copy", times)
    to.add("copy vector", times * (length // _BYTES))
    to.add("copy rest", times * (length % _BYTES != 0))


def _fills(to: Counts, length: int, times: float) -> None:
    to.add("fill", times)
    to.add("fill vector", times * _vectors(length, _BYTES))


_AT_ONCE = (8, 16, 32, 48, 64, 80, 96, 128, 144)
_SHORT, _TOGETHER_BYTES, _WAITING = 64, 320, 48
"""Bytes of windows that `kernels/helium/store_dots.c` stores at once, of copies of them, and filters of a batch of pairs."""


class _Windows:
    """How `kernels/helium/conv.c` reads the windows of a row."""

    def __init__(self, at: Geometry, edge: Edge) -> None:
        self.rows, self.columns = at.kernel
        self.depth, self.filters = at.input.channels // at.groups, at.output.channels // at.groups
        self.step = at.number("dilation_columns", 1) * at.input.stride_bytes
        self.bytes = self.rows * self.columns * self.depth
        self.joined = self.step == self.depth or self.columns <= 1
        self.inside = self.joined and edge.rows_outside == 0
        right = bool(at.number("flags") & 1) and at.slow_channels == 0
        self.at_once = right and self.filters % _WORDS == 0 and (self.bytes <= _SHORT or self.bytes in _AT_ONCE)
        self.copied = self.at_once and at.groups == 1 and (self.rows > 1 or not self.inside)
        apart = edge.apart or edge.together > 1
        self.in_pairs = not self.at_once and self.inside and self.filters >= 3 and self.bytes >= _BYTES and apart

    def is_inner(self, span: tuple[int, int]) -> bool:
        return self.inside and span == (0, self.columns)


def _at_once(to: Counts, of: _Windows, calls: float, pixels: float) -> None:
    """`kernels/helium/store_dots.c`."""
    fours = of.filters // _WORDS
    to.add("at once", calls)
    if of.bytes in _AT_ONCE:
        kind = f"{of.bytes}"
    else:
        kind = "odd" if of.bytes > _BYTES else "short"
    to.add(f"at once {kind} pixel" if kind in ("odd", "short") else "at once pixel", pixels)
    if kind == "short":
        careful = min(fours, 1 + (_BYTES - 1) // (4 * of.bytes))
        to.add("careful four", pixels * careful)
        to.add("short four", pixels * (fours - careful))
    elif kind == "odd":
        to.add(f"four of below {_vectors(of.bytes, _BYTES) * _BYTES}", pixels * fours)
    else:
        to.add(f"four of {kind}", pixels * fours)


def _run_window(to: Counts, at: Geometry, of: _Windows, times: float) -> None:
    if of.at_once:
        _at_once(to, of, times, times)
        return
    to.add("run window", times)
    for count in _batches(of.filters):
        to.add("batch", times)
        _dots(to, of.bytes, count, times)
        _store(to, at, count, times)


def _outer_copy(to: Counts, of: _Windows, span: tuple[int, int], rows_inside: int, times: float) -> None:
    """`gather` in `kernels/helium/window.h`."""
    begin, end = span
    inside = end - begin
    rows_inside = rows_inside if inside > 0 else 0
    joined = of.step == of.depth or inside <= 1
    taps, tap_bytes = (1, inside * of.depth) if joined else (inside, of.depth)
    to.add("gathered outer", times)
    to.add("gathered outer row", times * rows_inside)
    _copies(to, tap_bytes, times * rows_inside * taps)
    for length in (begin * of.depth, (of.columns - end) * of.depth):
        _fills(to, length, times * rows_inside)
    _fills(to, of.columns * of.depth, times * (of.rows - rows_inside))


def _inner_copy(to: Counts, of: _Windows, times: float) -> None:
    """`gather_runs` in `kernels/helium/window.h`."""
    length = of.columns * of.depth
    to.add("gathered inner", times)
    if length <= _BYTES:
        to.add("gathered short row", times * of.rows)
        return
    to.add("gathered row", times * of.rows)
    to.add("gathered vector", times * of.rows * ((length - 1) // _BYTES))


def _copied_row(to: Counts, at: Geometry, edge: Edge, of: _Windows) -> None:
    for span, pixels in at.spans().items():
        if of.is_inner(span):
            _inner_copy(to, of, pixels)
        else:
            _outer_copy(to, of, span, edge.rows_inside, pixels)
    _at_once(to, of, _vectors(at.output.columns, _TOGETHER_BYTES // of.bytes), at.output.columns)


def _pairs(to: Counts, at: Geometry, of: _Windows, pairs: float) -> None:
    """`kernels/helium/pairs.c`."""
    times = pairs * at.groups
    to.add("pair", times)
    for first in range(0, of.filters, _WAITING):
        count = max(3, min(_WAITING, of.filters - first))
        triples = times * -(-count // 3)
        to.add("pair batch", times)
        to.add("three", triples)
        to.add("three row", triples * of.rows)
        to.add("three vector", triples * of.rows * _vectors(of.columns * of.depth, _BYTES))
        _store(to, at, count, 2 * times)


def _large_rows(
    to: Counts, at: Geometry, edge: Edge, of: _Windows, span: tuple[int, int], filters: int, windows: float
) -> None:
    """`add_rows` in `kernels/helium/window.h`."""
    begin, end = span
    inside = end - begin
    rows_inside = edge.rows_inside if inside > 0 else 0
    joined = of.step == of.depth or inside <= 1
    taps, tap_bytes = (1, inside * of.depth) if joined else (inside, of.depth)
    to.add("large row", windows * rows_inside)
    to.add("large padding row", windows * (of.rows - rows_inside))
    to.add("large part", windows * rows_inside * taps)
    _dots(to, tap_bytes, filters, windows * rows_inside * taps)
    for length in (begin * of.depth, (of.columns - end) * of.depth):
        _padding(to, at, length, filters, windows * rows_inside)
    _padding(to, at, of.columns * of.depth, filters, windows * (of.rows - rows_inside))


def _large_window(to: Counts, at: Geometry, edge: Edge, of: _Windows, span: tuple[int, int], windows: float) -> None:
    for count in _batches(of.filters):
        to.add("large batch", windows)
        to.add("large bias", windows * count)
        _large_rows(to, at, edge, of, span, count, windows)
        _store(to, at, count, windows)


def conv(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/conv.c`."""
    to = Counts()
    of = _Windows(at, edge)
    to.add("step", 1)
    to.add("window row", of.rows)
    to.add("scales vector", at.output.channels // _BYTES * (at.number("flags") & 1))
    if of.copied:
        to.add("copied row", 1)
        _copied_row(to, at, edge, of)
        return to
    for span, pixels in at.spans().items():
        is_inner = of.is_inner(span)
        if is_inner and of.at_once and of.rows == 1 and at.groups == 1:
            _at_once(to, of, 1, pixels)
            continue
        pairs = pixels // 2 if is_inner and of.in_pairs else 0
        _pairs(to, at, of, pairs)
        left = pixels - 2 * pairs
        to.add("inner pixel" if is_inner else "outer pixel", left)
        windows = left * at.groups
        if is_inner and of.rows == 1:
            _run_window(to, at, of, windows)
        elif of.bytes <= _GATHERED_BYTES:
            to.add("gathered", windows)
            if is_inner:
                _inner_copy(to, of, windows)
            else:
                _outer_copy(to, of, span, edge.rows_inside, windows)
            _run_window(to, at, of, windows)
        else:
            _large_window(to, at, edge, of, span, windows)
    return to


def conv_sum(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/conv_sum.c`."""
    to = Counts()
    of = _Windows(at, edge)
    to.add("step", 1)
    to.add("window row", of.rows)
    sum_ends(to, at)
    for span, pixels in at.spans().items():
        is_inner = of.is_inner(span)
        to.add("inner pixel" if is_inner else "outer pixel", pixels)
        if is_inner and of.rows == 1:
            _dots(to, of.bytes, of.filters, pixels)
        elif of.bytes <= _GATHERED_BYTES:
            if is_inner:
                _inner_copy(to, of, pixels)
            else:
                _outer_copy(to, of, span, edge.rows_inside, pixels)
            _dots(to, of.bytes, of.filters, pixels)
        else:
            _large_rows(to, at, edge, of, span, of.filters, pixels)
    return to


def _padding(to: Counts, at: Geometry, length: int, filters: int, times: float) -> None:
    to.add("padding", times)
    if not at.padding_counts:
        return
    _fills(to, min(length, _PADDING_BYTES), times)
    for done in range(0, length, _PADDING_BYTES):
        _dots(to, min(_PADDING_BYTES, length - done), filters, times)


_BESIDE, _PADDING_RUN, _PIXEL_BATCH = 8, 128, 32
"""Channels of pixels side by side, channels that one list of addresses does for, and channels whose sums wait together."""


def _right(at: Geometry) -> bool:
    return bool(at.number("flags") & 1) and at.slow_channels == 0


def _parts(channels: int, size: int) -> list[int]:
    return [min(size, channels - first) for first in range(0, channels, size)]


def _is_beside(at: Geometry, edge: Edge) -> bool:
    channels = at.output.channels
    more = _BYTES // channels - 1
    farthest = more * max(at.number("stride_columns", 1) * at.input.stride_bytes, at.output.stride_bytes)
    few = channels <= _BESIDE and at.groups in (1, channels)
    return few and _right(at) and edge.rows_inside > 0 and farthest <= 255 - _BYTES


def _beside(to: Counts, at: Geometry, edge: Edge) -> None:
    """3x3 windows of few channels: several pixels side by side."""
    channels = at.output.channels
    together = _BYTES // channels
    whole = together * channels == _BYTES and at.output.gapless
    in_a_row = at.groups == 1 and at.number("stride_columns", 1) * at.input.stride_bytes == channels
    to.add("beside row", 1)
    to.add("beside lane", -(-_BYTES // channels))
    for (begin, end), pixels in at.spans().items():
        if (begin, end) == (0, 3):
            to.add("beside run", 1)
            vectors = pixels // together if whole else 0
            to.add("beside vector" if in_a_row else "beside apart vector", vectors)
            to.add("beside part", _vectors(pixels - vectors * together, together))
        else:
            to.add("beside outer", pixels)
            to.add("3x3 list row", pixels * edge.rows_inside * (end > begin))
            to.add("3x3 list tap", pixels * edge.rows_inside * (end - begin))


def _3x3(to: Counts, at: Geometry, edge: Edge) -> None:
    """Rows of 3x3 windows, each input channel of which is read by one output channel."""
    channels, right = at.output.channels, _right(at)
    to.add("3x3 row", 1)
    for (begin, end), pixels in at.spans().items():
        inner = edge.rows_outside == 0 and (begin, end) == (0, 3)
        kind = "3x3" if inner else "3x3 outer"
        mixed = inner and not (right and channels % _BYTES == 0)
        to.add("3x3 mixed pixel" if mixed else f"{kind} pixel", pixels)
        for batch in [channels] if inner else _parts(channels, _PADDING_RUN):
            whole = batch // _BYTES if right else 0
            if not inner:
                to.add("3x3 list", pixels)
                to.add("3x3 list row", pixels * edge.rows_inside * (end > begin))
                to.add("3x3 list tap", pixels * edge.rows_inside * (end - begin))
            to.add(f"{kind} block", pixels * whole)
            for count in _parts(batch - whole * _BYTES, _BYTES):
                to.add(f"{kind} part block" if right else f"{kind} any block", pixels)
                if not right:
                    _store(to, at, count, pixels)


def _listed(to: Counts, at: Geometry, span: tuple[int, int], edge: Edge, times: float) -> None:
    inside = (span[1] - span[0]) * edge.rows_inside
    to.add("list", times)
    to.add("list row", times * at.kernel[0])
    to.add("list tap inside", times * inside)
    to.add("list tap outside", times * (at.kernel[0] * at.kernel[1] - inside))


def _taps_of(to: Counts, kind: str, taps: int, times: float) -> None:
    to.add(f"{kind} block", times)
    to.add(f"{kind} eight", times * (taps // 8))
    to.add(f"{kind} tap", times * (taps % 8))


def _listed_row(to: Counts, at: Geometry, edge: Edge) -> None:
    """Windows all of whose taps are listed together."""
    taps = at.kernel[0] * at.kernel[1]
    for span, pixels in at.spans().items():
        inner = span == (0, at.kernel[1])
        shared = inner and edge.rows_outside == 0
        for count in [at.output.channels] if shared else _parts(at.output.channels, _PADDING_RUN):
            _listed(to, at, span, edge, 1 if shared else pixels)
            to.add("listed pixel", pixels)
            to.add("any blocks", pixels * (count >= _BYTES))
            _taps_of(to, "any", taps, pixels * (count // _BYTES))
            if count % _BYTES:
                _taps_of(to, "any part", taps, pixels)


def _any_row(to: Counts, at: Geometry, edge: Edge) -> None:
    taps = at.kernel[0] * at.kernel[1]
    for span, pixels in at.spans().items():
        to.add("any pixel", pixels)
        for count in _parts(at.output.channels, _PIXEL_BATCH):
            to.add("any batch", pixels)
            for listed in _parts(taps, _LISTED_TAPS):
                _listed(to, at, span, edge, pixels * listed / taps)
                to.add("list", pixels * (1 - listed / taps))
                for _ in _parts(count, _BYTES):
                    _taps_of(to, "repeated" if at.groups > 1 else "slow", listed, pixels)
            _store(to, at, count, pixels)


def _one_channel_row(to: Counts, at: Geometry, edge: Edge) -> None:
    channels = at.output.channels
    rows, columns = at.kernel
    for (begin, end), pixels in at.spans().items():
        rows_inside = edge.rows_inside if end > begin else 0
        blocks = pixels * _vectors(channels, _BYTES)
        to.add("one channel pixel", pixels)
        to.add("one channel block" if _right(at) else "one channel any block", blocks)
        to.add("one channel row", blocks * rows)
        to.add("one channel stretch", blocks * rows_inside * ((begin > 0) + (end < columns)))
        to.add("one channel tap", blocks * rows * columns)
        for count in [] if _right(at) else _parts(channels, _BYTES):
            _store(to, at, count, pixels)


def depthwise(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/depthwise.c`."""
    to = Counts()
    rows, columns = at.kernel
    channels = at.output.channels
    to.add("step", 1)
    to.add("window row", rows)
    to.add("scales vector", channels // _BYTES * (at.number("flags") & 1))
    if rows == columns == 3 and _is_beside(at, edge):
        _beside(to, at, edge)
    elif rows == columns == 3 and at.groups == 1:
        _3x3(to, at, edge)
    elif at.groups == 1 and rows * columns <= _LISTED_TAPS and _right(at):
        _listed_row(to, at, edge)
    elif at.groups == channels and rows * columns <= _MOST_TAPS:
        _one_channel_row(to, at, edge)
    else:
        _any_row(to, at, edge)
    return to


def average_pool(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/average_pool.c`: four channels at a time."""
    return _pool(at, edge, _WORDS)


def max_pool(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/max_pool.c`: sixteen channels at a time."""
    return _pool(at, edge, _BYTES)


def _pool(at: Geometry, edge: Edge, size: int) -> Counts:
    to = Counts()
    rows, columns = at.kernel
    vectors = _vectors(at.output.channels, size)
    to.add("step", 1)
    to.add("window row", rows)
    for (begin, end), pixels in at.spans().items():
        taps = end - begin
        to.add("pixel", pixels)
        to.add("outer pixel", pixels * (taps != columns))
        to.add("vector", pixels * vectors)
        to.add("vector row", pixels * vectors * rows * (taps > 0))
        to.add("vector row inside", pixels * vectors * edge.rows_inside * (taps > 0))
        to.add("vector tap", pixels * vectors * edge.rows_inside * taps)
        to.add("many", pixels * vectors * (size == _WORDS and edge.rows_inside * taps > 4000))
    return to


def _broadcast(at: Geometry) -> tuple[bool, bool]:
    """(whether an operand has one element for all channels of a pixel, whether all three rows are one run of bytes each).

    The executor gives an operand of one column or of one channel a stride of 0, as if it were broadcast.
    """
    operands = [at.input] + ([at.input2] if at.input2 else [])
    by_channel = any(o.channels == 1 for o in operands)
    run = at.output.gapless and not by_channel and all(o.gapless and o.columns > 1 for o in operands)
    return by_channel, run


def add(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/add.c`."""
    to = Counts()
    by_channel, run = _broadcast(at)
    right = at.number("shift1") <= 0 and at.number("shift2") <= 0 and at.number("output_shift") <= 0
    pixels, channels = (1, at.output.elements) if run else (at.output.columns, at.output.channels)
    fours = channels // _WORDS if right and not by_channel else 0
    kind = "right" if right else "any"
    to.add("step", 1)
    to.add(f"{kind} pixel", pixels)
    to.add("four", pixels * fours)
    to.add(f"{kind} part", pixels * _vectors(channels - fours * _WORDS, _WORDS))
    return to


def mul(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/mul.c`."""
    to = Counts()
    by_channel, _ = _broadcast(at)
    to.add("step", 1)
    to.add("pixel", at.output.columns)
    kind = "broadcast four" if by_channel else "four"
    to.add(kind, at.output.columns * _vectors(at.output.channels, _WORDS))
    return to


def lut(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/lut.c`."""
    to = Counts()
    kind, size = ("word", _WORDS) if at.output.element_bytes == 4 else ("byte", _BYTES)
    to.add("step", 1)
    to.add(f"{kind} pixel", at.output.columns)
    to.add(f"{kind} vector", at.output.columns * _vectors(at.output.channels, size))
    return to


def quantize_float(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/quantize_float.c`."""
    to = Counts()
    run = at.input.gapless and at.output.gapless
    pixels, channels = (1, at.output.elements) if run else (at.output.columns, at.output.channels)
    to.add("step", 1)
    to.add("pixel", pixels)
    to.add("four", pixels * (channels // _WORDS))
    to.add("rest", pixels * (channels % _WORDS != 0))
    return to


def pad(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/pad.c`: a whole row is one copy where no channel is added."""
    to = Counts()
    copied, pixel = at.input.channels * at.input.element_bytes, at.output.channels * at.output.element_bytes
    columns = at.input.columns * edge.rows_inside
    to.add("step", 1)
    to.add("filled pixel", at.output.columns - columns)
    to.add("filled vector", (at.output.columns - columns) * _vectors(pixel, _BYTES))
    if copied == pixel and at.input.gapless and at.output.gapless:
        to.add("run", columns > 0)
        _copies(to, columns * pixel, columns > 0)
        return to
    to.add("pixel", columns)
    _copies(to, copied, columns)
    to.add("border vector", columns * _vectors(pixel - copied, _BYTES))
    return to


def sum_feed(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/sum_feed.c`: eight channels at a time."""
    to = Counts()
    eights, columns = _vectors(at.input.channels, 8), at.input.columns
    to.add("step", 1)
    to.add("clear", edge.first)
    to.add("clear element", at.input.channels * edge.first)
    to.add("run", -(-columns // 256))
    to.add("eight", eights * -(-columns // 256))
    to.add("eight pixel", eights * columns)
    if at.number("mode") == 0:
        to.add("average", edge.last)
        to.add("average channel", at.input.channels * edge.last)
    else:
        to.add("mean", edge.last)
        to.add("mean four", _vectors(at.input.channels, _WORDS) * edge.last)
    return to


def dense_feed(at: Geometry, edge: Edge) -> Counts:
    """`kernels/helium/dense_feed.c`."""
    to = Counts()
    outputs = at.output.channels
    runs, run = (1, at.input.elements) if at.input.gapless else (at.input.columns, at.input.channels)
    to.add("step", 1)
    to.add("first", edge.first)
    to.add("first output", outputs * edge.first)
    to.add("run", runs)
    _dots(to, run, outputs, runs)
    to.add("last", edge.last)
    to.add("scales vector", outputs // _BYTES * edge.last * (at.number("flags") & 1))
    _store(to, at, outputs, int(edge.last))
    return to
