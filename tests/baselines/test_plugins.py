"""A third party's module is somebody's program: what it does when imported, and who it is."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import baselines
from baselines import catalogue, kept, plugins

TINY = (Path(__file__).parent / "plugin" / "tiny_gan.py").read_text(encoding="utf-8")


class Folder:
    """A folder on the path in which distributions are installed, and a cache of its own."""

    def __init__(self, path):
        self.path, self.cache = path / "site", path / "cache"
        self.path.mkdir()

    def install(self, source="", files=None, name="strange"):
        for path, text in (files or {f"{name}.py": source}).items():
            file = self.path / path
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        info = self.path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{baselines.ENTRY_POINT_GROUP}]\npoint = {name}\n")

    @property
    def kept(self):
        (file,) = self.cache.glob("ganbench/plugins/*.json")
        return file


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture
def here(folder, monkeypatch):
    """The folder as part of this process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.cache))
    monkeypatch.syspath_prepend(str(folder.path))
    before = set(sys.modules)
    baselines._found.cache_clear()
    yield folder
    baselines._found.cache_clear()
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder.path)):
            del sys.modules[name]


def ganbench(*arguments, folder, cwd):
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(folder.path), os.environ.get("PYTHONPATH")])),
        "XDG_CACHE_HOME": str(folder.cache),
    }
    command = [sys.executable, "-m", "benchmark", *arguments]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)


# --- Import ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "says"),
    [
        pytest.param("import sys; sys.exit(0)", "SystemExit: 0 (strange.py:1)", marks=pytest.mark.slow),
        pytest.param(
            "import os; os._exit(0)",
            "it ends the process that imports it, exit code 0",
            marks=pytest.mark.slow,
        ),
        ("print('{}'); import os; os.kill(os.getpid(), 9)", "it ends the process that imports it, signal 9"),
    ],
)
def test_no_import_can_make_a_check_pass(folder, tmp_path, source, says):
    folder.install(source)
    done = ganbench("check", "quick", folder=folder, cwd=tmp_path)
    assert done.returncode == 4  # that there are no records, which is what the check itself has to say
    told = f"the plugin 'point' (strange) cannot be loaded and is left out: {says}. Fix or uninstall it"
    assert f"ganbench: {told}" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    done = ganbench("check-baseline", "strange/*", folder=folder, cwd=tmp_path)
    assert done.returncode == 2
    assert f"cannot be loaded, and 'strange/*' may be of it: {says}. Fix or uninstall it" in done.stderr


NO_WORDS = """
class Silent(Exception):
    def __repr__(self):
        raise SystemExit(0)
raise Silent
"""


@pytest.mark.slow
@pytest.mark.parametrize("source", [NO_WORDS, "import sys; sys.stderr = None; raise ValueError"])
def test_errors_without_words_and_streams_taken_away(here, capfd, source):
    here.install(source)
    with pytest.warns(baselines.PluginLeftOut, match=r"left out: (Silent|ValueError) \(strange.py:\d\)"):
        baselines.names()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
def test_processes_that_an_import_leaves_are_not_waited_for(here, tmp_path):
    sleeper = tmp_path / "pid"
    starts = f"open({str(sleeper)!r}, 'w').write(str(subprocess.Popen(['sleep', '100000']).pid))"
    here.install(f"{TINY}\nimport subprocess\n{starts}\n")
    try:
        assert "tiny/digits" in baselines.names()
    finally:
        os.kill(int(sleeper.read_text()), signal.SIGKILL)


