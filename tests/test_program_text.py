"""A program's text: one line per thing, runs compressed, always the same."""

from __future__ import annotations

from dataclasses import replace

from sample_programs import small_network, with_addresses

from tflm_split.program.decode import decode
from tflm_split.program.encode import encode
from tflm_split.program.text import address_runs, format_program
from tflm_split.program.types import Step, Storage

SMALL_NETWORK = """\
TFLM_SPLIT program: 104 B workspace, 4 ops, 24 steps, 8 constants of 351 B

inputs
  in0  0..64  64 B

outputs
  out0  76..78  2 B

storages
  s0  affine   8 x 8 B  rows 0..8 from 0
  s1  table16  8 x 8 B  rows 0..3 from 80, rows 3..6 from 80, rows 6..8 from 80
  s2  table16  8 x 8 B  rows 0..3 from 80, rows 3..6 from 80, rows 6..8 from 80
  s3  table16  4 x 4 B  rows 0..4 all at 72
  s4  affine   1 x 8 B  row 0 at 64
  s5  affine   1 x 2 B  row 0 at 76

views
  v0  s0  rows 0..8  8 x 4 x 2 int8    stride 2 B  offset 0 B
  v1  s1  rows 0..8  8 x 4 x 2 int8    stride 2 B  offset 0 B
  v2  s2  rows 0..8  8 x 4 x 2 int8    stride 2 B  offset 0 B
  v3  s3  rows 0..4  4 x 2 x 2 int8    stride 2 B  offset 0 B
  v4  s4  rows 0..1  1 x 1 x 2 32-bit  stride 8 B  offset 0 B
  v5  s5  rows 0..1  1 x 1 x 2 int8    stride 2 B  offset 0 B
"""


def section(text: str, title: str) -> list[str]:
    return next(part.splitlines()[1:] for part in text.split("\n\n") if part.startswith(title))


def test_tensors_storages_and_views_are_one_aligned_line_each() -> None:
    assert format_program(small_network()).startswith(SMALL_NETWORK)


def test_an_op_shows_its_views_its_window_its_constants_and_where_it_comes_from() -> None:
    first, second, _, last = section(format_program(small_network()), "ops")
    assert first.startswith(
        "  #0  CONV      v1 <- v0         kernel=3x3 stride=1x1 dilation=1x1 pad=1x1 input_zero_point=5 "
    )
    assert first.endswith(
        "weights=c0[36 B] bias=c2[8 B] multipliers=c3[8 B] shifts=c4[2 B] groups=1 flags=1  (op 0 CONV_2D 'first')"
    )
    assert second == "  #1  LUT       v2 <- v1         table=c5[256 B]  (op 1 LOGISTIC 'table')"
    assert last.startswith("  #3  SUM_FEED  v5 <- v3 via v4  mode=1 count=8 ")


def test_steps_of_one_op_on_rows_that_follow_each_other_are_one_line() -> None:
    program = replace(small_network(), steps=(*(Step(0, r) for r in range(4)), Step(1, 2), Step(1, 1), Step(0, 4)))
    assert section(format_program(program), "steps") == [
        "  0  CONV#0  rows 0..4",
        "  4  LUT#1   row 2",
        "  5  LUT#1   row 1",
        "  6  CONV#0  row 4",
    ]


def test_rows_without_an_address_are_nowhere() -> None:
    storage = Storage(8, 6, (None, None, 16, 32, 48, 0))
    assert address_runs(storage) == ["rows 0..2 nowhere", "rows 2..5 from 16 every 16", "row 5 at 0"]


def test_a_constant_storage_names_its_constant() -> None:
    program = small_network()
    storages = (*program.storages, Storage(4, 2, (), 2))
    assert section(format_program(replace(program, storages=storages)), "storages")[-1].endswith("constant c2")


def test_the_text_of_a_decoded_program_differs_only_in_what_bytes_do_not_carry() -> None:
    program = small_network()
    text, again = format_program(program), format_program(decode(encode(program)))
    assert text != again and section(text, "steps") == section(again, "steps")
    assert section(text, "storages") == section(again, "storages")


def test_a_program_that_is_not_well_formed_has_a_text_too() -> None:
    program = replace(with_addresses(small_network(), 1, {0: -8}), steps=(Step(99, 3),))
    assert section(format_program(program), "steps") == ["  0  ?#99  row 3"]
