"""The kinds of op that a program is made of: one value for each, `Kind`, and everything that asks about a kind asks it.

`OpKind` numbers them; `of(op_kind)` is the value. See `kind.py` for what there is to know of a kind, `table.py` for the list.
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
