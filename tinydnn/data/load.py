"""Open a dataset in one call: prepared in the cache folder at the first call, read from there at the next."""

from pathlib import Path

from tinydnn.data.crop import WHOLE, Crop
from tinydnn.data.dataset import Dataset
from tinydnn.data.prepare import cache
from tinydnn.errors import InputError

PHANTOMS = 600  # slices


def load(path: str | Path, *, size: int = 256, crop: Crop = WHOLE) -> Dataset:
    """The slices of DATA as images of `size` × `size` pixels.

    path: what `tinydnn train` accepts: the published dataset as a folder or as zips, a folder with a folder of images
    for each class, or a prepared file. Raises `InputError` as `tinydnn.data.prepare.cache.prepared` does.
    """
    return Dataset.open(cache.prepared(path, size=size, crop=crop))


def load_phantoms(slices: int = PHANTOMS, *, size: int = 256) -> Dataset:
    """Synthetic slices of `size` × `size` pixels, in place of the real dataset; always the same ones.

    Raises `InputError` for fewer than one slice or 16 pixels.
    """
    if slices < 1 or size < 16:
        raise InputError(
            f"load_phantoms: expected at least 1 slice of at least 16 pixels, found {slices} slices of {size} pixels"
        )
    return load(cache.phantoms(slices, size=size), size=size)
