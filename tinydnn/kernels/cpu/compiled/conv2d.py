"""Direct convolution, compiled by Numba, with threads over the pictures."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty, zeros
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.ops.operation import Backward

BAND_BYTES = 1 << 18  # a band of rows stays in a core's second-level cache


def _covered(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> bool:
    return stride == 1 and w.shape[2] == w.shape[3] and padding < w.shape[2]


@ops.conv2d.implementation("numba", device="cpu", priority=20, supports=_covered)
def conv2d(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """Keep the sums of a few pixels and output channels in registers until they are complete.

    Faster than a matrix product: nothing is copied out into columns, kh·kw times as large as the picture, and weights
    and pixels are used many times for each time that they are loaded. dx is the convolution of dz with the kernel
    turned round. z and dx lie in memory as (N, H, W, C).
    """
    from tinydnn.kernels.cpu.compiled.convolution import gradient_kernel
    from tinydnn.kernels.cpu.compiled.layout import Planes, kernel_from_taps, lanes, pictures, round_up

    z = _convolve(x, w, b, padding)

    def backward(dz: Array, need_dx: bool = True) -> tuple[Array | None, Array, Array | None]:
        turned = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
        dx = _convolve(dz, turned, None, w.shape[2] - 1 - padding) if need_dx else None
        (_, channels, height, width), (out_channels, _, kh, kw), lane = dz.shape, w.shape, lanes(x.dtype)
        channels, all_out = round_up(x.shape[1], lane), round_up(out_channels, lane)
        row = (x.shape[3] + 2 * padding) * lane
        band = _band(height, kh, max(channels, all_out) * row // lane * x.itemsize)
        planes = Planes(lane, row, (band + kh - 1) * row, channels // lane, padding)
        dz_planes = Planes(lane, width * lane, band * width * lane, all_out // lane, 0)

        def backward_part(part: slice) -> tuple[Array, Array]:
            store, dz_store = (zeros((one.number * one.plane,), x.dtype) for one in (planes, dz_planes))
            dw, db = zeros((all_out * channels * kh * kw,), x.dtype), np.zeros(all_out, x.dtype)
            seen, gradient = (pictures(x), part.start, part.stop, store, planes), (pictures(dz), dz_store, dz_planes)
            gradient_kernel(kw if kw <= 3 else 1)(*seen, *gradient, kh, kw, band, dw, db)
            return dw, db

        dws, dbs = zip(*over_batch(len(x), backward_part), strict=True)
        by_taps = np.sum(dws, axis=0).reshape(all_out, channels // lane, kh, kw, lane)
        dw = kernel_from_taps(by_taps[:out_channels], x.shape[1])
        return dx, dw, None if b is None else np.sum(dbs, axis=0)[:out_channels]

    return z, backward


def _convolve(x: Array, w: Array, b: Array | None, padding: int) -> Array:
    """The convolution (N, O, H', W') of x (N, C, H, W) with w (O, C, k, k) and b (O,) or None."""
    from tinydnn.kernels.cpu.compiled.convolution import Convolved, forward_kernel
    from tinydnn.kernels.cpu.compiled.layout import Planes, kernel_for_sums, lanes, pictures, round_up
    from tinydnn.kernels.cpu.compiled.tiles import TILE

    (count, channels, *size), (out_channels, _, kh, kw), lane = x.shape, w.shape, lanes(x.dtype)
    height, width = size[0] + 2 * padding - kh + 1, size[1] + 2 * padding - kw + 1
    all_out = round_up(out_channels, lane)
    vectors = 1 if all_out // lane % 2 else 2
    rows, columns = round_up(height, 2), round_up(width, TILE // (2 * vectors))
    chunk = 1 if channels == 1 else lane
    number, row = round_up(channels, chunk) // chunk, max(size[1] + 2 * padding, columns + kw - 1) * chunk
    band = _band(rows, kh, number * row * x.itemsize)
    planes = Planes(chunk, row, (band + kh - 1) * row, number, padding)
    packed, bias = kernel_for_sums(w, chunk, vectors * lane), np.zeros(all_out, x.dtype)
    if b is not None:
        bias[:out_channels] = b
    z = empty((count, rows, columns, all_out), x.dtype)
    forward, out = forward_kernel(channels == 1, vectors), Convolved(rows, columns, all_out, band)

    def forward_part(part: slice) -> None:
        store = zeros((number * planes.plane,), x.dtype)
        given = pictures(x), part.start, part.stop, store, planes
        forward(*given, packed, kh, kw, vectors * lane, bias, z.reshape(-1), out)

    over_batch(count, forward_part)
    return z.transpose(0, 3, 1, 2)[:, :out_channels, :height, :width]


def _band(rows: int, kernel: int, row_bytes: int) -> int:
    """How many rows of output to make at a time: an even number."""
    fit = (BAND_BYTES // row_bytes - kernel + 1) // 2 * 2
    return min(max(2, fit), rows + rows % 2)
