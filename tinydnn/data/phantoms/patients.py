"""Who is in a set of phantoms, and the pictures taken of one patient."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tinydnn.data.phantoms.head import Head
from tinydnn.data.phantoms.scan import FIELD_OF_VIEW, VIEWS, Plane, develop, outline, scan
from tinydnn.data.phantoms.tumours import Adenoma, Glioma, Meningioma

Kind: TypeAlias = type[Meningioma] | type[Glioma] | type[Adenoma]

KINDS: dict[int, Kind] = {1: Meningioma, 2: Glioma, 3: Adenoma}  # by label
SLICES_OF_PUBLISHED_SET = {1: 708, 2: 1426, 3: 930}
FOLDS = 5
SMALLEST_TUMOUR = 80.0  # mm² of a picture


@dataclass(frozen=True)
class Patient:
    """One patient: a tumour of kind `label`, and for every slice its file number and view."""

    number: int
    label: int
    fold: int
    files: tuple[int, ...]
    views: tuple[str, ...]

    @property
    def pid(self) -> str:
        """The patient's code. It ends in a digit: a letter at the end would mean a patient seen again."""
        return f"PHANTOM-{self.number:04d}"


@dataclass(frozen=True)
class Picture:
    """One finished slice and the outline of the tumour in it."""

    file: int
    image: NDArray[np.int16]
    mask: NDArray[np.bool_]
    border: NDArray[np.float64]


def enrol(slices: int, seed: int) -> list[Patient]:
    """Patients with `slices` slices between them, in the proportions of classes of the published set.

    A patient has 1 to 16 slices, 7 as a rule, of one to three views; file numbers are dealt at random, and
    each class is spread over the folds.
    """
    rng = np.random.default_rng(seed)
    files = iter(rng.permutation(slices) + 1)
    patients: list[Patient] = []
    published = sum(SLICES_OF_PUBLISHED_SET.values())
    bounds = np.rint(np.cumsum([0, *SLICES_OF_PUBLISHED_SET.values()]) * slices / published).astype(int)
    for label, left in zip(KINDS, np.diff(bounds), strict=True):
        largest = int(np.clip(left // FOLDS, 1, 16))
        nth = 0
        while left > 0:
            count = min(left, int(np.clip(rng.lognormal(np.log(7), 0.5), 1, largest)))
            left -= count
            order = np.roll(list(VIEWS), nth)[: rng.integers(1, 4)]
            patients.append(
                Patient(
                    number=len(patients) + 1,
                    label=label,
                    fold=nth % FOLDS + 1,
                    files=tuple(int(next(files)) for _ in range(count)),
                    views=tuple(str(order[i * len(order) // count]) for i in range(count)),
                )
            )
            nth += 1
    return patients


def examine(patient: Patient, seed: int, size: int) -> Iterator[Picture]:
    """Take the patient's pictures, `size` x `size` pixels. The same patient and seed give the same pictures."""
    rng = np.random.default_rng([seed, patient.number])
    head, tumour = Head.random(rng), KINDS[patient.label].random(rng)
    pose = _small_rotation(rng)
    for i, (file, view) in enumerate(zip(patient.files, patient.views, strict=True)):
        # Neighbouring slices: the tumour from one side to the other, as many times as the view is taken.
        nth, count = patient.views[:i].count(view), patient.views.count(view)
        offset = tumour.radius * ((nth + rng.uniform(0.2, 0.8)) / count - 0.5)
        roll, zoom = rng.normal(0, 0.14), rng.uniform(0.88, 1.14)
        shift = (rng.normal(0, 8), rng.normal(0, 8))
        while True:
            signal, share = scan(head, tumour, Plane(view, pose, offset, roll, shift, zoom, size))
            if (share > 0.5).sum() * (FIELD_OF_VIEW / size) ** 2 >= SMALLEST_TUMOUR:
                break
            offset /= 2
        mask, border = outline(share)
        yield Picture(file, develop(signal, rng), mask, border)


def _small_rotation(rng: np.random.Generator) -> NDArray[np.float32]:
    """How the head lies in the scanner: nodding most, then tilting and turning, by some degrees."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(rng.normal(0, [0.14, 0.09, 0.08])).as_matrix().astype(np.float32)
