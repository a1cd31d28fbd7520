"""Max pooling of 2 × 2 windows that do not overlap, with threads over the images."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty
from tinydnn.kernels.cpu.pool2x2 import unpool
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.implementation import Backward


@ops.maxpool2d.implementation(
    "pairs", device="cpu", priority=10, supports=lambda call: call.window == 2 and call.stride in (None, 2)
)
def maxpool2d(x: Array, *, window: int = 2, stride: int | None = None) -> tuple[Array, Backward]:
    """Take the maximum of each pair of columns, then of each pair of rows, one image at a time.

    Faster than comparing four views of the whole batch: three comparisons instead of six passes, on arrays that stay
    in the cache. A tie goes to the left column, then to the upper row: the first in reading order, as in the reference.
    A NaN is the maximum of its window.
    """
    count, channels, *size = x.shape
    height, width = size[0] // 2, size[1] // 2
    z = empty((count, channels, height, width), x.dtype)
    winner = empty(z.shape, np.uint8)  # the argmax of each window, 0 to 3 in reading order

    def forward_part(part: slice) -> None:
        for n in range(part.start, part.stop):
            image = x[n, :, : 2 * height, : 2 * width]
            left, right = image[..., 0::2], image[..., 1::2]
            is_right, best = right > left, np.maximum(left, right)
            upper, lower = best[:, 0::2], best[:, 1::2]
            is_lower = lower > upper
            np.maximum(upper, lower, out=z[n])
            np.multiply(is_lower, np.uint8(2), out=winner[n])
            winner[n] += np.where(is_lower, is_right[:, 1::2], is_right[:, 0::2])

    over_batch(count, forward_part)

    def backward(dz: Array) -> Array:
        dx = np.zeros((count, channels, *size), dz.dtype)

        def backward_part(part: slice) -> None:
            for n in range(part.start, part.stop):
                phases = [dx[n, :, u : 2 * height : 2, v : 2 * width : 2] for u, v in np.ndindex(2, 2)]
                unpool(dz[n], winner[n], phases)

        over_batch(count, backward_part)
        return dx

    return z, backward
