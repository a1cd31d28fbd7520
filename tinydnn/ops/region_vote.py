"""Region vote: from a region map to the logits of the image, by counting the regions of each class."""

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(m: Array, *, least: float = 0.01) -> None:
    checks.floats("region_vote", m=m)
    checks.layout("region_vote", "m", m, "N K+1 H W")
    if m.shape[1] < 2:
        raise ValueError(f"region_vote: m: expected a channel of background and one or more classes, found {m.shape}")
    if not least > 0:
        raise ValueError(f"region_vote: least: expected a positive number, found {least}")


@operation(check=_check)
def region_vote(m: Array, *, least: float = 0.01) -> tuple[Array, Backward]:
    """The logarithm of the expected number of regions of each class.

        p[n,c,i,j]  = exp(m[n,c,i,j]) / Σ_d exp(m[n,d,i,j])              c = 0 is background, c = k + 1 is class k
        S[n,k]      = least + Σ_{i,j} p[n,k+1,i,j]
        z[n,k]      = log S[n,k]
        g[n,k+1]    = dz[n,k] / S[n,k],    g[n,0] = 0
        dm[n,c,i,j] = p[n,c,i,j] · (g[n,c] − Σ_d p[n,d,i,j] · g[n,d])

    So the softmax of z is the share of each class among the regions that are not background. `least` regions are added
    to every class, which evens out the shares of an image that is almost all background.

    m: (N, K+1, H, W). z: (N, K). `backward(dz)` returns dm.
    """
    xp = array_module(m)
    exponentials = xp.exp(m - m.max(axis=1, keepdims=True))
    p = exponentials / exponentials.sum(axis=1, keepdims=True)
    total = p[:, 1:].sum(axis=(2, 3)) + float(least)  # (N, K)

    def backward(dz: Array) -> Array:
        g = dz / total
        expected = xp.einsum("nkij,nk->nij", p[:, 1:], g)
        dm = -p * expected[:, None]
        dm[:, 1:] += p[:, 1:] * g[:, :, None, None]
        return dm

    return xp.log(total), backward
