"""Downloads: the first mirror that delivers the right file counts; what is wrong with the others is said."""

import gzip
import hashlib
import socket
import sys
import textwrap

import pytest

from benchmark import data
from benchmark.data import mirrors as downloading
from benchmark.data import registry
from benchmark.data.fetch import fetch
from benchmark.data.registry import SourceFile
from benchmark.errors import UserError

CONTENT = bytes(range(256)) * 400
FILE = SourceFile("set.bin", md5=hashlib.md5(CONTENT).hexdigest())


def dead():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def hurried(monkeypatch):
    """Mirrors are soon called slow."""
    monkeypatch.setattr(downloading, "_SLOW_AFTER_S", 0.2)
    monkeypatch.setattr(downloading, "_MIN_BYTES_PER_S", 100_000)


def get(urls, target, file=FILE, notes=None):
    return downloading.download(
        file,
        [f"{url}/set.bin" for url in urls],
        target,
        do=f"--mirror {file.md5}",
        note=(notes if notes is not None else []).append,
    )


def test_dead_truncated_other_then_good(mirrors, tmp_path):
    files, notes = {"set.bin": CONTENT}, []
    urls = [dead(), mirrors(files, "truncated"), mirrors(files, "other"), mirrors(files, "good")]
    assert get(urls, tmp_path / "set.bin", notes=notes) == f"{urls[3]}/set.bin"
    assert (tmp_path / "set.bin").read_bytes() == CONTENT
    assert [note.split("/set.bin: ")[0] for note in notes] == urls[:3]
    assert "refused" in notes[0]
    assert f"{len(CONTENT) // 2} bytes read, {len(CONTENT) // 2} more expected" in notes[1]
    assert "MD5" in notes[2]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["set.bin"]


def test_slow_then_good(mirrors, tmp_path, hurried):
    files, notes = {"set.bin": CONTENT}, []
    urls = [mirrors(files, "slow"), mirrors(files, "good")]
    assert get(urls, tmp_path / "set.bin", notes=notes) == f"{urls[1]}/set.bin"
    assert [note.split("/set.bin: ")[0] for note in notes] == urls[:1]
    assert "too slow" in notes[0]


def test_a_slow_last_mirror_is_better_than_none(mirrors, tmp_path, hurried):
    short = CONTENT[:20]
    file = SourceFile("set.bin", md5=hashlib.md5(short).hexdigest())
    get([mirrors({"set.bin": short}, "missing"), mirrors({"set.bin": short}, "slow")], tmp_path / "f", file)
    assert (tmp_path / "f").read_bytes() == short


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("missing", "Not Found"),
        ("truncated", "IncompleteRead"),
        ("other", FILE.md5),
        ("silent", "timed out"),
    ],
)
def test_when_none_delivers_each_reason_is_named(behaviour, said, mirrors, tmp_path, monkeypatch):
    if behaviour == "silent":
        monkeypatch.setattr(downloading, "_SILENCE_S", 0.5)
    url = mirrors({"set.bin": CONTENT}, behaviour)
    with pytest.raises(UserError) as caught:
        get([url], tmp_path / "set.bin")
    assert caught.value.exit_code == 2
    for part in (url, said, str(tmp_path / "set.bin"), FILE.md5, "--mirror"):
        assert part in str(caught.value)
    assert not list(tmp_path.glob("*set.bin*"))


def test_cut_off_without_a_length_is_noticed_by_the_digest(mirrors, tmp_path):
    url = mirrors({"set.bin": CONTENT[:-1]}, "unframed")
    with pytest.raises(UserError, match="MD5"):
        get([url], tmp_path / "set.bin")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/x", "nonsense", "http://[bad"])
def test_only_web_addresses_are_opened(url, tmp_path):
    with pytest.raises(UserError, match=r"No connection adapters|Invalid URL|Failed to parse"):
        get([url], tmp_path / "x")


def test_how_a_mirror_compresses_does_not_matter(tmp_path):
    file = SourceFile("x.gz", content_sha256=hashlib.sha256(CONTENT).hexdigest())
    path = tmp_path / "x.gz"
    for content in (gzip.compress(CONTENT, 1), gzip.compress(CONTENT, 9), CONTENT):
        path.write_bytes(content)
        assert downloading.difference(file, path) == ""
    path.write_bytes(gzip.compress(CONTENT)[:-3])
    assert "damaged" in downloading.difference(file, path)
    path.write_bytes(gzip.compress(CONTENT[:-1]))
    assert "expected" in downloading.difference(file, path)


def test_all_that_a_gzipped_file_holds_counts(tmp_path):
    file = SourceFile("x.gz", content_sha256=hashlib.sha256(CONTENT).hexdigest())
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(CONTENT[:9]) + gzip.compress(CONTENT[9:]))
    assert downloading.difference(file, path) == ""
    path.write_bytes(gzip.compress(CONTENT) + gzip.compress(b"more"))
    assert "its content has SHA-256" in downloading.difference(file, path)
    path.write_bytes(gzip.compress(CONTENT) + b"more")
    assert "damaged" in downloading.difference(file, path)


def test_a_gz_file_that_a_server_calls_an_encoding_arrives_as_it_is(mirrors, tmp_path):
    zipped = gzip.compress(CONTENT)
    file = SourceFile("set.bin", md5=hashlib.md5(zipped).hexdigest())
    get([mirrors({"set.bin": zipped}, "encoded")], tmp_path / "set.bin", file)
    assert (tmp_path / "set.bin").read_bytes() == zipped


