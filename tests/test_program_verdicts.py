"""Python's check and the C prepare hold the same rules: they accept and refuse the same blobs.

Every field of every record of a program that has every kind of op is set to the values around its limits; and programs are
mutated at random, bytes, moves and lengths.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from fuzz_seeds import program_seeds
from runtime_scene import verdicts
from sample_programs import small_network, unchecked, with_moves
from samples import one_op_program

from tflm_split import kinds
from tflm_split.kinds import OpKind
from tflm_split.kinds.record import Field, Record
from tflm_split.program.format import HEADER, IO, MOVE, OP, STORAGE, VIEW

MUTATIONS = 400
_WIDTHS = {"uint8_t": (0, 8), "int16_t": (-1, 16), "uint16_t": (0, 16), "int32_t": (-1, 32), "uint32_t": (0, 32)}


def agree(blob: bytes) -> bool:
    ours, theirs = verdicts(blob)
    assert bool(ours) == bool(theirs), f"Python: {ours or 'accepted'}; C: {theirs or 'accepted'}"
    return not ours


SEEDS = [blob for blob in program_seeds() if len(blob) <= 8192]


def values(field: Field, now: float) -> Iterator[float]:
    """Values at and around the limits of a field, and around its present value."""
    if field.ctype == "float":
        yield from (0.0, -1.0, 1.0, 3.5, float("inf"), float("-inf"), float("nan"), 1e-45)
        return
    sign, bits = _WIDTHS[field.ctype]
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if sign else (0, 2**bits - 1)
    around = {low, high, 0, 1, 2, 3, 16, 256, int(now) - 1, int(now) + 1, int(now) + 4, 2 * int(now), 2**29}
    for limit in field.range or (-128, 127):
        around |= {limit - 1, limit, limit + 1}
    yield from sorted(v for v in around if low <= v <= high and v != now)


def records_of(blob: bytes) -> Iterator[tuple[str, Record, int]]:
    """Every record of a program, by the sort of record or the kind of op it belongs to, and where it lies."""
    header = {name: int(value) for name, value in HEADER.unpack(blob, 0).items()}
    yield HEADER.name, HEADER, 0
    for record, table, count in (
        (IO, "io", header["input_count"] + header["output_count"]),
        (STORAGE, "storages", header["storage_count"]),
        (VIEW, "views", header["view_count"]),
        (OP, "ops", header["op_count"]),
        (MOVE, "moves", header["move_count"]),
    ):
        yield from ((record.name, record, header[f"{table}_offset"] + k * record.size_bytes) for k in range(count))
    for k in range(header["op_count"]):
        op = OP.unpack(blob, header["ops_offset"] + k * OP.size_bytes)
        kind = OpKind(int(op["kind"]))
        yield kind.name, kinds.of(kind).record, int(op["params_offset"])


def one_of_each() -> list[tuple[bytes, Record, int]]:
    """Each sort of record and each kind of op, in the first program that has it: the smallest ones come first."""
    small = (unchecked(with_moves(small_network())), *(unchecked(one_op_program(kind)) for kind in OpKind))
    found: dict[str, tuple[bytes, Record, int]] = {}
    for blob in small:
        for name, record, at in records_of(blob):
            found.setdefault(name, (blob, record, at))
    return list(found.values())


@pytest.mark.parametrize("part", range(8))
def test_both_agree_around_every_limit(part: int) -> None:
    """Each field of each record is changed alone. Some changes must be accepted, and most refused."""
    accepted = refused = 0
    for blob, record, at in one_of_each()[part::8]:
        now = record.unpack(blob, at)
        for field in record.fields:
            for value in values(field, now[field.name]):
                changed = bytearray(blob)
                changed[at : at + record.size_bytes] = record.pack(**now | {field.name: value})
                if agree(bytes(changed)):
                    accepted += 1
                else:
                    refused += 1
    assert accepted > 50
    assert refused > accepted // 4


@pytest.mark.parametrize("seed", range(4))
def test_both_agree_on_programs_mutated_at_random(seed: int) -> None:
    chance = random.Random(seed)
    accepted = 0
    for _ in range(MUTATIONS):
        blob = bytearray(chance.choice(SEEDS))
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            at = chance.randrange(len(blob) - 4)
            match chance.randrange(4):
                case 0:
                    blob[at] = chance.randrange(256)
                case 1:
                    blob[at] ^= 1 << chance.randrange(8)
                case 2:
                    blob[at : at + 4] = chance.choice(((1 << 32) - 1, 0, 1, 1 << 31, 65535)).to_bytes(4, "little")
                case _:
                    other = chance.randrange(len(blob) - 4)
                    blob[at : at + 2] = blob[other : other + 2]
        accepted += agree(bytes(blob))
    assert accepted > MUTATIONS // 20


def test_a_move_whose_turn_comes_twice_is_refused_by_both() -> None:
    for blob in SEEDS:
        header = HEADER.unpack(blob, 0)
        count, at = int(header["move_count"]), int(header["moves_offset"])
        order = at + count * MOVE.size_bytes
        for k in range(count):
            changed = bytearray(blob)
            changed[order + 2 * k : order + 2 * k + 2] = changed[order + 2 * k + 2 : order + 2 * k + 4]
            assert not agree(bytes(changed))


def test_bytes_behind_a_program_are_not_its_own() -> None:
    assert agree(SEEDS[0] + bytes(16))
    assert not agree(SEEDS[0][:-1])
