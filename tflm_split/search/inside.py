"""What if a model's output never changes? Then something inside is compared that does.

The last activation whose values differ between inputs becomes one more output of the model, which is then planned again,
with little effort, and verified. That says nothing about the addresses of the real plan, which the replay proves, but that all
operators up to there compute what TFLM does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tflm_split.analysis.liveness import activation_bytes
from tflm_split.errors import Refusal, TflmError, VerificationError
from tflm_split.ir.graph import Model
from tflm_split.lower.assemble import lower
from tflm_split.options import Options
from tflm_split.plan.effort import parse_effort
from tflm_split.plan.progress import Teller
from tflm_split.rewrite.states import with_states
from tflm_split.search.candidates import best_plan
from tflm_split.search.evaluate import Evaluator
from tflm_split.tflite.edit import Edit
from tflm_split.tflite.writer import write_model
from tflm_split.verify.compare import NUMPY_DTYPES
from tflm_split.verify.evidence import Evidence
from tflm_split.verify.own.machine import OwnMachine
from tflm_split.verify.tflm import run_in_tflm
from tflm_split.verify.verification import verify

MAX_BYTES = 1 << 28
"""All activations on all inputs together; in a larger model nothing inside is compared."""


@dataclass(frozen=True, slots=True)
class Inside:
    """An activation called `tensor` took `distinct_values` different values, and was equal each time."""

    tensor: str
    distinct_values: int


def compared_inside(model: Model, evidence: Evidence, options: Options, teller: Teller) -> Inside | None:
    """The comparison of the last activation that changes; None when none does, or when nothing can be planned.

    Raises VerificationError when it differs.
    """
    changing = _last_that_changes(model, evidence)
    if changing is None:
        return None
    tensor, distinct = changing
    shown = write_model(model, Edit(shown=(tensor,), drop_unused_tensors=False))
    low = replace(options, effort=parse_effort("low"), max_arena_bytes=None)
    try:
        found = best_plan(Evaluator(with_states(shown.graph, shown.other_graphs), options.board), low, teller)
    except Refusal:
        return None
    if found is None:
        return None
    comparison = verify(shown, lower(shown, found.plan).model, evidence.inputs, teller.tick)
    name = model.graph.tensors[tensor].name
    if comparison.bit_exact is None:
        return None
    if not comparison.bit_exact:
        raise VerificationError(f"the optimised model differs inside, at {name!r}: {comparison.first_difference}")
    return Inside(name, distinct)


def _last_that_changes(model: Model, evidence: Evidence) -> tuple[int, int] | None:
    """(tensor, how many different values it takes); None when all are always the same, or too many bytes to look at."""
    graph = model.graph
    made = [t for op in graph.operators for t in op.outputs if graph.tensors[t].dtype in NUMPY_DTYPES]
    made = [t for t in made if t not in graph.outputs and activation_bytes(graph.tensors[t])]
    if not made or sum(activation_bytes(graph.tensors[t]) for t in made) * len(evidence.inputs) > MAX_BYTES:
        return None
    shown = write_model(model, Edit(shown=tuple(made), drop_unused_tensors=False))
    try:
        if evidence.run is None:
            machine = OwnMachine(shown)
            found = tuple(machine.invoke(entry) for entry in evidence.inputs)
        else:
            found = run_in_tflm(shown.original, evidence.inputs).outputs
    except TflmError:  # every activation has memory of its own now, which may be too much
        return None
    first = len(graph.outputs)
    for position in reversed(range(len(made))):
        distinct = len({outputs[first + position] for outputs in found})
        if distinct > 1:
            return made[position], distinct
    return None
