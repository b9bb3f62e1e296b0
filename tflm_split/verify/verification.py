"""Does the optimised model do in TFLM what the original does? The inputs, the two runs and the verdict in one call."""

from __future__ import annotations

from tflm_split.analysis.liveness import activation_bytes
from tflm_split.errors import UnrunnableError
from tflm_split.ir.graph import Model
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.tflite.edit import Edit
from tflm_split.tflite.writer import write_model
from tflm_split.verify.calls import ONE_CALL, Calls
from tflm_split.verify.compare import Comparison, compare
from tflm_split.verify.evidence import Evidence, Inputs, Made, gather

_GAP_BYTES = 256
"""Between tensors that are moved apart."""


def verify(
    model: Model,
    optimized: Model,
    inputs: Made | Inputs | Evidence,
    tick: Tick = no_tick,
    calls: Calls = ONE_CALL,
) -> Comparison:
    """Run both on the same inputs, in processes of their own; `tick` is called several times a second while they do. A
    streamed `optimized` takes its input in `calls`.

    Where there is evidence, the original ran before. Raises UnrunnableError when TFLM cannot run `model` itself, TflmError
    when it cannot run `optimized`, InputError when the inputs are too many or too large.
    """
    evidence = inputs if isinstance(inputs, Evidence) else gather(model, inputs, tick)
    if optimized.original == model.original:
        return Comparison(len(evidence.inputs), True, None, evidence.run, evidence.run)
    return compare(model, optimized, evidence.inputs, tick=tick, original_run=evidence.run, calls=calls)


def check_own_memory(model: Model, inputs: Inputs) -> None:
    """Raise UnrunnableError if the results of `model` itself depend on where TFLM puts its tensors.

    Asked when a result differs: an operator that reads beyond its input, or leaves some of its output unwritten (most
    kernels trust shapes and constants), gives whatever lies there, and then there is nothing to be equal to. Here every
    tensor gets bytes of its own, in the opposite order, with gaps.
    """
    offsets: dict[int, int] = {}
    end = _GAP_BYTES
    for tensor in reversed(model.graph.tensors):
        if activation_bytes(tensor):
            offsets[tensor.index] = end
            end += -(-activation_bytes(tensor) // _GAP_BYTES) * _GAP_BYTES + _GAP_BYTES
    elsewhere = write_model(model, Edit(offsets=offsets, drop_unused_tensors=False))
    if not compare(model, elsewhere, inputs).bit_exact:
        raise UnrunnableError(
            "the original model: its results depend on where TFLM puts its tensors, so that nothing can be equal to it; "
            "some operator reads or leaves more than its operands hold"
        )
