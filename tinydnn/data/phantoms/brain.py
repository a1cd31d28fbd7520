"""The contents of the cranial cavity: cortex, white matter, ventricles, cerebellum, brain stem, dura, vessels."""

import numpy as np

from tinydnn.data.phantoms.canvas import Canvas, partial_volume
from tinydnn.data.phantoms.head import CSF, DOME, VESSEL, Head
from tinydnn.data.phantoms.solids import Array, Ellipsoid, Tube, column, union

DURA, GLAND = 0.40, 0.55
SELLA = (0.0, 4.0, -27.0)  # centre of the pituitary gland, mm

CISTERN = Ellipsoid((0, -10, -22), (16, 20, 14))
STEM_CISTERN = Tube(((0, -26, -10, 14), (0, -34, -60, 19)))
CALLOSUM = Tube(
    ((0, 22, -4, 3.5), (0, 30, 6, 5), (0, 24, 20, 4), (0, 0, 27, 3.5), (0, -24, 23, 3.5), (0, -38, 12, 5.5))
)
MIDBRAIN = Tube(((0, -22, -8, 12), (0, -28, -16, 11)))
PONS = Ellipsoid((0, -27, -32), (17, 12, 14))
MEDULLA = Tube(((0, -33, -44, 8), (0, -43, -70, 6), (0, -45, -200, 5.5)))
CEREBELLUM = Ellipsoid((23, -64, -36), (32, 33, 27))
VERMIS = Ellipsoid((0, -64, -30), (12, 26, 22))


def paint_brain(canvas: Canvas, head: Head) -> None:
    """Paint the contents of the cranial cavity."""
    canvas.paint(CSF, partial_volume(canvas.inner))
    canvas.paint(DURA, 0.7 * partial_volume(np.abs(canvas.inner + 0.4) - 0.4))
    cerebrum = _cerebrum(canvas)
    with canvas.region(cerebrum < 1) as upper:
        _paint_cerebrum(upper, head, cerebrum[cerebrum < 1])
    _paint_ventricles(canvas, head)
    with canvas.region((canvas.p[2] < 4) & (canvas.p[1] < -5)) as hind:
        _paint_hindbrain(hind, head)
    _paint_sella(canvas)
    with canvas.region(canvas.inner > -30) as rim:
        _paint_small_vessels(rim, head)
    _paint_large_vessels(canvas, head)


def _tentorium(p: Array) -> Array:
    """The height z of the tentorium, the dura between the occipital lobes and the cerebellum."""
    return 2 - 0.45 * np.abs(p[0]) + 0.4 * (p[1] + 45)


def _cerebrum(canvas: Canvas) -> Array:
    """The distance to the surface of the cerebrum."""
    p = canvas.p
    below_tentorium = np.maximum(p[2] - _tentorium(p), p[1] + 29)
    cistern = union(CISTERN.distance(p), STEM_CISTERN.distance(p), 4)
    return np.maximum(np.maximum(canvas.inner + 2.2, 1.0 - below_tentorium), -cistern)


def _paint_cerebrum(canvas: Canvas, head: Head, cerebrum: Array) -> None:
    p, depth = canvas.p, -cerebrum
    around = p - column(DOME.centre)
    radius = np.sqrt(((around / column(DOME.radii)) ** 2).sum(0)).clip(0.35)
    # Compressed along the rays from the centre, the noise is 0 on surfaces perpendicular to the cortex: the sulci.
    rays = around * (0.15 + 0.85 / radius) + np.float32(4) * head.noise(p, 14.0, 8)
    sulcus = head.noise.zero_distance(rays, 15.0, 9)
    width = head.sulci * (1.4 - depth / 16)
    ribbon = np.minimum(np.where(depth < 20, sulcus - width - 2.5, 9), depth - 3)
    white, grey = head.white, head.white - head.contrast
    texture = 0.006 * head.noise(p, 4.0, 10)
    canvas.paint(grey + head.contrast * np.clip(0.5 + ribbon / 2, 0, 1) + texture, partial_volume(cerebrum))
    for nucleus in (((10, -18, 8), (8, 14, 8)), ((25, 3, 2), (6, 16, 9)), ((13, 14, 9), (5, 9, 8))):
        canvas.fill(grey, Ellipsoid(*nucleus), paired=True)
    canvas.paint(CSF, partial_volume(sulcus - width) * (width > 0) * np.clip(1.5 * head.sulci, 0.2, 1))
    canvas.paint(CSF, partial_volume(_sylvian_fissure(canvas.folded) - head.sulci))
    _paint_midline(canvas, white, depth)


def _sylvian_fissure(folded: Array) -> Array:
    """The distance to the fissure above the temporal lobe and over the insula."""
    x, y, z = folded
    lip = np.maximum(np.abs(z + 4 - 0.25 * (y - 10)) - 0.4, np.maximum(36 - x, np.abs(y + 6) - 32))
    insula = np.maximum(np.abs(x - 38) - 0.2, np.hypot(y - 2, z - 2) - 16)
    return np.minimum(lip, insula)


