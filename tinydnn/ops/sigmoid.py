"""The logistic sigmoid, which maps any number to one between 0 and 1."""

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(x: Array) -> None:
    checks.floats("sigmoid", x=x)


@operation(check=_check)
def sigmoid(x: Array) -> tuple[Array, Backward]:
    """The logistic function.

        z  = 1 / (1 + e⁻ˣ)
        dx = dz · z · (1 − z)

    Computed from e^(−|x|), which never overflows. x and z: any shape. `backward(dz)` returns dx.

    Source: Hou and Zhang, worked example; Goodfellow et al., Deep Learning, section 3.10.
    """
    xp = array_module(x)
    small = xp.exp(-xp.abs(x))  # in (0, 1]
    z = xp.where(x >= 0, 1, small) / (1 + small)

    def backward(dz: Array) -> Array:
        return dz * z * (1 - z)

    return z, backward
