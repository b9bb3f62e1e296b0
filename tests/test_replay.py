"""The memory replay lets sound programs pass and names the first violation of every other."""

from __future__ import annotations

import struct
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_programs import (
    ACCUMULATOR,
    ACTIVATED,
    CONV1,
    CONV2,
    DOWN,
    INPUT,
    LUT,
    MIDDLE,
    OUTPUT,
    SUM,
    one_op,
    small_network,
    swapped,
    window,
    with_addresses,
    without_step,
)

from tflm_split.errors import InternalError
from tflm_split.kinds import OpKind
from tflm_split.program.decode import decode
from tflm_split.program.encode import encode
from tflm_split.program.types import Io, Op, Program, Step, Storage, View
from tflm_split.verify.oracle import run_program
from tflm_split.verify.replay import replay


def test_a_sound_program_passes_and_the_report_counts_its_work() -> None:
    report = replay(small_network())
    assert report.steps == 24
    # conv 1 reads 2 + 6*3 + 2 rows, the table 8, conv 2 reads 2 + 3*3 rows, the sum 4 rows and its accumulator 3 times.
    assert report.row_reads_checked == 22 + 8 + 11 + 4 + 3
    assert report.peak_workspace_bytes == 104
    assert report.max_step_bytes == 4 * 8


def test_what_was_encoded_and_decoded_replays_the_same() -> None:
    program = small_network()
    assert replay(decode(encode(program))) == replay(program)


def test_an_address_off_by_one_row_is_caught() -> None:
    program = with_addresses(small_network(), ACTIVATED, {3: 80 + 8})
    with pytest.raises(
        InternalError, match=r"op 2 CONV: it needs byte 0 of row 1 .* at address 88, which holds .* row 3"
    ):
        replay(program)


def test_an_input_row_off_by_one_is_caught() -> None:
    with pytest.raises(InternalError, match="which holds nothing"):
        replay(with_addresses(small_network(), INPUT, {3: 8 * 4}))


def test_a_row_freed_too_early_is_caught() -> None:
    with pytest.raises(InternalError, match=r"op 2 CONV: it needs byte 0 of row 1 of storage 2 .* row 3 of storage 2"):
        replay(small_network(ring=2))


def test_two_live_rows_that_share_one_byte_are_caught() -> None:
    program = with_addresses(small_network(), DOWN, {0: 69, 1: 69, 2: 69, 3: 69})
    with pytest.raises(InternalError, match="op 3 SUM_FEED: its accumulator lies on the row it takes in"):
        replay(program)


def test_a_convolution_onto_its_live_input_is_caught() -> None:
    program = with_addresses(small_network(), MIDDLE, {1: 8})
    program = with_addresses(program, ACTIVATED, {1: 8})
    with pytest.raises(InternalError, match="row 1 of op 0 CONV: it overwrites address 8, in row 1 of storage 0"):
        replay(program)


def test_a_row_may_take_the_address_of_an_input_row_that_died() -> None:
    program = with_addresses(small_network(), MIDDLE, {2: 0})
    program = with_addresses(program, ACTIVATED, {2: 0})
    assert replay(program).steps == len(program.steps)


def test_a_feed_out_of_order_is_caught() -> None:
    program = replace(small_network(), steps=(*small_network().steps[:5], Step(SUM, 1)))
    with pytest.raises(InternalError, match="it takes in row 1 when row 0 is next"):
        replay(program)


def test_a_feed_repeated_is_caught() -> None:
    program = small_network()
    with pytest.raises(InternalError, match="it takes in row 3 when row 4 is next"):
        replay(replace(program, steps=(*program.steps, Step(SUM, 3))))


@pytest.mark.parametrize("step", [Step(CONV1, 4), Step(LUT, 0), Step(CONV2, 2), Step(SUM, 1), Step(SUM, 3)])
def test_every_missing_step_is_caught(step: Step) -> None:
    with pytest.raises(InternalError):
        replay(without_step(small_network(), step))


def test_a_step_too_early_is_caught() -> None:
    program = swapped(small_network(), Step(LUT, 1), Step(CONV2, 0))
    with pytest.raises(
        InternalError, match=r"it needs byte 0 of row 1 of storage 2 .* holds byte 0 of row 1 of storage 1"
    ):
        replay(program)


def test_an_accumulator_that_something_overwrites_is_caught() -> None:
    program = with_addresses(small_network(), MIDDLE, {5: 64})
    program = with_addresses(program, ACTIVATED, {5: 64})
    with pytest.raises(InternalError, match="needs byte 0 of the accumulator of op 3 at address 64"):
        replay(program)


def test_an_output_on_its_accumulator_is_caught() -> None:
    program = with_addresses(small_network(), OUTPUT, {0: 64})
    with pytest.raises(InternalError, match="its output lies on its accumulator"):
        replay(program)


def test_an_output_that_is_overwritten_before_the_end_is_caught() -> None:
    program = small_network()
    late = replace(program, steps=(*program.steps, Step(CONV1, 0)))
    moved = with_addresses(with_addresses(late, OUTPUT, {0: 80}), ACCUMULATOR, {})
    with pytest.raises(InternalError, match="after the last step: output 0"):
        replay(replace(moved, outputs=(Io(80, 2),)))


