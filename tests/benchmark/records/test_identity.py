"""Identity: equal data have equal ids however written; every value counts and no explanation does."""

import ast
import copy
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import benchmark
from baselines import catalogue
from baselines.source_code import code_digest
from benchmark.records import environment, identity
from benchmark.suites import Suite, experiments
from benchmark.suites.spec import spec_without_seed
from benchmark.training.numerics import FAITHFUL, PORTABLE
from benchmark.training.policies import BF16_MIXED

PACKAGE = Path(benchmark.__file__).parent
CELL = "097259e211726dfa22e8cccc3d24bf8ef712352c2238e1dbc590acefd4b6c8b1"
RUN = "30c6576c9925b9f3983045e62edc06439e5164ecbe0882464765269d0cf6def7"
ENV = "b2eacd6455d68c87c3ad6b84f1b01d080203b27dfdeec4361751fb55946527c6"
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


def reordered(value):
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(inner) for inner in value] if isinstance(value, list) else value


def as_floats(value):
    """Every whole number that a float can hold, as a float."""
    if isinstance(value, dict):
        return {key: as_floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_floats(inner) for inner in value]
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
    return float(value) if whole else value


def whole_as_integers(value):
    if isinstance(value, dict):
        return {key: whole_as_integers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [whole_as_integers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@given(st.floats(1e-6, 1e-2) | st.floats(1e14, 1e17) | st.floats(allow_nan=False, allow_infinity=False))
def test_a_fraction_is_written_as_python_writes_it(value):
    if not value.is_integer():
        assert identity.canonical([value, -value]) == f"[{value!r},{-value!r}]"


@given(JSON)
def test_canonical_text_is_that_of_pythons_json(value):
    """To the byte: digests in old records were made with it."""
    expected = json.dumps(
        whole_as_integers(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    assert identity.canonical(value) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-7, "1e-07"),
        (1e16, "1" + 16 * "0"),
        (0.1, "0.1"),
        (2**64, str(2**64)),
        ("\x7f\n\x1f/", '"\x7f\\n\\u001f/"'),
    ],
)
def test_canonical_numbers_and_texts(value, text):
    assert identity.canonical(value) == text


@given(JSON)
def test_canonical_text_is_json_of_the_same_data(value):
    assert json.loads(identity.canonical(value)) == value


@given(JSON)
def test_order_of_keys_and_form_of_numbers_do_not_count(value):
    text = identity.canonical(value)
    assert identity.canonical(reordered(value)) == text
    assert identity.canonical(as_floats(value)) == text
    assert identity.canonical(json.loads(json.dumps(value))) == text


def typed(value):
    """Data in a form that compares unequal where JSON differs (Python holds True for 1)."""
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    return (isinstance(value, bool), value)


@given(JSON, JSON)
def test_other_data_have_another_text(a, b):
    assert (identity.canonical(a) == identity.canonical(b)) == (typed(a) == typed(b))


def test_canonical_text_is_what_other_tools_would_write():
    value = {"b": [1.0, 0.5, -0.0, True, None], "a": {"é": "\n"}, "c": (1, 2)}
    assert identity.canonical(value) == '{"a":{"é":"\\n"},"b":[1,0.5,0,true,null],"c":[1,2]}'


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [-math.inf]}])
def test_what_json_does_not_have_is_refused(value):
    with pytest.raises(ValueError, match="JSON"):
        identity.canonical(value)


@pytest.mark.parametrize("value", [{1: 2}, {"a": {None: 1}}, {1, 2}, b"x", object()])
def test_what_is_no_json_data_is_refused(value):
    with pytest.raises(TypeError):
        identity.canonical(value)


