"""How do rows of cells become text: aligned for a terminal, or Markdown for a document?"""

from __future__ import annotations

from collections.abc import Sequence

Rows = Sequence[Sequence[str]]


def text_table(header: Sequence[str], rows: Rows) -> str:
    """A table for a terminal: columns line up, numbers to the right. Ends in a newline."""
    right = [_is_numeric(column) for column in zip(*rows, strict=True)] if rows else [False] * len(header)
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = []
    for row in (header, *rows):
        cells = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def markdown_table(header: Sequence[str], rows: Rows) -> str:
    """A Markdown table; `|` in a cell is escaped. Ends in a newline."""
    right = [_is_numeric(column) for column in zip(*rows, strict=True)] if rows else [False] * len(header)
    rule = ["--:" if r else "---" for r in right]
    lines = [[cell.replace("|", "\\|") for cell in row] for row in (header, rule, *rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _is_numeric(column: Sequence[str]) -> bool:
    """Whether every cell that is not empty is a number (digits, separators, a sign, %, x)."""
    said = [cell for cell in column if cell not in ("", "-")]
    return bool(said) and all(cell[:1] in "-+0123456789" and set(cell) <= set("-+0123456789,. %x") for cell in said)
