"""Does the optimised model do in TFLM what the original does? The inputs, the two runs and the verdict in one call."""

from __future__ import annotations

from tflm_split.analysis.liveness import activation_bytes
from tflm_split.errors import InputError, TflmError, UnrunnableError
from tflm_split.ir.graph import Graph, Model
from tflm_split.plan.progress import Tick, no_tick
from tflm_split.tflite.edit import Edit
from tflm_split.tflite.writer import write_model
from tflm_split.verify.calls import ONE_CALL, Calls
from tflm_split.verify.compare import Comparison, compare, test_inputs
from tflm_split.verify.tflm import run_in_tflm, side_by_side

MAX_INPUT_BYTES = 1 << 30
"""All test inputs of a verification together; they are handed over on disk."""
_GAP_BYTES = 256
"""Between tensors that are moved apart."""


def verify(
    model: Model, optimized: Model, inputs: int, seed: int, tick: Tick = no_tick, calls: Calls = ONE_CALL
) -> Comparison:
    """Run both on the same `inputs` inputs, random and smooth ones in turn, in processes of their own; `tick` is called
    twice a second while they do. A streamed `optimized` takes its input in `calls`.

    Raises UnrunnableError when TFLM cannot run `model` itself, TflmError when it cannot run `optimized`, InputError
    when the inputs are too many or too large.
    """
    input_bytes = sum(activation_bytes(model.graph.tensors[t]) for t in model.graph.inputs)
    if input_bytes * inputs > MAX_INPUT_BYTES:
        raise InputError(
            f"one input of the model has {input_bytes:,} bytes: verifying on {inputs} would take more than "
            f"{MAX_INPUT_BYTES:,}; take fewer with --inputs, or --no-verify"
        )
    arrays = test_inputs(model.graph, inputs, seed)
    try:
        if optimized.original != model.original:
            return compare(model, optimized, arrays, tick=tick, calls=calls)
        try:
            (run,) = side_by_side([lambda: run_in_tflm(model.original, arrays)], tick)
            return Comparison(inputs, True, None, run.result(), run.result())
        except TflmError as error:
            raise UnrunnableError(f"the original model: {error}") from None
    except UnrunnableError as error:
        raise UnrunnableError(f"{error}{_hint(model.graph)}") from None


def check_own_memory(model: Model, inputs: int, seed: int) -> None:
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
    if not compare(model, elsewhere, test_inputs(model.graph, inputs, seed)).bit_exact:
        raise UnrunnableError(
            "the original model: its results depend on where TFLM puts its tensors, so that nothing can be equal to it; "
            "some operator reads or leaves more than its operands hold"
        )


def _hint(graph: Graph) -> str:
    """What to do about a model that TFLM does not run, where that is known."""
    convolved = (op.inputs[0] for op in graph.operators if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D") and op.inputs)
    if not any(t >= 0 and graph.tensors[t].dtype == "UINT8" for t in convolved):
        return ""
    return "; it is quantised to uint8, the scheme of 2018: convert the original float model again, to int8"
