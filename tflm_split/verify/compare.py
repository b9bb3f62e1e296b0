"""Do two models give the same bytes in TFLM?

`test_inputs` makes inputs for a graph, `compare` runs the original and the optimised model on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflm_split.arithmetic.affine import QUANTIZED_DTYPES, affine_dequantize, affine_quantize
from tflm_split.errors import InputError
from tflm_split.ir.graph import Graph, Model, Operator, Tensor
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.verify.calls import ONE_CALL, Calls, in_calls
from tflm_split.verify.level import Level
from tflm_split.verify.tflm import DEFAULT_TIMEOUT_S, TflmRun, run_both_in_tflm, run_second_in_tflm

Array = NDArray[Any]

NUMPY_DTYPES = {
    "FLOAT32": np.float32, "INT8": np.int8, "UINT8": np.uint8, "INT16": np.int16, "INT32": np.int32,
    "INT64": np.int64, "BOOL": np.bool_,
}  # fmt: skip
_LAYOUT_ONLY = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "CAST", "TRANSPOSE", "PACK", "CONCATENATION")
"""Operators that pass an input's values on, so that what reads them says what the values mean."""
_INDEX_OPERAND = {"SLICE", "STRIDED_SLICE", "DYNAMIC_UPDATE_SLICE", "SPLIT", "SPLIT_V", "RESHAPE", "TRANSPOSE", "PAD"}
_OTHER_INTEGERS = (-1000, 1000)
_OTHER_FLOATS = (-1.0, 1.0)
_WAVES = 4


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict on `inputs` invocations: `first_difference` is a sentence, None when `bit_exact`.

    The runs are None where TFLM did not run; then `level` says how the files were compared, `reason` why not in TFLM, and
    `assumed` names the kinds of operators that our own model does not know. `bit_exact` is None where nothing was compared.
    """

    inputs: int
    bit_exact: bool | None
    first_difference: str | None
    distinct_outputs: int
    original_run: TflmRun | None = field(repr=False)
    optimized_run: TflmRun | None = field(repr=False)
    level: Level = "tflm"
    assumed: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def tflm_version(self) -> str | None:
        """The version of the wheel that ran both."""
        return self.original_run.version if self.original_run else None


def test_inputs(graph: Graph, count: int, seed: int) -> list[tuple[Array, ...]]:
    """`count` inputs for the model, the same for the same seed: random full-range and smooth ones in turn.

    Floats cover the range of the QUANTIZE that reads them and a little more; integers that choose rows of a table
    (GATHER, EMBEDDING_LOOKUP) stay inside it.
    """
    rng = np.random.default_rng(seed)
    tensors = [graph.tensors[t] for t in graph.inputs]
    ranges = [value_range(graph, t) for t in tensors]
    return [
        tuple(_values(rng, t, lo, hi, smooth=k % 2 == 1) for t, (lo, hi) in zip(tensors, ranges, strict=True))
        for k in range(count)
    ]


def _values(rng: np.random.Generator, tensor: Tensor, lo: float, hi: float, smooth: bool) -> Array:
    """Values of `tensor`'s shape and type in [lo, hi]."""
    kind = NUMPY_DTYPES[tensor.dtype]
    if not smooth or tensor.dtype == "BOOL":
        if tensor.dtype == "FLOAT32":
            return rng.uniform(lo, hi, tensor.shape).astype(np.float32)
        return np.asarray(rng.integers(int(lo), int(hi), tensor.shape, endpoint=True), kind)
    wave = np.zeros(tensor.shape)
    for _ in range(_WAVES):
        part: Array = np.asarray(rng.uniform(0.3, 1.0))
        for axis, size in enumerate(tensor.shape):
            # At most a period and a half along an axis: neighbouring elements differ little.
            phase = rng.uniform(0, 3 * np.pi) * (np.arange(size) + 0.5) / size + rng.uniform(0, 2 * np.pi)
            part = np.multiply.outer(part, np.cos(phase)) if axis else part * np.cos(phase)
        wave = wave + part
    reach = max(float(np.abs(wave).max(initial=0.0)), 1e-9)
    centre, radius = (lo + hi) / 2, (hi - lo) / 2 * rng.uniform(0.5, 1.0)
    values = centre + radius * wave / reach
    return values.astype(kind) if tensor.dtype == "FLOAT32" else np.round(values).astype(kind)


