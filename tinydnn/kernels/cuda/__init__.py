"""Implementations in CUDA. They need CuPy and a GPU, or the emulator; both load at the first launch."""

from tinydnn.kernels.cuda import (  # noqa: F401 - they register
    batchnorm2d,
    conv2d,
    conv2d_relu_maxpool2d,
    elementwise,
    linear,
    maxpool2d,
    pixels,
    softmax_cross_entropy,
    step_result,
    update,
)
from tinydnn.kernels.cuda.source import RawKernel

__all__ = ["RawKernel"]
