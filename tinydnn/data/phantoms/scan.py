"""The scanner: cuts a plane through a head, adds what coils and noise add, and outlines the tumour."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinydnn.data.phantoms.brain import paint_brain
from tinydnn.data.phantoms.canvas import Canvas, coverage
from tinydnn.data.phantoms.head import Head, cavity_distance, might_be_head, paint_head, skin_distance
from tinydnn.data.phantoms.solids import Array, column
from tinydnn.data.phantoms.tumours import Tumour, undisplaced

FIELD_OF_VIEW = 250.0  # mm
MIDDLE = (0.0, -8.0, -15.0)  # the place in the head that lies in the middle of a picture, mm
VIEWS = {  # the directions rightwards, upwards and towards the next slice
    "axial": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "coronal": ((1, 0, 0), (0, 0, 1), (0, 1, 0)),
    "sagittal": ((0, -1, 0), (0, 0, 1), (1, 0, 0)),
}
OUTLINE_POINTS = 48


@dataclass(frozen=True)
class Plane:
    """One slice of `size` x `size` pixels."""

    view: str
    pose: Array  # (3, 3), how the head lay in the scanner
    offset: float  # mm from the tumour's centre along the slice direction
    roll: float  # radians within the picture
    shift: tuple[float, float]  # mm within the picture
    zoom: float
    size: int

    def positions(self, centre: Array) -> Array:
        """Positions (3, size²) of the pixels, row by row, in mm; `centre` (3, 1) is the tumour's."""
        right, up, onwards = (self.pose @ column(axis) for axis in VIEWS[self.view])
        u = ((np.arange(self.size) + 0.5) / self.size - 0.5) * FIELD_OF_VIEW / self.zoom
        across, above = (a.ravel().astype(np.float32) for a in np.meshgrid(u - self.shift[0], -u - self.shift[1]))
        cos, sin = np.float32(np.cos(self.roll)), np.float32(np.sin(self.roll))
        depth = (onwards * (centre - column(MIDDLE))).sum() + np.float32(self.offset)
        return (
            column(MIDDLE) + onwards * depth + right * (cos * across + sin * above) + up * (cos * above - sin * across)
        )


def scan(head: Head, tumour: Tumour, plane: Plane) -> tuple[Array, Array]:
    """The signal, free of noise, and the share of tumour in each pixel, both (size, size)."""
    p = plane.positions(head.actual(column(tumour.centre)))
    signal, share = np.zeros((2, p.shape[1]), np.float32)
    near = np.flatnonzero(might_be_head(p))
    p = head.standard(p[:, near])
    canvas = Canvas(p, skin_distance(p), cavity_distance(p), np.zeros(len(near), np.float32))
    with canvas.part((canvas.skin < 1) & (canvas.inner > -1)) as outside:
        paint_head(outside, head)
    with canvas.part(canvas.inner < 1) as inside:
        inside.p = undisplaced(tumour, inside.p)
        paint_brain(inside, head)
    around = ((p - column(tumour.centre)) ** 2).sum(0) < (2 * tumour.radius + 20) ** 2
    with canvas.part(around) as region:
        share[near[around]] = coverage(tumour.paint(region, head))
    signal[near] = canvas.signal
    return signal.reshape(plane.size, plane.size), share.reshape(plane.size, plane.size)


def develop(signal: Array, rng: np.random.Generator) -> NDArray[np.int16]:
    """The picture that a scanner makes of `signal`: shaded by its coils, blurred, noisy, in whole numbers."""
    from scipy.ndimage import gaussian_filter

    size = signal.shape[0]
    y, x = np.meshgrid(*[np.linspace(-1, 1, size, dtype=np.float32)] * 2, indexing="ij")
    a = rng.normal(0, 0.2, 5).astype(np.float32)
    shading = np.exp(a[0] * x + a[1] * y + a[2] * x * y + a[3] * x * x + a[4] * y * y)
    received = gaussian_filter(signal, rng.uniform(0.4, 0.8) * size / 256).clip(0) * shading
    received = received ** np.float32(rng.uniform(0.75, 1.3))
    noise = rng.standard_normal((2, size, size), dtype=np.float32) * np.float32(rng.uniform(0.008, 0.02))
    magnitude = np.hypot(received + noise[0], noise[1])  # hence Rician
    return np.rint(magnitude * np.float32(rng.uniform(600, 2000))).astype(np.int16)


def outline(share: Array) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """The mask (H, W) and the border x1 y1 x2 y2 ... that one would draw around a tumour, in 1-based pixels.

    From the middle of the tumour the border is looked for in every direction; the mask is what it encloses.
    """
    from scipy.ndimage import gaussian_filter1d, map_coordinates

    row, column = (index.mean() for index in np.nonzero(share > 0.5))
    angles = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    steps = np.arange(0, max(share.shape), 0.5)
    rays = np.stack([row + np.sin(angles)[:, None] * steps, column + np.cos(angles)[:, None] * steps])
    within = map_coordinates(share, rays, order=1) > 0.5
    radii = gaussian_filter1d(np.where(within, steps, 1.0).max(1), 1.0, mode="wrap")
    y, x = (index - middle for index, middle in zip(np.indices(share.shape), (row, column), strict=True))
    mask = np.hypot(y, x) <= np.interp(np.arctan2(y, x), angles, radii, period=2 * np.pi)
    border = np.stack([column + radii * np.cos(angles), row + radii * np.sin(angles)], axis=1) + 1
    return mask, border.ravel()
