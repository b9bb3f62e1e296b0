"""All kinds, in the order of their numbers.

A new kind goes into the `KINDS` of its file, a new file into `FAMILIES`.
"""

from __future__ import annotations

from tflm_split.kinds import (
    binary,
    blocks,
    conv_sum,
    convolution,
    element_wise,
    feeds,
    gather,
    pad,
    pooling,
    recurrent,
    resize,
    softmax,
    stream,
    tokens,
    transpose_conv,
)
from tflm_split.kinds.kind import Kind

FAMILIES = (
    convolution, conv_sum, transpose_conv, pooling, feeds, binary, element_wise, softmax, pad, resize, gather, blocks, tokens,
    stream, recurrent,
)  # fmt: skip
KINDS: tuple[Kind, ...] = tuple(kind for family in FAMILIES for kind in family.KINDS)
