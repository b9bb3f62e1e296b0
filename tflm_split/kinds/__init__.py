"""The kinds of op that a program is made of. Each is one value of type `Kind`, the owner of all facts about it.

`OpKind` numbers the kinds, and `of(op_kind)` gives the value. `kind.py` says what there is to know of a kind, `table.py`
lists them all.
"""

from __future__ import annotations

from tflm_split.kinds.kind import Kind
from tflm_split.kinds.modes import BinaryMode, MeanMode, PoolMode, UnaryMode, WeightFlags
from tflm_split.kinds.op_kind import OpKind
from tflm_split.kinds.table import KINDS
from tflm_split.kinds.view import View

__all__ = [
    "KINDS", "BinaryMode", "Kind", "MeanMode", "OpKind", "PoolMode", "UnaryMode", "View", "WeightFlags", "of",
]  # fmt: skip


def of(kind: OpKind) -> Kind:
    """All that is known of a kind."""
    return KINDS[kind]
