"""Which bytes does each tensor live in, and how does each row op see them?

A storage is what is cut into pieces: rows that are produced, kept and freed on their own. Several tensors can be windows
onto one storage. A RESHAPE's output is its input's bytes. A CONCATENATION's input may be some channels (or columns, or
rows) of the concatenation's storage, when its producer writes straight into place:

    storage of a concatenation along channels      row 0   [ a a b b b | a a b b b | ... ]   a pixel: 2 + 3 channels
    window of input b      `offset_bytes` into each row          ^^^^^
                           `pixel_stride_bytes` from pixel to pixel      (5 bytes)
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
    """Tensor `tensor` is some bytes of tensor `of`, or all of them.

    `of` is seen as rows of `row_bytes`. The bytes start at `first_row`, `offset_bytes` into each row. `pixel_stride_bytes`
    is 0 when whole rows are taken, else the distance between pixels inside `of`.
    """

    tensor: int
    of: int
    first_row: int = 0
    offset_bytes: int = 0
    pixel_stride_bytes: int = 0
    row_bytes: int = 0
    """0 when it is all of `of`. The rows of the two may then differ."""


@dataclass(frozen=True, slots=True)
class Storage:
    """`rows` pieces of `row_bytes` bytes; `tensors` are the tensors that are windows onto it."""

    index: int
    rows: int
    row_bytes: int
    tensors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StorageView:
    """How an op sees a storage: the fields of the program's view record.

    `whole_rows`: the op reads or writes all bytes of each row, with no gaps between pixels.
    """

    storage: int
    first_row: int
    shape: RowShape
    pixel_stride_bytes: int
    offset_bytes: int = 0
    whole_rows: bool = True


@dataclass(frozen=True, slots=True)
class StorageMap:
    """Where every activation tensor lives.

    `storage_of`: tensor -> index of its storage. `windows`: tensor -> its alias onto the tensor that the storage was made
    for (its root).
    """

    graph: Graph
    storages: tuple[Storage, ...]
    storage_of: Mapping[int, int]
    windows: Mapping[int, Alias]

    def view(self, tensor: int, shape: RowShape) -> StorageView:
        """How an op that wants `tensor` as `shape` sees its storage.

        Raises Refusal when the op's rows are not whole pieces.
        """
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
        """How a row op sees the storage that it writes."""
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
    """The alias of `tensor` onto its root, through any chain of aliases. A root is its own alias."""
    window = Alias(tensor, tensor)
    while window.of in aliases:
        window = _through(window, aliases[window.of])
    return window


def _through(window: Alias, outer: Alias) -> Alias:
    """`window`, which is onto `outer.tensor`, as a window onto `outer.of`."""
    if not outer.row_bytes:
        return replace(window, of=outer.of)
    if not window.row_bytes:
        return replace(outer, tensor=window.tensor)
    if outer.pixel_stride_bytes:
        # Rows stay rows. The pixels before the window lie further apart in `outer.of`, which has more channels.
        stride = window.pixel_stride_bytes
        pixels, rest = divmod(window.offset_bytes, stride) if stride else (0, 0)
        offset = pixels * outer.pixel_stride_bytes + rest + outer.offset_bytes
        return replace(outer, tensor=window.tensor, first_row=window.first_row + outer.first_row, offset_bytes=offset)
    before = outer.first_row * outer.row_bytes
    row_bytes = gcd(before, window.row_bytes)
    first_row = (before + window.first_row * window.row_bytes) // row_bytes
    return replace(window, of=outer.of, first_row=first_row, row_bytes=row_bytes)


def map_storages(
    graph: Graph, row_ops: Sequence[RowOp], aliases: Mapping[int, Alias], whole: Iterable[int]
) -> StorageMap:
    """The storages of all activation tensors: those that `row_ops` touch, and `whole`, those that TFLM itself sees.

    A storage has the rows of the row op that writes it. Where no row op does (a graph input, a stock operator's output),
    it has the finest rows that any reader wants.
    """
    written: dict[int, int] = {}
    wanted: dict[int, list[int]] = {}
    seen: dict[int, None] = {}
    for op in row_ops:
        seen.setdefault(op.output)
        root = resolve(op.output, aliases).of
        written[root] = (op.rows_of_call if op.emits else row_shape(graph.tensors[root])).row_bytes
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
            row_bytes = written[root]
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
    """The window counted in rows of `row_bytes`; unchanged when it takes parts of rows or starts inside such a row."""
    before = window.first_row * window.row_bytes
    if not window.row_bytes or window.pixel_stride_bytes or before % row_bytes:
        return window
    return replace(window, first_row=before // row_bytes, row_bytes=row_bytes)
