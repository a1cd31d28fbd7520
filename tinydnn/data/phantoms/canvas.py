"""The canvas: the signal at a set of positions, onto which tissues are painted one after another."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tinydnn.data.phantoms.solids import Array, Ellipsoid, Tube

EDGE = 0.8  # mm on either side of a surface over which partial volume falls from 1 to 0


def partial_volume(distance: Array, edge: float = EDGE) -> Array:
    """The partial volume of a solid in a voxel, 0 to 1, from the distance to its surface: linear within ± edge."""
    return np.clip(0.5 - distance * np.float32(0.5 / edge), 0, 1)


@dataclass
class Canvas:
    """Signal (n,) at positions `p` (3, n), with the distances to the skin and to the inner surface of the skull."""

    p: Array
    skin: Array
    inner: Array
    signal: Array

    @cached_property
    def folded(self) -> Array:
        """The positions with x replaced by |x|, for paired structures, which are described once."""
        return np.concatenate([np.abs(self.p[:1]), self.p[1:]])

    def paint(self, value: Array | float, volume: Array | float) -> None:
        """Paint a tissue of signal `value` and partial volume `volume`: signal += (value − signal) · volume."""
        self.signal += (np.asarray(value, dtype=np.float32) - self.signal) * volume

    def fill(self, value: float, solid: Ellipsoid | Tube, *, paired: bool = False, edge: float = EDGE) -> None:
        """Paint a solid, or with `paired` also its mirror image; only positions in its bounding box are computed."""
        low, high = solid.box
        p = self.folded if paired else self.p
        x, y, z = ((row > a - edge) & (row < b + edge) for row, a, b in zip(p, low[:, 0], high[:, 0], strict=True))
        index = np.flatnonzero(x & y & z)
        volume = partial_volume(solid.distance(p[:, index]), edge)
        self.signal[index] += (np.float32(value) - self.signal[index]) * volume

    @contextmanager
    def region(self, where: NDArray[np.bool_]) -> Iterator["Canvas"]:
        """A canvas of the positions `where` alone; on exit its signal is copied back."""
        index = np.flatnonzero(where)
        region = Canvas(self.p[:, index], self.skin[index], self.inner[index], self.signal[index])
        yield region
        self.signal[index] = region.signal