def small_spec():
    return {
        "suite": "quick",
        "seed": 3,
        "experiment": {
            "name": "gan/digits",
            "title": "A title",
            "summary": "A summary",
            "image_shape": [1, 28, 28],
            "image_range": [0, 1],
            "classes": 0,
            "starts_from": "",
            "settings": {
                "batch": {"value": 100, "source": "section 5", "confidence": "high"},
                "rates": {"value": [0.1, 2.0], "source": "mnist.yaml", "confidence": "low"},
            },
            "deviations": [{"what": "a", "why": "b", "effect": "c"}],
            "budget": {"gen_iters": None, "arithmetic": "", "source": "x", "confidence": "low"},
        },
        "dataset": {"name": "digits", "title": "Digits", "digest": "aa"},
        "gen_iters": 20,
        "evaluate_at": [0, 10, 20],
        "protocols": [{"name": "digits-2k", "title": "T", "note": "N", "n_generated": 2000}],
        "numerics": {"tf32": False},
        "device": "cpu",
        "sources": {"baselines.gan": "bb"},
    }


def test_ids_of_a_fixed_spec_never_change():
    """A change here orphans every record in existence: new golden values need a reason."""
    spec = small_spec()
    assert identity.cell_id(spec) == CELL
    assert identity.run_id(spec) == RUN
    assert identity.env_id({"python": "3.11", "torch": "2.13.0", "threads": 1, "cuda": None}, FAITHFUL) == ENV


def changed(path, value):
    spec = small_spec()
    inner = spec
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return spec


@pytest.mark.parametrize(
    "path",
    [
        ("experiment", "title"),
        ("experiment", "summary"),
        ("experiment", "deviations"),
        ("experiment", "budget"),
        ("experiment", "settings", "batch", "source"),
        ("experiment", "settings", "batch", "confidence"),
        ("dataset", "title"),
        ("protocols", 0, "title"),
        ("protocols", 0, "note"),
        ("suite",),
        ("device",),
    ],
)
def test_explanations_and_occasion_do_not_count(path):
    spec = changed(path, "something else")
    assert identity.cell_id(spec) == CELL
    assert identity.run_id(spec) == RUN


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("experiment", "name"), "gan/mnist"),
        (("experiment", "image_shape"), [1, 32, 32]),
        (("experiment", "image_range"), [-1, 1]),
        (("experiment", "classes"), 10),
        (("experiment", "starts_from"), "gan/mnist"),
        (("experiment", "settings", "batch", "value"), 64),
        (("experiment", "settings", "rates", "value"), [0.1, 2.0001]),
        (("experiment", "settings", "more"), {"value": None}),
        (("dataset", "name"), "mnist"),
        (("dataset", "digest"), "ab"),
        (("gen_iters",), 21),
        (("evaluate_at",), [0, 20]),
        (("protocols",), []),
        (("protocols", 0, "name"), "digits-1k"),
        (("protocols", 0, "n_generated"), 1000),
        (("protocols", 0, "weights_digest"), "cc"),
        (("numerics", "tf32"), True),
    ],
)
def test_every_value_counts(path, value):
    assert identity.cell_id(changed(path, value)) != CELL
    assert identity.run_id(changed(path, value)) != RUN


def test_a_second_stage_is_of_the_cell_of_its_first():
    """Which the run of another seed shares; records of before that was written down keep their ids."""

    def after(**first):
        return {**changed(("suite",), "s"), "starts_from": {"experiment": "gan/mnist", **first}}

    one, other_seed, other_budget = (
        after(run_id=run, cell_id=cell) for run, cell in (("1", "a"), ("2", "a"), ("3", "b"))
    )
    assert identity.cell_id(one) == identity.cell_id(other_seed) != identity.cell_id(other_budget)
    assert identity.run_id(one) != identity.run_id(other_seed)
    assert identity.cell_id(after(run_id="1")) == CELL


@pytest.mark.parametrize(("path", "value"), [(("seed",), 4), (("sources", "baselines.gan"), "bc")])
def test_seed_and_code_make_another_run_of_the_same_cell(path, value):
    assert identity.cell_id(changed(path, value)) == CELL
    assert identity.run_id(changed(path, value)) != RUN


