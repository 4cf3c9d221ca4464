"""Which claims are judged, by which cells, and with what is known of the spread."""

import hashlib
import sys

import pytest

from baselines import claims
from benchmark.evaluation import protocols
from benchmark.judging import against_paper as module
from benchmark.judging import statistics
from benchmark.judging.against_paper import against_paper, statements
from benchmark.records.cells import group
from benchmark.records.loaded import LoadedRecord

SN, CLIP, PENALTY = "sngan/cifar10-cnn", "wgan/cifar10", "wgan_gp/cifar10-cnn"


def cells(tmp_path, scores, protocol="fid-5k", metric="fid", source="0" * 64):
    """Cells as the report groups them: experiment → value per seed."""
    import baselines

    found = []
    for name, values in scores.items():
        described = baselines.described(name)
        scored = {**protocols.get(protocol).as_dict(), "weights_digest": "f" * 64}
        gen_iters = described["budget"]["gen_iters"] or 100
        for seed, value in enumerate(values):
            point = {"gen_iters": gen_iters, "scores": {protocol: {metric: value}}, "losses": None}
            record = {
                "status": "done",
                "cell_id": f"cell of {name}",
                "run_id": hashlib.sha256(f"{name} {seed} {source}".encode()).hexdigest(),
                "env_id": "env",
                "experiment": name,
                "seed": seed,
                "gen_iters": gen_iters,
                "digests": {"generator_weights": f"{name} {seed} {value}"},
                "curve": [point],
                "final": point,
                "spec": {
                    "experiment": described,
                    "dataset": {"name": "cifar10", "digest": "c" * 64, "official": True},
                    "gen_iters": gen_iters,
                    "protocols": [scored],
                    "sources": {"a.py": source},
                },
            }
            found.append(LoadedRecord(record, tmp_path))
    return found


def judged(records, experiments, **more):
    return against_paper(group(records).cells, experiments, **more)


def test_every_number_about_the_experiments_and_nothing_else(tmp_path):
    found = judged(cells(tmp_path, {SN: [25.7, 26.0, 26.3]}), [SN])
    about = [c.id for c in claims.load() if c.kind == "value" and c.experiment == SN]
    assert [j.claim.id for j in found] == about
    assert len(about) == 2
    by_id = {j.claim.id: j for j in found}
    fid = by_id["sngan2018.t2.cifar10.fid.sn-gan-hinge"]
    assert fid.cells == (SN,)
    assert fid.verdict.outcome == "reproduced"
    # The same runs have no Inception score: shown, not judged.
    assert by_id["sngan2018.t2.cifar10.is.sn-gan-hinge"].verdict.outcome == "not-comparable"


def test_what_was_not_run_is_missing(tmp_path):
    found = judged([], [SN], planned=(0, 1, 2))
    assert found
    assert {(j.verdict.outcome, j.cells) for j in found} == {("missing", ())}


def test_cells_are_judged_apart(tmp_path):
    """Runs of other code are another cell; a claim is never held against the mean of both."""
    good = cells(tmp_path, {SN: [25.7, 26.0, 26.3]})
    bad = cells(tmp_path, {SN: [45.7, 46.0, 46.3]}, source="1" * 64)
    found = [j for j in judged([*good, *bad], [SN]) if j.claim.id == "sngan2018.t2.cifar10.fid.sn-gan-hinge"]
    assert sorted(j.verdict.outcome for j in found) == ["below", "reproduced"]
    assert len({j.cells for j in found}) == 2


def test_orderings_need_both_experiments(tmp_path):
    records = cells(tmp_path, {CLIP: [4.0, 4.1, 4.2], PENALTY: [5.0, 5.1, 5.2]}, "is-1k", "is")
    only = judged(records, [PENALTY])
    assert not [j for j in only if j.claim.kind == "ordering"]
    both = [j for j in judged(records, [CLIP, PENALTY]) if j.claim.kind == "ordering"]
    assert [j.claim.id for j in both] == ["wgangp2017.f3.adam-over-clipping"]
    assert both[0].cells == (PENALTY, CLIP)
    turned = cells(tmp_path, {PENALTY: [4.0, 4.1, 4.2], CLIP: [5.0, 5.1, 5.2]}, "is-1k", "is")
    contrary = [j for j in judged(turned, [CLIP, PENALTY]) if j.claim.kind == "ordering"]
    assert [both[0].verdict.outcome, contrary[0].verdict.outcome] == ["reproduced", "below"]


def test_the_spread_of_other_cells_and_of_the_reference_is_known(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(module.verdict, "judge", lambda claim, _, *, prior, **__: seen.append(prior(20.0)))
    mine = cells(tmp_path, {SN: [20.0, 21.0, 22.0]})
    other = cells(tmp_path, {"sngan/cifar10-resnet": [9.0, 10.0, 11.0]})
    one = [c for c in claims.load() if c.id == "sngan2018.t2.cifar10.fid.sn-gan-hinge"]
    judged([*mine, *other], [SN], claims=one)
    assert seen.pop() == statistics.prior_of_suite([[9.0, 10.0, 11.0]], 20.0)
    accepted = [run.record for run in cells(tmp_path, {SN: [20.5, 21.5, 22.5, 23.5]})]
    judged([*mine, *other], [SN], claims=one, reference=accepted)
    assert seen.pop() == statistics.prior_of_reference([20.5, 21.5, 22.5, 23.5])
    # Runs that were accepted themselves tell nothing new.
    judged(mine, [SN], claims=one, reference=[run.record for run in mine])
    assert seen.pop() is None


@pytest.mark.parametrize("name", ["dcgan/cifar10", "wgan/cifar10"])
def test_statements_say_that_a_paper_prints_none(name):
    found = statements([name])
    assert {claim.kind for claim in found} <= {"prints_none", "observation", "conflict", "misquotation"}
    assert any(claim.kind == "prints_none" for claim in found)


def test_no_torch():
    import subprocess

    code = "import sys, benchmark.judging.against_paper; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_a_log_likelihood_borrows_no_spread_of_other_cells(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(module.verdict, "judge", lambda claim, _, *, prior, **__: seen.append(prior(180.0)))
    values = {"gan/mnist": [180.0, 181.0], "gan/mnist-printed": [90.0, 110.0]}
    one = [c for c in claims.load() if c.metric == "parzen_ll" and c.experiment == "gan/mnist"][:1]
    judged(cells(tmp_path, values, "parzen-mnist", "parzen_ll"), ["gan/mnist"], claims=one)
    assert seen == [None]
