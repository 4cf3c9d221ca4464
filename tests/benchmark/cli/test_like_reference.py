"""`ganbench env --like-reference`: another GPU model is noticed before anything is trained."""

import json
from pathlib import Path

import pytest

from benchmark.judging import accepted
from benchmark.records import environment, record


@pytest.fixture
def accept():
    """Accept a record of `quick` made on each of these devices."""

    def of(*devices):
        records = [
            record.sealed(
                {
                    **TEMPLATE,
                    "seed": seed,
                    "spec": {**TEMPLATE["spec"], "seed": seed},
                    "provenance": {**TEMPLATE["provenance"], "environment": {"device": device}},
                }
            )
            for seed, device in enumerate(devices)
        ]
        accepted.write(Path("results/reference/quick.json"), "quick", records)

    return of


SHIPPED = Path(__file__).parents[3] / "results" / "reference" / "quick.json"
TEMPLATE = json.loads(SHIPPED.read_text(encoding="utf-8"))["records"][0]
HERE = environment.describe("cpu")["device"]
CALL = ("env", "--device", "cpu", "--like-reference", "quick")


def test_without_a_reference_any_machine_will_do(ganbench):
    code, stdout, _ = ganbench(*CALL[:-1], "figure3")
    assert code == 0
    assert "nothing was accepted yet" in stdout


def test_the_reference_that_comes_with_ganbench_counts_where_there_is_no_other(ganbench, accept):
    (made_on,) = {r["provenance"]["environment"]["device"] for r in accepted.read(SHIPPED)}
    code, stdout, _ = ganbench(*CALL)
    assert code == (made_on != HERE)
    assert made_on in " ".join(stdout.split())
    accept("NVIDIA L4")
    assert "NVIDIA L4" in " ".join(ganbench(*CALL)[1].split())


def test_the_same_model_passes(ganbench, accept):
    accept(HERE, HERE)
    assert ganbench(*CALL)[0] == 0


@pytest.mark.parametrize("devices", [("NVIDIA L4",), (HERE, "NVIDIA L4")])
def test_another_model_fails_and_both_are_named(devices, ganbench, accept):
    accept(*devices)
    code, stdout, _ = ganbench(*CALL)
    assert code == 1
    assert "NVIDIA L4" in " ".join(stdout.split())
    assert HERE in " ".join(stdout.split())


def test_a_damaged_reference_is_no_reference(ganbench, accept):
    accept("NVIDIA L4")
    path = Path("results/reference/quick.json")
    path.write_text(path.read_text().replace("L4", "L5"))
    code, _, stderr = ganbench(*CALL)
    assert code == 2
    assert "was altered or damaged" in stderr


@pytest.mark.parametrize(("devices", "same"), [((HERE,), True), (("NVIDIA L4",), False)])
def test_what_is_found_is_json_too(devices, same, ganbench, accept):
    accept(*devices)
    code, stdout, _ = ganbench(*CALL, "--json")
    assert code == (not same)
    assert json.loads(stdout) == {
        "device": HERE,
        "reference": "results/reference/quick.json",
        "reference_devices": [*devices],
        "same": same,
    }


def test_that_nothing_was_accepted_is_json_too(ganbench):
    code, stdout, _ = ganbench(*CALL[:-1], "figure3", "--json")
    said = json.loads(stdout)
    assert (code, said["same"], said["reference_devices"]) == (0, None, [])
