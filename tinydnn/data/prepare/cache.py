"""What is kept in the user's cache folder: prepared files, found again by what the slices are, and phantoms."""

import tempfile
import time
from pathlib import Path

from tinydnn.data.dataset import VERSION, Dataset
from tinydnn.data.prepare.convert import Progress, prepare
from tinydnn.data.prepare.crop import WHOLE, Crop
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
    """The prepared file of DATA: made in the cache folder, found there again, or DATA itself if it is one.

    It is found by content: DATA may be moved, renamed, zipped or unpacked; a byte that changes, another `size` or
    `crop`, or another version of the format make a new one. A cached file that broken slices were left out of is
    only good with `skip_broken`; without, it raises as reading the first of them did. One that another process is
    making is waited for.
    """
    path = Path(path)
    if path.suffix.lower() in PREPARED_SUFFIXES:
        dataset = Dataset.open(path)
        if dataset.size != size:
            raise InputError(
                f"{path}: expected slices of {size} x {size} pixels, found {dataset.size} x {dataset.size}"
            )
        if dataset.crop != crop:
            raise InputError(
                f"{path}: expected slices of crop {crop}, found {dataset.crop}; give the files it was made of"
            )
        return path
    with open_source(path) as source:
        part = "" if crop == WHOLE else f"-{crop}"
        out = cache_folder() / f"{source.content[:32]}-{size}{part}-v{VERSION}.h5"
        while True:
            try:
                left_out = Dataset.open(out).skipped
                break
            except InputError:  # not there yet, or damaged
                pass
            try:
                return prepare(source, out, size=size, crop=crop, skip_broken=skip_broken, progress=progress)
            except BusyError:
                time.sleep(1)
    if left_out and not skip_broken:
        raise InputError(left_out[0][1])
    return out


def phantoms(slices: int, *, size: int, progress: Progress | None = None) -> Path:
    """The folder of `slices` phantoms of `size` x `size` pixels: drawn once by each version of this package."""
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
                if not folder.exists():  # else another process was faster
                    raise
    return folder
