"""Does every table, vector and string of this file lie inside it, and is their number reasonable?

This is checked before the object API expands anything. The Python bindings follow offsets blindly (a negative one even
wraps around), cut strings off silently, and would build millions of objects from a few hostile kilobytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

import numpy as np

from tflm_split.errors import ModelError
from tflm_split.tflite import schema

MAX_TABLES = 200_000
"""The most tables of a file; one with more is refused as damaged. The largest models we know have a few thousand."""

BINDINGS_ERRORS = (struct.error, LookupError, ValueError, TypeError, ArithmeticError, AttributeError, MemoryError)
"""The exceptions that the generated bindings raise for damaged bytes."""

_UNIONS = {
    "BuiltinOptions": "BuiltinOptions",
    "BuiltinOptions2": "BuiltinOptions2",
    "Details": "QuantizationDetails",
    "ArraySegments": "SparseIndexVector",
    "ArrayIndices": "SparseIndexVector",
}


def used_bytes(data: bytes) -> int:
    """How many bytes of `data` the flatbuffer takes. An appended zip archive lies behind them.

    Raises ModelError in three cases: a table, vector or string leaves the file; a union holds a member that the schema
    does not know (it would be lost on writing); shared offsets would expand to far more than the file's own size.
    """
    try:
        return _Walk(data).run()
    except BINDINGS_ERRORS as error:
        raise ModelError("is damaged or cut off: an offset inside it points outside the file") from error


class _Strict(bytes):
    """Bytes that refuse slices beyond their end and remember how far slices reached. The bindings slice to read strings."""

    reached = 0

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice) and key.stop is not None:
            if key.stop > len(self):
                raise IndexError(f"slice ends at {key.stop} of {len(self)} bytes")
            self.reached = max(self.reached, key.stop)
        return super().__getitem__(key)


class _Walk:
    """A walk over the lazy accessors, with an explicit stack and a budget of tables and bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = _Strict(data)
        self.address = _address(np.frombuffer(self.data, np.uint8))
        self.end = 0
        self.tables_left = min(MAX_TABLES, len(data) // 4 + 64)
        self.bytes_left = 16 * len(data) + 65_536

    def run(self) -> int:
        pending = [schema.root(self.data)]
        while pending:
            accessor = pending.pop()
            self._check_table(accessor._tab.Pos)
            for visit in _visits(type(accessor).__name__):
                pending.extend(visit(self, accessor))
        return max(self.end, self.data.reached)

    def _check_table(self, position: int) -> None:
        """Refuse a table that, like its vtable, does not lie inside the file, or whose fields do not lie inside it."""
        (distance,) = struct.unpack_from("<i", self.data, position)
        vtable = position - distance
        if not 0 <= vtable <= len(self.data) - 4:
            raise IndexError("vtable outside the file")
        vtable_bytes, table_bytes = struct.unpack_from("<HH", self.data, vtable)
        if vtable_bytes < 4 or vtable_bytes % 2 or table_bytes < 4:
            raise ValueError("impossible vtable")
        slots = struct.unpack_from(f"<{(vtable_bytes - 4) // 2}H", self.data, vtable + 4)
        if any(slot >= table_bytes for slot in slots):
            raise ValueError("field outside its table")
        self._mark(vtable + vtable_bytes)
        self._mark(position + table_bytes)

    def _mark(self, end: int) -> None:
        if end > len(self.data):
            raise IndexError("past the end of the file")
        self.end = max(self.end, end)

    def _charge(self, payload_bytes: int) -> None:
        self.bytes_left -= payload_bytes
        if self.bytes_left < 0:
            raise ModelError("is damaged: its vectors and strings overlap far more than its size allows")

    def numbers(self, array: Any) -> None:
        """Check a vector of numbers. The bindings give a view into the file, or the integer 0 for an absent vector."""
        if isinstance(array, int):
            return
        self._charge(array.nbytes)
        if array.size:
            self._mark(_address(array) - self.address + array.nbytes)

    def values(self, values: Iterable[Any]) -> Iterator[Any]:
        """The tables among `values`. Each table and each string is charged to the budget."""
        for value in values:
            if isinstance(value, bytes):
                self._charge(len(value))
            elif value is not None:
                self.tables_left -= 1
                if self.tables_left < 0:
                    raise ModelError("is damaged: its tables refer to each other far more often than its size allows")
                yield value


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


_Visit = Callable[[_Walk, Any], Iterator[Any]]


@cache
def _visits(table: str) -> tuple[_Visit, ...]:
    """One visit per field of this kind of table that lies behind an offset.

    The object API tells which fields these are: their default is None. The generator names all accessors by one rule.
    """
    accessor = getattr(schema.bindings(), table)
    fields = vars(schema.new(f"{table}T"))
    return tuple(_visit(accessor, k[0].upper() + k[1:]) for k, default in fields.items() if default is None)


def _visit(accessor: type, name: str) -> _Visit:
    def numbers(walk: _Walk, at: Any) -> Iterator[Any]:
        walk.numbers(getattr(at, f"{name}AsNumpy")())
        return iter(())

    def elements(walk: _Walk, at: Any) -> Iterator[Any]:
        count = getattr(at, f"{name}Length")()
        if count > len(walk.data) // 4:
            raise ValueError("more elements than the file has room for")
        return walk.values(getattr(at, name)(i) for i in range(count))

    def union(walk: _Walk, at: Any) -> Iterator[Any]:
        return walk.values(_member(_UNIONS[name], getattr(at, f"{name}Type")(), getattr(at, name)()))

    def single(walk: _Walk, at: Any) -> Iterator[Any]:
        return walk.values((getattr(at, name)(),))

    if hasattr(accessor, f"{name}AsNumpy"):
        return numbers
    if hasattr(accessor, f"{name}Length"):
        return elements
    return union if name in _UNIONS else single


def _member(union: str, kind: int, table: Any) -> Iterator[Any]:
    """The table of a union, as the accessor of its type. Raises ModelError for an unknown type."""
    if table is None:
        return
    name = schema.enum_name(union, kind)
    if name is None or name == "NONE":
        raise ModelError(f"holds {union} number {kind}, which the TFLite schema of this package does not know")
    member = getattr(schema.bindings(), name)()
    member.Init(table.Bytes, table.Pos)
    yield member
