"""Update rules of the papers' frameworks where torch's own differ in more than rounding."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor


class EpsHatAdam(torch.optim.Adam):
    """Adam as TensorFlow 1 and Chainer 3 compute it: ε is added *before* the bias correction.

    w ← w − lr·√(1−β₂ᵗ)/(1−β₁ᵗ) · m/(√v + ε̂). Torch adds ε after the correction, so torch's rule with
    ε_t = ε̂/√(1−β₂ᵗ) is the same one (Kingma & Ba, remark at the end of §2).
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, betas: tuple[float, float], eps_hat: float = 1e-8
    ) -> None:
        self._eps_hat = eps_hat
        super().__init__(params, lr=lr, betas=betas, foreach=True)

    def step(self, closure: Any = None) -> Any:
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            state = self.state.get(group["params"][0])
            t = int(state["step"]) + 1 if state else 1
            group["eps"] = self._eps_hat / math.sqrt(1 - group["betas"][1] ** t)
        return super().step(closure)


class ClassicalMomentum(Optimizer):
    """v ← m·v − lr·g; w ← w + v, as pylearn2 has it: the velocity carries the learning rate.

    torch.optim.SGD multiplies by lr outside the velocity, which differs once lr changes.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """One update; `closure` is not used."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            grads = [p.grad for p in params]
            velocities = _slots(self, params, "velocity", torch.zeros_like)
            torch._foreach_mul_(velocities, group["momentum"])
            torch._foreach_add_(velocities, grads, alpha=-group["lr"])
            torch._foreach_add_(params, velocities)


class TensorFlowRMSprop(Optimizer):
    """RMSProp as TensorFlow 1 has it: decay .9, ε = 1e-10 *inside* the root, mean square starting at one.

    s ← .9·s + .1·g²; w ← w − lr·g/√(s + ε). torch.optim.RMSprop starts s at zero, has ε outside and
    decay .99: its first step is 10·lr whatever the gradient, where this one's is about lr·|g|.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, decay: float = 0.9, eps: float = 1e-10) -> None:
        super().__init__(params, {"lr": lr, "decay": decay, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """One update; `closure` is not used."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            grads = [p.grad for p in params]
            squares = _slots(self, params, "mean_square", torch.ones_like)
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, grads, grads, value=1 - group["decay"])
            root = torch._foreach_add(squares, group["eps"])
            torch._foreach_sqrt_(root)
            torch._foreach_addcdiv_(params, grads, root, value=-group["lr"])


def _slots(
    optimiser: Optimizer, params: list[Tensor], name: str, initial: Callable[[Tensor], Tensor]
) -> list[Tensor]:
    """Per-parameter state tensors called `name`, created on first use."""
    for p in params:
        if name not in optimiser.state[p]:
            optimiser.state[p][name] = initial(p)
    return [optimiser.state[p][name] for p in params]
