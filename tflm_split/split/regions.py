"""Which operators can be cut into rows, given their neighbours, and which tensors share bytes?

The answer is a `Split`: row ops for what is covered, refusals for what stays a stock operator, and the storages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from tflm_split import kinds
from tflm_split.errors import Refusal
from tflm_split.ir.graph import ABSENT, Graph, Operator
from tflm_split.split.channel_groups import group_channels
from tflm_split.split.channel_rules import ChannelRules, Sizes
from tflm_split.split.crossing import may_cross
from tflm_split.split.operators import is_reshape, split_operator
from tflm_split.split.operators.dense import fed_dense, is_dense
from tflm_split.split.operators.slices import SLICES, slice_aliases
from tflm_split.split.row_op import Read, RowOp
from tflm_split.split.rows import RowShape, row_shape
from tflm_split.split.storage import Alias, StorageMap, map_storages

MAX_STEPS = 28_672
"""The most steps of all operators together. Planning more takes minutes. The largest model we know has less than 6,000."""
MAX_STEPS_TIMES_OPERATORS = 6_000_000
"""The largest product of steps and operators: the time to search for cuts grows with it. No known model has 2,000,000."""


@dataclass(frozen=True, slots=True)
class Split:
    """A graph whose operators are cut as far as possible.

    `stock` are the operators that TFLM runs as before; `refusals` says why. `aliased` operators need no step: their output
    is their input's bytes. All others are in `row_ops`. Operators are given by index.
    """

    graph: Graph
    row_ops: tuple[RowOp, ...]
    stock: frozenset[int]
    aliased: frozenset[int]
    storages: StorageMap
    refusals: Mapping[int, Refusal]
    part_of: Mapping[int, int]
    """Added tensor -> the tensor of the model of which it is a part (`channel_groups.py`)."""

    @property
    def split_operators(self) -> tuple[int, ...]:
        """The operators of `graph` that do not stay stock."""
        return tuple(k for k in range(len(self.graph.operators)) if k not in self.stock)


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """What may be done when operators are fitted together.

    `concatenate_in_place`: producers write straight into a concatenation. `feed_dense`: a FULLY_CONNECTED takes in its
    input piece by piece. `channel_groups`: tensors to cut along channels, too -> channels of each group. `swap_axes`: in how
    many tiles height and width change places before a window of the whole height (`rewrite/swap_axes.py`); 0 for not at all.
    `samples`: how many samples of the longest signal are a row (`rewrite/fold_signals.py`); 0: one, as in all other tensors.
    """

    concatenate_in_place: bool = False
    feed_dense: bool = True
    channel_groups: Mapping[int, Sizes] = field(default_factory=dict)
    swap_axes: int = 0
    samples: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """What each operator of `graph` becomes by itself. Whether neighbours fit is another matter (`fit`).

    Every operator is in exactly one of `pieces` (row ops), `reshapes`, `slices` and `refusals`.
    """

    graph: Graph
    pieces: Mapping[int, tuple[RowOp, ...]]
    reshapes: frozenset[int]
    slices: Mapping[int, tuple[Alias, ...]]
    refusals: Mapping[int, Refusal]
    rules: ChannelRules = field(init=False, repr=False, compare=False)
    """What can be cut along channels."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", ChannelRules(self.graph, self.pieces))


def cut_operators(graph: Graph, before: Cut | None = None) -> Cut:
    """What does every operator become, before anybody looks at its neighbours?

    Operators of `before`, a graph that was cut already and then rewritten into this one, become what they did there.
    """
    refusals: dict[int, Refusal] = {}
    pieces: dict[int, tuple[RowOp, ...]] = {}
    reshapes: set[int] = set()
    slices: dict[int, tuple[Alias, ...]] = {}
    interface_overlap = set(graph.inputs) & set(graph.outputs)
    known = _cut_already(graph, before) if before else {}
    for op in graph.operators:
        if op.index in known:
            pieces[op.index] = known[op.index]
            continue
        try:
            if interface_overlap.intersection(op.inputs):
                raise Refusal("interface", "its input is an input and an output of the model at once")
            if is_reshape(op):
                _check_reshape(graph, op)
                reshapes.add(op.index)
            elif op.kind in SLICES and (windows := _windows(graph, op)):
                slices[op.index] = windows
            else:
                pieces[op.index] = split_operator(graph, op)
        except Refusal as refusal:
            refusals[op.index] = refusal
    _drop_the_tallest(pieces, refusals)
    return Cut(graph, pieces, frozenset(reshapes), slices, refusals)


