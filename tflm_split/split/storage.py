"""Which bytes does each tensor live in, and how does each row op see them?

A storage is what gets cut into pieces: rows that are produced, kept and freed on their own. Several tensors can be
windows onto one storage: a RESHAPE's output is its input's bytes, and a CONCATENATION's input whose producer writes
straight into place is some channels (or columns, or rows) of the concatenation's storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import gcd

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph
from tflm_split.split.row_op import RowOp
from tflm_split.split.rows import MAX_COUNT, RowShape, row_shape


@dataclass(frozen=True, slots=True)
class Alias:
    """Tensor `tensor` is bytes of tensor `of`: all of them, or, when `of` is seen as rows of `row_bytes`, some.

    Those lie from `first_row` on and `offset_bytes` into each row. `pixel_stride_bytes` is 0 when whole rows are taken,
    else the distance between pixels inside `of`.
    """

    tensor: int
    of: int
    first_row: int = 0
    offset_bytes: int = 0
    pixel_stride_bytes: int = 0
    row_bytes: int = 0
    """0 when it is all of `of`, whose rows may then differ from its own."""


@dataclass(frozen=True, slots=True)
class Storage:
    """`rows` pieces of `row_bytes` bytes; `tensors` are its windows."""

    index: int
    rows: int
    row_bytes: int
    tensors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StorageView:
    """An op's window onto a storage; the fields of the program's view record."""

    storage: int
    first_row: int
    shape: RowShape
    pixel_stride_bytes: int
    offset_bytes: int = 0
    whole_rows: bool = True


@dataclass(frozen=True, slots=True)
class StorageMap:
    """Where every activation tensor lives: `storage_of[t]`, and `windows[t]`, the alias from t to its storage's root."""

    graph: Graph
    storages: tuple[Storage, ...]
    storage_of: Mapping[int, int]
    windows: Mapping[int, Alias]

    def view(self, tensor: int, shape: RowShape) -> StorageView:
        """How an op that wants `tensor` as `shape` sees it; raises Refusal when its rows are not whole pieces."""
        storage = self.storages[self.storage_of[tensor]]
        window = self.windows[tensor]
        if window.row_bytes not in (0, storage.row_bytes):
            raise Refusal(
                "rows", f"its input is a slice of rows of {window.row_bytes} B, cut into rows of {storage.row_bytes} B"
            )
        if window.pixel_stride_bytes:
            if shape != row_shape(self.graph.tensors[tensor]):
                raise Refusal("rows", "its input is a slice of a concatenation and cannot be reshaped in place")
            return StorageView(
                storage.index, window.first_row, shape, window.pixel_stride_bytes, window.offset_bytes, False
            )
        if shape.row_bytes != storage.row_bytes:
            raise Refusal("rows", f"its input is cut into rows of {storage.row_bytes} B, it needs {shape.row_bytes} B")
        return StorageView(storage.index, window.first_row, shape, shape.pixel_bytes)

    def output_view(self, op: RowOp) -> StorageView:
        """Where a row op writes."""
        window, placement = self.windows[op.output], op.placement
        partial = window.pixel_stride_bytes or op.output_pixel_stride_bytes
        return StorageView(
            self.storage_of[op.output],
            window.first_row + placement.first_row,
            op.output_shape,
            partial or op.output_shape.pixel_bytes,
            window.offset_bytes + placement.offset_bytes,
            not partial,
        )

    def rows_of(self, tensor: int) -> range:
        """The rows of its storage that tensor `tensor` covers."""
        storage = self.storages[self.storage_of[tensor]]
        window = self.windows[tensor]
        if window.pixel_stride_bytes:
            rows = row_shape(self.graph.tensors[tensor]).rows
        else:
            rows = self.graph.tensors[tensor].bytes // storage.row_bytes
        return range(window.first_row, window.first_row + rows)


def resolve(tensor: int, aliases: Mapping[int, Alias]) -> Alias:
    """The alias of `tensor` straight to its root (itself, when it is one), chains followed."""
    found = Alias(tensor, tensor)
    while found.of in aliases:
        found = _through(found, aliases[found.of])
    return found


def _through(found: Alias, step: Alias) -> Alias:
    """`found`, a window onto `step.tensor`, as a window onto `step.of`."""
    if not step.row_bytes:
        return replace(found, of=step.of)
    if not found.row_bytes:
        return replace(step, tensor=found.tensor)
    if step.pixel_stride_bytes:
        # Row for row; the pixels before it lie further apart in a tensor of more channels.
        stride = found.pixel_stride_bytes
        pixels, rest = divmod(found.offset_bytes, stride) if stride else (0, 0)
        offset = pixels * step.pixel_stride_bytes + rest + step.offset_bytes
        return replace(step, tensor=found.tensor, first_row=found.first_row + step.first_row, offset_bytes=offset)
    before = step.first_row * step.row_bytes
    row_bytes = gcd(before, found.row_bytes)
    first_row = (before + found.first_row * found.row_bytes) // row_bytes
    return replace(found, of=step.of, first_row=first_row, row_bytes=row_bytes)


def map_storages(
    graph: Graph, row_ops: Sequence[RowOp], aliases: Mapping[int, Alias], whole: Iterable[int]
) -> StorageMap:
    """Storages of all activation tensors that `row_ops` or, uncut, stock operators and the interface (`whole`) touch.

    A storage takes the rows of the row op that writes it; without one (a graph input, a stock operator's output), the
    finest rows any reader wants.
    """
    written: set[int] = set()
    wanted: dict[int, list[int]] = {}
    seen: dict[int, None] = {}
    for op in row_ops:
        seen.setdefault(op.output)
        written.add(resolve(op.output, aliases).of)
        for read in op.reads:
            if graph.tensors[read.tensor].is_constant:
                continue
            seen.setdefault(read.tensor)
            source = resolve(read.tensor, aliases)
            wanted.setdefault(source.of, []).append(
                source.row_bytes if source.pixel_stride_bytes else read.shape.row_bytes
            )
    for tensor in whole:
        seen.setdefault(tensor)
    windows_of: dict[int, list[int]] = {}
    for tensor in seen:
        windows_of.setdefault(resolve(tensor, aliases).of, []).append(tensor)
    storages: list[Storage] = []
    storage_of: dict[int, int] = {}
    windows: dict[int, Alias] = {}
    for root, tensors in windows_of.items():
        total_bytes = graph.tensors[root].bytes
        if root in written:
            row_bytes = row_shape(graph.tensors[root]).row_bytes
        else:
            row_bytes = min(wanted.get(root, [total_bytes]))
            if row_bytes == 0 or total_bytes % row_bytes or total_bytes // row_bytes > MAX_COUNT:
                row_bytes = total_bytes
        rows = total_bytes // row_bytes if row_bytes else 1
        storages.append(Storage(len(storages), rows, row_bytes, tuple(tensors)))
        for tensor in tensors:
            storage_of[tensor] = storages[-1].index
            windows[tensor] = _in_rows_of(resolve(tensor, aliases), row_bytes)
    return StorageMap(graph, tuple(storages), storage_of, windows)


def _in_rows_of(window: Alias, row_bytes: int) -> Alias:
    """The window counted in rows of `row_bytes`; as it was, when it does not start with such a row or is not made of them."""
    before = window.first_row * window.row_bytes
    if not window.row_bytes or window.pixel_stride_bytes or before % row_bytes:
        return window
    return replace(window, first_row=before // row_bytes, row_bytes=row_bytes)
