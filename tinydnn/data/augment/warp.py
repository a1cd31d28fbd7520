"""Affine warps of images, on the CPU and on a GPU."""

import numpy as np

from tinydnn.backend import Array, array_module


def affine(x: Array, maps: np.ndarray, *, nearest: bool = False) -> Array:
    """Warp each image by its own affine map:

        z[n, c, p] = x[n, c, A p + t]           with maps[n] = (A | t), p = (row, column) from the centre of the image

    Interpolation is bilinear, or nearest-neighbour for masks; outside the image, x is 0 (black). x, z: (N, C, H, W)
    uint8. maps: (N, 2, 3) float64, on the CPU.

    The CPU uses Pillow, three times as fast as scipy.ndimage; a GPU uses cupyx.scipy.ndimage. They may differ by one
    grey level through rounding. Raises ValueError for any other dtype or shape.
    """
    if x.dtype != np.uint8 or x.ndim != 4:
        raise ValueError(f"affine: x: expected uint8 (N, C, H, W), found {x.dtype} {x.shape}")
    if maps.shape != (len(x), 2, 3):
        raise ValueError(f"affine: maps: expected shape {(len(x), 2, 3)}, found {maps.shape}")
    return (_on_cpu if array_module(x) is np else _on_gpu)(x, maps, nearest)


def _on_cpu(x: Array, maps: np.ndarray, nearest: bool) -> Array:
    from PIL import Image

    resample = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    height, width = x.shape[2:]
    centre = np.array([width, height]) / 2  # Pillow counts (column, row) from the corner of the first pixel
    z = np.empty_like(x)
    for n in range(len(x)):
        a, t = maps[n, ::-1, 1::-1], maps[n, ::-1, 2]  # in Pillow's order, (column, row)
        start = centre - a @ centre + t
        data = (*a[0], start[0], *a[1], start[1])
        for c, plane in enumerate(x[n]):
            image = Image.fromarray(np.ascontiguousarray(plane))
            z[n, c] = image.transform((width, height), Image.Transform.AFFINE, data, resample)
    return z


def _on_gpu(x: Array, maps: np.ndarray, nearest: bool) -> Array:
    from cupyx.scipy import ndimage

    xp, order = array_module(x), 0 if nearest else 1
    centre = (np.array(x.shape[2:]) - 1) / 2  # scipy counts from the centre of the first pixel
    z = xp.empty_like(x)
    for n in range(len(x)):
        a, t = maps[n, :, :2], maps[n, :, 2]
        start = centre - a @ centre + t
        for c, plane in enumerate(x[n]):
            z[n, c] = xp.rint(ndimage.affine_transform(plane.astype(np.float32), xp.asarray(a), start, order=order))
    return z