def _cut_already(graph: Graph, before: Cut) -> dict[int, tuple[RowOp, ...]]:
    """Operator of `graph` -> its row ops, for those that are in `before`, too: with the same operands, of the same shapes."""
    makers = before.graph.producers()
    found = {}
    for op in graph.operators:
        k = makers.get(op.outputs[0]) if op.outputs else None
        if k is None or k not in before.pieces:
            continue
        same = replace(before.graph.operators[k], index=op.index) == op
        tensors = (t for t in (*op.inputs, *op.outputs) if t != ABSENT)
        if same and all(graph.tensors[t] is before.graph.tensors[t] for t in tensors):
            found[op.index] = tuple(replace(row_op, source=op.index) for row_op in before.pieces[k])
    return found


def split_graph(graph: Graph, options: SplitOptions = SplitOptions()) -> Split:
    """Cut everything that can be cut, and leave out operators until all neighbours fit each other.

    Raises Refusal when `options.channel_groups` asks for what cannot be done.
    """
    return fit(cut_operators(graph), options)


def fit(cut: Cut, options: SplitOptions) -> Split:
    """`split_graph` of operators that are cut already. Saves time when the same graph is split with many options."""
    reshapes, slices, refusals = set(cut.reshapes), dict(cut.slices), dict(cut.refusals)
    grouped = group_channels(cut.graph, cut.pieces, options.channel_groups, cut.rules)
    graph, pieces = grouped.graph, dict(grouped.row_ops)
    if grouped.touched and not _can_be_planned(_steps(pieces), len(pieces)):
        raise Refusal("channels", "groups of channels would make more steps than can be planned")
    while True:
        while True:  # each of the two may drop what the other relied on
            aliased_before = len(reshapes) + len(slices)
            _keep_inner_slices(graph, pieces, reshapes, slices, refusals)
            _keep_inner_reshapes(graph, set(pieces) | set(slices), reshapes, refusals)
            if len(reshapes) + len(slices) == aliased_before:
                break
        if _copy_outer_slices(graph, pieces, reshapes | set(slices), refusals):
            continue
        aliases = _reshape_aliases(graph, reshapes)
        aliases.update({alias.tensor: alias for windows in slices.values() for alias in windows})
        aliases.update(grouped.aliases)
        row_ops = dict(pieces)
        if options.concatenate_in_place:
            _write_concatenations_in_place(graph, row_ops, aliases, reshapes | set(slices))
        flat = [r for k in sorted(row_ops) for r in row_ops[k]]
        covered = set(row_ops) | reshapes | set(slices)
        remembered = [state.before for state in graph.states]  # also where no row op reads it by this name
        storages = map_storages(graph, flat, aliases, (*_whole_tensors(graph, covered), *remembered))
        refused = _misfits(graph, row_ops, storages, options)
        if not refused:
            break
        if grouped.touched & refused.keys():
            raise Refusal("channels", "a slice of channels does not fit the rows of its tensor")
        for k, reason in refused.items():
            refusals[k] = reason
            del pieces[k]
    stock = frozenset(op.index for op in graph.operators if op.index not in covered)
    crossing = may_cross(graph, stock)
    if any(t in crossing for t in options.channel_groups):
        raise Refusal("channels", "a tensor cut along channels would cross from one region into another")
    aliased = frozenset(k for k in covered if not row_ops.get(k))
    made = tuple(r for k in sorted(row_ops) for r in row_ops[k])
    return Split(graph, made, stock, aliased, storages, refusals, grouped.part_of)


def _windows(graph: Graph, op: Operator) -> tuple[Alias, ...]:
    """The slices that `op` takes, as windows onto its input; empty when they are no windows."""
    try:
        return slice_aliases(graph, op)
    except Refusal:
        return ()