def test_every_setting_of_an_experiment_counts():
    suite = Suite("s", "", ("wgan_gp/digits",), (0,), 5, 5, ("digits-2k",))
    spec = spec_without_seed(suite, "wgan_gp/digits", "cpu")
    cells = {identity.cell_id(spec)}
    for name in spec["experiment"]["settings"]:
        other = copy.deepcopy(spec)
        other["experiment"]["settings"][name]["value"] = "another"
        cells.add(identity.cell_id(other))
    for name in set(spec["protocols"][0]) - {"title", "note"}:
        other = copy.deepcopy(spec)
        other["protocols"][0][name] = "another"
        cells.add(identity.cell_id(other))
    assert len(cells) == 1 + len(spec["experiment"]["settings"]) + len(spec["protocols"][0]) - 2


# --- Sources ------------------------------------------------------------------------------------------


def imported(path):
    """Files of the package `benchmark` that a file imports when it runs, not only for its annotations."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("benchmark"):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("benchmark")]
        else:
            continue
        for name in names:
            stem = PACKAGE.parent.joinpath(*name.split("."))
            found |= {f for f in (stem.with_suffix(".py"), stem / "__init__.py") if f.exists()}
    return found


NO_NUMBERS = {
    "__init__.py": "the version",
    "records/__init__.py": "empty",
    "records/bounded.py": "gives the bytes that are there, or refuses",
    "records/fields.py": "lets pass, or refuses",
    "records/identity.py": "names the run that a checkpoint must be of",
    "records/loaded.py": "a record and where it lies",
    "records/record.py": "lets pass, or refuses",
    "records/store.py": "where a run lies, and its spec as it is there",
    "records/schema.py": "lets pass, or refuses",
    "records/spec_schema.py": "lets pass, or refuses",
    "records/environment.py": "its values are in the env_id",
    "records/atomic.py": "writes files",
    "records/devices.py": "which device; it is in the spec, and its model in the env_id",
    "records/locks.py": "lets one process in",
    "records/places.py": "paths",
    "records/quantities.py": "how numbers are written for people",
    "data/archives.py": "gives the bytes that were packed, or refuses",
    "data/meter.py": "progress",
    "data/mirrors.py": "brings files whose digest is known, or nothing",
    "data/places.py": "paths",
    "data/registry.py": "descriptions; digests are in the spec",
    "errors.py": "messages",
    "escape.py": "how texts are written for people",
    "training/__init__.py": "empty",
    "training/checkpoint.py": "returns the bits it was given or refuses",
    "training/packing.py": "returns the bits it was given or refuses",
    "evaluation/__init__.py": "empty",
    "evaluation/cache.py": "returns the arrays it was given or computes them",
    "evaluation/fit.py": "refuses, or lets pass",
    "evaluation/protocol.py": "its values are in the spec",
    "evaluation/torchvision_ops.py": "replaces an import that computes nothing",
    "training/policies.py": "what it says is in the spec",
    "evaluation/weights.py": "checks a digest that is in the spec",
}


def test_every_file_behind_a_number_is_among_the_sources():
    """What trainer and evaluator import is hashed, or stated above to decide no number."""
    waiting = {
        PACKAGE / "training" / "trainer.py",
        PACKAGE / "training" / "numerics.py",
        PACKAGE / "training" / "mixed.py",
        PACKAGE / "evaluation" / "evaluator.py",
    }
    reached = set()
    while waiting:
        path = waiting.pop()
        reached.add(path)
        waiting |= imported(path) - reached
    names = {path.relative_to(PACKAGE).as_posix() for path in reached}
    hashed = {
        name.removeprefix("benchmark/")
        for policy in (PORTABLE, BF16_MIXED)
        for name in identity.sources(experiments.describe("gan/digits"), policy)
        if name.startswith("benchmark/")
    }
    assert names - hashed <= NO_NUMBERS.keys()
    assert hashed <= names


@pytest.mark.parametrize("name", ["gan/digits", "dcgan/digits", "wgan_gp/digits", "sngan/digits"])
def test_sources_include_the_baseline_and_all_it_imports(name):
    experiment = experiments.describe(name)
    sources = identity.sources(experiment, FAITHFUL)
    root = Path(catalogue.__file__).parent
    expected, waiting = set(), [experiment["module"]]
    while waiting:
        module = waiting.pop()
        expected.add(module)
        tree = ast.parse(root.joinpath(*module.split(".")[1:]).with_suffix(".py").read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "baselines":
                waiting += {f"baselines.{alias.name}" for alias in node.names} - expected
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("baselines."):
                waiting += {node.module} - expected
    assert {s for s in sources if s.startswith("baselines")} == expected
    assert len(expected) >= 3
    for module in expected:
        content = root.joinpath(*module.split(".")[1:]).with_suffix(".py").read_bytes()
        assert sources[module] == code_digest(content)


def test_words_about_code_make_no_other_run_and_code_does(tmp_path, monkeypatch):
    experiment = experiments.describe("gan/digits")
    sources = identity.sources(experiment, FAITHFUL)
    real = catalogue._file
    edited = tmp_path / "gan.py"
    monkeypatch.setattr(catalogue, "_file", lambda name: edited if name == "baselines.gan" else real(name))
    text = real("baselines.gan").read_text(encoding="utf-8")
    edited.write_text(f'"""Another docstring."""\n# A comment.\n{text}', encoding="utf-8")
    assert identity.sources(experiment, FAITHFUL) == sources
    edited.write_text(text + "EXPERIMENTS = EXPERIMENTS[1:]\n", encoding="utf-8")
    assert {k for k, v in identity.sources(experiment, FAITHFUL).items() if v != sources[k]} == {
        "baselines.gan"
    }


# --- Portable runs --------------------------------------------------------------------------------------


def test_a_portable_run_is_the_same_on_every_machine_and_another_than_the_faithful_one():
    suite = Suite("s", "", ("gan/digits",), (0,), 10, 5, ("digits-2k",))
    faithful, portable = (
        {**spec_without_seed(suite.revised(numerics=profile), "gan/digits", "cpu"), "seed": 0}
        for profile in ("faithful", "portable")
    )
    machines = [{"torch": version, "device": device} for version, device in (("2.13", "a"), ("2.6", "b"))]
    assert len({identity.env_id(machine, portable["numerics"]) for machine in machines}) == 1
    assert len({identity.env_id(machine, faithful["numerics"]) for machine in machines}) == 2
    assert identity.cell_id(faithful) != identity.cell_id(portable)
    own = set(portable["sources"]) - set(faithful["sources"])
    assert "benchmark/training/portable/slicing.py" in own
    assert {name: faithful["sources"][name] for name in faithful["sources"]}.items() <= portable[
        "sources"
    ].items()


def test_another_revision_of_the_rules_is_another_cell():
    suite = Suite("s", "", ("gan/digits",), (0,), 10, 5, (), numerics="portable")
    spec = spec_without_seed(suite, "gan/digits", "cpu")
    assert identity.cell_id({**spec, "numerics": {**PORTABLE, "rules": 2}}) != identity.cell_id(spec)


@pytest.fixture
def described(monkeypatch):
    """The environment with no variables set but those given."""

    def describe(**variables):
        for name in environment.SWITCHES:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        environment.describe.cache_clear()
        return environment.describe("cpu")

    yield describe
    environment.describe.cache_clear()


@pytest.mark.parametrize("name", environment.SWITCHES)
def test_a_variable_that_chooses_other_kernels_makes_another_environment(name, described):
    plain = described()
    assert "switches" not in plain  # the ids of all that ran without stay
    assert described(**{name: ""}) == plain
    other = described(**{name: "default"})
    assert other == {**plain, "switches": {name: "default"}}
    assert identity.env_id(other, FAITHFUL) != identity.env_id(plain, FAITHFUL)
