"""Folders of images: what fits is taken, everything else is named at once."""

import io
import os
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark import data
from benchmark.data.fetch import fetch
from benchmark.errors import UserError

SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture
def folder(tmp_path):
    """Writes files below a folder and returns the data set's name."""

    def write(files, at="images"):
        for name, content in files.items():
            path = tmp_path / at / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return f"folder:{tmp_path / at}"

    return write


def colour(value, height=4, width=4):
    return np.full((height, width, 3), (value, value + 2, value + 1), np.uint8)


def test_images_in_the_order_of_their_names(folder, picture):
    name = folder({"b.png": picture(colour(2)), "a.png": picture(colour(1)), "readme.txt": b"hello"})
    fetch(name)
    assert data.load(name, "train")[:, 0, 0, 0].tolist() == [1, 2]
    known = data.info(name)
    assert (known.shape, known.n_train, known.n_held_out) == ((3, 4, 4), 2, 0)
    assert len(data.load(name, "held-out")) == 0
    assert len(data.check(name)) == 64
    assert not data.is_official(name)  # nobody publishes a digest of it


def test_a_thin_picture_is_one_broken_picture(folder, picture):
    thin = io.BytesIO()
    Image.new("1", (4_000_000, 1)).save(thin, "PNG")
    name = folder({"a.png": picture(colour(1)), "thin.png": thin.getvalue()}) + "@256"
    with pytest.raises(UserError, match=r"1 of 2 .*1 broken \(thin\.png: 4000000 x 1 pixels, too thin"):
        fetch(name)
    fetch(name, skip_broken=True)
    assert data.load(name, "train").shape == (1, 3, 256, 256)


def test_grey_folders_have_one_channel(folder, picture):
    name = folder({"a.png": picture(np.full((4, 6), 9, np.uint8))})
    fetch(name)
    assert data.load(name, "train").shape == (1, 1, 4, 6)


def test_everything_unusable_is_named_in_one_error(folder, picture):
    files = {f"{i}.png": picture(colour(i)) for i in range(5)}
    files |= {"wide.png": picture(colour(1, 4, 7)), "grey.png": picture(np.zeros((4, 4), np.uint8))}
    files |= {f"broken{i}.jpg": b"\xff\xd8\xff" for i in range(4)}
    files |= {"deep.png": picture(np.full((4, 4), 999, np.uint16))}
    name = folder(files)
    with pytest.raises(UserError) as caught:
        fetch(name)
    said = str(caught.value)
    for part in (
        "6 of 12 images cannot be used",
        "1 of another size than most, 4x4 (wide.png: 7x4)",
        "5 broken (broken0.jpg",
        ", …)",
        f"leave them out: ganbench data fetch {name} --skip-broken",
        f"{name}@SIZE",
    ):
        assert part in said
    assert caught.value.exit_code == 2
    assert not data.is_ready(name)
    notes = []
    fetch(name, skip_broken=True, note=notes.append)
    assert data.load(name, "train")[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 0]
    (line,) = notes
    assert "6 images to train on, 0 held out, 3x4x4" in line
    assert "left out: 5 broken, 1 of another size than most, 4x4" in line
    assert "changed: 1 grey among coloured ones, given three equal channels" in line


def test_with_a_size_all_sizes_and_modes_fit(folder, picture):
    name = folder({"a.png": picture(colour(3, 9, 30)), "b.png": picture(np.full((8, 8), 7, np.uint8))}) + "@8"
    fetch(name)
    images = data.load(name, "train")
    assert images.shape == (2, 3, 8, 8)
    assert images.flatten(1).float().mean(1).tolist() == [4, 7]


def test_with_a_size_broken_ones_are_still_named(folder, picture):
    name = folder({"a.png": picture(colour(3)), "b.png": b"no"}) + "@8"
    with pytest.raises(UserError, match=r"1 of 2 images cannot be used: 1 broken \(b.png"):
        fetch(name)


def test_a_cut_off_picture_is_found_although_its_header_is_fine(folder, picture):
    whole = picture(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8), "JPEG")
    name = folder({"a.jpg": whole, "b.jpg": whole[:-200]})
    with pytest.raises(UserError, match=r"1 broken \(b.jpg: .*truncated"):
        fetch(name)


def test_splits_and_classes(folder, picture):
    files = {
        "train/cat/1.png": picture(colour(1)),
        "train/ant/1.png": picture(colour(2)),
        "test/cat/1.png": picture(colour(3)),
    }
    name = folder(files)
    fetch(name)
    assert data.load_labels(name, "train").tolist() == [0, 1]
    assert data.load(name, "train")[:, 0, 0, 0].tolist() == [2, 1]
    assert data.load_labels(name, "held-out").tolist() == [1]


