"""Do two models give the same bytes by our own model of TFLM's arithmetic? For machines on which TFLM does not run."""

from __future__ import annotations

from collections.abc import Sequence

from tflm_split.errors import VerificationError
from tflm_split.ir.graph import Model
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.verify.calls import ONE_CALL, Calls, joined, wrong_position
from tflm_split.verify.compare import Array, Comparison, converted_inputs, first_difference
from tflm_split.verify.level import Level
from tflm_split.verify.own.executor import Execute
from tflm_split.verify.own.machine import OwnMachine


def compare_without_tflm(
    original: Model,
    optimized: Model,
    inputs: Sequence[Sequence[Array]],
    reason: str | None = None,
    *,
    repeats: int = 1,
    execute: Execute | None = None,
    tick: Tick = no_tick,
    calls: Calls = ONE_CALL,
    warm_up: int = 0,
) -> Comparison:
    """`compare` without TFLM: the original by the whole-operator oracle, the optimised file's programs by the executor.

    Operators that the oracle does not know count as arbitrary functions of what they read; where one of them was split,
    there is nothing to hold its values against, and the level is `replay`. `reason` says why TFLM does not run. A streamed
    model takes its input in `calls`. The first `warm_up` outputs are not compared. Raises InputError when the interfaces do
    not correspond.
    """
    converted = converted_inputs(original.graph, optimized.graph, inputs, calls)
    pictures = [converted[k : k + calls.count] for k in range(0, len(converted), calls.count)]
    first, second = OwnMachine(original, execute), OwnMachine(optimized, execute)
    wanted: list[tuple[bytes, ...]] = []
    found: list[tuple[bytes, ...]] = []
    for _ in range(repeats):
        for given, taken in zip(inputs, pictures, strict=True):
            tick()
            wanted.append(first.invoke(given))
            same_file = optimized.original == original.original
            found.append(wanted[-1] if same_file else _of_calls([second.invoke(call) for call in taken], calls))
    unknown = first.assumed.keys() - second.assumed.keys() if optimized.original != original.original else set()
    both = (original.graph, optimized.graph, wanted, found)
    difference = None if unknown else first_difference(*both, repeats, calls, warm_up)
    level: Level = "replay" if unknown else "own_model_in_part" if first.assumed else "own_model"
    assumed = sorted({first.assumed[op] for op in unknown or first.assumed})
    exact = None if unknown else difference is None
    distinct = len(set(wanted[warm_up:]))
    return Comparison(len(inputs) - warm_up, exact, difference, distinct, None, None, level, tuple(assumed), reason)


def _of_calls(outputs: Sequence[tuple[bytes, ...]], calls: Calls) -> tuple[bytes, ...]:
    """The outputs of one inference. Raises VerificationError if the operator says that other rows are there than planned."""
    if fault := wrong_position(outputs, calls):
        raise VerificationError(f"the optimised model: {fault}")
    return joined(outputs, calls)
