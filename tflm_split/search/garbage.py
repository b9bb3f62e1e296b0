"""How often should Python look for garbage while a plan is searched for? Rarely: there is next to none.

Steps, pieces and pairs are tuples and frozen values without cycles. Python would look at millions of them again and again.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 200_000
"""Python looks at the youngest objects each time there are so many more of them. Its own default is hundreds."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Fewer collections inside. Afterwards the caller's thresholds hold again; a caller who collects nothing keeps that."""
    before = gc.get_threshold()
    if 0 < before[0] < NEW_OBJECTS:
        gc.set_threshold(NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
