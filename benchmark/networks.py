"""Layers, shapes and parameter counts of an experiment's networks, read off the modules themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from baselines.spec import Experiment


def layer_table(experiment: Experiment[Any]) -> dict[str, list[dict[str, Any]]]:
    """For ``generator`` and ``critic``, per layer in order of use: name, kind, output shape, parameters.

    The networks are built and run on the meta device, which computes shapes only. Shapes are without the
    batch dimension.
    """
    with torch.device("meta"):
        players = experiment.build(
            experiment.settings, experiment.image_shape, torch.zeros(experiment.image_shape)
        )
        z = torch.zeros(2, experiment.settings.latent)
        x = torch.zeros(2, *experiment.image_shape)
        classes = (torch.zeros(2, dtype=torch.int64),) if experiment.classes else ()
    return {
        "generator": _layers(players.generator, z, *classes),
        "critic": _layers(players.critic, x, *classes),
    }


def _layers(network: nn.Module, *inputs: Tensor) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def note(name: str, module: nn.Module) -> Any:
        def hook(_: nn.Module, __: Any, output: Tensor) -> None:
            rows.append(
                {
                    "layer": name,
                    "kind": type(module).__name__,
                    "output": list(output.shape[1:]),
                    "parameters": sum(p.numel() for p in module.parameters(recurse=False)),
                }
            )

        return hook

    leaves = [(name, m) for name, m in network.named_modules() if not list(m.children())]
    handles = [m.register_forward_hook(note(name, m)) for name, m in leaves]
    with torch.no_grad():
        network(*inputs)
    for handle in handles:
        handle.remove()
    return rows
