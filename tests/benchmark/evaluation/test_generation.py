"""Images from runs, files and folders: the ones they say, in batches, and errors in words."""

import pytest
import torch
from safetensors.torch import save_file

import baselines
from benchmark import data
from benchmark.data.framing import frame
from benchmark.errors import UserError
from benchmark.evaluation import generation
from benchmark.training import checkpoint, sampling, trainer
from benchmark.training.quantise import NonFiniteImages

CPU = torch.device("cpu")


def images_of(source, n):
    return torch.cat([batch.images for batch in source.batches(n)])


@pytest.fixture(scope="module", params=["gan/digits", "dcgan/digits", "sngan/digits"])
def trained(request):
    """An experiment, its training images and its untrained players."""
    experiment = baselines.get(request.param)
    real = frame(data.load("digits", "train"), experiment.image_shape[1])
    return experiment, real, trainer.build(experiment, 3, real)


@pytest.mark.parametrize("n", [1, 130])
def test_batches_are_the_images_of_the_trainer(trained, n):
    experiment, _, players = trained
    batches = list(sampling.image_batches(experiment, players.generator, 5, n))
    expected = sampling.evaluation_images(experiment, players.generator, 5, n)
    assert torch.equal(torch.cat(batches), expected)
    assert players.generator.training
    assert torch.is_grad_enabled()


def test_batches_come_one_at_a_time(trained):
    experiment, _, players = trained
    calls = []
    handle = players.generator.register_forward_hook(lambda *_: calls.append(1))
    batches = sampling.image_batches(experiment, players.generator, 0, 3000)
    next(batches)
    handle.remove()
    assert calls == [1]


def test_a_checkpoint_gives_the_images_of_its_generator(trained, tmp_path):
    experiment, _, players = trained
    file = checkpoint.write(tmp_path / "checkpoints", players, {"gen_iters": 7})
    source = generation.of_checkpoint(file, experiment, 11, CPU)
    expected = sampling.evaluation_images(experiment, players.generator, 11, 40)
    assert torch.equal(images_of(source, 40), expected)
    weights = {"weights_sha256": checkpoint.digest(players.generator.state_dict())}
    assert source.described == {"experiment": experiment.name, "gen_iters": 7, "seed": 11, **weights}
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="the checkpoint is damaged"):
        generation.of_checkpoint(file, experiment, 11, CPU)


def test_of_a_run_that_diverged_it_is_said(trained, tmp_path):
    experiment, _, players = trained
    for at, said in ((None, ()), (0, (0,)), (7, (7,))):
        file = checkpoint.write(tmp_path / "checkpoints", players, {"gen_iters": 7, "diverged_at": at})
        source = generation.of_checkpoint(file, experiment, 11, CPU)
        assert [f"{file}: the run diverged at G-iteration {k}, so this is no result of it" for k in said] == [
            *source.notes
        ]


def test_somebodys_weights_alone_give_the_same_images(trained, tmp_path):
    experiment, _, players = trained
    file = tmp_path / "theirs.safetensors"
    weights = {name: w.contiguous() for name, w in players.generator.state_dict().items()}
    save_file(weights, file)
    source = generation.of_checkpoint(file, experiment, 11, CPU)
    expected = sampling.evaluation_images(experiment, players.generator, 11, 40)
    assert torch.equal(images_of(source, 40), expected)
    assert source.described["gen_iters"] is None
    save_file(dict(list(weights.items())[1:]), file)  # one tensor short
    with pytest.raises(UserError, match=f"not weights of the generator of '{experiment.name}': 1 missing"):
        generation.of_checkpoint(file, experiment, 11, CPU)


def test_a_checkpoint_of_another_experiment_is_refused(trained, tmp_path):
    _, _, players = trained
    file = checkpoint.write(tmp_path / "checkpoints", players, {"gen_iters": 7})
    other = baselines.get("wgan_gp/digits")
    with pytest.raises(UserError, match="not a checkpoint of 'wgan_gp/digits'"):
        generation.of_checkpoint(file, other, 0, CPU)


