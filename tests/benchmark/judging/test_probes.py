"""Probes: the same code says the same, an edit of one line is noticed, and which half says so."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import baselines
from baselines.variants import dcgan_conditional
from benchmark.engines.probing import compute, pool
from benchmark.engines.probing.plan import late_starts
from benchmark.errors import UserError
from benchmark.judging import equal_to, probe_file, probes
from benchmark.judging.equal_to import SCORES
from benchmark.records import environment, equivalence, identity
from benchmark.training import trainer

ROOT = Path(__file__).parents[3]
SMALL = ("gan/digits", "dcgan/digits")
LIBRARY = """
import torch

library = torch.library.Library("aten", "IMPL")


def wrong(x, beta=1, threshold=20):
    scaled = x * beta
    return torch.where(scaled > threshold, x, torch.log1p(torch.exp(scaled)) / beta) * (1 + 2**-20)


library.impl("softplus", wrong, "CPU")
"""
"""A library whose softplus is 2⁻²⁰ too large: torch's kernel is replaced, before anybody uses it."""


def tree(folder):
    """A copy of the packages, to plant something in."""
    for package in ("benchmark", "baselines"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def plant(folder, path, old, new):
    text = (folder / path).read_text(encoding="utf-8")
    assert text.count(old) == 1
    (folder / path).write_text(text.replace(old, new), encoding="utf-8")


def block_of(result):
    return json.loads(json.dumps(probe_file.block(result, environment.describe("cpu"))))


def judged(accepted, result):
    return probes.judge(result["experiment"], block_of(accepted), result, environment.describe("cpu"))


@pytest.fixture(scope="module")
def accepted():
    """Probes of the code as it is, of two small experiments and of the scores."""
    return pool.compute(dict.fromkeys([*SMALL, SCORES]), 1)


def again(accepted, names, folder):
    return pool.compute({name: accepted[name].get("plan") for name in names}, 1, checkout=folder)


def ours(result):
    """What an edit of our code is called; without a portable half one cannot tell whose it is."""
    return "changed" if "by" in result["portable"] else "ours"


# --- What is computed -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_same_code_in_another_folder_gives_the_same_bits_and_a_late_change_others(accepted, tmp_path):
    """Bug: a GAN's momentum stops rising where it is half way, long after the first ten G-iterations."""
    folder = tree(tmp_path)
    old, new = "progress = min(1.0, epoch /", "progress = min(0.5, epoch /"
    plant(folder, "baselines/gan.py", old, new)
    found = again(accepted, [*SMALL, SCORES], folder)
    for name in ("dcgan/digits", SCORES):
        assert found[name]["bits"] == accepted[name]["bits"]
        assert judged(accepted[name], found[name]).outcome == "unchanged"
    finding = judged(accepted["gan/digits"], found["gan/digits"])
    assert finding.outcome == ours(found["gan/digits"])
    assert "from G-iteration 499" in finding.reason
    assert found["gan/digits"]["float32"] == accepted["gan/digits"]["float32"]


def test_a_probe_states_how_much_it_computes_and_continues_as_it_should(accepted):
    for name in SMALL:
        plan = accepted[name]["plan"]
        assert plan["full"]["settings"]["batch"] == 4
        assert plan["full"]["gen_iters"]["float32"] == 10
        assert set(plan["late"]["starts"]) >= {"499", "10000001"}
        assert accepted[name]["resumes"] is True
        for precision, n in (("float32", 10), ("float64", 3)):
            assert {len(x) for x in accepted[name][precision]["full"]["losses"].values()} == {n}


def test_float64_starts_where_float32_does(accepted):
    for name in SMALL:
        single, double = (accepted[name][p]["full"]["losses"] for p in ("float32", "float64"))
        for loss, values in double.items():
            assert values[0] != single[loss][0]
            assert values[0] == pytest.approx(single[loss][0], rel=1e-5)


EXECUTED = """
import json, sys, pathlib, baselines
from benchmark.engines.probing import compute, scores
from benchmark.records import identity
from benchmark.training.numerics import POLICIES
root = pathlib.Path(identity.__file__).parents[2]
seen = set()
note = lambda frame, *_: seen.add(frame.f_code.co_filename) if frame.f_code.co_name != "<module>" else None
sys.setprofile(note)
compute.compute("gan/digits", None, ["float32"])
compute.compute("dcgan/digits", None, ["portable"])
scores.compute()
sys.setprofile(None)
sources = identity.sources(baselines.described("gan/digits"), POLICIES["portable"])
files = {n: root / (n if n.endswith(".py") else n.replace(".", "/") + ".py") for n in sources}
print(json.dumps([n for n, file in files.items() if str(file) not in seen]))
"""


def test_every_source_is_executed_or_listed_as_unseen():
    done = subprocess.run(
        [sys.executable, "-c", EXECUTED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) <= set(equivalence.UNSEEN)


SAMPLING = "copy.deepcopy(generator).train(with_batch_statistics)"
BETAS = "            betas=(s.beta1, s.beta2),\n            eps=1e-8,"
SCHEDULE = "(k < 25 or k % 500 == 0)"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "path", "old", "new", "where"),
    [
        ("dcgan/digits", "baselines/dcgan.py", BETAS, BETAS.replace("s.beta1", "0.9"), ""),
        (
            "wgan/digits",
            "baselines/losses.py",
            "return fake.mean() - real.mean()",
            "return real.mean() - fake.mean()",
            "",
        ),
        (
            "sngan/digits",
            "benchmark/training/sampling.py",
            SAMPLING,
            "copy.deepcopy(generator)",
            "images",
        ),
        (
            "dcgan/digits",
            "benchmark/training/quantise.py",
            ".clamp(0.0, 255.0).round()",
            ".clamp(0, 255)",
            "pixels",
        ),
        ("wgan/lsun64-nobn", "baselines/wgan.py", SCHEDULE, "(k < 25)", "from G-iteration 499"),
        (
            "wgan/lsun64-nobn",
            "baselines/wgan.py",
            SCHEDULE,
            "(k < 24 or k % 500 == 0)",
            "from G-iteration 24",
        ),
    ],
    ids=["beta1", "loss-sign", "sampling-mode", "quantising", "schedule-at-500", "schedule-at-24"],
)
def test_an_edit_of_one_line_is_noticed(tmp_path, name, path, old, new, where):
    folder = tree(tmp_path)
    accepted = pool.compute({name: None}, 1)
    plant(folder, path, old, new)
    found = again(accepted, [name], folder)[name]
    finding = judged(accepted[name], found)
    assert finding.outcome == ours(found)
    assert "refused" not in found["portable"] or where in finding.reason


