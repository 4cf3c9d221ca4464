"""Suite files: what they may say, and one clear sentence for each thing they may not."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import suites
from benchmark.errors import UserError
from benchmark.suites import Suite

GOOD = {
    "title": '"A test"',
    "experiments": '["gan/digits", "w*/digits"]',
    "seeds": '"0-1"',
    "gen_iters": "20",
    "evaluate_every": "7",
    "protocols": '["digits-2k"]',
}


SMALL = "".join(f"{key} = {value}\n" for key, value in GOOD.items())


@pytest.fixture
def load(tmp_path):
    """Load a suite file with some values (TOML text) replaced, added, or left out by None."""

    def of(**changes):
        content = {**GOOD, **changes}
        path = tmp_path / "mine.toml"
        lines = [f"{key} = {value}\n" for key, value in content.items() if value is not None]
        path.write_text("".join(lines), encoding="utf-8")
        return suites.load(str(path))

    return of


def test_a_good_file(load):
    assert load(note='"Beware"') == Suite(
        name="mine",
        title="A test",
        experiments=("gan/digits", "wgan/digits", "wgan_gp/digits"),
        seeds=(0, 1),
        gen_iters=20,
        evaluate_every=7,
        protocols=("digits-2k",),
        note="Beware",
    )


def test_a_byte_order_mark_is_no_matter(tmp_path):
    """As editors on Windows write it."""
    for encoding in ("utf-8", "utf-8-sig"):
        (tmp_path / "mine.toml").write_text(SMALL, encoding=encoding)
        assert suites.load(str(tmp_path / "mine.toml")).title == "A test"


def test_a_suite_may_score_nothing(load):
    assert load(protocols="[]").protocols == ()


@pytest.mark.parametrize(
    ("changes", "what", "do"),
    [
        ({"evalute_every": "5"}, "unknown key 'evalute_every'", "Did you mean 'evaluate_every'?"),
        ({"name": '"x"'}, "unknown key 'name'", ""),
        ({"experiments": '["gan/digts"]'}, "unknown experiment 'gan/digts'", "Did you mean 'gan/digits'?"),
        ({"experiments": '["gna*"]'}, "no experiment matches 'gna*'", ""),
        (
            {"experiments": f'["{"[" * 202}"]'},
            f"the pattern '{'[' * 47}...{'[' * 48}' has 202 characters; at most 201 are read",
            "Write a shorter one, like 'wgan/*'",
        ),
        ({"experiments": "[]"}, "must be a list of at least one string, not []", ""),
        ({"experiments": '"gan/digits"'}, "must be a list of at least one string, not 'gan/digits'", ""),
        ({"experiments": "[1]"}, "must be a list of at least one string, not [1]", ""),
        ({"protocols": '["digits-2"]'}, "unknown protocol 'digits-2'", "Did you mean 'digits-2k'?"),
        (
            {"protocols": '["svm-cifar10"]'},
            "'svm-cifar10' scores critics, which suites do not",
            "Use `ganbench evaluate RUN",
        ),
        ({"protocols": "[2]"}, "must be a list of strings, not [2]", ""),
        ({"gen_iters": "-1"}, "must be a whole number of at least 0, not -1", ""),
        ({"gen_iters": "1.5"}, "must be a whole number of at least 0, not 1.5", ""),
        ({"gen_iters": "true"}, "must be a whole number of at least 0, not True", ""),
        ({"gen_iters": '"many"'}, "must be a whole number of at least 0, not 'many'", ""),
        (
            {"gen_iters": "100_000_000_000_000_000_000"},
            "must be at most 1000000000, not 100000000000000000000",
            "",
        ),
        ({"evaluate_every": "0"}, "must be a whole number of at least 1, not 0", ""),
        ({"evaluate_every": '"7"'}, "must be a whole number of at least 1, not '7'", ""),
        ({"title": "3"}, "must be a string, not 3", ""),
        ({"note": "[]"}, "must be a string, not []", ""),
        ({"seeds": '"3-1"'}, "the range '3-1' runs backwards", "Write seeds like 0-4 or 0,2,7-9"),
        ({"seeds": "3"}, "3 is neither text nor a list of integers", "Write seeds like 0-4 or 0,2,7-9"),
    ]
    + [({key: None}, f"the key '{key}' is missing", "") for key in GOOD],
)
def test_a_bad_value_is_refused_with_file_fact_and_advice(changes, what, do, load, tmp_path):
    with pytest.raises(UserError) as error:
        load(**changes)
    assert error.value.what == what
    assert do in error.value.do
    assert error.value.where.startswith(str(tmp_path / "mine.toml"))
    assert error.value.exit_code == 2


@pytest.mark.parametrize("content", [b"seeds = ", b"a = 1\na = 2\n", b"\xff\xfe"])
def test_what_is_no_toml_is_said_to_be_none(content, tmp_path):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a TOML file"):
        suites.load(str(path))


def test_missing_files_and_folders_are_no_suites(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        suites.load(str(tmp_path / "none.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(UserError, match="is no regular file"):
        suites.load(str(tmp_path / "folder.toml"))


def test_an_unknown_name_names_the_closest_suite():
    with pytest.raises(UserError, match=r"unknown suite 'quik'.*Did you mean 'quick'\?"):
        suites.load("quik")


def test_every_suite_that_comes_along_loads():
    assert "quick" in suites.names()
    for name in suites.names():
        assert suites.load(name).name == name


def test_repeated_names_and_patterns_are_one(load):
    suite = load(experiments='["gan/digits", "gan/d*", "*/digits"]', protocols='["digits-2k", "digits-2k"]')
    assert sorted(set(suite.experiments)) == sorted(suite.experiments)
    assert suite.protocols == ("digits-2k",)


@given(budget=st.integers(0, 400), every=st.integers(1, 500))
def test_the_start_and_the_budget_are_always_evaluated(budget, every):
    suite = Suite("s", "", ("gan/digits",), (0,), budget, every, ("digits-2k",))
    points = suite.evaluate_at("gan/digits")
    assert {0, budget} <= set(points)
    assert points == sorted(set(points))
    assert all(point % every == 0 for point in points if point != budget)
    assert set(range(0, budget, every)) <= set(points)


def test_paper_budgets_are_the_experiments_own(load):
    suite = load(gen_iters='"paper"', experiments='["wgan_gp/*", "gan/mnist"]')
    assert suite.budget("wgan_gp/cifar10-resnet") == 100_000
    with pytest.raises(UserError, match=r"prints no training length for 'gan/mnist'.*use --budget"):
        suite.budget("gan/mnist")


def test_the_command_line_overrides_and_narrows(load):
    suite = load().revised(patterns=("wgan*",), seeds="7", budget=3)
    assert suite.experiments == ("wgan/digits", "wgan_gp/digits")
    assert (suite.seeds, suite.gen_iters, suite.evaluate_every) == ((7,), 3, 7)
    assert load().revised() == load()
    assert load().revised(budget=0).gen_iters == 0


def test_a_pattern_must_match_within_the_suite(load):
    with pytest.raises(UserError, match=r"--experiment: no experiment matches 'sngan/\*'"):
        load().revised(patterns=("gan/digits", "sngan/*"))


@pytest.mark.parametrize("pattern", ["[" * 500_000, "*" + "?" * 201])
def test_a_pattern_longer_than_any_name_is_not_tried(pattern, load):
    with pytest.raises(UserError, match=r"--experiment: the pattern .* at most 201 are read"):
        load().revised(patterns=("gan/digits", pattern))
    with pytest.raises(UserError, match="at most 201 are read") as told:
        load(waiver=f'[{{ cell = "{pattern}", reason = "x", expires = "2999-01-01" }}]')
    assert told.value.where.endswith("mine.toml: waiver 1: cell")
    assert len(str(told.value)) < 1000


OWN = '{ gen_iters = 30, reason = "none is printed" }'


def test_experiments_may_have_budgets_of_their_own(load):
    suite = load(
        gen_iters='"paper"', experiments='["wgan/cifar10", "gan/mnist"]', budgets=f'{{"gan/mnist" = {OWN}}}'
    )
    assert [suite.budget(name) for name in ("wgan/cifar10", "gan/mnist")] == [200_000, 30]
    assert suite.budgets["gan/mnist"].reason == "none is printed"
    assert [suite.revised(budget=7).budget(name) for name in suite.experiments] == [7, 7]


@pytest.mark.parametrize(
    ("budgets", "what"),
    [
        ("3", "must be a table, not 3"),
        (f'{{"gan/mnst" = {OWN}}}', "'gan/mnst' is no experiment of the suite"),
        ('{"gan/digits" = 3}', "needs gen_iters and reason, not 3"),
        ('{"gan/digits" = { gen_iters = 3 }}', "needs gen_iters and reason, not {'gen_iters': 3}"),
        ('{"gan/digits" = { gen_iters = -3, reason = "x" }}', "must be a whole number of at least 0, not -3"),
        ('{"gan/digits" = { gen_iters = 3, reason = " " }}', "the reason is empty"),
    ],
)
def test_a_bad_budget_is_refused(budgets, what, load):
    with pytest.raises(UserError) as error:
        load(budgets=budgets)
    assert error.value.what == what
    assert "mine.toml: budgets" in error.value.where


# --- Files that are no suites -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("title = " + 50_000 * "[", "nested too deeply"),
        (f"title.{'a.' * 50_000}a = 1", "nested too deeply"),
        (f"title = {'9' * 10_000}", "not a TOML file"),
        (f"title = 0x{'f' * 10_000}", "must be a string, not a number of very many digits"),
        (f"title = [{'1, ' * 100_000}]", r"must be a string, not \[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, \.\.\.\]"),
        ("#" * 2**20 + "\n", "has 1 MiB; at most 1 are read"),
    ],
    ids=["deep", "deep keys", "long", "long hexadecimal", "long list", "large"],
)
def test_what_would_not_end_is_one_short_line(content, what, tmp_path):
    path = tmp_path / "hostile.toml"
    rest = "".join(f"{key} = {value}\n" for key, value in GOOD.items() if key != "title")
    path.write_text(f"{content}\n{rest}" if "title." not in content else f"{rest}{content}")
    with pytest.raises(UserError, match=what) as error:
        suites.load(str(path))
    assert len(str(error.value)) < 1000


def test_a_suite_has_no_more_runs_than_can_be_planned():
    quick = suites.load("quick")
    assert len(quick.revised(seeds="0-19999").seeds) == 20_000  # of five experiments
    with pytest.raises(
        UserError, match="20001 seeds of 5 experiments are 100005 runs; at most 100000"
    ) as error:
        quick.revised(seeds="0-20000")
    assert "--seeds" in error.value.do
    assert quick.revised(seeds="0-99999", patterns=("gan/*",)).experiments == ("gan/digits",)


def test_a_pipe_or_device_is_no_suite(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "zeros.toml").symlink_to("/dev/zero")
    for name in ("pipe", "zeros"):
        with pytest.raises(UserError, match="cannot read the suite \\(is no regular file\\)"):
            suites.load(str(tmp_path / f"{name}.toml"))


@pytest.mark.parametrize(
    "name",
    [
        *("...toml", "..toml", ".toml", ".hidden.toml", "a\nb.toml", "\udcff.toml"),
        *(
            "bench.toml",
            "probes.toml",
            "equivalent.toml",
        ),  # of these names are other files of results/reference
    ],
)
def test_a_file_whose_name_is_no_folders_is_refused(name, tmp_path):
    (tmp_path / name).write_text("".join(f"{key} = {value}\n" for key, value in GOOD.items()))
    with pytest.raises(UserError, match="can be no suite's name"):
        suites.load(str(tmp_path / name))


def test_more_evaluations_than_a_record_can_hold_are_refused(load):
    suite = load(gen_iters="1_000_000_000", evaluate_every="1")
    with pytest.raises(UserError, match="more than 100000 evaluations"):
        suite.evaluate_at("gan/digits")
    assert len(load(gen_iters="1_000_000", evaluate_every="10").evaluate_at("gan/digits")) == 100_001


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("numerics = []", "numerics: must be one of faithful, portable"),
        ("numerics = { a = 1 }", "numerics: must be one of faithful, portable"),
        (f"a{'.a' * 100_000} = 1", "nested too deeply"),
        (f"[a{'.a' * 100_000}]", "nested too deeply"),
        (f"a{' . a' * 100_000} = 1", "nested too deeply"),
        ('"!"' + '."!"' * 100_000 + " = 1", "nested too deeply"),
        ("['!'" + ".'!'" * 100_000 + "]", "nested too deeply"),
        (r'a."\"" . ' + "'#\"'." * 100_000 + "a = 1", "nested too deeply"),
        ('title = { \'\' = """\'""""", a' + '."é"' * 100_000 + " = 1 }", "nested too deeply"),
        ('a = "' + '\\"' * 500_000, "not a TOML file"),
        ('a = """' + '\\"' * 500_000, "not a TOML file"),
    ],
)
def test_values_that_no_dictionary_takes_and_names_without_end(line, says, tmp_path):
    path = tmp_path / "odd.toml"
    path.write_text(f"{line}\n" if line.startswith("[") else f"{line}\n{SMALL}")
    with pytest.raises(UserError, match=says):
        suites.load(str(path))


def test_long_texts_and_many_dots_are_no_deep_names(tmp_path):
    path = tmp_path / "long.toml"
    note = "x" * 100_000 + " and so on" + "." * 1000
    path.write_text(f'{SMALL}note = "{note}"\n')
    assert suites.load(str(path)).note == note


DOTS = ".a" * 100


@pytest.mark.parametrize(
    ("written", "note"),
    [
        (f'"a{DOTS}"', f"a{DOTS}"),
        (f"'a{DOTS}' # a{DOTS}", f"a{DOTS}"),
        (f'"\\"a{DOTS}" # "a{DOTS}', f'"a{DOTS}'),
        (f'"""\n"a" ""{DOTS}"""""', f'"a" ""{DOTS}""'),
        (f"'''\n'a' ''{DOTS}''''", f"'a' ''{DOTS}'"),
    ],
)
def test_names_with_dots_in_texts_and_comments_are_no_deep_names(written, note, tmp_path):
    path = tmp_path / "dots.toml"
    path.write_text(f"{SMALL}note = {written}\n")
    assert suites.load(str(path)).note == note
