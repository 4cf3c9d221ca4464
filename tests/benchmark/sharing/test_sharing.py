"""Runs in trackers and in published folders: the same numbers come out again."""

import contextlib
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image
from safetensors.numpy import load_file

from benchmark import suites
from benchmark.cli.evaluate import evaluate
from benchmark.cli.export import export
from benchmark.cli.publish import publish
from benchmark.cli.verify import verify
from benchmark.errors import NothingToJudge, UserError
from benchmark.judging import accepted
from benchmark.records import atomic, record, store
from benchmark.records.loaded import LoadedRecord
from benchmark.sharing import history, trackers
from benchmark.sharing import publish as packing

SUITE = """\
title = "One run"
experiments = ["gan/digits"]
seeds = [0]
gen_iters = 4
evaluate_every = 2
protocols = ["digits-2k"]
"""


@pytest.fixture(scope="module")
def trained(ganbench, tmp_path_factory):
    """The directory of a finished run, and the suite file."""
    folder = tmp_path_factory.mktemp("trained")
    suite = folder / "one.toml"
    suite.write_text(SUITE, encoding="utf-8")
    out = folder / "results"
    code, _, said = ganbench("run", suite, "--out", out, "--device", "cpu", "--no-report", cwd=folder).end()
    assert code == 0, said
    (directory,) = out.glob("runs/gan/digits/*")
    return directory, suite


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it that a test may damage."""
    target = tmp_path / "results" / "runs" / "gan" / "digits" / trained[0].name
    shutil.copytree(trained[0], target)
    return target


def call(command, *arguments):
    """Exit code and output; raises what the command raises."""
    result = CliRunner().invoke(command, [*map(str, arguments)], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.return_value or 0, result.stdout


# --- History --------------------------------------------------------------------------------------------


def expected_points(directory):
    record = store.load_record(directory)
    points = {
        (f"digits-2k/{metric}", entry["gen_iters"]): value
        for entry in record["curve"]
        for metric, value in entry["scores"]["digits-2k"].items()
    }
    for name, column in load_file(directory / "losses.safetensors").items():
        points |= {(f"losses/{name}", k + 1): float(x) for k, x in enumerate(column)}
    return points


@pytest.mark.slow
def test_a_history_has_every_score_every_loss_the_settings_and_the_grids(run):
    found, record = history.read(run), store.load_record(run)
    assert {(p.tag, p.gen_iters): p.value for p in found.points} == expected_points(run)
    assert found.ids == {key: record[key] for key in ("run_id", "cell_id", "env_id")}
    settings = record["spec"]["experiment"]["settings"]
    assert {k: v["value"] for k, v in settings.items()}.items() <= {
        k.removeprefix("settings."): v for k, v in found.config.items()
    }.items()
    assert [(k, p.name) for k, p in found.grids] == [(k, f"{k:09d}.png") for k in (0, 2, 4)]
    scored = [p for p in found.points if p.tag == "digits-2k/fid"]
    assert all(p.utc_s > 1.7e9 for p in scored)


def test_a_run_without_a_record_is_told_by_its_events(run):
    whole = {(p.tag, p.gen_iters): p.value for p in history.read(run).points}
    (run / "record.json").unlink()
    with (run / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"event": "evaluated", "utc": "", "gen_iters": 3, "scores": []}\n{"event": "eval')
    found = {(p.tag, p.gen_iters): p.value for p in history.read(run).points}
    assert found.items() <= whole.items()
    assert {k for tag, k in found if tag == "digits-2k/fid"} == {0, 2, 4}
    assert {k for tag, k in found if tag == "losses/critic"} == {2, 4}


def test_of_many_losses_some_are_shown_and_the_last():
    for n in (0, 1, 999, 1000, 1001, 123_456):
        shown = history._shown(n)
        assert len(shown) <= history.MOST_LOSSES + 1
        assert shown == sorted(set(shown))
        assert shown[-1:] == ([n - 1] if n else [])
    assert history._shown(1000) == list(range(1000))


def test_grids_of_other_names_or_from_elsewhere_are_passed_over(run, tmp_path):
    before = history.read(run).grids
    secret = tmp_path / "secret.png"
    secret.touch()
    (run / "samples" / "²1.png").touch()
    (run / "samples" / "first.png").touch()
    (run / "samples" / "000000001.png").symlink_to(secret)
    (run / "samples" / "000000003.png").symlink_to("000000003.png")
    os.mkfifo(run / "samples" / "000000005.png")
    assert history.read(run).grids == before


def test_an_event_without_a_time_has_none(run):
    (run / "record.json").unlink()
    events = [json.loads(line) for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    lines = [json.dumps({k: v for k, v in event.items() if k != "utc"}) for event in events]
    (run / "events.jsonl").write_text("\n".join(lines), encoding="utf-8")
    scored = [p for p in history.read(run).points if p.tag == "digits-2k/fid"]
    assert [p.utc_s for p in scored] == [None] * 3


# --- Trackers -------------------------------------------------------------------------------------------


def test_what_is_missing_is_a_line_with_the_extra(run, monkeypatch, tmp_path):
    for kind in ("tensorboard", "wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, kind, None)
        with pytest.raises(UserError, match=rf"needs the library {kind}.*pip install 'ganbench\[{kind}\]'"):
            call(export, run, "--to", kind, "--folder", tmp_path / kind)
    with pytest.raises(NothingToJudge, match="no run"):
        call(export, tmp_path / "wandb", "--to", "wandb")


def exported(run, kind, folder):
    """Write, and a second time, which changes nothing."""
    said = [json.loads(call(export, run, "--to", kind, "--folder", folder, "--json")[1]) for _ in range(2)]
    assert [(s["written"], s["kept"]) for s in said] == [
        (["gan/digits seed 0"], []),
        ([], ["gan/digits seed 0"]),
    ]


class Library:
    """What is called of the libraries; keeps the pictures, and of MLflow's runs the status."""

    def __init__(self):
        self.pictures = {}
        self.statuses = {}

    def SummaryWriter(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        return contextlib.nullcontext(self)

    def add_image(self, _, picture, k, dataformats):
        assert dataformats == "CHW"
        self.pictures[k] = picture.transpose(1, 2, 0)

    def Image(self, picture):
        return np.asarray(picture)

    def log(self, values, step):
        if "samples" in values:
            self.pictures[step] = values["samples"]

    def init(self, *, dir, id, **_):
        Path(dir, "wandb", f"offline-run-1-{id}").mkdir(parents=True)
        return self

    def MlflowClient(self, **_):
        return self

    def search_runs(self, *_, **__):
        return [SimpleNamespace(info=SimpleNamespace(run_id=k, status=s)) for k, s in self.statuses.items()]

    def create_run(self, *_, **__):
        run_id = max(self.statuses, default=0) + 1
        self.statuses[run_id] = "RUNNING"
        return SimpleNamespace(info=SimpleNamespace(run_id=run_id))

    def set_terminated(self, run_id):
        self.statuses[run_id] = "FINISHED"

    def delete_run(self, run_id):
        del self.statuses[run_id]

    entities = SimpleNamespace(Metric=lambda *_: None, Param=lambda *_: None)
    get_experiment_by_name = create_experiment = log_batch = log_artifact = lambda *_, **__: None
    add_text = add_scalar = Settings = finish = teardown = lambda *_, **__: None


@pytest.mark.parametrize("kind", ["tensorboard", "wandb"])
def test_a_grid_that_is_no_picture_is_told_and_left_out(run, kind, monkeypatch, tmp_path):
    library = Library()
    monkeypatch.setattr(trackers, "_needed", lambda module, extra: library)
    whole = Image.open(run / "samples" / "000000004.png").convert("RGB")
    cut_off = run / "samples" / "000000000.png"
    cut_off.write_bytes(cut_off.read_bytes()[:-200])
    program = run / "samples" / "000000002.png"
    # Pillow would run another program for this
    program.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.warns(UserWarning, match="left out") as told:
        assert trackers.TRACKERS[kind](history.read(run), tmp_path / "out")
    said = [str(warning.message) for warning in told]
    assert [text.split(": left out, not a picture")[0] for text in said] == [str(cut_off), str(program)]
    assert list(library.pictures) == [4]
    np.testing.assert_array_equal(library.pictures[4], np.asarray(whole))


class CutShort(tuple):
    """Of which the first is read; then the export ends."""

    def __iter__(self):
        yield self[0]
        raise KeyboardInterrupt


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("kind", list(trackers.TRACKERS))
def test_an_export_that_was_cut_short_is_made_again(run, kind, real, monkeypatch, tmp_path):
    if real:
        pytest.importorskip(kind)
    else:
        library = Library()
        monkeypatch.setattr(trackers, "_needed", lambda module, extra: library)
    whole, folder = history.read(run), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        trackers.TRACKERS[kind](replace(whole, grids=CutShort(whole.grids)), folder)
    if kind != "mlflow":
        left = folder / f".{whole.key}.part" / "of one that was killed"
        left.mkdir(parents=True)
    assert [trackers.TRACKERS[kind](whole, folder) for _ in range(2)] == [True, False]
    assert not list(folder.rglob("*killed"))
    if kind == "mlflow" and not real:
        assert list(library.statuses.values()) == ["FINISHED"]


def test_tensorboard_reads_the_numbers_again(run, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    exported(run, "tensorboard", tmp_path / "tb")
    read = accumulator.EventAccumulator(str(tmp_path / "tb" / "gan" / "digits" / run.name)).Reload()
    found = {(tag, e.step): e.value for tag in read.Tags()["scalars"] for e in read.Scalars(tag)}
    expected = expected_points(run)
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-6)  # float32
    assert [e.step for e in read.Images("samples")] == [0, 2, 4]
    text = read.Tensors("run/text_summary")[0].tensor_proto.string_val[0].decode()
    assert store.load_record(run)["run_id"] in text


def test_mlflow_reads_the_numbers_again(run, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    exported(run, "mlflow", tmp_path / "ml")
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "ml").as_uri())
    (own,) = client.search_runs([client.get_experiment_by_name("ganbench").experiment_id])
    tags = {tag for tag, _ in expected_points(run)}
    found = {(tag, m.step): m.value for tag in tags for m in client.get_metric_history(own.info.run_id, tag)}
    assert found == expected_points(run)
    assert own.data.params["settings.batch"] == str(history.read(run).config["settings.batch"])
    assert len(client.list_artifacts(own.info.run_id, "samples")) == 3


