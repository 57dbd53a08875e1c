"""Stage 1, the semantic space (MotionRFT section III-B): what text and motions of three representations o share.

L_sem = mean over o of (L_rec + lambda_1 L_kl + lambda_2 L_lat + lambda_3 L_cl) + lambda_4 L_CRA

L_rec  l_1(x_c, x) + l_1(x_m, x) + l_1(x_m, x_c)            x_c, x_m: decodes of z_c and z_m
L_kl   KL(c|m) + KL(m|c) + KL(m|N) + KL(c|N)                c, m: the normals of caption and motion
L_lat  l_1(z_m, z_c)                                        z_c, z_m: draws from them
L_cl   L_info(z_c, z_m), without near-duplicate captions
L_CRA  mean over pairs (a, b) of representations of 0.1 l_1(z_a, z_b) + 1e-5 (KL(a|b) + KL(b|a)) + 0.1 L_info(z_a, z_b)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from motionrft.diffusion.recompute import recomputed
from motionrft.networks.early_gradient import early_sum
from motionrft.reward.latent import Latent
from motionrft.reward.losses import (
    LossWeights,
    counted_entries,
    infonce,
    kl_divergence,
    smooth_l1,
    smooth_l1_sum,
)
from motionrft.reward.network import RewardNetwork
from motionrft.reward.noise_schedule import NoiseLaw, cumulative_alphas, normal_of_this_process
from motionrft.reward.rules import Rules
from motionrft.text.features import TextBatch

DECODED_TOGETHER = 16  # motions
ENCODED_TOGETHER = 3136  # tokens on a CPU: 16 of the longest motions at the paper's size
TERMS = (
    "rec_text", "rec_motion", "rec_between",
    "kl_text_motion", "kl_motion_text", "kl_motion", "kl_text",
    "latent", "contrastive", "total",
)  # fmt: skip


class Embedding(NamedTuple):
    """A distribution and the draw z [B, d] from it."""

    latent: Latent
    z: Tensor


class Target(NamedTuple):
    """What the decoder is to reproduce: features [B, T, dim] of a representation, lengths [B]."""

    features: Tensor
    lengths: Tensor
    representation: str


@dataclass(frozen=True)
class SemanticLoss:
    """The loss of one representation, L_rec + lambda_1 L_kl + lambda_2 L_lat + lambda_3 L_cl.

    temperature, threshold: of InfoNCE and of its filter of near-duplicate captions. decode_rows: reconstruct only
    that many motions of the batch (0: all), which are in random order: the same loss in expectation, for a
    fraction of a CPU's time.
    """

    network: RewardNetwork
    weights: LossWeights = field(default_factory=LossWeights)
    temperature: float = 0.1
    threshold: float = 0.9
    decode_rows: int = 0
    rules: Rules = field(default_factory=Rules)

    def terms(
        self, target: Target, text: Embedding, motion: Embedding, sentences: Tensor | None
    ) -> dict[str, Tensor]:
        """The ten `TERMS`; sentences [B, P]: vectors of the captions that the filter compares. The gradient of the
        three reconstructions is in "total" only."""
        reconstructed, reconstruction = self.reconstruction(target, text.z, motion.z)
        divergence = (
            kl_divergence(text.latent, motion.latent),
            kl_divergence(motion.latent, text.latent),
            kl_divergence(motion.latent),
            kl_divergence(text.latent),
        )
        latent = smooth_l1(motion.z, text.z)
        contrastive = infonce(
            text.z, motion.z, sentences, temperature=self.temperature, threshold=self.threshold
        )
        total = (
            reconstructed
            + self.weights.kl * sum(divergence)
            + self.weights.latent * latent
            + self.weights.contrastive * contrastive
        )
        values = (*reconstruction, *divergence, latent, contrastive, total)
        return dict(zip(TERMS, values, strict=True))

    def reconstruction(
        self, target: Target, z_text: Tensor, z_motion: Tensor
    ) -> tuple[Tensor, Tensor]:
        """L_rec, and its three summands [3] without gradient. Decoded in parts of `DECODED_TOGETHER` motions of
        like length, one part's graph at a time."""
        rows = slice(self.decode_rows or None)
        x, lengths = target.features[rows], target.lengths[rows]
        counted = self.rules.counted_frames(lengths, x.shape[1])
        entries = counted_entries(x, counted)

        def of_part(part: Tensor, frames: int, z_text: Tensor, z_motion: Tensor) -> Tensor:
            """The three summands' shares of the motions `part` [n], none longer than `frames`."""
            within = x[part, :frames]
            x_text, x_motion = (
                self.network.decode(z[part], lengths[part], frames, target.representation)
                for z in (z_text, z_motion)
            )
            valid = None if counted is None else counted[part, :frames]
            pairs = ((x_text, within), (x_motion, within), (x_motion, x_text))
            return torch.stack([smooth_l1_sum(a, b, valid) for a, b in pairs]) / entries

        losses = [
            partial(of_part, part, frames)
            for part, frames in _parts(
                lengths, x.shape[1], DECODED_TOGETHER, cut=counted is not None
            )
        ]
        return early_sum(losses, list(self.network.parameters()), z_text[rows], z_motion[rows])


