"""What a page has one do, done: in a checkout, a home and a virtual environment of its own, offline."""

import os
import re
import shutil
import site
import subprocess
import venv

import numpy as np
from documents import ROOT
from PIL import Image

SMALL = """title = "In place of a suite of this name"
experiments = ["wgan_gp/digits", "sngan/digits"]
seeds = "0-1"
gen_iters = 2
evaluate_every = 2
protocols = ["digits-2k"]
"""


def replaced(text, table):
    for pattern, instead in table.items():
        text = re.sub(pattern, instead, text)
    return text


def pictures(story):
    """A folder of grey images, as many held out as the protocol `digits-2k` takes."""
    for split, n in (("train", 200), ("test", 1000)):
        folder = story.folder / "home" / "pictures" / split
        folder.mkdir(parents=True)
        for i, pixels in enumerate(np.random.default_rng(n).integers(0, 256, (n, 32, 32), dtype=np.uint8)):
            Image.fromarray(pixels).save(folder / f"{i}.png")


def copied(folder):
    """ROOT as it is, without what git ignores."""
    listed = ("git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


class Story:
    """Steps in a checkout of `files`, a home and a virtual environment of their own.

    By patterns, `given` has what is made before a step, and `short` what is typed in its place.
    """

    def __init__(self, folder, files, steps=(), suite="", given=(), short=()):
        self.folder, self.checkout, self.steps = folder, folder / "ganbench", steps
        self.outcomes, self.given, self.short = [], dict(given), dict(short)
        shutil.copytree(files, self.checkout, ignore=shutil.ignore_patterns("runs", "reports"))
        (folder / "home").mkdir()
        (self.checkout / "my-suite.toml").write_text(suite)
        venv.create(folder / "env", symlinks=True)
        (packages,) = folder.glob("env/lib/*/site-packages")
        parents = "".join(f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages())
        (packages / "zz.pth").write_text(f"{self.checkout}\n{parents}")
        scripts = {
            "pip": "-m pip",
            "pytest": "-m pytest",
            "ganbench": "-c 'from benchmark.cli import main; main()'",
        }
        for name, call in scripts.items():
            (script := folder / "env" / "bin" / name).write_text(f'#!/bin/sh\nexec python {call} "$@"\n')
            script.chmod(0o755)

    def environment(self):
        """No network, nothing of ours, and the name that a commit needs."""
        drop = ("GANBENCH", "PYTHON", "PYTEST", "PIP_", "XDG_", "GIT_")
        path = f"{self.folder / 'env' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        home, fonts = str(self.folder / "home"), str(self.folder.parent / "fonts")
        pip = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
        author = {"GIT_AUTHOR_NAME": "reader", "GIT_AUTHOR_EMAIL": "reader"}
        committer = {"GIT_COMMITTER_NAME": "reader", "GIT_COMMITTER_EMAIL": "reader"}
        here = {"PATH": path, "HOME": home, "MPLCONFIGDIR": fonts, "GANBENCH_OFFLINE": "1"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(drop)}
        return {**kept, **pip, **author, **committer, **here, "SLURM_ARRAY_TASK_ID": "1"}

    def call(self, *command):
        """Exit code and output."""
        done = subprocess.run(
            command,
            cwd=self.checkout,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def bash(self, line):
        return self.call("bash", "-o", "pipefail", "-c", line)

    def prepare(self, line):
        code, said = self.bash(line)
        assert code == 0, f"{line}: {said}"

    def do(self, step):
        for pattern in [pattern for pattern in self.given if re.search(pattern, step.text)]:
            make = self.given.pop(pattern)
            make(self) if callable(make) else self.prepare(make)
        text = replaced(step.text, self.short)
        if step.kind == "python":
            return self.call("python", "-c", text)
        if step.kind == "toml":
            whole = text if "experiments = " in text else SMALL + text
            (self.checkout / "page.toml").write_text(whole, encoding="utf-8")
            return self.bash("ganbench plan page.toml")
        return self.bash(text)

    def outcome(self, n):
        """Of the n-th step, after those before it."""
        while len(self.outcomes) <= n:
            self.outcomes.append(self.do(self.steps[len(self.outcomes)]))
        return self.outcomes[n]
