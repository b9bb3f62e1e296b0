"""The normal form of a graph: what each rewrite makes of its kind of operators, and that the result gives TFLM's bytes.

A model here is a line of operators. `Line` adds them one by one, with random weights; `check` compiles it in every way and
runs it in the real TFLM.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_split_equals_tflm import check
from tflm_server import TflmServer
from tiny_models import Op, T, build_model, window_output

from tflm_split.ir.graph import Graph
from tflm_split.rewrite.normal_form import normal_form
from tflm_split.rewrite.patch import Patch, Site, rewritten
from tflm_split.rewrite.swap_axes import tiles_to_try
from tflm_split.search.base import rewritten_split
from tflm_split.split.operators.tall_convolution import TALL_CONV
from tflm_split.split.regions import SplitOptions
from tflm_split.tflite.reader import read_model

Shape = tuple[int, ...]
drawn = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


class Line:
    """A model in the making: `last` is the tensor that the next operator reads."""

    def __init__(self, *shape: int, dtype: str = "INT8", seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors = [self.activation(shape, dtype)]
        self.operators: list[Op] = []
        self.last = 0

    def activation(self, shape: Sequence[int], dtype: str = "INT8", scale: float = 0.05, zero_point: int = 3) -> T:
        if dtype == "FLOAT32":
            return T(tuple(shape), dtype)
        return T(tuple(shape), dtype, scale=scale, zero_point=zero_point if dtype == "INT8" else 0)

    @property
    def shape(self) -> Shape:
        return tuple(self.tensors[self.last].shape)

    def add(self, t: T) -> int:
        self.tensors.append(t)
        return len(self.tensors) - 1

    def numbers(self, values: Any) -> int:
        array = np.array(values, np.int32)
        return self.add(T(array.shape, "INT32", data=array))

    def op(
        self,
        kind: str,
        shape: Sequence[int],
        *others: int,
        like: bool = True,
        source: int | None = None,
        **options: Any,
    ) -> int:
        """Add `kind`, which reads the last tensor (or `source`) and `others`, and makes a tensor of `shape`."""
        read = self.last if source is None else source
        t = self.tensors[read]
        made = T(tuple(shape), t.dtype, t.scale, t.zero_point) if like else self.activation(shape, t.dtype, 0.11, -5)
        self.last = self.add(made)
        self.operators.append(Op(kind, [read, *others], [self.last], options))
        return self.last

    def reshape(self, *shape: int) -> int:
        return self.op("RESHAPE", shape, self.numbers(shape))

    def transpose(self, *order: int, source: int | None = None) -> int:
        shape = self.shape if source is None else self.tensors[source].shape
        return self.op("TRANSPOSE", [shape[a] for a in order], self.numbers(order), source=source)

    def weights(self, *shape: int) -> int:
        return self.add(T(shape, scale=0.01, data=self.rng.integers(-127, 128, shape).astype(np.int8)))

    def conv(
        self,
        channels: int,
        kh: int,
        kw: int,
        stride: Sequence[int] = (1, 1),
        padding: str = "VALID",
        depthwise: bool = False,
    ) -> int:
        n, height, width, depth = self.shape
        weights = self.weights(*((1, kh, kw, depth) if depthwise else (channels, kh, kw, depth)))
        if depthwise:
            per_channel = replace(self.tensors[weights], scale=[0.01] * depth, zero_point=[0] * depth, axis=3)
            self.tensors[weights] = per_channel
        shape = (
            n,
            window_output(height, kh, stride[0], 1, padding),
            window_output(width, kw, stride[1], 1, padding),
            depth if depthwise else channels,
        )
        options = {"padding": padding, "stride_h": stride[0], "stride_w": stride[1]}
        return self.op("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", shape, weights, like=False, **options)

    def dense(self, units: int) -> int:
        weights = self.weights(units, int(np.prod(self.shape[1:])))
        return self.op("FULLY_CONNECTED", (self.shape[0], units), weights, like=False)

    def model(self, *outputs: int) -> bytes:
        return build_model(self.tensors, self.operators, [0], outputs or (self.last,))


def kinds(graph: Graph) -> list[str]:
    return [op.kind for op in graph.operators]


def normal(model: bytes, swap_axes: int = 0) -> Graph:
    """The graph as it is split: all that rewriting made and that cannot be split is undone."""
    return rewritten_split(read_model(model).graph, SplitOptions(swap_axes=swap_axes)).graph


# Tensors of rank 3.


def causal(dtype: str = "INT8") -> Line:
    """Two causal convolutions of a signal, the second one dilated by a stride of its weights."""
    line = Line(1, 9, 4, dtype=dtype)
    for channels in (3, 2):
        _, size, depth = line.shape
        line.op("PAD", (1, size + 2, depth), line.numbers([(0, 0), (2, 0), (0, 0)]))
        line.reshape(1, 1, size + 2, depth)
        line.conv(channels, 1, 3)
        line.reshape(1, size, channels)
    return line


def test_the_pad_of_a_causal_convolution_disappears(tflm: TflmServer) -> None:
    model = causal().model()
    assert "PAD" not in kinds(normal(model))
    check(tflm, model, all_split=True)


@pytest.mark.parametrize("amounts", [[(0, 0), (2, 1), (0, 0)], [(0, 0), (0, 3), (1, 2)], [(0, 0), (0, 0), (0, 1)]])
@pytest.mark.parametrize("dtype", ["INT8", "FLOAT32"])
def test_a_tensor_of_rank_3_is_padded(tflm: TflmServer, amounts: list[tuple[int, int]], dtype: str) -> None:
    line = Line(1, 5, 3, dtype=dtype)
    line.op("RELU", line.shape)
    line.op("PAD", [s + a + b for s, (a, b) in zip(line.shape, amounts, strict=True)], line.numbers(amounts))
    check(tflm, line.model(), all_split=True)


def test_a_pad_before_other_axes_stays_where_it_is() -> None:
    line = Line(1, 6, 4)
    line.op("PAD", (1, 8, 4), line.numbers([(0, 0), (2, 0), (0, 0)]))
    line.reshape(1, 2, 4, 4)
    line.conv(2, 1, 2)
    assert kinds(normal_form(read_model(line.model()).graph, lambda graph, op: True)) == ["PAD", "RECUT", "CONV_2D"]


# Dilation.


def dilated(size: int, block: int, pads: tuple[int, int], crops: tuple[int, int], rank_3: bool, padding: str) -> bytes:
    """A convolution of 2 taps on `block` parts of a signal, with a function of single elements behind it."""
    line = Line(*((1, size, 3) if rank_3 else (1, 1, size, 3)))
    line.op("RELU", line.shape)
    part = (size + sum(pads)) // block
    if rank_3:
        line.op("SPACE_TO_BATCH_ND", (block, part, 3), line.numbers([block]), line.numbers([pads]))
        line.reshape(block, 1, part, 3)
    else:
        line.op("SPACE_TO_BATCH_ND", (block, 1, part, 3), line.numbers([1, block]), line.numbers([(0, 0), pads]))
    line.conv(2, 1, 2, padding=padding)
    line.op("TANH", line.shape, like=False)
    made = line.shape[2]
    shape = (made * block - sum(crops), 2)
    if rank_3:
        line.reshape(block, made, 2)
        line.op("BATCH_TO_SPACE_ND", (1, *shape), line.numbers([block]), line.numbers([crops]))
    else:
        line.op("BATCH_TO_SPACE_ND", (1, 1, *shape), line.numbers([1, block]), line.numbers([(0, 0), crops]))
    line.op("RELU", line.shape)
    return line.model()


@pytest.mark.parametrize("rank_3", [False, True])
@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize(
    ("size", "block", "pads", "crops"), [(12, 2, (0, 0), (0, 0)), (12, 3, (0, 0), (1, 2)), (10, 3, (1, 1), (1, 2))]
)
def test_parts_of_a_map_are_a_dilation(
    tflm: TflmServer, rank_3: bool, padding: str, size: int, block: int, pads: tuple[int, int], crops: tuple[int, int]
) -> None:
    model = dilated(size, block, pads, crops, rank_3, padding)
    graph = normal(model)
    assert not {"SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"} & set(kinds(graph))
    (conv,) = (op for op in graph.operators if op.kind == "CONV_2D")
    assert conv.options["dilation_w_factor"] == block
    if pads == (0, 0):  # TFLM fills with whatever its arena held before
        check(tflm, model, all_split=True)
    else:
        (pad,) = (op for op in graph.operators if op.kind == "PADV2")
        assert graph.tensors[pad.inputs[2]].data == bytes(1)


def test_a_map_in_parts_along_both_axes(tflm: TflmServer) -> None:
    line = Line(1, 6, 8, 3)
    line.op("RELU", line.shape)
    line.op("SPACE_TO_BATCH_ND", (4, 3, 4, 3), line.numbers([2, 2]), line.numbers([(0, 0), (0, 0)]))
    line.conv(3, 3, 3, padding="SAME", depthwise=True)
    line.op("BATCH_TO_SPACE_ND", (1, 6, 8, 3), line.numbers([2, 2]), line.numbers([(0, 0), (0, 0)]))
    line.op("RELU", line.shape)
    check(tflm, line.model(), all_split=True)


def test_a_convolution_with_a_stride_is_no_dilation() -> None:
    line = Line(1, 1, 12, 3)
    line.op("SPACE_TO_BATCH_ND", (2, 1, 6, 3), line.numbers([1, 2]), line.numbers([(0, 0), (0, 0)]))
    line.conv(2, 1, 2, stride=(1, 2))
    line.op("BATCH_TO_SPACE_ND", (1, 1, 6, 2), line.numbers([1, 2]), line.numbers([(0, 0), (0, 0)]))
    assert "BATCH_TO_SPACE_ND" in kinds(normal(line.model()))


# Elements that only move.


def test_a_channel_shuffle_moves_channels_within_pixels(tflm: TflmServer) -> None:
    line = Line(1, 4, 3, 6)
    line.op("RELU", line.shape)
    line.reshape(1, 4, 3, 2, 3)
    line.transpose(0, 1, 2, 4, 3)
    line.reshape(1, 4, 3, 6)
    line.op("RELU", line.shape)
    assert kinds(normal(line.model())) == ["RELU", "PICK", "RELU"]
    check(tflm, line.model(), all_split=True)


def interleaved(axis: int, *orders: Shape, packed: bool = False) -> Line:
    """Two maps joined along a new axis, `axis` of five; what the transpositions make of it has 4 axes, [1, H, W, 2 * C]."""
    line = Line(1, 4, 3, 6)
    maps = [line.op("RELU", line.shape), line.op("RELU6", line.shape, source=0)]
    shape = (*line.shape[:axis], 1, *line.shape[axis:])
    joined = (*shape[:axis], 2, *shape[axis + 1 :])
    if packed:
        line.op("PACK", joined, maps[1], source=maps[0], axis=axis, values_count=2)
    else:
        seen = [line.op("RESHAPE", shape, line.numbers(shape), source=m) for m in maps]
        options = {"axis": axis, "fused_activation_function": "NONE"}
        line.op("CONCATENATION", joined, seen[1], source=seen[0], **options)
    if not orders:
        line.reshape(1, 4, 3, 12)
    for order in orders:
        line.transpose(*order)
        line.reshape(*((1, 12, 4, 3) if order == (0, 4, 1, 2, 3) else (1, 4, 3, 12)))
    return line


@pytest.mark.parametrize(
    ("axis", "orders", "made"),
    [
        (1, [(0, 4, 1, 2, 3), (0, 2, 3, 1)], ["CONCATENATION", "PICK"]),
        (1, [(0, 2, 3, 4, 1)], ["CONCATENATION", "PICK"]),
        (1, [(0, 2, 3, 1, 4)], ["CONCATENATION", "RESHAPE"]),
        (4, [], ["CONCATENATION", "PICK"]),
        (3, [], ["CONCATENATION", "RESHAPE"]),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_channels_of_joined_maps_are_interleaved(
    tflm: TflmServer, axis: int, orders: list[Shape], made: list[str], packed: bool
) -> None:
    line = interleaved(axis, *orders, packed=packed)
    line.op("RELU", line.shape)
    found = kinds(normal(line.model()))
    assert [kind for kind in found if kind not in ("RELU", "RELU6")] == made
    check(tflm, line.model(), all_split=True)


def test_a_joint_that_others_read_stays() -> None:
    line = interleaved(1, (0, 2, 3, 4, 1))
    joint = next(op for op in line.operators if op.kind == "CONCATENATION").outputs[0]
    assert "TRANSPOSE" in kinds(normal(line.model(line.last, joint)))


def test_rows_that_become_channels_of_one_row_are_picked_and_joined(tflm: TflmServer) -> None:
    line = Line(1, 4, 3, 2)
    line.op("RELU", line.shape)
    line.reshape(1, 2, 2, 3, 2)
    line.transpose(0, 1, 3, 2, 4)
    line.reshape(1, 2, 3, 4)
    line.op("RELU", line.shape)
    assert kinds(normal(line.model())) == ["RELU", "PICK", "PICK", "CONCATENATION", "RELU"]
    check(tflm, line.model(), all_split=True)


@pytest.mark.parametrize("shrinks", [False, True])
def test_a_pixel_shuffle_moves_blocks(tflm: TflmServer, shrinks: bool) -> None:
    wide, deep, middle = (1, 4, 6, 2), (1, 2, 3, 8), (1, 2, 3, 2, 2, 2)
    line = Line(*(wide if shrinks else deep))
    line.op("RELU", line.shape)
    line.reshape(*((1, 2, 2, 3, 2, 2) if shrinks else middle))
    line.transpose(0, 1, 3, 2, 4, 5)
    line.reshape(*(deep if shrinks else wide))
    line.op("RELU", line.shape)
    graph = normal_form(read_model(line.model()).graph, lambda graph, op: True)
    assert kinds(graph) == ["RELU", "SPACE_TO_DEPTH" if shrinks else "DEPTH_TO_SPACE", "RELU"]
    if len(middle) <= 5:  # TFLM transposes no more axes
        check(tflm, line.model(), all_split=True)


def test_transpositions_that_undo_each_other_are_nothing(tflm: TflmServer) -> None:
    line = Line(1, 4, 3, 2)
    line.op("RELU", line.shape)
    line.transpose(0, 3, 1, 2)
    line.op("HARD_SWISH", line.shape, like=False)
    line.op("MUL", line.shape, line.add(T((2, 1, 1), scale=0.02, data=np.array([[[5]], [[-9]]], np.int8))), like=False)
    line.transpose(0, 2, 3, 1)
    line.op("RELU", line.shape)
    assert "TRANSPOSE" not in kinds(normal(line.model()))
    check(tflm, line.model(), all_split=True)


def test_both_operands_may_come_from_transpositions(tflm: TflmServer) -> None:
    """A gate: x * sigmoid(x), channels first."""
    line = Line(1, 4, 3, 2)
    line.op("RELU", line.shape)
    turned = line.transpose(0, 3, 1, 2)
    gate = line.op("LOGISTIC", line.shape)
    line.tensors[gate] = T(line.shape, scale=1 / 256, zero_point=-128)
    line.op("MUL", line.shape, gate, like=False, source=turned)
    line.transpose(0, 2, 3, 1)
    line.op("RELU", line.shape)
    assert "TRANSPOSE" not in kinds(normal(line.model()))
    check(tflm, line.model(), all_split=True)


@pytest.mark.parametrize("axes", [(2, 3), (1,)])
def test_a_reduction_takes_the_tensor_as_it_was(tflm: TflmServer, axes: Shape) -> None:
    line = Line(1, 4, 3, 2)
    line.op("RELU", line.shape)
    line.transpose(0, 3, 1, 2)
    left = tuple(size for a, size in enumerate(line.shape) if a not in axes)
    line.op("MEAN", left, line.numbers(axes), like=False)
    assert "TRANSPOSE" not in kinds(normal(line.model()))
    check(tflm, line.model(), all_split=True)


def test_a_dense_layer_takes_its_weights_in_another_order(tflm: TflmServer) -> None:
    line = Line(1, 4, 3, 2)
    line.op("RELU", line.shape)
    line.transpose(0, 3, 1, 2)
    line.op("RELU", line.shape)
    line.reshape(1, 24)
    line.dense(5)
    assert "TRANSPOSE" not in kinds(normal(line.model()))
    check(tflm, line.model(), all_split=True)


# Picked elements.


@pytest.mark.parametrize("mode", ["REFLECT", "SYMMETRIC"])
@drawn
@given(st.tuples(st.integers(2, 5), st.integers(2, 5), st.integers(1, 3)), st.integers(0, 2**16))
def test_a_mirrored_border(tflm: TflmServer, mode: str, sizes: Shape, seed: int) -> None:
    rng = np.random.default_rng(seed)
    line = Line(1, *sizes)
    line.op("RELU", line.shape)
    most = [size - (mode == "REFLECT") for size in line.shape]
    amounts = [(0, 0), *((int(rng.integers(0, m + 1)), int(rng.integers(0, m + 1))) for m in most[1:3]), (0, 0)]
    line.op(
        "MIRROR_PAD",
        [s + a + b for s, (a, b) in zip(line.shape, amounts, strict=True)],
        line.numbers(amounts),
        mode=mode,
    )
    line.op("RELU", line.shape)
    check(tflm, line.model(), all_split=True)


@pytest.mark.parametrize("dtype", ["INT8", "FLOAT32"])
@pytest.mark.parametrize(
    ("axis", "indices"), [(3, [2]), (3, [2, 0, 3]), (-1, [1, 2]), (2, [0, 4, 4]), (1, [3, 1]), (3, 2), (1, [0, 1, 2])]
)
def test_some_indices_are_gathered(tflm: TflmServer, dtype: str, axis: int, indices: Any) -> None:
    line = Line(1, 4, 5, 4, dtype=dtype)
    line.op("RELU", line.shape)
    taken = np.take(np.empty(line.shape), indices, axis)
    line.op("GATHER", taken.shape, line.numbers(indices), axis=axis)
    line.op("RELU", line.shape)
    check(tflm, line.model(), all_split=True)


# Reductions.


@pytest.mark.parametrize("kind", ["MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"])
@pytest.mark.parametrize("axes", [(1,), (2,), (3,), (1, 2), (2, 3), (1, 2, 3)])
@pytest.mark.parametrize("keep_dims", [False, True])
def test_a_reduction_over_any_axes(tflm: TflmServer, kind: str, axes: Shape, keep_dims: bool) -> None:
    line = Line(1, 5, 4, 3, seed=len(axes))
    line.op("TANH", line.shape)
    left = tuple(1 if a in axes else size for a, size in enumerate(line.shape) if keep_dims or a not in axes)
    line.op(kind, left, line.numbers(axes), like="REDUCE" in kind, keep_dims=keep_dims)
    check(tflm, line.model(), all_split=True)


@pytest.mark.parametrize("kind", ["MEAN", "REDUCE_MAX"])
@pytest.mark.parametrize("axes", [(1,), (2,), (1, 2)])
def test_a_reduction_of_tokens(tflm: TflmServer, kind: str, axes: Shape) -> None:
    line = Line(1, 5, 4)
    line.op("TANH", line.shape)
    left = tuple(size for a, size in enumerate(line.shape) if a not in axes)
    line.op(kind, left, line.numbers(axes), like=kind != "MEAN")
    check(tflm, line.model(), all_split=True)


# Several samples.


@pytest.mark.parametrize("shape", [(2, 6, 5, 3), (3, 1, 9, 2), (2, 4, 1, 3)])
def test_several_samples_are_done_one_after_the_other(tflm: TflmServer, shape: Shape) -> None:
    line = Line(*shape)
    size = (min(3, shape[1]), min(3, shape[2]))
    line.conv(4, *size, padding="SAME")
    line.op("TANH", line.shape, like=False)
    line.conv(4, *size, padding="SAME", depthwise=True)
    line.conv(3, 1, 1)
    line.op("MEAN", (shape[0], 3), line.numbers([1, 2]), like=False)
    line.dense(5)
    check(tflm, line.model(), all_split=True)


def test_a_sample_goes_on_without_its_neighbours() -> None:
    """Slices of what was just joined are what was joined."""
    line = Line(2, 6, 5, 3)
    line.conv(4, 3, 3)
    line.conv(4, 3, 3)
    graph = normal(line.model())
    assert kinds(graph).count("CONCATENATION") == 1
    assert kinds(graph).count("CONV_2D") == 4


# Long windows, and windows of the whole height.


@pytest.mark.parametrize(("size", "stride", "padding"), [(120, 4, "VALID"), (120, 4, "SAME"), (96, 3, "SAME")])
@pytest.mark.parametrize("along_height", [False, True])
def test_a_long_window_with_a_stride_reads_several_samples_at_once(
    tflm: TflmServer, size: int, stride: int, padding: str, along_height: bool
) -> None:
    line = Line(*((1, size, 1, 2) if along_height else (1, 1, size, 2)))
    if along_height:
        line.conv(3, 41, 1, stride=(stride, 1), padding=padding)
    else:
        line.conv(3, 1, 41, stride=(1, stride), padding=padding)
    (conv,) = (op for op in normal(line.model()).operators if op.kind == "CONV_2D")
    assert conv.options["stride_h"] == conv.options["stride_w"] == 1
    check(tflm, line.model(), all_split=True)


@pytest.mark.parametrize(("taps", "padding"), [(33, "SAME"), (64, "SAME"), (70, "VALID")])
@pytest.mark.parametrize("along_height", [False, True])
def test_a_window_of_more_rows_than_can_be_read_at_once_works_in_parts(
    tflm: TflmServer, taps: int, padding: str, along_height: bool
) -> None:
    line = Line(*((1, 90, 1, 2) if along_height else (1, 1, 90, 2)))
    line.conv(3, *((taps, 1) if along_height else (1, taps)), padding=padding)
    split = rewritten_split(read_model(line.model()).graph, SplitOptions())
    assert [op.kind for op in split.graph.operators] == [TALL_CONV]
    assert [op.params["kernel_rows"] for op in split.row_ops] == {33: [16, 17], 64: [32, 32], 70: [23, 23, 24]}[taps]
    check(tflm, line.model(), all_split=True)


def test_a_pad_is_folded_into_a_window_that_works_in_parts(tflm: TflmServer) -> None:
    line = Line(1, 50, 3, 2)
    line.op("PAD", (1, 88, 3, 2), line.numbers([(0, 0), (38, 0), (0, 0), (0, 0)]))
    line.conv(3, 39, 3)
    assert kinds(normal(line.model())) == [TALL_CONV]
    check(tflm, line.model(), all_split=True)


def collapsing(kind: str) -> bytes:
    line = Line(1, 6, 8, 2)
    line.conv(3, 3, 3, padding="SAME")
    line.op("TANH", line.shape, like=False)
    _, height, width, depth = line.shape
    if kind == "MAX_POOL_2D":
        line.op(
            kind, (1, 1, width, depth), padding="VALID", filter_height=height, filter_width=1, stride_h=1, stride_w=1
        )
    elif kind == "CONV_2D":
        line.conv(4, height, 1)
    elif kind == "DEPTHWISE_CONV_2D":
        line.conv(depth, height, 2, depthwise=True)
    else:
        line.op(kind, (1, width, depth), line.numbers([1]), like="REDUCE" in kind)
        line.reshape(1, 1, width, depth)
    line.conv(2, 1, 3, padding="SAME")
    return line.model()


@pytest.mark.parametrize("kind", ["MAX_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MEAN", "REDUCE_MAX", "REDUCE_MIN"])
def test_axes_change_places_before_a_window_of_the_whole_height(tflm: TflmServer, kind: str) -> None:
    model = collapsing(kind)
    assert tiles_to_try(read_model(model).graph)
    split = rewritten_split(read_model(model).graph, SplitOptions(swap_axes=1))
    assert not split.stock
    assert kinds(split.graph)[0] == "TRANSPOSE"
    check(tflm, model)


def brain_waves(height: int, width: int, taps: int) -> bytes:
    """As EEGNet begins: a long window along time, one over all electrodes, a function of each element, a pool along time."""
    line = Line(1, height, width, 1)
    line.conv(3, 1, taps, padding="SAME")
    line.conv(3, height, 1, depthwise=True)
    line.op("TANH", line.shape, like=False)
    line.op(
        "AVERAGE_POOL_2D",
        (1, 1, width // 4, 3),
        padding="VALID",
        filter_height=1,
        filter_width=4,
        stride_h=1,
        stride_w=4,
    )
    line.conv(2, 1, 3, padding="SAME")
    return line.model()


@pytest.mark.parametrize(("height", "width", "taps"), [(6, 16, 5), (6, 40, 35), (40, 16, 6)])
def test_the_first_convolution_may_run_in_tiles_that_are_turned(
    tflm: TflmServer, height: int, width: int, taps: int
) -> None:
    model = brain_waves(height, width, taps)
    graph = read_model(model).graph
    assert tiles_to_try(graph) == (1, width // 2)
    turned = rewritten_split(graph, SplitOptions(swap_axes=width // 2))
    assert not turned.stock
    assert kinds(turned.graph).count("CONV_2D") == width // 2 + 1
    assert kinds(turned.graph).count("TRANSPOSE") == width // 2
    check(tflm, model)


def test_more_tiles_than_columns_are_none() -> None:
    graph = read_model(brain_waves(6, 16, 5)).graph
    assert kinds(rewritten_split(graph, SplitOptions(swap_axes=9)).graph) == kinds(normal(brain_waves(6, 16, 5)))


def test_axes_stay_where_rows_stay_rows() -> None:
    line = Line(1, 6, 8, 2)
    line.conv(3, 3, 3)
    assert not tiles_to_try(read_model(line.model()).graph)


# Patches.


def test_what_nobody_accepts_is_not_rewritten() -> None:
    model = causal().model()
    graph = read_model(model).graph
    assert kinds(normal_form(graph, lambda graph, op: False)) == kinds(graph)


def test_a_patch_stands_where_the_last_of_its_operators_stood() -> None:
    graph = read_model(causal().model()).graph

    def rule(site: Site) -> Patch | None:
        if site.op.kind != "CONV_2D":
            return None
        patch = Patch("test", graph, (site.op,))
        patch.copy(site.op, site.op.inputs, site.op.outputs[0])
        return patch

    patch = rule(Site(graph, graph.operators[2], graph.producers(), graph.consumers()))
    assert patch is not None
    changed = patch.applied()
    assert kinds(changed) == kinds(graph)
    assert (changed.operators[2].rewrite, changed.operators[2].source) == ("test", (2,))
    assert rewritten(graph, rule, lambda graph, op: False) == graph
