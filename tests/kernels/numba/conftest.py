"""Random arrays, and the comparison of a convolution with its reference."""

import numpy as np
import pytest

from tinydnn import ops

CONVOLUTIONS = ("conv2d", "conv2d_relu", "conv2d_relu_maxpool2d")


def draw_array(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def run_passes(operation, implementation, x, w, b, **options):
    """The value, all gradients, and again those without dx; without a bias there is no gradient of it."""
    reference = dict.fromkeys((*CONVOLUTIONS, "maxpool2d"), "reference")
    with ops.use(**{**reference, operation: implementation}):
        z, backward = ops.operations()[operation](x, w, b, **options)
        dz = draw_array(*z.shape, seed=9, dtype=z.dtype)
        arrays = z, *backward(dz), *backward(dz, need_dx=False)[1:]
        return tuple(array for array in arrays if array is not None)


@pytest.fixture(scope="session")
def draw():
    """The function `draw_array`."""
    return draw_array


@pytest.fixture(scope="session")
def passes():
    """The function `run_passes`."""
    return run_passes


@pytest.fixture(scope="session")
def compare():
    """A function that compares an implementation with the reference, in float64."""

    def compare_passes(operation, implementation, x, w, b, **options):
        actual, expected = (run_passes(operation, name, x, w, b, **options) for name in (implementation, "reference"))
        for array, other in zip(actual, expected, strict=True):
            assert array.shape == other.shape
            assert np.abs(array - other).max() <= 1e-12 * max(1, np.abs(other).max())

    return compare_passes
