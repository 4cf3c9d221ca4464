"""The claims: what the file says, that it is the fact sheets', and that a malformed file is refused."""

import dataclasses
import math
import re
import subprocess
import sys
import typing
from fnmatch import fnmatchcase

import pytest

import baselines
from baselines import claims
from baselines.claims import ClaimError

ALL = claims.load()
BY_ID = {claim.id: claim for claim in ALL}
VALUES = [claim for claim in ALL if claim.kind == "value"]

# Typed from the fact sheets, sections 7.2 and 7.3 of the first, 4 and 5c of the second.
HEADLINES = [
    ("gan2014.t1.mnist.adversarial", "225 ± 2", "test_examples", 10_000),
    ("gan2014.t1.mnist.dbn", "138 ± 2", "test_examples", 10_000),
    ("gan2014.t1.mnist.scae", "121 ± 1.6", "test_examples", 10_000),
    ("gan2014.t1.mnist.dgsn", "214 ± 1.1", "test_examples", 10_000),
    ("gan2014.t1.tfd.adversarial", "2057 ± 26", "folds", 5),
    ("gan2014.t1.tfd.dbn", "1909 ± 66", "folds", 5),
    ("gan2014.t1.tfd.scae", "2110 ± 50", "folds", 5),
    ("gan2014.t1.tfd.dgsn", "1890 ± 29", "folds", 5),
    ("dcgan2015.t1.cifar10.dcgan", "82.8", "none", None),
    ("dcgan2015.t2.svhn.dcgan", "22.48", "none", None),
    ("dcgan2015.t2.svhn.supervised", "28.87", "none", None),
    ("dcgan2015.revised.svhn.dcgan", "22.18 ± 1.13", "eval_repeats", 100),
    ("wgangp2017.t3.unsupervised.wgan-gp", "7.86 ± 0.07", "splits", 10),
    ("wgangp2017.t3.supervised.wgan-gp", "8.42 ± 0.10", "splits", 10),
    ("wgangp2017.t3.unsupervised.dcgan", "6.16 ± 0.07", "unknown", None),
    ("wgangp2017.t3.supervised.dcgan", "6.58", "none", None),
    ("sngan2018.t7.cifar10.is.wgan-gp-resnet", "7.80 ± 0.11", "unknown", None),
    ("sngan2018.t7.cifar10.fid.wgan-gp-resnet", "24.5", "none", None),
    ("sngan2018.t2.cifar10.is.wgan-gp", "6.68 ± 0.06", "eval_repeats", 10),
    ("sngan2018.t2.cifar10.fid.wgan-gp", "40.2", "none", None),
    ("sngan2018.t7.cifar10.fid.wgan-gp-cnn", "40.1", "none", None),
    ("sngan2018.t2.cifar10.is.weight-clipping", "6.41 ± 0.11", "eval_repeats", 10),
    ("sngan2018.t2.cifar10.fid.weight-clipping", "42.6", "none", None),
    ("sngan2018.t2.cifar10.is.batch-norm", "6.27 ± 0.10", "eval_repeats", 10),
    ("sngan2018.t2.cifar10.fid.batch-norm", "56.3", "none", None),
    ("sngan2018.t2.cifar10.is.gan-gp", "6.93 ± 0.08", "eval_repeats", 10),
    ("sngan2018.t2.cifar10.fid.gan-gp", "37.7", "none", None),
    ("sngan2018.t2.cifar10.is.sn-gan", "7.42 ± 0.08", "eval_repeats", 10),
    ("sngan2018.t2.cifar10.fid.sn-gan", "29.3", "none", None),
    ("sngan2018.t2.cifar10.is.sn-gan-hinge", "7.58 ± 0.12", "eval_repeats", 10),
    ("sngan2018.t2.cifar10.fid.sn-gan-hinge", "25.5", "none", None),
    ("sngan2018.t2.cifar10.is.resnet-sn-gan", "8.22 ± 0.05", "seeds", None),
    ("sngan2018.t2.cifar10.fid.resnet-sn-gan", "21.7 ± 0.21", "seeds", None),
    ("sngan2018.t2.stl10.is.resnet-sn-gan", "9.10 ± 0.04", "seeds", None),
    ("sngan2018.t2.stl10.fid.resnet-sn-gan", "40.1 ± 0.50", "seeds", None),
    ("sngan2018.t2.cifar10.is.dcgan", "6.64 ± 0.14", "unknown", None),
    ("sngan2018.t2.cifar10.is.wgan-gp-resnet", "7.86 ± 0.08", "unknown", None),
    ("sngan2018.t2.cifar10.is.real", "11.24 ± 0.12", "unknown", None),
    ("sngan2018.t2.cifar10.fid.real", "7.8", "none", None),
    ("sngan2018.t8.cifar10.is.ac-wgan-gp", "8.29 ± 0.12", "unknown", None),
    ("ttur2017.t1.cifar10.dcgan", "37.7", "none", None),
    ("ttur2017.t1.cifar10.wgan-gp", "29.3", "none", None),
]

