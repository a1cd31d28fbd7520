"""Storage: atomic file writes and the cache folder."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; on success, rename it to `path`.

    The temporary file is flushed to disk before the rename, so readers find the old file or the complete new one.
    If the block raises, the temporary file is deleted and `path` is unchanged.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Same suffix as `path`: writers such as matplotlib choose the format by it.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        with os_errors(path):
            yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        # mkstemp creates private files; give the result the permissions of an ordinary new file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def os_errors(path: str | Path) -> Iterator[None]:
    """Re-raise system errors while writing `path` (disk full, say) as an `OSError` that names `path`.

    h5py reports them as OSError, RuntimeError or ValueError, with the errno only in the message.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        match = re.search(r"\berrno = (\d+), error message = ", str(error))
        number = int(match[1]) if match else getattr(error, "errno", None)
        if number is None or getattr(error, "filename", None) is not None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from None


def cache_folder() -> Path:
    """The user's cache folder: the environment variable TINYDNN_CACHE, else the system's default location."""
    if folder := os.environ.get("TINYDNN_CACHE"):
        return Path(folder)
    import pooch

    return Path(pooch.os_cache("tinydnn"))
