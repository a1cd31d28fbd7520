"""Winograd's convolution where its tiles, blocks and groups of channels are at their edges."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tinydnn import ops
from tinydnn.kernels.numba import conv2d_winograd
from tinydnn.kernels.numba import winograd as filtering

OPERATIONS = ("conv2d", "conv2d_relu", "conv2d_relu_maxpool2d")
NAME = conv2d_winograd.NAME
everywhere = pytest.mark.parametrize("operation", OPERATIONS)


def draw(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def passes(operation, implementation, x, w, b, **options):
    with ops.use(**{**dict.fromkeys(OPERATIONS, "reference"), "maxpool2d": "reference", operation: implementation}):
        z, backward = ops.operations()[operation](x, w, b, **options)
        gradients = backward(draw(*z.shape, seed=9, dtype=z.dtype))
        return z, *(one for one in gradients if one is not None)


def compare(operation, x, w, b, **options):
    found, wanted = (passes(operation, name, x, w, b, **options) for name in (NAME, "reference"))
    for one, other in zip(found, wanted, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= 1e-12 * max(1, np.abs(other).max())


@everywhere
@pytest.mark.parametrize(("channels", "out_channels"), [(24, 24), (25, 33), (32, 48), (40, 31), (64, 24)])
def test_channels_that_fill_vectors_and_that_do_not(operation, channels, out_channels):
    w = draw(out_channels, channels, 3, 3, seed=1)
    compare(operation, draw(2, channels, 7, 10), w, draw(out_channels, seed=2), padding=1)


@everywhere
@pytest.mark.parametrize("size", [(2, 2), (4, 4), (5, 9), (8, 3), (13, 6)])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_sizes_that_fill_tiles_and_that_do_not(operation, size, padding):
    if min(size) + 2 * padding - 2 >= 2:
        compare(operation, draw(3, 24, *size), draw(24, 24, 3, 3, seed=1), None, padding=padding)


@everywhere
@pytest.mark.parametrize("block_bytes", [1, 700_000])
def test_blocks_of_tiles_meet_without_a_seam(operation, block_bytes, monkeypatch):
    monkeypatch.setattr(filtering, "BLOCK_BYTES", block_bytes)
    compare(operation, draw(3, 24, 30, 18), draw(24, 24, 3, 3, seed=1), draw(24, seed=2), padding=1)


@everywhere
def test_pictures_may_lie_in_memory_as_they_like(operation):
    x, w = draw(2, 32, 9, 11), draw(24, 32, 3, 3, seed=1)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for laid in (x, last, last[:, :, ::-1], x[:, ::-1]):
        compare(operation, laid, w, None, padding=1)


@everywhere
def test_float32_stays_near_the_reference(operation):
    """A network of thirteen such layers must stay within 1e-4."""
    x, w = draw(2, 64, 16, 16, dtype=np.float32), draw(64, 64, 3, 3, seed=1, dtype=np.float32)
    found = passes(operation, NAME, x, w, None, padding=1)
    wanted = passes(operation, "reference", x.astype(np.float64), w.astype(np.float64), None, padding=1)
    assert np.abs(found[0] - wanted[0]).max() < 2e-5 * np.abs(wanted[0]).max()


@everywhere
def test_zeros_stay_zeros(operation):
    """As in the dark around a head: no rounding may make one zero larger than another."""
    z, dx, dw = passes(operation, NAME, np.zeros((1, 24, 8, 8)), draw(24, 24, 3, 3), None, padding=1)
    assert not z.any()
    assert not dw.any()
    assert dx.any() == (operation == "conv2d")  # ReLU cuts off what is exactly zero


@everywhere
@pytest.mark.parametrize("where", [(0, 0), (3, 4), (7, 7)])
def test_a_nan_shows(operation, where):
    x = draw(1, 24, 8, 8)
    x[0, 1][where] = np.nan
    with ops.use(**{operation: NAME}):
        z, _ = ops.operations()[operation](x, draw(24, 24, 3, 3), None, padding=1)
    i, j = (where[0] // 2, where[1] // 2) if operation == "conv2d_relu_maxpool2d" else where
    assert np.isnan(z[0, :, i, j]).all()


@everywhere
def test_the_number_of_threads_decides_no_more_than_the_rounding(operation, monkeypatch):
    from tinydnn.kernels.cpu import threads

    x, w = draw(5, 24, 12, 12, dtype=np.float32), draw(24, 24, 3, 3, dtype=np.float32)
    results = []
    for count in (1, 2, 3):
        monkeypatch.setattr(threads, "thread_count", lambda count=count: count)
        results.append(passes(operation, NAME, x, w, None, padding=1))
    for others in results[1:]:
        assert np.array_equal(results[0][0], others[0])
        for one, other in zip(results[0][:3], others[:3], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)
