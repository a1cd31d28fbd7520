"""From the numbers that a scanner or a picture file stores to S x S pixels of 8 bits."""

import numpy as np


def to_uint8(image: np.ndarray, size: int) -> np.ndarray:
    """An image (H, W) of any number type as (S, S) uint8, S = `size`.

        y = 255 · (x − min) / (max − min)

    with the minimum and maximum of this image; then resized; then rounded, halves up. An image of one value
    becomes black. The cast to float64 comes first: in int16, 255 · (x − min) overflows, and float32 does not tell
    large neighbouring numbers apart.
    """
    low, high = np.float64(image.min()), np.float64(image.max())
    y = np.subtract(image, low, dtype=np.float64)
    if high > low:
        y *= 255
        y /= high - low
    return np.floor(resize(y.astype(np.float32), size) + np.float32(0.5)).astype(np.uint8)


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """A mask (H, W) as (S, S) bool: true where at least half of the area is."""
    return resize(mask.astype(np.float32), size) >= 0.5


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """An image (H, W) float32 as (S, S), S = `size`.

    Shrinking takes the mean over each new pixel's area, growing is bilinear. An image that is not square is
    first set in the middle of a square of zeros, which is black.
    """
    from PIL import Image

    side = max(image.shape)
    square = np.zeros((side, side), np.float32)
    top, left = (side - image.shape[0]) // 2, (side - image.shape[1]) // 2
    square[top : top + image.shape[0], left : left + image.shape[1]] = image
    if side == size:
        return square
    method = Image.Resampling.BOX if side > size else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(square).resize((size, size), method))
