"""Does the optimised model do what the original does? The inputs, the two runs and the verdict in one call.

Both run in TFLM where it is; elsewhere our own model of TFLM takes its place, and the verdict says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from tflm_split.analysis.liveness import activation_bytes
from tflm_split.errors import TflmUnavailable, UnrunnableError
from tflm_split.ir.graph import Model
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.tflite.edit import Edit
from tflm_split.tflite.writer import write_model
from tflm_split.verify.calls import ONE_CALL, calls_of
from tflm_split.verify.compare import Array, Comparison, compare
from tflm_split.verify.evidence import Evidence, Inputs, Made, gather
from tflm_split.verify.own.compare import compare_without_tflm
from tflm_split.verify.own.machine import OwnMachine
from tflm_split.verify.tflm import run_in_tflm

_GAP_BYTES = 256
"""Between tensors that are moved apart."""


def verify(
    model: Model,
    optimized: Model,
    inputs: Made | Inputs | Evidence,
    tick: Tick = no_tick,
) -> Comparison:
    """Run both on the same inputs, in processes of their own; `tick` is called several times a second while they do. A
    streamed `optimized` takes its input and hands over its output call by call.

    Where there is evidence, the original ran before. Where TFLM cannot run at all, or has no `TFLM_SPLIT` for want of a
    compiler, our own model of it is asked, and `Comparison.level` says so. Raises UnrunnableError when TFLM cannot run
    `model` itself, TflmError when it cannot run `optimized`, InputError when the inputs are too many or too large.
    """
    evidence = inputs if isinstance(inputs, Evidence) else gather(model, inputs, tick)
    run = evidence.run
    calls = calls_of(optimized) if calls_of(model) == ONE_CALL else ONE_CALL
    if run is None:
        return compare_without_tflm(
            model, optimized, evidence.inputs, evidence.not_in_tflm, tick=tick, calls=calls, warm_up=evidence.warm_up
        )
    if optimized.original == model.original:
        return Comparison(len(evidence.inputs), True, None, evidence.distinct_outputs, run, run)
    try:
        return compare(
            model, optimized, evidence.inputs, tick=tick, original_run=run, calls=calls, warm_up=evidence.warm_up
        )
    except TflmUnavailable as error:
        return compare_without_tflm(
            model, optimized, evidence.inputs, str(error), tick=tick, calls=calls, warm_up=evidence.warm_up
        )


def run_once(model: Model, inputs: Sequence[Array]) -> tuple[tuple[bytes, ...], str | None]:
    """The bytes of every output, and why they are not TFLM's but our own model's; None where TFLM ran.

    Raises TflmUnavailable where TFLM does not run and our own model does not know an operator.
    """
    try:
        return run_in_tflm(model.original, [inputs]).outputs[0], None
    except TflmUnavailable as error:
        machine = OwnMachine(model)
        outputs = machine.invoke(inputs)
        if machine.assumed:
            kinds = ", ".join(sorted(set(machine.assumed.values())))
            raise TflmUnavailable(f"only TFLM can run {kinds}, and: {error}") from None
        return outputs, str(error)


def check_own_memory(model: Model, inputs: Inputs) -> None:
    """Raise UnrunnableError if the results of `model` itself depend on where TFLM puts its tensors.

    Asked when a result differs in TFLM: an operator that reads beyond its input, or leaves some of its output unwritten (most
    kernels trust shapes and constants), gives whatever lies there, and then there is nothing to be equal to. Each time every
    tensor gets bytes of its own: once with gaps between them, and twice, in both orders, with other tensors right behind
    them. What lies in a gap may be the same by chance; what lies in another tensor depends on the inputs.
    """
    for backwards, gap_bytes in ((True, _GAP_BYTES), (True, 0), (False, 0)):
        elsewhere = write_model(model, Edit(offsets=_apart(model, backwards, gap_bytes), drop_unused_tensors=False))
        if not compare(model, elsewhere, inputs).bit_exact:
            raise UnrunnableError(
                "the original model: its results depend on where TFLM puts its tensors, so that nothing can be equal to it; "
                "some operator reads or leaves more than its operands hold"
            )


def _apart(model: Model, backwards: bool, gap_bytes: int) -> dict[int, int]:
    """Offsets that give every tensor bytes of its own, in the order of their numbers or `backwards`."""
    offsets: dict[int, int] = {}
    end = gap_bytes
    for tensor in sorted(model.graph.tensors, key=lambda tensor: tensor.index, reverse=backwards):
        if size := activation_bytes(tensor):
            alignment = gap_bytes or max(1, size // tensor.elements)  # an element's bytes
            offsets[tensor.index] = end = -(-end // alignment) * alignment
            end += size + gap_bytes
    return offsets
