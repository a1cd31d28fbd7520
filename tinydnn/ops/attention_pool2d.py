"""Attention pooling: the mean of all positions of an image, weighted by the softmax of their scores."""

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation
from tinydnn.ops.softmax_cross_entropy import softmax


def _check(x: Array, s: Array) -> None:
    checks.floats("attention_pool2d", x=x, s=s)
    checks.layout("attention_pool2d", "x", x, "N C H W")
    checks.shape("attention_pool2d", "s", s, (len(x), 1, *x.shape[2:]), f"for an x of shape {x.shape}")


@operation(check=_check)
def attention_pool2d(x: Array, s: Array) -> tuple[Array, Backward]:
    """The mean of the positions of each image, weighted by the softmax of their scores s.

        a[n,i,j]    = e^s[n,0,i,j] / Σ_{u,v} e^s[n,0,u,v]
        z[n,c]      = Σ_{i,j} a[n,i,j] · x[n,c,i,j]
        dx[n,c,i,j] = a[n,i,j] · dz[n,c]
        ds[n,0,i,j] = a[n,i,j] · Σ_c dz[n,c] · (x[n,c,i,j] − z[n,c])

    With equal scores this is `global_avgpool2d`. A score gains where its position says more than the mean does of what
    lowers the loss. x: (N, C, H, W). s: (N, 1, H, W). z: (N, C). `backward(dz)` returns (dx, ds).

    Source: Ilse, Tomczak and Welling, Attention-based Deep Multiple Instance Learning (2018), equation 7: the instances
    of a bag are the positions of an image here. How the scores come about is left to the layer.
    """
    xp = array_module(x)
    count, channels, height, width = x.shape
    positions = x.reshape(count, channels, height * width)
    a = position_weights(s).reshape(count, height * width, 1)
    z = (positions @ a)[:, :, 0]

    def backward(dz: Array) -> tuple[Array, Array]:
        dx = dz[:, :, None] * a.transpose(0, 2, 1)  # (N, C, H·W)
        da = dz[:, None] @ positions - xp.einsum("nc,nc->n", dz, z)[:, None, None]  # (N, 1, H·W)
        return dx.reshape(x.shape), (a.transpose(0, 2, 1) * da).reshape(s.shape)

    return z, backward


def position_weights(s: Array) -> Array:
    """The weights a of `attention_pool2d`, (N, H, W): the softmax of s, (N, 1, H, W), over the positions."""
    count, _, height, width = s.shape
    return softmax(s.reshape(count, height * width)).reshape(count, height, width)
