"""Fetching published files, checked and continued where it stopped; first of all the brain-tumour set from figshare.

Source: Jun Cheng, "brain tumor dataset", doi:10.6084/m9.figshare.1512427, CC BY 4.0.
"""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinydnn.errors import InputError

ARTICLE = "https://doi.org/10.6084/m9.figshare.1512427"
BASE_URL = "https://ndownloader.figshare.com/files"
BY_HAND = (
    ", as figshare does to some networks.\n"
    f"By hand: open {ARTICLE} in a browser and save its files (or all as one zip) in {{folder}}"
)
_BLOCK = 2**18
_TIMEOUT = 60  # seconds without a byte
_TRIES = 3  # connections in a row that bring nothing


@dataclass(frozen=True)
class PublishedFile:
    """A published file: its name, its place below the base address, its length in bytes, its checksum (KIND:DIGITS)."""

    name: str
    place: str
    size: int
    checksum: str


FILES = (
    PublishedFile("brainTumorDataPublic_1-766.zip", "3381290", 214401279, "md5:74b949ad33f042e6e103523091cd1428"),
    PublishedFile("brainTumorDataPublic_767-1532.zip", "3381296", 217848429, "md5:7e8a875500d2c8a346f270538e29890e"),
    PublishedFile("brainTumorDataPublic_1533-2298.zip", "3381293", 215563856, "md5:8227bf6080cb71f15a88be8d25c79ae7"),
    PublishedFile("brainTumorDataPublic_2299-3064.zip", "3381302", 231679762, "md5:b378a80d6174e5317d59eb28430c6652"),
    PublishedFile("cvind.mat", "7005344", 5736, "md5:5ea82eb3212c9fcb84290ccf0beb486d"),
)


def download(
    folder: str | Path,
    *,
    base_url: str = BASE_URL,
    files: Sequence[PublishedFile] = FILES,
    by_hand: str = BY_HAND,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Fetch `files` into `folder`, which then is DATA; `progress` is told bytes done and bytes in all.

    A file that is there with the right checksum is not fetched again. What has come of a file waits as NAME.part,
    and the same call goes on from there; under its own name a file appears whole and checked. Raises
    `InputError` when the server refuses (`by_hand` ends what a person is told then, and may name {folder}), cannot be
    reached, breaks off or sends other bytes, and when the disk is full.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")
    folder = Path(folder)
    total, before = sum(file.size for file in files), 0

    def tell(done: int) -> None:
        if progress is not None:
            progress(before + done, total)

    for file in files:

        def fetch(url: str, output: str, _: object, file: PublishedFile = file) -> None:
            part = folder / f"{file.name}.part"
            _fetch(url, part, file, tell, by_hand)
            part.replace(output)  # pooch checks it there before it gets its own name

        try:
            pooch.retrieve(f"{base_url}/{file.place}", file.checksum, file.name, folder, downloader=fetch)
        except InputError:
            raise
        except ValueError:
            raise InputError(
                f"{file.name}: expected {file.checksum}, found other bytes, which were deleted; try once more"
            ) from None
        except OSError as error:  # the disk, or a network that is gone
            raise InputError(
                f"{folder / file.name}: cannot be fetched ({error.strerror or error}); the same command goes on"
            ) from None
        before += file.size
        tell(0)
    return folder


def _fetch(url: str, part: Path, file: PublishedFile, tell: Callable[[int], None], by_hand: str) -> None:
    """Fetch what is missing of `part`, reconnecting after each cut until tries bring nothing more."""
    have, fruitless = _length(part), 0
    while have < file.size:
        _fetch_on(url, part, have, file, tell, by_hand)
        before, have = have, _length(part)
        fruitless = 0 if have > before else fruitless + 1
        if fruitless == _TRIES:
            raise InputError(
                f"{file.name}: the connection broke off at {have / 1e6:.1f} of {file.size / 1e6:.1f} MB; "
                "the same command goes on from there"
            )


def _fetch_on(url: str, part: Path, have: int, file: PublishedFile, tell: Callable[[int], None], by_hand: str) -> None:
    """One connection: append to `part` what the server sends from byte `have` on, until its end or a cut."""
    headers = {"User-Agent": "tinydnn", "Range": f"bytes={have}-"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT) as answer:
            if answer.status not in (200, 206):
                raise _refusal(answer.status, part.parent, by_hand)
            if answer.status == 200:  # the server starts over
                have = 0
            if answer.length is not None and have + answer.length != file.size:
                found = have + answer.length
                raise InputError(f"{file.name}: expected {file.size} bytes from {url}, found {found}")
            with part.open("ab" if have else "wb") as out:
                while have < file.size and (block := answer.read1(_BLOCK)):
                    out.write(block)
                    have += len(block)
                    tell(have)
    except urllib.error.HTTPError as error:
        error.close()
        raise _refusal(error.code, part.parent, by_hand) from None
    except urllib.error.URLError as error:
        raise InputError(f"{url}: cannot be reached ({error.reason}); is there a network?") from None
    except (ConnectionError, TimeoutError, http.client.HTTPException):
        pass  # a cut: what came before it is kept


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _refusal(status: int, folder: Path, by_hand: str) -> InputError:
    return InputError(f"the server refused with HTTP status {status}{by_hand.format(folder=folder)}")
