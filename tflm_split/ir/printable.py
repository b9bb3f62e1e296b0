"""How is text from a file shown? A name in a model may hold characters that a terminal acts on, so these are escaped."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    r"""`text` with all characters escaped that are neither printable nor in `keep`: `\x1b` for an escape character.

    These are control characters, line separators, marks that change the direction of writing, and lone surrogates.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)
