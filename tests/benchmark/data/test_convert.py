"""Converted sets: exact, mapped, whole or absent, made once, and damage is noticed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from benchmark import data
from benchmark.data import convert, converted
from benchmark.data.fetch import fetch
from benchmark.data.sources import Content
from benchmark.errors import NothingToJudge, UserError

NAME = "fashion-mnist"


@pytest.fixture
def ready(miniature, place, tiny_mnist, data_dir):
    """A converted set: its folder and its arrays."""
    files, arrays = tiny_mnist
    miniature(NAME, files)
    place(NAME, files)
    fetch(NAME)
    return data_dir / NAME, arrays


def content_sha256(arrays):
    (train, train_labels), (test, test_labels) = arrays["train"], arrays["t10k"]
    parts = (train, test, train_labels, test_labels)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def test_round_trip_and_digest(ready):
    _, arrays = ready
    for split, stem in (("train", "train"), ("held-out", "t10k")):
        images, labels = data.load(NAME, split), data.load_labels(NAME, split)
        assert (images.dtype, labels.dtype) == (torch.uint8, torch.int64)
        assert np.array_equal(images[:, 0].numpy(), arrays[stem][0])
        assert np.array_equal(labels.numpy(), arrays[stem][1])
    known = data.info(NAME)
    assert known.digest == content_sha256(arrays) == data.check(NAME)
    assert (known.shape, known.n_train, known.n_held_out) == ((1, 28, 28), 5, 3)


def test_arrays_are_plain_npy_and_their_sources_recorded(ready):
    folder, arrays = ready
    assert np.array_equal(np.load(folder / "train.npy")[:, 0], arrays["train"][0])
    found = json.loads((folder / "dataset.json").read_text())
    for name, source in found["sources"].items():
        content = (folder / "source" / name).read_bytes()
        assert source["sha256"] == hashlib.sha256(content).hexdigest()
        assert source["bytes"] == len(content)


def test_writing_to_images_changes_no_one_elses(ready):
    _, arrays = ready
    data.load(NAME, "train").zero_()
    assert np.array_equal(data.load(NAME, "train")[:, 0].numpy(), arrays["train"][0])
    assert data.check(NAME)


def test_release_gives_pages_back_and_only_of_mapped_images(ready):
    images = data.load(NAME, "train")
    before = images.clone()
    assert data.release(images)
    assert torch.equal(images, before)
    assert not data.release(before)
    assert torch.equal(images, before)


def test_every_flipped_byte_is_found_by_check(ready):
    folder, _ = ready
    for name in ("train.npy", "held-out.npy", "train.labels.npy", "held-out.labels.npy"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        with pytest.raises(NothingToJudge) as caught:
            data.check(NAME)
        assert caught.value.exit_code == 4
        for part in (str(folder), data.info(NAME).digest, f"ganbench data fetch {NAME}"):
            assert part in str(caught.value)
        (folder / name).write_bytes(whole)
    assert data.check(NAME)


@pytest.mark.parametrize("name", ["train.npy", "held-out.npy", "train.labels.npy"])
@pytest.mark.parametrize("used_before", [False, True])
def test_content_that_was_altered_at_equal_size_is_not_loaded(name, used_before, ready, monkeypatch):
    folder, _ = ready
    monkeypatch.setattr(converted, "SETTLED_NS", 0)
    if used_before:
        data.load(NAME, "train")
    times = (folder / name).stat()
    content = bytearray((folder / name).read_bytes())
    content[-2] ^= 1
    (folder / name).write_bytes(content)
    os.utime(folder / name, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert data.is_ready(NAME)  # which is quick
    for load in (data.load, data.load_labels):
        with pytest.raises(UserError, match=f"'{NAME}' is damaged: its content has SHA-256") as caught:
            load(NAME, "train")
        assert caught.value.exit_code == 2


def count_hashing(monkeypatch):
    calls = []
    digest = converted.content_digest
    monkeypatch.setattr(converted, "content_digest", lambda *a: calls.append(a[0]) or digest(*a))
    return calls


def test_content_is_hashed_once_per_change(ready, monkeypatch):
    folder, _ = ready
    monkeypatch.setattr(converted, "SETTLED_NS", 0)
    calls = count_hashing(monkeypatch)
    for _ in range(3):
        data.load(NAME, "train")
        data.load_labels(NAME, "held-out")
        data.check(NAME)
    assert len(calls) == 1
    monkeypatch.setattr(converted, "_hashed", {})  # another process
    data.load(NAME, "train")
    assert len(calls) == 1
    data.check(NAME)  # does not believe what others wrote down
    assert len(calls) == 2
    os.utime(folder / "train.npy")
    data.load(NAME, "train")
    assert len(calls) == 3
    (folder / ".hashed.json").write_text("[" * 100_000)
    monkeypatch.setattr(converted, "_hashed", {})
    data.load(NAME, "train")
    assert len(calls) == 4


def test_files_that_have_just_changed_are_hashed_again(ready, monkeypatch):
    """They may change once more without another time."""
    monkeypatch.setattr(converted, "SETTLED_NS", 10**18)
    calls = count_hashing(monkeypatch)
    data.load(NAME, "train")
    data.load(NAME, "train")
    assert len(calls) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"../train.npy": 1}},
        {"shape": [1, 28]},
        {"shape": [1, 28, 10**9]},
        {"splits": {"train": {"images": -1, "labelled": False}}},
        {"sources": []},
    ],
)
def test_metadata_of_another_kind_are_damage(change, ready):
    folder, _ = ready
    path = folder / "dataset.json"
    found = json.loads(path.read_text()) | change
    path.write_text(json.dumps(found | {"metadata_digest": converted.metadata_digest(found)}))
    with pytest.raises(UserError, match="is damaged: cannot read dataset"):
        data.require(NAME)


@pytest.mark.parametrize("damage", ["cut off", "gone", "metadata edited", "metadata cut off", "other format"])
def test_damage_is_noticed_when_opening_and_repaired_by_fetching(damage, ready):
    folder, arrays = ready
    path = folder / "dataset.json"
    if damage == "cut off":
        (folder / "train.npy").write_bytes((folder / "train.npy").read_bytes()[:-1])
    elif damage == "gone":
        (folder / "held-out.labels.npy").unlink()
    elif damage == "metadata edited":
        path.write_text(path.read_text().replace('"images": 5', '"images": 4'))
    elif damage == "metadata cut off":
        path.write_text(path.read_text()[:50])
    else:
        path.write_text('{"format": 99}')
    assert not data.is_ready(NAME)
    with pytest.raises(UserError, match="is damaged") as caught:
        data.load(NAME, "train")
    assert caught.value.exit_code == 2
    with pytest.raises(NothingToJudge):
        data.check(NAME)
    fetch(NAME)
    assert data.check(NAME) == content_sha256(arrays)


def test_an_array_of_another_shape_is_refused(ready):
    folder, _ = ready
    header = (folder / "train.npy").read_bytes()
    (folder / "train.npy").write_bytes(header.replace(b"(5, 1, 28, 28)", b"(5, 28, 28, 1)"))
    with pytest.raises(UserError, match="expected \\[5, 1, 28, 28\\]"):
        data.load(NAME, "train")


def test_known_content_is_checked_before_anything_counts(miniature, place, tiny_mnist, data_dir):
    files, arrays = tiny_mnist
    miniature(NAME, files, digest="0" * 64)
    place(NAME, files)
    with pytest.raises(UserError, match="expected 0000") as caught:
        fetch(NAME)
    assert content_sha256(arrays) in str(caught.value)
    assert not list((data_dir / NAME).glob("*.npy"))
    miniature(NAME, files, digest=content_sha256(arrays))
    fetch(NAME)
    assert data.is_ready(NAME)


def test_content_of_another_known_digest_is_not_ready(ready, miniature):
    miniature(NAME, digest="1" * 64)
    with pytest.raises(UserError, match="1" * 64):
        data.require(NAME)


def chunk(n=4, shape=(1, 2, 2), labels=None):
    return np.zeros((n, *shape), np.uint8), labels


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (Content([]), "no image to train on"),
        (Content([chunk(), chunk(shape=(1, 2, 3))]), "after some of"),
        (Content([chunk(labels=np.array([0, 1, 2, -1]))]), "labels from -1 to 2"),
        (Content([chunk(labels=np.array([0, 1, 2]))]), "3 labels"),
        (Content([chunk(labels=np.array([0, 0, 0, 70_000]))]), "to 70000"),
        (Content([chunk(), chunk(labels=np.zeros(4))]), "4 labels"),
    ],
)
def test_content_without_sense_leaves_nothing(content, said, tmp_path):
    with pytest.raises(UserError, match=said):
        convert.convert(tmp_path, content, name="x", expected_digest="", sources={}, told=lambda *_: None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("n", [0, 1, 9, 10, 99_999])
def test_headers_hold_any_number_of_images(n, tmp_path):
    parts = [chunk(n, (1, 1, 1))] if n else []
    found = convert.convert(
        tmp_path,
        Content([chunk(1, (1, 1, 1)), *parts], parts),
        name="x",
        expected_digest="",
        sources={},
        told=lambda *_: None,
    )
    assert np.load(tmp_path / "train.npy").shape == (n + 1, 1, 1, 1)
    assert converted.open_images(tmp_path, found, "held-out").shape == (n, 1, 1, 1)


def test_many_classes_keep_their_numbers(tmp_path):
    labels = np.array([0, 255, 256, 999])
    found = convert.convert(
        tmp_path,
        Content([chunk(labels=labels)]),
        name="x",
        expected_digest="",
        sources={},
        told=lambda *_: None,
    )
    assert converted.open_labels(tmp_path, found, "train").tolist() == labels.tolist()
    assert converted.open_labels(tmp_path, found, "held-out") is None
    assert found["digest"] == hashlib.sha256(bytes(16) + labels.astype("<u2").tobytes()).hexdigest()


def test_a_full_disk_is_a_user_error(tmp_path):
    def chunks():
        yield chunk()
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="no space left after 4 images"):
        convert.convert(
            tmp_path, Content(chunks()), name="x", expected_digest="", sources={}, told=lambda *_: None
        )
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(UserError, match="--data-dir"):
        fetch(NAME)


def script(body):
    return [sys.executable, "-c", textwrap.dedent(body)]


SLOW_FETCH = """
    import sys, time
    from pathlib import Path
    from benchmark import data
    from benchmark.data import fetch, registry
    from benchmark.data.sources import folder
    original = folder.read
    def read(request):
        with Path(sys.argv[1], "conversions").open("a") as file:
            file.write("x")
        content = original(request)
        train = content.train
        def slowly():
            for part in train:
                yield part
                Path(sys.argv[1], "begun").touch()
                while not Path(sys.argv[1], "go").exists():
                    time.sleep(0.01)
        content.train = slowly()
        return content
    folder.read = read
    fetch.fetch("folder:" + sys.argv[1] + "/images", note=print)
    print(len(data.load("folder:" + sys.argv[1] + "/images", "train")))
