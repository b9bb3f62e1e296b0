"""How an op sees a storage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """Rows [first_row, first_row + row_count) of a storage, each of `column_count` pixels of `channel_count` elements."""

    storage: int
    first_row: int
    row_count: int
    column_count: int
    channel_count: int
    pixel_stride_bytes: int
    offset_bytes: int = 0
    element_bytes: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(rows, columns, channels)."""
        return self.row_count, self.column_count, self.channel_count

    @property
    def pixels(self) -> int:
        return self.row_count * self.column_count

    @property
    def elements(self) -> int:
        """Elements of all rows together."""
        return self.pixels * self.channel_count
