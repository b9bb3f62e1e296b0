"""The largest input stays where the caller puts it, and each of its rows is copied elsewhere before it is read.

    before    input -> CONV_2D ...                          windows read each row of the input several times
    after     input -> FETCH_ROWS -> picture -> ...         each row of the input is read once, from one end to the other

With two memories that is what one wants of an input in the slow one: a few rows of the picture take little room in the fast one.
The interface stays as it is. A search for such a network shall not see the input, because that takes nothing of the memory which
is scarce: `without_input` is the same network with an input of one row.
"""

from __future__ import annotations

from dataclasses import replace

from tflm_split.errors import Refusal
from tflm_split.ir.graph import Graph, Operator
from tflm_split.rewrite.rows_of_call import tensor_of_call
from tflm_split.split.operators.stream import FETCH_ROWS
from tflm_split.split.rows import row_shape


def fetch_input(graph: Graph) -> Graph | None:
    """`graph` with the rows of its largest input fetched; None where it has none of several rows, or it is an output, too."""
    position = max(range(len(graph.inputs)), key=lambda k: graph.tensors[graph.inputs[k]].bytes, default=None)
    if position is None or graph.inputs[position] in graph.outputs or not graph.consumers().get(graph.inputs[position]):
        return None
    taken = graph.tensors[graph.inputs[position]]
    try:
        if row_shape(taken).rows < 2:
            return None
    except Refusal:
        return None
    picture = replace(taken, index=len(graph.tensors), name=f"{taken.name}/fetched")
    fetch = Operator(0, FETCH_ROWS, (taken.index,), (picture.index,), {"flip": 0})
    readers = tuple(
        replace(op, inputs=tuple(picture.index if t == taken.index else t for t in op.inputs)) for op in graph.operators
    )
    return replace(graph, tensors=(*graph.tensors, picture)).with_operators((fetch, *readers))


def without_input(fetching: Graph) -> Graph:
    """What `fetch_input` has made, with one row as the input. Operators, tensors and steps have the same numbers."""
    (fetch,) = (op for op in fetching.operators if op.kind == FETCH_ROWS)
    index, picture = fetch.inputs[0], fetching.tensors[fetch.outputs[0]]
    row = tensor_of_call(index, fetching.tensors[index].name, picture, 1)
    return replace(fetching, tensors=tuple(row if t.index == index else t for t in fetching.tensors))
