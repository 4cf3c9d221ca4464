"""Official formats in miniature, written by hand or compared with torchvision's readers of the same files."""

import io
import pickle
import sys
import tarfile
import types
import zipfile

import numpy as np
import pytest
from scipy.io import savemat

from benchmark import data
from benchmark.data import converted
from benchmark.data.fetch import fetch
from benchmark.data.sources import Request, small, tfd
from benchmark.errors import UserError

rng = np.random.default_rng(7)


@pytest.fixture(scope="module")
def torchvision_sets():
    from benchmark.evaluation.torchvision_ops import import_torchvision

    import_torchvision()
    return pytest.importorskip("torchvision.datasets")


@pytest.fixture
def made(miniature, place):
    """Puts files in place, fetches the set, returns (images, labels) of a split as arrays."""

    def make(name, files):
        miniature(name, files)
        place(name, files)
        fetch(name)

        def split(which, *, labelled=True):
            labels = data.load_labels(name, which).numpy() if labelled else None
            return data.load(name, which).numpy(), labels

        return split

    return make


def test_mnist_files(made, tiny_mnist):
    files, arrays = tiny_mnist
    split = made("mnist", files)
    for which, stem in (("train", "train"), ("held-out", "t10k")):
        images, labels = split(which)
        assert np.array_equal(images[:, 0], arrays[stem][0])
        assert np.array_equal(labels, arrays[stem][1])


@pytest.mark.parametrize("where", ["FashionMNIST/raw", "fashion-mnist/source", "fashion-mnist", "."])
def test_files_are_found_where_torchvision_or_a_person_puts_them(where, miniature, tiny_mnist, data_dir):
    files, arrays = tiny_mnist
    miniature("fashion-mnist", files)
    (data_dir / where).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (data_dir / where / name).write_bytes(content)
    fetch("fashion-mnist")
    assert np.array_equal(data.load("fashion-mnist", "train")[:, 0].numpy(), arrays["train"][0])


def test_mnist_with_a_label_missing(miniature, place, tiny_mnist):
    files, _ = tiny_mnist
    files["train-labels-idx1-ubyte.gz"] = files["t10k-labels-idx1-ubyte.gz"]
    miniature("mnist", files)
    place("mnist", files)
    with pytest.raises(UserError, match=r"\[3\] labels for images of shape \[5, 28, 28\]"):
        fetch("mnist")


# --- CIFAR-10 -----------------------------------------------------------------------------------------


@pytest.fixture
def cifar_members():
    """Two records a batch: the label, then red, green and blue planes."""
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    images = {name: rng.integers(0, 256, (2, 3, 32, 32), dtype=np.uint8) for name in names}
    members = {
        f"cifar-10-batches-bin/{name}": b"".join(
            bytes([i]) + image.tobytes() for i, image in enumerate(images[name])
        )
        for name in reversed(names)  # the order in the archive must not matter
    }
    return members, images, names


def test_cifar10_binary_version(made, cifar_members, tar_gz, data_dir):
    members, images, names = cifar_members
    split = made("cifar10", {"cifar-10-binary.tar.gz": tar_gz(members)})
    train, labels = split("train")
    assert np.array_equal(train, np.concatenate([images[name] for name in names[:5]]))
    assert labels.tolist() == [0, 1] * 5
    assert np.array_equal(split("held-out")[0], images["test_batch.bin"])
    assert not list((data_dir / "cifar10").glob(".*.tmp"))
    assert data.is_official("cifar10")  # made from a file with the published digest


