"""Weights of strangers: one state dictionary is found, whatever is around it, or what is wrong is told."""

from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from benchmark.errors import UserError
from benchmark.evaluation import state_dicts

NET = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
WEIGHTS = dict(NET.state_dict())
OTHER = dict(nn.Linear(7, 7).state_dict())


def fitting(content, key=None):
    return state_dicts.fitting(content, WEIGHTS, key, "it.pth", "the generator of 'x'")


def prefixed(prefix, weights=WEIGHTS):
    return {f"{prefix}{name}": tensor for name, tensor in weights.items()}


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (WEIGHTS, ""),
        (OrderedDict(WEIGHTS), ""),
        (prefixed("module."), "module"),
        (prefixed("_orig_mod.module."), "_orig_mod.module"),
        *(({wrapper: WEIGHTS}, wrapper) for wrapper in ("state_dict", "generator", "G", "netG", "ema")),
        ({"G": WEIGHTS, "D": OTHER, "epoch": 3, "args": {"lr": 0.1}}, "G"),
        ({"state_dict": prefixed("generator.") | prefixed("critic.", OTHER)}, "state_dict.generator"),
        ({"model": {"netG": prefixed("module.")}}, "model.netG.module"),
    ],
)
def test_what_fits_is_found(content, key, tmp_path):
    torch.save(content, tmp_path / "it.pth")
    found = fitting(state_dicts.read(tmp_path / "it.pth"))
    assert found.key == key
    assert found.tensors.keys() == WEIGHTS.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in WEIGHTS.items())


def test_safetensors_are_read_likewise(tmp_path):
    save_file(prefixed("module."), tmp_path / "it.safetensors")
    assert fitting(state_dicts.read(tmp_path / "it.safetensors")).key == "module"


def test_of_several_that_fit_one_must_be_named():
    content = {"G": WEIGHTS, "G_ema": {name: tensor + 1 for name, tensor in WEIGHTS.items()}}
    with pytest.raises(UserError, match=r"2 state dictionaries fit: G, G_ema\. Name one of them with --key"):
        fitting(content)
    assert torch.equal(fitting(content, "G_ema").tensors["0.bias"], WEIGHTS["0.bias"] + 1)
    with pytest.raises(UserError, match="'D' does not fit the generator of 'x'"):
        fitting(content, "D")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (OTHER, r"9 missing \(0.weight, 0.bias, 1.weight, …\); 2 unexpected \(weight, bias\)"),
        ({"G": dict(list(WEIGHTS.items())[1:])}, r"in 'G', 1 missing \(0.weight\)"),
        (WEIGHTS | {"extra": torch.zeros(1)}, r"1 unexpected \(extra\)"),
        (WEIGHTS | {"2.bias": torch.zeros(3)}, r"1 of another kind \(2.bias is \[3\], not \[2\]\)"),
        (
            WEIGHTS | {"2.bias": torch.zeros(2, dtype=torch.complex64)},
            r"1 of another kind \(2.bias is torch.com",
        ),
        (WEIGHTS | {"2.bias": torch.zeros(2, dtype=torch.int8)}, r"1 of another kind \(2.bias is torch.int8"),
        (
            WEIGHTS | {"2.bias": torch.zeros(2).to_sparse()},
            r"1 of another kind \(2.bias is torch.float32 torch.sp",
        ),
        ({}, "it holds no tensors by name"),
        ([1, 2], "it holds no tensors by name"),
        (torch.zeros(3), "it holds no tensors by name"),
    ],
)
def test_what_does_not_fit_is_told(content, said):
    with pytest.raises(UserError, match=f"it.pth: not weights of the generator of 'x': {said}"):
        fitting(content)


def test_damaged_files_are_told(tmp_path):
    torch.save(WEIGHTS, tmp_path / "whole.pth")
    content = (tmp_path / "whole.pth").read_bytes()
    for cut in (content[:40], content[: len(content) // 2], b"\x80\x02", b"\x80\x02hello"):
        (tmp_path / "cut.pth").write_bytes(cut)
        with pytest.raises(UserError):
            state_dicts.read(tmp_path / "cut.pth")
    torch.save(NET, tmp_path / "module.pth")
    with pytest.raises(UserError, match=r"holds more than tensors.*torch.save"):
        state_dicts.read(tmp_path / "module.pth")


def test_names_nested_without_end_are_not_followed():
    content = WEIGHTS
    for _ in range(10_000):
        content = {"x": content}
    with pytest.raises(UserError, match="no tensors by name"):
        fitting(content)
