"""GATHER."""

from __future__ import annotations

import numpy as np

from tflm_split.kinds import OpKind
from tflm_split.verify.known import rows
from tflm_split.verify.known.entry import Known
from tflm_split.verify.known.sharing import APART
from tflm_split.verify.operands import Operands, Row


def _gather(step: Operands) -> Row:
    """The first element of the row says which entry; one beyond the table is taken to its end."""
    output, count = step.output, step.p["entry_count"]
    entry = min(max(int(step.read(step.row)[0, 0]), 0), count - 1)
    table = step.constant("table_offset", np.int8)
    return np.asarray(table.reshape(count, output.column_count, output.channel_count)[entry])


KNOWN = {OpKind.GATHER: Known(_gather, rows.same_row, APART)}