def test_an_import_that_goes_elsewhere_moves_nobody(here, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    here.install(TINY + "\nimport os\nos.chdir('/')\n")
    baselines.get("tiny/digits")
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(
    ("turn", "name", "get"),
    [
        ("set_num_threads(1 + torch.get_num_threads())", "torch.set_num_threads", torch.get_num_threads),
        ("set_default_dtype(torch.float64)", "torch.set_default_dtype", torch.get_default_dtype),
        (
            "backends.cudnn.benchmark = True",
            "torch.backends.cudnn.benchmark",
            lambda: torch.backends.cudnn.benchmark,
        ),
    ],
)
def test_switches_that_an_import_turns_are_turned_back_and_named(here, capfd, turn, name, get):
    here.install(f"{TINY}\ntorch.{turn}\n")
    before = get()
    baselines.get("tiny/digits")
    assert get() == before
    told = f"ganbench: the import of the plugin 'point' (strange) changes {name}, which is put back"
    assert told in capfd.readouterr().err.splitlines()


LOUD = """
import os, subprocess
print("python")
os.write(1, b"descriptor\\n")
subprocess.run(["echo", "child"])
"""


def test_what_an_import_prints_is_no_output_of_ours(here, capfd):
    here.install(TINY + LOUD)
    baselines.names()
    baselines.get("tiny/digits")
    printed = capfd.readouterr()
    assert printed.out == ""
    said = [line for line in printed.err.splitlines() if "waiting" not in line]
    assert sorted(said) == sorted(["python", "descriptor", "child"] * 2)


@pytest.mark.slow
def test_whoever_waits_is_told_for_what(here, capfd, monkeypatch):
    monkeypatch.setattr(plugins, "SLOW_S", 0.0)
    here.install(TINY)
    baselines.names()
    assert "still waiting for the import of the plugin 'point' (strange)" in capfd.readouterr().err


def test_an_import_that_fails_only_here_is_named(here):
    here.install(TINY)
    baselines.names()
    (here.path / "strange.py").write_text("import sys; sys.exit(0)")
    with pytest.raises(baselines.BrokenPlugin, match=r"'point' \(strange\) cannot be loaded: SystemExit"):
        baselines.get("tiny/digits")


# --- What is in it --------------------------------------------------------------------------------------


NAMES = (
    "../escaped",
    "/abs",
    "a/../b",
    "a/b/c",
    "a/.b",
    "a/b\n",
    "a/",
    "/",
    "nameless",
    "ä/b",
    "a/" + "b" * 65,
)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_never_a_path_of_its_own(name):
    with pytest.raises(ValueError, match="is no name: baseline/experiment"):
        catalogue.check_name(name)


def test_a_plugin_cannot_choose_where_results_go(here):
    here.install(TINY.replace('name="tiny/digits"', 'name="../escaped"'))
    with pytest.warns(baselines.PluginLeftOut, match=r"'\.\./escaped' is no name: baseline/experiment"):
        assert "../escaped" not in baselines.names()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            ", nn.Flatten(0)\n",
            "\n",
            r"the critic of 'tiny/digits' gives \[2, 1\] for a batch of 2, not \[2\]",
        ),
        pytest.param(
            ", nn.Unflatten(1, shape)\n",
            "\n",
            r"the generator of 'tiny/digits' gives \[2, 784\] for a batch of 2",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "nn.Unflatten(1, shape)",
            "type('Pair', (nn.Module,), {'forward': lambda _, x: (x, x)})()",
            r"'tiny/digits' cannot .*: TypeError: the Sequential gives a tuple, not a tensor",
            marks=pytest.mark.slow,
        ),
        (
            "learning_rate=(1e-3,",
            "learning_rate=(float('nan'),",
            r"'tiny/digits' cannot .*: ValueError: the setting 'learning_rate' is nan, not a finite number",
        ),
    ],
)
def test_networks_of_another_shape_are_told_at_once(here, old, new, says):
    assert old in TINY
    here.install(TINY.replace(old, new))
    with pytest.warns(baselines.PluginLeftOut, match=says):
        assert "tiny/digits" not in baselines.names()
    with pytest.raises(baselines.BrokenPlugin, match=says):
        baselines.get("tiny/digits")


# --- What is left of it -----------------------------------------------------------------------------------

