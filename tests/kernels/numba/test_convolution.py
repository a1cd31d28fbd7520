"""Direct convolution and the fused block at the edges of their tiles, planes and bands."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tinydnn import ops
from tinydnn.kernels.cpu import threads
from tinydnn.kernels.numba import conv2d_relu_maxpool2d, direct

DRIVERS = {"conv2d": direct, "conv2d_relu_maxpool2d": conv2d_relu_maxpool2d}
both = pytest.mark.parametrize("operation", DRIVERS)


@both
@pytest.mark.parametrize("channels", [1, 2, 8, 9, 16, 17, 24])
@pytest.mark.parametrize("out_channels", [1, 7, 8, 16, 17, 24])
def test_channels_may_or_may_not_fill_vectors(operation, channels, out_channels, compare, draw):
    w, b = draw(out_channels, channels, 3, 3, seed=1), draw(out_channels, seed=2)
    compare(operation, "numba", draw(2, channels, 6, 10), w, b, padding=1)


@both
@pytest.mark.parametrize("size", [(8, 8), (9, 8), (8, 11), (13, 7), (2, 34)])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
def test_every_padding_of_odd_and_even_sizes(operation, size, kernel_size, compare, draw):
    w = draw(4, 3, kernel_size, kernel_size, seed=1)
    for padding in range(kernel_size):
        if min(size) + 2 * padding - kernel_size + 1 >= 2:
            compare(operation, "numba", draw(2, 3, *size), w, draw(4), padding=padding)


@both
@pytest.mark.parametrize("band_bytes", [1, 9_000, 20_000])
def test_the_size_of_a_band_does_not_matter(operation, band_bytes, monkeypatch, compare, draw):
    monkeypatch.setattr(DRIVERS[operation], "BAND_BYTES", band_bytes)
    compare(operation, "numba", draw(2, 3, 23, 14), draw(4, 3, 3, 3, seed=1), draw(4, seed=2), padding=1)


@both
@pytest.mark.parametrize("pixel", [(0, 0), (3, 4), (7, 7)])
def test_a_nan_stays_a_nan(operation, pixel, draw):
    x = draw(1, 2, 8, 8)
    x[0, 1][pixel] = np.nan
    with ops.use(**{operation: "numba"}):
        z, _ = ops.operations()[operation](x, draw(3, 2, 3, 3), None, padding=1)
    i, j = pixel if operation == "conv2d" else (pixel[0] // 2, pixel[1] // 2)
    assert np.isnan(z[0, :, i, j]).all()


@both
def test_the_thread_count_changes_gradients_by_rounding_only(operation, monkeypatch, passes, draw):
    x, w, b = draw(5, 3, 12, 12, dtype=np.float32), draw(4, 3, 3, 3, dtype=np.float32), draw(4, dtype=np.float32)
    results = []
    for count in (1, 2, 3):
        monkeypatch.setattr(threads, "thread_count", lambda count=count: count)
        results.append(passes(operation, "numba", x, w, b, padding=1))
    for others in results[1:]:
        assert np.array_equal(results[0][0], others[0])
        for array, other in zip(results[0], others, strict=True):
            np.testing.assert_allclose(array, other, rtol=1e-4, atol=1e-5)
