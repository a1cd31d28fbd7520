"""Direct convolution, with or without ReLU, compiled by Numba, with threads over the pictures."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty, zeros
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.kernels.numba import winograd as filtering
from tinydnn.ops.operation import Arguments, Backward
from tinydnn.ops.windows import output_size, unpad

BAND_BYTES = 1 << 18  # a band of rows stays in a core's second-level cache
FEW = 4  # channels that lie side by side as they are, not filled up to a vector

Gradients = tuple[Array | None, Array, Array | None]


def _covered(call: Arguments) -> bool:
    return call.w.shape[2] == call.w.shape[3] and call.padding < call.w.shape[2]


@ops.conv2d.implementation("numba", device="cpu", priority=20, supports=_covered)
def conv2d(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """Keep the sums of a few pixels and output channels in registers until they are complete.

    Faster than a matrix product: nothing is copied out into columns, kh·kw times as large as the picture, and weights
    and pixels are used many times for each time that they are loaded. dx is the convolution of dz with the kernel
    turned round. z and dx lie in memory as (N, H, W, C).
    """

    def backward(dz: Array, need_dx: bool = True) -> Gradients:
        return gradients(x, w, b, dz, need_dx, stride, padding)

    return convolve(x, w, b, stride=stride, padding=padding), backward


@ops.conv2d_relu.implementation("numba", device="cpu", priority=20, supports=_covered)
def conv2d_relu(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0) -> tuple[Array, Backward]:
    """The direct convolution, cut off below zero before it is stored.

    Faster than the two in sequence, which write all of it, read it and write it again. z says what was cut off.
    """
    z = convolve(x, w, b, stride=stride, padding=padding, relu=True)

    def backward(dz: Array, need_dx: bool = True) -> Gradients:
        return gradients(x, w, b, where_positive(z, dz), need_dx, stride, padding)

    return z, backward


def convolve(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0, relu: bool = False) -> Array:
    """The convolution (N, O, H', W') of x (N, C, H, W) with w (O, C, k, k) and b (O,) or None; cut off or not."""
    from tinydnn.kernels.numba.loops.convolution import Convolved, forward_kernel
    from tinydnn.kernels.numba.simd.layout import Planes, kernel_for_sums, lanes, pictures, round_up
    from tinydnn.kernels.numba.simd.tiles import TILE

    (count, channels, *size), (out_channels, _, kh, kw), lane = x.shape, w.shape, lanes(x.dtype)
    height, width = (output_size(size[i] + 2 * padding, w.shape[2 + i], stride) for i in (0, 1))
    all_out = round_up(out_channels, lane)
    vectors = 1 if all_out // lane % 2 else 2
    rows, columns = round_up(height, 2), round_up(width, TILE // (2 * vectors))
    chunk = channels if channels <= FEW else lane
    number, row = round_up(channels, chunk) // chunk, max(size[1] + 2 * padding, (columns - 1) * stride + kw) * chunk
    band = _band(rows, kh, stride, number * row * x.itemsize)
    planes = Planes(chunk, row, ((band - 1) * stride + kh) * row, number, padding)
    packed, bias = kernel_for_sums(w, chunk, vectors * lane), np.zeros(all_out, x.dtype)
    if b is not None:
        bias[:out_channels] = b
    z = empty((count, rows, columns, all_out), x.dtype)
    forward, out = forward_kernel(chunk, vectors, int(stride), relu), Convolved(rows, columns, all_out, band)

    def forward_part(part: slice) -> None:
        store = zeros((number * planes.plane,), x.dtype)
        given = pictures(x), part.start, part.stop, store, planes
        forward(*given, packed, kh, kw, vectors * lane, bias, z.reshape(-1), out)

    over_batch(count, forward_part)
    return z.transpose(0, 3, 1, 2)[:, :out_channels, :height, :width]


def where_positive(z: Array, dz: Array) -> Array:
    """The gradient dz where z > 0, else 0: ReLU's."""
    flow = empty((len(z), *z.shape[2:], z.shape[1]), z.dtype).transpose(0, 3, 1, 2)
    over_batch(len(z), lambda part: np.multiply(dz[part], z[part] > 0, out=flow[part]))
    return flow


