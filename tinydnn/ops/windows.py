"""Sliding windows over an image, as one strided view per tap.

A kh × kw window that moves by `stride` pixels corresponds to kh·kw shifted, strided views of the image. Convolution and
pooling are sums or maxima over these views, and so are their gradients.
"""

from collections.abc import Iterator

from tinydnn.backend import Array, array_module


def output_size(size: int, window: int, stride: int) -> int:
    """The number of windows that fit along an axis; trailing pixels that fill none are ignored."""
    return (size - window) // stride + 1


def taps(x: Array, window: tuple[int, int], stride: int) -> Iterator[tuple[int, int, Array]]:
    """Yield (u, v, view) with view[..., i, j] = x[..., i·stride + u, j·stride + v], in row-major order.

    x: (..., H, W). Each view: (..., H', W'), and writes to it change x.
    """
    rows = stride * (output_size(x.shape[-2], window[0], stride) - 1) + 1
    columns = stride * (output_size(x.shape[-1], window[1], stride) - 1) + 1
    for u in range(window[0]):
        for v in range(window[1]):
            yield u, v, x[..., u : u + rows : stride, v : v + columns : stride]


def pad(x: Array, padding: int) -> Array:
    """x: (..., H, W) with `padding` rows and columns of zeros on each side; x itself if `padding` is 0."""
    if padding == 0:
        return x
    xp = array_module(x)
    height, width = x.shape[-2:]
    padded = xp.zeros((*x.shape[:-2], height + 2 * padding, width + 2 * padding), x.dtype)
    padded[..., padding:-padding, padding:-padding] = x
    return padded


def unpad(x: Array, padding: int) -> Array:
    """The image inside the padding, as a view."""
    return x if padding == 0 else x[..., padding:-padding, padding:-padding]
