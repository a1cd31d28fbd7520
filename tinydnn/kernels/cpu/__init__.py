"""Implementations in NumPy."""

from tinydnn.kernels.cpu import conv2d, maxpool2d

__all__ = ["conv2d", "maxpool2d"]