PRINTED = {
    "gan/mnist": {
        "gan2014.t1.mnist.adversarial": "225 ± 2",
        "aae.mnist.gan": "386",
        "theis2016.t1.mnist.gan": "225",
    },
    "gan/tfd": {"gan2014.t1.tfd.adversarial": "2057 ± 26"},
    "dcgan/imagenet32": {
        "dcgan2015.t1.cifar10.dcgan": "82.8",
        "dcgan2015.t1.cifar10-400.dcgan": "73.8 ± 0.4",
    },
    "dcgan/svhn32": {"dcgan2015.t2.svhn.dcgan": "22.48", "dcgan2015.revised.svhn.dcgan": "22.18 ± 1.13"},
    "dcgan/mnist-conditional": {
        "dcgan2015.t3.mnist-50k.dcgan": "2.98",
        "dcgan2015.t3.mnist-10m.dcgan": "1.48",
    },
    "wgan_gp/cifar10-resnet": {
        "wgangp2017.t3.unsupervised.wgan-gp": "7.86 ± 0.07",
        "sngan2018.t2.cifar10.is.wgan-gp-resnet": "7.86 ± 0.08",
        "sngan2018.t7.cifar10.is.wgan-gp-resnet": "7.80 ± 0.11",
        "sngan2018.t7.cifar10.fid.wgan-gp-resnet": "24.5",
    },
    "wgan_gp/cifar10-resnet-conditional": {
        "wgangp2017.t3.supervised.wgan-gp": "8.42 ± 0.10",
        "sngan2018.t8.cifar10.is.ac-wgan-gp": "8.29 ± 0.12",
        "sngan2018.t8.cifar10.fid.ac-wgan-gp": "19.5",
    },
    "sngan/cifar10-cnn-clip": {
        "sngan2018.t2.cifar10.is.weight-clipping": "6.41 ± 0.11",
        "sngan2018.t2.cifar10.fid.weight-clipping": "42.6",
    },
    "sngan/cifar10-cnn-gan-gp": {
        "sngan2018.t2.cifar10.is.gan-gp": "6.93 ± 0.08",
        "sngan2018.t2.cifar10.fid.gan-gp": "37.7",
    },
    "sngan/cifar10-cnn-wgan-gp": {
        "sngan2018.t2.cifar10.is.wgan-gp": "6.68 ± 0.06",
        "sngan2018.t2.cifar10.fid.wgan-gp": "40.2",
        "sngan2018.t7.cifar10.is.wgan-gp-cnn": "6.68 ± 0.06",
        "sngan2018.t7.cifar10.fid.wgan-gp-cnn": "40.1",
    },
    "sngan/cifar10-cnn-bn": {
        "sngan2018.t2.cifar10.is.batch-norm": "6.27 ± 0.10",
        "sngan2018.t2.cifar10.fid.batch-norm": "56.3",
    },
    "sngan/cifar10-cnn-ln": {
        "sngan2018.t2.cifar10.is.layer-norm": "7.19 ± 0.12",
        "sngan2018.t2.cifar10.fid.layer-norm": "33.9",
    },
    "sngan/cifar10-cnn-wn": {
        "sngan2018.t2.cifar10.is.weight-norm": "6.84 ± 0.07",
        "sngan2018.t2.cifar10.fid.weight-norm": "34.7",
    },
    "sngan/cifar10-cnn-orthonormal": {
        "sngan2018.t2.cifar10.is.orthonormal": "7.40 ± 0.12",
        "sngan2018.t2.cifar10.fid.orthonormal": "29.0",
    },
    "sngan/cifar10-cnn-standard": {
        "sngan2018.t2.cifar10.is.sn-gan": "7.42 ± 0.08",
        "sngan2018.t2.cifar10.fid.sn-gan": "29.3",
    },
    "sngan/cifar10-cnn": {
        "sngan2018.t2.cifar10.is.sn-gan-hinge": "7.58 ± 0.12",
        "sngan2018.t2.cifar10.fid.sn-gan-hinge": "25.5",
    },
    "sngan/cifar10-resnet": {
        "sngan2018.t2.cifar10.is.resnet-sn-gan": "8.22 ± 0.05",
        "sngan2018.t2.cifar10.fid.resnet-sn-gan": "21.7 ± 0.21",
    },
    "sngan/stl10-cnn": {
        "sngan2018.t2.stl10.is.sn-gan": "8.28 ± 0.09",
        "sngan2018.t2.stl10.fid.sn-gan": "53.1",
    },
    "sngan/stl10-resnet": {
        "sngan2018.t2.stl10.is.resnet-sn-gan": "9.10 ± 0.04",
        "sngan2018.t2.stl10.fid.resnet-sn-gan": "40.1 ± 0.50",
    },
}
"""By experiment, the numbers that it is held against, as the tables print them in its row (fact sheets)."""


