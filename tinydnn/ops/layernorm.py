"""Layer normalisation: the features of each token are normalised to mean 0 and variance 1, then scaled and shifted."""

from tinydnn.backend import Array, array_module
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(x: Array, gamma: Array, beta: Array, *, eps: float = 1e-5) -> None:
    checks.floats("layernorm", gamma=gamma, x=x, beta=beta)
    checks.layout("layernorm", "x", x, "N T D")
    checks.shape("layernorm", "x", x, (*x.shape[:2], gamma.size), f"for a gamma of shape {gamma.shape}")
    for argument, array in {"gamma": gamma, "beta": beta}.items():
        checks.shape("layernorm", argument, array, (x.shape[2],), f"for an x of shape {x.shape}")
    if not eps > 0:
        raise ValueError(f"layernorm: eps: expected a positive number, found {eps}")


@operation(check=_check)
def layernorm(x: Array, gamma: Array, beta: Array, *, eps: float = 1e-5) -> tuple[Array, Backward]:
    """Normalise each token with the moments of its own features, then scale by γ and shift by β.

        μ = 1/D · Σ_d x,    σ² = 1/D · Σ_d (x − μ)²                    per token
        x̂ = (x − μ) / √(σ² + ε)
        z = γ · x̂ + β
        dγ[d] = Σ_{n,t} dz · x̂,    dβ[d] = Σ_{n,t} dz
        dx = (g − 1/D · Σ_d g − x̂ · 1/D · Σ_d g · x̂) / √(σ² + ε),    g = γ · dz

    No other token and no other image has a part in it, so training and evaluation are the same.

    x, z: (N, T, D), T tokens of D features. gamma, beta: (D,). `backward(dz, need_dx=True)` returns (dx, dγ, dβ); dx is
    None with `need_dx=False`.

    Source: Ba, Kiros and Hinton, Layer Normalization (2016), section 3.
    """
    xp = array_module(x)
    centred = x - x.mean(axis=-1, keepdims=True)
    inverse_std = 1 / xp.sqrt((centred * centred).mean(axis=-1, keepdims=True) + float(eps))
    x_hat = centred * inverse_std
    z = gamma * x_hat + beta

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array]:
        dgamma = (dz * x_hat).sum(axis=(0, 1))
        dbeta = dz.sum(axis=(0, 1))
        if not need_dx:
            return None, dgamma, dbeta
        g = gamma * dz
        flow = g - g.mean(axis=-1, keepdims=True) - x_hat * (g * x_hat).mean(axis=-1, keepdims=True)
        return flow * inverse_std, dgamma, dbeta

    return z, backward
