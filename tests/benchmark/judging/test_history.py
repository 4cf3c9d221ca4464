"""What a reference accepted over time: by git's commits, by files, and what changed in between."""

import copy
import json
import subprocess
from pathlib import Path

import pytest

from benchmark.errors import NothingToJudge, UserError
from benchmark.judging import accepted, history
from benchmark.records import identity, record
from benchmark.report.history import history as drawn

SHIPPED = [
    r
    for r in accepted.read(Path(__file__).parents[3] / "results/reference/quick.json")
    if r["experiment"] in ("gan/digits", "wgan/digits") and r["seed"] < 3
]


def changed(records, **edits):
    """Sealed copies with other settings (`latent`), environment (`env`), code (`run`) or FID (`add`)."""
    out = []
    for one in copy.deepcopy(records):
        if "latent" in edits:
            one["spec"]["experiment"]["settings"]["latent"]["value"] = edits["latent"]
        if "run" in edits:
            one["spec"]["sources"] = {**one["spec"]["sources"], "code": edits["run"]}
        one["cell_id"], one["run_id"] = identity.cell_id(one["spec"]), identity.run_id(one["spec"])
        one["env_id"] = edits.get("env", one["env_id"])
        for point in (*one["curve"], one["final"]):
            point["scores"]["digits-2k"]["fid"] += edits.get("add", 0.0)
        out.append(record.sealed({k: v for k, v in one.items() if k != "record_sha256"}))
    return out


@pytest.fixture
def git(tmp_path):
    def call(*words):
        config = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", tmp_path, *config, *words], check=True, capture_output=True)

    call("init", "-q")
    return call


@pytest.fixture
def reference(tmp_path, git):
    """Four commits: the first, a new environment, new settings of one experiment, another file."""
    path = tmp_path / "reference" / "quick.json"
    gan = [r for r in SHIPPED if r["experiment"] == "gan/digits"]
    wgan = [r for r in SHIPPED if r["experiment"] == "wgan/digits"]
    for records in (
        SHIPPED,
        changed(SHIPPED, env="f" * 64, add=1.0),
        [*changed(gan, latent=7), *changed(wgan, env="f" * 64, add=1.0)],
    ):
        accepted.write(path, "quick", records)
        git("add", ".")
        git("commit", "-qm", "x")
    (tmp_path / "other").touch()
    git("add", ".")
    git("commit", "-qm", "other")
    return path


def test_signed_commits_are_read_whatever_the_user_lets_git_say(reference, git, tmp_path):
    expected = history.read([reference])
    gpg = tmp_path / "gpg"
    gpg.write_text(
        "#!/bin/sh\ncat >/dev/null\necho 'gpg: Signature made by ü' >&2\necho '[GNUPG:] SIG_CREATED D' >&2\n"
        "echo '-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----'\n"
    )
    gpg.chmod(0o755)
    git("config", "gpg.program", str(gpg))
    git("config", "log.showSignature", "true")
    git("commit", "-q", "-S", "--amend", "-m", "signed")
    accepted.write(reference, "quick", changed(SHIPPED, env="e" * 64))
    git("commit", "-qaS", "-m", "signed")
    (stories, notes), (before, _) = history.read([reference]), expected
    assert notes == []
    assert [len(s.entries) for s in stories] == [len(s.entries) + 1 for s in before]


def test_lines_of_git_that_name_no_commit_are_passed_over(reference, monkeypatch):
    expected, git = history.read([reference]), history._git

    def talkative(path, *words):
        said = git(path, *words)
        return b"gpg: \xff made\nno key\n\n" + said if words[0] == "log" else said

    monkeypatch.setattr(history, "_git", talkative)
    assert history.read([reference]) == expected


def test_a_name_is_no_pattern_of_git(tmp_path, git):
    path = tmp_path / ":(top)quick.json"
    accepted.write(path, "quick", SHIPPED)
    git("add", "--all")
    git("commit", "-qm", "x")
    stories, _ = history.read([path])
    assert [e.name == "not committed" for s in stories for e in s.entries] == [False, False]


