"""Long signals: several samples make a row, each row gets what its windows read of its neighbours, and TFLM's bytes come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from operator_cases import act
from split_stages import planned
from test_split_equals_tflm import inputs_of
from tflm_server import TflmServer
from tiny_models import Builder, Op, T, build_model
from typed_models import TypedBuilder

import tflm_split
from tflm_split.lower.assemble import assemble, region_blobs
from tflm_split.rewrite.fold_signals import FOLD_SIGNALS, samples_to_try
from tflm_split.search.base import in_normal_form, rewritten_split
from tflm_split.split.regions import SplitOptions
from tflm_split.tflite.reader import read_model


@pytest.fixture(scope="module")
def tflm() -> Iterator[TflmServer]:
    server = TflmServer()
    yield server
    server.close()


def folds(model: bytes, samples: int) -> bool:
    """Whether a row of the signal can be so many samples, with no operator left stock."""
    split = rewritten_split(read_model(model).graph, SplitOptions(samples=samples))
    return not split.stock and any(op.rewrite == FOLD_SIGNALS for op in split.graph.operators)


def check(tflm: TflmServer, model: bytes, samples: int) -> None:
    """With rows of so many samples, concatenations done either way, the network gives TFLM's bytes."""
    assert folds(model, samples)
    inputs = inputs_of(model)
    original = tflm.run(model, inputs)
    for in_place in (False, True):
        plan = planned(read_model(model).graph, SplitOptions(concatenate_in_place=in_place, samples=samples), effort=2)
        optimized = tflm.run(assemble(read_model(model), plan, region_blobs(plan)).original, inputs)
        assert optimized.outputs == original.outputs


def ending(builder: Builder, tensor: int) -> bytes:
    builder.dense(builder.mean(tensor, (1, 2)), 3)
    return builder.finish()


def pooled(size: int = 48, taps: int = 3, padding: str = "SAME", along_height: bool = False) -> bytes:
    """Convolutions and pools; 4 samples become one."""
    turn: Callable[[int], tuple[int, int]] = (lambda k: (k, 1)) if along_height else (lambda k: (1, k))
    b = Builder((1, *turn(size), 2))
    x = b.pool(b.conv(b.input, 3, *turn(taps), padding=padding), *turn(2), turn(2), kind="MAX_POOL_2D")
    x = b.pool(b.conv(x, 4, *turn(taps), padding=padding, activation="RELU"), *turn(2), turn(2))
    return ending(b, x)


def residual(size: int = 64) -> bytes:
    b = Builder((1, 1, size, 1))
    x = b.conv(b.input, 4, 1, 7, (1, 2), activation="RELU")
    for channels, stride in ((4, 1), (6, 2)):
        y = b.conv(b.conv(x, channels, 1, 5, (1, stride), activation="RELU"), channels, 1, 5)
        x = b.add(y, b.conv(x, channels, 1, 1, (1, stride)) if stride > 1 else x)
    return ending(b, x)


def causal() -> bytes:
    b = Builder((1, 1, 40, 2))
    x = b.conv(b.input, 4, 1, 1)
    for dilation in (1, 2, 4):
        padded = b.pad(x, ((0, 0), (0, 0), (dilation, 0), (0, 0)))
        y = b.conv(padded, 4, 1, 2, padding="VALID", dilation=(1, dilation))
        x = b.add(x, b.unary("TANH", y))
    return ending(b, x)


def joined() -> bytes:
    b = Builder((1, 1, 24, 2))
    x = b.depthwise(b.input, 1, 3, multiplier=2)
    x = b.concat([x, b.conv(b.input, 3, 1, 5)])
    x = b.pool(x, 1, 3, (1, 1), "SAME", kind="MAX_POOL_2D")
    b.dense(b.reshape(x, (1, 24 * 7)), 2)
    return b.finish()


def of_rank_3() -> bytes:
    b = Builder((1, 48, 1))
    x = b.conv(b.reshape(b.input, (1, 1, 48, 1)), 4, 1, 3)
    b.mean(b.reshape(b.pool(x, 1, 4, (1, 4)), (1, 12, 4)), (1,))
    return b.finish()


def not_whole() -> bytes:
    """A window without padding, then one with: the second reads padding in the middle of a row."""
    b = Builder((1, 1, 48, 2))
    return ending(b, b.conv(b.conv(b.input, 3, 1, 3, padding="VALID"), 3, 1, 3))


FOLDED: dict[str, tuple[Callable[[], bytes], int]] = {
    "pools": (pooled, 4),
    "pools, longer rows": (pooled, 12),
    "windows of three rows": (lambda: pooled(taps=11), 4),
    "no padding": (lambda: pooled(padding="VALID"), 4),  # what is left over in the end is no row
    "along the height": (lambda: pooled(along_height=True), 8),
    "more taps than rows can be read": (lambda: pooled(96, taps=35), 8),
    "residual": (residual, 8),
    "residual, longer rows": (residual, 16),
    "causal": (causal, 2),
    "causal, longer rows": (causal, 10),
    "joined": (joined, 6),
    "of rank 3": (of_rank_3, 8),
    "a last row that is cut short": (lambda: pooled(46), 4),
    "... and longer rows": (lambda: pooled(47), 12),
    "... of a residual network": (lambda: residual(65), 4),
    "... with a mean over what is left": (lambda: residual(101), 16),
    "... that is read whole": (joined, 5),
    "padding in the middle of a row": (not_whole, 4),
}