def test_classes_without_splits(folder, picture):
    name = folder({"x/1.png": picture(colour(1)), "y/1.png": picture(colour(2))})
    fetch(name)
    assert data.load_labels(name, "train").tolist() == [0, 1]


def test_images_outside_classes_have_no_labels(folder, picture):
    name = folder({"x/1.png": picture(colour(1)), "2.png": picture(colour(2))})
    fetch(name)
    with pytest.raises(UserError, match="has no labels"):
        data.load_labels(name, "train")


@pytest.mark.parametrize(
    ("train", "other"),
    [
        ("train", "valid"),
        ("Train", "Test"),
        ("TRAIN", "validation"),
        ("training", "dev"),
        ("train", "held-out"),
    ],
)
@pytest.mark.parametrize("around", ["", "set/"])
def test_what_the_splits_may_be_called(train, other, around, folder, picture):
    files = {f"{around}{train}/{i}.png": picture(colour(i)) for i in range(3)}
    name = folder(files | {f"{around}{other}/9.png": picture(colour(9))})
    notes = []
    fetch(name, note=notes.append)
    assert data.load(name, "train")[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert data.load(name, "held-out")[:, 0, 0, 0].tolist() == [9]
    assert f"3 images to train on ({train}), 1 held out ({other}), 3x4x4" in notes[0]


def test_what_is_in_no_split_is_told(folder, picture):
    files = {f"{part}/1.png": picture(colour(1)) for part in ("train", "val", "test", "more")}
    notes = []
    fetch(folder(files | {"0.png": picture(colour(0)), "readme.txt": b"hello"}), note=notes.append)
    assert "1 images to train on (train), 1 held out (test)" in notes[0]
    said = "passed over: 1 other files (.txt), 1 in no folder, 1 in folder more, 1 in folder val"
    assert sorted(said) == sorted(notes[0][notes[0].index("passed over") :])


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (("test", "cat"), "has a folder 'test' but none called train"),
        (("val", "test"), "but none called train"),
        (("train", "Train"), "both 'Train' and 'train' are there"),
        (("train", "val", "valid"), "both 'val' and 'valid' are there"),
        (("cat/train", "cat/test", "dog/train"), "has its splits inside other folders"),
    ],
)
def test_splits_that_cannot_be_told_are_refused(parts, said, folder, picture):
    with pytest.raises(UserError, match=said):
        fetch(folder({f"{part}/1.png": picture(colour(1)) for part in parts}))


def test_hidden_linked_and_other_files(folder, picture, tmp_path):
    apple_double = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X" + bytes(99)
    files = {"1.png": picture(colour(1)), "._1.png": apple_double, ".DS_Store": b"x", "__MACOSX/1.png": b"x"}
    name = folder(files | {"sub/3": picture(colour(3)), "notes.csv": b"a,b"})
    folder({"5.png": picture(colour(5)), "deep/6.png": picture(colour(6))}, at="elsewhere")
    images = tmp_path / "images"
    images.joinpath("linked").symlink_to(tmp_path / "elsewhere")
    images.joinpath("again").symlink_to(images / "sub")
    images.joinpath("around").symlink_to(tmp_path)
    images.joinpath("circle").symlink_to("circle")
    images.joinpath("4.png").symlink_to(images / "1.png")
    os.mkfifo(images / "pipe.png")
    notes = []
    fetch(name, note=notes.append)
    assert data.load(name, "train")[:, 0, 0, 0].tolist() == [1, 1, 5, 6, 3]
    for part in (
        "3 hidden",
        "1 linked folders that are read already",
        "1 links to a folder around this one",
        "2 links to nothing, pipes or devices",
        "1 other files (.csv)",
    ):
        assert part in notes[0]


def test_transparency_is_put_on_white(folder, picture):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[..., 0] = 200  # what nobody sees
    pixels[0, 0] = (10, 20, 30, 255)
    opaque = np.dstack([colour(7), np.full((4, 4), 255, np.uint8)])
    palette = Image.fromarray(colour(50)).convert("P")
    encoded = io.BytesIO()
    palette.save(encoded, "PNG", transparency=palette.getpixel((0, 0)))
    notes = []
    name = folder({"1.png": picture(pixels), "2.png": picture(opaque), "3.png": encoded.getvalue()})
    fetch(name, note=notes.append)
    one, two, three = data.load(name, "train")
    assert one[:, 0, 0].tolist() == [10, 20, 30]
    assert (one.flatten(1)[:, 1:] == 255).all()
    assert two[:, 0, 0].tolist() == [7, 9, 8]
    assert (three == 255).all()
    assert "changed: 2 with transparency, put on white" in notes[0]


