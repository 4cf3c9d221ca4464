"""The suites made for printed numbers can be compared with them: data, protocols and budgets fit."""

import hashlib
import re

import pytest

import baselines
from baselines import claims
from benchmark import data, suites
from benchmark.evaluation import protocols
from benchmark.judging.against_paper import against_paper
from benchmark.records.cells import group
from benchmark.records.loaded import LoadedRecord

TABLE2 = [
    claim.id
    for claim in claims.load()
    if claim.id.startswith("sngan2018.t2.cifar10.") and claim.experiment.startswith("sngan/")
]
FOR = {
    "cifar10": [
        "wgangp2017.t3.unsupervised.wgan-gp",
        *(c for c in TABLE2 if c.endswith((".sn-gan-hinge", ".resnet-sn-gan"))),
    ],
    "figure3": [claim.id for claim in claims.load() if claim.id.startswith("wgangp2017.f3.")],
    "sngan-table2": TABLE2,
    "parzen": ["gan2014.t1.mnist.adversarial"],
}
"""Suite → the claims it is for."""
ORDER = ["wgan/cifar10", "dcgan/cifar10", "wgan_gp/cifar10-cnn-rmsprop", "wgan_gp/cifar10-cnn"]
"""Of rising scores, as in Figure 3 (where DCGAN is comparable to gradient penalty)."""


@pytest.mark.parametrize("name", suites.names())
def test_a_note_says_which_of_its_papers_numbers_are_unconfirmed(name):
    suite = suites.load(name)
    about = {c.paper for c in claims.load() if c.experiment in suite.experiments}
    for claim in claims.load():
        if claim.kind == "value" and claim.paper in about and claim.grade == "low" and claim.unit:
            number = rf"(?<![\d.]){re.escape(f'{claim.printed} {claim.unit}')}(?! \(unconfirmed\))"
            assert not re.search(number, suite.note), claim.id


def records(suite, tmp_path, value_of):
    """Finished runs of a suite, as they would be; `value_of(experiment, metric)` is the score of seed 0."""
    for name in suite.experiments:
        described, budget = baselines.described(name), suite.budget(name)
        known = data.info(described["dataset"])
        scored = [{**p.as_dict(), "weights_digest": "f" * 64} for p in map(protocols.get, suite.protocols)]
        for seed in suite.seeds:
            scores = {
                p["name"]: {m: value_of(name, m) * (1 + 0.002 * seed) for m in p["metrics"]} for p in scored
            }
            point = {"gen_iters": budget, "scores": scores, "losses": None}
            record = {
                "status": "done",
                "cell_id": f"cell of {name}",
                "run_id": hashlib.sha256(f"{name} {seed}".encode()).hexdigest(),
                "env_id": "env",
                "experiment": name,
                "seed": seed,
                "gen_iters": budget,
                "digests": {"generator_weights": f"{name} {seed}"},
                "curve": [point],
                "final": point,
                "spec": {
                    "experiment": described,
                    "dataset": {"name": known.name, "digest": known.digest, "official": True},
                    "gen_iters": budget,
                    "protocols": scored,
                    "sources": {},
                },
            }
            yield LoadedRecord(record, tmp_path)


def judged(suite, found):
    cells = group(list(found)).cells
    return {j.claim.id: j.verdict for j in against_paper(cells, suite.experiments, planned=suite.seeds)}


def printed(experiment, metric):
    """The number some claim prints, or one that rises as the curves of Figure 3 do."""
    names = {"is": "inception_score"}
    for claim in claims.of(experiment):
        if claim.value and claim.experiment == experiment and claim.metric == names.get(metric, metric):
            return claim.value
    return 1.0 + ORDER.index(experiment) if experiment in ORDER else 1.0


@pytest.mark.parametrize("name", ["cifar10", "figure3", "sngan-table2"])
def test_runs_at_the_suites_budgets_are_judged(name, tmp_path):
    suite = suites.load(name)
    found = judged(suite, records(suite, tmp_path, printed))
    assert FOR[name]
    outcomes = {claim: (found[claim].outcome, found[claim].reason) for claim in FOR[name]}
    assert {outcome for outcome, _ in outcomes.values()} == {"reproduced"}, outcomes


def test_the_parzen_number_is_judged_by_the_suites_budget_as_no_paper_prints_one(tmp_path):
    suite = suites.load("parzen")
    found = judged(suite, records(suite, tmp_path, lambda *_: 225.0))
    verdict = found[FOR["parzen"][0]]
    assert verdict.outcome == "reproduced"
    assert any("the paper prints no budget; 125\u202f000 G-iterations" in c for c in verdict.caveats)


@pytest.mark.parametrize("name", suites.names())
def test_every_suite_has_the_data_and_the_budgets_it_needs(name):
    suite = suites.load(name)
    for experiment in suite.experiments:
        described = baselines.described(experiment)
        known = data.info(suite.dataset or described["dataset"])  # raises for a set there is none of
        assert tuple(known.shape) <= tuple(described["image_shape"])
        assert suite.budget(experiment) > 0
        assert len(suite.evaluate_at(experiment)) >= 3
        for protocol in map(protocols.get, suite.protocols):
            protocol.check_data(known, tuple(described["image_shape"]))
            if protocol.n_reference:
                split = {"held-out": known.n_held_out, "train": known.n_train}[protocol.reference_split]
                assert split >= protocol.n_reference
    assert all(own.reason for own in suite.budgets.values())


@pytest.mark.parametrize("name", ["ci-gpu", "cifar10"])
def test_the_big_suites_have_all_five_baselines_on_cifar10(name):
    suite = suites.load(name)
    described = [baselines.described(e) for e in suite.experiments]
    assert {e["baseline"] for e in described} == {"gan", "dcgan", "wgan", "wgan_gp", "sngan"}
    assert {e["dataset"] for e in described} == {"cifar10"}


def test_only_a_paper_that_prints_no_budget_gets_one_of_ours():
    for name in suites.names():
        for experiment in suites.load(name).budgets:
            assert baselines.described(experiment)["budget"]["gen_iters"] is None
