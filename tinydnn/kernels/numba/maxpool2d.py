"""Max pooling with windows that may overlap, compiled by Numba, with threads over the pictures."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty, zeros
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.operation import Arguments, Backward
from tinydnn.ops.windows import output_size

LARGEST_WINDOW = 5  # it is unrolled, and who won must fit into a byte


def _covered(call: Arguments) -> bool:
    return call.window <= LARGEST_WINDOW


@ops.maxpool2d.implementation("numba", device="cpu", priority=5, supports=_covered)
def maxpool2d(x: Array, *, window: int = 2, stride: int | None = None) -> tuple[Array, Backward]:
    """Compare a vector of channels at a time, and remember in a byte who of the window won.

    Faster than a pass over the whole batch for each pixel of the window: every window is read once, and its best stays
    in a register. z and dx lie in memory as (N, H, W, C).
    """
    from tinydnn.kernels.numba.loops import pooling
    from tinydnn.kernels.numba.simd.layout import lanes, pictures, round_up

    (count, channels, *size), step, lane = x.shape, stride or window, lanes(x.dtype)
    height, width = (output_size(one, window, step) for one in size)
    filled = round_up(channels, lane)
    seen = _channels_last(x, filled)
    z = empty((count, height, width, filled), x.dtype)
    winner = empty(z.shape, np.uint8)
    forward = pooling.forward_kernel(int(window))

    def forward_part(part: slice) -> None:
        forward(pictures(seen), part.start, part.stop, z.reshape(-1), winner.reshape(-1), step, height, width, lane)

    over_batch(count, forward_part)

    def backward(dz: Array) -> Array:
        dx = empty((count, *size, filled), x.dtype)
        given, sizes = _channels_last(dz, filled).transpose(0, 2, 3, 1).reshape(-1), (height, width, *size, filled)

        def backward_part(part: slice) -> None:
            pooling.backward(
                given, winner.reshape(-1), dx.reshape(-1), part.start, part.stop, sizes, window, step, lane
            )

        over_batch(count, backward_part)
        return dx.transpose(0, 3, 1, 2)[:, :channels]

    return z.transpose(0, 3, 1, 2)[:, :channels], backward


def _channels_last(x: Array, filled: int) -> Array:
    """The pictures x (N, C, H, W) with channels innermost in memory, filled up with zeros; x itself where it is so."""
    if x.shape[1] == filled and x.transpose(0, 2, 3, 1).flags.c_contiguous:
        return x
    copy = zeros((len(x), *x.shape[2:], filled), x.dtype)
    copy[..., : x.shape[1]] = x.transpose(0, 2, 3, 1)
    return copy.transpose(0, 3, 1, 2)
