"""Loops of max pooling over windows of any size that may overlap, a vector of channels at a time."""

from functools import cache
from typing import Any

from tinydnn.backend import Array
from tinydnn.kernels.numba.jit import compiled
from tinydnn.kernels.numba.simd.layout import StridedArray
from tinydnn.kernels.numba.simd.pooling import add_where_argmax, window_max


@cache
def forward_kernel(window: int) -> Any:
    """Value and argmax of images `start` … `stop − 1`, channels-last and padded to full vectors."""

    @compiled
    def forward(
        x: StridedArray, start: int, stop: int, z: Array, argmax: Array, stride: int, height: int, width: int,
        lanes: int,
    ) -> None:  # fmt: skip
        channels = x.shape[1]
        for n in range(start, stop):
            for i in range(height):
                for j in range(width):
                    at = ((n * height + i) * width + j) * channels
                    address = x.address + n * x.strides[0] + i * stride * x.strides[2] + j * stride * x.strides[3]
                    for c in range(0, channels, lanes):
                        window_max(address + c * z.itemsize, x.strides[2], x.strides[3], z, argmax, at + c, window)

    return forward


@compiled
def backward(
    dz: Array, argmax: Array, dx: Array, start: int, stop: int, sizes: tuple[int, ...], window: int, stride: int,
    lanes: int,
) -> None:  # fmt: skip
    """The gradient dx (N, H, W, C) from dz (N, H', W', C), both flat; sizes: H', W', H, W, C."""
    height, width, rows, columns, channels = sizes
    for n in range(start, stop):
        begin = n * rows * columns * channels
        dx[begin : begin + rows * columns * channels] = 0
        for i in range(height):
            for j in range(width):
                at = ((n * height + i) * width + j) * channels
                for u in range(window):
                    for v in range(window):
                        dx_at = begin + ((i * stride + u) * columns + j * stride + v) * channels
                        for c in range(0, channels, lanes):
                            add_where_argmax(dz, at + c, argmax, u * window + v, dx, dx_at + c)
