"""Crops: cut each slice to the head, the tumour, or the tumour and a ring around it.

Cropping to the tumour needs its mask, drawn by a doctor, so the results are not those of the network alone.
Slices are cropped at their stored resolution, before they are resized, so a small tumour keeps all its pixels.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from tinydnn.errors import InputError

KINDS = ("none", "head", "ring", "tumour")
HEAD_LEVEL = 0.1  # share of the intensity range; air is darker
HEAD_SHARE = 0.02  # a row or column of the head has at least this share of brighter pixels


@dataclass(frozen=True)
class Crop:
    """The region of a slice to cut out. Raises `InputError` for an unknown kind or a margin outside 0 to 5.

    kind: "none", the whole slice; "head", without the empty border; "tumour", the smallest square around the mask;
    "ring", that square with all pixels beyond the margin black (after the dilated tumours of Cheng et al. 2015).
    margin: added on each side of the tumour, as a share of its longer side; ignored for "head" and "none".
    """

    kind: str = "none"
    margin: float = 0.2

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"--crop: expected one of {', '.join(KINDS)}, found {self.kind!r}")
        if isinstance(self.margin, bool) or not isinstance(self.margin, int | float) or not 0 <= self.margin <= 5:
            raise InputError(f"--margin: expected a number from 0 to 5, found {self.margin}")
        if not self.uses_mask:
            object.__setattr__(self, "margin", type(self).margin)  # so that equal crops compare equal

    @property
    def uses_mask(self) -> bool:
        """Whether the crop needs a tumour mask."""
        return self.kind in ("ring", "tumour")

    def __str__(self) -> str:
        return f"{self.kind}-{float(self.margin)!r}" if self.uses_mask else self.kind

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`; raises `ValueError` for other text."""
        kind, _, margin = text.partition("-")
        return cls(kind, float(margin)) if margin else cls(kind)

    def __call__(self, image: np.ndarray, mask: np.ndarray | None, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Crop an image (H, W) and its mask. Raises `InputError` (with `name`) if a mask is needed and absent."""
        if self.kind == "none":
            return image, mask
        if self.kind == "head":
            rows, columns = _head(image)
            return image[rows, columns], None if mask is None else mask[rows, columns]
        if mask is None or not mask.any():
            found = "none" if mask is None else "an empty one"
            raise InputError(f"{name}: --crop {self.kind}: expected a mask of the tumour, found {found}")
        distance = self.margin * max(np.ptp(np.flatnonzero(mask.any(axis=axis))) + 1 for axis in (0, 1))
        if self.kind == "ring":
            image = np.where(_dilated(mask, distance), image, image.min())
        rows, columns = _square(mask, distance)
        return image[rows, columns], mask[rows, columns]


WHOLE = Crop()


def _head(image: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the head, from the first to the last that is more than air and noise."""
    low, high = np.float64(image.min()), np.float64(image.max())
    bright = image > low + HEAD_LEVEL * (high - low)
    rows, columns = (np.flatnonzero(bright.mean(axis=axis) > HEAD_SHARE) for axis in (1, 0))
    return _span(rows), _span(columns)


def _span(indices: np.ndarray) -> slice:
    return slice(int(indices[0]), int(indices[-1]) + 1) if len(indices) else slice(None)


def _square(mask: np.ndarray, distance: float) -> tuple[slice, slice]:
    """Rows and columns of the square around the mask, `distance` pixels wider on each side, shifted into the image."""
    spans = [np.flatnonzero(mask.any(axis=axis))[[0, -1]] for axis in (1, 0)]
    side = round(max(np.ptp(span) + 1 for span in spans) + 2 * distance)
    slices = []
    for (first, last), size in zip(spans, mask.shape, strict=True):
        start = min(max((first + last + 1 - side) // 2, 0), max(size - side, 0))
        slices.append(slice(int(start), int(min(start + side, size))))
    return slices[0], slices[1]


def _dilated(mask: np.ndarray, distance: float) -> np.ndarray:
    """All pixels at most `distance` from the tumour."""
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(~mask)) <= distance