# --- The file -----------------------------------------------------------------------------------------


def test_ids_are_unique_and_there_is_every_kind():
    assert len(BY_ID) == len(ALL)
    assert {c.kind for c in ALL} == set(typing.get_args(claims.Kind))


@pytest.mark.parametrize(("name", "printed", "spread_kind", "n"), HEADLINES, ids=lambda v: str(v))
def test_headline_values_are_the_fact_sheets(name, printed, spread_kind, n):
    claim = BY_ID[name]
    assert (claim.printed, claim.spread_kind, claim.spread_n) == (printed, spread_kind, n)
    number, _, spread = printed.partition(" ± ")
    assert claim.value == float(number)
    assert claim.spread == (float(spread) if spread else None)
    assert claim.grade == "high"


def test_every_number_is_held_against_the_experiment_of_its_row():
    found = {name: {c.id: c.printed for c in VALUES if c.experiment == name} for name in PRINTED}
    assert found == PRINTED
    assert {c.experiment for c in VALUES} - {""} == set(PRINTED)


def test_experiments_are_registered():
    named = {name for c in ALL for name in (c.experiment, c.above, c.below, *c.also) if name}
    unknown = {name for name in named if not any(fnmatchcase(e, name) for e in baselines.names())}
    assert not unknown
    assert not [c.id for c in VALUES if set(c.experiment) & set("*?[")]


def test_values_are_complete():
    for claim in VALUES:
        assert math.isfinite(claim.value), claim.id
        assert claim.value > 0, claim.id
        assert claim.row, claim.id
        assert claim.dataset, claim.id
        assert claim.network, claim.id
        assert claim.paper, claim.id
        assert claim.table, claim.id
        assert (claim.spread is None) == (claim.spread_kind == "none"), claim.id
        assert not claim.statement, claim.id


def test_statements_have_words_and_no_number():
    for claim in ALL:
        if claim.kind != "value":
            assert claim.statement, claim.id
            assert claim.value is claim.spread is None, claim.id
            assert claim.printed == "", claim.id


def test_unit_and_direction_belong_to_the_metric():
    expected = {
        "parzen_ll": ("nats", "higher"),
        "inception_score": ("", "higher"),
        "fid": ("", "lower"),
        "classification_accuracy": ("%", "higher"),
        "classification_error": ("%", "lower"),
        "sample_quality": ("", "higher"),
        "any": ("", "none"),
    }
    assert {c.metric: (c.unit, c.direction) for c in ALL} == expected
    for claim in ALL:
        assert (claim.unit, claim.direction) == expected[claim.metric], claim.id
        assert claim.protocol.metric == claim.metric, claim.id


