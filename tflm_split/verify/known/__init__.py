"""What verification knows of the kinds of op, on its own: one file per family, one `Known` per kind.

What checks shares no code with what makes. The compiler's knowledge of the kinds is `tflm_split.kinds`; of it, only numbers
and modes (`OpKind`, `MeanMode`, ...) are used here. A new kind is entered in the `KNOWN` of its family's file, a new family
in `FAMILIES`. See `entry.py` for what there is to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tflm_split.errors import InternalError
from tflm_split.kinds import OpKind
from tflm_split.verify.known import (
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
from tflm_split.verify.known.entry import Known

FAMILIES: tuple[Mapping[OpKind, Known], ...] = tuple(
    family.KNOWN
    for family in (
        convolution, conv_sum, transpose_conv, pooling, feeds, binary, element_wise, softmax, pad, resize, gather, blocks,
        tokens, stream, recurrent,
    )
)  # fmt: skip
KNOWN: Mapping[OpKind, Known] = MappingProxyType({kind: entry for family in FAMILIES for kind, entry in family.items()})


def of(kind: OpKind) -> Known:
    """What is known of a kind; raises InternalError if it is in no table."""
    if kind not in KNOWN:
        raise InternalError(f"verification does not know the op kind {kind.name}: no file of verify/known/ has it")
    return KNOWN[kind]
