"""Bilinear interpolation from the positions of a feature map to pixels."""

import numpy as np
import pytest

from tinydnn.explain.upsample import upsample

SIZES = [((3, 4), (12, 16)), ((5, 3), (7, 11)), ((1, 1), (4, 6)), ((2, 7), (2, 9)), ((6, 6), (6, 6))]


@pytest.mark.parametrize(("small", "large"), SIZES)
def test_upsampling_equals_that_of_pytorch(small, large):
    torch = pytest.importorskip("torch", reason="PyTorch, which the results are compared with, is not installed")
    maps = np.random.default_rng(0).standard_normal((2, *small))
    expected = torch.nn.functional.interpolate(torch.tensor(maps[:, None]), large, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(upsample(maps, *large), expected[:, 0].numpy(), rtol=1e-12, atol=1e-14)


def test_values_lie_between_their_neighbours_and_go_on_beyond_the_outermost_centres():
    [row] = upsample(np.array([[[0.0, 1.0]]]), 1, 8)[0]
    np.testing.assert_allclose(row, [0, 0, 1 / 8, 3 / 8, 5 / 8, 7 / 8, 1, 1])


def test_a_map_of_the_size_of_the_image_is_unchanged():
    maps = np.random.default_rng(0).standard_normal((2, 5, 7))
    np.testing.assert_array_equal(upsample(maps, 5, 7), maps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_stays(dtype):
    assert upsample(np.ones((1, 2, 2), dtype), 4, 4).dtype == dtype
