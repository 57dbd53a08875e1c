"""What a term of the reward is, and what it scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from torch import Tensor

from motionrft.reward.branch import TaskBranch
from motionrft.reward.latent import Latent, Reading
from motionrft.reward.network import RewardNetwork


@dataclass(frozen=True)
class RewardContext:
    """What motions are scored against. text, reference [B, d]: embeddings, without gradient."""

    text: Tensor
    reference: Tensor | None
    representation: str

    def select(self, index: Tensor | slice) -> RewardContext:
        """The chosen rows."""
        reference = None if self.reference is None else self.reference[index]
        return RewardContext(self.text[index], reference, self.representation)


@dataclass(frozen=True)
class ScoredMotions:
    """A batch that is being scored. The semantic network encodes it once, and once more for each branch.

    features        [B, T, dim] z-normalised
    lengths         [B] frames
    representation  what the features are in
    t               [B] steps on the reward's own schedule; None: no time token
    """

    features: Tensor
    lengths: Tensor
    representation: str
    t: Tensor | None
    network: RewardNetwork
    branches: Mapping[str, TaskBranch]
    read: Reading
    latents: dict[str | None, Latent] = field(default_factory=dict)

    def embedding(self, branch: str | None = None) -> Tensor:
        """z [B, d], of the semantic network or through a branch's adapter."""
        if branch not in self.latents:
            adapter = None if branch is None else self.branches[branch].adapter
            self.latents[branch] = self.network.encode_motion(
                self.features, self.lengths, self.representation, self.t, adapter
            )
        return self.read(self.latents[branch])

    def head(self, branch: str) -> Tensor:
        """What a branch's head says of its embedding, [B, outputs]."""
        return cast(Tensor, self.branches[branch].head(self.embedding(branch)))


@dataclass(frozen=True)
class Term:
    """score(motions, context) -> [B]; branch: the stage beside the semantic one whose file the term needs; reference: whether
    it reads `context.reference`, which is None where no term of a reward does."""

    score: Callable[[ScoredMotions, RewardContext], Tensor]
    branch: str | None = None
    reference: bool = True