def test_values_are_in_the_range_of_their_metric():
    ranges = {
        "inception_score": (1, 1008),
        "classification_accuracy": (0, 100),
        "classification_error": (0, 100),
        "fid": (0, 500),
        "parzen_ll": (0, 3000),
    }
    for claim in VALUES:
        low, high = ranges[claim.metric]
        assert low < claim.value < high, claim.id
        if claim.spread is not None:
            assert claim.spread < claim.value, claim.id


def test_nothing_unconfirmed_is_graded_higher_than_low():
    for claim in ALL:
        unsure = any(word in claim.note + claim.statement for word in ("unconfirmed", "memory"))
        assert unsure == (claim.grade == "low"), claim.id


def test_a_number_is_the_papers_own_only_for_its_own_experiments():
    for claim in VALUES:
        if claim.experiment in baselines.names():
            own = baselines.described(claim.experiment)["paper"]["key"]
            assert (claim.provenance != "other_paper") == (claim.paper == own), claim.id
        if claim.stated_by != claim.paper:
            assert claim.provenance == "other_paper", claim.id


def test_equal_statements_of_a_protocol_differ_in_what_they_count():
    score, distance = (BY_ID[f"sngan2018.t2.cifar10.{m}.sn-gan"].protocol for m in ("is", "fid"))
    assert (score.n_generated, score.n_reference) == (5_000, "none")
    assert (distance.n_generated, distance.n_reference) == (5_000, 10_000)
    assert distance.reference_split == "unstated"
    assert BY_ID["wgangp2017.t3.unsupervised.wgan-gp"].protocol.n_generated == 50_000
    assert BY_ID["wgangp2017.t3.unsupervised.wgan-gp"].protocol.splits == 10
    assert BY_ID["ttur2017.t1.cifar10.dcgan"].protocol.n_generated == 50_000


@pytest.mark.parametrize(
    ("experiment", "metric"),
    [
        *(
            (f"{name}/digits", metric)
            for name in ("gan", "dcgan", "wgan")
            for metric in ("inception_score", "fid")
        ),
        ("wgan/cifar10", "any"),
        ("wgan_gp/cifar10-resnet", "fid"),
        ("wgan_gp/cifar10-cnn-rmsprop", "inception_score"),
    ],
)
def test_what_is_not_printed_is_said(experiment, metric):
    assert [c for c in claims.of(experiment) if c.kind == "prints_none" and c.metric == metric]


def test_no_paper_that_prints_none_prints_one():
    for none in (c for c in ALL if c.kind == "prints_none"):
        printed = [
            c.id
            for c in VALUES
            if c.paper == none.paper
            and none.metric in (c.metric, "any")
            and c.provenance == "printed"
            and fnmatchcase(c.experiment, none.experiment)
        ]
        assert not printed, none.id


def test_figure_3_orders_penalty_above_clipping():
    orders = {(c.above, c.below) for c in ALL if c.kind == "ordering" and c.table == "Fig. 3"}
    assert orders == {
        ("wgan_gp/cifar10-cnn-rmsprop", "wgan/cifar10"),
        ("wgan_gp/cifar10-cnn", "wgan/cifar10"),
        ("wgan_gp/cifar10-cnn", "wgan_gp/cifar10-cnn-rmsprop"),
        ("dcgan/cifar10", "wgan/cifar10"),
    }
    of_dcgan = BY_ID["wgangp2017.f3.dcgan-over-clipping"]
    assert of_dcgan.grade == "medium"
    assert of_dcgan in claims.of("dcgan/cifar10")


def test_observations_say_what_could_judge_them():
    seen = [c for c in ALL if c.kind == "observation"]
    assert {"wgan2017.f3.loss-falls", "wgan2017.no-collapse", "wgangp2017.one-sided"} <= {c.id for c in seen}
    for claim in ALL:
        assert bool(claim.judged_by) == (claim.kind == "observation"), claim.id
    for claim in seen:
        assert re.match("Nothing (here )?can|Per run|By ", claim.judged_by), claim.id
    assert BY_ID["wgan2017.no-collapse"] in claims.of("wgan/lsun64-nobn")
    assert BY_ID["wgan2017.no-collapse"] not in claims.of("wgan/lsun64-gan-nobn")


