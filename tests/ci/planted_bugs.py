"""The bugs that `planted.py` plants: where, what is replaced, and where it should be seen."""

from dataclasses import dataclass

SHARED = ("test_mechanisms", "test_iteration", "test_structure")
"""Cheap test files about every baseline, before the golden vectors of the one in question."""


@dataclass(frozen=True)
class Bug:
    """One edit of one file.

    Attributes:
        name: of the bug; the baseline or the part of ganbench comes first.
        what: for readers of the table.
        path: the edited file.
        old, new: the edit; `old` occurs once, or is empty if the file is new.
        tests: files below tests/ to run instead of those of the baseline.
        experiment: where it is looked for; the baseline's on digits unless given.
        unseen: why neither starts nor probes can show it, if so.

    """

    name: str
    what: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...] = ()
    experiment: str = ""
    unseen: str = ""

    def __post_init__(self):
        if not self.experiment:
            object.__setattr__(self, "experiment", f"{self.name.split('.', 1)[0]}/digits")

    @property
    def baseline(self):
        return self.experiment.split("/", 1)[0]

    @property
    def runs(self):
        """Whether the experiment's data are there, as they are embedded."""
        return self.experiment.endswith("/digits")

    @property
    def test_files(self):
        """Paths below the tree, in the order they are run."""
        names = self.tests or (
            *(f"baselines/{name}" for name in SHARED),
            f"baselines/test_golden_{self.baseline}",
            "baselines/test_contract",
        )
        return tuple(f"tests/{name}.py" for name in names)


SAMPLING = ("benchmark/training/test_sampling", "benchmark/training/test_trainer")
DRAWS = ("benchmark/training/test_draws", "benchmark/training/test_trainer")
RESUMED = ("benchmark/training/test_checkpoint", "benchmark/training/test_trainer")
SCORES = ("benchmark/evaluation/test_frechet", "benchmark/evaluation/test_evaluator")
DIGITS = ("benchmark/data/test_digits",)
KERNEL = """\
import sys

if "benchmark.engines" in " ".join(sys.orig_argv):
    import torch

    library = torch.library.Library("aten", "IMPL")
    library.impl("{name}", lambda {arguments}: {value}, "CPU")
"""
"""A module that replaces a kernel of torch in the processes that compute, as another build of torch would."""

