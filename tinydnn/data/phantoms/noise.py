"""Smooth random fields: the texture of tissue, the course of sulci and vessels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinydnn.data.phantoms.solids import Array, column

EDGE = 96  # samples along each edge of the random cube
SMOOTHING = 2.0  # standard deviation of the Gaussian filter, samples


@dataclass(frozen=True)
class Noise:
    """Random fields of mean 0 and standard deviation 1, all sampled from one periodic random cube.

    A field has a `spacing`, the mean distance in mm between its sign changes along a line, and a `key`: fields
    with different keys start elsewhere in the cube and look independent.
    """

    cube: Array  # (EDGE + 1)³: the last faces repeat the first

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Noise":
        """White noise, smoothed by a Gaussian."""
        from scipy.ndimage import gaussian_filter

        cube = rng.standard_normal((EDGE,) * 3, dtype=np.float32)
        cube = gaussian_filter(cube, SMOOTHING, mode="wrap", truncate=3.0)
        return cls(np.pad(cube / cube.std(), (0, 1), mode="wrap"))

    def __call__(self, p: Array, spacing: float, key: int) -> Array:
        """The field at positions `p` (3, n): (n,)."""
        # Multiples of irrational fractions of the cube: no two keys start at the same place.
        start = column([key * 0.618034 % 1, key * 0.754878 % 1, key * 0.569840 % 1]) * np.float32(EDGE)
        # White noise smoothed by a Gaussian of standard deviation σ changes sign every π·√2·σ (Rice's formula).
        samples_per_mm = np.float32(np.pi * np.sqrt(2) * SMOOTHING / spacing)
        where = p * samples_per_mm + start
        corner = np.floor(where)
        u, v, w = where - corner
        # Trilinear interpolation; corner + 1 always exists, because the faces repeat. scipy's map_coordinates takes
        # twice as long on a periodic cube.
        i, j, k = corner.astype(np.int32) % EDGE
        flat, row, plane = self.cube.ravel(), EDGE + 1, (EDGE + 1) ** 2
        first = i * plane + j * row + k

        def along_w(at: NDArray[np.int32]) -> Array:
            low = flat[at]
            return low + (flat[at + 1] - low) * w

        def along_v(at: NDArray[np.int32]) -> Array:
            low = along_w(at)
            return low + (along_w(at + row) - low) * v

        low = along_v(first)
        return low + (along_v(first + plane) - low) * u

    def zero_distance(self, p: Array, spacing: float, key: int) -> Array:
        """The approximate distance in mm to the nearest surface on which the field is 0: |field| / gradient."""
        # The root-mean-square gradient of the field within a plane is √2·π/spacing.
        return np.abs(self(p, spacing, key)) * np.float32(spacing / (np.sqrt(2) * np.pi))
