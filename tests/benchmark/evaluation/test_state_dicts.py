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


def test_dictionaries_within_themselves_and_each_other_come_to_an_end():
    circle = {"G": WEIGHTS}
    circle["self"] = circle
    assert fitting(circle).key == "G"
    many = WEIGHTS
    for _ in range(4):
        many = {str(i): many for i in range(300)}
    assert fitting(many).key == "0.0.0.0"


class Walked(dict):
    """Counts how often somebody goes through all of it."""

    walks = 0

    def __iter__(self):
        self.walks += 1
        return super().__iter__()

    def items(self):
        self.walks += 1
        return super().items()


def test_thousands_of_networks_are_not_gone_through_for_each_of_them():
    content = Walked(prefixed("it."))
    for i in range(100):
        content |= {name: torch.zeros(()) for name in prefixed(f"m{i}.")}
    assert [found.key for found in state_dicts._parts("", content, WEIGHTS)] == ["it"]
    assert 0 < content.walks < 5


def test_what_a_prefix_has_besides_the_network_is_no_part_of_it():
    with pytest.raises(UserError, match="not weights of the generator"):
        fitting(prefixed("G.") | {"G.zz": torch.zeros(1)})
    assert fitting(prefixed("G.") | prefixed("G2.", OTHER)).key == "G"


def test_tensors_without_values_are_told():
    with pytest.raises(UserError, match="is without values"):
        fitting({name: tensor.to("meta") for name, tensor in WEIGHTS.items()})


def test_a_hostile_file_is_one_error_and_no_warning(tmp_path, recwarn):
    (tmp_path / "it.pth").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(UserError, match="holds more than tensors"):
        state_dicts.read(tmp_path / "it.pth")
    assert not recwarn.list


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
