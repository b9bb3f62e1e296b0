"""What do the JSON records of `pareto`, `verify` and `inspect` hold? `optimize`'s own is in `record_types.py`.

`docs/front.schema.json`, `docs/verdict.schema.json` and `docs/inspection.schema.json` are made from these types
(`report/json_schema.py`). Prefixes of numbers mean what they mean there.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from tflm_split.report.record_types import ModelIdentity, Says, Verified
from tflm_split.verify.level import Level


class FrontPoint(TypedDict):
    """One result of a front."""

    planned_head_bytes: Annotated[int, Says("Head of the arena: inputs, outputs, activations, scratch.")]
    predicted_arm32_minimum_arena_bytes: Annotated[int, Says("The array that firmware must set aside.")]
    predicted_instructions: Annotated[
        int | None, Says("Of one inference, for the split operators only; null where nothing is split.", "instructions")
    ]
    macs: Annotated[int, Says("Multiply-accumulates of one inference.", "multiply-accumulates")]
    program_bytes: Annotated[int, Says("All programs, without their constants.")]
    file_bytes: Annotated[int, Says("Size of the file.")]
    verified: Annotated[Verified | None, Says("The result of running it in TFLM; null if that was not asked for.")]
    slowdown: Annotated[float, Says("Predicted instructions, compared with the fastest result of the front.", "times")]


class FrontLine(TypedDict):
    """How often rows of a streamed input may come to one result of a front, with a queue of some length."""

    point: Annotated[int, Says("Which result, from 0.")]
    fifo: Annotated[int, Says("Calls' rows that can wait, the ones that are being taken in counted.", "calls")]
    memory_bytes: Annotated[int, Says("The head, and the rows that wait outside of it.")]
    predicted_instructions: Annotated[
        int, Says("The least time between two calls' rows, in instructions on the board.", "instructions")
    ]


class FrontRecord(TypedDict):
    """The record of `tflm-split pareto`: results of which none is better in memory and in time."""

    schema: Annotated[int, Says("Version of this format.")]
    model: Annotated[str, Says("The file's name without its ending.")]
    board: Annotated[str | None, Says("The board of the predicted instructions; null for an empty front.")]
    original_head_bytes: Annotated[int | None, Says("The head of the original file; null for an empty front.")]
    points: Annotated[
        list[FrontPoint],
        Says(
            "The fastest result first, the smallest one last. With a streamed input, results that take rows more often than all "
            "smaller ones are there, too, and all are in order of their heads."
        ),
    ]
    lines: Annotated[
        list[FrontLine],
        Says(
            "With a streamed input: memory with the queue against how often rows may come, most often first. Of two, "
            "neither is better in both."
        ),
    ]


class VerdictSide(ModelIdentity):
    """One of two files that were compared."""

    measured_head_bytes: Annotated[int | None, Says("The head as TFLM reported it; null where it did not run.")]
    measured_tail_bytes: Annotated[int | None, Says("What TFLM keeps per tensor, operator and channel.")]
    measured_arena_bytes: Annotated[int | None, Says("Head and tail together.")]


class Comparison(TypedDict):
    """How two files were compared, and the result."""

    inputs: Annotated[int, Says("How many inputs both ran on.", "inputs")]
    seed: Annotated[int, Says("The seed of the inputs.")]
    bit_exact: Annotated[bool | None, Says("Whether every output byte was equal; null at level `replay`.")]
    distinct_outputs: Annotated[int, Says("How many different outputs the original gave.", "outputs")]
    first_difference: Annotated[str | None, Says("Where the outputs differ first; null where they are equal.")]
    level: Annotated[Level, Says("How far the result was checked (`verify/level.py`).")]
    assumed: Annotated[list[str], Says("Kinds of operators that stood as arbitrary functions, or were not compared.")]
    not_in_tflm_because: Annotated[str | None, Says("Why TFLM did not run; null where it did.")]


class VerdictRecord(TypedDict):
    """The record of `tflm-split verify`: two files in TFLM on the same inputs."""

    schema: Annotated[int, Says("Version of this format.")]
    tflm_version: Annotated[str | None, Says("Version of the tflite-micro wheel; null where TFLM did not run.")]
    original: Annotated[VerdictSide, Says("The first file.")]
    optimized: Annotated[VerdictSide, Says("The second file.")]
    verified: Annotated[Comparison, Says("The result.")]


class Interface(TypedDict):
    """An input or an output of a model."""

    name: Annotated[str, Says("The tensor's name.")]
    dtype: Annotated[str, Says("Its type.")]
    shape: Annotated[list[int], Says("Its shape.")]
    bytes: Annotated[int, Says("Its size.", "bytes")]


class InspectedOperator(TypedDict):
    """An operator, in the order of the file."""

    index: Annotated[int, Says("Its position after exact rewrites, from 0.")]
    source: Annotated[list[int], Says("Its positions in the file; several if it was folded from several operators.")]
    kind: Annotated[str, Says("What it is, such as CONV_2D.")]
    output_shape: Annotated[list[int], Says("Shape of its first output.")]
    macs: Annotated[int, Says("Multiply-accumulates.", "multiply-accumulates")]
    live_bytes: Annotated[int, Says("Activations alive while it runs whole.")]
    treatment: Annotated[
        str,
        Says(
            "`rows: N` is cut into N rows, `free` needs nothing done, `program` is split already, `stock` stays as it is."
        ),
    ]
    reason: Annotated[str, Says("Why it stays stock; empty where it does not.")]
    splittable: Annotated[bool, Says("Whether it is or can be split.")]
    advice: Annotated[str, Says("What can be done about it where it stays stock; else empty.")]


class CutTensor(TypedDict):
    """A tensor that a cut goes through."""

    tensor: Annotated[str, Says("Its name.")]
    shape: Annotated[list[int], Says("Its shape.")]
    axis: Annotated[int, Says("The axis along which it is cut, from 0.")]
    made_by: Annotated[str, Says("The operator that makes it, or the model's input.")]


class Overlap(TypedDict):
    """An operator whose parts read some of the same indices."""

    operator: Annotated[str, Says("The operator.")]
    indices: Annotated[int, Says("How many indices two neighbouring parts share.", "indices")]


class AxisRecord(TypedDict):
    """How far a cut along one axis goes."""

    axis: Annotated[int, Says("The axis of the tensor, from 0.")]
    size: Annotated[int, Says("Indices along it.", "indices")]
    bytes: Annotated[int, Says("All tensors that the cut goes through, together.", "bytes")]
    tensors: Annotated[list[CutTensor], Says("These tensors, in the order in which they are made.")]
    overlaps: Annotated[list[Overlap], Says("Operators at which the parts overlap.")]
    starts: Annotated[list[str], Says("Why the cut does not reach further up, one reason each.")]
    ends: Annotated[list[str], Says("Why the cut does not reach further down, one reason each.")]


class AxesRecord(TypedDict):
    """Along which axes one tensor can be cut."""

    tensor: Annotated[str, Says("Its name.")]
    dtype: Annotated[str, Says("Its type.")]
    shape: Annotated[list[int], Says("Its shape.")]
    bytes: Annotated[int, Says("Its size.", "bytes")]
    axes: Annotated[list[AxisRecord], Says("Each axis of more than one index.")]


class InspectedProgram(TypedDict):
    """What a TFLM_SPLIT operator of a split file does."""

    operator: Annotated[int, Says("Its position in the file, from 0.")]
    kinds: Annotated[dict[str, int], Says("How many of its operators are of each kind.", "operators")]
    steps: Annotated[int, Says("In how many steps it runs them.", "steps")]
    moved_rows: Annotated[int, Says("Rows that change places on the way.", "rows")]
    calls: Annotated[int, Says("Calls per inference: above 1 where an input or output is streamed.", "calls")]
    workspace_bytes: Annotated[int, Says("What it needs of the head, its inputs and outputs included.")]
    state_bytes: Annotated[int, Says("What it keeps from one inference to the next, outside of the head.")]
    program_bytes: Annotated[int, Says("Size without its constants.")]
    constant_bytes: Annotated[int, Says("Weights, biases and tables.")]
    made_for: Annotated[str | None, Says("The board for which its plan was made; null if the file does not say.")]
    board: Annotated[str, Says("The board of the predicted instructions.")]
    predicted_instructions: Annotated[int, Says("Of one inference.", "instructions")]


class InspectionRecord(TypedDict):
    """The record of `tflm-split inspect`: what is in a file, without running it."""

    schema: Annotated[int, Says("Version of this format.")]
    model: Annotated[ModelIdentity, Says("Which file this is about.")]
    inputs: Annotated[list[Interface], Says("The model's inputs.")]
    outputs: Annotated[list[Interface], Says("The model's outputs.")]
    signatures: Annotated[
        int, Says("How many signatures the file has; TFLM runs the main subgraph alone.", "signatures")
    ]
    subgraph_live_peak_bytes: Annotated[
        list[int], Says("Bytes alive at the worst operator of each subgraph, the main one first.")
    ]
    live_peak_bytes: Annotated[int, Says("Bytes alive at the worst operator of the main subgraph.")]
    predicted_head_bytes: Annotated[int, Says("The head that TFLM's own planner will reach.")]
    predicted_arm32_arena_bytes: Annotated[int, Says("What `arena_used_bytes()` will report.")]
    predicted_arm32_minimum_arena_bytes: Annotated[int, Says("The array that firmware must set aside.")]
    operators: Annotated[list[InspectedOperator], Says("Every operator.")]
    programs: Annotated[list[InspectedProgram], Says("Every TFLM_SPLIT operator; empty for a file that is not split.")]
    axes: Annotated[
        AxesRecord | None, Says("How far one tensor can be cut; null unless it was asked for, or without operators.")
    ]
