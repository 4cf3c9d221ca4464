"""Images that are there: an array, a file, a folder; a score depends on their pixels alone."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.errors import UserError
from benchmark.evaluation import samples


def images_of(source, n):
    return torch.cat([batch.images for batch in source.batches(n)])


def some(n, channels=3, height=8, width=6, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, channels, height, width), dtype=np.uint8)


def pictures(folder, images):
    folder.mkdir(exist_ok=True)
    for i, image in enumerate(images):
        pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
        Image.fromarray(pixels).save(folder / f"{i:04d}.png")
    return folder


def as_set(images):
    return sorted(image.numpy().tobytes() for image in images)


@pytest.mark.parametrize("channels", [1, 3])
def test_all_ways_to_store_images_give_them_in_one_order(channels, tmp_path):
    images = some(700, channels)
    source = samples.of_array(images, None, "it")
    expected = images_of(source, 700)
    assert as_set(expected) == as_set(torch.from_numpy(images))
    shuffled = np.random.default_rng(1).permutation(images)
    np.savez(tmp_path / "nhwc.npz", shuffled.transpose(0, 2, 3, 1))
    np.savez_compressed(tmp_path / "nchw.npz", images=shuffled)
    np.save(tmp_path / "nchw.npy", np.asfortranarray(shuffled))
    files = ["nhwc.npz", "nchw.npz", "nchw.npy"]
    if channels == 1:
        np.save(tmp_path / "nhw.npy", shuffled[:, 0])
        np.save(tmp_path / "rgb.npy", shuffled.repeat(3, 1))
        files += ["nhw.npy", "rgb.npy"]
    sources = [samples.of_file(tmp_path / file, None, None) for file in files]
    sources += [
        samples.of_folder(pictures(tmp_path / "pictures", shuffled)),
        samples.of_array(shuffled / np.float32(255), (0.0, 1.0), "it"),
    ]
    for other in sources:
        assert torch.equal(images_of(other, 700), expected)
        assert torch.equal(images_of(other, 33), expected[:33])
        assert other.n_images == 700


def test_large_folders_are_decoded_twice_to_the_same_images(tmp_path, monkeypatch):
    folder = pictures(tmp_path / "pictures", some(20))
    expected = images_of(samples.of_folder(folder), 20)
    monkeypatch.setattr(samples, "_KEPT_BYTES", 10)
    assert torch.equal(images_of(samples.of_folder(folder), 20), expected)


def test_what_was_taken_is_told(tmp_path):
    folder = pictures(tmp_path / "pictures", some(3, 1))
    (folder / "._0000.png").write_bytes(b"\x00\x05\x16\x07Mac OS X")
    (folder / "readme.txt").write_text("hello")
    pictures(folder / "train", some(2, 1, seed=1))  # alone, it is a folder like any other one
    (folder / "train").rename(folder / "more")
    Image.new("L", (6, 8)).save(folder / "5.jpg")
    (line,) = samples.of_folder(folder).notes
    said = (
        "6 images, 8 x 6, grey; passed over: 1 hidden, 1 other files (.txt); 1 are JPEG, which changes pixels"
    )
    assert line == f"{folder}: {said}"


def test_folders_that_cannot_be_scored_are_refused(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    with pytest.raises(UserError, match="there is no image"):
        samples.of_folder(folder)
    pictures(folder, some(4))
    Image.new("RGB", (8, 8)).save(folder / "0001.png")
    with pytest.raises(UserError, match=r"1 of another size than most, 6x8 \(0001.png: 8x8\)"):
        samples.of_folder(folder)
    (folder / "0001.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"1 of 4 images cannot be used: 1 broken \(0001.png"):
        samples.of_folder(folder)
    for part in ("train", "valid"):
        pictures(tmp_path / "splits", []).joinpath(part).mkdir()
        pictures(tmp_path / "splits" / part, some(1))
    with pytest.raises(UserError, match="has the splits 'train' and 'valid'"):
        samples.of_folder(tmp_path / "splits")


def test_copies_are_told(tmp_path):
    images = some(20)
    images[[3, 4, 5]] = images[0]
    assert samples.of_array(some(20), None, "it").notes == []
    assert samples.of_array(images, None, "it").notes == ["it: 3 of the 20 images are copies of others"]
    assert samples.of_folder(pictures(tmp_path / "it", images)).notes[1:] == [
        f"{tmp_path / 'it'}: 3 of the 20 images are copies of others"
    ]


def test_what_was_passed_over_is_told_where_no_image_is_left(tmp_path):
    (tmp_path / "0.avif").write_bytes(b"a picture of a kind that is not read")
    with pytest.raises(UserError, match=r"there is no image; passed over: 1 other files \(\.avif\)"):
        samples.of_folder(tmp_path)


def test_a_picture_that_is_far_too_large_is_named(tmp_path, monkeypatch):
    folder = pictures(tmp_path / "images", some(3))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.new("1", (200, 200)).save(folder / "bomb.png")
    with pytest.raises(UserError, match=r"1 broken \(bomb.png: .*decompression bomb"):
        samples.of_folder(folder)


def npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_files_of_arrays_are_closed_again(tmp_path, monkeypatch):
    opened, really = [], Path.open

    def remembered(path, *arguments, **more):
        opened.append(really(path, *arguments, **more))
        return opened[-1]

    monkeypatch.setattr(Path, "open", remembered)
    for name, save in (("it.npy", np.save), ("it.npz", np.savez)):
        save(tmp_path / name, some(20))
        samples._array(tmp_path / name, None)
    assert [file.closed for file in opened] == [True, True]


@pytest.mark.parametrize("name", ["it.npy", "it.npz"])
def test_batches_saved_one_after_the_other_are_not_taken_for_the_first(name, tmp_path):
    content = io.BytesIO()
    for seed in (0, 1):
        np.save(content, some(5, seed=seed))
    file = tmp_path / name
    if name == "it.npy":
        file.write_bytes(content.getvalue())
    else:
        with zipfile.ZipFile(file, "w") as zipped:
            zipped.writestr("arr_0.npy", content.getvalue())
    with pytest.raises(UserError, match=r"goes on after its array.*Write all images as one array"):
        samples.of_file(file, None, None)


def test_a_name_means_nothing_where_arrays_have_none(tmp_path):
    np.save(tmp_path / "it.npy", some(5))
    with pytest.raises(UserError, match=r"has one array, which has no name\. Leave out --key"):
        samples.of_file(tmp_path / "it.npy", "arr_0", None)


def test_an_array_and_a_file_of_one_name_are_two(tmp_path):
    content = io.BytesIO()
    np.save(content, some(5))
    with zipfile.ZipFile(tmp_path / "it.npz", "w") as zipped:
        for name in ("arr_0", "arr_0.npy"):
            zipped.writestr(name, content.getvalue())
    with pytest.raises(UserError, match="has several 'arr_0'"):
        samples.of_file(tmp_path / "it.npz", None, None)


def test_a_damaged_array_is_one_error_and_no_warning(tmp_path, recwarn):
    with (tmp_path / "it.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (2**62, 28, 28)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(UserError, match="cannot be read as an array"):
        samples.of_file(tmp_path / "it.npy", None, None)
    assert not recwarn.list


def test_arrays_that_cannot_be_scored_are_refused(tmp_path):
    file = tmp_path / "it.npz"
    two = npz(tmp_path / "two.npz", a=some(2), b=some(3))
    with pytest.raises(UserError, match=r"has no array 'arr_0'. Name one of them with --key: a, b"):
        samples.of_file(two, None, None)
    assert samples.of_file(two, "b", None).n_images == 3
    for array, said in (
        (np.zeros((2, 5, 8, 8), np.uint8), r"is 2x5x8x8, not \[N,C,H,W\]"),
        (np.zeros((0, 1, 8, 8), np.uint8), "is 0x1x8x8"),
        (np.zeros((2, 1, 8, 8), np.int64), "holds torch.int64"),
        (np.zeros((2, 1, 8, 8), np.uint16), "holds torch.uint16"),
        (np.zeros((2, 1, 8, 8), np.float32), "whose range is not said. Add --range LOW HIGH"),
        (np.zeros((2, 1, 8, 8), "<U3"), "can't convert"),
    ):
        with pytest.raises(UserError, match=said):
            samples.of_file(npz(file, arr_0=array), None, None)
    with pytest.raises(UserError, match=r"nothing to score: .* NaN or Inf"):
        samples.of_file(npz(file, arr_0=np.full((2, 1, 8, 8), np.nan)), None, (0.0, 1.0))
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(UserError, match="cannot be read as an array"):
        samples.of_file(tmp_path / "objects.npy", None, None)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "objects.npy").read_bytes()[:20])
    with pytest.raises(UserError, match="cannot be read as an array"):
        samples.of_file(tmp_path / "cut.npy", None, None)
    for n in (-5, 10**9, 2**70):
        with (tmp_path / "lie.npy").open("wb") as lie:
            header = {"descr": "|u1", "fortran_order": False, "shape": (n, 8, 8, 1)}
            np.lib.format.write_array_header_1_0(lie, header)
            lie.write(bytes(100))
        with pytest.raises(UserError, match="cannot be read as an array"):
            samples.of_file(tmp_path / "lie.npy", None, None)
    content = io.BytesIO()
    np.save(content, some(20))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("arr_0.npy", content.getvalue()[:900])
    with pytest.raises(UserError, match="cannot be read as an array"):
        samples.of_file(file, None, None)
