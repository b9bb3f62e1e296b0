"""The one way in which commands print: nothing that they print makes the terminal do anything but show it."""

from __future__ import annotations

import click

from tflm_split.ir.printable import printable

LAYOUT = "\n\t"
"""What our own texts are laid out with. Names from files have none of it by then: the reader escapes them."""


def say(text: str = "", *, nl: bool = True, err: bool = False) -> None:
    """Print `text` to stdout or stderr."""
    click.echo(printable(text, keep=LAYOUT), nl=nl, err=err)