def _copy_outer_slices(
    graph: Graph, pieces: dict[int, tuple[RowOp, ...]], aliased: AbstractSet[int], refusals: dict[int, Refusal]
) -> bool:
    """Turn slices that cannot be windows (`_keep_inner_slices`) into copies, where a neighbour is in a region.

    Changes `pieces` and `refusals`. Returns whether any slice became a copy.
    """
    producers, consumers = graph.producers(), graph.consumers()
    outer = [k for k, refusal in refusals.items() if refusal is OUTER_SLICE]
    for k in outer:
        op = graph.operators[k]
        makers = {producers[t] for t in op.inputs if t in producers}
        readers = {c for t in op.outputs for c in consumers.get(t, ())}
        if not (makers | readers) & (set(pieces) | aliased):
            continue
        try:
            pieces[k] = split_operator(graph, op)
            del refusals[k]
        except Refusal as refusal:
            refusals[k] = refusal
    return any(k in pieces for k in outer)


OUTER_SLICE = Refusal("neighbours", "its output is reshaped, or read outside the region")


def _drop_the_tallest(pieces: dict[int, tuple[RowOp, ...]], refusals: dict[int, Refusal]) -> None:
    """Leave the operators with the most steps stock, until the rest can be planned in bounded time and memory."""
    steps = {k: sum(op.steps for op in ops) for k, ops in pieces.items()}
    total = _steps(pieces)
    for k in sorted(steps, key=lambda k: (-steps[k], k)):
        if _can_be_planned(total, len(pieces)):
            return
        total -= steps[k]
        del pieces[k]
        refusals[k] = Refusal("size", f"it would take {steps[k]:,} steps of a model that takes too many")


def _steps(pieces: Mapping[int, tuple[RowOp, ...]]) -> int:
    return sum(op.steps for ops in pieces.values() for op in ops)


def _can_be_planned(steps: int, operators: int) -> bool:
    """Whether so many steps of so many operators can be planned in bounded time and memory."""
    return steps <= MAX_STEPS and steps * operators <= MAX_STEPS_TIMES_OPERATORS


def _check_reshape(graph: Graph, op: Operator) -> None:
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    if source.is_constant or source.is_variable or target.is_variable or source.dtype != target.dtype:
        raise Refusal("constant", "its input is not an activation of the output's type")
    if source.bytes != target.bytes or source.bytes == 0:
        raise Refusal("geometry", "its input and output differ in size")
    if not all(t == ABSENT or graph.tensors[t].is_constant for t in op.inputs[1:] if op.kind != "PACK"):
        raise Refusal("constant", "its shape is computed at run time, needs a constant")


def _keep_inner_reshapes(
    graph: Graph, pieces: AbstractSet[int], reshapes: set[int], refusals: dict[int, Refusal]
) -> None:
    """Drop from `reshapes` those with no neighbour inside a region: only the others are free.

    A chain of reshapes counts as one: its neighbours are what made the bytes at its start, and all that read them at its
    end.
    """
    producers, consumers = graph.producers(), graph.consumers()
    made_here: set[int] = set()
    for k in sorted(reshapes):
        maker = producers.get(graph.operators[k].inputs[0])
        if maker in pieces or maker in made_here:
            made_here.add(k)
    used_here: set[int] = set()
    for k in sorted(reshapes, reverse=True):
        target = graph.operators[k].outputs[0]
        users = consumers.get(target, ())
        if users and target not in graph.outputs and all(c in pieces or c in used_here for c in users):
            used_here.add(k)
    for k in sorted(reshapes - made_here - used_here):
        reshapes.discard(k)
        refusals[k] = Refusal("neighbours", "neither side of it is inside a region")


