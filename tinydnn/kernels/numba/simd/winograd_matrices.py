"""The matrices of Winograd's algorithm F(4, 3), applied to vectors of channels.

Four outputs z of a correlation with three weights g, from six pixels d and six products instead of twelve:

    z[i] = Σ_u g[u] · d[i + u],      z = Aᵀ · [(G · g) ⊙ (Bᵀ · d)]

Derivation. The product s(t) = g(t) · y(t) of polynomials with 3 and 4 coefficients has 6 coefficients. They follow from
its values at the points a = 0, 1, −1, 2, −2 and its leading coefficient (the point ∞):

    s = V₆⁻¹ · [(V₃ · g) ⊙ (V₄ · y)],      where Vₙ has the rows (1, a, …, aⁿ⁻¹), and (0, …, 0, 1) for ∞

For a fixed g the map y → s is linear, and its transpose is d → z. Hence z = V₄ᵀ · [(V₃ · g) ⊙ (V₆⁻ᵀ · d)]. The rows of
V₆⁻ᵀ are the coefficients of Π_{j≠k} (t − a_j) / f_k, with f_k = Π_{j≠k} (a_k − a_j) = 4, −6, −6, 24, 24; for ∞ those of
Π_j (t − a_j). Moving the factors 1 / f_k from V₆⁻ᵀ to V₃ leaves whole numbers: Bᵀ. So G is V₃ with its rows divided by
f_k, and Aᵀ = V₄ᵀ.

Source: Winograd, Arithmetic Complexity of Computations; Lavin and Gray, Fast Algorithms for Convolutional Neural
Networks, section 4.3.
"""

from collections.abc import Callable, Sequence

from tinydnn.kernels.numba.simd.vectors import Code, Value


def on_both_sides(
    apply: Callable[[Code, Sequence[Value]], list[Value]], code: Code, x: Sequence[Sequence[Value]]
) -> list[list[Value]]:
    """T · x · Tᵀ of a square x, where apply(code, line) is T · line."""
    columns = [apply(code, column) for column in zip(*x, strict=True)]
    return [apply(code, row) for row in zip(*columns, strict=True)]


def apply_b_transposed(code: Code, d: Sequence[Value]) -> list[Value]:
    """Bᵀ · d of pixels d (6), with Bᵀ =

    [4   0  -5   0   1   0]
    [0  -4  -4   1   1   0]
    [0   4  -4  -1   1   0]
    [0  -2  -1   2   1   0]
    [0   2  -1  -2   1   0]
    [0   4   0  -5   0   1]
    """
    b = code.builder
    even1, odd1 = _add(code, d[4], -4, d[2]), _add(code, d[3], -4, d[1])  # shared by the points 1 and −1
    even2, odd2 = b.fsub(d[4], d[2]), b.fsub(d[3], d[1])  # shared by 2 and −2
    return [
        _add(code, _add(code, d[4], -5, d[2]), 4, d[0]),
        b.fadd(even1, odd1), b.fsub(even1, odd1), _add(code, even2, 2, odd2), _add(code, even2, -2, odd2),
        _add(code, _add(code, d[5], -5, d[3]), 4, d[1]),
    ]  # fmt: skip


def apply_g(code: Code, g: Sequence[Value]) -> list[Value]:
    """G · g of weights g (3), with G =

    [ 1/4     0     0 ]
    [-1/6  -1/6  -1/6 ]
    [-1/6   1/6  -1/6 ]
    [1/24  1/12   1/6 ]
    [1/24 -1/12   1/6 ]
    [   0     0     1 ]
    """
    b = code.builder
    even1 = b.fadd(g[0], g[2])
    even2 = _add(code, _scale(code, 1 / 6, g[2]), 1 / 24, g[0])
    return [
        _scale(code, 1 / 4, g[0]),
        _scale(code, -1 / 6, b.fadd(even1, g[1])), _scale(code, -1 / 6, b.fsub(even1, g[1])),
        _add(code, even2, 1 / 12, g[1]), _add(code, even2, -1 / 12, g[1]),
        g[2],
    ]  # fmt: skip


def apply_a_transposed(code: Code, m: Sequence[Value]) -> list[Value]:
    """Aᵀ · m of products m (6), with Aᵀ =

    [1   1   1   1   1   0]
    [0   1  -1   2  -2   0]
    [0   1   1   4   4   0]
    [0   1  -1   8  -8   1]
    """
    b = code.builder
    even1, odd1, even2, odd2 = b.fadd(m[1], m[2]), b.fsub(m[1], m[2]), b.fadd(m[3], m[4]), b.fsub(m[3], m[4])
    return [
        b.fadd(b.fadd(m[0], even1), even2), _add(code, odd1, 2, odd2), _add(code, even1, 4, even2),
        _add(code, b.fadd(odd1, m[5]), 8, odd2),
    ]  # fmt: skip


def _add(code: Code, x: Value, factor: float, y: Value) -> Value:
    """The vector x + factor · y."""
    return code.fma(code.constant(factor), y, x)


def _scale(code: Code, factor: float, x: Value) -> Value:
    return code.builder.fmul(code.constant(factor), x)
