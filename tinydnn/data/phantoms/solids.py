"""Solids that make up the phantom heads, described by signed distances.

Positions `p` are float32 (3, n), in mm. Every solid has a bounding box and an approximate signed distance to its
surface, in mm, negative inside.

Source: I. Quilez, Distance functions and Smooth minimum, iquilezles.org.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]  # float32 throughout
Point = tuple[float, float, float]


def column(values: ArrayLike) -> Array:
    """Three coordinates as (3, 1), which broadcasts against positions."""
    return np.asarray(values, dtype=np.float32)[:, None]


def length(x: Array, y: Array, z: Array) -> Array:
    """√(x² + y² + z²)."""
    return np.sqrt(x * x + y * y + z * z)


@dataclass(frozen=True)
class Ellipsoid:
    """All positions with |(p − centre)/radii| ≤ 1; its axes are those of x, y and z."""

    centre: Point
    radii: Point

    @property
    def box(self) -> tuple[Array, Array]:
        """The lowest and the highest corner of the bounding box, each (3, 1)."""
        return column(self.centre) - column(self.radii), column(self.centre) + column(self.radii)

    def distance(self, p: Array) -> Array:
        """k·(k − 1)/|(p − centre)/radii²| with k = |(p − centre)/radii|; exact for spheres, and 0 on the surface."""
        a, b, c = (np.float32(1 / r) for r in self.radii)
        x, y, z = ((p[i] - np.float32(self.centre[i])) * s for i, s in enumerate((a, b, c)))
        k = length(x, y, z)
        return (k - 1) * k / (length(x * a, y * b, z * c) + np.float32(1e-6))


@dataclass(frozen=True)
class Tube:
    """A tube through stations (x, y, z, radius); between two stations its radius is linear."""

    stations: tuple[tuple[float, float, float, float], ...]

    @property
    def box(self) -> tuple[Array, Array]:
        """The lowest and the highest corner of the bounding box, each (3, 1)."""
        s = np.array(self.stations, dtype=np.float32)
        return (s[:, :3] - s[:, 3:]).min(0)[:, None], (s[:, :3] + s[:, 3:]).max(0)[:, None]

    def distance(self, p: Array) -> Array:
        """The distance to the nearest segment, as if its radius did not change along it."""
        nearest = np.full(p.shape[1], np.inf, dtype=np.float32)
        stations = np.array(self.stations, dtype=np.float32)
        for start, end in pairwise(stations):
            axis = end - start
            x, y, z = (p[i] - start[i] for i in range(3))
            t = (x * axis[0] + y * axis[1] + z * axis[2]) / (axis[:3] @ axis[:3])
            t = np.clip(t, 0, 1)  # position along the segment
            r = length(x - t * axis[0], y - t * axis[1], z - t * axis[2])
            np.minimum(nearest, r - start[3] - t * axis[3], out=nearest)
        return nearest


def union(a: Array, b: Array, blend: float) -> Array:
    """The distance to the union of two solids at distances `a` and `b`, with the seam rounded over `blend` mm."""
    overlap = np.clip(blend - np.abs(a - b), 0, None)
    return np.minimum(a, b) - overlap * overlap * np.float32(0.25 / blend)
