"""Downloads from a server that disconnects, sends wrong bytes, refuses or is unreachable."""

import hashlib
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from tinydnn.data.read.download import FILES, PublishedFile, download
from tinydnn.errors import InputError

CONTENT = {number: np.random.default_rng(number).bytes(700_000 + number) for number in (1, 2)}
PUBLISHED = [
    PublishedFile(f"{number}.zip", str(number), len(data), f"md5:{hashlib.md5(data).hexdigest()}")
    for number, data in CONTENT.items()
]


class Server(ThreadingHTTPServer):
    """Serves CONTENT with Range requests; the attributes set its faults."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/files"
        self.requests = []  # (number, first byte requested)
        self.cut_after = []  # bytes after which the next connections are closed
        self.reset = False  # close them with a TCP reset
        self.status = None
        self.ranges = True
        self.content = dict(CONTENT)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        number = int(self.path.rsplit("/", 1)[1])
        start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.server.requests.append((number, start))
        if self.server.status is not None:
            self.send_response(self.server.status)
            self.end_headers()
            return
        if not self.server.ranges:
            start = 0
        data = self.server.content[number][start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        cut = self.server.cut_after.pop(0) if self.server.cut_after else len(data)
        self.wfile.write(data[:cut])
        if self.server.reset and cut < len(data):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def fetch(server, folder, **options):
    return download(folder, base_url=server.url, files=PUBLISHED, **options)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


WHOLE = {"1.zip": CONTENT[1], "2.zip": CONTENT[2]}


def test_the_published_files_are_four_zips_and_the_folds():
    assert [file.name for file in FILES if file.name.endswith(".zip")] == [
        f"brainTumorDataPublic_{numbers}.zip" for numbers in ("1-766", "767-1532", "1533-2298", "2299-3064")
    ]
    assert FILES[-1].name == "cvind.mat"
    assert sum(file.size for file in FILES) == 879_499_062
    assert all(len(file.checksum) == 36 for file in FILES)


def test_files_are_downloaded_whole(server, tmp_path):
    assert fetch(server, tmp_path / "new" / "folder") == tmp_path / "new" / "folder"
    assert files(tmp_path / "new" / "folder") == WHOLE


def test_progress_counts_bytes_up_to_the_total(server, tmp_path):
    steps = []
    fetch(server, tmp_path, progress=lambda *step: steps.append(step))
    total = sum(map(len, CONTENT.values()))
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1] == (total, total)
    assert len(steps) > 6


def test_files_already_there_are_not_downloaded_again(server, tmp_path):
    fetch(server, tmp_path)
    server.requests.clear()
    steps = []
    fetch(server, tmp_path, progress=lambda *step: steps.append(step))
    assert server.requests == []
    assert steps[-1][0] == steps[-1][1]


def test_a_download_resumes_after_a_disconnection(server, tmp_path):
    server.cut_after = [300_000, 100_000]
    fetch(server, tmp_path)
    assert server.requests == [(1, 0), (1, 300_000), (1, 400_000), (2, 0)]
    assert files(tmp_path) == WHOLE


def test_a_download_resumes_after_a_connection_reset(server, tmp_path):
    server.reset, server.cut_after = True, [600_000, 50_000]
    fetch(server, tmp_path)
    assert files(tmp_path) == WHOLE


def test_a_download_without_progress_stops_and_the_next_call_resumes(server, tmp_path):
    server.cut_after = [300_000, 0, 0, 0]
    with pytest.raises(InputError, match=r"1\.zip: the connection broke off at 0\.3 of 0\.7 MB; run the command again"):
        fetch(server, tmp_path)
    assert files(tmp_path) == {"1.zip.part": CONTENT[1][:300_000]}
    server.requests.clear()
    fetch(server, tmp_path)
    assert server.requests == [(1, 300_000), (2, 0)]
    assert files(tmp_path) == WHOLE


def test_a_server_without_range_support_restarts_the_file(server, tmp_path):
    server.ranges = False
    (tmp_path / "1.zip.part").write_bytes(CONTENT[1][:300_000])
    fetch(server, tmp_path)
    assert files(tmp_path) == WHOLE


def test_a_file_with_a_wrong_checksum_is_deleted(server, tmp_path):
    server.content[1] = bytes(len(CONTENT[1]))
    with pytest.raises(InputError, match=r"1\.zip: expected md5:[0-9a-f]{32}, found other bytes"):
        fetch(server, tmp_path)
    assert files(tmp_path) == {}


def test_a_corrupt_partial_file_is_deleted(server, tmp_path):
    (tmp_path / "1.zip.part").write_bytes(bytes(300_000))
    with pytest.raises(InputError, match="found other bytes, now deleted; try again"):
        fetch(server, tmp_path)
    fetch(server, tmp_path)
    assert files(tmp_path) == WHOLE


def test_a_file_of_another_length_is_refused_at_once(server, tmp_path):
    server.content[1] = b"<html>Please log in</html>"
    with pytest.raises(InputError, match=rf"1\.zip: expected {len(CONTENT[1])} bytes from http://.*, found 26"):
        fetch(server, tmp_path)
    assert files(tmp_path) == {}


def test_a_corrupt_file_in_the_folder_is_downloaded_again(server, tmp_path):
    (tmp_path / "1.zip").write_bytes(CONTENT[1][:-1])
    fetch(server, tmp_path)
    assert files(tmp_path) == WHOLE


@pytest.mark.parametrize("status", [202, 403, 404, 500])
def test_a_refusal_explains_how_to_download_by_hand(server, tmp_path, status):
    server.status = status
    with pytest.raises(InputError, match=f"refused with HTTP status {status}") as error:
        fetch(server, tmp_path)
    lines = str(error.value).splitlines()
    assert len(lines) == 2
    assert "https://doi.org/10.6084/m9.figshare.1512427" in lines[1]
    assert str(tmp_path) in lines[1]


def test_an_unreachable_server_is_reported(tmp_path):
    with Server() as closed:
        url = closed.url
    with pytest.raises(InputError, match=r"cannot be reached \(.*refused.*\); is there a network\?"):
        download(tmp_path, base_url=url, files=PUBLISHED)


def test_a_path_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/1\.zip: cannot be fetched \(Not a directory\); run the command again"):
        fetch(server, tmp_path / "file")