def value_range(graph: Graph, tensor: Tensor) -> tuple[float, float]:
    """The smallest and largest value to give an input."""
    if tensor.dtype not in NUMPY_DTYPES:
        raise InputError(f"input {tensor.name!r} is {tensor.dtype}, which TFLM's interpreter does not take")
    if tensor.dtype == "BOOL":
        return 0, 1
    if tensor.dtype in QUANTIZED_DTYPES:
        limits = np.iinfo(QUANTIZED_DTYPES[tensor.dtype])
        return int(limits.min), int(limits.max)
    readers = list(_readers(graph, tensor.index))
    if tensor.dtype == "FLOAT32":
        ranges = [r for op, _ in readers if op.kind == "QUANTIZE" and (r := _quantized_range(graph, op))]
        return (min(lo for lo, _ in ranges), max(hi for _, hi in ranges)) if ranges else _OTHER_FLOATS
    rows = [n for op, t in readers if (n := _table_rows(graph, op, t)) is not None]
    if rows:
        return 0, min(rows) - 1
    if any(op.kind in _INDEX_OPERAND and t in op.inputs[1:] for op, t in readers):
        return 0, 0
    return _OTHER_INTEGERS


def _readers(graph: Graph, tensor: int) -> Iterator[tuple[Operator, int]]:
    """Every (operator, tensor it reads) that sees the values of `tensor`, also through operators that move them."""
    consumers = graph.consumers()
    seen, waiting = {tensor}, [tensor]
    while waiting:
        t = waiting.pop()
        for k in consumers.get(t, ()):
            op = graph.operators[k]
            yield op, t
            if op.kind in _LAYOUT_ONLY and t == op.inputs[0]:
                fresh = [out for out in op.outputs if out not in seen]
                seen.update(fresh)
                waiting.extend(fresh)


def _quantized_range(graph: Graph, op: Operator) -> tuple[float, float] | None:
    """The real values a QUANTIZE can tell apart, and 5 % beyond on either side."""
    output = graph.tensors[op.outputs[0]]
    q = output.quantization
    if q is None or not q.scales or not q.zero_points or output.dtype not in QUANTIZED_DTYPES:
        return None
    limits = np.iinfo(QUANTIZED_DTYPES[output.dtype])
    lo, hi = (q.scales[0] * (int(v) - q.zero_points[0]) for v in (limits.min, limits.max))
    margin = 0.05 * (hi - lo)
    return lo - margin, hi + margin


def _table_rows(graph: Graph, op: Operator, tensor: int) -> int | None:
    """How many rows there are to choose from, if `op` looks up rows of a table by the values of `tensor`."""
    if op.kind == "GATHER" and op.inputs[1] == tensor:
        axis = op.options.get("axis", 0)
        return graph.tensors[op.inputs[0]].shape[int(axis)]
    if op.kind == "EMBEDDING_LOOKUP" and op.inputs[0] == tensor:
        return graph.tensors[op.inputs[1]].shape[0]
    if op.kind == "GATHER_ND" and op.inputs[1] == tensor:
        return min(graph.tensors[op.inputs[0]].shape)
    return None


def compare(
    original: Model,
    optimized: Model,
    inputs: Sequence[Sequence[Array]],
    *,
    repeats: int = 1,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    tick: Tick = no_tick,
    calls: Calls = ONE_CALL,
    original_run: TflmRun | None = None,
    warm_up: int = 0,
) -> Comparison:
    """Run both models on `inputs` (the original's) and compare every output, byte for byte.

    With `original_run`, the original ran on them before, and only the other one runs. The first `warm_up` outputs of all are
    not compared.

    Where the original has a float input or output and the optimised model a quantised one, inputs are quantised and
    outputs dequantised as TFLM's QUANTIZE and DEQUANTIZE do it. Inputs run in sequence on one interpreter each, all of
    them `repeats` times, so state is compared too. A streamed model is handed its rows in `calls`; after the first picture
    comes one that is broken off half-way, and a reset. Raises InputError when the interfaces do not correspond.
    """
    converted = converted_inputs(original.graph, optimized.graph, inputs, calls)
    if original_run is not None:
        second_run = run_second_in_tflm(optimized.original, converted, timeout_s=timeout_s, tick=tick, calls=calls)
        runs = (original_run, second_run)
    else:
        runs = run_both_in_tflm(
            original.original,
            inputs,
            optimized.original,
            converted,
            repeats=repeats,
            timeout_s=timeout_s,
            tick=tick,
            calls=calls,
        )
    outputs = (runs[0].outputs, runs[1].outputs)
    difference = first_difference(original.graph, optimized.graph, *outputs, repeats, calls, warm_up)
    return Comparison(len(inputs) - warm_up, difference is None, difference, len(set(outputs[0][warm_up:])), *runs)