def test_the_outcome_counts_of_each_threshold_are_200():
    """Typed from the sheet; only GAN / only WGAN-GP / both / neither."""
    found = re.findall(
        r"(\d\.0): (\d+) / (\d+) / (\d+) / (\d+)", BY_ID["wgangp2017.architectures.counts"].statement
    )
    counts = {float(score): tuple(map(int, rest)) for score, *rest in found}
    assert counts == {
        1.0: (0, 8, 192, 0),
        3.0: (1, 88, 110, 1),
        5.0: (0, 147, 42, 11),
        7.0: (1, 104, 5, 90),
        9.0: (0, 0, 0, 200),
    }
    assert {sum(row) for row in counts.values()} == {200}


def test_conflicts_are_between_numbers_that_differ():
    for claim in (c for c in ALL if c.kind == "conflict" and len(c.about) == 2):
        assert len({BY_ID[name].printed for name in claim.about}) == 2, claim.id
    spread = BY_ID["conflict.wgan-gp-spread"]
    assert [BY_ID[name].spread for name in spread.about] == [0.07, 0.08]


def test_641_is_weight_clipping():
    wrong = BY_ID["misquotation.sn-gan-6.41"]
    assert wrong.row == "SN-GAN reaches 6.41"
    rows = [BY_ID[name] for name in wrong.about]
    assert {(c.row, c.printed) for c in rows} == {
        ("Weight clipping", "6.41 ± 0.11"),
        ("Weight clipping", "42.6"),
    }
    assert all("Standard loss" in c.note for c in rows)
    assert wrong in claims.of("sngan/cifar10-cnn")
    assert not [c for c in claims.of("sngan/cifar10-cnn") if c.value == 6.41]


def test_claims_of_an_experiment_bring_what_is_said_about_them():
    found = {c.id for c in claims.of("wgan_gp/cifar10-resnet")}
    assert {
        "wgangp2017.t3.unsupervised.wgan-gp",
        "sngan2018.t2.cifar10.is.wgan-gp-resnet",
        "sngan2018.t7.cifar10.fid.wgan-gp-resnet",
        "conflict.wgan-gp-spread",
        "wgangp2017.no-fid",
    } <= found
    assert "wgangp2017.f3.penalty-over-clipping" in {c.id for c in claims.of("wgan/cifar10")}
    assert claims.of("third/party") == ()


def test_claims_are_frozen_and_plain():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ALL[0].value = 1.0
    entry = BY_ID["sngan2018.t2.cifar10.fid.sn-gan"].as_dict()
    assert entry["protocol"]["n_generated"] == 5_000
    assert entry["spread_n"] is None


def test_reading_needs_no_torch():
    code = "import sys; from baselines import claims; claims.load(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- Malformed files ----------------------------------------------------------------------------------

HEAD = """
[papers]
paper = "A paper"
[metrics]
fid = { title = "FID", unit = "", direction = "lower" }
[protocols.p]
metric = "fid"
"""
TABLE = """
[[tables]]
id = "t"
paper = "paper"
table = "Table 1"
dataset = "cifar10"
network = "CNN"
protocol = "p"
"""


def row(fields):
    return HEAD + TABLE + f'rows = [{{ id = "r", row = "R", {fields} }}]\n'


@pytest.fixture
def load(tmp_path):
    def read(text):
        path = tmp_path / "claims.toml"
        path.write_text(text)
        return claims.load(path)

    claims.load.cache_clear()
    yield read
    claims.load.cache_clear()


