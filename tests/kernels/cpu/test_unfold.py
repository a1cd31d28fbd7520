"""The matrices of an unfolded image hold the windows that their formulas name."""

import numpy as np
import pytest

from tinydnn.kernels.cpu.unfold import Columns, Rows, flipped, kernel_matrix

IMAGE, KERNEL = (2, 5, 7), [3, 3]


@pytest.fixture(params=[0, 1, 2])
def padding(request):
    return request.param


@pytest.fixture
def images():
    return np.random.default_rng(0).standard_normal((2, *IMAGE))


def pad(image, padding):
    return np.pad(image, ((0, 0), (padding, padding), (padding, padding)))


def test_each_output_row_has_the_matrix_of_its_windows(images, padding):
    rows = Rows(IMAGE[0], IMAGE[1:], KERNEL, padding, images.dtype)
    for image in images:
        matrices, x = rows.unfold(image), pad(image, padding)
        for i, matrix in enumerate(matrices):
            for k, (u, v, c) in enumerate(np.ndindex(*KERNEL, IMAGE[0])):
                assert np.array_equal(matrix[k], x[c, i + u, v : v + rows.width])


def test_each_kernel_row_has_the_matrix_of_all_output_pixels(images, padding):
    columns = Columns(IMAGE[0], IMAGE[1:], KERNEL, padding, images.dtype)
    height, width = columns.shape
    for image in images:
        x = pad(image, padding)
        for u, matrix in enumerate(columns.unfold(image)):
            for k, (v, c) in enumerate(np.ndindex(KERNEL[1], IMAGE[0])):
                assert np.array_equal(matrix[k].reshape(height, width), x[c, u : u + height, v : v + width])


def test_the_kernel_matrix_has_the_order_of_the_rows():
    w = np.random.default_rng(0).standard_normal((4, 2, 3, 3))
    for k, (u, v, c) in enumerate(np.ndindex(3, 3, 2)):
        assert np.array_equal(kernel_matrix(w)[:, k], w[:, c, u, v])
        assert np.array_equal(flipped(w)[c, :, u, v], w[:, c, 2 - u, 2 - v])
