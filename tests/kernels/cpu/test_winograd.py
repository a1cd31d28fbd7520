"""Winograd's matrices against their derivation from the points, in exact arithmetic, and the code against them."""

from fractions import Fraction
from functools import reduce
from math import prod

import numpy as np
import pytest

from tinydnn.kernels.cpu import winograd
from tinydnn.kernels.cpu.winograd import Tiles, columns_from_products, kernel_gradient, transform_kernel

ROWS, COLUMNS = (0, 1, -1, 2, -2), (0, 1, -1)  # the finite points; infinity is the last one of each


def coefficients(roots):
    """The coefficients of t⁰, t¹, … in the product of all (t − root)."""
    return reduce(np.convolve, ([-root, 1] for root in roots), [1])


def toom_cook(points):
    """A, B and G for a kernel of three taps, from the finite points and infinity."""
    outputs = len(points) - 1
    others = [[q for q in points if q != p] for p in points]
    a = [[p**i for i in range(outputs)] for p in points] + [[0] * (outputs - 1) + [1]]
    g = [[Fraction(p**i, prod(p - q for q in rest)) for i in range(3)] for p, rest in zip(points, others, strict=True)]
    b = [[*coefficients(rest), 0] for rest in others] + [coefficients(points)]
    return np.array(a, object), np.array(b, object).T, np.array([*g, [0, 0, 1]], object)


def columns():
    """A₂, B₂ and G₂: with the signs of G₂ and B₂ at 0, and of A₂ and B₂ at infinity, reversed."""
    a, b, g = toom_cook(COLUMNS)
    b[:, [0, -1]] *= -1
    g[0] *= -1
    a[-1] *= -1
    return a, b, g


def integers(*shape, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, shape)


@pytest.mark.parametrize("matrices", [toom_cook(ROWS), columns()], ids=["rows", "columns"])
def test_one_dimension_equals_the_correlation_exactly(matrices):
    a, b, g = matrices
    kernel, d = integers(3).astype(object), integers(len(a), seed=1).astype(object)
    y = a.T @ ((g @ kernel) * (b.T @ d))
    assert y.tolist() == [sum(kernel[k] * d[i + k] for k in range(3)) for i in range(a.shape[1])]


def test_the_matrices_for_rows_follow_from_the_points():
    a, b, g = toom_cook(ROWS)
    assert np.array_equal(winograd.A, a)
    assert np.array_equal(winograd.B, b)
    assert np.array_equal(winograd.G, g.astype(float))


def test_the_matrices_for_columns_follow_from_the_points():
    a, _, g = columns()
    assert np.array_equal(winograd.G2, g.astype(float))
    s = np.empty((4, 2))
    columns_from_products(np.eye(4)[:, :, None], s[:, :, None])
    assert np.array_equal(s, a)


def test_a_tile_is_transformed_by_both_matrices():
    b, b2 = toom_cook(ROWS)[1].astype(float), columns()[1].astype(float)
    d = integers(6, 4).astype(float)
    tiles = Tiles(1, [6, 4], 0, (1, 1, 1), np.dtype(float))
    tiles.load(d[None])
    assert np.array_equal(tiles.transform(0)[:, :, 0, 0], b.T @ d @ b2)


def test_the_gradient_of_a_tile_takes_the_transposed_matrices():
    b, b2 = toom_cook(ROWS)[1].astype(float), columns()[1].astype(float)
    dv, dx = integers(6, 4).astype(float), np.empty((1, 6, 4))
    tiles = Tiles(1, [6, 4], 0, (1, 1, 1), np.dtype(float))
    tiles.v[:, :, 0, 0] = dv
    tiles.add_gradient(0)
    tiles.store(dx)
    assert np.array_equal(dx[0], b @ dv @ b2.T)


def test_the_kernel_transform_and_its_gradient_are_adjoint():
    w, du = integers(2, 3, 3, 3).astype(float), integers(6, 4, 2, 3, seed=1).astype(float)
    assert np.isclose((transform_kernel(w) * du).sum(), (w * kernel_gradient(du)).sum(), rtol=1e-12)
