"""The matrices of Winograd's algorithm: those derived, those documented and those applied are the same."""

from fractions import Fraction
from math import prod
from operator import add, mul, sub
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("numba")

from tinydnn.kernels.numba.simd import winograd_matrices

POINTS = (0, 1, -1, 2, -2)


class ExactCode:
    """Stands in for `Code`: computes with fractions instead of emitting instructions."""

    builder = SimpleNamespace(fadd=add, fsub=sub, fmul=mul)

    def constant(self, value):
        return Fraction(value).limit_denominator(24)

    def fma(self, a, b, c):
        return a * b + c


def powers(count):
    """Rows (1, a, …, aⁿ⁻¹) for the points a, and (0, …, 0, 1) for ∞."""
    return [[point**k for k in range(count)] for point in POINTS] + [[0] * (count - 1) + [1]]


def coefficients(roots):
    """Of the polynomial Π (t − a) over the roots a, constant term first, as 6 numbers."""
    result = [1]
    for root in roots:
        result = [low - root * high for low, high in zip([0, *result], [*result, 0], strict=True)]
    return result + [0] * (6 - len(result))


def derived():
    """Bᵀ, G and Aᵀ from the points, as the docstring of the module derives them."""
    others = [[point for point in POINTS if point != own] for own in POINTS]
    factors = [prod(own - point for point in rest) for own, rest in zip(POINTS, others, strict=True)] + [1]
    b_transposed = [coefficients(rest) for rest in (*others, POINTS)]
    g = [[Fraction(value, factor) for value in row] for row, factor in zip(powers(3), factors, strict=True)]
    return {"apply_b_transposed": b_transposed, "apply_g": g, "apply_a_transposed": np.transpose(powers(4)).tolist()}


@pytest.fixture(params=sorted(derived()))
def matrix(request):
    """The name of a function, and the matrix that it is to apply."""
    return request.param, derived()[request.param]


def test_the_functions_apply_the_derived_matrices(matrix):
    name, rows = matrix
    units = np.eye(len(rows[0]), dtype=int).tolist()
    columns = [getattr(winograd_matrices, name)(ExactCode(), [Fraction(value) for value in unit]) for unit in units]
    assert [list(row) for row in zip(*columns, strict=True)] == rows


def test_the_docstrings_show_the_derived_matrices(matrix):
    name, rows = matrix
    lines = map(str.strip, getattr(winograd_matrices, name).__doc__.splitlines())
    assert [[Fraction(value) for value in line.strip("[]").split()] for line in lines if line.startswith("[")] == rows


def test_the_derived_matrices_compute_a_correlation():
    b_transposed, g, a_transposed = (
        np.array(derived()[f"apply_{name}"]) for name in ("b_transposed", "g", "a_transposed")
    )
    pixels, weights = [Fraction(value) for value in (3, -1, 4, 1, -5, 9)], [Fraction(value) for value in (2, -7, 1)]
    z = a_transposed @ ((g @ weights) * (b_transposed @ pixels))
    assert z.tolist() == [sum(weights[u] * pixels[i + u] for u in range(3)) for i in range(4)]
