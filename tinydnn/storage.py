"""Storage: files that appear whole or not at all, and the cache folder."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, it becomes `path`.

    The temporary file is flushed to disk before it is renamed, so a reader sees the old file or the new
    one, never a part. When the block raises, the temporary file is removed and `path` is left alone.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The ending is kept, because writers such as matplotlib choose the format by it.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        with os_errors(path):
            yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        # mkstemp makes files private; the finished one gets the permissions of an ordinary new file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def os_errors(path: str | Path) -> Iterator[None]:
    """Raise what the system refuses while `path` is written (no space left, say) as an OSError that names `path`.

    h5py raises ValueError or RuntimeError then, and the number of the system's error is only in the text.
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        told = re.search(r"\berrno = (\d+), error message = ", str(error))
        number = int(told[1]) if told else getattr(error, "errno", None)
        if number is None or getattr(error, "filename", None) is not None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from None


def cache_folder() -> Path:
    """The user's cache folder: the variable TINYDNN_CACHE, else the system's place for caches."""
    if folder := os.environ.get("TINYDNN_CACHE"):
        return Path(folder)
    import pooch

    return Path(pooch.os_cache("tinydnn"))
