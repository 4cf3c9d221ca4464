"""`ganbench losses` on runs whose curves are known: what it says, draws, writes and refuses."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import baselines
from benchmark import cli
from benchmark.evaluation import loss_curves, protocols
from benchmark.records import loss_file
from benchmark.records.cells import group
from benchmark.records.loaded import LoadedRecord
from benchmark.records.record import sealed
from benchmark.report import losses as section

ACCEPTED = Path(__file__).parents[3] / "results" / "reference" / "quick.json"
TEMPLATE = json.loads(ACCEPTED.read_text(encoding="utf-8"))["records"][0]
"""An accepted record, of which tests change what they are about."""
FALLING = -np.linspace(3, 1, 300, dtype=np.float32)
"""A critic's loss whose negative, the Wasserstein estimate, falls from 3 to 1."""


@pytest.fixture
def made(tmp_path):
    """A finished run's folder: losses per G-iteration, FID at some shares of them."""

    def make(
        critic=FALLING, experiment="wgan/digits", fids=((1 / 3, 90.0), (2 / 3, 50.0), (1, 20.0)), seed=0
    ):
        folder = tmp_path / "runs" / experiment / f"{seed}"
        folder.mkdir(parents=True)
        columns = {"critic": critic, "generator": np.ones_like(critic)}
        loss_file.write(folder, columns)
        curve = [
            {
                **TEMPLATE["curve"][-1],
                "gen_iters": round(share * len(critic)),
                "losses": {"critic": 0.5},
                "scores": {"digits-2k": {"is": 1.0, "fid": fid}},
            }
            for share, fid in fids
        ]
        described = baselines.described(experiment)
        same = {"seed": seed, "gen_iters": len(critic)}
        record = {
            **TEMPLATE,
            **same,
            "experiment": experiment,
            "baseline": described["baseline"],
            "run_id": f"{seed:064}",
            "curve": curve,
            "final": {"gen_iters": len(critic), "scores": curve[-1]["scores"]},
            "digests": {**TEMPLATE["digests"], "losses": loss_file.digest(columns)},
            "spec": {
                **TEMPLATE["spec"],
                **same,
                "experiment": described,
                "protocols": [protocols.get("digits-2k").as_dict()],
            },
        }
        (folder / "record.json").write_text(json.dumps(sealed(record)))
        return folder

    return make


@pytest.fixture
def losses(capsys):
    """Exit code, stdout and stderr of `ganbench losses …`."""

    def call(*words):
        with pytest.raises(SystemExit) as exit_:
            cli.main(["losses", *map(str, words)])
        out, err = capsys.readouterr()
        return exit_.value.code, out, err

    return call


def test_what_the_paper_claims_holds_here(made, losses):
    code, out, _ = losses(made(), "--json")
    (said,) = json.loads(out)
    assert code == 0
    assert said["curve"] == "Wasserstein estimate"
    assert said["filter_gen_iters"] == loss_curves.FILTER_WIDTH
    assert said["rank_correlations"]["FID (digits-2k)"] == {"rho": pytest.approx(1.0), "n": 3}
    assert said["rank_correlations"]["IS (digits-2k)"] == {"rho": None, "n": 3}  # IS is constant
    # The first filtered value is the median of 51 points of a straight line, its 26th.
    assert said["start"] == pytest.approx(-FALLING[25])
    assert said["end"] == pytest.approx(-FALLING[-26])


def test_without_a_filter_values_are_the_losses(made, losses):
    (said,) = json.loads(losses(made(), "--json", "--filter", "1")[1])
    assert (said["start"], said["end"]) == (pytest.approx(3.0), pytest.approx(1.0))


@pytest.mark.parametrize(
    ("experiment", "curve"), [("gan/digits", "JS lower bound"), ("sngan/digits", "critic loss")]
)
def test_every_loss_is_called_what_it_is(experiment, curve, made, losses):
    code, out, _ = losses(made(np.full(150, np.log(2), np.float32), experiment))
    assert code == 0
    assert curve in out
    assert ("estimates neither" in out) == (curve == "critic loss")


