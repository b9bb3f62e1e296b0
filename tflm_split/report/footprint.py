"""How much memory does one model file take: planned, predicted for a 32-bit Arm and, if TFLM ran it, measured?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tflm_split.analysis.arena import ArenaPrediction, predicted_arm32_arena
from tflm_split.analysis.kernel_sets import REFERENCE, KernelSet
from tflm_split.analysis.tflm_head import predicted_head_bytes, unknown_scratch
from tflm_split.analysis.tflm_planner import planned_head
from tflm_split.errors import InternalError
from tflm_split.ir.graph import Model
from tflm_split.sizes import format_bytes
from tflm_split.tflite.reader import all_offsets

if TYPE_CHECKING:
    from tflm_split.verify.tflm import TflmRun


@dataclass(frozen=True, slots=True)
class Footprint:
    """The memory of one file.

    `planned_head_bytes` is the head that TFLM's own planner makes of the file's offline plan, its online tensors and its
    kernels' scratch. `measured` is None when TFLM did not run the file.
    """

    planned_head_bytes: int
    measured: TflmRun | None
    predicted_arm32: ArenaPrediction

    @property
    def arena_needs(self) -> tuple[int, int]:
        """(bytes of arena to set aside, bytes used in the end) on a 32-bit Arm. Files are compared by this pair."""
        return self.predicted_arm32.minimum_arena_bytes, self.predicted_arm32.arena_bytes


def footprint(model: Model, measured: TflmRun | None, kernels: KernelSet = REFERENCE) -> Footprint:
    """The memory `model` takes, on an Arm with these kernels. Raises ModelError for subgraphs that cannot run."""
    planned = predicted_head_bytes(model)
    if kernels.name == REFERENCE.name:
        head = measured.head_bytes if measured else planned
    else:
        head = head_with(model, kernels)
    return Footprint(planned, measured, predicted_arm32_arena(model, head, kernels))


def head_with(model: Model, kernels: KernelSet) -> int:
    """The head that TFLM's planner makes of this file with these kernels. Raises ModelError for subgraphs that cannot run."""
    offsets = dict(enumerate(all_offsets(model) or ()))
    return planned_head(model.graph, offsets, kernels.scratch(model), model.other_graphs)


def reason_to_keep_original(before: Footprint, after: Footprint | None, how: str = "split") -> str | None:
    """Why the original is the better result, as the end of a sentence; None when it is not.

    `after` is None when nothing could be split; `how` says what was done otherwise.
    """
    if after is None:
        return "no operator of it can be split"
    if after.arena_needs >= before.arena_needs:
        split, whole = format_bytes(after.arena_needs[0]), format_bytes(before.arena_needs[0])
        return f"{how} it would take {split} of arena, not less than {whole}"
    return None


def check_planned_head(model: Model, memory: Footprint) -> None:
    """Raise InternalError if TFLM measured another head than was planned.

    A model with kernels of unknown scratch is not checked, nor one that TFLM did not run.
    """
    measured = memory.measured
    if measured and measured.head_bytes != memory.planned_head_bytes and not unknown_scratch(model):
        raise InternalError(f"planned a head of {memory.planned_head_bytes} bytes, measured {measured.head_bytes}")
