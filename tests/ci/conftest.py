"""The workflows in .github/workflows, as data and performed step by step on this machine."""

import fnmatch
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
NOT_REHEARSED = ("Install", "Data and weights")
"""Steps that need the network; everything else that is a script is run as it stands in the file."""
NOTHING_TO_DO = ("actions/checkout", "actions/setup-python", "actions/github-script")


@dataclass
class Done:
    """What came of a job: its steps' output by name, and whether one failed."""

    output: dict = field(default_factory=dict)
    codes: dict = field(default_factory=dict)
    variables: dict = field(default_factory=dict)
    summary: str = ""

    @property
    def failed(self):
        return any(self.codes.values())


class Runner:
    """Performs the jobs of a workflow in `folder`: one workspace per job, artifacts beside them."""

    def __init__(self, workflow, folder):
        self.workflow, self.folder = workflow, folder
        self.artifacts = folder / "artifacts"
        tools = folder / "tools"
        tools.mkdir(parents=True)
        fake = tools / "nvidia-smi"
        fake.write_text("#!/bin/sh\necho 'no GPU: a rehearsal'\n")
        fake.chmod(0o755)
        self.path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])

    def perform(self, job, workspace, values, matrix=None):
        """Run a job's steps; `values` has to name every variable that the file sets by an expression."""
        content = self.workflow["jobs"][job]
        env = {**self.workflow.get("env", {}), **content.get("env", {})}
        computed = {name for name, value in env.items() if "${{" in str(value)}
        assert computed <= set(values), f"not given: {computed - set(values)}"
        env = {**env, **{name: value for name, value in values.items() if name in env}}
        done = Done()
        for step in content["steps"]:
            if done.failed and "always()" not in str(step.get("if", "")):
                continue
            if "run" in step:
                if step["name"] not in NOT_REHEARSED:
                    self._script(step, workspace, {**env, **done.variables}, done)
            elif step["uses"].split("@")[0] not in NOTHING_TO_DO:
                self._artifact(step, workspace, matrix or {})
        return done

    def _script(self, step, workspace, env, done):
        files = {
            name: self.folder / name.lower()
            for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
        }
        for path in files.values():
            path.write_text("")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("GANBENCH", "GITHUB"))}
        found = subprocess.run(
            ["bash", "-e", "-c", step["run"]],  # as a runner does it
            cwd=workspace,
            env={**clean, **env, "PATH": self.path, "CI": "true", **{k: str(v) for k, v in files.items()}},
            capture_output=True,
            text=True,
            check=False,
        )
        done.codes[step["name"]] = found.returncode
        done.output[step["name"]] = found.stdout + found.stderr
        done.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        for name in ("GITHUB_ENV", "GITHUB_OUTPUT"):
            done.variables |= dict(line.split("=", 1) for line in files[name].read_text().splitlines())

    def _artifact(self, step, workspace, matrix):
        action, given = step["uses"].split("@")[0], step["with"]
        if action == "actions/upload-artifact":
            name = given["name"]
            for key, value in matrix.items():
                name = name.replace("${{ matrix." + key + " }}", value)
            upload(workspace, given["path"], self.artifacts / name, overwrite=given.get("overwrite", False))
        elif action == "actions/download-artifact":
            assert given.get("name") or given["merge-multiple"]
            pattern = given.get("name") or given["pattern"]
            for folder in sorted(self.artifacts.iterdir()):
                if fnmatch.fnmatchcase(folder.name, pattern):
                    shutil.copytree(folder, workspace / given["path"], dirs_exist_ok=True)
        else:
            raise AssertionError(f"the rehearsal does not know {action}")


def upload(workspace, patterns, to, *, overwrite):
    """A folder without hidden files, less what the `!` patterns match; it becomes the artifact's root."""
    folder, *excluded = patterns.split()
    assert all(pattern.startswith("!") for pattern in excluded)
    assert overwrite or not to.exists(), f"artifact {to.name} exists"
    root = workspace / folder
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(workspace)
        hidden = any(part.startswith(".") for part in relative.parts)
        if path.is_file() and not hidden and not any(matches(relative, p[1:]) for p in excluded):
            target = to / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


def matches(relative, pattern):
    """Whether a path matches a pattern with `**` for any folders."""
    parts, wanted = relative.parts, Path(pattern).parts

    def from_(i, j):
        if j == len(wanted):
            return i == len(parts)
        if wanted[j] == "**":
            return any(from_(k, j + 1) for k in range(i, len(parts) + 1))
        return i < len(parts) and fnmatch.fnmatchcase(parts[i], wanted[j]) and from_(i + 1, j + 1)

    return from_(0, 0)


def read(name):
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def workflows():
    """File name → content; YAML reads the key `on` as True."""
    return {path.name: read(path.name) for path in sorted(FOLDER.glob("*.yml"))}


@pytest.fixture
def runner(tmp_path):
    return lambda name: Runner(read(name), tmp_path / "runner")
