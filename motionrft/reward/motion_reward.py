"""The reward a fine-tuner sees (MotionRFT section III-D): the weighted sum of its terms.

R(x, t, c) = sum over terms k of  lambda_k r_k(x, t, c)
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from motionrft.errors import InputError
from motionrft.reward import terms
from motionrft.reward.branch import TaskBranch
from motionrft.reward.files import load_branch, load_network
from motionrft.reward.latent import Reading, mean
from motionrft.reward.network import RewardNetwork
from motionrft.reward.noise_schedule import cumulative_alphas
from motionrft.reward.term import RewardContext, ScoredMotions
from motionrft.text.features import TextBatch


class MotionReward(nn.Module):
    """Frozen and in eval mode for good; differentiable in the motion, of any representation it knows.

    Only terms of positive weight are computed. The backbone runs once for both similarities and once for
    each adapter, without any switch between them.

    weights: by the name of a term (`motionrft/reward/terms`). max_t: the steps that it was trained below.
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
        read: Reading = mean,
    ):
        super().__init__()
        self.network, self.branches = network, dict(branches)
        self.adapters = nn.ModuleDict({name: branch.adapter for name, branch in branches.items()})
        self.heads = nn.ModuleDict({name: branch.head for name, branch in branches.items()})
        self.max_t, self.clean_token, self.read = max_t, clean_token, read
        self.alphas = cumulative_alphas()
        self._weigh(weights)
        self.requires_grad_(False)
        self.eval()

    @classmethod
    def load(
        cls,
        files: Mapping[str, Path],
        weights: Mapping[str, float],
        *,
        device: torch.device | str = "cpu",
    ) -> MotionReward:
        """From the files of its stages by name: "semantic", and any whose branch a term reads."""
        network, about = load_network(files["semantic"], device)
        read_by_terms = {terms.branch_of(name) for name in terms.names()}
        branches = {
            name: load_branch(file, network, name)[0]
            for name, file in files.items()
            if name in read_by_terms
        }
        return cls(
            network,
            branches,
            weights,
            max_t=int(about["noise"]["max_t"]),
            clean_token=not about["official"]["no_clean_token"],
        )

    def view(
        self, *, weights: Mapping[str, float] | None = None, read: Reading | None = None
    ) -> MotionReward:
        """The same networks with other weights, or with another reading of latents."""
        view = copy.copy(self)
        if weights is not None:
            view._weigh(weights)
        if read is not None:
            view.read = read
        return view

    def _weigh(self, weights: Mapping[str, float]) -> None:
        self.weights = {name: float(weight) for name, weight in weights.items()}
        loaded = {name: terms.load(name) for name in weights}
        for name, term in loaded.items():
            if self.weights[name] > 0 and term.branch not in (None, *self.branches):
                raise InputError(
                    "has a weight but no trained branch",
                    field=f"reward.weights.{name}",
                    fix=f"pass the {term.branch} file, or set the weight to 0",
                )
        self.terms = {name: term for name, term in loaded.items() if self.weights[name] > 0}

    @property
    def representations(self) -> tuple[str, ...]:
        """What it can score."""
        return self.network.representations

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The terms that are computed: those of positive weight, in the order of the weights."""
        return tuple(self.terms)

    def train(self, mode: bool = True) -> MotionReward:
        """Stays in eval mode: a reward has no dropout."""
        return super().train(False)

    @torch.no_grad()
    def context(
        self, text: TextBatch, references: Tensor | None, lengths: Tensor, representation: str
    ) -> RewardContext:
        """Embeddings of B captions, once a caption, and of their real motions [B, T, dim] where a term reads these (None: no m2m
        term) or readings are draws, whose order stays that of the released code."""
        self.network.official(representation)  # an unknown representation is an error here already
        z_text = self.read(self.network.encode_text(text.tokens, text.mask))
        read = self.read is not mean or any(term.reference for term in self.terms.values())
        if references is None or not read:
            return RewardContext(z_text, None, representation)
        latent = self.network.encode_clean(
            references, lengths, representation, token=self.clean_token
        )
        return RewardContext(z_text, self.read(latent), representation)

    def forward(
        self, features: Tensor, lengths: Tensor, context: RewardContext, t: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Scores [B] of each motion by term, and "total", their weighted sum.

        features [B, T, dim]: z-normalised by the corpus statistics, in `context.representation`; t [B]:
        steps on the reward's own schedule (`alphas`, trained below `max_t`), None for clean motions.
        """
        if t is None and self.clean_token:
            t = torch.zeros_like(lengths)
        motions = ScoredMotions(
            features, lengths, context.representation, t, self.network, self.branches, self.read
        )
        scores = {name: term.score(motions, context) for name, term in self.terms.items()}
        weighted = (self.weights[name] * score for name, score in scores.items())
        return {**scores, "total": sum(weighted, torch.zeros_like(features[:, 0, 0]))}
