"""Write slices as MATLAB v7.3 files in the layout of the published brain-tumour set.

A MATLAB v7.3 file is an HDF5 file behind a 512-byte MATLAB header. MATLAB is column-major and HDF5 row-major, so every
matrix is transposed in the file; text is stored as uint16 character codes, a logical array as uint8. Each slice is one
struct `cjdata`; h5py, HDFView and MATLAB open these files.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tinydnn.storage import atomic_write

if TYPE_CHECKING:
    import h5py

HEADER_BYTES = 512
# The date is fixed, so that the same slice always gives the same bytes.
_DESCRIPTION = b"MATLAB 7.3 MAT-file, Platform: PCWIN64, Created on: Thu Jan 01 00:00:00 2015 HDF5 schema 1.00 ."
_HEADER = _DESCRIPTION.ljust(116) + bytes(8) + b"\x00\x02IM"  # text, subsystem offset, version 2.0, little endian


def write_slice(
    path: str | Path, *, image: ArrayLike, mask: ArrayLike, label: int, pid: str, border: ArrayLike
) -> None:
    """Write a slice to `path`, atomically.

    image: (H, W), stored as int16. mask: (H, W), true inside the tumour. label: 1 meningioma, 2 glioma, 3 pituitary.
    pid: the PID of the patient. border: the tumour's border x1 y1 x2 y2 …, in pixels that count from 1.
    Raises ValueError if image and mask are not two-dimensional or differ in shape.
    """
    pixels, inside = np.asarray(image), np.asarray(mask)
    if pixels.ndim != 2 or inside.shape != pixels.shape:
        raise ValueError(f"image and mask: expected one (H, W), found {pixels.shape} and {inside.shape}")
    with _matlab_file(path) as file:
        struct = file.create_group("cjdata")
        struct.attrs["MATLAB_CLASS"] = np.bytes_("struct")
        codes = np.array([ord(character) for character in pid], np.uint16)
        _store(struct, "PID", codes[:, None], "char", decode=2)
        _store(struct, "image", pixels.T.astype(np.int16), "int16")
        _store(struct, "label", np.array([[label]], np.float64), "double")
        _store(struct, "tumorBorder", np.asarray(border, np.float64).reshape(1, -1), "double")
        _store(struct, "tumorMask", inside.T.astype(bool).astype(np.uint8), "logical", decode=1)


def write_folds(path: str | Path, folds: ArrayLike) -> None:
    """Write `cvind.mat`, atomically: the fold (1, 2, …) of each file number, counted from 1."""
    with _matlab_file(path) as file:
        _store(file, "cvind", np.asarray(folds, np.float64).reshape(-1, 1), "double")


@contextmanager
def _matlab_file(path: str | Path) -> Iterator["h5py.File"]:
    import h5py

    memory = io.BytesIO()  # on a full disk, HDF5 itself may crash
    with h5py.File(memory, "w", userblock_size=HEADER_BYTES, libver=("earliest", "v108")) as file:
        yield file
    memory.seek(0)
    memory.write(_HEADER)
    with atomic_write(path) as temporary:
        temporary.write_bytes(memory.getbuffer())


def _store(group: "h5py.Group", name: str, array: np.ndarray, kind: str, decode: int | None = None) -> None:
    """Store `array` as a MATLAB variable of class `kind`; `decode` is its attribute MATLAB_int_decode."""
    compression = {"compression": "gzip", "compression_opts": 3} if array.size > 4096 else {}
    data = group.create_dataset(name, data=np.ascontiguousarray(array), **compression)
    data.attrs["MATLAB_CLASS"] = np.bytes_(kind)
    if decode is not None:
        data.attrs["MATLAB_int_decode"] = np.int32(decode)
