"""What do the JSON records of `fit` and `why` hold?

`docs/fit.schema.json` and `docs/why.schema.json` are made from these types (`report/json_schema.py`). Arenas are predicted
for a 32-bit Arm.
"""

from __future__ import annotations

from typing import Annotated, TypedDict

from tflm_split.report.record_types import ModelIdentity, Says


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