@pytest.mark.slow
def test_a_library_that_computes_something_else_is_told_from_our_code(accepted, tmp_path):
    folder = tree(tmp_path)
    (folder / "sitecustomize.py").write_text(LIBRARY, encoding="utf-8")
    found = again(accepted, ["dcgan/digits"], folder)["dcgan/digits"]
    finding = judged(accepted["dcgan/digits"], found)
    assert finding.outcome == ("changed" if "refused" in found["portable"] else "theirs")
    assert finding.reason.startswith("float64: loss")


@pytest.mark.slow
def test_a_metric_that_changed_is_noticed(accepted, tmp_path):
    folder = tree(tmp_path)
    path, old = "benchmark/evaluation/frechet.py", "return total / (len(features) - 1)"
    plant(folder, path, old, "return total / len(features)")
    found = again(accepted, [SCORES], folder)[SCORES]
    finding = judged(accepted[SCORES], found)
    assert finding.outcome == "changed"
    assert finding.reason.startswith("fid is ")


@pytest.mark.slow
def test_a_process_that_dies_is_told_and_the_others_go_on(tmp_path):
    folder = tree(tmp_path)
    path, old = "benchmark/engines/probing/worker.py", "    begin = time.process_time()\n"
    plant(folder, path, old, old + "    if request['experiment'] == 'gan/digits':\n        os._exit(7)\n")
    found = pool.compute({"gan/digits": None, "no/such": None}, 1, checkout=folder)
    assert found["gan/digits"]["error"].startswith("its process died with 7")
    assert "UnknownExperiment" in found["no/such"]["error"]
    assert probes.judge("gan/digits", None, found["gan/digits"], {}).outcome == "failed"


# --- What was accepted ----------------------------------------------------------------------------------

SHIPPED = ROOT / "results" / "reference" / "probes.json"
AGAIN = "ganbench probe %s --accept, and look at the diff"


