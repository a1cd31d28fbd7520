"""Max pooling, also with overlapping windows, compiled by Numba, with threads over the images."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty, zeros
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.implementation import Backward
from tinydnn.ops.windows import output_size

LARGEST_WINDOW = 5  # the loop over the window is unrolled, and the argmax must fit into a byte


@ops.maxpool2d.implementation("numba", device="cpu", priority=5, supports=lambda call: call.window <= LARGEST_WINDOW)
def maxpool2d(x: Array, *, window: int = 2, stride: int | None = None) -> tuple[Array, Backward]:
    """Compare a vector of channels at a time, and store the argmax of each window in a byte.

    Faster than a pass over the batch for each pixel of the window: every window is read once, and its maximum stays in
    a register. z and dx are channels-last in memory.
    """
    from tinydnn.kernels.numba.loops import pooling
    from tinydnn.kernels.numba.simd.layout import lanes, round_up, strided

    (count, channels, *size), step, lane = x.shape, stride or window, lanes(x.dtype)
    height, width = (output_size(extent, window, step) for extent in size)
    padded = round_up(channels, lane)
    source = _channels_last(x, padded)
    z = empty((count, height, width, padded), x.dtype)
    argmax = empty(z.shape, np.uint8)
    forward = pooling.forward_kernel(int(window))

    def forward_part(part: slice) -> None:
        output = z.reshape(-1), argmax.reshape(-1)
        forward(strided(source), part.start, part.stop, *output, step, height, width, lane)

    over_batch(count, forward_part)

    def backward(dz: Array) -> Array:
        dx = empty((count, *size, padded), x.dtype)
        upstream = _channels_last(dz, padded).transpose(0, 2, 3, 1).reshape(-1)
        arrays, sizes = (upstream, argmax.reshape(-1), dx.reshape(-1)), (height, width, *size, padded)
        over_batch(count, lambda part: pooling.backward(*arrays, part.start, part.stop, sizes, window, step, lane))
        return dx.transpose(0, 3, 1, 2)[:, :channels]

    return z.transpose(0, 3, 1, 2)[:, :channels], backward


def _channels_last(x: Array, padded: int) -> Array:
    """The images x (N, C, H, W) channels-last in memory, zero-padded to `padded` channels. Copies only if needed."""
    if x.shape[1] == padded and x.transpose(0, 2, 3, 1).flags.c_contiguous:
        return x
    copy = zeros((len(x), *x.shape[2:], padded), x.dtype)
    copy[..., : x.shape[1]] = x.transpose(0, 2, 3, 1)
    return copy.transpose(0, 3, 1, 2)