def gradients(
    x: Array, w: Array, b: Array | None, dz: Array, need_dx: bool, stride: int, padding: int,
) -> Gradients:  # fmt: skip
    """(dx, dw, db) of a convolution."""
    from tinydnn.kernels.numba.loops.convolution import gradient_kernel
    from tinydnn.kernels.numba.simd.layout import Planes, kernel_from_taps, lanes, pictures, round_up

    dx = _gradient_of_pixels(x, w, dz, stride, padding) if need_dx else None
    (_, channels, height, width), (out_channels, _, kh, kw), lane = dz.shape, w.shape, lanes(x.dtype)
    channels, all_out = round_up(x.shape[1], lane), round_up(out_channels, lane)
    row = max(x.shape[3] + 2 * padding, (width - 1) * stride + kw) * lane
    band = _band(height, kh, stride, max(channels, all_out) * row // lane * x.itemsize)
    planes = Planes(lane, row, ((band - 1) * stride + kh) * row, channels // lane, padding)
    dz_planes = Planes(lane, width * lane, band * width * lane, all_out // lane, 0)

    def part(part: slice) -> tuple[Array, Array]:
        store, dz_store = (zeros((one.number * one.plane,), x.dtype) for one in (planes, dz_planes))
        dw, db = zeros((all_out * channels * kh * kw,), x.dtype), np.zeros(all_out, x.dtype)
        seen, gradient = (pictures(x), part.start, part.stop, store, planes), (pictures(dz), dz_store, dz_planes)
        gradient_kernel(kw if kw <= 3 else 1)(*seen, *gradient, kh, kw, stride, band, dw, db)
        return dw, db

    dws, dbs = zip(*over_batch(len(x), part), strict=True)
    by_taps = np.sum(dws, axis=0).reshape(all_out, channels // lane, kh, kw, lane)
    dw = kernel_from_taps(by_taps[:out_channels], x.shape[1])
    return dx, dw, None if b is None else np.sum(dbs, axis=0)[:out_channels]


def _gradient_of_pixels(x: Array, w: Array, dz: Array, stride: int, padding: int) -> Array:
    """The gradient (N, C, H, W). With a stride s, every s-th pixel sees every s-th tap: s² convolutions without one."""
    if stride == 1:
        return _back(dz, w, w.shape[2] - 1 - padding)
    (count, channels, *size), kernel = x.shape, w.shape[2]
    taps = -(-kernel // stride)
    padded = zeros((count, size[0] + 2 * padding, size[1] + 2 * padding, channels), x.dtype).transpose(0, 3, 1, 2)
    for u, v in np.ndindex(min(stride, kernel), min(stride, kernel)):
        some = w[:, :, u::stride, v::stride]
        square = np.zeros((*w.shape[:2], taps, taps), w.dtype)
        square[:, :, : some.shape[2], : some.shape[3]] = some
        of_phase = _back(dz, square, taps - 1)
        to = padded[:, :, u::stride, v::stride][:, :, : of_phase.shape[2], : of_phase.shape[3]]
        to[...] = of_phase[:, :, : to.shape[2], : to.shape[3]]
    return unpad(padded, padding)


def _back(dz: Array, w: Array, padding: int) -> Array:
    """The convolution with the kernel turned round, from output to input channels.

    By Winograd's filtering where that pays: nothing is compared here, so that its rounding does no harm.
    """
    turned = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    if filtering.pays(turned):
        return filtering.convolve(dz, turned, None, padding, filtering.AS_IT_IS)[0]
    return convolve(dz, turned, None, padding=padding)


def _band(rows: int, kernel: int, stride: int, row_bytes: int) -> int:
    """How many rows of output to make at a time: an even number."""
    fit = (BAND_BYTES // row_bytes - kernel + stride) // stride // 2 * 2
    return min(max(2, fit), rows + rows % 2)
