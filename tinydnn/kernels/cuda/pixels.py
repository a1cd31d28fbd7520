"""Gather normalised batches from a dataset of bytes in GPU memory."""

from math import prod

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cuda.layout import empty_like
from tinydnn.kernels.cuda.source import Source, blocks, int32

KERNELS = Source("pixels.cu", "gather")


def gather(images: Array, indices: Array, *, shift: float, scale: float, out: Array | None = None) -> Array:
    """x[b] = (images[indices[b]] − shift) / scale as float32, written to `out` if given.

    images: contiguous (N, C, H, W) uint8. indices: (B,) int64. An index out of range makes the image NaN.
    """
    size = prod(images.shape[1:])
    x = empty_like(images, (len(indices), *images.shape[1:]), np.float32) if out is None else out
    sizes = *int32(len(indices), len(images)), np.int64(size)
    threads = KERNELS.constant("THREADS")
    grid = blocks(size, KERNELS.constant("VECTOR") * threads), len(indices)
    KERNELS.launch("gather", grid, threads, images, indices, x, *sizes, np.float32(shift), np.float32(scale))
    return x
