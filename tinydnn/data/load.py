"""Open a dataset in one call: prepared in the cache folder at the first call, read from there at the next."""

from pathlib import Path

from tinydnn.data.crop import WHOLE, Crop
from tinydnn.data.dataset import Dataset
from tinydnn.data.prepare import cache


def load(path: str | Path, *, size: int = 256, crop: Crop = WHOLE) -> Dataset:
    """The slices of DATA as images of `size` × `size` pixels.

    path: what `tinydnn train` accepts: the published dataset as a folder or as zips, a folder with a folder of images
    for each class, or a prepared file. Raises `InputError` as `tinydnn.data.prepare.cache.prepared` does.
    """
    return Dataset.open(cache.prepared(path, size=size, crop=crop))


def load_phantoms(slices: int = 600, *, size: int = 256) -> Dataset:
    """Synthetic slices of `size` × `size` pixels, in place of the real dataset; always the same ones."""
    return load(cache.phantoms(slices, size=size), size=size)
