"""Read PNG and JPEG images: single files, or a folder with one sub-folder per class."""

import io
import os
import warnings
from pathlib import Path

import numpy as np

from tinydnn.data.read.entries import Entry, folder_entry, is_file_or_link, is_hidden, natural_key
from tinydnn.data.read.figshare import FOLDS_NAME, MAX_SIDE, read_mat_image, read_mat_image_and_mask
from tinydnn.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg")
MAX_CLASSES = 256  # labels are stored in 8 bits


def read_image(path: str | Path) -> np.ndarray:
    """Read a grey image (H, W) from a `.mat`, PNG or JPEG file, with pixel values as stored."""
    if Path(path).suffix.lower() == ".mat":
        return read_mat_image(path, str(path))
    return decode_image(folder_entry(Path(path)).read(), str(path))


def read_image_and_mask(path: str | Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Read a grey image (H, W) and the tumour's mask (H, W) bool; None if the file has none, as a PNG or JPEG file."""
    if Path(path).suffix.lower() == ".mat":
        return read_mat_image_and_mask(path, str(path))
    return read_image(path), None


def decode_image(data: bytes, name: str) -> np.ndarray:
    """Decode PNG or JPEG bytes to a grey image (H, W); `name` is the file's name in messages.

    Applies the EXIF orientation and takes the first frame of an animation. Colours become luminance,
    0.299 R + 0.587 G + 0.114 B, uint8. A 16-bit grey PNG becomes uint16. Raises `InputError` for other formats,
    damaged files and images of more than `MAX_SIDE` pixels a side.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Ignore warnings about large images, whose size is checked below, and about broken metadata.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
                if max(image.size) > MAX_SIDE:
                    raise Image.DecompressionBombError
                upright = ImageOps.exif_transpose(image)
                if upright.mode.startswith("I"):  # 16 bits
                    return np.asarray(upright).astype(np.uint16)
                return np.asarray(upright.convert("L"))
    except Image.DecompressionBombError:
        raise InputError(f"{name}: expected an image of at most {MAX_SIDE} pixels a side, found more") from None
    except UnidentifiedImageError:
        raise InputError(f"{name}: expected a PNG or JPEG image, found something else") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        # Pillow raises any of these for a damaged file.
        raise InputError(f"{name}: expected a complete image, found a damaged one ({str(error)[:100]})") from None


def image_folder(path: Path) -> tuple[tuple[str, ...], dict[str, Entry]]:
    """The sorted class names of a folder, and the entries of its images by name (class/file), sorted by class.

    Raises `InputError` unless there are 2 to 256 sub-folders with printable names, all with images.
    """
    classes = sorted(folder.name for folder in path.iterdir() if folder.is_dir() and not is_hidden(Path(folder.name)))
    entries: dict[str, Entry] = {}
    for name in classes:
        if not name.isprintable():
            raise InputError(f"{path}: expected printable characters in the name of a class, found {name!a}")
        files = [file for file in (path / name).iterdir() if is_image(file)]
        if not files:
            raise InputError(f"{path / name}: expected the PNG or JPEG images of one class, found none")
        for file in sorted(files, key=lambda file: natural_key(file.name)):
            entries[f"{name}/{file.name}"] = folder_entry(file)
    if not 2 <= len(classes) <= MAX_CLASSES:
        raise InputError(
            f"{path}: expected a sub-folder of images for each of 2 to {MAX_CLASSES} classes, found {len(classes)}"
        )
    return tuple(classes), entries


def find_images(folder: Path) -> list[Path]:
    """The `.mat`, PNG and JPEG images in a folder and its sub-folders, in natural order.

    Hidden files, `cvind.mat` and folders behind symbolic links are left out. Raises `InputError` if there is no image,
    or a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror})")

    found: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not is_hidden(Path(name))]
        found += [path for path in (Path(root, name) for name in names) if is_image(path) or _is_mat_image(path)]
    if not found:
        raise InputError(f"{folder}: expected .mat, PNG or JPEG images, found none")
    return sorted(found, key=lambda path: natural_key(str(path)))


def is_image(path: Path) -> bool:
    """Whether `path` is a visible file with the suffix of a PNG or JPEG image."""
    return path.suffix.lower() in SUFFIXES and not is_hidden(Path(path.name)) and is_file_or_link(path)


def _is_mat_image(path: Path) -> bool:
    mat = path.suffix.lower() == ".mat" and path.name.lower() != FOLDS_NAME
    return mat and not is_hidden(Path(path.name)) and is_file_or_link(path)
