"""From the numbers that a scanner or a picture file stores to S x S pixels of 8 bits."""

import numpy as np


def to_uint8(image: np.ndarray, size: int) -> np.ndarray:
    """An image (H, W) of any number type as (S, S) uint8, S = `size`.

        y = 255 · (x − min) / (max − min)

    with the minimum and maximum of this image; then resized; then rounded, halves up. An image of one value
    becomes black. The cast to float32 comes first: in int16, 255 · (x − min) overflows.
    """
    x = image.astype(np.float32)
    low, high = x.min(), x.max()
    y = 255 * (x - low) / (high - low) if high > low else np.zeros_like(x)
    return np.floor(resize(y, size) + np.float32(0.5)).astype(np.uint8)


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
