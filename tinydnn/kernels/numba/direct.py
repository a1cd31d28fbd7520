"""Direct convolution on the CPU: value and gradients, with threads over the images."""

import numpy as np

from tinydnn.backend import Array
from tinydnn.kernels.cpu.memory import empty, zeros
from tinydnn.kernels.cpu.threads import over_batch
from tinydnn.kernels.numba import winograd
from tinydnn.ops.implementation import Arguments
from tinydnn.ops.windows import output_size, unpad

BAND_BYTES = 1 << 18  # a band of rows stays in a core's second-level cache
FEW_CHANNELS = 4  # up to here the channels of a pixel are not padded to a full vector

Gradients = tuple[Array | None, Array, Array | None]


def supports(arguments: Arguments) -> bool:
    """Square kernels, with less padding than the kernel's size."""
    return arguments.w.shape[2] == arguments.w.shape[3] and arguments.padding < arguments.w.shape[2]


def convolve(x: Array, w: Array, b: Array | None, *, stride: int = 1, padding: int = 0, relu: bool = False) -> Array:
    """The convolution (N, O, H', W') of x (N, C, H, W) with w (O, C, kh, kw) and b (O,) or None, optionally with ReLU.

    The result is channels-last in memory.
    """
    from tinydnn.kernels.numba.loops.convolution import Output, forward_kernel
    from tinydnn.kernels.numba.simd.layout import Layout, lanes, pack_kernel, padded_bias, round_up, strided
    from tinydnn.kernels.numba.simd.tiles import TILE

    (count, channels, *size), (out_channels, _, kh, kw), lane = x.shape, w.shape, lanes(x.dtype)
    height, width = (output_size(size[i] + 2 * padding, w.shape[2 + i], stride) for i in (0, 1))
    padded_out = round_up(out_channels, lane)
    vectors = 1 if padded_out // lane % 2 else 2
    rows, columns = round_up(height, 2), round_up(width, TILE // (2 * vectors))
    chunk = channels if channels <= FEW_CHANNELS else lane
    planes, row = round_up(channels, chunk) // chunk, max(size[1] + 2 * padding, (columns - 1) * stride + kw) * chunk
    band = _band_rows(rows, kh, stride, planes * row * x.itemsize)
    layout = Layout(chunk, row, ((band - 1) * stride + kh) * row, planes, padding)
    packed, bias = pack_kernel(w, chunk, vectors * lane), padded_bias(b, padded_out, x.dtype)
    z = empty((count, rows, columns, padded_out), x.dtype)
    forward, output = forward_kernel(chunk, vectors, int(stride), relu), Output(rows, columns, padded_out, band)

    def forward_part(part: slice) -> None:
        workspace = zeros((layout.size,), x.dtype)
        source = strided(x), part.start, part.stop, workspace, layout
        forward(*source, packed, kh, kw, vectors * lane, bias, z.reshape(-1), output)

    over_batch(count, forward_part)
    return z.transpose(0, 3, 1, 2)[:, :out_channels, :height, :width]


def relu_backward(z: Array, dz: Array) -> Array:
    """The gradient of ReLU: dz where z > 0, else 0."""
    dx = empty((len(z), *z.shape[2:], z.shape[1]), z.dtype).transpose(0, 3, 1, 2)
    over_batch(len(z), lambda part: np.multiply(dz[part], z[part] > 0, out=dx[part]))
    return dx


def gradients(
    x: Array, w: Array, b: Array | None, stride: int, padding: int, dz: Array, need_dx: bool = True
) -> Gradients:
    """(dx, dw, db) of a convolution, dx None unless it is needed."""
    from tinydnn.kernels.numba.loops.convolution import gradient_kernel
    from tinydnn.kernels.numba.simd.layout import Layout, from_taps, lanes, round_up, strided

    dx = _input_gradient(x, w, dz, stride, padding) if need_dx else None
    (_, _, height, width), (out_channels, _, kh, kw), lane = dz.shape, w.shape, lanes(x.dtype)
    channels, padded_out = round_up(x.shape[1], lane), round_up(out_channels, lane)
    row = max(x.shape[3] + 2 * padding, (width - 1) * stride + kw) * lane
    band = _band_rows(height, kh, stride, max(channels, padded_out) * row // lane * x.itemsize)
    layout = Layout(lane, row, ((band - 1) * stride + kh) * row, channels // lane, padding)
    dz_layout = Layout(lane, width * lane, band * width * lane, padded_out // lane, 0)

    def gradient_part(part: slice) -> tuple[Array, Array]:
        workspace, dz_workspace = (zeros((a.size,), x.dtype) for a in (layout, dz_layout))
        dw, db = zeros((padded_out * channels * kh * kw,), x.dtype), np.zeros(padded_out, x.dtype)
        source = strided(x), part.start, part.stop, workspace, layout
        upstream = strided(dz), dz_workspace, dz_layout
        gradient_kernel(kw if kw <= 3 else 1)(*source, *upstream, kh, kw, stride, band, dw, db)
        return dw, db

    dws, dbs = zip(*over_batch(len(x), gradient_part), strict=True)
    by_taps = np.sum(dws, axis=0).reshape(padded_out, channels // lane, kh, kw, lane)
    dw = from_taps(by_taps[:out_channels], x.shape[1])
    return dx, dw, None if b is None else np.sum(dbs, axis=0)[:out_channels]


def _input_gradient(x: Array, w: Array, dz: Array, stride: int, padding: int) -> Array:
    """The gradient dx. With stride s, every s-th pixel depends on every s-th tap, so s² convolutions of stride 1."""
    if stride == 1:
        return _transposed_convolution(dz, w, w.shape[2] - 1 - padding)
    (count, channels, *size), kernel = x.shape, w.shape[2]
    taps = -(-kernel // stride)
    padded = zeros((count, size[0] + 2 * padding, size[1] + 2 * padding, channels), x.dtype).transpose(0, 3, 1, 2)
    for u, v in np.ndindex(min(stride, kernel), min(stride, kernel)):
        phase_taps = w[:, :, u::stride, v::stride]
        square = np.zeros((*w.shape[:2], taps, taps), w.dtype)
        square[:, :, : phase_taps.shape[2], : phase_taps.shape[3]] = phase_taps
        gradient = _transposed_convolution(dz, square, taps - 1)
        target = padded[:, :, u::stride, v::stride][:, :, : gradient.shape[2], : gradient.shape[3]]
        target[...] = gradient[:, :, : target.shape[2], : target.shape[3]]
    return unpad(padded, padding)


def _transposed_convolution(dz: Array, w: Array, padding: int) -> Array:
    """The convolution of dz with the flipped kernel, from output to input channels.

    By Winograd's algorithm where it pays: its rounding does no harm here, because no comparison depends on dx.
    """
    flipped = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    if winograd.pays(flipped):
        return winograd.convolve(dz, flipped, None, padding)[0]
    return convolve(dz, flipped, None, padding=padding)


def _band_rows(rows: int, kernel: int, stride: int, row_bytes: int) -> int:
    """The number of output rows in a band: even, and as many as fit into `BAND_BYTES`."""
    fit = (BAND_BYTES // row_bytes - kernel + stride) // stride // 2 * 2
    return min(max(2, fit), rows + rows % 2)
