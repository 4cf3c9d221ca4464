"""What the workflow files promise: nothing from outside becomes code, no fork gets a GPU, commands exist."""

import configparser
import itertools
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from benchmark.cli import cli

ROOT = Path(__file__).parents[2]
OURS = ("gpu-regression.yml", "nightly.yml")
STRICT = (*OURS, "framework.yml")


def scripts(workflow):
    """(job, step, script) of every step that is a script."""
    for job, content in workflow["jobs"].items():
        for step in content["steps"]:
            if "run" in step:
                yield job, step.get("name", ""), step["run"]


def commands(text):
    """Every ganbench command in a shell text, as arguments."""
    joined = text.replace("\\\n", " ")
    return [shlex.split(found, comments=True)[1:] for found in re.findall(r"ganbench [^|&;>\n]*", joined)]


@pytest.mark.parametrize("name", STRICT)
def test_scripts_get_values_through_the_environment_only(name, workflows):
    for job, step, script in scripts(workflows[name]):
        assert "${{" not in script, (job, step)
    for job in workflows[name]["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("with", {}).get("script", "")


@pytest.mark.parametrize("name", STRICT)
def test_actions_are_pinned_to_commits(name, workflows):
    used = [
        step["uses"] for job in workflows[name]["jobs"].values() for step in job["steps"] if "uses" in step
    ]
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action), action
    text = (ROOT / ".github" / "workflows" / name).read_text()
    assert len(re.findall(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", text, re.MULTILINE)) == len(used)


@pytest.mark.parametrize("name", STRICT)
def test_rights_are_read_only_but_for_jobs_without_code(name, workflows):
    workflow = workflows[name]
    assert workflow["permissions"] == {"contents": "read"}
    for job, content in workflow["jobs"].items():
        if "permissions" in content:
            assert list(content["permissions"].values()) == ["write"], job
            assert not any("run" in step or "checkout" in step["uses"] for step in content["steps"]), job
        for step in content["steps"]:
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", OURS)
def test_jobs_end_wait_and_keep_their_artifacts(name, workflows):
    workflow = workflows[name]
    assert workflow["concurrency"] == {"group": "gpu", "cancel-in-progress": False, "queue": "max"}
    for content in workflow["jobs"].values():
        assert content["timeout-minutes"] <= 600
        for step in content["steps"]:
            if "upload-artifact" in step.get("uses", ""):
                assert step["if"] == "always()"
                assert "!out/**/checkpoints/**" in step["with"]["path"] or step["with"]["path"] == "gate/"


def test_forks_and_other_labels_never_reach_the_gpu(workflows):
    workflow = workflows["gpu-regression.yml"]
    triggers = workflow[True]
    assert triggers["pull_request"] == {"types": ["labeled"]}
    assert set(triggers) == {"pull_request", "workflow_dispatch"}
    condition = workflow["jobs"]["train"]["if"]
    assert "github.event.label.name == 'gpu'" in condition
    assert "github.event.pull_request.head.repo.full_name == github.repository" in condition
    assert set(workflows["nightly.yml"][True]) == {"schedule", "workflow_dispatch"}


def test_every_version_of_the_framework_is_probed_and_none_is_required(workflows):
    workflow = workflows["framework.yml"]
    assert set(workflow[True]) == {"schedule", "workflow_dispatch"}
    job = workflow["jobs"]["probe"]
    assert job["continue-on-error"] is True
    assert job["strategy"]["fail-fast"] is False
    (install,) = [script for _, step, script in scripts(workflow) if step == "Install"]
    versions = [row["torch"] for row in job["strategy"]["matrix"]["include"]]
    assert versions == ["lowest", "newest", "nightly"]
    assert all(re.search(rf"^ *{version}\)", install, re.MULTILINE) for version in versions)
    (upload,) = [step for step in job["steps"] if "upload-artifact" in step.get("uses", "")]
    assert upload["if"] == "always()"


def test_the_machine_is_looked_at_before_anything_is_computed(workflows):
    for name in OURS:
        steps = [step for _, step, _ in scripts({"jobs": {"train": workflows[name]["jobs"]["train"]}})]
        assert steps.index("Machine") < steps.index("Data and weights") < steps.index("Train")


@pytest.mark.parametrize("name", [*STRICT, "ci.yml", "docs/ci.md"])
def test_every_command_exists_with_its_options(name, workflows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name.endswith(".md"):
        texts = re.findall(r"```(?:sh|yaml)?\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
    else:
        texts = [script for _, _, script in scripts(workflows[name])]
    found = [arguments for text in texts for arguments in commands(text)]
    assert found
    for arguments in found:
        verb, *rest = arguments
        for option, value in itertools.pairwise(rest):
            if option == "--from":
                (tmp_path / value).mkdir(exist_ok=True)
        command = cli.get_command(click.Context(cli), verb)
        command.make_context(verb, [part.replace("$DEVICE", "cpu") for part in rest], resilient_parsing=False)


def test_other_libraries_and_trackers_are_there_in_their_own_job(workflows):
    """What tests would be skipped without is imported first, in the versions of docs/metrics.md."""
    assert [s for job, _, s in scripts(workflows["ci.yml"]) if job == "others"] == [
        "pip install tox && tox -e others"
    ]
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    env = tox["testenv:others"]
    tests = [ROOT / part for part in env["commands"].split() if part.startswith("tests/")]
    files = [file for path in tests for file in ([path] if path.is_file() else sorted(path.glob("*.py")))]
    needed = {
        name
        for file in files
        for name in re.findall(r'importorskip\("(\w+)', file.read_text(encoding="utf-8"))
    }
    imported = re.search(r'"import (.*)"', env["commands"])[1].split(", ")
    assert needed == set(imported[1:])
    table = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    pins = env["deps"].split()
    assert len(pins) == 3
    assert all(f"| {pin.replace('==', ' ')} |" in table for pin in pins)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_a_comment_cannot_carry_what_the_pull_request_likes(workflows, tmp_path):
    """The sticky comment's script, with GitHub replaced by a list."""
    script = workflows["gpu-regression.yml"]["jobs"]["comment"]["steps"][-1]["with"]["script"]
    (tmp_path / "gate").mkdir()
    evil = "<!-- ganbench:other --> <img src=x> ![x](http://x/y.png) @everyone\n" + "x" * 100_000
    (tmp_path / "gate" / "summary.md").write_text(evil)
    harness = """
    const comments = JSON.parse(process.argv[1]);
    const calls = [];
    const record = kind => given => { calls.push([kind, given]); };
    const github = {paginate: async () => comments, rest: {issues: {
      listComments: 0, updateComment: record('update'), createComment: record('create')}}};
    const context = {serverUrl: 'https://x', repo: {owner: 'o', repo: 'r'}, runId: 5,
      payload: {pull_request: {number: 7}}};
    (async () => { SCRIPT; console.log(JSON.stringify(calls)); })();
    """.replace("SCRIPT", script)

    def run(comments):
        done = subprocess.run(
            ["node", "-e", harness, json.dumps(comments)],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "SUITE": "ci-gpu"},
            capture_output=True,
            text=True,
            check=True,
        )
        ((kind, given),) = json.loads(done.stdout)
        return kind, given

    kind, given = run([])
    assert (kind, given["issue_number"]) == ("create", 7)
    body = given["body"]
    assert body.startswith("<!-- ganbench:ci-gpu -->\n")
    assert body.count("<") == 1
    assert "![" not in body
    assert "@everyone" not in body
    assert len(body) < 65_536
    mine = {"id": 3, "user": {"type": "Bot"}, "body": "<!-- ganbench:ci-gpu -->\nold"}
    forged = {"id": 2, "user": {"type": "User"}, "body": "<!-- ganbench:ci-gpu -->\nforged"}
    assert run([forged, mine])[1]["comment_id"] == 3
    assert run([forged])[0] == "create"


def test_a_command_that_does_not_exist_would_be_seen():
    assert commands("ganbench check x || true\nfoo; ganbench run \\\n y --out o")[1] == [
        "run",
        "y",
        "--out",
        "o",
    ]
    assert CliRunner().invoke(cli, ["no-such-verb"]).exit_code != 0