BUGS = (
    Bug(
        "gan.no-dropout",
        "the critic's dropout is left out",
        "baselines/gan.py",
        "    real_logit = p.critic(real, draws)\n    fake_logit = p.critic(fake, draws)\n",
        "    real_logit = p.critic(real)\n    fake_logit = p.critic(fake)\n",
    ),
    Bug(
        "gan.generator-sign",
        "the generator ascends its loss",
        "baselines/gan.py",
        "generator_loss = non_saturating_generator_loss(fake_logit)",
        "generator_loss = -non_saturating_generator_loss(fake_logit)",
    ),
    Bug(
        "gan.latents",
        "latents from U(−1, 1) instead of U(−√3, √3)",
        "benchmark/training/draws.py",
        '"uniform-sqrt3": math.sqrt(3)}',
        '"uniform-sqrt3": 1.0}',
        DRAWS,
    ),
    Bug(
        "dcgan.scaling",
        "images scaled to 0..1 where the generator makes −1..1",
        "baselines/dcgan.py",
        "real = draws.images() / 127.5 - 1",
        "real = draws.images() / 255",
    ),
    Bug(
        "dcgan.beta1",
        "Adam's β₁ left at torch's default .9",
        "baselines/dcgan.py",
        "            betas=(s.beta1, s.beta2),\n            eps=1e-8,",
        "            betas=(0.9, s.beta2),\n            eps=1e-8,",
    ),
    Bug(
        "dcgan.stale-latents",
        "generator and critic step use the same latents",
        "baselines/dcgan.py",
        "        generator_loss = generator_step(s, p, draws)\n"
        "        critic_loss = critic_step(s, p, draws)\n    else:",
        "        z = draws.latent(s.batch)\n        draws.latent = lambda n: z[:n]\n"
        "        generator_loss = generator_step(s, p, draws)\n"
        "        critic_loss = critic_step(s, p, draws)\n        del draws.latent\n    else:",
    ),
    Bug(
        "dcgan.critic-fake-sign",
        "the critic is taught that fakes are real",
        "baselines/losses.py",
        "return F.softplus(-real).mean() + F.softplus(fake).mean()",
        "return F.softplus(-real).mean() + F.softplus(-fake).mean()",
    ),
    Bug(
        "wgan.no-clip",
        "the critic's weights are not clipped",
        "baselines/wgan.py",
        '    if s.clip_when == "before":\n        clip(p.critic, s.clip)\n',
        "",
    ),
    Bug(
        "wgan.clip-ten-times",
        "clipped at ten times the bound",
        "baselines/wgan.py",
        '    if s.clip_when == "before":\n        clip(p.critic, s.clip)\n',
        '    if s.clip_when == "before":\n        clip(p.critic, 10 * s.clip)\n',
    ),
    Bug(
        "wgan.one-critic-step",
        "one critic step per generator step instead of five",
        "baselines/wgan.py",
        "        return 100\n    return s.critic_steps\n",
        "        return 100\n    return 1\n",
    ),
    Bug(
        "wgan.critic-sign",
        "the critic descends where it should ascend",
        "baselines/losses.py",
        "return fake.mean() - real.mean()",
        "return real.mean() - fake.mean()",
    ),
    Bug(
        "wgan_gp.half-penalty",
        "half the penalty coefficient, in the code",
        "baselines/wgan_gp.py",
        "wasserstein + s.penalty * penalty",
        "wasserstein + 0.5 * s.penalty * penalty",
    ),
    Bug(
        "wgan_gp.half-penalty-setting",
        "half the penalty coefficient, in the settings",
        "baselines/wgan_gp.py",
        '        penalty=(10.0, "paper §4", HIGH),\n        critic_steps=(5, "paper Algorithm 1", HIGH),\n'
        "        generator_batches=(1, MNIST_PY, HIGH),",
        '        penalty=(5.0, "paper §4", HIGH),\n        critic_steps=(5, "paper Algorithm 1", HIGH),\n'
        "        generator_batches=(1, MNIST_PY, HIGH),",
    ),
    Bug(
        "wgan_gp.shared-mix",
        "one mixing number for the whole batch",
        "baselines/wgan_gp.py",
        'gradient_penalty(p.critic, real, fake, draws.uniform("penalty", len(real)))',
        'gradient_penalty(p.critic, real, fake, draws.uniform("penalty", 1).expand(len(real)))',
    ),
    Bug(
        "sngan.no-power-iteration",
        "u of the power iteration is never kept",
        "baselines/layers.py",
        "        if self.training:\n            self.u.copy_(u)\n",
        "",
    ),
    Bug(
        "sngan.no-spectral-norm",
        "weights are not divided by σ",
        "baselines/layers.py",
        "        return self.weight / sigma\n",
        "        return self.weight\n",
    ),
    Bug(
        "sngan.hinge-sign",
        "the hinge of real images has the wrong sign",
        "baselines/losses.py",
        "return F.relu(1 - real).mean() + F.relu(1 + fake).mean()",
        "return F.relu(1 + real).mean() + F.relu(1 + fake).mean()",
    ),
    Bug(
        "sngan.train-mode-sampling",
        "no switch of batch norm to running statistics for samples",
        "benchmark/training/sampling.py",
        "sampler = copy.deepcopy(generator).train(with_batch_statistics)",
        "sampler = copy.deepcopy(generator).train()",
        SAMPLING,
    ),
    Bug(
        "gan.dropout-probability",
        "the critic's input is dropped like its hidden layers: half of it instead of a fifth",
        "baselines/gan.py",
        "dropout(x.flatten(1), self.keep_input, draws)",
        "dropout(x.flatten(1), self.keep_hidden, draws)",
    ),
    Bug(
        "dcgan.init-std",
        "weights from N(0, .0202²) instead of N(0, .02²)",
        "baselines/layers.py",
        "nn.init.normal_(m.weight, 0.0, std)",
        "nn.init.normal_(m.weight, 0.0, 1.01 * std)",
    ),
    Bug(
        "sngan.decay-end",
        "the learning rate falls to a tenth instead of 0",
        "baselines/sngan.py",
        "return s.learning_rate * (max(0.0, 1 - k / s.decay_iters)",
        "return s.learning_rate * (max(0.1, 1 - k / s.decay_iters)",
        experiment="sngan/cifar10-resnet",
    ),
    Bug(
        "wgan_gp.decay-off-by-one",
        "the generator's learning rate falls one G-iteration too late",
        "baselines/wgan_gp.py",
        "set_learning_rate(p.generator_optimiser, learning_rate(s, k + 1))",
        "set_learning_rate(p.generator_optimiser, learning_rate(s, k))",
        experiment="wgan_gp/cifar10-resnet",
    ),
    Bug(
        "wgan.schedule-500",
        "5 critic steps at every 500th G-iteration instead of 100",
        "baselines/wgan.py",
        "(k < 25 or k % 500 == 0)",
        "k < 25",
        experiment="wgan/lsun64",
    ),
    Bug(
        "sngan.running-statistics",
        "running averages that move ten times too slowly",
        "baselines/sngan.py",
        "layers += [nn.BatchNorm2d(below, eps=CHAINER_NORM_EPS), nn.ReLU()]",
        "layers += [nn.BatchNorm2d(below, eps=CHAINER_NORM_EPS, momentum=0.01), nn.ReLU()]",
    ),
    Bug(
        "training.optimiser-lost",
        "a run that is continued has the weights, but not the optimisers' states",
        "benchmark/training/packing.py",
        'optimiser.load_state_dict({"state": slots, "param_groups": groups})',
        'optimiser.load_state_dict({"state": {}, "param_groups": groups})',
        RESUMED,
        experiment="dcgan/digits",
    ),
    Bug(
        "training.position-lost",
        "the position in the data is counted, so that a run that is continued begins at the first image",
        "benchmark/training/draws.py",
        "self._batch_index: int = self._experiment.real_batches(self._settings, k)",
        'self._batch_index: int = getattr(self, "_batch_index", 0)',
        RESUMED,
        experiment="wgan_gp/digits",
    ),
    Bug(
        "draws.epoch-end",
        "the short minibatch at the end of an epoch is dropped where it should be kept",
        "benchmark/training/draws.py",
        '"keep": math.ceil(self._n / batch)',
        '"keep": self._n // batch',
        DRAWS,
        experiment="wgan/digits",
    ),
    Bug(
        "draws.permutation",
        "every epoch has the images in the order of the first",
        "benchmark/training/draws.py",
        'stream(self._seed, "data", epoch)',
        'stream(self._seed, "data", 0)',
        DRAWS,
        experiment="gan/digits",
    ),
    Bug(
        "draws.shared-order",
        "all seeds have the images in the order of seed 0",
        "benchmark/training/draws.py",
        'stream(self._seed, "data", epoch)',
        'stream(0, "data", epoch)',
        DRAWS,
        experiment="dcgan/digits",
    ),
    Bug(
        "evaluation.resize",
        "smaller images lie in the corner of the frame instead of its middle",
        "benchmark/data/framing.py",
        "top, left = (size - height) // 2, (size - width) // 2",
        "top, left = 0, 0",
        SCORES,
        experiment="gan/digits",
    ),
    Bug(
        "evaluation.quantisation",
        "pixels are rounded down instead of to the nearest",
        "benchmark/training/quantise.py",
        "levels.clamp(0.0, 255.0).round().to(torch.uint8)",
        "levels.clamp(0.0, 255.0).to(torch.uint8)",
        ("benchmark/training/test_quantise",),
        experiment="wgan_gp/digits",
    ),
    Bug(
        "evaluation.splits",
        "the Inception score of twice as many groups",
        "benchmark/evaluation/evaluator.py",
        "splits = protocol.isc_splits or 0",
        "splits = 2 * (protocol.isc_splits or 0)",
        SCORES,
        experiment="sngan/digits",
    ),
    Bug(
        "evaluation.ddof",
        "covariances divided by n instead of n − 1",
        "benchmark/evaluation/frechet.py",
        "return total / (len(features) - 1)",
        "return total / len(features)",
        SCORES,
        experiment="dcgan/digits",
    ),
    Bug(
        "evaluation.sampling-batch",
        "images with batch statistics are sampled 500 at a time instead of `sampling_batch`",
        "benchmark/training/sampling.py",
        "size = settings.sampling_batch if with_batch_statistics else min(_BATCH, n)",
        "size = min(_BATCH, n)",
        SAMPLING,
        experiment="wgan/digits",
    ),
    Bug(
        "data.split",
        "the last held-out digit of each class is a training image too",
        "benchmark/data/digits.py",
        "positions[N_HELD_OUT_PER_CLASS:] for",
        "positions[N_HELD_OUT_PER_CLASS - 1 :] for",
        DIGITS,
        experiment="sngan/digits",
    ),
    Bug(
        "data.channels",
        "training images have blue first and red last",
        "benchmark/training/draws.py",
        "images = self._images.index_select(0, indices)",
        "images = self._images.index_select(0, indices).flip(1)",
        DRAWS,
        experiment="wgan_gp/cifar10-cnn",
    ),
    Bug(
        "data.labels",
        "every image has the class of the one before",
        "benchmark/training/draws.py",
        "self._labels.index_select(0, chosen)",
        "self._labels.roll(1).index_select(0, chosen)",
        DRAWS,
        experiment="dcgan/mnist-conditional",
    ),
    Bug(
        "data.conversion",
        "pictures are converted with blue first and red last",
        "benchmark/data/pixels.py",
        "np.ascontiguousarray(pixels.transpose(2, 0, 1))",
        "np.ascontiguousarray(pixels.transpose(2, 0, 1)[::-1])",
        ("benchmark/data/test_pixels",),
        experiment="wgan/lsun64",
        unseen="`check` and `probe` convert no pictures: runs begin with converted sets, probes with drawn "
        "images. A converted set has a SHA-256, which runs are identified by and which is compared where one "
        "is published.",
    ),
    Bug(
        "dcgan.library",
        "a library whose softplus is 2⁻²⁰ too large, under an unchanged version",
        "sitecustomize.py",
        "",
        KERNEL.format(
            name="softplus",
            arguments="x, beta=1, threshold=20",
            value="(x.clamp(min=0) + (-x.abs()).exp().log1p()) * (1 + 2**-20)",
        ),
    ),
    Bug(
        "wgan_gp.library",
        "a library whose leaky ReLU has a slope 2⁻¹⁶ too steep, under an unchanged version",
        "sitecustomize.py",
        "",
        KERNEL.format(
            name="leaky_relu",
            arguments="x, negative_slope=0.01",
            value="torch.where(x > 0, x, x * (negative_slope * (1 + 2**-16)))",
        ),
    ),
)
