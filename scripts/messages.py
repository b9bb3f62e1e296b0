"""Where do the texts come from that the text classifier of `models/` is trained and judged on?

From the messages of Django, a web framework, and their translations, which its package carries; needs `django`, for its
files only. One message in five is kept for testing, the same in all languages.
"""

from __future__ import annotations

import gettext
import importlib.util
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

import languages
import numpy as np

Messages = dict[str, list[str]]
"""Language -> texts."""

_MARKUP = re.compile(r"%\(\w+\)[a-z]|%[a-z]|\{[^}]*\}|<[^>]*>|&\w+;|https?:\S+")
"""What is no language: places to fill in, tags, entities, addresses."""
_CONTEXT_ENDS = "\x04"
"""Between a message and what tells it from others of the same words."""


def messages() -> tuple[Messages, Messages]:
    """For training and for testing: Django's messages in each of `languages.LANGUAGES`, without markup."""
    spec = importlib.util.find_spec("django")
    if spec is None or spec.origin is None:
        raise SystemExit("the text classifier is trained on the messages of Django: pip install django")
    root = Path(spec.origin).parent
    originals: set[str] = set()
    translated: dict[str, dict[str, str]] = {language: {} for language in languages.LANGUAGES}
    for language in languages.LANGUAGES:
        for path in sorted(root.glob(f"**/locale/{language}/LC_MESSAGES/django.mo")):
            with path.open("rb") as stream:
                catalog = gettext.GNUTranslations(stream)._catalog  # type: ignore[attr-defined]  # no public way to list
            for key, value in catalog.items():
                original = (key[0] if isinstance(key, tuple) else key).split(_CONTEXT_ENDS)[-1]
                if original:  # what stands for nothing is the catalogue's own header
                    translated[language].setdefault(original, value)
                    originals.add(original)
    translated["en"] = {original: original for original in originals}
    for_testing = frozenset(sorted(originals)[::5])
    return _clean(translated, originals - for_testing), _clean(translated, for_testing)


def _clean(translated: Mapping[str, Mapping[str, str]], originals: AbstractSet[str]) -> Messages:
    """Those of `originals` that are translated and long enough to tell anything, without markup."""
    found = {}
    for language, texts_of in translated.items():
        clean = (" ".join(_MARKUP.sub(" ", texts_of[o]).split()) for o in sorted(originals & texts_of.keys()))
        found[language] = [text for text in clean if len(text) > 8]
    return found


def texts(source: Messages, count: int, random: np.random.Generator) -> tuple[list[str], languages.Bytes]:
    """`count` texts and their labels, of each language equally many: messages one after the other, cut at random lengths."""
    found, labels = [], []
    for k in range(count):
        label = k % len(languages.LANGUAGES)
        of = source[languages.LANGUAGES[label]]
        text = " ".join(of[int(i)] for i in random.integers(len(of), size=40))
        found.append(text[: int(random.integers(24, languages.LONGEST_TEXT + 1))])
        labels.append(label)
    return found, np.array(labels, np.uint8)
