"""The reward a fine-tuner sees (paper section III-D): semantic, motion-to-motion, preference, authenticity.

R = l_ret cos(z_text, z) + l_m2m cos(z_reference, z) + l_pref h(z | LoRA) + l_auth P(real | LoRA)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from motionrft.errors import InputError
from motionrft.reward.files import TaskBranch, load_branch, load_network
from motionrft.reward.latent import Latent
from motionrft.reward.lora import MotionAdapter
from motionrft.reward.network import RewardNetwork
from motionrft.reward.noise_schedule import cumulative_alphas
from motionrft.text.features import TextBatch

DIMENSIONS = ("semantic", "m2m", "preference", "authenticity")


@dataclass(frozen=True)
class RewardContext:
    """What a motion is scored against. text, reference [B, d]: embeddings, without gradient."""

    text: Tensor
    reference: Tensor | None
    representation: str

    def select(self, index: Tensor | slice) -> RewardContext:
        reference = None if self.reference is None else self.reference[index]
        return RewardContext(self.text[index], reference, self.representation)


class MotionReward(nn.Module):
    """Frozen and in eval mode for good; differentiable in the motion, of any representation it knows.

    Only dimensions of positive weight are computed. The backbone runs once for both similarities and
    once for each adapter, without any switch between them.

    clean_token: a clean motion carries the time token of t = 0 (how the semantic stage is trained here;
    the released weights score clean motions without a token).
    read: how a latent becomes an embedding: its mean by default (deterministic).
    """

    def __init__(
        self,
        network: RewardNetwork,
        branches: Mapping[str, TaskBranch],
        weights: Mapping[str, float],
        *,
        max_t: int = 500,
        clean_token: bool = True,
        read: Callable[[Latent], Tensor] = lambda latent: latent.mean,
    ):
        super().__init__()
        unknown = sorted(set(weights) - set(DIMENSIONS))
        if unknown:
            raise InputError(
                f"unknown dimension {unknown[0]!r}",
                field="reward.weights",
                fix=f"known: {', '.join(DIMENSIONS)}",
            )
        self.weights = {name: float(weights.get(name, 0.0)) for name in DIMENSIONS}
        for task in ("preference", "authenticity"):
            if self.weights[task] > 0 and task not in branches:
                raise InputError(
                    "has a weight but no trained branch",
                    field=f"reward.weights.{task}",
                    fix=f"pass the {task} file, or set the weight to 0",
                )
        self.network = network
        self.adapters = nn.ModuleDict({name: branch.adapter for name, branch in branches.items()})
        self.heads = nn.ModuleDict({name: branch.head for name, branch in branches.items()})
        self.max_t, self.clean_token, self.read = max_t, clean_token, read
        self.alphas = cumulative_alphas()
        self.requires_grad_(False)
        self.eval()

    @classmethod
    def load(
        cls,
        semantic: Path,
        preference: Path | None,
        authenticity: Path | None,
        weights: Mapping[str, float],
        *,
        device: torch.device | str = "cpu",
        sampled: bool = False,
        seed: int = 0,
    ) -> MotionReward:
        """From the files of the stages. `sampled`: embeddings are random draws, as in the released code."""
        network, about = load_network(semantic, device)
        branches: dict[str, TaskBranch] = {}
        for task, path in (("preference", preference), ("authenticity", authenticity)):
            if path is not None:
                branches[task], _ = load_branch(path, network, task)
        reward = cls(
            network,
            branches,
            weights,
            max_t=int(about["noise"]["max_t"]),
            clean_token=not about["official"]["no_clean_token"],
        )
        if sampled:
            generator = torch.Generator().manual_seed(seed)
            reward.read = lambda latent: latent.draw(generator)
        return reward

    @property
    def representations(self) -> tuple[str, ...]:
        return self.network.representations

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The dimensions that are computed: those of positive weight."""
        return tuple(name for name in DIMENSIONS if self.weights[name] > 0)

    def train(self, mode: bool = True) -> MotionReward:
        """Stays in eval mode: a reward has no dropout."""
        return super().train(False)

    @torch.no_grad()
    def context(
        self, text: TextBatch, references: Tensor | None, lengths: Tensor, representation: str
    ) -> RewardContext:
        """Embeddings of B captions and of their real motions [B, T, dim] (None: no m2m term), once a caption."""
        self.network.official(representation)  # an unknown representation is an error here already
        z_text = self.read(self.network.encode_text(text.tokens, text.mask))
        if references is None:
            return RewardContext(z_text, None, representation)
        t = torch.zeros_like(lengths) if self.clean_token else None
        latent = self.network.encode_motion(references, lengths, representation, t)
        return RewardContext(z_text, self.read(latent), representation)

    def forward(
        self,
        features: Tensor,
        lengths: Tensor,
        context: RewardContext,
        t: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Per-sample scores [B] by dimension, and "total", their weighted sum.

        features [B, T, dim]: z-normalised by the corpus statistics, in `context.representation`; t [B]:
        steps on the reward's own schedule (`alphas`, trained below `max_t`), None for clean motions.
        """
        if t is None and self.clean_token:
            t = torch.zeros_like(lengths)
        name = context.representation
        scores: dict[str, Tensor] = {}
        if self.weights["preference"] > 0:
            scores["preference"] = self._branch("preference", features, lengths, name, t)[:, 0]
        if self.weights["semantic"] > 0 or self.weights["m2m"] > 0:
            latent = self.network.encode_motion(features, lengths, name, t)
            if self.weights["semantic"] > 0:
                scores["semantic"] = F.cosine_similarity(context.text, self.read(latent), dim=-1)
            if self.weights["m2m"] > 0:
                if context.reference is None:
                    raise InputError(
                        "a weight, but the context has no real motions",
                        field="reward.weights.m2m",
                        fix="pass references to context(), or set the weight to 0",
                    )
                z = self.read(latent)
                scores["m2m"] = F.cosine_similarity(context.reference, z, dim=-1)
        if self.weights["authenticity"] > 0:
            logits = self._branch("authenticity", features, lengths, name, t)
            scores["authenticity"] = logits.softmax(dim=-1)[:, 0]
        ordered = {key: scores[key] for key in DIMENSIONS if key in scores}
        total = torch.zeros_like(features[:, 0, 0])
        for key, value in ordered.items():
            total = total + self.weights[key] * value
        return {**ordered, "total": total}

    def _branch(
        self, task: str, features: Tensor, lengths: Tensor, representation: str, t: Tensor | None
    ) -> Tensor:
        adapter = cast(MotionAdapter, self.adapters[task])
        latent = self.network.encode_motion(features, lengths, representation, t, adapter)
        return self.heads[task](self.read(latent))
