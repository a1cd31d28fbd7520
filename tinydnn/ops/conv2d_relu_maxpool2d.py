"""Convolution, ReLU and max pooling as one operation: the block that the baseline network repeats."""

from tinydnn.backend import Array
from tinydnn.ops import checks
from tinydnn.ops.conv2d import conv2d
from tinydnn.ops.implementation import Backward, Bias
from tinydnn.ops.maxpool2d import maxpool2d
from tinydnn.ops.operation import operation
from tinydnn.ops.relu import relu
from tinydnn.ops.windows import output_size


def _check(
    x: Array, w: Array, b: Bias, *, stride: int = 1, padding: int = 0, window: int = 2, pool_stride: int | None = None
) -> None:
    conv2d.check(x, w, b, stride=stride, padding=padding)
    height = output_size(x.shape[2] + 2 * padding, w.shape[2], stride)
    width = output_size(x.shape[3] + 2 * padding, w.shape[3], stride)
    checks.pooling("conv2d_relu_maxpool2d", window, pool_stride, (height, width))


@operation(check=_check)
def conv2d_relu_maxpool2d(
    x: Array, w: Array, b: Bias, *, stride: int = 1, padding: int = 0, window: int = 2, pool_stride: int | None = None
) -> tuple[Array, Backward]:
    """The three formulas in sequence.

        z = maxpool2d(relu(conv2d(x, w, b)))

    with the gradients of each. A fused implementation need not store the intermediate arrays.

    x: (N, C, H, W). w: (O, C, kh, kw). b: (O,) or None. `backward(dz, need_dx=True)` returns (dx, dw, db) as
    `conv2d` does.
    """
    convolved, conv_backward = conv2d(x, w, b, stride=stride, padding=padding)
    activated, relu_backward = relu(convolved)
    z, pool_backward = maxpool2d(activated, window=window, stride=pool_stride)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        return conv_backward(relu_backward(pool_backward(dz)), need_dx=need_dx)

    return z, backward
