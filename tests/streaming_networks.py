"""Streaming networks that keep what they remember in variables, or in an SVDF. All weights are random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from tiny_models import Op, T, build_model, joined


class Streaming:
    """A streaming network of int8, operator by operator. All weights are random."""

    def __init__(self, rows: int, channels: int, zero_point: int = -3, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors: list[T] = []
        self.operators: list[Op] = []
        self.names: list[str] = []
        self.first = self.act((1, rows, 1, channels), zero_point)
        self.last = self.first

    def add(self, tensor: T) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def act(self, shape: Sequence[int], zero_point: int) -> int:
        return self.add(T(shape, "INT8", 0.05, zero_point))

    def numbers(self, *values: int) -> int:
        return self.add(T((len(values),), "INT32", data=np.array(values, np.int32)))

    def op(self, kind: str, inputs: Sequence[int], output: int, **options: Any) -> int:
        self.operators.append(Op(kind, inputs, (output,), options))
        self.last = output
        return output

    def handle(self, name: str) -> int:
        handle = self.add(T((), "RESOURCE"))
        self.operators.append(Op("VAR_HANDLE", (), (handle,), {"container": "", "sharedName": name}))
        return handle

    def variable(self, shape: Sequence[int], zero_point: int) -> tuple[int, int]:
        """(The handle of a new variable, what it holds)."""
        self.names.append(f"v{len(self.names)}")
        handle, held = self.handle(self.names[-1]), self.act(shape, zero_point)
        self.operators.append(Op("READ_VARIABLE", (handle,), (held,)))
        return handle, held

    def ring(self, remembered: int, keep_first: bool = True) -> int:
        """The last rows of earlier invocations and those of this one, in one tensor."""
        like = self.tensors[new := self.last]
        _, rows, _, channels = like.shape
        handle, old = self.variable((1, remembered, 1, channels), int(like.zero_point))
        whole = self.act((1, remembered + rows, 1, channels), int(like.zero_point))
        self.op("CONCATENATION", (old, new), whole, axis=1)
        rest = self.act((1, remembered, 1, channels), int(like.zero_point))
        ends = [self.numbers(0, -remembered, 0, 0), self.numbers(0, 0, 0, 0), self.numbers(1, 1, 1, 1)]
        options = {"begin_mask": 13, "end_mask": 15}
        self.operators.append(Op("STRIDED_SLICE", (whole, *ends), (rest,), options))
        self.operators.append(Op("ASSIGN_VARIABLE", (handle, rest), ()))
        return whole

    def weights(self, *shape: int) -> int:
        return self.add(T(shape, "INT8", 0.01, data=self.rng.integers(-127, 128, shape).astype(np.int8)))

    def bias(self, channels: int) -> int:
        return self.add(T((channels,), "INT32", 0.0005, data=self.rng.integers(-900, 900, channels).astype(np.int32)))

    def depthwise(self, zero_point: int) -> int:
        _, rows, _, channels = self.tensors[self.last].shape
        operands = (self.last, self.weights(1, rows, 1, channels), self.bias(channels))
        window = {"padding": "VALID", "stride_w": 1, "stride_h": 1, "depth_multiplier": 1}
        factors = {"dilation_w_factor": 1, "dilation_h_factor": 1}
        return self.op("DEPTHWISE_CONV_2D", operands, self.act((1, 1, 1, channels), zero_point), **window, **factors)

    def convolution(self, channels: int, zero_point: int) -> int:
        _, rows, _, before = self.tensors[self.last].shape
        operands = (self.last, self.weights(channels, 1, 1, before), self.bias(channels))
        window = {"padding": "VALID", "stride_w": 1, "stride_h": 1, "dilation_w_factor": 1, "dilation_h_factor": 1}
        return self.op("CONV_2D", operands, self.act((1, rows, 1, channels), zero_point), **window)

    def svdf(self, filters: int, memory: int, zero_point: int, state_zero_point: int, rank: int = 1) -> int:
        depth = self.tensors[self.last].shape[-1]
        state = self.add(T((1, filters * memory), "INT8", 0.06, state_zero_point, is_variable=True))
        over_time = self.weights(filters, memory)
        operands = (
            self.last,
            self.weights(filters, depth),
            over_time,
            self.add(self._svdf_bias(filters // rank)),
            state,
        )
        return self.op(
            "SVDF", operands, self.act((1, filters // rank), zero_point), rank=rank, fused_activation_function=1
        )

    def _svdf_bias(self, filters: int) -> T:
        return T((filters,), "INT32", 0.0006, data=self.rng.integers(-900, 900, filters).astype(np.int32))

    def lstm(self, units: int, hidden: tuple[float, int], cell_power: int = -11, clip: float = 0.0) -> int:
        """A sequence LSTM over the rows of [1, time, depth], of the type of its input. `hidden`: scale and zero point."""
        like = self.tensors[source := self.last]
        _, time, depth = like.shape
        bias = np.int32 if like.dtype == "INT8" else np.int64
        matrices = [
            self.add(T((units, size), "INT8", 0.01, data=self.rng.integers(-127, 128, (units, size)).astype(np.int8)))
            for size in (*[depth] * 4, *[units] * 4)
        ]
        biases = [
            self.add(
                T((units,), np.dtype(bias).name.upper(), 0.0005, data=self.rng.integers(-900, 900, units).astype(bias))
            )
            for _ in range(4)
        ]
        states = [
            self.add(T((1, units), like.dtype, *hidden, is_variable=True)),
            self.add(T((1, units), "INT16", 2.0**cell_power, 0, is_variable=True)),
        ]
        operands = (source, *matrices, *[-1] * 3, *biases, *[-1] * 2, *states, *[-1] * 4)
        output = self.add(T((1, time, units), like.dtype, *hidden))
        tanh = {"fused_activation_function": "TANH", "cell_clip": clip, "proj_clip": 0.0, "time_major": False}
        return self.op("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, output, **tanh)

    def model(self, set_once: dict[str, int] | None = None) -> bytes:
        """The file. `set_once`: variable -> the byte that a subgraph, called once, sets it to."""
        if set_once is None:
            return build_model(self.tensors, self.operators, [self.first], [self.last])
        call = Op("CALL_ONCE", (), (), {"init_subgraph_index": 1})
        main = build_model(self.tensors, [call, *self.operators], [self.first], [self.last])
        setup = Streaming(1, 1)
        setup.tensors = []
        reads = {o.inputs[0]: o.outputs[0] for o in self.operators if o.kind == "READ_VARIABLE"}
        handles = {str(o.options["sharedName"]): o.outputs[0] for o in self.operators if o.kind == "VAR_HANDLE"}
        for name, value in set_once.items():
            held = self.tensors[reads[handles[name]]]
            handle = setup.handle(name)
            constant = setup.add(replace(held, data=np.full(held.shape, value, np.int8)))
            setup.operators.append(Op("ASSIGN_VARIABLE", (handle, constant), ()))
        return joined(main, build_model(setup.tensors, setup.operators, [], []))


@cache
def rings() -> bytes:
    """Three rings of different zero points: one row at a time, three of which two are kept, and one with two readers."""
    net = Streaming(3, 8, zero_point=5, seed=1)
    net.ring(2)
    net.depthwise(-128)
    net.convolution(12, 7)
    net.ring(4)
    net.depthwise(-20)
    net.convolution(8, 0)
    whole = net.ring(3)
    net.last = whole
    first = net.depthwise(11)
    net.last = whole
    second = net.depthwise(11)
    both = net.act((1, 1, 1, 16), 11)
    net.op("CONCATENATION", (first, second), both, axis=3)
    net.convolution(10, -5)
    return net.model()


@cache
def more_rows_than_kept() -> bytes:
    """Four new rows at a time, of which only two are remembered: none of the old ones."""
    net = Streaming(4, 6, zero_point=-7, seed=2)
    net.ring(2)
    net.depthwise(3)
    net.convolution(5, 0)
    return net.model()


@cache
def one_row_kept() -> bytes:
    """One row of the past and one of now. What is kept is a map of one pixel."""
    net = Streaming(1, 7, zero_point=20, seed=8)
    net.ring(1)
    net.depthwise(-6)
    net.convolution(5, 9)
    net.ring(1)
    net.depthwise(0)
    return net.model()


@cache
def feedback() -> bytes:
    """What is remembered is computed from all that was remembered before."""
    net = Streaming(1, 8, seed=3)
    net.convolution(8, 4)
    handle, old = net.variable((1, 1, 1, 8), 4)
    total = net.act((1, 1, 1, 8), 4)
    net.op("ADD", (net.last, old), total)
    net.convolution(8, 4)
    net.operators.append(Op("ASSIGN_VARIABLE", (handle, net.last), ()))
    net.convolution(6, 1)
    return net.model()


@cache
def svdfs() -> bytes:
    """Three SVDFs, two of whose states have zero points, so that they wrap around; one of rank 2; and a dense layer."""
    net = Streaming(1, 1, seed=4)
    net.tensors[net.first] = T((1, 24), "INT8", 0.08, -12)
    net.svdf(16, 5, -9, 90)
    net.svdf(12, 8, 6, 0)
    net.svdf(24, 3, 1, -17, rank=2)
    net.op("FULLY_CONNECTED", (net.last, net.weights(7, 12), net.bias(7)), net.act((1, 7), 2))
    return net.model()


@cache
def lstms() -> bytes:
    """A convolution over time, two LSTMs one behind the other, and a dense layer on the whole sequence."""
    net = Streaming(1, 1, seed=5)
    net.tensors[net.first] = T((1, 9, 1, 6), "INT8", 0.05, -3)
    net.convolution(7, 4)
    net.op("RESHAPE", (net.last, net.numbers(1, 9, 7)), net.act((1, 9, 7), 4))
    net.lstm(5, (1 / 128, -1), clip=10.0)
    net.lstm(6, (1 / 120, 7), cell_power=-12, clip=2.5)
    net.op("RESHAPE", (net.last, net.numbers(1, 54)), net.add(T((1, 54), "INT8", 1 / 120, 7)))
    net.op("FULLY_CONNECTED", (net.last, net.weights(4, 54), net.bias(4)), net.act((1, 4), 2))
    return net.model()


NETWORKS = {
    "rings": rings,
    "more rows than kept": more_rows_than_kept,
    "one row kept": one_row_kept,
    "feedback": feedback,
    "svdfs": svdfs,
    "lstms": lstms,
}
