"""Windows that slide over a picture, seen tap by tap.

A window of kh × kw positions that moves in steps of `stride` is kh·kw shifted, strided views of the picture.
Convolution and pooling are sums or maxima over these views, and so are their gradients.
"""

from collections.abc import Iterator

from tinydnn.backend import Array, array_module


def output_size(size: int, window: int, stride: int) -> int:
    """How many windows fit along an axis; what is left over at the end is not seen."""
    return (size - window) // stride + 1


def taps(x: Array, window: tuple[int, int], stride: int) -> Iterator[tuple[int, int, Array]]:
    """Yield (u, v, view) with view[..., i, j] = x[..., i·stride + u, j·stride + v], row by row.

    x: (..., H, W). Each view: (..., H', W'), and it writes through to x.
    """
    rows = stride * (output_size(x.shape[-2], window[0], stride) - 1) + 1
    columns = stride * (output_size(x.shape[-1], window[1], stride) - 1) + 1
    for u in range(window[0]):
        for v in range(window[1]):
            yield u, v, x[..., u : u + rows : stride, v : v + columns : stride]


def pad(x: Array, padding: int) -> Array:
    """x: (..., H, W) with `padding` rows and columns of zeros on each side; x itself where that is 0."""
    if padding == 0:
        return x
    xp = array_module(x)
    height, width = x.shape[-2:]
    padded = xp.zeros((*x.shape[:-2], height + 2 * padding, width + 2 * padding), x.dtype)
    padded[..., padding:-padding, padding:-padding] = x
    return padded


def unpad(x: Array, padding: int) -> Array:
    """The inner part that `pad` put its picture into, as a view."""
    return x if padding == 0 else x[..., padding:-padding, padding:-padding]
