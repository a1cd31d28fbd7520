"""The head around the brain: skull, scalp, face and neck.

Positions are in mm in a standard head: the origin is the centre of the brain, x points to the side, y to the front, z
upwards, as in brain atlases. Signals are those of a T1-weighted, contrast-enhanced image: fat about 1, air 0. The
anatomical structures are simple solids at their approximate places.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinydnn.data.phantoms.canvas import Canvas, partial_volume
from tinydnn.data.phantoms.noise import Noise
from tinydnn.data.phantoms.solids import Array, Ellipsoid, Tube, union

AIR, BONE, CSF = 0.02, 0.06, 0.10
MUSCLE, MARROW, SKIN, MUCOSA, VESSEL = 0.34, 0.45, 0.55, 0.50, 0.75

CRANIUM = Ellipsoid((0, -15, 6), (83, 102, 85))
FACE = Ellipsoid((0, 34, -62), (66, 54, 72))
NECK = Tube(((0, -14, -60, 66), (0, -20, -100, 64), (0, -30, -200, 62)))
NOSE = Ellipsoid((0, 90, -48), (13, 18, 20))
CHIN = Ellipsoid((0, 72, -106), (26, 18, 16))
EAR = Ellipsoid((84, -26, -34), (5, 14, 26))

DOME = Ellipsoid((0, -17, 8), (70, 90, 70))
MIDDLE_FOSSA = Ellipsoid((42, -8, -22), (26, 38, 25))
POSTERIOR_FOSSA = Ellipsoid((0, -62, -28), (58, 42, 38))
SUPRASELLAR = Ellipsoid((0, 0, -14), (20, 22, 15))
CANAL = Tube(((0, -24, -22, 18), (0, -34, -52, 16), (0, -43, -75, 11), (0, -45, -200, 9)))

NASAL_CAVITY = Ellipsoid((0, 60, -50), (15, 36, 22))
ETHMOID = Ellipsoid((0, 48, -28), (11, 24, 10))
TONGUE = Ellipsoid((0, 42, -96), (25, 34, 21))
JAW = Tube(((48, 8, -60, 6), (44, 16, -98, 7), (12, 66, -114, 7)))
VERTEBRAE = Tube(((0, -17, -70, 8), (0, -16, -200, 10)))


@dataclass(frozen=True)
class Head:
    """The individual anatomy of a patient's head; lengths in mm, signals relative to fat."""

    noise: Noise
    stretch: Array  # (3, 1): size relative to the standard head along x, y, z
    scalp: float  # thickness
    skull: float  # thickness
    fat: float
    white: float  # signal of white matter
    contrast: float  # white minus grey matter
    sulci: float  # half-width of the sulci at the surface
    ventricles: float  # relative size
    vessels: float  # radius of the small vessels

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Head":
        """The head of a new patient."""
        return cls(
            noise=Noise.random(rng),
            stretch=rng.normal(1.0, 0.04, (3, 1)).clip(0.92, 1.08).astype(np.float32),
            scalp=rng.uniform(4.0, 8.0),
            skull=rng.uniform(4.0, 6.5),
            fat=rng.uniform(0.50, 0.85),
            white=rng.uniform(0.29, 0.36),
            contrast=rng.uniform(0.01, 0.06),
            sulci=rng.uniform(0.1, 0.9),
            ventricles=rng.uniform(0.6, 1.5),
            vessels=rng.uniform(0.2, 0.8),
        )

    def to_standard(self, p: Array) -> Array:
        """Map positions in this head to the standard head: scale, and a smooth deformation by a mm or two."""
        deformation = np.stack([self.noise(p, 80.0, key) for key in (1, 2, 3)])
        return p / self.stretch + np.float32(1.4) * deformation

    def from_standard(self, standard: Array) -> Array:
        """Map positions in the standard head to this head, to a fraction of a mm: one step of fixed-point iteration."""
        guess = standard * self.stretch
        return guess - (self.to_standard(guess) - standard) * self.stretch


def might_be_head(p: Array) -> NDArray[np.bool_]:
    """A cheap test: False only for positions (3, n) outside of every possible head: (n,)."""
    x, y, z = p
    near_cranium = (x / 96) ** 2 + ((y + 8) / 128) ** 2 + (z / 106) ** 2 < 1
    return near_cranium | ((z < 0) & (np.abs(x) < 98) & (y > -105) & (y < 122))


def skin_distance(p: Array) -> Array:
    """The distance to the skin."""
    folded = np.concatenate([np.abs(p[:1]), p[1:]])
    solid = union(CRANIUM.distance(p), FACE.distance(p), 12)
    for organ, blend in ((NECK, 15), (NOSE, 10), (CHIN, 10), (EAR, 4)):
        solid = union(solid, organ.distance(folded), blend)
    return solid


