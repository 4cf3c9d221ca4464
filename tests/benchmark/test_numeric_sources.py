"""A guard: whoever edits a file that decides numbers says so, since every earlier record becomes stale.

`COMMAND` says it for the files of `benchmark`; for those of `baselines`, `baselines/catalogue.json` does.
"""

import json
import os
from pathlib import Path

import pytest

from benchmark.records import identity
from benchmark.training.policies import POLICIES

COMMAND = 'NUMBERS="what changes, or that nothing does" pytest tests/benchmark/test_numeric_sources.py'
PATH = Path(__file__).with_name("numeric_sources.json")


def test_numeric_sources_changed_only_with_a_word_about_it():
    found = {
        name: digest
        for policy in POLICIES.values()
        for name, digest in identity.sources({"module": "baselines.gan"}, policy).items()
        if name.startswith("benchmark/")
    }
    if said := os.environ.get("NUMBERS"):
        PATH.write_text(json.dumps({"said": said, "sources": found}, indent=1) + "\n", encoding="utf-8")
    recorded = json.loads(PATH.read_text(encoding="utf-8"))
    assert recorded["said"].strip()
    changed = sorted(
        n for n in {**found, **recorded["sources"]} if found.get(n) != recorded["sources"].get(n)
    )
    if changed:
        pytest.fail(f"{', '.join(changed)} changed, so earlier records are stale. If it is meant: {COMMAND}")
