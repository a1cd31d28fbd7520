"""The scanner: sample the signal in a plane, simulate the acquisition, outline the tumour."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinydnn.data.phantoms.brain import paint_brain
from tinydnn.data.phantoms.canvas import Canvas, partial_volume
from tinydnn.data.phantoms.head import Head, cavity_distance, might_be_head, paint_head, skin_distance
from tinydnn.data.phantoms.solids import Array, column
from tinydnn.data.phantoms.tumours import Tumour, undo_mass_effect

FIELD_OF_VIEW = 250.0  # mm
CENTRE = (0.0, -8.0, -15.0)  # the position in the head at the centre of an image, mm
VIEWS = {  # the directions rightwards, upwards and along the slice normal
    "axial": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "coronal": ((1, 0, 0), (0, 0, 1), (0, 1, 0)),
    "sagittal": ((0, -1, 0), (0, 0, 1), (1, 0, 0)),
}
OUTLINE_POINTS = 48


@dataclass(frozen=True)
class Plane:
    """An image plane of `size` × `size` pixels."""

    view: str
    pose: Array  # (3, 3), the rotation of the head in the scanner
    offset: float  # mm from the tumour's centre along the slice normal
    roll: float  # radians, within the plane
    shift: tuple[float, float]  # mm, within the plane
    zoom: float
    size: int

    def positions(self, centre: Array) -> Array:
        """The positions (3, size²) of the pixels, row by row, in mm; `centre` (3, 1) is that of the tumour."""
        right, up, normal = (self.pose @ column(axis) for axis in VIEWS[self.view])
        u = ((np.arange(self.size) + 0.5) / self.size - 0.5) * FIELD_OF_VIEW / self.zoom
        across, above = (a.ravel().astype(np.float32) for a in np.meshgrid(u - self.shift[0], -u - self.shift[1]))
        cos, sin = np.float32(np.cos(self.roll)), np.float32(np.sin(self.roll))
        depth = (normal * (centre - column(CENTRE))).sum() + np.float32(self.offset)
        return (
            column(CENTRE) + normal * depth + right * (cos * across + sin * above) + up * (cos * above - sin * across)
        )


def scan(head: Head, tumour: Tumour, plane: Plane) -> tuple[Array, Array]:
    """The noise-free signal, and the partial volume of the tumour in each pixel, both (size, size)."""
    p = plane.positions(head.from_standard(column(tumour.centre)))
    signal, tumour_volume = np.zeros((2, p.shape[1]), np.float32)
    index = np.flatnonzero(might_be_head(p))
    p = head.to_standard(p[:, index])
    canvas = Canvas(p, skin_distance(p), cavity_distance(p), np.zeros(len(index), np.float32))
    with canvas.region((canvas.skin < 1) & (canvas.inner > -1)) as outside:
        paint_head(outside, head)
    with canvas.region(canvas.inner < 1) as inside:
        inside.p = undo_mass_effect(tumour, inside.p)
        paint_brain(inside, head)
    around = ((p - column(tumour.centre)) ** 2).sum(0) < (2 * tumour.radius + 20) ** 2
    with canvas.region(around) as region:
        tumour_volume[index[around]] = partial_volume(tumour.paint(region, head))
    signal[index] = canvas.signal
    return signal.reshape(plane.size, plane.size), tumour_volume.reshape(plane.size, plane.size)


def acquire(signal: Array, rng: np.random.Generator) -> NDArray[np.int16]:
    """Simulate the magnitude image (H, W) that a scanner acquires from `signal` (H, W):

        image = round(scale · |s + n₁ + i·n₂|)          s = (b · (G ∗ signal))^γ

    G is a Gaussian point spread function, b the bias field of the coils, the exponential of a quadratic polynomial in x
    and y, γ a change of contrast, n₁ and n₂ Gaussian noise. So the noise of the image is Rician.

    Source: Gudbjartsson and Patz, The Rician distribution of noisy MRI data, Magn. Reson. Med. 34 (1995).
    """
    from scipy.ndimage import gaussian_filter

    size = signal.shape[0]
    u = np.linspace(-1, 1, size, dtype=np.float32)
    y, x = np.meshgrid(u, u, indexing="ij")
    a = rng.normal(0, 0.2, 5).astype(np.float32)
    b = np.exp(a[0] * x + a[1] * y + a[2] * x * y + a[3] * x * x + a[4] * y * y)
    s = gaussian_filter(signal, rng.uniform(0.4, 0.8) * size / 256).clip(0) * b
    s = s ** np.float32(rng.uniform(0.75, 1.3))
    n1, n2 = rng.standard_normal((2, size, size), dtype=np.float32) * np.float32(rng.uniform(0.008, 0.02))
    return np.rint(np.hypot(s + n1, n2) * np.float32(rng.uniform(600, 2000))).astype(np.int16)


def outline(tumour_volume: Array) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """The mask (H, W) and the border x1 y1 x2 y2 … of the tumour, as a rater would draw them; pixels count from 1.

    The border is the outermost point of the tumour in each direction from its centroid, smoothed; the mask is the
    region that it encloses.
    """
    from scipy.ndimage import gaussian_filter1d, map_coordinates

    row, column = (index.mean() for index in np.nonzero(tumour_volume > 0.5))
    angles = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    steps = np.arange(0, max(tumour_volume.shape), 0.5)
    rays = np.stack([row + np.sin(angles)[:, None] * steps, column + np.cos(angles)[:, None] * steps])
    inside = map_coordinates(tumour_volume, rays, order=1) > 0.5
    radii = gaussian_filter1d(np.where(inside, steps, 1.0).max(1), 1.0, mode="wrap")
    y, x = (index - centre for index, centre in zip(np.indices(tumour_volume.shape), (row, column), strict=True))
    mask = np.hypot(y, x) <= np.interp(np.arctan2(y, x), angles, radii, period=2 * np.pi)
    border = np.stack([column + radii * np.cos(angles), row + radii * np.sin(angles)], axis=1) + 1
    return mask, border.ravel()
