"""Which tensors share bytes, into which rows is a storage cut, and how does an op see it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import Network
from tiny_models import Builder

from tflm_split.errors import Refusal
from tflm_split.kinds import OpKind
from tflm_split.split.regions import Split, SplitOptions, split_graph
from tflm_split.split.rows import RowShape
from tflm_split.split.storage import Alias, Storage, StorageView, resolve
from tflm_split.tflite.reader import read_model


def split(model: bytes, in_place: bool = False, feed_dense: bool = True) -> Split:
    return split_graph(read_model(model).graph, SplitOptions(concatenate_in_place=in_place, feed_dense=feed_dense))


def storage_of(found: Split, tensor: int) -> Storage:
    return found.storages.storages[found.storages.storage_of[tensor]]


def network(*shape: int) -> Network:
    return Network(shape)


# Cutting.


def test_what_a_row_op_writes_is_cut_into_its_rows() -> None:
    b = Builder((1, 8, 6, 4))
    made = b.conv(b.input, 3)
    found = split(b.finish(b.conv(made, 2)))
    assert (storage_of(found, made).rows, storage_of(found, made).row_bytes) == (8, 18)


def test_an_input_is_cut_into_the_finest_rows_anybody_reads() -> None:
    b = Builder((1, 8, 6, 4))
    pixels = b.reshape(b.input, (1, 48, 4))
    found = split(b.finish(b.unary("RELU", pixels)))
    assert (storage_of(found, b.input).rows, storage_of(found, b.input).row_bytes) == (48, 4)


def test_an_input_that_only_a_stock_operator_reads_is_one_piece() -> None:
    n = network(1, 8, 6, 4)
    turned = n.reversed(n.input)
    found = split(n.finish(n.conv(turned, 2)))
    assert (storage_of(found, n.input).rows, storage_of(found, n.input).row_bytes) == (1, 192)


# Reshapes are views.


@pytest.mark.parametrize("shape", [(1, 48, 4), (1, 192), (1, 4, 12, 4)])
def test_a_reshape_shares_its_inputs_storage(shape: tuple[int, ...]) -> None:
    b = Builder((1, 8, 6, 4))
    made = b.conv(b.input, 4)
    seen = b.reshape(made, shape)
    found = split(b.finish(seen))
    assert found.storages.storage_of[seen] == found.storages.storage_of[made]
    assert storage_of(found, made).tensors == (made, seen)
    assert len(found.row_ops) == 1


def test_a_reader_that_needs_other_rows_stays_stock() -> None:
    b = Builder((1, 8, 6, 4))
    seen = b.reshape(b.conv(b.input, 4), (1, 4, 12, 4))
    found = split(b.finish(b.conv(seen, 2)))
    assert [found.graph.operators[k].kind for k in sorted(found.stock)] == ["CONV_2D"]
    (reason,) = found.refusals.values()
    assert (reason.kind, reason.reason) == ("rows", "its input is cut into rows of 24 B, it needs 48 B")


# A dense layer takes pieces as they come.


def test_a_dense_layer_over_several_rows_is_fed() -> None:
    b = Builder((1, 8, 6, 4))
    flat = b.reshape(b.conv(b.input, 4), (1, 192))
    found = split(b.finish(b.dense(flat, 5)))
    fed = found.row_ops[-1]
    assert (fed.kind, fed.steps, fed.accumulator_bytes) == (OpKind.DENSE_FEED, 8, 20)
    assert (fed.reads[0].shape, fed.macs_per_step) == (RowShape(8, 1, 24), 5 * 24)


def test_a_dense_layer_over_one_piece_is_not_fed() -> None:
    b = Builder((1, 24))
    found = split(b.finish(b.dense(b.dense(b.input, 8), 5)))
    assert [op.kind for op in found.row_ops] == [OpKind.CONV, OpKind.CONV]


def test_feeding_can_be_switched_off() -> None:
    b = Builder((1, 8, 6, 4))
    model = b.finish(b.dense(b.reshape(b.conv(b.input, 4), (1, 192)), 5))
    found = split(model, feed_dense=False)
    assert [found.graph.operators[k].kind for k in sorted(found.stock)] == ["FULLY_CONNECTED"]


@pytest.mark.parametrize(("kernel", "groups", "fed"), [(1, 1, True), (1, 2, False), (3, 1, False)])
def test_only_a_plain_product_is_fed(kernel: int, groups: int, fed: bool) -> None:
    b = Builder((1, 4, 4, 4))
    flat = b.reshape(b.conv(b.input, 2), (1, 1, 1, 32))
    found = split(b.finish(b.conv(flat, 4, kernel, kernel, groups=groups)))
    assert (found.row_ops[-1].kind is OpKind.DENSE_FEED) is fed
    assert bool(found.stock) is not fed


# Concatenations.


@pytest.mark.parametrize(
    ("axis", "windows"),
    [
        (1, [(0, 0, 0), (5, 0, 0)]),
        (2, [(0, 0, 3), (0, 12, 3)]),
        (3, [(0, 0, 6), (0, 3, 6)]),
    ],
)
def test_a_concatenation_written_in_place_has_no_step(axis: int, windows: list[tuple[int, int, int]]) -> None:
    b = Builder((1, 5, 4, 3))
    parts = [b.conv(b.input, 3), b.depthwise(b.input)]
    same = b.unary("QUANTIZE", parts[1], like=parts[0])
    joined = b.concat([parts[0], same], axis)  # requantises its second part once more
    model = b.finish(b.conv(joined, 2))
    copied, found = split(model), split(model, in_place=True)
    assert len(copied.row_ops) - len(found.row_ops) == 2
    assert all(op.kind is not OpKind.PAD for op in found.row_ops)
    ends = found.graph.operators[-2].inputs
    assert [
        (w.first_row, w.offset_bytes, w.pixel_stride_bytes) for w in (found.storages.windows[t] for t in ends)
    ] == windows
    assert {found.storages.storage_of[t] for t in ends} == {found.storages.storage_of[joined]}


def in_place_parts(n: Network, *outputs: int) -> list[bool]:
    """For each input of the last concatenation: is it written in place?"""
    found = split(n.finish(*outputs), in_place=True)
    op = [op for op in found.graph.operators if op.kind == "CONCATENATION"][-1]
    target = found.storages.storage_of[op.outputs[0]]
    return [found.storages.storage_of[t] == target for t in op.inputs]


def test_an_input_of_the_model_is_copied() -> None:
    n = network(1, 5, 4, 3)
    joined = n.joined([n.input, n.input], 3)
    assert in_place_parts(n, n.conv(joined, 2)) == [False, False]


def test_an_output_of_the_model_is_copied() -> None:
    n = network(1, 5, 4, 3)
    made = n.conv(n.input, 3)
    assert in_place_parts(n, n.conv(n.joined([made, made], 3), 2), made) == [False, False]


def test_the_second_of_two_equal_parts_is_copied() -> None:
    n = network(1, 5, 4, 3)
    made = n.conv(n.input, 3)
    assert in_place_parts(n, n.conv(n.joined([made, made], 3), 2)) == [True, True]
    found = split(n.finish(n.operators[-1].outputs[0]), in_place=True)
    assert sum(op.kind is OpKind.PAD for op in found.row_ops) == 1


def test_a_part_that_is_reshaped_too_is_copied() -> None:
    n = network(1, 5, 4, 3)
    made = n.conv(n.input, 3)
    seen = n.reshape(made, (1, 20, 3))
    assert in_place_parts(n, n.conv(n.joined([made, made], 3), 2), n.unary("RELU", seen))[0] is False


def test_a_part_a_stock_operator_reads_is_copied() -> None:
    n = network(1, 4, 4, 3)
    made = n.conv(n.input, 3)
    assert in_place_parts(n, n.conv(n.joined([made, made], 3), 2), n.reversed(made))[0] is False


def test_a_part_made_before_a_stock_operator_is_copied() -> None:
    n = network(1, 4, 4, 3)
    made = n.conv(n.input, 3)
    later = n.conv(n.reversed(n.input), 3)
    first, second = in_place_parts(n, n.conv(n.joined([made, later], 3), 2))
    assert (first, second) == (False, True)


# Windows of windows.


def bytes_of(tensor: int, shapes: Mapping[int, Sequence[int]], aliases: Mapping[int, Alias]) -> np.ndarray:
    """For each byte of `tensor`, the byte of its root, followed alias by alias."""
    if tensor not in aliases:
        return np.arange(int(np.prod(shapes[tensor])))
    alias = aliases[tensor]
    whole = bytes_of(alias.of, shapes, aliases)
    _, rows, columns, channels = shapes[tensor]
    if not alias.row_bytes:
        return whole
    stride = alias.pixel_stride_bytes or channels
    r, x, c = np.ogrid[:rows, :columns, :channels]
    offsets: np.ndarray = (alias.first_row + r) * alias.row_bytes + alias.offset_bytes + x * stride + c
    return np.asarray(whole[offsets.reshape(-1)])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_chain_of_windows_is_one_window(data: st.DataObject) -> None:
    """Slices of slices, each a box inside the one before. (A part of a concatenation is one, too.)"""
    shapes: dict[int, tuple[int, ...]] = {0: (1, 8, 6, 4)}
    aliases = {}
    for t in range(1, data.draw(st.integers(2, 4), label="length")):
        whole = shapes[t - 1]
        begin = [data.draw(st.integers(0, d - 1)) for d in whole]
        size = [data.draw(st.integers(1, d - b)) for d, b in zip(whole, begin, strict=True)]
        shapes[t] = (1, *size[1:])
        _, row, column, channel = begin
        row_bytes = whole[2] * whole[3]
        dense = size[2:] == list(whole[2:])
        offset = 0 if dense else column * whole[3] + channel
        aliases[t] = Alias(t, t - 1, row, offset, 0 if dense else whole[3], row_bytes)
    last = max(shapes)
    straight = {last: resolve(last, aliases)}
    assert straight[last].of == 0
    assert np.array_equal(bytes_of(last, shapes, straight), bytes_of(last, shapes, aliases))


def test_columns_of_a_map_that_becomes_channels_of_another_lie_further_apart() -> None:
    inner = Alias(2, 1, 0, offset_bytes=12, pixel_stride_bytes=4, row_bytes=24)
    outer = Alias(1, 0, 0, offset_bytes=3, pixel_stride_bytes=7, row_bytes=42)
    assert resolve(2, {2: inner, 1: outer}) == Alias(2, 0, 0, 3 * 7 + 3, 7, 42)


def test_a_row_slice_is_counted_in_the_rows_of_its_storage() -> None:
    """Another op reads the input pixel by pixel, so row 2 of the map is piece 12 of its storage."""
    n = network(1, 8, 6, 4)
    pixels = n.unary("LOGISTIC", n.reshape(n.input, (1, 48, 4)))
    part = n.sliced(n.input, (0, 2, 0, 0), (1, 3, 6, 4), False)
    seen = n.reshape(part, (1, 18, 4))
    found = split(n.finish(pixels, n.unary("TANH", seen)))
    assert not found.stock
    assert found.storages.view(seen, RowShape(18, 1, 4)) == StorageView(
        found.storages.storage_of[n.input], 12, RowShape(18, 1, 4), 4
    )


def test_what_takes_part_of_each_row_cannot_be_seen_in_other_rows() -> None:
    n = network(1, 8, 6, 4)
    pixels = n.unary("LOGISTIC", n.reshape(n.input, (1, 48, 4)))
    part = n.sliced(n.input, (0, 2, 1, 0), (1, 3, 3, 4), False)
    found = split(n.finish(pixels, n.unary("TANH", part)))
    assert [found.graph.operators[k].kind for k in sorted(found.stock)] == ["SLICE", "TANH"]
    assert "slice" in found.refusals[max(found.stock)].reason


def test_a_view_refuses_rows_that_are_not_whole_pieces() -> None:
    b = Builder((1, 8, 6, 4))
    made = b.conv(b.input, 4)
    found = split(b.finish(made))
    with pytest.raises(Refusal, match="its input is cut into rows of 24 B, it needs 12 B"):
        found.storages.view(made, RowShape(16, 3, 4))
