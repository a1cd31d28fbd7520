"""Global average pooling: the output is the mean of each channel."""

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(x: Array) -> None:
    checks.floats("global_avgpool2d", x=x)
    checks.layout("global_avgpool2d", "x", x, "N C H W")


@operation(check=_check)
def global_avgpool2d(x: Array) -> tuple[Array, Backward]:
    """The mean of each channel over the whole image.

        z[n,c]      = 1/(H·W) · Σ_{i,j} x[n,c,i,j]
        dx[n,c,i,j] = dz[n,c] / (H·W)

    x: (N, C, H, W). z: (N, C). `backward(dz)` returns dx.

    Source: Lin, Chen and Yan, Network In Network, section 3.2.
    """
    xp = array_module(x)
    shape = x.shape
    z = x.mean(axis=(2, 3))

    def backward(dz: Array) -> Array:
        share = dz / (shape[2] * shape[3])
        return xp.broadcast_to(share[:, :, None, None], shape).copy()

    return z, backward
