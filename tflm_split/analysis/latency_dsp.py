"""How many iterations do the loops of the DSP kernels make? One function per file in `kernels/dsp/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tflm_split.analysis.latency_call import Counts, Edge, Geometry
from tflm_split.analysis.latency_portable import gather_all, gather_windows, sum_ends
from tflm_split.kinds import OpKind

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
        to.add("padding word", times * (length // 4))
        to.add("padding rest", times * (length % 4))


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
        self.outside = not self.parts


def _add_window(to: Counts, at: Geometry, window: _Window, kind: str, blocks: float) -> None:
    """The dot products of `blocks` blocks of filters with one window. Taps outside are added together where they follow one
    another; rows outside are at the top or at the bottom."""
    to.add(f"{kind} window block", blocks)
    rows_outside = window.rows_outside + (window.rows if window.outside else 0)
    to.add(f"{kind} padding row", blocks * rows_outside)
    if window.outside:
        _padding(to, at, window.row_bytes * rows_outside, blocks)
        return
    to.add(f"{kind} row", blocks * window.rows)
    to.add(f"{kind} part", blocks * window.rows * window.parts)
    _dots(to, kind, window.part_bytes, blocks * window.rows * window.parts)
    if kind == "2x2":
        _padding(to, at, window.row_bytes, blocks * rows_outside)
        return
    between = window.before + window.after
    _padding(to, at, between, blocks * (window.rows - 1))
    _padding(to, at, between + window.row_bytes * rows_outside, blocks)


def _one_pixel(to: Counts, at: Geometry, window: _Window, filters: int, pixels: float) -> None:
    """One pixel, four filters at a time."""
    blocks = -(-filters // 4)
    to.add("pixel", pixels)
    _add_window(to, at, window, "1x4", pixels * blocks)
    if filters >= 4:
        _stores(to, at, "1x4", 4, pixels * (filters // 4) / max(1, at.output.channels // 4))
    to.add("rest block", pixels * (filters % 4 != 0))
    to.add("rest lane", pixels * (filters % 4))


def _two_pixels(to: Counts, at: Geometry, window: _Window, filters: int, pairs: float) -> None:
    """Two pixels and two filters at a time."""
    to.add("pixel pair", pairs)
    _add_window(to, at, window, "2x2", pairs * (filters // 2))
    _stores(to, at, "2x2", 2, pairs * (filters // 2) / max(1, at.output.channels // 2))


_ROOM, _TOGETHER, _FEW, _SMALL = 120, 16, 8, 64
"""Words of widened windows and sums, and numbers of filters and elements (`kernels/dsp/conv_wide.c`)."""


class _Wide:
    """How `kernels/dsp/conv_wide.c` computes a row. `most` pixels go together; 0 if it does not compute the row."""

    def __init__(self, at: Geometry, edge: Edge) -> None:
        self.groups, self.width = at.groups, at.output.columns
        self.depth, self.filters = at.input.channels // self.groups, at.output.channels // self.groups
        self.row_elements = at.kernel[1] * self.depth
        self.filter = at.kernel[0] * self.row_elements
        self.copies = self.depth % 4 != 0
        self.joined = at.kernel[1] == 1 or at.number("dilation_columns", 1) * at.input.stride_bytes == self.depth
        self.rows = at.kernel[0]
        if not at.padding_counts and not (self.copies and self.filter <= _SMALL):
            self.rows = max(1, edge.rows_inside)
        self.elements = self.rows * self.row_elements
        self.fitting = self._fitting(at)
        self.most = self._most(at, edge)
        self.whole = self.most <= self.fitting
        self.per_channel = bool(at.number("flags") & 1)
        shifts = at.constant("shifts_offset")[: at.output.channels]
        self.in_bytes = self.most > 1 and not at.narrow and self.per_channel and all(236 <= s <= 255 for s in shifts)

    def _fitting(self, at: Geometry) -> int:
        quads = -(-self.elements // 4)
        if quads * (2 + self.copies) >= _ROOM or (self.copies and self.rows < at.kernel[0]):
            return 0
        return (_ROOM - quads * self.copies) // (2 * quads + 1)

    def _most(self, at: Geometry, edge: Edge) -> int:
        reach = (at.kernel[1] - 1) * at.number("dilation_columns", 1)
        if not at.padding_counts and self.filter > _SMALL and at.input.columns <= reach:
            return 0
        fitting = self.fitting
        if self.width == 1:
            return int(fitting > 0)
        limit = _FEW if fitting < 1 else 4 if fitting < 3 else 2 if fitting < 5 or not self.copies else 0
        few = self.filters % 2 == 0 and self.filters <= limit and (self.joined or self.depth >= 4)
        together = self.width if edge.apart else edge.together
        if (self.groups != 1 and together != self.width) or (few and together > 1):
            return 0
        if fitting < 2 and together > 1:
            return min(together, 3)
        return 5 if fitting >= 5 else 3 if fitting >= 3 else fitting

    def words(self, elements: int, lanes: int) -> int:
        return -(-elements // 4) * (2 * lanes + self.copies)

    def blocks(self) -> Mapping[int, int]:
        """By the number of lanes: how many times so many pixels are computed together in one group."""
        found: dict[int, int] = {}
        left = self.width
        while left > 0:
            if self.most == 1 or (left == 1 and self.whole):
                lanes = 1
            elif self.most == 2 or left in (1, 2, 4):
                lanes = 2
            else:
                lanes = 5 if self.most == 5 and left >= 5 and left not in (6, 9) else 3
            found[lanes] = found.get(lanes, 0) + 1
            left -= lanes
        return found

    def parts(self) -> Sequence[int]:
        """The elements of each part of a row of the window."""
        if self.whole:
            return [self.row_elements]
        together = min(self.filters, _TOGETHER)
        most = (_ROOM - together * self.most) // (2 * self.most + self.copies) * 4
        pieces = -(-self.row_elements // most)
        part = (-(-self.row_elements // pieces) + 3) & ~3
        return [min(part, self.row_elements - done) for done in range(0, self.row_elements, part)]

    def together(self, lanes: int) -> int:
        """Filters that are computed before the windows are widened again."""
        if self.whole and self.in_bytes:
            return self.filters
        return (_ROOM - self.words(self.elements if self.whole else self.parts()[0], lanes)) // lanes


def _widened(to: Counts, at: Geometry, edge: Edge, wide: _Wide, lanes: int, blocks: int, times: float) -> None:
    """Windows widened `times` times for each of so many blocks of pixels."""
    if wide.copies and wide.whole:
        to.add("widen copy", blocks * lanes)
        to.add("widen run", blocks * lanes)
        to.add("widen quad", blocks * lanes * -(-wide.elements // 4))
        return
    pixels, parts = blocks * lanes * times, wide.parts()
    spans = at.spans()
    inner = spans.get((0, at.kernel[1]), 0) / wide.width * edge.rows_inside if wide.joined else 0.0
    taps = sum((end - begin) * times for (begin, end), times in spans.items()) / wide.width * edge.rows_inside
    outer = wide.rows - inner
    outer_taps, taps_inside = outer * at.kernel[1], taps - inner * at.kernel[1]
    quads = sum(-(-part // 4) for part in parts)
    to.add("widen row", blocks * times * wide.rows * len(parts))
    to.add("widen run", pixels * inner * len(parts))
    to.add("widen quad", pixels * inner * quads)
    to.add("widen outer", pixels * outer * len(parts))
    to.add("widen outer tap", pixels * outer_taps * max(1, len(parts) // at.kernel[1]))
    if wide.copies:
        to.add("widen run", pixels * outer * len(parts))
        to.add("widen quad", pixels * outer * quads)
        to.add("copy tap", pixels * taps_inside)
        to.add("copy byte", pixels * taps_inside * wide.depth)
        to.add("fill tap", pixels * (outer_taps - taps_inside))
        to.add("fill byte", pixels * (outer_taps - taps_inside) * wide.depth)
        return
    to.add("widen run", pixels * taps_inside)
    to.add("widen quad", pixels * taps_inside * (wide.depth // 4))
    to.add("widen padding", pixels * (outer_taps - taps_inside) * wide.depth / 2)


def _one_lane(to: Counts, at: Geometry, wide: _Wide, blocks: int) -> None:
    """Pixels alone, four filters at a time."""
    fours, quads = wide.groups * blocks * -(-wide.filters // 4), -(-wide.elements // 4)
    to.add("1 four", fours)
    to.add("1 quad", fours * quads)
    to.add("1 turn", fours * -(-quads // 4))
    to.add("1 long store", blocks * (at.output.channels // 4 if at.narrow else at.slow_blocks(4)))
    to.add("1 slow output", blocks * at.slow_channels)
    to.add("1 odd four", wide.groups * blocks * (wide.filters % 4 != 0))
    to.add("1 odd lane", wide.groups * blocks * (wide.filters % 4))


def _conv_wide(at: Geometry, edge: Edge, wide: _Wide) -> Counts:
    """`kernels/dsp/conv_wide.c`."""
    to = Counts()
    groups, filters = wide.groups, wide.filters
    to.add("wide step", 1)
    to.add("window row", at.kernel[0])
    to.add("wide scale", at.output.channels * (wide.most > 1 and not at.narrow and wide.per_channel))
    to.add("wide group", groups)
    for lanes, blocks in wide.blocks().items():
        times = 1 if wide.whole else -(-filters // wide.together(lanes))
        to.add("wide block", groups * blocks)
        _widened(to, at, edge, wide, lanes, groups * blocks, times)
        if lanes == 1:
            _one_lane(to, at, wide, blocks)
            continue
        calls = [wide.elements] if wide.whole else list(wide.parts()) * wide.rows
        to.add("wide call", groups * blocks * -(-filters // wide.together(lanes)) * len(calls))
        to.add(f"{lanes} filter", groups * blocks * filters)
        to.add("wide part", groups * blocks * filters * (len(calls) - 1))
        for count in calls:
            to.add(f"{lanes} quad", groups * blocks * filters * -(-count // 4))
            to.add("wide turn", groups * blocks * filters * -(-count // 16))
        if not wide.in_bytes:
            to.add(f"{lanes} kept", groups * blocks * filters)
            to.add("kept long output", groups * blocks * filters * lanes * at.narrow)
            to.add("kept slow output", 0 if at.narrow else blocks * lanes * at.slow_channels)
    if wide.copies and wide.whole and wide.elements != wide.depth:
        gather_all(to, at, edge, wide.depth, groups)
    elif wide.copies and wide.whole:
        outside = [
            (span, pixels * groups) for span, pixels in at.spans().items() if not edge.rows_inside or not span[1]
        ]
        gather_windows(to, at, edge, wide.depth, outside)
    return to


def conv(at: Geometry, edge: Edge) -> Counts:
    """`kernels/dsp/conv.c`."""
    wide = _Wide(at, edge)
    if wide.most:
        return _conv_wide(at, edge, wide)
    to = Counts()
    to.add("step", 1)
    to.add("window row", sum(at.kernel[:1]))
    one_run = edge.apart or wide.groups == 1
    to.add("group", wide.groups * (1 if one_run else wide.width))
    in_pairs = wide.filters % 2 == 0 and one_run and (edge.apart or edge.together > 1)
    for span, pixels in at.spans().items():
        window = _Window(at, edge, span, wide.depth)
        pairs = pixels // 2 if in_pairs and span == (0, at.kernel[1]) and window.part_bytes >= 4 else 0
        _two_pixels(to, at, window, wide.filters, wide.groups * pairs)
        _one_pixel(to, at, window, wide.filters, wide.groups * (pixels - 2 * pairs))
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
    to.add("four of 3" if columns == 3 else "four", fours * runs)
    to.add("widen row of 3" if columns == 3 else "widen row", fours * runs * edge.rows_inside)
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
        sides = sum(pixels for span, pixels in at.spans().items() if span in ((0, 2), (1, 3)))
        to.add("side of 3", fours * sides)
        to.add("side of 3 row", fours * sides * rows)
        to.add("outer 3", fours * (outer - sides))
        to.add("outer 3 row", fours * (outer - sides) * rows)
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
    fast = plain and at.kind != OpKind.SUB and not at.narrow and at.number("left_shift") == 20
    kind = "fast" if fast else "plain" if plain else "any"
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
