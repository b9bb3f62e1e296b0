"""Along which axes may tensors be cut, and which words does a user write for them?"""

from __future__ import annotations

from collections.abc import Iterable

from tflm_split.errors import InputError

AXES = ("rows", "channels", "columns")
"""The words for the axes.

`rows`: a row is computed when another operator asks for it. Without it, an operator (or a group of its channels) makes all
of its rows before another one starts. `channels`: rows are cut into groups of channels, too, and concatenations may
vanish. `columns`: blocks of operators are computed in tiles of some columns (`rewrite/tile_columns.py`), and with rows in
patches of both."""
ALL_AXES = frozenset(AXES)
AXES_HELP = f"{', '.join(AXES)}, or several with commas between them"


def parse_axes(axes: str | Iterable[str]) -> frozenset[str]:
    """The axes that `axes` names: a text like `rows,channels`, or several words, in any order.

    Raises InputError when it names an unknown axis, or none at all.
    """
    words: Iterable[object] = (
        axes.split(",") if isinstance(axes, str) else axes if isinstance(axes, Iterable) else (axes,)
    )
    named = frozenset(str(word).strip() for word in words)
    unknown = sorted(named - ALL_AXES - {""})
    if unknown:
        raise InputError(f"there is no axis {unknown[0]!r} to cut along, only {', '.join(AXES)}")
    named -= {""}
    if not named:
        raise InputError(f"no axis to cut along is given, needs at least one of {', '.join(AXES)}")
    return named
