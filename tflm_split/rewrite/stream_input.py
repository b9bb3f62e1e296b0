"""The input comes a few rows at a time: the model's input holds the rows of one call, and the picture is never whole.

    before    picture -> CONV_2D ...                           one call with the whole picture
    after     rows of a call -> FETCH_ROWS -> picture -> ...   calls with `rows_per_call` rows each

FETCH_ROWS makes the picture row by row. To all that comes behind, it is an operator like any other: a row of the picture lives
from the step that fetches it to the last step that reads it. Like `integer_interface.py`, this changes the interface. So it is
done only on request, and reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isclose

from tflm_split.errors import InputError
from tflm_split.ir.graph import Graph, Operator, Quantization, Tensor
from tflm_split.rewrite.drop_dead import drop_dead
from tflm_split.rewrite.rows_of_call import behind_reshapes, streamable_shape, tensor_of_call
from tflm_split.split.operators import is_reshape
from tflm_split.split.operators.stream import FETCH_ROWS
from tflm_split.split.rows import RowShape

UINT8_FLIP = 128
"""The bit of a byte that differs between a uint8 and the int8 that is 128 less."""
PIXEL_SCALES = ((1 / 255, (-128,)), (1.0, (-128,)), (1 / 127.5, (-1, 0)))
"""Scales and zero points with which int8 inputs hold pixels 0 to 255 as p - 128: as 0 to 1, 0 to 255, and -1 to 1."""
_SCALE_TOLERANCE = 0.02
"""Converters fit scales to the pictures they are shown, so these differ a little from the ideal."""


@dataclass(frozen=True, slots=True)
class StreamedInput:
    """Input `position` of the model takes `calls` calls of `rows_per_call` rows; the last brings what is left.

    Tensor `tensor` holds the rows of one call. `whole` says what a row is, and how many there are. `flip`: bits of each byte
    that differ from what the model's own input holds.
    """

    position: int
    tensor: int
    whole: RowShape
    rows_per_call: int
    flip: int

    @property
    def rows(self) -> int:
        return self.whole.rows

    @property
    def calls(self) -> int:
        return -(-self.rows // self.rows_per_call)

    def sentence(self, graph: Graph) -> str:
        """The change as a sentence for the report."""
        tensor = graph.tensors[self.tensor]
        rows = "1 row" if self.rows_per_call == 1 else f"{self.rows_per_call} rows"
        return (
            f"input {self.position} takes {rows} per call now, as {tensor.dtype} {list(tensor.shape)}; "
            f"{self.calls} calls make one inference of {self.rows} rows"
        )


def stream_input(graph: Graph, rows_per_call: int, *, uint8_pixels: bool = False) -> tuple[Graph, StreamedInput]:
    """(`graph` whose largest input that it needs comes in calls of `rows_per_call` rows, what changed).

    RESHAPEs between the input and what computes are passed over: rows are those of the tensor behind them. With
    `uint8_pixels`, rows are pixels 0 to 255, which are 128 more than the int8 that the model takes. Raises InputError,
    with the reason, for a model whose input cannot come in rows.
    """
    needed = drop_dead(graph).consumers()
    read = [k for k, t in enumerate(graph.inputs) if needed.get(t)]
    if not read:
        raise InputError("the model has no input to stream, or computes nothing from it")
    position = max(read, key=lambda k: graph.tensors[graph.inputs[k]].bytes)
    was = graph.inputs[position]
    if was in graph.outputs:
        raise InputError("the input that would be streamed is an output of the model, too")
    picture, passed = _picture(graph, was)
    value = graph.tensors[picture]
    shape = streamable_shape(value, rows_per_call, "input")
    rows = tensor_of_call(len(graph.tensors), graph.tensors[was].name, value, rows_per_call)
    if uint8_pixels:
        rows = _as_pixels(rows)
    flip = UINT8_FLIP if uint8_pixels else 0
    inputs = tuple(rows.index if k == position else t for k, t in enumerate(graph.inputs))
    fetch = Operator(0, FETCH_ROWS, (rows.index,), (picture,), {"flip": flip})
    kept = tuple(op for op in graph.operators if op.index not in passed)
    streamed = replace(graph, tensors=(*graph.tensors, rows), inputs=inputs).with_operators((fetch, *kept))
    return streamed, StreamedInput(position, rows.index, shape, rows_per_call, flip)


def _picture(graph: Graph, tensor: int) -> tuple[int, frozenset[int]]:
    """(The tensor whose rows are streamed, the RESHAPEs before it): the last of a chain that still has several rows."""
    consumers = graph.consumers()
    chain, passed = [tensor], list[int]()
    while len(readers := consumers.get(chain[-1], ())) == 1:
        op = graph.operators[readers[0]]
        if not is_reshape(op) or op.outputs[0] in graph.outputs or len([t for t in op.inputs if t == chain[-1]]) != 1:
            break
        chain.append(op.outputs[0])
        passed.append(op.index)
    return behind_reshapes(graph, chain, passed)


def _as_pixels(rows: Tensor) -> Tensor:
    """`rows` as uint8. Raises InputError unless the model's int8 values are pixels less 128."""
    quantization = rows.quantization
    if rows.dtype != "INT8" or quantization is None or len(quantization.scales) != 1:
        hint = "; --int8-io (int8_io=True) makes it int8" if rows.dtype == "FLOAT32" else ""
        raise InputError(f"rows of uint8 pixels need a quantised int8 input, and this one is {rows.dtype}{hint}")
    scale, zero_point = quantization.scales[0], quantization.zero_points[0]
    fits = any(isclose(scale, s, rel_tol=_SCALE_TOLERANCE) and zero_point in zeros for s, zeros in PIXEL_SCALES)
    if not fits:
        raise InputError(
            f"the input's scale {scale:g} and zero point {zero_point} do not make it pixels 0 to 255 less 128: "
            "leave out --uint8-pixels (uint8_pixels=), and quantise the rows in the application"
        )
    return replace(rows, dtype="UINT8", quantization=Quantization((scale,), (zero_point + 128,)))
