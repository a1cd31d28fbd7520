"""Diagnose a wrong gradient: each common mistake transforms the correct gradient in a recognisable way."""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, product

from tinydnn.backend import Array, array_module
from tinydnn.gradcheck.numeric import Line
from tinydnn.gradcheck.report import Verdict

LARGEST = 2000  # components with a full numeric gradient, which takes at least four evaluations for each


def diagnose(gradient: Array, random: list[Line], partial: Callable[[int], float]) -> tuple[Verdict, str]:
    """The verdict on a wrong gradient, and the reason as far as it can be determined.

    random: the derivatives along random directions. partial(k): the numeric derivative with respect to component k in
    reading order.
    """
    if not gradient.any():
        return Verdict.ZERO, "expected a gradient, found only zeros"
    if all(line.numerically_zero for line in random):
        return Verdict.WRONG, "the value does not depend on this argument, but its gradient is not zero"
    factor = _factor([(line.analytic, line.numeric.value) for line in random])
    if factor is not None and abs(factor + 1) < 1e-3:
        return Verdict.SIGN, "correct except for the sign"
    if factor is not None and abs(factor - 1) > 1e-3:
        return Verdict.FACTOR, f"{factor:.6g} times the correct gradient"
    if gradient.size > LARGEST:
        return Verdict.WRONG, f"along directions over all {gradient.size} components"
    return _pattern(gradient, partial)


def _factor(pairs: Sequence[tuple[float, float]]) -> float | None:
    """The least-squares factor c = Σ a·n / Σ n² of a = c · n, if it leaves no residual; else None."""
    c = sum(a * n for a, n in pairs) / sum(n * n for _, n in pairs)
    residual = sum((a - c * n) ** 2 for a, n in pairs) / sum(a * a for a, _ in pairs)
    return c if residual < 1e-8 else None


def _pattern(gradient: Array, partial: Callable[[int], float]) -> tuple[Verdict, str]:
    """How the gradient differs from the full numeric gradient, component by component."""
    xp = array_module(gradient)
    numeric = xp.asarray([partial(k) for k in range(gradient.size)]).reshape(gradient.shape)
    tolerance = 1e-6 * float(xp.abs(numeric).max())
    for verdict, reason, ours, theirs in _mistakes(gradient, numeric):
        if bool((xp.abs(ours - theirs) <= tolerance).all()) and bool((xp.abs(theirs) > tolerance).any()):
            return verdict, reason
    difference = xp.abs(gradient - numeric)
    worst = tuple(int(axis) for axis in xp.unravel_index(difference.argmax(), difference.shape))
    return Verdict.WRONG, (
        f"{int((difference > tolerance).sum())} of {gradient.size} components are off; the worst at {worst}: "
        f"expected {float(numeric[worst]):.9g}, found {float(gradient[worst]):.9g}"
    )


def _mistakes(gradient: Array, numeric: Array) -> Iterator[tuple[Verdict, str, Array, Array]]:
    """For each common mistake: the verdict, the reason, and two arrays that this mistake makes equal."""
    for i, j in combinations(range(gradient.ndim), 2):
        if gradient.shape[i] == gradient.shape[j] > 1:
            yield Verdict.TRANSPOSED, f"right with axes {i} and {j} exchanged", gradient.swapaxes(i, j), numeric
    if gradient.ndim < 2:
        return
    yield Verdict.FLIPPED, "right with the last two axes reversed", gradient[..., ::-1, ::-1], numeric
    for down, right in product((0, 1, -1), repeat=2):
        ours, theirs = gradient[..., _overlap(down), _overlap(right)], numeric[..., _overlap(-down), _overlap(-right)]
        if (down or right) and ours.size:
            yield Verdict.SHIFTED, f"moved by ({down:+d}, {right:+d}) along the last two axes", ours, theirs


def _overlap(shift: int) -> slice:
    """The part of an axis, moved by `shift`, that overlaps the unmoved axis."""
    return slice(shift, None) if shift >= 0 else slice(None, shift)
