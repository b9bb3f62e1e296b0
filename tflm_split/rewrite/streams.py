"""Which input and which output of a model are streamed?"""

from __future__ import annotations

from dataclasses import dataclass

from tflm_split.rewrite.stream_input import StreamedInput
from tflm_split.rewrite.stream_output import StreamedOutput


@dataclass(frozen=True, slots=True)
class Streams:
    """What the user asked for; None for an input or an output that is whole."""

    input: StreamedInput | None = None
    output: StreamedOutput | None = None