"""


@pytest.fixture
def images(tmp_path, picture):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.png").write_bytes(picture(np.full((4, 4), i, np.uint8)))
    return tmp_path


def test_killed_in_the_middle_leaves_nothing_that_counts(images, wait, begin):
    process = begin([*script(SLOW_FETCH), str(images)])
    wait((images / "begun").exists, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    name = f"folder:{images}/images"
    assert list(data.folder(name).glob(".train.npy.tmp"))
    assert not data.is_ready(name)
    fetch(name)
    assert data.load(name, "train").flatten(1)[:, 0].tolist() == [0, 1, 2]
    assert not list(data.folder(name).glob("*.tmp"))


@pytest.mark.slow
def test_two_at_once_convert_once(images, wait, begin):
    command, environment = [*script(SLOW_FETCH), str(images)], {**os.environ, "PYTHONUNBUFFERED": "1"}
    first = begin(command, stdout=subprocess.PIPE, text=True)
    wait((images / "begun").exists, first)
    second = begin(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert second.stdout.readline().endswith("another process is making it; waiting\n")
    (images / "go").touch()
    assert first.communicate()[0].splitlines()[-1] == "3"
    assert second.communicate()[0].splitlines() == ["3"]
    assert (images / "conversions").read_text() == "x"


LARGE = """
    import json, sys
    import numpy as np, torch
    from benchmark import data
    from benchmark.data import convert
    from benchmark.data.sources import Content

    N = 163_840  # x 3 x 64 x 64 = 2.01 GB

    def memory():
        lines = open("/proc/self/status").read().splitlines()
        fields = dict(line.split(":") for line in lines)
        return [int(fields[key].split()[0]) / 1024 for key in ("VmRSS", "RssAnon")]

    def chunks():
        block = np.random.default_rng(0).integers(0, 256, (1024, 3, 64, 64), dtype=np.uint8)
        for _ in range(N // 1024):
            yield block, None
            note()

    grown = [0.0, 0.0]
    def note():
        grown[:] = [max(old, now - was) for old, now, was in zip(grown, memory(), before)]

    before = memory()
    folder = data.folder("celeba")
    with convert.locked(folder, lambda: None):
        convert.convert(
            folder, Content(chunks()), name="celeba", expected_digest="", sources={}, told=lambda *_: None
        )
    images = data.load("celeba", "train")
    generator = torch.Generator().manual_seed(0)
    for batch in range(500):
        images[torch.randint(N, (64,), generator=generator)].float().mean()
        if batch % 4 == 3:
            note()
            data.release(images)
    print(json.dumps({"shape": list(images.shape), "grown_mib": grown}))
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads /proc")  # noqa: PTH110
def test_two_gigabytes_are_converted_and_sampled_in_little_memory(data_dir, capsys):
    done = subprocess.run(script(LARGE), stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    with capsys.disabled():
        print(found)
    assert found["shape"] == [163_840, 3, 64, 64]
    assert (data_dir / "celeba" / "train.npy").stat().st_size > 2_000_000_000
    assert found["grown_mib"][0] < 1000  # resident at all
    assert found["grown_mib"][1] < 250  # not merely mapped
