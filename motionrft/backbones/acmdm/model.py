"""ACMDM (arXiv 2505.19377): flow matching on joint positions, in a causal latent space or on raw frames.

x_t = (1 - t) noise + t data with t = 0 noise, t = 1 data; the network predicts data - noise. The published
S-PS22 model is latent; `autoencoder: null` gives the raw variant, `principal` the suite's own latent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.backbones.acmdm.autoencoder import FRAMES, CausalAutoencoder
from motionrft.backbones.acmdm.options import ACMDMOptions
from motionrft.backbones.acmdm.transformer import JOINTS, ACMDMTransformer
from motionrft.backbones.base import Backbone, Condition
from motionrft.backbones.flow_matching import draw, velocity_loss, velocity_of_clean
from motionrft.backbones.normalisation import NetworkNormalisation
from motionrft.backbones.principal import PrincipalComponents
from motionrft.backbones.remembered import Remembered
from motionrft.corpus.dataset import Batch
from motionrft.errors import InputError
from motionrft.motion.normaliser import Normaliser
from motionrft.motion.rigid import rigid
from motionrft.networks.masks import frame_mask, longest
from motionrft.options import first_changed, read_options

LATENT = 4  # channels of a joint's latent
WINDOW = 64  # frames of an auto-encoder training window


class ACMDM(Backbone):
    """x [B, n, 22 C]: C = 4 channels and n = frames / 4 in the latent space, C = 3 and n = frames raw; principal
    components are dealt out to n tokens of C channels a joint, and decoded to a body whose bones keep their length.

    `statistics` are those of the network's joint space (official: one number an axis for all joints); they
    equal the corpus's unless official weights were loaded. latent_mean, latent_std [C] whiten latents.
    `train()` leaves the auto-encoder in eval mode: it is frozen in every stage but its own.
    """

    representation = "joint"
    prediction = "velocity"
    stages: tuple[str, ...] = ("autoencoder", "denoiser")
    reads_tokens = False
    textless = ("autoencoder",)
    lora_targets = r"denoiser\..*\.(qkv|proj|w12|w3)"
    # whether principal latents are encoded once a stage
    cached: bool = False

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(
        self,
        denoiser: ACMDMTransformer,
        autoencoder: CausalAutoencoder | None,
        normaliser: Normaliser,
        drop: float,
        velocity: float = 0.0,
        clean: bool = False,
        components: PrincipalComponents | None = None,
        text_norm: bool = False,
    ):
        super().__init__()
        self.denoiser, self.autoencoder, self.normaliser = denoiser, autoencoder, normaliser
        self.text_drop, self.velocity, self.clean = drop, velocity, clean
        self.components, self.text_norm = components, text_norm
        self.remembered = Remembered()
        changed = {"principal": components is not None, "clean": clean, "text_norm": text_norm}
        self.unofficial = first_changed(changed)
        self.statistics = NetworkNormalisation(normaliser)
        if autoencoder is None:
            self.stages = ("denoiser",)
            return
        self.register_buffer("latent_mean", torch.zeros(LATENT))
        self.register_buffer("latent_std", torch.ones(LATENT))

    @classmethod
    def build(
        cls, network: dict[str, Any], *, dim: int, text: dict[str, int], normaliser: Normaliser
    ) -> ACMDM:
        """network: see `ACMDMOptions`."""
        if dim != 3 * JOINTS:
            raise InputError(
                f"{dim} features a frame, expected {3 * JOINTS}",
                field="representation",
                fix="use joint",
            )
        options = read_options(ACMDMOptions, network, field="network")
        sizes = options.autoencoder
        autoencoder = (
            None if sizes is None else CausalAutoencoder(sizes.width, dropout=sizes.dropout)
        )
        components: PrincipalComponents | None = None
        channels = 3 if autoencoder is None else LATENT
        positions = options.frames if autoencoder is None else options.frames // FRAMES
        if options.principal:
            positions, channels = options.principal
            components = PrincipalComponents(
                dim,
                (positions, JOINTS * channels),
                cls.max_frames,
                whitened=options.whitened,
            )
        denoiser = ACMDMTransformer(
            channels=channels,
            width=options.width,
            feedforward=options.feedforward,
            layers=options.layers,
            text=text["pooled"],
            frames=positions,
            patch=options.patch,
        )
        rest = options.drop, options.velocity, options.clean, components
        backbone = cls(denoiser, autoencoder, normaliser, *rest, text_norm=options.text_norm)
        backbone.cached = options.cached
        return backbone

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.autoencoder is not None:
            self.autoencoder.eval()
        return self

    # shapes

    def width(self, frames: int) -> int:
        if self.components is not None:
            return self.components.latent[0]
        return frames if self.autoencoder is None else -(-frames // FRAMES)

    def sample_shape(self, frames: int) -> tuple[int, ...]:
        return self.width(frames), JOINTS * self.denoiser.channels

    def widths(self, lengths: Tensor) -> Tensor:
        """Positions of x that hold motion, for each length."""
        if self.components is not None:
            return torch.full_like(lengths, self.components.latent[0])
        return lengths if self.autoencoder is None else (lengths + FRAMES - 1) // FRAMES

    # the network and its spaces

    def predict(self, x: Tensor, t: Tensor, condition: Condition) -> Tensor:
        text = condition.text.pooled
        if self.text_norm:
            text = F.layer_norm(text, text.shape[-1:])
        text = text * (~condition.drop)[:, None]
        valid = frame_mask(self.widths(condition.lengths), x.shape[1])
        output = self.denoiser(x.unflatten(-1, (JOINTS, -1)), t.to(x.dtype), text, valid).flatten(2)
        return velocity_of_clean(output, x, t) if self.clean else output

    def joints(self, features: Tensor) -> Tensor:
        """Corpus features [B, T, 66] -> the network's joints [B, T, 22, 3]."""
        output: Tensor = self.statistics.from_corpus(features, self.normaliser).unflatten(
            -1, (JOINTS, 3)
        )
        return output

    @torch.no_grad()
    def encode(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Corpus features [B, T, 66] -> x [B, n, 22 C], zero after each length."""
        if self.components is not None:
            return self.remembered.posterior(batch, self.components.encode)[0]
        valid = frame_mask(batch.lengths, batch.features.shape[1])
        joints = self.joints(batch.features) * valid[..., None, None]
        if self.autoencoder is None:
            return joints.flatten(2)
        short = -joints.shape[1] % FRAMES
        latents = self.autoencoder.encode(F.pad(joints, (0, 0, 0, 0, 0, short))).permute(0, 2, 3, 1)
        latents = (latents - self.latent_mean) / self.latent_std
        valid = frame_mask(self.widths(batch.lengths), latents.shape[1])
        return (latents * valid[..., None, None]).flatten(2)

    def to_features(self, x: Tensor, lengths: Tensor, frames: int | None = None) -> Tensor:
        if self.components is not None:
            return self.rigid_features(self.components.decode(x, lengths, frames), lengths)
        joints = x.unflatten(-1, (JOINTS, -1))
        if self.autoencoder is not None:
            latents = joints * self.latent_std + self.latent_mean
            joints = self.autoencoder.decode(latents.permute(0, 3, 1, 2))
        frames = longest(lengths) if frames is None else frames
        features = self.statistics.to_corpus(joints[:, :frames].flatten(2), self.normaliser)
        return features * frame_mask(lengths, frames)[..., None]

    def rigid_features(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Corpus features [B, T, 66] of a body whose bones keep their length."""
        joints = self.normaliser.denormalise(features).unflatten(-1, (JOINTS, 3))
        features = self.normaliser.normalise(rigid(joints, lengths).flatten(2))
        return features * frame_mask(lengths, features.shape[1])[..., None]

    # training

    def stage_parameters(self, stage: str) -> list[nn.Parameter]:
        module = self.autoencoder if stage == "autoencoder" else self.denoiser
        if module is None:
            raise InputError(
                "the raw variant has no auto-encoder",
                field="pretrain.autoencoder",
                fix="remove the stage",
            )
        return list(module.parameters())

    def trainable(self) -> list[nn.Parameter]:
        return list(self.denoiser.parameters())

    def pretrain_loss(
        self, batch: Batch, condition: Condition, stage: str, generator: torch.Generator
    ) -> dict[str, Tensor]:
        if stage == "autoencoder":
            return {"loss": self.reconstruction_loss(batch, generator)}
        data = self.encode(batch, generator)
        noise, t, condition = draw(data, condition, self.text_drop, generator)
        return {"loss": self.flow_loss(data, noise, t, condition)}

    def flow_loss(self, data: Tensor, noise: Tensor, t: Tensor, condition: Condition) -> Tensor:
        valid = frame_mask(self.widths(condition.lengths), data.shape[1])
        return velocity_loss(self.predict, data, noise, t, condition, valid, clean=self.clean)

    def reconstruction_loss(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Of windows of 64 frames, each at a place of its own; shorter clips count as they are. See `ACMDMOptions`."""
        assert self.autoencoder is not None
        self.autoencoder.train(self.training)
        frames = min(WINDOW, batch.features.shape[1] // FRAMES * FRAMES)
        device = batch.features.device
        room = (batch.lengths - frames).clamp(min=0) + 1
        first = (torch.rand(len(batch), generator=generator, device=device) * room).long()
        index = first[:, None] + torch.arange(frames, device=device)
        window = self.joints(batch.features.gather(1, index[..., None].expand(-1, -1, 3 * JOINTS)))
        valid = (index < batch.lengths[:, None])[..., None, None]
        window = window * valid
        rebuilt = self.autoencoder.decode(self.autoencoder.encode(window))
        values = valid.sum() * 3 * JOINTS
        if self.velocity == 0.0:
            total = (F.smooth_l1_loss(rebuilt, window, reduction="none") * valid).sum()
        else:
            error = (rebuilt - window) * valid
            moved = error.diff(dim=1) * valid[:, 1:]
            total = error.abs().sum() + self.velocity * moved.abs().sum()
        loss: Tensor = total / values
        return loss

    def reads_motions(self, stage: str) -> bool:
        return not self.cached

    def start_stage(self, stage: str, batches: Iterable[Batch]) -> None:
        """Principal components are fitted and, where `cached`, the latents of all motions kept."""
        if self.components is None:
            return
        if self.cached:
            batches = list(batches)  # read twice
        self.components.fit(batches)
        if self.cached:
            self.remembered.learn(batches, self.components.encode)

    @torch.no_grad()
    def finish_stage(self, stage: str, batches: Iterable[Batch]) -> None:
        """After the auto-encoder: mean and standard deviation of each latent channel over real positions."""
        if stage != "autoencoder":
            return
        self.latent_mean.zero_()
        self.latent_std.fill_(1.0)
        count = 0
        total, squares = self.latent_mean.new_zeros(2, LATENT, dtype=torch.float64)
        for batch in batches:
            # padded positions are zero and add nothing to either sum
            latents = self.encode(batch, torch.Generator()).double().view(-1, LATENT)
            count += int(self.widths(batch.lengths).sum()) * JOINTS
            total += latents.sum(0)
            squares += latents.square().sum(0)
        mean = total / count
        self.latent_mean.copy_(mean)
        self.latent_std.copy_((squares / count - mean.square()).sqrt())
