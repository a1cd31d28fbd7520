"""Max pooling: the output is the largest value of each window."""

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation
from tinydnn.ops.windows import taps


def _check(x: Array, *, window: int = 2, stride: int | None = None) -> None:
    checks.floats("maxpool2d", x=x)
    checks.layout("maxpool2d", "x", x, "N C H W")
    checks.pooling("maxpool2d", window, stride, x.shape[2:])


@operation(check=_check)
def maxpool2d(x: Array, *, window: int = 2, stride: int | None = None) -> tuple[Array, Backward]:
    """The largest value of each window of k × k pixels.

        z[n,c,i,j]            = max_{u,v} x[n,c,i·s+u,j·s+v]
        dx[n,c,i·s+u*,j·s+v*] += dz[n,c,i,j]      (u*, v*): the argmax of the window

    Of equal maxima, the first in row-major order is the argmax and receives the whole gradient. A pixel in overlapping
    windows (s < k) may be the argmax of several and receives the sum of their gradients.

    x: (N, C, H, W). z: (N, C, H', W') with H' = (H − k) // s + 1, and W' likewise. s = k if `stride` is None.
    Trailing rows and columns that fill no window are ignored. `backward(dz)` returns dx.

    Source: Hou and Zhang, pooling layer; Goodfellow et al., Deep Learning, section 9.3.
    """
    xp = array_module(x)
    stride = stride or window
    shape, dtype = x.shape, x.dtype  # backward needs nothing else of x, so x itself can be freed
    views = [view for _, _, view in taps(x, (window, window), stride)]
    z = views[0].copy()
    argmax = xp.zeros(z.shape, xp.min_scalar_type(window * window))
    for tap, view in enumerate(views[1:], start=1):
        # Strictly larger, so that the first of equal maxima stays. A NaN compares as false but must propagate.
        better = (view > z) | (xp.isnan(view) & ~xp.isnan(z))
        z = xp.where(better, view, z)
        argmax[better] = tap

    def backward(dz: Array) -> Array:
        dx = xp.zeros(shape, dtype)
        for tap, (_, _, dx_uv) in enumerate(taps(dx, (window, window), stride)):  # dx_uv is a view of dx
            dx_uv += xp.where(argmax == tap, dz, 0)
        return dx

    return z, backward