@pytest.mark.parametrize("name", FOLDED)
def test_rows_of_several_samples_give_the_same_bytes(tflm: TflmServer, name: str) -> None:
    model, samples = FOLDED[name]
    check(tflm, model(), samples)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_stack_of_windows_gives_the_same_bytes(tflm: TflmServer, data: st.DataObject) -> None:
    stages = data.draw(
        st.lists(st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4)
    )
    padding = data.draw(st.sampled_from(["SAME", "VALID"]))
    samples = int(np.prod([stride for _, stride, _ in stages])) * data.draw(st.integers(1, 3))
    cut_short = data.draw(st.integers(0, samples - 1))
    b = Builder((1, 1, samples * data.draw(st.integers(6, 12)) - cut_short, 2), seed=data.draw(st.integers(0, 99)))
    x = b.input
    for taps, stride, dilation in stages:
        if padding == "SAME" or b.shape(x)[2] > (taps - 1) * dilation + stride:
            x = b.conv(x, 3, 1, taps, (1, stride), padding, dilation=(1, dilation if stride == 1 else 1))
    model = ending(b, x)
    if samples > 1 and folds(model, samples):
        check(tflm, model, samples)


def counted() -> bytes:
    b = Builder((1, 1, 48, 2))
    return ending(b, b.pool(b.input, 1, 3, (1, 1), "SAME"))


def along_channels() -> bytes:
    b = Builder((1, 1, 48, 2))
    b.mean(b.conv(b.input, 4, 1, 3), (3,))
    return b.finish()


def both_axes() -> bytes:
    b = Builder((1, 6, 48, 2))
    return ending(b, b.conv(b.input, 3, 3, 3))


@pytest.mark.parametrize("make", [counted, along_channels, both_axes])
def test_what_cannot_be_folded_stays_as_it_is(make: Callable[[], bytes]) -> None:
    model = make()
    assert not folds(model, 4)
    plain, asked = (rewritten_split(read_model(model).graph, SplitOptions(samples=n)).graph for n in (0, 4))
    assert [op.kind for op in plain.operators] == [op.kind for op in asked.operators]


def test_int16_is_padded_with_its_zero_point(tflm: TflmServer) -> None:
    rng = np.random.default_rng(3)
    tensors = [
        act(1, 1, 24, 2, dtype="INT16", scale=0.01),
        T((3, 1, 3, 2), scale=0.01, data=rng.integers(-127, 128, (3, 1, 3, 2)).astype(np.int8)),
        T((3,), "INT64", scale=0.0001, data=np.array([-900, 0, 900])),
        act(1, 1, 24, 3, dtype="INT16", scale=0.02),
    ]
    options = {"stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
    conv = Op("CONV_2D", [0, 1, 2], [3], {"padding": "SAME", "fused_activation_function": "NONE", **options})
    check_output(tflm, build_model(tensors, [conv], [0], [3]))


def check_output(tflm: TflmServer, model: bytes) -> None:
    rng = np.random.default_rng(0)
    inputs = [[rng.integers(-32768, 32768, (1, 1, 24, 2)).astype(np.int16)] for _ in range(3)]
    plan = planned(read_model(model).graph, SplitOptions(samples=6), effort=2)
    assert any(op.rewrite == FOLD_SIGNALS for op in plan.split.graph.operators)
    optimized = assemble(read_model(model), plan, region_blobs(plan)).original
    assert tflm.run(optimized, inputs).outputs == tflm.run(model, inputs).outputs


def test_rows_have_as_few_samples_as_can_be_planned() -> None:
    def tried(model: bytes) -> tuple[int, ...]:
        return samples_to_try(in_normal_form(read_model(model).graph))

    assert tried(pooled(4096)) == ()  # 13,313 steps are not too many
    assert tried(pooled(40960)) == (128,)
    assert tried(pooled(40963)) == (164,)  # a prime: the last row is cut short


# Windows of more rows than a step can read.


def depthwise_of_64(padding: str = "SAME") -> bytes:
    b = Builder((1, 1, 200, 3))
    return ending(b, b.pool(b.depthwise(b.input, 1, 64, padding=padding, activation="RELU"), 1, 2, (1, 2)))


def average_of_50() -> bytes:
    b = Builder((1, 300, 1, 2))
    return ending(b, b.pool(b.conv(b.input, 5, 9, 1), 50, 1, (10, 1), "VALID"))


def typed(dtype: str, depthwise: bool) -> bytes:
    b = TypedBuilder(dtype, (1, 1, 101, 2))
    x = b.conv(b.input, 2 if depthwise else 5, (1, 40), depthwise=depthwise)
    return b.finish(b.pool(b.conv(x, 4, (1, 3), (1, 2)), (1, 34), (1, 7)))


TALL: dict[str, Callable[[], bytes]] = {
    "depthwise": depthwise_of_64,
    "depthwise without padding": lambda: depthwise_of_64("VALID"),
    "an average": average_of_50,
    **{f"{t} {d}": partial(typed, t, d == "depthwise") for t in ("INT16", "FLOAT32") for d in ("conv", "depthwise")},
}


@pytest.mark.parametrize("name", TALL)
def test_a_window_of_many_samples_lies_along_rows_of_several(name: str) -> None:
    result = tflm_split.optimize(TALL[name](), effort="low")
    assert result.report["verified"]["bit_exact"] and result.report["optimized"]["stock_ops"] == 0
    assert result.plan is not None
    assert any(op.rewrite == FOLD_SIGNALS for op in result.plan.split.graph.operators)