def test_an_output_record_at_the_wrong_address_is_caught() -> None:
    with pytest.raises(InternalError, match="output 0 starts with nothing"):
        replay(replace(small_network(), outputs=(Io(78, 2),)))


def test_an_output_record_of_the_wrong_length_is_caught() -> None:
    with pytest.raises(InternalError, match="output 0 has 1 bytes and starts with byte 0 of row 0 of storage 5"):
        replay(replace(small_network(), outputs=(Io(76, 1),)))


def test_a_write_outside_the_workspace_is_caught() -> None:
    with pytest.raises(InternalError, match="it writes up to address 104, outside the workspace of 100 bytes"):
        replay(replace(small_network(), workspace_bytes=100))


def test_an_input_that_no_storage_covers_feeds_nobody() -> None:
    with pytest.raises(InternalError, match="which holds nothing"):
        replay(replace(small_network(), inputs=(Io(8, 64),)))


def test_a_row_of_a_concatenation_is_complete_only_when_every_part_is_written() -> None:
    """Two tables write channels 0..1 and 2..3 of the same rows; a third reads all four."""
    views = (
        View(0, 0, 2, 2, 2, 2),
        View(1, 0, 2, 2, 2, 4),
        View(1, 0, 2, 2, 2, 4, offset_bytes=2),
        View(1, 0, 2, 2, 4, 4),
        View(2, 0, 2, 2, 4, 4),
    )
    program = Program(
        workspace_bytes=32,
        inputs=(Io(0, 8),),
        outputs=(Io(16, 16),),
        storages=(Storage(4, 2, (0, 4)), Storage(8, 2, (8, 24)), Storage(8, 2, (16, 24))),
        views=views,
        ops=tuple(Op(OpKind.LUT, out, source, {"table_offset": 0}) for out, source in ((1, 0), (2, 0), (4, 3))),
        steps=tuple(Step(op, row) for row in range(2) for op in range(3)),
        constants=(bytes(256),),
    )
    replay(program)
    with pytest.raises(InternalError, match="it needs byte 2 of row 1 of storage 1 at address 26, which holds nothing"):
        replay(without_step(program, Step(1, 1)))


def _element_wise(kind: OpKind, out_address: int, columns: int = 4, in_bytes: int = 1, out_bytes: int = 1) -> Program:
    """One row of `columns` single-channel pixels at address 16, its result at `out_address`."""
    views = (View(0, 0, 1, columns, 1, in_bytes, 0, in_bytes), View(1, 0, 1, columns, 1, out_bytes, 0, out_bytes))
    storages = (Storage(columns * in_bytes, 1, (16,)), Storage(columns * out_bytes, 1, (out_address,)))
    op = Op(
        kind, 1, 0, window(1) if kind is OpKind.MAX_POOL else dict.fromkeys(("pad_rows", "pad_columns", "groups"), 0)
    )
    io = {"inputs": (Io(16, columns * in_bytes),), "outputs": (Io(out_address, columns * out_bytes),)}
    return one_op(op, views, storages, workspace_bytes=64, **io)


@pytest.mark.parametrize("kind", [OpKind.LUT, OpKind.SOFTMAX, OpKind.MAX_POOL])
def test_an_element_wise_op_may_write_the_row_it_reads(kind: OpKind) -> None:
    assert replay(_element_wise(kind, 16)).row_reads_checked == 1


def _upsampling(kind: OpKind, out_address: int) -> Program:
    """Two rows of two pixels, at 0 and 2, become three rows. The third reads row 1 only; output begins at row 2."""
    names = ("kernel_rows", "kernel_columns", "stride_rows", "stride_columns", "pad_rows", "pad_columns")
    params = dict(zip(names, (1, 1, 2, 1, 0, 0), strict=True))
    if kind is OpKind.RESIZE_NEAREST:
        params = {"row_map_offset": 0, "column_map_offset": 1}
    views = (View(0, 0, 2, 2, 1, 1), View(1, 0, 3, 2, 1, 1))
    storages = (Storage(2, 2, (0, 2)), Storage(2, 3, (8, 10, out_address)))
    maps = (struct.pack("<3H", 0, 0, 1), struct.pack("<2H", 0, 1))
    return one_op(
        Op(kind, 1, 0, params), views, storages, workspace_bytes=16, inputs=(Io(0, 4),), constants=maps,
    )  # fmt: skip


@pytest.mark.parametrize("kind", [OpKind.TRANSPOSE_CONV, OpKind.RESIZE_NEAREST])
def test_upsampling_may_write_over_rows_it_does_not_read_any_more_and_on_none_it_reads(kind: OpKind) -> None:
    assert replay(_upsampling(kind, 12)).row_reads_checked == (2 if kind is OpKind.TRANSPOSE_CONV else 3)
    replay(_upsampling(kind, 0))
    with pytest.raises(InternalError, match="it overwrites address 2, in row 1 of storage 0"):
        replay(_upsampling(kind, 2))
    with pytest.raises(InternalError, match="it overwrites address 2, in row 1 of storage 0"):
        replay(_upsampling(kind, 1))