RAISES = "\n\nraise RuntimeError('no licence\\nline two')\n"


@pytest.fixture
def broken(here):
    """A plugin whose import fails; what is said of it is not of interest."""
    here.install(RAISES)
    with pytest.warns(baselines.PluginLeftOut):
        baselines.names()
    return here


@pytest.mark.parametrize(
    "command",
    [
        ["list", "experiments"],
        pytest.param(["plan", "quick", "--device", "cpu"], marks=pytest.mark.slow),
        pytest.param(["new", "foo"], marks=pytest.mark.slow),
    ],
    ids=lambda command: command[0],
)
def test_a_command_that_needs_no_plugin_goes_on_and_says_once_what_is_broken(folder, tmp_path, command):
    good = ganbench(*command, "--folder=a" if command[0] == "new" else "--", folder=folder, cwd=tmp_path)
    folder.install(RAISES)
    done = ganbench(*command, "--folder=b" if command[0] == "new" else "--", folder=folder, cwd=tmp_path)
    assert done.returncode == good.returncode == 0, done.stderr
    if command[0] != "new":
        assert done.stdout == good.stdout
    told = [line for line in done.stderr.splitlines() if "still waiting" not in line]
    assert told == [
        "ganbench: the plugin 'point' (strange) cannot be loaded and is left out: "
        "RuntimeError: no licence line two (strange.py:3). Fix or uninstall it",
        *good.stderr.splitlines(),
    ]


@pytest.mark.slow
def test_neither_settings_of_warnings_nor_the_shell_change_that(folder, tmp_path, monkeypatch):
    folder.install(RAISES)
    for setting in ("error", "ignore"):
        monkeypatch.setenv("PYTHONWARNINGS", setting)
        done = ganbench("show", "gan/digits", folder=folder, cwd=tmp_path)
        assert done.returncode == 0
        assert done.stderr.count("is left out") == 1
    monkeypatch.delenv("PYTHONWARNINGS")
    for name, value in {
        "_GANBENCH_COMPLETE": "bash_complete",
        "COMP_WORDS": "ganbench show gan/di",
        "COMP_CWORD": "2",
    }.items():
        monkeypatch.setenv(name, value)
    done = ganbench(folder=folder, cwd=tmp_path)
    assert "gan/digits" in done.stdout
    assert "left out" not in done.stderr


def test_what_a_baseline_file_has_is_had_without_looking_for_plugins(here, monkeypatch):
    """A worker trains one experiment: it neither waits for a broken plugin nor repeats what is wrong."""
    here.install(RAISES)
    monkeypatch.setattr(plugins, "found", lambda: pytest.fail("plugins were looked for"))
    assert baselines.get("gan/digits").name == "gan/digits"
    assert baselines.sources(baselines.described("gan/digits")["module"])


def test_what_may_be_of_a_broken_plugin_is_not_called_unknown(broken):
    for asked in ("mygan/digits", "mygan/*", "*/mine", "mygan", "mygan/digits+wide"):
        with pytest.raises(
            baselines.BrokenPlugin, match=r"'point' \(strange\) cannot be loaded, and '.*' may be"
        ):
            baselines.check_left_out(asked)
        with pytest.raises(baselines.BrokenPlugin, match=r"no licence line two \(strange.py:3\)"):
            baselines.described(asked)


def test_what_is_of_a_paper_of_ours_is_no_plugins(broken):
    with pytest.raises(baselines.UnknownExperiment):
        baselines.get("gan/mnits")
    baselines.check_left_out("wgan/*")


SUITE = """
title = "Third party"
experiments = ["gan/digits", "tiny/digits"]
seeds = "7"
gen_iters = 3
evaluate_every = 3
protocols = ["digits-2k"]
"""


