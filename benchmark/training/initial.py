"""Initial networks whose weights depend on (seed, parameter name), not on torch's generator.

An experiment's `build` fills tensors with torch's random functions, whose bits differ between SIMD levels and
versions of torch and depend on the order of construction. `_Fills`, a dispatch mode below them, puts exact
draws in their place. `build` runs twice: the first time, with zeros, tells which fill belongs to which
parameter or buffer; the second time fill i of a parameter has the stream (seed, "init", "<player>.<name>|i").
Fills that end in no parameter share a name.

What is computed *from* the draws is computed by torch. Scaling and adding are exact; `orthogonal_` (LAPACK's
QR), `trunc_normal_` (erfinv) and norms are not. `logit` is replaced, for biases from the mean image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmark.errors import UserError
from benchmark.training import exact_draws
from benchmark.training.draws import stream, torch_seed

if TYPE_CHECKING:
    from baselines.spec import Experiment, Players
    from benchmark.training.exact_draws import Bits

INEXACT = ("aten.linalg", "aten.erfinv", "aten.norm")
"""Beginnings of names of operations whose bits depend on the machine; others are exact in initial weights."""
_ELSEWHERE = "elsewhere"
_Array = np.ndarray[Any, Any]
_aten = torch.ops.aten


def build(experiment: Experiment[Any], seed: int, mean_image: Tensor, *, exact: bool = False) -> Players:
    """What the experiment's `build` makes, with initial weights that are a function of the seed.

    Args:
        experiment: gives `build` and its settings.
        seed: the run's seed.
        mean_image: of the training set, [C, H, W] in 0..1.
        exact: whether weights whose bits depend on the machine are refused.

    Torch's global generator, which an experiment's own code may use, is seeded and put back afterwards.

    Raises:
        UserError: it draws with a function that has no exact counterpart, or a number of times that depends
            on what was drawn.

    """

    def built(fills: _Fills) -> Players:
        with torch.random.fork_rng(devices=[]), fills:
            torch.manual_seed(torch_seed(seed, "init", 0))
            return experiment.build(experiment.settings, experiment.image_shape, mean_image)

    def plan() -> list[tuple[str, str]]:  # what the trial made is freed on return
        trial = _Fills(experiment.name, seed)
        return trial.planned(built(trial))

    fills = _Fills(experiment.name, seed, plan())
    players = built(fills)
    fills.check_complete()
    if exact and fills.inexact:
        raise UserError(
            f"its initial weights are made by {fills.inexact}: other bits on other machines",
            where=f"experiment '{experiment.name}'",
            do="Use --numerics faithful",
        )
    return players


class _Fills(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Gives every random fill its values: those of its stream, or zeros in a trial.

    Args:
        experiment: whose name errors have.
        seed: the run's seed.
        plan: for each fill its kind and stream, where "" means zeros; None for a trial.

    """

    def __init__(self, experiment: str, seed: int, plan: list[tuple[str, str]] | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._experiment, self._seed, self._plan = experiment, seed, plan
        self._n = 0
        self.inexact = ""
        self._made: list[tuple[str, Tensor]] = []  # holds the tensors, so that no address is used twice
        self._newest: dict[int, int] = {}
        self._overwritten: set[int] = set()

    def planned(self, players: Players) -> list[tuple[str, str]]:
        """The plan, from a trial: streams by the parameter or buffer whose memory was filled."""
        owners: dict[int, str] = {}
        for player in ("generator", "critic"):
            network: torch.nn.Module = getattr(players, player)
            for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
                owners.setdefault(_address(tensor), f"{player}.{name}")
        plan, fills = [], Counter[str]()
        for i, (kind, tensor) in enumerate(self._made):
            name = owners.get(_address(tensor), _ELSEWHERE)
            plan.append((kind, "" if i in self._overwritten else f"{name}|{fills[name]}"))
            fills[name] += 1
        return plan

    def check_complete(self) -> None:
        """Raise if there were fewer fills than planned."""
        if self._plan is not None and self._n < len(self._plan):
            self._refuse("draws initial weights a number of times that depends on what was drawn")

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Replace `func` if it draws from torch's global generator."""
        kwargs = kwargs or {}
        if func is _aten.logit.default and len(args) == 2:
            return _logit(*args)
        if torch.Tag.nondeterministic_seeded not in func.tags or kwargs.get("generator") is not None:
            if str(func).startswith(INEXACT):
                self.inexact = self.inexact or str(func)
            if self._plan is None:
                for tensor in _tensors(args):
                    self._newest.pop(_address(tensor), None)
            return func(*args, **kwargs)
        if func in _IN_PLACE:
            tensor, values = args[0], _IN_PLACE[func]
        elif func in _NEW:  # torch's own values only give shape, dtype and device
            tensor, values = func(*args, **kwargs), _NEW[func]
        else:
            self._refuse(f"draws initial weights with {func}, which has no exact counterpart")
        kind = f"{func} {list(tensor.shape)}"
        stream_name = self._note(kind, tensor) if self._plan is None else self._next(kind)
        if not stream_name:
            return tensor.zero_()
        drawn = values(stream(self._seed, "init", stream_name), tensor, *args)
        return tensor.copy_(torch.from_numpy(drawn).view(tensor.shape))

    def _note(self, kind: str, tensor: Tensor) -> str:
        """Remember a fill of the trial, and whether it leaves nothing of the one before."""
        address, before = _address(tensor), self._newest.get(_address(tensor))
        if before is not None and _region(self._made[before][1]) == _region(tensor):
            self._overwritten.add(before)
        self._newest[address] = len(self._made)
        self._made.append((kind, tensor))
        return ""

    def _next(self, kind: str) -> str:
        assert self._plan is not None
        planned, name = self._plan[self._n] if self._n < len(self._plan) else ("", "")
        if planned != kind:
            self._refuse("draws initial weights a number of times that depends on what was drawn")
        self._n += 1
        return name

    def _refuse(self, what: str) -> NoReturn:
        raise UserError(f"'{self._experiment}' {what}", do="Change its `build`")


def _tensors(args: tuple[Any, ...]) -> Iterator[Tensor]:
    for arg in args:
        if isinstance(arg, Tensor):
            yield arg
        elif isinstance(arg, list | tuple):
            yield from _tensors(tuple(arg))


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _region(tensor: Tensor) -> tuple[object, ...]:
    """Which part of its memory a tensor is: views made before a fill are filled one after another."""
    return tensor.storage_offset(), tensor.shape, tensor.stride()


def _uniform(bits: Bits, tensor: Tensor, low: float = 0.0, high: float = 1.0) -> _Array:
    """U[low, high) of the tensor's size, rounded once from float64."""
    if tensor.dtype == torch.float64:
        return exact_draws.uniforms64(bits, tensor.numel()) * (high - low) + low
    unit = exact_draws.uniforms32(bits, tensor.numel()).astype(np.float64)
    unit *= high - low
    unit += low
    return unit.astype(np.float32)


def _normal(bits: Bits, tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> _Array:
    dtype = np.float64 if tensor.dtype == torch.float64 else np.float32
    return exact_draws.normals(bits, tensor.numel(), mean, std, dtype)


def _integers(bits: Bits, tensor: Tensor, low: int, high: int) -> _Array:
    return exact_draws.classes(bits, tensor.numel(), high - low) + low


_Values = Callable[..., _Array]
"""Values [numel] from a stream, the tensor to fill and the operator's arguments."""
_IN_PLACE: dict[Any, _Values] = {
    _aten.normal_.default: lambda bits, tensor, _, *moments: _normal(bits, tensor, *moments),
    _aten.uniform_.default: lambda bits, tensor, _, *ends: _uniform(bits, tensor, *ends),
    _aten.bernoulli_.float: lambda bits, tensor, _, p=0.5: exact_draws.trials(bits, tensor.numel(), p),
}
_NEW: dict[Any, _Values] = {
    _aten.rand.default: lambda bits, tensor, *_: _uniform(bits, tensor),
    _aten.rand_like.default: lambda bits, tensor, *_: _uniform(bits, tensor),
    _aten.randn.default: lambda bits, tensor, *_: _normal(bits, tensor),
    _aten.randn_like.default: lambda bits, tensor, *_: _normal(bits, tensor),
    _aten.normal.float_float: lambda bits, tensor, mean, std, *_: _normal(bits, tensor, mean, std),
    _aten.randint.default: lambda bits, tensor, high, *_: _integers(bits, tensor, 0, high),
    _aten.randint.low: lambda bits, tensor, low, high, *_: _integers(bits, tensor, low, high),
    _aten.randperm.default: lambda bits, tensor, *_: exact_draws.permutation(bits, tensor.numel()),
}


def _logit(x: Tensor, eps: float) -> Tensor:
    """log(x / (1 − x)) of x clamped to eps … 1−eps, rounded once from float64."""
    clamped = x.detach().double().clamp(eps, 1 - eps).contiguous().numpy()
    exact = exact_draws.log(clamped) - exact_draws.log(1 - clamped)
    return torch.from_numpy(exact).to(x.dtype)
