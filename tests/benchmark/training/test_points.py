"""Experiments whose data are points that are drawn: trained, resumed and pictured without a data set."""

import dataclasses
import time

import numpy as np
import pytest
import torch
from PIL import Image

import baselines
from baselines.spec import SUITE
from benchmark import data
from benchmark.errors import UserError
from benchmark.evaluation import protocols
from benchmark.evaluation.evaluator import Evaluator
from benchmark.suites import Suite, plan
from benchmark.training import sampling
from benchmark.training.draws import SeededDraws
from benchmark.training.trainer import Trainer

TOY = baselines.get("wgan_gp/toy-8gaussians")
NARROW = dataclasses.replace(
    TOY, settings=TOY.settings.revised(width=(16, "test", SUITE), batch=(32, "test", SUITE))
)
NONE = data.load("8gaussians", "train")


class Silent:
    def progress(self, phase, gen_iters):
        pass

    def event(self, name, **details):
        pass


def trainer(folder, budget=6):
    folder.mkdir(exist_ok=True)
    return Trainer(
        NARROW,
        seed=3,
        budget=budget,
        evaluate_at=[0, 3, 6],
        images=NONE,
        evaluator=None,
        directory=folder,
        watcher=Silent(),
        started=time.perf_counter(),
    )


def test_stopped_and_resumed_is_the_uninterrupted_run(tmp_path, bits_of, never, stop_after):
    whole = trainer(tmp_path / "whole")
    assert whole.run(never) == "done"
    for stop_at in (2, 5):
        part = trainer(tmp_path / "parted")
        assert part.run(stop_after(part, stop_at)) == "stopped"
    parted = trainer(tmp_path / "parted")
    assert parted.run(never) == "done"
    assert bits_of(parted) == bits_of(whole)
    assert parted.state.samples == whole.state.samples
    assert len(set(whole.state.samples.values())) == 3
    assert whole.state.images_seen == 0
    assert [point["scores"] for point in whole.state.curve] == [{}, {}, {}]


def test_a_picture_in_between_changes_no_draw(tmp_path, bits_of, never):
    pictured, unseen = trainer(tmp_path / "a"), trainer(tmp_path / "b")
    unseen.evaluate_at = []
    pictured.run(never)
    unseen.run(never)
    assert bits_of(pictured).tensors == bits_of(unseen).tensors


def test_a_picture_has_generated_points_over_real_ones_where_they_are(tmp_path):
    real, generated = torch.tensor([[0.0, 0.0], [-2.9, 2.9]]), torch.tensor([[0.0, 0.0], [1.5, -1.5], [4, 0]])
    sampling.save_scatter(generated, real, (-3.0, 3.0), tmp_path / "points.png")
    pixels = np.asarray(Image.open(tmp_path / "points.png"))
    blue, orange, white = (pixels[200 - 1, 200], pixels[6, 6], pixels[0, 399])
    assert blue[2] > blue[0]
    assert orange[0] > orange[2]
    assert (white == 255).all()
    dark = np.argwhere((pixels == blue).all(2))
    assert dark.max(0).tolist() == [299, 301]  # (1.5, -1.5): row and column
    assert len(dark) == 8  # two dots of four pixels; the third lies outside


def test_real_points_are_those_of_the_data():
    points = sampling.real_points(TOY, SeededDraws(TOY, 0, NONE))
    assert points.shape == (sampling.POINTS, 2)
    radius = points.norm(dim=1) * 1.414  # eight centres on a circle of radius 2
    assert (radius - 2).abs().max() < 0.15


def test_an_experiment_that_asks_for_images_does_not_get_points():
    with pytest.raises(ValueError, match="asks for images, but its data are drawn"):
        SeededDraws(TOY, 0, NONE).images()
    with pytest.raises(ValueError, match="from 0 images"):
        SeededDraws(baselines.get("gan/digits"), 0, NONE)


@pytest.mark.parametrize("name", ["8gaussians", "25gaussians", "swissroll"])
def test_the_data_need_nothing_and_are_known(name):
    assert data.is_ready(name)
    assert data.check(name) == data.info(name).digest
    assert len(data.load(name, "train")) == len(data.load_labels(name, "held-out")) == 0
    assert len({data.info(other).digest for other in ("8gaussians", "25gaussians", "swissroll")}) == 3


def test_plans_have_them_without_scores_and_for_their_own_experiments(tmp_path):
    suite = Suite("toys", "", (TOY.name,), (0,), 5, 5, ())
    (run,) = plan.plan(suite, tmp_path, "cpu")
    assert run.spec["protocols"] == []
    assert run.spec["dataset"]["digest"] == data.info("8gaussians").digest
    with pytest.raises(UserError, match="scores images, '8gaussians' are points"):
        plan.plan(dataclasses.replace(suite, protocols=("digits-2k",)), tmp_path, "cpu")
    for experiment, dataset in ((TOY.name, "swissroll"), ("gan/digits", "swissroll")):
        other = dataclasses.replace(suite, experiments=(experiment,), dataset=dataset)
        with pytest.raises(UserError, match="its points are drawn by its own experiments"):
            plan.plan(other, tmp_path, "cpu")
    with pytest.raises(UserError, match="are points of the plane"):
        Evaluator([protocols.get("digits-2k")], "swissroll")
