"""What does a model take that remembers what its window has in common with the one before, and what does it save?"""

from __future__ import annotations

from tflm_split.report.record_types import WindowRecord
from tflm_split.search.reuse import Forgetting, Kept
from tflm_split.sizes import counted, format_bytes


def window_record(window: tuple[Kept, Forgetting | None] | None) -> WindowRecord | None:
    """The part of the record about a window that slides. None where none does."""
    if window is None:
        return None
    kept, forgetting = window
    slides, tensors = kept.sliding, kept.sliding.graph.tensors
    return {
        "input": slides.position,
        "axis": slides.axis,
        "rows": slides.rows,
        "tensors": [tensors[t].name for t in kept.tensors],
        "state_bytes": kept.state_bytes,
        "warm_up": kept.warm_up,
        "predicted_instructions_without": forgetting.predicted_instructions if forgetting else None,
        "predicted_arena_without_bytes": forgetting.arena_bytes if forgetting else None,
    }


def window_sentence(window: WindowRecord) -> str:
    """The same for people."""
    by, of = counted(window["rows"], "row"), counted(len(window["tensors"]), "tensor")
    said = (
        f"Each input is the one before, moved on by {by}: {format_bytes(window['state_bytes'])} of {of} are remembered. Results "
        f"are right from inference {window['warm_up']} after a reset on, counted from 0."
    )
    instructions, arena = window["predicted_instructions_without"], window["predicted_arena_without_bytes"]
    if instructions is not None and arena is not None:
        said += f" Without it, {instructions:,} instructions are predicted, and {format_bytes(arena)} of arena."
    return said
