"""A program as a value: what `encode` turns into bytes and `decode` gives back.

Same names and units as `format.py`. `constants` are raw bytes; a parameter that is a blob offset in the bytes
(`weights_offset`) is the constant's index in `Program.constants` here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from tflm_split.kinds import OpKind
from tflm_split.kinds.limits import TABLE16_UNIT
from tflm_split.kinds.view import View as View
from tflm_split.program.format import MOVES_BIT, NO_ADDRESS16, StorageKind


@dataclass(frozen=True, slots=True)
class Io:
    """One input or output tensor of the region: a byte range of the workspace."""

    address: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Storage:
    """`addresses[r]` is row r's byte offset into the workspace, or None if no step ever writes or reads that row.

    A constant storage has `constant`, the index of its bytes, and no addresses.
    """

    row_bytes: int
    row_count: int
    addresses: tuple[int | None, ...] = ()
    constant: int | None = None

    @property
    def kind(self) -> StorageKind:
        """The cheapest encoding that holds these addresses."""
        if self.constant is not None:
            return StorageKind.CONSTANT
        known = [(r, a) for r, a in enumerate(self.addresses) if a is not None]
        if not known:
            return StorageKind.AFFINE
        row0, first = known[0]
        origin = first - row0 * self.row_bytes
        if origin >= 0 and all(a == origin + r * self.row_bytes for r, a in known):
            return StorageKind.AFFINE
        if all(a % TABLE16_UNIT == 0 and a < TABLE16_UNIT * NO_ADDRESS16 for _, a in known):
            return StorageKind.TABLE16
        return StorageKind.TABLE32


@dataclass(frozen=True, slots=True)
class Op:
    """`params` holds the record's fields by name; `*_offset` fields are indices into `Program.constants` instead.

    `source` names the model operator it came from, for printing; it is not encoded.
    """

    kind: OpKind
    output: int
    input: int
    params: Mapping[str, int | float]
    input2: int | None = None
    accumulator: int | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Compute row `row` of the op's output view; for `SUM_FEED` and `DENSE_FEED`: take in row `row` of its input view."""

    op: int
    row: int


@dataclass(frozen=True, slots=True)
class Move:
    """Before step `step`, row `row` of storage `storage` is copied to `address`, where it is from then on."""

    step: int
    storage: int
    row: int
    address: int


def first_moves(moves: Sequence[Move], storage: int, rows: int) -> list[int]:
    """By row of a storage: how many of all moves come before its first, in the order of storages and rows; one row more."""
    before = sum(m.storage < storage for m in moves)
    of_row = Counter(m.row for m in moves if m.storage == storage)
    return list(accumulate((of_row[row] for row in range(rows)), initial=before))


@dataclass(frozen=True, slots=True)
class Program:
    """`moves` in the order in which they are carried out, so by step."""

    workspace_bytes: int
    inputs: tuple[Io, ...]
    outputs: tuple[Io, ...]
    storages: tuple[Storage, ...]
    views: tuple[View, ...]
    ops: tuple[Op, ...]
    steps: tuple[Step, ...]
    constants: tuple[bytes, ...] = field(default=(), repr=False)
    moves: tuple[Move, ...] = ()

    @property
    def moved_storages(self) -> frozenset[int]:
        """Storages with rows that move."""
        return frozenset(move.storage for move in self.moves)

    def addresses_by_step(self) -> Iterator[list[list[int | None]]]:
        """Where the rows of all storages are in each step; one value, changed from step to step."""
        now = [list(storage.addresses) for storage in self.storages]
        moves = iter(self.moves)
        move = next(moves, None)
        for step in range(len(self.steps)):
            while move and move.step <= step:
                now[move.storage][move.row] = move.address
                move = next(moves, None)
            yield now

    @property
    def kinds_mask(self) -> int:
        """`SPLIT_NN_KINDS` of a build that runs nothing but this program: bit k is op kind k."""
        return sum({1 << op.kind for op in self.ops}) + (1 << MOVES_BIT if self.moves else 0)
