"""Along which axes may tensors be cut, and by which words can that be asked for?"""

from __future__ import annotations

from collections.abc import Iterable

from tflm_split.errors import InputError

AXES = ("rows", "channels", "columns")
"""`rows`: a row is computed when somebody asks for it; without, an operator (or a group of its channels) makes all of its
rows before another starts. `channels`: rows are cut into groups of channels, too, and concatenations may vanish.
`columns`: chains of windows that stream rows make them in tiles of some columns (`rewrite/tile_columns.py`)."""
ALL_AXES = frozenset(AXES)
AXES_HELP = f"{', '.join(AXES)}, or several with commas between them"


def parse_axes(axes: str | Iterable[str]) -> frozenset[str]:
    """The axes that `axes` names, a text like `rows,channels` or several words, in any order.

    Raises InputError for an axis that does not exist, and for none at all.
    """
    words: Iterable[object] = (
        axes.split(",") if isinstance(axes, str) else axes if isinstance(axes, Iterable) else (axes,)
    )
    found = frozenset(str(word).strip() for word in words)
    unknown = sorted(found - ALL_AXES - {""})
    if unknown:
        raise InputError(f"there is no axis {unknown[0]!r} to cut along, only {', '.join(AXES)}")
    found -= {""}
    if not found:
        raise InputError(f"no axis to cut along is given, needs at least one of {', '.join(AXES)}")
    return found
