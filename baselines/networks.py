"""Networks and optimisers of an experiment as an appendix lists them, read off the objects themselves."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from baselines.spec import Experiment


def layer_table(experiment: Experiment[Any]) -> dict[str, list[dict[str, Any]]]:
    """For ``generator`` and ``critic``, per layer in order of use: kind, details, output shape, parameters.

    `initial_sd` is the standard deviation of the layer's weights at G-iteration 0 of a seed, None
    without weights. Shapes are without the batch dimension; they come from a pass on the meta device, which
    computes nothing else, or on the CPU where a network cannot do without numbers.

    Raises:
        ValueError: a generator gives no images, or a critic no number for each; it may give further numbers
            beside it, [B, n], and in a loop of one's own [B, ...].

    """
    initial = _initial_sd(experiment)
    try:
        return _traced(experiment, initial, "meta")
    except (NotImplementedError, RuntimeError):
        with torch.random.fork_rng(devices=[]):
            return _traced(experiment, initial, "cpu")


def _traced(
    experiment: Experiment[Any], initial: dict[str, dict[str, float]], device: str
) -> dict[str, list[dict[str, Any]]]:
    with torch.device(device):
        players = experiment.build(
            experiment.settings, experiment.image_shape, torch.zeros(experiment.image_shape)
        )
        z = torch.zeros(2, experiment.settings.latent)
        x = torch.zeros(2, *experiment.image_shape)
        classes = (torch.zeros(2, dtype=torch.int64),) if experiment.classes else ()
    generator, images = _layers(players.generator, initial["generator"], z, *classes)
    critic, values = _layers(players.critic, initial["critic"], x, *classes)
    name, shape = experiment.name, [2, *experiment.image_shape]
    if images != shape:
        raise ValueError(f"the generator of '{name}' gives {images} for a batch of 2, not {shape}")
    is_loop = hasattr(experiment.iterate, "parts")  # of `steps`: whose critic only its own losses know
    several = is_loop or (len(values) == 2 and values[1] > 1)
    if values != [2] and not (values[:1] == [2] and several):
        raise ValueError(
            f"the critic of '{name}' gives {values} for a batch of 2, not [2]: a number per image"
        )
    return {"generator": generator, "critic": critic}


def parts(experiment: Experiment[Any]) -> dict[str, dict[str, str]]:
    """For both networks and their optimisers: class, what its docstring says, values of the update rule."""
    with torch.device("meta"):
        players = experiment.build(
            experiment.settings, experiment.image_shape, torch.zeros(experiment.image_shape)
        )
    described = {}
    for name in ("generator", "critic", "generator_optimiser", "critic_optimiser"):
        part = getattr(players, name)
        values = part.defaults if isinstance(part, torch.optim.Optimizer) else {}
        own = type(part).__module__.split(".", 1)[0] != "torch"
        described[name] = {
            "class": type(part).__name__,
            "description": _first_paragraph(type(part)) if own else "As in torch.",
            "values": ", ".join(f"{key} {_plain(x)}" for key, x in values.items() if key in _RULE),
        }
    return described


def _first_paragraph(kind: type) -> str:
    """Of its own docstring: one that is inherited describes torch's base class, not this network."""
    return inspect.cleandoc(vars(kind).get("__doc__") or "").split("\n\n", 1)[0]


_UNSAID = re.compile(r", (momentum=[^,]*|affine=True|bias=True|track_running_stats=True)")
"""What torch repeats of every norm layer; running averages are named by the setting `sampling_statistics`."""
_RULE = ("lr", "betas", "eps", "alpha", "decay", "momentum", "weight_decay")
"""Options of optimisers that belong to the update rule; the others choose an implementation."""


def _plain(value: object) -> str:
    return str(tuple(value)) if isinstance(value, list | tuple) else f"{value:g}"


def _initial_sd(experiment: Experiment[Any]) -> dict[str, dict[str, float]]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        players = experiment.build(
            experiment.settings, experiment.image_shape, torch.full(experiment.image_shape, 0.5)
        )
    return {
        part: {
            name: module.weight.detach().std(correction=0).item()
            for name, module in network.named_modules()
            if isinstance(getattr(module, "weight", None), Tensor)
        }
        for part, network in (("generator", players.generator), ("critic", players.critic))
    }


def _layers(
    network: nn.Module, initial: dict[str, float], *inputs: Tensor
) -> tuple[list[dict[str, Any]], list[int]]:
    """A row per layer, and the shape of what the network gives."""
    rows: list[dict[str, Any]] = []

    def note(name: str, module: nn.Module) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            rows.append(
                {
                    "layer": name,
                    "kind": type(module).__name__,
                    "details": _UNSAID.sub("", module.extra_repr()),
                    "output": list(output.shape[1:]) if isinstance(output, Tensor) else [],
                    "parameters": sum(p.numel() for p in module.parameters(recurse=False)),
                    "initial_sd": initial.get(name),
                }
            )

        return hook

    leaves = [(name, m) for name, m in network.named_modules() if not list(m.children())]
    handles = [m.register_forward_hook(note(name, m)) for name, m in leaves]
    with torch.no_grad():
        given = network(*inputs)
    for handle in handles:
        handle.remove()
    if not isinstance(given, Tensor):
        raise TypeError(f"the {type(network).__name__} gives a {type(given).__name__}, not a tensor")
    return rows, list(given.shape)
