"""A data directory of the test's own, official archives in miniature, a server that stands for mirrors."""

import gzip
import hashlib
import http.server
import io
import struct
import tarfile
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from benchmark.data import registry


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch):
    """The data directory: `GANBENCH_DATA_DIR`."""
    folder = tmp_path / "data"
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(folder))
    monkeypatch.delenv("GANBENCH_OFFLINE", raising=False)
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    return folder


@pytest.fixture
def miniature(monkeypatch):
    """Lets a registered set expect other files and any content: `miniature(name, {file: bytes}, urls)`."""

    def define(name, files=None, urls=(), digest=""):
        known = registry.definition(name)
        sources = known.files
        if files is not None:
            sources = tuple(
                registry.SourceFile(
                    file,
                    tuple(f"{base}/{file}" for base in urls),
                    md5=hashlib.md5(content).hexdigest(),
                )
                for file, content in files.items()
            )
        changed = replace(known, info=replace(known.info, digest=digest), files=sources)
        monkeypatch.setitem(registry.DEFINITIONS, name, changed)
        return changed

    return define


@pytest.fixture
def place(data_dir):
    """Puts files where a data set's own files belong."""

    def write(name, files):
        folder = data_dir / name / "source"
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        return folder

    return write


@pytest.fixture
def tiny_mnist():
    """MNIST's four files with 5 and 3 images; the arrays come along."""
    rng = np.random.default_rng(1)
    arrays, files = {}, {}
    for stem, n in (("train", 5), ("t10k", 3)):
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, n, dtype=np.uint8)
        arrays[stem] = images, labels
        header = bytes((0, 0, 8, 3)) + struct.pack(">3I", n, 28, 28)
        files[f"{stem}-images-idx3-ubyte.gz"] = gzip.compress(header + images.tobytes())
        header = bytes((0, 0, 8, 1)) + struct.pack(">I", n)
        files[f"{stem}-labels-idx1-ubyte.gz"] = gzip.compress(header + labels.tobytes())
    return files, arrays


@pytest.fixture
def tar_gz():
    """A .tar.gz as bytes: `tar_gz({member: bytes})`, or with ready-made `TarInfo`s."""

    def pack(members, infos=()):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for info in infos:
                tar.addfile(info)
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return buffer.getvalue()

    return pack


@pytest.fixture
def picture():
    """Encoded pictures: `picture(array, format)`; arrays are [H,W] or [H,W,C]."""

    def encode(array, kind="PNG", **options):
        buffer = io.BytesIO()
        Image.fromarray(array).save(buffer, kind, **options)
        return buffer.getvalue()

    return encode


@pytest.fixture
def mirrors():
    """Local HTTP servers: `mirrors(files, behaviour)` returns a base URL; `.requests` has what was asked for.

    Behaviours: ``good``, ``slow`` (a little now and then), ``silent`` (after a while), ``truncated``,
    ``other`` (another file), ``missing`` (404), ``unframed`` (no Content-Length), ``encoded`` (says gzip).
    """
    servers, requests, over = [], [], threading.Event()

    def start(files, behaviour="good"):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                requests.append((behaviour, self.path))
                content = files.get(self.path.rsplit("/", 1)[-1])
                if content is None or behaviour == "missing":
                    self.send_error(404)
                    return
                if behaviour == "other":
                    content = b"<html>moved</html>"
                self.send_response(200)
                if behaviour != "unframed":
                    self.send_header("Content-Length", str(len(content)))
                if behaviour == "encoded":
                    self.send_header("Content-Encoding", "x-gzip")
                self.end_headers()
                if behaviour == "silent":
                    self.wfile.write(content[:10_000])
                    over.wait()
                elif behaviour == "slow":
                    step = -(-len(content) // 100)
                    for i in range(0, len(content), step):
                        self.wfile.write(content[i : i + step])
                        self.wfile.flush()
                        time.sleep(0.05)
                else:
                    self.wfile.write(content[: len(content) // 2] if behaviour == "truncated" else content)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # a client that gave up
                pass

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    start.requests = requests
    yield start
    over.set()
    for server in servers:
        server.shutdown()
        server.server_close()
