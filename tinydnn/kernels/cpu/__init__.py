"""Implementations in NumPy."""

from tinydnn.kernels.cpu import conv2d, conv2d_relu_maxpool2d, maxpool2d

__all__ = ["conv2d", "conv2d_relu_maxpool2d", "maxpool2d"]
