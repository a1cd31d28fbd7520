"""Why a gradient is wrong: each usual mistake is recognised by what it does to the right gradient."""

from collections.abc import Callable, Iterator
from itertools import combinations, product

from tinydnn.backend import Array, array_module
from tinydnn.gradcheck.numeric import Line
from tinydnn.gradcheck.report import Verdict

# Each component takes four evaluations; beyond this many the reason is not worth the wait.
LARGEST = 2000


def diagnose(gradient: Array, random: list[Line], partial: Callable[[int], float]) -> tuple[Verdict, str]:
    """The verdict on a wrong gradient, and the reason as far as it can be told.

    `random`: the derivatives along random directions. `partial(k)`: the numeric one of component k in reading order.
    """
    if not gradient.any():
        return Verdict.ZERO, "expected a gradient, found only zeros"
    if all(line.numerically_zero for line in random):
        return Verdict.WRONG, "the value does not depend on this argument, but its gradient is not zero"
    factor = _factor(random)
    if factor is not None and abs(factor + 1) < 1e-3:
        return Verdict.SIGN, "right with the opposite sign"
    if factor is not None and abs(factor - 1) > 1e-3:
        return Verdict.FACTOR, f"{factor:.6g} times the right gradient"
    if gradient.size > LARGEST:
        return Verdict.WRONG, f"along directions over all {gradient.size} components"
    return _pattern(gradient, partial)


def _factor(lines: list[Line]) -> float | None:
    """The c with analytic = c · numeric along all lines: the least-squares ratio Σ a·n / Σ n², if it leaves nothing."""
    pairs = [(line.analytic, line.numeric.value) for line in lines]
    c = sum(a * n for a, n in pairs) / sum(n * n for _, n in pairs)
    left_over = sum((a - c * n) ** 2 for a, n in pairs) / sum(a * a for a, _ in pairs)
    return c if left_over < 1e-8 else None


def _pattern(gradient: Array, partial: Callable[[int], float]) -> tuple[Verdict, str]:
    """How the gradient differs from the numeric one, which is computed in full for this purpose."""
    xp = array_module(gradient)
    numeric = xp.asarray([partial(flat) for flat in range(gradient.size)]).reshape(gradient.shape)
    tolerance = 1e-6 * float(xp.abs(numeric).max())
    for verdict, reason, ours, theirs in _mistakes(gradient, numeric):
        if bool((xp.abs(ours - theirs) <= tolerance).all()) and bool((xp.abs(theirs) > tolerance).any()):
            return verdict, reason
    apart = xp.abs(gradient - numeric)
    worst = tuple(int(axis) for axis in xp.unravel_index(apart.argmax(), apart.shape))
    return Verdict.WRONG, (
        f"{int((apart > tolerance).sum())} of {gradient.size} components are off; the worst at {worst}: "
        f"expected {float(numeric[worst]):.9g}, found {float(gradient[worst]):.9g}"
    )


def _mistakes(gradient: Array, numeric: Array) -> Iterator[tuple[Verdict, str, Array, Array]]:
    """Each usual mistake: the verdict, the reason, and two arrays that are equal where it was made."""
    for one, other in combinations(range(gradient.ndim), 2):
        if gradient.shape[one] == gradient.shape[other] > 1:
            yield (
                Verdict.TRANSPOSED,
                f"right with axes {one} and {other} exchanged",
                gradient.swapaxes(one, other),
                numeric,
            )
    if gradient.ndim < 2:
        return
    yield Verdict.FLIPPED, "right with the last two axes reversed", gradient[..., ::-1, ::-1], numeric
    for down, right in product((0, 1, -1), repeat=2):
        ours, theirs = gradient[..., _from(down), _from(right)], numeric[..., _from(-down), _from(-right)]
        if (down or right) and ours.size:
            yield Verdict.SHIFTED, f"moved by ({down:+d}, {right:+d}) along the last two axes", ours, theirs


def _from(shift: int) -> slice:
    """The part of an axis that an array moved by `shift` shares with the one that was not."""
    return slice(shift, None) if shift >= 0 else slice(None, shift)
