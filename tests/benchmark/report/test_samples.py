import base64
import io

from PIL import Image

from benchmark.records.cells import group
from benchmark.report.samples import REAL, real_thumbnail, strips


def test_each_seed_is_a_film_from_its_start_to_its_end(build, tmp_path):
    runs = [
        build.store(build.record(seed=s, diverged_at=151 if s == 2 else None), tmp_path) for s in (2, 0, 1)
    ]
    (strip,) = strips(group(runs).cells)
    assert [film.seed for film in strip.films] == [0, 1, 2]
    for film in strip.films[:2]:
        assert [g.caption for g in film.grids] == [f"iteration {k}" for k in (0, 50, 150, 200, 300)]
    assert [g.caption for g in strip.films[2].grids] == [f"iteration {k}" for k in (0, 50, 100, 150)]
    assert strip.real is None


def test_of_many_grids_a_film_has_the_first_the_last_and_some_between(build, tmp_path):
    run = build.store(build.record(), tmp_path)
    names = [f"samples/{k:06d}.png" for k in range(0, 1001, 50)]
    for name in names:
        Image.new("L", (4, 4)).save(run.directory / name)
    run.record["samples"] = names
    (strip,) = strips(group([run]).cells)
    assert [g.caption[10:].replace("\u202f", "") for g in strip.films[0].grids] == [
        "0",
        "250",
        "500",
        "750",
        "1000",
    ]


def test_training_images_stand_beside_the_generated_ones(build, tmp_path):
    run = build.store(build.record(), tmp_path)
    Image.new("L", (4, 4)).save(run.directory / REAL)
    (strip,) = strips(group([run]).cells)
    assert strip.real.caption == "training images"
    (run.directory / REAL).unlink()
    Image.new("L", (4, 4)).save(tmp_path / "elsewhere.png")
    (run.directory / REAL).symlink_to(tmp_path / "elsewhere.png")
    assert strips(group([run]).cells)[0].real is None
    assert real_thumbnail(group([run]).cells[0]) is None


def test_small_images_are_embedded_byte_for_byte(build, tmp_path):
    run = build.store(build.record(), tmp_path)
    (strip,) = strips(group([run]).cells)
    data = base64.b64decode(strip.films[0].grids[-1].uri.removeprefix("data:image/png;base64,"))
    assert data == (run.directory / "samples/000300.png").read_bytes()


def test_of_too_many_seeds_the_first_have_films_and_the_rest_are_counted(build, tmp_path):
    runs = [build.store(build.record(seed=s), tmp_path) for s in range(6)]
    n_frames = len(strips(group(runs).cells)[0].films[0].grids)
    (strip,) = strips(group(runs).cells, embedded_bytes=3 * n_frames * 8_000)
    assert [film.seed for film in strip.films] == [0, 1, 2]
    assert strip.left_out == 3
    assert strips(group(runs).cells)[0].left_out == 0


def test_too_many_bytes_are_recompressed_not_dropped(build, tmp_path):
    run = build.store(build.record(), tmp_path)
    (strip,) = strips(group([run]).cells, embedded_bytes=30_000)
    for grid in strip.films[0].grids:
        data = base64.b64decode(grid.uri.removeprefix("data:image/webp;base64,"))
        assert len(data) <= 6_000
        assert Image.open(io.BytesIO(data)).format == "WEBP"


def test_missing_damaged_and_foreign_images_are_said_to_be(build, tmp_path):
    run = build.store(build.record(), tmp_path)
    (run.directory / "samples/000000.png").unlink()
    (run.directory / "samples/000150.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    outside = tmp_path / "999999.png"
    Image.new("L", (4, 4)).save(outside)
    run.record["samples"] = ["samples/000000.png", "samples/000150.png", "../../../../999999.png"]
    assert (run.directory / run.record["samples"][2]).resolve() == outside
    (strip,) = strips(group([run]).cells)
    assert [g.uri for g in strip.films[0].grids] == [None, None, None]
    assert all("missing or unreadable" in g.caption for g in strip.films[0].grids)
