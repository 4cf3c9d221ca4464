"""Small archives that unpack to very much are refused before they do."""

import gzip
import io
import tarfile
import zipfile

import pytest

from benchmark.data import archives, idx, mirrors
from benchmark.data.registry import SourceFile
from benchmark.errors import UserError


@pytest.fixture(autouse=True)
def _small_bounds(monkeypatch):
    monkeypatch.setattr(archives, "MOST_IN_GZIP", 5000)
    monkeypatch.setattr(archives, "MOST_IN_TAR", 5000)
    monkeypatch.setattr(archives, "MOST_IN_MEMBER", 5000)
    monkeypatch.setattr(archives, "_CHUNK", 1000)
    monkeypatch.setattr(archives, "_MOST_IN_HEADER", 2000)


def test_every_member_of_a_gzip_file_counts(tmp_path):
    file = tmp_path / "images.gz"
    file.write_bytes(gzip.compress(bytes(2000)) + gzip.compress(bytes(2000)))
    assert idx.read_bytes(file) == bytes(4000)
    file.write_bytes(gzip.compress(bytes(2000)) + gzip.compress(bytes(10**7)))
    with pytest.raises(UserError, match="unpacks to more than 5000 bytes"):
        idx.read_bytes(file)
    known = SourceFile("images.gz", content_sha256="0" * 64)
    assert "unpacks to more than 5000 bytes" in mirrors.difference(known, file)


def test_members_of_a_tar_file_that_nobody_wants_count_too(tmp_path, tar_gz):
    file = tmp_path / "it.tar.gz"
    file.write_bytes(tar_gz({"a": bytes(2000), "b": bytes(2000)}))
    assert archives.extract(file, ["b"], tmp_path)["b"].read_bytes() == bytes(2000)
    for members in ({"a": bytes(10**7), "b": b"x"}, {"a": b"x", "b": bytes(10**7)}):
        file.write_bytes(tar_gz(members))
        with pytest.raises(UserError, match=r"damaged archive \(unpacks to more than 5000 bytes\)"):
            archives.extract(file, ["b"], tmp_path)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_that_would_be_read_into_memory_are_bounded(kind, tmp_path):
    info = tarfile.TarInfo("long")
    info.type, info.size = kind, 10**7
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.addfile(info, io.BytesIO(bytes(10**7)))
    file = tmp_path / "it.tar.gz"
    file.write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match="a header of 10000000 bytes"):
        archives.extract(file, ["b"], tmp_path)


def test_pictures_in_a_zip_file_are_bounded(tmp_path):
    with zipfile.ZipFile(tmp_path / "it.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("small", bytes(4000))
        file.writestr("large", bytes(10**7))
    with zipfile.ZipFile(tmp_path / "it.zip") as file:
        assert archives.picture(file, "small") == bytes(4000)
        with pytest.raises(zipfile.BadZipFile, match="unpacks to 10000000 bytes"):
            archives.picture(file, "large")
