"""An image file, prepared for a model as its training images were."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tinydnn.checkpoint.model import SavedModel
from tinydnn.data.prepare.pixels import resize_mask, to_uint8
from tinydnn.data.read import read_image, read_image_and_mask


@dataclass(frozen=True, eq=False)
class PreparedImage:
    """An image as a model takes it, cropped and resized to its S × S pixels."""

    pixels: np.ndarray  # (S, S) uint8
    x: np.ndarray  # (1, C, S, S) float32, normalised
    mask: np.ndarray | None = None  # (S, S) bool, true inside the tumour; None if unknown


def prepare_image(saved: SavedModel, path: str | Path, *, with_mask: bool = False) -> PreparedImage:
    """Read a `.mat`, PNG or JPEG image, crop, resize and normalise it.

    with_mask: also read the tumour's mask. An empty mask, or one of less than half a pixel after resizing, is None.
    Raises `InputError` if the file cannot be read, or the model's crop needs a mask and there is none.
    """
    read_mask = with_mask or saved.crop.uses_mask
    image, mask = read_image_and_mask(path) if read_mask else (read_image(path), None)
    image, mask = saved.crop(image, mask, str(path))
    pixels = to_uint8(image, saved.size)
    prepared = PreparedImage(pixels, saved.normalise(pixels[None, None]))
    if mask is not None and with_mask:
        mask = resize_mask(mask, saved.size)
        prepared = replace(prepared, mask=mask if mask.any() else None)
    return prepared
