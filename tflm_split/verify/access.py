"""Which bytes of memory does a step touch? A row as a view shows it, and that row at an address."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tflm_split.program.types import View

Int64s = npt.NDArray[np.int64]


class Layout:
    """The bytes of one row that a view shows, in column, channel order; `end` is past the last of them."""

    def __init__(self, view: View) -> None:
        pixel = np.arange(view.channel_count * view.element_bytes, dtype=np.int64)
        starts = np.arange(view.column_count, dtype=np.int64) * view.pixel_stride_bytes + view.offset_bytes
        self.offsets: Int64s = (starts[:, None] + pixel[None, :]).reshape(-1)
        self.columns: Int64s = np.repeat(np.arange(view.column_count, dtype=np.int64), len(pixel))
        self.start, self.end = int(self.offsets[0]), int(self.offsets[-1]) + 1
        self.contiguous = self.end - self.start == len(self.offsets)


@dataclass(frozen=True, slots=True)
class Access:
    """One row of a view in the workspace: its first address, its layout, and the tag of the row's byte 0."""

    view: View
    layout: Layout
    row: int
    address: int
    tag: int

    @property
    def span(self) -> tuple[int, int]:
        return self.address + self.layout.start, self.address + self.layout.end

    def index(self) -> slice | Int64s:
        if self.layout.contiguous:
            return slice(*self.span)
        return self.layout.offsets + self.address

    def overlaps(self, other: Access) -> bool:
        (a, b), (c, d) = self.span, other.span
        return a < d and c < b
