"""What lies in the user's cache folder, and how to delete it."""

import os
import re
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tinydnn.storage import cache_folder

ABANDONED = 3600  # seconds after its last change; a younger temporary file may be in use


class Kind(StrEnum):
    """What tinydnn stores in the cache folder."""

    PREPARED = "prepared"
    PHANTOMS = "phantoms"
    FEATURES = "features"
    WEIGHTS = "weights"
    KERNELS = "kernels"


# The names of these files and folders below the cache folder, complete and temporary.
_NAMES = {
    Kind.PREPARED: r"[0-9a-f]{32}-\d+(-[a-z]+(-[\d.e+-]+)?)?-v\d+\.h5(\.partial(-finishing)?)?",
    Kind.PHANTOMS: r"phantoms-[\w.+]+-\d+-\d+|\.phantoms-\w+|\.removed-\d+",
    Kind.FEATURES: r"\.?features-[0-9a-f]{32}-v\d+(-\w+)?\.h5",
    Kind.WEIGHTS: r"weights/[\w.-]+-[0-9a-f]{8}\.pth(\.part)?",
    Kind.KERNELS: r"emulated",
}


@dataclass(frozen=True)
class CacheEntry:
    """A file in the cache folder, or a folder that is one unit.

    kind: None for what tinydnn did not write. size: bytes, of all files of a folder. changed: the time of the last
    change, of the youngest file of a folder, in seconds since 1970.
    """

    path: Path
    kind: Kind | None
    size: int
    changed: float


def cache_entries() -> list[CacheEntry]:
    """What lies in the cache folder, by kind and name. A symbolic link is an entry, what it leads to is not."""
    folder, entries = cache_folder(), []
    weights = folder / "weights"
    separate = weights.is_dir() and not weights.is_symlink()  # its files are entries, it is none
    for path in [*folder.glob("*"), *(weights.glob("*") if separate else ())]:
        name = path.relative_to(folder).as_posix()
        kind = next((kind for kind, pattern in _NAMES.items() if re.fullmatch(pattern, name)), None)
        if path != weights or not separate:
            with suppress(OSError):  # another process deleted it
                entries.append(CacheEntry(path, kind, *_extent(path)))
    order = [*Kind, None]
    return sorted(entries, key=lambda entry: (order.index(entry.kind), entry.path))


def remove_entry(entry: CacheEntry) -> bool:
    """Delete an entry and return whether it is gone: one that another process may be using is left alone.

    A symbolic link is deleted, what it leads to is not. Raises `ValueError` for what tinydnn did not write.
    """
    path = entry.path
    if entry.kind is None:
        raise ValueError(f"{path}: expected an entry that tinydnn wrote, found another")
    temporary = path.name.startswith(".") or path.suffix == ".part"
    if (temporary and time.time() - entry.changed < ABANDONED) or _locked(path):
        return False
    if path.is_dir() and not path.is_symlink():
        doomed = path.with_name(f".removed-{os.getpid()}")  # another process must not find half of a folder
        with suppress(OSError):
            path.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return not os.path.lexists(path)


def _extent(path: Path) -> tuple[int, float]:
    """The bytes of a file, link or folder, and the time of its last change."""
    status = path.lstat()
    if path.is_symlink() or not path.is_dir():
        return status.st_size, status.st_mtime
    size, changed = 0, status.st_mtime
    for root, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                status = Path(root, name).lstat()
                size, changed = size + status.st_size, max(changed, status.st_mtime)
    return size, changed


def _locked(path: Path) -> bool:
    """Whether another process has the file open through HDF5, which locks it; false on systems without such locks."""
    try:
        import fcntl

        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        pass
    return False
