"""What docs/reliability.md names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
DOORS = [line for line in TEXT.splitlines() if line.startswith("| ") and "`tests/" in line]


def test_every_door_has_a_test():
    begin = TEXT.index("| what comes from outside |")
    rows = TEXT[begin : TEXT.index("\n\n", begin)].splitlines()[2:]
    assert rows == DOORS
    assert len(DOORS) > 10


@pytest.mark.parametrize("row", DOORS, ids=lambda row: row[2:40])
def test_every_test_and_door_in_the_table_is_there(row):
    file = None
    for path, name in re.findall(r"`(tests/[\w/.]+)?(?:::(\w+))?`", row.split("|")[-2]):
        file = ROOT / path if path else file
        assert file.exists()
        if name:
            assert re.search(rf"^def {name}\(", file.read_text(encoding="utf-8"), re.MULTILINE)
    for path in re.findall(r"`((?:benchmark|baselines)/[\w/.]+)`", row):
        assert (ROOT / path).exists()
