"""What stands beside the progress bar?"""

from __future__ import annotations

from tflm_split.terminal.progress import described


def test_the_bar_names_the_stage_how_far_it_is_and_the_smallest_head_beside_the_first_one() -> None:
    assert described("read", 0, None, None) == "read"
    assert described("polish", 3, 24, 16_000, 16_000) == "polish 3 of 24, head 16,000 B"
    assert described("place", 3, 24, 3_696, 16_000) == "place 3 of 24, best head 3,696 B of 16,000 B"
    assert described("verify", 0, 1, 3_696, 16_000) == "verify, best head 3,696 B of 16,000 B"