def test_a_pickle_is_never_opened(miniature, place, tar_gz, tmp_path):
    """The Python version under the binary version's name: its pickles would run any code."""

    class Payload:
        def __reduce__(self):
            return (tmp_path.joinpath("pwned").touch, ())

    batch = pickle.dumps(Payload())
    members = {f"cifar-10-batches-py/data_batch_{i}": batch for i in range(1, 6)}
    members |= {f"data_batch_{i}.bin": batch for i in range(1, 6)} | {"test_batch.bin": batch}
    files = {"cifar-10-binary.tar.gz": tar_gz(members)}
    miniature("cifar10", files)
    place("cifar10", files)
    with pytest.raises(UserError, match="no whole number of records"):
        fetch("cifar10")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", ["../../evil.bin", "/tmp/evil.bin", "a/../../evil.bin"])
def test_members_that_point_out_of_the_archive_are_refused(name, miniature, place, tar_gz, cifar_members):
    files = {"cifar-10-binary.tar.gz": tar_gz({name: b"x"} | cifar_members[0])}
    miniature("cifar10", files)
    place("cifar10", files)
    with pytest.raises(UserError, match="points out of the archive"):
        fetch("cifar10")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind, miniature, place, tar_gz, cifar_members, data_dir):
    info = tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin")
    info.type, info.linkname = kind, "/etc/passwd"
    files = {"cifar-10-binary.tar.gz": tar_gz(cifar_members[0], [info])}
    miniature("cifar10", files)
    place("cifar10", files)
    with pytest.raises(UserError, match="refused"):
        fetch("cifar10")
    assert not data.is_ready("cifar10")


