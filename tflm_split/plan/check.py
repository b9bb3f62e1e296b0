"""Is a layout sound? Shares no code with the makers and always runs."""

from __future__ import annotations

from collections.abc import Sequence

from tflm_split.errors import InternalError
from tflm_split.plan.problem import Body, Layout, Leeway


def check_layout(bodies: Sequence[Body], layout: Layout, leeways: Sequence[Leeway] = ()) -> None:
    """Raises InternalError if two spans share a byte at one time, or an address is negative, misaligned or too high.

    Two bodies may share bytes where a leeway says so: in the one step in which both live, at the distance it asks for.
    """
    if len(layout.addresses) != len(bodies):
        raise InternalError(f"a layout of {len(layout.addresses)} addresses for {len(bodies)} bodies")
    distances = {(leeway.read, leeway.written): leeway.distance_bytes for leeway in leeways}
    events: list[tuple[int, int, int, int, int, int]] = []
    for b, (body, address) in enumerate(zip(bodies, layout.addresses, strict=True)):
        if address < 0 or address % body.align:
            raise InternalError(f"body {b} lies at {address}, which is not a multiple of {body.align}")
        for number, span in enumerate(body.spans):
            low = address + span.offset
            if span.offset < 0 or low + span.bytes > layout.head_bytes:
                raise InternalError(f"body {b} ends at {low + span.bytes}, past the head of {layout.head_bytes} B")
            if span.start < span.stop and span.bytes:
                events.append((span.start, 1, low, low + span.bytes, b, number))
                events.append((span.stop, 0, low, low + span.bytes, b, number))
    # sweep over time; ends come before starts of the same step (half-open)
    alive: dict[tuple[int, int], tuple[int, int]] = {}
    for time, begins, low, high, b, number in sorted(events):
        if not begins:
            del alive[b, number]
            continue
        for (other, _), (other_low, other_high) in alive.items():
            if low < other_high and other_low < high:
                read, written = (other, b) if (other, b) in distances else (b, other)
                if (read, written) not in distances:
                    raise InternalError(f"bodies {b} and {other} share bytes at step {time}")
                below = layout.addresses[read] - layout.addresses[written]
                distance = distances[read, written]
                if below < distance or (distance == 0 and below != 0):
                    raise InternalError(
                        f"body {written} lies {below} bytes below body {read} at step {time}, needs {distance}"
                    )
                if bodies[read].stop != time + 1 or bodies[written].start != time:
                    raise InternalError(f"bodies {written} and {read} share bytes in more than step {time}")
        alive[b, number] = low, high
