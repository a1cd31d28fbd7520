"""Batches from a dataset of bytes that lies on a GPU."""

from math import prod

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cuda.layout import empty_like
from tinydnn.kernels.cuda.source import THREADS, Source, blocks, int32

KERNELS = Source("pixels.cu", "gather")


def gather(pictures: Array, indices: Array, *, shift: float, scale: float, out: Array | None = None) -> Array:
    """x[b] = (pictures[indices[b]] − shift) / scale as float32, in `out` where it is given.

    pictures: (N, C, H, W) uint8 in one piece. indices: (B,) int64.
    """
    size = prod(pictures.shape[1:])
    x = empty_like(pictures, (len(indices), *pictures.shape[1:]), np.float32) if out is None else out
    sizes = *int32(len(indices), len(pictures)), np.int64(size)
    grid = blocks(size, 4 * THREADS), len(indices)
    KERNELS.launch("gather", grid, THREADS, pictures, indices, x, *sizes, np.float32(shift), np.float32(scale))
    return x