def converted_inputs(
    first: Graph, second: Graph, inputs: Sequence[Sequence[Array]], calls: Calls = ONE_CALL
) -> list[tuple[Array, ...]]:
    """Inputs of the original as the optimised model takes them, call by call.

    Raises InputError when the inputs do not correspond.
    """
    pairs = _interface(first, first.inputs, second, second.inputs, "input", calls)
    converted = [tuple(_to_optimized(a, *pair) for a, pair in zip(entry, pairs, strict=True)) for entry in inputs]
    return [call for entry in converted for call in in_calls(entry, [pair[1] for pair in pairs], calls)]


def _interface(
    first: Graph,
    first_tensors: Sequence[int],
    second: Graph,
    second_tensors: Sequence[int],
    what: str,
    calls: Calls = ONE_CALL,
) -> list[tuple[Tensor, Tensor]]:
    """The corresponding inputs (or outputs) of two graphs."""
    streamed = calls.position if what == "input" else calls.output
    if what == "output" and streamed is not None:
        second_tensors = second_tensors[:-1]  # the position
    if len(first_tensors) != len(second_tensors):
        raise InputError(f"the models have {len(first_tensors)} and {len(second_tensors)} {what}s")
    pairs = [(first.tensors[i], second.tensors[j]) for i, j in zip(first_tensors, second_tensors, strict=True)]
    for k, (a, b) in enumerate(pairs):
        convertible = a.dtype == "FLOAT32" and b.dtype in QUANTIZED_DTYPES and b.quantization
        if k == streamed:
            continue  # the rows of one call; `calls` was made with the model
        if a.shape != b.shape or not (a.dtype == b.dtype or convertible):
            raise InputError(
                f"{what} {k} is {a.dtype} {list(a.shape)} in one model and {b.dtype} {list(b.shape)} in the other"
            )
    return pairs


def _to_optimized(values: Array, original: Tensor, optimized: Tensor) -> Array:
    """An input of the original model as the optimised model takes it."""
    if original.dtype == optimized.dtype or optimized.quantization is None or original.dtype != "FLOAT32":
        return values
    q = optimized.quantization
    return affine_quantize(values, q.scales[0], q.zero_points[0], optimized.dtype)


Outputs = Sequence[tuple[bytes, ...]]
"""Per invocation: the bytes of each output."""


def first_difference(
    first: Graph,
    second: Graph,
    original: Outputs,
    optimized: Outputs,
    repeats: int,
    calls: Calls = ONE_CALL,
    warm_up: int = 0,
) -> str | None:
    """The first output that differs, but none of the first `warm_up`, as a sentence.

    Raises InputError when the outputs do not correspond.
    """
    pairs = _interface(first, first.outputs, second, second.outputs, "output", calls)
    runs = zip(original, optimized, strict=True)
    count = len(original) // repeats
    for run, (wanted_outputs, found_outputs) in islice(enumerate(runs), warm_up, None):
        for j, (a, b) in enumerate(pairs):
            wanted, found = wanted_outputs[j], found_outputs[j]
            if a.dtype != b.dtype and b.quantization is not None:
                q = b.quantization
                raw = np.frombuffer(found, QUANTIZED_DTYPES[b.dtype])
                found = affine_dequantize(raw, q.scales[0], q.zero_points[0]).tobytes()
            if wanted != found:
                where = f"input {run % count}" + (f", pass {run // count}" if repeats > 1 else "")
                return f"{where}: output {j} {a.name!r} {_difference(a, wanted, found)}"
    return None


def _difference(tensor: Tensor, wanted: bytes, found: bytes) -> str:
    if len(wanted) != len(found):
        return f"has {len(found)} bytes instead of {len(wanted)}"
    kind = NUMPY_DTYPES.get(tensor.dtype, np.uint8)
    a: Array = np.frombuffer(wanted, kind)
    b: Array = np.frombuffer(found, kind)
    # Compared as bytes: two NaNs or two zeros may differ, too.
    different = (a.view(np.uint8) != b.view(np.uint8)).reshape(a.size, -1).any(1)
    first = int(np.argmax(different))
    where = [int(i) for i in np.unravel_index(first, tensor.shape)] if a.size == tensor.elements else [first]
    return f"differs in {int(different.sum())} of {a.size} elements, first at {where}: {b[first]} instead of {a[first]}"
