"""The patients of a set of phantoms, and the slices of each."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinydnn.data.phantoms.head import Head
from tinydnn.data.phantoms.scan import FIELD_OF_VIEW, VIEWS, Plane, acquire, outline, scan
from tinydnn.data.phantoms.tumours import Adenoma, Glioma, Meningioma

TUMOURS: dict[int, type[Meningioma | Glioma | Adenoma]] = {1: Meningioma, 2: Glioma, 3: Adenoma}  # by label
SLICES_OF_PUBLISHED_SET = {1: 708, 2: 1426, 3: 930}
FOLDS = 5
SMALLEST_TUMOUR = 80.0  # mm² in the image


@dataclass(frozen=True)
class Patient:
    """A patient: the label of the tumour, the fold, and for each slice its file number and view."""

    number: int
    label: int
    fold: int
    files: tuple[int, ...]
    views: tuple[str, ...]

    @property
    def pid(self) -> str:
        """The PID. It ends in a digit: a final letter would mark a repeated examination of the same patient."""
        return f"PHANTOM-{self.number:04d}"


@dataclass(frozen=True)
class Phantom:
    """A synthetic slice with the mask and the border of its tumour."""

    file: int
    image: NDArray[np.int16]
    mask: NDArray[np.bool_]
    border: NDArray[np.float64]


def enrol(slices: int, seed: int) -> list[Patient]:
    """Patients with `slices` slices in total, in classes of the same proportions as the published set.

    A patient has 1 to 16 slices, typically 7, in one to three views. File numbers are random, and the patients of each
    class are dealt to the folds in turn.
    """
    rng = np.random.default_rng(seed)
    files = iter(rng.permutation(slices) + 1)
    patients: list[Patient] = []
    published = sum(SLICES_OF_PUBLISHED_SET.values())
    bounds = np.rint(np.cumsum([0, *SLICES_OF_PUBLISHED_SET.values()]) * slices / published).astype(int)
    for label, remaining in zip(TUMOURS, np.diff(bounds), strict=True):
        largest = int(np.clip(remaining // FOLDS, 1, 16))
        nth = 0
        while remaining > 0:
            count = min(remaining, int(np.clip(rng.lognormal(np.log(7), 0.5), 1, largest)))
            remaining -= count
            views = np.roll(list(VIEWS), nth)[: rng.integers(1, 4)]
            patients.append(
                Patient(
                    number=len(patients) + 1,
                    label=label,
                    fold=nth % FOLDS + 1,
                    files=tuple(int(next(files)) for _ in range(count)),
                    views=tuple(str(views[i * len(views) // count]) for i in range(count)),
                )
            )
            nth += 1
    return patients


def examine(patient: Patient, seed: int, size: int) -> Iterator[Phantom]:
    """The slices of a patient, `size` × `size` pixels. The same patient, seed and size give the same slices."""
    rng = np.random.default_rng([seed, patient.number])
    head, tumour = Head.random(rng), TUMOURS[patient.label].random(rng)
    pose = _small_rotation(rng)
    for i, (file, view) in enumerate(zip(patient.files, patient.views, strict=True)):
        # The slices of a view pass through the tumour from one side to the other.
        nth, count = patient.views[:i].count(view), patient.views.count(view)
        offset = tumour.radius * ((nth + rng.uniform(0.2, 0.8)) / count - 0.5)
        roll, zoom = rng.normal(0, 0.14), rng.uniform(0.88, 1.14)
        shift = (rng.normal(0, 8), rng.normal(0, 8))
        while True:
            signal, tumour_volume = scan(head, tumour, Plane(view, pose, offset, roll, shift, zoom, size))
            if (tumour_volume > 0.5).sum() * (FIELD_OF_VIEW / size) ** 2 >= SMALLEST_TUMOUR:
                break
            offset /= 2
        mask, border = outline(tumour_volume)
        yield Phantom(file, acquire(signal, rng), mask, border)


def _small_rotation(rng: np.random.Generator) -> NDArray[np.float32]:
    """A random rotation (3, 3) of the head in the scanner, by a few degrees about each axis, most about x (nodding)."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(rng.normal(0, [0.14, 0.09, 0.08])).as_matrix().astype(np.float32)
