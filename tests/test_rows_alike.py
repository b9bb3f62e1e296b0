"""Operators behind a RESHAPE work on the rows in which their input is made: which do, what is copied, and TFLM's bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from detection_heads import HEADS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_split_equals_tflm import check
from tflm_server import TflmServer
from tiny_models import Builder
from typed_models import TypedBuilder, random_inputs

from tflm_split.search.base import rewritten_split
from tflm_split.split.regions import Split, SplitOptions
from tflm_split.tflite.reader import read_model


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def split(model: bytes) -> Split:
    return rewritten_split(read_model(model).graph, SplitOptions())


def shapes(model: bytes) -> list[tuple[str, tuple[int, ...]]]:
    """(kind, shape of the output) of each operator that takes a step."""
    found = split(model)
    assert not found.stock
    operators = [found.graph.operators[k] for k in range(len(found.graph.operators)) if k not in found.aliased]
    return [(op.kind, found.graph.tensors[op.outputs[0]].shape) for op in operators]


@pytest.mark.parametrize("name", sorted(HEADS))
def test_detection_heads_are_split_wholly(tflm: TflmServer, name: str) -> None:
    check(tflm, HEADS[name](16), all_split=True)


# What becomes of an operator whose input has rows of 8 * 6 elements.


def behind(add: Callable[[Builder, int], int]) -> bytes:
    """A convolution to [1, 4, 8, 6], and what `add` adds to it."""
    b = Builder((1, 4, 8, 2))
    return b.finish(add(b, b.conv(b.input, 6, 1, 1)))


def boxes(b: Builder, made: int) -> int:
    return b.reshape(made, (1, 64, 3))


def indices(b: Builder, *numbers: int) -> int:
    return b.constant(np.array(numbers, np.int32))


def sliced(b: Builder, source: int, begin: tuple[int, ...], extent: tuple[int, ...]) -> int:
    part = tuple(slice(None) if k == 0 else slice(begin[k - 1], begin[k - 1] + extent[k - 1]) for k in range(4))
    output = b._output(b._values[source][part], like=source)
    return b._op("SLICE", [source, indices(b, *begin), indices(b, *extent)], output)


def last(model: bytes, count: int = 1) -> list[tuple[str, tuple[int, ...]]]:
    return shapes(model)[-count:]


def test_an_operator_per_element_takes_the_rows_of_its_input() -> None:
    assert last(behind(lambda b, t: b.unary("LOGISTIC", boxes(b, t)))) == [("LOGISTIC", (1, 4, 16, 3))]
    # pixels of 5 do not fit into rows of 48: the elements alone do
    assert last(behind(lambda b, t: b.unary("LOGISTIC", b.reshape(t, (1, 2, 96))))) == [("LOGISTIC", (1, 4, 1, 48))]


def test_a_softmax_needs_whole_pixels() -> None:
    assert last(behind(lambda b, t: b.softmax(boxes(b, t)))) == [("SOFTMAX", (1, 4, 16, 3))]
    copied = behind(lambda b, t: b.softmax(b.reshape(t, (1, 2, 96))))
    assert last(copied, 2) == [("RECUT", (1, 2, 96)), ("SOFTMAX", (1, 2, 96))]


@pytest.mark.parametrize(
    ("constant", "seen"),
    [
        ((1, 64, 3), (1, 4, 16, 3)),
        ((3,), (1, 1, 1, 3)),
        ((1, 64, 1), (1, 4, 16, 1)),
        ((1, 1, 1), (1, 1, 1)),
    ],
)
def test_constants_keep_their_places(tflm: TflmServer, constant: tuple[int, ...], seen: tuple[int, ...]) -> None:
    model = behind(lambda b, t: b.add(boxes(b, t), b.quantized_constant(constant), kind="MUL"))
    found = split(model)
    (product,) = [op for op in found.graph.operators if op.kind in ("MUL", "BYTE_FUNCTION")]
    assert [found.graph.tensors[t].shape for t in product.inputs[1:]] in ([seen], [])
    assert found.graph.tensors[product.outputs[0]].shape == (1, 4, 16, 3)
    check(tflm, model, all_split=True)


def test_a_constant_for_each_anchor_lies_side_by_side(tflm: TflmServer) -> None:
    def add(b: Builder, made: int) -> int:
        return b.add(b.reshape(made, (1, 32, 2, 3)), b.quantized_constant((1, 1, 2, 3)))

    model = behind(add)
    found = split(model)
    total = found.graph.operators[-2]
    assert [found.graph.tensors[t].shape for t in total.inputs] == [(1, 4, 16, 3), (1, 1, 16, 3)]
    check(tflm, model, all_split=True)


def test_the_slower_operand_of_two_is_copied(tflm: TflmServer) -> None:
    def add(b: Builder, made: int) -> int:
        other = b.conv(b.reshape(b.input, (1, 8, 4, 2)), 6, 1, 1)
        return b.add(boxes(b, made), boxes(b, other))

    model = behind(add)
    assert last(model, 2) == [("RECUT", (1, 8, 8, 3)), ("ADD", (1, 8, 8, 3))]
    check(tflm, model, all_split=True)


def test_a_joint_has_the_longest_rows_that_fit(tflm: TflmServer) -> None:
    def add(b: Builder, made: int) -> int:
        small = b.pool(made, 2, 2, 2)
        return b.concat([boxes(b, made), b.reshape(small, (1, 16, 3))], 1)

    model = behind(add)
    assert last(model, 2) == [("RECUT", (1, 8, 24)), ("CONCATENATION", (1, 10, 24))]
    check(tflm, model, all_split=True)


def test_flattened_maps_are_joined_piece_by_piece(tflm: TflmServer) -> None:
    def add(b: Builder, made: int) -> int:
        small = b.pool(made, 2, 2, 2)
        return b.dense(b.concat([b.reshape(made, (1, 192)), b.reshape(small, (1, 48))], 1), 4)

    model = behind(add)
    assert last(model, 2)[0] == ("CONCATENATION", (1, 10, 24))
    check(tflm, model, all_split=True)


def test_slices_of_boxes(tflm: TflmServer) -> None:
    def channels(b: Builder, made: int) -> int:
        return b.unary("TANH", sliced(b, boxes(b, made), (0, 0, 1), (1, 64, 2)))

    def rows(b: Builder, made: int) -> int:
        return b.unary("TANH", sliced(b, boxes(b, made), (0, 16, 0), (1, 32, 3)))

    def part(b: Builder, made: int) -> int:
        return b.unary("TANH", sliced(b, boxes(b, made), (0, 5, 0), (1, 20, 3)))

    assert last(behind(channels)) == [("TANH", (1, 4, 16, 2))]
    assert last(behind(rows)) == [("TANH", (1, 2, 16, 3))]
    assert last(behind(part), 2) == [("RECUT", (1, 20, 3)), ("TANH", (1, 20, 3))]
    for add in (channels, rows, part):
        check(tflm, behind(add), all_split=True)


def test_a_window_reads_a_copy_in_other_rows(tflm: TflmServer) -> None:
    model = behind(lambda b, t: b.conv(b.reshape(t, (1, 8, 8, 3)), 4))
    assert last(model, 2) == [("RECUT", (1, 8, 8, 3)), ("CONV_2D", (1, 8, 8, 4))]
    check(tflm, model, all_split=True)


def test_what_stays_stock_keeps_its_shape() -> None:
    """Nothing is copied for its sake."""
    model = behind(lambda b, t: b.reversed(boxes(b, t)))
    assert [op.kind for op in split(model).graph.operators] == ["CONV_2D", "RESHAPE", "REVERSE_V2"]
    model = behind(lambda b, t: b.unary("TANH", b.reshape(b.reversed(t), (1, 64, 3))))
    assert [op.kind for op in split(model).graph.operators] == ["CONV_2D", "REVERSE_V2", "RESHAPE", "TANH"]


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_chain_behind_a_reshape_gives_tflms_bytes(tflm: TflmServer, data: st.DataObject) -> None:
    b = Builder((1, 4, 6, 2), seed=data.draw(st.integers(0, 99)))
    made = b.conv(b.input, 4, 1, 1)
    for _ in range(data.draw(st.integers(1, 4))):
        elements = 96
        channels = data.draw(st.sampled_from([1, 2, 3, 4, 6, 8, 12]))
        rank = data.draw(st.sampled_from([2, 3, 4]))
        columns = data.draw(st.sampled_from([n for n in (1, 2, 4) if elements // channels % n == 0]))
        outer = {
            2: (elements // channels,),
            3: (1, elements // channels),
            4: (1, elements // channels // columns, columns),
        }
        seen = b.reshape(made, (*outer[rank], channels))
        step = data.draw(st.sampled_from(["unary", "softmax", "add", "concat", "conv", "channels"]))
        if step == "unary":
            made = b.unary("LOGISTIC", seen)
        elif step == "softmax":
            made = b.softmax(seen)
        elif step == "add":
            made = b.add(seen, b.reshape(b.unary("TANH", b.input), (1, 48)) if elements == 48 else seen)
        elif step == "conv" and rank == 4:
            made = b.conv(seen, channels, 3, 3)
        elif step == "concat" and rank == 3:
            parts = [sliced(b, seen, (0, 0, 0), (1, outer[3][1], channels))] * 1
            made = b.concat([seen, *parts], 1)
            made = sliced(b, made, (0, outer[3][1], 0), (1, outer[3][1], channels))
        elif step == "channels" and rank == 3 and channels > 1:
            first = sliced(b, seen, (0, 0, 0), (1, outer[3][1], 1))
            others = sliced(b, seen, (0, 0, 1), (1, outer[3][1], channels - 1))
            made = b.concat([others, first], 2)
    check(tflm, b.finish(b.unary("TANH", made)))


@pytest.mark.parametrize("dtype", ["FLOAT32", "INT16"])
def test_heads_of_other_types(tflm: TflmServer, dtype: str) -> None:
    """Boxes of two maps, joined; their corners are scaled by constants."""
    b = TypedBuilder(dtype, (1, 8, 8, 3))
    first = b.conv(b.input, 8, (1, 1))
    second = b.pool(first, (2, 2), (2, 2), kind="MAX_POOL_2D")
    parts = []
    for made in (first, second):
        count = int(np.prod(b.shape(made))) // 4
        shape = b.constant(np.array((1, count, 4), np.int32), "INT32")
        parts.append(b.op("RESHAPE", (made, shape), (b.activation((1, count, 4), b.spread[first]),)))
    boxes = b.concat(parts, 1)
    begin, extent = (b.constant(np.array(n, np.int32), "INT32") for n in ((0, 0, 2), (1, 160, 2)))
    corners = b.op("SLICE", (boxes, begin, extent), (b.activation((1, 160, 2), b.spread[first]),))
    model = b.finish(b.binary("MUL", corners, b.constant_operand((1, 160, 2))))
    check(tflm, model, all_split=True, inputs=random_inputs([b.tensors[b.input]]))


@pytest.mark.parametrize("around", ["a slice", "a joint"])
def test_what_is_cut_into_other_rows_is_no_part_of_each_row(tflm: TflmServer, around: str) -> None:
    """A RECUT reads pixels that follow each other: not some channels of a map, nor its part of a joint along channels."""
    b = Builder((1, 4, 8, 6))
    made = b.conv(b.input, 6, 1, 1)
    part = b.unary("RELU", b.input)
    if around == "a slice":
        part = b._output(b._values[made][..., 3:], like=made)
        b._op("SLICE", [made, indices(b, 0, 0, 0, 3), indices(b, 1, 4, 8, 3)], part)
    others = [b.concat([made, part], 3)] if around == "a joint" else [b.pool(part, 2, 2, 2)]
    check(tflm, b.finish(b.softmax(b.reshape(part, (1, int(np.prod(b.shape(part)))))), *others))
