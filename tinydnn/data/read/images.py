"""Pictures as PNG or JPEG: one to look at, or a folder of them with one sub-folder per class."""

import io
import warnings
from pathlib import Path

import numpy as np

from tinydnn.data.read.entries import Entry, folder_entry, is_hidden, is_there, natural_key
from tinydnn.data.read.figshare import MAX_SIDE, read_mat_image, read_slice
from tinydnn.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg")
MAX_CLASSES = 256  # labels are stored in 8 bits


def read_image(path: str | Path) -> np.ndarray:
    """The grey picture (H, W) in a `.mat`, PNG or JPEG file, in the range that the file stores."""
    if Path(path).suffix.lower() == ".mat":
        return read_mat_image(path, str(path))
    return decode_image(folder_entry(Path(path)).read(), str(path))


def read_image_and_mask(path: str | Path) -> tuple[np.ndarray, np.ndarray | None]:
    """The grey picture (H, W) in a file and the tumour's mask, which only a `.mat` file has."""
    if Path(path).suffix.lower() != ".mat":
        return read_image(path), None
    found = read_slice(path, str(path))
    return found.image, found.mask


def decode_image(data: bytes, name: str) -> np.ndarray:
    """The grey picture (H, W) that PNG or JPEG bytes hold; `name` is what messages call it.

    It stands as its EXIF orientation says, as it is seen elsewhere; of an animated one it is the first picture.
    Colours become their brightness, 0.299 R + 0.587 G + 0.114 B, as uint8. A grey PNG of 16 bits keeps them,
    as uint16.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # The size has a limit of its own here, and a broken remark beside the picture does no harm.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
                if max(picture.size) > MAX_SIDE:
                    raise Image.DecompressionBombError
                upright = ImageOps.exif_transpose(picture)
                if upright.mode.startswith("I"):  # 16 bits
                    return np.asarray(upright).astype(np.uint16)
                return np.asarray(upright.convert("L"))
    except Image.DecompressionBombError:
        raise InputError(f"{name}: expected a picture of at most {MAX_SIDE} pixels a side, found more") from None
    except UnidentifiedImageError:
        raise InputError(f"{name}: expected a PNG or JPEG picture, found something else") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        # Pillow reports damage by whichever of these the damaged part leads to.
        raise InputError(f"{name}: expected a whole picture, found a damaged one ({str(error)[:100]})") from None


def image_folder(path: Path) -> tuple[tuple[str, ...], dict[str, Entry]]:
    """The classes of a folder, sorted, and its pictures by name (class/file), class after class.

    Raises `InputError` unless there are 2 to 256 sub-folders with printable names, and every one holds pictures.
    """
    classes = sorted(folder.name for folder in path.iterdir() if folder.is_dir() and not is_hidden(Path(folder.name)))
    entries: dict[str, Entry] = {}
    for name in classes:
        if not name.isprintable():
            raise InputError(f"{path}: expected printable characters in the name of a class, found {name!a}")
        files = [file for file in (path / name).iterdir() if is_picture(file)]
        if not files:
            raise InputError(f"{path / name}: expected the PNG or JPEG pictures of one class, found none")
        for file in sorted(files, key=lambda file: natural_key(file.name)):
            entries[f"{name}/{file.name}"] = folder_entry(file)
    if not 2 <= len(classes) <= MAX_CLASSES:
        raise InputError(
            f"{path}: expected a sub-folder of pictures for each of 2 to {MAX_CLASSES} classes, found {len(classes)}"
        )
    return tuple(classes), entries


def is_picture(path: Path) -> bool:
    """Whether its name says that it is a PNG or JPEG file."""
    return path.suffix.lower() in SUFFIXES and not is_hidden(Path(path.name)) and is_there(path)
