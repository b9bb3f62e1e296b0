"""The input of an inference, cut into the inputs of its calls."""

from __future__ import annotations

import numpy as np

from tflm_split.ir.graph import Tensor
from tflm_split.verify.calls import FILLER, NO_ROWS, ONE_CALL, Calls, in_calls

PICTURE = np.arange(5 * 3 * 2, dtype=np.int8).reshape(1, 5, 3, 2)
OTHER = np.array([[1, 2]], np.int8)


def test_a_model_that_is_not_streamed_has_one_call() -> None:
    assert in_calls((PICTURE,), (Tensor(0, "", (1, 5, 3, 2), "INT8"),), ONE_CALL) == [(PICTURE,)]


def test_each_call_has_its_rows_and_the_last_one_is_filled_up() -> None:
    tensors = (Tensor(0, "", (1, 2), "INT8"), Tensor(1, "", (1, 2, 3, 2), "INT8"))
    calls = in_calls((OTHER, PICTURE), tensors, Calls(1, (range(2), range(2, 4), range(4, 5))))
    assert [other is OTHER for other, _ in calls] == [True, False, False]
    assert all(other is NO_ROWS for other, _ in calls[1:])
    rows = np.concatenate([picture for _, picture in calls], axis=1)
    assert rows.shape == (1, 6, 3, 2)
    assert np.array_equal(rows[:, :5], PICTURE)
    assert (rows[:, 5] == FILLER).all()


def test_pixels_are_what_the_model_takes_plus_128() -> None:
    tensors = (Tensor(0, "", (1, 1, 3, 2), "UINT8"),)
    calls = in_calls((PICTURE,), tensors, Calls(0, tuple(range(r, r + 1) for r in range(5)), 128))
    assert all(rows.dtype == np.uint8 for (rows,) in calls)
    assert np.array_equal(np.concatenate([rows for (rows,) in calls], axis=1), PICTURE.astype(int) + 128)
