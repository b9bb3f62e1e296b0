"""How does a fixed-size record lie in a program's bytes?

A record is a little-endian struct of naturally aligned fields, without hidden padding. Its size is a multiple of 4.
`generate.py` writes the same struct for C.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_CODES = {"uint8_t": "B", "int8_t": "b", "uint16_t": "H", "int16_t": "h", "uint32_t": "I", "int32_t": "i", "float": "f"}


@dataclass(frozen=True, slots=True)
class Field:
    """One scalar of a record: name, C type and meaning. `range` is (smallest, largest); None allows all of its type."""

    name: str
    ctype: str
    comment: str = ""
    range: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Fields that several records have in common. In C they are a struct of their own, and member `name` of each record."""

    name: str
    record: Record


@dataclass(frozen=True, slots=True)
class Record:
    """A struct: `name` in C, what it is for, and its members in order."""

    name: str
    doc: str
    members: tuple[Field | Block, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its scalars in order, including those of its blocks. All names differ."""
        return tuple(f for m in self.members for f in (m.record.fields if isinstance(m, Block) else (m,)))

    @property
    def layout(self) -> struct.Struct:
        return struct.Struct("<" + "".join(_CODES[f.ctype] for f in self.fields))

    @property
    def size_bytes(self) -> int:
        return self.layout.size

    def offset_of(self, name: str) -> int:
        """The byte at which field `name` starts."""
        before = [f.ctype for f in self.fields[: [f.name for f in self.fields].index(name)]]
        return struct.calcsize("<" + "".join(map(_CODES.__getitem__, before)))

    def pack(self, **values: int | float) -> bytes:
        """The record's bytes. Raises KeyError unless every field is given, struct.error when a value does not fit."""
        if values.keys() != {f.name for f in self.fields}:
            raise KeyError(f"{self.name}: {sorted(values.keys() ^ {f.name for f in self.fields})}")
        return self.layout.pack(*(values[f.name] for f in self.fields))

    def unpack(self, blob: bytes, offset: int) -> dict[str, int | float]:
        """The record at `offset`: field -> value. Raises struct.error when it does not lie inside `blob`."""
        values = self.layout.unpack_from(blob, offset)
        return {f.name: v for f, v in zip(self.fields, values, strict=True)}
