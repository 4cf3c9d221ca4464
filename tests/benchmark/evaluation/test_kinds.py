"""What a path is, told by its content, whatever it is called."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from benchmark.data import archives
from benchmark.errors import NothingToJudge, UserError
from benchmark.evaluation import kinds


def torch_file(value, **options):
    content = io.BytesIO()
    torch.save(value, content, **options)
    return content.getvalue()


def numpy_file(write, *arrays, **named):
    content = io.BytesIO()
    write(content, *arrays, **named)
    return content.getvalue()


def zip_of(*names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name in names:
            file.writestr(name, b"x")
    return content.getvalue()


def script():
    content = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), content)
    return content.getvalue()


STATE = {"a": torch.zeros(2)}


@pytest.mark.parametrize("name", ["it", "it.pt", "it.png"])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (save(STATE), "weights"),
        (save(STATE, {"ganbench": "{}"}), "checkpoint"),
        (torch_file(STATE), "weights"),
        (torch_file(STATE, _use_new_zipfile_serialization=False), "weights"),
        (script(), "torchscript"),
        (numpy_file(np.save, np.zeros(3)), "samples"),
        (numpy_file(np.savez, np.zeros(3)), "samples"),
        (numpy_file(np.savez, mu=np.zeros(3), sigma=np.eye(3)), "statistics"),
    ],
)
def test_files(content, kind, name, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert kinds.kind(tmp_path / name) == kind
    (tmp_path / "link").symlink_to(tmp_path / name)
    assert kinds.kind(tmp_path / "link") == kind


def test_folders(tmp_path):
    assert kinds.kind(tmp_path) == "folder"
    (tmp_path / "spec.json").write_text("{}")
    assert kinds.kind(tmp_path) == "run"


def picture():
    content = io.BytesIO()
    Image.new("L", (4, 4)).save(content, "PNG")
    return content.getvalue()


def of_a_later_version(content):
    """Whose directory asks for version 25.5 of ZIP, as one damaged byte does."""
    at = content.rindex(b"PK\x01\x02") + 6
    return content[:at] + b"\xff" + content[at + 1 :]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (picture(), "is one picture"),
        (b"", "is of no kind that is known"),
        (b"hello, world", "is of no kind that is known"),
        (b"\x1f\x8b\x08" + bytes(20), "is an archive; unpack it"),
        (zip_of("a/1.png", "a/2.png"), "is a ZIP archive; unpack it"),
        (zip_of("a.npy")[:-30], "is a damaged ZIP file"),
        (of_a_later_version(zip_of("a.npy")), "is a damaged ZIP file"),
    ],
    ids=[
        "picture",
        "empty",
        "text",
        "gzip",
        "zip",
        "cut zip",
        "late zip",
    ],  # a ZIP holds the time it was made at
)
def test_what_cannot_be_scored(content, said, tmp_path):
    file = tmp_path / "it"
    file.write_bytes(content)
    with pytest.raises(UserError, match=said) as caught:
        kinds.kind(file)
    assert caught.value.exit_code == 2


def test_what_is_no_file(tmp_path):
    with pytest.raises(NothingToJudge):
        kinds.kind(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="is no regular file"):
        kinds.kind(tmp_path / "pipe")


def test_what_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "bomb.npz"
    np.savez_compressed(file, np.zeros((1000, 1000), np.uint8))
    assert file.stat().st_size < 10_000
    monkeypatch.setattr(archives.os, "sysconf", lambda name: 1000)  # a machine of 1 MB
    with pytest.raises(UserError, match=r"unpacks to .* GB, more than half of the memory"):
        kinds.kind(file)


def test_nothing_is_executed(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (tmp_path.joinpath("executed").touch, ())

    from benchmark.evaluation import state_dicts

    for number, content in enumerate((pickle.dumps(Hostile(), 2), torch_file({"G": Hostile()}))):
        file = tmp_path / f"{number}.pth"
        file.write_bytes(content)
        assert kinds.kind(file) == "weights"
        with pytest.raises(UserError):
            state_dicts.read(file)
    assert not (tmp_path / "executed").exists()


def test_two_members_of_one_name_are_refused(tmp_path):
    file = tmp_path / "it.npz"
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("arr_0.npy", b"a")
        with pytest.warns(UserWarning, match="Duplicate name"):
            zipped.writestr("arr_0.npy", b"b")
    with pytest.raises(UserError, match=r"has 2 members called 'arr_0\.npy'"):
        kinds.kind(file)
