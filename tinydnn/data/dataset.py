"""The dataset: labelled images in memory, or streamed from a prepared HDF5 file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from tinydnn.data import overview
from tinydnn.data.crop import WHOLE, Crop
from tinydnn.errors import InputError

if TYPE_CHECKING:
    import h5py

FORMAT = "tinydnn-dataset"
VERSION = 1


class Rows(Protocol):
    """An array (N, …) in memory or in an open HDF5 file; indexing reads only the indexed rows."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...

    def __getitem__(self, index: int | slice, /) -> np.ndarray: ...


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """N images of S x S pixels with their classes and patients. Raises `ValueError` if lengths differ."""

    images: Rows  # (N, 1, S, S) uint8; or features of a frozen prefix, (N, …) float32
    labels: np.ndarray  # (N,) int64, from 0
    patients: np.ndarray  # (N,) str: the PID family; "" if unknown
    class_names: tuple[str, ...]
    masks: Rows | None = None  # (N, S, S) bool, true inside the tumour
    files: Sequence[str] = ()  # the name of each slice in the source
    folds: np.ndarray | None = None  # (N,) int64, the published folds from 1; 0 if unknown
    content: str = ""  # digest of the source files
    source: str = ""  # name of the source file or folder
    synthetic: bool = False  # phantoms, not patients
    crop: Crop = WHOLE  # the region that was cut out of every slice
    skipped: tuple[tuple[str, str], ...] = ()  # broken files that were left out: (name, reason)
    pids: np.ndarray | None = None  # (N,) str: the PID as stored, of which `patients` is the family; "" if unknown

    def __post_init__(self) -> None:
        for name in ("images", "patients", "masks", "folds", "pids"):
            values = getattr(self, name)
            if values is not None and values.shape[0] != len(self.labels):
                raise ValueError(f"{name}: expected {len(self.labels)} as labels, found {values.shape[0]}")

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Dataset({overview.text(self)})"

    def _repr_html_(self) -> str:
        return overview.page(self)

    @property
    def size(self) -> int:
        """Pixels along each side of an image."""
        return self.images.shape[-1]

    @property
    def patient_count(self) -> int:
        """Number of known patients (PID families)."""
        return len(set(self.patients.tolist()) - {""})

    @property
    def pid_count(self) -> int | None:
        """Number of known PIDs, at least `patient_count`; None if the dataset has families only."""
        return None if self.pids is None else len(set(self.pids.tolist()) - {""})

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Images (B, 1, S, S) uint8 in the order of `indices`. Needs memory for one batch only."""
        batch = np.empty((len(indices), *self.images.shape[1:]), self.images.dtype)
        for row, index in enumerate(indices):
            batch[row] = self.images[int(index)]
        return batch

    def read_masks(self, indices: np.ndarray) -> np.ndarray:
        """Masks (B, S, S) bool in the order of `indices`. Raises `InputError` if the dataset has none."""
        if self.masks is None:
            raise InputError(f"{self.source}: expected slices with tumour masks, found none")
        return np.stack([self.masks[int(index)] for index in indices])

    def with_classes(self, class_names: Sequence[str]) -> Self:
        """The same slices with labels that index `class_names`, matched by name. A class may have no slices here.

        Raises `InputError` if a slice is of a class that is not among `class_names`.
        """
        for label in np.unique(self.labels):
            name = self.class_names[label]
            if name not in class_names:
                near = [known for known in class_names if known.strip().casefold() == name.strip().casefold()]
                hint = f"; names must be equal, and {near[0]!r} is near" if near else ""
                raise InputError(
                    f"{self.source}: expected slices of the classes {', '.join(class_names)}, "
                    f"found {int((self.labels == label).sum())} of class {name!r}{hint}"
                )
        positions = {name: label for label, name in enumerate(class_names)}
        # A name without slices may be unknown; its position is never used.
        labels = np.array([positions.get(name, -1) for name in self.class_names])[self.labels]
        return replace(self, labels=labels, class_names=tuple(class_names))

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a prepared file. It stays open: images and masks are read on access.

        Raises `InputError` if there is no such file, or it is damaged, of another kind or of a newer version.
        """
        with _checked_file(path) as file:
            size, names = int(file.attrs["size"]), file["file"].asstr("utf-8")[:]
            images, labels = file["image"], file["label"][:].astype(np.int64)
            class_names = tuple(str(name) for name in file.attrs["class_names"])
            if images.shape != (len(labels), 1, size, size) or images.dtype != np.uint8:
                raise ValueError(f"image: {images.dtype} {images.shape}")
            if not len(labels) or labels.max() >= len(class_names) or len(set(class_names)) < len(class_names):
                raise ValueError(f"label: {len(labels)} of the classes {', '.join(class_names)}")
            return cls(
                images=images,
                labels=labels,
                patients=file["patient"].asstr()[:].astype(str),
                class_names=class_names,
                masks=PackedMasks(file["mask"], size) if "mask" in file else None,
                files=tuple(str(name) for name in names),
                folds=file["fold"][:].astype(np.int64),
                content=str(file.attrs["content"]),
                source=str(file.attrs["source"]),
                synthetic=bool(file.attrs["synthetic"]),
                crop=Crop.parse(str(file.attrs.get("crop", "none"))),
                skipped=tuple((str(name), str(reason)) for name, reason in file["skipped"].asstr()[:]),
                pids=file["pid"].asstr()[:].astype(str) if "pid" in file else None,
            )


@dataclass(frozen=True, eq=False)
class PackedMasks:
    """Masks (N, S, S) bool, stored as packed bits (N, S, ⌈S/8⌉) and unpacked on access."""

    packed: "h5py.Dataset"
    size: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.packed.shape[0], self.size, self.size)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(bool)

    def __getitem__(self, index: int | slice, /) -> np.ndarray:
        return np.unpackbits(self.packed[index], axis=-1, count=self.size).astype(bool)


@contextmanager
def _checked_file(path: str | Path) -> Iterator["h5py.File"]:
    """Open a file and check its format and version; turn errors while reading it into `InputError`."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except FileNotFoundError:
        raise InputError(f"{path}: expected a prepared dataset, found no such file") from None
    except OSError:
        raise InputError(f"{path}: expected a prepared dataset (HDF5), found another or a damaged file") from None
    try:
        if file.attrs.get("format") != FORMAT:
            raise InputError(f"{path}: expected a prepared dataset, found an HDF5 file of another kind")
        if int(file.attrs["version"]) > VERSION:
            raise InputError(
                f"{path}: expected a dataset of version {VERSION} or older, found {file.attrs['version']}: "
                "a newer tinydnn wrote it"
            )
        yield file
    except InputError:
        file.close()
        raise
    except (KeyError, TypeError, ValueError, OSError, RuntimeError, AttributeError) as error:
        file.close()
        raise InputError(f"{path}: the prepared dataset is damaged ({str(error)[:100]})") from None
