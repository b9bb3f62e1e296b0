"""What do the JSON records of `fit` and `why` hold?

`docs/fit.schema.json` and `docs/why.schema.json` are made from these types (`report/json_schema.py`). Arenas are predicted
for a 32-bit Arm.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from tflm_split.report.record_types import BottleneckRecord, Held, ModelIdentity, Says


class Need(TypedDict):
    """The arena of one file."""

    head_bytes: Annotated[int, Says("Inputs, outputs, activations and the kernels' scratch.")]
    tail_bytes: Annotated[int, Says("What the interpreter keeps.")]
    arena_bytes: Annotated[int, Says("What `arena_used_bytes()` will report.")]
    set_aside_bytes: Annotated[int, Says("The array that firmware must set aside. Limits are compared with it.")]
    unknown: Annotated[
        list[str], Says("What is not known, a sentence each; then more must be set aside. Empty where bytes are exact.")
    ]
    fits: Annotated[bool | None, Says("Whether the limit is met; null without one. What is not known does not fit.")]


class FitModel(TypedDict):
    """One model, as it is and split."""

    model: Annotated[ModelIdentity, Says("Which model this is about.")]
    not_run_because: Annotated[
        str | None, Says("Why TFLM will not run the file; null where nothing speaks against it.")
    ]
    stock: Annotated[Need, Says("The file as it is.")]
    split: Annotated[Need | None, Says("The same model split; null if that was not asked for.")]


class Joint(TypedDict):
    """An arena that several models share."""

    one_at_a_time: Annotated[Need, Says("Each interpreter is made when its model runs, and gone after: the largest.")]
    all_ready: Annotated[
        Need, Says("Interpreters of one MicroAllocator, in this order: the largest head, and the tails of all.")
    ]
    interleaved: Annotated[
        Need, Says("Each keeps its activations between calls, as streamed models do: the sum of all arenas.")
    ]


class FitRecord(TypedDict):
    """The record of `tflm-split fit`."""

    schema: Annotated[int, Says("Version of this format.")]
    kernels: Annotated[str, Says("The kernels that the firmware links.")]
    board: Annotated[str, Says("The board whose core decides which of CMSIS-NN's kernels these are.")]
    max_arena_bytes: Annotated[int | None, Says("The limit; null without one.")]
    models: Annotated[list[FitModel], Says("In the order in which they were given.")]
    joint_stock: Annotated[Joint | None, Says("All files as they are in one arena; null for a single model.")]
    joint_split: Annotated[Joint | None, Says("The same, all split.")]
    met: Annotated[bool, Says("True without a limit, or where all models in turn fit it in one form or the other.")]


class Way(TypedDict):
    """An option that could lower the arena, and what came of it when it was applied."""

    option: Annotated[str, Says("The option, as it is given to `optimize`.")]
    set_aside_bytes: Annotated[int | None, Says("The arena with it; null where it cannot be used.")]
    saved_bytes: Annotated[int, Says("How much smaller the arena gets.")]
    fits: Annotated[bool | None, Says("Whether the limit is met then; null without one.")]
    refused: Annotated[str | None, Says("Why it cannot be used; null where it can.")]


class WhyRecord(TypedDict):
    """The record of `tflm-split why`."""

    schema: Annotated[int, Says("Version of this format.")]
    model: Annotated[ModelIdentity, Says("Which model this is about.")]
    max_arena_bytes: Annotated[int | None, Says("The limit; null without one.")]
    set_aside_bytes: Annotated[int, Says("The arena of the split model.")]
    fits: Annotated[bool | None, Says("Whether the limit is met; null without one.")]
    bottleneck: Annotated[BottleneckRecord | None, Says("Where memory is tightest; null without operators.")]
    together: Annotated[
        list[Held], Says("The fewest things alive there that break the limit; without a limit, all of them.")
    ]
    rest_bytes: Annotated[int, Says("What the arena holds besides: the tail, and gaps between addresses.")]
    ways: Annotated[list[Way], Says("Options that could help, the one that saves most first.")]
