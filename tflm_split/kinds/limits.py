"""The limits of programs, for the compiler and for the device.

`generate.py` writes each limit into the C header as `SPLIT_<NAME>`, with the text below it.
"""

from __future__ import annotations

MAX_BYTES = 2**31 - 1
"""The most bytes of a program, and of a workspace: the executor computes addresses in int32."""
CONSTANTS_ALIGNMENT = 16
"""Constants and weights start at a multiple of this many bytes: kernels load vectors from there."""
STORAGE_ALIGNMENT = 4
"""Row 0 of a CONSTANT storage lies at a multiple of this many bytes: it may hold int32 or float elements."""
MAX_WINDOW_ROWS = 32
"""The most input rows that a step reads through a window: the executor keeps a pointer to each on its stack."""
MAX_REACH = 2**29
"""A window's last row, column and byte, strides and dilation counted, lie below this: kernels count in int32."""
MAX_MOVES = 2**16 - 1
"""The most moves of a program: their order is stored in u16."""
MAX_STREAMS = 4
"""The most inputs and outputs that a program streams: prepare counts the rows of each on its stack."""
MOVE_ALIGN = 4
"""A row moves by a multiple of this many bytes, so that its elements stay aligned."""
STATE_ALIGN = 4
"""The state starts at a multiple of this many bytes, and so do its addresses, which follow those of the workspace."""
TABLE16_UNIT = 4
"""TABLE16 addresses count units of this many bytes."""
POSITIONS_PER_PIXEL = 1024
"""RESIZE_BILINEAR positions count this many units per pixel."""
MIN_SHIFT = -31
"""The largest right shift of MultiplyByQuantizedMultiplier, as a negative number."""
MAX_SHIFT = 30
"""The largest left shift of MultiplyByQuantizedMultiplier."""
MAX_WIDE_SHIFT = 7
"""The largest left shift of an int64 sum, in TFLM and here."""
MAX_LEFT_SHIFT = 20
"""The largest left shift of the operands of ADD and its kin, before they are scaled."""
MAX_LEFT_SHIFT_INT16 = 15
"""The same for int16 operands."""
MAX_SUMMED = 2**23
"""The most int8 values that are summed up: more could overflow an int32."""
MAX_SUMMED_INT16 = 2**15
"""The most int16 values that are summed up: more could overflow an int32."""
MAX_SOFTMAX_CHANNELS = 4095
"""The most channels of an int8 SOFTMAX: more exponentials could overflow the 12 integer bits of their sum."""
MAX_SOFTMAX_CHANNELS_INT16 = 32767
"""The most channels of an int16 SOFTMAX: more exponentials could overflow their sum."""
MAX_EXPONENTIALS = 256
"""The most entries of an int8 SOFTMAX's table: two int8 values have that many different distances."""
MIN_FIRST_EXPONENTIAL = 2**30
"""The smallest first entry of an int8 SOFTMAX's table. exp(0) is about 2^31; far less would overflow the reciprocal."""
INTERPOLATED_ENTRIES = 513
"""Entries of an interpolated int16 table: the start of each of 512 steps, and the end of the last one."""
SIGMOID_ENTRIES = 256
"""Entries of the table of the logistic function of int16, 24 to a unit. Values in between are interpolated."""
MAX_SIGMOID_MULTIPLIER = 2**15 - 1
"""The largest multiplier that brings an int16 to the table's steps: the product must not leave 32 bits."""
MAX_RECUT = 2**28
"""The most elements of what RECUT reads: it counts bytes in uint32."""
MAX_BLOCK = 2**16 - 1
"""The largest block of DEPTH_TO_SPACE, along rows and along columns."""