def test_each_commit_that_accepted_an_experiment_is_an_entry(reference):
    stories, notes = history.read([reference])
    assert notes == []
    assert [(s.suite, s.experiment, len(s.entries)) for s in stories] == [
        ("quick", "gan/digits", 3),
        ("quick", "wgan/digits", 2),  # the third commit left it as it was
    ]
    gan = stories[0].entries
    assert [e.new_environment for e in gan] == [False, True, True]
    assert [bool(e.new_settings) for e in gan] == [False, False, True]
    assert any(text.startswith("latent (") and "| 7)" in text for text in gan[2].new_settings)
    fids = sorted(
        r["final"]["scores"]["digits-2k"]["fid"] for r in SHIPPED if r["experiment"] == "gan/digits"
    )
    assert sorted(gan[0].values["digits-2k", "fid"]) == fids
    assert sorted(gan[1].values["digits-2k", "fid"]) == pytest.approx([x + 1 for x in fids])
    assert all(len(e.name) >= 7 and e.day.count("-") == 2 for e in gan)


def test_what_is_not_committed_is_the_last_entry(reference):
    accepted.write(reference, "quick", changed(SHIPPED, run="0"))
    entries = history.read([reference])[0][1].entries
    assert [e.name for e in entries][2:] == ["not committed"]


def test_an_old_version_that_cannot_be_read_is_told(reference, git):
    content = json.loads(reference.read_text())
    content["schema_version"] = 0
    good = reference.read_bytes()
    for text in (json.dumps(content).encode(), good):
        reference.write_bytes(text)
        git("commit", "-qam", "x")
    stories, (note,) = history.read([reference])
    assert "has schema 0" in note
    assert len(stories[0].entries) == 3


def test_a_clone_without_the_whole_history_says_so(reference, git, tmp_path):
    """As the checkout of a CI is: its first commit is no day on which anything was accepted."""
    assert history.read([reference])[1] == []
    clone = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{tmp_path}", clone], check=True)
    stories, (note,) = history.read([clone / "reference" / "quick.json"])
    assert "this clone has not the whole history" in note
    assert len(stories[0].entries) == 1


def test_without_git_files_follow_one_another(tmp_path):
    for name, records in {"a": SHIPPED, "b": changed(SHIPPED, run="0", add=2.0)}.items():
        accepted.write(tmp_path / f"{name}.json", "quick", records)
    stories, _ = history.read([tmp_path / "a.json", tmp_path / "b.json"])
    assert [[e.name for e in s.entries] for s in stories] == [["a.json", "b.json"]] * 2
    table = drawn(stories).table
    assert [row.cells[-1] for row in table.rows] == ["–", "code or seeds"] * 2


def test_experiments_in_several_cells_are_told_apart(tmp_path):
    accepted.write(tmp_path / "a.json", "quick", [*SHIPPED, *changed(SHIPPED, latent=7)])
    stories, _ = history.read([tmp_path / "a.json"])
    assert len(stories) == 4
    assert len({s.experiment for s in stories}) == 4


def test_lines_stop_where_settings_changed_and_changes_are_marked(reference):
    stories, notes = history.read([reference])
    gan, wgan = drawn(stories, notes).figures
    assert gan.svg.count("stroke-dasharray") > wgan.svg.count("stroke-dasharray")
    assert "latent" in drawn(stories).table.rows[2].cells[-1]
    assert drawn(stories).table.rows[1].cells[-1] == "environment"


def test_what_is_no_reference_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        history.read([tmp_path / "none.json"])
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UserError, match="no reference"):
        history.read([tmp_path / "x.json"])
    accepted.write(tmp_path / "e.json", "quick", [])
    with pytest.raises(NothingToJudge):
        history.read([tmp_path / "e.json"])
