"""Which parameters of an op name a constant, how long must that constant be, and how is it aligned?

A parameter field whose name ends in `_offset` holds a byte offset in the blob (`encode`d) or an index into
`Program.constants` (as a value). The length is never stored: it follows from the op's kind, parameters and views.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tflm_split.errors import ProgramError
from tflm_split.program.format import PARAMS_OF, OpKind, WeightFlags
from tflm_split.program.types import View

AREA_ALIGNMENT = 16
"""The constants area starts at a multiple of this; so does every constant of weights."""

STORAGE_ALIGNMENT = 4
"""Row 0 of a `CONSTANT` storage: it may hold int32 or float elements."""

ALIGNMENT: Mapping[str, int] = MappingProxyType(
    {
        "weights_offset": 16,  # for vector loads
        "bias_offset": 4,
        "multipliers_offset": 4,
        "exps_offset": 4,
        "table_offset": 4,  # 4-byte entries for DEQUANTIZE
        "row_map_offset": 2,
        "column_map_offset": 2,
        "row_positions_offset": 4,
        "column_positions_offset": 4,
        "exps_table_offset": 2,
        "reciprocals_table_offset": 2,
        "shifts_offset": 1,
    }
)

INTERPOLATED_ENTRIES = 513
"""Of an int16 table that is interpolated: 512 steps, and where the last one leads."""

DEPTHWISE_KINDS = frozenset({OpKind.DEPTHWISE, OpKind.DEPTHWISE_INT16, OpKind.DEPTHWISE_FLOAT})
DENSE_FEEDS = frozenset({OpKind.DENSE_FEED, OpKind.DENSE_FEED_INT16, OpKind.DENSE_FEED_FLOAT})
_FLOAT_KINDS = frozenset({OpKind.CONV_FLOAT, OpKind.DEPTHWISE_FLOAT, OpKind.DENSE_FEED_FLOAT})
_INT16_KINDS = frozenset({OpKind.CONV_INT16, OpKind.DEPTHWISE_INT16, OpKind.DENSE_FEED_INT16})


def constant_fields(kind: OpKind) -> tuple[str, ...]:
    """The fields of the kind's parameter record that name a constant, in record order."""
    return tuple(f.name for f in PARAMS_OF[kind].fields if f.name in ALIGNMENT)


def view_elements(view: View) -> int:
    """Elements an op sees through the view, all rows together."""
    return view.row_count * view.column_count * view.channel_count


def constant_bytes(kind: OpKind, field: str, params: Mapping[str, int | float], output: View, input_view: View) -> int:
    """How many bytes the constant named by `field` has; raises ProgramError when the parameters make no sense of it."""
    channels = view_elements(output) if kind in DENSE_FEEDS else output.channel_count
    entries = channels if int(params.get("flags", 0)) & WeightFlags.PER_CHANNEL else 1
    match field:
        case "weights_offset":
            if kind in DENSE_FEEDS:
                count = channels * view_elements(input_view)
            else:
                groups = int(params.get("groups", 1))
                per_output = int(params["kernel_rows"]) * int(params["kernel_columns"])
                if kind not in DEPTHWISE_KINDS:
                    if groups < 1:
                        raise ProgramError("a convolution has no groups")
                    per_output *= input_view.channel_count // groups
                count = channels * per_output
            count *= 4 if kind in _FLOAT_KINDS else 1
        case "bias_offset":
            count = (8 if kind in _INT16_KINDS else 4) * channels
        case "exps_table_offset" | "reciprocals_table_offset":
            count = 2 * INTERPOLATED_ENTRIES
        case "multipliers_offset":
            count = 4 * entries
        case "shifts_offset":
            count = entries
        case "table_offset" if kind is OpKind.GATHER:
            count = int(params["entry_count"]) * output.column_count * output.channel_count
        case "table_offset":
            count = 256 * output.element_bytes
        case "exps_offset":
            count = 4 * int(params["exp_count"])
        case "row_map_offset":
            count = 2 * output.row_count
        case "column_map_offset":
            count = 2 * output.column_count
        case "row_positions_offset":
            count = 4 * output.row_count
        case "column_positions_offset":
            count = 4 * output.column_count
        case _:
            raise ProgramError(f"{field} does not name a constant")
    return count
