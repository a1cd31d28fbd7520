"""Memory layouts of images and kernels inside a compiled kernel.

A band of rows of a padded image is packed into planes (⌈C/L⌉, rows, columns, L), with L the lanes of a vector. So a
neighbouring pixel is a fixed number of elements away, and L channels are one load. An image of one channel becomes one
plane (rows, columns), and an image of few channels one plane (rows, columns, C).
"""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import intrinsic

from tinydnn.backend import Array
from tinydnn.kernels.numba.jit import compiled
from tinydnn.kernels.numba.simd.vectors import VECTOR_BYTES, Code, Value, emitted


class StridedArray(NamedTuple):
    """An array of four axes that is only read: address of its first element, byte strides, shape."""

    address: int
    strides: tuple[int, ...]
    shape: tuple[int, ...]


class Layout(NamedTuple):
    """Planes of a packed band: channels in a plane, elements to the next row and plane, number of planes, padding."""

    chunk: int
    row_stride: int
    plane_stride: int
    planes: int
    padding: int

    @property
    def size(self) -> int:
        """The number of elements in all planes."""
        return self.planes * self.plane_stride


def strided(x: Array) -> StridedArray:
    """An array (N, C, H, W) in any memory layout, as compiled kernels read it."""
    return StridedArray(x.__array_interface__["data"][0], x.strides, x.shape)


def lanes(dtype: np.dtype[Any]) -> int:
    """The number of elements in a vector register."""
    return VECTOR_BYTES // dtype.itemsize


def round_up(count: int, step: int) -> int:
    """The next multiple of `step`."""
    return -(-count // step) * step


@intrinsic
def element_at(typing: Any, like: Any, address: Any) -> Any:
    """The element at an address, of the dtype of the array `like`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = Code(context, builder, like.dtype)
        return builder.load(builder.inttoptr(args[1], code.element.as_pointer()), typ=code.element)

    return like.dtype(like, address), codegen


@emitted
def copy_vector(code: Code, to: Value, at: Value, address: Value) -> None:
    """Copy a vector from an address to the array `to`, from element `at` on."""
    code.store(code.load_address(address), code.at(to, at))


@compiled
def pack_rows(x: StridedArray, n: int, first: int, rows: int, band: Array, layout: Layout) -> None:
    """Pack rows `first` … `first + rows − 1` of the padded image n into `band`; padding columns are not written."""
    _, channels, height, width = x.shape
    _, by_channel, by_row, by_column = x.strides
    item = band.itemsize
    vectors = layout.chunk * item == VECTOR_BYTES and by_channel == item  # whether chunks are vectors in x too
    whole = channels // layout.chunk if vectors else 0
    for i in range(rows):
        inside = 0 <= first + i - layout.padding < height
        source = x.address + n * x.strides[0] + (first + i - layout.padding) * by_row
        for k in range(whole):
            at = k * layout.plane_stride + i * layout.row_stride + layout.padding * layout.chunk
            if inside:
                for j in range(width):
                    copy_vector(band, at + j * layout.chunk, source + j * by_column + k * layout.chunk * item)
            else:
                band[at : at + width * layout.chunk] = 0
        for c in range(whole * layout.chunk, channels):
            plane = c // layout.chunk * layout.plane_stride
            at = plane + i * layout.row_stride + layout.padding * layout.chunk + c % layout.chunk
            for j in range(width):
                band[at + j * layout.chunk] = element_at(band, source + j * by_column + c * by_channel) if inside else 0


@compiled
def unpack_rows(band: Array, layout: Layout, first: int, rows: int, x: Array, n: int) -> None:
    """The reverse: copy those of rows `first` … `first + rows − 1` that are inside image n to x (N, H, W, C)."""
    _, height, width, channels = x.shape
    flat = x.reshape(-1)
    whole = channels // layout.chunk if layout.chunk > 1 else 0
    for i in range(rows):
        row = first + i - layout.padding
        if 0 <= row < height:
            x_at = (n * height + row) * width * channels
            for k in range(whole):
                at = k * layout.plane_stride + i * layout.row_stride + layout.padding * layout.chunk
                source = band.ctypes.data + at * band.itemsize
                for j in range(width):
                    copy_vector(flat, x_at + j * channels + k * layout.chunk, source + j * layout.chunk * flat.itemsize)
            for c in range(whole * layout.chunk, channels):
                plane = c // layout.chunk * layout.plane_stride
                at = plane + i * layout.row_stride + layout.padding * layout.chunk + c % layout.chunk
                for j in range(width):
                    flat[x_at + j * channels + c] = band[at + j * layout.chunk]


@compiled
def shift_rows(band: Array, layout: Layout, rows: int, overlap: int) -> None:
    """Move the last `overlap` of the first `rows` rows to the top of every plane, and zero the rest."""
    for k in range(layout.planes):
        start, end = k * layout.plane_stride, (k + 1) * layout.plane_stride
        for at in range(start, start + overlap * layout.row_stride):
            band[at] = band[at + (rows - overlap) * layout.row_stride]
        band[start + overlap * layout.row_stride : end] = 0


def pack_kernel(w: Array, chunk: int, group: int) -> Array:
    """The kernel (O, C, kh, kw) in the order of a forward tile: (O/group, C/chunk, kh, kw, chunk, group), flat."""
    padded = _padded_kernel(w, group, chunk)
    grouped = padded.reshape(-1, group, padded.shape[1] // chunk, chunk, *w.shape[2:])
    return np.ascontiguousarray(grouped.transpose(0, 2, 4, 5, 3, 1)).reshape(-1)


def to_taps(w: Array, chunk: int) -> Array:
    """The kernel (O, C, kh, kw) with channels innermost: (O, ⌈C/chunk⌉, kh, kw, chunk)."""
    padded = _padded_kernel(w, 1, chunk)
    return np.ascontiguousarray(padded.reshape(len(w), -1, chunk, *w.shape[2:]).transpose(0, 1, 3, 4, 2))


def from_taps(by_taps: Array, channels: int) -> Array:
    """The inverse of `to_taps`, for a gradient: (O, C, kh, kw)."""
    out_channels, _, kh, kw, _ = by_taps.shape
    padded = by_taps.transpose(0, 1, 4, 2, 3).reshape(out_channels, -1, kh, kw)
    return np.ascontiguousarray(padded[:, :channels])


def padded_bias(b: Array | None, size: int, dtype: np.dtype[Any]) -> Array:
    """The bias (O,), or zeros if there is none, zero-padded to `size`."""
    bias = np.zeros(size, dtype)
    if b is not None:
        bias[: len(b)] = b
    return bias


def _padded_kernel(w: Array, out_step: int, in_step: int) -> Array:
    padded = np.zeros((round_up(w.shape[0], out_step), round_up(w.shape[1], in_step), *w.shape[2:]), w.dtype)
    padded[: w.shape[0], : w.shape[1]] = w
    return padded
