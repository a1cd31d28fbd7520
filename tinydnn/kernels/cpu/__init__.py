"""Implementations in NumPy, with threads over the images of a batch; importing this package registers them."""

from tinydnn.kernels.cpu import (  # noqa: F401 - they register
    conv2d_im2col,
    conv2d_loops,
    conv2d_relu_maxpool2d,
    conv2d_relu_maxpool2d_phases,
    conv2d_relu_maxpool2d_winograd,
    conv2d_rows,
    linear,
    maxpool2d,
    multihead_attention,
)
