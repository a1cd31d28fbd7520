"""The taps of a window are views of the image, one for each position in the window; padding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinydnn.ops.windows import output_size, pad, taps, unpad

small = st.integers(1, 4)


@given(kh=small, kw=small, extra_h=st.integers(0, 5), extra_w=st.integers(0, 5), stride=small)
def test_tap_u_v_of_output_i_j_is_the_pixel_of_the_formula(kh, kw, extra_h, extra_w, stride):
    x = np.arange(2.0 * (kh + extra_h) * (kw + extra_w)).reshape(2, kh + extra_h, kw + extra_w)
    views = list(taps(x, (kh, kw), stride))
    assert [(u, v) for u, v, _ in views] == list(np.ndindex(kh, kw))
    for u, v, view in views:
        assert view.shape == (2, output_size(x.shape[1], kh, stride), output_size(x.shape[2], kw, stride))
        for n, i, j in np.ndindex(view.shape):
            assert view[n, i, j] == x[n, i * stride + u, j * stride + v]


def test_writing_to_a_tap_writes_to_the_image():
    x = np.zeros((3, 3))
    for _, _, view in taps(x, (2, 2), 1):
        view += 1
    assert x.tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


@pytest.mark.parametrize(
    ("size", "window", "stride", "expected"), [(5, 2, 2, 2), (6, 2, 2, 3), (5, 5, 3, 1), (7, 3, 1, 5)]
)
def test_the_output_size_is_the_number_of_windows_that_fit(size, window, stride, expected):
    assert output_size(size, window, stride) == expected


@given(padding=st.integers(0, 3))
def test_padding_surrounds_with_zeros_and_unpad_removes_them(padding):
    x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    padded = pad(x, padding)
    np.testing.assert_array_equal(padded, np.pad(x, ((0, 0), (padding, padding), (padding, padding))), strict=True)
    np.testing.assert_array_equal(unpad(padded, padding), x, strict=True)


def test_padding_of_zero_does_not_copy():
    x = np.zeros((2, 3))
    assert pad(x, 0) is x
