"""The algorithm as an appendix prints it: everything the papers say about an iteration, and no plumbing."""

import importlib
import sys

import pytest

import baselines
from baselines.listing import listing
from baselines.networks import layer_table, parts


def names_in(text):
    return [line.split("(")[0].removeprefix("def ") for line in text.splitlines() if line.startswith("def ")]


def test_an_iteration_is_listed_with_all_it_calls_of_the_baselines():
    assert names_in(listing(baselines.get("wgan/lsun64").iterate)) == [
        "iterate",
        "critic_steps",
        "critic_step",
        "generator_step",
        "wasserstein_critic_loss",
        "clip",
        "wasserstein_generator_loss",
    ]


def test_losses_chosen_from_a_table_are_listed():
    found = names_in(listing(baselines.get("sngan/cifar10-cnn").iterate))
    assert {"hinge_critic_loss", "hinge_generator_loss", "standard_critic_loss"} <= set(found)
    assert not {"update", "frozen", "set_learning_rate"} & set(found)


INDENTED = """\
class Loop:
    def step(self):
{line}
        return 1
"""


@pytest.mark.parametrize("line", ["# a comment", "        'a text\\\nat the margin'"])
def test_what_stands_at_the_margin_is_no_reason_to_list_nothing(line, tmp_path, monkeypatch):
    """In a file of its own: a formatter would move it here."""
    (tmp_path / "margin.py").write_text(INDENTED.format(line=line))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "margin", raising=False)
    step = importlib.import_module("margin").Loop.step
    monkeypatch.delitem(sys.modules, "margin")
    assert "return 1" in listing(step)


def test_what_a_listing_says_compiles_for_every_experiment():
    for name in baselines.names():
        text = listing(baselines.get(name).iterate)
        compile(text, name, "exec")
        assert "update(" in text or ".step()" in text, name


def test_optimisers_and_initial_weights_are_read_off_the_objects():
    experiment = baselines.get("wgan_gp/digits")
    described = parts(experiment)
    assert described["critic_optimiser"]["class"] == "EpsHatAdam"
    assert "lr 0.0001, betas (0.5, 0.9), eps 1e-08" in described["critic_optimiser"]["values"]
    first = layer_table(experiment)["generator"][0]
    assert first["details"] == "in_features=128, out_features=1024"
    assert abs(first["initial_sd"] / (2 / (128 + 1024)) ** 0.5 - 1) < 0.01  # Glorot
