"""Multi-head attention: each token becomes a mean of all tokens, weighted by how well its query fits their keys."""

import math

from tinydnn.backend import Array
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation
from tinydnn.ops.softmax_cross_entropy import softmax


def _check(q: Array, k: Array, v: Array, *, heads: int) -> None:
    name = "multihead_attention"
    checks.floats(name, q=q, k=k, v=v)
    checks.layout(name, "q", q, "N T D")
    for argument, array in {"k": k, "v": v}.items():
        checks.shape(name, argument, array, q.shape, "like q")
    checks.integer(name, "heads", heads, least=1)
    if q.shape[2] % heads:
        raise ValueError(f"{name}: heads: expected a divisor of the {q.shape[2]} features, found {heads}")


@operation(check=_check)
def multihead_attention(q: Array, k: Array, v: Array, *, heads: int) -> tuple[Array, Backward]:
    """Scaled dot-product attention in `heads` groups of d = D / heads features, each on its own.

    With the features of a head as matrices q, k, v (T, d), for each image and head:

        a  = softmax(q · kᵀ / √d)           over the columns: row t is how much token t attends to each token
        z  = a · v
        dv = aᵀ · dz,    da = dz · vᵀ
        ds = a ∘ (da − rowsum(a ∘ da))      ∘: element by element
        dq = ds · k / √d,    dk = dsᵀ · q / √d

    q, k, v, z: (N, T, D), the features of head h being h·d … (h+1)·d − 1. `backward(dz)` returns (dq, dk, dv).

    The projections of q, k, v and z are not part of it; they are `linear`.

    Source: Vaswani et al., Attention Is All You Need (2017), sections 3.2.1 and 3.2.2.
    """
    a = attention_weights(q, k, heads=heads)  # (N, h, T, T)
    z = _merge(a @ _split(v, heads))

    def backward(dz: Array) -> tuple[Array, Array, Array]:
        dz = _split(dz, heads)  # (N, h, T, d)
        dv = a.swapaxes(2, 3) @ dz
        ds = dz @ _split(v, heads).swapaxes(2, 3)  # da, which the next lines turn into ds
        ds -= (a * ds).sum(axis=-1, keepdims=True)
        ds *= a
        ds *= _scale(q, heads)
        return _merge(ds @ _split(k, heads)), _merge(ds.swapaxes(2, 3) @ _split(q, heads)), _merge(dv)

    return z, backward


def attention_weights(q: Array, k: Array, *, heads: int) -> Array:
    """The weights a of `multihead_attention`, (N, heads, T, T); each row sums to 1. q, k: (N, T, D)."""
    scores = _split(q * _scale(q, heads), heads) @ _split(k, heads).swapaxes(2, 3)  # (N, h, T, T)
    return softmax(scores.reshape(-1, scores.shape[-1])).reshape(scores.shape)


def _scale(q: Array, heads: int) -> float:
    return 1 / math.sqrt(q.shape[2] // heads)


def _split(x: Array, heads: int) -> Array:
    """(N, T, D) as (N, heads, T, d)."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


def _merge(x: Array) -> Array:
    """(N, heads, T, d) as (N, T, D), the inverse of `_split`."""
    return x.swapaxes(1, 2).reshape(len(x), x.shape[2], -1)
