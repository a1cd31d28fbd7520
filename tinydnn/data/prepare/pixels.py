"""Convert stored pixel values, of any number type and image size, to S x S pixels of 8 bits."""

import numpy as np


def to_uint8(image: np.ndarray, size: int) -> np.ndarray:
    """Scale an image (H, W) of any number type to 0–255, resize it and round halves up: (S, S) uint8, S = `size`.

        y = 255 · (x − min) / (max − min)

    min and max are those of this image; a constant image becomes black. All in float64: 255 · (x − min) overflows
    int16, and float32 cannot separate large neighbouring values.
    """
    low, high = np.float64(image.min()), np.float64(image.max())
    y = np.subtract(image, low, dtype=np.float64)
    if high > low:
        y *= 255
        y /= high - low
    return np.floor(resize(y.astype(np.float32), size) + np.float32(0.5)).astype(np.uint8)


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Resize a mask (H, W) to (S, S) bool, S = `size`: true where it covers at least half of the new pixel."""
    return resize(mask.astype(np.float32), size) >= 0.5


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Resize an image (H, W) float32 to (S, S), S = `size`: area mean when shrinking, bilinear when enlarging.

    An image that is not square is first centred in a square of zeros (black).
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
