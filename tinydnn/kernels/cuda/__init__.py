"""Implementations in CUDA, which need CuPy and a GPU, or an emulated one; both are looked for when first used."""

from tinydnn.kernels.cuda import (
    batchnorm2d,
    conv2d,
    conv2d_relu_maxpool2d,
    linear,
    maxpool2d,
    pixels,
    softmax_cross_entropy,
    update,
)
from tinydnn.kernels.cuda.source import RawKernel

__all__ = [
    "RawKernel",
    "batchnorm2d",
    "conv2d",
    "conv2d_relu_maxpool2d",
    "linear",
    "maxpool2d",
    "pixels",
    "softmax_cross_entropy",
    "update",
]