def test_pictures_and_tables(made, losses, tmp_path):
    runs = [made(seed=0), made(seed=1), made(np.full(150, 0.6, np.float32), "gan/digits")]
    figure, table = tmp_path / "figure.svg", tmp_path / "all.csv"
    assert losses(*runs, "--out", figure)[0] == 0
    svg = figure.read_text()
    assert svg.startswith("<?xml")
    assert losses(tmp_path / "runs", "--out", table)[0] == 0  # all below a folder
    again = tmp_path / "AGAIN.CSV"
    assert losses(tmp_path / "runs", *runs, "--out", again)[0] == 0  # in two ways
    assert sorted(again.read_text().splitlines()) == sorted(table.read_text().splitlines())
    frame = pd.read_csv(table)
    assert len(frame) == 300 + 300 + 150
    own = frame[(frame.experiment == "wgan/digits") & (frame.seed == 1)]
    assert own.gen_iters.tolist() == list(range(1, 301))
    assert own.critic.to_numpy() == pytest.approx(FALLING, rel=1e-6)


def test_altered_losses_are_refused(made, losses):
    folder = made()
    loss_file.write(folder, {"critic": FALLING + 1, "generator": np.ones_like(FALLING)})
    code, _, err = losses(folder)
    assert code == 2
    assert "was altered" in err
    (folder / loss_file.NAME).unlink()
    assert "is missing" in losses(folder)[2]


def test_usage(made, losses, tmp_path):
    run = made()
    assert losses(tmp_path / "nowhere")[0] == 4
    assert losses(run, "--filter", "100")[0] == 2
    assert losses(run, "--filter", str(10**9 + 1))[0] == 2  # its window is kept in memory
    for name, what in (("a.pdf", "unknown kind"), ("no/a.svg", "no such folder")):
        code, _, err = losses(run, "--out", tmp_path / name)
        assert code == 2
        assert what in err
    (tmp_path / "there.svg").touch()
    assert "exists already" in losses(run, "--out", tmp_path / "there.svg")[2]
    assert losses(run, "--out", tmp_path / "there.svg", "--force")[0] == 0


def test_the_report_has_the_same_curves_and_correlation(made):
    folders = [made(seed=0), made(seed=1)]
    loaded = [LoadedRecord(json.loads((f / "record.json").read_text()), f) for f in folders]
    (cell,) = group(loaded).cells
    found = section.losses([(cell, "stem")])
    assert found.notes == ()
    assert "Wasserstein estimate" in found.figures[0].svg
    (row,) = found.table.rows
    assert row.cells[0] == "wgan/digits"
    assert row.cells[-3:] == ("+1.00", "+1.00, +1.00", "3")


def test_the_report_says_why_curves_are_coarse(made):
    folder = made()
    (folder / loss_file.NAME).unlink()
    loaded = [LoadedRecord(json.loads((folder / "record.json").read_text()), folder)]
    found = section.losses([(group(loaded).cells[0], "stem")])
    assert "losses.safetensors is missing" in found.notes[0]
    assert found.table is None
    assert loss_curves.FILTER_WIDTH == 101


def test_a_run_without_a_g_iteration_has_no_loss(made, losses):
    folder = made()
    loss_file.write(folder, {})
    content = json.loads((folder / "record.json").read_text())
    curve = [{**content["curve"][-1], "gen_iters": 0, "losses": None}]
    content |= {
        "gen_iters": 0,
        "curve": curve,
        "first_losses": [],
        "spec": {**content["spec"], "gen_iters": 0},
    }
    content["final"]["gen_iters"] = 0
    content["digests"]["losses"] = loss_file.digest({})
    (folder / "record.json").write_text(json.dumps(sealed(content)))
    code, _, err = losses(folder)
    assert (code, "the run has no G-iteration, so no loss" in err) == (4, True)
