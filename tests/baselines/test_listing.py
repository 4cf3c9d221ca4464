"""The algorithm as an appendix prints it: everything the papers say about an iteration, and no plumbing."""

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


def test_a_comment_or_a_text_at_the_margin_is_no_reason_to_list_nothing():
    def outer():
        def inner():
            """A text
            that reaches the margin."""
            # So does a comment.
            return outer

        return inner

    assert "return outer" in listing(outer())


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