def test_a_pixel_may_lie_on_the_input_of_an_earlier_pixel() -> None:
    assert replay(_element_wise(OpKind.LUT, 15)).row_reads_checked == 1


def test_a_pixel_may_not_lie_on_the_input_of_a_later_pixel() -> None:
    with pytest.raises(InternalError, match="it overwrites address 17, in row 0 of storage 0, before"):
        replay(_element_wise(OpKind.LUT, 17))


def test_a_table_of_wider_entries_may_not_write_the_row_it_reads() -> None:
    with pytest.raises(InternalError, match="it overwrites address 16"):
        replay(_element_wise(OpKind.LUT, 16, out_bytes=4))


def test_quantising_floats_may_start_where_they_lie() -> None:
    assert replay(_element_wise(OpKind.QUANTIZE_FLOAT, 16, in_bytes=4)).row_reads_checked == 1


def test_an_operand_that_is_broadcast_may_not_be_written() -> None:
    """The second operand, one pixel, is read for every pixel of the row."""
    views = (View(0, 0, 1, 4, 1, 1), View(1, 0, 1, 1, 1, 1), View(2, 0, 1, 4, 1, 1))
    storages = (Storage(4, 1, (0,)), Storage(1, 1, (8,)), Storage(4, 1, (8,)))
    op = Op(OpKind.ADD, 2, 0, {}, input2=1)
    program = one_op(op, views, storages, workspace_bytes=16, inputs=(Io(0, 4), Io(8, 1)), outputs=(Io(8, 4),))
    with pytest.raises(InternalError, match="it overwrites address 8, in row 0 of storage 1"):
        replay(program)


def test_an_addition_may_write_onto_either_operand() -> None:
    views = (View(0, 0, 1, 4, 1, 1), View(1, 0, 1, 4, 1, 1), View(2, 0, 1, 4, 1, 1))
    for address in (0, 4):
        storages = (Storage(4, 1, (0,)), Storage(4, 1, (4,)), Storage(4, 1, (address,)))
        op = Op(OpKind.ADD, 2, 0, {}, input2=1)
        io = {"inputs": (Io(0, 4), Io(4, 4)), "outputs": (Io(address, 4),)}
        assert replay(one_op(op, views, storages, workspace_bytes=8, **io)).row_reads_checked == 2


def test_a_one_by_one_convolution_may_not_write_the_pixel_it_reads() -> None:
    views = (View(0, 0, 1, 4, 2, 2), View(1, 0, 1, 4, 2, 2))
    op = Op(OpKind.CONV, 1, 0, {**window(1), "groups": 1})
    for address, sound in ((8, False), (6, True), (0, True)):
        storages = (Storage(8, 1, (8,)), Storage(8, 1, (address,)))
        io = {"inputs": (Io(8, 8),), "outputs": (Io(address, 8),)}
        program = one_op(op, views, storages, workspace_bytes=16, **io)
        if sound:
            replay(program)
        else:
            with pytest.raises(InternalError, match="it overwrites address 8"):
                replay(program)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_changed_program_that_passes_still_gives_the_right_answer(data: st.DataObject) -> None:
    """Rows are moved and steps exchanged at random. Whenever replay accepts the result, the output is unchanged."""
    program = small_network()
    for _ in range(data.draw(st.integers(1, 3))):
        if data.draw(st.booleans()):
            storage = data.draw(st.sampled_from([MIDDLE, ACTIVATED, DOWN]))
            row = data.draw(st.integers(0, program.storages[storage].row_count - 1))
            program = with_addresses(program, storage, {row: data.draw(st.integers(0, 96))})
        else:
            k = data.draw(st.integers(0, len(program.steps) - 2))
            program = swapped(program, program.steps[k], program.steps[k + 1])
    try:
        replay(program)
    except InternalError:
        return
    x = np.random.default_rng(0).integers(-128, 128, 64).astype(np.int8)
    assert run_program(program, [x]) == run_program(small_network(), [x])


def test_five_thousand_steps_replay_in_seconds() -> None:
    """A chain of 3-row windows on rows of 1,000 bytes, in rings of four rows."""
    layers, rows = 50, 100
    storages = [Storage(1000, rows, tuple(1000 * r for r in range(rows)))]
    storages += [
        Storage(1000, rows, tuple(100_000 + 4000 * k + 1000 * (r % 4) for r in range(rows))) for k in range(layers)
    ]
    views = tuple(View(s, 0, rows, 125, 8, 8) for s in range(layers + 1))
    ops = tuple(Op(OpKind.MAX_POOL, k + 1, k, {**window(3, pad=1)}) for k in range(layers))
    order = sorted((r + k, k, r) for k in range(layers) for r in range(rows))
    steps = tuple(Step(k, r) for _, k, r in order)
    program = Program(100_000 + 4000 * layers, (Io(0, 100_000),), (), tuple(storages), views, ops, steps)
    start = time.process_time()
    assert replay(program).steps == 5000
    assert time.process_time() - start < 10
