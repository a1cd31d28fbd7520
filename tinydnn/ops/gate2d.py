"""Gating: every element times a factor that a channel, or a position, has in common."""

from tinydnn.backend import Array
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(x: Array, a: Array) -> None:
    checks.floats("gate2d", x=x, a=a)
    checks.layout("gate2d", "x", x, "N C H W")
    by_channel, by_position = x.shape[:2], (len(x), 1, *x.shape[2:])
    if a.shape not in (by_channel, by_position):
        raise ValueError(
            f"gate2d: a: expected shape {by_channel} or {by_position} for an x of shape {x.shape}, found {a.shape}"
        )


@operation(check=_check)
def gate2d(x: Array, a: Array) -> tuple[Array, Backward]:
    """Multiply every channel, or every position, of an image by a factor of its own.

        z[n,c,i,j]  = a[n,c] · x[n,c,i,j]                 a: (N, C), one factor for each channel
        dx[n,c,i,j] = a[n,c] · dz[n,c,i,j]
        da[n,c]     = Σ_{i,j} dz[n,c,i,j] · x[n,c,i,j]

        z[n,c,i,j]  = a[n,0,i,j] · x[n,c,i,j]             a: (N, 1, H, W), one factor for each position
        dx[n,c,i,j] = a[n,0,i,j] · dz[n,c,i,j]
        da[n,0,i,j] = Σ_c dz[n,c,i,j] · x[n,c,i,j]

    x, z: (N, C, H, W). `backward(dz)` returns (dx, da).

    Source: Hu et al., Squeeze-and-Excitation Networks (2018), equation 4 (channels); Woo et al., CBAM (2018),
    equation 2 (channels and positions).
    """
    by_channel = a.ndim == 2
    factors = a[:, :, None, None] if by_channel else a

    def backward(dz: Array) -> tuple[Array, Array]:
        return factors * dz, (dz * x).sum(axis=(2, 3) if by_channel else 1).reshape(a.shape)

    return factors * x, backward
