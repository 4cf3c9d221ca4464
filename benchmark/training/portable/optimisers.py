"""Update rules of torch's optimisers, written out: torch's formulas change with its versions and SIMD levels.

`adopt` replaces `step` of one optimiser object. State has torch's names and shapes, so that a checkpoint is
the same in both profiles. An optimiser that is built from torch operations in its own `step`, like those of
`baselines.optimisers`, needs no rule: its operations are in the tables.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._mode_utils import no_dispatch

from baselines.optimisers import EpsHatAdam
from benchmark.errors import UserError
from benchmark.training.portable.functions import over, power, sqrt

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.optim import Optimizer

Group = dict[str, Any]


def adopt(optimiser: Optimizer, experiment: str) -> None:
    """Let `optimiser.step` compute by the rule of its class, if that or its base is one of torch's.

    Raises:
        UserError: there is no rule for it, or for one of its options.

    """
    rules: dict[type, Callable[[Any], None]] = {
        torch.optim.Adam: lambda o: _adam(o, lambda group, _: group["eps"]),
        EpsHatAdam: lambda o: _adam(o, lambda _, correction: o._eps_hat / correction),
        torch.optim.RMSprop: _rmsprop,
    }
    rule = rules.get(type(optimiser))
    if rule is None and not _is_written_out(type(optimiser)):
        raise _refusal(type(optimiser).__name__, experiment)
    if rule is None:
        return
    for group in optimiser.param_groups:
        for option in ("amsgrad", "maximize", "centered", "momentum", "decoupled_weight_decay"):
            if group.get(option):
                raise _refusal(f"{type(optimiser).__name__} with {option}", experiment)

    def step(closure: Any = None) -> None:  # noqa: ARG001
        with torch.no_grad(), no_dispatch():
            rule(optimiser)

    optimiser.step = step  # type: ignore[method-assign, assignment]


def _is_written_out(kind: type) -> bool:
    """Whether a class derives from nothing of torch but `Optimizer`."""
    return all(
        base is torch.optim.Optimizer or not base.__module__.startswith("torch.") for base in kind.__mro__
    )


def _refusal(what: str, experiment: str) -> UserError:
    return UserError(
        f"the optimiser {what} has no portable rule",
        where=f"experiment '{experiment}'",
        do="Use --numerics faithful",
    )


def _adam(optimiser: Optimizer, eps_at: Callable[[Group, float], float]) -> None:
    """Adam: m ← m + (1−β₁)(g−m); v ← β₂v + (1−β₂)g²; w ← w − lr/(1−β₁ᵗ) · m/(√v/√(1−β₂ᵗ) + ε)."""
    for group in optimiser.param_groups:
        beta1, beta2 = group["betas"]
        for p, g, state in _with_gradients(optimiser, group, "exp_avg", "exp_avg_sq"):
            t = int(state["step"])
            m, v = state["exp_avg"], state["exp_avg_sq"]
            m.add_((g - m).mul_(1 - beta1))
            v.mul_(beta2).add_((g * g).mul_(1 - beta2))
            correction = math.sqrt(1 - power(beta2, t))
            spread = over(sqrt(v), correction).add_(eps_at(group, correction))
            p.sub_((m / spread).mul_(group["lr"] / (1 - power(beta1, t))))


def _rmsprop(optimiser: Optimizer) -> None:
    """RMSprop: s ← αs + (1−α)g²; w ← w − lr·g/(√s + ε)."""
    for group in optimiser.param_groups:
        for p, g, state in _with_gradients(optimiser, group, "square_avg"):
            s = state["square_avg"]
            s.mul_(group["alpha"]).add_((g * g).mul_(1 - group["alpha"]))
            p.sub_((g / sqrt(s).add_(group["eps"])).mul_(group["lr"]))


def _with_gradients(
    optimiser: Optimizer, group: Group, *slots: str
) -> list[tuple[Tensor, Tensor, dict[str, Any]]]:
    """Parameters that have a gradient, it with the L2 term, and their state, whose step is counted."""
    found = []
    for p in group["params"]:
        if p.grad is None:
            continue
        state = optimiser.state[p]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state.update({slot: torch.zeros_like(p) for slot in slots})
        state["step"] += 1
        g = p.grad
        found.append((p, g + p * group["weight_decay"] if group["weight_decay"] else g, state))
    return found
