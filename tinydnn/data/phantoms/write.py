"""Writing a set of phantoms as files."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tinydnn.data.phantoms.matlab import write_folds, write_slice
from tinydnn.data.phantoms.patients import Patient, enrol, examine


def write_phantoms(
    folder: str | Path,
    *,
    slices: int = 600,
    seed: int = 0,
    size: int = 256,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write `slices` synthetic slices as 1.mat, 2.mat ... and their folds as cvind.mat into `folder`.

    The pictures are `size` x `size` pixels of 250 mm. The same `slices`, `seed` and `size` give the same bytes,
    whatever the number of `workers` (threads; one for each processor unless told). `progress` is called with the
    number of slices done and of all slices, a patient at a time.
    """
    folder = Path(folder)
    patients = enrol(slices, seed)

    def write(patient: Patient) -> int:
        for picture in examine(patient, seed, size):
            write_slice(
                folder / f"{picture.file}.mat",
                image=picture.image,
                mask=picture.mask,
                label=patient.label,
                pid=patient.pid,
                border=picture.border,
            )
        return len(patient.files)

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        done = 0
        for count in pool.map(write, patients):
            done += count
            if progress is not None:
                progress(done, slices)
    folds = {file: patient.fold for patient in patients for file in patient.files}
    write_folds(folder / "cvind.mat", [folds[file] for file in range(1, slices + 1)])
