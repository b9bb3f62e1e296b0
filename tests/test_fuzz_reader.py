"""Broken files give a result or an error of one sentence: a short run of `scripts/fuzz_reader.py`."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from fuzz_mutations import damage, mutate  # noqa: E402
from fuzz_reader import FindingError, judge, limits  # noqa: E402
from fuzz_seeds import model_seeds  # noqa: E402

MUTATIONS = 250
VERIFIED = 6


def mutations(count: int, seed: int) -> list[bytes]:
    random = Random(seed)
    seeds = [data for data in model_seeds() if len(data) < 12_000]
    return [mutate(random.choice(seeds), random) for _ in range(count)]


def test_every_mutation_ends_in_a_result_or_a_sentence() -> None:
    outcomes = []
    for data in mutations(MUTATIONS, 1):
        with limits():
            outcomes.append(judge(data))
    assert len(outcomes) == MUTATIONS
    split = sum("optimize:split" in outcome for outcome in outcomes)
    refused = sum("optimize:refused" in outcome for outcome in outcomes)
    assert split > MUTATIONS // 10  # the changes are subtle enough to be worth checking
    assert refused > MUTATIONS // 4


def test_what_tflm_itself_cannot_stand_ends_in_a_sentence_too() -> None:
    """TFLM crashes on some of these; it runs in a process of its own."""
    for data in mutations(VERIFIED, 5):
        with limits():
            assert judge(data, verify=True)


def test_a_mutation_is_the_same_for_the_same_numbers() -> None:
    assert mutations(5, 9) == mutations(5, 9)
    assert damage(b"TFL3" * 20, Random(3)) == damage(b"TFL3" * 20, Random(3))


def test_most_mutations_are_files_that_a_parser_would_take() -> None:
    from tflm_split.errors import TflmSplitError
    from tflm_split.tflite import bounds

    taken = 0
    for data in mutations(60, 2):
        try:
            bounds.used_bytes(data)
            taken += 1
        except TflmSplitError:
            pass
    assert taken > 40


def test_the_judge_sees_an_exception_a_wrong_exit_code_and_a_file_that_takes_too_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import fuzz_reader

    from tflm_split.errors import InternalError

    def raising(error: Exception) -> object:
        def enter(data: bytes) -> str:
            raise error

        return enter

    for error in (KeyError(3), InternalError("a mistake of ours")):
        monkeypatch.setattr(fuzz_reader, "_trip", raising(error))
        with pytest.raises(FindingError, match="trip: "):
            judge(model_seeds()[0])

    def late(data: bytes) -> str:
        while True:
            pass

    monkeypatch.setattr(fuzz_reader, "_trip", late)
    with pytest.raises(FindingError, match="takes longer than 1 s"), limits(1):
        judge(model_seeds()[0])