@pytest.mark.parametrize("damage", ["cut off", "no tar", "member missing"])
def test_damaged_archives(damage, miniature, place, tar_gz, cifar_members, data_dir):
    members = cifar_members[0]
    if damage == "member missing":
        del members["cifar-10-batches-bin/data_batch_3.bin"]
    content = tar_gz(members)
    content = {"cut off": content[: len(content) // 2], "no tar": b"<html>"}.get(damage, content)
    files = {"cifar-10-binary.tar.gz": content}
    miniature("cifar10", files)
    place("cifar10", files)
    with pytest.raises(UserError, match=r"damaged archive|has no 'data_batch_3\.bin'"):
        fetch("cifar10")
    assert [p.name for p in (data_dir / "cifar10").iterdir() if p.is_file()] == [".lock"]


# --- SVHN, STL-10 -------------------------------------------------------------------------------------


def mat(**arrays):
    buffer = io.BytesIO()
    savemat(buffer, arrays, do_compression=True)
    return buffer.getvalue()


def test_svhn_is_what_torchvision_reads(made, torchvision_sets, monkeypatch, data_dir):
    files = {}
    for name, n in (("train_32x32.mat", 12), ("test_32x32.mat", 3)):
        images = rng.integers(0, 256, (32, 32, 3, n), dtype=np.uint8)
        files[name] = mat(X=images, y=np.arange(1, n + 1, dtype=np.uint8).reshape(-1, 1) % 10 + 1)
    split = made("svhn", files)
    monkeypatch.setattr("torchvision.datasets.svhn.check_integrity", lambda *_: True)
    for which, theirs in (("train", "train"), ("held-out", "test")):
        oracle = torchvision_sets.SVHN(data_dir / "svhn" / "source", theirs)
        images, labels = split(which)
        assert np.array_equal(images, oracle.data)
        assert np.array_equal(labels, oracle.labels)
    assert 0 in split("train")[1]
    assert split("train")[1].max() == 9


def test_svhn_that_is_no_mat_file(miniature, place):
    files = {"train_32x32.mat": b"<html>", "test_32x32.mat": b""}
    miniature("svhn", files)
    place("svhn", files)
    with pytest.raises(UserError, match=r"train_32x32.mat: cannot read"):
        fetch("svhn")


@pytest.mark.parametrize(
    ("images", "labels", "says"),
    [
        (np.zeros((32, 32, 3, 2), np.uint8), [[1.5], [2]], "labels other than 1 to 10"),
        (np.zeros((32, 32, 3, 2), np.uint8), [[np.nan], [2]], "labels other than 1 to 10"),
        (np.zeros((32, 32, 3, 2), np.uint8), [[0], [11]], "labels other than 1 to 10"),
        (np.array([[np.zeros(3), "x"]], dtype=object), [[1], [2]], "'X' is cell"),
    ],
)
def test_svhn_with_other_things_in_it(miniature, place, images, labels, says):
    files = {name: mat(X=images, y=np.array(labels)) for name in ("train_32x32.mat", "test_32x32.mat")}
    miniature("svhn", files)
    place("svhn", files)
    with pytest.raises(UserError, match=says):
        fetch("svhn")


def test_a_mat_file_whose_header_says_more_than_fits(monkeypatch, tmp_path):
    monkeypatch.setattr(small, "_MOST_IN_MAT", 1000)
    (tmp_path / "a.mat").write_bytes(mat(X=np.zeros(1001, np.uint8)))
    with pytest.raises(UserError, match=r"a\.mat"):
        small.load_mat(tmp_path / "a.mat", ("X",))


def test_stl10_is_what_torchvision_reads_and_resizes(made, tar_gz, torchvision_sets, monkeypatch, tmp_path):
    from torchvision import transforms

    members = {
        "unlabeled_X.bin": rng.integers(0, 256, (5, 3, 96, 96), dtype=np.uint8).tobytes(),
        "train_X.bin": rng.integers(0, 256, (1, 3, 96, 96), dtype=np.uint8).tobytes(),
        "train_y.bin": bytes([1]),
        "test_X.bin": rng.integers(0, 256, (2, 3, 96, 96), dtype=np.uint8).tobytes(),
        "test_y.bin": bytes([10, 1]),
    }
    packed = {f"stl10_binary/{name}": content for name, content in members.items()}
    split = made("stl10-unlabeled", {"stl10_binary.tar.gz": tar_gz(packed)})
    folder = tmp_path / "oracle" / "stl10_binary"
    folder.mkdir(parents=True)
    for name, content in members.items():
        (folder / name).write_bytes(content)
    monkeypatch.setattr("torchvision.datasets.stl10.check_integrity", lambda *_: True)
    for which, theirs in (("train", "unlabeled"), ("held-out", "test")):
        oracle = torchvision_sets.STL10(tmp_path / "oracle", theirs, transform=transforms.Resize(48))
        images, labels = split(which, labelled=which == "held-out")
        assert images.shape == (len(oracle), 3, 48, 48)
        assert np.array_equal(images, [np.asarray(image).transpose(2, 0, 1) for image, _ in oracle])
        if labels is not None:
            assert labels.tolist() == [9, 0]
    with pytest.raises(UserError, match="'train' has no labels"):
        data.load_labels("stl10-unlabeled", "train")


# --- CelebA, LSUN, ImageNet ---------------------------------------------------------------------------


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def flat(value, shape=(218, 178, 3)):
    return np.full(shape, value, np.uint8)


def test_celeba_follows_the_partition_and_crops(made, picture):
    bordered = flat(10)
    bordered[40:178, 30:168] = 99
    members = {
        "img_align_celeba/000001.jpg": picture(bordered),
        "img_align_celeba/000002.jpg": picture(flat(20)),
        "img_align_celeba/000003.jpg": picture(flat(30)),
        "img_align_celeba/000004.jpg": picture(flat(40)),
    }
    partition = b"000001.jpg 0\n000002.jpg 2\n000003.jpg 1\n000004.jpg 0\n"
    split = made("celeba", {"img_align_celeba.zip": zipped(members), "list_eval_partition.txt": partition})
    train, held_out = (split(which, labelled=False)[0] for which in ("train", "held-out"))
    assert train.shape == (2, 3, 64, 64)
    assert train[0].min() == train[0].max() == 99  # the frame outside the crop is gone
    assert (train[1] == 40).all()
    assert (held_out == 20).all()


def test_celeba_names_what_is_broken(miniature, place, picture):
    members = {"img_align_celeba/1.jpg": picture(flat(1)), "img_align_celeba/2.jpg": b"no"}
    files = {
        "img_align_celeba.zip": zipped(members),
        "list_eval_partition.txt": b"1.jpg 0\n2.jpg 0\n3.jpg 0\n",
    }
    miniature("celeba", files)
    place("celeba", files)
    with pytest.raises(UserError, match=r"2 of 3 images cannot be used: 2 broken \(2.jpg: .*3.jpg"):
        fetch("celeba")
    fetch("celeba", skip_broken=True)
    assert data.info("celeba").n_train == 1
    assert not data.is_official("celeba")  # the files are, but not all of their images


@pytest.fixture
def fake_lmdb(monkeypatch):
    """A module `lmdb` with the few calls the reader makes; databases are {path: {key: value}}."""
    databases = {}

    class Transaction:
        def __init__(self, pairs):
            self.pairs = pairs

        def cursor(self):
            return iter(sorted(self.pairs.items()))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    class Environment(Transaction):
        def stat(self):
            return {"entries": len(self.pairs)}

        def begin(self, write):
            assert not write
            return Transaction(self.pairs)

    def open_(path, *, readonly, lock, **_):
        assert readonly
        assert not lock
        return Environment(databases[path])

    module = types.SimpleNamespace(open=open_, Error=RuntimeError, __name__="lmdb")
    monkeypatch.setitem(sys.modules, "lmdb", module)
    return databases


def test_lsun_in_the_order_of_its_keys(fake_lmdb, data_dir, picture):
    folder = data_dir / "lsun"
    for name, pairs in (
        (
            "bedroom_train_lmdb",
            {b"b": picture(flat(2, (256, 341, 3)), "WEBP", lossless=True), b"a": picture(flat(1))},
        ),
        ("bedroom_val_lmdb", {b"z": picture(flat(9, (64, 64, 3)))}),
    ):
        (folder / name).mkdir(parents=True)
        fake_lmdb[str(folder / name)] = pairs
    notes = []
    fetch("lsun-bedroom", note=notes.append)
    assert data.load("lsun-bedroom", "train").shape == (2, 3, 64, 64)
    assert data.load("lsun-bedroom", "train")[:, 0, 0, 0].tolist() == [1, 2]
    assert data.load("lsun-bedroom", "held-out").unique().tolist() == [9]
    assert any("2 instead of 3033042" in note for note in notes)


def test_a_damaged_lsun_is_named(fake_lmdb, data_dir, picture):
    class Damaged(dict):
        def items(self):
            raise RuntimeError("MDB_CORRUPTED")

    for name in ("bedroom_train_lmdb", "bedroom_val_lmdb"):
        (data_dir / "lsun" / name).mkdir(parents=True)
        fake_lmdb[str(data_dir / "lsun" / name)] = Damaged(a=1)
    with pytest.raises(UserError, match=r"bedroom_train_lmdb: damaged database \(MDB_CORRUPTED"):
        fetch("lsun-bedroom")


def test_lsun_without_lmdb(monkeypatch, data_dir):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    for name in ("bedroom_train_lmdb", "bedroom_val_lmdb"):
        (data_dir / "lsun" / name).mkdir(parents=True)
    with pytest.raises(UserError, match="pip install lmdb"):
        fetch("lsun-bedroom")


def test_imagenet_classes_and_cut(tmp_path, picture):
    striped = np.zeros((64, 128, 3), np.uint8)
    striped[:, 32:96] = 255  # the middle square
    for name, content in {
        "train/n02/b.JPEG": picture(flat(5, (40, 40, 3))),
        "train/n01/a.JPEG": picture(striped),
        "train/n01/c.JPEG": picture(np.full((50, 40), 7, np.uint8)),  # grey
        "val/n02/v.JPEG": picture(flat(6, (99, 70, 3))),
    }.items():
        path = tmp_path / "ilsvrc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    fetch("imagenet32", local=tmp_path / "ilsvrc")
    images = data.load("imagenet32", "train")
    assert images.shape == (3, 3, 32, 32)
    assert images[0, :, :, 1:-1].min() == 255
    assert images[1:].flatten(1).unique(dim=1).tolist() == [[7], [5]]
    assert data.load_labels("imagenet32", "train").tolist() == [0, 0, 1]
    assert data.load_labels("imagenet32", "held-out").tolist() == [1]


# --- TFD ----------------------------------------------------------------------------------------------


def tfd_arrays(n=8):
    folds = np.zeros((n, 5), np.uint8)
    folds[3:, 0] = [1, 2, 3, 3, 1]
    folds[3:, 1] = 3  # another fold must not matter
    labels = np.array([-1, -1, -1, 1, 2, 7, 1, 4], np.int16).reshape(-1, 1)
    return {
        "images": rng.integers(0, 256, (n, 48, 48), dtype=np.uint8),
        "folds": folds,
        "labs_ex": labels,
        "labs_id": labels * 0 - 1,
    }


def test_tfd_trains_on_unlabelled_and_holds_out_test_of_fold_0(miniature, tmp_path, data_dir):
    arrays = tfd_arrays()
    (tmp_path / "TFD_48x48.mat").write_bytes(mat(**arrays))
    notes = []
    fetch("tfd", local=tmp_path, mirror=["http://127.0.0.1:9"], note=notes.append)
    assert np.array_equal(data.load("tfd", "train")[:, 0].numpy(), arrays["images"][:3])
    assert np.array_equal(data.load("tfd", "held-out")[:, 0].numpy(), arrays["images"][5:7])  # 3, not 2
    assert data.load_labels("tfd", "held-out").tolist() == [6, 0]
    assert "9d113650c197719b750ecc6864faf87c" in notes[0]  # not the usual file: said, not hidden
    assert not data.is_official("tfd")
    assert converted.metadata(data_dir / "tfd")["notes"] == {"fold": 0}


@pytest.mark.parametrize("fold", range(5))
def test_a_fold_of_tfd_validates_on_its_2_and_holds_out_its_3(fold, tmp_path):
    kinds = np.array([0, 1, 2, 2, 3, 1, 3, 3, 0, 2, 1, 1], np.uint8)
    arrays = {
        "images": rng.integers(0, 256, (12, 48, 48), dtype=np.uint8),
        "folds": np.stack([np.roll(kinds, k) for k in range(5)], 1),
        "labs_ex": np.arange(12, dtype=np.int16).reshape(-1, 1) % 7 + 1,
    }
    (tmp_path / "TFD_48x48.mat").write_bytes(mat(**arrays))
    request = Request(f"tfd-fold-{fold}", {"TFD_48x48.mat": tmp_path / "TFD_48x48.mat"}, tmp_path)
    content = tfd.read_fold(request)
    for part, kind in ((content.train, 2), (content.held_out, 3)):
        images, labels = (np.concatenate(found) for found in zip(*part, strict=True))
        chosen = arrays["folds"][:, fold] == kind
        assert np.array_equal(images[:, 0], arrays["images"][chosen])
        assert labels.tolist() == (np.arange(12)[chosen] % 7).tolist()


@pytest.mark.parametrize("damage", ["images", "folds", "labs_ex", "96x96", "value 4", "unlabelled test"])
def test_tfd_of_another_layout(damage, tmp_path):
    arrays = tfd_arrays()
    if damage in arrays:
        del arrays[damage]
    elif damage == "96x96":
        arrays["images"] = np.zeros((8, 96, 96), np.uint8)
    elif damage == "value 4":
        arrays["folds"][0, 2] = 4
    else:
        arrays["labs_ex"][5] = -1
    (tmp_path / "TFD_48x48.mat").write_bytes(mat(**arrays))
    with pytest.raises(UserError, match=r"TFD_48x48.mat: "):
        fetch("tfd", local=tmp_path)
    assert not data.is_ready("tfd")
