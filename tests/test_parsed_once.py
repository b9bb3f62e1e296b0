"""A model is unpacked once: every stage works on the values that the reader made of it."""

from __future__ import annotations

from typing import Any

import pytest
from user_models import DSCNN, float_sine, small_network

import tflm_split
from tflm_split.tflite import schema


@pytest.fixture
def unpacked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Collects the bytes of every file that is unpacked from here on."""
    seen: list[bytes] = []
    unpack = schema.unpack

    def counting(data: bytes) -> Any:
        seen.append(data)
        return unpack(data)

    monkeypatch.setattr(schema, "unpack", counting)
    return seen


@pytest.mark.parametrize("verify", [False, True])
def test_optimize_unpacks_the_input_once_and_what_it_wrote_once(unpacked: list[bytes], verify: bool) -> None:
    source = small_network()
    result = tflm_split.optimize(source, verify=verify)
    assert unpacked == [source, result.model]


def test_a_model_that_stays_as_it_is_is_unpacked_once(unpacked: list[bytes]) -> None:
    source = float_sine()
    assert tflm_split.optimize(source).model == source
    assert unpacked == [source]


def test_with_a_limit_every_file_that_is_tried_is_unpacked_once(unpacked: list[bytes]) -> None:
    source = DSCNN.read_bytes()
    result = tflm_split.optimize(source, effort=0, verify=False, max_arena=3000)
    assert unpacked[0] == source
    assert len(unpacked) == len(set(unpacked))
    assert result.model in unpacked


def test_a_tree_that_is_edited_is_a_copy(unpacked: list[bytes]) -> None:
    tree = schema.unpack(small_network())
    before = schema.pack(tree)
    edited = schema.copied(tree)
    edited.buffers.clear()
    edited.subgraphs[0].tensors[0].name = b"other"
    edited.subgraphs[0].operators.reverse()
    assert schema.pack(tree) == before
