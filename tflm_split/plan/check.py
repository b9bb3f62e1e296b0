"""Is a layout sound? Shares no code with the makers and always runs."""

from __future__ import annotations

from collections.abc import Sequence

from tflm_split.errors import InternalError
from tflm_split.plan.problem import Body, Layout


def check_layout(bodies: Sequence[Body], layout: Layout) -> None:
    """Raises InternalError if two spans share a byte at one time, or an address is negative, misaligned or too high."""
    if len(layout.addresses) != len(bodies):
        raise InternalError(f"a layout of {len(layout.addresses)} addresses for {len(bodies)} bodies")
    events: list[tuple[int, int, int, int, int]] = []
    for b, (body, address) in enumerate(zip(bodies, layout.addresses, strict=True)):
        if address < 0 or address % body.align:
            raise InternalError(f"body {b} lies at {address}, which is not a multiple of {body.align}")
        for span in body.spans:
            low = address + span.offset
            if span.offset < 0 or low + span.bytes > layout.head_bytes:
                raise InternalError(f"body {b} ends at {low + span.bytes}, past the head of {layout.head_bytes} B")
            if span.start < span.stop and span.bytes:
                events.append((span.start, 1, low, low + span.bytes, b))
                events.append((span.stop, 0, low, low + span.bytes, b))
    # sweep over time; ends come before starts of the same step (half-open)
    alive: dict[tuple[int, int], int] = {}
    for time, begins, low, high, b in sorted(events):
        if not begins:
            del alive[low, high]
            continue
        for (other_low, other_high), other in alive.items():
            if low < other_high and other_low < high:
                raise InternalError(f"bodies {b} and {other} share bytes at step {time}")
        alive[low, high] = b
