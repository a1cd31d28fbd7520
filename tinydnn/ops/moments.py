"""Mean and variance of each channel of a batch."""

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(x: Array) -> None:
    checks.floats("moments", x=x)
    checks.layout("moments", "x", x, "N C H W")


@operation(check=_check)
def moments(x: Array) -> tuple[Array, Backward]:
    """Mean and variance of each channel: `(mean, var), backward = ops.moments(x)`.

        μ  = 1/M · Σ x
        σ² = 1/M · Σ (x − μ)²                                         sums over N, H, W; M = N·H·W, not M − 1
        dx = (dμ + 2 · (x − μ) · dσ²) / M

    x: (N, C, H, W). The value, and dz = (dμ, dσ²): (2, C). `backward(dz)` returns dx.
    """
    xp = array_module(x)
    count = x.size // x.shape[1]
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    value = xp.empty((2, x.shape[1]), x.dtype)
    value[0], value[1] = mean, var

    def backward(dz: Array) -> Array:
        dmean, dvar = dz / count
        return dmean[:, None, None] + 2 * (x - mean[:, None, None]) * dvar[:, None, None]

    return value, backward
