"""What does the original do in TFLM, and on which inputs can that be compared?

The original runs before anything is searched, so that a model that TFLM does not run is refused at once. Where all inputs
give the same output, equality would prove little: others are tried until outputs differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflm_split.analysis.liveness import activation_bytes
from tflm_split.errors import InputError, TflmError, TflmUnavailable, UnrunnableError
from tflm_split.ir.graph import Graph, Model
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.verify.compare import Outputs, test_inputs
from tflm_split.verify.other_inputs import ROUNDS, other_inputs
from tflm_split.verify.own.machine import OwnMachine
from tflm_split.verify.tflm import TflmRun, run_in_tflm, side_by_side
from tflm_split.verify.unrunnable import advice, surely_unrunnable

MAX_INPUT_BYTES = 1 << 30
"""All test inputs of a verification together; they are handed over on disk."""

Inputs = Sequence[tuple[NDArray[Any], ...]]
"""Per invocation: one array per input of the model."""


@dataclass(frozen=True, slots=True)
class Slide:
    """Input `position` is, in each inference, the one before moved on by `rows` indices of its axis `axis`."""

    position: int
    axis: int
    rows: int


@dataclass(frozen=True, slots=True)
class Made:
    """Inputs are to be made: `count` of them, from `seed`. Without a `slide` they have nothing to do with each other."""

    count: int
    seed: int
    slide: Slide | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Inputs, and the original's outputs for them.

    `run` is None where TFLM does not run; then `not_in_tflm` says why, and the outputs are those of our own model of it.
    The first `warm_up` outputs of a model that remembers its window need not be right.
    """

    inputs: Inputs = field(repr=False)
    outputs: Outputs = field(repr=False)
    run: TflmRun | None = field(repr=False)
    not_in_tflm: str | None = None
    warm_up: int = 0

    @property
    def distinct_outputs(self) -> int:
        """How many different outputs there are."""
        return len(set(self.outputs))


def gather(model: Model, wanted: Made | Inputs, tick: Tick = no_tick) -> Evidence:
    """The original's run on the inputs that are wanted; `tick` is called while TFLM runs.

    Made inputs that all give the same output are followed by others, as long as that lasts. Raises UnrunnableError when
    TFLM cannot run the model, InputError when the inputs are too many or too large.
    """
    if (reason := surely_unrunnable(model)) is not None:
        raise UnrunnableError(f"the original model: {reason}")
    inputs = _made(model.graph, wanted) if isinstance(wanted, Made) else list(wanted)
    evidence = _run(model, inputs, tick)
    if not isinstance(wanted, Made) or wanted.count < 2 or wanted.slide or not model.graph.inputs:
        return evidence
    for number in range(ROUNDS):
        if evidence.distinct_outputs > 1:
            break
        others = other_inputs(model.graph, number, wanted.count, wanted.seed)
        tried = _run(model, others, tick)
        fresh = {
            outputs: k for k, outputs in reversed(list(enumerate(tried.outputs))) if outputs != evidence.outputs[0]
        }
        if fresh:
            inputs = [*inputs, *(others[k] for k in sorted(fresh.values()))]
            evidence = _run(model, inputs, tick)
    return evidence


def _made(graph: Graph, wanted: Made) -> Inputs:
    input_bytes = sum(activation_bytes(graph.tensors[t]) for t in graph.inputs)
    if input_bytes * wanted.count > MAX_INPUT_BYTES:
        raise InputError(
            f"one input of the model has {input_bytes:,} bytes: verifying on {wanted.count} would take more than "
            f"{MAX_INPUT_BYTES:,}; take fewer (--inputs, inputs=), or none (--no-verify, verify=False)"
        )
    if wanted.slide:
        return _windows(graph, wanted, wanted.slide)
    return test_inputs(graph, wanted.count, wanted.seed)


def _windows(graph: Graph, wanted: Made, slide: Slide) -> Inputs:
    """Windows of one long signal, which is made of inputs put one behind the other."""
    size = graph.tensors[graph.inputs[slide.position]].shape[slide.axis]
    entries = test_inputs(graph, max(wanted.count, -(-slide.rows * wanted.count // size) + 1), wanted.seed)
    signal = np.concatenate([entry[slide.position] for entry in entries], slide.axis)
    return [
        tuple(
            np.take(signal, range(k * slide.rows, k * slide.rows + size), slide.axis) if j == slide.position else values
            for j, values in enumerate(entries[k])
        )
        for k in range(wanted.count)
    ]


def check_windows(inputs: Inputs, slide: Slide, warm_up: int) -> None:
    """Raises InputError unless each of the user's inputs is the one before, moved on as `slide` says, and enough are there."""
    if len(inputs) <= warm_up:
        raise InputError(
            f"the first {warm_up} results are not right yet with --reuse-window, and only {len(inputs)} samples are given: "
            f"give more than {warm_up}"
        )
    signals = [entry[slide.position] for entry in inputs]
    for k, (before, after) in enumerate(pairwise(signals)):
        common = range(slide.rows, before.shape[slide.axis])
        kept, again = np.take(before, common, slide.axis), np.take(after, range(len(common)), slide.axis)
        if kept.tobytes() != again.tobytes():
            raise InputError(
                f"sample {k + 1} of input {slide.position} is not sample {k} moved on by {slide.rows} rows, as --reuse-window "
                "says: give windows that slide over one recording, in their order"
            )


def _run(model: Model, inputs: Inputs, tick: Tick) -> Evidence:
    try:
        (job,) = side_by_side([lambda: run_in_tflm(model.original, inputs)], tick)
        run = job.result()
        return Evidence(inputs, run.outputs, run)
    except TflmUnavailable as error:
        machine = OwnMachine(model)
        return Evidence(inputs, tuple(machine.invoke(entry) for entry in inputs), None, str(error))
    except TflmError as error:
        raise UnrunnableError(f"the original model: {error}; {advice(model, str(error))}") from None
