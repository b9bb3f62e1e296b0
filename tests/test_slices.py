"""A slice of step 1 is a window onto its input. Nothing is copied, and rows that nobody reads are not computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from split_stages import every_compilation, planned
from tflm_server import TflmServer
from tiny_models import Op, T, build_model

from tflm_split.tflite.reader import read_model

SCALES = (0.05, 0.004, 0.03)


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def ints(*values: int) -> T:
    return T((len(values),), "INT32", data=np.array(values, np.int32))


def network(
    shape: Sequence[int], cut: Op, extra: Sequence[T], parts: Sequence[Sequence[int]], seen: bool = False
) -> bytes:
    """A 1x1 convolution, the operator `cut` (its tensors count from 4), and a RELU of every part.

    With `seen` the first part is an output of the model as well.
    """
    rng = np.random.default_rng(3)
    channels = shape[-1]
    weights = T(
        (channels, 1, 1, channels),
        scale=SCALES[1],
        data=rng.integers(-127, 128, (channels, 1, 1, channels)).astype(np.int8),
    )
    bias = T((channels,), "INT32", scale=SCALES[0] * SCALES[1], data=np.zeros(channels, np.int32))
    tensors = [T(shape, scale=SCALES[0]), weights, bias, T(shape, scale=SCALES[2]), *extra]
    sliced = len(tensors)
    tensors += [T(p, scale=SCALES[2]) for p in parts]
    ends = len(tensors)
    tensors += [T(p, scale=SCALES[2]) for p in parts]
    window = {"stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
    conv = Op("CONV_2D", (0, 1, 2), (3,), {"padding": "SAME", "fused_activation_function": "NONE", **window})
    slicing = Op(cut.kind, cut.inputs, tuple(range(sliced, ends)), cut.options)
    relus = [Op("RELU", (sliced + k,), (ends + k,)) for k in range(len(parts))]
    outputs = [*range(ends, len(tensors)), *([sliced] if seen else [])]
    return build_model(tensors=tensors, operators=[conv, slicing, *relus], inputs=(0,), outputs=outputs)


def strided(shape: Sequence[int], begin: Sequence[int], end: Sequence[int], masks: int = 0) -> bytes:
    options = {"begin_mask": masks, "end_mask": masks, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0}
    size = [s if masks >> a & 1 else e - b for a, (s, b, e) in enumerate(zip(shape, begin, end, strict=True))]
    cut = Op("STRIDED_SLICE", (3, 4, 5, 6), (), options)
    return network(shape, cut, [ints(*begin), ints(*end), ints(*[1] * len(shape))], [size])


def split_along(shape: Sequence[int], axis: int, sizes: Sequence[int]) -> bytes:
    parts = [[size if a == axis else s for a, s in enumerate(shape)] for size in sizes]
    axis_tensor = T((), "INT32", data=np.array(axis, np.int32))
    if len(set(sizes)) == 1:
        return network(shape, Op("SPLIT", (4, 3), (), {"num_splits": len(sizes)}), [axis_tensor], parts)
    cut = Op("SPLIT_V", (3, 4, 5), ())
    return network(shape, cut, [ints(*sizes), axis_tensor], parts)


def check(tflm: TflmServer, model: bytes) -> None:
    inputs = [
        [np.random.default_rng(seed).integers(-128, 128, read_model(model).graph.tensors[0].shape).astype(np.int8)]
        for seed in range(3)
    ]
    original = tflm.run(model, inputs)
    compiled = list(every_compilation(model))
    assert compiled
    for c in compiled:
        assert not c.plan.split.stock, {k: r.reason for k, r in c.plan.split.refusals.items()}
        optimized = tflm.run(c.optimized, inputs)
        assert optimized.outputs == original.outputs
        assert optimized.measured_head_bytes == c.plan.planned_head_bytes


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ((0, 1, 0, 0), (1, 5, 5, 4)),
        ((0, 0, 2, 0), (1, 6, 5, 4)),
        ((0, 0, 0, 1), (1, 6, 5, 3)),
        ((0, 2, 1, 2), (1, 6, 4, 4)),
    ],
    ids=["rows", "columns", "channels", "all three"],
)
def test_a_strided_slice_of_step_1_is_a_window(tflm: TflmServer, begin: tuple[int, ...], end: tuple[int, ...]) -> None:
    check(tflm, strided((1, 6, 5, 4), begin, end))


def test_masked_ends_mean_the_whole_axis(tflm: TflmServer) -> None:
    check(tflm, strided((1, 6, 5, 4), (0, 2, 0, 0), (0, 5, 0, 0), masks=0b1101))


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("sizes", [(2, 2, 2), (4, 2)])
def test_every_part_of_a_split_is_a_window(tflm: TflmServer, axis: int, sizes: tuple[int, ...]) -> None:
    check(tflm, split_along((1, 6, 6, 6), axis, sizes))


def test_a_map_of_height_1_is_sliced_along_its_width(tflm: TflmServer) -> None:
    check(tflm, split_along((1, 1, 6, 4), 2, (1, 3, 2)))


def test_rows_outside_the_slice_are_never_computed() -> None:
    graph = read_model(strided((1, 6, 5, 4), (0, 2, 0, 0), (1, 5, 5, 4))).graph
    plan = planned(graph)
    convolution, relu = (k for k in range(2))
    rows = {op: [s.row for s in plan.regions[0].program.steps if s.op == op] for op in (convolution, relu)}
    assert rows == {convolution: [2, 3, 4], relu: [0, 1, 2]}


def test_a_slice_that_tflm_must_see_is_copied(tflm: TflmServer) -> None:
    cut = Op("SPLIT", (4, 3), (), {"num_splits": 2})
    axis = T((), "INT32", data=np.array(3, np.int32))
    check(tflm, network((1, 6, 5, 4), cut, [axis], [(1, 6, 5, 2)] * 2, seen=True))


def test_a_slice_with_larger_steps_is_copied(tflm: TflmServer) -> None:
    options = {"begin_mask": 0, "end_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0}
    cut = Op("STRIDED_SLICE", (3, 4, 5, 6), (), options)
    extra = [ints(0, 0, 0, 0), ints(1, 6, 5, 4), ints(1, 2, 1, 1)]
    check(tflm, network((1, 6, 5, 4), cut, extra, [(1, 3, 5, 4)]))
