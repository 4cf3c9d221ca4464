"""Names that people type: papers, nearly right ones, and what the shell completes."""

import json
import os
import subprocess
import sys

import pytest

import baselines


def test_a_paper_is_shown_with_its_algorithm_experiments_and_claims(ganbench):
    code, out, err = ganbench("show", "wgan", "--json")
    assert (code, err) == (0, "")
    shown = json.loads(out)
    own = [name for name in baselines.names() if name.startswith("wgan/")]
    assert [e["name"] for e in shown["experiments"]] == own
    assert shown["algorithm"] == baselines.details(shown["algorithm_of"])["iteration"]
    assert {c["experiment"] for c in shown["claims"]} & {*own}
    code, text, err = ganbench("show", "wgan")
    assert (code, err) == (0, "")
    assert all(name in text for name in own)
    assert "for _ in range(critic_steps(s, k)):" in text
    assert shown["bibtex"].strip() in text


def test_a_paper_by_nearly_its_name_is_suggested(ganbench):
    for wrong, right in (("wgangp", "wgan_gp"), ("sn-gan", "sngan"), ("dcgn", "dcgan")):
        code, _, err = ganbench("show", wrong)
        assert code == 2
        assert f"Did you mean '{right}'?" in err


COMPLETIONS = {
    "run ci": {"ci-gpu", "cifar10"},
    "plan --experiment sngan/d": {"sngan/digits"},
    "show wgan_gp/d": {"wgan_gp/digits", "wgan_gp/digits-cnn"},
    "show sng": {"sngan", *(n for n in baselines.names() if n.startswith("sng")), "sngan-table2"},
    "show fid-5": {"fid-5k", "fid-50k"},
    "probe quic": {"quick"},
    "evaluate x --protocol digits-": {"digits-2k"},
    "exp": {"export"},
}


@pytest.mark.parametrize("typed", COMPLETIONS)
def test_the_shell_completes_names_without_torch(typed):
    words = typed.split()
    code = "import sys; from benchmark.cli import main\ntry: main()\nfinally: print('torch' in sys.modules)"
    asked = {
        "_GANBENCH_COMPLETE": "bash_complete",
        "COMP_WORDS": f"ganbench {typed}",
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    *found, torch = done.stdout.splitlines()
    assert {line.removeprefix("plain,") for line in found} == COMPLETIONS[typed]
    assert torch == "False"


def test_the_shell_gets_its_script():
    done = subprocess.run(
        [sys.executable, "-m", "benchmark"],
        env={**os.environ, "_GANBENCH_COMPLETE": "zsh_source"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("#compdef ganbench")


def test_no_traceback_goes_into_the_line_that_is_typed():
    asked = {"_GANBENCH_COMPLETE": "bash_complete", "COMP_WORDS": "ganbench 'r", "COMP_CWORD": "x"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmark"], env={**os.environ, **asked}, capture_output=True, check=False
    )
    assert (done.stdout, done.stderr) == (b"", b"")
