"""Stage 1, the semantic space: L_rec + l1 L_kl + l2 L_lat + l3 L_cl + l4 L_CRA over three representations."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor, nn

from motionrft.networks.masks import frame_mask
from motionrft.reward.latent import Latent
from motionrft.reward.losses import (
    LossWeights,
    alignment_terms,
    alignment_total,
    divergence_terms,
    infonce,
    reconstruction_terms,
    smooth_l1,
)
from motionrft.reward.network import RewardNetwork
from motionrft.reward.noise_schedule import NoiseLaw, cumulative_alphas, draw_levels, noised
from motionrft.reward.settings import OfficialBehaviour
from motionrft.text.features import TextBatch
from motionrft.training.distributed import rank, world_size

TERMS = (
    "rec_text", "rec_motion", "rec_between",
    "kl_text_motion", "kl_motion_text", "kl_motion", "kl_text",
    "latent", "contrastive", "total",
)  # fmt: skip


@dataclass(frozen=True)
class Noised:
    """What the encoder sees of a batch: motions at step t, and the target of their reconstruction."""

    motion: Tensor
    target: Tensor
    t: Tensor


def semantic_terms(
    network: RewardNetwork,
    target: Tensor,
    lengths: Tensor,
    representation: str,
    text: tuple[Latent, Tensor],
    motion: tuple[Latent, Tensor],
    sentences: Tensor | None,
    weights: LossWeights,
    *,
    temperature: float = 0.1,
    threshold: float = 0.9,
    count_padding: bool = False,
    decode_rows: int = 0,
) -> dict[str, Tensor]:
    """The ten terms (`TERMS`) of one representation. `text`, `motion`: the latent and the z read from it.

    `decode_rows`: reconstruct only that many motions of the batch (0: all), which are in random order:
    the same loss in expectation, for a fraction of a CPU's time.
    """
    (text_latent, z_text), (motion_latent, z_motion) = text, motion
    frames, rows = target.shape[1], slice(decode_rows or None)
    reconstruction = reconstruction_terms(
        network.decode(z_text[rows], lengths[rows], frames, representation),
        network.decode(z_motion[rows], lengths[rows], frames, representation),
        target[rows],
        None if count_padding else frame_mask(lengths[rows], frames),
    )
    divergence = divergence_terms(text_latent, motion_latent)
    latent = smooth_l1(z_motion, z_text)
    contrastive = infonce(z_text, z_motion, sentences, temperature=temperature, threshold=threshold)
    total = (
        sum(reconstruction)
        + weights.kl * sum(divergence)
        + weights.latent * latent
        + weights.contrastive * contrastive
    )
    return dict(zip(TERMS, (*reconstruction, *divergence, latent, contrastive, total), strict=True))


class SemanticObjective(nn.Module):
    """The loss of one aligned batch, as a module so that DistributedDataParallel can wrap it."""

    def __init__(
        self,
        network: RewardNetwork,
        noise: NoiseLaw,
        weights: LossWeights,
        official: OfficialBehaviour,
        *,
        temperature: float = 0.1,
        threshold: float = 0.9,
        decode_rows: int = 0,
    ):
        super().__init__()
        self.network = network
        self.noise, self.weights, self.official = noise, weights, official
        self.temperature, self.threshold, self.decode_rows = temperature, threshold, decode_rows
        self.alphas = cumulative_alphas()
        # the text side never carries a time token, so its embedding is not trained
        network.time_embedding_text.requires_grad_(False)

    def forward(
        self,
        features: dict[str, Tensor],
        lengths: Tensor,
        text: TextBatch,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """Scalar losses: "loss", its parts averaged over representations, and the alignment of each pair."""
        views = self._noised(features, lengths, generator)
        text_latent = self.network.encode_text(text.tokens, text.mask)
        z_text = self._draw(text_latent, generator)
        latents: dict[str, tuple[Latent, Tensor]] = {}
        losses: dict[str, Tensor] = {}
        for name, entry in views.items():
            latent = self.network.encode_motion(entry.motion, lengths, name, entry.t)
            latents[name] = latent, self._draw(latent, generator)
            terms = semantic_terms(
                self.network, entry.target, lengths, name, (text_latent, z_text), latents[name],
                text.pooled, self.weights, temperature=self.temperature, threshold=self.threshold,
                count_padding=self.official.reconstruction, decode_rows=self.decode_rows,
            )  # fmt: skip
            for term, value in terms.items():
                losses[term] = losses.get(term, 0.0) + value / len(views)
        pairs = self._pairs(tuple(views))
        alignment = torch.zeros((), device=lengths.device)
        for a, b in pairs:
            (latent_a, z_a), (latent_b, z_b) = latents[a], latents[b]
            terms = alignment_terms(latent_a, latent_b, z_a, z_b, self.temperature)
            losses[f"align_{a}_{b}"] = alignment_total(terms)
            alignment = alignment + losses[f"align_{a}_{b}"] / len(pairs)
        losses["loss"] = losses["total"] + self.weights.alignment * alignment
        return losses

    def _pairs(self, names: tuple[str, ...]) -> list[tuple[str, str]]:
        if self.official.alignment:
            return [("kinematic", "joint")] if {"kinematic", "joint"} <= set(names) else []
        return list(combinations(names, 2))

    def _draw(self, latent: Latent, generator: torch.Generator) -> Tensor:
        """A latent sample; processes share one stream and each takes its own rows of it."""
        batch, d = latent.mean.shape
        noise = torch.randn(
            (world_size() * batch, d), generator=generator, device=latent.mean.device
        )
        return latent.sample(noise[rank() * batch : (rank() + 1) * batch])

    def _noised(
        self, features: dict[str, Tensor], lengths: Tensor, generator: torch.Generator
    ) -> dict[str, Noised]:
        """The same levels for the three views of a clip."""
        official = self.official.noise
        levels = draw_levels(self.noise, len(lengths), generator, official=official)
        result = {}
        for name, clean in features.items():
            valid = None if official else frame_mask(lengths, clean.shape[1])
            motion = noised(clean, levels, self.alphas, generator, valid)
            result[name] = Noised(motion, motion if official else clean, levels.t)
        return result
