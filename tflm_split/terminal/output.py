"""All commands print through `say`: the terminal shows the text, and never acts on characters in it."""

from __future__ import annotations

import click

from tflm_split.ir.printable import printable

LAYOUT = "\n\t"
"""The control characters that our own texts use. Names from files have none of them: the reader escapes them."""


def say(text: str = "", *, nl: bool = True, err: bool = False) -> None:
    """Print `text` to stdout or stderr."""
    click.echo(printable(text, keep=LAYOUT), nl=nl, err=err)
