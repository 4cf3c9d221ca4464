"""What the table of data sets says agrees with torchvision's, and every download can be verified."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import data
from benchmark.data import places, registry
from benchmark.errors import UserError


@pytest.fixture(scope="module")
def torchvision_sets():
    from benchmark.evaluation.torchvision_ops import import_torchvision

    import_torchvision()
    return pytest.importorskip("torchvision.datasets")


def sums(name):
    return {file.name: file.md5 for file in registry.definition(name).files}


def test_the_issues_sets_are_there():
    assert data.names() == (
        "digits",
        "mnist",
        "fashion-mnist",
        "cifar10",
        "svhn",
        "stl10-unlabeled",
        "celeba",
        "lsun-bedroom",
        "tfd",
        *(f"tfd-fold-{k}" for k in range(5)),
        "8gaussians",
        "25gaussians",
        "swissroll",
        "imagenet32",
    )


def test_sums_are_those_torchvision_checks(torchvision_sets):
    assert sums("fashion-mnist") == dict(torchvision_sets.FashionMNIST.resources)
    svhn = torchvision_sets.SVHN.split_list
    assert sums("svhn") == {name: md5 for _, name, md5 in (svhn["train"], svhn["test"])}
    stl = torchvision_sets.STL10
    assert sums("stl10-unlabeled") == {stl.filename: stl.tgz_md5}
    official = {name: md5 for _, md5, name in torchvision_sets.CelebA.file_list}
    assert sums("celeba").items() <= official.items()
    assert {f.name for f in registry.definition("mnist").files} == {
        n for n, _ in torchvision_sets.MNIST.resources
    }


def test_nothing_is_downloaded_that_cannot_be_verified():
    for definition in registry.DEFINITIONS.values():
        for file in definition.files:
            assert not file.urls or re.fullmatch("[0-9a-f]{32}", file.md5) or len(file.content_sha256) == 64
            assert all(url.endswith("/" + file.name) for url in file.urls)
        assert not (definition.never_download and any(file.urls for file in definition.files))
        assert all(file.urls for file in definition.files) or definition.by_hand


def test_every_download_has_a_size_to_plan_with():
    for definition in registry.DEFINITIONS.values():
        assert all((file.n_bytes > 0) == bool(file.urls) for file in definition.files)
    content = sum(file.n_bytes for file in registry.definition("cifar10").files)
    assert 0.9 < content / (60_000 * (3 * 32 * 32 + 1)) < 1, "photographs hardly compress"


def test_describing_all_sets_imports_no_numerics():
    code = (
        "import sys; from benchmark import data; [(data.info(n), data.is_ready(n)) for n in data.names()]; "
        "sys.exit(bool({'torch', 'numpy', 'PIL', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_where_data_live(monkeypatch, tmp_path):
    monkeypatch.setenv("GANBENCH_DATA_DIR", str(tmp_path / "a"))
    assert places.data_dir() == tmp_path / "a"
    monkeypatch.delenv("GANBENCH_DATA_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert places.data_dir() == tmp_path / "b" / "ganbench" / "data"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert places.data_dir() == Path("~/.cache/ganbench/data").expanduser()


@pytest.mark.parametrize("name", [n for n in data.names() if n != "digits" and not data.is_drawn(n)])
def test_a_set_that_is_not_there_is_described_and_says_how_to_get_it(name, data_dir):
    known = data.info(name)
    assert known.n_train > 0 or "fold" in name
    assert min(known.shape) > 0
    assert not data.is_ready(name)
    for call in (data.require, lambda n: data.load(n, "train"), lambda n: data.load_labels(n, "train")):
        with pytest.raises(UserError) as caught:
            call(name)
        assert caught.value.exit_code == 2
        for part in (
            str(data_dir / name),
            f"ganbench data fetch {name}",
            known.digest or "no digest is published",
        ):
            assert part in str(caught.value)


@pytest.mark.parametrize("name", ["celeba", "lsun-bedroom", "tfd", "imagenet32"])
def test_sets_to_get_by_hand_say_what_to_put_where(name, data_dir):
    from benchmark.data.fetch import fetch

    first = registry.definition(name).files[0].name
    mirror = [] if name == "celeba" else ["http://127.0.0.1:9"]  # never used for the others
    with pytest.raises(UserError) as caught:
        fetch(name, mirror=mirror)
    for part in (str(data_dir / name / "source" / first), "--from", registry.definition(name).by_hand):
        assert part in str(caught.value)


def test_unknown_names():
    for call in (data.require, data.is_ready, data.check):
        with pytest.raises(UserError, match="Did you mean 'mnist'"):
            call("mnits")


@pytest.mark.parametrize("name", ["folder#", "folder#/../..", "folder#0123456789abcdeg", "folder#0123"])
def test_what_begins_like_the_name_of_a_content_is_none(name):
    with pytest.raises(UserError, match="unknown data set"):
        data.info(name)


def test_no_path_has_a_nul_in_it():
    with pytest.raises(UserError, match="NUL"):
        data.info("folder:a\0b")
