"""Convolution and ReLU as one operation."""

from tinydnn.backend import Array
from tinydnn.ops.conv2d import conv2d
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation
from tinydnn.ops.relu import relu


@operation(check=conv2d.check)
def conv2d_relu(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """The two formulas in sequence.

        z = relu(conv2d(x, w, b))

    with the gradients of both. A fused implementation need not store the convolution's output, because ReLU passes the
    gradient exactly where z > 0.

    x: (N, C, H, W). w: (O, C, kh, kw). b: (O,) or None. `backward(dz, need_dx=True)` returns (dx, dw, db) as
    `conv2d` does.
    """
    convolved, conv_backward = conv2d(x, w, b, stride=stride, padding=padding)
    z, relu_backward = relu(convolved)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        return conv_backward(relu_backward(dz), need_dx=need_dx)

    return z, backward
