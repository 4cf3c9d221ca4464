"""Every command of the documents is typed: a page is a story, told in a checkout and a home of its own.

What a reader types is run as it stands, in order, by a shell without network. What is too long, or needs
something, is in the tables below, and nothing else is.
"""

import configparser
import re
import sys
import tomllib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
from documents import PAGES, ROOT, SHELL, parts, steps, typed
from story import SMALL, Story, copied, pictures, replaced

IN_PLACE_OF = ("quick", "cifar10", "ci-gpu", "first-look", "portable")
"""Suites of these names are SMALL in a story's checkout."""

SHORT = {
    r"evaluate RUN --protocol fid-5k": "evaluate RUN --protocol digits-2k",
    # what a reader puts there
    r"\bRUN(\.\.\.)?(?= )": '"$(ls -d results/runs/sngan/digits/* | head -n 1)"',
    r"sngan-digits/runs/sngan/digits/\w+-\w+": '"$(ls -d sngan-digits/runs/sngan/digits/* | head -n 1)"',
    r"/shared/results": "shared",
    r"OTHER/python": "python",
    r"^if step %": "import ganbench\nfrom my_research import MyGan\nfrom types import SimpleNamespace\n"
    "step, generator = 0, MyGan(SimpleNamespace(latent=128, learning_rate=1e-3, batch=64)).generator\n"
    r"\g<0>",
    # what a GPU, a cluster or the network would give
    r"^((?:exec )?ganbench (?:run|env) .*)--device cuda(?= |$)": r"\1--device cpu",
    r"--address HEAD:6379( --gpus-per-run 0.5)?": "--address local --out on-ray",
    r'protocol="fid-5k", data="cifar10"': 'protocol="digits-2k", data="digits"',
    # less of the same
    r"^ganbench probe( quick)?(?= *(-|#|$))": "ganbench probe sngan/digits",
    r"^ganbench bench(?= --[ac])": "ganbench bench sngan/digits",
    r"^ganbench run mygan/mygan.toml": r"\g<0> --budget 2 --seeds 0",
    r"records.py 100 1000 10000 --write": "records.py 5 --repeats 1",
    r"growth.py --write": "growth.py --one 'budget, G-iterations' 50",
    r"--arm NAME": "--arm NAME gan/digits",
    # a terminal would be asked
    r"^ganbench accept [\w.-]+": r"\g<0> --yes",
}
"""pattern → what is typed instead, one after the other."""

SUITE = {r'seeds = "0-\d"': 'seeds = "0-1"', r"_iters = \d+": "_iters = 2", r"_every = \d+": "_every = 2"}
"""The same for a suite that a page writes, where it is run."""

EXCEPTED = {
    r"\btox\b": "makes environments from the network; a test below says whether they exist",
    r"^ganbench run (dcgan-table3|parzen)|fetch mnist|parzen-mnist|svm-svhn": "needs files of MNIST or SVHN",
    r"^ganbench data (fetch|check) cifar10": "CIFAR-10 comes from the network",
    r"^pip install --pre": "PyTorch's nightly builds come from the network",
    r"^ganbench verify-weights": "Inception's weights come from the network",
    r"cuda:0,2|--require-gpu|tests/gpu/": "needs a GPU",
    r"^ray ": "a cluster would stay on this machine; `tox -e ray` makes its own",
    r"^sbatch ": "needs SLURM",
    r"^kubectl ": "needs Kubernetes",
    r"^tensorboard ": "serves until it is stopped",
    r"planted.py|bugs.py|tests/reliability|test_arms": "takes minutes to hours; has slow tests, or is one",
    r"tests/speed/revisions.py": "needs the history, and measures for long",
}
"""pattern → why a command is not run."""

NEEDS = {
    r"^pip install .*-e|mygan|my-suite": ("hatchling", "editables"),
    r"to tensorboard": ("tensorboard",),
    r"--engine ray": ("ray",),
}
"""pattern → modules without which a command is skipped."""

ENDS = {
    r"^ganbench check \S+ --against paper": {4},  # no paper prints a number about digits
    r"^ganbench check (cifar10|ci-gpu .*junit.xml$)": {4},  # nothing is accepted yet: docs/ci.md
    r"^ganbench bench --check": {0, 1, 4},  # as fast as before or not, or not known for such a machine
}
"""pattern → exit codes, where it is not 0 alone."""


