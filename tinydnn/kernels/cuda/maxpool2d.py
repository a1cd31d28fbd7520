"""Max pooling on a GPU: one kernel launch in each direction, and one byte for each pooled value."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cuda.layout import channels_first, channels_last, empty_like
from tinydnn.kernels.cuda.source import Source, ctype, for_floats, int32
from tinydnn.ops.implementation import Backward
from tinydnn.ops.windows import output_size

KERNELS = Source("maxpool2d.cu", *for_floats("maxpool_forward", "maxpool_backward"))


# A byte holds the argmax of a window of up to 15 × 15.
@ops.maxpool2d.implementation("cuda", device="cuda", priority=10, supports=lambda call: call.window <= 15)
def maxpool2d(x: Array, *, window: int = 2, stride: int | None = None) -> tuple[Array, Backward]:
    """One thread for each element, channels-last. winner: the argmax of each window, u · window + v, in a byte.

    Faster than the reference, whose comparisons pass through memory once for each position in the window.
    """
    stride = stride or window
    x_nhwc = channels_last(x)
    count, height, width, channels = x_nhwc.shape
    out = (count, output_size(height, window, stride), output_size(width, window, stride), channels)
    z, winner = empty_like(x, out), empty_like(x, out, np.uint8)
    sizes = int32(height, width, channels, *out[1:3], window, stride)
    kind = ctype(x.dtype)
    KERNELS.launch_for_each(f"maxpool_forward<{kind}>", z.size, x_nhwc, z, winner, np.int64(z.size), *sizes)

    def backward(dz: Array) -> Array:
        dx = empty_like(dz, (count, height, width, channels))
        arguments = channels_last(dz), winner, dx, np.int64(dx.size), *sizes
        KERNELS.launch_for_each(f"maxpool_backward<{kind}>", dx.size, *arguments)
        return channels_first(dx)

    return channels_first(z), backward
