"""A packing problem as a CSV file, one body per line, so that planners can be compared without a model.

    body,align,spans,may_overlap
    0,16,0:3:0:8 0:5:8:8,            two spans: alive in steps [0, 3) at bytes [0, 8), and in [0, 5) at [8, 16)
    1,4,2:6:0:12,0:4                 may overlap body 0 from 4 bytes below it on (`Leeway`)

A span is start:stop:offset:bytes. An overlap is body:distance, or body:distance:instructions:free_from_bytes where it slows
the device down.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from tflm_split.errors import InputError
from tflm_split.plan.problem import Body, Leeway, Span

HEADER = ("body", "align", "spans", "may_overlap")


def problem_csv(bodies: Sequence[Body], leeways: Sequence[Leeway] = ()) -> str:
    """The problem as text."""
    of_written: list[list[str]] = [[] for _ in bodies]
    for x in leeways:
        price = f":{x.instructions!r}:{x.free_from_bytes}" if x.instructions else ""
        of_written[x.written].append(f"{x.read}:{x.distance_bytes}{price}")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for b, body in enumerate(bodies):
        spans = " ".join(f"{s.start}:{s.stop}:{s.offset}:{s.bytes}" for s in body.spans)
        writer.writerow((b, body.align, spans, " ".join(of_written[b])))
    return text.getvalue()


def parse_problem(text: str) -> tuple[tuple[Body, ...], tuple[Leeway, ...]]:
    """The bodies and leeways of such a text. Raises InputError, which names the line, if it is none."""
    rows = list(csv.reader(io.StringIO(text)))
    if not rows or tuple(rows[0]) != HEADER:
        raise InputError(f"line 1: is no packing problem: it needs the header {','.join(HEADER)}")
    bodies: list[Body] = []
    leeways: list[Leeway] = []
    for line, row in enumerate(rows[1:], 2):
        try:
            number, align, spans, overlaps = row
            if int(number) != len(bodies) or int(align) < 1:
                raise ValueError
            bodies.append(Body(tuple(_span(word) for word in spans.split()), int(align)))
            leeways += [_leeway(len(bodies) - 1, word) for word in overlaps.split()]
        except ValueError as fault:
            raise InputError(f"line {line}: is no body: {','.join(row)}") from fault
    for x in leeways:
        if not 0 <= x.read < len(bodies):
            raise InputError(f"line {x.written + 2}: may overlap body {x.read}, which does not exist")
    return tuple(bodies), tuple(leeways)


def _span(word: str) -> Span:
    start, stop, offset, bytes_ = map(int, word.split(":"))
    if not (0 <= start <= stop and offset >= 0 and bytes_ >= 0):
        raise ValueError(word)
    return Span(start, stop, offset, bytes_)


def _leeway(written: int, word: str) -> Leeway:
    read, distance, *price = word.split(":")
    if int(distance) < 0 or len(price) not in (0, 2):
        raise ValueError(word)
    if not price:
        return Leeway(int(read), written, int(distance), free_from_bytes=int(distance))
    return Leeway(int(read), written, int(distance), float(price[0]), int(price[1]))
