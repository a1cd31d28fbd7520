"""A prepared file under construction, from which a run killed at any moment can resume.

The file NAME.partial gets its full size and structure at the start. After that, data are only overwritten in place:
first a batch of slices, then, once these are flushed to disk, the flags that mark them as done. A slice marked as
done is therefore always complete, and a later run continues with the others.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinydnn.data.dataset import FORMAT, VERSION
from tinydnn.data.read.figshare import MAX_PID, PHANTOM_PREFIX
from tinydnn.errors import InputError

if TYPE_CHECKING:
    import h5py

PARTIAL_FORMAT = f"{FORMAT}-in-the-making"


class BusyError(InputError):
    """Another process has the same file open for writing."""


@dataclass(frozen=True)
class Layout:
    """Content and dimensions of a prepared file."""

    content: str
    source: str
    class_names: tuple[str, ...]
    slices: int
    size: int  # pixels along each side
    name_bytes: int  # length of the longest slice name
    has_masks: bool
    crop: str = "none"

    def identity(self) -> dict[str, str | int]:
        """Root attributes; a partial file is only resumed if its own are equal."""
        crop = {} if self.crop == "none" else {"crop": self.crop}
        return {"format": PARTIAL_FORMAT, "version": VERSION, "content": self.content, "size": self.size, **crop}

    def fields(self) -> dict[str, tuple[tuple[int, ...], Any]]:
        """Dataset name → shape after (N,), and dtype. `done` flags the slices of the source that are written."""
        fields: dict[str, tuple[tuple[int, ...], Any]] = {
            "image": ((1, self.size, self.size), np.uint8),
            "label": ((), np.uint8),
            "pid": ((), f"S{MAX_PID}"),
            "patient": ((), f"S{MAX_PID}"),
            "file": ((), f"S{self.name_bytes}"),
            "fold": ((), np.uint8),
            "done": ((), np.uint8),
        }
        if self.has_masks:
            fields["mask"] = ((self.size, (self.size + 7) // 8), np.uint8)
        return fields


class PartialFile:
    """An open partial file. Rows are in the order of writing; skipped slices take no row."""

    def __init__(self, path: Path, layout: Layout, file: "h5py.File") -> None:
        self._path, self._file = path, file
        # Keep the datasets open: on a full disk, closing one loses data without an error, whereas flushing raises.
        self._fields = {name: file[name] for name in layout.fields()}
        self._done = self._fields["done"][:]
        self.rows = int(self._done.sum())

    @classmethod
    def open(cls, path: Path, layout: Layout) -> Self:
        """Resume the partial file at `path`; create it if it is missing, damaged or of another `layout`.

        Raises `BusyError` while another process has it open, `InputError` if a new file cannot be read back.
        """
        import h5py

        for _ in range(2):
            try:
                file = h5py.File(path, "r+")
                if all(file.attrs.get(key) == value for key, value in layout.identity().items()):
                    return cls(path, layout, file)
                file.close()
            except BlockingIOError:
                break
            except (OSError, KeyError, RuntimeError):
                pass  # missing or damaged
            path.unlink(missing_ok=True)
            try:
                _create(path, layout)
            except (BlockingIOError, FileExistsError):
                break
        else:
            raise InputError(f"{path}: cannot be written and read back")
        raise BusyError(f"{path}: another process is preparing this file; wait until it ends")

    def is_done(self, index: int) -> bool:
        """Whether slice `index` of the source has been written."""
        return bool(self._done[index])

    def write(self, rows: Mapping[int, Mapping[str, Any]]) -> None:
        """Append slices and mark them as done. `rows`: index in the source → value of every field but `done`."""
        if not rows:
            return
        span = slice(self.rows, self.rows + len(rows))
        for name, field in self._fields.items():
            if name != "done":
                field[span] = np.stack([row[name] for row in rows.values()])
        self._flush()
        self._done[list(rows)] = 1
        self._fields["done"][:] = self._done
        self._flush()
        self.rows = span.stop

    def finish(self, out: Path, skipped: Sequence[tuple[str, str]]) -> None:
        """Drop the unused rows of `skipped` slices, turn the file into a prepared file and rename it to `out`."""
        import h5py

        # From here on the file cannot be resumed, so it gets a name that no later run opens.
        finishing = self._path.with_name(self._path.name + "-finishing")
        self._path.replace(finishing)
        del self._file["done"], self._fields["done"]
        for field in self._fields.values():
            field.resize(self.rows, axis=0)
        table = np.array(skipped, dtype=object).reshape(-1, 2)
        self._file.create_dataset("skipped", data=table, dtype=h5py.string_dtype())
        pids = self._file["pid"].asstr()[:]
        self._file.attrs["synthetic"] = all(pid.startswith(PHANTOM_PREFIX) for pid in pids)
        self._file.attrs["format"] = FORMAT
        self._flush()
        self._file.close()
        finishing.replace(out)

    def close(self) -> None:
        """Close the file; all slices marked as done are on disk already."""
        with suppress(OSError, RuntimeError):  # a write error has already been raised by flush
            self._file.close()

    def _flush(self) -> None:
        self._file.flush()
        os.fsync(self._file.id.get_vfd_handle())


def _create(path: Path, layout: Layout) -> None:
    """Create the file and reserve disk space for all slices: HDF5 may crash if the disk fills up later."""
    import h5py

    create_list = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create_list.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    try:
        with h5py.File(path, "x", libver=("earliest", "v108")) as file:
            for name, (shape, kind) in layout.fields().items():
                full = (layout.slices, *shape)
                chunks = (1, *shape) if shape else (min(layout.slices, 4096),)
                file.create_dataset(name, full, kind, chunks=chunks, maxshape=full, dcpl=create_list)
            file["done"][:] = 0
            file.attrs["source"] = layout.source
            file.attrs["class_names"] = list(layout.class_names)
            file.flush()
            for key, value in layout.identity().items():  # last, so that an incomplete file is never resumed
                file.attrs[key] = value
        if hasattr(os, "posix_fallocate"):
            with path.open("rb+") as raw:
                os.posix_fallocate(raw.fileno(), 0, path.stat().st_size)
    except (BlockingIOError, FileExistsError):
        raise  # the file belongs to another process
    except BaseException:
        path.unlink(missing_ok=True)
        raise
