"""GELU: each value times the probability that a standard normal variable is smaller."""

import math

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(x: Array) -> None:
    checks.floats("gelu", x=x)


@operation(check=_check)
def gelu(x: Array) -> tuple[Array, Backward]:
    """The Gaussian error linear unit, in its exact form.

        Φ(x) = (1 + erf(x / √2)) / 2,    φ(x) = e^(−x²/2) / √(2π)
        z  = x · Φ(x)
        dx = dz · (Φ(x) + x · φ(x))

    x and z: any shape. `backward(dz)` returns dx.

    Source: Hendrycks and Gimpel, Gaussian Error Linear Units (2016), section 2.
    """
    xp = array_module(x)
    probability = 0.5 * (1 + _erf(x * math.sqrt(0.5)))

    def backward(dz: Array) -> Array:
        density = xp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return dz * (probability + x * density)

    return x * probability, backward


def _erf(x: Array) -> Array:
    """The error function; SciPy and CuPy's twin of it load when it is first used."""
    if array_module(x).__name__ == "cupy":
        from cupyx.scipy import special
    else:
        from scipy import special
    return special.erf(x)