def test_a_row_takes_from_its_table_what_it_does_not_say(load):
    text = HEAD + TABLE + 'spread_kind = "seeds"\nspread_n = 3\n'
    text += (
        'rows = [{ id = "a", row = "A", value = 8.60, spread = 0.10 }, { id = "b", row = "B", value = 2 }]'
    )
    a, b = load(text)
    assert (a.id, a.printed, a.value, a.spread_kind, a.spread_n) == ("t.a", "8.60 ± 0.10", 8.6, "seeds", 3)
    assert (b.id, b.printed, b.value, b.spread_kind, b.spread_n) == ("t.b", "2", 2.0, "none", None)
    assert (a.stated_by, a.provenance, a.grade) == ("paper", "printed", "high")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[tables]", "claims.toml: "),
        ("tables = 3", "'tables' must be a list of tables"),
        ("[tabels]", "'tabels' is unknown; did you mean 'tables'?"),
        (HEAD + "[[tables]]\npaper = 'paper'", "table 1: 'id' must be a text, not None"),
        (HEAD + TABLE, "t: 'rows' must be a list of at least one row"),
        (HEAD + TABLE + "rows = [3]", "t: 'id' must be a text, not None"),
        (row("vaule = 3"), "t.r: 'vaule' is unknown; did you mean 'value'?"),
        (row("note = 'x'"), "t.r: 'value' is missing"),
        (row("value = '3'"), "t.r: 'value' must be a number, not '3'"),
        (row("value = true"), "t.r: 'value' must be a number, not True"),
        (row("value = nan"), "t.r: 'value' must be positive and finite, not NaN"),
        (row("value = -1.5"), "t.r: 'value' must be positive and finite, not -1.5"),
        (row("value = 3, spread = 1"), "t.r: 'spread' and a 'spread_kind' other than none go together"),
        (row("value = 3, spread_kind = 'seeds'"), "t.r: 'spread' and a 'spread_kind'"),
        (
            row("value = 3, spread = 1, spread_kind = 'sedes'"),
            "t.r: spread_kind: 'sedes' is unknown; did you",
        ),
        (
            row("value = 3, spread = 1, spread_kind = 'seeds', spread_n = 1"),
            "t.r: 'spread_n' must be a count",
        ),
        (row("value = 3, spread = 1, spread_kind = 'unknown', spread_n = 9"), "t.r: 'spread_n' must be"),
        (row("value = 3, paper = 'papre'"), "t.r: paper: 'papre' is unknown; did you mean 'paper'?"),
        (row("value = 3, stated_by = 'nobody'"), "t.r: stated_by: 'nobody' is unknown; known are paper"),
        (row("value = 3, protocol = 'q'"), "t.r: protocol: 'q' is unknown; known are p"),
        (row("value = 3, protocol = 'p', metric = 'fid'"), "t.r: give either 'protocol' or"),
        (row("value = 3, provenance = 'rumour'"), "t.r: provenance: 'rumour' is unknown"),
        (row("value = 3, grade = 'hihg'"), "t.r: grade: 'hihg' is unknown; did you mean 'high'?"),
        (row("value = 3, grade = 'low'"), "t.r: grade low and a note that says 'unconfirmed' go together"),
        (
            row("value = 3, note = 'unconfirmed'"),
            "t.r: grade low and a note that says 'unconfirmed' go together",
        ),
        (row("value = 3, dataset = ''"), "t.r: 'dataset' must be a text, not ''"),
        (row("value = 3") + row("value = 3").removeprefix(HEAD), "t.r: the id is taken"),
        (
            row("value = 3") + "[[conflicts]]\nid='c'\nstatement='s'\nabout=['t.q']",
            "c: about: 't.q' is unknown;",
        ),
        (
            row("value = 3") + "[[conflicts]]\nid='c'\nstatement='s'\nabout=[]",
            "c: 'about' must be a list of ids",
        ),
        (
            HEAD + "[[observations]]\nid='o'\nmetric='fid'\npaper='paper'\ntable='t'\nstatement='s'",
            "o: 'judged_by' is missing",
        ),
        (
            HEAD + "[[prints_none]]\nid='n'\nmetric='fid'\npaper='paper'\nstatement='s'",
            "n: 'experiment' is missing",
        ),
        (HEAD + "[protocols.q]\nmetric='fdi'", "protocol 'q': metric: 'fdi' is unknown; did you mean 'fid'?"),
        (HEAD + "[protocols.q]\nmetric='fid'\nsplits=0", "protocol 'q': 'splits' must be a positive count"),
        ("[metrics]\nfid = { title = 'x', unit = '' }", "metric 'fid': direction: None is unknown"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_where_it_does_not(text, message, load):
    with pytest.raises(ClaimError) as refused:
        load(text)
    assert "claims.toml" in str(refused.value)
    assert message in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ClaimError, match="No such file"):
        claims.load(tmp_path / "none.toml")