def test_grey_is_what_has_no_colour(folder, picture):
    grey = np.random.default_rng(0).integers(0, 256, (4, 4), dtype=np.uint8)
    as_rgb = picture(np.stack([grey] * 3, 2))
    palette = io.BytesIO()
    Image.fromarray(grey).convert("P").save(palette, "PNG")
    notes = []
    name = folder({"1.png": as_rgb, "2.png": picture(grey), "3.png": palette.getvalue()})
    fetch(name, note=notes.append)
    assert np.array_equal(data.load(name, "train").numpy(), np.stack([grey] * 3)[:, None])
    assert "changed: 2 saved in colour but grey" in notes[0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pictures_are_turned_as_their_exif_says(kind, folder, picture):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, 16:] = (255, 0, 0)
    upright = picture(np.rot90(pixels, k=-1).copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # the row shown on top is the first column, from below
    name = folder({"1.png": upright, f"2.{kind.lower()}": picture(pixels, kind, exif=exif)})
    fetch(name)
    one, two = data.load(name, "train").numpy().astype(int)
    assert one.shape == (3, 32, 16)
    assert abs(one - two).mean() < 10


def test_names_that_are_no_text(folder, picture, tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff")
    for part in (b"cl\xe9", b"other"):
        Path(path, os.fsdecode(part)).mkdir(parents=True)
        Path(path, os.fsdecode(part), "1.png").write_bytes(picture(colour(1)))
    fetch(f"folder:{path}")
    assert data.load_labels(f"folder:{path}", "train").tolist() == [0, 1]
    metadata = data.folder(f"folder:{path}").joinpath("dataset.json").read_text(encoding="utf-8")
    assert "bad\\\\xff" in metadata
    assert "cl\\\\xe9" in metadata
    assert "bad\\xff" in data.info(f"folder:{path}").title


def test_depth_frames_and_bombs_are_unusable(folder, picture, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    frames = io.BytesIO()
    first, *rest = (Image.fromarray(colour(i)) for i in (1, 90))
    first.save(frames, "GIF", save_all=True, append_images=rest)
    # A PNG of 16-bit RGB, which Pillow would cut to 8.
    deep = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in (
            (b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress((b"\0" + bytes(24)) * 4)),
            (b"IEND", b""),
        )
    )
    big = picture(np.zeros((40, 40), np.uint8))
    name = folder({"1.png": picture(colour(1)), "2.gif": frames.getvalue(), "3.png": deep, "4.png": big})
    with pytest.raises(UserError) as caught:
        fetch(name)
    for part in (
        "3 of 4 images",
        "2.gif: has 2 frames",
        "3.png: mode RGB, more than 8 bits",
        "exceeds limit",
    ):
        assert part in str(caught.value)


def test_a_file_that_would_start_a_program_is_not_decoded(folder, picture):
    notes = []
    fetch(folder({"1.png": picture(colour(1)), "2.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n"}), note=notes.append)
    assert "1 other files (.eps)" in notes[0]


@pytest.mark.parametrize("change", ["new file", "other content", "as if untouched", "touched", "removed"])
def test_a_changed_folder_is_another_data_set(change, folder, picture, tmp_path):
    name = folder({"a.png": picture(colour(1)), "b.png": picture(colour(2))})
    fetch(name)
    digest = data.info(name).digest
    path = tmp_path / "images" / "b.png"
    if change == "new file":
        folder({"c.png": picture(colour(3))})
    elif change == "other content":
        path.write_bytes(picture(colour(77, 4, 4)))
    elif change == "as if untouched":  # as `cp -p`, `tar` and the layers of a container leave it
        before, content = path.stat(), path.read_bytes()
        other = picture(colour(5))
        assert len(other) == len(content)
        path.write_bytes(other)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "touched":
        os.utime(path, ns=(1, 1))
    else:
        path.unlink()
    assert not data.is_ready(name)
    fetch(name)
    assert (data.info(name).digest == digest) == (change == "touched")


def test_where_there_is_nothing_to_take(folder, tmp_path):
    for name, said in (
        ("folder:", "without a path"),
        (f"folder:{tmp_path}/none", "no such folder. After `folder:` goes the path"),
        (f"folder:{tmp_path}@0", "images of 0 pixels"),
        (folder({"readme.txt": b"x"}), "no image to train on"),
        (folder({"a.png": b"x"}, at="other"), "1 of 1 images cannot be used"),
    ):
        with pytest.raises(UserError, match=said):
            fetch(name)


@pytest.mark.slow
def test_cifar10_as_jpegs(tmp_path):
    archive = SHARED / "cifar10-jpeg.tar.gz"
    if not archive.is_file():
        pytest.skip(f"{archive} is not there")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "jpeg", filter="data")
    name = f"folder:{tmp_path / 'jpeg'}"
    fetch(name)
    known = data.info(name)
    assert known.shape == (3, 32, 32)
    assert data.load_labels(name, "train").bincount().numel() == 10
