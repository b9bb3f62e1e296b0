"""Is every flipped bit of a program refused, or harmless? In Python, and in the executor that runs on devices."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from objects import HOST, compiled
from runtime_scene import prepare
from sample_programs import small_network

from tflm_split.errors import ProgramError
from tflm_split.native.build import executor_units
from tflm_split.program.checksum import OFFSET, checksum_of, with_checksum, without_checksum
from tflm_split.program.decode import decode
from tflm_split.program.encode import encode
from tflm_split.program.format import CHECKSUM_FACTOR

ALTERED = "the program was altered after it was made: its checksum does not match its bytes"


@pytest.fixture(scope="module")
def blob() -> bytes:
    return encode(small_network())


def flipped(blob: bytes, bit: int) -> bytes:
    changed = bytearray(blob)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def plain_checksum(blob: bytes) -> int:
    """As the executor computes it: word by word."""
    total = 0
    words = struct.unpack(f"<{(len(blob) + 3) // 4}I", blob + bytes(-len(blob) % 4))
    for number, word in enumerate(words):
        value = 0 if number == OFFSET // 4 else word
        total = (total * CHECKSUM_FACTOR + (value ^ value >> 16)) % 2**32
    return total


def test_every_flipped_bit_of_a_program_is_refused_by_the_executor(blob: bytes) -> None:
    assert prepare(blob) == "ok"
    accepted = [bit for bit in range(8 * len(blob)) if prepare(flipped(blob, bit)) == "ok"]
    assert accepted == []


def test_flipped_bits_are_refused_by_the_reader(blob: bytes) -> None:
    for bit in range(0, 8 * len(blob), 29):
        with pytest.raises(ProgramError):
            decode(flipped(blob, bit))


def test_an_altered_weight_is_named_as_what_it_is(blob: bytes) -> None:
    damaged = flipped(blob, 8 * (len(blob) - 1))
    assert prepare(damaged) == ALTERED
    with pytest.raises(ProgramError, match="its checksum does not match its bytes"):
        decode(damaged)


def test_a_program_may_be_marked_as_not_checked(blob: bytes) -> None:
    assert prepare(flipped(without_checksum(blob), 8 * (len(blob) - 1))) == "ok"
    assert with_checksum(without_checksum(blob)) == blob


def test_a_build_may_leave_the_check_out(tmp_path: Path) -> None:
    (unit,) = [u for u in executor_units() if u.stem == "split_nn_core_prepare"]
    (checked,), (unchecked,) = (compiled((*HOST, *flags), [unit]) for flags in ((), ("-DSPLIT_NN_NO_CHECKSUM",)))
    assert unchecked.stat().st_size < checked.stat().st_size


@given(st.binary(min_size=OFFSET + 4, max_size=300), st.data())
def test_a_change_within_one_word_always_changes_the_checksum(data: bytes, draw: st.DataObject) -> None:
    assert checksum_of(data) == plain_checksum(data)
    words = [w for w in range((len(data) + 3) // 4) if w != OFFSET // 4]
    word = draw.draw(st.sampled_from(words))
    here = slice(4 * word, min(4 * word + 4, len(data)))
    length = here.stop - here.start
    other = draw.draw(st.binary(min_size=length, max_size=length).filter(lambda b: b != data[here]))
    assert checksum_of(data[: here.start] + other + data[here.stop :]) != checksum_of(data)


def test_the_executor_knows_the_same_checksum(blob: bytes) -> None:
    """Also of programs whose length is no multiple of a word."""
    for extra in range(4):
        longer = bytearray(blob + np.arange(1, extra + 1, dtype=np.uint8).tobytes())
        longer[8:12] = struct.pack("<I", len(longer))
        assert prepare(with_checksum(bytes(longer))) == "ok"
        assert prepare(flipped(with_checksum(bytes(longer)), 8 * len(longer) - 1)) == ALTERED
