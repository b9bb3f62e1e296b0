"""How is text from a file shown? Names in a model may hold what a terminal would act on: it is escaped."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    r"""`text` with everything escaped that is neither printable nor in `keep`: `\x1b` for an escape character.

    That is control characters, line separators, marks that change the direction of writing, lone surrogates.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)