def _keep_inner_slices(
    graph: Graph,
    pieces: Mapping[int, tuple[RowOp, ...]],
    reshapes: AbstractSet[int],
    slices: dict[int, tuple[Alias, ...]],
    refusals: dict[int, Refusal],
) -> None:
    """Drop from `slices` those that somebody outside the region reads: only the others are free.

    A slice's bytes are scattered over its input's rows, so TFLM must never see it, reshaped or not. That leaves no output
    of the model, no stock reader, and no reader beyond a stock operator. A slice of a part of each row cannot be
    reshaped, either, and nobody may read it who needs pixels without gaps.
    """
    consumers = graph.consumers()

    def seen_as(tensor: int) -> list[int]:
        readers = [k for k in consumers.get(tensor, ()) if k in reshapes]
        return [tensor, *(t for k in readers for t in seen_as(graph.operators[k].outputs[0]))]

    while True:
        inside = pieces.keys() | reshapes | slices.keys()
        crossing = may_cross(graph, frozenset(op.index for op in graph.operators) - inside)

        def stays_inside(
            alias: Alias, inside: AbstractSet[int] = inside, crossing: AbstractSet[int] = crossing
        ) -> bool:
            names = seen_as(alias.tensor)
            stride, readers = alias.pixel_stride_bytes, consumers.get(alias.tensor, ())
            if stride and _without_gaps(pieces, readers, alias.tensor, stride):
                return False
            return (len(names) == 1 or not alias.pixel_stride_bytes) and not any(
                t in graph.outputs or t in crossing or any(c not in inside for c in consumers.get(t, ())) for t in names
            )

        outer = [k for k, windows in slices.items() if not all(map(stays_inside, windows))]
        if not outer:
            return
        for k in outer:
            del slices[k]
            refusals[k] = OUTER_SLICE


def _without_gaps(
    pieces: Mapping[int, tuple[RowOp, ...]], operators: Iterable[int], tensor: int, pixel_stride_bytes: int
) -> bool:
    """Whether one of these operators needs `tensor` without gaps between pixels, which would lie so many bytes apart."""
    ops = [op for k in operators for op in pieces.get(k, ()) if kinds.of(op.kind).dense]
    shapes = [op.output_shape for op in ops if op.output == tensor]
    shapes += [read.shape for op in ops for read in op.reads if read.tensor == tensor]
    return any(shape.columns > 1 and shape.pixel_bytes != pixel_stride_bytes for shape in shapes)


def _reshape_aliases(graph: Graph, reshapes: set[int]) -> dict[int, Alias]:
    return {
        graph.operators[k].outputs[0]: Alias(graph.operators[k].outputs[0], graph.operators[k].inputs[0])
        for k in reshapes
    }


def _write_concatenations_in_place(
    graph: Graph, row_ops: dict[int, tuple[RowOp, ...]], aliases: dict[int, Alias], reshapes: set[int]
) -> None:
    """Drop each copy into a concatenation whose source can be written there straight away.

    A row op of the region makes such a source, and nobody else needs it to lie elsewhere. Or it is what the network remembers: rows
    of the concatenation then lie in the state. Changes `row_ops` and `aliases`.
    """
    states = {state.before for state in graph.states}
    made_by: dict[int, int] = {}
    for k, ops in row_ops.items():
        for op in ops:
            made_by[op.output] = k
    reshaped = {t for k in reshapes for t in graph.operators[k].inputs}
    consumers = graph.consumers()
    crossing = may_cross(graph, frozenset(op.index for op in graph.operators) - set(row_ops) - reshapes)
    for k in sorted(row_ops):
        if graph.operators[k].kind != "CONCATENATION":
            continue
        kept = []
        for op in row_ops[k]:
            source = op.reads[0].tensor
            if (before := _all_of(source, aliases)) in states and before not in aliases and _takes_rows(op):
                aliases[before] = Alias(
                    before, op.output, op.placement.first_row, row_bytes=row_shape(graph.tensors[op.output]).row_bytes
                )
                continue
            free = (
                source in made_by
                and source not in aliases
                and source not in graph.outputs
                and source not in reshaped
                and source not in crossing
                and source in consumers  # no group of channels
                and all(c in row_ops for c in consumers[source])
                and _fits_part_of_rows(graph, row_ops, op, (made_by[source], *consumers[source]))
            )
            if free:
                aliases[source] = Alias(
                    source,
                    op.output,
                    op.placement.first_row,
                    op.placement.offset_bytes,
                    op.output_pixel_stride_bytes,
                    row_shape(graph.tensors[op.output]).row_bytes,
                )
            else:
                kept.append(op)
        row_ops[k] = tuple(kept)


