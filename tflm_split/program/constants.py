"""How are the constants of a program aligned?

Which parameters of an op name a constant, and how long it is, says the op's kind (`kinds/kind.py`).
"""

from __future__ import annotations

AREA_ALIGNMENT = 16
"""The constants area starts at a multiple of this; so does every constant of weights."""

STORAGE_ALIGNMENT = 4
"""Row 0 of a `CONSTANT` storage: it may hold int32 or float elements."""