@pytest.mark.parametrize(
    "command",
    [
        ["plan", "third.toml"],
        pytest.param(["show", "tiny/digits"], marks=pytest.mark.slow),
        pytest.param(["budgets", "tiny/*"], marks=pytest.mark.slow),
        ["check-baseline", "gan/digits", "*"],
    ],
    ids=" ".join,
)
def test_a_command_that_asks_for_it_ends_with_what_is_wrong(folder, tmp_path, command):
    folder.install(RAISES)
    (tmp_path / "third.toml").write_text(SUITE)
    done = ganbench(*command, folder=folder, cwd=tmp_path)
    assert done.returncode == 2
    asked = "tiny/digits" if command[0] == "plan" else command[-1]
    assert done.stderr.splitlines()[-1] == (
        f"ganbench: the plugin 'point' (strange) cannot be loaded, and '{asked}' may be of it: "
        "RuntimeError: no licence line two (strange.py:3). Fix or uninstall it"
    )
    assert done.stdout == ""


TWO = TINY.replace(
    "EXPERIMENTS = (DIGITS,)",
    "from dataclasses import replace\n\n\n"
    "def build_nothing(s, shape, data):\n    raise KeyError('weights')\n\n\n"
    "EXPERIMENTS = (replace(DIGITS, name='tiny/bad', build=build_nothing), DIGITS, 5)",
)


def test_one_bad_experiment_leaves_the_others(here):
    assert TWO != TINY
    here.install(TWO)
    line = TWO.splitlines().index("    raise KeyError('weights')") + 1
    with pytest.warns(baselines.PluginLeftOut) as told:
        names = baselines.names()
    assert "tiny/digits" in names
    assert "tiny/bad" not in names
    begins, ends = "the plugin 'point' (strange): ", "Fix or uninstall it"
    left_out = "cannot be loaded and is left out"
    assert [str(one.message) for one in told if one.category is baselines.PluginLeftOut] == [
        f"{begins}'tiny/bad' {left_out}: KeyError: 'weights' (strange.py:{line}). {ends}",
        f"{begins}'EXPERIMENTS[2]' {left_out}: TypeError: of the type int is no Experiment. {ends}",
    ]
    assert baselines.get("tiny/digits").settings.width == 32
    assert "strange" in baselines.sources("strange")
    with pytest.raises(
        baselines.BrokenPlugin, match="'tiny/bad' cannot be loaded, and 'tiny/bad' may be of it"
    ):
        baselines.get("tiny/bad")
    with pytest.raises(baselines.BrokenPlugin):
        baselines.check_left_out("tiny/*")
    with pytest.raises(baselines.UnknownExperiment):
        baselines.get("tiny/digist")


@pytest.mark.slow
def test_what_is_broken_is_asked_again(here, monkeypatch):
    """Its files need not change for that: a package that it wants may be installed."""
    here.install(TINY + "\nimport strange_helper\n")
    with pytest.warns(baselines.PluginLeftOut, match="No module named 'strange_helper'"):
        baselines.names()
    (here.path / "strange_helper.py").write_text("")
    baselines._found.cache_clear()
    assert "tiny/digits" in baselines.names()


def test_a_name_that_is_taken_stays_whose_it_is(here):
    here.install(
        TINY.replace(
            "EXPERIMENTS = (DIGITS,)",
            "from baselines.gan import EXPERIMENTS as OURS\nEXPERIMENTS = (*OURS, DIGITS)",
        )
    )
    with pytest.warns(
        baselines.PluginLeftOut, match=r"left out: the name is taken \(and \d+ more of its names\)"
    ):
        names = baselines.names()
    assert names[-1] == "tiny/digits"
    assert len(set(names)) == len(names)
    assert baselines.described("gan/digits")["module"] == "baselines.gan"
    baselines.check_left_out("gan/digits")


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"strange.py": "EXPERIMENTS = 5"}, "TypeError: EXPERIMENTS of strange is of the type int"),
        (
            {"strange.py": "EXPERIMENTS = iter(int, 1)"},
            "TypeError: EXPERIMENTS of strange has more than 10000",
        ),
        ({"strange.py": "def f(:"}, r"SyntaxError: invalid syntax \(strange.py:1\)"),
        (
            {
                "strange/__init__.py": "from . import parts",
                "strange/parts.py": "\nimport json\njson.loads('x')",
            },
            r"JSONDecodeError: Expecting value: line 1 column 1 \(char 0\) \(strange/parts.py:3\)",
        ),
        (
            {"strange.py": "import strange_helper", "strange_helper.py": "1 / 0"},
            r"ZeroDivisionError: division by zero \(strange_helper.py:1\)",
        ),
    ],
)
def test_an_error_says_where_in_its_files_it_arose(here, files, says):
    here.install(files=files)
    with pytest.warns(baselines.PluginLeftOut, match=f"left out: {says}"):
        baselines.names()


