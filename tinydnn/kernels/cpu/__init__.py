"""Implementations in NumPy, with threads over the images of a batch."""

from tinydnn.kernels.cpu import (
    conv2d,
    conv2d_loops,
    conv2d_relu_maxpool2d,
    conv2d_relu_maxpool2d_phases,
    conv2d_relu_maxpool2d_winograd,
    conv2d_rows,
    linear,
    maxpool2d,
)

__all__ = [
    "conv2d",
    "conv2d_loops",
    "conv2d_relu_maxpool2d",
    "conv2d_relu_maxpool2d_phases",
    "conv2d_relu_maxpool2d_winograd",
    "conv2d_rows",
    "linear",
    "maxpool2d",
]
