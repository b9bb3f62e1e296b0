"""HTML in which text is always text: whatever is not markup already is escaped. Names come from model files, so from anybody."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from tflm_split.ir.printable import printable


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | int | None
"""A part of an element: markup, text that gets escaped, a number that gets separators, or nothing."""


def escaped(text: str) -> Markup:
    """`text` as HTML, quotes escaped too. Characters that act instead of being shown are written out."""
    return Markup(html.escape(printable(text, keep="\n"), quote=True))


def breakable(text: str) -> Markup:
    """`text` as HTML that may go on in the next line behind `_` and `/`, as the long names of tensors must."""
    return Markup(escaped(text).replace("_", "_<wbr>").replace("/", "/<wbr>"))


def element(name: str, *children: Child, **attributes: str) -> Markup:
    """`<name ...>children</name>`. An attribute `class_` is `class`, `data_x` is `data-x`."""
    said = "".join(f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{said}>{''.join(map(_child, children))}</{name}>")


def joined(parts: Iterable[Child]) -> Markup:
    """Parts one after the other."""
    return Markup("".join(map(_child, parts)))


def table(header: Sequence[str], rows: Sequence[Sequence[Child]], *, class_: str = "") -> Markup:
    """A table in a box that scrolls by itself on narrow screens. Columns of numbers are set to the right."""
    style = ["number" if rows and all(_is_number(row[c]) for row in rows) else "text" for c in range(len(header))]
    head = element("tr", *(element("th", title, class_=s) for title, s in zip(header, style, strict=True)))
    body = [
        element("tr", *(element("td", _cell(cell), class_=s) for cell, s in zip(row, style, strict=True)))
        for row in rows
    ]
    inside = element("table", element("thead", head), element("tbody", *body))
    return element("div", inside, class_=f"scroll {class_}".strip(), tabindex="0")


def _cell(cell: Child) -> Child:
    if cell is None:
        return "-"
    return breakable(cell) if isinstance(cell, str) and not isinstance(cell, Markup) else cell


def _is_number(cell: Child) -> bool:
    return not isinstance(cell, str) or set(cell) <= set("0123456789.,")


def _child(part: Child) -> str:
    if part is None:
        return ""
    if isinstance(part, Markup):
        return part
    return escaped(f"{part:,}" if isinstance(part, int) else part)
