"""How many iterations do the loops of the DSP kernels make? One function per file in `kernels/dsp/`."""

from __future__ import annotations

from collections.abc import Mapping

from tflm_split.analysis.latency_call import Counts, Edge, Geometry
from tflm_split.analysis.latency_portable import gather_all, gather_windows, sum_ends
from tflm_split.kinds import OpKind

_WINDOW_BYTES = 48
_SMALL_PIXEL, _SMALL_WINDOW = 64, 52
_SUM_PADDING_BYTES = 32
_MAX_WIDE_TAPS = 25
_MAX_COPIED_TAPS = 128


def _dots(to: Counts, kind: str, length: int, times: float) -> None:
    """`times` dot products of `length` elements (`kernels/dsp/dot.h`): sixteen, four and the rest at a time."""
    if length < 4:
        to.add(f"{kind} few", times)
        to.add(f"{kind} element", times * length)
    else:
        to.add(f"{kind}", times)
        to.add(f"{kind} sixteen", times * (length // 16))
        to.add(f"{kind} four", times * (length // 4 % 4))
        to.add(f"{kind} tail", times * (length % 4 != 0))


def _padding(to: Counts, at: Geometry, length: int, times: float) -> None:
    if length > 0 and at.padding_counts:
        to.add("padding", times)
        to.add("padding piece", times * -(-length // _WINDOW_BYTES))
        for done in range(0, length, _WINDOW_BYTES):
            _dots(to, "1x4", min(length - done, _WINDOW_BYTES), times)


def _stores(to: Counts, at: Geometry, kind: str, size: int, pixels: float) -> None:
    """Blocks of `size` channels on the slow path: all if the output range is narrow, otherwise those with a slow shift."""
    blocks = at.output.channels // size
    to.add(f"{kind} long store", pixels * (blocks if at.narrow else at.slow_blocks(size)))
    to.add(f"{kind} slow output", pixels * at.slow_channels)


class _Window:
    """The runs of bytes in the window of one pixel, or of two alike: `parts` in each row inside the input."""

    def __init__(self, at: Geometry, edge: Edge, span: tuple[int, int], depth: int) -> None:
        begin, end = span
        columns = at.kernel[1]
        step = at.number("dilation_columns", 1) * at.input.stride_bytes
        joined = step == depth and begin < end
        self.rows, self.rows_outside = edge.rows_inside, edge.rows_outside
        self.parts = 1 if joined else end - begin
        self.part_bytes = (end - begin) * depth if joined else depth
        self.before, self.after, self.row_bytes = begin * depth, (columns - end) * depth, columns * depth
        rows = at.kernel[0]
        self.single = rows == 1 and self.parts == 1 and self.part_bytes == self.row_bytes and edge.rows_inside == 1
        self.outside = not self.parts


def _add_window(to: Counts, at: Geometry, window: _Window, kind: str, blocks: float) -> None:
    """The dot products of `blocks` blocks of filters with one window."""
    if window.single:
        to.add(f"{kind} stretch block", blocks)
        _dots(to, kind, window.row_bytes, blocks)
        return
    to.add(f"{kind} window block", blocks)
    rows_outside = window.rows_outside + (window.rows if window.outside else 0)
    to.add(f"{kind} padding row", blocks * rows_outside)
    _padding(to, at, window.row_bytes, blocks * rows_outside)
    if not window.outside:
        to.add(f"{kind} row", blocks * window.rows)
        to.add(f"{kind} part", blocks * window.rows * window.parts)
        _dots(to, kind, window.part_bytes, blocks * window.rows * window.parts)
        _padding(to, at, window.before, blocks * window.rows)
        _padding(to, at, window.after, blocks * window.rows)


def _one_pixel(to: Counts, at: Geometry, window: _Window, filters: int, pixels: float) -> None:
    """One pixel, four filters at a time."""
    blocks = -(-filters // 4)
    to.add("pixel", pixels)
    _add_window(to, at, window, "1x4", pixels * blocks)
    if filters >= 4:
        _stores(to, at, "1x4", 4, pixels * (filters // 4) / max(1, at.output.channels // 4))
    to.add("rest block", pixels * (filters % 4 != 0))
    to.add("rest block clamp", pixels * (filters % 4 != 0) * at.narrow)
    if filters < 4:
        to.add("rest slow output", pixels * at.slow_channels * 3 / max(1, at.output.channels))


def _two_pixels(to: Counts, at: Geometry, window: _Window, filters: int, pairs: float) -> None:
    """Two pixels and two filters at a time. An odd last filter is computed for each pixel on its own."""
    to.add("pixel pair", pairs)
    _add_window(to, at, window, "2x2", pairs * (filters // 2))
    if filters >= 2:
        _stores(to, at, "2x2", 2, pairs * (filters // 2) / max(1, at.output.channels // 2))
    if filters % 2:
        _one_pixel(to, at, window, 1, 2 * pairs)


def _is_small(at: Geometry) -> bool:
    """Whether `kernels/dsp/conv_small.c` computes the layer (`split_dsp_is_small`)."""
    taps = at.kernel[0] * at.kernel[1]
    most = _SMALL_PIXEL if taps == 1 else _SMALL_WINDOW
    return (
        at.groups == 1 and at.output.columns >= 2 and at.output.channels >= 4 and 4 <= taps * at.input.channels <= most
    )


def _conv_small(at: Geometry, edge: Edge) -> Counts:
    """`kernels/dsp/conv_small.c`: two or three pixels at a time, one filter at a time."""
    to = Counts()
    filters, width = at.output.channels, at.output.columns
    elements = at.kernel[0] * at.kernel[1] * at.input.channels
    to.add("small step", 1)
    twos = -width % 3
    slow = filters if at.narrow else at.slow_channels
    for lanes, blocks in ((2, twos), (3, (width - 2 * twos) // 3)):
        to.add(f"{lanes} pixels", blocks)
        to.add(f"{lanes} filter", blocks * filters)
        to.add(f"{lanes} sixteen", blocks * filters * (elements // 16))
        to.add(f"{lanes} four", blocks * filters * (elements // 4 % 4))
        to.add(f"{lanes} tail", blocks * filters * (elements % 4 != 0))
        to.add("small slow output", blocks * lanes * slow)
    to.add("small pixel", width)
    to.add("small quad", width * -(-elements // 4))
    for span, pixels in at.spans().items():
        if at.kernel != (1, 1) or not edge.rows_inside or span[0] == span[1]:
            gather_windows(to, at, edge, at.input.channels, [(span, pixels)])
    return to


def conv(at: Geometry, edge: Edge) -> Counts:
    """`kernels/dsp/conv.c`."""
    if _is_small(at):
        return _conv_small(at, edge)
    to = Counts()
    to.add("step", 1)
    to.add("window row", sum(at.kernel[:1]))
    groups, width = at.groups, at.output.columns
    depth, filters = at.input.channels // groups, at.output.channels // groups
    rows, columns = at.kernel
    filter_bytes = rows * columns * depth
    one_run = edge.apart or groups == 1
    in_pairs = edge.apart or edge.together > 1
    to.add("group", groups * (1 if one_run else width))
    spans = at.spans()
    if filter_bytes <= _WINDOW_BYTES and (filter_bytes > depth or not in_pairs):
        pairs, singles = (width // 2, width % 2) if one_run else (0, width)
        gather_all(to, at, edge, depth, groups)
        window = _Window(at, Edge(), (0, columns), depth)
        window.single, window.row_bytes = True, filter_bytes
        _two_pixels(to, at, window, filters, pairs * groups)
        _one_pixel(to, at, window, filters, singles * groups)
        return to
    for span, pixels in spans.items():
        window = _Window(at, edge, span, depth)
        inner = span == (0, columns) and one_run and in_pairs
        _two_pixels(to, at, window, filters, groups * (pixels // 2 if inner else 0))
        _one_pixel(to, at, window, filters, groups * (pixels % 2 if inner else pixels))
        to.add("outer pixel", 0 if inner else pixels * groups)
    return to


def conv_sum(at: Geometry, edge: Edge) -> Counts:
    """`kernels/dsp/conv_sum.c`: two pixels and filters at a time with one tap, otherwise one pixel and four filters."""
    to = Counts()
    depth, filters = at.input.channels, at.output.channels
    to.add("step", 1)
    to.add("window row", at.kernel[0])
    sum_ends(to, at)
    one_tap = at.kernel == (1, 1) and edge.rows_inside == 1
    for span, pixels in at.spans().items():
        window = _Window(at, edge, span, depth)
        pairs = pixels // 2 if one_tap and span == (0, 1) else 0
        to.add("pixel pair", pairs)
        to.add("2x2 block", pairs * (filters // 2))
        _dots(to, "2x2", depth, pairs * (filters // 2))
        blocks = 2 * pairs * (filters % 2) + (pixels - 2 * pairs) * -(-filters // 4)
        to.add("pixel", pixels - 2 * pairs)
        to.add("block", blocks)
        to.add("lane", 2 * pairs * (filters % 2) + (pixels - 2 * pairs) * filters)
        inside = 0 if window.outside else window.rows
        to.add("row", blocks * at.kernel[0])
        stretches = [(window.part_bytes, inside * window.parts)]
        if at.padding_counts:
            outside = [(window.row_bytes, at.kernel[0] - inside), (window.before, inside), (window.after, inside)]
            for length, times in outside:
                stretches += [
                    (min(_SUM_PADDING_BYTES, length - done), times) for done in range(0, length, _SUM_PADDING_BYTES)
                ]
        for length, times in stretches:
            to.add("stretch", blocks * times)
            _dots(to, "1x4", length, blocks * times)
    return to


def depthwise(at: Geometry, edge: Edge) -> Counts:
    """`kernels/dsp/depthwise.c`."""
    to = Counts()
    rows, columns = at.kernel
    to.add("step", 1)
    to.add("window row", rows)
    taps, width, channels, multiplier = rows * columns, at.output.columns, at.output.channels, at.groups
    spans = at.spans()
    multiplied = multiplier != 1 and multiplier % 4 == 0 and taps <= _MAX_COPIED_TAPS
    fours = channels // 4 if multiplier == 1 else channels // 4 if multiplied else 0
    may_widen = multiplier == 1 and taps <= _MAX_WIDE_TAPS and edge.rows_inside > 0
    run = _run(width, width if edge.apart else min(edge.together, width)) if may_widen else 1
    if run > 1:
        _along(to, at, edge, fours, run)
    elif multiplied:
        _multiplied(to, at, edge, spans)
    else:
        kind = "narrow column" if columns == 1 else "narrow"
        to.add(f"{kind} pixel", width * fours)
        to.add(f"{kind} row", width * fours * rows)
        to.add(f"{kind} tap", width * fours * taps)
        _stores(to, at, "narrow", 4, width)
    to.add("pixel", width)
    singles = channels - 4 * fours
    inside = sum((end - begin) * pixels for (begin, end), pixels in spans.items()) * edge.rows_inside
    to.add("single", width * singles)
    to.add("single row", width * singles * rows)
    to.add("single tap", width * singles * taps)
    to.add("single tap inside", inside * singles)
    to.add("single clamp", width * singles * at.narrow)
    if not fours:
        to.add("single slow output", width * at.slow_channels)
    return to


def _run(width: int, together: int) -> int:
    """Pixels per run if the row is cut into as few runs as possible, of about the same length."""
    return -(-width // -(-width // together))


def _along(to: Counts, at: Geometry, edge: Edge, fours: int, run: int) -> None:
    """Four channels at a time along runs of pixels."""
    rows, columns = at.kernel
    width = at.output.columns
    inner = at.spans().get((0, columns), 0)
    pairs, odd, outer = columns // 2, columns % 2, width - inner
    runs = -(-width // run)
    begin = -(-max(0, at.number("pad_columns")) // at.number("stride_columns", 1))
    inner_runs = sum(first < begin + inner and begin < first + run for first in range(0, width, run)) if inner else 0
    to.add("four", fours * runs)
    to.add("widen row", fours * runs * edge.rows_inside)
    to.add("widen pair", fours * runs * edge.rows_inside * pairs)
    to.add("widen odd", fours * runs * edge.rows_inside * odd)
    to.add("fold tap", fours * runs * edge.rows_outside * columns)
    if rows == columns == 3:
        to.add("inner 3x3 run", fours * inner_runs)
        to.add("inner 3x3", fours * inner)
    else:
        to.add("inner run", fours * inner_runs)
        to.add("inner", fours * inner)
        to.add("inner row", fours * inner * rows)
        to.add("inner pair", fours * inner * rows * pairs)
        to.add("inner odd", fours * inner * rows * odd)
    if columns == 3:
        to.add("outer 3", fours * outer)
        to.add("outer 3 row", fours * outer * rows)
    else:
        to.add("narrow pixel", fours * outer)
        to.add("narrow row", fours * outer * rows)
        to.add("narrow tap", fours * outer * rows * columns)
    _stores(to, at, "wide", 4, at.output.columns)


def _multiplied(to: Counts, at: Geometry, edge: Edge, spans: Mapping[tuple[int, int], int]) -> None:
    """Several output channels per input channel, a multiple of four."""
    width, taps = at.output.columns, at.kernel[0] * at.kernel[1]
    gather_all(to, at, edge, 1, at.input.channels)
    fours = at.output.channels // 4
    to.add("multiplied four", width * fours)
    to.add("multiplied taps", width * fours * (taps // 4))
    to.add("multiplied tap", width * fours * (taps % 4))
    _stores(to, at, "multiplied", 4, width)


def pool(at: Geometry, edge: Edge) -> Counts:
    """`kernels/dsp/average_pool.c`, `kernels/dsp/max_pool.c`."""
    to = Counts()
    rows = at.kernel[0]
    to.add("step", 1)
    to.add("window row", rows)
    for (begin, end), pixels in at.spans().items():
        taps = end - begin
        divisor = edge.rows_inside * taps
        in_fours = at.kind == OpKind.MAX_POOL or divisor <= 256
        fours = at.output.channels // 4 if in_fours else 0
        singles = at.output.channels - 4 * fours
        to.add("pixel", pixels)
        to.add("four", pixels * fours)
        to.add("four row", pixels * fours * rows)
        to.add("four row inside", pixels * fours * edge.rows_inside * (taps > 0))
        to.add("four tap", pixels * fours * divisor)
        to.add("single", pixels * singles)
        to.add("single row", pixels * singles * rows)
        to.add("single tap", pixels * singles * divisor)
    return to


def add(at: Geometry, edge: Edge) -> Counts:
    """`kernels/dsp/add.c`. The fast path needs shifts to the right."""
    to = Counts()
    plain = at.number("shift1") <= 0 and at.number("shift2") <= 0 and at.number("output_shift") < 0
    kind = "plain" if plain else "any"
    to.add("step", 1)
    to.add(f"{kind} pixel", at.output.columns)
    to.add(f"{kind} element", at.output.elements)
    return to


def sum_feed(at: Geometry, edge: Edge) -> Counts:
    """`kernels/dsp/sum_feed.c`."""
    to = Counts()
    fours, singles, columns = at.input.channels // 4, at.input.channels % 4, at.input.columns
    runs = -(-columns // 256)
    to.add("step", 1)
    to.add("clear element", at.input.channels * edge.first)
    to.add("clear", edge.first)
    to.add("four", fours * runs)
    to.add("four pixel", fours * columns)
    to.add("single", singles)
    to.add("single pixel", singles * columns)
    kind = "average" if at.number("mode") == 0 else "mean"
    to.add(f"{kind}", edge.last)
    to.add(f"{kind} channel", at.input.channels * edge.last)
    return to


def dense_feed(at: Geometry, edge: Edge) -> Counts:
    """`kernels/dsp/dense_feed.c`."""
    to = Counts()
    outputs = at.output.channels
    runs, run = (1, at.input.elements) if at.input.gapless else (at.input.columns, at.input.channels)
    blocks = -(-outputs // 4)
    to.add("step", 1)
    to.add("first", edge.first)
    to.add("first output", outputs * edge.first)
    to.add("block", blocks)
    to.add("block run", outputs // 4 * runs)
    to.add("rest block run", (outputs % 4 != 0) * runs)
    to.add("rest output run", outputs % 4 * runs)
    _dots(to, "1x4", run, blocks * runs)
    to.add("last", edge.last)
    to.add("last output", outputs * edge.last)
    to.add("clamp", edge.last * outputs * at.narrow)
    to.add("slow output", edge.last * at.slow_channels)
    return to
