"""What if a row of a long signal were several samples? Then there are as many rows, and steps, as can be planned.

    before   [1, 1, T, C]     a row is one sample: 48,000 of them take 48,000 steps per operator
    after    [1, R, n, C]     a row is n samples, R * n = T

A window along the signal reads beyond the ends of its row. So each row gets some columns of its neighbours first, and what lies
outside of the signal is padding:

    rows of x     | a b c d |  | e f g h |  | i j k l |
    with 1 + 1    | . a b c d e |  | d e f g h i |  | h i j k l . |     SLICE, PAD and CONCATENATION

Behind an operator with a stride of 2, a row has n / 2 samples. Where one sample is left, rows are single samples again. The last
row of a signal may be longer than what is left of it. What is computed there is never read by windows that use no padding;
for others, padding is put there first (FILLED).

The samples of the longest signal that make a row are a decision; all others follow from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from tflm_split.errors import ModelError, Refusal
from tflm_split.ir.graph import ABSENT, ELEMENT_BYTES, Graph, Operator, Option, Tensor
from tflm_split.kinds.limits import MAX_WINDOW_ROWS
from tflm_split.rewrite.drop_dead import drop_dead
from tflm_split.rewrite.patch import Accept
from tflm_split.split.operators import is_reshape, split_operator
from tflm_split.split.operators.binary import BINARY_KINDS
from tflm_split.split.operators.byte_function import BYTE_FUNCTION
from tflm_split.split.operators.filled import FILLED
from tflm_split.split.operators.recut import RECUT
from tflm_split.split.operators.tall_convolution import TALL_CONV
from tflm_split.split.operators.unary import UNARY_KINDS
from tflm_split.split.operators.window import Axis, window_axes

FOLD_SIGNALS = "fold_signals"
MANY_STEPS = 5_000
"""Rows have as few samples as can be with about so many steps. Each step takes flash."""
TOO_MANY_STEPS = 16_384
"""Networks of more steps than that, with rows of one sample, get rows of several, if they can."""
MOST_CUT_SHORT = 512
"""The most samples of rows that are tried where the last row would be cut short."""
SHORTER = 4
"""By how much the rows in which a signal is read may be shorter than those into which it is cut."""
MOST_FILLED = 2
"""The most rows at the end of a signal that are padding alone."""
LONG = 512
"""Shorter signals are never a problem."""

_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", TALL_CONV)
_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
_PER_SAMPLE = frozenset((*UNARY_KINDS, *BINARY_KINDS, BYTE_FUNCTION, "SOFTMAX"))
_REDUCTIONS = ("MEAN", "SUM", "REDUCE_MAX")


def samples_to_try(graph: Graph) -> tuple[int, ...]:
    """For `folded_signals`: samples per row that are worth trying, of a graph in normal form.

    The fewest samples with about `MANY_STEPS` at most, else the most samples with `TOO_MANY_STEPS` at most. Empty where no signal
    is long, none can be folded, or single samples do not take too many steps.
    """
    longest, coarsest = longest_signal(graph), 0
    if _steps(graph) <= TOO_MANY_STEPS:
        return _for_tall_windows(graph, longest)
    if longest < LONG:
        return ()
    whole = [samples for samples in range(2, longest // 2 + 1) if longest % samples == 0]
    # Rows of which the last is cut short take copies. So they come last.
    for samples in (*whole, *(s for s in range(2, min(longest // 2, MOST_CUT_SHORT) + 1) if longest % s)):
        folded = _folded(graph, samples)
        steps = TOO_MANY_STEPS + 1 if folded is None else _steps(folded)
        if steps <= MANY_STEPS:
            return (samples,)
        coarsest = samples if steps <= TOO_MANY_STEPS else coarsest
    return (coarsest,) if coarsest else ()


def _for_tall_windows(graph: Graph, longest: int) -> tuple[int, ...]:
    """Samples per row with which no window has more rows than a step can read. A row of them is about as long as the window."""
    reach = _tallest(graph)
    if not reach:
        return ()
    for samples in sorted(range(2, min(longest // 2, 2 * reach) + 1), key=lambda n: (longest % n > 0, abs(n - reach))):
        folded = _folded(graph, samples)
        if folded is not None and not _tallest(folded) and _steps(folded) <= TOO_MANY_STEPS:
            return (samples,)
    return ()


def _tallest(graph: Graph) -> int:
    """The samples of the longest window along a signal that no step can read; 0 where there is none."""
    return max((_too_tall(graph, op) for op in graph.operators if op.kind in (*_CONVOLUTIONS, *_POOLS)), default=0)


def _too_tall(graph: Graph, op: Operator) -> int:
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
    try:
        kernel = _along(graph, op, source, target).kernel if _length(source) else 0
    except Refusal:
        return 0
    if kernel <= MAX_WINDOW_ROWS:
        return 0
    try:
        split_operator(graph, op)
    except Refusal:
        return kernel
    return 0


def folded_signals(graph: Graph, accept: Accept, samples: int) -> Graph:
    """`graph` with rows of `samples` samples of its longest signal; the same graph where that cannot be done."""
    folded = _folded(graph, samples) if samples > 1 else None
    if folded is None:
        return graph
    new = [op for op in folded.operators if op.rewrite == FOLD_SIGNALS and op.kind != "SLICE"]  # slices are windows
    return folded if all(accept(folded, op) for op in new) else graph


def _length(tensor: Tensor) -> int:
    """The samples of a signal: a map of height or width 1, or a tensor of rank 3; 0 for any other tensor, and constants."""
    shape = tensor.shape
    if len(shape) not in (3, 4) or shape[0] != 1 or tensor.is_constant or tensor.is_variable:
        return 0
    if len(shape) == 3:
        return shape[1]
    return max(shape[1], shape[2]) if min(shape[1], shape[2]) == 1 else 0


def _signals(graph: Graph) -> dict[int, int]:
    """By signal that enters the graph, as it is or reshaped: the input that it is."""
    entering = {t: t for t in graph.inputs if _length(graph.tensors[t])}
    for op in graph.operators:
        if is_reshape(op) and op.inputs[0] in graph.inputs and op.inputs[0] not in entering:
            entering.update({t: op.inputs[0] for t in op.outputs if _length(graph.tensors[t])})
    return entering


def longest_signal(graph: Graph) -> int:
    """The samples of the longest signal that enters a graph; 0 where none does."""
    return max((_length(graph.tensors[t]) for t in _signals(graph)), default=0)


def _folded(graph: Graph, samples: int) -> Graph | None:
    """`graph` with rows of so many samples of its longest signal; None where an operator would have to read parts of rows."""
    longest = longest_signal(graph)
    if not samples or longest <= samples:
        return None
    try:
        return _Folding(graph, -(-longest // samples)).graph_with(samples, longest)
    except (Refusal, ModelError):
        return None


def _steps(graph: Graph) -> int:
    """About how many steps it takes, if concatenations are done in place."""
    total = 0
    for op in graph.operators:
        if op.kind == "SLICE":  # a window onto what it reads
            continue
        try:
            row_ops = split_operator(graph, op)
        except Refusal:
            continue  # a RESHAPE, or what stays stock anyway
        total += sum(row_op.steps for row_op in (row_ops[:1] if op.kind == "CONCATENATION" else row_ops))
    return total


@dataclass(frozen=True, slots=True)
class _Rows:
    """A folded signal: the tensor [1, rows, samples, channels], and how many samples are the signal's own.

    `filler`: the value of all others; None where that is not known.
    """

    tensor: int
    samples: int
    length: int
    filler: int | None = None


class _Folding:
    """Makes the folded graph, operator by operator."""

    def __init__(self, graph: Graph, rows: int) -> None:
        self.graph, self.rows = graph, rows
        self.tensors = list(graph.tensors)
        self.operators: list[Operator] = []
        self.folded: dict[int, _Rows] = {}
        self._source: tuple[int, ...] = ()
        self._wider: dict[tuple[int, int, int, int], int] = {}

    def graph_with(self, samples: int, longest: int) -> Graph | None:
        """The graph. Raises Refusal where an operator reads parts of rows, ModelError where the new operators do not fit."""
        graph = self.graph
        for t, entered in _signals(graph).items():
            if _length(graph.tensors[t]) == longest:
                self._fold_input(t, entered, samples)
        if not self.folded:
            return None
        entering, needed = _signals(graph), {*graph.outputs}
        for op in graph.operators:
            self._source = op.source
            if self.folded.keys() & set(op.outputs):  # it makes a signal of the input
                self.operators.append(op)
            elif self._operator(op) is None:
                needed.update(t for t in op.inputs if t in self.folded)
        for t in needed & self.folded.keys():
            whole = self.folded[t].samples * self.rows == self.folded[t].length
            if t not in entering and self.folded[t].samples > 1 and whole and not self._may_end(t):
                raise Refusal("rows", "an operator reads parts of rows")
        if self.folded.keys() <= _signals(graph).keys():
            return None
        operators = tuple(self._with_ends(needed))
        return drop_dead(replace(graph, tensors=tuple(self.tensors)).with_operators(operators))

    def _may_end(self, tensor: int) -> bool:
        """Whether all that read a signal as it was can take rows of any size: a FULLY_CONNECTED, the caller."""
        consumers = self.graph.consumers()

        def takes(t: int) -> bool:
            readers = [self.graph.operators[k] for k in consumers.get(t, ()) if not self._is_folded(k)]
            return all(op.kind == "FULLY_CONNECTED" or (is_reshape(op) and takes(op.outputs[0])) for op in readers)

        return takes(tensor)

    def _is_folded(self, k: int) -> bool:
        return all(t in self.folded or self._reduces(t) for t in self.graph.operators[k].outputs)

    def _reduces(self, tensor: int) -> bool:
        return any(op.rewrite == FOLD_SIGNALS and tensor in op.outputs for op in self.operators)

    def _with_ends(self, needed: set[int]) -> Iterator[Operator]:
        """All operators, and behind those that make what unfolded ones read, what makes that of the rows."""
        entering = _signals(self.graph)
        waiting = {rows.tensor: t for t, rows in self.folded.items() if t in needed and t not in entering}
        for op in self.operators:
            yield op
            for t in op.outputs:
                if t in waiting:
                    yield from self._unfolded(waiting.pop(t), self.folded)

    def _unfolded(self, tensor: int, folded: Mapping[int, _Rows]) -> Iterator[Operator]:
        rows, whole = folded[tensor], self.graph.tensors[tensor]
        first = len(self.operators)
        made = rows.tensor
        if rows.samples > 1 and rows.samples * self.rows != rows.length:
            self._to(RECUT, (made,), tensor, {"first": 0})
        elif rows.samples * self.rows != rows.length:
            shape = (1, rows.length, 1, whole.shape[-1])
            made = self._add("SLICE", (made, self._numbers((0, 0, 0, 0)), self._numbers(shape)), whole, shape)
        if self.operators[-1].outputs != (tensor,):
            self._to("RESHAPE", (made, self._numbers(whole.shape)), tensor)
        new, self.operators[first:] = self.operators[first:], []
        yield from new

    def _fold_input(self, tensor: int, entered: int, samples: int) -> None:
        whole = self.graph.tensors[tensor]
        shape = (1, self.rows, samples, whole.shape[-1])
        readers = self.graph.consumers().get(tensor, ())
        self._source = self.graph.operators[readers[0]].source if readers else ()
        if _length(whole) == samples * self.rows:
            made = self._add("RESHAPE", (entered, self._numbers(shape)), whole, shape)
            self.folded[tensor] = _Rows(made, samples, _length(whole))
            return
        cut = _row_of(_length(whole), samples)
        flat = (_length(whole) // cut, cut * whole.shape[-1])
        made = self._add("RESHAPE", (entered, self._numbers(flat)), whole, flat)
        filler = _zero_point(whole) if whole.dtype == "INT8" else 0
        self.folded[tensor] = self._filled(_Rows(made, samples, _length(whole)), filler, whole)

    def _filled(self, rows: _Rows, filler: int, like: Tensor) -> _Rows:
        """The same signal, with padding behind its last sample."""
        if rows.filler == filler or rows.length == rows.samples * self.rows:
            return rows
        whole, rest = divmod(rows.length, rows.samples)
        missing = (rows.samples - rest if rest else 0, rows.samples * (self.rows - whole - (rest > 0)))
        if missing[1] > MOST_FILLED * rows.samples:
            raise Refusal("geometry", "too many rows would be padding")
        constants = (self._filler(count * like.shape[-1], filler, like) if count else ABSENT for count in missing)
        shape = (1, self.rows, rows.samples, like.shape[-1])
        made = self._add(FILLED, (rows.tensor, *constants), like, shape, {"pixels": rows.length})
        return _Rows(made, rows.samples, rows.length, filler)

    def _filler(self, elements: int, filler: int, like: Tensor) -> int:
        one = bytes([filler & 0xFF]) if like.dtype == "INT8" else bytes(ELEMENT_BYTES[like.dtype])
        shape = (1,) if elements == 1 else (1, elements)
        return self._append(replace(like, name="filler", shape=shape, data=one * elements))

    def _operator(self, op: Operator) -> _Rows | None:
        """Add `op` on rows of samples, or as it is where that is not needed or cannot be."""
        rows = [self.folded[t] for t in op.inputs if t in self.folded]
        if not rows or all(r.samples == 1 for r in rows):
            self.operators.append(op)
            return None
        before = len(self.tensors), len(self.operators)
        try:
            made = self._on_rows(op, rows)
        except Refusal:
            del self.tensors[before[0] :], self.operators[before[1] :]
            self._wider = {key: t for key, t in self._wider.items() if t < before[0]}
            self.operators.append(op)
            return None
        if made is not None and made.tensor >= 0:
            self.folded[op.outputs[0]] = made
        return made

    def _on_rows(self, op: Operator, rows: list[_Rows]) -> _Rows:
        """Raises Refusal for what cannot be done on rows."""
        target = self.graph.tensors[op.outputs[0]]
        if op.kind in _REDUCTIONS:
            return self._reduction(op, rows[0], target)
        length = _length(target)
        if not length:
            raise Refusal("geometry", "its output is no signal")
        if op.kind in (*_CONVOLUTIONS, *_POOLS):
            return self._window(op, rows[0], target, length)
        if is_reshape(op):
            return self._reshaped(rows[0], target, length)
        joins = op.kind == "CONCATENATION" and op.options.get("axis") in (-1, len(target.shape) - 1)
        if (op.kind in _PER_SAMPLE or joins) and len(op.outputs) == 1:
            return self._per_sample(op, rows, target, length)
        raise Refusal("operator", "it cannot be done on rows")

    def _reshaped(self, rows: _Rows, target: Tensor, length: int) -> _Rows:
        """Several samples may become one, if a row has a multiple of them."""
        several, rest = divmod(rows.length, length)
        channels = target.shape[-1]
        whole = rows.length == rows.samples * self.rows
        if rest or channels != several * self.tensors[rows.tensor].shape[3] or rows.samples % several:
            raise Refusal("geometry", "it changes what a sample is")
        if several == 1:
            return rows
        if not whole:
            raise Refusal("geometry", "its last row is not whole")
        shape = (1, self.rows, rows.samples // several, channels)
        made = self._add("RESHAPE", (rows.tensor, self._numbers(shape)), target, shape)
        return _Rows(made, rows.samples // several, length)

    def _per_sample(self, op: Operator, rows: list[_Rows], target: Tensor, length: int) -> _Rows:
        if any((r.samples, r.length) != (rows[0].samples, length) for r in rows):
            raise Refusal("geometry", "its operands differ in length")
        inputs = tuple(self.folded[t].tensor if t in self.folded else self._same_for_all(t, target) for t in op.inputs)
        shape = (1, self.rows, rows[0].samples, target.shape[-1])
        options = {**op.options, "axis": 3} if op.kind == "CONCATENATION" else op.options
        return replace(rows[0], tensor=self._add(op.kind, inputs, target, shape, options), filler=None)

    def _same_for_all(self, tensor: int, target: Tensor) -> int:
        """A constant that is the same for all samples. Raises Refusal for any other operand."""
        value = self.graph.tensors[tensor] if tensor != ABSENT else None
        if value is None:
            return tensor
        if (
            value.is_constant
            and value.elements in (1, target.shape[-1])
            and value.elements == (value.shape or (1,))[-1]
        ):
            return tensor
        raise Refusal("geometry", "one of its operands is not folded")

    def _reduction(self, op: Operator, rows: _Rows, target: Tensor) -> _Rows:
        source, axes = self.graph.tensors[op.inputs[0]], self.graph.tensors[op.inputs[1]]
        given = np.frombuffer(axes.data or b"", "<i4").tolist()
        reduced = {a % len(source.shape) for a in given if source.shape[a % len(source.shape)] > 1}
        if {source.shape[a] for a in reduced} != {rows.length}:
            raise Refusal("axes", "it reduces more or less than the samples")
        if len(reduced) != 1 or target.elements != source.shape[-1]:
            raise Refusal("axes", "it reduces the channels")
        shape, read = (1, 1, 1, source.shape[-1]), rows.tensor
        if rows.length != rows.samples * self.rows:
            cut = _row_of(rows.length, rows.samples)
            read = self._add(RECUT, (read,), source, (1, rows.length // cut, cut, source.shape[-1]), {"first": 0})
        inputs = (read, self._numbers((1, 2)))
        made = self._add(op.kind, inputs, target, shape, {**op.options, "keep_dims": True})
        self._to("RESHAPE", (made, self._numbers(target.shape)), target.index)
        return _Rows(ABSENT, 1, 1)

    def _window(self, op: Operator, rows: _Rows, target: Tensor, length: int) -> _Rows:
        source = self.graph.tensors[op.inputs[0]]
        axis = _along(self.graph, op, source, target)
        samples, rest = divmod(rows.samples, axis.stride)
        reach = (axis.kernel - 1) * axis.dilation
        past_the_end = (length - 1) * axis.stride - axis.pad + reach - (rows.length - 1)
        if rest or not samples or length > samples * self.rows:
            raise Refusal("geometry", "its rows would be no whole samples")
        if op.kind == "AVERAGE_POOL_2D" and (axis.pad or past_the_end > 0):
            raise Refusal("geometry", "it counts samples of its windows")
        after = max((samples - 1) * axis.stride - axis.pad + reach - (rows.samples - 1), 0)
        width = axis.pad + rows.samples + after
        if (width - reach - 1) // axis.stride + 1 != samples:
            raise Refusal("geometry", "its window leaves samples out")
        if (
            max(ceil(axis.pad / rows.samples), ceil(after / rows.samples)) > self.rows - 2
        ):  # a slice of one row would be no rows
            raise Refusal("geometry", "its window is as long as the signal")
        filler = self._outside(op, source) if axis.pad or past_the_end > 0 else 0
        if past_the_end > 0:
            rows = self._filled(rows, filler, source)
        read = self._with_neighbours(rows, axis.pad, after, filler, source)
        options: dict[str, Option] = {**op.options, "padding": "VALID", "stride_h": 1, "stride_w": axis.stride}
        options = {name: value for name, value in options.items() if not name.startswith("pad_")}
        inputs = (read, *op.inputs[1:])
        if op.kind in _POOLS:
            options |= {"filter_height": 1, "filter_width": axis.kernel}
        else:
            options |= {"dilation_h_factor": 1, "dilation_w_factor": axis.dilation}
            inputs = (read, self._along_width(op.inputs[1]), *op.inputs[2:])
        kind = "CONV_2D" if op.kind == TALL_CONV else op.kind
        shape = (1, self.rows, samples, target.shape[-1])
        return _Rows(self._add(kind, inputs, target, shape, options), samples, length)

    def _outside(self, op: Operator, source: Tensor) -> int:
        """What a window reads outside of the signal. Raises Refusal where no value of the type does what padding does."""
        if source.dtype == "INT8":
            return -128 if op.kind in _POOLS else _zero_point(source)
        if op.kind in _POOLS:
            raise Refusal("dtype", "what is outside of its input is not known")
        if source.dtype == "INT16" and _zero_point(source) == 0:
            return 0
        weights = self.graph.tensors[op.inputs[1]]
        if source.dtype == "FLOAT32" and np.isfinite(np.frombuffer(weights.data or b"", "<f4")).all():
            return 0
        raise Refusal("dtype", "what is outside of its input is not known")

    def _along_width(self, weights: int) -> int:
        """The weights of a window along the signal, with its taps along the width."""
        value = self.graph.tensors[weights]
        first, height, width, last = value.shape
        if height == 1:
            return weights
        return self._append(replace(value, shape=(first, width, height, last)))

    def _with_neighbours(self, rows: _Rows, before: int, after: int, filler: int, like: Tensor) -> int:
        """The rows, each with so many samples of those before it and after it."""
        key = rows.tensor, before, after, filler
        if key not in self._wider:
            back = [(-j, *_tail(rows.samples, before, j)) for j in range(ceil(before / rows.samples), 0, -1)]
            ahead = [
                (j, 0, min(after - (j - 1) * rows.samples, rows.samples))
                for j in range(1, ceil(after / rows.samples) + 1)
            ]
            parts = [self._neighbour(rows, *part, filler, like) for part in back]
            parts += [rows.tensor, *(self._neighbour(rows, *part, filler, like) for part in ahead)]
            shape = (1, self.rows, before + rows.samples + after, self.tensors[rows.tensor].shape[3])
            joined: dict[str, Option] = {"axis": 2, "fused_activation_function": "NONE"}
            whole = rows.tensor if len(parts) == 1 else self._add("CONCATENATION", tuple(parts), like, shape, joined)
            self._wider[key] = whole
        return self._wider[key]

    def _neighbour(self, rows: _Rows, away: int, first: int, count: int, filler: int, like: Tensor) -> int:
        """For each row, columns [first, first + count) of the row that is so many rows away; padding where there is none."""
        channels = self.tensors[rows.tensor].shape[3]
        kept = self.rows - abs(away)
        begin, shape = (0, max(away, 0), first, 0), (1, kept, count, channels)
        part = self._add("SLICE", (rows.tensor, self._numbers(begin), self._numbers(shape)), like, shape)
        pads = ((0, 0), (max(-away, 0), max(away, 0)), (0, 0), (0, 0))
        value = self._filler(1, filler, like)
        return self._add("PADV2", (part, self._numbers(pads), value), like, (1, self.rows, count, channels))

    def _add(
        self,
        kind: str,
        inputs: tuple[int, ...],
        like: Tensor,
        shape: tuple[int, ...],
        options: Mapping[str, Option] | None = None,
    ) -> int:
        """Add an operator that makes a new tensor, quantised as `like`, and return the tensor."""
        made = self._append(replace(like, shape=shape, data=None))
        self._to(kind, inputs, made, options)
        return made

    def _to(self, kind: str, inputs: tuple[int, ...], output: int, options: Mapping[str, Option] | None = None) -> None:
        self.operators.append(Operator(0, kind, inputs, (output,), options or {}, self._source, FOLD_SIGNALS))

    def _numbers(self, values: object) -> int:
        array = np.asarray(values, "<i4")
        return self._append(Tensor(0, "numbers", array.shape, "INT32", data=array.tobytes()))

    def _append(self, tensor: Tensor) -> int:
        self.tensors.append(replace(tensor, index=len(self.tensors)))
        return len(self.tensors) - 1


def _along(graph: Graph, op: Operator, source: Tensor, target: Tensor) -> Axis:
    """The window of `op` along the signal. Raises Refusal when it has another extent."""
    if len(source.shape) != 4 or len(target.shape) != 4:
        raise Refusal("rank", "its input or output is not 4-dimensional")
    if op.kind in _POOLS:
        kernel = int(op.options["filter_height"]), int(op.options["filter_width"])
    else:
        weights = graph.tensors[op.inputs[1]]
        if len(weights.shape) != 4:
            raise Refusal("geometry", "its weights are not 4-dimensional")
        kernel = weights.shape[1], weights.shape[2]
    axes = window_axes(op, source, target, kernel, dilated=op.kind not in _POOLS)
    along = 0 if source.shape[2] == 1 and source.shape[1] > 1 else 1
    other = axes[1 - along]
    if (other.kernel, other.pad) != (1, 0):
        raise Refusal("geometry", "its window is not along the signal alone")
    return axes[along]


def _tail(samples: int, before: int, rows_back: int) -> tuple[int, int]:
    """(first column, columns) of the row so many rows back that belong to the `before` samples before a row."""
    count = min(before - (rows_back - 1) * samples, samples)
    return samples - count, count


def _row_of(length: int, samples: int) -> int:
    """The shortest rows that a signal consists of, and that are not much shorter than so many samples."""
    divisors = (d for k in range(1, int(length**0.5) + 1) if length % k == 0 for d in (k, length // k))
    return min(d for d in divisors if SHORTER * d >= samples or d == length)


def _zero_point(tensor: Tensor) -> int:
    if tensor.quantization is None or len(tensor.quantization.zero_points) != 1:
        raise Refusal("quantization", "its input is not quantised with one scale")
    return tensor.quantization.zero_points[0]
