"""The three kinds of tumour, at their typical sites and with their typical contrast enhancement.

A meningioma has a broad base on the dura, enhances brightly and evenly, has a sharp border and a dural tail. A glioma
is irregular and lies inside the brain: often an incomplete enhancing rim around a necrotic core, with dark oedema
around it. A pituitary adenoma fills the sella, in the midline of the skull base, and may grow upwards out of it.
Positions and lengths are in mm in the standard head.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tinydnn.data.phantoms.brain import DURA, SELLA
from tinydnn.data.phantoms.canvas import Canvas, partial_volume
from tinydnn.data.phantoms.head import CSF, Head, cavity_distance
from tinydnn.data.phantoms.solids import Array, Ellipsoid, Point, column, union

SURFACE, TEXTURE, OEDEMA = 20, 21, 22  # keys of the noise fields


class Tumour(Protocol):
    """The interface of a tumour, which is roughly a ball of radius `radius` around `centre`."""

    @property
    def centre(self) -> Point: ...
    @property
    def radius(self) -> float: ...

    def paint(self, canvas: Canvas, head: Head) -> Array:
        """Paint the tumour and its effect on the tissue around it; return the distance to its surface (n,)."""
        ...


def undo_mass_effect(tumour: Tumour, p: Array, share: float = 0.35) -> Array:
    """The positions (3, n) of the tissue at `p` before the tumour displaced it.

    A ball of radius R pushes tissue outwards, from distance s to r. With `share` of the ball's volume displaced and the
    volume of the tissue preserved, s³ = r³ − share·R³.
    """
    offset = p - column(tumour.centre)
    r = np.sqrt((offset * offset).sum(0)) + np.float32(1e-3)
    s = np.cbrt(np.clip(r * r * r - np.float32(share * tumour.radius**3), 0, None))
    return column(tumour.centre) + offset * (s / r)


def _radii(rng: np.random.Generator, radius: float, low: float, high: float) -> Point:
    x, y, z = radius * rng.uniform(low, high, 3)
    return float(x), float(y), float(z)


@dataclass(frozen=True)
class Meningioma:
    """A meningioma on the dura at `anchor`; `side` is −1 or 1, the side of the falx, or 0 for any other site."""

    centre: Point
    anchor: Point
    side: float
    radius: float
    radii: Point
    signal: float
    oedema: float  # mm of oedema around the tumour, none if negative

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Meningioma":
        """A meningioma of the convexity, the skull base or the falx."""
        radius = rng.uniform(14, 27)
        side = float(rng.choice([-1, 1])) if rng.random() < 0.35 else 0.0
        if side:
            angle = rng.uniform(0.1, 0.9) * np.pi
            anchor, inwards = np.array([0, -10 + 70 * np.cos(angle), 15 + 45 * np.sin(angle)]), np.array([side, 0, 0])
        else:
            anchor, inwards = _random_dural_site(rng)
        x, y, z = anchor + 0.6 * radius * inwards
        return cls(
            centre=(float(x), float(y), float(z)),
            anchor=(float(anchor[0]), float(anchor[1]), float(anchor[2])),
            side=side,
            radius=radius,
            radii=_radii(rng, radius, 0.85, 1.2),
            signal=rng.uniform(0.64, 0.88),
            oedema=rng.uniform(-8, 6),
        )

    def paint(self, canvas: Canvas, head: Head) -> Array:
        """See `Tumour.paint`."""
        p, inner = canvas.p, canvas.inner
        body = Ellipsoid(self.centre, self.radii).distance(p)
        body = body + 0.06 * self.radius * head.noise(p, 0.9 * self.radius, SURFACE)
        falx = 0.8 - self.side * p[0] if self.side else inner
        body = np.maximum(body, np.maximum(inner + 0.8, falx))
        oedema = body - self.oedema - 2 * head.noise(p, 12.0, OEDEMA)
        canvas.paint(0.65 * head.white, 0.8 * partial_volume(oedema, 3) * (inner < -5))
        canvas.paint(CSF + 0.04, partial_volume(body - 1.2) * (inner < -1))
        canvas.paint(self.signal * (1 + 0.04 * head.noise(p, 5.0, TEXTURE)), partial_volume(body))
        from_anchor = np.sqrt(((p - column(self.anchor)) ** 2).sum(0))
        dura = np.abs(p[0]) if self.side else np.abs(inner + 1)
        tail = dura - 1.8 * np.clip(2 - from_anchor / self.radius, 0, 0.7)
        canvas.paint(self.signal, partial_volume(tail) * (inner < 0) * (from_anchor < 2 * self.radius))
        return body


def _random_dural_site(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A position (3,) where a ray from the centre of the brain meets the skull, and the unit normal inwards (3,)."""
    while True:
        ray = rng.standard_normal(3) * (0.7, 1, 1)
        along = column((0, -17, 5)) + column(ray / np.linalg.norm(ray)) * np.arange(110, dtype=np.float32)
        site = along[:, np.flatnonzero(cavity_distance(along) < 0)[-1:]]
        # There is no brain in the spinal canal, and in the sella a meningioma would look like an adenoma.
        if site[2, 0] > -55 and np.linalg.norm(site - column(SELLA)) > 30:
            steps = 2 * np.eye(3, dtype=np.float32)
            gradient = cavity_distance(site + steps) - cavity_distance(site - steps)
            return site[:, 0], -gradient / np.linalg.norm(gradient)


