"""`ganbench verify` on a real run: nothing altered passes, and what was altered is told apart."""

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from benchmark import cli, data
from benchmark.errors import NothingToJudge, UserError
from benchmark.judging import accepted, recomputation, starts, verify
from benchmark.records import identity, loss_file, record, store
from benchmark.training import checkpoint

ROOT = Path(__file__).parents[3]
SUITE = """\
title = "One run"
experiments = ["gan/digits"]
seeds = [0]
gen_iters = 8
evaluate_every = 4
protocols = ["digits-2k"]
"""


@pytest.fixture(scope="module")
def finished(ganbench, tmp_path_factory):
    """A finished run with checkpoints at 4 and 8."""
    folder = tmp_path_factory.mktemp("verify")
    (folder / "one.toml").write_text(SUITE)
    arguments = ("run", "one.toml", "--device", "cpu", "--checkpoint-iters", 4, "--no-report")
    code, _, stderr = ganbench(*arguments, cwd=folder).end()
    assert code == 0, stderr
    (directory,) = [run.directory for run in store.records_below(folder)[0]]
    return directory


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it to damage."""
    return shutil.copytree(finished, tmp_path / finished.name)


@pytest.fixture
def verified(capsys):
    """Exit code and findings of `ganbench verify`."""

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(["verify", "--json", *map(str, arguments)])
        return ended.value.code, json.loads(capsys.readouterr().out)

    return call


@pytest.mark.slow
def test_a_run_may_lie_anywhere_and_its_directory_be_named_from_within(finished, verified, monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp") as near_the_root:
        run = shutil.copytree(finished, Path(near_the_root) / finished.name)
        shutil.copy(
            run / "checkpoints" / "000000008.safetensors", run / "checkpoints" / "000000008 (1).safetensors"
        )
        monkeypatch.chdir(run)
        code, found = verified(".")
        assert (code, failures(found)) == (0, [])
        assert found[-1]["message"] == "G-iterations 4 to 8 computed again: equal bit for bit"


def failures(found):
    return [(entry["subject"], entry["message"]) for entry in found if not entry["ok"]]


def rewrite(run, change, *, sealed=True):
    """Alter the record; `sealed` gives it a fitting SHA-256, as a forger would."""
    content = json.loads((run / "record.json").read_text())
    change(content)
    (run / "record.json").write_text(json.dumps(record.sealed(content) if sealed else content))
    return content


def better_score(content):
    content["curve"][-1]["scores"]["digits-2k"]["fid"] -= 1
    content["final"]["scores"]["digits-2k"]["fid"] -= 1


def test_an_untouched_run_is_computed_again_to_the_same_bits(run, verified):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    code, found = verified(run)
    assert code == 0
    assert failures(found) == []
    assert found[-1]["message"] == "G-iterations 4 to 8 computed again: equal bit for bit"
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_folder_stands_for_the_runs_below_it(run, verified):
    code, found = verified(run.parent, "--no-rerun")
    assert code == 0
    assert {entry["directory"] for entry in found} == {str(run)}
    assert "bits" not in {entry["subject"] for entry in found}


def test_data_that_are_not_those_of_the_record(run, verified, monkeypatch):
    code, found = verified(run, "--no-rerun")
    assert ("data", "the data set 'digits' has the recorded SHA-256") in [
        (entry["subject"], entry["message"]) for entry in found
    ]
    monkeypatch.setattr(data, "check", lambda name, told: "0" * 64)
    code, found = verified(run)
    assert code == 1
    ((subject, message),) = failures(found)
    assert subject == "data"
    assert message.startswith(f"the data set 'digits' has SHA-256 {'0' * 64}, the run's had")
    assert "bits" not in {entry["subject"] for entry in found}

    def damaged(name, told):
        raise NothingToJudge(f"'{name}' is damaged: its content has SHA-256 0")

    monkeypatch.setattr(data, "check", damaged)
    assert failures(verified(run, "--no-rerun")[1]) == [
        ("data", "'digits' is damaged: its content has SHA-256 0")
    ]
    monkeypatch.setattr(data, "is_ready", lambda name: False)
    assert failures(verified(run, "--no-rerun")[1]) == []
    missing = "the data set 'digits' is not here, so its content was not hashed"
    assert failures(verified(run)[1]) == [("data", missing)]


def test_an_altered_record(run, verified):
    rewrite(run, better_score, sealed=False)
    code, found = verified(run)
    message = "record.json was altered or damaged: it does not have its own SHA-256"
    assert (code, failures(found)) == (1, [("record", message)])


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_an_unreadable_record(content, run, verified):
    (run / "record.json").write_text(content)
    code, found = verified(run)
    assert code == 1
    assert failures(found)[0][0] == "record"


def test_a_forged_record_contradicts_its_checkpoint(run, verified):
    rewrite(run, better_score)
    code, found = verified(run, "--no-rerun")
    message = "record.json contradicts 000000008.safetensors: curve"
    assert (code, failures(found)) == (1, [("record", message)])


def test_a_forged_record_of_another_seed_has_other_ids(run, verified):
    rewrite(run, lambda content: content.update(seed=1, spec={**content["spec"], "seed": 1}))
    code, found = verified(run)
    message = "record.json was forged: run_id is of another run"
    assert (code, failures(found)) == (1, [("record", message)])


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda e, _: e["settings"]["learning_rate"].update(value=1e-5), "learning_rate"),
        (lambda e, _: e["settings"].pop("batch"), "batch"),
        (lambda e, _: e.update(image_range=[1.0, -1.0]), "image_range"),
        (lambda e, _: e["parameters"].update(generator=10**9), "parameters"),
        (lambda _, spec: spec["numerics"].update(precision="fp64"), "numerics"),
        (lambda _, spec: spec["protocols"][0].update(comparable_with_papers=True), "digits-2k"),
        (lambda _, spec: spec["protocols"][0].update(n_generated=50_000), "digits-2k"),
    ],
)
def test_a_forged_spec_is_not_what_its_names_stand_for(change, wrong, run, verified):
    def forge(content):
        change(content["spec"]["experiment"], content["spec"])
        content.update(cell_id=identity.cell_id(content["spec"]), run_id=identity.run_id(content["spec"]))
        (run / "spec.json").write_text(json.dumps(content["spec"]))

    content = rewrite(run, forge)
    run = run.rename(run.with_name(f"{content['run_id'][:12]}-{content['env_id'][:8]}"))
    code, found = verified(run)
    said = dict(failures(found))
    assert (code, said.keys() - {"record"}) == (1, {"code"})
    assert said["code"].startswith(f"the spec has other {wrong} than this code has by these names")
    if "record" in said:  # what changes the id of the run is not what its checkpoint is of
        assert "run_id" in said["record"]


def test_what_cannot_be_computed_again_is_told_and_the_others_are_verified(run, verified, monkeypatch):
    def refuse(*_):
        raise UserError("there is no room")

    monkeypatch.setattr(recomputation, "to_the_end", refuse)
    code, found = verified(run)
    assert (code, failures(found)) == (1, [("bits", "there is no room")])


def test_a_renamed_directory_is_no_forgery(run, verified):
    renamed = run.rename(run.with_name("my best run"))
    code, found = verified(renamed)
    ((subject, message),) = failures(found)
    assert (code, subject) == (1, "record")
    assert message.startswith(f"the directory is called my best run, that of this record's run {run.name}: ")
    assert "forged" not in message
    assert verified(renamed.rename(run), "--no-rerun")[0] == 0


def test_record_and_checkpoint_forged_together_do_not_survive_the_rerun(run, verified):
    content = rewrite(run, better_score)
    path = run / "checkpoints" / "000000008.safetensors"
    state, tensors = checkpoint.read(path)
    text = json.dumps({**state, "curve": content["curve"], "tensors_sha256": checkpoint.digest(tensors)})
    header = {"ganbench": text, "ganbench_sha256": checkpoint._sha256(text)}
    path.write_bytes(checkpoint.save(tensors, metadata=header))
    code, found = verified(run)
    message = "G-iterations 4 to 8 computed again differ: the evaluation at 8"
    assert (code, failures(found)) == (1, [("bits", message)])


def forge_losses(run, gen_iters, value):
    """Another critic loss in the file, the record and the last checkpoint, all of which then agree."""
    losses = {name: column.copy() for name, column in loss_file.read(run, store.read_record(run)).items()}
    losses["critic"][gen_iters - 1] = value
    loss_file.write(run, losses)

    def forge(content):
        content["digests"].update(losses=loss_file.digest(losses))
        content["first_losses"][gen_iters - 1]["critic"] = value

    rewrite(run, forge)
    path = run / "checkpoints" / "000000008.safetensors"
    state, tensors = checkpoint.read(path)
    tensors["losses.critic"] = torch.from_numpy(losses["critic"])
    text = json.dumps({**state, "tensors_sha256": checkpoint.digest(tensors)})
    header = {"ganbench": text, "ganbench_sha256": checkpoint._sha256(text)}
    path.write_bytes(checkpoint.save(tensors, metadata=header))


@pytest.mark.slow
def test_a_forged_loss_is_found_by_computing_it_again_and_dated(run, verified):
    forge_losses(run, 6, 0.5)
    code, found = verified(run)
    ((subject, said),) = failures(found)
    assert (code, subject) == (1, "bits")
    assert said.startswith(
        "G-iterations 4 to 8 computed again differ: from G-iteration 6 on, whose loss 'critic'"
    )
    assert "was 0.5 and is " in said


def test_a_record_whose_losses_are_not_the_checkpoints(run, verified):
    columns = {**loss_file.read(run, store.read_record(run))}
    columns["critic"] = columns["critic"] + 1
    loss_file.write(run, columns)
    rewrite(run, lambda content: content["digests"].update(losses=loss_file.digest(columns)))
    code, found = verified(run, "--no-rerun")
    message = "record.json contradicts 000000008.safetensors: losses"
    assert (code, failures(found)) == (1, [("record", message)])


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def flip_last_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def repaint(path):
    with Image.open(path) as grid:
        grid.load()
    grid.putpixel((0, 0), grid.getpixel((0, 0)) ^ 1)
    grid.save(path)


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("checkpoints/000000008.safetensors", flip_a_byte, "checkpoint 000000008.safetensors"),
        ("checkpoints/000000004.safetensors", flip_a_byte, "checkpoint 000000004.safetensors"),
        ("samples/000000004.png", repaint, "altered or missing: samples/000000004.png"),
        ("samples/000000004.png", lambda path: path.unlink(), "altered or missing: samples/000000004.png"),
        ("samples/000000004.png", lambda path: path.write_bytes(b"GIF"), "altered or missing"),
        ("spec.json", flip_a_byte, "spec.json was altered or damaged"),
        (
            "losses.safetensors",
            flip_last_bit,
            "losses.safetensors was altered: it does not have the recorded",
        ),
        ("losses.safetensors", lambda path: path.write_bytes(b""), "losses.safetensors cannot be read"),
        ("losses.safetensors", lambda path: path.unlink(), "losses.safetensors is missing"),
        ("checkpoints", shutil.rmtree, "there is no checkpoint"),
    ],
)
def test_an_altered_file_is_named(file, damage, message, run, verified):
    damage(run / file)
    code, found = verified(run)
    ((subject, said),) = failures(found)
    assert (code, subject) == (1, "file")
    assert said.startswith(message)


def test_a_png_that_was_only_written_anew_has_the_same_pixels(run, verified):
    path = run / "samples" / "000000004.png"
    with Image.open(path) as grid:
        grid.save(path, compress_level=1)
    assert verified(run, "--no-rerun")[0] == 0


def test_changed_code_is_named_and_nothing_is_computed(run, verified, monkeypatch):
    sources = identity.sources
    monkeypatch.setattr(identity, "sources", lambda *of: {**sources(*of), "benchmark/training/draws.py": "0"})
    code, found = verified(run)
    ((subject, said),) = failures(found)
    assert (code, subject) == (1, "code")
    assert said.startswith("changed since the run: benchmark/training/draws.py. Check out")
    assert found[-1]["subject"] == "code"


@pytest.fixture
def elsewhere(run):
    """The run as another version of torch would have left it, apart from its bits."""

    def move(content):
        content["provenance"]["environment"]["torch"] = "2.12.0"
        content["env_id"] = identity.env_id(content["provenance"]["environment"], content["spec"]["numerics"])

    content = rewrite(run, move)
    return run.rename(run.with_name(f"{content['run_id'][:12]}-{content['env_id'][:8]}"))


@pytest.mark.slow
def test_another_environment_is_told_and_compared_within_a_tolerance(elsewhere, verified):
    code, found = verified(elsewhere)
    ((subject, said),) = failures(found)
    assert (code, subject) == (1, "environment")
    assert "torch: 2.12.0 then, 2.13" in said
    assert found[-1] == {
        "directory": str(elsewhere),
        "subject": "bits",
        "ok": True,
        "message": "the scores at 0 and those of real data agree within the tolerances of docs/gate.md; "
        "8 losses are too few to be compared",
    }
    assert verified(elsewhere, "--other-environment-is-fine")[0] == 0


def test_numbers_that_another_environment_cannot_explain(elsewhere, verified):
    content = rewrite(elsewhere, lambda content: content["real_data"]["digits-2k"].update({"fid": 1.0}))
    assert content["real_data"]["digits-2k"]["fid"] == 1.0
    code, found = verified(elsewhere, "--other-environment-is-fine")
    ((subject, said),) = failures(found)
    assert (code, subject) == (1, "bits")
    assert re.fullmatch(r"fid \(digits-2k\) of real data is [\d.e+]+ tolerances off \(1\.9\d+ was 1\)", said)


@pytest.fixture(scope="module")
def of_quick():
    """The accepted records of `quick`, by experiment and seed."""
    return {(r["experiment"], r["seed"]): r for r in accepted.read(ROOT / "results/reference/quick.json")}


def off(record, by):
    """A copy whose losses have moved by so many tolerances of starts, in turns up and down."""
    losses = record["first_losses"]
    moved = [
        {name: x + (-1) ** k * by * starts.tolerance(losses, name, k) for name, x in row.items()}
        for k, row in enumerate(losses[: starts.GEN_ITERS], 1)
    ]
    return {**record, "first_losses": moved}


@pytest.mark.parametrize("experiment", [f"{b}/digits" for b in ("gan", "dcgan", "wgan", "wgan_gp", "sngan")])
def test_another_environment_may_round_otherwise_and_no_more(experiment, of_quick):
    run = of_quick[experiment, 0]
    agrees, said = recomputation.agreement(run, off(run, 0.9))
    assert (agrees, said.partition(",")[0]) == (True, "the first 10 losses")
    for other in (off(run, 1.1), {**run, "first_losses": of_quick[experiment, 1]["first_losses"]}):
        agrees, said = recomputation.agreement(run, other)
        assert not agrees
        assert said.startswith("loss ")


def test_a_score_that_is_not_computed_is_no_agreement(of_quick):
    run = of_quick["gan/digits", 0]
    scores = {name: {**values, "kid": 0.0} for name, values in run["real_data"].items()}
    assert recomputation.agreement({**run, "real_data": scores}, run) == (
        False,
        "kid (digits-2k) of real data is in the record, and not computed here",
    )


@pytest.mark.parametrize("error", [None, ValueError("no checkpoint")])
def test_a_run_that_vanishes_is_told_and_the_others_are_verified(error, tmp_path, verified, monkeypatch):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").touch()

    def vanishing(directory, _):
        yield verify.Check("record", True, "as it should be")
        if directory.name == "b":
            return
        shutil.rmtree(directory)
        if error:
            raise error
        yield verify.Check("file", False, "spec.json was altered or damaged")

    monkeypatch.setattr(verify, "_checks", vanishing)
    code, found = verified(tmp_path)
    gone = ("record", "the run vanished while it was looked at")
    assert (code, failures(found)) == (1, [gone, gone])
    assert [Path(entry["directory"]).name for entry in found] == ["a", "a", "b", "c", "c"]
    monkeypatch.undo()
    assert [check.message for check in verify.checks(tmp_path / "a")] == [gone[1]]


def test_nothing_to_verify_is_exit_code_4(tmp_path, capsys):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(SystemExit) as ended:
            cli.main(["verify", str(path)])
        assert ended.value.code == 4
        assert "no finished run" in capsys.readouterr().err


def test_a_stretch_that_is_computed_again_says_how_far_it_is(tmp_path, monkeypatch, begin):
    told = []

    class Told:
        def __init__(self, what, *_):
            told.append(what)

        def __call__(self, done, total):
            told.append((done, total))
            process.kill()

        def end(self):
            told.append("end")

    monkeypatch.setattr(recomputation, "Meter", Told)
    progress = {"phase": "train", "gen_iters": 30, "budget": 50, "iters_per_s": 1.0}
    (tmp_path / "progress.json").write_text(json.dumps(progress))
    process = begin([sys.executable, "-c", "import time; time.sleep(3000)"])
    recomputation._wait(process, tmp_path)
    assert told[:2] == ["computing again", (0, 20)]
    assert told[-1] == "end"