def _parts(
    lengths: Tensor, frames: int, together: int, *, cut: bool = True
) -> list[tuple[Tensor, int]]:
    """Rows of `together` motions of like length, and the frames of the longest; without `cut`, all frames."""
    if len(lengths) <= together:
        return [(torch.arange(len(lengths), device=lengths.device), frames)]
    order = lengths.argsort(stable=True)
    # without values (the meta device) all are as long as the batch
    longest = [frames] * len(lengths) if lengths.is_meta else lengths[order].tolist()
    return [
        (
            order[begin : begin + together],
            longest[begin : begin + together][-1] if cut else frames,
        )
        for begin in range(0, len(lengths), together)
    ]


def alignment_terms(a: Embedding, b: Embedding, temperature: float) -> dict[str, Tensor]:
    """L_CRA of one pair of representations by its parts, and their "total"; InfoNCE has no filter here."""
    latent = smooth_l1(a.z, b.z)
    kl = kl_divergence(a.latent, b.latent) + kl_divergence(b.latent, a.latent)
    contrastive = infonce(a.z, b.z, temperature=temperature)
    total = 0.1 * latent + 1e-5 * kl + 0.1 * contrastive
    return {"latent": latent, "kl": kl, "contrastive": contrastive, "total": total}


class SemanticObjective(nn.Module):
    """L_sem of one aligned batch, as a module so that DistributedDataParallel can wrap it.

    recompute: the motion encoder's graphs are not kept but computed again on the way back, one view at a time.
    """

    alphas: Tensor

    def __init__(self, loss: SemanticLoss, noise: NoiseLaw, *, recompute: bool = False):
        super().__init__()
        self.network, self.loss, self.noise = loss.network, loss, noise
        self.recompute = recompute
        self.register_buffer("alphas", cumulative_alphas(), persistent=False)
        # the text side never carries a time token, so its embedding is not trained
        self.network.time_embedding_text.requires_grad_(False)

    def forward(
        self,
        features: dict[str, Tensor],
        lengths: Tensor,
        text: TextBatch,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """Scalar losses: "loss", its parts averaged over representations, and the alignment of each pair."""
        levels = self.noise.levels(
            len(lengths), generator
        )  # the same for the three views of a clip
        noised = {
            name: self.noise.corrupted(clean, lengths, levels, self.alphas, generator)
            for name, clean in features.items()
        }
        caption = drawn(self.network.encode_text(text.tokens, text.mask), generator)
        motions: dict[str, Embedding] = {}
        losses: dict[str, Tensor] = {}
        for name, clean in features.items():
            latent = self._encoded(noised[name], lengths, name, levels.t)
            motions[name] = drawn(latent, generator)
            target = Target(self.noise.target(clean, noised[name]), lengths, name)
            terms = self.loss.terms(target, caption, motions[name], text.pooled)
            for term, value in terms.items():
                losses[term] = losses.get(term, 0.0) + value / len(features)
        pairs = self.loss.rules.aligned_pairs(tuple(features))
        alignment = torch.zeros((), device=lengths.device)
        for a, b in pairs:
            pair = alignment_terms(motions[a], motions[b], self.loss.temperature)["total"]
            losses[f"align_{a}_{b}"] = pair
            alignment = alignment + pair / len(pairs)
        losses["loss"] = losses["total"] + self.loss.weights.alignment * alignment
        return losses

    def _encoded(self, features: Tensor, lengths: Tensor, name: str, t: Tensor) -> Latent:
        """The batch's latents; on a CPU in parts of motions of like length, without padding beyond their longest."""
        together, frames = len(lengths), features.shape[1]
        if lengths.device.type == "cpu":
            together = max(ENCODED_TOGETHER * self.network.settings.patch // frames, 1)
        parts = _parts(lengths, frames, together)
        encoded = [
            self._encoded_together(features[rows, :longest], lengths[rows], name, t[rows])
            for rows, longest in parts
        ]
        place = torch.cat([rows for rows, _ in parts]).argsort()
        return Latent.split(torch.cat(encoded)[place])

    def _encoded_together(self, features: Tensor, lengths: Tensor, name: str, t: Tensor) -> Tensor:
        """Means and log-variances [n, 2d] of n motions."""

        def encode(features: Tensor) -> Tensor:
            latent = self.network.encode_motion(features, lengths, name, t)
            return torch.cat([latent.mean, latent.logvar], dim=-1)

        if not (self.recompute and torch.is_grad_enabled()):
            return encode(features)
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        return recomputed(encode, trained, features)


def drawn(latent: Latent, generator: torch.Generator) -> Embedding:
    """The latent and a draw from it; processes share one stream of noise, and each takes its own rows."""
    return Embedding(latent, latent.sample(normal_of_this_process(latent.mean.shape, generator)))
