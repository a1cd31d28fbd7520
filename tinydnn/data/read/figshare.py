"""Read the published brain-tumour slices: MATLAB v7.3 files, each with one struct `cjdata`.

Source: Jun Cheng, "brain tumor dataset", figshare, doi:10.6084/m9.figshare.1512427. Any fault in a file raises an
`InputError` that names file and field. `name` is always the file's name in these messages.
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
FOLDS_NAME = "cvind.mat"  # lies beside the slices, and is none
MAX_SIDE = 2**13  # pixels, far beyond any slice; a corrupt header must not exhaust the memory
MAX_PID = 64  # characters
PHANTOM_PREFIX = "PHANTOM"  # prefix of the PIDs of phantoms


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice as stored."""

    image: np.ndarray  # (H, W), dtype of the file, finite
    label: int  # from 1
    pid: str = ""  # patient code; "" if unknown
    mask: np.ndarray | None = None  # (H, W) bool, true inside the tumour
    border: np.ndarray | None = None  # float64 x1 y1 x2 y2 …, in pixels, from 1


def read_slice(file: str | Path | BinaryIO, name: str) -> Slice:
    """Read one slice. h5py returns MATLAB arrays transposed; here they are (rows, columns) again.

    Vectors may be stored as (1, n) or (n, 1).
    """
    with _open_hdf5(file, name) as root:
        struct = _struct(root, name)
        image = _image(struct, name)
        mask = _mask(struct, image.shape, name)
        border = _read(struct, "tumorBorder", name).ravel().astype(np.float64)
        return Slice(image, _label(struct, name), _pid(struct, name), mask, border)


def read_mat_image(file: str | Path | BinaryIO, name: str) -> np.ndarray:
    """Read only the image (H, W); the file needs no other field."""
    with _open_hdf5(file, name) as root:
        return _image(_struct(root, name), name)


def read_mat_image_and_mask(file: str | Path | BinaryIO, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Read the image (H, W) and the tumour's mask (H, W) bool, None if the file has none; no other field is needed."""
    with _open_hdf5(file, name) as root:
        struct = _struct(root, name)
        image = _image(struct, name)
        return image, _mask(struct, image.shape, name) if "tumorMask" in struct else None


def read_folds(file: str | Path | BinaryIO, name: str) -> np.ndarray:
    """Read the published folds, `cvind.mat`: (n,) int64, entry i for file number i + 1."""
    with _open_hdf5(file, name) as root:
        folds = _read(root, "cvind", name).ravel()
        if not np.isin(folds, np.arange(256)).all():
            raise InputError(f"{name}: cvind: expected whole fold numbers from 0 to 255, found others")
        return folds.astype(np.int64)


def family(pid: str) -> str:
    """The family of a PID: the code without a letter after its digits.

    MR024780B, MR024780D and MR024780E are most likely one person, so a split by patient must not separate them.
    """
    return re.sub(r"(?<=\d)[A-Za-z]$", "", pid)


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
        # h5py raises any of these for a damaged file.
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

    location = f"{name}: {field}" if struct.name == "/" else f"{name}: cjdata.{field}"
    data = _get(struct, field, location)
    if data is None:
        raise InputError(f"{location} is missing")
    if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "biuf":
        raise InputError(f"{location}: expected an array of numbers, found something else")
    if not data.size or "MATLAB_empty" in data.attrs:
        raise InputError(f"{location} is empty")
    size = max(data.size, prod(data.chunks or ()))  # HDF5 reads whole chunks
    if size > MAX_SIDE**2:
        raise InputError(f"{location}: expected at most {MAX_SIDE**2} values, found {size}")
    return np.asarray(data[()])


def _get(group: "h5py.Group", field: str, location: str) -> "h5py.Group | h5py.Dataset | None":
    """The object `field` of `group`, None if missing. Raises `InputError` for links into other files.

    Data from other files would not be part of the source, and a virtual dataset in an in-memory file crashes HDF5.
    """
    import h5py

    links, key = group.id.links, field.encode()
    if not links.exists(key):
        return None
    item = group[field] if links.get_info(key).type == h5py.h5l.TYPE_HARD else None
    if item is None or (isinstance(item, h5py.Dataset) and (item.is_virtual or item.external)):
        raise InputError(f"{location}: expected data in the file itself, found a link")
    return item


def _image(struct: "h5py.Group", name: str) -> np.ndarray:
    image = _read(struct, "image", name).T
    if image.ndim != 2:
        raise InputError(f"{name}: cjdata.image: expected a matrix (rows, columns), found shape {image.shape}")
    if max(image.shape) > MAX_SIDE:  # it will be padded to a square
        raise InputError(f"{name}: cjdata.image: expected at most {MAX_SIDE} pixels a side, found shape {image.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = image.min().astype(np.float32), image.max().astype(np.float32)
        fits = np.isfinite(255 * (high - low))  # the scaling to 8 bits
    if not fits:
        raise InputError(f"{name}: cjdata.image: expected finite values, found NaN, infinity or absurdly large ones")
    return image


def _mask(struct: "h5py.Group", shape: tuple[int, ...], name: str) -> np.ndarray:
    mask = _read(struct, "tumorMask", name).T
    if mask.shape != shape:
        raise InputError(f"{name}: cjdata.tumorMask: expected the image's {shape} pixels, found {mask.shape}")
    return mask != 0


def _label(struct: "h5py.Group", name: str) -> int:
    value = _read(struct, "label", name).ravel()
    if value.size != 1 or value[0] not in (1, 2, 3):
        found = ", ".join(f"{v:g}" for v in value[:3])
        raise InputError(f"{name}: cjdata.label: expected 1, 2 or 3, found {found}")
    return int(value[0])


def _pid(struct: "h5py.Group", name: str) -> str:
    codes = _read(struct, "PID", name).ravel()
    printable = len(codes) <= MAX_PID and np.isin(codes, np.arange(32, 127)).all()
    pid = codes.astype(np.uint8).tobytes().decode("ascii").strip() if printable else ""
    if not pid:
        found = ", ".join(f"{code:g}" for code in codes[:5])
        raise InputError(
            f"{name}: cjdata.PID: expected 1 to {MAX_PID} printable characters, "
            f"found {len(codes)} with the codes {found}"
        )
    return pid
