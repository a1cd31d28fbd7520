"""Solids in space, from which phantom heads are built.

Positions `p` are float32 arrays (3, n) in mm. Every solid gives about the distance to its surface in mm,
negative inside, and a box that it lies in.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]  # float32 throughout
Point = tuple[float, float, float]


def column(values: ArrayLike) -> Array:
    """Three numbers as a (3, 1) array that broadcasts against positions."""
    return np.asarray(values, dtype=np.float32)[:, None]


def length(x: Array, y: Array, z: Array) -> Array:
    """√(x² + y² + z²)."""
    return np.sqrt(x * x + y * y + z * z)


@dataclass(frozen=True)
class Ellipsoid:
    """All positions with |(p - centre)/radii| ≤ 1, its axes along x, y and z."""

    centre: Point
    radii: Point

    @property
    def box(self) -> tuple[Array, Array]:
        """Its lowest and highest corner, each (3, 1)."""
        return column(self.centre) - column(self.radii), column(self.centre) + column(self.radii)

    def distance(self, p: Array) -> Array:
        """k·(k - 1)/|(p - centre)/radii²| with k = |(p - centre)/radii|: right on the surface and for spheres."""
        a, b, c = (np.float32(1 / r) for r in self.radii)
        x, y, z = ((p[i] - np.float32(self.centre[i])) * s for i, s in enumerate((a, b, c)))
        k = length(x, y, z)
        return (k - 1) * k / (length(x * a, y * b, z * c) + np.float32(1e-6))


@dataclass(frozen=True)
class Tube:
    """A tube through stations (x, y, z, radius), its radius changing linearly from one to the next."""

    stations: tuple[tuple[float, float, float, float], ...]

    @property
    def box(self) -> tuple[Array, Array]:
        """Its lowest and highest corner, each (3, 1)."""
        s = np.array(self.stations, dtype=np.float32)
        return (s[:, :3] - s[:, 3:]).min(0)[:, None], (s[:, :3] + s[:, 3:]).max(0)[:, None]

    def distance(self, p: Array) -> Array:
        """The distance to the nearest piece, each piece taken as a cylinder of slowly changing radius."""
        nearest = np.full(p.shape[1], np.inf, dtype=np.float32)
        stations = np.array(self.stations, dtype=np.float32)
        for start, end in pairwise(stations):
            axis = end - start
            x, y, z = (p[i] - start[i] for i in range(3))
            along = (x * axis[0] + y * axis[1] + z * axis[2]) / (axis[:3] @ axis[:3])
            along = np.clip(along, 0, 1)
            away = length(x - along * axis[0], y - along * axis[1], z - along * axis[2])
            np.minimum(nearest, away - start[3] - along * axis[3], out=nearest)
        return nearest


def union(a: Array, b: Array, blend: float) -> Array:
    """The union of two solids, given by their distances, whose seam is rounded over `blend` mm."""
    overlap = np.clip(blend - np.abs(a - b), 0, None)
    return np.minimum(a, b) - overlap * overlap * np.float32(0.25 / blend)
