"""Slices as small pictures inside the page: with the outline of the tumour, and below a heat map."""

import io
from base64 import b64encode

import numpy as np

from tinydnn.backend import Array
from tinydnn.data.prepare.pixels import resize

SIDE = 224  # pixels
QUALITY = 82  # of the JPEG files
OUTLINE = np.array([86, 180, 233])  # sky blue: neither in a slice nor in the heat map
STRONGEST = 0.65  # the opacity of the heat map where the relevance is largest


def slice_picture(image: Array, mask: Array | None) -> str:
    """A slice with the outline of its tumour as a data URI. image: (S, S) uint8. mask: (S, S) bool."""
    return _encoded(_outlined(_grey(image), mask))


def heat_picture(image: Array, mask: Array | None, relevance: Array) -> str:
    """The same under a heat map, whose colours go up to the largest relevance of this slice. relevance: (S, S)."""
    from matplotlib import colormaps

    heat = resize(relevance.astype(np.float32), SIDE)
    heat = np.clip(heat / max(float(heat.max()), np.finfo(np.float32).tiny), 0, 1)
    colours = 255 * colormaps["inferno"](0.25 + 0.75 * heat)[..., :3]
    opacity = STRONGEST * heat[..., None]
    return _encoded(_outlined((1 - opacity) * _grey(image) + opacity * colours, mask))


def _grey(image: Array) -> Array:
    """(SIDE, SIDE, 3), from 0 to 255."""
    return np.repeat(resize(image.astype(np.float32), SIDE)[..., None], 3, axis=2)


def _outlined(picture: Array, mask: Array | None) -> Array:
    """The picture with the pixels just outside of the mask in the colour of outlines."""
    from scipy.ndimage import binary_dilation

    if mask is None or not mask.any():
        return picture
    inside = resize(mask.astype(np.float32), SIDE) >= 0.5
    return np.where((binary_dilation(inside) & ~inside)[..., None], OUTLINE, picture)


def _encoded(picture: Array) -> str:
    from PIL import Image

    file = io.BytesIO()
    # Full resolution of the colours: the outline is one pixel wide.
    Image.fromarray(picture.round().astype(np.uint8)).save(file, "JPEG", quality=QUALITY, subsampling=0)
    return f"data:image/jpeg;base64,{b64encode(file.getvalue()).decode()}"
