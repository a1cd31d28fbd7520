"""2 × 2 max pooling with bias and ReLU, and its gradient, shared by the kernels that fuse it with a convolution.

    z = max(0, b + max of the window)

Bias and ReLU come after the maximum, on a quarter of the values: both are monotonic, so z is the same.

`winner` is the argmax of each window, 0 to 3 in reading order (the first of equals), or CUT where ReLU outputs zero.
This byte is all that backward needs of the convolved values.
"""

from collections.abc import Iterable

import numpy as np

from tinydnn.backend import Array
from tinydnn.ops.implementation import Arguments

CUT = 4


def pools_2x2(arguments: Arguments) -> bool:
    """Whether a fused block pools 2 × 2 windows that do not overlap."""
    return arguments.window == 2 and arguments.pool_stride in (None, 2)


def pool_rows(rows: Array, bias: Array, z: Array, winner: Array) -> None:
    """Pool consecutive rows of pixels (2h, O, 2w) into z and winner (h, O, w).

    Whole rows are compared first, because NumPy takes several times as long for every other column.
    """
    upper, lower = rows[0::2], rows[1::2]
    is_lower = lower > upper
    best = np.maximum(upper, lower)
    left, right = best[..., 0::2], best[..., 1::2]
    left_is_lower, right_is_lower = is_lower[..., 0::2], is_lower[..., 1::2]
    # Reading order: of equals, the right one is first only if it is in the upper row and the left one is not.
    is_right = (right > left) | ((right == left) & left_is_lower & ~right_is_lower)
    np.maximum(left, right, out=z)
    z += bias[:, None]
    # Logical operations: NumPy takes twenty times as long to select with a mask.
    np.multiply((left_is_lower & ~is_right) | (right_is_lower & is_right), np.uint8(2), out=winner)
    winner += is_right
    np.maximum(winner, (z <= 0).view(np.uint8) * np.uint8(CUT), out=winner)
    np.maximum(z, 0, out=z)


def pool_phases(phases: Array, bias: Array | None, z: Array, winner: Array) -> None:
    """Pool the four pixels of each window, stored as four arrays (4, …, O, n), into z and winner (…, O, n).

    Each phase is contiguous, so this is faster than `pool_rows`. `phases` is overwritten.
    """
    upper, lower = phases[:2], phases[2:]
    argmax, lower_argmax = (np.greater(right, left).view(np.uint8) for left, right in (upper, lower))
    best, lower_best = (np.maximum(left, right, out=left) for left, right in (upper, lower))
    is_lower = np.greater(lower_best, best).view(np.uint8)
    np.maximum(best, lower_best, out=best)
    if bias is not None:
        best += bias[:, None]
    lower_argmax += 2
    lower_argmax -= argmax
    lower_argmax *= is_lower
    argmax += lower_argmax
    cut = np.less_equal(best, 0).view(np.uint8)
    cut *= CUT
    np.maximum(argmax, cut, out=winner)
    np.maximum(best, np.zeros(best.shape[-1], best.dtype), out=z)  # a row of zeros is faster than a scalar


def unpool(dz: Array, winner: Array, phases: Iterable[Array]) -> None:
    """Scatter dz to the winning pixels: to each of the four `phases`, dz where that pixel is the winner, else zero."""
    for k, phase in enumerate(phases):
        np.multiply(dz, winner == k, out=phase)


def copy_rows(rows: Array, out: Array) -> None:
    """Copy rows (O, h, w) to the first h rows of `out`, and set the others, which are below the image, to zero."""
    out[:, : rows.shape[1]] = rows
    out[:, rows.shape[1] :] = 0
