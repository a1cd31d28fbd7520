"""From the positions of a feature map to the pixels of the image."""

from tinydnn import ops
from tinydnn.backend import Array, array_module


def upsample(maps: Array, height: int, width: int) -> Array:
    """Bilinear interpolation, separable into rows and columns: z = R · maps · Cᵀ.

    Pixel i of `height` has its centre at (i + 1/2) · H'/height − 1/2 among the H' positions; beyond the outermost
    centres the outermost values go on. maps: (N, H', W'). z: (N, height, width).
    """
    rows = _interpolate(maps.swapaxes(1, 2), height)  # (N, W', height)
    return _interpolate(rows.swapaxes(1, 2), width)


def _interpolate(x: Array, size: int) -> Array:
    """Linear interpolation along the last axis, as a fully connected layer, whose kernels divide it among threads."""
    *shape, positions = x.shape
    w = _weights(x, size, positions)
    z, _ = ops.linear(x.reshape(-1, positions), w, array_module(x).zeros(size, x.dtype))
    return z.reshape(*shape, size)


def _weights(x: Array, size: int, positions: int) -> Array:
    """The matrix (size, positions) of linear interpolation; each row sums to 1."""
    xp = array_module(x)
    centres = xp.clip((xp.arange(size) + 0.5) * (positions / size) - 0.5, 0, positions - 1)
    return xp.maximum(0, 1 - abs(centres[:, None] - xp.arange(positions))).astype(x.dtype)
