"""The experiments of the baseline files as plain data, in two files: reading them needs no torch.

`catalogue.json` has what identifies and lists an experiment, `details.json` what only showing it needs.
``python -m baselines`` writes them. They hold the SHA-256 of every source they were made from and are ignored
as soon as one of them differs, so they can be out of date but never wrong. What is found by parsing a source
(the digest of its code, what it imports) is there too: parsing them all takes longer than a command. In a
review, their diff shows which experiments a change of code or settings touches.
"""

from __future__ import annotations

import ast
import importlib
import json
import math
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines.source_code import code_digest, file_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from baselines.spec import Experiment

_PAPERS = ("gan", "dcgan", "wgan", "wgan_gp", "sngan")
MODULES = (
    *(f"baselines.{part}{name}" for name in _PAPERS for part in ("", "variants.")),
    "baselines.variants.gan_float64",
    "baselines.variants.one_network",
)
PATH = Path(__file__).with_name("catalogue.json")
DETAILS = Path(__file__).with_name("details.json")

_VOCABULARY = "baselines.steps"
"""What `ganbench` has for baselines of one's own; it imports `baselines.spec`."""
_NO_FILES: Mapping[str, Path] = {}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}/[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""Names are folders of the results too."""


def read(path: Path = PATH) -> dict[str, dict[str, Any]] | None:
    """Experiments by name; None when the file is missing, damaged or older than a source."""
    content = _load(path)
    return dict(content["experiments"]) if content["sources"] == _read_sources(MODULES) else None


def read_details() -> dict[str, dict[str, Any]]:
    """`detail` by name; empty when the file is missing, damaged or older than a source."""
    return read(DETAILS) or {}


def compute(modules: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Experiments by name from the modules themselves; imports torch.

    Raises:
        ValueError: a name that is none, or that two experiments have.

    """
    return {e.name: _of(e, describe, module) for module, e in _declared(modules)}


def compute_details(modules: Iterable[str]) -> dict[str, dict[str, Any]]:
    """`detail` by name from the modules themselves; imports torch, and builds every network."""
    return {e.name: _of(e, detail) for _, e in _declared(modules)}


def _of(experiment: Experiment[Any], described: Callable[..., dict[str, Any]], *given: str) -> dict[str, Any]:
    """What `described` has of an experiment, which is named where that fails."""
    try:
        return described(experiment, *given)
    except Exception as error:
        if experiment.name in str(error):
            raise
        raise ValueError(f"'{experiment.name}': {type(error).__name__}: {error}") from error


def check_name(name: str) -> None:
    """Raise ValueError for what is no ``baseline/experiment``."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"'{name}' is no name: baseline/experiment, in letters, digits, - and _")


def _declared(modules: Iterable[str]) -> list[tuple[str, Experiment[Any]]]:
    found: dict[str, tuple[str, Experiment[Any]]] = {}
    for module in modules:
        for experiment in importlib.import_module(module).EXPERIMENTS:
            check_name(experiment.name)
            if experiment.name in found:
                raise ValueError(f"'{experiment.name}' is the name of two experiments")
            found[experiment.name] = module, experiment
    return list(found.values())


def describe(experiment: Experiment[Any], module: str) -> dict[str, Any]:
    """One experiment as JSON types: what reports show, and (settings, shapes) what identifies a run."""
    settings = experiment.settings
    for name, value in settings.values().items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"the setting '{name}' is {value}, not a finite number")
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
            name: {"value": value, **_source(settings.source(name))}
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


def detail(experiment: Experiment[Any]) -> dict[str, Any]:
    """What an appendix has about an experiment, as JSON types.

    `networks` and `players` as `baselines.networks` has them, `iteration` as `baselines.listing`; `counted`:
    critic updates and real minibatches of the paper's training length, None where there is none.

    Raises:
        ValueError: a network that does not give what `baselines.spec` asks for.

    """
    from baselines import listing, networks

    s, gen_iters = experiment.settings, experiment.budget.gen_iters
    counted = None
    if gen_iters is not None:
        counted = {
            "critic_updates": experiment.critic_updates(s, gen_iters),
            "real_minibatches": experiment.real_batches(s, gen_iters),
        }
    return {
        "networks": networks.layer_table(experiment),
        "players": networks.parts(experiment),
        "iteration": listing.listing(experiment.iterate),
        "counted": counted,
    }


def sources(module: str, own: Mapping[str, Path] = _NO_FILES) -> dict[str, str]:
    """Digest of the code of a module, of `own` files and of every `baselines` file they import; no torch.

    Args:
        module: where the experiments are.
        own: files of a third party's packages by dotted name.

    """
    return {name: found["code"] for name, found in sorted(_read_sources([module, *own], own).items())}


def write() -> None:
    """Make both files anew from the modules; imports torch."""
    known = _read_sources(MODULES)
    for path, experiments in ((PATH, compute(MODULES)), (DETAILS, compute_details(MODULES))):
        content = json.dumps({"sources": known, "experiments": experiments}, indent=1, ensure_ascii=False)
        path.write_text(content + "\n", encoding="utf-8")


def _read_sources(modules: Iterable[str], own: Mapping[str, Path] = _NO_FILES) -> dict[str, dict[str, Any]]:
    """What is said of the modules' files and of every `baselines` file they import, by dotted name."""
    known = _load(PATH)["sources"]
    found: dict[str, dict[str, Any]] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            content = (own.get(name) or _file(name)).read_bytes()
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
    """Modules of this package that a source imports, also through `ganbench`."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # a compiled module of a third party
        return []
    out = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("baselines", "baselines.variants"):
            out += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            out.append(_VOCABULARY if node.module == "ganbench" else node.module)
        elif isinstance(node, ast.Import):
            out += [_VOCABULARY if alias.name == "ganbench" else alias.name for alias in node.names]
    return sorted({name for name in out if name.startswith("baselines.") and _file(name).is_file()})


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
