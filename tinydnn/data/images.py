"""Pictures as PNG or JPEG: one to look at, or a folder of them with one sub-folder per class."""

import io
import warnings
from pathlib import Path

import numpy as np

from tinydnn.data.entries import Entry, folder_entry, is_hidden, natural_key
from tinydnn.data.figshare import MAX_PIXELS, read_mat_image
from tinydnn.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg")


def read_image(path: str | Path) -> np.ndarray:
    """The grey picture (H, W) in a `.mat`, PNG or JPEG file, in the range that the file stores."""
    if Path(path).suffix.lower() == ".mat":
        return read_mat_image(path, str(path))
    return decode_image(folder_entry(Path(path)).read(), str(path))


def decode_image(data: bytes, name: str) -> np.ndarray:
    """The grey picture (H, W) that PNG or JPEG bytes hold; `name` is what messages call it.

    Colours become their brightness, 0.299 R + 0.587 G + 0.114 B, as uint8. A grey PNG of 16 bits keeps them,
    as uint16.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Our own limit below is lower than the one that Pillow warns at.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                if picture.mode.startswith("I"):  # 16 bits
                    return np.asarray(picture).astype(np.uint16)
                return np.asarray(picture.convert("L"))
    except Image.DecompressionBombError:
        raise InputError(f"{name}: expected a picture of at most {MAX_PIXELS} pixels, found more") from None
    except UnidentifiedImageError:
        raise InputError(f"{name}: expected a PNG or JPEG picture, found something else") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        # Pillow reports damage by whichever of these the damaged part leads to.
        raise InputError(f"{name}: expected a whole picture, found a damaged one ({str(error)[:100]})") from None


def image_folder(path: Path) -> tuple[tuple[str, ...], dict[str, Entry]]:
    """The classes of a folder, sorted, and its pictures by name (class/file), class after class.

    Raises `InputError` unless there are two sub-folders or more, and every one holds pictures.
    """
    classes = sorted(folder.name for folder in path.iterdir() if folder.is_dir() and not is_hidden(Path(folder.name)))
    entries: dict[str, Entry] = {}
    for name in classes:
        files = [file for file in (path / name).iterdir() if is_picture(file)]
        if not files:
            raise InputError(f"{path / name}: expected the PNG or JPEG pictures of one class, found none")
        for file in sorted(files, key=lambda file: natural_key(file.name)):
            entries[f"{name}/{file.name}"] = folder_entry(file)
    if len(classes) < 2:
        raise InputError(f"{path}: expected a sub-folder of pictures for each class, found {len(classes)}")
    return tuple(classes), entries


def is_picture(path: Path) -> bool:
    """Whether its name says that it is a PNG or JPEG file."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
