"""Which byte of which row is this? Tags: a number for every byte that a program's rows and accumulators ever hold."""

from __future__ import annotations

from bisect import bisect_right

from tflm_split.program.types import Op, Program
from tflm_split.verify import known

NOTHING = -1
"""The tag of a byte that holds nothing a step may read."""


class Tags:
    """Bytes of all storages one after the other, row after row; then those of the accumulators, each op's own.

        storage 0               storage 1         accumulator of op 3
        row 0 | row 1 | row 2 | row 0 | row 1 |   row 0 ...
        0 ------------------------------------------------> tags

    Ops that share sums have tags each: sums bear the tags of the op that added to them last.
    """

    def __init__(self, program: Program) -> None:
        self._storages = program.storages
        self._first: list[int] = []
        self._names: list[str] = []
        self._accumulators: dict[int, int] = {}
        self._end = 0
        for s, storage in enumerate(program.storages):
            self._add(f"storage {s}", storage.row_count * storage.row_bytes)
        for k, op in enumerate(program.ops):
            if op.accumulator is not None:
                self._accumulators[k] = self._end
                self._add(f"the accumulator of op {k}", _accumulator_bytes(program, op))

    def _add(self, name: str, size: int) -> None:
        self._first.append(self._end)
        self._names.append(name)
        self._end += size

    def of_row(self, storage: int, row: int) -> int:
        """The tag of the row's first byte."""
        return self._first[storage] + row * self._storages[storage].row_bytes

    def of_accumulator(self, op: int, row_start: int) -> int:
        """The tag of byte `row_start` of the op's accumulator."""
        return self._accumulators[op] + row_start

    def storage_of(self, tag: int) -> int | None:
        """The storage that the byte belongs to; None for nothing and for accumulators."""
        number = self._owner(tag)
        return number if 0 <= number < len(self._storages) else None

    def describe(self, tag: int) -> str:
        number = self._owner(tag)
        if number < 0:
            return "nothing"
        distance = tag - self._first[number]
        if number >= len(self._storages):
            return f"byte {distance} of {self._names[number]}"
        row, byte = divmod(distance, self._storages[number].row_bytes)
        return f"byte {byte} of row {row} of {self._names[number]}"

    def _owner(self, tag: int) -> int:
        """The number of the storage or accumulator; -1 for nothing."""
        return bisect_right(self._first, tag) - 1


def _accumulator_bytes(program: Program, op: Op) -> int:
    """Shared sums have a row per output row, a feed's accumulator has one."""
    assert op.accumulator is not None
    storage = program.storages[program.views[op.accumulator].storage]
    return storage.row_bytes * (storage.row_count if known.of(op.kind).sums else 1)
