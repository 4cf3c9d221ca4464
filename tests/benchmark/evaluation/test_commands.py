"""`ganbench evaluate` and `ganbench verify-weights`: scores with their protocol, and refusals in words."""

import importlib
import io
import json
import shutil
import zipfile

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import baselines
import ganbench
from benchmark import data, suites
from benchmark.cli.evaluate import evaluate
from benchmark.data.framing import frame
from benchmark.errors import NothingToJudge, UserError
from benchmark.evaluation import critic_features, protocols, weights
from benchmark.evaluation.evaluator import Evaluator
from benchmark.evaluation.protocols import replace
from benchmark.pictures import latent
from benchmark.records import atomic
from benchmark.suites import plan
from benchmark.training import checkpoint, numerics, sampling, trainer

verify = importlib.import_module("benchmark.cli.verify_weights")  # the package has the command by that name


@pytest.fixture(autouse=True)
def _own_surroundings(monkeypatch, tmp_path):
    for variable in ("GANBENCH_WEIGHTS", "GANBENCH_OFFLINE", "GANBENCH_DATA_DIR"):
        monkeypatch.setenv(variable, "")  # so that what a command sets is undone
    monkeypatch.setenv("GANBENCH_CACHE_DIR", str(tmp_path / "cache"))


def call(command, *arguments):
    """Exit code and JSON; raises what the command raises."""
    result = CliRunner().invoke(command, [*map(str, arguments), "--json"], standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.return_value or 0, json.loads(result.stdout)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run directory with an untrained generator, the scores of its images, and the images."""
    directory = tmp_path_factory.mktemp("run")
    experiment = baselines.get("gan/digits")
    real = frame(data.load("digits", "train"), experiment.image_shape[1])
    players = trainer.build(experiment, 2, real)
    checkpoint.write(directory / "checkpoints", players, {"gen_iters": 0})
    suite = suites.load("quick").revised(patterns=(experiment.name,), seeds="2")
    atomic.write_json(directory / "spec.json", plan.plan(suite, directory, "cpu")[0].spec)
    images = sampling.evaluation_images(experiment, players.generator, 2, 2000)
    return directory, Evaluator([protocols.get("digits-2k")], "digits").scores(images), images


def test_a_run_scores_as_it_did_and_says_by_what(run):
    directory, scores, _ = run
    code, said = call(evaluate, directory, "--protocol", "digits-2k", "--device", "cpu")
    assert code == 0
    assert said["results"] == [
        {"protocol": protocols.get("digits-2k").as_dict(), "scores": scores["digits-2k"]}
    ]
    _, tensors = checkpoint.read(directory / "checkpoints" / "000000000.safetensors")
    digest = checkpoint.digest(checkpoint.part(tensors, "generator"))
    weights = {"weights_sha256": digest}
    assert said["images"] == {"experiment": "gan/digits", "gen_iters": 0, "seed": 2, **weights}
    assert said["dataset"] == "digits"


def test_how_far_it_is_is_told(run, monkeypatch):
    directory, _, _ = run
    said = []

    class Told:
        def __init__(self, *what):
            said.append(what)

        def __call__(self, done, total):
            said.append((done, total))

        def end(self):
            said.append("end")

    monkeypatch.setattr("benchmark.data.meter.Meter", Told)
    call(evaluate, directory, "--device", "cpu")
    assert said == [("scoring", "images", 1), *((n, 2000) for n in (500, 1000, 1500, 2000)), "end"]


def test_a_run_is_scored_by_its_own_protocols_unless_others_are_named(run, tmp_path):
    directory, scores, _ = run
    checkpoint_file = directory / "checkpoints" / "000000000.safetensors"
    for path in (directory, checkpoint_file):
        assert call(evaluate, path, "--device", "cpu")[1]["results"][0]["scores"] == scores["digits-2k"]
    assert ganbench.evaluate(directory).scores == scores
    elsewhere = tmp_path / "generator.safetensors"
    elsewhere.write_bytes(checkpoint_file.read_bytes())
    with pytest.raises(UserError, match=r"generator.safetensors: nothing says how.*Add --protocol NAME"):
        call(evaluate, elsewhere, "--experiment", "gan/digits")


def test_a_checkpoint_elsewhere_needs_its_experiment(run, tmp_path):
    directory, scores, _ = run
    file = tmp_path / "generator.safetensors"
    file.write_bytes((directory / "checkpoints" / "000000000.safetensors").read_bytes())
    with pytest.raises(UserError, match="Add --experiment NAME"):
        call(evaluate, file, "--protocol", "digits-2k")
    _, said = call(
        evaluate,
        file,
        "--protocol",
        "digits-2k",
        "--experiment",
        "gan/digits",
        "--seed",
        2,
        "--device",
        "cpu",
    )
    assert said["results"][0]["scores"] == scores["digits-2k"]


VARIANT = {"of": "gan/digits", "name": "big", "settings": {}, "source": "variant 'big' of the suite 's'"}
UNKNOWN = [
    {"of": "tiny/digits"},
    {"made_with": 2},
    {"name": "bigger"},
    {"settings": {"no_such": 1}},
]
"""Variants of which this code knows nothing: the experiment, a key, what it is called, a setting."""


@pytest.mark.parametrize("other", UNKNOWN)
def test_a_variant_that_is_not_known_here(run, tmp_path, monkeypatch, other):
    monkeypatch.setattr(baselines, "_registered", {})
    directory = tmp_path / "run"
    shutil.copytree(run[0], directory)
    spec = json.loads((directory / "spec.json").read_text())
    variant = {**VARIANT, **other}
    spec["experiment"] |= {"name": f"{variant['of']}+big", "variant": variant}
    (directory / "spec.json").write_text(json.dumps(spec))
    for judged in (
        lambda: call(evaluate, directory, "--device", "cpu"),
        lambda: latent.trained(directory),
    ):
        with pytest.raises(UserError, match=r"run: its experiment '.*\+big' is not known here.* Install"):
            judged()


def test_the_name_in_a_spec_is_not_put_down_to_an_option(run, tmp_path):
    directory = tmp_path / "run"
    shutil.copytree(run[0], directory)
    spec = json.loads((directory / "spec.json").read_text())
    spec["experiment"]["name"] = "tiny/digits"
    (directory / "spec.json").write_text(json.dumps(spec))
    with pytest.raises(UserError, match=r"run: unknown experiment 'tiny/digits'"):
        call(evaluate, directory, "--device", "cpu")
    with pytest.raises(UserError, match=r"--experiment: unknown experiment 'tiny'"):
        call(evaluate, directory, "--device", "cpu", "--experiment", "tiny")


def test_a_folder_scores_like_its_images(run, tmp_path):
    _, scores, images = run
    for i, image in enumerate(images[:, 0].numpy()):
        Image.fromarray(image).save(tmp_path / f"{i:05d}.png", compress_level=0)
    with pytest.raises(UserError, match="Add --data NAME"):
        call(evaluate, tmp_path, "--protocol", "digits-2k")
    _, said = call(evaluate, tmp_path, "--protocol", "digits-2k", "--data", "digits", "--device", "cpu")
    found = said["results"][0]["scores"]
    assert found == pytest.approx(scores["digits-2k"], rel=1e-6)
    folder = tmp_path / "again"
    folder.mkdir()
    for i, image in enumerate(images[:, 0].numpy()[::-1]):
        (folder / f"{i % 7}").mkdir(exist_ok=True)
        Image.fromarray(image).convert("RGB").save(folder / f"{i % 7}" / f"{i:05d}.bmp")
    np.savez(tmp_path / "samples.npz", images.permute(0, 2, 3, 1).numpy())
    np.save(tmp_path / "samples.npy", images.flip(0).numpy())
    for other in (folder, tmp_path / "samples.npz", tmp_path / "samples.npy"):
        _, said = call(evaluate, other, "--protocol", "digits-2k", "--data", "digits", "--device", "cpu")
        assert said["results"][0]["scores"] == found  # the same bits, whatever the order, names and format


def test_a_torchscript_file_is_executed_only_when_trusted(tmp_path):
    class Script(torch.nn.Module):
        def forward(self, z):
            return z.reshape(-1, 1, 28, 28)

    file = tmp_path / "generator.pt"
    torch.jit.save(torch.jit.script(Script()), str(file))
    arguments = (file, "--protocol", "digits-2k", "--data", "digits", "--latent", 784, "--device", "cpu")
    with pytest.raises(
        UserError, match=r"which is not executed\. Give its weights alone.*--trust-torchscript"
    ):
        call(evaluate, *arguments)
    _, said = call(evaluate, *arguments, "--trust-torchscript", "--prior", "uniform")
    assert said["results"][0]["scores"]["fid"] > 1
    assert said["images"]["prior"] == "uniform"


SMALL_WINDOW = replace(
    protocols.get("parzen-mnist"),
    dataset="digits",
    n_generated=60,
    n_reference=50,
    first_validation=300,
    n_validation=20,
)


def given(monkeypatch, *known):
    """Only these protocols are known."""
    monkeypatch.setattr(protocols, "get", {protocol.name: protocol for protocol in known}.__getitem__)


def test_a_window_is_put_on_images_before_they_are_quantised(run, tmp_path, monkeypatch):
    directory, scores, images = run
    given(monkeypatch, SMALL_WINDOW, protocols.get("digits-2k"))
    both = ("--protocol", "parzen-mnist", "--protocol", "digits-2k", "--device", "cpu")
    calls = []
    batches = sampling.batches
    monkeypatch.setattr(sampling, "batches", lambda *a: calls.append(a[3]) or batches(*a))
    _, said = call(evaluate, directory, *both)
    assert calls == [2000]  # one generation pass
    window, digits = (result["scores"] for result in said["results"])
    assert digits == scores["digits-2k"]
    for i, image in enumerate(images[:60, 0].numpy()):
        Image.fromarray(image).save(tmp_path / f"{i:05d}.png")
    _, said = call(evaluate, tmp_path, "--protocol", "parzen-mnist", "--data", "digits", "--device", "cpu")
    of_files = said["results"][0]["scores"]
    in_order = Evaluator([SMALL_WINDOW], "digits").scores(images[:60])["parzen-mnist"]
    assert of_files == pytest.approx(in_order, rel=1e-9)
    assert of_files["parzen_ll"] == pytest.approx(window["parzen_ll"], abs=0.5)
    assert of_files != window


def test_a_sigma_at_the_edge_is_told(run, monkeypatch):
    for first, last in ((0.001, 0.002), (0.1, 1.0)):
        given(monkeypatch, replace(SMALL_WINDOW, sigma_grid=(first, last, 10)))
        arguments = [str(run[0]), "--protocol", "parzen-mnist", "--device", "cpu"]
        result = CliRunner().invoke(evaluate, arguments)
        assert result.exit_code == 0
        assert ("at the edge of its grid, 0.001 to 0.002" in result.stderr) == (first == 0.001)


def test_a_window_on_other_images_is_an_error_in_words(run, tmp_path):
    with pytest.raises(UserError, match="protocol 'parzen-mnist': is about 'mnist', not 'digits'"):
        call(evaluate, run[0], "--protocol", "parzen-mnist")


SMALL_SVM = replace(
    protocols.get("svm-cifar10-400"),
    dataset="digits",
    first_validation=200,
    n_validation=100,
    n_reference=100,
    labels_per_class=10,
    draws=3,
    choosing_draws=1,
)


@pytest.mark.slow
def test_a_critic_is_scored_by_an_svm_on_its_features(run, tmp_path, monkeypatch):
    every = replace(SMALL_SVM, name="svm-cifar10", labels_per_class=0, draws=None, choosing_draws=None)
    given(monkeypatch, SMALL_SVM, every)
    load = data.load
    monkeypatch.setattr(data, "load", lambda name, split: load(name, split)[:300])
    labels = data.load_labels
    monkeypatch.setattr(data, "load_labels", lambda name, split: labels(name, split)[:300])
    experiment = baselines.get("dcgan/digits")
    players = trainer.build(experiment, 0, frame(data.load("digits", "train"), 32))
    file = checkpoint.write(tmp_path / "checkpoints", players, {"gen_iters": 0})
    named = ("--experiment", "dcgan/digits", "--device", "cpu")
    _, said = call(evaluate, file, "--protocol", "svm-cifar10-400", "--protocol", "svm-cifar10", *named)
    few, all_ = (result["scores"] for result in said["results"])
    _, tensors = checkpoint.read(file)
    weights = {"weights_sha256": checkpoint.digest(checkpoint.part(tensors, "critic"))}
    assert said["critic"] == {"experiment": "dcgan/digits", "gen_iters": 0, **weights}
    assert "images" not in said
    assert 40 < few["classification_accuracy"] < all_["classification_accuracy"] < 100
    assert few["classification_error"] == pytest.approx(100 - few["classification_accuracy"])
    assert few["accuracy_spread_over_draws"] > 0
    assert "accuracy_spread_over_draws" not in all_
    assert {few["svm_cost"], all_["svm_cost"]} <= set(critic_features.COSTS)


def test_what_has_no_critic_gets_no_svm(run, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="there is no critic for svm-cifar10"):
        call(evaluate, tmp_path, "--protocol", "svm-cifar10", "--data", "digits")
    with pytest.raises(UserError, match="data fetch cifar10"):
        call(evaluate, run[0], "--protocol", "svm-cifar10", "--data-dir", tmp_path)
    given(monkeypatch, replace(SMALL_SVM, n_validation=4000))
    with pytest.raises(UserError, match="4000 training and 1000 test images of 'digits' are fewer"):
        call(evaluate, run[0], "--protocol", "svm-cifar10-400")


def test_weights_of_strangers_and_what_is_around_them(run, tmp_path):
    directory, scores, _ = run
    _, tensors = checkpoint.read(directory / "checkpoints" / "000000000.safetensors")
    weights = checkpoint.part(tensors, "generator")
    file = tmp_path / "checkpoint.ckpt"
    of_both = {"netG": {f"module.{name}": w for name, w in weights.items()}, "netD": {"x": torch.zeros(2)}}
    torch.save({"epoch": 3, **of_both}, file)
    arguments = ("--protocol", "digits-2k", "--experiment", "gan/digits", "--seed", 2, "--device", "cpu")
    _, said = call(evaluate, file, *arguments)
    assert said["results"][0]["scores"] == scores["digits-2k"]
    assert said["images"]["key"] == "netG.module"
    assert any("the weights under 'netG.module' are taken" in line for line in said["notes"])


def test_scores_by_statistics(run, tmp_path):
    """As pytorch-fid writes them: mu and sigma, nothing else. Both sides, and those written here."""
    directory, scores, _ = run
    theirs, ours = tmp_path / "theirs.npz", tmp_path / "ours.npz"
    base = ("--protocol", "digits-2k", "--device", "cpu")
    _, said = call(evaluate, directory, *base, "--save-statistics", ours)
    assert said["results"][0]["scores"] == {"fid": scores["digits-2k"]["fid"]}
    with np.load(ours) as arrays:
        np.savez(theirs, mu=arrays["mu"].astype(np.float64), sigma=arrays["sigma"])
        assert arrays["sigma"].shape == (84, 84)
    _, said = call(evaluate, theirs, *base, "--data", "digits")
    assert said["results"][0]["scores"]["fid"] == pytest.approx(scores["digits-2k"]["fid"], rel=1e-5)
    assert said["results"][0]["protocol"]["note"].startswith(
        "Not comparable with any paper: by statistics in"
    )
    for file in (theirs, ours):
        _, said = call(evaluate, directory, *base, "--reference", file)
        assert said["results"][0]["scores"]["fid"] == pytest.approx(0, abs=1e-3)
    _, said = call(evaluate, ours, *base, "--reference", theirs)
    assert said["results"][0]["scores"]["fid"] == pytest.approx(0, abs=1e-3)
    with pytest.raises(UserError, match=r"--save-statistics .*: cannot be written"):
        call(evaluate, directory, *base, "--save-statistics", ours)
    with pytest.raises(UserError, match="is of no kind that is known"):
        call(evaluate, directory, *base, "--reference", directory / "spec.json")
    np.savez(theirs, mu=np.zeros(5), sigma=np.eye(5))
    with pytest.raises(UserError, match="is of 5 features, 'digits-lenet' of digits-2k has 84"):
        call(evaluate, directory, *base, "--reference", theirs)
    for sigma in (np.full((84, 84), np.nan), -np.eye(84), np.eye(84) * 1j, np.tri(84), np.eye(84) * 1e308):
        np.savez(theirs, mu=np.zeros(84), sigma=sigma)
        with pytest.raises(UserError, match="are no mean and covariance"):
            call(evaluate, directory, *base, "--reference", theirs)
    for members in ({"mu.npy": b"none", "sigma.npy": b"none"}, {"mu.npy": claim(10**12), "sigma.npy": b""}):
        with zipfile.ZipFile(theirs, "w") as file:
            for name, content in members.items():
                file.writestr(name, content)
        with pytest.raises(UserError, match=r"theirs.npz: .*(mu and sigma|are no mean)"):
            call(evaluate, directory, *base, "--reference", theirs)


@pytest.mark.parametrize(
    ("n", "scored", "compared"),
    [
        (2000, True, True),
        (1000, False, True),
        (50, False, False),
        (None, True, True),
        ([2000], False, False),
    ],
)
def test_statistics_of_another_number_of_images_are_refused(tmp_path, n, scored, compared):
    """digits-2k: 2 000 generated, 1 000 real. A file may stand for either, one that says no n for both."""
    about = {"extractor": "digits-lenet", "image_size": 32, **({} if n is None else {"n": n})}
    said, silent = tmp_path / "said.npz", tmp_path / "silent.npz"
    normal = {"mu": np.zeros(84), "sigma": np.eye(84)}
    np.savez(said, **normal, ganbench=json.dumps(about))
    np.savez(silent, **normal)
    base = ("--protocol", "digits-2k", "--device", "cpu")
    for accepted, images, reference in ((scored, said, silent), (compared, silent, said)):
        if accepted:
            _, told = call(evaluate, images, *base, "--reference", reference)
            assert told["results"][0]["scores"]["fid"] == pytest.approx(0, abs=1e-3)
        else:
            with pytest.raises(UserError, match=r"said\.npz: is of .* images, digits-2k takes .*2000 here"):
                call(evaluate, images, *base, "--reference", reference)


def claim(n):
    """The start of a NumPy file that says it has n numbers."""
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": (n,)})
    return content.getvalue()


def test_torch_is_left_as_it_was_and_computes_as_in_a_run(run, monkeypatch):
    seen = []
    scores_of = Evaluator.scores_of
    monkeypatch.setattr(Evaluator, "scores_of", lambda *a: seen.append(numerics.in_force()) or scores_of(*a))
    torch.set_num_threads(2)
    before = numerics.in_force()
    call(evaluate, run[0], "--protocol", "digits-2k", "--device", "cpu")
    assert {**numerics.in_force(), "cublas_workspace_config": None} == {
        **before,
        "cublas_workspace_config": None,
    }
    assert seen[0]["num_threads"] == 1
    assert seen[0]["deterministic_algorithms"]


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(NothingToJudge, match="no such file"):
        call(evaluate, tmp_path / "x", "--protocol", "digits-2k")
    with pytest.raises(UserError, match="Did you mean 'digits-2k'"):
        call(evaluate, tmp_path, "--protocol", "digits-2")
    with pytest.raises(UserError, match="ganbench verify-weights"):
        call(evaluate, tmp_path, "--protocol", "fid-5k", "--data", "digits")


@pytest.mark.slow
def test_other_weights_show_in_the_output(random_weights, tmp_path, monkeypatch):
    for i in range(6):
        Image.fromarray(data.load("digits", "train")[i * 300, 0].numpy()).save(tmp_path / f"{i}.png")
    small = replace(
        protocols.get("fid-5k"), name="small", n_generated=6, n_reference=5, metrics=("is", "fid")
    )
    monkeypatch.setattr(protocols, "get", lambda _: small)
    _, said = call(evaluate, tmp_path, "--protocol", "small", "--data", "digits", "--weights", random_weights)
    (result,) = said["results"]
    assert result["protocol"]["weights_digest"] == weights._digest(random_weights, 0, 0)
    assert result["protocol"]["comparable_with_papers"] is False
    assert set(result["scores"]) == {"is", "fid"}


@pytest.mark.slow
def test_verify_says_what_is_missing(random_weights):
    with pytest.raises(NothingToJudge, match=r"verify-weights.*GANBENCH_WEIGHTS"):
        call(verify.verify_weights, "--offline")
    with pytest.raises(NothingToJudge, match="cannot read the weights"):
        call(verify.verify_weights, "--weights", "nowhere.pth", "--offline")
    code, said = call(verify.verify_weights, "--weights", random_weights, "--no-scores")
    assert (code, said["published"], said["anchors"]) == (0, False, [])


def test_verify_refuses_a_damaged_file(tmp_path):
    file = tmp_path / "cut.pth"
    file.write_bytes(b"PK")
    with pytest.raises(UserError, match="not the weights of the Inception network"):
        call(verify.verify_weights, "--weights", file, "--no-scores")


def test_verify_without_the_images_says_so(random_weights, monkeypatch):
    def missing(name, split):
        raise UserError("not here", where=name, do="Fetch it")

    monkeypatch.setattr(data, "load", missing)
    with pytest.raises(NothingToJudge, match=r"images of cifar10 are not there: not here\. Fetch it"):
        call(verify.verify_weights, "--weights", random_weights)


@pytest.mark.slow
@pytest.mark.parametrize("tolerance", [0.0, 1e9])
def test_verify_compares_the_scores_of_real_images(random_weights, monkeypatch, tolerance):
    small = {
        name: replace(
            protocols.get(name),
            isc_splits=2 if name == "is-50k" else 1,
            n_reference=5 if "fid" in name else 0,
        )
        for name in ("is-50k", "fid-50k")
    }
    monkeypatch.setattr(protocols, "get", small.__getitem__)
    monkeypatch.setattr(verify, "DATASET", "digits")
    load = data.load
    monkeypatch.setattr(data, "load", lambda name, split: load(name, split)[::160][:5])
    for anchor in ("IS_TRAIN", "IS_SPREAD", "FID_TEST"):
        monkeypatch.setattr(verify, anchor, replace(getattr(verify, anchor), tolerance=tolerance))
    code, said = call(verify.verify_weights, "--weights", random_weights)
    assert code == (0 if tolerance else 1)
    assert [anchor["ok"] for anchor in said["anchors"]] == [bool(tolerance)] * 3
