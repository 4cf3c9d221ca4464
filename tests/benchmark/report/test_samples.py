import base64
import io

from PIL import Image

from benchmark.records.cells import group
from benchmark.report.samples import strips


def test_first_seed_over_time_and_other_seeds_at_their_end(build, tmp_path):
    runs = [
        build.store(build.record(seed=s, diverged_at=151 if s == 2 else None), tmp_path) for s in (2, 0, 1)
    ]
    (strip,) = strips(group(runs).cells)
    assert strip.seed == 0
    assert [g.caption for g in strip.over_time] == ["iteration 0", "iteration 150", "iteration 300"]
    assert [g.caption for g in strip.other_seeds] == ["seed 1, iteration 300", "seed 2, iteration 150"]


def test_small_images_are_embedded_byte_for_byte(build, tmp_path):
    run = build.store(build.record(), tmp_path)
    (strip,) = strips(group([run]).cells)
    data = base64.b64decode(strip.over_time[-1].uri.removeprefix("data:image/png;base64,"))
    assert data == (run.directory / "samples/000300.png").read_bytes()


def test_too_many_bytes_are_recompressed_not_dropped(build, tmp_path):
    run = build.store(build.record(), tmp_path)
    (strip,) = strips(group([run]).cells, embedded_bytes=30_000)
    for grid in strip.over_time:
        data = base64.b64decode(grid.uri.removeprefix("data:image/webp;base64,"))
        assert len(data) <= 10_000
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
    assert [g.uri for g in strip.over_time] == [None, None, None]
    assert all("missing or unreadable" in g.caption for g in strip.over_time)
