"""Batch normalisation on a GPU: one launch forward, three backward."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cuda.layout import channels_first, channels_last, empty_like, in_one_piece
from tinydnn.kernels.cuda.source import Source, blocks, ctype, int32, of_types
from tinydnn.ops.operation import Backward

FLOATS = ("float", "double")
NAMES = ("batchnorm_forward", "batchnorm_sums", "batchnorm_total", "batchnorm_dx")
KERNELS = Source("batchnorm2d.cu", *(kernel for name in NAMES for kernel in of_types(name, FLOATS)))
MOST_PARTS = 512


@ops.batchnorm2d.implementation("cuda", device="cuda", priority=10)
def batchnorm2d(
    x: Array,
    gamma: Array,
    beta: Array,
    mean: Array,
    var: Array,
    *,
    batch_statistics: bool,
    eps: float = 1e-5,
) -> tuple[Array, Backward]:
    """Read x once and write z once; backward, add both sums in two stages of a fixed order, then write dx.

    Faster than the reference, which keeps x̂ and goes through memory for each step of its formulas.
    """
    seen = channels_last(x)
    channels, pixels = seen.shape[3], seen.size // seen.shape[3]
    given = tuple(in_one_piece(one) for one in (gamma, beta, mean, var))
    scale, _, center, spread = given
    z = empty_like(x, seen.shape)
    kind, small = ctype(x.dtype), x.dtype.type(eps)
    size, width = np.int64(z.size), np.int32(channels)
    KERNELS.launch_for_each(f"batchnorm_forward<{kind}>", z.size, seen, *given, z, size, width, small)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array]:
        upstream = channels_last(dz)
        count = min(MOST_PARTS, blocks(pixels, 8))
        parts, both = empty_like(x, (count, 2, channels)), empty_like(x, (2, channels))
        grid = count, blocks(channels, 32)
        sums = seen, upstream, center, spread, parts, np.int64(pixels), width, small
        KERNELS.launch(f"batchnorm_sums<{kind}>", grid, 256, *sums)
        KERNELS.launch_for_each(f"batchnorm_total<{kind}>", 2 * channels, parts, both, *int32(count, channels))
        dgamma, dbeta = both[0].copy(), both[1].copy()
        if not need_dx:
            return None, dgamma, dbeta
        dx = empty_like(x, seen.shape)
        arrays = seen, upstream, scale, center, spread, both, dx
        kernel = f"batchnorm_dx<{kind}>"
        KERNELS.launch_for_each(kernel, dx.size, *arrays, size, width, small, np.bool_(batch_statistics))
        return channels_first(dx), dgamma, dbeta

    return channels_first(z), backward
