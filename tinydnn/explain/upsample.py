"""From the positions of a feature map to the pixels of the image."""

from tinydnn.backend import Array, array_module


def upsample(maps: Array, height: int, width: int) -> Array:
    """Bilinear interpolation, separable into rows and columns: z = R · maps · Cᵀ.

    Pixel i of `height` has its centre at (i + 1/2) · H'/height − 1/2 among the H' positions; beyond the outermost
    centres the outermost values go on. maps: (N, H', W'). z: (N, height, width).
    """
    return _weights(maps, height, axis=1) @ maps @ _weights(maps, width, axis=2).T


def _weights(maps: Array, size: int, axis: int) -> Array:
    """The matrix (size, positions) of linear interpolation; each row sums to 1."""
    xp, positions = array_module(maps), maps.shape[axis]
    centres = xp.clip((xp.arange(size) + 0.5) * (positions / size) - 0.5, 0, positions - 1)
    return xp.maximum(0, 1 - abs(centres[:, None] - xp.arange(positions))).astype(maps.dtype)
