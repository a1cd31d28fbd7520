"""Converting slices once into the one file that training streams from.

A prepared file is plain HDF5. Root attributes: format, version, content (digest), source, class_names, size, synthetic,
and crop where only a part of each slice is shown.
Datasets, a row per slice: image (N, 1, S, S) uint8 in chunks of one image, mask (N, S, ⌈S/8⌉) packed bits, label
(counts from 0), pid, patient (the PID's family), file, fold (0 unknown); and skipped (K, 2), name and reason.
"""

from collections.abc import Callable
from functools import partial as partial_of
from pathlib import Path
from typing import Any

import numpy as np

from tinydnn.data.prepare.crop import WHOLE, Crop
from tinydnn.data.prepare.partial import Layout, PartialFile
from tinydnn.data.prepare.pixels import resize_mask, to_uint8
from tinydnn.data.read.figshare import Slice, family
from tinydnn.data.read.sources import FOLDS_NAME, Source
from tinydnn.errors import InputError
from tinydnn.storage import os_errors

Progress = Callable[[int, int], None]  # slices done, slices in all
MakeRow = Callable[[Slice, str, int], dict[str, Any]]
SIZES = range(8, 2049)
_BATCH = 16  # slices between two writes to the disk; at most these are done again after a kill


def prepare(
    source: Source,
    out: str | Path,
    *,
    size: int = 256,
    crop: Crop = WHOLE,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write what `crop` shows of the slices of `source`, as `size` x `size` pixels, to `out`.

    The file appears whole or not at all. A few slices are in memory at a time. A run that is stopped, by whatever,
    leaves OUT.partial, and the same call goes on from there; while another process is at work on the same, it raises
    `BusyError`. A broken file raises `InputError`; with `skip_broken` it is left out, and the result lists it.
    """
    out = Path(out)
    if size not in SIZES:
        raise InputError(f"size: expected {SIZES.start} to {SIZES.stop - 1} pixels, found {size}")
    if out.is_dir():
        raise InputError(f"{out}: expected a file to write, found a folder")
    names = source.names
    layout = Layout(
        content=source.content,
        source=_text(source.name),
        class_names=source.class_names,
        slices=len(names),
        size=size,
        name_bytes=max(len(_text(name).encode()) for name in names),
        has_masks=source.has_masks,
        crop=str(crop),
    )
    try:
        with os_errors(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            partial = PartialFile.open(out.with_name(out.name + ".partial"), layout)
            try:
                skipped = _write_slices(source, partial, partial_of(_row, size=size, crop=crop), skip_broken, progress)
                if not partial.rows:
                    raise InputError(f"{source.name}: expected slices, found {len(skipped)} broken files and no other")
                partial.finish(out, skipped)
            finally:
                partial.close()
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error})") from None
    return out


def _write_slices(
    source: Source, partial: PartialFile, make_row: MakeRow, skip_broken: bool, progress: Progress | None
) -> list[tuple[str, str]]:
    """Write what is not yet written; return what was left out as broken, name and reason."""
    names, skipped = source.names, []
    try:
        folds = source.folds()
    except InputError as error:
        if not skip_broken:
            raise
        folds = np.zeros(len(names), np.int64)
        skipped.append((FOLDS_NAME, _text(str(error))))
    rows: dict[int, dict[str, Any]] = {}
    for index, name in enumerate(names):
        if not partial.is_done(index):
            try:
                rows[index] = make_row(source.read(name), name, folds[index])
            except InputError as error:
                if not skip_broken:
                    raise
                skipped.append((_text(name), _text(str(error))))
        if len(rows) == _BATCH or index == len(names) - 1:
            partial.write(rows)
            rows.clear()
        if progress is not None:
            progress(index + 1, len(names))
    return skipped


def _row(found: Slice, name: str, fold: int, *, size: int, crop: Crop) -> dict[str, Any]:
    image, mask = crop(found.image, found.mask, name)
    row = {
        "image": to_uint8(image, size)[None],  # (1, S, S)
        "label": found.label - 1,
        "pid": found.pid.encode(),
        "patient": family(found.pid).encode(),
        "file": _text(name).encode(),
        "fold": fold,
    }
    if mask is not None:
        row["mask"] = np.packbits(resize_mask(mask, size), axis=-1)  # (S, ⌈S/8⌉)
    return row


def _text(text: str) -> str:
    """What of a name can be stored: one that is no UTF-8 reaches Python with surrogates in place of its bytes."""
    return text.encode(errors="replace").decode()