SHARDS = "for i in 0 1 2; do [ -d out-$i ] || ganbench run ci-gpu --seeds $i --out out-$i --no-report; done"
OWN = "! grep -q mygan my-suite.toml || [ -d mygan ] || { ganbench new mygan && pip install -e mygan; }"
MEASURE = "PYTHONPATH=. python tests/portable/arms.py gan/digits --save saved.jsonl --arm 'as it is'"
GIVEN = {
    r"--dataset folder:": pictures,
    r"from my_research import|if step %": "cp tests/docs/my_research.py .",
    r"ganbench report results": "ganbench run ci-gpu --seeds 0-4",
    r"RUN|load_results|ganbench export|publish|check quick": "[ -d results/runs ] || ganbench run quick",
    r"^ganbench report out-0": SHARDS,
    r"my-suite.toml|mygan/digits": OWN,
    r"arms_table": MEASURE,
    r"report task": "cp -r shared task-1; cp -r shared task-2",
}
"""pattern → what the reader has by then: made, once in a story, before the first command of this kind."""


ALL = [step for page in PAGES for step in steps(page)]
TYPED = [step for step in ALL if not step.among(EXCEPTED)]
PROGRAM = (
    r'(exec )?(\w+=("[^"]*"|\S+) )*'
    r"(eval|ganbench|git|kubectl|pip|pytest|(OTHER/)?python|ray|sbatch|tensorboard|tox) "
)


def missing(step):
    """Modules that a step needs and that are not here."""
    return [module for modules in step.among(NEEDS) for module in modules if not find_spec(module)]


def not_here(step):
    """Why a step is skipped."""
    return f"not here: {', '.join(missing(step))}"


TOLD = {page.name: [step for step in TYPED if step.page == page.name and not missing(step)] for page in PAGES}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A repository of three commits: ROOT as it is, but with small suites, of which two are accepted."""
    folder = copied(tmp_path_factory.mktemp("files"))
    for suite in IN_PLACE_OF:
        text = SMALL if suite != "portable" else SMALL.replace("0-1", "0") + 'numerics = "portable"\n'
        (folder / "benchmark" / "suites" / f"{suite}.toml").write_text(text)
    story = Story(tmp_path_factory.mktemp("accepted"), folder)
    commit = "git commit -qm A --allow-empty"
    accept = [f"ganbench run {suite} && ganbench accept {suite} --yes" for suite in ("quick", "portable")]
    for line in ("git init -q && git add -A", commit, *accept, "git add -A", commit, commit):
        story.prepare(line)
    return story.checkout


@pytest.fixture(scope="module")
def story(files, tmp_path_factory):
    """Of a page, begun when it is asked for."""

    @cache
    def begun(page):
        own = [step.text for step in TOLD[page] if step.kind == "toml" and "experiments = " in step.text]
        suite = replaced((own or [SMALL])[0], SUITE)
        return Story(tmp_path_factory.mktemp("story"), files, TOLD[page], suite, GIVEN, SHORT)

    return begun


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "n"),
    [
        pytest.param(page, n, id=f"{page}: {step.text}"[:90])
        for page, told in TOLD.items()
        for n, step in enumerate(told)
    ]
    + [
        pytest.param(
            step.page, None, id=f"{step.page}: {step.text}"[:90], marks=pytest.mark.skip(not_here(step))
        )
        for step in TYPED
        if missing(step)
    ],
)
def test_what_a_page_says_can_be_done(page, n, story):
    step = TOLD[page][n]
    code, said = story(page).outcome(n)
    assert code in (step.among(ENDS) or [{0}])[0], f"{code}: {said}"
    assert "Traceback (most recent call last)" not in said


def test_what_is_skipped_here_is_typed_in_an_environment_of_tox():
    """One that types the documents' commands installs the modules by its extras."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    brought = [
        {re.split(r"[^\w-]", package)[0] for extra in section["extras"].split() for package in extras[extra]}
        for section in tox.values()
        if "tests/docs" in section.get("commands", "") and "extras" in section
    ]
    assert len(brought) == 2  # docs, ray
    assert [modules for modules in NEEDS.values() if not any(set(modules) <= has for has in brought)] == []


@pytest.mark.parametrize(
    "table", [SHORT, SUITE, EXCEPTED, NEEDS, ENDS, GIVEN], ids=lambda table: next(iter(table))
)
def test_no_entry_of_a_table_is_dead(table):
    steps = ALL if table is EXCEPTED else TYPED
    assert [pattern for pattern in table if not any(re.search(pattern, step.text) for step in steps)] == []


def test_only_suites_that_are_run_are_small():
    assert [
        name for name in IN_PLACE_OF if not any(f"ganbench run {name}" in step.text for step in TYPED)
    ] == []


def test_every_block_is_commands_or_known_to_be_none():
    for page in PAGES:
        for language, text in parts(page.read_text(encoding="utf-8")):
            assert language in (*SHELL, "python", "toml", "inline", "text", "mermaid"), page
            for line in typed(language, text):
                assert re.match(PROGRAM, line), f"{page.name}: {line}"


def test_environments_of_tox_that_a_page_names_are_there():
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    named = {
        name
        for step in ALL
        for names in re.findall(r"tox -e ([\w,]+)", step.text)
        for name in names.split(",")
    }
    assert len(named) > 8
    assert [name for name in named if f"testenv:{name}" not in tox] == []
