"""MLD and MLD++: a motion VAE and a text-conditioned diffusion over its latents.

Sources: MLD (Chen et al., CVPR 2023), its re-training in MotionLCM (Dai et al., ECCV 2024), and MLD++
of the MotionLCM-V2 report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.backbones.base import Backbone, Condition
from motionrft.backbones.mld.denoiser import LatentDenoiser
from motionrft.backbones.mld.options import LatentOptions
from motionrft.backbones.mld.principal import PrincipalVAE
from motionrft.backbones.mld.vae import MotionVAE, sample_latent
from motionrft.backbones.remembered import Remembered
from motionrft.checkpoints import load_into
from motionrft.corpus.dataset import Batch
from motionrft.diffusion.forward import ForwardProcess
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.recovery import joints_from_positions
from motionrft.options import read_options


class MLD(Backbone):
    """x: latents [B, n, d]. The null condition is the text features of the empty caption.

    `train()` leaves the VAE in eval mode: it is frozen in every stage but its own.
    """

    stages: tuple[str, ...] = ("vae", "denoiser")
    reads_tokens = False
    textless: tuple[str, ...] = ("vae",)
    options_type: type[LatentOptions] = LatentOptions
    options: LatentOptions

    def __init__(self, options: LatentOptions, dim: int, text_width: int, normaliser: Normaliser):
        super().__init__()
        self.options, self.normaliser = options, normaliser
        self.prediction, self.unofficial = options.prediction, options.unofficial()
        self.vae: MotionVAE | PrincipalVAE = (
            PrincipalVAE(dim, options, self.max_frames)
            if options.principal
            else MotionVAE(dim, options)
        )
        self.remembered = Remembered()
        self.denoiser = LatentDenoiser(text_width, options.of_denoiser())
        self.forward_process = ForwardProcess(options.schedule)

    @classmethod
    def build(
        cls, network: dict[str, Any], *, dim: int, text: dict[str, int], normaliser: Normaliser
    ) -> Self:
        options = read_options(cls.options_type, network, field="network")
        return cls(options, dim, text["pooled"], normaliser)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.vae.eval()
        return self

    def width(self, frames: int) -> int:
        return self.options.latent[0]

    def sample_shape(self, frames: int) -> tuple[int, ...]:
        return tuple(self.options.latent)

    def predict(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        output: Tensor = self.denoiser(x, t, self.text_features(condition))
        return output

    def text_features(self, condition: Condition) -> Tensor:
        """Pooled text features [B, P], the empty caption's where the text is dropped."""
        if condition.empty is None:
            raise ValueError("the null condition is the empty caption: give its features")
        return torch.where(condition.drop[:, None], condition.empty.pooled, condition.text.pooled)

    @torch.no_grad()
    def encode(self, batch: Batch, generator: torch.Generator, draws: int = 1) -> Tensor:
        """Latents sampled from the VAE's posterior (never its mean), the batch once a draw: [draws B, n, d]."""
        mean, log_variance = self.posterior(batch)
        mean, log_variance = mean.repeat(draws, 1, 1), log_variance.repeat(draws, 1, 1)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        return sample_latent(mean, log_variance, noise)

    def posterior(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [B, n, d] of each motion's latent: as remembered, or encoded now."""
        return self.remembered.posterior(batch, self.vae.encode)

    def to_features(self, x: Tensor, lengths: Tensor, frames: int | None = None) -> Tensor:
        return self.vae.decode(x, lengths, frames)

    def reads_motions(self, stage: str) -> bool:
        return stage == "vae" or not self.options.cached

    def start_from(self, tensors: Mapping[str, Tensor], stage: str, where: str | Path = "") -> None:
        """The denoiser is trained afresh over a trained VAE, the only part that is taken."""
        load_into(self.vae, part_of(tensors, "vae."), where)

    @torch.no_grad()
    def start_stage(self, stage: str, batches: Iterable[Batch]) -> None:
        """Before its stage the principal latent is fitted; before a denoiser's, `cached` latents are encoded."""
        self.remembered = Remembered()  # latents of an earlier stage's encoder
        if stage == "vae" and isinstance(self.vae, PrincipalVAE):
            self.vae.fit(batches)
        if not self.reads_motions(stage):
            self.remembered.learn(batches, self.vae.encode)

    def stage_parameters(self, stage: str) -> list[nn.Parameter]:
        return list((self.vae if stage == "vae" else self.denoiser).parameters())

    def trainable(self) -> list[nn.Parameter]:
        return list(self.denoiser.parameters())

    def pretrain_loss(
        self, batch: Batch, condition: Condition, stage: str, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """The VAE's loss, or the mean squared error of the latents' noise (MLD, section 3.2)."""
        if stage == "vae":
            return self.reconstruction_loss(batch, generator)
        z, condition = self.latents(batch, condition, generator)
        t, noise, noisy = self.forward_process.draw(z, generator)
        coin = torch.rand(len(z), generator=generator, device=z.device)
        dropped = condition.with_drop(coin < self.options.text_drop)
        target = noise if self.prediction == "epsilon" else z
        return {"loss": F.mse_loss(self.predict(noisy, t, dropped), target)}

    def reconstruction_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """The VAE's loss on one batch: its latent is sampled, its frames are compared as joints too."""
        self.vae.train(self.training)
        mean, log_variance = self.vae.encode(batch.features, batch.lengths)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        z = sample_latent(mean, log_variance, noise)
        reconstruction = self.vae.decode(z, batch.lengths, batch.features.shape[1])
        return self.options.vae_loss(
            reconstruction, batch.features, batch.lengths, mean, log_variance, self.to_joints
        )

    def to_joints(self, features: Tensor) -> Tensor:
        """Normalised features [B, T, 12 J - 1] -> joints [B, T, J, 3] in metres."""
        raw = self.normaliser.denormalise(features)
        return joints_from_positions(raw, (raw.shape[-1] + 1) // 12)

    def latents(
        self, batch: Batch, condition: Condition, generator: torch.Generator
    ) -> tuple[Tensor, Condition]:
        """What the denoiser's stages train on: `draws` latents of each motion, and their condition."""
        z = self.encode(batch, generator, self.options.draws)
        index = torch.arange(len(batch), device=z.device).repeat(self.options.draws)
        return z, condition.select(index)


def part_of(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under a prefix, the prefix removed."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
