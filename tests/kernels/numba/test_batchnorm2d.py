"""Batch normalisation and moments at the edges of vectors of channels, blocks of pixels and parts of the batch."""

import numpy as np
import pytest

pytest.importorskip("numba")

from tinydnn import ops
from tinydnn.kernels.cpu import threads

dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def draw(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def channels_last(x):
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def cropped(x):
    """A copy with gaps between pixels, rows and images, as from a convolution whose tiles reach beyond the image."""
    n, c, h, w = x.shape
    padded = np.full((n, h + 1, w + 3, c + 5), np.nan, x.dtype)
    view = padded.transpose(0, 3, 1, 2)[:, :c, :h, :w]
    view[...] = x
    return view


def passes(implementation, x, dz, *, training=True):
    """Moments and their gradient, then the value and all gradients of batch normalisation."""
    channels = x.shape[1]
    gamma, beta = draw(channels, seed=1, dtype=x.dtype), draw(channels, seed=2, dtype=x.dtype)
    with ops.use(moments=implementation, batchnorm2d=implementation):
        statistics, moments_backward = ops.moments(x)
        z, backward = ops.batchnorm2d(x, gamma, beta, *statistics, batch_statistics=training)
        none, *others = backward(dz, need_dx=False)
        assert none is None
        return statistics, moments_backward(np.stack((gamma, beta))), z, *backward(dz), *others


def compare(x, dz, *, dtype=np.float64, **options):
    """Compare Numba in `dtype` with the reference in float64, on values rounded to `dtype`."""
    actual = passes("numba", x, dz, **options)
    expected = passes("reference", x.astype(np.float64), dz.astype(np.float64), **options)
    for array, other in zip(actual, expected, strict=True):
        assert array.shape == other.shape
        assert array.dtype == dtype
        assert np.abs(array - other).max() <= 100 * np.finfo(dtype).eps * max(1, np.abs(other).max())


def test_numba_runs_by_default():
    x, small = draw(2, 3, 4, 5), np.ones(3)
    assert ops.moments.which(x) == "numba"
    assert ops.batchnorm2d.which(x, *4 * [small], batch_statistics=True) == "numba"


@dtypes
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("channels", [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 48])
def test_channels_may_or_may_not_fill_vectors(channels, training, dtype):
    x, dz = (channels_last(draw(3, channels, 9, 11, seed=seed, dtype=dtype)) for seed in (3, 4))
    compare(x, dz, training=training, dtype=dtype)


@dtypes
@pytest.mark.parametrize("size", [(1, 2), (1, 63), (1, 64), (1, 65), (8, 16), (3, 129), (70, 1)])
def test_pixels_may_or_may_not_fill_blocks(size, dtype):
    x, dz = draw(2, 17, *size, seed=3, dtype=dtype), draw(2, 17, *size, seed=4, dtype=dtype)
    compare(channels_last(x), channels_last(dz), dtype=dtype)
    compare(cropped(x), cropped(dz), dtype=dtype)


@pytest.mark.parametrize("channels", [1, 5, 16])
def test_images_and_gradients_may_have_any_memory_layout(channels):
    x, dz = draw(2, channels, 6, 70, seed=3), draw(2, channels, 6, 70, seed=4)
    layouts = (lambda a: a, channels_last, cropped, lambda a: a[:, :, ::-1, ::-1], lambda a: channels_last(a)[::-1])
    for x_layout in layouts:
        for dz_layout in layouts:
            compare(x_layout(x), dz_layout(dz))
    compare(np.broadcast_to(x[:1], x.shape), np.broadcast_to(dz[:, :1], dz.shape))


@dtypes
def test_a_batch_of_one(dtype):
    compare(*(channels_last(draw(1, 20, 9, 8, seed=seed, dtype=dtype)) for seed in (3, 4)), dtype=dtype)


@pytest.mark.parametrize("mean", [1e3, -1e4, 1e5])
def test_moments_far_from_zero_are_exact(mean):
    """Also where whole images are dark or bright, so that no single shift serves all of them."""
    x = draw(6, 16, 40, 40, seed=5) + mean
    x[1] -= mean
    x[2, :, :7] *= 3
    x = channels_last(x.astype(np.float32))
    with ops.use(moments="numba"):
        (actual, var), _ = ops.moments(x)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(actual, exact.mean(axis=(0, 2, 3)), rtol=1e-7)
    np.testing.assert_allclose(var, exact.var(axis=(0, 2, 3)), rtol=1e-6)
    with ops.use(moments="numba"):
        (_, var), _ = ops.moments(x[2:, :, 7:])
    np.testing.assert_allclose(var, exact[2:, :, 7:].var(axis=(0, 2, 3)), rtol=1e-6)


def test_values_far_from_zero_are_normalised():
    x = channels_last((draw(4, 16, 20, 20, seed=5) + 1e3).astype(np.float32))
    z = passes("numba", x, x)[2].astype(np.float64)
    gamma, beta = draw(16, seed=1), draw(16, seed=2)
    np.testing.assert_allclose(z.mean(axis=(0, 2, 3)), beta, atol=1e-4)
    np.testing.assert_allclose(z.std(axis=(0, 2, 3)), np.abs(gamma), rtol=1e-4)


@dtypes
@pytest.mark.parametrize("value", [0.1, 1000.7])
def test_a_constant_channel_has_no_variance_and_becomes_beta(value, dtype):
    x = channels_last(np.full((3, 17, 9, 10), value, dtype))
    (mean, var), _, z, *_ = passes("numba", x, x)
    np.testing.assert_array_equal(mean, x[0, :, 0, 0])
    assert (var >= 0).all()
    assert var.max() <= (np.finfo(dtype).eps * value) ** 2
    np.testing.assert_array_equal(z, np.broadcast_to(draw(17, seed=2, dtype=dtype)[:, None, None], z.shape))


def test_nan_and_infinity_affect_their_own_channel_only():
    x = channels_last(draw(2, 18, 5, 6))
    x[0, 3, 2, 2], x[1, 17, 0, 0] = np.nan, np.inf
    with ops.use(moments="numba"):
        (mean, var), _ = ops.moments(x)
    affected = [3, 17]
    assert not np.isfinite(mean[affected]).any()
    assert np.isnan(var[affected]).all()
    assert np.isfinite(np.delete(var, affected)).all()


def test_in_evaluation_the_gradient_does_not_depend_on_x():
    x, dz = np.full((1, 2, 3, 4), np.nan), draw(1, 2, 3, 4)
    with ops.use(batchnorm2d="numba"):
        _, backward = ops.batchnorm2d(x, *np.ones((4, 2)), batch_statistics=False, eps=1.0)
        np.testing.assert_allclose(backward(dz)[0], dz / np.sqrt(2))


@dtypes
def test_only_the_thread_count_changes_the_rounding(dtype, monkeypatch):
    x, dz = (channels_last(draw(5, 19, 12, 13, seed=seed, dtype=dtype)) for seed in (3, 4))
    results = []
    for count in (1, 2, 3):
        monkeypatch.setattr(threads, "thread_count", lambda count=count: count)
        results.append(passes("numba", x, dz))
        for array, again in zip(results[-1], passes("numba", x, dz), strict=True):
            np.testing.assert_array_equal(array, again)
    for others in results[1:]:
        for array, other in zip(results[0], others, strict=True):
            bound = 100 * np.finfo(dtype).eps
            np.testing.assert_allclose(array, other, rtol=bound, atol=bound * np.abs(array).max())
