"""Download published files, with resume and checksums; by default the brain-tumour dataset from figshare.

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
_TRIES = 3  # consecutive connections without a byte


@dataclass(frozen=True)
class PublishedFile:
    """A file to download."""

    name: str
    path: str  # below the base URL
    size: int  # bytes
    checksum: str  # ALGORITHM:DIGITS


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
    """Download `files` into `folder` and return it; `progress` gets the bytes done and the bytes in all.

    Files with the right checksum are not downloaded again. An incomplete file is stored as NAME.part, from which the
    next call resumes; it gets its own name when it is complete and its checksum is verified.

    Raises `InputError` if the server refuses, is unreachable, disconnects or sends other bytes, or the disk is full.
    `by_hand` is appended to the message of a refusal: how to download by hand into {folder}.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")
    folder = Path(folder)
    total, before = sum(file.size for file in files), 0

    def report(done: int) -> None:
        if progress is not None:
            progress(before + done, total)

    for file in files:

        def fetch(url: str, output: str, _: object, file: PublishedFile = file) -> None:
            part = folder / f"{file.name}.part"
            _fetch(url, part, file, report, by_hand)
            part.replace(output)  # a temporary name; pooch renames it after checking the checksum

        try:
            pooch.retrieve(f"{base_url}/{file.path}", file.checksum, file.name, folder, downloader=fetch)
        except InputError:
            raise
        except ValueError:
            raise InputError(
                f"{file.name}: expected {file.checksum}, found other bytes, now deleted; try again"
            ) from None
        except OSError as error:  # disk full, or no network
            raise InputError(
                f"{folder / file.name}: cannot be fetched ({error.strerror or error}); run the command again to resume"
            ) from None
        before += file.size
        report(0)
    return folder


def _fetch(url: str, part: Path, file: PublishedFile, report: Callable[[int], None], by_hand: str) -> None:
    """Download the rest of `part`; reconnect after each disconnection, up to `_TRIES` times without progress."""
    size, failures = _size(part), 0
    while size < file.size:
        _fetch_from(url, part, size, file, report, by_hand)
        before, size = size, _size(part)
        failures = 0 if size > before else failures + 1
        if failures == _TRIES:
            raise InputError(
                f"{file.name}: the connection broke off at {size / 1e6:.1f} of {file.size / 1e6:.1f} MB; "
                "run the command again to resume"
            )


def _fetch_from(
    url: str, part: Path, start: int, file: PublishedFile, report: Callable[[int], None], by_hand: str
) -> None:
    """One connection: append the bytes from `start` on to `part`, to the end or until the server disconnects."""
    headers = {"User-Agent": "tinydnn", "Range": f"bytes={start}-"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT) as response:
            if response.status not in (200, 206):
                raise urllib.error.HTTPError(url, response.status, response.reason, response.headers, response)
            done = start if response.status == 206 else 0  # 200: the server ignores Range and sends the whole file
            if response.length is not None and done + response.length != file.size:
                raise InputError(f"{file.name}: expected {file.size} bytes from {url}, found {done + response.length}")
            with part.open("ab" if done else "wb") as out:
                while done < file.size and (block := response.read1(_BLOCK)):
                    out.write(block)
                    done += len(block)
                    report(done)
    except urllib.error.HTTPError as error:
        error.close()
        help_text = by_hand.format(folder=part.parent)
        raise InputError(f"the server refused with HTTP status {error.code}{help_text}") from None
    except urllib.error.URLError as error:
        raise InputError(f"{url}: cannot be reached ({error.reason}); is there a network?") from None
    except (ConnectionError, TimeoutError, http.client.HTTPException):
        pass  # disconnected; `part` keeps the bytes so far


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