def test_wandb_writes_an_offline_run(run, tmp_path, wait):
    pytest.importorskip("wandb")
    exported(run, "wandb", tmp_path / "wb")
    (written,) = (tmp_path / "wb").glob(f"wandb/offline-run-*-{run.name}/run-{run.name}.wandb")
    texts = (store.load_record(run)["run_id"], "digits-2k/fid", "losses/critic", "settings.batch")
    assert wait(lambda: all(text.encode() in written.read_bytes() for text in texts))


# --- Published folders ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published(trained, tmp_path_factory):
    directory, suite = trained
    folder = tmp_path_factory.mktemp("publish") / "for the hub"
    arguments = (
        "--author",
        "Ada: Example",
        "--title",
        "A # title",
        "--license",
        "CC-BY-4.0",
        "--suite",
        suite,
    )
    code, said = call(publish, directory, "--to", folder, *arguments)
    assert code == 0
    assert "1 run, " in said
    return folder


def test_a_suite_of_ours_is_packed_with_its_own_runs_alone():
    """A record has a suite's name alone, and somebody's own file may be called as ours."""
    quick = suites.load("quick")
    path = Path(__file__).parents[3] / "results" / "reference" / "quick.json"
    first, *others = (LoadedRecord(content, path) for content in accepted.read(path))
    assert packing._are_of(quick, [first, *others])
    shorter = {**first.record, "spec": {**first.record["spec"], "gen_iters": 50}}
    assert not packing._are_of(quick, [LoadedRecord(shorter, path), *others])


