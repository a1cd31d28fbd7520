"""Batch normalisation: each channel is normalised to mean 0 and variance 1, then scaled and shifted."""

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(
    x: Array, gamma: Array, beta: Array, mean: Array, var: Array, *, batch_statistics: bool, eps: float = 1e-5
) -> None:
    name = "batchnorm2d"
    checks.floats(name, gamma=gamma, x=x, beta=beta, mean=mean, var=var)
    checks.layout(name, "x", x, "N C H W")
    checks.shape(name, "x", x, (len(x), gamma.size, *x.shape[2:]), f"for a gamma of shape {gamma.shape}")
    for argument, array in {"gamma": gamma, "beta": beta, "mean": mean, "var": var}.items():
        checks.shape(name, argument, array, (x.shape[1],), f"for an x of shape {x.shape}")
    if not eps > 0:
        raise ValueError(f"{name}: eps: expected a positive number, found {eps}")


@operation(check=_check)
def batchnorm2d(
    x: Array, gamma: Array, beta: Array, mean: Array, var: Array, *, batch_statistics: bool, eps: float = 1e-5
) -> tuple[Array, Backward]:
    """Normalise each channel with the given statistics, then scale by γ and shift by β.

        x̂ = (x − μ) / √(σ² + ε)
        z = γ · x̂ + β
        dγ = Σ dz · x̂,    dβ = Σ dz                                   sums over N, H, W, per channel

    With `batch_statistics` (training), μ and σ² must be `moments(x)`, and the gradient flows through them too. Without
    (evaluation), they are constants such as running averages. With M = N·H·W:

        dx = γ / √(σ² + ε) · (dz − dβ/M − x̂ · dγ/M)                    with batch statistics
        dx = γ / √(σ² + ε) · dz                                       without

    x, z: (N, C, H, W). gamma, beta, mean, var: (C,). `backward(dz, need_dx=True)` returns (dx, dγ, dβ); dx is
    None with `need_dx=False`.

    Source: Ioffe and Szegedy, Batch Normalization, section 3.
    """
    xp = array_module(x)
    inverse_std = 1 / xp.sqrt(var + float(eps))  # a NumPy scalar would turn float32 into float64
    x_hat = (x - mean[:, None, None]) * inverse_std[:, None, None]
    z = gamma[:, None, None] * x_hat + beta[:, None, None]

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array]:
        dgamma = (dz * x_hat).sum(axis=(0, 2, 3))
        dbeta = dz.sum(axis=(0, 2, 3))
        if not need_dx:
            return None, dgamma, dbeta
        flow = dz
        if batch_statistics:
            count = dz.size // dz.shape[1]
            flow = dz - (dbeta / count)[:, None, None] - x_hat * (dgamma / count)[:, None, None]
        return (gamma * inverse_std)[:, None, None] * flow, dgamma, dbeta

    return z, backward
