"""Sealed records of a small suite, without training: what the verbs that judge work on."""

import copy
import json
from pathlib import Path

from benchmark.evaluation import protocols
from benchmark.records import identity, record, store
from benchmark.suites import experiments

SUITE = """\
title = "Two experiments"
experiments = ["gan/digits", "wgan/digits"]
seeds = "0-2"
gen_iters = 40
evaluate_every = 10
protocols = ["digits-2k"]
"""
POINTS = [0, 10, 20, 30, 40]
FIDS = {"gan/digits": (40.0, 41.0, 42.0, 40.5, 41.5), "wgan/digits": (20.0, 20.4, 19.6, 20.2, 19.8)}
GIT = {"sha": "c0ffee", "dirty": False, "diff_sha256": None}


def make_spec(experiment, seed, **changes):
    described = copy.deepcopy(experiments.describe(experiment))
    return {
        "spec_version": 1,
        "suite": "small",
        "experiment": described,
        "dataset": {"name": "digits", "title": "Digits", "digest": "d" * 64},
        "gen_iters": 40,
        "evaluate_at": POINTS,
        "protocols": [protocols.get("digits-2k").as_dict()],
        "numerics": {"precision": "fp32"},
        "device": "cpu",
        "sources": identity.sources(described, {}),
        "seed": seed,
        **changes,
    }


def make_record(
    experiment, seed, fid, *, env="e" * 64, finished="2026-11-01T00:00:00Z", git=GIT, inception=5.0, **spec
):
    """A record whose last evaluations all have this FID; diverged if it is None."""
    spec = make_spec(experiment, seed, **spec)
    done = fid is not None
    names = [protocol["name"] for protocol in spec["protocols"]]
    curve = [
        {
            "gen_iters": at,
            "critic_updates": at,
            "images_seen": at,
            "wall_s": 1.5,
            "scores": {name: {"fid": fid if at else 300.0, "is": inception} for name in names},
            "losses": None,
        }
        for at in (POINTS if done else POINTS[:1])
    ]
    cell = identity.cell_id(spec)
    return record.sealed(
        {
            "schema_version": record.SCHEMA_VERSION,
            "status": "done" if done else "diverged",
            "run_id": identity.run_id(spec),
            "cell_id": cell,
            "env_id": env,
            "suite": spec["suite"],
            "experiment": experiment,
            "baseline": experiment.split("/")[0],
            "seed": seed,
            "gen_iters": spec["gen_iters"],
            "spec": spec,
            "curve": curve,
            "final": {"gen_iters": 40, "scores": curve[-1]["scores"]} if done else None,
            "real_data": {},
            "diverged_at": None if done else 7,
            "digests": {
                "generator_weights": identity.digest([cell, seed, fid]),
                "critic_weights": identity.digest([cell, seed, fid, "critic"]),
                "losses": identity.digest([cell, seed, fid, "losses"]),
                "samples": {},
            },
            "first_losses": [],
            "samples": [],
            "timing": {
                "wall_s": 2.0,
                "startup_s": 0.5,
                "train_s": 1.0,
                "evaluate_s": 0.25,
                "checkpoint_s": 0.125,
            },
            "peak_memory_mib": 1.0,
            "provenance": {
                "git": git,
                "packages": {},
                "environment": {"device": "a synthetic one"},
                "started_utc": finished,
                "finished_utc": finished,
            },
        }
    )


def put(content, out=Path("results")):
    """Where a run of it would have left the record."""
    directory = store.run_directory(out, content["experiment"], content["run_id"], content["env_id"])
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "spec.json").write_text(json.dumps(content["spec"]))
    (directory / "record.json").write_text(json.dumps(content))
    return directory


def put_unfinished(experiment, seed, *, failed="", event="failed", at="", env="e" * 64, out=Path("results")):
    spec = make_spec(experiment, seed)
    directory = store.run_directory(out, experiment, identity.run_id(spec), env)
    directory.mkdir(parents=True)
    (directory / "spec.json").write_text(json.dumps(spec))
    if failed or at:
        line = {"event": event, "reason": failed, **({"utc": at} if at else {})}
        (directory / "events.jsonl").write_text(json.dumps(line) + "\n")
    return directory


def put_all(seeds=range(3), out=Path("results"), plus=0.0, **more):
    """Both experiments; each FID worse by `plus`."""
    return [
        put(make_record(name, seed, FIDS[name][seed] + plus, **more), out) for name in FIDS for seed in seeds
    ]