def test_an_error_that_arises_only_here_says_so_too(here):
    here.install(TINY)
    baselines.names()
    (here.path / "strange.py").write_text(RAISES)
    with pytest.raises(
        baselines.BrokenPlugin, match=r"loaded: RuntimeError: no licence line two \(strange.py:3\)"
    ):
        baselines.get("tiny/digits")


# --- What is kept of it -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_experiment_that_is_gone_is_forgotten_though_no_file_of_the_code_changed(here, monkeypatch):
    monkeypatch.setenv("NAME_OF_TINY", "tiny/one")
    here.install(TINY.replace('name="tiny/digits"', 'name=__import__("os").environ["NAME_OF_TINY"]'))
    assert "tiny/one" in baselines.names()
    monkeypatch.setenv("NAME_OF_TINY", "tiny/two")
    sys.modules.pop("strange", None)
    baselines._found.cache_clear()
    with pytest.raises(baselines.BrokenPlugin, match="has no 'tiny/one' any more"):
        baselines.get("tiny/one")
    baselines._found.cache_clear()
    assert "tiny/two" in baselines.names()


def test_what_is_kept_spares_the_import(here, monkeypatch):
    here.install(TINY)
    first = baselines.described("tiny/digits"), baselines.details("tiny/digits")
    monkeypatch.setattr(plugins, "_describe", lambda point: pytest.fail("imported again"))
    baselines._found.cache_clear()
    assert (baselines.described("tiny/digits"), baselines.details("tiny/digits")) == first
    assert "strange" not in sys.modules
    assert baselines.get("tiny/digits").settings.width == 32


DAMAGES = (
    lambda text: text[:-9],
    lambda text: "",
    lambda text: "[]",
    lambda text: "[" * 100_000,
    lambda text: text.replace("A third party's GAN", "Another GAN"),
    lambda text: text.replace('"files": {', '"fils": {'),
)


@pytest.mark.slow
def test_damaged_or_altered_it_counts_for_nothing(here):
    here.install(TINY)
    expected = baselines.described("tiny/digits")
    good = here.kept.read_text(encoding="utf-8")
    for damage in DAMAGES:
        here.kept.write_text(damage(good), encoding="utf-8")
        assert here.kept.read_text(encoding="utf-8") != good
        assert plugins._read(here.kept) is None
    baselines._found.cache_clear()
    assert baselines.described("tiny/digits") == expected
    assert here.kept.read_text(encoding="utf-8") == good


def test_forged_it_is_found_out_when_the_experiment_is_used(here):
    here.install(TINY)
    baselines.names()
    content = json.loads(here.kept.read_text(encoding="utf-8"))
    del content["sha256"]
    content["experiments"]["tiny/digits"]["settings"]["width"]["value"] = 64
    kept.write(here.kept, content)
    baselines._found.cache_clear()
    assert baselines.described("tiny/digits")["settings"]["width"]["value"] == 64
    with pytest.raises(baselines.BrokenPlugin, match="what was kept of it was altered"):
        baselines.get("tiny/digits")
    baselines._found.cache_clear()
    assert baselines.get("tiny/digits").settings.width == 32