@dataclass(frozen=True)
class Glioma:
    """An irregular tumour inside the brain: an enhancing rim, a necrotic core, oedema around them."""

    centre: Point
    radius: float
    radii: Point
    rim: float  # thickness, mm
    signal: float
    core: float  # signal
    oedema: float  # mm

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Glioma":
        """A glioma of a hemisphere, sometimes of the cerebellum."""
        radius = rng.uniform(16, 28)
        while True:
            x, y, z = (float(c) for c in rng.normal((0, -15, -2), (30, 42, 32)))
            near_sella = np.linalg.norm(np.subtract((x, y, z), SELLA)) < radius + 14
            if cavity_distance(column((x, y, z)))[0] < -5 - 0.4 * radius and not near_sella:
                break
        weakly_enhancing = rng.random() < 0.2
        return cls(
            centre=(x, y, z),
            radius=radius,
            radii=_radii(rng, radius, 0.75, 1.2),
            rim=rng.uniform(3, 6.5),
            signal=rng.uniform(0.38, 0.46) if weakly_enhancing else rng.uniform(0.54, 0.80),
            core=rng.uniform(0.10, 0.18),
            oedema=rng.uniform(5, 14),
        )

    def paint(self, canvas: Canvas, head: Head) -> Array:
        """See `Tumour.paint`."""
        p, inner = canvas.p, canvas.inner
        body = Ellipsoid(self.centre, self.radii).distance(p)
        body = np.maximum(body + 0.18 * self.radius * head.noise(p, 0.9 * self.radius, SURFACE), inner + 4)
        oedema = body - self.oedema * (1 + 0.5 * head.noise(p, 14.0, OEDEMA))
        canvas.paint(0.5 * head.white, partial_volume(oedema, 2) * partial_volume(inner + 6, 2))
        texture = head.noise(p, 8.0, TEXTURE)
        canvas.paint(self.signal * (1 + 0.15 * texture), partial_volume(body, 1.2) * np.clip(1.1 + 0.4 * texture, 0, 1))
        canvas.paint(self.core, partial_volume(body + self.rim * (1 + 0.3 * texture), 1.5))
        return body


@dataclass(frozen=True)
class Adenoma:
    """A tumour of the pituitary gland, with a suprasellar lobe of radius `upper`."""

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
        """See `Tumour.paint`."""
        p = canvas.p
        x, y, z = self.centre
        lobe = Ellipsoid((x, y - 1, z + 0.95 * self.radius), (self.upper,) * 3).distance(p)
        body = union(Ellipsoid(self.centre, self.radii).distance(p), lobe, 3)
        body = body + 0.08 * self.radius * head.noise(p, self.radius, SURFACE)
        canvas.paint(DURA, partial_volume(body - 1))
        canvas.paint(self.signal * (1 + 0.06 * head.noise(p, 5.0, TEXTURE)), partial_volume(body))
        return body
