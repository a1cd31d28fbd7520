"""Convert slices once into the file that training streams from.

A prepared file is plain HDF5. Root attributes: format, version, content (digest), source, class_names, size, synthetic,
and crop unless the slices are whole.
Datasets, one row per slice: image (N, 1, S, S) uint8 in chunks of one image, mask (N, S, ⌈S/8⌉) packed bits, label
(from 0), pid, patient (the PID's family), file, fold (0 unknown); and skipped (K, 2), name and reason.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinydnn.data.crop import WHOLE, Crop
from tinydnn.data.prepare.partial import Layout, PartialFile
from tinydnn.data.prepare.pixels import resize_mask, to_uint8
from tinydnn.data.read.figshare import FOLDS_NAME, Slice, family
from tinydnn.data.read.sources import Source
from tinydnn.errors import InputError
from tinydnn.storage import os_errors

Progress = Callable[[int, int], None]  # slices done, slices in all
SIZES = range(8, 2049)
_BATCH = 16  # slices per write; a killed run repeats at most these


def prepare(
    source: Source,
    out: str | Path,
    *,
    size: int = 256,
    crop: Crop = WHOLE,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Crop the slices of `source`, resize them to `size` x `size` pixels and write them to `out`.

    `out` appears complete or not at all, and memory does not grow with the number of slices. An interrupted run
    leaves OUT.partial, from which the same call continues.

    Raises `BusyError` while another process prepares the same file, and `InputError` if an argument is out of range,
    `out` cannot be written or a file is broken. With `skip_broken`, broken files are left out and listed in `out`.
    """
    out = Path(out)
    if size not in SIZES:
        raise InputError(f"size: expected {SIZES.start} to {SIZES.stop - 1} pixels, found {size}")
    if out.is_dir():
        raise InputError(f"{out}: expected a file to write, found a folder")
    names = source.names
    layout = Layout(
        content=source.content,
        source=_storable(source.name),
        class_names=source.class_names,
        slices=len(names),
        size=size,
        name_bytes=max(len(_storable(name).encode()) for name in names),
        has_masks=source.has_masks,
        crop=str(crop),
    )
    try:
        with os_errors(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            partial = PartialFile.open(out.with_name(out.name + ".partial"), layout)
            try:
                skipped = _write_slices(source, partial, size, crop, skip_broken, progress)
                if not partial.rows:
                    raise InputError(f"{source.name}: expected slices, found {len(skipped)} broken files and no other")
                partial.finish(out, skipped)
            finally:
                partial.close()
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error})") from None
    return out


def _write_slices(
    source: Source, partial: PartialFile, size: int, crop: Crop, skip_broken: bool, progress: Progress | None
) -> list[tuple[str, str]]:
    """Write all slices that `partial` does not hold yet; return the name and fault of each broken file."""
    names, skipped = source.names, []
    try:
        folds = source.folds()
    except InputError as error:
        if not skip_broken:
            raise
        folds = np.zeros(len(names), np.int64)
        skipped.append((FOLDS_NAME, _storable(str(error))))
    rows: dict[int, dict[str, Any]] = {}
    for index, name in enumerate(names):
        if not partial.is_done(index):
            try:
                rows[index] = _row(source.read(name), name, folds[index], size, crop)
            except InputError as error:
                if not skip_broken:
                    raise
                skipped.append((_storable(name), _storable(str(error))))
        if len(rows) == _BATCH or index == len(names) - 1:
            partial.write(rows)
            rows.clear()
        if progress is not None:
            progress(index + 1, len(names))
    return skipped


def _row(stored: Slice, name: str, fold: int, size: int, crop: Crop) -> dict[str, Any]:
    image, mask = crop(stored.image, stored.mask, name)
    row = {
        "image": to_uint8(image, size)[None],  # (1, S, S)
        "label": stored.label - 1,
        "pid": stored.pid.encode(),
        "patient": family(stored.pid).encode(),
        "file": _storable(name).encode(),
        "fold": fold,
    }
    if mask is not None:
        row["mask"] = np.packbits(resize_mask(mask, size), axis=-1)  # (S, ⌈S/8⌉)
    return row


def _storable(text: str) -> str:
    """Replace what UTF-8 cannot encode: Python represents undecodable bytes of file names as lone surrogates."""
    return text.encode(errors="replace").decode()