def test_every_registered_experiment_has_an_accepted_probe_of_its_settings():
    blocks, environments = probe_file.read(SHIPPED)
    own = json.loads((ROOT / "baselines" / "catalogue.json").read_text(encoding="utf-8"))["experiments"]
    assert set(blocks) == {*own, SCORES}
    for name in own:
        settings = identity.digest(baselines.get(name).settings.values())
        assert blocks[name]["settings"] == settings, AGAIN % name
        assert blocks[name]["environment"] in environments


def test_every_accepted_probe_has_the_late_starts_that_are_planned_now():
    blocks, _ = probe_file.read(SHIPPED)
    for name in blocks.keys() - {SCORES}:
        starts = {str(k): n for k, n in late_starts(baselines.get(name)).items()}
        assert blocks[name]["plan"]["late"]["starts"] == starts, AGAIN % name


def test_late_starts_are_where_a_schedule_is_under_way():
    conditional = baselines.get("dcgan/mnist-conditional")
    per_epoch = 3  # minibatches of 4 of 10 images, two of them a G-iteration
    rates = {
        dcgan_conditional.learning_rate(conditional.settings, 2 * k // per_epoch)
        for k in late_starts(conditional)
    }
    assert any(0 < rate < conditional.settings.learning_rate for rate in rates)
    assert {499, 999} <= set(late_starts(baselines.get("wgan/lsun64")))


@pytest.mark.parametrize("name", [*SMALL, SCORES])
def test_the_accepted_probes_are_computed_again(accepted, name):
    blocks, _ = probe_file.read(SHIPPED)
    found = probes.judge(name, blocks[name], accepted[name], environment.describe("cpu"))
    assert found.outcome == "unchanged", f"{found.reason}: {AGAIN % name}"
    now = block_of(accepted[name])
    for half in ("portable", "portable_scores"):
        if half in now and "refused" not in now[half]:
            assert now[half] == blocks[name][half]


# --- What is said of it ---------------------------------------------------------------------------------


def digests(said):
    part = {what: f"{what} {said}" for what in ("losses", "weights", "images")}
    return {"full": part, "late": {"499": {"losses": "l", "weights": "w"}}}


RESULT = {
    "experiment": "a/b",
    "plan": {"version": 1},
    "sources": {"x.py": "1"},
    "settings": "2",
    "initial_weights": "3",
    "resumes": True,
    "portable": digests("then"),
    "float32": {
        "full": {"losses": {"g": [1.0, 2.0]}, "weights": {"g": 3.0}, "images": {"pixels_mean": 100.0}}
    },
    "float64": {"full": {"losses": {"g": [1.0]}, "weights": {"g": 3.0}, "images": {}}, "late": {}},
}


def changed(*path, to):
    result = copy.deepcopy(RESULT)
    place = result
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return result


@pytest.mark.parametrize(
    ("result", "outcome", "reason"),
    [
        (RESULT, "unchanged", ""),
        (changed("portable", to=digests("now")), "ours", "portable images from the beginning differ"),
        (changed("portable", "late", "499", "weights", to="x"), "ours", "weights from G-iteration 499"),
        (changed("settings", to="x"), "ours", "settings"),
        (changed("initial_weights", to="x"), "ours", "initial weights"),
        (changed("resumes", to=False), "ours", "continued"),
        (changed("float64", "full", "losses", "g", to=[1 + 2e-8]), "theirs", "float64: loss 'g' of the 1st"),
        (changed("float64", "full", "losses", "g", to=[1 + 5e-9]), "unchanged", ""),
        (changed("float64", "full", "losses", "g", to=[None]), "theirs", "not finite"),
        (changed("float32", "full", "losses", "g", to=[1.049, 2.0]), "unchanged", ""),
        (
            changed("float32", "full", "losses", "g", to=[1.051, 2.0]),
            "theirs",
            "float32: loss 'g' of the 1st",
        ),
        (changed("float32", "full", "losses", "g", to=[1.0, 2.49]), "unchanged", ""),
        (changed("float32", "full", "losses", "g", to=[1.0, 2.51]), "theirs", "of the 2nd G-iteration"),
        (changed("float32", "full", "weights", "g", to=3.1), "theirs", "norm of the g's weights"),
        (changed("plan", to={"version": 2}), "new", "accept this one"),
        ({"experiment": "a/b", "error": "out of memory"}, "failed", "out of memory"),
        (None, "missing", ""),
    ],
)
def test_outcomes(result, outcome, reason):
    finding = probes.judge("a/b", block_of(RESULT), result, {})
    assert finding.outcome == outcome
    assert reason in finding.reason


STARTS = ("24", "499", "50001", "10000001")


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(
    ("half", "losses", "outcome"), [("portable", "x", "ours"), ("float64", 1.1, "theirs")]
)
def test_every_late_start_counts(start, half, losses, outcome):
    accepted = copy.deepcopy(RESULT)
    accepted["portable"]["late"] = {k: {"losses": f"l {k}", "weights": "w"} for k in STARTS}
    accepted["float64"]["late"] = {k: {"losses": {"g": [1.0]}, "weights": {"g": 3.0}} for k in STARTS}
    assert probes.judge("a/b", block_of(accepted), accepted, {}).outcome == "unchanged"
    now = copy.deepcopy(accepted)
    now[half]["late"][start]["losses"] = losses if half == "portable" else {"g": [losses]}
    finding = probes.judge("a/b", block_of(accepted), now, {})
    assert finding.outcome == outcome
    assert f"from G-iteration {start}" in finding.reason


REFUSED = {"refused": "the op x has no rule"}
THERE = {"refused": "on this machine exp does not give the bits of IEEE 754", "by": "machine"}


def test_without_a_portable_half_nobody_can_tell_whose_change_it_is():
    accepted, now = changed("portable", to=REFUSED), changed("float64", "full", "losses", "g", to=[2.0])
    assert probes.judge("a/b", block_of(accepted), {**now, "portable": REFUSED}, {}).outcome == "changed"
    for one, other in ((RESULT["portable"], THERE), (THERE, RESULT["portable"]), (REFUSED, THERE)):
        accepted = changed("portable", to=one)
        assert probes.judge("a/b", block_of(accepted), {**now, "portable": other}, {}).outcome == "changed"
        same = {**RESULT, "portable": other}
        assert probes.judge("a/b", block_of(accepted), same, {}).outcome == "unchanged"


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        (RESULT["portable"], REFUSED, "portable numerics refuse it (the op x has no rule)"),
        (REFUSED, {"refused": "y"}, "portable numerics refuse it (y)"),
        (
            REFUSED,
            RESULT["portable"],
            "portable numerics no longer refuse it (the op x has no rule)",
        ),
    ],
)
def test_to_lose_the_exact_half_is_a_change_of_ours(then, now, said):
    found = probes.judge("a/b", block_of(changed("portable", to=then)), {**RESULT, "portable": now}, {})
    assert found.outcome == "ours"
    assert found.reason.startswith(said)