def test_a_full_disk_is_no_mirrors_fault(mirrors, tmp_path):
    (tmp_path / ".set.bin.tmp").symlink_to("/dev/full")
    urls = [mirrors({"set.bin": CONTENT}), mirrors({"set.bin": CONTENT})]
    with pytest.raises(UserError, match="no space left"):
        get(urls, tmp_path / "set.bin")
    assert len(mirrors.requests) == 1


KILLED = """
    import sys
    from pathlib import Path
    from benchmark.data import mirrors, registry
    mirrors._SILENCE_S = 1e6
    target = Path(sys.argv[2])
    mirrors.download(registry.SourceFile(target.name), [sys.argv[1]], target, do="")
"""


def test_killed_in_the_middle_leaves_nothing_that_counts(mirrors, tmp_path, wait, begin):
    url, target = mirrors({"set.bin": CONTENT}, "silent") + "/set.bin", tmp_path / "set.bin"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), url, str(target)]
    process, partial = begin(command), tmp_path / ".set.bin.tmp"
    wait(lambda: partial.exists() and partial.stat().st_size, process)
    process.kill()
    process.wait()
    assert not target.exists()
    get([mirrors({"set.bin": CONTENT})], target)
    assert [path.name for path in tmp_path.iterdir()] == ["set.bin"]


def test_fetch_downloads_converts_and_does_it_once(mirrors, miniature, tiny_mnist, data_dir):
    files, arrays = tiny_mnist
    urls = [mirrors(files, "other"), mirrors(files, "good")]
    miniature("fashion-mnist", files, urls)
    fetch("fashion-mnist")
    assert data.load("fashion-mnist", "train")[:, 0].numpy().tolist() == arrays["train"][0].tolist()
    asked = len(mirrors.requests)
    assert asked == 8
    fetch("fashion-mnist")
    assert len(mirrors.requests) == asked


def test_a_mirror_of_the_users_comes_first(mirrors, miniature, tiny_mnist):
    files, _ = tiny_mnist
    miniature("fashion-mnist", files, [mirrors(files, "missing")])
    fetch("fashion-mnist", mirror=[mirrors(files, "good") + "/"])
    assert {behaviour for behaviour, _ in mirrors.requests} == {"good"}


def test_a_damaged_local_file_is_replaced(mirrors, miniature, tiny_mnist, place):
    files, _ = tiny_mnist
    miniature("fashion-mnist", files, [mirrors(files, "good")])
    name = next(iter(files))
    folder = place("fashion-mnist", {**files, name: files[name][:-5]})
    notes = []
    fetch("fashion-mnist", note=notes.append)
    assert mirrors.requests == [("good", f"/{name}")]
    assert (folder / name).read_bytes() == files[name]
    assert "is damaged" in notes[0]


def test_a_folder_is_no_file(mirrors, miniature, tiny_mnist, data_dir, tmp_path):
    """Whatever it is called: the next place, or mirror, has the file."""
    files, arrays = tiny_mnist
    miniature("fashion-mnist", files, [mirrors(files, "good")])
    first, second, *others = files
    for name in files:
        (tmp_path / "given" / name).mkdir(parents=True)
    (data_dir / "fashion-mnist").mkdir(parents=True)
    for name in (second, *others):
        (data_dir / "fashion-mnist" / name).write_bytes(files[name])
    notes = []
    fetch("fashion-mnist", local=tmp_path / "given", note=notes.append)
    assert mirrors.requests == [("good", f"/{first}")]
    assert data.load("fashion-mnist", "train")[:, 0].numpy().tolist() == arrays["train"][0].tolist()
    assert notes[:4] == [f"{tmp_path / 'given' / name} is a folder" for name in files]


def test_a_folder_is_not_replaced_by_a_download(mirrors, miniature, tiny_mnist, data_dir):
    files, _ = tiny_mnist
    miniature("fashion-mnist", files, [mirrors(files, "good")])
    (data_dir / "fashion-mnist" / "source" / next(iter(files))).mkdir(parents=True)
    with pytest.raises(UserError, match=r"ubyte\.gz: is a folder in a file's place\. Remove it"):
        fetch("fashion-mnist")
    assert not mirrors.requests


@pytest.mark.parametrize("name", ["lsun-bedroom", "imagenet32"])
def test_a_file_is_no_folder(name, tmp_path):
    file = registry.definition(name).files[0].name
    (tmp_path / file).write_bytes(b"")
    with pytest.raises(UserError, match=rf"/{file} is a file\. Put it there, or name its folder with --from"):
        fetch(name, local=tmp_path)


def test_offline_opens_no_socket(monkeypatch, miniature, tiny_mnist, place, data_dir):
    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("GANBENCH_OFFLINE", "1")
    files, _ = tiny_mnist
    known = miniature("fashion-mnist", files, ["http://127.0.0.1:9"])
    with pytest.raises(UserError) as caught:
        fetch("fashion-mnist")
    first = known.files[0]
    for part in (
        "offline",
        first.md5,
        first.urls[0],
        str(data_dir / "fashion-mnist" / "source" / first.name),
    ):
        assert part in str(caught.value)
    assert caught.value.exit_code == 2
    place("fashion-mnist", files)
    fetch("fashion-mnist")
    assert data.is_ready("fashion-mnist")


def test_no_mirror_fills_the_disk(mirrors, tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "_MOST_BYTES", len(CONTENT) - 1)
    with pytest.raises(UserError, match="sends more than"):
        get([mirrors({"set.bin": CONTENT}, "good")], tmp_path / "set.bin")
    assert not [path for path in tmp_path.iterdir() if path.is_file()]
