"""Bringing pixels to the scale a network learns at, by what the training slices alone tell.

    standard:  x' = (x − mean) / std          (the paper's formula)
    minmax:    x' = (x − min) / (max − min)   in [0, 1] on the training slices

Pixels and the figures taken from them are in the units of the prepared images, 0 to 255. The same figures
must treat every later image, so they belong in the model file.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from tinydnn.data.dataset import Dataset
from tinydnn.errors import InputError

_BATCH = 64


@dataclass(frozen=True)
class Normalisation:
    """x' = (x − shift) / scale."""

    kind: Literal["standard", "minmax"]
    shift: float
    scale: float

    channels = 1

    @classmethod
    def fit(cls, dataset: Dataset, indices: np.ndarray, kind: Literal["standard", "minmax"] = "standard") -> Self:
        """Take shift and scale from the slices `indices`, a few in memory at a time.

        Every pixel is one of 256 values, so counting them makes both sums exact, in whatever order the slices
        come. Where all pixels are equal the scale is 1, and x' is 0.
        """
        if kind not in ("standard", "minmax"):
            raise InputError(f"normalise: expected standard or minmax, found {kind}")
        if not len(indices):
            raise InputError("normalise: expected training slices, found none")
        counts = np.zeros(256, np.int64)
        for start in range(0, len(indices), _BATCH):
            pixels = dataset.read(indices[start : start + _BATCH])
            counts += np.bincount(pixels.ravel(), minlength=256)
        if kind == "minmax":
            present = np.flatnonzero(counts)
            low, high = int(present[0]), int(present[-1])
            return cls(kind, float(low), float(high - low) or 1.0)
        n, first, second = (int(counts @ np.arange(256, dtype=np.int64) ** power) for power in range(3))
        variance = (n * second - first**2) / n**2  # whole numbers up to the division: no cancellation
        return cls(kind, first / n, variance**0.5 or 1.0)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Normalise pixels (B, C, H, W) uint8, on whatever device they are, to float32."""
        y = x.astype(np.float32)
        y -= np.float32(self.shift)
        y /= np.float32(self.scale)
        return y
