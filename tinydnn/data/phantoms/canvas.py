"""What is painted on: the signal at a set of positions, covered by one tissue after another."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tinydnn.data.phantoms.solids import Array, Ellipsoid, Tube

EDGE = 0.8  # mm over which the edge of a tissue fades, to either side


def coverage(distance: Array, edge: float = EDGE) -> Array:
    """How much of a voxel a solid fills, 0 to 1, from the distance to its surface."""
    return np.clip(0.5 - distance * np.float32(0.5 / edge), 0, 1)


@dataclass
class Canvas:
    """Signal (n,) at positions `p` (3, n), with the distances to the skin and to the inside of the skull."""

    p: Array
    skin: Array
    inner: Array
    signal: Array

    @cached_property
    def folded(self) -> Array:
        """The positions with both sides folded onto x ≥ 0, where paired organs are described once."""
        return np.concatenate([np.abs(self.p[:1]), self.p[1:]])

    def paint(self, value: Array | float, cover: Array | float) -> None:
        """Lay tissue of signal `value` over what is there: signal += (value - signal)·cover."""
        self.signal += (np.asarray(value, dtype=np.float32) - self.signal) * cover

    def fill(self, value: float, solid: Ellipsoid | Tube, *, paired: bool = False, edge: float = EDGE) -> None:
        """Paint a solid, or a pair of them, looking only at positions in its box."""
        low, high = solid.box
        p = self.folded if paired else self.p
        x, y, z = ((row > a - edge) & (row < b + edge) for row, a, b in zip(p, low[:, 0], high[:, 0], strict=True))
        where = np.flatnonzero(x & y & z)
        cover = coverage(solid.distance(p[:, where]), edge)
        self.signal[where] += (np.float32(value) - self.signal[where]) * cover

    @contextmanager
    def part(self, where: NDArray[np.bool_]) -> Iterator["Canvas"]:
        """A smaller canvas of the positions `where`; what is painted on it appears on this one at the end."""
        index = np.flatnonzero(where)
        part = Canvas(self.p[:, index], self.skin[index], self.inner[index], self.signal[index])
        yield part
        self.signal[index] = part.signal
