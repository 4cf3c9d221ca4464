"""The small experiments on digits have the papers' settings, but for those that say they are the suite's."""

import pytest

import baselines

PAPER = {
    "gan/digits": "gan/mnist",
    "dcgan/digits": "dcgan/faces64",
    "wgan/digits": "wgan/lsun64",
    "wgan_gp/digits": "wgan_gp/cifar10-cnn",
    "sngan/digits": "sngan/cifar10-cnn",
}
OF_ANOTHER_SCRIPT = {
    ("dcgan/digits", "prior"),
    ("dcgan/digits", "learning_rate"),
    ("wgan/digits", "critic_schedule"),
    ("wgan_gp/digits", "sampling_statistics"),
    ("wgan_gp/digits", "sampling_batch"),
    ("wgan_gp/digits", "scaling"),
}
"""From the released SVHN model, Algorithm 1 and gan_mnist.py: their `source` says so."""


def test_all_of_them_are_compared():
    assert set(PAPER) == {name for name in baselines.names() if name.endswith("/digits")}


@pytest.mark.parametrize(("digits", "paper"), PAPER.items())
def test_settings_are_the_papers_or_the_suites(digits, paper):
    small, full = (baselines.described(name)["settings"] for name in (digits, paper))
    assert small.keys() == full.keys()
    for name, setting in small.items():
        if setting["confidence"] == "suite":
            assert setting["source"].startswith("suite:"), name
            assert setting["value"] != full[name]["value"], name
        elif (digits, name) in OF_ANOTHER_SCRIPT:
            assert setting["value"] != full[name]["value"], name
            assert setting["source"] != full[name]["source"], name
        else:
            assert setting["value"] == full[name]["value"], name
