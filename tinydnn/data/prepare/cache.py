"""The cache folder's datasets: prepared files, keyed by the content of their source, and phantoms."""

import tempfile
import time
from pathlib import Path

from tinydnn.data.crop import WHOLE, Crop
from tinydnn.data.dataset import VERSION, Dataset
from tinydnn.data.prepare.convert import Progress, prepare
from tinydnn.data.prepare.partial import BusyError
from tinydnn.data.read.sources import open_source
from tinydnn.errors import InputError
from tinydnn.storage import cache_folder

PREPARED_SUFFIXES = (".h5", ".hdf5")


def prepared(
    path: str | Path,
    *,
    size: int = 256,
    crop: Crop = WHOLE,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Path:
    """The prepared file of DATA in the cache folder, written there if missing; DATA itself if it is a prepared file.

    The key is the content of DATA, `size`, `crop` and the format's version. Moving, renaming, zipping or unpacking
    DATA does not change it; a changed byte does. If another process is preparing the same file, wait for it.

    Raises `InputError` if DATA cannot be read, if a file is broken (or was skipped as broken when the cached file was
    written) or if DATA is a prepared file of another size or crop.
    """
    path = Path(path)
    if path.suffix.lower() in PREPARED_SUFFIXES:
        dataset = Dataset.open(path)
        if dataset.size != size:
            raise InputError(
                f"{path}: expected slices of {size} x {size} pixels, found {dataset.size} x {dataset.size}; "
                f"use size {dataset.size}, or pass the original files"
            )
        if dataset.crop != crop:
            raise InputError(f"{path}: expected slices of crop {crop}, found {dataset.crop}; pass the original files")
        return path
    with open_source(path) as source:
        suffix = "" if crop == WHOLE else f"-{crop}"
        out = cache_folder() / f"{source.content[:32]}-{size}{suffix}-v{VERSION}.h5"
        while True:
            try:
                skipped = Dataset.open(out).skipped
                break
            except InputError:  # missing or damaged
                pass
            try:
                return prepare(source, out, size=size, crop=crop, skip_broken=skip_broken, progress=progress)
            except BusyError:
                time.sleep(1)
    if skipped and not skip_broken:
        raise InputError(skipped[0][1])
    return out


def phantoms(slices: int, *, size: int, progress: Progress | None = None) -> Path:
    """The cached folder of `slices` phantoms of `size` x `size` pixels, generated once per version of tinydnn."""
    from tinydnn import __version__
    from tinydnn.data.phantoms import write_phantoms

    folder = cache_folder() / f"phantoms-{__version__}-{slices}-{size}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".phantoms-") as temporary:
            drawn = Path(temporary) / "drawn"
            write_phantoms(drawn, slices=slices, size=size, progress=progress)
            try:
                drawn.rename(folder)
            except OSError:
                if not folder.exists():  # no error if another process was faster
                    raise
    return folder
