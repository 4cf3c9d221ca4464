"""The experiments of the baseline files as plain data, in `catalogue.json`: reading it needs no torch.

``python -m baselines`` writes the file. It holds the SHA-256 of every source it was made from and is
ignored as soon as one of them differs, so it can be out of date but never wrong. What is found by parsing a
source (the digest of its code, what it imports) is there too, since parsing them all takes longer than most
commands. In a review, its diff shows which experiments a change of code or settings touches.
"""

from __future__ import annotations

import ast
import importlib
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines.source_code import code_digest, file_digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from baselines.spec import Experiment

_PAPERS = ("gan", "dcgan", "wgan", "wgan_gp", "sngan")
MODULES = tuple(f"baselines.{part}{name}" for name in _PAPERS for part in ("", "variants."))
PATH = Path(__file__).with_name("catalogue.json")


def read(path: Path = PATH) -> dict[str, dict[str, Any]] | None:
    """Experiments by name; None when the file is missing, damaged or older than a source."""
    content = _load(path)
    return dict(content["experiments"]) if content["sources"] == _read_sources(MODULES) else None


def compute(modules: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Experiments by name from the modules themselves; imports torch.

    Raises:
        ValueError: a name that is not ``baseline/experiment``, or that two experiments have.

    """
    found: dict[str, dict[str, Any]] = {}
    for module in modules:
        for experiment in importlib.import_module(module).EXPERIMENTS:
            if experiment.name.count("/") != 1 or experiment.name in found:
                raise ValueError(f"'{experiment.name}' is no name, or two experiments have it")
            found[experiment.name] = describe(experiment, module)
    return found


def describe(experiment: Experiment[Any], module: str) -> dict[str, Any]:
    """One experiment as JSON types: what reports show, and (settings, shapes) what identifies a run."""
    settings = experiment.settings
    return {
        "name": experiment.name,
        "baseline": experiment.baseline,
        "module": module,
        "title": experiment.title,
        "paper": {k: v for k, v in vars(experiment.paper).items() if v or k != "bibtex"},
        "summary": experiment.summary,
        "dataset": experiment.dataset,
        "image_shape": list(experiment.image_shape),
        "image_range": list(experiment.image_range),
        "classes": experiment.classes,
        "train_images": experiment.train_images,
        "starts_from": experiment.starts_from,
        "critic_loss": vars(experiment.critic_loss(settings)) if experiment.critic_loss else None,
        "settings": {
            name: {"value": value, **_source(settings.sources[name])}
            for name, value in settings.values().items()
        },
        "parameters": _parameters(experiment),
        "budget": {
            "gen_iters": experiment.budget.gen_iters,
            "arithmetic": experiment.budget.arithmetic,
            **_source(experiment.budget.source),
        },
        "deviations": [vars(deviation) for deviation in experiment.deviations],
        "headline": experiment.headline,
    }


def sources(module: str) -> dict[str, str]:
    """Digest of the code of the module and of every `baselines` file it imports, by dotted name; no torch."""
    return {name: found["code"] for name, found in sorted(_read_sources([module]).items())}


def write(path: Path = PATH) -> None:
    """Make the file anew from the modules; imports torch."""
    content = {"sources": _read_sources(MODULES), "experiments": compute(MODULES)}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_sources(modules: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What is said of the modules' files and of every `baselines` file they import, by dotted name."""
    known = _load(PATH)["sources"]
    found: dict[str, dict[str, Any]] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            content = _file(name).read_bytes()
            found[name] = known.get(name, {})
            if found[name].get("file") != file_digest(content):
                found[name] = _describe_source(content)
            waiting += found[name]["imports"]
    return found


def _describe_source(content: bytes) -> dict[str, Any]:
    return {
        "file": file_digest(content),
        "code": code_digest(content),
        "imports": _imported_baselines(content),
    }


@cache
def _load(path: Path) -> dict[str, dict[str, Any]]:
    """The content of a catalogue; without entries if it cannot be used."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = {
            name: {key: entry[key] for key in ("file", "code", "imports")}
            for name, entry in content["sources"].items()
        }
        return {"sources": known, "experiments": dict(content["experiments"])}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {"sources": {}, "experiments": {}}


@cache
def _file(module: str) -> Path:
    if module.startswith("baselines."):  # without find_spec: this runs in every command
        return Path(__file__).parent.joinpath(*module.split(".")[1:]).with_suffix(".py")
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no source file for module '{module}'")
    return Path(spec.origin)


def _imported_baselines(content: bytes) -> list[str]:
    """Modules of this package that a source imports, from its import statements."""
    out = []
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.ImportFrom) and node.module in ("baselines", "baselines.variants"):
            out += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("baselines."):
            out.append(node.module)
        elif isinstance(node, ast.Import):
            out += [alias.name for alias in node.names if alias.name.startswith("baselines.")]
    return sorted(set(out))


def _source(source: Any) -> dict[str, str]:
    return {"source": source.where, "confidence": source.confidence}


def _parameters(experiment: Experiment[Any]) -> dict[str, int]:
    import torch

    # The first optimiser of a process imports much of torch, which fails under "meta" in torch 2.6.
    torch.optim.SGD([torch.zeros(1)])
    with torch.device("meta"):
        players = experiment.build(
            experiment.settings, experiment.image_shape, torch.zeros(experiment.image_shape)
        )
    return {
        "generator": sum(p.numel() for p in players.generator.parameters()),
        "critic": sum(p.numel() for p in players.critic.parameters()),
    }
