"""Tensors cut along channels give TFLM's bytes; what does not fit is refused.

Networks with a tensor (or several) in groups are compiled and run in the real TFLM, by steps that work on one group of
channels at a time: producers, channel-wise operators, and convolutions that sum over their input's groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from random_networks import Network
from runtime_scene import prepare
from sample_programs import unchecked
from split_stages import scheduled
from test_search import searched as all_searched
from test_split_equals_tflm import inputs_of
from tflm_server import TflmServer
from tiny_models import Builder, Op, T, build_model

from tflm_split.errors import InternalError, ProgramError, Refusal
from tflm_split.kinds import OpKind, WeightFlags
from tflm_split.kinds.convolution import CONV_PARAMS
from tflm_split.kinds.record import Record
from tflm_split.lower.assemble import assemble, region_blobs
from tflm_split.lower.compile import Plan, compile_schedule
from tflm_split.program.decode import decode
from tflm_split.program.encode import encode
from tflm_split.program.format import HEADER, NONE, OP
from tflm_split.program.types import Program
from tflm_split.search.base import rewritten_split
from tflm_split.search.evaluate import Evaluation
from tflm_split.search.limits import Limits
from tflm_split.split.channel_rules import Sizes, equal_groups, groupable, joined
from tflm_split.split.regions import SplitOptions
from tflm_split.tflite.reader import read_model
from tflm_split.verify.oracle import run_program
from tflm_split.verify.replay import replay

FEW = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def grouped_plan(model: bytes, groups: Mapping[int, Sizes], *, in_place: bool = False) -> Plan:
    options = SplitOptions(concatenate_in_place=in_place, channel_groups=dict(groups))
    split = rewritten_split(read_model(model).graph, options)
    return compile_schedule(split, *scheduled(split), 5)


def check(
    tflm: TflmServer,
    model: bytes,
    groups: Mapping[int, Sizes],
    *,
    in_place: bool = False,
    inputs: list[list[NDArray[Any]]] | None = None,
) -> Program:
    """The program. TFLM and the numpy oracle must agree that it computes what the model does, on `inputs` or random bytes."""
    plan = grouped_plan(model, groups, in_place=in_place)
    assert not plan.split.stock
    (region,) = plan.regions
    blobs = region_blobs(plan)
    optimized = assemble(read_model(model), plan, blobs).original
    inputs = inputs or inputs_of(model)
    original, ran = tflm.run(model, inputs), tflm.run(optimized, inputs)
    assert ran.outputs == original.outputs
    assert ran.measured_head_bytes == plan.planned_head_bytes
    for entry, outputs in zip(inputs, original.outputs, strict=True):
        assert tuple(run_program(region.program, entry)) == outputs
    replay(region.program)
    return region.program


def kinds(program: Program) -> list[OpKind]:
    return [op.kind for op in program.ops]


@st.composite
def sizes_of(draw: st.DrawFn, channels: int) -> Sizes:
    """Any way to cut `channels` into two groups or more."""
    inner = draw(st.sets(st.integers(1, channels - 1), min_size=1, max_size=4))
    edges = [0, *sorted(inner), channels]
    return tuple(b - a for a, b in pairwise(edges))


@st.composite
def windows(draw: st.DrawFn) -> dict[str, object]:
    return {
        "kh": draw(st.integers(1, 5)),
        "kw": draw(st.integers(1, 5)),
        "stride": (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        "padding": draw(st.sampled_from(["SAME", "VALID"])),
        "per_channel": draw(st.booleans()),
        "activation": draw(st.sampled_from(["NONE", "RELU", "RELU6"])),
    }


# Convolutions that sum over their input's groups.


@FEW
@given(st.data())
def test_a_convolution_takes_any_groups_of_input_channels(tflm: TflmServer, data: st.DataObject) -> None:
    height, width, channels = data.draw(st.tuples(st.integers(8, 11), st.integers(5, 9), st.integers(2, 13)))
    b = Builder((1, height, width, 3), seed=data.draw(st.integers(0, 99)))
    hidden = b.conv(b.input, channels, 1, 1)
    window = data.draw(windows())
    b.conv(hidden, data.draw(st.integers(1, 9)), dilation=1, **window)  # type: ignore[arg-type]
    groups = data.draw(sizes_of(channels))
    program = check(tflm, b.finish(), {hidden: groups})
    assert kinds(program).count(OpKind.CONV_SUM) == len(groups) - 1
    assert kinds(program).count(OpKind.CONV_SUM_LAST) == 1


def test_one_group_after_the_other_is_made_and_summed() -> None:
    """1x1 convolutions: no row of the hidden map is ever whole, and no two of its groups live at once."""
    b = Builder((1, 4, 4, 4))
    hidden = b.conv(b.input, 12, 1, 1)
    b.conv(hidden, 4, 1, 1)
    program = grouped_plan(b.finish(), {hidden: (4, 4, 4)}).regions[0].program
    ops = [program.ops[s.op].kind for s in program.steps[:6]]
    one = [OpKind.CONV, OpKind.CONV_SUM]
    assert ops == [*one, *one, OpKind.CONV, OpKind.CONV_SUM_LAST]


@FEW
@given(st.data())
def test_both_sides_of_a_convolution_are_grouped(tflm: TflmServer, data: st.DataObject) -> None:
    b = Builder((1, 7, 6, 3), seed=data.draw(st.integers(0, 99)))
    first = b.conv(b.input, 8, 1, 1, activation="RELU")
    second = b.conv(first, 10, 3, 3, data.draw(st.sampled_from([1, 2])))
    b.conv(b.depthwise(second), 5, 1, 1)
    check(tflm, b.finish(), {first: data.draw(sizes_of(8)), second: data.draw(sizes_of(10))})


@FEW
@given(st.data())
def test_an_inverted_residual_block_by_groups(tflm: TflmServer, data: st.DataObject) -> None:
    b = Builder((1, 7, 7, 8), seed=data.draw(st.integers(0, 99)))
    wide = b.conv(b.input, 24, 1, 1, activation="RELU6")
    deep = b.depthwise(wide, 3, 3, activation="RELU6")
    b.add(b.conv(deep, 8, 1, 1), b.input)
    groups = data.draw(sizes_of(24))
    check(tflm, b.finish(), {wide: groups, deep: groups})


def test_fully_connected_layers_of_batch_one_and_more(tflm: TflmServer) -> None:
    for batch in (1, 3):
        b = Builder((batch, 6))
        hidden = b.dense(b.input, 32, activation="RELU")
        b.dense(hidden, 5)
        program = check(tflm, b.finish(), {hidden: equal_groups(32, 8)})
        assert kinds(program).count(OpKind.CONV_SUM) == 3


def test_a_wide_hidden_layer_is_never_whole() -> None:
    b = Builder((1, 16))
    hidden = b.dense(b.input, 1024)
    b.dense(hidden, 16)
    model = b.finish()
    assert grouped_plan(model, {}).planned_head_bytes == 16 + 1024
    # the input, one group, and the sums of the output, which then lies on them
    assert grouped_plan(model, {hidden: equal_groups(1024, 16)}).planned_head_bytes == 16 + 16 + 4 * 16


def test_sums_wrap_around_as_in_tflm(tflm: TflmServer) -> None:
    """Some real models carry biases near 2**31 in dead channels."""
    b = Builder((1, 5, 5, 4))
    hidden = b.conv(b.input, 16, 1, 1)
    b.conv(hidden, 6, 3, 3)
    bias = b.operators[-1].inputs[2]
    extremes = np.array([2**31 - 1, -(2**31), 2**31 - 5000, -(2**31) + 5000, 0, 2**31 - 1], np.int32)
    b.tensors[bias].data[:] = extremes  # type: ignore[index]
    for groups in ((16,), (8, 8), (1, 2, 3, 10)):
        check(tflm, b.finish(), {hidden: groups})


def test_rows_that_run_along_the_width(tflm: TflmServer) -> None:
    b = Builder((1, 1, 20, 3))
    hidden = b.conv(b.input, 8, 1, 3)
    b.conv(b.depthwise(hidden, 1, 5), 4, 1, 3, (1, 2))
    check(tflm, b.finish(), {hidden: (4, 4)})


def test_weights_take_no_more_flash() -> None:
    b = Builder((1, 6, 6, 8))
    hidden = b.conv(b.input, 32, 1, 1)
    b.conv(hidden, 8, 3, 3)
    model = b.finish()

    def weights_bytes(groups: Mapping[int, Sizes]) -> int:
        program = grouped_plan(model, groups).regions[0].program
        return sum(len(program.constants[i]) for i in {int(op.params["weights_offset"]) for op in program.ops})

    assert weights_bytes({hidden: equal_groups(32, 4)}) == weights_bytes({}) == 8 * 32 + 32 * 9 * 8


def test_a_convolution_with_groups_of_its_own_does_not_sum() -> None:
    b = Builder((1, 5, 5, 4))
    hidden = b.conv(b.input, 8, 1, 1)
    b.conv(hidden, 8, 3, 3, groups=2)
    with pytest.raises(Refusal, match="cannot be cut along channels"):
        grouped_plan(b.finish(), {hidden: (4, 4)})


def test_a_fully_connected_layer_over_a_whole_map_does_not_sum() -> None:
    b = Builder((1, 4, 4, 3))
    hidden = b.conv(b.input, 8, 1, 1)
    b.dense(hidden, 5)
    with pytest.raises(Refusal, match="cannot be cut along channels"):
        grouped_plan(b.finish(), {hidden: (4, 4)})


# Channel-wise readers.


def with_constants(b: Builder, kind: str, source: int) -> int:
    """MINIMUM, MAXIMUM, SQUARED_DIFFERENCE or PRELU of a tensor and a number per channel."""
    alike = {"scale": b.scale(source), "zero_point": b.tensors[source].zero_point}
    quantization = alike if kind in ("MINIMUM", "MAXIMUM") else {"scale": 0.02, "zero_point": 3}
    other = b.constant(b.rng.integers(-100, 100, b.shape(source)[-1:]), "INT8", **quantization)
    values = b._values[source] ** 2 if kind == "SQUARED_DIFFERENCE" else b._values[source]
    return b._op(kind, [source, other], b._output(values, like=source if alike is quantization else None))


def doubled(b: Builder, source: int) -> int:
    """RESIZE_BILINEAR to twice the rows and columns."""
    _, height, width, _ = b.shape(source)
    size = b.constant(np.array([2 * height, 2 * width], np.int32))
    output = b._output(b._values[source].repeat(2, 2).repeat(2, 3), like=source)
    return b._op("RESIZE_BILINEAR", [source, size], output, align_corners=False, half_pixel_centers=True)


def halved(b: Builder, source: int) -> int:
    """A depthwise 3x3 window with stride 2, padded only on a map that is smaller than the window."""
    return b.depthwise(source, 3, 3, 2, "VALID" if min(b.shape(source)[1:3]) >= 3 else "SAME")


CHANNEL_WISE: list[Callable[[Builder, int], int]] = [
    lambda b, t: b.depthwise(t, 3, 3),
    halved,
    lambda b, t: b.pool(t, 2, 2, padding="SAME", kind="MAX_POOL_2D"),
    lambda b, t: b.pool(t, 3, 3, 2, padding="SAME"),
    lambda b, t: b.unary("LOGISTIC", t),
    lambda b, t: b.add(t, b.quantized_constant((1, 1, 1, 8)), kind="MUL"),
    lambda b, t: with_constants(b, "MINIMUM", t),
    lambda b, t: with_constants(b, "MAXIMUM", t),
    lambda b, t: with_constants(b, "SQUARED_DIFFERENCE", t),
    lambda b, t: with_constants(b, "PRELU", t),
    doubled,
]


@FEW
@given(st.data())
def test_channel_wise_operators_keep_the_groups(tflm: TflmServer, data: st.DataObject) -> None:
    b = Builder((1, 17, 9, 3), seed=data.draw(st.integers(0, 99)))
    grouped = [b.conv(b.input, 8, 3, 3)]
    for _ in range(data.draw(st.integers(1, 3))):
        grouped.append(data.draw(st.sampled_from(CHANNEL_WISE))(b, grouped[-1]))
    b.conv(grouped[-1], 4, 1, 1)
    sizes = data.draw(sizes_of(8))
    first = data.draw(st.integers(0, len(grouped) - 1))
    model = b.finish()
    known = groupable_in(model)  # chains of byte functions have become one
    check(tflm, model, {t: sizes for t in grouped[first:] if t in known})


@pytest.mark.parametrize("reader", CHANNEL_WISE)
def test_each_kind_of_channel_wise_operator_by_groups(tflm: TflmServer, reader: Callable[[Builder, int], int]) -> None:
    b = Builder((1, 9, 6, 3))
    source = b.conv(b.input, 8, 3, 3)
    made = reader(b, source)
    b.conv(made, 4, 1, 1)
    for groups in ({source: (3, 5)}, {made: (1, 3, 4)}, {source: (2, 6), made: (2, 6)}):
        check(tflm, b.finish(), groups)


def test_add_with_one_grouped_operand_slices_the_other(tflm: TflmServer) -> None:
    b = Builder((1, 6, 5, 8))
    b.add(b.conv(b.input, 8, 3, 3), b.input)
    model = b.finish()
    grouped = next(iter(groupable_in(model)))
    for sizes in ((4, 4), (1, 7), (3, 3, 2)):
        check(tflm, model, {grouped: sizes})


def test_a_depth_multiplier_multiplies_the_groups(tflm: TflmServer) -> None:
    b = Builder((1, 6, 6, 2))
    narrow = b.conv(b.input, 4, 1, 1)
    wide = b.depthwise(narrow, 3, 3, multiplier=2)
    b.pool(wide, 2, 2, 2)
    check(tflm, b.finish(), {narrow: (1, 3), wide: (2, 6)})


def test_a_group_that_halves_a_multiplied_channel_is_refused() -> None:
    b = Builder((1, 6, 6, 2))
    b.pool(wide := b.depthwise(b.input, 3, 3, multiplier=2), 2, 2)
    with pytest.raises(Refusal, match="split what one input channel feeds"):
        grouped_plan(b.finish(), {wide: (1, 3)})


def test_mean_and_global_pooling_sum_each_group_on_its_own(tflm: TflmServer) -> None:
    for pooled in (False, True):
        b = Builder((1, 6, 6, 3))
        hidden = b.conv(b.input, 12, 3, 3)
        b.pool(hidden, 6, 6) if pooled else b.mean(hidden, keep_dims=True)
        check(tflm, b.finish(), {hidden: (4, 8)})


def embedding(entry: tuple[int, ...]) -> bytes:
    """Nine token ids -> entries of a table of 20 -> their mean."""
    table = np.random.default_rng(1).integers(-128, 128, (20, *entry))
    axes = np.array([1], np.int32)
    scales = {"scale": 0.1, "zero_point": 3}
    tensors = [
        T((1, 9), "INT32"), T((20, *entry), data=table.astype(np.int8), **scales), T((1, 9, *entry), **scales),
        T((1,), "INT32", data=axes), T((1, *entry), scale=0.05, zero_point=-7),
    ]  # fmt: skip
    operators = [Op("GATHER", [1, 0], [2], {"axis": 0}), Op("MEAN", [2, 3], [4], {"keep_dims": False})]
    return build_model(tensors, operators, [0], [4])


@FEW
@given(sizes_of(12), st.integers(0, 9))
def test_an_embedding_is_looked_up_group_by_group(tflm: TflmServer, sizes: Sizes, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tokens = [[rng.integers(0, 20, (1, 9)).astype(np.int32)] for _ in range(3)]
    program = check(tflm, embedding((12,)), {2: sizes}, inputs=tokens)
    assert kinds(program).count(OpKind.GATHER) == len(sizes)
    tables = [op.params["table_offset"] for op in program.ops if op.kind is OpKind.GATHER]
    assert len(set(tables)) == len(sizes)


def test_an_entry_of_several_pixels_is_not_grouped() -> None:
    assert 2 in groupable_in(embedding((12,)))
    assert 2 not in groupable_in(embedding((3, 4)))


def test_groups_that_do_not_add_up_are_refused() -> None:
    b = Builder((1, 4, 4, 3))
    b.depthwise(hidden := b.conv(b.input, 8, 1, 1))
    model = b.finish()
    for sizes in ((4, 3), (8, 0), (4, 4, 4)):
        with pytest.raises(Refusal, match="cannot be cut along channels"):
            grouped_plan(model, {hidden: sizes})


def test_the_first_channels_of_a_tensor_are_no_groups_of_it() -> None:
    n = Network((1, 6, 6, 3))
    wide = n.conv(n.input, 8, 1, 1)
    first = n.sliced(wide, (0, 0, 0, 0), (1, 6, 6, 4), strided=False)
    n.reversed(first)  # a stock operator reads it, so it is copied
    assert not groupable_in(n.finish(n.conv(first, 4, 3, 3)))


def test_channels_of_which_every_other_one_is_picked_stay_whole() -> None:
    n = Network((1, 6, 6, 3))
    wide = n.conv(n.input, 8, 1, 1)
    picked = n.every_other_channel(wide)
    n.conv(picked, 4, 3, 3)
    model = n.finish()
    assert not groupable_in(model)
    for whole, sizes in ((wide, (4, 4)), (picked, (2, 2))):
        with pytest.raises(Refusal, match="cannot be cut along channels"):
            grouped_plan(model, {whole: sizes})


def test_the_models_output_stays_whole() -> None:
    b = Builder((1, 4, 4, 3))
    output = b.depthwise(b.conv(b.input, 8, 1, 1))
    with pytest.raises(Refusal, match="cannot be cut along channels"):
        grouped_plan(b.finish(), {output: (4, 4)})


def test_operands_in_different_groups_are_refused() -> None:
    b = Builder((1, 4, 4, 3))
    left, right = b.conv(b.input, 8, 1, 1), b.conv(b.input, 8, 1, 1)
    b.add(left, right)
    with pytest.raises(Refusal, match="joins different groups"):
        grouped_plan(b.finish(), {left: (4, 4), right: (2, 6)})


def groupable_in(model: bytes) -> frozenset[int]:
    return groupable(*_pieces(model))


def joined_in(model: bytes) -> Mapping[int, Sizes]:
    return joined(*_pieces(model))


def _pieces(model: bytes):  # type: ignore[no-untyped-def]
    split = rewritten_split(read_model(model).graph, SplitOptions())
    by_operator: dict[int, list[object]] = {}
    for op in split.row_ops:
        by_operator.setdefault(op.source, []).append(op)
    return split.graph, {k: tuple(ops) for k, ops in by_operator.items()}


# Concatenations that do not exist.


def branches(b: Builder, *channels: int) -> list[int]:
    return [b.conv(b.input, c, 3, 3) for c in channels]


@FEW
@given(st.data())
def test_concatenation_and_convolution_become_partial_sums(tflm: TflmServer, data: st.DataObject) -> None:
    b = Builder((1, 9, 6, 3), seed=data.draw(st.integers(0, 99)))
    widths = data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=4))
    joint = b.concat(branches(b, *widths))
    b.conv(joint, 5, **data.draw(windows()))  # type: ignore[arg-type]
    model = b.finish()
    assert joined_in(model)[joint] == tuple(widths)
    program = check(tflm, model, {joint: tuple(widths)})
    assert OpKind.PAD not in kinds(program)
    assert kinds(program).count(OpKind.CONV_SUM) == len(widths) - 1


def test_concatenation_and_channel_wise_operators_work_per_branch(tflm: TflmServer) -> None:
    b = Builder((1, 8, 8, 3))
    joint = b.concat(branches(b, 4, 6))
    outputs = b.depthwise(joint, 3, 3, multiplier=2), b.pool(joint, 2, 2, 2), b.mean(joint), b.unary("LOGISTIC", joint)
    program = check(tflm, b.finish(*outputs), {joint: (4, 6)})
    assert OpKind.PAD not in kinds(program)
    assert kinds(program).count(OpKind.DEPTHWISE) == 2


def test_groups_of_a_concatenation_may_be_parts_of_its_inputs(tflm: TflmServer) -> None:
    b = Builder((1, 6, 6, 3))
    left, right = branches(b, 4, 6)
    joint = b.concat([left, right])
    b.conv(joint, 5, 1, 1)
    model = b.finish()
    check(tflm, model, {joint: (2, 2, 3, 3)})
    check(tflm, model, {joint: (4, 3, 3), left: (4,)})
    check(tflm, model, {joint: (2, 2, 6), left: (2, 2)})


def test_an_input_of_the_model_may_be_a_branch(tflm: TflmServer) -> None:
    b = Builder((1, 6, 6, 4))
    joint = b.concat([b.input, b.conv(b.input, 8, 3, 3)])
    b.conv(joint, 5, 3, 3)
    check(tflm, b.finish(), {joint: (4, 8)})


def test_nested_concatenations_vanish_together_or_alone(tflm: TflmServer) -> None:
    """A dense block: every convolution reads all maps before it."""
    b = Builder((1, 6, 6, 4))
    first = b.concat([b.input, b.conv(b.input, 3, 3, 3)])
    second = b.concat([first, b.conv(first, 3, 3, 3)])
    b.conv(second, 5, 3, 3)
    model = b.finish()
    check(tflm, model, {first: (4, 3), second: (4, 3, 3)})
    check(tflm, model, {first: (4, 3)})
    check(tflm, model, {first: (4, 3)}, in_place=True)
    check(tflm, model, {second: (7, 3)})
    check(tflm, model, {first: (4, 3), second: (7, 3)})


def test_a_group_across_two_inputs_of_a_concatenation_is_refused() -> None:
    b = Builder((1, 6, 6, 3))
    joint = b.concat(branches(b, 4, 6))
    b.conv(joint, 5, 1, 1)
    with pytest.raises(Refusal, match="channels of two inputs"):
        grouped_plan(b.finish(), {joint: (5, 5)})


def test_concatenations_along_other_axes_stay() -> None:
    for axis in (1, 2):
        b = Builder((1, 6, 6, 3))
        joint = b.concat(branches(b, 4, 4), axis=axis)
        b.conv(joint, 5, 1, 1)
        assert not joined_in(b.finish())


# What checks and replay see.


def summed_program() -> Program:
    b = Builder((1, 5, 5, 4))
    hidden = b.conv(b.input, 12, 1, 1)
    b.conv(hidden, 4, 3, 3)
    return grouped_plan(b.finish(), {hidden: (4, 4, 4)}).regions[0].program


def test_a_program_with_sums_survives_encoding() -> None:
    program = summed_program()
    assert encode(decode(encode(program))) == encode(program)


@pytest.mark.parametrize("kind", [OpKind.CONV_SUM, OpKind.CONV_SUM_LAST])
def test_replay_finds_a_missing_or_repeated_group(kind: OpKind) -> None:
    program = summed_program()
    at = next(i for i, s in enumerate(program.steps) if program.ops[s.op].kind is kind)
    for steps in (
        program.steps[:at] + program.steps[at + 1 :],
        program.steps[: at + 1] + program.steps[at:],
    ):
        if kind is OpKind.CONV_SUM and len(steps) > len(program.steps):
            continue  # the first group starts its sums at the bias
        with pytest.raises(InternalError, match="the memory plan is wrong"):
            replay(replace(program, steps=steps))


def test_replay_finds_sums_that_are_overwritten() -> None:
    program = summed_program()
    sums = {program.views[op.accumulator].storage for op in program.ops if op.accumulator is not None}
    (index,) = sums
    storage = program.storages[index]
    first = next(a for a in storage.addresses if a is not None)
    other = next(
        a
        for s, found in enumerate(program.storages)
        if s != index
        for a in found.addresses
        if a is not None and a != first and a % 4 == 0 and a + storage.row_bytes <= program.workspace_bytes
    )
    moved = replace(storage, addresses=tuple(None if a is None else other for a in storage.addresses))
    storages = tuple(moved if s == index else found for s, found in enumerate(program.storages))
    with pytest.raises(InternalError, match="the memory plan is wrong"):
        replay(replace(program, storages=storages))


def test_python_and_c_refuse_what_is_no_sum() -> None:
    program = summed_program()
    blob = unchecked(program)
    assert prepare(blob) == "ok"
    ops_at = int(HEADER.unpack(blob, 0)["ops_offset"])

    def refused(kind: OpKind, record: Record, **fields: int) -> None:
        k = kinds(program).index(kind)
        at = ops_at + k * OP.size_bytes
        if record is not OP:
            at = int(OP.unpack(blob, at)["params_offset"])
        changed = record.pack(**{**record.unpack(blob, at), **fields})
        mutated = blob[:at] + changed + blob[at + len(changed) :]
        with pytest.raises(ProgramError):
            decode(mutated)
        assert prepare(mutated) != "ok"

    last = program.ops[kinds(program).index(OpKind.CONV_SUM_LAST)]
    for kind in (OpKind.CONV_SUM, OpKind.CONV_SUM_LAST):
        refused(kind, OP, accumulator=NONE)
        refused(kind, OP, accumulator=program.ops[0].input)
        refused(kind, CONV_PARAMS, groups=2)
        refused(kind, CONV_PARAMS, flags=int(WeightFlags.SUMS_32))
        refused(kind, CONV_PARAMS, kernel_rows=0)
        refused(kind, CONV_PARAMS, weights_offset=len(blob))
    refused(OpKind.CONV_SUM, OP, output=last.output)
    refused(OpKind.CONV_SUM_LAST, OP, output=last.accumulator or 0)
    refused(OpKind.CONV_SUM_LAST, CONV_PARAMS, flags=int(WeightFlags.FIRST))


def test_only_the_first_group_starts_with_the_bias() -> None:
    flags = [
        bool(int(op.params["flags"]) & WeightFlags.FIRST)
        for op in summed_program().ops
        if op.kind in (OpKind.CONV_SUM, OpKind.CONV_SUM_LAST)
    ]
    assert flags == [True, False, False]


# The search.


def searched(model: bytes, max_slowdown: float) -> Evaluation:
    """The state of least live peak that the search keeps."""
    return min(all_searched(model, Limits(60, max_slowdown)), key=lambda found: found.live_peak_bytes)


def test_the_search_never_makes_a_wide_hidden_layer_whole() -> None:
    b = Builder((1, 64))
    hidden = b.dense(b.input, 1024, activation="RELU")
    b.dense(hidden, 32)
    found = searched(b.finish(), 2.0)
    assert dict(found.decision.channel_groups) == {hidden: equal_groups(1024, 64)}
    assert found.live_peak_bytes == 64 + 64 + 4 * 32


def test_the_search_finds_the_groups_of_an_inverted_residual_block() -> None:
    b = Builder((1, 7, 7, 32))
    wide = b.conv(b.input, 192, 1, 1, activation="RELU6")
    deep = b.depthwise(wide, 3, 3, activation="RELU6")
    b.add(b.conv(deep, 32, 1, 1), b.input)
    model = b.finish()
    found = searched(model, 2.0)
    assert dict(found.decision.channel_groups).keys() == {wide, deep}
    assert found.live_peak_bytes < 0.9 * searched(model, 1.0).live_peak_bytes
