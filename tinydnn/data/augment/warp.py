"""Moving the pixels of pictures by affine maps, on the CPU and on a GPU."""

import numpy as np

from tinydnn.backend import Array, array_module


def affine(x: Array, maps: np.ndarray, *, nearest: bool = False) -> Array:
    """Each picture, read where its map says:

        z[n, c, p] = x[n, c, A p + t]           with maps[n] = (A | t), p = (row, column) from the picture's middle

    between pixels bilinear, or the nearest pixel, as masks need; 0, which is black, outside. x, z: (N, C, H, W) uint8.
    maps: (N, 2, 3) float64, on the CPU.

    On the CPU Pillow does it, three times as fast as scipy.ndimage; on a GPU cupyx.scipy.ndimage, whose values may
    differ by one where they are rounded.
    """
    if x.dtype != np.uint8 or x.ndim != 4:
        raise ValueError(f"affine: x: expected uint8 (N, C, H, W), found {x.dtype} {x.shape}")
    if maps.shape != (len(x), 2, 3):
        raise ValueError(f"affine: maps: expected shape {(len(x), 2, 3)}, found {maps.shape}")
    return (_on_cpu if array_module(x) is np else _on_gpu)(x, maps, nearest)


def _on_cpu(x: Array, maps: np.ndarray, nearest: bool) -> Array:
    from PIL import Image

    how = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    height, width = x.shape[2:]
    middle = np.array([width, height]) / 2  # Pillow counts (column, row) from the corner of the first pixel
    z = np.empty_like(x)
    for n, chosen in enumerate(maps):
        turn, shift = chosen[::-1, 1::-1], chosen[::-1, 2]
        start = middle - turn @ middle + shift
        data = (*turn[0], start[0], *turn[1], start[1])
        for c, plane in enumerate(x[n]):
            picture = Image.fromarray(np.ascontiguousarray(plane))
            z[n, c] = picture.transform((width, height), Image.Transform.AFFINE, data, how)
    return z


def _on_gpu(x: Array, maps: np.ndarray, nearest: bool) -> Array:
    from cupyx.scipy import ndimage

    xp = array_module(x)
    middle = (np.array(x.shape[2:]) - 1) / 2  # between the centres of the first and the last pixel
    z = xp.empty_like(x)
    for n, chosen in enumerate(maps):
        turn, shift = chosen[:, :2], chosen[:, 2]
        start = middle - turn @ middle + shift
        for c in range(x.shape[1]):
            moved = ndimage.affine_transform(
                x[n, c].astype(np.float32), xp.asarray(turn), start, order=0 if nearest else 1
            )
            z[n, c] = xp.rint(moved)
    return z
