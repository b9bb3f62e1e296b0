"""The C library's float functions are called as TFLM's float kernels call them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tflm_split.verify import libm


@pytest.mark.parametrize("name", ["expf", "tanhf", "expm1f"])
def test_a_function_is_right_to_a_few_units_in_the_last_place(name: str) -> None:
    x = np.linspace(-20, 20, 501, dtype=np.float32).reshape(3, 167)
    exact = np.array([getattr(math, name[:-1])(float(v)) for v in x.reshape(-1)]).reshape(x.shape)
    found = libm.call(name, x)
    assert found.dtype == np.float32
    assert found.shape == x.shape
    assert np.all(np.abs(found - exact) <= 2 * np.spacing(np.abs(found)))


def test_without_a_library_numpy_computes_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libm, "_library", lambda: None)
    assert not libm.has_library()
    x = np.array([-3.5, 0.0, 1.25], np.float32)
    np.testing.assert_array_equal(libm.call("expf", x), np.exp(x.astype(np.float64)).astype(np.float32))


def test_cutoffs_of_the_logistic() -> None:
    x = np.array([-9.5, -9.0, 0.0, 16.62, np.inf, -np.inf], np.float32)
    found = libm.logistic(x)
    assert found[0] == libm.call("expf", x[:1])[0]
    np.testing.assert_array_equal(found[2:], np.array([0.5, 1, 1, 0], np.float32))


def test_a_softmax_sums_in_the_order_of_channels() -> None:
    x = np.array([[0.0, 1.0, -2.0, 3.0]], np.float32)
    exps = libm.call("expf", x - np.float32(3))
    total = np.float32(0)
    for value in exps[0]:
        total = total + value
    np.testing.assert_array_equal(libm.softmax(x, 1.0), exps / total)


def test_elu_and_hard_swish() -> None:
    x = np.array([-4.0, -1.0, 0.0, 2.0, 5.0], np.float32)
    np.testing.assert_array_equal(libm.elu(x)[2:], x[2:])
    assert libm.elu(x)[0] == libm.call("expm1f", x)[0]
    np.testing.assert_allclose(libm.hard_swish(x), x * np.clip(x + 3, 0, 6) / 6, rtol=1e-6)
