"""Average pooling: the output is the mean of each window."""

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation
from tinydnn.ops.windows import taps


def _check(x: Array, *, window: int = 2, stride: int | None = None) -> None:
    checks.floats("avgpool2d", x=x)
    checks.layout("avgpool2d", "x", x, "N C H W")
    checks.pooling("avgpool2d", window, stride, x.shape[2:])


@operation(check=_check)
def avgpool2d(x: Array, *, window: int = 2, stride: int | None = None) -> tuple[Array, Backward]:
    """The mean of each window of k × k pixels.

        z[n,c,i,j]           = 1/k² · Σ_{u,v} x[n,c,i·s+u,j·s+v]
        dx[n,c,i·s+u,j·s+v] += dz[n,c,i,j] / k²      for every i, j, u, v

    x: (N, C, H, W). z: (N, C, H', W') with H' = (H − k) // s + 1, and W' likewise. s = k if `stride` is None.
    Trailing rows and columns that fill no window are ignored. `backward(dz)` returns dx.

    Source: Goodfellow et al., Deep Learning, section 9.3.
    """
    xp = array_module(x)
    window, stride = int(window), int(stride or window)  # a NumPy integer would turn float32 into float64
    shape, dtype = x.shape, x.dtype
    z: Array = sum(view for _, _, view in taps(x, (window, window), stride)) / window**2  # type: ignore[assignment]

    def backward(dz: Array) -> Array:
        share = dz / window**2
        dx = xp.zeros(shape, dtype)
        for _, _, dx_uv in taps(dx, (window, window), stride):
            dx_uv += share
        return dx

    return z, backward
