"""int16 and float32 programs on emulated cores, whose compilers would fuse multiply-adds, give the host's bytes."""

from __future__ import annotations

import numpy as np
import pytest
from split_stages import every_compilation
from toolchains import need_board
from typed_models import TypedBuilder, random_inputs

from tflm_split.board.boards import BOARDS
from tflm_split.board.run import run_on_board
from tflm_split.tflite.reader import read_model
from tflm_split.verify.tflm import run_in_tflm


@pytest.mark.parametrize("board", ["m7", "rv32imc", "rv32gc"])
@pytest.mark.parametrize("dtype", ["INT16", "FLOAT32"])
def test_a_typed_network_gives_tflms_bytes(dtype: str, board: str) -> None:
    need_board(BOARDS[board])
    b = TypedBuilder(dtype, (1, 10, 8, 3), 12)
    x = b.conv(b.input, 4, activation="RELU")
    y = b.conv(b.conv(x, 4, depthwise=True), 4, (1, 1), activation="RELU6")
    z = b.pool(b.binary("ADD", x, b.unary("LEAKY_RELU", y, alpha=0.2)), (2, 2), (2, 2))
    outputs = b.mean(z), b.dense(b.conv(z, 3), 5), b.pool(z, (2, 2), kind="MAX_POOL_2D")
    model = b.finish(*outputs, *((b.softmax(outputs[1]),) if dtype == "INT16" else ()))
    graph = read_model(model).graph
    (inputs,) = random_inputs([graph.tensors[t] for t in graph.inputs], 1)
    split = next(every_compilation(model, effort=1)).optimized
    on_board = run_on_board(split, board, [inputs])
    assert on_board.outputs == run_in_tflm(model, [inputs]).outputs


@pytest.mark.parametrize("board", ["m7", "m55", "rv32gc"])
def test_float_functions_of_another_c_library_differ_in_last_bits_only(board: str) -> None:
    need_board(BOARDS[board])
    b = TypedBuilder("FLOAT32", (1, 16, 8, 4), 3)
    x = b.binary("ADD", b.input, b.input)
    model = b.finish(b.softmax(x), *(b.unary(kind, x) for kind in ("LOGISTIC", "TANH", "ELU", "HARD_SWISH")))
    graph = read_model(model).graph
    (inputs,) = random_inputs([graph.tensors[t] for t in graph.inputs], 1)
    split = next(every_compilation(model, effort=1)).optimized
    found, wanted = run_on_board(split, board, [inputs]).outputs[0], run_in_tflm(model, [inputs]).outputs[0]
    for ours, theirs in zip(found, wanted, strict=True):
        a, b_ = (np.frombuffer(data, np.float32) for data in (ours, theirs))
        assert np.all(np.abs(a - b_) <= 4 * np.spacing(np.abs(b_)))
    assert found[-1] == wanted[-1]