class Script(torch.nn.Module):
    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor

    def forward(self, z):
        return (z[:, :12] * self.factor).reshape(-1, 3, 2, 2)


def torchscript(tmp_path, factor=1.0):
    file = tmp_path / "generator.pt"
    torch.jit.save(torch.jit.script(Script(factor)), str(file))
    return file


class NoImages(torch.nn.Module):
    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind

    def forward(self, z):
        images = torch.zeros([z.shape[0], 1, 2, 2])
        if self.kind == "no channels":
            return images[:, :0]
        if self.kind == "no pixels":
            return images[:, :, :0]
        if self.kind == "sparse":
            return images.to_sparse()
        if self.kind == "nowhere":
            return images.to(torch.device("meta"))
        if self.kind == "eighths":
            return images.to(torch.float8_e4m3fn)
        return images[0]


@pytest.mark.parametrize("kind", ["no channels", "no pixels", "sparse", "nowhere", "eighths", "one image"])
def test_a_torchscript_program_that_makes_no_images_is_refused(kind, tmp_path):
    file = tmp_path / "generator.pt"
    torch.jit.save(torch.jit.script(NoImages(kind)), str(file))
    with pytest.raises(UserError, match="its output is no floating-point tensor"):
        list(generation.of_torchscript(file, "normal", 16, (-1.0, 1.0), 0, CPU).batches(4))


def test_torchscript_generators(tmp_path):
    source = generation.of_torchscript(torchscript(tmp_path), "normal", 16, (-1.0, 1.0), 0, CPU)
    batches = [batch.images for batch in source.batches(700)]
    assert [tuple(batch.shape) for batch in batches] == [(500, 3, 2, 2), (200, 3, 2, 2)]
    assert batches[0].dtype == torch.uint8
    assert torch.equal(torch.cat(batches), images_of(source, 700))
    with pytest.raises(UserError, match="cannot generate from 5 values"):
        list(generation.of_torchscript(tmp_path / "generator.pt", "normal", 5, (-1, 1), 0, CPU).batches(4))
    bad = generation.of_torchscript(torchscript(tmp_path, float("nan")), "normal", 16, (-1, 1), 0, CPU)
    with pytest.raises(NonFiniteImages):
        list(bad.batches(4))
    (tmp_path / "other.pt").write_bytes(b"no TorchScript")
    with pytest.raises(UserError, match="not a TorchScript file"):
        generation.of_torchscript(tmp_path / "other.pt", "normal", 16, (-1, 1), 0, CPU)


class Noisy(torch.nn.Module):
    """Has noise of its own, and dropout that evaluation mode does not switch off."""

    def forward(self, z):
        noise = torch.randn_like(z[:, :12])
        return torch.nn.functional.dropout(z[:, :12] + noise, 0.5, True).reshape(-1, 3, 2, 2)


class Convolutional(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.ConvTranspose2d(16, 3, 2)

    def forward(self, z):
        return self.layer(z)


def test_a_generator_with_noise_of_its_own_gives_the_same_bits_for_a_seed(tmp_path):
    def images(seed):
        return images_of(generation.of_callable(Noisy(), "normal", 16, (-1.0, 1.0), seed, CPU, "it"), 700)

    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = images(3)
    assert torch.equal(torch.get_rng_state(), state)  # ours are left as they were
    torch.manual_seed(1)
    assert torch.equal(images(3), first)
    assert not torch.equal(images(4), first)
    assert not torch.equal(first[:200], first[500:])


def test_convolutional_generators_get_latents_with_height_and_width():
    layer = Convolutional()
    source = generation.of_callable(layer, "normal", 16, (-1.0, 1.0), 0, CPU, "it")
    images = images_of(source, 600)
    z = torch.cat([batch.outputs for batch in source.batches(600)])
    assert images.shape == z.shape == (600, 3, 2, 2)
    assert source.described["latent"] == [16, 1, 1]
    flat = generation.of_callable(Script(), "normal", 16, (-1.0, 1.0), 0, CPU, "it")
    images_of(flat, 3)
    assert flat.described["latent"] == 16
