"""ReLU: negative values become zero."""

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(x: Array) -> None:
    checks.floats("relu", x=x)


@operation(check=_check)
def relu(x: Array) -> tuple[Array, Backward]:
    """The rectified linear unit.

        z  = max(0, x)
        dx = dz where x > 0, else 0

    At the kink x = 0 the gradient is 0. x and z: any shape. `backward(dz)` returns dx.

    The paper writes a = max(0, z): its z is the input, x here, and its a the value, z here.

    Source: Hou and Zhang, activation function; Goodfellow et al., Deep Learning, section 6.3.1.
    """
    xp = array_module(x)
    z = xp.maximum(x, 0)
    positive = x > 0

    def backward(dz: Array) -> Array:
        return dz * positive

    return z, backward
