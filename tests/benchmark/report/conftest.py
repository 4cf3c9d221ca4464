"""Synthetic records shaped like the real ones: plausible curves, PNG grids, divergence, hostile names."""

import hashlib
import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from benchmark.report import LoadedRecord, MissingRun

PROTOCOL: dict[str, Any] = {
    "name": "digits-2k",
    "title": "IS and FID on LeNet features",
    "extractor": "digits-lenet",
    "metrics": ["is", "fid"],
    "n_generated": 2000,
    "n_reference": 1000,
    "reference_split": "held-out",
    "isc_splits": 10,
    "image_size": 28,
    "quantisation": "round",
    "comparable_with_papers": False,
    "note": "Its features come from a small network trained on digits.",
    "weights_digest": "ab" * 32,
}
PAPERS = {
    "gan": ("Generative Adversarial Networks", "Goodfellow et al. 2014", 26.0),
    "dcgan": ("DCGAN", "Radford et al. 2016", 12.0),
    "wgan": ("Wasserstein GAN", "Arjovsky et al. 2017", 40.0),
    "wgan_gp": ("Improved Training of Wasserstein GANs", "Gulrajani et al. 2017", 9.0),
    "sngan": ("Spectral Normalization for GANs", "Miyato et al. 2018", 7.0),
}
HOSTILE = 'evil/<script>alert("x")</script>_50%_&_$x$|`#{}'
ENV_A, ENV_B = "e" * 64, "f" * 64


def digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def curve(baseline: str, seed: int, budget: int, last: int, protocols: list[str]) -> list[dict[str, Any]]:
    rng = random.Random(f"{baseline}-{seed}")
    floor = PAPERS.get(baseline, ("", "", 20.0))[2] * (1 + 0.12 * rng.uniform(-1, 1))
    points = []
    for k in range(0, last + 1, budget // 6):
        left = 0.5 ** (6 * k / budget * 1.3)
        fid = floor + (310 - floor) * left + rng.uniform(-0.5, 0.5)
        scores = {"is": 9.6 - 7.5 * (fid / 318) ** 0.6, "fid": fid}
        points.append(
            {
                "gen_iters": k,
                "critic_updates": 5 * k,
                "images_seen": 320 * k,
                "wall_s": 0.9 + 0.1 * k,
                "scores": {name: dict(scores) for name in protocols},
                "losses": None
                if k == 0
                else {
                    "critic": -8 * left + rng.uniform(-0.3, 0.3),
                    "generator": 0.5 + left + rng.uniform(-0.1, 0.1),
                },
            }
        )
    return points


def make_record(
    experiment: str = "gan/digits",
    seed: int = 0,
    *,
    budget: int = 300,
    diverged_at: int | None = None,
    protocols: tuple[dict[str, Any], ...] = (PROTOCOL,),
    env_id: str = ENV_A,
    settings: dict[str, Any] | None = None,
    sources: str = "1" * 64,
) -> dict[str, Any]:
    baseline = experiment.split("/")[0]
    title, paper, _ = PAPERS.get(baseline, ("Some method", "Nobody 2020", 20.0))
    settings = settings or {
        "learning_rate": {"value": 2e-4, "source": "section 4, Table 2", "confidence": "printed"},
        "batch_size": {"value": 64, "source": "main.lua line 12", "confidence": "released code"},
        "betas": {"value": [0.5, 0.999], "source": "section 4", "confidence": "printed"},
    }
    names = [p["name"] for p in protocols]
    points = curve(baseline, seed, budget, budget if diverged_at is None else diverged_at - 1, names)
    spec = {
        "experiment": {
            "name": experiment,
            "baseline": baseline,
            "title": title,
            "paper": paper,
            "dataset": "digits",
            "headline": True,
            "summary": "G: 100 → 256 → 784, ReLU, tanh. D: 784 → 240 → 1, maxout.",
            "settings": settings,
            "parameters": {"generator": 1234567, "critic": 345678},
            "deviations": [
                {
                    "what": "5 000 digits instead of 60 000",
                    "why": "works offline",
                    "effect": "more overfitting",
                }
            ],
        },
        "dataset": {"name": "digits", "digest": "dd" * 32},
        "evaluate_at": list(range(0, budget + 1, budget // 6)),
        "protocols": [dict(p) for p in protocols],
        "numerics": {"precision": "fp32", "deterministic": True},
        "device": "cpu",
        "sources": {"baselines/x.py": sources},
    }
    cell_id = digest(experiment, budget, protocols, settings)
    done = diverged_at is None
    return {
        "schema_version": 1,
        "status": "done" if done else "diverged",
        "run_id": digest(cell_id, seed, sources),
        "cell_id": cell_id,
        "env_id": env_id,
        "suite": "quick",
        "experiment": experiment,
        "baseline": baseline,
        "seed": seed,
        "gen_iters": budget,
        "spec": spec,
        "curve": points,
        "final": {"gen_iters": budget, "scores": points[-1]["scores"]} if done else None,
        "real_data": {name: {"is": 9.71, "fid": 1.24} for name in names},
        "diverged_at": diverged_at,
        "digests": {"generator_weights": "0", "critic_weights": "0", "losses": "0"},
        "samples": [f"samples/{p['gen_iters']:06d}.png" for p in points],
        "timing": {
            "wall_s": 40.0 + seed,
            "startup_s": 3.0,
            "train_s": 30.0,
            "evaluate_s": 6.0,
            "checkpoint_s": 0.5,
            "sessions": 1,
        },
        "peak_memory_mib": 412.5,
        "provenance": {
            "git": {"sha": "c0ffee" * 6 + "c0ff", "dirty": False, "diff_sha256": None},
            "packages": {"torch": "2.13.0", "torch-fidelity": "0.4.0"},
            "python": "3.11.9",
            "os": "Linux 6.1",
            "cpu": "Some CPU",
            "threads": 1,
            "gpu": None,
            "driver": None,
            "cuda": None,
            "cudnn": None,
            "determinism": {"deterministic_algorithms": True},
            "argv": ["/home/alice/x"],
            "ci": None,
            "host": "secret-host",
            "user": "alice",
            "started_utc": "2031-01-01T00:00:00Z",
            "finished_utc": "2031-01-01T00:01:00Z",
        },
    }


def store(record: dict[str, Any], root: Path, *, grids: bool = True, side: int = 28) -> LoadedRecord:
    directory = (
        root
        / "runs"
        / record["experiment"].replace("<", "(")
        / f"{record['run_id'][:12]}-{record['env_id'][:8]}"
    )
    (directory / "samples").mkdir(parents=True, exist_ok=True)
    if grids:
        rng = random.Random(record["run_id"])
        for name in record["samples"]:
            image = Image.frombytes("L", (side, side), rng.randbytes(side * side))
            image.resize((8 * side, 8 * side), Image.Resampling.BICUBIC).save(directory / name)
    return LoadedRecord(record, directory)


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[LoadedRecord], list[MissingRun]]:
    """Full, hostile in name, with a diverged seed, short of a seed, of one seed, and without any record."""
    root = tmp_path_factory.mktemp("runs")
    plan = {
        "gan/digits": (0, 1, 2),
        "dcgan/digits": (0, 1, 2),
        "wgan/digits": (0, 1),
        HOSTILE: (0, 1, 2),
        "wgan_gp/digits": (0,),
    }
    runs = [
        store(
            make_record(name, seed, diverged_at=151 if (name, seed) == ("dcgan/digits", 1) else None),
            root,
        )
        for name, seeds in plan.items()
        for seed in seeds
    ]
    missing = [
        MissingRun("wgan/digits", 2, "interrupted"),
        MissingRun("sngan/digits", 0, "not run"),
        MissingRun("sngan/digits", 1, "failed: out of memory <b>&"),
    ]
    return runs, missing


RIVALS = {
    # experiment: (protocol, metric, final score per seed, seeds that diverge, changes)
    "sngan/cifar10-cnn": ("fid-5k", "fid", (25.7, 26.0, 26.3), 0, {}),
    "sngan/cifar10-resnet": ("fid-5k", "fid", (17.9, 18.0, 18.1), 0, {}),
    "sngan/cifar10-cnn-bn": ("fid-5k", "fid", (55.5, 58.5, 61.0), 0, {}),
    "sngan/cifar10-cnn-clip": ("fid-5k", "fid", (42.0, 43.0), 1, {}),
    "sngan/cifar10-cnn-ln": ("fid-5k", "fid", (80.0, 81.0, 82.0), 0, {"budget": 6000}),
    "wgan_gp/cifar10-resnet": ("is-50k", "is", (6.9, 6.95, 7.0), 0, {"is_std_over_splits": 0.3}),
    "wgan/cifar10": ("is-1k", "is", (4.0, 4.1, 4.2), 0, {}),
    "wgan_gp/cifar10-cnn": ("is-1k", "is", (5.5, 5.6, 5.7), 0, {}),
    "wgan_gp/cifar10-cnn-rmsprop": ("is-1k", "is", (5.9, 6.0, 6.1), 0, {}),
}
"""Runs on what counts as CIFAR-10, so that the claims of the papers come to verdicts of every kind."""


def make_judged(experiment: str, seed: int) -> dict[str, Any]:
    import baselines
    from benchmark.evaluation import protocols

    name, metric, finals, _, changes = RIVALS[experiment]
    described = baselines.described(experiment)
    budget = changes.get("budget", described["budget"]["gen_iters"])
    protocol = {**protocols.get(name).as_dict(), "metrics": [metric], "weights_digest": "f" * 64}
    diverges = seed >= len(finals)
    record = make_record(
        experiment,
        seed,
        budget=budget,
        diverged_at=budget // 2 if diverges else None,
        protocols=(protocol,),
    )
    target = finals[0] if diverges else finals[seed]
    for point in record["curve"]:
        done = point["gen_iters"] / budget
        value = target * done + (300.0 if metric == "fid" else 1.0) * (1 - done)
        extra = {key: x for key, x in changes.items() if key.startswith("is_std")}
        point["scores"] = {name: {metric: value, **extra}}
    if not diverges:
        record["final"] = {"gen_iters": budget, "scores": record["curve"][-1]["scores"]}
    record["spec"] |= {
        "experiment": described,
        "dataset": {"name": "cifar10", "digest": "c" * 64, "official": True},
    }
    record["real_data"] = {name: {metric: 7.8 if metric == "fid" else 11.24}}
    record["samples"] = []
    return record


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[LoadedRecord], list[MissingRun]]:
    """Verdicts of every kind, orderings of both signs, and an experiment that was not run."""
    runs = [
        LoadedRecord(make_judged(name, seed), tmp_path_factory.getbasetemp() / "nowhere")
        for name, (_, _, finals, diverged, _) in RIVALS.items()
        for seed in range(len(finals) + diverged)
    ]
    return runs, [MissingRun("sngan/cifar10-cnn-wn", seed, "not run") for seed in range(3)]


@pytest.fixture(scope="session")
def build() -> SimpleNamespace:
    """The builders above, for tests that make their own records."""
    return SimpleNamespace(record=make_record, store=store, protocol=PROTOCOL, env_b=ENV_B, hostile=HOSTILE)
