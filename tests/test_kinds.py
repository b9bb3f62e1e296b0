"""The facts about kinds are consistent: records, constants, ranges, numbers."""

from __future__ import annotations

import pytest

from tflm_split import kinds
from tflm_split.errors import ProgramError
from tflm_split.kinds import KINDS, OpKind, View, limits
from tflm_split.kinds.kind import Case, InPlace, Kind, first_fault, range_fault
from tflm_split.kinds.table import FAMILIES
from tflm_split.program.generate import RECORDS, documented_limits

by_name = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def test_the_numbers_are_the_places_in_the_table() -> None:
    assert [op_kind.name for op_kind in OpKind] == [kind.name for kind in KINDS]
    assert [kinds.of(op_kind) for op_kind in OpKind] == list(KINDS)


def test_a_mask_of_kinds_has_room_for_all_of_them() -> None:
    """Bit 63 is taken: it says that rows move."""
    assert len(KINDS) < 63


def test_no_two_records_have_the_same_name_and_each_is_written_to_the_c_header() -> None:
    names = [record.name for record in RECORDS]
    assert len(set(names)) == len(names)
    assert {kind.record.name for kind in KINDS} <= set(names)
    assert {record.name for family in FAMILIES for record in family.RECORDS} <= set(names)


@by_name
def test_every_offset_of_a_record_is_a_constant_of_the_kind(kind: Kind) -> None:
    offsets = [f.name for f in kind.record.fields if f.name.endswith("_offset")]
    assert sorted(offsets) == sorted(kind.constant_fields)


@by_name
def test_a_range_is_within_the_type_of_its_field(kind: Kind) -> None:
    types = {
        "uint16_t": (0, 2**16 - 1),
        "int16_t": (-(2**15), 2**15 - 1),
        "uint32_t": (0, 2**32 - 1),
        "int32_t": (-(2**31), 2**31 - 1),
    }
    for field in kind.record.fields:
        if field.range:
            low, high = types[field.ctype]
            assert low <= field.range[0] <= field.range[1] <= high


@by_name
def test_an_accumulator_is_never_written_in_place(kind: Kind) -> None:
    assert kind.in_place is InPlace.APART or not (kind.feeds or kind.sums)


def test_every_limit_says_what_it_is() -> None:
    documented = {name: value for name, value, meaning in documented_limits() if meaning.endswith(".")}
    assert documented == {name: value for name, value in vars(limits).items() if name.isupper()}


def test_a_convolution_without_groups_has_no_number_of_weights() -> None:
    view = View(0, 0, 1, 1, 4, 4)
    case = Case({"groups": 0, "kernel_rows": 1, "kernel_columns": 1, "flags": 0}, view, view)
    with pytest.raises(ProgramError, match="no groups"):
        kinds.of(OpKind.CONV).constant_bytes("weights_offset", case)


def test_the_first_fault_is_the_one_that_is_told() -> None:
    assert first_fault(None, "one", "two") == "one"
    assert first_fault(None, None) is None


@pytest.mark.parametrize(
    ("value", "fault"), [(-1, "its x is -1"), (0, None), (3, None), (4, "its x is 4"), (float("nan"), "its x is nan")]
)
def test_a_value_outside_its_range_is_a_fault_and_nan_is_outside_of_all(value: float, fault: str | None) -> None:
    assert range_fault("x", value, 0, 3) == fault
