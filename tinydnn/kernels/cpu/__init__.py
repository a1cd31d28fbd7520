"""Implementations in NumPy, and where Numba is installed in `compiled`."""

from tinydnn.kernels.cpu import (
    compiled,
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
    "compiled",
    "conv2d",
    "conv2d_loops",
    "conv2d_relu_maxpool2d",
    "conv2d_relu_maxpool2d_phases",
    "conv2d_relu_maxpool2d_winograd",
    "conv2d_rows",
    "linear",
    "maxpool2d",
]
