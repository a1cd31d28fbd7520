"""Multi-head attention, image by image, with the images divided among the threads."""

import math

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.implementation import Backward


@ops.multihead_attention.implementation("images", device="cpu", priority=10)
def multihead_attention(q: Array, k: Array, v: Array, *, heads: int) -> tuple[Array, Backward]:
    """Run all steps on one image before the next, so that its weights (heads, T, T) are in a cache throughout.

    The weights of a whole batch are the largest arrays of a transformer: the formula as it stands reads and writes them
    in memory once a step, and takes a new array for each.
    """
    count, tokens, features = q.shape
    scale = 1 / math.sqrt(features // heads)
    a, z = empty((count, heads, tokens, tokens), q.dtype), empty(q.shape, q.dtype)

    def split(x: Array) -> Array:
        return x.reshape(tokens, heads, -1).swapaxes(0, 1)  # (T, D) as (heads, T, d)

    def forward_part(part: slice) -> None:
        for n in range(part.start, part.stop):
            weights = np.matmul(split(q[n] * scale), split(k[n]).swapaxes(1, 2), out=a[n])
            weights -= weights.max(axis=-1, keepdims=True)
            np.exp(weights, out=weights)
            weights /= weights.sum(axis=-1, keepdims=True)
            np.matmul(weights, split(v[n]), out=split(z[n]))

    over_batch(count, forward_part)

    def backward(dz: Array) -> tuple[Array, Array, Array]:
        dq, dk, dv = (empty(q.shape, q.dtype) for _ in range(3))

        def backward_part(part: slice) -> None:
            ds = empty((heads, tokens, tokens), q.dtype)
            for n in range(part.start, part.stop):
                weights, upstream = a[n], split(dz[n])
                np.matmul(weights.swapaxes(1, 2), upstream, out=split(dv[n]))
                np.matmul(upstream, split(v[n]).swapaxes(1, 2), out=ds)
                ds -= np.einsum("hts,hts->ht", weights, ds)[:, :, None]
                ds *= weights
                np.matmul(ds, split(k[n] * scale), out=split(dq[n]))
                np.matmul(ds.swapaxes(1, 2), split(q[n] * scale), out=split(dk[n]))

        over_batch(count, backward_part)
        return dq, dk, dv

    return z, backward
