"""Showing the network a part of each slice: the head, the tumour, or the tumour with a ring of its surroundings.

A crop to the tumour uses its mask, which a doctor has drawn: what is measured then is not what a network could do
alone. Crops are taken from the slice as it was stored, before it is brought to the network's size, so that a small
tumour is shown with all its pixels.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from tinydnn.errors import InputError

KINDS = ("none", "head", "ring", "tumour")
HEAD_LEVEL = 0.1  # of the slice's range; air is below
HEAD_SHARE = 0.02  # of a row's or column's pixels that must lie above; noise is below


@dataclass(frozen=True)
class Crop:
    """What part of a slice is shown.

    none: all of it. head: without the empty border. tumour: the smallest square round the mask. ring: the same with
    all black that is further from the tumour than the margin (Cheng et al. 2015 take a dilated tumour so).
    margin: of the tumour's longer side, added on each side; "head" and "none" have none.
    """

    kind: str = "none"
    margin: float = 0.2

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"--crop: expected one of {', '.join(KINDS)}, found {self.kind!r}")
        if isinstance(self.margin, bool) or not isinstance(self.margin, int | float) or not 0 <= self.margin <= 5:
            raise InputError(f"--margin: expected a number from 0 to 5, found {self.margin}")
        if not self.uses_mask:
            object.__setattr__(self, "margin", type(self).margin)  # which has no meaning: equal crops are equal

    @property
    def uses_mask(self) -> bool:
        """Whether it takes a doctor's drawing to crop so."""
        return self.kind in ("ring", "tumour")

    def __str__(self) -> str:
        return f"{self.kind}-{float(self.margin)!r}" if self.uses_mask else self.kind

    @classmethod
    def parse(cls, text: str) -> Self:
        """The crop that `str` wrote; `ValueError` for anything else."""
        kind, _, margin = text.partition("-")
        return cls(kind, float(margin)) if margin else cls(kind)

    def __call__(self, image: np.ndarray, mask: np.ndarray | None, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        """The part of an image (H, W) and of its mask; `name` is what messages call the slice."""
        if self.kind == "none":
            return image, mask
        if self.kind == "head":
            rows, columns = _head(image)
            return image[rows, columns], None if mask is None else mask[rows, columns]
        if mask is None or not mask.any():
            found = "none" if mask is None else "an empty one"
            raise InputError(f"{name}: --crop {self.kind}: expected a mask of the tumour, found {found}")
        reach = self.margin * max(np.ptp(np.flatnonzero(mask.any(axis=axis))) + 1 for axis in (0, 1))
        if self.kind == "ring":
            image = np.where(_dilated(mask, reach), image, image.min())
        rows, columns = _square(mask, reach)
        return image[rows, columns], mask[rows, columns]


WHOLE = Crop()


def _head(image: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns from the first to the last that show more than air."""
    low, high = np.float64(image.min()), np.float64(image.max())
    bright = image > low + HEAD_LEVEL * (high - low)
    spans = []
    for axis in (1, 0):
        shown = np.flatnonzero(bright.mean(axis=axis) > HEAD_SHARE)
        spans.append(slice(int(shown[0]), int(shown[-1]) + 1) if len(shown) else slice(None))
    return spans[0], spans[1]


def _square(mask: np.ndarray, reach: float) -> tuple[slice, slice]:
    """The square round the mask with so many pixels more on each side, moved into the image as far as it fits."""
    spans = [np.flatnonzero(mask.any(axis=axis))[[0, -1]] for axis in (1, 0)]
    side = round(max(np.ptp(span) + 1 for span in spans) + 2 * reach)
    found = []
    for (first, last), size in zip(spans, mask.shape, strict=True):
        start = min(max((first + last + 1 - side) // 2, 0), max(size - side, 0))
        found.append(slice(int(start), int(min(start + side, size))))
    return found[0], found[1]


def _dilated(mask: np.ndarray, reach: float) -> np.ndarray:
    """All pixels no further than `reach` from the tumour."""
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(~mask)) <= reach
