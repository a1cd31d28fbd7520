"""Download the weights that torchvision publishes, and verify them.

torchvision names a file after the first eight digits of its SHA-256. The full digests and sizes below are pinned by
several public projects, and each begins with the digits in the file's name, but no download has confirmed them. If one
is wrong, the downloaded file is rejected and nothing is loaded.
"""

from collections.abc import Callable
from pathlib import Path

from tinydnn.data.read.download import PublishedFile
from tinydnn.data.read.download import download as fetch
from tinydnn.errors import InputError
from tinydnn.storage import cache_folder

BASE_URL = "https://download.pytorch.org/models"
LICENCE = "BSD 3-Clause, as torchvision"


def _published(name: str, size: int, sha256: str) -> PublishedFile:
    return PublishedFile(name, name, size, f"sha256:{sha256}")


PUBLISHED = {
    "vgg16": _published(
        "vgg16-397923af.pth", 553433881, "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"
    ),
    "alexnet": _published(
        "alexnet-owt-7be5be79.pth", 244408911, "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02"
    ),
    "squeezenet1_1": _published(
        "squeezenet1_1-b8a52dc0.pth", 4958839, "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b"
    ),
}


def download(
    network: str,
    folder: Path | None = None,
    *,
    base_url: str = BASE_URL,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Download the weights of a network to a folder (default: the cache) and return the verified file.

    An interrupted download resumes with the next call. Raises `InputError` for an unknown network, and if the server
    is unreachable, refuses the request or sends other bytes.
    """
    file = _file(network)
    folder = folder or _cache()
    by_hand = f".\nBy hand: fetch {base_url}/{file.name} and name the file with --weights"
    fetch(folder, base_url=base_url, files=[file], by_hand=by_hand, progress=progress)
    return folder / file.name


def downloaded(network: str) -> Path:
    """The file that `download` saved in the cache. Raises `InputError` if there is none."""
    path = _cache() / _file(network).name
    if not path.exists():
        raise InputError(
            f"{network}: expected its weights, found none on this computer; fetch them with `tinydnn weights download "
            f"{network}`, or name a file with --weights"
        )
    return path


def _cache() -> Path:
    return cache_folder() / "weights"


def _file(network: str) -> PublishedFile:
    if network not in PUBLISHED:
        raise InputError(f"network: expected one of {', '.join(PUBLISHED)}, found {network!r}")
    return PUBLISHED[network]