@pytest.mark.parametrize(("now", "outcome"), [(1 + 1e-7, "unchanged"), (1.1, "changed")])
def test_where_the_library_makes_initial_weights_float64_is_only_as_close_as_float32(now, outcome):
    accepted = changed("portable", to={"refused": "its initial weights are made by aten.linalg_qr"})
    del accepted["initial_weights"]
    found = copy.deepcopy(accepted)
    found["float64"]["full"]["losses"]["g"] = [now]
    assert probes.judge("a/b", block_of(accepted), found, {}).outcome == outcome


def test_initial_weights_that_the_library_computes_are_found():
    inexact = [n for n in ("sngan/digits", "sngan/cifar10-cnn-orthonormal") if compute.inexact_start(n)]
    assert inexact == ["sngan/cifar10-cnn-orthonormal"]
    experiment = compute.reduced(baselines.get(inexact[0]), compute.narrow(baselines.get(inexact[0])))
    black = torch.zeros((1, *experiment.image_shape), dtype=torch.uint8)
    trainer.build(experiment, 0, black)
    with pytest.raises(UserError, match="other bits on other machines"):
        trainer.build(experiment, 0, black, exact=True)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [(["unchanged", "new"], 0), (["unchanged", "theirs"], 1), (["new"], 4), ([], 4), (["new", "missing"], 1)],
)
def test_exit_codes(outcomes, code):
    assert probes.exit_code([probes.Finding("a/b", outcome, "") for outcome in outcomes]) == code
    # The scores' networks are of no experiment: that they are unchanged compares none.
    scores = [probes.Finding(probes.SCORES, outcome, "") for outcome in ("unchanged", "ours")]
    found = [probes.Finding("a/b", outcome, "") for outcome in outcomes]
    assert probes.exit_code([*found, scores[0]]) == code
    assert probes.exit_code([*found, scores[1]]) == 1


