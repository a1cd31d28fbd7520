"""The fused block against its reference, in float64: edges of the image, seams of bands, memory layouts."""

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.kernels.cpu import conv2d_relu_maxpool2d as kernel


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def compare(x, w, b, *, dz=None, **options):
    """Check that the fused block's value and gradients equal the reference's; return the value."""
    with ops.use(conv2d_relu_maxpool2d="reference", conv2d="reference", maxpool2d="reference"):
        z, backward = ops.conv2d_relu_maxpool2d(x, w, b, **options)
    dz = draw(*z.shape, seed=9) if dz is None else dz(z)
    expected = (z, *backward(dz))
    with ops.use(conv2d_relu_maxpool2d="fused"):
        z, backward = ops.conv2d_relu_maxpool2d(x, w, b, **options)
    assert backward(dz, need_dx=False)[0] is None
    for array, reference in zip((z, *backward(dz)), expected, strict=True):
        if reference is None:
            assert array is None
            continue
        assert array.shape == reference.shape
        assert array.dtype == reference.dtype
        assert np.abs(array - reference).max() <= 1e-12 * max(1, np.abs(reference).max())
    return z


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5])
@pytest.mark.parametrize("size", [(8, 8), (9, 8), (8, 11), (13, 7)])
def test_odd_and_even_sizes_and_every_padding(size, kernel_size):
    for padding in range(kernel_size):
        compare(draw(2, 3, *size), draw(4, 3, kernel_size, kernel_size), draw(4), padding=padding)


@pytest.mark.parametrize("kernel_size", [(1, 3), (3, 1), (3, 5), (5, 2)])
def test_kernels_that_are_not_square_give_the_same_gradients(kernel_size):
    x, w, b = draw(2, 3, 9, 11), draw(4, 3, *kernel_size), draw(4)
    results = []
    for choice in ({}, {"conv2d_relu_maxpool2d": "reference"}):
        with ops.use(**choice):
            z, backward = ops.conv2d_relu_maxpool2d(x, w, b)
        results.append((z, *backward(draw(*z.shape, seed=9))))
    for array, reference in zip(*results, strict=True):
        assert np.abs(array - reference).max() <= 1e-12 * max(1, np.abs(reference).max())


@pytest.mark.parametrize("rows_in_a_band", [1, 2, 3, 5])
def test_bands_meet_without_a_seam(monkeypatch, rows_in_a_band):
    x, w = draw(2, 3, 22, 9), draw(4, 3, 3, 3)
    monkeypatch.setattr(kernel, "BAND_BYTES", rows_in_a_band * 2 * 4 * 9 * 8)
    compare(x, w, draw(4), padding=1)


def test_an_image_may_be_larger_than_a_band():
    assert kernel.BAND_BYTES < 2 * 16 * 130 * 200 * 8
    compare(draw(1, 1, 130, 200), draw(16, 1, 3, 3), draw(16), padding=1)


def test_the_smallest_possible_image():
    compare(draw(1, 1, 2, 2), draw(1, 1, 1, 1), draw(1))
    compare(draw(1, 1, 2, 2), draw(1, 1, 3, 3), None, padding=1)


def test_inputs_may_have_any_memory_layout():
    channels_last = draw(2, 10, 12, 3).transpose(0, 3, 1, 2)
    negative_strides = draw(2, 3, 20, 12)[:, ::-1, ::-2, ::-1]
    w = draw(3, 3, 3, 4).transpose(3, 2, 1, 0)
    for x in (channels_last, negative_strides):
        z = compare(x, w, draw(8)[::2], padding=1, dz=lambda z: draw(*z.shape[::-1], seed=3).transpose())
        assert z.shape == (2, 4, 5, 6)


def test_inputs_are_not_written_to():
    arrays = draw(2, 3, 8, 8), draw(4, 3, 3, 3), draw(4)
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    compare(*arrays, padding=1)
    assert all(np.array_equal(array, copy) for array, copy in zip(arrays, before, strict=True))


def test_backward_may_be_called_again():
    with ops.use(conv2d_relu_maxpool2d="fused"):
        z, backward = ops.conv2d_relu_maxpool2d(draw(2, 3, 8, 8), draw(4, 3, 3, 3), draw(4), padding=1)
    first, second = backward(z), backward(z)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_nan_propagates():
    x = draw(1, 1, 8, 8)
    x[0, 0, 3, 3] = np.nan
    with ops.use(conv2d_relu_maxpool2d="fused"):
        z, _ = ops.conv2d_relu_maxpool2d(x, draw(2, 1, 3, 3), None, padding=1)
    assert np.isnan(z[0, :, 1:3, 1:3]).all()
