"""The manifest of docs/kubernetes.yaml is a RayJob, and what it runs is a command of ganbench."""

import copy
import json
import re
import shlex
from pathlib import Path

import click
import jsonschema
import pytest
import yaml

from benchmark.cli import cli

ROOT = Path(__file__).parents[2]
MANIFEST = yaml.safe_load((ROOT / "docs" / "kubernetes.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads(Path(__file__).with_name("rayjob.schema.json").read_text(encoding="utf-8"))
CLUSTER = ("spec", "rayClusterSpec")
WORKERS = (*CLUSTER, "workerGroupSpecs", 0)


def changed(path, value):
    """The manifest with another value at a path; without it for None."""
    manifest = copy.deepcopy(MANIFEST)
    *way, last = path
    place = manifest
    for key in way:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return manifest


def test_it_fits_the_schema_of_kuberay():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(MANIFEST, SCHEMA)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "backoffLimits"), 3),
        (("spec", "backoffLimit"), "3"),
        (("spec", "submissionMode"), "SSHMode"),
        ((*CLUSTER, "headGroupSpec"), None),
        ((*CLUSTER, "headGroupSpec", "rayStartParams"), {"num-cpus": 0}),
        ((*WORKERS, "groupName"), None),
        ((*WORKERS, "template", "spec", "containers"), None),
        ((*WORKERS, "template", "spec", "containers", 0, "resources", "limits", "memory"), "16 GB"),
    ],
)
def test_a_mistake_does_not(path, value):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed(path, value), SCHEMA)


def test_results_outlive_the_cluster():
    head = MANIFEST["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    mounted = {mount["name"]: mount["mountPath"] for mount in head["containers"][0]["volumeMounts"]}
    kept = [volume["name"] for volume in head["volumes"] if "persistentVolumeClaim" in volume]
    words = shlex.split(MANIFEST["spec"]["entrypoint"])
    assert words[words.index("--out") + 1] in [mounted[name] for name in kept]


def test_head_and_workers_are_alike():
    cluster = MANIFEST["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    images = {container["image"] for g in groups for container in g["template"]["spec"]["containers"]}
    assert len(images) == 1


RUN = cli.get_command(click.Context(cli), "run")


def test_the_command_is_one_and_the_cluster_has_the_tested_ray():
    program, verb, *words = shlex.split(MANIFEST["spec"]["entrypoint"])
    assert (program, verb) == ("ganbench", "run")
    assert RUN.make_context(verb, words).params["engine_name"] == "ray"
    pinned = re.search(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert MANIFEST["spec"]["rayClusterSpec"]["rayVersion"] == pinned[1]
