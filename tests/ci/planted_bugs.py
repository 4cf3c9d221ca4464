"""The bugs that `planted.py` plants: where, what is replaced, and which tests should see it."""

from dataclasses import dataclass

SHARED = ("test_mechanisms", "test_iteration", "test_structure")
"""Cheap test files about every baseline, before the golden vectors of the one in question."""


@dataclass(frozen=True)
class Bug:
    """One edit of one file.

    Attributes:
        name: of the bug; its baseline comes first.
        what: for readers of the table.
        path: the edited file.
        old, new: the edit; `old` occurs once, or is empty if the file is new.
        tests: files below tests/ to run instead of those of the baseline.

    """

    name: str
    what: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...] = ()

    @property
    def baseline(self):
        return self.name.split(".", 1)[0]

    @property
    def experiment(self):
        return f"{self.baseline}/digits"

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
        "gan.scaling",
        "images scaled to −1..1 where the generator makes 0..1",
        "baselines/gan.py",
        "draws.images() / 255, draws",
        "draws.images() / 127.5 - 1, draws",
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
        "wgan_gp.no-penalty",
        "the penalty is computed and not added",
        "baselines/wgan_gp.py",
        "wasserstein + s.penalty * penalty",
        "wasserstein",
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
        'with_batch_statistics = settings.sampling_statistics == "batch"',
        "with_batch_statistics = True",
        SAMPLING,
    ),
    Bug(
        "dcgan.library",
        "a library that computes softplus 2⁻²⁰ too large, under an unchanged version",
        "sitecustomize.py",
        "",
        "import torch.nn.functional as F\n\nsoftplus = F.softplus\n"
        "F.softplus = lambda *given, **named: softplus(*given, **named) * (1 + 2**-20)\n",
    ),
)