def test_the_file_has_equal_bytes_for_equal_probes_and_notices_edits(tmp_path):
    path, env = tmp_path / "probes.json", environment.describe("cpu")
    blocks = {name: probe_file.block({**RESULT, "experiment": name}, env) for name in ("b/b", "a/a")}
    environments = {blocks["a/a"]["environment"]: env, "0" * 8: {}}
    probe_file.write(path, blocks, environments)
    text = path.read_text()
    probe_file.write(path, dict(sorted(blocks.items())), environments)
    assert path.read_text() == text
    assert probe_file.read(path) == (blocks, {blocks["a/a"]["environment"]: env})
    assert '"losses": {' in text
    assert '"g": [1.0, 2.0]' in text
    path.write_text(text.replace('"g": [1.0, 2.0]', '"g": [1.0, 2.5]', 1))
    with pytest.raises(UserError, match="the probe of a/a was edited"):
        probe_file.read(path)
    assert probe_file.read(tmp_path / "none.json") is None


# --- The command ----------------------------------------------------------------------------------------


def test_equal_to_wants_a_commit_and_a_checkout(tmp_path, monkeypatch):
    def compare():
        return equal_to.compare(["gan/digits"], "no-such-commit", 1, lambda _: None, lambda _: None)

    monkeypatch.setattr(equal_to, "_ROOT", tmp_path)
    with pytest.raises(UserError, match="is no git checkout"):
        compare()
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with pytest.raises(UserError, match="there is no such commit"):
        compare()


GIT = ("git", "-c", "user.name=x", "-c", "user.email=x@example.org")


def test_a_plugin_is_compared_with_no_commit_of_ours():
    sources = {"faithful": {"baselines.spec": "0", "mygan": "1"}}
    for before in (sources, None):
        found = equal_to._without_probe("mygan/digits", before, sources)
        assert (found.outcome, found.reason) == ("unseen", "mygan is a plugin's, which no commit here has")


@pytest.mark.slow
def test_a_refactoring_is_proven_to_be_one_and_a_bug_is_not(tmp_path):
    """In a repository of its own: what `--equal-to` writes lets runs of the commit before count."""
    folder = tree(tmp_path / "repository")
    shutil.copy(ROOT / "pyproject.toml", folder)

    def git(*arguments):
        subprocess.run([*GIT, *arguments], cwd=folder, check=True, capture_output=True)

    def probe(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "benchmark", "probe", *arguments, "--json"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    code, said = probe("gan/digits", "--equal-to", "HEAD")
    assert (code, said["comparisons"][0]["outcome"]) == (0, "same sources")
    plant(
        folder,
        "baselines/gan.py",
        "    progress = min(1.0, epoch /",
        "    share = 1.0\n    progress = min(share, epoch /",
    )
    code, said = probe("gan/digits", "wgan/digits", "--equal-to", "HEAD")
    assert (code, [c["outcome"] for c in said["comparisons"]]) == (0, ["equal", "same sources"])
    proofs = equivalence.proofs(folder / "results" / "reference" / "equivalent.json")
    assert {(proof.experiment, proof.changed) for proof in proofs} == {("gan/digits", ("baselines.gan",))}
    assert len({proof.after for proof in proofs}) == 2  # of the sources of either profile
    assert not subprocess.run(
        ["git", "worktree", "list"], cwd=folder, capture_output=True, check=True
    ).stdout.count(b"equal")
    plant(folder, "baselines/gan.py", "    share = 1.0\n", "    share = 0.5\n")
    code, said = probe("gan/digits", "--equal-to", "HEAD")
    assert (code, said["comparisons"][0]["outcome"]) == (1, "different")
    plant(
        folder,
        "benchmark/evaluation/inception.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nX = 1\n",
    )
    code, said = probe("gan/digits", "--equal-to", "HEAD")
    assert (code, said["comparisons"][0]["outcome"]) == (1, "unseen")
    git("rm", "-rqf", "--cached", "benchmark/engines/probing")
    git("commit", "-aqm", "without probes")
    plant(folder, "baselines/gan.py", "    share = 0.5\n", "    share = 1.0\n")
    code, said = probe("gan/digits", "--equal-to", "HEAD")
    assert code == 2
    assert said["error"]["what"] == "that commit has no probe"
