"""What docs/own-gan.md takes for granted: a training loop of the reader's own."""

import copy

import torch
from torch import nn


class MyGan:
    def __init__(self, settings):
        self.latent = settings.latent
        self.generator = nn.Sequential(nn.Linear(self.latent, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
        self.ema = copy.deepcopy(self.generator)
        self.critic = nn.Sequential(nn.Flatten(), nn.Linear(784, 1))
        self.opt_d = torch.optim.Adam(self.critic.parameters(), settings.learning_rate)
        self.opt_g = torch.optim.Adam(self.generator.parameters(), settings.learning_rate)
        self.batch = settings.batch

    def d_step(self, real):
        fake = self.generator(torch.randn(len(real), self.latent, device=real.device)).detach()
        return self.step(self.opt_d, nn.functional.softplus(self.critic(fake) - self.critic(real)).mean())

    def g_step(self):
        device = next(self.generator.parameters()).device
        fake = self.generator(torch.randn(self.batch, self.latent, device=device))
        loss = self.step(self.opt_g, nn.functional.softplus(-self.critic(fake)).mean())
        with torch.no_grad():
            for mean, new in zip(self.ema.parameters(), self.generator.parameters(), strict=True):
                mean.lerp_(new, 0.5)
        return loss

    @staticmethod
    def step(optimiser, loss):
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss
