"""The rules of the kinds that work between tokens: which views make a product of matrices (BATCH_MATMUL), and which rows of
the right one a step touches; which make a TRANSPOSE. Each function gives the fault, or None.
"""

from __future__ import annotations

from collections.abc import Mapping

from tflm_split.program.types import Op, Program, View


def matmul_fault(params: Mapping[str, int | float], output: View, left: View, right: View) -> str | None:
    """What is wrong with the shapes and numbers; None when nothing is."""
    for role, view in (("output", output), ("input", left), ("second input", right)):
        if view.element_bytes != 1:
            return f"its {role} has elements of {view.element_bytes} bytes"
    for name in ("left_zero_point", "right_zero_point"):
        if not -128 <= params[name] <= 127:
            return f"its {name} is {params[name]}"
    if params["transposed"] not in (0, 1):
        return f"its transposed is {params['transposed']}"
    left_rows, right_rows = int(params["left_rows"]), int(params["right_rows"])
    if left_rows < 1 or right_rows < 1 or output.row_count % left_rows:
        return f"its {output.row_count} rows are no batches of {left_rows} by {right_rows}"
    if right.row_count not in (right_rows, right_rows * (output.row_count // left_rows)):
        return f"its second input has {right.row_count} rows for batches of {right_rows}"
    if (left.row_count, left.column_count) != (output.row_count, output.column_count):
        return f"its input of {left.row_count} x {left.column_count} pixels makes {output.row_count} x {output.column_count}"
    pixels = right_rows * right.column_count
    made_of, makes = (right.channel_count, pixels) if params["transposed"] else (pixels, right.channel_count)
    if (left.channel_count, output.channel_count) != (made_of, makes):
        return f"it takes {left.channel_count} channels to {output.channel_count}, needs {made_of} to {makes}"
    return None


def matmul_rows(program: Program, op: Op, row: int) -> range:
    """The rows of the second input that output row `row` is made of."""
    assert op.input2 is not None
    count = int(op.params["right_rows"])
    first = row // int(op.params["left_rows"]) * count % program.views[op.input2].row_count
    return range(first, first + count)


def transpose_fault(params: Mapping[str, int | float], output: View, source: View) -> str | None:
    """What is wrong with the shapes and axes; None when nothing is."""
    axes = [int(params[name]) for name in ("row_axis", "column_axis", "channel_axis")]
    if sorted(axes) != [0, 1, 2]:
        return f"its axes are {axes}"
    if source.element_bytes != 1 or output.element_bytes != 1:
        return f"it takes elements of {source.element_bytes} bytes to {output.element_bytes}"
    read = (source.row_count, source.column_count, source.channel_count)
    written = (output.row_count, output.column_count, output.channel_count)
    if written != tuple(read[axis] for axis in axes):
        return f"axes {axes} of {list(read)} are not {list(written)}"
    return None
