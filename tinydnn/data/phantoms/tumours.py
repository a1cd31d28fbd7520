"""The three kinds of tumour, each where it grows and with the look it has after contrast.

A meningioma sits on the dura with a broad base, bright, even and sharply bordered, with a tail of thickened
dura. A glioma lies inside the brain, irregular, often a broken bright ring around dead tissue in a dark
swelling. An adenoma of the pituitary fills the sella, in the midline of the skull base, and may grow upwards.
Positions and lengths are in mm in the standard head.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tinydnn.data.phantoms.brain import DURA, SELLA
from tinydnn.data.phantoms.canvas import Canvas, coverage
from tinydnn.data.phantoms.head import FLUID, Head, cavity_distance
from tinydnn.data.phantoms.solids import Array, Ellipsoid, Point, column, union

SURFACE, PATCHES, EDGE_OF_SWELLING = 20, 21, 22  # keys of the noise fields


class Tumour(Protocol):
    """What the scanner needs to know of a tumour: about a ball, `radius` around `centre`."""

    @property
    def centre(self) -> Point: ...
    @property
    def radius(self) -> float: ...

    def paint(self, canvas: Canvas, head: Head) -> Array:
        """Paint it and what it does to its surroundings; return the distance to its surface."""
        ...


def undisplaced(tumour: Tumour, p: Array, share: float = 0.35) -> Array:
    """Where the tissue now at `p` lay before the tumour displaced `share` of its own volume.

    Around a growing ball of radius R tissue moves outwards and keeps its volume: s³ = r³ - share·R³.
    """
    away = p - column(tumour.centre)
    r = np.sqrt((away * away).sum(0)) + np.float32(1e-3)
    s = np.cbrt(np.clip(r * r * r - np.float32(share * tumour.radius**3), 0, None))
    return column(tumour.centre) + away * (s / r)


def _radii(rng: np.random.Generator, radius: float, low: float, high: float) -> Point:
    x, y, z = radius * rng.uniform(low, high, 3)
    return float(x), float(y), float(z)


@dataclass(frozen=True)
class Meningioma:
    """A lump on the dura at `anchor`; `side` is the side of the falx that it sits on, 0 where it sits elsewhere."""

    centre: Point
    anchor: Point
    side: float
    radius: float
    radii: Point
    signal: float
    swelling: float  # mm of dark swelling around it, none when negative

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Meningioma":
        """A meningioma of the vault, the skull base or the falx."""
        radius = rng.uniform(14, 27)
        side = float(rng.choice([-1, 1])) if rng.random() < 0.35 else 0.0
        if side:
            angle = rng.uniform(0.1, 0.9) * np.pi
            anchor, inwards = np.array([0, -10 + 70 * np.cos(angle), 15 + 45 * np.sin(angle)]), np.array([side, 0, 0])
        else:
            anchor, inwards = _place_on_skull(rng)
        x, y, z = anchor + 0.6 * radius * inwards
        return cls(
            centre=(float(x), float(y), float(z)),
            anchor=(float(anchor[0]), float(anchor[1]), float(anchor[2])),
            side=side,
            radius=radius,
            radii=_radii(rng, radius, 0.85, 1.2),
            signal=rng.uniform(0.64, 0.88),
            swelling=rng.uniform(-8, 6),
        )

    def paint(self, canvas: Canvas, head: Head) -> Array:
        """See `Tumour`."""
        p, inner = canvas.p, canvas.inner
        lump = Ellipsoid(self.centre, self.radii).distance(p)
        lump = lump + 0.06 * self.radius * head.noise(p, 0.9 * self.radius, SURFACE)
        falx = 0.8 - self.side * p[0] if self.side else inner
        lump = np.maximum(lump, np.maximum(inner + 0.8, falx))
        swelling = lump - self.swelling - 2 * head.noise(p, 12.0, EDGE_OF_SWELLING)
        canvas.paint(0.65 * head.brain, 0.8 * coverage(swelling, 3) * (inner < -5))
        canvas.paint(FLUID + 0.04, coverage(lump - 1.2) * (inner < -1))
        canvas.paint(self.signal * (1 + 0.04 * head.noise(p, 5.0, PATCHES)), coverage(lump))
        from_anchor = np.sqrt(((p - column(self.anchor)) ** 2).sum(0))
        membrane = np.abs(p[0]) if self.side else np.abs(inner + 1)
        tail = membrane - 1.8 * np.clip(2 - from_anchor / self.radius, 0, 0.7)
        canvas.paint(self.signal, coverage(tail) * (inner < 0) * (from_anchor < 2 * self.radius))
        return lump


def _place_on_skull(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A place where a ray from the middle of the brain meets the skull, and the direction inwards from it."""
    while True:
        ray = rng.standard_normal(3) * (0.7, 1, 1)
        along = column((0, -17, 5)) + column(ray / np.linalg.norm(ray)) * np.arange(110, dtype=np.float32)
        place = along[:, np.flatnonzero(cavity_distance(along) < 0)[-1:]]
        # In the spinal canal there is no brain, and in the sella a meningioma would look like an adenoma.
        if place[2, 0] > -55 and np.linalg.norm(place - column(SELLA)) > 30:
            steps = 2 * np.eye(3, dtype=np.float32)
            outwards = cavity_distance(place + steps) - cavity_distance(place - steps)
            return place[:, 0], -outwards / np.linalg.norm(outwards)


