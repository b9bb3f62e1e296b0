"""How do the test digits become a model's input, and how is an anomaly score judged?"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def _load() -> ModuleType:
    """The module scripts/digits.py, which is not part of the package."""
    path = Path(__file__).resolve().parent.parent / "scripts" / "digits.py"
    spec = importlib.util.spec_from_file_location("digits", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


digits = _load()


def test_test_set_is_360_images_of_all_ten_digits() -> None:
    images, labels = digits.test_set()
    assert (images.shape, images.dtype, int(images.max())) == ((360, 8, 8), np.uint8, 16)
    assert (labels.shape, sorted(set(labels.tolist()))) == ((360,), list(range(10)))


def test_scaling_to_its_own_size_changes_nothing() -> None:
    images, _ = digits.test_set()
    assert np.array_equal(digits.resized(images, 8, 8), images / 16)


def test_doubling_puts_quarter_steps_between_pixels_and_repeats_the_border() -> None:
    image = np.zeros((1, 8, 8), np.uint8)
    image[0, :, 1] = 16
    row = digits.resized(image, 8, 16)[0, 0]
    assert row.tolist() == [0.0, 0.25, 0.75, 0.75, 0.25] + [0.0] * 11
    assert digits.resized(image[:, :, ::-1], 8, 16)[0, 0, -2:].tolist() == [0.25, 0.0]


@settings(deadline=None, max_examples=40)
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 9))
def test_scaling_stays_within_0_and_1_and_commutes_with_mirroring(height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 17, (1, 8, 8)).astype(np.uint8)
    scaled = digits.resized(image, height, width)
    assert scaled.shape == (1, height, width)
    assert scaled.min() >= 0.0 and scaled.max() <= 1.0
    assert np.allclose(digits.resized(image[:, ::-1, ::-1], height, width), scaled[:, ::-1, ::-1])


def test_channels_are_the_image_moved_right() -> None:
    images, _ = digits.test_set()
    samples = digits.as_input(images[:2], (96, 96, 3))
    assert np.array_equal(samples[..., 0], digits.resized(images[:2], 96, 96))
    assert np.array_equal(samples[:, :, 6:, 2], samples[:, :, :-6, 0])
    assert not samples[:, :, :6, 2].any()


def test_many_channels_are_the_pixels_of_a_patch_above_each_of_ten_thresholds() -> None:
    images, _ = digits.test_set()
    samples = digits.as_input(images[:2], (7, 7, 160))
    large = digits.resized(images[:2], 28, 28)
    for y, x, pixel, level in ((0, 0, 0, 0), (3, 2, 5, 0), (4, 3, 6, 4), (6, 6, 15, 9)):
        above = np.maximum(large[:, 4 * y + pixel // 4, 4 * x + pixel % 4] - level / 10, 0)
        assert np.array_equal(samples[:, y, x, 10 * pixel + level], above)


def test_features_are_the_rows_of_a_square_image() -> None:
    images, _ = digits.test_set()
    assert np.array_equal(digits.as_input(images, (256,)).reshape(-1, 16, 16), digits.resized(images, 16, 16))


@pytest.mark.parametrize("shape", [(), (10,), (8, 8), (1, 8, 8, 1)])
def test_a_shape_no_digit_fits_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="cannot be made into an input of shape"):
        digits.as_input(np.zeros((1, 8, 8), np.uint8), shape)


def test_quantisation_rounds_to_nearest_and_clamps() -> None:
    values = np.array([-1.0, 0.0, 0.5, 1.5, 2.5, 1000.0])
    assert digits.quantized(values, 1.0, -128).tolist() == [-128, -128, -128, -126, -126, 127]
    assert digits.dequantized(np.array([-128, 127], np.int8), 0.5, -128).tolist() == [0.0, 127.5]


def test_auc_is_one_when_only_the_strange_digit_is_badly_rebuilt_and_half_when_all_are_equal() -> None:
    labels = np.array([digits.ANOMALY, 1, 2], np.uint8)
    seen = np.zeros((3, 4))
    assert digits.anomaly_auc(seen, np.array([[1.0], [0.0], [0.5]]) + seen, labels) == 1.0
    assert digits.anomaly_auc(seen, np.array([[0.2], [0.0], [0.5]]) + seen, labels) == 0.5
    assert digits.anomaly_auc(seen, seen, labels) == 0.5


def test_auc_of_one_kind_of_digit_is_refused() -> None:
    for label in (digits.ANOMALY, 5):
        with pytest.raises(ValueError, match="take more images"):
            digits.anomaly_auc(np.zeros((2, 4)), np.ones((2, 4)), np.array([label, label], np.uint8))
