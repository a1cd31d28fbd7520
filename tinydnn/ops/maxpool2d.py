"""Max pooling: each window hands on its largest value."""

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.operation import Backward, operation
from tinydnn.ops.windows import taps


def _check(x: Array, *, window: int = 2, stride: int | None = None) -> None:
    checks.floats("maxpool2d", x=x)
    checks.layout("maxpool2d", "x", x, "N C H W")
    checks.pooling("maxpool2d", window, stride, x.shape[2:])


@operation(check=_check)
def maxpool2d(x: Array, *, window: int = 2, stride: int | None = None) -> tuple[Array, Backward]:
    """The largest value of each window of k × k pixels.

        z[n,c,i,j]            = max_{u,v} x[n,c,i·s+u,j·s+v]
        dx[n,c,i·s+u*,j·s+v*] += dz[n,c,i,j]      where (u*, v*) is the position of that maximum

    Where several pixels of a window are equally large, the first in reading order (row by row) wins and gets
    the whole gradient. Where windows overlap (s < k), a pixel may win several and collects from each.

    x: (N, C, H, W). z: (N, C, H', W') with H' = (H − k) // s + 1, W' likewise; s = k where `stride` is None; rows
    and columns left over at the end are not seen. `backward(dz)` returns dx.

    Source: Hou and Zhang, pooling layer; Goodfellow et al., Deep Learning, section 9.3.
    """
    xp = array_module(x)
    stride = stride or window
    shape, dtype = x.shape, x.dtype  # all that backward needs of x, which can then be given back
    views = [view for _, _, view in taps(x, (window, window), stride)]
    z = views[0].copy()
    winner = xp.zeros(z.shape, xp.min_scalar_type(window * window))
    for k, view in enumerate(views[1:], start=1):
        # Strictly larger: of equals, the first keeps the place. A NaN, which is larger than nothing, must win to show.
        better = (view > z) | (xp.isnan(view) & ~xp.isnan(z))
        z = xp.where(better, view, z)
        winner[better] = k

    def backward(dz: Array) -> Array:
        dx = xp.zeros(shape, dtype)
        for k, (_, _, reached) in enumerate(taps(dx, (window, window), stride)):
            reached += xp.where(winner == k, dz, 0)
        return dx

    return z, backward
