"""The papers' experiments and their lengths: none is left out, and what is arithmetic comes out."""

import math
import re

import pytest

import baselines
from baselines import budgets, claims

OTHERS = {run.name: run for run in budgets.not_implemented()}

# Typed from the fact sheets: every table, figure, appendix and released script that they name.
ANCHORS = {
    "goodfellow2014gan": ["Table 1", "Table 2", "Fig. 2", "Fig. 3", "Alg. 1"],
    "radford2015dcgan": [
        *("Table 1", "Table 2", "Table 3"),
        *(f"Fig. {n}" for n in range(1, 9)),
        *("§4", "dcgan.torch"),
    ],
    "arjovsky2017wgan": ["Alg. 1", *(f"Fig. {n}" for n in range(3, 9)), "§4", "main.py"],
    "gulrajani2017wgangp": [
        *("Table 1", "Table 2", "Table 3", "Table 5"),
        *("Fig. 2", "Fig. 3", "Fig. 4", "Fig. 5a", "Fig. 5b"),
        *("App. B", "App. C", "App. D", "App. E", "App. F"),
        *("gan_toy.py", "gan_mnist.py", "gan_cifar.py", "gan_cifar_resnet.py", "gan_64x64.py"),
        "gan_language.py",
    ],
    "miyato2018sngan": [
        *(f"Table {n}" for n in range(1, 9)),
        *("Fig. 3", "Fig. 4", "Fig. 9", "Fig. 11", "Fig. 15"),
        *("§4.1", "App. B", "App. E", "chainer-gan-lib", "sngan_projection"),
    ],
}
# Typed from section 1 of both sheets, for what is not registered; None: not printed.
LENGTHS = [
    ("dcgan/lsun64-1-epoch", 11_848),
    ("dcgan/lsun64-printed-1-epoch", 23_696),
    ("wgan/lsun64-gan-mlp-mlp", None),
    ("wgan/lsun64-main-default", 227_862),
    ("wgan/cifar10-main-default", 3_345),
    ("wgan_gp/imagenet32-random-by-penalty", 100_000),
    ("wgan_gp/imagenet32-random-by-gan", 100_000),
    ("wgan_gp/imagenet32-random-one-sided", 100_000),
    ("wgan_gp/lsun128-resnet", None),
    ("wgan_gp/lsun-loss", 40_000),
    ("wgan_gp/mnist-overfitting", 20_000),
    ("wgan_gp/billion-word", 200_000),
    ("sngan/cifar10-cnn-critic-steps", 10_000),
    ("sngan/stl10-cnn-2x", 200_000),
    ("sngan/stl10-cnn-hinge-2x", 200_000),
    ("sngan/stl10-cnn-orthonormal-2x", 200_000),
    ("sngan/stl10-cnn-clip", 100_000),
    ("sngan/imagenet128-concat", 450_000),
    ("sngan/cifar10-projection", 50_000),
]


def stated():
    """Everything with a length: (name, G-iterations, arithmetic)."""
    for name in baselines.names():
        budget = baselines.described(name)["budget"]
        yield name, budget["gen_iters"], budget["arithmetic"]
    for run in OTHERS.values():
        yield run.name, run.gen_iters, run.arithmetic


def number(text):
    return int(text.replace(" ", ""))


@pytest.mark.parametrize("paper", ANCHORS)
def test_every_table_figure_and_script_of_the_sheets_has_a_row(paper):
    found = {where for key, places in budgets.implemented().values() if key == paper for where in places}
    found |= {where for run in OTHERS.values() if run.paper == paper for where in run.where}
    assert found == set(ANCHORS[paper])


@pytest.mark.parametrize(("name", "gen_iters"), LENGTHS)
def test_lengths_are_the_sheets(name, gen_iters):
    assert OTHERS[name].gen_iters == gen_iters


def test_figure_2_of_wgan_gp_is_seven_architectures_by_four_methods():
    runs = [run for run in OTHERS.values() if run.paper == "gulrajani2017wgangp" and "Fig. 2" in run.where]
    pairs = {tuple(run.name.removeprefix("wgan_gp/lsun64-").split("-by-")) for run in runs}
    architectures, methods = ({pair[i] for pair in pairs} for i in (0, 1))
    assert pairs == {(a, m) for a in architectures for m in methods}
    assert (len(architectures), len(methods), len(runs)) == (7, 4, 28)
    assert methods == {"dcgan", "lsgan", "clipping", "penalty"}
    assert {run.gen_iters for run in runs} == {200_000}


def test_the_two_kinds_are_apart_and_refer_to_what_there_is():
    assert len(OTHERS) == len(budgets.not_implemented())
    assert not set(OTHERS) & set(baselines.names())
    assert set(budgets.implemented()) <= set(baselines.names())


def test_rows_are_complete():
    for run in OTHERS.values():
        assert run.paper in claims.papers()
        assert run.name.split("/")[0] in {name.split("/")[0] for name in baselines.names()}
        assert run.where
        assert run.confidence in ("high", "medium", "low")
        for text in (run.title, run.arithmetic, run.source):
            assert isinstance(text, str)
            assert text.strip()
        if run.gen_iters is None:
            assert re.match("not (printed|known)", run.arithmetic)
        else:
            assert type(run.gen_iters) is int
            assert (run.gen_iters == 0) == bool(re.match("no (training|generator)", run.arithmetic))


def test_arithmetic_of_epochs_comes_out():
    """`E epochs … × ⌈N / B⌉ = minibatches`, of which a network gets all or every other one."""
    checked = []
    for name, gen_iters, text in stated():
        found = re.match(r"(\d+) epochs?[^×]*× ⌈([\d ]+) / (\d+)⌉(?: = ([\d ]+) (\w+))?", text)
        if not found or "schedule" in text:
            continue
        epochs, images, batch, total, _ = found.groups()
        minibatches = int(epochs) * math.ceil(number(images) / int(batch))
        assert total is None or number(total) == minibatches, name
        every_other = "every other one" in text
        assert gen_iters == (math.ceil(minibatches / 2) if every_other else minibatches), name
        checked.append(name)
    assert {"gan/tfd", "dcgan/faces64", "dcgan/imagenet32", "dcgan/lsun64-1-epoch"} <= set(checked)


@pytest.mark.parametrize("name", ["wgan/lsun64-main-default", "wgan/cifar10-main-default"])
def test_the_released_wgan_script_ends_where_its_control_flow_ends(name):
    """Critic steps are 100 or 5 to a G step, and end with the data of an epoch: main.py."""
    run = OTHERS[name]
    found = re.match(r"(\d+) epochs × ⌈([\d ]+) / (\d+)⌉ = ([\d ]+) critic", run.arithmetic)
    epochs, images, batch, total = (number(x) for x in found.groups())
    gen_iters = critic_updates = 0
    for _ in range(epochs):
        left = math.ceil(images / batch)
        while left:
            steps = min(left, 100 if gen_iters < 25 or gen_iters % 500 == 0 else 5)
            left -= steps
            critic_updates += steps
            gen_iters += 1
    assert (gen_iters, critic_updates) == (run.gen_iters, total)


def test_products_come_out():
    (found,) = {run.arithmetic for run in OTHERS.values() if re.fullmatch(r"[\d ]+ × [\d ]+", run.arithmetic)}
    rows = [run for run in OTHERS.values() if run.arithmetic == found]
    assert {run.gen_iters for run in rows} == {math.prod(map(number, found.split(" × ")))}
    # Twice the budget of the rows without "2x".
    assert baselines.described("sngan/stl10-cnn")["budget"]["gen_iters"] * 2 == rows[0].gen_iters