def _fits_part_of_rows(
    graph: Graph, row_ops: Mapping[int, tuple[RowOp, ...]], copy: RowOp, operators: Sequence[int]
) -> bool:
    """Whether what `copy` copies may lie in its place, for all of `operators`: the first makes it, the others read it."""
    source, stride = copy.reads[0].tensor, copy.output_pixel_stride_bytes
    if not stride:
        return True
    shape = row_shape(graph.tensors[source])
    ops = row_ops[operators[0]]
    made = [op.output_shape for op in ops if op.output == source and not op.output_pixel_stride_bytes]
    as_it_is = all((m.columns, m.pixel_bytes) == (shape.columns, shape.pixel_bytes) for m in made)
    return as_it_is and not _without_gaps(row_ops, operators, source, stride)


def _all_of(tensor: int, aliases: Mapping[int, Alias]) -> int:
    """The tensor of which this one is all bytes, through any chain of RESHAPEs."""
    while tensor in aliases and not aliases[tensor].row_bytes:
        tensor = aliases[tensor].of
    return tensor


def _takes_rows(op: RowOp) -> bool:
    """Whether a copy into a concatenation makes whole rows of it."""
    return not op.output_pixel_stride_bytes and not op.placement.offset_bytes


def _whole_tensors(graph: Graph, covered: set[int]) -> list[int]:
    """Activation tensors that TFLM itself sees: inputs and outputs of the model and of its stock operators."""
    seen: dict[int, None] = {}
    for t in (*graph.inputs, *graph.outputs):
        seen.setdefault(t)
    for op in graph.operators:
        if op.index not in covered:
            for t in (*op.inputs, *op.outputs):
                if t >= 0:
                    seen.setdefault(t)
    return [t for t in seen if is_planned(graph, t)]


def is_planned(graph: Graph, tensor: int) -> bool:
    """Whether TFLM gives this tensor room in the head of the arena: it has bytes, and is no constant and no variable."""
    value = graph.tensors[tensor]
    return not value.is_constant and not value.is_variable and value.bytes > 0


def _misfits(
    graph: Graph, row_ops: dict[int, tuple[RowOp, ...]], storages: StorageMap, options: SplitOptions
) -> dict[int, Refusal]:
    """Operators whose view of an input or output is not made of whole pieces, and why.

    A FULLY_CONNECTED that would be one is turned into a feed in `row_ops` instead.
    """
    refused: dict[int, Refusal] = {}
    for k, ops in row_ops.items():
        fitted = []
        try:
            for op in ops:
                storages.view(op.output, op.output_shape) if not op.output_pixel_stride_bytes else None
                fitted.append(_fit(graph, op, storages, options))
        except Refusal as refusal:
            refused[k] = refusal
        row_ops[k] = tuple(fitted)
    return refused


def _fit(graph: Graph, op: RowOp, storages: StorageMap, options: SplitOptions) -> RowOp:
    for read in op.reads:
        if graph.tensors[read.tensor].is_constant:
            continue
        try:
            storages.view(read.tensor, read.shape)
        except Refusal:
            if not options.feed_dense or not is_dense(op):
                raise
            pieces = _pieces_of(graph, storages, read)
            if pieces is None or pieces.bytes != read.shape.bytes:
                raise
            return fed_dense(op, pieces)
    return op


def _pieces_of(graph: Graph, storages: StorageMap, read: Read) -> RowShape | None:
    """What is read, as rows of its storage; None when it covers part of a row, or a row ends inside an element."""
    storage = storages.storages[storages.storage_of[read.tensor]]
    element_bytes = read.shape.element_bytes
    if storages.windows[read.tensor].pixel_stride_bytes or storage.row_bytes % element_bytes:
        return None
    rows = graph.tensors[read.tensor].bytes // storage.row_bytes
    return RowShape(rows, 1, storage.row_bytes // element_bytes, element_bytes)