def cavity_distance(p: Array) -> Array:
    """The distance to the inner surface of the skull and, below it, of the spinal canal."""
    folded = np.concatenate([np.abs(p[:1]), p[1:]])
    solid = np.maximum(DOME.distance(p), -15 - p[2])
    for cavity in (MIDDLE_FOSSA, POSTERIOR_FOSSA, SUPRASELLAR, CANAL):
        solid = union(solid, cavity.distance(folded), 5)
    return solid


def paint_head(canvas: Canvas, head: Head) -> None:
    """Paint all tissues outside of the cranial cavity."""
    _paint_soft_tissue(canvas, head)
    with canvas.region((canvas.p[2] < -10) & (canvas.p[1] > -40)) as front:
        _paint_face(front, head)
    _paint_neck(canvas)
    _paint_skull(canvas, head)


def _paint_soft_tissue(canvas: Canvas, head: Head) -> None:
    # Muscle fibres run mostly along z, with sheets of fat between the muscles.
    along = canvas.p * np.array([[1], [1], [0.4]], np.float32)
    tissue = MUSCLE + 0.05 * head.noise(along, 5.0, 4)
    sheets = partial_volume(head.noise.zero_distance(along, 16.0, 5) - 0.6, 1.5)
    canvas.paint(tissue + (0.6 * head.fat - tissue) * sheets, 1.0)
    canvas.paint(head.fat, partial_volume(-canvas.skin - head.scalp))
    canvas.paint(SKIN * head.fat, partial_volume(-canvas.skin - 1.5))
    canvas.signal *= partial_volume(canvas.skin)


def _paint_face(canvas: Canvas, head: Head) -> None:
    cells = head.noise(canvas.p, 7.0, 6)
    conchae = AIR + MUCOSA * np.clip(0.5 + 0.4 * cells, 0, 1)
    canvas.paint(conchae, partial_volume(NASAL_CAVITY.distance(canvas.p)))
    canvas.paint(AIR + 0.6 * MUCOSA * np.clip(cells, 0, 1), partial_volume(ETHMOID.distance(canvas.p)))
    canvas.paint(MUSCLE + 0.05 * cells, partial_volume(TONGUE.distance(canvas.p)))
    canvas.fill(BONE, Ellipsoid((31, 50, -62), (17, 20, 18)), paired=True)
    canvas.fill(AIR, Ellipsoid((31, 50, -62), (15, 18, 16)), paired=True)  # maxillary sinuses
    canvas.fill(0.85 * head.fat, Ellipsoid((31, 52, -30), (18, 30, 16)), paired=True)  # orbits
    canvas.fill(MUSCLE, Tube(((31, 58, -30, 2.5), (16, 24, -26, 2.5))), paired=True)  # optic nerves
    for muscle in ((42, 62, -30), (20, 62, -30), (31, 62, -19), (31, 62, -41)):
        canvas.fill(MUSCLE, Tube(((*muscle, 1.8), (20, 26, -27, 1.5))), paired=True)
    canvas.fill(0.5, Ellipsoid((32, 70, -30), (12.5, 12.5, 12.5)), paired=True)  # eyeballs
    canvas.fill(0.16, Ellipsoid((32, 70, -30), (11, 11, 11)), paired=True)
    canvas.fill(BONE, Tube(((0, 76, -76, 4), (0, 30, -72, 3))))  # palate
    jaw = JAW.distance(canvas.folded)
    canvas.paint(BONE, partial_volume(jaw))
    canvas.paint(MARROW * head.fat, partial_volume(jaw + 3))


def _paint_neck(canvas: Canvas) -> None:
    canvas.fill(AIR, Tube(((0, 16, -56, 7), (0, 6, -100, 6), (0, 4, -200, 8))))  # pharynx
    bodies = VERTEBRAE.distance(canvas.p)
    from_disc = np.abs((canvas.p[2] / 17) % 1 - 0.5) * 17 - 2
    canvas.paint(BONE, partial_volume(bodies - 1))
    canvas.paint(MARROW, partial_volume(np.maximum(bodies, -from_disc)))


def _paint_skull(canvas: Canvas, head: Head) -> None:
    thickness = head.skull * np.clip((canvas.p[2] + 60) / 50, 0.5, 1)
    canvas.fill(BONE, Ellipsoid((46, -26, -46), (22, 15, 14)), paired=True)  # petrous bones
    canvas.paint(BONE, partial_volume(canvas.inner - thickness))
    diploe = partial_volume(np.abs(canvas.inner - 0.55 * thickness) - 0.18 * thickness)
    canvas.paint(MARROW * np.clip(0.5 + 0.3 * head.noise(canvas.p, 12.0, 7), 0, 1), diploe * (canvas.p[2] > -30))
    canvas.fill(MARROW, Tube(((0, -4, -37, 5), (0, -19, -60, 4))))  # clivus
    canvas.fill(AIR, Ellipsoid((0, 22, -38), (15, 14, 10)))  # sphenoid sinus
    canvas.fill(AIR, Ellipsoid((0, 78, -4), (17, 6, 11)))  # frontal sinus
