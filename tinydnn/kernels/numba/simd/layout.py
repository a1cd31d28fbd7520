"""How pictures and kernels lie in memory while a compiled kernel works on them.

A band of rows of a padded picture becomes planes (⌈C/L⌉, rows, columns, L): L channels, as many as a vector has lanes,
side by side for each pixel. So a neighbouring pixel is a fixed number of bytes away, and L channels are one load. A
picture of one channel stays one plane (rows, columns), and one of few channels one plane (rows, columns, C).
"""

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from tinydnn.backend import Array
from tinydnn.kernels.numba.jit import compiled
from tinydnn.kernels.numba.simd.vectors import VECTOR_BYTES, Code


class Pictures(NamedTuple):
    """A batch that is only read: the address of its first number, byte strides and sizes (N, C, H, W)."""

    address: int
    strides: tuple[int, ...]
    shape: tuple[int, ...]


class Planes(NamedTuple):
    """A layout: channels side by side, elements from row to row and plane to plane, how many planes, padding."""

    chunk: int
    row: int
    plane: int
    number: int
    padding: int


def pictures(x: Array) -> Pictures:
    """The batch x (N, C, H, W) as a compiled kernel reads it, however it lies in memory."""
    return Pictures(x.__array_interface__["data"][0], x.strides, x.shape)


def lanes(dtype: np.dtype[Any]) -> int:
    """How many numbers a vector register holds."""
    return VECTOR_BYTES // dtype.itemsize


def round_up(number: int, step: int) -> int:
    """The next multiple of `step`."""
    return -(-number // step) * step


@intrinsic
def number_at(typing: Any, like: Any, where: Any) -> Any:
    """The number at an address, of the type that the array `like` holds."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, like)
        return builder.load(builder.inttoptr(args[1], code.number.as_pointer()), typ=code.number)

    return like.dtype(like, where), codegen


@intrinsic
def copy_vector(typing: Any, to: Any, at: Any, where: Any) -> Any:
    """Copy a vector of numbers from an address to the array `to`, from its element `at` on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, to)
        value = code.load(builder.inttoptr(args[2], code.number.as_pointer()))
        code.store(value, code.pointer(to, args[0], args[1]))
        return context.get_dummy_value()

    return types.void(to, at, where), codegen


@compiled
def lay_out(x: Pictures, n: int, first: int, rows: int, to: Array, into: Planes) -> None:
    """Rows `first` … `first + rows − 1` of picture n with its padding; columns of padding are never written."""
    _, channels, height, width = x.shape
    _, by_channel, by_row, by_column = x.strides
    item = to.itemsize
    vectors = into.chunk * item == VECTOR_BYTES and by_channel == item  # whether chunks are vectors in memory
    whole = channels // into.chunk if vectors else 0
    for i in range(rows):
        inside = 0 <= first + i - into.padding < height
        source = x.address + n * x.strides[0] + (first + i - into.padding) * by_row
        for k in range(whole):
            at = k * into.plane + i * into.row + into.padding * into.chunk
            if inside:
                for j in range(width):
                    copy_vector(to, at + j * into.chunk, source + j * by_column + k * into.chunk * item)
            else:
                to[at : at + width * into.chunk] = 0
        for c in range(whole * into.chunk, channels):
            at = c // into.chunk * into.plane + i * into.row + into.padding * into.chunk + c % into.chunk
            for j in range(width):
                to[at + j * into.chunk] = number_at(to, source + j * by_column + c * by_channel) if inside else 0


@compiled
def take_out(planes: Array, layout: Planes, first: int, rows: int, to: Array, n: int) -> None:
    """The way back: of rows `first` … those inside picture n, to an array (N, H, W, C)."""
    _, height, width, channels = to.shape
    flat = to.reshape(-1)
    whole = channels // layout.chunk if layout.chunk > 1 else 0
    for i in range(rows):
        row = first + i - layout.padding
        if 0 <= row < height:
            into = (n * height + row) * width * channels
            for k in range(whole):
                at = k * layout.plane + i * layout.row + layout.padding * layout.chunk
                source = planes.ctypes.data + at * planes.itemsize
                for j in range(width):
                    copy_vector(flat, into + j * channels + k * layout.chunk, source + j * layout.chunk * flat.itemsize)
            for c in range(whole * layout.chunk, channels):
                at = (
                    c // layout.chunk * layout.plane + i * layout.row + layout.padding * layout.chunk + c % layout.chunk
                )
                for j in range(width):
                    flat[into + j * channels + c] = planes[at + j * layout.chunk]


@compiled
def move_up(planes: Array, layout: Planes, rows: int, kept: int) -> None:
    """Make the last `kept` of the first `rows` rows the first, and all others zero, in every plane."""
    for k in range(layout.number):
        start, end = k * layout.plane, (k + 1) * layout.plane
        for at in range(start, start + kept * layout.row):
            planes[at] = planes[at + (rows - kept) * layout.row]
        planes[start + kept * layout.row : end] = 0


def kernel_for_sums(w: Array, chunk: int, group: int) -> Array:
    """The kernel (O, C, kh, kw) in the order of a tile: (O/group, C/chunk, kh, kw, chunk, group), flat."""
    full = _filled_up(w, group, chunk)
    grouped = full.reshape(-1, group, full.shape[1] // chunk, chunk, *w.shape[2:])
    return np.ascontiguousarray(grouped.transpose(0, 2, 4, 5, 3, 1)).reshape(-1)


def kernel_by_taps(w: Array, chunk: int) -> Array:
    """The kernel (O, C, kh, kw) with channels innermost: (O, ⌈C/chunk⌉, kh, kw, chunk)."""
    full = _filled_up(w, 1, chunk)
    return np.ascontiguousarray(full.reshape(len(w), -1, chunk, *w.shape[2:]).transpose(0, 1, 3, 4, 2))


def kernel_from_taps(by_taps: Array, channels: int) -> Array:
    """The way back, for a gradient: (O, C, kh, kw)."""
    out_channels, _, kh, kw, _ = by_taps.shape
    full = by_taps.transpose(0, 1, 4, 2, 3).reshape(out_channels, -1, kh, kw)
    return np.ascontiguousarray(full[:, :channels])


def _filled_up(w: Array, out_step: int, in_step: int) -> Array:
    full = np.zeros((round_up(w.shape[0], out_step), round_up(w.shape[1], in_step), *w.shape[2:]), w.dtype)
    full[: w.shape[0], : w.shape[1]] = w
    return full
