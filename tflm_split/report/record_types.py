"""What does each field of the JSON record mean, and in which unit is it?

`docs/record.schema.json` is made from these types (`report/json_schema.py`). Names that end in `_bytes` are in bytes. A
prefix says where a number comes from:

* `measured_`: TFLM ran, in the pinned wheel on x86-64. Null without verification.
* `planned_`: our layout, as TFLM's planner will see it.
* `predicted_arm32_`: a model of TFLM on a 32-bit Arm, with reference kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypedDict

BUDGET_KEY: Final = "predicted_arm32_minimum_arena_bytes"
"""The field that a memory limit is compared with: the array that firmware must set aside, planning at start included."""


@dataclass(frozen=True, slots=True)
class Says:
    """What a field means, and its unit where the name does not say it."""

    text: str
    unit: str = ""


class ModelIdentity(TypedDict):
    """Which model a record is about."""

    name: Annotated[str, Says("The file's name without its ending.")]
    sha256: Annotated[str, Says("Of the original file, in hexadecimal.")]
    ops: Annotated[int, Says("Operators of the main graph.", "operators")]
    macs: Annotated[int, Says("Multiply-accumulates of one inference, layer by layer.", "multiply-accumulates")]
    file_bytes: Annotated[int, Says("Size of the original file.")]


class Memory(TypedDict):
    """The memory of one file."""

    planned_head_bytes: Annotated[int, Says("Head of the arena: inputs, outputs, activations, scratch.")]
    measured_head_bytes: Annotated[int | None, Says("The head as TFLM reported it.")]
    measured_tail_bytes: Annotated[int | None, Says("What TFLM keeps per tensor, operator and channel.")]
    measured_arena_bytes: Annotated[int | None, Says("Head and tail together.")]
    predicted_arm32_arena_bytes: Annotated[int, Says("What `arena_used_bytes()` will report.")]
    predicted_arm32_minimum_arena_bytes: Annotated[
        int, Says("The array to set aside: what planning needs at start is included. Limits are compared with it.")
    ]
    prediction_unknown: Annotated[
        list[str], Says("Kinds of operators counted as if they kept nothing of their own; `subgraphs` for several.")
    ]


class Original(Memory):
    """The file as it was given."""

    live_peak_bytes: Annotated[int, Says("Bytes alive at the worst operator: a bound of layer-by-layer execution.")]


class Packing(TypedDict):
    """How good the addresses are, given the order of steps."""

    live_lower_bound_bytes: Annotated[int, Says("Bytes alive at the worst step of the order.")]
    proven_lower_bound_bytes: Annotated[int, Says("No layout of the order is smaller than this.")]
    planned_bytes: Annotated[int, Says("The head that was planned.")]
    proven_optimal: Annotated[bool, Says("Whether the head is at its proven bound.")]
    gap_percent: Annotated[float, Says("How far the head is above the live bytes.", "per cent")]
    solver: Annotated[str, Says("The solver of the layout.")]
    moves: Annotated[int, Says("Rows that change places on the way.", "rows")]
    moved_bytes: Annotated[int, Says("Bytes of those rows together.")]


class Optimized(Memory):
    """The optimised file, or the original where that is kept."""

    lower_bound_bytes: Annotated[int, Says("Bytes alive at the worst step: no layout of the order is smaller.")]
    macs: Annotated[int, Says("Multiply-accumulates of one inference.", "multiply-accumulates")]
    file_bytes: Annotated[int, Says("Size of the file.")]
    program_bytes: Annotated[int, Says("All programs, without their constants.")]
    program_constant_bytes: Annotated[int, Says("Constants inside the programs: weights, tables, multipliers.")]
    steps: Annotated[int, Says("Steps of all programs together.", "steps")]
    regions: Annotated[int, Says("TFLM_SPLIT operators in the file.", "regions")]
    split_ops: Annotated[int, Says("Operators of the original model that are in a region, each once.", "operators")]
    stock_ops: Annotated[int, Says("Operators that TFLM still runs itself.", "operators")]
    layout: Annotated[str | None, Says("The technique that gave the addresses; null where nothing is split.")]
    packing: Annotated[Packing | None, Says("How good they are; null where nothing is split.")]


class Latency(TypedDict):
    """Instructions of one inference on the chosen board, for the split operators only."""

    board: Annotated[str, Says("The board.")]
    compiler: Annotated[str, Says("The compiler of the kernels whose instructions were counted.")]
    predicted_instructions: Annotated[int | None, Says("Null where nothing is split.", "instructions")]
    predicted_layer_wise_instructions: Annotated[
        int | None, Says("What the same operators take whole, on the same kernels.", "instructions")
    ]
    predicted_stock_instructions: Annotated[
        int | None,
        Says(
            "About what TFLM's own kernels take for them: CMSIS-NN's, on RISC-V the reference kernels.", "instructions"
        ),
    ]
    unmeasured_kinds: Annotated[list[str], Says("Kinds of steps that have a rough estimate only.")]
    stock_ops_not_counted: Annotated[int, Says("Operators whose instructions are left out.", "operators")]


class InsideRecord(TypedDict):
    """An activation that was compared because the outputs never change."""

    tensor: Annotated[str, Says("Its name.")]
    distinct_values: Annotated[int, Says("How many different values it took.", "values")]


class Verified(TypedDict):
    """The result of running both files, in TFLM where it runs."""

    inputs: Annotated[int, Says("How many inputs both ran on.", "inputs")]
    bit_exact: Annotated[bool | None, Says("Whether every output byte was equal; null at level `replay`.")]
    distinct_outputs: Annotated[int, Says("How many different outputs the original gave.", "outputs")]
    inside: Annotated[
        InsideRecord | None, Says("What was compared inside, in a plan of its own; null where the outputs differ.")
    ]
    level: Annotated[
        Literal["tflm", "own_model", "own_model_in_part", "replay"],
        Says(
            "What they ran in: TFLM; tflm_split's own model of TFLM's arithmetic; the same with some stock operators as "
            "arbitrary functions of what they read; or nothing, because a split operator is unknown to that model."
        ),
    ]
    assumed: Annotated[list[str], Says("Kinds of operators that the own model does not know; empty in TFLM.")]
    not_in_tflm_because: Annotated[str | None, Says("Why TFLM did not run; null where it did.")]


class Goal(TypedDict):
    """The memory limit, and whether it is met."""

    max_arena_bytes: Annotated[int | None, Says("The limit; null without one.")]
    met: Annotated[bool, Says("True without a limit.")]
    compared_with: Annotated[str, Says("The field of `optimized` that the limit is compared with.")]
    missing_bytes: Annotated[int, Says("By how much the limit is missed.")]


class RefusalRecord(TypedDict):
    """An operator that stays stock, and why."""

    op: Annotated[int, Says("Its position in the file, from 0.")]
    kind: Annotated[str, Says("Why, as a stable word for tools.")]
    reason: Annotated[str, Says("Why, as the end of a sentence.")]
    advice: Annotated[str, Says("What can be done about it, or that nothing can.")]
    operator: Annotated[str, Says("What it is, such as CONV_2D.")]
    label: Annotated[str, Says("Its position, kind and output.")]


class Held(TypedDict):
    """Something that is in memory at the bottleneck."""

    tensor: Annotated[str, Says("The tensor, accumulator or scratch it belongs to.")]
    pieces: Annotated[int, Says("How many rows of it are alive.", "pieces")]
    bytes: Annotated[int, Says("Their size.", "bytes")]


class BottleneckRecord(TypedDict):
    """The step with the most live bytes; in a file that is not split, the operator."""

    step: Annotated[int, Says("Its position, from 0.")]
    operator: Annotated[str, Says("Which operator it is a step of.")]
    row: Annotated[int, Says("Which row it computes, from 0.")]
    live_bytes: Annotated[int, Says("Alive during the step, bytes that rows share counted once.")]
    live_pieces: Annotated[int, Says("How many rows and tensors that is.", "pieces")]
    live: Annotated[list[Held], Says("What is alive, most bytes first.")]


class InterfaceChangeRecord(TypedDict):
    """An input or output that changed its type."""

    side: Annotated[Literal["input", "output"], Says("Which side of the model.")]
    position: Annotated[int, Says("Which of them, from 0.")]
    tensor: Annotated[str, Says("The tensor that is the interface now.")]
    dtype: Annotated[str, Says("Its type.")]
    scale: Annotated[float, Says("real = scale * (quantised - zero_point).")]
    zero_point: Annotated[int, Says("See `scale`.")]
    sentence: Annotated[str, Says("The same for people.")]


class LineTime(TypedDict):
    """How often a line may come, with a queue of some length."""

    fifo: Annotated[int, Says("How many calls' rows can wait, the one that is being taken in counted.", "calls")]
    predicted_instructions: Annotated[
        int, Says("The least time between two calls, on the chosen board.", "instructions")
    ]


class StreamRecord(TypedDict):
    """An input that comes a few rows at a time."""

    input: Annotated[int, Says("Which input of the model, from 0.")]
    rows: Annotated[int, Says("Rows of the whole input.", "rows")]
    row_bytes: Annotated[int, Says("Size of one row.")]
    rows_per_call: Annotated[int, Says("Rows that each call takes; the last call may take fewer.", "rows")]
    calls: Annotated[int, Says("Calls of one inference that take rows.", "calls")]
    shape: Annotated[list[int], Says("Shape of the model's input now.")]
    dtype: Annotated[str, Says("Its type.")]
    rows_held: Annotated[int, Says("The most rows that are kept at once.", "rows")]
    busiest_call: Annotated[int, Says("The call with the most work, from 0, the last one left out.")]
    predicted_last_call_instructions: Annotated[int, Says("Of the call that brings the last rows.", "instructions")]
    line_times: Annotated[list[LineTime], Says("How often rows may come, by length of the queue.")]
    sentence: Annotated[str, Says("The change of the interface, for people.")]


class StreamedOutputRecord(TypedDict):
    """An output that is handed over a few rows at a time."""

    output: Annotated[int, Says("Which output of the model, from 0.")]
    rows: Annotated[int, Says("Rows of the whole output.", "rows")]
    row_bytes: Annotated[int, Says("Size of one row.")]
    rows_per_call: Annotated[int, Says("The most rows that are there after a call.", "rows")]
    calls: Annotated[int, Says("Calls of one inference.", "calls")]
    first_call: Annotated[int, Says("The call, from 0, after which the first rows are there.")]
    shape: Annotated[list[int], Says("Shape of the model's output now.")]
    dtype: Annotated[str, Says("Its type.")]
    sentence: Annotated[str, Says("The change of the interface, for people.")]


class WindowRecord(TypedDict):
    """A window that slides over the input: what it has in common with the one before is remembered."""

    input: Annotated[int, Says("Which input of the model, from 0.")]
    axis: Annotated[int, Says("The axis along which it slides.")]
    rows: Annotated[int, Says("By how much it slides in each inference.", "rows")]
    tensors: Annotated[list[str], Says("Names of the tensors that remember rows.")]
    state_bytes: Annotated[int, Says("What they remember, in the tail.")]
    warm_up: Annotated[int, Says("Inferences after a reset whose results are not right yet.", "inferences")]
    predicted_instructions_without: Annotated[
        int | None,
        Says("Of the same network that remembers nothing; null where a saved plan was carried out.", "instructions"),
    ]
    predicted_arena_without_bytes: Annotated[int | None, Says("The arena to set aside for that; null likewise.")]


class MemoriesRecord(TypedDict):
    """A fast and a slow memory, and what is predicted to go between the slow one and the steps."""

    fast_bytes: Annotated[int, Says("What the device has of the fast memory, in which the arena lies.")]
    slow_bytes: Annotated[int, Says("What it has of the slow one.")]
    head_bytes: Annotated[int, Says("The head of the arena, in the fast one.")]
    slow_used_bytes: Annotated[int, Says("What the model takes of the slow one.")]
    one_memory_head_bytes: Annotated[int, Says("The head that the model takes with one memory.")]
    most_bytes: Annotated[int, Says("What both were allowed to take together.")]
    predicted_slow_read_bytes: Annotated[int, Says("Rows in the slow memory that the steps of one inference read.")]
    predicted_slow_written_bytes: Annotated[int, Says("Rows in the slow memory that they write.")]


class RegionRecord(TypedDict):
    """One TFLM_SPLIT operator."""

    ops: Annotated[list[int], Says("The operators it replaces, by position in the original file, each once.")]
    inputs: Annotated[list[str], Says("Names of the tensors it reads.")]
    outputs: Annotated[list[str], Says("Names of the tensors it writes.")]
    workspace_offset: Annotated[int, Says("Where its workspace begins in the head.", "bytes")]
    workspace_bytes: Annotated[int, Says("The part of the head it touches.")]
    state_bytes: Annotated[int, Says("What it remembers from one inference to the next, in the tail.")]
    steps: Annotated[int, Says("Steps of its program.", "steps")]
    program_bytes: Annotated[int, Says("Its program without constants.")]
    program_constant_bytes: Annotated[int, Says("Its constants.")]


class Record(TypedDict):
    """The record of one optimisation. The same model and options always give the same record."""

    schema: Annotated[int, Says("Version of this format.")]
    tool_version: Annotated[str, Says("Version of tflm-split.")]
    tflm_version: Annotated[
        str | None, Says("Version of the tflite-micro wheel that ran both files; null where none did.")
    ]
    options: Annotated[dict[str, Any], Says("What was asked for, every option by name.")]
    model: Annotated[ModelIdentity, Says("Which model this is about.")]
    original: Annotated[Original, Says("The file as it was given.")]
    optimized: Annotated[Optimized, Says("The file that was made.")]
    latency: Annotated[Latency, Says("Predicted instructions.")]
    verified: Annotated[Verified | None, Says("The result of running both files; null if that was not asked for.")]
    goal: Annotated[Goal, Says("The memory limit.")]
    refusals: Annotated[list[RefusalRecord], Says("Operators that stay stock.")]
    bottleneck: Annotated[
        BottleneckRecord | None, Says("Where memory is tightest; null for a model without operators.")
    ]
    kept_original: Annotated[str | None, Says("Why the result is the original; null where it is not.")]
    interface_changes: Annotated[list[InterfaceChangeRecord], Says("How inputs and outputs changed.")]
    stream: Annotated[StreamRecord | None, Says("The streamed input; null where the whole input is there at once.")]
    stream_output: Annotated[
        StreamedOutputRecord | None, Says("The streamed output; null where the whole output is there in the end.")
    ]
    window: Annotated[WindowRecord | None, Says("The window that slides; null where each input is another one.")]
    memories: Annotated[MemoriesRecord | None, Says("The fast and the slow memory; null where there is one memory.")]
    region_details: Annotated[list[RegionRecord], Says("The regions, in the order in which they run.")]
    what_is_counted: Annotated[str, Says("What the numbers of bytes include.")]
