"""Download of published weights from a local server, and the messages if it fails."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tinydnn.data.read.download import PublishedFile
from tinydnn.errors import InputError
from tinydnn.models import NETWORKS
from tinydnn.weights import PUBLISHED, download, downloaded, published

CONTENT = b"weights" * 1000


@pytest.fixture
def server(monkeypatch):
    """The address of a local server, whose one file stands for the weights of VGG-16."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            exists = self.path == "/models/vgg16.pth"
            self.send_response(200 if exists else 403)
            self.send_header("Content-Length", str(len(CONTENT) if exists else 0))
            self.end_headers()
            self.wfile.write(CONTENT if exists else b"")

        def log_message(self, *_):
            pass

    digest = hashlib.sha256(CONTENT).hexdigest()
    monkeypatch.setitem(PUBLISHED, "vgg16", PublishedFile("vgg16.pth", "vgg16.pth", len(CONTENT), f"sha256:{digest}"))
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/models"
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYDNN_CACHE", str(tmp_path))
    return tmp_path


def test_every_network_has_a_file_named_after_its_checksum():
    assert PUBLISHED.keys() == NETWORKS.keys()
    for file in PUBLISHED.values():
        kind, digits = file.checksum.split(":")
        assert kind == "sha256"
        assert re.fullmatch(r"[0-9a-f]{64}", digits)
        assert file.name.removesuffix(".pth").endswith(f"-{digits[:8]}")


def test_a_downloaded_file_is_found_in_the_cache(server, cache):
    calls = []
    path = download("vgg16", base_url=server, progress=lambda done, total: calls.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert calls[-1] == (len(CONTENT), len(CONTENT))
    assert downloaded("vgg16") == path


def test_a_file_with_another_checksum_is_deleted(server, cache, monkeypatch):
    wrong = PublishedFile("vgg16.pth", "vgg16.pth", len(CONTENT), f"sha256:{64 * '0'}")
    monkeypatch.setitem(PUBLISHED, "vgg16", wrong)
    with pytest.raises(InputError, match=r"vgg16\.pth: expected sha256:0{64}, found other bytes, now deleted"):
        download("vgg16", base_url=server)
    with pytest.raises(InputError, match="expected its weights, found none on this computer"):
        downloaded("vgg16")


def test_a_refusal_explains_the_manual_download(server, cache):
    with pytest.raises(InputError) as refused:
        download("alexnet", base_url=server)
    assert str(refused.value).splitlines() == [
        "the server refused with HTTP status 403.",
        f"By hand: fetch {server}/alexnet-owt-7be5be79.pth and name the file with --weights",
    ]


def test_an_unreachable_server_is_reported(cache):
    with pytest.raises(InputError, match=r"cannot be reached .*is there a network\?"):
        download("squeezenet1_1", base_url="http://127.0.0.1:9/models")


def test_an_unknown_network_is_refused():
    with pytest.raises(InputError, match="network: expected one of vgg16, alexnet, squeezenet1_1, found 'resnet50'"):
        published.download("resnet50")
