"""The download of the Inception weights: whole and published, or not there at all."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmark.errors import UserError
from benchmark.evaluation import cache, weights
from benchmark.records import places

PUBLISHED = b"the published weights" * 1000


requests = []


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        requests.append(self.path)
        content = b"<html>sorry</html>" if self.path == "/html" else PUBLISHED
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path == "/cut" else content)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where the download goes; the published file is `PUBLISHED`."""
    monkeypatch.delenv(weights.VARIABLE, raising=False)
    monkeypatch.setenv("GANBENCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "INCEPTION_SHA256", hashlib.sha256(PUBLISHED).hexdigest())
    return weights.inception_path()


def test_download_is_kept_and_not_repeated(server, place):
    assert weights.download_inception(f"{server}/whole") == place
    assert place.read_bytes() == PUBLISHED
    assert weights.inception_digest() == weights.INCEPTION_SHA256
    assert weights.read_inception(weights.INCEPTION_SHA256) == PUBLISHED
    assert weights.download_inception(f"{server}/missing") == place
    assert {file.name for file in place.parent.iterdir()} == {".lock", place.name}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("cut", "no mirror delivers .*more expected"),
        ("missing", "no mirror delivers .*Not Found"),
        ("html", f"its content has SHA-256 .*, expected {hashlib.sha256(PUBLISHED).hexdigest()}"),
    ],
)
def test_nothing_is_kept_of_a_bad_download(server, place, path, message):
    with pytest.raises(UserError, match=message) as caught:
        weights.download_inception(f"{server}/{path}")
    assert str(place) in str(caught.value)
    assert [file.name for file in place.parent.iterdir()] == [".lock"]


def test_without_a_connection_it_says_what_to_put_where(place):
    with pytest.raises(UserError, match=r"no mirror delivers .*GANBENCH_WEIGHTS") as caught:
        weights.download_inception("http://127.0.0.1:9/x")
    assert str(place) in str(caught.value)


def test_a_cache_that_cannot_be_written_is_a_user_error(server, tmp_path, monkeypatch):
    monkeypatch.delenv(weights.VARIABLE, raising=False)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANBENCH_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot be written"):
        weights.download_inception(f"{server}/whole")


def test_of_two_that_want_them_one_downloads(server, place):
    requests.clear()
    both = [threading.Thread(target=weights.download_inception, args=(f"{server}/whole",)) for _ in "ab"]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert requests == ["/whole"]
    assert place.read_bytes() == PUBLISHED


def test_a_damaged_download_is_refused_and_named(place):
    place.parent.mkdir(parents=True)
    place.write_bytes(PUBLISHED[:-1])
    for refused in (weights.inception_digest, lambda: weights.read_inception(weights.INCEPTION_SHA256)):
        with pytest.raises(UserError, match="Delete the file and run `ganbench verify-weights`") as caught:
            refused()
        assert str(place) in str(caught.value)


def test_a_file_of_the_users_goes_first(place, tmp_path, monkeypatch):
    own = tmp_path / "own.pth"
    own.write_bytes(b"own")
    monkeypatch.setenv(weights.VARIABLE, str(own))
    assert weights.download_inception("http://127.0.0.1:9/x") == own
    digest = hashlib.sha256(b"own").hexdigest()
    assert weights.inception_digest() == digest
    assert weights.read_inception(digest) == b"own"
    own.unlink()
    with pytest.raises(UserError, match=r"GANBENCH_WEIGHTS: .*own\.pth: cannot read the weights"):
        weights.inception_digest()


@pytest.mark.parametrize(
    ("own", "of_user", "expected"),
    [("/a", "/b", "/a"), ("", "/b", "/b/ganbench"), ("", "", "/home/u/.cache/ganbench")],
)
def test_where_the_cache_is(monkeypatch, own, of_user, expected):
    monkeypatch.setenv("GANBENCH_CACHE_DIR", own)
    monkeypatch.setenv("XDG_CACHE_HOME", of_user)
    monkeypatch.setenv("HOME", "/home/u")
    assert places.cache_dir() == Path(expected)


def test_a_cache_that_cannot_be_written_costs_no_number(tmp_path, monkeypatch):
    import numpy as np

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANBENCH_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="cannot keep x"):
        assert cache.arrays("x", {}, lambda: {"a": np.ones(2)})["a"].tolist() == [1, 1]
