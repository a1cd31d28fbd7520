"""A prepared file in the making, which survives that the process dies at any moment.

The file is laid out whole at the start, under the name NAME.partial. From then on only raw data are written in
place: first the slices, then, once these are on the disk, the mark that they are there. So whenever it stops, what
is marked is whole, and a later run goes on from there.
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

IN_THE_MAKING = f"{FORMAT}-in-the-making"


class BusyError(InputError):
    """Another process is at work on the same file."""


@dataclass(frozen=True)
class Layout:
    """What a prepared file is made for."""

    content: str
    source: str
    class_names: tuple[str, ...]
    slices: int
    size: int  # pixels along each side
    name_bytes: int  # of the longest slice name
    has_masks: bool
    crop: str = "none"

    def identity(self) -> dict[str, str | int]:
        """The root attributes that a partial file must have to be continued as this one."""
        crop = {} if self.crop == "none" else {"crop": self.crop}
        return {"format": IN_THE_MAKING, "version": VERSION, "content": self.content, "size": self.size, **crop}

    def fields(self) -> dict[str, tuple[tuple[int, ...], Any]]:
        """Dataset name → shape after (N,) and type. `done` marks the slices of the source that are written."""
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
    """Rows in the order in which they are written; slices that are left out take no row."""

    def __init__(self, path: Path, layout: Layout, file: "h5py.File") -> None:
        self._path, self._file = path, file
        # Kept open: what closing one of them cannot write, on a full disk, is lost without an error; flush raises.
        self._fields = {name: file[name] for name in layout.fields()}
        self._done = self._fields["done"][:]
        self.rows = int(self._done.sum())

    @classmethod
    def open(cls, path: Path, layout: Layout) -> Self:
        """Continue the partial file at `path`, or begin it anew if there is none, or none that fits `layout`.

        Raises `BusyError` while another process has it open.
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
                pass  # none there, or damaged
            path.unlink(missing_ok=True)
            try:
                _lay_out(path, layout)
            except (BlockingIOError, FileExistsError):
                break
        else:
            raise InputError(f"{path}: cannot be written and read back")
        raise BusyError(f"{path}: another process is at work on this file; wait for it")

    def is_done(self, index: int) -> bool:
        """Whether slice `index` of the source is written."""
        return bool(self._done[index])

    def write(self, rows: Mapping[int, Mapping[str, Any]]) -> None:
        """Append slices: index in the source → value of every field but `done`."""
        if not rows:
            return
        here = slice(self.rows, self.rows + len(rows))
        for name, field in self._fields.items():
            if name != "done":
                field[here] = np.stack([row[name] for row in rows.values()])
        self._flush()
        self._done[list(rows)] = 1
        self._fields["done"][:] = self._done
        self._flush()
        self.rows = here.stop

    def finish(self, out: Path, skipped: Sequence[tuple[str, str]]) -> None:
        """Drop the rows that the `skipped` slices left over, make it a finished file and name it `out`."""
        import h5py

        # The layout changes now, so a run that dies here must not be continued: under this name nobody looks.
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
        """Leave it for a later run; what counts is on the disk by then."""
        with suppress(OSError, RuntimeError):  # the fault, if there was one, has been raised already
            self._file.close()

    def _flush(self) -> None:
        self._file.flush()
        os.fsync(self._file.id.get_vfd_handle())


def _lay_out(path: Path, layout: Layout) -> None:
    """Create the file with room on the disk for all its slices: where it gets full later, HDF5 may crash."""
    import h5py

    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    try:
        with h5py.File(path, "x", libver=("earliest", "v108")) as file:
            for name, (shape, kind) in layout.fields().items():
                whole = (layout.slices, *shape)
                chunks = (1, *shape) if shape else (min(layout.slices, 4096),)
                file.create_dataset(name, whole, kind, chunks=chunks, maxshape=whole, dcpl=early)
            file["done"][:] = 0
            file.attrs["source"] = layout.source
            file.attrs["class_names"] = list(layout.class_names)
            file.flush()
            for key, value in layout.identity().items():  # last: one that is half laid out is never continued
                file.attrs[key] = value
        if hasattr(os, "posix_fallocate"):
            with path.open("rb+") as raw:
                os.posix_fallocate(raw.fileno(), 0, path.stat().st_size)
    except (BlockingIOError, FileExistsError):
        raise  # another process's
    except BaseException:
        path.unlink(missing_ok=True)
        raise
