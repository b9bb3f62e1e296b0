"""How do texts become token ids, and what are the test texts?"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import languages  # of scripts/, which is no package


def test_test_set_is_36_texts_of_each_of_ten_languages() -> None:
    texts, labels = languages.test_set()
    assert len(texts) == len(labels) == languages.TEST_COUNT == 360
    assert Counter(labels.tolist()) == dict.fromkeys(range(len(languages.LANGUAGES)), 36)
    assert {len(text) <= languages.LONGEST_TEXT for text in texts} == {True}
    assert len(set(texts)) == 360


def test_a_run_of_three_characters_has_one_token_wherever_it_stands() -> None:
    (tokens,) = languages.as_input(["abcabc"])
    assert tokens.dtype == np.int32
    assert tokens[0] == tokens[3] == 1 + (97 + 131 * 98 + 131 * 131 * 99) % 4095
    assert not tokens[4:].any()


@settings(deadline=None, max_examples=40)
@given(st.text(alphabet="abcdeåéöß .,'", max_size=400))
def test_tokens_are_below_the_vocabulary_and_end_with_the_text(text: str) -> None:
    tokens = languages.as_input([text, text.upper().lower()])
    used = min(max(len(text) - 2, 0), languages.TOKENS)
    assert tokens.shape == (2, languages.TOKENS)
    assert tokens.max(initial=0) < languages.VOCABULARY
    assert (tokens[0, :used] > 0).all() and not tokens[0, used:].any()
