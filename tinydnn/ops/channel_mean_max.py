"""Mean and maximum over the channels: what all features together say about each position."""

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(x: Array) -> None:
    checks.floats("channel_mean_max", x=x)
    checks.layout("channel_mean_max", "x", x, "N C H W")


@operation(check=_check)
def channel_mean_max(x: Array) -> tuple[Array, Backward]:
    """The mean and the maximum over the channels at each position, as two channels.

        z[n,0,i,j]  = 1/C · Σ_c x[n,c,i,j]
        z[n,1,i,j]  = max_c x[n,c,i,j]
        dx[n,c,i,j] = dz[n,0,i,j] / C + dz[n,1,i,j] · [c = c*]        c* the argmax at (i, j), the first if several

    x: (N, C, H, W). z: (N, 2, H, W). `backward(dz)` returns dx.

    Source: Woo et al., CBAM (2018), section 3, spatial attention module.
    """
    xp = array_module(x)
    channels = x.shape[1]
    largest = x.argmax(axis=1)[:, None]  # (N, 1, H, W)
    z = xp.concatenate((x.mean(axis=1, keepdims=True), xp.take_along_axis(x, largest, axis=1)), axis=1)

    def backward(dz: Array) -> Array:
        mean, maximum = dz[:, :1], dz[:, 1:]
        is_largest = xp.arange(channels)[:, None, None] == largest
        return mean / channels + maximum * is_largest

    return z, backward
