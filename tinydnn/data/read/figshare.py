"""Reading the slices of the brain-tumour set as published: MATLAB v7.3 files that hold one struct `cjdata`.

Source: Jun Cheng, "brain tumor dataset", figshare, doi:10.6084/m9.figshare.1512427. Whatever is wrong with a
file ends as one `InputError` that names the file and the fault.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from tinydnn.errors import InputError

if TYPE_CHECKING:
    import h5py

CLASS_NAMES = ("meningioma", "glioma", "pituitary")  # labels 1, 2, 3
MAX_SIDE = 2**13  # pixels; far beyond any slice, and a corrupt header must not ask for all the memory there is
MAX_PID = 64  # characters
PHANTOM_PREFIX = "PHANTOM"  # the codes of patients that are computed, not scanned, begin so


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice as its file holds it."""

    image: np.ndarray  # (H, W), the file's own number type; finite
    label: int  # counts from 1
    pid: str = ""  # the patient's code; "" where the patient is unknown
    mask: np.ndarray | None = None  # (H, W) bool, true inside the tumour
    border: np.ndarray | None = None  # float64 x1 y1 x2 y2 ..., in pixels that count from 1


def read_slice(file: str | Path | BinaryIO, name: str) -> Slice:
    """Read one slice; `name` is what messages call the file.

    h5py hands MATLAB's arrays out transposed; here they stand upright, (rows, columns). Vectors may lie as
    (1, n) or (n, 1).
    """
    with _open_hdf5(file, name) as root:
        struct = _struct(root, name)
        image = _image(struct, name)
        mask = _read(struct, "tumorMask", name).T
        if mask.shape != image.shape:
            raise InputError(f"{name}: cjdata.tumorMask: expected the image's {image.shape} pixels, found {mask.shape}")
        border = _read(struct, "tumorBorder", name).ravel().astype(np.float64)
        return Slice(image, _label(struct, name), _pid(struct, name), mask != 0, border)


def read_mat_image(file: str | Path | BinaryIO, name: str) -> np.ndarray:
    """Only the picture (H, W) of a slice: all that is asked of a file whose tumour is not known."""
    with _open_hdf5(file, name) as root:
        return _image(_struct(root, name), name)


def read_folds(file: str | Path | BinaryIO, name: str) -> np.ndarray:
    """The published folds, `cvind.mat`: (n,) int64, entry i for file number i + 1."""
    with _open_hdf5(file, name) as root:
        folds = _read(root, "cvind", name).ravel()
        if not np.isin(folds, np.arange(256)).all():
            raise InputError(f"{name}: cvind: expected whole fold numbers from 0 to 255, found others")
        return folds.astype(np.int64)


def family(pid: str) -> str:
    """The patient behind a PID: the code without a letter that trails its digits.

    MR024780B, MR024780D, MR024780E are most likely one person, so a strict split keeps them together.
    """
    return re.sub(r"(?<=\d)[A-Za-z]$", "", pid)


def check_finite(image: np.ndarray, name: str) -> None:
    """Raise `InputError` unless every value, and their range, fits float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = image.min().astype(np.float32), image.max().astype(np.float32)
        fits = np.isfinite(255 * (high - low))
    if not fits:
        raise InputError(f"{name}: image: expected finite values, found NaN, infinity or absurdly large ones")


@contextmanager
def _open_hdf5(file: str | Path | BinaryIO, name: str) -> Iterator["h5py.File"]:
    import h5py

    try:
        with h5py.File(file, "r") as root:
            yield root
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{name}: expected a .mat file, found no such file") from None
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError) as error:
        # h5py reports damage by whichever of these the damaged part leads to.
        reason = " ".join(str(error).split())
        raise InputError(
            f"{name}: expected a MATLAB v7.3 (HDF5) file, found one that cannot be read ({reason[:120]})"
        ) from None


def _struct(root: "h5py.File", name: str) -> "h5py.Group":
    import h5py

    struct = _get(root, "cjdata", f"{name}: cjdata")
    if not isinstance(struct, h5py.Group):
        raise InputError(f"{name}: expected a struct cjdata, found {', '.join(sorted(root)[:5]) or 'nothing'}")
    return struct


def _read(struct: "h5py.Group", field: str, name: str) -> np.ndarray:
    import h5py

    where = f"{name}: {field}" if struct.name == "/" else f"{name}: cjdata.{field}"
    data = _get(struct, field, where)
    if data is None:
        raise InputError(f"{where} is missing")
    if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "biuf":
        raise InputError(f"{where}: expected an array of numbers, found something else")
    if not data.size or "MATLAB_empty" in data.attrs:
        raise InputError(f"{where} is empty")
    size = max(data.size, prod(data.chunks or ()))  # HDF5 reads a chunk whole
    if size > MAX_SIDE**2:
        raise InputError(f"{where}: expected at most {MAX_SIDE**2} values, found {size}")
    return np.asarray(data[()])


def _get(group: "h5py.Group", field: str, where: str) -> "h5py.Group | h5py.Dataset | None":
    """What `field` names in this very file; None for nothing.

    HDF5 can also point to other files, whatever they hold: what is read would not be what DATA holds, and a
    virtual dataset in a file that is read from memory brings the process down.
    """
    import h5py

    links, key = group.id.links, field.encode()
    if not links.exists(key):
        return None
    found = group[field] if links.get_info(key).type == h5py.h5l.TYPE_HARD else None
    if found is None or (isinstance(found, h5py.Dataset) and (found.is_virtual or found.external)):
        raise InputError(f"{where}: expected data in the file itself, found a link")
    return found


def _image(struct: "h5py.Group", name: str) -> np.ndarray:
    image = _read(struct, "image", name).T
    if image.ndim != 2:
        raise InputError(f"{name}: cjdata.image: expected a matrix (rows, columns), found shape {image.shape}")
    if max(image.shape) > MAX_SIDE:  # it will be set in a square
        raise InputError(f"{name}: cjdata.image: expected at most {MAX_SIDE} pixels a side, found shape {image.shape}")
    check_finite(image, name)
    return image


def _label(struct: "h5py.Group", name: str) -> int:
    value = _read(struct, "label", name).ravel()
    if value.size != 1 or value[0] not in (1, 2, 3):
        found = ", ".join(f"{v:g}" for v in value[:3])
        raise InputError(f"{name}: cjdata.label: expected 1, 2 or 3, found {found}")
    return int(value[0])


def _pid(struct: "h5py.Group", name: str) -> str:
    codes = _read(struct, "PID", name).ravel()
    plain = len(codes) <= MAX_PID and np.isin(codes, np.arange(32, 127)).all()  # printable ASCII
    pid = codes.astype(np.uint8).tobytes().decode("ascii").strip() if plain else ""
    if not pid:
        found = ", ".join(f"{code:g}" for code in codes[:5])
        raise InputError(
            f"{name}: cjdata.PID: expected 1 to {MAX_PID} plain characters, found {len(codes)} with the codes {found}"
        )
    return pid
