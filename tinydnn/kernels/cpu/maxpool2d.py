"""Max pooling for the window that networks use most, 2 × 2 without overlap."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.operation import Arguments, Backward


def _two_by_two(call: Arguments) -> bool:
    return call.window == 2 and call.stride in (None, 2)


@ops.maxpool2d.implementation("pairs", device="cpu", priority=10, supports=_two_by_two)
def maxpool2d(x: Array, *, window: int = 2, stride: int | None = None) -> tuple[Array, Backward]:
    """The better of each pair of columns, then the better of each pair of rows, a picture at a time.

    Faster than to compare four phases of the whole batch: three comparisons in place of six passes, on arrays that
    stay in the cache. A tie goes to the left column and then to the upper row, which is the first in reading
    order, as in the reference. (Where either is a NaN, the pair's better is a NaN.)
    """
    count, channels, height, width = x.shape
    shape = (channels, height // 2, width // 2)
    z = empty((count, *shape), x.dtype)
    below, right = empty((count, *shape), bool), empty((count, *shape), bool)

    def forward_part(part: slice) -> None:
        for n in range(part.start, part.stop):
            picture = x[n, :, : 2 * shape[1], : 2 * shape[2]]
            columns = picture[..., 0::2], picture[..., 1::2]
            is_right = columns[1] > columns[0]
            best = np.maximum(*columns)
            rows = best[:, 0::2], best[:, 1::2]
            np.maximum(*rows, out=z[n])
            np.greater(rows[1], rows[0], out=below[n])
            right[n] = np.where(below[n], is_right[:, 1::2], is_right[:, 0::2])

    over_batch(count, forward_part)

    def backward(dz: Array) -> Array:
        dx = np.zeros((count, channels, height, width), dz.dtype)

        def backward_part(part: slice) -> None:
            for n in range(part.start, part.stop):
                inner = dx[n, :, : 2 * shape[1], : 2 * shape[2]]
                for u, v in np.ndindex(2, 2):
                    won = (below[n] == u) & (right[n] == v)
                    np.multiply(dz[n], won, out=inner[:, u::2, v::2])

        over_batch(count, backward_part)
        return dx

    return z, backward