@pytest.mark.slow
def test_a_published_folder_verifies_and_scores_the_same(published, trained, tmp_path):
    downloaded = shutil.copytree(published, tmp_path / "downloaded")
    code, said = call(verify, downloaded, "--json")
    checks = json.loads(said)
    assert code == 0, checks
    assert any(c["message"] == "generator.safetensors holds the recorded weights" for c in checks)
    assert any("computed again: equal bit for bit" in c["message"] for c in checks)
    (weights,) = downloaded.glob("runs/*/*/*/generator.safetensors")
    _, said = call(evaluate, weights, "--device", "cpu", "--json")
    (result,) = json.loads(said)["results"]
    assert result["scores"] == store.load_record(trained[0])["final"]["scores"]["digits-2k"]


def test_altered_weights_do_not_verify(published, tmp_path):
    downloaded = shutil.copytree(published, tmp_path / "downloaded")
    (weights,) = downloaded.glob("runs/*/*/*/generator.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    for damaged, says in ((content, "was altered"), (content[:100], "cannot be read")):
        weights.write_bytes(damaged)
        code, said = call(verify, downloaded, "--no-rerun", "--json")
        assert code == 1
        (message,) = (c["message"] for c in json.loads(said) if not c["ok"])
        assert message.startswith(f"{weights.name} {says}")


def test_the_texts_say_what_is_in_the_folder(published, trained):
    record = store.load_record(trained[0])
    card = (published / "README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["license"] == "cc-by-4.0"
    (model,) = header["model-index"]
    values = {m["type"]: m["value"] for m in model["results"][0]["metrics"]}
    assert values == record["final"]["scores"]["digits-2k"]
    for line in card.splitlines():
        if line.startswith("!["):
            assert (published / line.split("](")[1].rstrip(")")).is_file()
    cited = yaml.safe_load((published / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["authors"] == [{"name": "Ada: Example"}]
    assert cited["title"] == "A # title"
    assert (published / "citations.bib").read_text(encoding="utf-8").startswith("@")
    assert (published / "suites" / "one.toml").read_text(encoding="utf-8") == SUITE
    assert not list(published.rglob("worker.log"))


def test_what_cannot_be_published_is_told(run, published, tmp_path):
    with pytest.raises(UserError, match="exists and is not empty"):
        call(publish, run, "--to", published, "--author", "A")
    target = tmp_path / "new"
    spec = json.loads((run / "record.json").read_text(encoding="utf-8"))
    spec["seed"] = 7
    atomic.write_json(run / "record.json", spec)
    with pytest.raises(NothingToJudge, match=r"record\.json"):
        call(publish, run, "--to", target, "--author", "A")
    (run / "record.json").unlink()
    with pytest.raises(NothingToJudge, match="not finished"):
        call(publish, run, "--to", target, "--author", "A")
    assert not list(tmp_path.glob("*new*"))


@pytest.mark.parametrize("name", ["spec.json", "samples/000000002.png", "losses.safetensors"])
def test_a_run_that_would_not_verify_is_not_published(name, run, tmp_path):
    (run / name).unlink()
    with pytest.raises(UserError, match=rf"{name} is missing\. `ganbench verify` on it tells all"):
        call(publish, run, "--to", tmp_path / "new", "--author", "A")
    assert not list(tmp_path.glob("*new*"))


def test_what_contradicts_the_record_is_not_published(run, tmp_path):
    content = store.load_record(run)
    atomic.write_json(run / "spec.json", {**content["spec"], "seed": 99})
    with pytest.raises(UserError, match=r"spec\.json is not that of its record"):
        call(publish, run, "--to", tmp_path / "new", "--author", "A")
    atomic.write_json(run / "spec.json", content["spec"])
    digests = {**content["digests"], "generator_weights": "0" * 64}
    atomic.write_json(run / "record.json", record.sealed(content | {"digests": digests}))
    with pytest.raises(UserError, match=r"\.safetensors does not hold the generator of its record"):
        call(publish, run, "--to", tmp_path / "new", "--author", "A")


def test_the_run_that_a_run_starts_from_comes_along(trained, monkeypatch):
    own, record = trained[0], store.load_record(trained[0])
    before = {"experiment": "gan/digits", "run_id": record["run_id"]}
    later = own.with_name("later")
    spec = {**record["spec"], "starts_from": before}
    contents = {own: record, later: {**record, "seed": 1, "run_id": "1" * 64, "spec": spec}}
    monkeypatch.setattr(packing, "runs_at", lambda path: [path])
    monkeypatch.setattr(store, "load_record", contents.__getitem__)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [own])
    assert [r.directory for r in packing.chosen([later])] == [own, later]
    contents[own] = {**record, "run_id": "0" * 64}
    with pytest.raises(NothingToJudge, match="that it starts from is not here"):
        packing.chosen([later])


@pytest.fixture
def lost(run):
    """The run, which diverged: its checkpoint is copied without a look into it."""
    content = store.load_record(run)
    digests = {**content["digests"], "generator_weights": None, "critic_weights": None}
    changes = {"status": "diverged", "final": None, "diverged_at": 4, "digests": digests}
    atomic.write_json(run / "record.json", record.sealed(content | changes))
    return run


@pytest.mark.parametrize(
    "name",
    [
        "events.jsonl",
        "losses.safetensors",
        "spec.json",
        "samples/000000002.png",
        "checkpoints/000000004.safetensors",
        "checkpoints",
    ],
)
def test_no_file_from_elsewhere_is_published(name, lost, tmp_path):
    path, secret = lost / name, tmp_path / "secret"
    if path.is_dir():
        path.rename(secret)
    else:
        path.unlink()
        secret.write_text("secret")
    path.symlink_to(secret)
    with pytest.raises(UserError, match=rf"{name}.* leads out of the run's directory\. Put the file itself"):
        call(publish, lost, "--to", tmp_path / "new", "--author", "A")
    assert not list(tmp_path.glob("*new*"))


@pytest.mark.parametrize(
    "name", ["events.jsonl", "samples/000000002.png", "checkpoints/000000004.safetensors"]
)
def test_what_is_no_regular_file_or_too_large_is_not_published(name, lost, tmp_path):
    (lost / name).unlink()
    os.mkfifo(lost / name)
    with pytest.raises(UserError, match=rf"{Path(name).name} is no regular file"):
        call(publish, lost, "--to", tmp_path / "new", "--author", "A")
    (lost / name).unlink()
    with (lost / name).open("wb") as file:
        file.truncate(2**37)
    with pytest.raises(UserError, match=rf"{Path(name).name} has 131,072 MiB; at most"):
        call(publish, lost, "--to", tmp_path / "new", "--author", "A")
    assert not list(tmp_path.glob("*new*"))


def test_links_within_the_run_are_its_own(lost, tmp_path):
    file = lost / "checkpoints" / "000000004.safetensors"
    file.rename(lost / "weights")
    file.symlink_to("../weights")
    call(publish, lost, "--to", tmp_path / "new", "--author", "A")
    (copied,) = (tmp_path / "new").glob(f"runs/*/*/*/checkpoints/{file.name}")
    assert not copied.is_symlink()
    assert copied.read_bytes() == file.read_bytes()


def test_runs_of_the_same_directory_name_are_all_published_by_their_own(run, tmp_path):
    content = store.load_record(run)
    for place, changes in (("a/seed0", {}), ("b/seed0", {"run_id": "1" * 64}), ("b/again", {})):
        other = shutil.copytree(run, tmp_path / "mine" / place)
        atomic.write_json(other / "record.json", record.sealed(content | changes))
    call(publish, tmp_path / "mine", "--to", tmp_path / "new", "--author", "A")
    names = sorted(p.name for p in (tmp_path / "new" / "runs" / "gan" / "digits").iterdir())
    assert names == sorted([run.name, f"{'1' * 12}-{content['env_id'][:8]}"])
    card = (tmp_path / "new" / "README.md").read_text(encoding="utf-8")
    assert all(f"runs/gan/digits/{name} |" in card for name in names)


def test_an_empty_folder_is_filled_wherever_it_is(lost, tmp_path, monkeypatch):
    for name in ("here", "real"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path / "here")
    expected = ["CITATION.cff", "README.md", "citations.bib", "runs", "suites"]
    for target in (".", "../link", "../new"):
        call(publish, lost, "--to", target, "--author", "A")
        assert sorted(p.name for p in Path(target).iterdir()) == expected
    assert (tmp_path / "link").is_symlink()
    monkeypatch.chdir(lost)
    call(publish, ".", "--to", tmp_path / "other", "--author", "A")
    assert (tmp_path / "other" / "runs" / "gan" / "digits" / lost.name / "record.json").is_file()


def test_a_target_that_cannot_be_is_a_line(lost, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    for target, says in (
        ("file", "not empty"),
        ("file/x", r"refuses it \(Not a"),
        ("link", "leads nowhere"),
        ("circle", "leads nowhere"),
    ):
        with pytest.raises(UserError, match=says):
            call(publish, lost, "--to", tmp_path / target, "--author", "A")


def test_nothing_is_published_among_the_runs(lost, tmp_path):
    (tmp_path / "link").symlink_to(lost, target_is_directory=True)
    alone = shutil.copytree(lost, tmp_path / "elsewhere" / lost.name)
    for run, target in (
        (lost, lost / "new"),
        (lost, lost.parent / "new"),
        (lost, tmp_path / "link" / "new"),
        (alone, alone / "new"),
    ):
        with pytest.raises(UserError, match="among the runs"):
            call(publish, run, "--to", target, "--author", "A")
        assert not target.exists()
    call(publish, alone, "--to", alone.parent / "new", "--author", "A")


@pytest.mark.parametrize(
    ("option", "text", "says"),
    [
        ("--title", " ", "--title: is empty"),
        ("--author", "", "--author: is empty"),
        ("--license", "", "--license: invalid license expression"),
        ("--license", "CC-BY", "--license: unknown license"),
        ("--license", "do what you like", "--license: invalid license expression"),
        ("--suite", "other.toml", "'other' is not a suite of these runs. Did you mean|Choose one of"),
    ],
)
def test_what_is_said_of_a_published_folder_makes_sense(option, text, says, lost, tmp_path):
    (tmp_path / "other.toml").touch()
    said = tmp_path / text if option == "--suite" else text
    with pytest.raises(UserError, match=says):
        call(publish, lost, "--to", tmp_path / "new", "--author", "A", option, said)
    assert not (tmp_path / "new").exists()


def test_a_licence_is_written_as_spdx_has_it(lost, tmp_path):
    call(publish, lost, "--to", tmp_path / "new", "--author", "A", "--license", "cc-by-sa-4.0")
    assert 'license: "CC-BY-SA-4.0"' in (tmp_path / "new" / "CITATION.cff").read_text(encoding="utf-8")


def test_a_run_outside_of_a_results_folder_has_no_first_stage():
    before = {"experiment": "gan/digits", "run_id": "0" * 64}
    for directory in (Path("/run"), Path("/tmp/run"), Path("/")):
        assert store.first_stages(directory, before) == []
        with pytest.raises(NothingToJudge, match="'gan/digits' that it starts from is not here"):
            packing._first(directory, before)
