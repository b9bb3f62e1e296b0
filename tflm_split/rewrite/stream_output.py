"""The output goes a few rows at a time: the model's output holds the rows of one call, and the map is never whole.

    before    ... CONV_2D -> map                                 whole after the last step
    after     ... CONV_2D -> map -> EMIT_ROWS -> rows of a call   calls with `rows_per_call` rows each

EMIT_ROWS hands over the map row by row. To all that comes before it, it is an operator like any other: a row of the map lives
from the step that makes it to the step that hands it over. Done only on request, and reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tflm_split.errors import InputError
from tflm_split.ir.graph import Graph, Operator
from tflm_split.rewrite.rows_of_call import behind_reshapes, streamable_shape, tensor_of_call
from tflm_split.split.operators import is_reshape
from tflm_split.split.operators.stream import EMIT_ROWS
from tflm_split.split.rows import RowShape


@dataclass(frozen=True, slots=True)
class StreamedOutput:
    """Output `position` of the model is handed over in calls of `rows_per_call` rows; the last brings what is left.

    Tensor `tensor` holds the rows of one call. `whole` says what a row is, and how many there are.
    """

    position: int
    tensor: int
    whole: RowShape
    rows_per_call: int

    def sentence(self, graph: Graph) -> str:
        """The change as a sentence for the report."""
        tensor = graph.tensors[self.tensor]
        rows = "1 row" if self.rows_per_call == 1 else f"up to {self.rows_per_call} rows"
        return (
            f"output {self.position} holds {rows} of {self.whole.rows} after a call now, as {tensor.dtype} "
            f"{list(tensor.shape)}; the last output says which"
        )


def stream_output(graph: Graph, rows_per_call: int) -> tuple[Graph, StreamedOutput]:
    """(`graph` whose largest output goes in calls of `rows_per_call` rows, what changed).

    RESHAPEs between what computes and the output are passed over: rows are those of the tensor before them. Raises
    InputError, with the reason, for a model whose output cannot go in rows.
    """
    if not graph.outputs:
        raise InputError("the model has no output to stream")
    position = max(range(len(graph.outputs)), key=lambda k: graph.tensors[graph.outputs[k]].bytes)
    was = graph.outputs[position]
    if graph.outputs.count(was) > 1 or graph.consumers().get(was):
        raise InputError("the output that would be streamed is read again in the model, so all of it must be kept")
    made, passed = _made(graph, was)
    value = graph.tensors[made]
    shape = streamable_shape(value, rows_per_call, "output")
    if made in graph.inputs or value.is_constant:
        raise InputError("the output that would be streamed is not computed by the model")
    rows = tensor_of_call(len(graph.tensors), graph.tensors[was].name, value, rows_per_call)
    outputs = tuple(rows.index if k == position else t for k, t in enumerate(graph.outputs))
    emit = Operator(0, EMIT_ROWS, (made,), (rows.index,), {})
    kept = tuple(op for op in graph.operators if op.index not in passed)
    streamed = replace(graph, tensors=(*graph.tensors, rows), outputs=outputs).with_operators((*kept, emit))
    return streamed, StreamedOutput(position, rows.index, shape, rows_per_call)


def _made(graph: Graph, output: int) -> tuple[int, frozenset[int]]:
    """(The tensor whose rows are streamed, the RESHAPEs behind it): the first of a chain that has several rows."""
    producers = {t: op for op in graph.operators for t in op.outputs}
    consumers = graph.consumers()
    chain, passed = [output], list[int]()
    while (op := producers.get(chain[-1])) is not None and is_reshape(op):
        before = op.inputs[0]
        if before in graph.outputs or graph.tensors[before].is_constant or len(consumers.get(before, ())) != 1:
            break
        chain.append(before)
        passed.append(op.index)
    return behind_reshapes(graph, chain, passed)