@pytest.mark.slow
def test_without_a_cache_it_works_all_the_same(here, monkeypatch):
    here.cache.write_text("a file where the folder should be")
    here.install(TINY)
    assert "tiny/digits" in baselines.names()


# --- Who it is --------------------------------------------------------------------------------------------

PACKAGE = {
    "strange/__init__.py": "from .experiments import EXPERIMENTS",
    "strange/experiments.py": TINY.replace(
        "def iterate(",
        "from strange_helper import factor\nfrom . import critics\n\n\n"
        "def later():\n    from . import lazily\n    import strange_later\n\n\n"
        "def iterate(",
    ),
    "strange/critics.py": "from baselines import layers\nSLOPE = 0.2\n",
    "strange/lazily.py": "VALUE = 1\n",
    "strange/unused.py": "VALUE = 1\n",
    "strange_later.py": "VALUE = 1\n",
    "strange_helper.py": "factor = 1.0\n",
}


@pytest.mark.parametrize(
    "changed",
    [
        "strange.lazily",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("strange.experiments", "strange.critics", "strange_helper", "strange_later")
        ),
    ],
)
def test_every_file_of_its_own_that_it_imports_is_part_of_who_it_is(here, changed):
    here.install(files=PACKAGE)
    before = baselines.sources("strange")
    own = {
        "strange",
        "strange.experiments",
        "strange.critics",
        "strange.lazily",
        "strange_helper",
        "strange_later",
    }
    assert {name for name in before if not name.startswith("baselines.")} == own
    assert {"baselines.spec", "baselines.layers"} <= set(before)
    file = here.path.joinpath(*changed.split(".")).with_suffix(".py")
    file.write_text(file.read_text(encoding="utf-8") + "CHANGED = 1\n", encoding="utf-8")
    baselines._found.cache_clear()
    after = baselines.sources("strange")
    assert {key for key in before if before[key] != after[key]} == {changed}


# --- Without an entry point ---------------------------------------------------------------------------------


def test_an_experiment_can_be_registered_for_this_process(here):
    here.install(TINY)
    tiny = baselines.get("tiny/digits")
    ours = baselines.register(dataclasses.replace(tiny, name="mine/digits"))
    try:
        assert baselines.get("mine/digits") is ours
        assert "mine/digits" in baselines.names()
        assert (
            baselines.described("mine/digits")["parameters"]
            == baselines.described("tiny/digits")["parameters"]
        )
        with pytest.raises(ValueError, match="is taken"):
            baselines.register(tiny)
        with pytest.raises(ValueError, match="is no name"):
            baselines.register(dataclasses.replace(tiny, name="../digits"))
    finally:
        baselines._registered.clear()


@pytest.mark.slow
def test_a_network_without_a_docstring_is_not_described_by_torchs(here):
    bare = TINY.replace(
        "    g, c = (",
        "    class Bare(nn.Sequential):\n        pass\n\n    generator = Bare(*generator)\n    g, c = (",
    )
    assert bare != TINY
    here.install(bare, name="bare_gan")
    players = baselines.details("tiny/digits")["players"]
    assert players["generator"] == {"class": "Bare", "description": "", "values": ""}
    assert players["critic"]["description"] == "As in torch."


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Linear(2, 2).to("cpu"),
        lambda: nn.Linear(2, 2).weight.norm().item(),
        lambda: nn.Linear(2, 2)(torch.zeros(1, 2, device="cpu")),
    ],
)
def test_who_moves_or_reads_networks_that_have_no_numbers_yet_is_told_not_to(build):
    with pytest.raises((RuntimeError, NotImplementedError)) as raised, torch.device("meta"):
        build()
    said = plugins.said(raised.value, lambda *_: False)
    assert "make them without .to(), .cuda(), device= and .item()" in said
