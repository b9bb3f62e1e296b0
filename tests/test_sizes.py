"""The whole project writes and reads memory sizes in one way."""

import pytest

from tflm_split.errors import InputError
from tflm_split.sizes import counted, format_bytes, parse_bytes


@pytest.mark.parametrize("text", ["65536", "64K", "64KB", "64KiB", "64k", "64kb", "64kib", " 64 KB ", "65536B", 65536])
def test_one_size_may_be_written_in_many_ways(text):
    assert parse_bytes(text) == 65536


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("1M", 1 << 20), ("2MB", 2 << 20), ("3MiB", 3 << 20)])
def test_k_is_1024_and_m_is_1024_of_those(text, number):
    assert parse_bytes(text) == number


@pytest.mark.parametrize(
    "text", ["", " ", "K", "64Q", "64KK", "6.4.3K", "-64K", "+64K", "64K4", "1e3", "0x10", "64 K B", "9" * 5000]
)
def test_anything_else_is_refused_and_the_sentence_says_how_to_write_it(text):
    with pytest.raises(InputError, match=r"is not a memory size; 65536, 64K, 64KB and 64KiB are the same \(K = 1024\)"):
        parse_bytes(text)


@pytest.mark.parametrize("text", ["0", "0K", 0, -1])
def test_no_memory_at_all_is_refused(text):
    with pytest.raises(InputError, match="must be more than 0 bytes"):
        parse_bytes(text)


@pytest.mark.parametrize("value", [True, None, 64.0, b"64K"])
def test_what_is_neither_text_nor_a_whole_number_is_refused(value):
    with pytest.raises(InputError, match="is not a memory size"):
        parse_bytes(value)


def test_bytes_are_shown_exactly():
    assert format_bytes(28032) == "28,032 B"


def test_a_part_of_a_unit_is_a_size_if_it_is_whole_bytes() -> None:
    assert parse_bytes("1.5KB") == 1536
    assert parse_bytes("0.25M") == 262144
    for text in ("1.5", "0.0001K", "1.K", ".5K"):
        with pytest.raises(InputError, match="is not a memory size"):
            parse_bytes(text)


def test_one_thing_is_not_several() -> None:
    assert (counted(1, "input"), counted(2, "input"), counted(1200, "step")) == ("1 input", "2 inputs", "1,200 steps")
