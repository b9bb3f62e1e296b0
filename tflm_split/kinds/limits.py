"""Every number that a program may not pass, here and on the device.

`generate.py` writes each of them into the C header as `SPLIT_<NAME>`, with the sentence below it.
"""

from __future__ import annotations

MAX_BYTES = 2**31 - 1
"""Of the program and of the workspace: the executor computes addresses in int32."""
CONSTANTS_ALIGNMENT = 16
"""The constants start at a multiple of this many bytes, and so do weights: vectors are loaded from there."""
STORAGE_ALIGNMENT = 4
"""Row 0 of a CONSTANT storage lies at a multiple of this many bytes: it may hold int32 or float elements."""
MAX_WINDOW_ROWS = 32
"""Input rows one step may read through a window: the executor keeps that many row pointers on its stack."""
MAX_REACH = 2**29
"""A window's last row, column and byte lie before this, strides and dilation counted: kernels compute positions in int32."""
MAX_MOVES = 2**16 - 1
"""Moves of a program: their order is given in u16."""
MOVE_ALIGN = 4
"""A move goes by a multiple of this many bytes, so that elements stay aligned."""
TABLE16_UNIT = 4
"""Bytes per unit of a TABLE16 address."""
POSITIONS_PER_PIXEL = 1024
"""Units of a RESIZE_BILINEAR position."""
MIN_SHIFT = -31
"""The farthest MultiplyByQuantizedMultiplier shifts an int32 to the right."""
MAX_SHIFT = 30
"""The farthest it shifts to the left."""
MAX_WIDE_SHIFT = 7
"""The farthest an int64 sum is shifted to the left, in TFLM as here."""
MAX_LEFT_SHIFT = 20
"""Of the operands of ADD and its kin, before they are scaled."""
MAX_LEFT_SHIFT_INT16 = 15
"""The same, of int16 operands."""
MAX_SUMMED = 2**23
"""int8 values that may be added up: more could overflow an int32."""
MAX_SUMMED_INT16 = 2**15
"""int16 values that may be added up: more could overflow an int32."""
MAX_SOFTMAX_CHANNELS = 4095
"""Of int8: more exponentials could overflow the 12 integer bits of their sum."""
MAX_SOFTMAX_CHANNELS_INT16 = 32767
"""Of int16: more exponentials could overflow their sum."""
MAX_EXPONENTIALS = 256
"""Differences of two int8."""
MIN_FIRST_EXPONENTIAL = 2**30
"""The exponential of 0 is 1, about 2^31; what is far below would overflow the reciprocal."""
INTERPOLATED_ENTRIES = 513
"""Of an int16 table that is interpolated: 512 steps, and where the last one leads."""
MAX_BLOCK = 2**16 - 1
"""Of DEPTH_TO_SPACE, along rows and columns."""