@dataclass(frozen=True)
class Glioma:
    """An irregular growth inside the brain: a wall of enhancing tissue, a dead core, a swelling around."""

    centre: Point
    radius: float
    radii: Point
    wall: float  # mm
    signal: float
    core: float  # signal
    swelling: float  # mm

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Glioma":
        """A glioma of a hemisphere, now and then of the cerebellum."""
        radius = rng.uniform(16, 28)
        while True:
            x, y, z = (float(c) for c in rng.normal((0, -15, -2), (30, 42, 32)))
            near_sella = np.linalg.norm(np.subtract((x, y, z), SELLA)) < radius + 14
            if cavity_distance(column((x, y, z)))[0] < -5 - 0.4 * radius and not near_sella:
                break
        weak = rng.random() < 0.2
        return cls(
            centre=(x, y, z),
            radius=radius,
            radii=_radii(rng, radius, 0.75, 1.2),
            wall=rng.uniform(3, 6.5),
            signal=rng.uniform(0.38, 0.46) if weak else rng.uniform(0.54, 0.80),
            core=rng.uniform(0.10, 0.18),
            swelling=rng.uniform(5, 14),
        )

    def paint(self, canvas: Canvas, head: Head) -> Array:
        """See `Tumour`."""
        p, inner = canvas.p, canvas.inner
        body = Ellipsoid(self.centre, self.radii).distance(p)
        body = np.maximum(body + 0.18 * self.radius * head.noise(p, 0.9 * self.radius, SURFACE), inner + 4)
        fingers = body - self.swelling * (1 + 0.5 * head.noise(p, 14.0, EDGE_OF_SWELLING))
        canvas.paint(0.5 * head.brain, coverage(fingers, 2) * coverage(inner + 6, 2))
        patches = head.noise(p, 8.0, PATCHES)
        canvas.paint(self.signal * (1 + 0.15 * patches), coverage(body, 1.2) * np.clip(1.1 + 0.4 * patches, 0, 1))
        canvas.paint(self.core, coverage(body + self.wall * (1 + 0.3 * patches), 1.5))
        return body


@dataclass(frozen=True)
class Adenoma:
    """A growth of the pituitary gland, with an upper lobe of radius `upper` where it has left the sella."""

    centre: Point
    radius: float
    radii: Point
    upper: float
    signal: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Adenoma":
        """A pituitary adenoma, small to medium."""
        radius = rng.uniform(8, 16)
        return cls(
            centre=(SELLA[0] + rng.normal(0, 1.5), SELLA[1], SELLA[2] + 0.4 * radius - 2),
            radius=radius,
            radii=_radii(rng, radius, 0.8, 1.2),
            upper=radius * rng.uniform(0.4, 0.9),
            signal=rng.uniform(0.60, 0.82),
        )

    def paint(self, canvas: Canvas, head: Head) -> Array:
        """See `Tumour`."""
        p = canvas.p
        x, y, z = self.centre
        lobe = Ellipsoid((x, y - 1, z + 0.95 * self.radius), (self.upper,) * 3).distance(p)
        body = union(Ellipsoid(self.centre, self.radii).distance(p), lobe, 3)
        body = body + 0.08 * self.radius * head.noise(p, self.radius, SURFACE)
        canvas.paint(DURA, coverage(body - 1))
        canvas.paint(self.signal * (1 + 0.06 * head.noise(p, 5.0, PATCHES)), coverage(body))
        return body