def _paint_midline(canvas: Canvas, white: float, depth: Array) -> None:
    """Paint the longitudinal fissure, the falx in it, and the corpus callosum below."""
    x, y, z = canvas.p
    outside_callosum = np.hypot((y + 6) / 44, (z - 4) / 30)
    fissure = np.abs(x) - 0.5 - 0.03 * depth.clip(0, 20)
    canvas.paint(CSF + 0.06, partial_volume(fissure, 1.2) * (outside_callosum > 1))
    arch = CALLOSUM.distance(canvas.p * np.array([[0], [1], [1]], np.float32))
    canvas.paint(white, partial_volume(np.maximum(arch, np.abs(x) - 14)))
    canvas.paint(DURA, 0.7 * partial_volume(np.abs(x) - 0.4) * (outside_callosum > 1.15) * (z > -2))


def _paint_ventricles(canvas: Canvas, head: Head) -> None:
    s = head.ventricles
    body = ((8, 32, 0, 2), (11, 20, 12, 5), (13, -8, 21, 4.5), (20, -36, 15, 5.5), (26, -52, 8, 5), (25, -72, 4, 1.5))
    horn = ((25, -44, 8, 4), (35, -28, -8, 2.5), (34, -10, -18, 1.5))
    for stations in (body, horn):
        canvas.fill(CSF, Tube(tuple((x, y, z, s * r) for x, y, z, r in stations)), paired=True)
    canvas.fill(CSF, Ellipsoid((0, -14, -2), (1.8 * s, 15, 10)))  # third ventricle
    choroid = Tube(((14, -18, 16, 0.6), (22, -42, 11, 2.2), (27, -40, 2, 1)))
    canvas.fill(VESSEL, choroid, paired=True)


def _paint_hindbrain(canvas: Canvas, head: Head) -> None:
    p = canvas.p
    white, grey = head.white, head.white - head.contrast
    lobes = union(np.maximum(CEREBELLUM.distance(canvas.folded), canvas.inner + 2), VERMIS.distance(p), 3)
    lobes = np.maximum(lobes, p[2] - _tentorium(p) + 2)
    # Folia: thin shells around the root of the cerebellum.
    root = np.sqrt(((p - column((0, -45, -35))) ** 2).sum(0)) + 4 * head.noise(p, 14.0, 11)
    folia = (0.5 * head.contrast + 0.01) * (np.sin(root * 1.5) * np.clip(-lobes / 6, 0, 1) - 0.3)
    canvas.paint(grey + folia, partial_volume(lobes))
    canvas.fill(white, Ellipsoid((18, -58, -36), (12, 9, 7)), paired=True, edge=3)
    stem = union(union(MIDBRAIN.distance(p), PONS.distance(p), 4), MEDULLA.distance(p), 4)
    canvas.paint(white, partial_volume(stem))
    canvas.fill(CSF, Ellipsoid((0, -47, -34), (6, 4, 9)))  # fourth ventricle
    behind = (p[1] < -30) & (canvas.inner < 0) & (np.hypot(p[0], p[1] + 35) > 18)
    canvas.paint(DURA, partial_volume(np.abs(p[2] - _tentorium(p)) - 0.6) * behind)


def _paint_sella(canvas: Canvas) -> None:
    canvas.fill(0.5, Ellipsoid((11, 2, -28), (4, 10, 6)), paired=True)  # cavernous sinuses
    carotid = Tube(((12, -8, -34, 2.2), (12, 4, -29, 2.2), (11, 8, -22, 2.2)))
    canvas.fill(CSF, carotid, paired=True)
    canvas.fill(GLAND, Ellipsoid(SELLA, (7, 5.5, 4)))
    canvas.fill(GLAND, Tube(((0, 3, -24, 1), (0, 0, -14, 1))))  # pituitary stalk


def _paint_small_vessels(canvas: Canvas, head: Head) -> None:
    # The zero surfaces of two fields intersect in curves, which resemble the course of vessels.
    curves = np.hypot(head.noise.zero_distance(canvas.p, 22.0, 12), head.noise.zero_distance(canvas.p, 22.0, 13))
    radius = head.vessels * np.clip(1 + canvas.inner / 25, 0, 1)
    canvas.paint(VESSEL, partial_volume(curves - radius) * partial_volume(canvas.inner + 1))


def _paint_large_vessels(canvas: Canvas, head: Head) -> None:
    t, p, inner = head.vessels, canvas.p, canvas.inner
    middle_cerebral = Tube(((4, -6, -14, 1.2 * t), (22, 4, -16, 1.4 * t), (40, 2, -8, 1.1 * t), (42, -16, 2, t)))
    canvas.fill(VESSEL, middle_cerebral, paired=True)
    canvas.fill(VESSEL, Tube(((0, -16, -18, 1.6), (0, -14, -44, 1.4))))  # basilar artery
    canvas.fill(VESSEL, Tube(((0, 0, 4, 0.8), (0, -40, 6, 1.6), (0, -48, 2, 2.0), (0, -92, -14, 2.2))))  # deep veins
    sagittal_sinus = np.hypot(1.3 * p[0] * (1 + 0.2 * inner), inner + 2.2) - 2.4
    canvas.paint(VESSEL, partial_volume(sagittal_sinus) * ((p[2] > 10) | (p[1] < -70)))
    transverse_sinuses = np.hypot(0.8 * (p[2] - _tentorium(p)), inner + 2.5) - 2.8
    canvas.paint(VESSEL, partial_volume(transverse_sinuses) * (p[1] < -45))
