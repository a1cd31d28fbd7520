"""Pixels: scaled to 8 bits, resized, rounded once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinydnn.data.prepare.pixels import resize, resize_mask, to_uint8


def formula(image):
    """255 (x − min) / (max − min) in integers, halves up."""
    low, high = int(image.min()), int(image.max())
    return (2 * 255 * (image.astype(np.int64) - low) + (high - low)) // (2 * (high - low))


def test_int16_does_not_overflow():
    """255 · 3000 overflows int16."""
    image = np.array([[0, 1000], [2000, 3000]], np.int16)
    assert to_uint8(image, 2).tolist() == [[0, 85], [170, 255]]


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.uint8, np.float32, np.float64])
def test_every_dtype_is_scaled_by_the_formula(dtype):
    image = np.random.default_rng(0).integers(0, 250, (16, 16)).astype(dtype)
    assert np.array_equal(to_uint8(image, 16), formula(image))


@given(low=st.integers(-32768, 32766), span=st.integers(1, 65535), seed=st.integers(0, 99))
def test_the_whole_int16_range_is_scaled_by_the_formula(low, span, seed):
    image = np.random.default_rng(seed).integers(low, min(low + span, 32767), (8, 8), endpoint=True)
    image[0, :2] = low, min(low + span, 32767)
    assert np.array_equal(to_uint8(image.astype(np.int16), 8), formula(image))


def test_large_neighbouring_values_stay_distinct():
    """float32 has no value between 2³⁰ and 2³⁰ + 128."""
    image = 2**30 + np.array([[0, 20], [40, 51]], np.int32)
    assert to_uint8(image, 2).tolist() == [[0, 100], [200, 255]]


@pytest.mark.parametrize("value", [-5, 0, 32767])
def test_a_constant_image_becomes_black(value):
    assert not to_uint8(np.full((4, 4), value, np.int16), 8).any()


def test_halving_takes_the_mean_of_2_x_2_pixels():
    image = np.random.default_rng(1).integers(0, 256, (8, 8)).astype(np.float32)
    assert np.allclose(resize(image, 4), image.reshape(4, 2, 4, 2).mean((1, 3)), atol=1e-4)


def test_the_mean_is_rounded_once_with_halves_up():
    image = np.array([[0, 255, 1, 0], [0, 255, 0, 1], [3, 2, 0, 0], [2, 3, 0, 0]], np.uint8)
    assert to_uint8(image, 2).tolist() == [[128, 1], [3, 0]]


def test_enlarging_is_bilinear():
    image = np.array([[0, 100], [0, 100]], np.float32)
    assert resize(image, 4)[0].tolist() == [0, 25, 75, 100]


@pytest.mark.parametrize(("shape", "rows", "columns"), [((8, 4), 8, 4), ((4, 8), 4, 8)])
def test_an_image_that_is_not_square_gets_black_margins(shape, rows, columns):
    image = np.ones(shape, np.float32)
    square = resize(image, 8)
    assert square.shape == (8, 8)
    assert square.sum() == rows * columns
    assert np.array_equal(square, square[::-1, ::-1])


def test_the_same_size_changes_nothing():
    image = np.random.default_rng(2).random((8, 8)).astype(np.float32)
    assert np.array_equal(resize(image, 8), image)


def test_a_mask_is_true_where_it_covers_half_of_the_area():
    mask = np.array([[1, 1, 0, 0], [0, 0, 0, 1], [1, 1, 0, 0], [1, 0, 0, 0]], bool)
    assert resize_mask(mask, 2).tolist() == [[True, False], [True, False]]
