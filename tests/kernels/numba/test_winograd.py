"""Winograd's convolution at the edges of its tiles, blocks and groups of channels."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tinydnn import ops
from tinydnn.kernels.cpu import threads
from tinydnn.kernels.numba import winograd

NAME = "numba-winograd"
everywhere = pytest.mark.parametrize("operation", ["conv2d", "conv2d_relu", "conv2d_relu_maxpool2d"])


@everywhere
@pytest.mark.parametrize(("channels", "out_channels"), [(24, 24), (25, 33), (32, 48), (40, 31), (64, 24)])
def test_channels_may_or_may_not_fill_vectors(operation, channels, out_channels, compare, draw):
    w = draw(out_channels, channels, 3, 3, seed=1)
    compare(operation, NAME, draw(2, channels, 7, 10), w, draw(out_channels, seed=2), padding=1)


@everywhere
@pytest.mark.parametrize("size", [(2, 2), (4, 4), (5, 9), (8, 3), (13, 6)])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_sizes_may_or_may_not_fill_tiles(operation, size, padding, compare, draw):
    if min(size) + 2 * padding - 2 >= 2:
        compare(operation, NAME, draw(3, 24, *size), draw(24, 24, 3, 3, seed=1), None, padding=padding)


@everywhere
@pytest.mark.parametrize("block_bytes", [1, 700_000])
def test_the_size_of_a_block_does_not_matter(operation, block_bytes, monkeypatch, compare, draw):
    monkeypatch.setattr(winograd, "BLOCK_BYTES", block_bytes)
    compare(operation, NAME, draw(3, 24, 30, 18), draw(24, 24, 3, 3, seed=1), draw(24, seed=2), padding=1)


@everywhere
def test_images_may_have_any_memory_layout(operation, compare, draw):
    x, w = draw(2, 32, 9, 11), draw(24, 32, 3, 3, seed=1)
    channels_last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for view in (x, channels_last, channels_last[:, :, ::-1], x[:, ::-1]):
        compare(operation, NAME, view, w, None, padding=1)


@everywhere
def test_float32_stays_near_the_reference(operation, passes, draw):
    """A network of thirteen such layers must stay within 1e-4."""
    x, w = draw(2, 64, 16, 16, dtype=np.float32), draw(64, 64, 3, 3, seed=1, dtype=np.float32)
    actual = passes(operation, NAME, x, w, None, padding=1)
    expected = passes(operation, "reference", x.astype(np.float64), w.astype(np.float64), None, padding=1)
    assert np.abs(actual[0] - expected[0]).max() < 2e-5 * np.abs(expected[0]).max()


@everywhere
def test_zeros_stay_zeros(operation, passes, draw):
    """Rounding must not make one zero larger than another, as in the dark background around a head."""
    z, dx, dw, _ = passes(operation, NAME, np.zeros((1, 24, 8, 8)), draw(24, 24, 3, 3), None, padding=1)
    assert not z.any()
    assert not dw.any()
    assert dx.any() == (operation == "conv2d")  # ReLU has no gradient at exactly zero


@everywhere
@pytest.mark.parametrize("pixel", [(0, 0), (3, 4), (7, 7)])
def test_a_nan_stays_a_nan(operation, pixel, draw):
    x = draw(1, 24, 8, 8)
    x[0, 1][pixel] = np.nan
    with ops.use(**{operation: NAME}):
        z, _ = ops.operations()[operation](x, draw(24, 24, 3, 3), None, padding=1)
    i, j = (pixel[0] // 2, pixel[1] // 2) if operation == "conv2d_relu_maxpool2d" else pixel
    assert np.isnan(z[0, :, i, j]).all()


@everywhere
def test_the_thread_count_changes_gradients_by_rounding_only(operation, monkeypatch, passes, draw):
    x, w = draw(5, 24, 12, 12, dtype=np.float32), draw(24, 24, 3, 3, dtype=np.float32)
    results = []
    for count in (1, 2, 3):
        monkeypatch.setattr(threads, "thread_count", lambda count=count: count)
        results.append(passes(operation, NAME, x, w, None, padding=1))
    for others in results[1:]:
        assert np.array_equal(results[0][0], others[0])
        for array, other in zip(results[0][:3], others[:3], strict=True):
            np.testing.assert_allclose(array, other, rtol=1e-4, atol=1e-3)
