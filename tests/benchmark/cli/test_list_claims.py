"""The claims as `list` and `show` print them."""

import json

import pytest

from baselines import claims


def listed(ganbench):
    code, out, err = ganbench("list", "claims", "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def shown(ganbench, name):
    code, out, err = ganbench("show", name, "--json")
    assert (code, err) == (0, "")
    return {claim["id"]: claim for claim in json.loads(out)["claims"]}


def test_every_claim_is_listed_with_all_that_is_known_of_it(ganbench):
    entries = listed(ganbench)
    assert [entry["id"] for entry in entries] == [claim.id for claim in claims.load()]
    (entry,) = (e for e in entries if e["id"] == "sngan2018.t2.cifar10.fid.resnet-sn-gan")
    assert (entry["value"], entry["spread"], entry["printed"]) == (21.7, 0.21, "21.7 ± 0.21")
    assert (entry["spread_kind"], entry["spread_n"]) == ("seeds", None)
    assert entry["protocol"]["n_reference"] == 10_000


def test_the_table_has_a_line_per_claim_and_marks_what_is_unconfirmed(ganbench):
    code, out, err = ganbench("list", "claims")
    assert (code, err) == (0, "")
    text = " ".join(out.split())
    for claim in claims.load():
        assert claim.id in text
    assert "225 ± 2 nats" in text
    assert "10000 test examples" in text
    assert out.count("(unconfirmed)") == sum(claim.grade == "low" for claim in claims.load())


@pytest.mark.parametrize(
    ("experiment", "expected", "absent"),
    [
        (
            "wgan_gp/cifar10-resnet",
            {"wgangp2017.t3.unsupervised.wgan-gp", "conflict.wgan-gp-spread", "wgangp2017.no-fid"},
            {"wgangp2017.t3.supervised.wgan-gp"},
        ),
        (
            "wgan/cifar10",
            {"wgan2017.no-cifar10", "wgangp2017.f3.penalty-over-clipping", "misquotation.wgan-6.41"},
            {"sngan2018.t2.cifar10.is.weight-clipping"},
        ),
        (
            "sngan/cifar10-cnn",
            {"sngan2018.t2.cifar10.is.sn-gan-hinge", "misquotation.sn-gan-6.41"},
            {"sngan2018.t2.cifar10.is.weight-clipping"},
        ),
        ("gan/digits", {"gan2014.no-fid"}, {"gan2014.t1.mnist.adversarial"}),
    ],
)
def test_an_experiment_is_shown_with_its_claims_only(experiment, expected, absent, ganbench):
    found = set(shown(ganbench, experiment))
    assert expected <= found
    assert not absent & found


def test_people_see_the_number_its_spread_and_its_source(ganbench):
    text = " ".join(ganbench("show", "wgan_gp/cifar10-resnet")[1].split())
    assert "what papers print about it" in text
    assert "7.86 ± 0.07" in text
    assert "10 splits" in text
    assert "The WGAN-GP paper prints no FID." in text


def test_how_dcgan_did_against_clipping_in_figure_3_is_answered(ganbench):
    (claim,) = (c for c in shown(ganbench, "dcgan/cifar10").values() if c["below"] == "wgan/cifar10")
    assert (claim["above"], claim["table"], claim["grade"]) == ("dcgan/cifar10", "Fig. 3", "medium")
    assert "DCGAN is above weight clipping." in " ".join(ganbench("show", "dcgan/cifar10")[1].split())


def test_what_was_seen_without_a_number_comes_with_what_could_judge_it(ganbench):
    claim = shown(ganbench, "wgan/lsun64-mlp")["wgan2017.f3.loss-falls"]
    assert claim["judged_by"].startswith("Per run, Spearman's correlation")
    assert "Judging it: Per run" in " ".join(ganbench("show", "wgan/lsun64-mlp")[1].split())


def test_an_experiment_without_claims_says_so(ganbench):
    (name, *_) = (n for n in ("wgan_gp/toy-8gaussians", "sngan/digits") if not claims.of(n))
    assert shown(ganbench, name) == {}
    assert "no claims about it are recorded" in ganbench("show", name)[1]
