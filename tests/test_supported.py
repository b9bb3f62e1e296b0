"""SUPPORTED.md is generated, fresh, and leaves out no operator of real models."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from tflite_helpers import CORPUS, needs_corpus
from tiny_models import Op, T, build_model

from tflm_split import optimize
from tflm_split.errors import UnrunnableError
from tflm_split.split.operators import RESHAPES, SPLITTERS
from tflm_split.split.operators.byte_function import BYTE_FUNCTION
from tflm_split.split.operators.filled import FILLED
from tflm_split.split.operators.lstm import LSTM_STATES
from tflm_split.split.operators.picked import PICK
from tflm_split.split.operators.recut import RECUT
from tflm_split.split.operators.state import KEEP_STATE
from tflm_split.split.operators.stream import EMIT_ROWS, FETCH_ROWS
from tflm_split.split.operators.svdf import SVDF_FEATURE, SVDF_TIME
from tflm_split.split.operators.tall_convolution import TALL_CONV
from tflm_split.tflite.reader import read_model

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def rendered() -> tuple[str, Mapping[tuple[str, str], str]]:
    """The text that the script writes, and its answers by operator and type."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import write_supported
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    return write_supported.render(), write_supported.answers()


def test_the_file_is_fresh(rendered: tuple[str, Mapping[tuple[str, str], str]]) -> None:
    assert (ROOT / "SUPPORTED.md").read_text(encoding="utf-8") == rendered[0], "run python scripts/write_supported.py"


def test_every_operator_with_a_splitter_is_split_in_some_type(
    rendered: tuple[str, Mapping[tuple[str, str], str]],
) -> None:
    answered = {kind for kind, _ in rendered[1]}
    in_no_file = {
        BYTE_FUNCTION, FILLED, EMIT_ROWS, FETCH_ROWS, KEEP_STATE, LSTM_STATES, PICK, RECUT, SVDF_FEATURE, SVDF_TIME, TALL_CONV,
    }  # fmt: skip
    assert (SPLITTERS.keys() | RESHAPES) - in_no_file <= answered


@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MEAN", "MAX_POOL_2D"])
def test_the_operators_of_a_plain_network_are_split_in_three_types(
    rendered: tuple[str, Mapping[tuple[str, str], str]], kind: str
) -> None:
    assert [dtype for k, dtype in rendered[1] if k == kind] == ["INT8", "INT16", "FLOAT32"]


def test_a_uint8_model_is_refused_with_what_to_do_about_it() -> None:
    tensors = [
        T((1, 4, 4, 1), "UINT8", 0.1, 128),
        T((1, 1, 1, 1), "UINT8", 0.1, 128, np.ones((1, 1, 1, 1), np.uint8)),
        T((1,), "INT32", 0.01, data=np.zeros(1, np.int32)),
        T((1, 4, 4, 1), "UINT8", 0.1, 128),
    ]
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1, "fused_activation_function": "NONE"}
    model = build_model(tensors, [Op("CONV_2D", (0, 1, 2), (3,), options)], (0,), (3,))
    with pytest.raises(UnrunnableError, match="quantised to uint8, the scheme of 2018: convert the original"):
        optimize(model)


@needs_corpus
def test_every_operator_of_the_real_models_is_named(rendered: tuple[str, Mapping[tuple[str, str], str]]) -> None:
    kinds = {op.kind for path in (CORPUS / "models").glob("*.tflite") for op in read_model(path).graph.operators}
    assert not {kind for kind in kinds if f"{kind} " not in rendered[0] and f"{kind}," not in rendered[0]
                and f"{kind}:" not in rendered[0]}  # fmt: skip
