"""Which texts is the text classifier of `models/` judged on, and how does a text become its input?

The messages that Django shows its users, in ten languages; the model tells which. A text is its runs of three characters
(as in fastText's language identification), each hashed to one of a few thousand token ids. Whole numbers only, so that
training and every later measurement feed exactly the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

TEST_FILE = Path(__file__).resolve().parent.parent / "models" / "languages_test.npz"
TEST_COUNT = 360
"""Texts for testing, 36 of each language, made of messages that no model has seen."""

LANGUAGES = ("da", "de", "en", "es", "fi", "fr", "it", "nl", "pt", "sv")
"""By class."""

TOKENS = 256
"""Per text; a text has two characters more than it has runs of three."""
VOCABULARY = 4096
"""Token ids are below this; 0 stands for no token, after the end of a short text."""
LONGEST_TEXT = TOKENS + 2
_FACTORS = (1, 131, 131 * 131)

Tokens = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]


def test_set() -> tuple[list[str], Bytes]:
    """The test texts and their labels, indices into `LANGUAGES`."""
    with np.load(TEST_FILE) as stored:
        return [str(text) for text in stored["texts"]], np.asarray(stored["labels"], np.uint8)


def as_input(texts: Sequence[str]) -> Tokens:
    """Token ids [n, TOKENS] of the first `LONGEST_TEXT` characters of each text, upper and lower case alike."""
    found = np.zeros((len(texts), TOKENS), np.int32)
    for row, text in zip(found, texts, strict=True):
        points = np.array([ord(c) for c in text.lower()[:LONGEST_TEXT]], np.int64)
        runs = max(len(points) - 2, 0)
        hashed = sum(factor * points[k : k + runs] for k, factor in enumerate(_FACTORS))
        row[:runs] = 1 + hashed % (VOCABULARY - 1)
    return found
