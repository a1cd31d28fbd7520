"""Write a set of phantoms as files."""

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
    """Write `slices` synthetic slices as 1.mat, 2.mat, … and their folds as cvind.mat into `folder`.

    The images have `size` × `size` pixels over a field of view of 250 mm. The same `slices`, `seed` and `size` give
    the same bytes for any number of `workers` (threads; by default one per processor). `progress` is called after
    each patient with the number of slices written and their total.
    """
    folder = Path(folder)
    patients = enrol(slices, seed)

    def write(patient: Patient) -> int:
        for phantom in examine(patient, seed, size):
            write_slice(
                folder / f"{phantom.file}.mat",
                image=phantom.image,
                mask=phantom.mask,
                label=patient.label,
                pid=patient.pid,
                border=phantom.border,
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
