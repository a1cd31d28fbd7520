"""Cross-entropy of a region map against the class of each region."""

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(m: Array, targets: Array, weights: Array) -> None:
    checks.floats("region_cross_entropy", m=m, weights=weights)
    checks.layout("region_cross_entropy", "m", m, "N K+1 H W")
    regions = (m.shape[0], *m.shape[2:])
    for name, array in (("targets", targets), ("weights", weights)):
        checks.shape("region_cross_entropy", name, array, regions, f"for an m of shape {m.shape}")
    if targets.dtype.kind not in "iu" or bool((targets < 0).any()) or bool((targets >= m.shape[1]).any()):
        raise ValueError(f"region_cross_entropy: targets: expected integers from 0 to {m.shape[1] - 1}, found others")
    if bool((weights < 0).any()):
        raise ValueError("region_cross_entropy: weights: expected numbers of at least 0, found others")


@operation(check=_check)
def region_cross_entropy(m: Array, targets: Array, weights: Array) -> tuple[Array, Backward]:
    """The weighted mean over all regions of −log of the probability of their class.

        p[n,c,i,j]  = exp(m[n,c,i,j]) / Σ_d exp(m[n,d,i,j])
        L           = −1/W · Σ_{n,i,j} w[n,i,j] · log p[n,t[n,i,j],i,j]          with W = Σ w[n,i,j], or 1 if that is 0
        dm[n,c,i,j] = dL · w[n,i,j] / W · (p[n,c,i,j] − [c = t[n,i,j]])

    m: (N, K+1, H, W). targets: (N, H, W), integers 0 … K. weights: (N, H, W), 0 to ignore a region. L: a scalar
    array. `backward(dloss=1.0)` returns dm.

    Source: Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation, section 3.
    """
    xp = array_module(m)
    shifted = m - m.max(axis=1, keepdims=True)
    log_p = shifted - xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))
    is_target = targets[:, None] == xp.arange(m.shape[1])[:, None, None]  # (N, K+1, H, W)
    total = float(weights.sum()) or 1.0
    loss = -(weights * (log_p * is_target).sum(axis=1)).sum() / total

    def backward(dloss: float = 1.0) -> Array:
        return (xp.exp(log_p) - is_target) * (weights * (float(dloss) / total))[:, None]

    return loss, backward
